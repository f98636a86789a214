//! Mail addresses in whatever surrounds them.
//!
//! Two readings: [`mailboxes`] for fields that hold addresses by their grammar, and
//! [`local_parts`] for everything, since what looks like an address anywhere is treated as one.

use landmarc_mail::DomainName;

/// The most mailboxes of one field that are shown.
pub(super) const MAX_MAILBOXES: usize = 100;
/// The longest local part and domain that are looked for around an `@`.
const MAX_PART_OCTETS: usize = 320;

/// One address: the local part without quotes, and the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) local_part: Vec<u8>,
    pub(super) domain: DomainName,
}

/// The addresses of a field, at most [`MAX_MAILBOXES`], and whether all that stands in it is among
/// them: display names, comments and group names aside.
pub(super) fn mailboxes(value: &[u8]) -> (Vec<Mailbox>, bool) {
    let bare = without_comments(value);
    let mut found = Vec::new();
    let mut is_all = true;
    for item in items(&bare) {
        let trimmed = item.trim_ascii();
        if trimmed.is_empty() || trimmed == b"<>" {
            continue;
        }
        match mailbox(trimmed) {
            Some(mailbox) if found.len() < MAX_MAILBOXES => found.push(mailbox),
            _ => is_all = false,
        }
    }
    (found, is_all)
}

/// One address, in angle brackets with anything before them, or alone.
pub(super) fn mailbox(item: &[u8]) -> Option<Mailbox> {
    let address = match item.iter().rposition(|&octet| octet == b'<') {
        Some(open) => {
            let inner = item.get(open + 1..)?;
            let close = inner.iter().rposition(|&octet| octet == b'>')?;
            inner.get(..close)?
        }
        None => item,
    };
    // A source route (RFC 5321 §4.1.2) stands before a colon.
    let address = match address.first() {
        Some(b'@') => address.splitn(2, |&octet| octet == b':').nth(1)?,
        _ => address,
    };
    let at = address.iter().rposition(|&octet| octet == b'@')?;
    let local_part = unquoted(address.get(..at)?.trim_ascii());
    let domain = DomainName::from_bytes(address.get(at + 1..)?.trim_ascii()).ok()?;
    (!local_part.is_empty()).then_some(Mailbox { local_part, domain })
}

/// The content of a quoted string, or the octets as they are.
fn unquoted(octets: &[u8]) -> Vec<u8> {
    let inner = octets
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    let Some(inner) = inner else {
        return octets.to_vec();
    };
    let mut content = Vec::with_capacity(inner.len());
    let mut octets = inner.iter();
    while let Some(&octet) = octets.next() {
        content.extend(if octet == b'\\' {
            octets.next()
        } else {
            Some(&octet)
        });
    }
    content
}

/// What stands between commas, semicolons and the colons of groups, outside quotes and brackets.
fn items(value: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    let (mut start, mut is_quoted, mut is_bracketed, mut is_escaped) = (0, false, false, false);
    for (at, &octet) in value.iter().enumerate() {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'<' => is_bracketed = true,
            b'>' => is_bracketed = false,
            b',' | b';' if !is_bracketed => {
                items.extend(value.get(start..at));
                start = at + 1;
            }
            // What stands before it is the name of a group.
            b':' if !is_bracketed => start = at + 1,
            _ => {}
        }
    }
    items.extend(value.get(start..));
    items
}

/// The value without its comments; what an open one holds is gone too.
pub(super) fn without_comments(value: &[u8]) -> Vec<u8> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    let outside = value.iter().copied().filter(|&octet| {
        let was_outside = depth == 0;
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' if depth == 0 => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ => {}
        }
        was_outside && depth == 0
    });
    outside.collect()
}

/// Gives each local part that stands before an `@`, as far as it reaches: the content of a quoted
/// string, or the octets that can be in one without quotes; and what stands in it, as [`inner_parts`] has it.
pub(super) fn local_parts(value: &[u8], mut give: impl FnMut(&[u8])) {
    for (at, _) in value.iter().enumerate().filter(|(_, octet)| **octet == b'@') {
        let before = value
            .get(at.saturating_sub(MAX_PART_OCTETS)..at)
            .unwrap_or_default();
        if let Some(inner) = before.strip_suffix(b"\"") {
            let open = inner.iter().rposition(|&octet| octet == b'"');
            give(inner.get(open.map_or(0, |open| open + 1)..).unwrap_or_default());
            continue;
        }
        let outside = before.iter().rposition(|&octet| !is_local_octet(octet));
        let local_part = before.get(outside.map_or(0, |at| at + 1)..).unwrap_or_default();
        give(local_part);
        inner_parts(local_part).for_each(&mut give);
    }
}

/// The local parts in what looks like one. `i=joe` is the tag of a signature and `joe`; and
/// `bounces+joe=x.example` is a return path that names another address (VERP).
fn inner_parts(local_part: &[u8]) -> impl Iterator<Item = &[u8]> {
    let first = local_part.iter().position(|&octet| octet == b'=');
    let last = local_part.iter().rposition(|&octet| octet == b'=');
    let is_tag_octet = |octet: &u8| octet.is_ascii_alphabetic() || b".-".contains(octet);
    let tag = first.and_then(|at| Some((local_part.get(..at)?, local_part.get(at + 1..)?)));
    let tagged = tag.filter(|(name, _)| name.iter().all(is_tag_octet));
    let before = last.and_then(|at| local_part.get(..at)).unwrap_or_default();
    let after_last = |of: &[u8]| {
        let at = before.iter().rposition(|octet| of.contains(octet))?;
        before.get(at + 1..)
    };
    [
        tagged.map(|(_, rest)| rest),
        after_last(b"+="),
        after_last(b"+=-"),
    ]
    .into_iter()
    .flatten()
}

/// Gives each domain that stands behind an `@`, but not one that is before another `@` itself.
pub(super) fn domains(value: &[u8], mut give: impl FnMut(DomainName)) {
    let is_domain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._".contains(octet);
    for (at, _) in value.iter().enumerate().filter(|(_, octet)| **octet == b'@') {
        let after = value.get(at + 1..).unwrap_or_default();
        let length = after
            .iter()
            .take(MAX_PART_OCTETS)
            .take_while(|octet| is_domain(octet))
            .count();
        let (domain, rest) = after.split_at_checked(length).unwrap_or_default();
        if let (Ok(domain), false) = (DomainName::from_bytes(domain), rest.first() == Some(&b'@')) {
            give(domain);
        }
    }
}

/// The first address in a text: what stands before it, its local part and domain, and the rest.
pub(super) fn first_in(text: &str) -> Option<(&str, &str, &str, &str)> {
    let is_domain = |character: char| character.is_alphanumeric() || "-._".contains(character);
    let is_local =
        |character: char| !character.is_ascii() || u8::try_from(character).is_ok_and(is_local_octet);
    for (at, _) in text.match_indices('@') {
        let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
        let local_part = before.trim_end_matches(is_local).len();
        let rest = after.trim_start_matches(is_domain);
        let domain = after.get(..after.len() - rest.len())?;
        if local_part < at && !domain.is_empty() {
            return Some((before.get(..local_part)?, before.get(local_part..)?, domain, rest));
        }
    }
    None
}

/// What a local part may hold without quotes (RFC 5322 §3.2.3, RFC 6532 §3.2).
fn is_local_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> (Vec<String>, bool) {
        let (found, is_all) = mailboxes(value.as_bytes());
        let text = |mailbox: &Mailbox| {
            format!(
                "{} at {}",
                String::from_utf8_lossy(&mailbox.local_part),
                mailbox.domain
            )
        };
        (found.iter().map(text).collect(), is_all)
    }

    #[test]
    fn addresses_are_found_in_every_form() {
        let one = (vec!["joe at x.example".to_owned()], true);
        for value in [
            " joe@x.example",
            " Joe <joe@X.example>",
            " \"a, b; c\" <joe@x.example>",
            " (a, (b)) joe@x.example (c@d)",
            " <@relay.example,@b.example:joe@x.example>",
            " friends: joe@x.example;",
            " \"joe\"@x.example",
            "\"<\" <joe@x.example>,\r\n",
            " \"a \\\", b\" <joe@x.example>",
            " \"a \\\\\" <joe@x.example>, <>",
            " <joe@x.example>; <>, <>",
        ] {
            assert_eq!(read(value), one, "{value}");
        }
        // Outside quotes a backslash is no escape.
        assert_eq!(read(" a\\, joe@x.example"), (one.0, false));
        assert_eq!(read(" \"j \\\" e\"@x.example").0, ["j \" e at x.example"]);
        assert_eq!(read("a@x.example, B <b@y.example>; <>").0.len(), 2);
        assert_eq!(read("undisclosed-recipients:;"), (vec![], true));
    }

    #[test]
    fn what_is_no_address_is_noticed() {
        for value in [
            "joe",
            "joe@",
            "@x.example",
            "joe@[192.0.2.1]",
            "<joe@x y>",
            "\"joe",
            "\"\"@x.example",
            "<joe@x.example",
            "<@relay.example>",
        ] {
            assert_eq!(read(value), (vec![], false), "{value}");
        }
    }

    #[test]
    fn a_field_is_read_to_its_limit() {
        let (found, is_all) = mailboxes("a@b,".repeat(MAX_MAILBOXES).as_bytes());
        assert_eq!((found.len(), is_all), (MAX_MAILBOXES, true));
        let (found, is_all) = mailboxes("a@b,".repeat(MAX_MAILBOXES + 1).as_bytes());
        assert_eq!((found.len(), is_all), (MAX_MAILBOXES, false));
    }

    #[test]
    fn comments_are_taken_out() {
        for (value, outside) in [
            ("a (b (c) d) e", "a  e"),
            ("a (\\) b) c", "a  c"),
            ("a \\(b) c", "a \\(b) c"),
            ("\"(\" a (b)", "\"(\" a "),
            ("\"\\\" (\" a", "\"\\\" (\" a"),
            ("(\") a (b)", " a "),
            ("a) b (c", "a) b "),
        ] {
            let found = without_comments(value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), outside, "{value}");
        }
    }

    #[test]
    fn a_local_part_is_looked_for_to_its_limit() {
        let longest = "x".repeat(MAX_PART_OCTETS);
        for (quote, before, found) in [
            ("", "", MAX_PART_OCTETS),
            ("", "x", MAX_PART_OCTETS),
            ("\"", "", MAX_PART_OCTETS - 1),
        ] {
            let mut given = Vec::new();
            let value = format!("{before}{longest}{quote}@y");
            local_parts(value.as_bytes(), |local_part| given.push(local_part.len()));
            assert_eq!(given, [found], "{quote}{before}");
        }
    }

    #[test]
    fn local_parts_are_found_everywhere() {
        let mut found = Vec::new();
        let value = b" for <a.b+c@x>; i=joe@y, \"d e\"@z (f@)@ \x80x@q";
        local_parts(value, |local_part| found.push(local_part.to_vec()));
        let expected: [&[u8]; 7] = [b"a.b+c", b"i=joe", b"joe", b"d e", b"f", b"", b"\x80x"];
        assert_eq!(found, expected);
        found.clear();
        local_parts(b"b-1+j-d=x.example@y", |local_part| {
            found.push(local_part.to_vec());
        });
        let expected: [&[u8]; 3] = [b"b-1+j-d=x.example", b"j-d", b"d"];
        assert_eq!(found, expected);
    }

    #[test]
    fn domains_are_found_everywhere() {
        let mut found = Vec::new();
        domains(b"<a@X.example>; i=@y.example, b@z@q.example @", |domain| {
            found.push(domain.to_string());
        });
        assert_eq!(found, ["x.example", "y.example", "q.example"]);
    }

    #[test]
    fn addresses_in_prose_are_taken_apart() {
        assert_eq!(
            first_in("for joe@x.example: hello"),
            Some(("for ", "joe", "x.example", ": hello"))
        );
        assert_eq!(
            first_in("@ home, a@, @b, j\u{fc}@b\u{fc}.de"),
            Some(("@ home, a@, @b, ", "j\u{fc}", "b\u{fc}.de", ""))
        );
        assert_eq!(first_in("nobody @ home"), None);
    }
}
