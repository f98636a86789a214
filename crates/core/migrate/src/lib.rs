//! What other programs left behind, read: settings, histories, rows of databases.
//!
//! It takes octets and words and gives words: our settings file as text, and [`Counted`] rows for the tally. Knows what
//! each key of OpenDMARC, Mail::DMARC and rspamd comes to here, and why some come to nothing. It opens no file and asks
//! no database. Not implemented: reports that others sent to a site and that these programs keep; they stay where they are.
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
