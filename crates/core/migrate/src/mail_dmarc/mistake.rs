//! What can be wrong with a file of Mail::DMARC, and what an operator can do about it.

use landmarc_mail::text::quoted;

use super::limits::{MAX_FILE, MAX_HOSTS, MAX_LINE, MAX_LINES};

/// How many mistakes of a file are told: a file of another kind is one mistake, not thousands.
pub const MAX_MISTAKES: usize = 100;

/// A mistake and its line. Display says `line 7: …`, or what is wrong alone when it is about the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{wrong}", place(*line))]
pub struct IniMistake {
    /// Counted from 1; 0 when it is about the file.
    pub line: usize,
    /// What is wrong.
    pub wrong: IniError,
}

impl IniMistake {
    pub(super) fn new(line: usize, wrong: IniError) -> Self {
        Self { line, wrong }
    }

    /// What can be done about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        self.wrong.remedy()
    }
}

fn place(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

/// What is wrong. Foreign text in it is quoted, and cut short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IniError {
    /// More than is read.
    #[error("the file has {octets} octets, at most {MAX_FILE} are read")]
    FileTooLong {
        /// How many it has.
        octets: usize,
    },
    /// More lines than are read.
    #[error("the file has more than {MAX_LINES} lines")]
    TooManyLines,
    /// A line is longer than is read.
    #[error("the line has {octets} octets, at most {MAX_LINE} are read")]
    LineTooLong {
        /// How many it has.
        octets: usize,
    },
    /// The octets are no text.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// A control character, such as NUL.
    #[error("the line has a control character in it")]
    Control,
    /// `[]`.
    #[error("a section without a name")]
    NoSectionName,
    /// `[smtp`, or `[smtp] hostname`.
    #[error("the line begins {} and does not end it", a_section(*name))]
    OpenSection {
        /// The section, where Mail::DMARC has one of this name.
        name: Option<&'static str>,
    },
    /// A line that is none of all that may be there.
    #[error("the line{} is neither a section nor \"key = value\"", with_key(*key))]
    Syntax {
        /// The key it begins with, where Mail::DMARC has one of this name: whatever else stands there may be
        /// a password, or a part of one.
        key: Option<&'static str>,
    },
    /// A key stands before the first section.
    #[error("{} stands before the first section", a_key(*key))]
    NoSection {
        /// The key, where Mail::DMARC has one of this name.
        key: Option<&'static str>,
    },
    /// The value is not what the key takes.
    #[error("[{section}] {key} = {} is no {kind}", quoted(value))]
    NotA {
        /// The section.
        section: &'static str,
        /// The key.
        key: &'static str,
        /// The value as written.
        value: String,
        /// What it should be.
        kind: &'static str,
    },
    /// A key is of no use without another one that is not there.
    #[error("[{section}] {key} is set, and {missing} is not")]
    Without {
        /// The section.
        section: &'static str,
        /// The key that is there.
        key: &'static str,
        /// The key that is not.
        missing: &'static str,
    },
    /// A line of a whitelist that does not begin with an address.
    #[error("{} is no IP address", quoted(text))]
    NoAddress {
        /// What is there.
        text: String,
    },
    /// The second word of a whitelist that is none of its types.
    #[error("{} is no reason type", quoted(text))]
    NoReasonType {
        /// What is there.
        text: String,
    },
    /// A whitelist with more hosts than one rules file takes.
    #[error("more than {MAX_HOSTS} hosts")]
    TooManyHosts,
    /// There are more mistakes than are told.
    #[error("and {count} more mistakes")]
    More {
        /// How many.
        count: usize,
    },
}

impl IniError {
    /// What can be done about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let text = match self {
            Self::FileTooLong { .. } | Self::TooManyLines => {
                "give the file mail-dmarc.ini itself; if it is, split what is not settings off it"
            }
            Self::LineTooLong { .. } => "shorten the line",
            Self::NotUtf8 => "save the file as UTF-8",
            Self::Control => "remove the character; an editor shows it as ^@ or the like",
            Self::NoSectionName => "write a name between the brackets, such as [smtp]",
            Self::OpenSection { .. } => {
                "close the section with \"]\" and put what follows on lines of its own; Mail::DMARC itself reads \
                 no line of a file with such a mistake"
            }
            Self::Syntax { .. } => {
                "write \"key = value\", or begin the line with \";\" to leave it out; Mail::DMARC itself reads \
                 nothing of this line, or no line of the file"
            }
            Self::NoSection { .. } => {
                "move the line below the section it belongs to; here Mail::DMARC ignores it"
            }
            Self::NotA { kind, .. } => return format!("write a {kind}, or leave the line out"),
            Self::Without { key, missing, .. } => return format!("set {missing}, or leave {key} out"),
            Self::NoAddress { .. } => "write an IPv4 or IPv6 address at the start of the line",
            Self::NoReasonType { .. } => {
                "write trusted_forwarder, mailing_list, local_policy, forwarded, sampled_out or other after the \
                 address"
            }
            Self::TooManyHosts => {
                "leave out hosts that are no longer in use, or write networks into the rules"
            }
            Self::More { .. } => "fix those above first; if there are this many, it may be another file",
        };
        text.to_owned()
    }
}

/// Keeps the first [`MAX_MISTAKES`] in the order of the file, and says how many there are beside them.
pub(super) fn in_order(mut mistakes: Vec<IniMistake>) -> Vec<IniMistake> {
    mistakes.sort_by_key(|mistake| mistake.line);
    let count = mistakes.len().saturating_sub(MAX_MISTAKES);
    if count > 0 {
        mistakes.truncate(MAX_MISTAKES);
        mistakes.push(IniMistake::new(0, IniError::More { count }));
    }
    mistakes
}

fn a_section(name: Option<&str>) -> String {
    name.map_or_else(
        || "a section".to_owned(),
        |name| format!("the section {}", quoted(name)),
    )
}

fn with_key(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!(" that begins with {}", quoted(key)))
}

fn a_key(key: Option<&str>) -> String {
    key.map_or_else(|| "a key".to_owned(), |key| format!("the key {}", quoted(key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_mistakes_are_told_and_the_rest_is_counted() {
        let many = |count| vec![IniMistake::new(1, IniError::NotUtf8); count];
        assert_eq!(in_order(many(MAX_MISTAKES)), many(MAX_MISTAKES));
        let told = in_order(many(MAX_MISTAKES + 7));
        assert_eq!(told.len(), MAX_MISTAKES + 1);
        assert_eq!(
            told.last().map(|one| &one.wrong),
            Some(&IniError::More { count: 7 })
        );
    }
}
