//! Storing reports with their deliveries, each once.

use rusqlite::{Connection, OptionalExtension, params};

use super::{body, integer, time};
use crate::outbox::{NewReport, Put, ReportKind, ReportNumber, host_of, once_each};

/// Which of them are there already.
pub(super) fn known(connection: &Connection, reports: &[NewReport]) -> rusqlite::Result<Vec<bool>> {
    reports
        .iter()
        .map(|report| is_known(connection, report))
        .collect()
}

/// Whether this report was stored before, or another way to divide what it is a part of.
fn is_known(connection: &Connection, report: &NewReport) -> rusqlite::Result<bool> {
    if number_of(connection, &report.report_id)?.is_some() {
        return Ok(true);
    }
    if report.kind == ReportKind::Failure {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM report WHERE policy_domain = ?1 AND day = ?2 AND configuration = ?3 \
               AND begin_s = ?4 AND kind = ?5";
    let values = params![
        report.policy_domain,
        report.day.0,
        report.configuration,
        integer(report.begin_s),
        report.kind.word()
    ];
    connection.prepare_cached(sql)?.exists(values)
}

fn number_of(connection: &Connection, report_id: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM report WHERE report_id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row([report_id], |row| row.get(0)).optional()
}

/// Stores those that are not there; none, and nothing done, when a body that was written before is there no
/// more. What is known is asked of all before the first is stored: parts of one configuration do not make
/// each other known.
pub(super) fn store(
    connection: &Connection,
    reports: &[NewReport],
    bodies: &[Option<i64>],
    now_ms: u64,
) -> rusqlite::Result<Option<Vec<Put>>> {
    if !body::are_staged(connection, bodies)? {
        return Ok(None);
    }
    let mut put = Vec::new();
    let known = known(connection, reports)?;
    for ((report, body), known) in reports.iter().zip(bodies).zip(known) {
        // One call may hold the same Report-ID twice.
        if known || number_of(connection, &report.report_id)?.is_some() {
            put.push(Put::AlreadyThere);
            continue;
        }
        let number = insert(connection, report, *body, now_ms)?;
        deliver_to_all(connection, number, report)?;
        put.push(Put::Stored(ReportNumber(number.cast_unsigned())));
    }
    Ok(Some(put))
}

/// Stores those whose Report-ID is not there, and adds the deliveries to those whose is.
pub(super) fn store_or_find(
    connection: &Connection,
    reports: &[NewReport],
    bodies: &[Option<i64>],
    now_ms: u64,
) -> rusqlite::Result<Vec<ReportNumber>> {
    let mut numbers = Vec::new();
    for (report, body) in reports.iter().zip(bodies) {
        let number = match number_of(connection, &report.report_id)? {
            Some(number) => number,
            None => insert(connection, report, *body, now_ms)?,
        };
        deliver_to_all(connection, number, report)?;
        numbers.push(ReportNumber(number.cast_unsigned()));
    }
    Ok(numbers)
}

/// The number of the new report. What is staged for it is its body; else that is written here.
fn insert(
    connection: &Connection,
    report: &NewReport,
    staged: Option<i64>,
    now_ms: u64,
) -> rusqlite::Result<i64> {
    let body = if let Some(body) = staged {
        body
    } else {
        let body = body::begin(connection, report.body.len(), now_ms)?;
        body::add(connection, body, 0, &report.body)?;
        body
    };
    body::take(connection, body)?;
    let sql = "INSERT INTO report (report_id, kind, policy_domain, day, begin_s, end_s, configuration, part, \
               file_name, submitter, email, organization, facts, date_ms, row_count, message_count, size, \
               created_ms, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    let values = params![
        report.report_id,
        report.kind.word(),
        report.policy_domain,
        report.day.0,
        integer(report.begin_s),
        integer(report.end_s),
        report.configuration,
        report.part,
        report.file_name,
        report.submitter,
        report.email,
        report.organization,
        report.facts,
        time(report.date_ms),
        integer(report.rows),
        integer(report.messages),
        integer(report.body.len() as u64),
        time(now_ms),
        body
    ];
    connection.prepare_cached(sql)?.insert(values)
}

fn deliver_to_all(connection: &Connection, report: i64, new: &NewReport) -> rusqlite::Result<()> {
    let sql = "INSERT INTO delivery (report, destination, host, message_id, state, attempts, due_ms, next_ms, reason) \
               VALUES (?1, ?2, ?3, ?4, 'queued', 0, ?5, ?5, '') ON CONFLICT (report, destination) DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for delivery in once_each(&new.deliveries) {
        statement.execute(params![
            report,
            delivery.destination,
            host_of(&delivery.destination),
            delivery.message_id,
            time(delivery.next_ms)
        ])?;
    }
    Ok(())
}
