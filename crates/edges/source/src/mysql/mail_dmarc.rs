//! The tables of Mail::DMARC (checklist Q18), read by the number of the message, some at a time.

use std::collections::HashMap;

use landmarc_migrate::mail_dmarc::{MAX_PER_RECORD, StoredDkim, StoredRecord, StoredSpf};
use sqlx::mysql::{MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, Error, Row as _};

use super::{MysqlAddress, MysqlError, MysqlSession};
use crate::mail_dmarc::sql;

/// Messages that are read at a time.
const ROWS_AT_A_TIME: u16 = 1_000;
/// The most rows of signatures, results or reasons of so many messages. A message that has far more of them
/// than the others loses the last ones.
const MAX_DETAILS: u32 = 200_000;

/// A MySQL database of Mail::DMARC.
#[derive(Debug)]
pub struct MailDmarc {
    asked: MysqlSession,
    /// The message that was read last.
    last: u64,
}

impl MailDmarc {
    /// Connects, and looks whether the tables are there.
    ///
    /// # Errors
    /// [`MysqlError`], when it cannot be reached, does not let us in, or has no such tables.
    pub async fn open(address: &MysqlAddress) -> Result<Self, MysqlError> {
        let mut asked = MysqlSession::connect(address).await?;
        // For no rows at all, so that it is answered at once, whatever the size.
        let records = sqlx::query(AssertSqlSafe(sql::next_records()));
        asked
            .rows(records.bind(0_u64).bind(0_u16))
            .await
            .map_err(without_tables)?;
        for details in [sql::REASONS, sql::DKIM, sql::SPF] {
            let details = sqlx::query(AssertSqlSafe(sql::some_of(details)));
            let details = details.bind(0_u64).bind(0_u64).bind(0_u32);
            asked.rows(details).await.map_err(without_tables)?;
        }
        Ok(Self { asked, last: 0 })
    }

    /// How many reports of others are in it.
    ///
    /// # Errors
    /// [`MysqlError`]
    pub async fn received_reports(&mut self) -> Result<u64, MysqlError> {
        let found = self.asked.rows(sqlx::query(sql::RECEIVED)).await?;
        let count = found.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0));
        let count = count.map_err(|error| self.asked.broken(error))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The next messages that are in none of its reports yet, in the order of their numbers; none at the end.
    ///
    /// # Errors
    /// [`MysqlError`]
    pub async fn next(&mut self) -> Result<Vec<StoredRecord>, MysqlError> {
        let question = sqlx::query(AssertSqlSafe(sql::next_records()))
            .bind(self.last)
            .bind(ROWS_AT_A_TIME);
        let found = self.asked.rows(question).await?;
        let records: Result<Vec<_>, _> = found.iter().map(record).collect();
        let mut records = records.map_err(|error| self.asked.broken(error))?;
        // A report with two policies has each of its messages twice.
        records.dedup_by_key(|record| record.id);
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(records);
        };
        let range = (first.id, last.id);
        self.last = last.id;
        let mut reasons = self.details(sql::REASONS, range, reason).await?;
        let mut dkim = self.details(sql::DKIM, range, signature).await?;
        let mut spf = self.details(sql::SPF, range, spf_result).await?;
        for one in &mut records {
            one.reasons = reasons.remove(&one.id).unwrap_or_default();
            one.dkim = dkim.remove(&one.id).unwrap_or_default();
            one.spf = spf.remove(&one.id).unwrap_or_default();
        }
        Ok(records)
    }

    /// What belongs to the messages of this range; of more than a message can have, one past that, which
    /// tells.
    async fn details<T>(
        &mut self,
        details: &str,
        range: (u64, u64),
        read: fn(&MySqlRow) -> Result<T, Error>,
    ) -> Result<HashMap<u64, Vec<T>>, MysqlError> {
        let question = sqlx::query(AssertSqlSafe(sql::some_of(details)))
            .bind(range.0)
            .bind(range.1)
            .bind(MAX_DETAILS);
        let found = self.asked.rows(question).await?;
        self.asked.by_message(&found, MAX_PER_RECORD + 1, read)
    }
}

/// What it means that a question about the tables cannot be answered.
fn without_tables(error: MysqlError) -> MysqlError {
    /// ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_TABLEACCESS_DENIED_ERROR.
    const MISSING: [u16; 3] = [1146, 1054, 1142];
    let MysqlError::Broken { address, source } = error else {
        return error;
    };
    let said = source.as_database_error().and_then(|said| {
        let number = said.try_downcast_ref::<MySqlDatabaseError>()?.number();
        MISSING.contains(&number).then(|| said.message().to_owned())
    });
    match said {
        Some(said) => MysqlError::NotMailDmarc { address, said },
        None => MysqlError::Broken { address, source },
    }
}

sql::read_rows!(MySqlRow, Error, number, text);

fn number(row: &MySqlRow, column: usize) -> Result<u64, Error> {
    row.try_get(column)
}

fn text(row: &MySqlRow, column: usize) -> Result<Option<String>, Error> {
    row.try_get(column)
}
