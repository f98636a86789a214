//! What is said to every engine alike: statements in the words that SQLite, PostgreSQL and MariaDB share, with
//! numbers, texts and octets as their only values.
//!
//! What the three do not share is left out: `INSERT OR REPLACE`, `ON CONFLICT`, `RETURNING`, `FILTER`, the scalar
//! `max`, a `LIMIT` below `IN`, sums (a `count(CASE …)` is the same number everywhere). A statement that writes
//! stands in a transaction before which nobody else writes to the outbox, so that looking first and
//! writing then is as good.

use std::borrow::Cow;

use crate::error::BoxedSource;

/// A value on its way into a statement, or out of it. Each kind has its own nothing: PostgreSQL asks for the type
/// of a value before there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SqlValue<'a> {
    /// A number, a time, a switch.
    Integer(Option<i64>),
    /// Words.
    Text(Option<Cow<'a, str>>),
    /// An address, a digest, what is compressed.
    Octets(Option<Cow<'a, [u8]>>),
}

/// One row of an answer.
#[derive(Debug)]
pub(crate) struct SqlRow(Vec<SqlValue<'static>>);

/// Why a statement came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The server says so, or its connection.
    #[error(transparent)]
    Server(#[from] sqlx::Error),
    /// The column with this place holds what was not written by us.
    #[error("column {0} is damaged")]
    Damaged(usize),
    /// What else is in the way, in words.
    #[error(transparent)]
    Other(BoxedSource),
}

/// A transaction, as whoever asks and writes in it sees it. Values stand as `?1`, `?2` … in a statement.
pub(crate) trait Sql {
    /// Writes; how many rows it was about.
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError>;

    /// Adds one row to a table whose column `id` numbers itself; that number.
    fn insert(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<i64, SqlError>;

    /// Asks, and hands over row after row until there are no more or one says `false`. Only SQLite stops reading
    /// then: a server has sent all of them, so that a question needs its `LIMIT`.
    fn each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError>;

    /// What joins the tables `a` and `b` beside their numbers: on a server that spreads its tables, that both are
    /// about one policy domain (decision D16). SQLite has but one place for all.
    fn same_domain(&self) -> bool;

    /// A time of this host on the clock of whoever keeps the store: what waits and what is under lease goes by
    /// that one, for those of a fleet do not agree (decision D17). SQLite's is this host's.
    fn corrected(&self, at_ms: u64) -> u64 {
        at_ms
    }
}

/// What is asked in a transaction, made of [`Sql::each`].
pub(crate) trait SqlQueries: Sql {
    /// Whether reading may end at any row, and has cost nothing beyond it. A server has sent everything by then.
    fn streams(&self) -> bool {
        !self.same_domain()
    }

    /// The rows of an answer, read one by one.
    fn rows<T>(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        read: impl Fn(&SqlRow) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut all = Vec::new();
        self.each(sql, values, &mut |row| {
            all.push(read(row)?);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The first row of an answer, if it has one.
    fn row<T>(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        read: impl Fn(&SqlRow) -> Result<T, SqlError>,
    ) -> Result<Option<T>, SqlError> {
        let mut first = None;
        self.each(sql, values, &mut |row| {
            first = Some(read(row)?);
            Ok(false)
        })?;
        Ok(first)
    }

    /// Whether the answer has any row.
    fn exists(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<bool, SqlError> {
        Ok(self.row(sql, values, |_| Ok(()))?.is_some())
    }

    /// The one number that is the answer.
    fn count(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError> {
        let counted = self.row(sql, values, |row| row.get(0))?;
        counted.ok_or(SqlError::Damaged(0))
    }
}

impl<S: Sql + ?Sized> SqlQueries for S {}

/// The values of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::sql::SqlValue::from($value)),*]
    };
}
pub(crate) use values;

/// The values of a row, in the order of its columns.
macro_rules! row {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::sql::SqlValue::from($value)),*]
    };
}
pub(crate) use row;

/// A count as the database holds it.
pub(crate) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How many rows there may be.
pub(crate) fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// The statement that adds a row with so many values to a table.
pub(crate) fn insert_into(table: &str, columns: &str, values: usize) -> String {
    format!("INSERT INTO {table} ({columns}) VALUES ({})", marks(1, values))
}

/// `?3, ?4` for two from 3 on.
pub(crate) fn marks(first: usize, count: usize) -> String {
    let marks = (first..first + count).map(|number| format!("?{number}"));
    marks.collect::<Vec<_>>().join(", ")
}

impl SqlRow {
    pub(crate) fn new(values: Vec<SqlValue<'static>>) -> Self {
        Self(values)
    }

    /// What is in the column with this place, counted from 0.
    pub(crate) fn get<T: FromValue>(&self, place: usize) -> Result<T, SqlError> {
        let value = self.0.get(place).ok_or(SqlError::Damaged(place))?;
        T::of(value).ok_or(SqlError::Damaged(place))
    }

    /// The text in a column, which is not copied.
    pub(crate) fn text(&self, place: usize) -> Result<&str, SqlError> {
        match self.0.get(place) {
            Some(SqlValue::Text(Some(text))) => Ok(text),
            _ => Err(SqlError::Damaged(place)),
        }
    }

    /// The octets in a column, which are not copied.
    pub(crate) fn octets(&self, place: usize) -> Result<&[u8], SqlError> {
        match self.0.get(place) {
            Some(SqlValue::Octets(Some(octets))) => Ok(octets),
            _ => Err(SqlError::Damaged(place)),
        }
    }
}

/// What a column can hold.
pub(crate) trait FromValue: Sized {
    /// None where the column holds something else.
    fn of(value: &SqlValue<'static>) -> Option<Self>;
}

macro_rules! number {
    ($($kind:ty),*) => {$(
        impl FromValue for $kind {
            fn of(value: &SqlValue<'static>) -> Option<Self> {
                match value {
                    SqlValue::Integer(Some(number)) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        }
    )*};
}
number!(i64, u64, u32, u8, usize);

impl<T: FromValue> FromValue for Option<T> {
    fn of(value: &SqlValue<'static>) -> Option<Self> {
        match value.is_nothing() {
            true => Some(None),
            false => T::of(value).map(Some),
        }
    }
}

impl FromValue for bool {
    fn of(value: &SqlValue<'static>) -> Option<Self> {
        i64::of(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn of(value: &SqlValue<'static>) -> Option<Self> {
        match value {
            SqlValue::Text(Some(text)) => Some(text.clone().into_owned()),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn of(value: &SqlValue<'static>) -> Option<Self> {
        match value {
            SqlValue::Octets(Some(octets)) => Some(octets.clone().into_owned()),
            _ => None,
        }
    }
}

impl SqlValue<'_> {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Integer(None) | Self::Text(None) | Self::Octets(None))
    }
}

macro_rules! from_number {
    ($($kind:ty),*) => {$(
        impl From<$kind> for SqlValue<'_> {
            fn from(number: $kind) -> Self {
                Self::Integer(Some(number.into()))
            }
        }
    )*};
}
from_number!(i64, u32, u8, bool);

impl From<Option<i64>> for SqlValue<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl<'a> From<&'a str> for SqlValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<&'a String> for SqlValue<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for SqlValue<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<Option<&'a str>> for SqlValue<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl From<Option<String>> for SqlValue<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Cow::Owned))
    }
}

impl<'a> From<&'a [u8]> for SqlValue<'a> {
    fn from(octets: &'a [u8]) -> Self {
        Self::Octets(Some(octets.into()))
    }
}

impl<'a> From<Option<&'a [u8]>> for SqlValue<'a> {
    fn from(octets: Option<&'a [u8]>) -> Self {
        Self::Octets(octets.map(Cow::Borrowed))
    }
}

impl From<Vec<u8>> for SqlValue<'_> {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(Some(octets.into()))
    }
}

impl From<Option<Vec<u8>>> for SqlValue<'_> {
    fn from(octets: Option<Vec<u8>>) -> Self {
        Self::Octets(octets.map(Cow::Owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_what_it_holds_and_as_nothing_else() {
        let row = SqlRow::new(vec![
            SqlValue::from(7_i64),
            SqlValue::Integer(None),
            SqlValue::from("word".to_owned()),
            SqlValue::Text(None),
            SqlValue::from(vec![1, 2]),
            SqlValue::from(-1_i64),
        ]);
        assert_eq!(
            (row.get::<u32>(0).unwrap(), row.get::<Option<u64>>(1).unwrap()),
            (7, None)
        );
        assert_eq!(
            (row.text(2).unwrap(), row.get::<Option<String>>(3).unwrap()),
            ("word", None)
        );
        assert_eq!(row.octets(4).unwrap(), [1, 2]);
        assert!(row.get::<bool>(0).unwrap());
        for place in [1, 2, 3, 4, 5, 6] {
            assert!(matches!(row.get::<u64>(place), Err(SqlError::Damaged(found)) if found == place));
        }
        assert!(row.text(0).is_err() && row.octets(2).is_err() && row.text(3).is_err());
    }
}
