//! What is counted on days that were reported about already.

use std::collections::{BTreeMap, HashSet};

use super::session::ServerSession;
use crate::model::Day;
use crate::sql::{SqlError, SqlQueries, row, values};

/// How many of these messages come too late for a report.
pub(super) fn of_reported_days(
    session: &ServerSession,
    messages: &BTreeMap<(Day, &str), u64>,
) -> Result<u64, SqlError> {
    let mut late: u64 = 0;
    let mut days: Vec<Day> = messages.keys().map(|(day, _)| *day).collect();
    days.dedup();
    for day in days {
        let of_day = || {
            messages
                .range((day, "")..)
                .take_while(|((one, _), _)| *one == day)
        };
        let sum = match reported(session, day)? {
            Reported::Not => 0,
            Reported::Whole => of_day().map(|(_, count)| *count).fold(0, u64::saturating_add),
            Reported::InPart => {
                let settled = settled(session, day, of_day().map(|((_, domain), _)| *domain))?;
                let late = of_day().filter(|((_, domain), _)| settled.contains(*domain));
                late.map(|(_, count)| *count).fold(0, u64::saturating_add)
            }
        };
        late = late.saturating_add(sum);
    }
    Ok(late)
}

/// Whether a day was reported about.
enum Reported {
    Not,
    InPart,
    Whole,
}

fn reported(session: &ServerSession, day: Day) -> Result<Reported, SqlError> {
    let text = "SELECT done_ms FROM reported_day WHERE day = ?1";
    let done = session.row(text, values![day.0], |row| row.get::<Option<i64>>(0))?;
    Ok(match done {
        None => Reported::Not,
        Some(None) => Reported::InPart,
        Some(Some(_)) => Reported::Whole,
    })
}

/// Those among these policy domains that have a report of this day, or were left out for a reason.
fn settled<'a>(
    session: &ServerSession,
    day: Day,
    domains: impl Iterator<Item = &'a str>,
) -> Result<HashSet<String>, SqlError> {
    let domains: Vec<_> = domains.map(|domain| row![domain]).collect();
    let day = day.0;
    let mut settled = HashSet::new();
    for text in [
        format!(
            "SELECT policy_domain FROM report WHERE policy_domain IN ({{list}}) AND day = {day} AND kind = 'aggregate'"
        ),
        format!("SELECT policy_domain FROM skipped WHERE policy_domain IN ({{list}}) AND day = {day}"),
    ] {
        session.each_of(&text, &domains, &mut |row| {
            settled.insert(row.get::<String>(0)?);
            Ok(true)
        })?;
    }
    Ok(settled)
}
