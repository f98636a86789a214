//! Steps of the schema on a server, and whose tables are there.
//!
//! Steps are numbered as those of no other engine: what SQLite has learnt in several, a server begins with. Each is noted in the
//! table `migration` when it is done. A lock of the server's lets one host at a time do them.

use super::engine::ServerEngine;
use super::errors::Failure;
use super::trouble::Trouble;
use super::wire::Wire;
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// The steps of both engines, the first one being version 1.
const STEPS: [Step; 3] = [
    Step {
        postgresql: include_str!("migrations/postgresql/0001_recording.sql"),
        mariadb: include_str!("migrations/mariadb/0001_recording.sql"),
    },
    Step {
        postgresql: include_str!("migrations/postgresql/0002_reports.sql"),
        mariadb: include_str!("migrations/mariadb/0002_reports.sql"),
    },
    Step {
        postgresql: include_str!("migrations/postgresql/0003_names.sql"),
        mariadb: include_str!("migrations/mariadb/0003_names.sql"),
    },
];
/// The version of this build.
const VERSION: u32 = 3;

/// Whose steps they are: others may have a table of this name.
const PROGRAM: &str = "landmarc";
/// What the lock of those who migrate is called: on PostgreSQL a number, of the letters `landmarc`.
const POSTGRESQL_LOCK: i64 = i64::from_be_bytes(*b"landmarc");
/// How long whoever migrates waits for another who does.
const LOCK_S: u32 = 600;

/// A step in the words of each engine.
struct Step {
    postgresql: &'static str,
    mariadb: &'static str,
}

/// What a migration came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was there; 0 where there were no tables.
    pub from: u32,
    /// The version that is there now.
    pub to: u32,
}

/// What is in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchemaFound {
    Nothing,
    Version(u32),
    Foreign,
}

/// The version that is there; an error unless it is that of this build.
pub(super) async fn check(wire: &mut Wire) -> Result<u32, Failure> {
    match find(wire).await? {
        SchemaFound::Version(VERSION) => Ok(VERSION),
        SchemaFound::Nothing => Err(Trouble::Empty.into()),
        SchemaFound::Foreign => Err(Trouble::Foreign.into()),
        SchemaFound::Version(found) if found < VERSION => Err(Trouble::Older {
            found,
            needed: VERSION,
        }
        .into()),
        SchemaFound::Version(found) => Err(newer(found)),
    }
}

/// Brings the tables to the version of this build, on a connection that nobody uses afterwards.
pub(super) async fn migrate(wire: &mut Wire) -> Result<Migrated, Failure> {
    lock(wire).await?;
    // With the lock, and not before: the host that was first has done it by now.
    let from = match find(wire).await? {
        SchemaFound::Nothing => 0,
        SchemaFound::Version(version) if version <= VERSION => version,
        SchemaFound::Version(found) => return Err(newer(found)),
        SchemaFound::Foreign => return Err(Trouble::Foreign.into()),
    };
    for (step, version) in STEPS.iter().zip(1..).filter(|(_, version)| *version > from) {
        match wire.engine() {
            ServerEngine::PostgreSql => in_one_transaction(wire, step, version).await?,
            ServerEngine::MariaDb => in_many(wire, step, version).await?,
        }
    }
    Ok(Migrated { from, to: VERSION })
}

/// The version of tables that were checked.
pub(super) fn version(sql: &dyn Sql) -> Result<u32, SqlError> {
    let version = sql.row(ASK, values![PROGRAM], |row| row.get(0))?;
    version.ok_or(SqlError::Damaged(0))
}

fn newer(found: u32) -> Failure {
    Trouble::Newer {
        found,
        known: VERSION,
    }
    .into()
}

/// Waits until nobody else migrates. The lock ends with the connection.
async fn lock(wire: &mut Wire) -> Result<(), Failure> {
    match wire.engine() {
        ServerEngine::PostgreSql => {
            let patient = format!("SET statement_timeout = 0; SET lock_timeout = '{LOCK_S}s'");
            wire.plain(&patient).await?;
            wire.rows("SELECT pg_advisory_lock(?1)", values![POSTGRESQL_LOCK])
                .await?;
            // The tables are those of others from now on.
            wire.plain("SET lock_timeout = '60s'").await?;
            Ok(())
        }
        ServerEngine::MariaDb => {
            wire.plain("SET SESSION max_statement_time = 0").await?;
            // The lock is the server's, and its databases are many.
            let ask = "SELECT get_lock(concat('landmarc.', sha1(database())), ?1)";
            let rows = wire.rows(ask, values![LOCK_S]).await?;
            match rows.first().and_then(|row| row.get::<i64>(0).ok()) {
                Some(1) => Ok(()),
                _ => Err(Trouble::Busy.into()),
            }
        }
    }
}

/// The step and its note, or nothing of it.
async fn in_one_transaction(wire: &mut Wire, step: &Step, version: u32) -> Result<(), Failure> {
    let note = note(version, ServerEngine::PostgreSql.clock(), "");
    wire.plain(&format!("BEGIN; {TABLE}; {} {note}; COMMIT", step.postgresql))
        .await?;
    Ok(())
}

/// Each statement of the step by itself, for MariaDB makes tables in no transaction. All of them may be repeated, so that a
/// step which was cut off is done again from its beginning.
async fn in_many(wire: &mut Wire, step: &Step, version: u32) -> Result<(), Failure> {
    let clock = ServerEngine::MariaDb.clock();
    // Version 0 says whose the tables are that a cut-off first step has left.
    wire.plain(&format!("{TABLE} ENGINE = InnoDB; {}", note(0, clock, "IGNORE")))
        .await?;
    wire.plain(step.mariadb).await?;
    wire.plain(&note(version, clock, "IGNORE")).await?;
    Ok(())
}

/// Which steps are done.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS migration (version INT NOT NULL PRIMARY KEY, at_ms BIGINT NOT NULL, \
                     program VARCHAR(255) NOT NULL)";

/// Asks for the last one.
const ASK: &str = "SELECT max(version) FROM migration WHERE program = ?1";

fn note(version: u32, clock: &str, ignore: &str) -> String {
    format!(
        "INSERT {ignore} INTO migration (version, at_ms, program) VALUES ({version}, {clock}, '{PROGRAM}')"
    )
}

async fn find(wire: &mut Wire) -> Result<SchemaFound, Failure> {
    match wire.rows(ASK, values![PROGRAM]).await {
        Ok(rows) => match rows
            .first()
            .map(|row| row.get::<Option<u32>>(0))
            .transpose()?
            .flatten()
        {
            Some(version) => Ok(SchemaFound::Version(version)),
            None => others(wire).await,
        },
        Err(error) if lacks(&error, NO_TABLE) => others(wire).await,
        // A table of this name with other columns.
        Err(error) if lacks(&error, NO_COLUMN) => Ok(SchemaFound::Foreign),
        Err(error) => Err(error.into()),
    }
}

/// SQLSTATE of a table that is not there, on each engine, and of such a column.
const NO_TABLE: &[&str] = &["42P01", "42S02"];
const NO_COLUMN: &[&str] = &["42703", "42S22"];

/// Whether a statement names what is not there: its tables may have been brought to another version since the connection
/// was checked.
pub(super) fn may_be_of_another_version(error: &SqlError) -> bool {
    lacks(error, NO_TABLE) || lacks(error, NO_COLUMN)
}

fn lacks(error: &SqlError, states: &[&str]) -> bool {
    let SqlError::Server(sqlx::Error::Database(error)) = error else {
        return false;
    };
    error.code().is_some_and(|code| states.contains(&&*code))
}

/// Whose the tables are that are there without a version.
async fn others(wire: &mut Wire) -> Result<SchemaFound, Failure> {
    let ask = match wire.engine() {
        // Those in schemas that the user may not look into are counted as well.
        ServerEngine::PostgreSql => {
            "SELECT count(CASE WHEN relname <> 'migration' THEN 1 END), count(*) \
             FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
             WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'"
        }
        ServerEngine::MariaDb => {
            "SELECT count(CASE WHEN table_name <> 'migration' THEN 1 END), count(*) \
             FROM information_schema.tables WHERE table_schema = database()"
        }
    };
    let rows = wire.rows(ask, &[]).await?;
    let row = rows.first().ok_or(SqlError::Damaged(0))?;
    match row.get::<u64>(0)? {
        0 => Ok(SchemaFound::Nothing),
        _ => Ok(SchemaFound::Foreign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_version() {
        assert_eq!(u32::try_from(STEPS.len()), Ok(VERSION));
    }

    /// What MariaDB has done of a step stays, whatever comes after it.
    #[test]
    fn every_statement_for_mariadb_may_be_repeated() {
        for step in &STEPS {
            let lines = step
                .mariadb
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
            for line in lines {
                let repeatable = [
                    "CREATE TABLE IF NOT EXISTS ",
                    "INSERT IGNORE ",
                    "CREATE OR REPLACE ",
                    "UPDATE ",
                    "ALTER TABLE outcome RENAME COLUMN IF EXISTS ",
                ];
                assert!(repeatable.iter().any(|words| line.starts_with(words)), "{line}");
            }
        }
    }
}
