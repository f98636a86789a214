//! Why a connection was not made, or was ended.

use std::io;

use crate::limits::{
    MAX_ANSWER_COST, MAX_ANSWER_OCTETS, MAX_COLUMNS, MAX_ITERATIONS, MAX_NAMES, MAX_PREPARED, MAX_SETTINGS,
};

/// Why a guarded connection was not made, or was ended.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The network, or what TLS finds in it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No encryption where there shall be one.
    #[error("{0}")]
    Tls(String),
    /// The server did what is not accepted.
    #[error(transparent)]
    Refused(#[from] ProtocolViolation),
}

/// As the libraries hand it on: a trouble of TLS is invalid data, as rustls has it, and a [`ProtocolViolation`] is inside.
impl From<GuardError> for io::Error {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Io(error) => error,
            GuardError::Tls(text) => Self::new(io::ErrorKind::InvalidData, text),
            GuardError::Refused(refusal) => Self::other(refusal),
        }
    }
}

/// What a server did that is not accepted. Display names it, with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolViolation {
    /// A message is too long, by its own account.
    #[error("the server announced a message of {0} octets; the limit is {MAX_ANSWER_OCTETS}")]
    Announced(u64),
    /// An answer is too long.
    #[error("the server sent more than {MAX_ANSWER_OCTETS} octets in answer to one statement")]
    Octets,
    /// An answer has few octets, and would take much memory.
    #[error(
        "the server sent so many rows in answer to one statement that they take more than {MAX_ANSWER_COST} octets of memory"
    )]
    Rows,
    /// More columns than any statement asks for.
    #[error("the server announced a row of {0} columns; the limit is {MAX_COLUMNS}")]
    Columns(u64),
    /// The names of columns are no names.
    #[error("the server named columns with more than {MAX_NAMES} octets")]
    Names,
    /// So are those of a statement that is only prepared.
    #[error("the server described a statement with more than {MAX_PREPARED} octets")]
    Prepared,
    /// It has ever more to say of itself.
    #[error("the server sent more than {MAX_SETTINGS} octets of notices and of settings of its own")]
    Settings,
    /// The login is to cost this host hours.
    #[error("the server wants the password hashed {0} times; the limit is {MAX_ITERATIONS}")]
    Iterations(u64),
    /// The password would go to another host that listens on the way, or answers in place of the server.
    #[error("the server asks for the password by {0}, on a connection that others may read")]
    PasswordInClear(&'static str),
    /// It is not the protocol.
    #[error("the server sent {0}")]
    Malformed(&'static str),
}
