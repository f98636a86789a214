//! The names of a report by the grammar of RFC 9990 §3.5.2: the vectors N, J and R of the digest prove the
//! grammar as written down here, and by it our own names are held.

use landmarc_mail::DomainName;
use landmarc_report::report_id::{ReportId, ReportKey, file_name, subject};

/// 1 June 2026.
const BEGIN: u64 = 1_780_272_000;
const END: u64 = 1_780_358_399;

/// A submitter, a policy domain, and the id of a report.
fn ours() -> (DomainName, DomainName, ReportId) {
    let name = |text| DomainName::parse(text).unwrap_or_else(|e| unreachable!("{text:?}: {e}"));
    let (submitter, policy_domain) = (name("mail.receiver.example"), name("example.com"));
    let id = ReportId::derive(&ReportKey {
        submitter: &submitter,
        policy_domain: &policy_domain,
        begin: BEGIN,
        end: END,
        configuration: &["reject"],
        part: 0,
    });
    (submitter, policy_domain, id)
}

/// RFC 9990 §3.5.2: `receiver "!" policy-domain "!" begin "!" end [ "!" unique-id ] "." ( "xml" / "xml.gz" )`.
fn is_file_name(text: &str) -> bool {
    let Some(stem) = text.strip_suffix(".xml.gz").or_else(|| text.strip_suffix(".xml")) else {
        return false;
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_unique_id = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let parts: Vec<_> = stem.split('!').collect();
    match parts[..] {
        [receiver, policy_domain, begin, end, ref rest @ ..] => {
            let domains = [receiver, policy_domain].into_iter().all(is_domain_name);
            let unique_id = match rest {
                [] => true,
                [unique_id] => is_unique_id(unique_id),
                _ => false,
            };
            domains && is_number(begin) && is_number(end) && unique_id
        }
        _ => false,
    }
}

/// `domain-name` of RFC 6376 §2.15: at least two labels.
fn is_domain_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.contains('.') && text.split('.').all(is_label)
}

#[test]
fn n01_to_n10_our_file_names_are_of_the_grammar() {
    for (id, file_name, conforms) in [
        (
            "N01",
            "mail.receiver.example!example.com!1013662812!1013749130.xml.gz",
            true,
        ),
        (
            "N02",
            "mail.receiver.example!example.com!1780272000!1780358399!01hz3v9q2c.xml.gz",
            true,
        ),
        (
            "N03",
            "mail.receiver.example!example.com!1780272000!1780358399!6f9619ff-8b86-d011-b42d-00c04fc964ff.xml.gz",
            false,
        ),
        ("N04", "google.com!example.com!1780272000!1780358399.zip", false),
        (
            "N05",
            "seznam.cz!example.com!1780272000!1780358400.xml.zip",
            false,
        ),
        ("N06", "!example.com!1538204542!1538463818.xml", false),
        (
            "N07",
            "mail.receiver.example!example.com!1780272000!1780358399.XML.GZ",
            false,
        ),
        ("N08", "ATT00001.gz", false),
        ("N09", "../../etc/passwd!example.com!1!2.xml", false),
        ("N10", "receiver!example.com!1780272000!1780358399.xml", false),
    ] {
        assert_eq!(is_file_name(file_name), conforms, "{id}");
    }
    let (submitter, policy_domain, id) = ours();
    let ours = file_name(&submitter, &policy_domain, BEGIN, END, &id);
    assert_eq!(
        ours,
        format!("mail.receiver.example!example.com!1780272000!1780358399!{id}.xml.gz")
    );
    assert!(is_file_name(&ours));
}

/// RFC 9990 §3.5.2, one blank for each folding white space.
fn is_subject(text: &str) -> bool {
    let parts: Vec<_> = text.split(' ').collect();
    match parts[..] {
        [
            "Report",
            "Domain:",
            policy_domain,
            "Submitter:",
            submitter,
            "Report-ID:",
            id,
        ] => is_domain_name(policy_domain) && is_domain_name(submitter) && is_report_id(id),
        _ => false,
    }
}

/// `ridtxt`: `dot-atom-text [ "@" dot-atom-text ]`, in angle brackets or not.
fn is_report_id(text: &str) -> bool {
    let bare = match text.strip_prefix('<') {
        Some(rest) => rest.strip_suffix('>').unwrap_or(""),
        None => text,
    };
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    let (left, right) = bare.split_once('@').unwrap_or((bare, "a"));
    [left, right].into_iter().all(|side| side.split('.').all(is_atom))
}

#[test]
fn j01_to_j07_and_ri01_to_ri07_our_subjects_and_ids_are_of_the_grammar() {
    for (id, subject, conforms) in [
        (
            "J01",
            "Report Domain: example.com Submitter: mail.receiver.example Report-ID: <sample-ridtxt@example.com>",
            true,
        ),
        (
            "J02",
            "Report Domain: example.com Submitter: mail.receiver.example Report-ID: 2024-03-27_example.com@example.org",
            true,
        ),
        (
            "J03",
            "Report domain: example.com Submitter: google.com Report-ID: 949348866075514174",
            false,
        ),
        (
            "J04",
            "Report Domain: example.com Submitter: mail.receiver.example",
            false,
        ),
        (
            "J05",
            "[SPAM] Report Domain: example.com Submitter: r.example Report-ID: <a@b>",
            false,
        ),
        (
            "J06",
            "=?utf-8?Q?Report_Domain=3A_example=2Ecom_Submitter=3A_r=2Eexample_Report-ID=3A_=3Ca=3E?=",
            false,
        ),
        ("J07", "DMARC Aggregate Report example.com", false),
    ] {
        assert_eq!(is_subject(subject), conforms, "{id}");
    }
    for (id, text, conforms) in [
        ("RI01", "1721054318-example.com@example.org", true),
        ("RI02", "<1721054318-example.com@example.org>", true),
        ("RI03", "3v98abbp8ya9n3va8yr8oa3ya", true),
        ("RI04", "example.com:1530233361", false),
        ("RI05", "a..b@example.org", false),
        ("RI06", "<abc", false),
        ("RI07", "id with blank", false),
    ] {
        assert_eq!(is_report_id(text), conforms, "{id}");
    }
    let (submitter, policy_domain, id) = ours();
    assert!(is_report_id(id.as_str()));
    assert!(is_subject(&subject(&policy_domain, &submitter, &id)));
}
