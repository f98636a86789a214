//! Reading deliveries and reports.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::{integer, time};
use crate::day::Day;
use crate::outbox::{
    Delivery, DeliveryNumber, DeliveryState, Lease, OutboxCounts, OutboxFilter, OutboxStatus, Report,
    ReportKind, ReportNumber, host_of,
};
use crate::sqlite::tally::damaged;

/// The columns of a report, in the order that [`report_of`] reads them.
const REPORT: &str = "r.id, r.kind, r.report_id, r.policy_domain, r.day, r.begin_s, r.end_s, r.configuration, r.part, \
    r.file_name, r.submitter, r.email, r.organization, r.facts, r.date_ms, r.row_count, r.message_count, r.size, \
    r.created_ms, r.body IS NOT NULL";
/// Those of a delivery follow.
const DELIVERY: &str = "d.id, d.destination, d.message_id, d.state, d.attempts, d.due_ms, d.next_ms, d.first_ms, \
    d.ended_ms, d.lease_owner, d.lease_until_ms, d.reason";

pub(in crate::sqlite) fn report(
    connection: &Connection,
    report_id: &str,
) -> rusqlite::Result<Option<Report>> {
    let sql = format!("SELECT {REPORT} FROM report AS r WHERE r.report_id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([report_id], report_of).optional()
}

pub(in crate::sqlite) fn delivery(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Option<Delivery>> {
    let sql = format!(
        "SELECT {REPORT}, {DELIVERY} FROM delivery AS d JOIN report AS r ON r.id = d.report WHERE d.id = ?1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([number], delivery_of).optional()
}

/// Those that the filter lets through, the last first.
pub(in crate::sqlite) fn deliveries(
    connection: &Connection,
    filter: &OutboxFilter,
) -> rusqlite::Result<Vec<Delivery>> {
    let (conditions, values) = conditions(filter);
    let sql = format!(
        "SELECT {REPORT}, {DELIVERY} FROM delivery AS d JOIN report AS r ON r.id = d.report {conditions}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), delivery_of)?;
    rows.collect()
}

/// The numbers of those that the filter lets through, the last first.
pub(super) fn numbers(
    connection: &Connection,
    filter: &OutboxFilter,
) -> rusqlite::Result<Vec<DeliveryNumber>> {
    let (conditions, values) = conditions(filter);
    let sql = format!("SELECT d.id FROM delivery AS d JOIN report AS r ON r.id = d.report {conditions}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok(DeliveryNumber(row.get(0)?)))?;
    rows.collect()
}

/// Only what is asked for is written down, so that SQLite sees which index serves.
fn conditions(filter: &OutboxFilter) -> (String, Vec<Value>) {
    let mut conditions: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition, value: Value| {
        conditions.push(condition);
        values.push(value);
    };
    if let Some(number) = filter.delivery {
        add("d.id = ?", integer(number.0).into());
    }
    if let Some(report_id) = &filter.report_id {
        add("r.report_id = ?", report_id.clone().into());
    }
    if let Some(state) = filter.state {
        add("d.state = ?", state.word().to_owned().into());
        if !state.is_end() {
            add("d.ended_ms IS NULL AND 1 = ?", 1.into());
        }
    }
    if let Some(kind) = filter.kind {
        add("r.kind = ?", kind.word().to_owned().into());
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
            add("d.destination = ? COLLATE NOCASE", destination.clone().into());
        }
    }
    let all = if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {} ", conditions.join(" AND "))
    };
    values.push(i64::try_from(filter.limit).unwrap_or(i64::MAX).into());
    (format!("{all}ORDER BY d.id DESC LIMIT ?"), values)
}

fn report_of(row: &Row<'_>) -> rusqlite::Result<Report> {
    Ok(Report {
        number: ReportNumber(row.get(0)?),
        kind: ReportKind::of_word(row.get_ref(1)?.as_str()?).ok_or_else(|| damaged(1))?,
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

fn delivery_of(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let lease: (Option<String>, Option<u64>) = (row.get(29)?, row.get(30)?);
    Ok(Delivery {
        report: report_of(row)?,
        number: DeliveryNumber(row.get(20)?),
        destination: row.get(21)?,
        message_id: row.get(22)?,
        state: DeliveryState::of_word(row.get_ref(23)?.as_str()?).ok_or_else(|| damaged(23))?,
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

/// What is open, from the index of it alone.
pub(in crate::sqlite) fn counts(connection: &Connection, now_ms: u64) -> rusqlite::Result<OutboxCounts> {
    let sql = "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'deferred'), \
               count(*) FILTER (WHERE lease_until_ms > ?1), \
               count(*) FILTER (WHERE next_ms <= ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?1)), \
               min(next_ms) FILTER (WHERE next_ms <= ?1 AND (lease_until_ms IS NULL OR lease_until_ms <= ?1)) \
               FROM delivery INDEXED BY delivery_open WHERE ended_ms IS NULL";
    connection.prepare_cached(sql)?.query_row([time(now_ms)], |row| {
        Ok(OutboxCounts {
            queued: row.get(0)?,
            deferred: row.get(1)?,
            leased: row.get(2)?,
            due: row.get(3)?,
            oldest_due_ms: row.get(4)?,
        })
    })
}

/// All there is, with what has ended.
pub(in crate::sqlite) fn status(connection: &Connection) -> rusqlite::Result<OutboxStatus> {
    let sql = "SELECT (SELECT count(*) FROM report), (SELECT coalesce(sum(size), 0) FROM body), \
               count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'deferred'), \
               count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'given_up'), \
               (SELECT count(*) FROM suppression), (SELECT max(day) FROM reported_day WHERE done_ms IS NOT NULL) \
               FROM delivery";
    connection.query_row(sql, [], |row| {
        let last: Option<u32> = row.get(7)?;
        Ok(OutboxStatus {
            reports: row.get(0)?,
            body_bytes: row.get(1)?,
            queued: row.get(2)?,
            deferred: row.get(3)?,
            delivered: row.get(4)?,
            given_up: row.get(5)?,
            suppressions: row.get(6)?,
            last_finished_day: last.map(Day),
        })
    })
}

/// Failure reports by destination. One is made after the day it belongs to has begun, and soon: a day more
/// is looked at for those around midnight.
pub(super) fn failures_since(connection: &Connection, since_ms: u64) -> rusqlite::Result<Vec<(String, u64)>> {
    let sql = "SELECT d.destination, count(*) FROM report AS r JOIN delivery AS d ON d.report = r.id \
               WHERE r.day >= ?1 AND r.kind = 'failure' AND r.created_ms >= ?2 \
               GROUP BY d.destination ORDER BY d.destination";
    let mut statement = connection.prepare_cached(sql)?;
    let day = Day::at(since_ms).back(1);
    let rows = statement.query_map((day.0, time(since_ms)), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
