//! What rspamd left behind: the records that its DMARC module keeps in Redis, and its settings.
//!
//! Four forms of records, by the releases of rspamd that wrote them. All of them are read; in each, the
//! prefix is a setting of rspamd.
//!
//! | Redis key | type | one entry |
//! |---|---|---|
//! | `dmarc_DOMAIN` | list | `time,address,spf,dkim`, one for each message (first releases) |
//! | `dmarc_DOMAIN` | list | the same with `,disposition` (1.3) |
//! | `dmarc;AUTHOR DOMAIN;DATE` | hash | twelve fields, and how many messages (2.x) |
//! | `dmarc_rpt;DOMAIN;RUA;DATE` | sorted set | the same; the score is how many (3.x) |
//!
//! The names of a day's hashes and sorted sets stand in the set `dmarc_idx;DATE`.
//!
//! This knows neither Redis nor DNS. Of the DMARC Policy Record there is next to nothing in these records:
//! a caller that can look up DNS hands over a [`Policy`]; without one, [`RspamdEntry::counted`] takes what the key says.

mod day;
mod entry;
mod key;
mod record;
pub mod settings;
pub mod ucl;

pub use day::{RspamdDay, Window};
pub use entry::{Policy, RspamdEntry, Unread, UnreadPart};
pub use key::{MAX_KEY_OCTETS, Names, RecordKey, RecordKeyError, Shape};
pub use record::{MAX_RECORD_OCTETS, MAX_SIGNATURES, RspamdDisposition, RspamdRecord, RspamdRecordError};

#[cfg(test)]
mod tests;
