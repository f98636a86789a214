//! Storing reports with their deliveries, each once.

use super::body;
use super::check::{host_of, once_each};
use super::statement::{insert_into, integer, time};
use crate::model::{NewDelivery, NewReport, Put, ReportKind, ReportNumber, as_integer};
use crate::sql::{Sql, SqlError, SqlQueries, values};

/// Which of them are there already.
pub(super) fn known(sql: &dyn Sql, reports: &[NewReport]) -> Result<Vec<bool>, SqlError> {
    reports.iter().map(|report| is_known(sql, report)).collect()
}

/// Whether this report was stored before, or another way to divide what it is a part of.
fn is_known(sql: &dyn Sql, report: &NewReport) -> Result<bool, SqlError> {
    if number_of(sql, &report.report_id)?.is_some() {
        return Ok(true);
    }
    if report.kind == ReportKind::Failure {
        return Ok(false);
    }
    let same = "SELECT 1 FROM report WHERE policy_domain = ?1 AND day = ?2 AND configuration = ?3 \
                AND begin_s = ?4 AND kind = ?5 LIMIT 1";
    let values = values![
        &report.policy_domain,
        report.day.0,
        &report.configuration,
        integer(report.begin_s),
        report.kind.word(),
    ];
    sql.exists(same, values)
}

fn number_of(sql: &dyn Sql, report_id: &str) -> Result<Option<i64>, SqlError> {
    let number = "SELECT id FROM report WHERE report_id = ?1";
    sql.row(number, values![report_id], |row| row.get(0))
}

/// Stores those that are not there; none, and nothing done, when a body that was written before is there no
/// more. What is known is asked of all before the first is stored: parts of one configuration do not make
/// each other known.
pub(super) fn store(
    sql: &dyn Sql,
    reports: &[NewReport],
    bodies: &[Option<i64>],
    now_ms: u64,
) -> Result<Option<Vec<Put>>, SqlError> {
    if !body::are_staged(sql, bodies)? {
        return Ok(None);
    }
    let mut put = Vec::new();
    let known = known(sql, reports)?;
    for ((report, body), known) in reports.iter().zip(bodies).zip(known) {
        // One call may hold the same Report-ID twice.
        if known || number_of(sql, &report.report_id)?.is_some() {
            put.push(Put::AlreadyThere);
            continue;
        }
        let number = insert(sql, report, *body, now_ms)?;
        for delivery in once_each(&report.deliveries) {
            deliver(sql, number, report, delivery)?;
        }
        put.push(Put::Stored(ReportNumber(number.cast_unsigned())));
    }
    Ok(Some(put))
}

/// Stores those whose Report-ID is not there, and adds the deliveries to those whose is.
pub(super) fn store_or_find(
    sql: &dyn Sql,
    reports: &[NewReport],
    bodies: &[Option<i64>],
    now_ms: u64,
) -> Result<Vec<ReportNumber>, SqlError> {
    let mut numbers = Vec::new();
    for (report, body) in reports.iter().zip(bodies) {
        let number = match number_of(sql, &report.report_id)? {
            Some(number) => number,
            None => insert(sql, report, *body, now_ms)?,
        };
        for delivery in once_each(&report.deliveries) {
            if !is_delivered_to(sql, number, &delivery.destination)? {
                deliver(sql, number, report, delivery)?;
            }
        }
        numbers.push(ReportNumber(number.cast_unsigned()));
    }
    Ok(numbers)
}

/// The number of the new report. What is staged for it is its body; else that is written here.
fn insert(sql: &dyn Sql, report: &NewReport, staged: Option<i64>, now_ms: u64) -> Result<i64, SqlError> {
    let body = if let Some(body) = staged {
        body
    } else {
        let body = body::begin(sql, &report.policy_domain, report.body.len(), now_ms)?;
        body::add(sql, &report.policy_domain, body, 0, &report.body)?;
        body
    };
    body::take(sql, body)?;
    let insert = "INSERT INTO report (report_id, kind, policy_domain, day, begin_s, end_s, configuration, part, \
                  file_name, submitter, email, organization, facts, date_ms, row_count, message_count, size, \
                  created_ms, body) \
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
    let values = values![
        &report.report_id,
        report.kind.word(),
        &report.policy_domain,
        report.day.0,
        integer(report.begin_s),
        integer(report.end_s),
        &report.configuration,
        report.part,
        &report.file_name,
        &report.submitter,
        &report.email,
        &report.organization,
        &report.facts,
        as_integer(report.date_ms),
        integer(report.rows),
        integer(report.messages),
        integer(report.body.len() as u64),
        time(sql, now_ms),
        body,
    ];
    sql.insert(insert, values)
}

fn is_delivered_to(sql: &dyn Sql, report: i64, destination: &str) -> Result<bool, SqlError> {
    let same = "SELECT 1 FROM delivery WHERE report = ?1 AND destination = ?2";
    sql.exists(same, values![report, destination])
}

fn deliver(sql: &dyn Sql, report: i64, new: &NewReport, delivery: &NewDelivery) -> Result<(), SqlError> {
    let next = time(sql, delivery.next_ms);
    let columns = [
        "report",
        "destination",
        "host",
        "message_id",
        "state",
        "attempts",
        "due_ms",
        "next_ms",
        "reason",
    ];
    let values = values![
        report,
        &delivery.destination,
        host_of(&delivery.destination),
        &delivery.message_id,
        "queued",
        0_i64,
        next,
        next,
        "",
    ];
    let (insert, values) = insert_into(sql, "delivery", &new.policy_domain, columns, values);
    sql.execute(&insert, &values)?;
    Ok(())
}
