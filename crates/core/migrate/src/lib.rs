//! What other programs left behind, read: settings, histories, rows of databases.
//!
//! Knows what each option of OpenDMARC, Mail::DMARC and rspamd comes to in our settings, and why some come to nothing;
//! which [`Counted`] rows of the tally their records are; and how a history file of OpenDMARC is written. Does not know
//! files, databases and DNS: octets, rows and answers go in, the text of a settings file and rows come out.
//!
//! Not implemented: reports that others sent to a site, which these programs keep, and which stay where they are; files that
//! a file of rspamd includes, and its variables, since only rspamd knows where it looks for them.
//!
//! ```
//! use landmarc_migrate::opendmarc::settings::{OpenDmarcSite, read, translate};
//!
//! let conf = read(b"RejectFailures true\nSocket inet:8893@localhost\n");
//! let translation = translate(&conf, &OpenDmarcSite::default());
//! assert!(translation.toml.contains("mode = \"enforce\""));
//! ```

mod counted;
mod file;
pub mod mail_dmarc;
pub mod opendmarc;
pub mod rspamd;

pub use counted::{Counted, MAX_AHEAD_S, MAX_COUNT, is_ahead, message_key};
