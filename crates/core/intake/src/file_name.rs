//! The names of report files (RFC 9990 §3.5.2).

use landmarc_mail::DomainName;

use super::subject::is_domain_name;

/// How long a name may be to be looked at, in octets: two names of DNS, two times and an id.
pub const MAX_FILE_NAME_OCTETS: usize = 1024;

/// Endings that are seen, longest first. Those of RFC 9990 are the first and the third.
const ENDINGS: [&str; 6] = [".xml.gz", ".xml.zip", ".xml", ".zip", ".gzip", ".gz"];
const ENDINGS_OF_RFC: [&str; 2] = [".xml", ".xml.gz"];

/// What the name of a file says of the report in it, in the words of a stranger. What cannot be
/// read is none. Never a path: domain names, numbers, letters and hyphens only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileName {
    /// Who reports.
    pub receiver: Option<DomainName>,
    /// The domain the report is about.
    pub policy_domain: Option<DomainName>,
    /// The first second of the period.
    pub begin: Option<u64>,
    /// The last second of the period.
    pub end: Option<u64>,
    /// What tells it from others of the period.
    pub unique_id: Option<String>,
    /// Whether it follows the grammar of RFC 9990 §3.5.2 to the letter.
    pub conforms: bool,
}

/// Reads the name of a report file. One that says nothing gives a [`FileName`] without anything.
///
/// ```
/// # use landmarc_intake::read_file_name;
/// let name = read_file_name("r.example!example.com!1780272000!1780358399!01hz.xml.gz");
/// assert_eq!(name.unique_id.as_deref(), Some("01hz"));
/// assert!(name.conforms);
/// assert_eq!(read_file_name("ATT00001.gz"), Default::default());
/// ```
#[must_use]
pub fn read_file_name(name: &str) -> FileName {
    if name.len() > MAX_FILE_NAME_OCTETS {
        return FileName::default();
    }
    let name = name.trim();
    let (stem, ending) = split_ending(name);
    let mut fields = stem.split('!');
    let [Some(receiver), Some(domain), Some(begin), Some(end)] = [(); 4].map(|()| fields.next()) else {
        return FileName::default();
    };
    let unique_id = fields.next();
    let is_unique_id = |id: &str| !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric());
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let conforms = ENDINGS_OF_RFC.contains(&ending)
        && is_domain_name(receiver)
        && is_domain_name(domain)
        && is_digits(begin)
        && is_digits(end)
        && unique_id.is_none_or(is_unique_id)
        && fields.next().is_none();
    let number = |text: &str| text.parse().ok().filter(|_| is_digits(text));
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    FileName {
        receiver: DomainName::parse(receiver).ok(),
        policy_domain: DomainName::parse(domain).ok(),
        begin: number(begin),
        end: number(end),
        unique_id: unique_id.filter(is_id).map(str::to_owned),
        conforms,
    }
}

/// The name without its ending, and the ending as it is written; empty for an unknown one.
fn split_ending(name: &str) -> (&str, &str) {
    ENDINGS
        .iter()
        .find_map(|ending| {
            let (stem, found) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
            found.eq_ignore_ascii_case(ending).then_some((stem, found))
        })
        .unwrap_or((name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: u64 = 1_780_272_000;
    const LAST: u64 = 1_780_358_399;

    /// Whether it conforms, and receiver, domain, begin, end, id.
    type Expected = (bool, &'static str, &'static str, u64, u64, &'static str);

    #[test]
    fn file_names_n01_to_n10() {
        const MAIL: &str = "mail.receiver.example";
        const COM: &str = "example.com";
        let vectors: [(&str, &str, Expected); 9] = [
            (
                "N01",
                "mail.receiver.example!example.com!1013662812!1013749130.xml.gz",
                (true, MAIL, COM, 1_013_662_812, 1_013_749_130, ""),
            ),
            (
                "N02",
                "mail.receiver.example!example.com!1780272000!1780358399!01hz3v9q2c.xml.gz",
                (true, MAIL, COM, FIRST, LAST, "01hz3v9q2c"),
            ),
            (
                "N03",
                "mail.receiver.example!example.com!1780272000!1780358399!6f9619ff-8b86-d011-b42d-00c04fc964ff.xml.gz",
                (
                    false,
                    MAIL,
                    COM,
                    FIRST,
                    LAST,
                    "6f9619ff-8b86-d011-b42d-00c04fc964ff",
                ),
            ),
            (
                "N04",
                "google.com!example.com!1780272000!1780358399.zip",
                (false, "google.com", COM, FIRST, LAST, ""),
            ),
            (
                "N05",
                "seznam.cz!example.com!1780272000!1780358400.xml.zip",
                (false, "seznam.cz", COM, FIRST, LAST + 1, ""),
            ),
            (
                "N06",
                "!example.com!1538204542!1538463818.xml",
                (false, "", COM, 1_538_204_542, 1_538_463_818, ""),
            ),
            (
                "N07",
                "mail.receiver.example!example.com!1780272000!1780358399.XML.GZ",
                (false, MAIL, COM, FIRST, LAST, ""),
            ),
            // No part of it is ever a path.
            (
                "N09",
                "../../etc/passwd!example.com!1!2.xml",
                (false, "", COM, 1, 2, ""),
            ),
            (
                "N10",
                "receiver!example.com!1780272000!1780358399.xml",
                (false, "receiver", COM, FIRST, LAST, ""),
            ),
        ];
        for (id, name, (conforms, receiver, domain, begin, end, unique_id)) in vectors {
            let domain_name = |text: &str| DomainName::parse(text).ok();
            let expected = FileName {
                receiver: domain_name(receiver),
                policy_domain: domain_name(domain),
                begin: Some(begin),
                end: Some(end),
                unique_id: Some(unique_id.to_owned()).filter(|id| !id.is_empty()),
                conforms,
            };
            assert_eq!(read_file_name(name), expected, "{id}");
        }
        assert_eq!(read_file_name("ATT00001.gz"), FileName::default(), "N08");
    }

    #[test]
    fn a_name_past_the_limit_is_not_looked_at() {
        let name = |length: usize| {
            let start = "r.example!e.example!1!2!";
            format!("{start}{}.xml", "a".repeat(length - start.len() - ".xml".len()))
        };
        assert!(read_file_name(&name(MAX_FILE_NAME_OCTETS)).conforms);
        assert_eq!(
            read_file_name(&name(MAX_FILE_NAME_OCTETS + 1)),
            FileName::default()
        );
    }

    #[test]
    fn more_fields_than_there_are_conform_to_nothing() {
        assert!(!read_file_name("r.example!e.example!1!2!a!b.xml").conforms);
        assert!(!read_file_name("r.example!e.example!+1!2.xml").conforms);
        assert_eq!(read_file_name("r.example!e.example!+1!2.xml").begin, None);
    }
}
