//! Looks after the operator's rules while the service runs: exceptions that nobody looks after
//! become the hole (decision D5).

use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{Reader, Recorder};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use landmarc_runtime::clock::now_ms;
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::database;
use landmarc_runtime::load::without_level;
use landmarc_runtime::rules::operator;

/// How often they are looked at. Their expiry is a matter of days, and so is disuse.
const BETWEEN_LOOKS: Duration = Duration::from_hours(24);

/// Looks at the start and once a day.
pub fn start(current: Arc<Current>, recorder: Arc<Recorder>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut days = interval(BETWEEN_LOOKS);
        days.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut is_start = true;
        loop {
            days.tick().await;
            look(&current.get(), &recorder, is_start).await;
            is_start = false;
        }
    })
}

/// Notes which rules are in force, and tells of those that have expired, soon will, or decide about
/// nothing any more. Those that expire were told of with the settings at the start.
async fn look(in_force: &ActiveSettings, recorder: &Recorder, is_start: bool) {
    let rules = &in_force.operator.rules;
    let Some(file) = in_force.operator.file.as_ref().filter(|_| !rules.is_empty()) else {
        return;
    };
    let now_ms = now_ms();
    recorder.rules_in_force(rules.iter().map(|rule| rule.name.as_str()), now_ms);
    let mut lines = Vec::new();
    if !is_start {
        lines = operator::expiries(rules, &file.display().to_string(), now_ms / 1_000);
    }
    let database = database::path(&in_force.settings);
    let read = move || Reader::open(database).and_then(|reader| reader.rule_hits());
    // A store that cannot be read is told of by whoever writes it.
    if let Ok(Ok(hits)) = tokio::task::spawn_blocking(read).await {
        lines.extend(operator::stale(rules, &hits, now_ms));
    }
    for line in lines {
        tracing::warn!("{}", without_level(&line));
    }
}
