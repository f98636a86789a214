//! What statements about reports are put together of.

use crate::model::as_integer;
use crate::sql::{Sql, SqlValue, insert_into as insert_row};

/// What two tables are joined by beside a number, to be written behind it: on servers all that is about one policy
/// domain is in one place, and nothing is looked for in others (decision D16). SQLite has but one place.
pub(super) fn same_domain(sql: &dyn Sql, one: &str, other: &str) -> String {
    if sql.same_domain() {
        format!(" AND {one}.policy_domain = {other}.policy_domain")
    } else {
        String::new()
    }
}

/// The statement that adds a row about a policy domain, where only servers have a column for that; and its values.
pub(super) fn insert_into<'a>(
    sql: &dyn Sql,
    table: &str,
    policy_domain: &'a str,
    columns: impl Into<Vec<&'static str>>,
    values: &[SqlValue<'a>],
) -> (String, Vec<SqlValue<'a>>) {
    let (mut columns, mut values) = (columns.into(), values.to_vec());
    if sql.same_domain() {
        columns.push("policy_domain");
        values.push(policy_domain.into());
    }
    (insert_row(table, &columns.join(", "), values.len()), values)
}

/// A number of ours as the database holds it; one past its range is the number of nothing.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// A time of this host as the database holds it, on the clock of that.
pub(super) fn time(sql: &dyn Sql, at_ms: u64) -> i64 {
    as_integer(sql.corrected(at_ms))
}
