//! What can be wrong with a file of rspamd, and what an operator can do about it.

use super::{MAX_DEPTH, MAX_FILE_OCTETS, MAX_VALUE_OCTETS, MAX_VALUES};
use landmarc_mail::text::quoted;

/// What is wrong, and in which line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct UclMistake {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub wrong: UclError,
}

/// What can be wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UclError {
    /// Over [`MAX_FILE_OCTETS`].
    #[error("the file has {0} octets, more than {MAX_FILE_OCTETS}")]
    FileTooLong(usize),
    /// Not UTF-8.
    #[error("the file is not UTF-8 from here on")]
    NotUtf8,
    /// A quote that is not closed.
    #[error("the quoted text does not end")]
    OpenQuote,
    /// A comment that is not closed.
    #[error("the comment does not end")]
    OpenComment,
    /// A section that is not closed, by the name it has.
    #[error("the section {} does not end", quoted(.0))]
    OpenSection(String),
    /// A list that is not closed.
    #[error("the list does not end")]
    OpenList,
    /// A text between words that is not closed.
    #[error("the text does not end: {} is missing on a line of its own", quoted(.0))]
    OpenText(String),
    /// A brace that closes nothing.
    #[error("the brace closes no section")]
    Brace,
    /// Where a key should be.
    #[error("{} begins no key", quoted(.0))]
    Key(String),
    /// A key without a value.
    #[error("the key {} has no value", quoted(.0))]
    NoValue(String),
    /// A value over [`MAX_VALUE_OCTETS`].
    #[error("the value of {} has more than {MAX_VALUE_OCTETS} octets", quoted(.0))]
    ValueTooLong(String),
    /// Deeper than [`MAX_DEPTH`].
    #[error("sections lie deeper than {MAX_DEPTH} in one another")]
    TooDeep,
    /// More than [`MAX_VALUES`].
    #[error("there are more than {MAX_VALUES} values")]
    TooMany,
}

impl UclMistake {
    /// What can be done.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self.wrong {
            UclError::FileTooLong(_) | UclError::TooMany => {
                "give only the files of the DMARC and Redis sections"
            }
            UclError::NotUtf8 => "write the file in UTF-8; iconv does it",
            UclError::OpenQuote | UclError::OpenComment | UclError::OpenList | UclError::OpenText(_) => {
                "close it where it should end; rspamadm configtest finds the same"
            }
            UclError::OpenSection(_) | UclError::Brace => {
                "count the braces; rspamadm configtest finds the same"
            }
            UclError::Key(_) | UclError::NoValue(_) => "write it as: key = value;",
            UclError::ValueTooLong(_) | UclError::TooDeep => {
                "see whether a quote or a brace is missing above"
            }
        }
    }
}
