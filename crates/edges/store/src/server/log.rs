//! Observations: by what happened to them, newest first, and by their ids.

use std::sync::Arc;

use landmarc_observation::Observation;

use super::DatabaseServer;
use super::engine::ServerEngine;
use super::session::ServerSession;
use crate::columns::{AFTER_OBSERVATION, OBSERVATION, read_observation, unpacked};
use crate::error::StoreError;
use crate::log_conditions::LogConditions;
use crate::model::LogFilter;
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, limit, values};

/// Observations of up to so many policy domains are looked for domain by domain; those of more by the time.
const FEW_DOMAINS: usize = 64;

/// The policy domain of an observation, and where it stands among those of its millisecond.
const DOMAIN_AND_ORIGIN: &str = "CASE WHEN c.is_found <> 0 THEN c.policy_domain END, o.origin";
const JOINED: &str = "outcome AS c ON c.policy_domain = o.policy_domain AND c.digest = o.outcome";

/// A log row, and what it is sorted by.
type LogPlace = ((u64, i64), Observation);

impl DatabaseServer {
    /// The observations that the filter lets through, those judged last first.
    pub(crate) fn log(&self, filter: &LogFilter) -> Result<Vec<Observation>, StoreError> {
        self.read("read the log", |session| log(session, filter))
    }

    /// The observations with this queue id or short id.
    pub(crate) fn explain(&self, id: &str) -> Result<Vec<Observation>, StoreError> {
        self.read("look for a message", |session| explain(session, id))
    }
}

fn log(session: &ServerSession, filter: &LogFilter) -> Result<Vec<Observation>, SqlError> {
    if filter.limit == 0 {
        return Ok(Vec::new());
    }
    by_index(session)?;
    let domains = policy_domains(session, filter)?;
    let mut found = Vec::new();
    match domains {
        Some(domains) if domains.len() <= FEW_DOMAINS => {
            for domain in domains {
                found.extend(observations(session, filter, Some(&domain))?);
            }
            found.sort_by(|(a, _), (b, _)| b.cmp(a));
            found.truncate(filter.limit);
        }
        _ => found = observations(session, filter, None)?,
    }
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

/// PostgreSQL takes the two columns that outcomes are joined by for independent of each other, so that few
/// rows seem to be left by it; then it would rather read and sort all observations than follow an index until
/// there are enough.
fn by_index(session: &ServerSession) -> Result<(), SqlError> {
    if session.engine() == ServerEngine::PostgreSql {
        session.execute(
            "SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), \
             set_config('enable_sort', 'off', true)",
            &[],
        )?;
    }
    Ok(())
}

/// The keys of the outcomes that the filter lets through, one more than few at most; none when it lets all of them.
fn policy_domains(session: &ServerSession, filter: &LogFilter) -> Result<Option<Vec<String>>, SqlError> {
    let mut conditions = LogConditions::default();
    conditions.of_outcome(filter);
    if conditions.texts.is_empty() {
        return Ok(None);
    }
    let most = conditions.value(limit(FEW_DOMAINS + 1).into());
    let text = format!(
        "SELECT DISTINCT c.policy_domain FROM outcome AS c WHERE {} LIMIT {most}",
        conditions.text()
    );
    session
        .rows(&text, &conditions.values, |row| row.get(0))
        .map(Some)
}

/// Those of one policy domain, or of all, the newest first.
fn observations(
    session: &ServerSession,
    filter: &LogFilter,
    domain: Option<&str>,
) -> Result<Vec<LogPlace>, SqlError> {
    let mut conditions = LogConditions::default();
    if let Some(domain) = domain {
        let domain = conditions.value(domain.into());
        conditions.texts.push(format!("o.policy_domain = {domain}"));
    }
    conditions.of_observation(filter);
    conditions.of_outcome(filter);
    let most = conditions.value(limit(filter.limit).into());
    // MariaDB would rather read all there is and sort it.
    let tables = match (session.engine(), domain) {
        (ServerEngine::PostgreSql, _) => format!("observation AS o JOIN {JOINED}"),
        (ServerEngine::MariaDb, Some(_)) => {
            format!("observation AS o FORCE INDEX (PRIMARY) STRAIGHT_JOIN {JOINED}")
        }
        (ServerEngine::MariaDb, None) => {
            format!("observation AS o FORCE INDEX (observation_by_time) STRAIGHT_JOIN {JOINED}")
        }
    };
    let condition = conditions.text();
    let text = format!(
        "SELECT {OBSERVATION}, {DOMAIN_AND_ORIGIN} FROM {tables} WHERE {condition} ORDER BY o.at_ms DESC, o.origin DESC LIMIT {most}"
    );
    session.rows(&text, &conditions.values, log_row)
}

fn explain(session: &ServerSession, id: &str) -> Result<Vec<Observation>, SqlError> {
    if id.is_empty() {
        // Many messages may have no queue id: none of them is meant.
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for by in ["o.queue_id = ?1", "o.short_id = ?1 AND o.queue_id <> ?1"] {
        let text = format!(
            "SELECT {OBSERVATION}, {DOMAIN_AND_ORIGIN}, t.text FROM observation AS o JOIN {JOINED} \
             LEFT JOIN trace AS t ON t.policy_domain = o.policy_domain AND t.digest = o.trace WHERE {by}"
        );
        found.extend(session.rows(&text, values![id], |row| {
            let (at, mut observation) = log_row(row)?;
            observation.trace = trace(row)?;
            Ok((at, observation))
        })?);
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, observation)| observation).collect())
}

fn trace(row: &SqlRow) -> Result<Arc<str>, SqlError> {
    let place = AFTER_OBSERVATION + 1;
    let packed: Option<Vec<u8>> = row.get(place)?;
    let text = packed.map(|packed| unpacked(&packed).map_err(|_| SqlError::Damaged(place)));
    Ok(text.transpose()?.unwrap_or_default().into())
}

fn log_row(row: &SqlRow) -> Result<LogPlace, SqlError> {
    let observation = read_observation(row)?;
    Ok(((observation.at_ms, row.get(AFTER_OBSERVATION)?), observation))
}
