//! What Mail::DMARC left behind: its settings (`mail-dmarc.ini`), the list of hosts it lets by
//! (`dmarc_whitelist`), and the messages its store has not reported about yet.
//!
//! ```
//! # use landmarc_migrate::mail_dmarc::translate;
//! let file = "[organization]\nemail = dmarc@reports.example.org\n";
//! let translation = translate(file.as_bytes()).unwrap();
//! assert!(translation.settings.contains("email = \"dmarc@reports.example.org\""));
//! ```
//!
//! Not here: reports that others have sent to the site. Mail::DMARC keeps them in the same tables; they are
//! told apart by their counts ([`counted`]), and left where they are.

mod database;
mod ini;
mod keys;
mod limits;
mod mistake;
mod records;
mod settings;
mod whitelist;

pub use database::{Database, UnknownDatabase};
pub use limits::{MAX_FILE, MAX_HOSTS, MAX_LINE, MAX_LINES};
pub use mistake::{IniError, IniMistake, MAX_MISTAKES};
pub use records::{
    BrokenRecord, MAX_PER_RECORD, MAX_SOURCE, StoreName, StoredDkim, StoredRecord, StoredSpf,
    UnusableStoreName, WrongRecord, counted,
};
pub use settings::{MailDmarcTranslation, Note, translate};
pub use whitelist::rules;
