//! Every configuration key, declared once.
//!
//! [`mod@keys`] holds the declarations: name, type, default, range, unit, whether a reload
//! takes it up, since when, and what it is for. The struct, the reader, the sample file
//! ([`default_file`]), the page ([`manual`]) and `config show` ([`show`]) all come from
//! them. Reading takes two steps: the text as written, then what it says, checked, with
//! every mistake reported at its line, all at once.
//!
//! Does not know files, clocks and sockets: text goes in, settings come out.
//! What only an edge can judge (the spelling of a socket, whether a user exists) is
//! checked by the program, which reports it at the line through [`Settings::refuse`].
//! Not implemented: including other files, and variables, so that one file says it all.
//!
//! ```
//! # use landmarc_settings::{EnforcementMode, read};
//! let (settings, warnings) = read("mode = \"enforce\"\n").unwrap();
//! assert_eq!(settings.mode, EnforcementMode::Enforce);
//! assert!(warnings.is_empty());
//!
//! let mistakes = read("[dns]\nqestion_timeout = \"5s\"\n").unwrap_err();
//! assert_eq!(
//!     mistakes.render("landmarc.toml"),
//!     "landmarc.toml:2:1: dns.qestion_timeout: unknown key, did you mean dns.question_timeout?\n"
//! );
//! ```

#[macro_use]
mod declare;
#[macro_use]
mod value;
#[macro_use]
pub mod keys;

mod check;
pub mod hosts;
mod key;
mod limits;
mod mistake;
mod nearest;
mod network;
mod place;
mod print;
mod read;
mod reader;
pub mod rules;
mod syntax;
mod text;
mod warning;
mod written;

pub use key::Key;
pub use keys::keys;
pub use keys::{
    DeliveryBy, FailureAction, LogFormat, LogLevel, LogTarget, Quarantine, Redaction, RelayTls, ReportForm,
    Settings, SyslogFacility,
};
pub use landmarc_receiver::policy::{ArcUse, EnforcementMode, RejectRule, ResultSource, UnusableAuthor};
pub use limits::MAX_FILE_OCTETS;
pub use mistake::{MAX_MISTAKES, Mistake, MistakeKind, Mistakes};
pub use nearest::nearest_of;
pub use network::{IpNetwork, NetworkError};
pub use place::FilePosition;
pub use print::{default_file, manual, restarts, show};
pub use text::toml_string;
pub use value::Choice;
pub use value::address::MailAddress;
pub use value::fleet::{CollectorUrl, DatabaseUrl, Fingerprint};
pub use value::host::RelayHost;
pub use value::redis::RedisServer;
pub use value::reply::{MAX_REPLY_OCTETS, PermanentStatus, Placeholder, ReplyText, TransientStatus};
pub use value::report::{Delimiter, DkimKeyFile, Relay};
pub use value::system::{FileMode, NameServer, WebAddress};
pub use value::text::{AuthservId, FieldName};
pub use value::unit::Size;
pub use warning::{Concern, Warning};
pub use written::Written;

/// Reads a settings file: TOML 1.1, at most [`MAX_FILE_OCTETS`]. What the text does
/// not mention is at its default, so the empty text is `Settings::default()`.
///
/// The warnings are for what is allowed but should be looked at, in the order of the file.
///
/// # Errors
/// Every mistake there is, in the order of the file: none hides another, but that a line
/// whose syntax is broken is not judged for what it may have meant.
pub fn read(text: &str) -> Result<(Settings, Vec<Warning>), Mistakes> {
    read_with(text, |_| Vec::new())
}

/// As [`read`], from octets that should be UTF-8, as a file holds them.
///
/// # Errors
/// As there; where the octets are not UTF-8, one mistake at the first that is not.
pub fn read_octets(octets: &[u8]) -> Result<(Settings, Vec<Warning>), Mistakes> {
    read_checked(octets, |_| Vec::new())
}

/// As [`read_octets`], with a check of what only the program can judge; it reports by
/// [`Settings::refuse`].
///
/// It is called even where there are other mistakes, so that all are told at once. A key
/// with a mistake is at its default then, and nothing that is refused about it is told.
///
/// # Errors
/// As there.
pub fn read_checked(
    octets: &[u8],
    check: impl FnOnce(&Settings) -> Vec<Mistake>,
) -> Result<(Settings, Vec<Warning>), Mistakes> {
    match str::from_utf8(octets) {
        Ok(text) => read_with(text, check),
        Err(error) => Err(syntax::not_utf8(octets, error.valid_up_to())),
    }
}

fn read_with(
    text: &str,
    check: impl FnOnce(&Settings) -> Vec<Mistake>,
) -> Result<(Settings, Vec<Warning>), Mistakes> {
    let settings = read::read(text, check)?;
    let warnings = warning::warnings(&settings);
    Ok((settings, warnings))
}
