//! One record: what rspamd noted of a message, or of several that are alike.

use std::net::IpAddr;

use landmarc_mail::DomainName;

use super::key::Shape;
use crate::MAX_COUNT;
use crate::counted::SPF_RESULTS;
use landmarc_mail::text::quoted;

/// The longest record that is read. rspamd writes a hundred octets; each signature adds a domain.
pub const MAX_RECORD_OCTETS: usize = 16 * 1_024;
/// The most signatures of a message that are taken over.
pub const MAX_SIGNATURES: usize = 100;

/// What rspamd says that was asked for because of DMARC. Whether anything was done is up to its `actions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RspamdDisposition {
    /// Nothing. rspamd says so of messages that pass too.
    None,
    /// To be put in quarantine.
    Quarantine,
    /// To be refused.
    Reject,
}

impl RspamdDisposition {
    /// The word for it (RFC 9990 §3.1.1.9).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    fn read(word: &str) -> Option<Self> {
        match word {
            // 2.x writes its own word for a failure that asks for nothing in some releases.
            "none" | "softfail" => Some(Self::None),
            "quarantine" => Some(Self::Quarantine),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// A record as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RspamdRecord {
    /// When the message was seen, in Unix seconds; in lists alone.
    pub seen_s: Option<u64>,
    /// The SMTP client.
    pub source_ip: IpAddr,
    /// Whether SPF passed in alignment.
    pub spf_aligned: bool,
    /// Whether a signature passed in alignment.
    pub dkim_aligned: bool,
    /// What was asked for; none in the first lists, which did not tell.
    pub disposition: RspamdDisposition,
    /// Whether `pct` spared the message what the policy asks for.
    pub sampled_out: bool,
    /// The Author Domain; in lists, the key has the only domain there is.
    pub author_domain: Option<DomainName>,
    /// The domains of signatures, each with its result; selectors are not recorded.
    pub dkim: Vec<(String, &'static str)>,
    /// The domain that SPF was checked for, and the result. rspamd knows no "pass" that is not aligned, and
    /// says `none` of it. None where the HELO name that it noted is no domain.
    pub spf: Option<(String, &'static str)>,
}

/// Why a record is not read. Display says what is wrong, without the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RspamdRecordError {
    /// Over [`MAX_RECORD_OCTETS`].
    #[error("it has {0} octets, more than {MAX_RECORD_OCTETS}")]
    TooLong(usize),
    /// The octets are no UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// Not as many fields as the form has.
    #[error("fields between commas: {found} found, {wanted} needed")]
    Fields {
        /// How many there are.
        found: usize,
        /// How many there should be, in words.
        wanted: &'static str,
    },
    /// A field that says what it cannot.
    #[error("field {number}, {}, is {wrong}", quoted(.text))]
    Field {
        /// The number of the field, from 1.
        number: usize,
        /// What stands there.
        text: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The Author Domain is none.
    #[error("field 6, {}, is no domain: {error}", quoted(.text))]
    AuthorDomain {
        /// What stands there.
        text: String,
        /// Why it is none.
        error: landmarc_mail::NameError,
    },
    /// More signatures than [`MAX_SIGNATURES`].
    #[error("it has more than {MAX_SIGNATURES} signatures")]
    Signatures,
    /// The count of a hash or the score of a sorted set.
    #[error("its count, {}, is no whole number from 1 to {MAX_COUNT}", quoted(.0))]
    Count(String),
}

impl RspamdRecordError {
    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fields { .. } => {
                "nothing, if another program writes under this key; if rspamd did, report it with the release \
                 of rspamd"
            }
            Self::Count(_) => "nothing: these messages cannot be counted, all others are",
            _ => "nothing: this record is left out, all others are imported",
        }
    }
}

impl RspamdRecord {
    /// Reads an entry of a key of this shape.
    ///
    /// # Errors
    /// What is wrong with it; nothing of it can be counted then.
    pub fn read(octets: &[u8], shape: Shape) -> Result<Self, RspamdRecordError> {
        if octets.len() > MAX_RECORD_OCTETS {
            return Err(RspamdRecordError::TooLong(octets.len()));
        }
        let text = str::from_utf8(octets).map_err(|_| RspamdRecordError::NotUtf8)?;
        match shape {
            Shape::Lines => line(text),
            Shape::Counters | Shape::Scores => twelve_fields(text),
        }
    }

    /// Whether DMARC passes.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.spf_aligned || self.dkim_aligned
    }
}

/// `time,address,spf,dkim`, and in 1.3 `,disposition` (checklist R5, R6).
fn line(text: &str) -> Result<RspamdRecord, RspamdRecordError> {
    let fields: Vec<_> = text.split(',').map(str::trim).collect();
    let (time, address, spf, dkim, disposition) = match *fields.as_slice() {
        [time, address, spf, dkim] => (time, address, spf, dkim, None),
        [time, address, spf, dkim, disposition] => (time, address, spf, dkim, Some(disposition)),
        _ => {
            return Err(RspamdRecordError::Fields {
                found: fields.len(),
                wanted: "4 or 5",
            });
        }
    };
    let seen_s = time
        .parse()
        .map_err(|_| field(1, time, "no time in seconds since 1970"))?;
    Ok(RspamdRecord {
        seen_s: Some(seen_s),
        source_ip: self::address(2, address)?,
        spf_aligned: verdict(3, spf)?,
        dkim_aligned: verdict(4, dkim)?,
        disposition: disposition.map_or(Ok(RspamdDisposition::None), |word| self::disposition(5, word))?,
        sampled_out: false,
        author_domain: None,
        dkim: Vec::new(),
        spf: None,
    })
}

/// The form of 2.x and 3.x (checklist R8, R9).
fn twelve_fields(text: &str) -> Result<RspamdRecord, RspamdRecordError> {
    let wrong = || RspamdRecordError::Fields {
        found: text.split(',').count(),
        wanted: "12",
    };
    // The one field that a client writes as it likes, its HELO name, may have commas: it is what stands
    // between the first ten fields and the last one.
    let (rest, spf_result) = text.rsplit_once(',').ok_or_else(wrong)?;
    let fields: Vec<_> = rest.splitn(11, ',').collect();
    let &[
        address,
        spf,
        dkim,
        disposition,
        sampling,
        author_domain,
        passed,
        failed,
        temperror,
        permerror,
        spf_domain,
    ] = fields.as_slice()
    else {
        return Err(wrong());
    };
    let author_domain =
        DomainName::parse(author_domain).map_err(|error| RspamdRecordError::AuthorDomain {
            text: author_domain.to_owned(),
            error,
        })?;
    let signatures = [
        (passed, "pass"),
        (failed, "fail"),
        (temperror, "temperror"),
        (permerror, "permerror"),
    ];
    Ok(RspamdRecord {
        seen_s: None,
        source_ip: self::address(1, address)?,
        spf_aligned: verdict(2, spf)?,
        dkim_aligned: verdict(3, dkim)?,
        disposition: self::disposition(4, disposition)?,
        sampled_out: sampled_out(sampling)?,
        author_domain: Some(author_domain),
        dkim: domains(signatures)?,
        spf: spf_of(spf_domain, spf_result)?,
    })
}

fn field(number: usize, text: &str, wrong: &'static str) -> RspamdRecordError {
    RspamdRecordError::Field {
        number,
        text: text.to_owned(),
        wrong,
    }
}

fn address(number: usize, text: &str) -> Result<IpAddr, RspamdRecordError> {
    // ::ffff:192.0.2.1 is 192.0.2.1, as everywhere else.
    let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
    address.map_err(|_| field(number, text, "no IP address"))
}

/// `true` and `false` in lists, `pass` and `fail` later.
fn verdict(number: usize, text: &str) -> Result<bool, RspamdRecordError> {
    match text {
        "true" | "pass" => Ok(true),
        "false" | "fail" => Ok(false),
        _ => Err(field(number, text, "none of true, false, pass, fail")),
    }
}

fn disposition(number: usize, text: &str) -> Result<RspamdDisposition, RspamdRecordError> {
    RspamdDisposition::read(text).ok_or_else(|| field(number, text, "none of none, quarantine, reject"))
}

fn sampled_out(text: &str) -> Result<bool, RspamdRecordError> {
    match text {
        "" => Ok(false),
        "sampled_out" => Ok(true),
        _ => Err(field(5, text, "neither empty nor sampled_out")),
    }
}

/// The domains of signatures, those of one result joined by `|`. What is no domain was in nobody's
/// alignment, and a report cannot have it.
fn domains(signatures: [(&str, &'static str); 4]) -> Result<Vec<(String, &'static str)>, RspamdRecordError> {
    let each = signatures.into_iter().flat_map(|(joined, result)| {
        let names = joined.split('|').filter_map(|name| DomainName::parse(name).ok());
        names.map(move |name| (name.to_string(), result))
    });
    let found: Vec<_> = each.take(MAX_SIGNATURES + 1).collect();
    match found.len() {
        0..=MAX_SIGNATURES => Ok(found),
        _ => Err(RspamdRecordError::Signatures),
    }
}

fn spf_of(domain: &str, result: &str) -> Result<Option<(String, &'static str)>, RspamdRecordError> {
    let known = SPF_RESULTS.iter().find(|known| **known == result);
    let result = known.ok_or_else(|| field(12, result, "no result of SPF"))?;
    // A HELO name may be anything, such as an address in brackets.
    Ok(DomainName::parse(domain)
        .ok()
        .map(|domain| (domain.to_string(), *result)))
}
