//! Reading deliveries and reports.

use super::check::host_of;
use super::statement::{integer, same_domain, time};
use crate::model::{
    Day, DeliveriesAbout, Delivery, DeliveryNumber, DeliveryState, Lease, OutboxCounts, OutboxFilter,
    OutboxStatus, Report, ReportKind, ReportNumber,
};
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, SqlValue, limit, values};

/// The columns of a report, in the order that [`report_of`] reads them.
const REPORT: &str = "r.id, r.kind, r.report_id, r.policy_domain, r.day, r.begin_s, r.end_s, r.configuration, r.part, \
    r.file_name, r.submitter, r.email, r.organization, r.facts, r.date_ms, r.row_count, r.message_count, r.size, \
    r.created_ms, CASE WHEN r.body IS NULL THEN 0 ELSE 1 END";
/// Those of a delivery follow.
const DELIVERY: &str = "d.id, d.destination, d.message_id, d.state, d.attempts, d.due_ms, d.next_ms, d.first_ms, \
    d.ended_ms, d.lease_owner, d.lease_until_ms, d.reason";

pub(crate) fn report(sql: &dyn Sql, report_id: &str) -> Result<Option<Report>, SqlError> {
    let one = format!("SELECT {REPORT} FROM report AS r WHERE r.report_id = ?1");
    sql.row(&one, values![report_id], report_of)
}

pub(crate) fn delivery(sql: &dyn Sql, number: DeliveryNumber) -> Result<Option<Delivery>, SqlError> {
    let tables = tables(sql);
    let one = format!("SELECT {REPORT}, {DELIVERY} {tables} WHERE d.id = ?1");
    sql.row(&one, values![integer(number.0)], delivery_of)
}

/// Those that the filter lets through, the last first.
pub(crate) fn deliveries(sql: &dyn Sql, filter: &OutboxFilter) -> Result<Vec<Delivery>, SqlError> {
    let (tables, (conditions, values)) = (tables(sql), conditions(filter));
    let all = format!("SELECT {REPORT}, {DELIVERY} {tables} {conditions}");
    sql.rows(&all, &values, delivery_of)
}

/// The numbers of those that the filter lets through, the last first.
pub(super) fn numbers(sql: &dyn Sql, filter: &OutboxFilter) -> Result<Vec<DeliveryNumber>, SqlError> {
    let (tables, (conditions, values)) = (tables(sql), conditions(filter));
    let all = format!("SELECT d.id {tables} {conditions}");
    sql.rows(&all, &values, |row| Ok(DeliveryNumber(row.get(0)?)))
}

fn tables(sql: &dyn Sql) -> String {
    let join = same_domain(sql, "r", "d");
    format!("FROM delivery AS d JOIN report AS r ON r.id = d.report{join}")
}

/// Only what is asked for is written down, so that the engine sees which index serves.
fn conditions(filter: &OutboxFilter) -> (String, Vec<SqlValue<'_>>) {
    let mut conditions: Vec<String> = Vec::new();
    let mut values: Vec<SqlValue<'_>> = Vec::new();
    // The mark `?` stands for the value.
    let mut add = |condition: &str, value: SqlValue<'static>| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(number) = filter.delivery {
        add("d.id = ?", integer(number.0).into());
    }
    if let Some(report_id) = &filter.report_id {
        add("r.report_id = ?", report_id.clone().into());
    }
    if let Some(state) = filter.state {
        let open = if state.is_end() {
            ""
        } else {
            " AND d.ended_ms IS NULL"
        };
        add(&format!("d.state = ?{open}"), state.word().into());
    }
    if let Some(kind) = filter.kind {
        add("r.kind = ?", kind.word().into());
    }
    if let Some(day) = filter.day {
        add("r.day = ?", day.0.into());
    }
    if let Some(policy_domain) = &filter.policy_domain {
        add("r.policy_domain = ?", policy_domain.to_ascii_lowercase().into());
    }
    if let Some(destination) = &filter.destination {
        add("d.host = ?", host_of(destination).into());
        if !destination.starts_with('@') {
            let either_case = "(d.destination = ? OR lower(d.destination) = lower(?))";
            add(either_case, destination.clone().into());
        }
    }
    let all = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {} ", conditions.join(" AND "))
    };
    values.push(limit(filter.limit).into());
    (format!("{all}ORDER BY d.id DESC LIMIT ?{}", values.len()), values)
}

fn report_of(row: &SqlRow) -> Result<Report, SqlError> {
    Ok(Report {
        number: ReportNumber(row.get(0)?),
        kind: ReportKind::of_word(row.text(1)?).ok_or(SqlError::Damaged(1))?,
        report_id: row.get(2)?,
        policy_domain: row.get(3)?,
        day: Day(row.get(4)?),
        begin_s: row.get(5)?,
        end_s: row.get(6)?,
        configuration: row.get(7)?,
        part: row.get(8)?,
        file_name: row.get(9)?,
        submitter: row.get(10)?,
        email: row.get(11)?,
        organization: row.get(12)?,
        facts: row.get(13)?,
        date_ms: row.get(14)?,
        rows: row.get(15)?,
        messages: row.get(16)?,
        size: row.get(17)?,
        created_ms: row.get(18)?,
        has_body: row.get(19)?,
    })
}

fn delivery_of(row: &SqlRow) -> Result<Delivery, SqlError> {
    let lease: (Option<String>, Option<u64>) = (row.get(29)?, row.get(30)?);
    Ok(Delivery {
        report: report_of(row)?,
        number: DeliveryNumber(row.get(20)?),
        destination: row.get(21)?,
        message_id: row.get(22)?,
        state: DeliveryState::of_word(row.text(23)?).ok_or(SqlError::Damaged(23))?,
        attempts: row.get(24)?,
        due_ms: row.get(25)?,
        next_ms: row.get(26)?,
        first_ms: row.get(27)?,
        ended_ms: row.get(28)?,
        lease: lease
            .0
            .zip(lease.1)
            .map(|(owner, until_ms)| Lease { owner, until_ms }),
        reason: row.get(31)?,
    })
}

/// What is open. SQLite reads the index of it alone.
pub(super) const OPEN: &str = "SELECT count(CASE WHEN state = 'queued' THEN 1 END), \
    count(CASE WHEN state = 'deferred' THEN 1 END), count(CASE WHEN lease_until_ms > ?1 THEN 1 END), \
    count(CASE WHEN next_ms <= ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?1) THEN 1 END), \
    min(CASE WHEN next_ms <= ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?1) THEN next_ms END) \
    FROM delivery WHERE ended_ms IS NULL";

pub(crate) fn counts(sql: &dyn Sql, now_ms: u64) -> Result<OutboxCounts, SqlError> {
    let counts = sql.row(OPEN, values![time(sql, now_ms)], |row| {
        Ok(OutboxCounts {
            queued: row.get(0)?,
            deferred: row.get(1)?,
            leased: row.get(2)?,
            due: row.get(3)?,
            oldest_due_ms: row.get(4)?,
        })
    })?;
    counts.ok_or(SqlError::Damaged(0))
}

/// All there is, with what has ended.
pub(crate) fn status(sql: &dyn Sql) -> Result<OutboxStatus, SqlError> {
    let states = "SELECT count(CASE WHEN state = 'queued' THEN 1 END), \
                  count(CASE WHEN state = 'deferred' THEN 1 END), count(CASE WHEN state = 'delivered' THEN 1 END), \
                  count(CASE WHEN state = 'given_up' THEN 1 END) FROM delivery";
    let status = sql.row(states, &[], |row| {
        Ok(OutboxStatus {
            queued: row.get(0)?,
            deferred: row.get(1)?,
            delivered: row.get(2)?,
            given_up: row.get(3)?,
            ..OutboxStatus::default()
        })
    })?;
    let last = "SELECT day FROM reported_day WHERE done_ms IS NOT NULL ORDER BY day DESC LIMIT 1";
    Ok(OutboxStatus {
        reports: sql.count("SELECT count(*) FROM report", &[])?,
        // A sum has another type in each engine; what comes of `|` is a whole number of 64 bits in all of them.
        body_bytes: sql.count("SELECT coalesce(sum(size), 0) | 0 FROM body", &[])?,
        suppressions: sql.count("SELECT count(*) FROM suppression", &[])?,
        last_finished_day: sql.row(last, &[], |row| Ok(Day(row.get(0)?)))?,
        ..status.ok_or(SqlError::Damaged(0))?
    })
}

/// The report mail about a day, by kind, policy domain and destination.
pub(crate) fn deliveries_about(sql: &dyn Sql, day: Day) -> Result<Vec<DeliveriesAbout>, SqlError> {
    let join = same_domain(sql, "d", "r");
    let counts = format!(
        "SELECT r.kind, r.policy_domain, d.destination, count(*) \
         FROM report AS r JOIN delivery AS d ON d.report = r.id{join} WHERE r.day = ?1 \
         GROUP BY r.kind, r.policy_domain, d.destination ORDER BY r.kind, r.policy_domain, d.destination"
    );
    sql.rows(&counts, values![day.0], |row| {
        Ok(DeliveriesAbout {
            kind: ReportKind::of_word(row.text(0)?).unwrap_or(ReportKind::Aggregate),
            policy_domain: row.get(1)?,
            destination: row.get(2)?,
            deliveries: row.get(3)?,
        })
    })
}

/// Failure reports by destination. One is made after the day it belongs to has begun, and soon: a day more
/// is looked at for those around midnight.
pub(super) fn failures_since(sql: &dyn Sql, since_ms: u64) -> Result<Vec<(String, u64)>, SqlError> {
    let join = same_domain(sql, "d", "r");
    let counts = format!(
        "SELECT d.destination, count(*) FROM report AS r JOIN delivery AS d ON d.report = r.id{join} \
         WHERE r.day >= ?1 AND r.kind = 'failure' AND r.created_ms >= ?2 \
         GROUP BY d.destination ORDER BY d.destination"
    );
    let day = Day::at(sql.corrected(since_ms)).back(1);
    sql.rows(&counts, values![day.0, time(sql, since_ms)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}
