//! An entry of a key, and the [`Counted`] it comes to.

use std::fmt;

use landmarc_mail::DomainName;
use landmarc_observation::{PublishedPolicy, TallyRow};

use super::day::Window;
use super::key::{RecordKey, RecordKeyError, Shape};
use super::record::{RspamdDisposition, RspamdRecord, RspamdRecordError};
use crate::{Counted, MAX_COUNT};
use landmarc_mail::text::quoted_octets;

/// The most octets of a foreign key or record that a message shows.
const MAX_SHOWN: usize = 80;

/// The DMARC Policy Record that applies to an Author Domain, as DNS has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The DMARC Policy Domain.
    pub domain: DomainName,
    /// What it says there.
    pub published: PublishedPolicy,
}

/// One entry: a line of a list with how often it is there, a field of a hash, a member of a sorted set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RspamdEntry {
    /// As it is written.
    text: String,
    /// What that says.
    pub record: RspamdRecord,
    /// How many messages, by now.
    pub count: u64,
}

impl RspamdEntry {
    /// Reads an entry: the octets of a line, a field or a member, and how many messages it stands for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(octets: &[u8], count: u64, shape: Shape) -> Result<Self, RspamdRecordError> {
        // Parts of a key on several servers are added up: the sum has the limit of each.
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(RspamdRecordError::Count(count.to_string()));
        }
        let record = RspamdRecord::read(octets, shape)?;
        let text = str::from_utf8(octets)
            .map_err(|_| RspamdRecordError::NotUtf8)?
            .to_owned();
        Ok(Self { text, record, count })
    }

    /// Reads the count of a hash or the score of a sorted set, as Redis writes it.
    ///
    /// # Errors
    /// What is no whole number from 1 to [`MAX_COUNT`]: nobody has seen half a message.
    pub fn count(octets: &[u8]) -> Result<u64, RspamdRecordError> {
        let text = str::from_utf8(octets).map_err(|_| RspamdRecordError::NotUtf8)?;
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=MAX_COUNT).contains(number));
        number.ok_or_else(|| RspamdRecordError::Count(text.to_owned()))
    }

    /// The Author Domain; of a line in a list, the domain of the list stands for it.
    #[must_use]
    pub fn author_domain<'e>(&'e self, key: &'e RecordKey) -> &'e DomainName {
        self.record.author_domain.as_ref().unwrap_or(&key.domain)
    }

    /// What it comes to. `policy` is what DNS says about its Author Domain; without it, the policy is what the
    /// key says, with `strongest`, the strongest disposition under that key, for what was asked.
    #[must_use]
    pub fn counted(
        &self,
        key: &RecordKey,
        policy: Option<&Policy>,
        strongest: RspamdDisposition,
        window: Window,
    ) -> Counted {
        let author_domain = self.author_domain(key).to_string();
        let at_s = match (self.record.seen_s, key.day) {
            // A clock that was wrong does not make days of the future.
            (Some(seen_s), _) => seen_s.min(window.now_s),
            (None, Some(day)) => window.time_of(day),
            (None, None) => window.now_s,
        };
        Counted {
            key: format!("rspamd/{}/{}", key.name, self.text),
            at_s,
            count: self.count,
            row: TallyRow {
                policy_domain: policy.map_or(&key.domain, |policy| &policy.domain).to_string(),
                published: published(key, policy, strongest),
                source_ip: self.record.source_ip,
                disposition: self.disposition().to_owned(),
                dkim_aligned: self.record.dkim_aligned,
                spf_aligned: self.record.spf_aligned,
                reasons: self.reasons(),
                header_from: author_domain,
                envelope_from: None,
                dkim: self.signatures(),
                spf: self.spf(),
                envelope_to: None,
                incidental: false,
            },
        }
    }

    /// rspamd has no word for what passes (RFC 9990 §3.1.1.9).
    fn disposition(&self) -> &'static str {
        match self.record.passes() {
            true => "pass",
            false => self.record.disposition.as_str(),
        }
    }

    /// RFC 9990 §3.1.6 has no "sampled_out" any more, as RFC 9989 has no `pct`.
    fn reasons(&self) -> Vec<(String, String)> {
        let sampled_out = self.record.sampled_out && !self.record.passes();
        let reason = || ("other".to_owned(), "sampled out by pct".to_owned());
        sampled_out.then(reason).into_iter().collect()
    }

    fn signatures(&self) -> Vec<(String, String, String)> {
        let dkim = self.record.dkim.iter();
        dkim.map(|(domain, result)| (domain.clone(), String::new(), (*result).to_owned()))
            .collect()
    }

    /// Whether it was that of MAIL FROM or of HELO is not recorded; with an empty MAIL FROM it is that of HELO,
    /// which counts as that of MAIL FROM then (RFC 7208 §2.4).
    fn spf(&self) -> Option<(String, String, String)> {
        let (domain, result) = self.record.spf.as_ref()?;
        Some((domain.clone(), "mfrom".to_owned(), (*result).to_owned()))
    }
}

/// What was asked: by DNS, but for where reports go, which the key knows of that day.
fn published(key: &RecordKey, policy: Option<&Policy>, strongest: RspamdDisposition) -> PublishedPolicy {
    let Some(policy) = policy else {
        return PublishedPolicy {
            p: strongest.as_str().to_owned(),
            sp: strongest.as_str().to_owned(),
            rua: key.rua.clone(),
            ..PublishedPolicy::of_rfc_7489()
        };
    };
    let mut published = policy.published.clone();
    // rspamd has them in lower case, and local parts know a difference: those of DNS, when they are the same.
    if !key.rua.is_empty() && !same(&published.rua, &key.rua) {
        published.rua.clone_from(&key.rua);
    }
    published
}

fn same(ours: &[String], theirs: &[String]) -> bool {
    let alike = |(a, b): (&String, &String)| a.eq_ignore_ascii_case(b);
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(alike)
}

/// A key or an entry that could not be read: which one, why, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The name of the key.
    pub key: Vec<u8>,
    /// What is wrong with which part of it.
    pub what: UnreadPart,
}

/// What could not be read of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadPart {
    /// The key: nothing in it was read.
    Key(RecordKeyError),
    /// One entry; all others were.
    Entry {
        /// As it is written.
        octets: Vec<u8>,
        /// What is wrong with it.
        error: RspamdRecordError,
    },
    /// There are more entries than are read.
    TooMany {
        /// How many are read.
        read: usize,
    },
}

impl Unread {
    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match &self.what {
            UnreadPart::Key(error) => error.remedy(),
            UnreadPart::Entry { error, .. } => error.remedy(),
            UnreadPart::TooMany { .. } => {
                "lower max_entries of rspamd (reporting { }), or remove the list once it is imported"
            }
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |octets| quoted_octets(octets, MAX_SHOWN);
        let key = shown(&self.key);
        match &self.what {
            UnreadPart::Key(error) => write!(f, "key {key}: {error}"),
            UnreadPart::Entry { octets, error } => write!(f, "key {key}, record {}: {error}", shown(octets)),
            UnreadPart::TooMany { read } => write!(
                f,
                "key {key}: it has more than {read} records; the others were not read"
            ),
        }
    }
}
