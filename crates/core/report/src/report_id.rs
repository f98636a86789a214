//! The names of a report: Report-ID, Message-ID, file name and Subject (RFC 9990 §3.1.4, §3.5.1,
//! §3.5.2).
//!
//! All of them are derived from what is reported, so that a retry after a crash repeats them: RFC 9990
//! §3.5.4 wants the same identifiers and the same file name of a report that is sent again.

use std::fmt;

use landmarc_mail::DomainName;
use ring::digest::{Context, SHA256};

use crate::address::Address;
use crate::base32;

/// Characters of a Report-ID: 130 bits of a SHA-256, more than would ever collide.
const ID_CHARACTERS: usize = 26;
/// Characters that tell the report messages of one report apart. RFC 9990 §3.5: at most a few report messages a report.
const MAIL_CHARACTERS: usize = 8;

/// What tells one report from all others of ours.
#[derive(Clone, Copy, Debug)]
pub struct ReportKey<'a> {
    /// Who reports.
    pub submitter: &'a DomainName,
    /// The DMARC Policy Domain.
    pub policy_domain: &'a DomainName,
    /// The first second of the period, since 1970.
    pub begin: u64,
    /// The last second of the period.
    pub end: u64,
    /// The values of `policy_published`, in an order that stays the same: RFC 9990 §3.1.1.4 has two
    /// reports for a period in which the policy changed, with different ids.
    pub configuration: &'a [&'a str],
    /// Which part of a report that had to be split.
    pub part: u32,
}

/// A Report-ID: 26 letters and digits.
///
/// Nothing else, because the unique-id in the file name (RFC 9990 §3.5.2) has no other characters and
/// §3.1.4 wants both to be the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(String);

impl ReportId {
    /// The id of the report with this key: the same key, the same id.
    #[must_use]
    pub fn derive(key: &ReportKey<'_>) -> Self {
        let mut hash = IdHasher::new("landmarc report id 1");
        hash.add(key.submitter.as_str().as_bytes());
        hash.add(key.policy_domain.as_str().as_bytes());
        hash.add(&key.begin.to_be_bytes());
        hash.add(&key.end.to_be_bytes());
        hash.add(&key.part.to_be_bytes());
        for value in key.configuration {
            hash.add(value.as_bytes());
        }
        Self(hash.finish(ID_CHARACTERS))
    }

    /// The id of a report that is about one message.
    pub(crate) fn of(hash: IdHasher) -> Self {
        Self(hash.finish(ID_CHARACTERS))
    }

    /// Reads an id of ours, as a store keeps it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_CHARACTERS && base32::is_base32(text)).then(|| Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Message-ID of the report mail to one destination, in angle brackets. Derived as well, so that
    /// whoever receives a report mail twice can see that it is one.
    #[must_use]
    pub fn message_id(&self, submitter: &DomainName, destination: &Address) -> String {
        let mut hash = IdHasher::new("landmarc letter 1");
        hash.add(self.0.as_bytes());
        hash.add(destination.to_string().as_bytes());
        format!("<{self}.{}@{submitter}>", hash.finish(MAIL_CHARACTERS))
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the attachment (RFC 9990 §3.5.2). Letters, digits, hyphens, underscores, dots and `!` only;
/// up to 577 octets with the longest names, which is more than file systems take.
#[must_use]
pub fn file_name(
    submitter: &DomainName,
    policy_domain: &DomainName,
    begin: u64,
    end: u64,
    id: &ReportId,
) -> String {
    format!("{submitter}!{policy_domain}!{begin}!{end}!{id}.xml.gz")
}

/// The Subject of a report mail, unfolded (RFC 9990 §3.5.2). The literals are case-sensitive, and the
/// Report-ID is always there: without it the grammar would want a blank at the end.
#[must_use]
pub fn subject(policy_domain: &DomainName, submitter: &DomainName, id: &ReportId) -> String {
    format!("Report Domain: {policy_domain} Submitter: {submitter} Report-ID: <{id}>")
}

/// SHA-256 over values each with its length before it, so that no two lists of values hash alike.
pub(crate) struct IdHasher(Context);

impl IdHasher {
    /// `purpose` keeps what is hashed for one use apart from all other uses.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut fingerprint = Self(Context::new(&SHA256));
        fingerprint.add(purpose.as_bytes());
        fingerprint
    }

    pub(crate) fn add(&mut self, value: &[u8]) {
        // usize has at most 64 bits wherever this runs.
        let length = u64::try_from(value.len()).unwrap_or(u64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(value);
    }

    /// At most 51 characters of base32.
    pub(crate) fn finish(self, characters: usize) -> String {
        base32::text(self.0.finish().as_ref(), characters)
    }

    /// The first eight octets as a number.
    pub(crate) fn finish_number(self) -> u64 {
        let digest = self.0.finish();
        let first = digest.as_ref().first_chunk::<8>();
        first.map_or(0, |octets| u64::from_be_bytes(*octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn id_of(change: impl Fn(&mut ReportKey<'_>)) -> ReportId {
        let (submitter, policy_domain) = (name("mail.receiver.example"), name("example.com"));
        let mut key = ReportKey {
            submitter: &submitter,
            policy_domain: &policy_domain,
            begin: 1_780_272_000,
            end: 1_780_358_399,
            configuration: &["example.com", "reject"],
            part: 0,
        };
        change(&mut key);
        ReportId::derive(&key)
    }

    #[test]
    fn gr20_the_same_report_has_the_same_id_in_every_version() {
        let id = id_of(|_| {});
        assert_eq!(id, id_of(|_| {}));
        // Report messages on their way during an upgrade must be repeated under the id they had.
        assert_eq!(id.as_str(), "breqlk6jycgugkgos2uuzlfsnc");
    }

    #[test]
    fn gr05_whatever_tells_reports_apart_tells_their_ids_apart() {
        let other = name("example.net");
        let ids = [
            id_of(|_| {}),
            ReportId::derive(&ReportKey {
                submitter: &other,
                policy_domain: &name("example.com"),
                begin: 1_780_272_000,
                end: 1_780_358_399,
                configuration: &["example.com", "reject"],
                part: 0,
            }),
            ReportId::derive(&ReportKey {
                submitter: &name("mail.receiver.example"),
                policy_domain: &other,
                begin: 1_780_272_000,
                end: 1_780_358_399,
                configuration: &["example.com", "reject"],
                part: 0,
            }),
            id_of(|key| key.begin += 1),
            id_of(|key| key.end += 1),
            id_of(|key| key.configuration = &["example.com", "none"]),
            id_of(|key| key.configuration = &["example.comreject"]),
            id_of(|key| key.configuration = &["example.com", "reject", ""]),
            id_of(|key| key.part = 1),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn an_id_is_26_letters_and_digits_and_reads_back() {
        let id = id_of(|_| {});
        assert_eq!(id.as_str().len(), ID_CHARACTERS);
        assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_eq!(ReportId::parse(id.as_str()), Some(id.clone()));
        for wrong in ["", "a", &id.as_str().to_uppercase(), &format!("{id}a"), "a@b"] {
            assert_eq!(ReportId::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn each_destination_has_its_message_id() {
        let (id, submitter) = (id_of(|_| {}), name("mail.receiver.example"));
        let message_id = |to: &str| id.message_id(&submitter, &Address::parse(to).unwrap());
        assert_eq!(message_id("a@example.com"), message_id("a@Example.com"));
        assert_ne!(message_id("a@example.com"), message_id("b@example.com"));
        let shape = message_id("a@example.com");
        let (left, right) = shape.split_once('@').unwrap();
        assert_eq!(right, "mail.receiver.example>");
        assert_eq!(left.len(), 1 + ID_CHARACTERS + 1 + MAIL_CHARACTERS);
        assert!(left.starts_with(&format!("<{id}.")));
    }
}
