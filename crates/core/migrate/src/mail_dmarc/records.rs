//! Messages in the store of Mail::DMARC (checklist Q18), as rows of our tally.
//!
//! Mail::DMARC keeps a row of `report_record` for each message it has judged, below a `report` for each policy
//! domain and day, until the report is sent; then it deletes all of them. A row of a report that others have
//! sent has a `count`, a row of its own has none: that is how the two are told apart. When a message came
//! is not kept, only when its report begins: midnight UTC, as a rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use landmarc_mail::DomainName;
use landmarc_mail::text::quoted;
use landmarc_observation::{PublishedPolicy, TallyRow};

use crate::counted::{Counted, SPF_RESULTS, addresses, is_ahead};

/// The most reasons, signatures or SPF results of one message that are taken; [`BrokenRecord`] past that.
pub const MAX_PER_RECORD: usize = 100;
/// The longest name of a source, in octets.
pub const MAX_SOURCE: usize = 64;

/// One row of `report_record` without a count, with what the other tables say of it. Words are as they
/// stand there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredRecord {
    /// `report_record.id`.
    pub id: u64,
    /// `report.begin`, in Unix seconds; 0 where something else stands.
    pub begin_s: u64,
    /// The domain of `report.from_domain_id`: the DMARC Policy Domain.
    pub policy_domain: Option<String>,
    /// `report_policy_published.p`.
    pub p: Option<String>,
    /// `report_policy_published.sp`.
    pub sp: Option<String>,
    /// `report_policy_published.adkim`.
    pub adkim: Option<String>,
    /// `report_policy_published.aspf`.
    pub aspf: Option<String>,
    /// `report_policy_published.rua`: addresses with commas between them.
    pub rua: Option<String>,
    /// `report_record.source_ip`: four or sixteen octets.
    pub source_ip: Vec<u8>,
    /// `report_record.disposition`.
    pub disposition: Option<String>,
    /// `report_record.dkim`: whether DKIM passed in alignment, `pass` or `fail`.
    pub dkim_aligned: Option<String>,
    /// `report_record.spf`, likewise.
    pub spf_aligned: Option<String>,
    /// The domain of `report_record.header_from_did`.
    pub header_from: Option<String>,
    /// The domain of `report_record.envelope_from_did`.
    pub envelope_from: Option<String>,
    /// `report_record_reason`: types and comments.
    pub reasons: Vec<(String, Option<String>)>,
    /// `report_record_dkim`.
    pub dkim: Vec<StoredDkim>,
    /// `report_record_spf`.
    pub spf: Vec<StoredSpf>,
}

/// A signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredDkim {
    /// Its domain.
    pub domain: Option<String>,
    /// Its selector.
    pub selector: Option<String>,
    /// Its result.
    pub result: Option<String>,
}

/// A result of SPF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSpf {
    /// The domain that was asked.
    pub domain: Option<String>,
    /// `mfrom` or `helo`.
    pub scope: Option<String>,
    /// The result.
    pub result: Option<String>,
}

/// The name that tells one store of Mail::DMARC from another: they number their rows alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreName(String);

impl StoreName {
    /// Letters, digits, dots, hyphens and underscores, at most [`MAX_SOURCE`].
    ///
    /// # Errors
    /// When there is another character, none, or too many.
    pub fn new(name: &str) -> Result<Self, UnusableStoreName> {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-_".contains(&octet);
        match (1..=MAX_SOURCE).contains(&name.len()) && name.bytes().all(is_plain) {
            true => Ok(Self(name.to_owned())),
            false => Err(UnusableStoreName),
        }
    }
}

/// A name of a source that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {MAX_SOURCE} letters, digits, dots, hyphens and underscores")]
pub struct UnusableStoreName;

/// A row that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("report_record {id}: {wrong}")]
pub struct BrokenRecord {
    /// `report_record.id`.
    pub id: u64,
    /// What is wrong with it.
    pub wrong: WrongRecord,
}

impl BrokenRecord {
    /// What can be done about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!(
            "look at it with SELECT * FROM report_record WHERE id={}; the message counts in no report, the others do",
            self.id
        )
    }
}

/// Why a row cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongRecord {
    /// It does not say what every row says.
    #[error("{what} is missing")]
    Missing {
        /// The column.
        what: &'static str,
    },
    /// What should be a domain is none.
    #[error("{what} is {}, which is no domain name", quoted(text))]
    NoDomain {
        /// The column.
        what: &'static str,
        /// What it says.
        text: String,
    },
    /// What should be one of a few words is another.
    #[error("{what} is {}, which is none of its words", quoted(text))]
    NoSuchWord {
        /// The column.
        what: &'static str,
        /// What it says.
        text: String,
    },
    /// The address has neither four octets nor sixteen.
    #[error("source_ip has {octets} octets, not 4 or 16")]
    NoAddress {
        /// How many it has.
        octets: usize,
    },
    /// Its report begins at no time that can be read.
    #[error("report.begin is no time")]
    NoTime,
    /// Its report begins at a time that is still to come ([`MAX_AHEAD_S`](crate::MAX_AHEAD_S)).
    #[error("report.begin is {begin_s}, more than a day ahead of now")]
    Ahead {
        /// When, in Unix seconds.
        begin_s: u64,
    },
    /// There are more of these than any message has.
    #[error("it has more than {MAX_PER_RECORD} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
    },
}

const POLICIES: [&str; 3] = ["none", "quarantine", "reject"];
const MODES: [&str; 2] = ["r", "s"];
const REASONS: [&str; 6] = [
    "forwarded",
    "sampled_out",
    "trusted_forwarder",
    "mailing_list",
    "local_policy",
    "other",
];
const DKIM_RESULTS: [&str; 7] = [
    "none",
    "pass",
    "fail",
    "policy",
    "neutral",
    "temperror",
    "permerror",
];
/// The row as it counts in our tally.
///
/// Its key is made of what never changes: the name of the store, the number of the row, and the report
/// it is in, so that a store that was made anew under the same name is another one. The message counts on
/// the UTC day on which its report begins. `now_s` is now, in Unix seconds.
///
/// # Errors
/// When the row says what no report can say, or a time that is still to come.
pub fn counted(record: &StoredRecord, source: &StoreName, now_s: u64) -> Result<Counted, BrokenRecord> {
    count(record, source, now_s).map_err(|wrong| BrokenRecord { id: record.id, wrong })
}

fn count(record: &StoredRecord, source: &StoreName, now_s: u64) -> Result<Counted, WrongRecord> {
    match record.begin_s {
        0 => return Err(WrongRecord::NoTime),
        begin_s if is_ahead(begin_s, now_s) => return Err(WrongRecord::Ahead { begin_s }),
        _ => {}
    }
    let policy_domain = domain("from_domain_id", record.policy_domain.as_deref())?;
    let disposition = word("disposition", record.disposition.as_deref(), &POLICIES, None)?;
    let dkim_aligned = is_aligned("dkim", record.dkim_aligned.as_deref())?;
    let spf_aligned = is_aligned("spf", record.spf_aligned.as_deref())?;
    let header_from = domain("header_from_did", record.header_from.as_deref())?;
    let published = published(record)?;
    let asked = match header_from == policy_domain {
        true => &published.p,
        false => &published.sp,
    };
    // Before RFC 9990 §3.1.1.9 had a word for it, "none" was said of messages that pass, too.
    let passes = disposition == "none" && asked != "none" && (dkim_aligned || spf_aligned);
    Ok(Counted {
        key: format!(
            "mail-dmarc/{}/{}/{}/{policy_domain}",
            source.0, record.id, record.begin_s
        ),
        at_s: record.begin_s,
        count: 1,
        row: TallyRow {
            published,
            source_ip: address(&record.source_ip)?,
            disposition: if passes { "pass".to_owned() } else { disposition },
            dkim_aligned,
            spf_aligned,
            reasons: reasons(&record.reasons)?,
            header_from,
            envelope_from: optional_domain(record.envelope_from.as_deref()),
            dkim: signatures(&record.dkim)?,
            spf: spf(&record.spf)?,
            policy_domain,
            envelope_to: None,
            incidental: false,
        },
    })
}

fn published(record: &StoredRecord) -> Result<PublishedPolicy, WrongRecord> {
    // A record without a usable "p" counts as p=none where it asks for reports (RFC 9989 §4.7).
    let p = word("p", record.p.as_deref(), &POLICIES, Some("none"))?;
    Ok(PublishedPolicy {
        sp: word("sp", record.sp.as_deref(), &POLICIES, Some(&p))?,
        p,
        adkim: word("adkim", record.adkim.as_deref(), &MODES, Some("r"))?,
        aspf: word("aspf", record.aspf.as_deref(), &MODES, Some("r"))?,
        rua: addresses(record.rua.as_deref().unwrap_or_default()),
        ..PublishedPolicy::of_rfc_7489()
    })
}

fn reasons(stored: &[(String, Option<String>)]) -> Result<Vec<(String, String)>, WrongRecord> {
    not_too_many("reasons", stored.len())?;
    let reason = |(kind, comment): &(String, Option<String>)| {
        let kind = word("reason", Some(kind), &REASONS, None)?;
        Ok((kind, comment.clone().unwrap_or_default()))
    };
    stored.iter().map(reason).collect()
}

/// A signature whose domain is no name could not have been asked about, and no report can name it.
fn signatures(stored: &[StoredDkim]) -> Result<Vec<(String, String, String)>, WrongRecord> {
    not_too_many("signatures", stored.len())?;
    let mut signatures = Vec::new();
    for one in stored {
        let result = word("dkim result", one.result.as_deref(), &DKIM_RESULTS, Some("none"))?;
        if let Some(domain) = optional_domain(one.domain.as_deref()) {
            let selector = one.selector.clone().unwrap_or_default();
            signatures.push((domain, selector, result));
        }
    }
    Ok(signatures)
}

/// The one SPF result of a report: that of MAIL FROM, which DMARC looks at (RFC 9989 §4.4.2), or of HELO
/// where there is no other.
fn spf(stored: &[StoredSpf]) -> Result<Option<(String, String, String)>, WrongRecord> {
    not_too_many("SPF results", stored.len())?;
    let scope_of = |one: &StoredSpf| one.scope.clone().unwrap_or_else(|| "mfrom".to_owned());
    let mut all = stored.iter();
    let of_mail_from = all.clone().find(|one| scope_of(one) == "mfrom");
    let Some(one) = of_mail_from.or_else(|| all.next()) else {
        return Ok(None);
    };
    let scope = word("spf scope", Some(&scope_of(one)), &["mfrom", "helo"], None)?;
    let result = word("spf result", one.result.as_deref(), &SPF_RESULTS, None)?;
    let domain = optional_domain(one.domain.as_deref());
    Ok(domain.map(|domain| (domain, scope, result)))
}

fn address(octets: &[u8]) -> Result<IpAddr, WrongRecord> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Ok(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(octets);
    sixteen
        .map(|octets| Ipv6Addr::from(octets).into())
        .map_err(|_| WrongRecord::NoAddress { octets: octets.len() })
}

fn domain(what: &'static str, text: Option<&str>) -> Result<String, WrongRecord> {
    let text = text.ok_or(WrongRecord::Missing { what })?;
    match DomainName::parse(text) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(WrongRecord::NoDomain {
            what,
            text: text.to_owned(),
        }),
    }
}

fn optional_domain(text: Option<&str>) -> Option<String> {
    DomainName::parse(text?).ok().map(|name| name.as_str().to_owned())
}

fn is_aligned(what: &'static str, text: Option<&str>) -> Result<bool, WrongRecord> {
    Ok(word(what, text, &["pass", "fail"], Some("fail"))? == "pass")
}

/// One of these words, in any case; the usual one where there is none.
fn word(
    what: &'static str,
    text: Option<&str>,
    words: &[&str],
    usual: Option<&str>,
) -> Result<String, WrongRecord> {
    let Some(text) = text.filter(|text| !text.is_empty()).or(usual) else {
        return Err(WrongRecord::Missing { what });
    };
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found
        .map(|word| (*word).to_owned())
        .ok_or_else(|| WrongRecord::NoSuchWord {
            what,
            text: text.to_owned(),
        })
}

fn not_too_many(what: &'static str, count: usize) -> Result<(), WrongRecord> {
    match count <= MAX_PER_RECORD {
        true => Ok(()),
        false => Err(WrongRecord::TooMany { what }),
    }
}

#[cfg(test)]
mod tests;
