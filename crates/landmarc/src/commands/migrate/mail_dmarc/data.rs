//! `migrate mail-dmarc --database`: messages that Mail::DMARC has not reported about, into the tally.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use landmarc_migrate::mail_dmarc::{
    BrokenRecord, Database, MailDmarcTranslation, StoreName, StoredRecord, UnknownDatabase, counted,
};
use landmarc_store::{COMMAND_BUSY_TIMEOUT, StoreError};

use crate::commands::migrate::summary::print_summary;
use crate::commands::migrate::target::{COUNTED, ImportTarget};
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::notes::note;
use landmarc_import::mail_dmarc::{GivenPassword, MailDmarcDatabase, MailDmarcReadError, PASSWORD};
use landmarc_import::{ImportMode, Imports};
use landmarc_runtime::clock::now_ms;
use landmarc_source::mysql::MysqlError;
use landmarc_source::sqlite::SqliteError;

/// Broken messages that are told one by one; the others are counted.
const MAX_PRINTED: u64 = 100;

/// What was counted, and where it goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "What was counted", group = ArgGroup::new(COUNTED).args(["database"]))]
pub(super) struct Data {
    /// Import what is not reported yet from this database: a file of SQLite, or mysql://USER@HOST:PORT/NAME;
    /// without a value, from the one that its settings name. The password is taken from --password-file, the
    /// variable MAIL_DMARC_PASSWORD, or its settings
    #[arg(long, value_name = "FILE|ADDRESS", num_args = 0..=1, default_missing_value = "")]
    database: Option<String>,
    /// The file whose first line is the password of the database
    #[arg(long, value_name = "FILE", requires = "database")]
    password_file: Option<PathBuf>,
    /// What the database is called here. When there are several, each needs a name of its own, and always
    /// the same: by it nothing is imported twice
    #[arg(long, value_name = "NAME", default_value = "mail-dmarc", value_parser = StoreName::new, requires = "database")]
    source: StoreName,
    #[command(flatten)]
    target: ImportTarget,
}

impl Data {
    /// Whether something that was counted is to be imported.
    pub(super) fn is_asked_for(&self) -> bool {
        self.database.is_some()
    }

    /// Imports, and tells. `read` gives the settings of Mail::DMARC, where they are needed.
    pub(super) fn run(
        &self,
        read: impl FnOnce() -> Result<MailDmarcTranslation, Failure>,
        as_json: bool,
    ) -> CommandResult {
        let mut opened = self.open(read)?;
        let settings = self.target.settings()?;
        let (how, place) = (self.target.mode(), self.target.place(&settings)?);
        let imports = Imports::open(&place, &settings, how, now_ms(), COMMAND_BUSY_TIMEOUT);
        let mut intake = Intake {
            source: &self.source,
            imports: imports?,
            broken: 0,
            failed: None,
        };
        let done = opened.each(|record| intake.take(&record));
        if let Some(error) = intake.failed.take() {
            return Err(Failure::from(error));
        }
        let received = done.and_then(|()| opened.received_reports())?;
        intake.finish(how, received, as_json)
    }

    fn open(
        &self,
        read: impl FnOnce() -> Result<MailDmarcTranslation, Failure>,
    ) -> Result<MailDmarcDatabase, Failure> {
        let named = self.database.as_deref().unwrap_or_default();
        let database = match named {
            "" => of_settings(read()?)?,
            _ if named.contains("://") => return self.server(named),
            path => Database::Sqlite {
                path: path.to_owned(),
            },
        };
        let password = password(self.password_file.as_deref())?;
        Ok(MailDmarcDatabase::database(&database, password)?)
    }

    fn server(&self, named: &str) -> Result<MailDmarcDatabase, Failure> {
        let scheme = named.split("://").next().unwrap_or_default();
        if ["postgres", "postgresql"].contains(&scheme.to_ascii_lowercase().as_str()) {
            let unknown = UnknownDatabase::PostgreSql;
            return Err(failure!(Exit::Usage, "--database: {unknown}").with_remedy(unknown.remedy()));
        }
        let address = named
            .parse()
            .map_err(|error| failure!(Exit::Usage, "--database: {error}"))?;
        let password = password(self.password_file.as_deref())?;
        Ok(MailDmarcDatabase::server(address, password)?)
    }
}

/// The database that the settings of Mail::DMARC name.
fn of_settings(made: MailDmarcTranslation) -> Result<Database, Failure> {
    match made.database {
        Some(Ok(database)) => Ok(database),
        Some(Err(error)) => {
            Err(failure!(Exit::Config, "[report_store] dsn: {error}").with_remedy(error.remedy()))
        }
        None => Err(failure!(
            Exit::Config,
            "the settings name no database ([report_store] dsn): name it behind --database"
        )),
    }
}

impl From<MailDmarcReadError> for Failure {
    fn from(error: MailDmarcReadError) -> Self {
        let failure = Self::of(exit_of(&error), &error);
        match error.remedy() {
            Some(remedy) => failure.with_remedy(remedy),
            None => failure,
        }
    }
}

/// An import under way.
struct Intake<'a> {
    source: &'a StoreName,
    imports: Imports,
    broken: u64,
    /// Why it has ended before its time.
    failed: Option<StoreError>,
}

impl Intake<'_> {
    fn take(&mut self, record: &StoredRecord) -> ControlFlow<()> {
        match counted(record, self.source, now_ms() / 1_000) {
            Ok(row) => match self.imports.take(row) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    self.failed = Some(error);
                    ControlFlow::Break(())
                }
            },
            Err(broken) => {
                self.note_broken(&broken);
                ControlFlow::Continue(())
            }
        }
    }

    fn note_broken(&mut self, broken: &BrokenRecord) {
        self.broken += 1;
        if self.broken <= MAX_PRINTED {
            note!("landmarc: {broken}\n  {}", broken.remedy());
        }
    }

    fn finish(mut self, how: ImportMode, received: u64, as_json: bool) -> CommandResult {
        let summary = self.imports.finish()?;
        let others = [("broken", self.broken), ("reports received", received)];
        print_summary(&summary, how, &others, as_json)?;
        if received > 0 && !as_json {
            note!(
                "landmarc: reports that others have sent are not imported yet; keep this database for them"
            );
        }
        match self.broken == 0 && summary.refused_rows == 0 {
            true => Ok(Exit::Fine),
            false => Ok(Exit::BadInput),
        }
    }
}

fn exit_of(error: &MailDmarcReadError) -> Exit {
    match error {
        MailDmarcReadError::Sqlite(error) if error.is_missing() => Exit::NoInput,
        MailDmarcReadError::Sqlite(SqliteError::NoDatabase { .. } | SqliteError::NoTable { .. })
        | MailDmarcReadError::MySql(MysqlError::NotMailDmarc { .. }) => Exit::BadInput,
        MailDmarcReadError::Sqlite(_) | MailDmarcReadError::MySql(_) | MailDmarcReadError::Runtime(_) => {
            Exit::Unavailable
        }
        MailDmarcReadError::Name(_) => Exit::Config,
    }
}

/// The password that was given, if one was.
fn password(file: Option<&Path>) -> Result<Option<GivenPassword>, Failure> {
    let Some(file) = file else {
        return Ok(std::env::var(PASSWORD).ok().map(GivenPassword::Other));
    };
    Ok(Some(GivenPassword::OfFile(super::super::password(file)?)))
}
