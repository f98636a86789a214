//! What other programs left behind, read: settings, histories, rows of databases.
//!
//! It takes octets and words and gives words: our settings file as text, and [`Counted`] rows for the
//! tally. It opens no file and asks no database.

mod counted;
pub mod mail_dmarc;
pub mod opendmarc;
pub mod rspamd;
mod toml;

pub use counted::{Counted, MAX_AHEAD_S, MAX_COUNT, is_ahead, message_key};
