//! The store of Mail::DMARC (checklist Q18): messages that are in none of its reports yet.
//!
//! Its tables are the same in SQLite and in MySQL: `report`, `domain`, `report_policy_published`,
//! `report_record` and, of each record, `_reason`, `_dkim` and `_spf`. Rows of reports that others sent are in
//! them too; those have a count, and are left alone.

pub(crate) mod sql;
mod sqlite;

pub use sqlite::SqliteStore;

/// The longest text of a column that is read, in characters; a longer one is cut. All that a report
/// can say is shorter.
pub const MAX_TEXT: usize = 8192;
