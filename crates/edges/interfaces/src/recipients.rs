//! The recipients of a message, as a mail server lists them: as many as its client has named.
//!
//! How many there are is the sender's choice, and so is never a reason to give a message up: one that is not judged is
//! one that got past the policy. So there is room for a number of them, and beyond it is only known that there are more.

/// Recipients that are kept: as many as are told apart (`landmarc_receiver::rule::MAX_RECIPIENTS`).
pub const MAX_RECIPIENTS: usize = 1_000;
/// Octets of all that are kept: as many recipients, each as long as a path may be (RFC 5321 §4.5.3.1.3).
pub const MAX_OCTETS: usize = MAX_RECIPIENTS * 256;

/// Recipients on their way in. What is kept of them has a limit, what may come has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipients {
    kept: Vec<Vec<u8>>,
    /// Octets of those.
    octets: usize,
    /// The one under way.
    address: Vec<u8>,
    quotes: Quotes,
    has_more: bool,
}

impl Recipients {
    /// More of a list, with a comma between two addresses.
    pub(crate) fn take(&mut self, list: &[u8]) {
        for &octet in list {
            match self.quotes.part(octet) {
                true => self.end_address(),
                false => self.push(octet),
            }
        }
    }

    /// The list is over; another one may follow.
    pub(crate) fn end_list(&mut self) {
        self.end_address();
        self.quotes = Quotes::default();
    }

    /// Those that are kept. Where there were more, an empty one says so: nothing that is set for a list of recipients
    /// then holds for all of them.
    pub(crate) fn into_paths(mut self) -> Vec<Vec<u8>> {
        self.end_list();
        if self.has_more {
            self.kept.push(Vec::new());
        }
        self.kept
    }

    fn push(&mut self, octet: u8) {
        let is_leading_blank = self.address.is_empty() && octet.is_ascii_whitespace();
        if self.has_more || is_leading_blank {
            return;
        }
        self.address.push(octet);
        if self.octets.saturating_add(self.address.len()) > MAX_OCTETS {
            self.has_more = true;
        }
    }

    fn end_address(&mut self) {
        let mut address = std::mem::take(&mut self.address);
        address.truncate(address.trim_ascii_end().len());
        self.has_more |= !address.is_empty() && self.kept.len() == MAX_RECIPIENTS;
        if !self.has_more && !address.is_empty() {
            self.octets = self.octets.saturating_add(address.len());
            self.kept.push(address);
        }
    }
}

/// Where a list of addresses is: in a quoted local part a comma parts nothing (RFC 5321 §4.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quotes {
    is_quoted: bool,
    is_escaped: bool,
}

impl Quotes {
    /// Goes on by this octet. Whether it is a comma between two addresses.
    pub(crate) fn part(&mut self, octet: u8) -> bool {
        let parts = octet == b',' && !self.is_quoted;
        match octet {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_quoted => self.is_escaped = true,
            b'"' => self.is_quoted = !self.is_quoted,
            _ => {}
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of a list that comes in pieces of this size.
    fn kept(list: &str, size: usize) -> Vec<String> {
        let mut recipients = Recipients::default();
        for piece in list.as_bytes().chunks(size) {
            recipients.take(piece);
        }
        let paths = recipients.into_paths().into_iter();
        paths.map(|path| String::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn recipients_are_parted_outside_of_quotes() {
        for (list, expected) in [
            ("", &[][..]),
            (" , ,", &[]),
            ("a@b", &["a@b"]),
            ("a@b, c@d,e@f ", &["a@b", "c@d", "e@f"]),
            (
                r#""a, b"@c, "\", d"@e, f@g"#,
                &[r#""a, b"@c"#, r#""\", d"@e"#, "f@g"],
            ),
            // A quote that is not closed.
            (r#""a, b"#, &[r#""a, b"#]),
        ] {
            for size in 1..=list.len().max(1) {
                assert_eq!(kept(list, size), expected, "{list} by {size}");
            }
        }
    }

    /// The quote that one list leaves open does not swallow the next.
    #[test]
    fn lists_stand_each_for_itself() {
        let mut recipients = Recipients::default();
        for list in [&b"\"a@b"[..], b"c@d, e@f"] {
            recipients.take(list);
            recipients.end_list();
        }
        assert_eq!(recipients.into_paths(), [&b"\"a@b"[..], b"c@d", b"e@f"]);
    }

    #[test]
    fn past_the_number_of_those_that_are_kept_an_empty_one_says_so() {
        let of = |count: usize| kept(&"a@b, ".repeat(count), 4_096);
        assert_eq!(of(MAX_RECIPIENTS), vec!["a@b"; MAX_RECIPIENTS]);
        for count in [MAX_RECIPIENTS + 1, MAX_RECIPIENTS * 30] {
            let found = of(count);
            assert_eq!(found.len(), MAX_RECIPIENTS + 1);
            assert_eq!(found.last().map(String::as_str), Some(""));
        }
    }

    #[test]
    fn past_the_octets_that_are_kept_it_says_so_too() {
        let long = |octets: usize| "a".repeat(octets);
        assert_eq!(kept(&long(MAX_OCTETS), 4_096), [long(MAX_OCTETS)]);
        // No part of an address is kept, and nothing that comes after it.
        assert_eq!(
            kept(&format!("a@b, {}, c@d", long(MAX_OCTETS - 2)), 4_096),
            ["a@b", ""]
        );
        assert_eq!(kept(&long(MAX_OCTETS * 3), 4_096), [""]);
    }
}
