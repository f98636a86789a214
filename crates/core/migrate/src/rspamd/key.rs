//! The names of Redis keys with records in them, and what they say.

use landmarc_mail::DomainName;

use super::day::RspamdDay;
use crate::counted::addresses;
use landmarc_mail::text::quoted;

/// The longest name of a key that is read. The addresses of a DMARC record are in it.
pub const MAX_KEY_OCTETS: usize = 4_096;
/// What stands between the parts of a name; `redis_keys.join_char` of rspamd, which nobody changes.
pub(super) const JOIN: char = ';';
/// What `rspamadm dmarc_report` adds to the name of a key while it reports from it.
const PROCESSING: &str = "_processing";
/// How far around a day the hosts of the world have the same date: a day before and after, and one more
/// as rspamd keeps records for two days.
const DAYS_KEPT: i64 = 3;

/// How Redis holds the records, which tells the release of rspamd that wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A list with a line for each message (checklist R5, R6).
    Lines,
    /// A hash of counters (checklist R8).
    Counters,
    /// A sorted set whose scores are counts (checklist R9).
    Scores,
}

impl Shape {
    /// From what the Redis command TYPE says; none for types that no release of rspamd wrote.
    #[must_use]
    pub fn of_type(word: &str) -> Option<Self> {
        match word {
            "list" => Some(Self::Lines),
            "hash" => Some(Self::Counters),
            "zset" => Some(Self::Scores),
            _ => None,
        }
    }
}

/// What the keys are called at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What stands before the domain in the name of a list: `key_prefix` of rspamd (checklist R4).
    pub list_prefix: String,
    /// What stands before the date in the name of an index: `redis_keys.index_prefix` of rspamd.
    pub index_prefix: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            list_prefix: "dmarc_".to_owned(),
            index_prefix: "dmarc_idx".to_owned(),
        }
    }
}

impl Names {
    /// The sets that name the keys of the days around this one, whatever the time zone of rspamd: of each
    /// day its own, and the one that `rspamadm` is reporting from.
    pub fn indexes_around(&self, today: RspamdDay) -> impl Iterator<Item = String> {
        let days = (-DAYS_KEPT..=1).map(move |days| today.plus(days));
        days.flat_map(|day| self.indexes_of(day))
    }

    /// The sets that name the keys of this day.
    #[must_use]
    pub fn indexes_of(&self, day: RspamdDay) -> [String; 2] {
        let name = format!("{}{JOIN}{day}", self.index_prefix);
        [name.clone(), name + PROCESSING]
    }

    /// Whether this is the name of an index, of whatever day.
    #[must_use]
    pub fn is_index(&self, name: &[u8]) -> bool {
        let date = |name: &str| {
            Some(
                name.strip_prefix(&self.index_prefix)?
                    .strip_prefix(JOIN)?
                    .to_owned(),
            )
        };
        let date = str::from_utf8(name).ok().and_then(date);
        date.is_some_and(|date| RspamdDay::parse(without_processing(&date)).is_some())
    }
}

/// A key: whose records, of which day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordKey {
    /// The name in Redis, but for what `rspamadm` adds while it reports: it is the same key.
    pub name: String,
    /// How the records are held.
    pub shape: Shape,
    /// Of a list and of a sorted set, the domain whose record rspamd says it applied: since 3.0 by the public
    /// suffix list, wherever the record was. Of a hash, the Author Domain.
    pub domain: DomainName,
    /// Where reports were asked for, in lower case as rspamd has it; in sorted sets alone.
    pub rua: Vec<String>,
    /// The day; lists have none.
    pub day: Option<RspamdDay>,
}

/// Why a key is not read. Display says what is wrong, without the name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordKeyError {
    /// Over [`MAX_KEY_OCTETS`].
    #[error("the name of the key has {0} octets, more than {MAX_KEY_OCTETS}")]
    TooLong(usize),
    /// The octets are no UTF-8.
    #[error("the name of the key is not UTF-8")]
    NotUtf8,
    /// A list that does not begin with the prefix.
    #[error("the name of the list does not begin with {}", quoted(.0))]
    Prefix(String),
    /// A name with less than the three or four parts it takes.
    #[error("parts of its name between semicolons: {found} found, {wanted} needed")]
    Parts {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: &'static str,
    },
    /// Its domain is none.
    #[error("{} is no domain: {error}", quoted(.text))]
    Domain {
        /// What stands there.
        text: String,
        /// Why it is none.
        error: landmarc_mail::NameError,
    },
    /// Its date is none.
    #[error("{} is no date as YYYYMMDD", quoted(.0))]
    Date(String),
}

impl RecordKeyError {
    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Prefix(_) => {
                "give the prefix that rspamd was set to (key_prefix), if it is a list of its own"
            }
            Self::Parts { .. } | Self::Date(_) => {
                "nothing, if another program wrote it; otherwise redis_keys of rspamd were changed, which is \
                 not supported: join_char must be \";\""
            }
            Self::TooLong(_) | Self::NotUtf8 | Self::Domain { .. } => {
                "nothing: no report can be made of it; \"redis-cli DEL\" removes it, or it expires by itself"
            }
        }
    }
}

impl RecordKey {
    /// Reads the name of a key.
    ///
    /// # Errors
    /// Why it holds no records: what is no domain or no date, and names past [`MAX_KEY_OCTETS`].
    pub fn read(name: &[u8], shape: Shape, names: &Names) -> Result<Self, RecordKeyError> {
        if name.len() > MAX_KEY_OCTETS {
            return Err(RecordKeyError::TooLong(name.len()));
        }
        let name = str::from_utf8(name).map_err(|_| RecordKeyError::NotUtf8)?;
        match shape {
            Shape::Lines => Self::of_list(name, names),
            Shape::Counters => Self::of_counters(without_processing(name)),
            Shape::Scores => Self::of_scores(without_processing(name)),
        }
    }

    fn of_list(name: &str, names: &Names) -> Result<Self, RecordKeyError> {
        let text = name.strip_prefix(&names.list_prefix);
        let text = text.ok_or_else(|| RecordKeyError::Prefix(names.list_prefix.clone()))?;
        Ok(Self {
            name: name.to_owned(),
            shape: Shape::Lines,
            domain: domain(text)?,
            rua: Vec::new(),
            day: None,
        })
    }

    /// `PREFIX;AUTHOR DOMAIN;DATE`.
    fn of_counters(name: &str) -> Result<Self, RecordKeyError> {
        let parts: Vec<_> = name.split(JOIN).collect();
        let &[_, author_domain, date] = parts.as_slice() else {
            return Err(RecordKeyError::Parts {
                found: parts.len(),
                wanted: "3",
            });
        };
        Ok(Self {
            name: name.to_owned(),
            shape: Shape::Counters,
            domain: domain(author_domain)?,
            rua: Vec::new(),
            day: Some(day(date)?),
        })
    }

    /// `PREFIX;DOMAIN;RUA;DATE`. A URI may have semicolons of its own (RFC 3986 §2.2), so that there are
    /// four parts or more.
    fn of_scores(name: &str) -> Result<Self, RecordKeyError> {
        let parts: Vec<_> = name.split(JOIN).collect();
        let [_, policy_domain, rua @ .., date] = parts.as_slice() else {
            return Err(too_few(parts.len()));
        };
        if rua.is_empty() {
            return Err(too_few(parts.len()));
        }
        let rua = rua.join(";");
        Ok(Self {
            name: name.to_owned(),
            shape: Shape::Scores,
            domain: domain(policy_domain)?,
            rua: addresses(&rua),
            day: Some(day(date)?),
        })
    }
}

fn too_few(found: usize) -> RecordKeyError {
    RecordKeyError::Parts {
        found,
        wanted: "4 or more",
    }
}

fn without_processing(name: &str) -> &str {
    name.strip_suffix(PROCESSING).unwrap_or(name)
}

fn domain(text: &str) -> Result<DomainName, RecordKeyError> {
    DomainName::parse(text).map_err(|error| RecordKeyError::Domain {
        text: text.to_owned(),
        error,
    })
}

fn day(text: &str) -> Result<RspamdDay, RecordKeyError> {
    RspamdDay::parse(text).ok_or_else(|| RecordKeyError::Date(text.to_owned()))
}
