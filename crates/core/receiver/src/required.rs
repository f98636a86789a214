//! The header fields a message must have (RFC 5322 §3.6), where the operator insists on them.
//!
//! DMARC needs the From field only; this is for sites that have always refused what is no mail.

use std::fmt;

use landmarc_mail::author::{Author, AuthorFault};
use landmarc_mail::message::HeaderSection;

/// RFC 5322 §3.6: "1" in the table of minimum and maximum numbers.
const EXACTLY_ONCE: [&str; 2] = ["From", "Date"];
/// "0" and "1" there. `Resent-` fields come in blocks, and trace fields as often as they like.
const AT_MOST_ONCE: [&str; 9] = [
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
];

/// What a header section is wrong in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// A field that must be there once is not there, or more often.
    NotOnce(&'static str),
    /// A field that may be there once is there more often.
    Several(&'static str),
    /// The one From field cannot be read, or names no domain.
    From(AuthorFault),
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RFC5322 requirement error: ")?;
        match self {
            Self::NotOnce(name) => write!(f, "not exactly one {name} field"),
            Self::Several(name) => write!(f, "multiple {name} fields"),
            Self::From(fault) => fault.fmt(f),
        }
    }
}

/// The first thing that is wrong, if anything is. A field that was left out at a limit may be any,
/// so of a section that was cut nothing is missing.
pub(crate) fn fault(headers: &HeaderSection, author: &Author) -> Option<HeaderFault> {
    let count = |name: &'static str| headers.named(name).take(2).count();
    let may_be_missing = |name: &str| !(headers.is_cut() && headers.may_lack(name.as_bytes()));
    let is_wrong = |name: &&'static str| match count(name) {
        0 => may_be_missing(name),
        1 => false,
        _ => true,
    };
    if let Some(name) = EXACTLY_ONCE.into_iter().find(is_wrong) {
        return Some(HeaderFault::NotOnce(name));
    }
    if let Some(name) = AT_MOST_ONCE.into_iter().find(|name| count(name) > 1) {
        return Some(HeaderFault::Several(name));
    }
    match author {
        Author::Unusable(fault) => Some(HeaderFault::From(*fault)),
        Author::Domain(_) | Author::Domains(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use landmarc_mail::author::author;
    use landmarc_mail::message::{HeaderField, HeaderLimits};

    use super::*;

    fn section(lines: &[&str], limits: &HeaderLimits) -> HeaderSection {
        let mut headers = HeaderSection::default();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            headers.push(HeaderField::new(name.as_bytes(), value.as_bytes()), limits);
        }
        headers
    }

    fn fault_of(lines: &[&str]) -> Option<String> {
        let headers = section(lines, &HeaderLimits::default());
        fault(&headers, &author(&headers)).map(|fault| fault.to_string())
    }

    const FROM: &str = "From: a@example.com";
    const DATE: &str = "Date: Fri, 20 Nov 2026 10:00:00 +0000";

    #[test]
    fn p25_m9_each_field_is_there_as_often_as_it_may_be() {
        assert_eq!(fault_of(&[FROM, DATE]), None);
        for (lines, expected) in [
            (vec![DATE], "not exactly one From field"),
            (
                vec![FROM, DATE, "FROM : b@example.com"],
                "not exactly one From field",
            ),
            (vec![FROM], "not exactly one Date field"),
            (vec![FROM, DATE, DATE], "not exactly one Date field"),
        ] {
            let expected = format!("RFC5322 requirement error: {expected}");
            assert_eq!(fault_of(&lines), Some(expected), "{lines:?}");
        }
        for name in AT_MOST_ONCE {
            let field = format!("{name}: <x@example.com>");
            assert_eq!(fault_of(&[FROM, DATE, &field]), None, "{name}");
            let expected = format!("RFC5322 requirement error: multiple {name} fields");
            assert_eq!(fault_of(&[FROM, DATE, &field, &field]), Some(expected));
        }
        assert_eq!(
            fault_of(&[
                FROM,
                DATE,
                "Received: a",
                "Received: b",
                "Comments: a",
                "Comments: b"
            ]),
            None
        );
    }

    #[test]
    fn p25_a_from_field_that_cannot_be_read_is_no_from_field() {
        for (from, expected) in [
            ("From: a@example.com <b", "the From field is malformed"),
            ("From: nobody", "the From field names no domain"),
        ] {
            let found = fault_of(&[from, DATE]).unwrap();
            assert!(
                found.starts_with("RFC5322 requirement error: ") && found.contains(expected),
                "{found}"
            );
        }
    }

    #[test]
    fn what_was_left_out_is_not_missing() {
        let limits = HeaderLimits {
            field_octets: 40,
            ..HeaderLimits::default()
        };
        let long = format!("{DATE} {}", "x".repeat(40));
        let headers = section(&[FROM, &long], &limits);
        assert_eq!(fault(&headers, &author(&headers)), None);
        let headers = section(&[FROM, &format!("X-Long: {}", "x".repeat(40))], &limits);
        assert_eq!(
            fault(&headers, &author(&headers)),
            Some(HeaderFault::NotOnce("Date"))
        );
    }
}
