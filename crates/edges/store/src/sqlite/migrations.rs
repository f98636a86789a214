//! The schema, as a numbered list of steps. A step that was released is never changed.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::engine;
use crate::clock::now_ms;
use crate::error::StoreError;
use crate::model::as_integer;

/// Step *n* leads to version *n*, counted from 1.
const STEPS: [&str; 5] = [
    include_str!("migrations/0001_recording.sql"),
    include_str!("migrations/0002_reports.sql"),
    include_str!("migrations/0003_imports.sql"),
    include_str!("migrations/0004_fleet.sql"),
    include_str!("migrations/0005_names.sql"),
];

/// The first version.
pub(crate) const RECORDING: u32 = 1;
/// The first version with tables of reports.
pub(crate) const REPORTS: u32 = 2;
/// The first version with a ledger of imports, and with redirections.
pub(crate) const IMPORTS: u32 = 3;
/// The first version with a spool, with hosts that hand over entries, and with leases.
pub(crate) const FLEET: u32 = 4;
/// The first version whose columns of outcomes have the names of today.
const NAMES: u32 = 5;

/// Outcomes of an earlier version under the names of today, for connections that may not change the schema.
const OUTCOMES_BEFORE_NAMES: &str = "CREATE TEMP VIEW outcome AS \
    SELECT id, author AS author_domain, spf, dkim, arc, dmarc, policy_domain, policy, disposition, action, \
    would AS enforced_action, overrides, rule, cause FROM main.outcome";
/// "lmrc" in the header of the file, where `file` and SQLite's own tools look whose it is.
const APPLICATION: i64 = 0x6c6d_7263;

/// The version of the store; 0 when the file is empty.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    version_of(connection, path, STEPS.len())
}

/// Lets older names stand for those of today until this transaction is rolled back, of which all answers are then about
/// one version: whoever writes may bring the schema up to date at any moment.
pub(super) fn name_as_today(transaction: &Connection) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("SELECT max(version) FROM migration")?;
    let found: u32 = statement.query_row([], |row| row.get(0))?;
    if found < NAMES {
        transaction.execute_batch(OUTCOMES_BEFORE_NAMES)?;
    }
    Ok(())
}

/// Brings the schema up to date, in one transaction: all of it or nothing.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    apply(connection, path, &STEPS)
}

fn version_of(connection: &Connection, path: &Path, steps: usize) -> Result<u32, StoreError> {
    let words = engine(path, "read the version");
    let tables = "SELECT count(*), coalesce(sum(name = 'migration'), 0) FROM sqlite_schema";
    let counts = connection.query_row(tables, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let found: u32 = match counts.map_err(&words)? {
        (0_i64, _) => return Ok(0),
        (_, 1_i64) => connection
            .query_row("SELECT max(version) FROM migration", [], |row| row.get(0))
            .optional()
            .map_err(|_| foreign(path))?
            .ok_or_else(|| foreign(path))?,
        _ => return Err(foreign(path)),
    };
    let application: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(&words)?;
    if application != APPLICATION {
        return Err(foreign(path));
    }
    let known = u32::try_from(steps).unwrap_or(u32::MAX);
    if found > known {
        let path = path.to_owned();
        return Err(StoreError::Newer { path, found, known });
    }
    Ok(found)
}

fn foreign(path: &Path) -> StoreError {
    StoreError::Foreign {
        path: path.to_owned(),
    }
}

fn apply(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let words = engine(path, "bring the schema up to date");
    if version_of(connection, path, steps.len())? as usize == steps.len() {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&words)?;
    // Another process may have been first.
    let found = version_of(&transaction, path, steps.len())?;
    if found == 0 {
        let table =
            "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_ms INTEGER NOT NULL) STRICT";
        transaction.execute_batch(table).map_err(&words)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION)
            .map_err(&words)?;
    }
    for (step, version) in steps.iter().zip(1_u32..).skip(found as usize) {
        transaction.execute_batch(step).map_err(&words)?;
        transaction
            .execute(
                "INSERT INTO migration VALUES (?1, ?2)",
                (version, as_integer(now_ms())),
            )
            .map_err(&words)?;
    }
    transaction.commit().map_err(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x INTEGER)";
    const SECOND: &str = "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7";

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    fn versions(connection: &Connection) -> Vec<u32> {
        let mut statement = connection
            .prepare("SELECT version FROM migration ORDER BY version")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn steps_are_taken_from_where_the_store_is() {
        let path = Path::new("store");
        let mut connection = memory();
        apply(&mut connection, path, &[FIRST]).unwrap();
        connection.execute("INSERT INTO a VALUES (5)", []).unwrap();
        apply(&mut connection, path, &[FIRST, SECOND]).unwrap();
        apply(&mut connection, path, &[FIRST, SECOND]).unwrap();
        assert_eq!(versions(&connection), [1, 2]);
        let row = connection.query_row("SELECT x, y FROM a", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row.unwrap(), (5, 7));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let path = Path::new("store");
        let mut connection = memory();
        apply(&mut connection, path, &[FIRST]).unwrap();
        let broken = "ALTER TABLE a ADD COLUMN y INTEGER; ALTER TABLE nowhere ADD COLUMN z";
        assert!(apply(&mut connection, path, &[FIRST, broken]).is_err());
        assert_eq!(versions(&connection), [1]);
        apply(&mut connection, path, &[FIRST, SECOND]).unwrap();
    }

    #[test]
    fn a_newer_store_is_not_ours_to_read() {
        let path = Path::new("store");
        let mut connection = memory();
        apply(&mut connection, path, &[FIRST, SECOND]).unwrap();
        let error = apply(&mut connection, path, &[FIRST]).unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @r#""store" is at version 2 of the schema, this build knows versions up to 1"#
        );
    }

    #[test]
    fn a_database_of_another_program_is_left_alone() {
        let mut connection = memory();
        connection
            .execute_batch("CREATE TABLE migration (version)")
            .unwrap();
        let error = apply(&mut connection, Path::new("x"), &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }));
    }

    #[test]
    fn every_step_of_ours_applies() {
        let mut connection = memory();
        migrate(&mut connection, Path::new("x")).unwrap();
        let found = version(&connection, Path::new("x")).unwrap();
        assert_eq!(found as usize, STEPS.len());
    }
}
