//! What can be wrong with a settings file, and how it is said.

use std::fmt;

use crate::limits::MAX_FILE_OCTETS;
use crate::place::FilePosition;

/// How many mistakes are told of: a file of the wrong kind is one mistake, not thousands.
pub const MAX_MISTAKES: usize = 100;

/// All that is wrong with a file, in its order; never empty. Where there are more than
/// [`MAX_MISTAKES`], one more says how many are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is; nowhere, if the file does not mention the key.
    pub place: Option<FilePosition>,
    /// The full name of the key, or of the table; empty where it is about neither.
    pub key: String,
    /// What is wrong.
    pub wrong: MistakeKind,
}

/// What is wrong. Foreign text in it is quoted, and cut at sixty characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MistakeKind {
    /// More than is read.
    #[error("the file has {octets} octets, at most {MAX_FILE_OCTETS} are read")]
    FileTooLong {
        /// How many there are.
        octets: usize,
    },
    /// The octets from here on are no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// It is not TOML.
    #[error("{message}, in {line}")]
    Syntax {
        /// What the grammar of TOML says to it.
        message: String,
        /// The line it is in, quoted.
        line: String,
    },
    /// There is no such key.
    #[error("unknown key{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// The key or table with the most similar name.
        nearest: Option<String>,
    },
    /// A key of an earlier release.
    #[error("this key is now called {0}")]
    Renamed(&'static str),
    /// There is no such table.
    #[error("unknown table{}", did_you_mean(nearest.as_deref()))]
    UnknownTable {
        /// The key or table with the most similar name.
        nearest: Option<String>,
    },
    /// A value stands where a table is meant.
    #[error("{found} stands where a table is meant; write [{table}] and its keys below")]
    NoTable {
        /// What is there.
        found: String,
        /// The full name of the table.
        table: String,
    },
    /// The value is not of the kind the key takes.
    #[error("{found} is no {kind}{}; allowed: {allowed}", because(why.as_deref()))]
    NotA {
        /// What is there, quoted.
        found: String,
        /// What it should be, such as `duration`.
        kind: String,
        /// Why it is not, where there is more to say.
        why: Option<String>,
        /// What may be written.
        allowed: String,
    },
    /// The value is too large, or too small.
    #[error("{found} is out of range; allowed: {allowed}")]
    OutOfRange {
        /// What is there.
        found: String,
        /// What may be written.
        allowed: String,
    },
    /// The value does not go with that of another key.
    #[error("{found} is more than {other} = {limit} ({}); allowed: at most that", line_or_default(*line))]
    MoreThan {
        /// The value.
        found: String,
        /// The key it must not exceed.
        other: String,
        /// The value of that key.
        limit: String,
        /// The line of that key, if the file mentions it.
        line: Option<usize>,
    },
    /// A key that must be there is not.
    #[error("it is missing: {0}")]
    Missing(&'static str),
    /// More than is allowed.
    #[error("{found} {what}, at most {most} are allowed")]
    TooMany {
        /// How many there are.
        found: usize,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// What the program finds wrong beyond what is declared.
    #[error("{0}")]
    Refused(String),
    /// The end of the list, but not of the mistakes.
    #[error("and {count} more")]
    More {
        /// How many mistakes are left out.
        count: usize,
    },
}

impl Mistakes {
    /// Puts them in the order of the file and leaves out what nobody would read. `nearest` finds
    /// the name that was probably meant.
    pub(crate) fn gather(mut all: Vec<Mistake>, nearest: impl Fn(&str) -> Option<String>) -> Self {
        all.sort_by_key(|mistake| mistake.place);
        let next = all.get(MAX_MISTAKES).and_then(|mistake| mistake.place);
        let left_out = all.len().saturating_sub(MAX_MISTAKES);
        all.truncate(MAX_MISTAKES);
        // Only now: finding the nearest name is the one thing here that takes time.
        for Mistake { key, wrong, .. } in &mut all {
            if let MistakeKind::UnknownKey { nearest: found } | MistakeKind::UnknownTable { nearest: found } =
                wrong
            {
                *found = nearest(key);
            }
        }
        if left_out > 0 {
            all.push(Mistake {
                place: next,
                key: String::new(),
                wrong: MistakeKind::More { count: left_out },
            });
        }
        Self(all)
    }

    /// One line for each mistake, ended by a line feed, as compilers print them:
    /// `FILE:LINE:COLUMN: KEY: what is wrong`.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        self.0.iter().map(|mistake| mistake.render(file) + "\n").collect()
    }
}

impl Mistake {
    /// As one line of [`Mistakes::render`], without the line feed.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        line(file, self.place, &self.key, &self.wrong)
    }
}

/// `FILE:LINE:COLUMN: KEY: TEXT`, without what is not known.
pub(crate) fn line(file: &str, place: Option<FilePosition>, key: &str, text: &impl fmt::Display) -> String {
    let place = place.map_or_else(String::new, |FilePosition { line, column }| {
        format!(":{line}:{column}")
    });
    match key {
        "" => format!("{file}{place}: {text}"),
        _ => format!("{file}{place}: {key}: {text}"),
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}

fn line_or_default(line: Option<usize>) -> String {
    line.map_or_else(|| "its default".to_owned(), |line| format!("line {line}"))
}
