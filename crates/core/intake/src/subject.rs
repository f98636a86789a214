//! The Subject of a report mail, and Report-IDs (RFC 9990 §3.5.2).

use std::borrow::Cow;

use landmarc_mail::DomainName;
use mail_parser::HeaderValue;
use mail_parser::parsers::MessageStream;

/// How much of a subject is looked at, in octets: two names and an id of the greatest length fit.
pub const MAX_SUBJECT_OCTETS: usize = 2048;

const DOMAIN: &str = "Report Domain:";
const SUBMITTER: &str = "Submitter:";
const REPORT_ID: &str = "Report-ID:";

/// What a subject says of the report, in the words of a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The domain the report is about, as written.
    pub policy_domain: String,
    /// Who sends it, as written. Proof of nothing.
    pub submitter: String,
    /// Its id, without angle brackets. Some leave it out.
    pub report_id: Option<String>,
    /// Whether it follows the grammar of RFC 9990 §3.5.2 to the letter.
    pub conforms: bool,
}

/// Reads the Subject of a report mail, with its folds or without, encoded (RFC 2047) or not; none
/// when it is not that of a report.
///
/// Cheap enough for every message that passes: looks at [`MAX_SUBJECT_OCTETS`] once, and most are
/// done with after a search for `submitter:`. Tags put before it on the way do not hide it, nor
/// does case.
///
/// ```
/// # use landmarc_intake::read_subject;
/// let subject = read_subject("Report domain: example.com Submitter: r.example Report-ID: <1@a>").unwrap();
/// assert_eq!(subject.report_id.as_deref(), Some("1@a"));
/// assert!(!subject.conforms); // "domain" is to be "Domain"
/// ```
#[must_use]
pub fn read_subject(value: &str) -> Option<Subject> {
    let value = value.get(..value.floor_char_boundary(MAX_SUBJECT_OCTETS))?;
    let is_encoded = value.contains("=?");
    let value = if is_encoded {
        decoded(value)
    } else {
        Cow::Borrowed(value)
    };
    find(&value, SUBMITTER)?;
    // Folds, tabs and runs of blanks are all one blank.
    let text = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let read = read_plain(&text)?;
    Some(Subject {
        conforms: read.conforms && !is_encoded,
        ..read
    })
}

fn read_plain(text: &str) -> Option<Subject> {
    let (before, after_domain) = split_at_label(text, DOMAIN)?;
    let (policy_domain, after_submitter) = split_at_label(after_domain, SUBMITTER)?;
    let with_id = split_at_label(after_submitter, REPORT_ID);
    let (submitter, id) = with_id.map_or((after_submitter, None), |(submitter, id)| (submitter, Some(id)));
    let (policy_domain, submitter) = (policy_domain.trim(), submitter.trim());
    let is_name = !policy_domain.contains(' ') && DomainName::parse(policy_domain).is_ok();
    if !is_name || submitter.is_empty() {
        return None;
    }
    let id = id.map(str::trim).filter(|id| !id.is_empty());
    let has_exact_labels = text.contains(DOMAIN) && text.contains(SUBMITTER) && text.contains(REPORT_ID);
    Some(Subject {
        policy_domain: policy_domain.to_owned(),
        submitter: submitter.to_owned(),
        report_id: id.map(|id| without_brackets(id).to_owned()),
        conforms: before.is_empty()
            && has_exact_labels
            && is_domain_name(policy_domain)
            && is_domain_name(submitter)
            && id.is_some_and(is_report_id),
    })
}

/// Undoes RFC 2047.
fn decoded(value: &str) -> Cow<'_, str> {
    // The parser reads a field up to the line feed that ends it.
    let field = format!("{value}\n");
    match MessageStream::new(field.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => Cow::Owned(text.into_owned()),
        _ => Cow::Borrowed(value),
    }
}

/// What stands before and after a label, in any case.
fn split_at_label<'a>(text: &'a str, label: &str) -> Option<(&'a str, &'a str)> {
    let at = find(text, label)?;
    Some((text.get(..at)?, text.get(at + label.len()..)?))
}

/// Where an ASCII label begins, in any case.
fn find(text: &str, label: &str) -> Option<usize> {
    let (text, label) = (text.as_bytes(), label.as_bytes());
    text.windows(label.len())
        .position(|window| window.eq_ignore_ascii_case(label))
}

pub(super) fn without_brackets(id: &str) -> &str {
    id.strip_prefix('<')
        .and_then(|id| id.strip_suffix('>'))
        .unwrap_or(id)
}

/// Whether this is `ridtxt` of RFC 9990 §3.5.2: dot-atom text, also with an `@` and more of it,
/// also in angle brackets. Anything that is not empty is kept as an id all the same.
#[must_use]
pub fn is_report_id(text: &str) -> bool {
    let text = without_brackets(text);
    let (left, right) = text
        .split_once('@')
        .map_or((text, None), |(left, right)| (left, Some(right)));
    is_dot_atom(left) && right.is_none_or(is_dot_atom)
}

/// RFC 5322 §3.2.3.
fn is_dot_atom(text: &str) -> bool {
    let is_atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(is_atom))
}

/// `domain-name` of RFC 6376 §3.5, which has two labels at least: those of RFC 5321 §4.1.2.
pub(super) fn is_domain_name(text: &str) -> bool {
    let is_inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.contains('.') && text.split('.').all(is_label) && DomainName::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of digest §12.2: subject, conforms, and domain, submitter, id.
    type Vector = (
        &'static str,
        &'static str,
        Option<(bool, &'static str, &'static str, Option<&'static str>)>,
    );
    const SUBJECTS: [Vector; 7] = [
        (
            "J01",
            "Report Domain: example.com Submitter: mail.receiver.example Report-ID: <sample-ridtxt@example.com>",
            Some((
                true,
                "example.com",
                "mail.receiver.example",
                Some("sample-ridtxt@example.com"),
            )),
        ),
        (
            "J02",
            "Report Domain: example.com Submitter: mail.receiver.example Report-ID: 2024-03-27_example.com@example.org",
            Some((
                true,
                "example.com",
                "mail.receiver.example",
                Some("2024-03-27_example.com@example.org"),
            )),
        ),
        (
            "J03",
            "Report domain: example.com Submitter: google.com Report-ID: 949348866075514174",
            Some((false, "example.com", "google.com", Some("949348866075514174"))),
        ),
        (
            "J04",
            "Report Domain: example.com Submitter: mail.receiver.example",
            Some((false, "example.com", "mail.receiver.example", None)),
        ),
        (
            "J05",
            "[SPAM] Report Domain: example.com Submitter: r.example Report-ID: <a@b>",
            Some((false, "example.com", "r.example", Some("a@b"))),
        ),
        (
            "J06",
            "=?utf-8?Q?Report_Domain=3A_example=2Ecom_Submitter=3A_r=2Eexample_Report-ID=3A_=3Ca=3E?=",
            Some((false, "example.com", "r.example", Some("a"))),
        ),
        ("J07", "DMARC Aggregate Report example.com", None),
    ];

    #[test]
    fn subjects_j01_to_j07() {
        for (id, text, expected) in SUBJECTS {
            let read = read_subject(text);
            let expected = expected.map(|(conforms, domain, submitter, report_id)| Subject {
                policy_domain: domain.to_owned(),
                submitter: submitter.to_owned(),
                report_id: report_id.map(str::to_owned),
                conforms,
            });
            assert_eq!(read, expected, "{id}");
        }
    }

    #[test]
    fn report_ids_r01_to_r07() {
        for (id, text, is_valid) in [
            ("RI01", "1721054318-example.com@example.org", true),
            ("RI02", "<1721054318-example.com@example.org>", true),
            ("RI03", "3v98abbp8ya9n3va8yr8oa3ya", true),
            ("RI04", "example.com:1530233361", false),
            ("RI05", "a..b@example.org", false),
            ("RI06", "<abc", false),
            ("RI07", "id with blank", false),
            ("empty", "", false),
            ("two at", "a@b@c", false),
        ] {
            assert_eq!(is_report_id(text), is_valid, "{id}");
        }
    }

    #[test]
    fn folds_are_blanks() {
        let folded = "Report Domain: example.com\r\n\tSubmitter: r.example\r\n Report-ID: <a@b>";
        let subject = read_subject(folded).unwrap();
        assert!(subject.conforms);
        assert_eq!(subject.report_id.as_deref(), Some("a@b"));
    }

    #[test]
    fn words_of_people_are_no_report() {
        for text in [
            "",
            "Submitter: x",
            "Report Domain: example.com",
            "Report Domain: Submitter: x",
            "Report Domain: two words Submitter: x",
            "Report Domain: example.com Submitter: ",
            "Submitter: x Report Domain: example.com",
        ] {
            assert_eq!(read_subject(text), None, "{text}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_looked_at() {
        let subject = "Report Domain: a.example Submitter: r.example";
        let at_limit = format!("{}{subject}", " ".repeat(MAX_SUBJECT_OCTETS - subject.len()));
        assert_eq!(read_subject(&at_limit).unwrap().submitter, "r.example");
        let past = format!("{}{subject}", " ".repeat(MAX_SUBJECT_OCTETS - subject.len() + 1));
        assert_eq!(read_subject(&past).unwrap().submitter, "r.exampl");
    }
}
