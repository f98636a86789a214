//! What is wrong with a line.

use landmarc_mail::text::quoted;

use super::parameter::{Kind, nearest};

/// A line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}")]
pub struct ConfMistake {
    /// Its number, from 1; 0 where it is the file as a whole.
    pub line: usize,
    /// Why.
    pub wrong: ConfError,
}

/// Why a line cannot be understood. The first words are those that OpenDMARC 1.4.2 says, where it says
/// something (C4, C6), so that whoever looks for them finds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// C6.
    #[error("unrecognized parameter: {}", quoted(.name))]
    Unrecognized {
        /// As the line has it.
        name: String,
    },
    /// A name and nothing after it.
    #[error("required value missing: {name} stands alone")]
    Missing {
        /// The parameter.
        name: &'static str,
        /// What it takes.
        kind: Kind,
    },
    /// C4.
    #[error("illegal value: {name} is {}", quoted(.value))]
    Illegal {
        /// The parameter.
        name: &'static str,
        /// What it has.
        value: String,
        /// What it takes, for people.
        takes: &'static str,
    },
    /// C7: OpenDMARC would cut the line and take what follows for a line of its own.
    #[error("this line has {octets} octets, and OpenDMARC reads {MAX_LINE_OCTETS}")]
    TooLong {
        /// Without its end.
        octets: usize,
    },
    /// A parameter whose value is no text.
    #[error("this line has an octet that is not UTF-8: {}", quoted(.start))]
    NotUtf8 {
        /// What comes before.
        start: String,
    },
    /// The file is no settings file.
    #[error("the file has more than {MAX_FILE_OCTETS} octets")]
    FileTooLong,
    /// P26: mandatory, in the file or on the command line.
    #[error("no Socket: no mail server could reach the service")]
    NoSocket,
}

/// The longest line, in octets and without its end: what OpenDMARC has room for (C7).
pub const MAX_LINE_OCTETS: usize = 1024;

/// The longest file, in octets: fifty times the sample with all its explanations.
pub const MAX_FILE_OCTETS: usize = 1 << 20;

impl ConfMistake {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match &self.wrong {
            ConfError::Unrecognized { name } => match nearest(name) {
                Some(near) => format!("did you mean {near}? Otherwise put a # in front of it"),
                None if name.eq_ignore_ascii_case("Include") => {
                    "OpenDMARC reads one file: copy what the other one says to here".to_owned()
                }
                None => "no version of OpenDMARC knows it: put a # in front of it".to_owned(),
            },
            ConfError::Missing { name, kind } => match kind {
                Kind::Boolean => format!("write \"{name} true\" or \"{name} false\""),
                Kind::Integer => format!("write a number after {name}, or put a # in front of it"),
                Kind::Text => format!(
                    "write a value after {name}, or put a # in front of it; a # within a value ends it"
                ),
            },
            ConfError::Illegal { takes, .. } => format!("write {takes}"),
            ConfError::TooLong { .. } => "shorten it: lists can go into files, comments on lines of their own".to_owned(),
            ConfError::NotUtf8 { .. } => "write it in UTF-8, or in ASCII: names in their xn-- form".to_owned(),
            ConfError::FileTooLong => "name the settings file of OpenDMARC, usually /etc/opendmarc.conf".to_owned(),
            ConfError::NoSocket => {
                "write the one that the mail server speaks to, such as \"Socket inet:8893@localhost\", or give it with -p"
                    .to_owned()
            }
        }
    }
}
