//! History files: what OpenDMARC of 1.2, 1.4 and later, and Exim, wrote down of each message.
//!
//! A record is a block of lines `key value`, from a line `job` to the next one (compatibility checklist
//! 2.8). [`History`] is fed octets as they come and hands out what it finds; it holds one record at a time,
//! whatever the size of the file.
//!
//! | | |
//! |---|---|
//! | HF3 | keys after 1.4 are read (`spf_scope`, `fo`) or told once (others) |
//! | HF4 | Exim's order, its `json[` and its `policy` are read; the order of lines never matters |
//! | HF5 | records of 1.2, without selectors and ARC, are read |
//! | HF6 | a last record that is not whole is told and left out: it counts when it is read again and whole |
//!
//! A file that was copied in the middle of a record and then joined to another, as collectors by `scp` and
//! `cat` do, has a record that ends inside a line, with the next one's `job` glued to it. Only the record
//! that was cut is lost.

mod draft;
mod fault;
mod writer;

use super::message::Message;
use draft::Draft;

pub use fault::{HistoryError, HistoryMistake};
pub use writer::{exported_job, write};

/// The longest line, in octets: a chain of fifty ARC seals takes a quarter of it.
pub const MAX_LINE: usize = 64 << 10;
/// The most lines of one record: a hundred signatures and all addresses of a record take a quarter of it.
pub const MAX_RECORD_LINES: u32 = 1_000;
/// So many unknown keys are told, each once.
const MAX_UNKNOWN: usize = 32;

/// What is found in a history file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryEvent {
    /// A whole record, and the line that it begins at.
    Message(u64, Box<Message>),
    /// A record that cannot be used, or lines that belong to none.
    Broken(HistoryMistake),
    /// A key that nothing is known of; told once for each key. Its line is passed over.
    Unknown {
        /// Where it was seen first.
        line: u64,
        /// What stands there, cut short.
        key: String,
    },
    /// The last record is not whole: it is being written, or was copied while it was.
    Unfinished {
        /// Where it begins.
        line: u64,
        /// Its queue id, as far as it is there.
        job: String,
    },
}

/// Reads one history file.
///
/// ```
/// use landmarc_migrate::opendmarc::history::{HistoryEvent, History};
///
/// let mut found = Vec::new();
/// let mut history = History::new();
/// history.feed(b"job 4ZQ1\nreporter mx.example.net\nrece", &mut |one| found.push(one));
/// history.end(&mut |one| found.push(one));
/// assert_eq!(found, [HistoryEvent::Unfinished { line: 1, job: "4ZQ1".to_owned() }]);
/// ```
#[derive(Debug, Default)]
pub struct History {
    /// The line so far, no longer than [`MAX_LINE`].
    line: Vec<u8>,
    is_too_long: bool,
    /// Lines that have ended.
    lines: u64,
    /// The last one that was read.
    last: String,
    state: State,
    unknown: Vec<String>,
}

/// Where in the file the reader is.
#[derive(Debug, Default)]
enum State {
    /// Before the first record.
    #[default]
    Before,
    /// In a record.
    In(Box<Draft>),
    /// Behind a fault: all up to the next record is passed over.
    Behind,
}

impl History {
    /// At the beginning of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets.
    pub fn feed(&mut self, octets: &[u8], found: &mut impl FnMut(HistoryEvent)) {
        let mut rest = octets;
        while let Some(at) = rest.iter().position(|octet| *octet == b'\n') {
            let (line, behind) = rest.split_at(at);
            self.take(line);
            self.end_line(found);
            rest = behind.get(1..).unwrap_or_default();
        }
        self.take(rest);
    }

    /// The file is over.
    pub fn end(mut self, found: &mut impl FnMut(HistoryEvent)) {
        let is_cut = self.is_too_long || !self.line.is_empty();
        let text = String::from_utf8_lossy(&self.line);
        let job = text
            .strip_prefix("job")
            .or_else(|| "job".starts_with(&*text).then_some(""));
        match (std::mem::take(&mut self.state), job) {
            (State::In(draft), None) if is_cut => return found(draft.unfinished()),
            (State::In(draft), Some(_)) if !is_cut && !draft.is_whole() => return found(draft.unfinished()),
            (State::In(draft), _) => found(draft.finish()),
            (State::Before | State::Behind, _) => {}
        }
        if is_cut {
            let (line, job) = (self.lines + 1, fault::short(job.unwrap_or_default().trim()));
            found(HistoryEvent::Unfinished { line, job });
        }
    }

    fn take(&mut self, octets: &[u8]) {
        let room = MAX_LINE - self.line.len().min(MAX_LINE);
        self.is_too_long |= octets.len() > room;
        self.line.extend(octets.iter().take(room));
    }

    fn end_line(&mut self, found: &mut impl FnMut(HistoryEvent)) {
        self.lines += 1;
        let octets = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_too_long) {
            return self.fail(HistoryError::LongLine, found);
        }
        // What is no UTF-8 is no name, number or queue id either, and its stand-in U+FFFD is none.
        let text = String::from_utf8_lossy(&octets);
        self.read(text.trim_end_matches('\r'), found);
        // The next line reuses the memory.
        self.line = octets;
        self.line.clear();
    }

    fn read(&mut self, text: &str, found: &mut impl FnMut(HistoryEvent)) {
        if text.is_empty() {
            return;
        }
        let (key, value) = text.split_once(' ').unwrap_or((text, ""));
        match key {
            "job" => self.begin(text, value, found),
            _ => {
                if key == "reporter" {
                    self.look_back(found);
                }
                self.go_on(key, value, text, found);
            }
        }
        text.clone_into(&mut self.last);
    }

    /// A line of the record that has begun.
    fn go_on(&mut self, key: &str, value: &str, text: &str, found: &mut impl FnMut(HistoryEvent)) {
        match &mut self.state {
            State::Behind => {}
            State::Before => {
                let key = fault::short(key);
                self.fail(HistoryError::NoRecord { key }, found);
            }
            State::In(draft) => match draft.line(key, value) {
                Ok(true) => {}
                Ok(false) if glued(text).is_some() => {}
                Ok(false) => self.tell_unknown(key, found),
                Err(what) => self.fail(what, found),
            },
        }
    }

    /// `reporter` stands right behind `job` in every version: where the line before it ends in a `job`, a
    /// record was cut, and another begins there.
    fn look_back(&mut self, found: &mut impl FnMut(HistoryEvent)) {
        let Some((before, job)) = glued(&self.last) else {
            return;
        };
        let line = self.lines - 1;
        let next = State::In(Box::new(Draft::new(line, job)));
        match std::mem::replace(&mut self.state, next) {
            State::In(draft) if draft.begins_at(line) => self.state = State::In(draft),
            // The first letters of `job` are all that was there of the one that was cut. Other letters are of a line
            // that Exim writes below `action` (HF4).
            State::In(draft) if draft.is_whole() && "job".starts_with(before) => found(draft.finish()),
            State::In(draft) => found(draft.cut_at(line)),
            State::Before | State::Behind => {}
        }
    }

    /// A line `job`: the record before it is over.
    fn begin(&mut self, text: &str, value: &str, found: &mut impl FnMut(HistoryEvent)) {
        if let State::In(draft) = std::mem::take(&mut self.state) {
            found(draft.finish());
        }
        let job = match (draft::job(value), glued(text)) {
            (Some(job), _) => job,
            (None, Some((_, job))) => {
                let cut = Draft::new(self.lines, value.split(' ').next().unwrap_or_default());
                found(cut.cut_at(self.lines));
                job
            }
            (None, None) => {
                let value = fault::short(value);
                return self.fail(HistoryError::Value { key: "job", value }, found);
            }
        };
        self.state = State::In(Box::new(Draft::new(self.lines, job)));
    }

    fn fail(&mut self, what: HistoryError, found: &mut impl FnMut(HistoryEvent)) {
        if !matches!(self.state, State::Behind) {
            let line = self.lines;
            found(HistoryEvent::Broken(HistoryMistake { line, what }));
        }
        self.state = State::Behind;
    }

    fn tell_unknown(&mut self, key: &str, found: &mut impl FnMut(HistoryEvent)) {
        let key = fault::short(key);
        if self.unknown.len() < MAX_UNKNOWN && !self.unknown.contains(&key) {
            self.unknown.push(key.clone());
            found(HistoryEvent::Unknown {
                line: self.lines,
                key,
            });
        }
    }
}

/// What stands in this line before the record that begins inside of it, and the queue id of that.
fn glued(line: &str) -> Option<(&str, &str)> {
    let (before, job) = line.rsplit_once("job ")?;
    let job = draft::job(job).filter(|_| !before.is_empty())?;
    Some((before, job))
}

#[cfg(test)]
mod tests;
