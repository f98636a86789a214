//! OpenDMARC's history files and database, on their way into the store: for `migrate opendmarc`, and for
//! the commands that go by the names of its tools.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use landmarc_migrate::is_ahead;
use landmarc_migrate::opendmarc::history::{History, HistoryEvent, HistoryMistake};
use landmarc_migrate::opendmarc::message::{Meaning, Message, NotReported};
use landmarc_migrate::opendmarc::tables::MessageRow;
use landmarc_source::mysql::{MysqlAddress, MysqlError, OpenDmarc};
use landmarc_store::{COMMAND_BUSY_TIMEOUT, StoreError, StoreLocation};

use super::{ImportMode, ImportSummary, Imports};
use landmarc_mail::text::visible;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::rules::system_name;
use landmarc_runtime::visible::visible_path;

/// Octets that are read at a time.
const PIECE: usize = 64 << 10;
/// Faults that are told one by one; the others are counted.
const MAX_TOLD: u64 = 100;
/// How often a file that OpenDMARC is writing to is asked for, and how long is waited in between: it holds
/// it for the time of one record.
const LOCK_ATTEMPTS: u32 = 50;
const BETWEEN_LOCKS: Duration = Duration::from_millis(100);

/// What there was besides what could be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UncountedMessages {
    /// Messages that no policy was applied to.
    pub without_policy: u64,
    /// Messages that were deferred.
    pub deferred: u64,
    /// Messages before the day that was given.
    pub earlier: u64,
    /// Messages that this host has exported itself: they are in the store already.
    pub own: u64,
    /// Records and rows that cannot be used.
    pub broken: u64,
    /// Last records of files that are not whole.
    pub unfinished: u64,
}

/// Why an import ends early. What was imported before is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database.
    #[error(transparent)]
    Database(#[from] MysqlError),
    /// The file.
    #[error("cannot read {name}")]
    File {
        /// As it was named.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing to wait with.
    #[error("cannot start a runtime")]
    Runtime(#[source] io::Error),
}

/// An import under way.
pub struct OpenDmarcImport {
    /// Takes the lines for whoever runs the import.
    tell: fn(&str),
    imports: Imports,
    since_s: u64,
    now_s: u64,
    /// What this host is called in records that it exports.
    own_names: Vec<String>,
    besides: UncountedMessages,
    /// Where reports go by the word of `opendmarc-params`: the domain, and addresses by commas.
    pub locked: Vec<(String, String)>,
    told: u64,
}

impl OpenDmarcImport {
    /// Into this store; of messages since this time, in Unix seconds.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub fn open(
        place: &StoreLocation,
        settings: &landmarc_settings::Settings,
        how: ImportMode,
        since_s: u64,
        tell: fn(&str),
    ) -> Result<Self, StoreError> {
        let now_ms = now_ms();
        Ok(Self {
            imports: Imports::open(place, settings, how, now_ms, COMMAND_BUSY_TIMEOUT)?,
            since_s,
            now_s: now_ms / 1_000,
            own_names: own_names(settings),
            besides: UncountedMessages::default(),
            tell,
            locked: Vec::new(),
            told: 0,
        })
    }

    /// Reads a history file; `-` is standard input. It is locked as `opendmarc-import` locks it, so that no
    /// record is read while it is written; on a file system without locks a last record may be cut, and is
    /// told.
    ///
    /// # Errors
    /// When it cannot be read, or the store cannot be written.
    pub fn file(&mut self, path: &Path) -> Result<(), ImportFailure> {
        let name = visible_path(path);
        let failed = |source| ImportFailure::File {
            name: name.clone(),
            source,
        };
        if path == Path::new("-") {
            return self.history("standard input", io::stdin().lock());
        }
        let file = File::open(path).map_err(failed)?;
        lock(&file);
        self.history(&name, file)
    }

    /// Reads a history from anywhere.
    ///
    /// # Errors
    /// When it cannot be read, or the store cannot be written.
    pub fn history(&mut self, name: &str, mut input: impl Read) -> Result<(), ImportFailure> {
        let mut history = History::new();
        let mut piece = vec![0; PIECE];
        let mut found = Vec::new();
        loop {
            let count = match input.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => {
                    let name = name.to_owned();
                    return Err(ImportFailure::File { name, source });
                }
            };
            history.feed(piece.get(..count).unwrap_or_default(), &mut |one| found.push(one));
            self.all(name, &mut found)?;
        }
        history.end(&mut |one| found.push(one));
        self.all(name, &mut found)
    }

    /// Reads a database.
    ///
    /// # Errors
    /// When it cannot be read, or the store cannot be written.
    pub fn tables(&mut self, address: &MysqlAddress) -> Result<(), ImportFailure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(ImportFailure::Runtime)?;
        let mut tables = runtime.block_on(OpenDmarc::open(address, self.since_s))?;
        let name = address.to_string();
        loop {
            let rows = runtime.block_on(tables.next())?;
            if rows.is_empty() {
                self.locked.extend(runtime.block_on(tables.locked())?);
                return Ok(());
            }
            for row in &rows {
                self.row(&name, row)?;
            }
        }
    }

    /// What it came to. The import can go on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn finish(&mut self) -> Result<(ImportSummary, UncountedMessages), StoreError> {
        if let Some(more) = self.told.checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            (self.tell)(&format!("landmarc: and {more} more"));
        }
        self.told = 0;
        Ok((self.imports.finish()?, std::mem::take(&mut self.besides)))
    }

    fn all(&mut self, name: &str, found: &mut Vec<HistoryEvent>) -> Result<(), ImportFailure> {
        for one in found.drain(..) {
            match one {
                HistoryEvent::Message(line, message) => self.message(name, line, &message)?,
                HistoryEvent::Broken(fault) => self.broken(name, &fault.to_string(), fault.remedy()),
                HistoryEvent::Unknown { line, key } => {
                    self.say(
                        &format!("{name}: line {line}: unknown key {key:?} passed over"),
                        None,
                    );
                }
                HistoryEvent::Unfinished { line, job } => {
                    self.besides.unfinished += 1;
                    let what =
                        format!("{name}: line {line}: the last record ({job:?}) is not whole and left out");
                    self.say(
                        &what,
                        Some("import the file again when it is; nothing is counted twice"),
                    );
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, name: &str, line: u64, message: &Message) -> Result<(), ImportFailure> {
        let fault = match self.count(message)? {
            Taken::Fine => return Ok(()),
            Taken::Ahead => HistoryMistake::ahead(line, message.received_s),
            Taken::Unusable(key, value) => HistoryMistake::unusable(line, key, &value),
        };
        self.broken(name, &fault.to_string(), fault.remedy());
        Ok(())
    }

    fn row(&mut self, name: &str, row: &MessageRow) -> Result<(), ImportFailure> {
        let fault = match row.message() {
            Ok(message) => match self.count(&message)? {
                Taken::Fine => return Ok(()),
                Taken::Ahead => row.ahead(),
                Taken::Unusable(key, value) => row.fault(key, &value),
            },
            Err(fault) => fault,
        };
        self.broken(name, &fault.to_string(), fault.remedy());
        Ok(())
    }

    /// Counts a message, or says why it cannot be.
    fn count(&mut self, message: &Message) -> Result<Taken, StoreError> {
        if message.received_s < self.since_s {
            self.besides.earlier += 1;
            return Ok(Taken::Fine);
        }
        // A collector reads the files of all hosts alike, its own among them.
        if message.is_exported_by(&self.own_names) {
            self.besides.own += 1;
            return Ok(Taken::Fine);
        }
        if is_ahead(message.received_s, self.now_s) {
            return Ok(Taken::Ahead);
        }
        match message.meaning() {
            Meaning::Counts(counted) => self.imports.take(*counted)?,
            Meaning::IsNotReported(NotReported::NoPolicy) => self.besides.without_policy += 1,
            Meaning::IsNotReported(NotReported::Deferred) => self.besides.deferred += 1,
            Meaning::Unusable { key, value } => return Ok(Taken::Unusable(key, value)),
        }
        Ok(Taken::Fine)
    }

    fn broken(&mut self, name: &str, what: &str, remedy: &str) {
        self.besides.broken += 1;
        self.say(&format!("{name}: {what}"), Some(remedy));
    }

    fn say(&mut self, what: &str, remedy: Option<&str>) {
        self.told += 1;
        if self.told > MAX_TOLD {
            return;
        }
        (self.tell)(&format!("landmarc: {}", visible(what)));
        if let Some(remedy) = remedy {
            (self.tell)(&format!("  {remedy}"));
        }
    }
}

/// What became of a message.
enum Taken {
    /// It is counted, here or in the summary.
    Fine,
    /// Its time is still to come.
    Ahead,
    /// No report can bear this: the key of the history file, and what stands there.
    Unusable(&'static str, String),
}

/// The names that this host's own records bear: as `history export` writes them, and as its results do.
fn own_names(settings: &landmarc_settings::Settings) -> Vec<String> {
    let authserv_id = settings.authserv_id.as_ref().map(|id| id.as_str().to_owned());
    [system_name()].into_iter().chain(authserv_id).collect()
}

/// Waits a moment for whoever writes to it. Standard input of a pipe, and file systems of other hosts, have
/// no locks: then it is read as it is.
fn lock(file: &File) {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => thread::sleep(BETWEEN_LOCKS),
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => return,
        }
    }
}
