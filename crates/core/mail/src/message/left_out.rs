//! What is known of the fields that were received and are not kept.

/// Distinct names of left-out fields that are remembered. Past that, any name may be among
/// them.
pub const MAX_NAMES_LEFT_OUT: usize = 100;

/// The longest name that is remembered whole, in octets. A longer one, which may have been
/// cut before it got here, makes any name possible.
pub const MAX_NAME_LEFT_OUT_OCTETS: usize = 200;

/// The names of the fields that were left out at a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NamesLeftOut {
    /// In lower case, each once.
    names: Vec<Box<[u8]>>,
    /// There were others, which are not known.
    has_others: bool,
    may_be_from: bool,
}

impl NamesLeftOut {
    pub(super) fn add(&mut self, name: &[u8]) {
        self.may_be_from |= may_read_as_from(name);
        let name = name.trim_ascii_end().to_ascii_lowercase();
        if self.names.iter().any(|known| **known == *name) {
            return;
        }
        if self.names.len() < MAX_NAMES_LEFT_OUT && name.len() <= MAX_NAME_LEFT_OUT_OCTETS {
            self.names.push(name.into());
        } else {
            self.has_others = true;
        }
    }

    /// Something was left out, and nobody knows what.
    pub(super) fn add_unknown(&mut self) {
        self.has_others = true;
        self.may_be_from = true;
    }

    pub(super) fn may_contain(&self, name: &[u8]) -> bool {
        self.has_others || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    pub(super) fn may_contain_from(&self) -> bool {
        self.may_be_from
    }
}

/// Whether some reader may take a field of that name for the From field, perhaps by the part of
/// the name that was cut off: octets that are dropped in display do not count.
fn may_read_as_from(name: &[u8]) -> bool {
    let mut from = b"from".iter();
    let mut shown = name.iter().filter(|octet| octet.is_ascii_graphic());
    shown.all(|octet| from.next() == Some(&octet.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out<'a>(names: impl IntoIterator<Item = &'a [u8]>) -> NamesLeftOut {
        let mut left_out = NamesLeftOut::default();
        for name in names {
            left_out.add(name);
        }
        left_out
    }

    #[test]
    fn a_name_counts_without_case_and_blanks() {
        let some = left_out([&b"Subject \t"[..], b"X-Spam"]);
        assert!(some.may_contain(b"subject") && some.may_contain(b"x-SPAM"));
        assert!(!some.may_contain(b"to") && !some.may_contain_from());
    }

    #[test]
    fn what_could_be_shown_as_from_may_be_from() {
        for name in [&b"From"[..], b"FROM \t", b"F\0rom", b"\xffFr", b"", b"F\x01\x01"] {
            assert!(left_out([name]).may_contain_from(), "{}", name.escape_ascii());
        }
        for name in [&b"X-From"[..], b"Fromm", b"From:x", b"To", b"Resent-From"] {
            assert!(!left_out([name]).may_contain_from(), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn past_a_hundred_names_any_name_may_be_among_them() {
        let names: Vec<String> = (0..=MAX_NAMES_LEFT_OUT).map(|n| format!("X-{n}")).collect();
        let of = |count: usize| left_out(names.iter().take(count).map(String::as_bytes));
        assert!(!of(MAX_NAMES_LEFT_OUT).may_contain(b"to"));
        assert!(of(MAX_NAMES_LEFT_OUT + 1).may_contain(b"to"));
        // Whether one of them is From was looked at when it came.
        assert!(!of(MAX_NAMES_LEFT_OUT + 1).may_contain_from());
        let again = [names.iter().take(MAX_NAMES_LEFT_OUT), names.iter().take(50)];
        assert!(!left_out(again.into_iter().flatten().map(String::as_bytes)).may_contain(b"to"));
    }

    #[test]
    fn a_name_is_remembered_up_to_its_limit() {
        let of = |octets: usize| left_out([&*vec![b'x'; octets]]);
        assert!(!of(MAX_NAME_LEFT_OUT_OCTETS).may_contain(b"to"));
        assert!(of(MAX_NAME_LEFT_OUT_OCTETS + 1).may_contain(b"to"));
    }

    #[test]
    fn what_is_not_known_may_be_anything() {
        let mut unknown = NamesLeftOut::default();
        assert!(!unknown.may_contain(b"to") && !unknown.may_contain_from());
        unknown.add_unknown();
        assert!(unknown.may_contain(b"to") && unknown.may_contain_from());
    }
}
