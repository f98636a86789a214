//! Of the hosts of a fleet, one makes the reports of a day, when all of them have handed on what they counted.
//!
//! That two make them at once does no harm, for each report is stored once; it would only be work for nothing.

use std::sync::Arc;
use std::time::Duration;

use landmarc_store::{Day, HostStatus, Reader, StoreError};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::clock::RunClock;
use super::context::ReporterContext;
use super::shared::SharedOutbox;
use landmarc_runtime::clock::in_ms;
use landmarc_runtime::time::date;

/// For how long it is one's turn without another word: a host that dies holds up the day for no longer.
const LEASE: Duration = Duration::from_secs(600);
/// How often it is renewed.
const BETWEEN_WORDS: Duration = Duration::from_secs(60);
/// Hosts that were not heard of for longer are not waited for.
const FORGOTTEN_DAYS: u32 = 7;
/// Names of hosts in a line of the log.
const MAX_NAMES: usize = 10;

/// Whether the reports of a day can be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DayReadiness {
    /// All of the day has been counted.
    Complete,
    /// These have not handed on all of it yet, and there is time to wait for them.
    Waiting(Vec<String>),
    /// These have not, and it is too late for them.
    Without(Vec<String>),
}

/// Whether all hosts have handed on what they counted on this day.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn readiness<D>(
    context: &ReporterContext<D>,
    day: Day,
    (settle, wait): (Duration, Duration),
) -> Result<DayReadiness, StoreError> {
    let hosts = context.read(Reader::hosts).await?;
    let now_ms = context.clock.now_ms();
    let behind = behind(&hosts, day, now_ms);
    let until_ms = day
        .next()
        .begins_ms()
        .saturating_add(in_ms(settle))
        .saturating_add(in_ms(wait));
    Ok(match behind.is_empty() {
        true => DayReadiness::Complete,
        false if now_ms < until_ms => DayReadiness::Waiting(behind),
        false => DayReadiness::Without(behind),
    })
}

/// The names of those that have not said that they are past this day.
fn behind(hosts: &[HostStatus], day: Day, now_ms: u64) -> Vec<String> {
    let ends_ms = day.next().begins_ms();
    let forgotten_ms = Day::at(now_ms).back(FORGOTTEN_DAYS).begins_ms();
    let mut behind: Vec<_> = hosts
        .iter()
        .filter(|host| host.seen_ms >= forgotten_ms && host.seen_ms >= day.begins_ms())
        // Whoever hands on files never says how far it is.
        .filter(|host| host.caught_up_ms > 0 || host.pending > 0)
        .filter(|host| host.caught_up_ms < ends_ms)
        // One whose database was made anew goes on under its name as another.
        .filter(|host| {
            !hosts
                .iter()
                .any(|other| other.name == host.name && other.seen_ms > host.seen_ms)
        })
        .map(|host| host.name.clone())
        .collect();
    behind.sort_unstable();
    behind.dedup();
    behind
}

/// Names as a line of the log has them.
pub(super) fn in_words(names: &[String]) -> String {
    let named = names
        .iter()
        .take(MAX_NAMES)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// That it is our turn, for as long as this is held.
pub(super) struct DayLease {
    outbox: SharedOutbox,
    name: String,
    owner: Arc<str>,
    renewing: JoinHandle<()>,
}

impl DayLease {
    /// Takes it; none while another host has it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) async fn take<D>(context: &ReporterContext<D>, day: Day) -> Result<Option<Self>, StoreError> {
        let (name, owner) = (format!("reports of {}", date(day)), Arc::clone(&context.owner));
        if !is_ours(&context.outbox, &name, &owner, context.clock).await? {
            return Ok(None);
        }
        let renewing = tokio::spawn({
            let (outbox, name, owner, clock) = (
                context.outbox.clone(),
                name.clone(),
                Arc::clone(&owner),
                context.clock,
            );
            async move {
                loop {
                    sleep(BETWEEN_WORDS).await;
                    // What is in the way is told by whoever makes the reports.
                    let _ = is_ours(&outbox, &name, &owner, clock).await;
                }
            }
        });
        let outbox = context.outbox.clone();
        Ok(Some(Self {
            outbox,
            name,
            owner,
            renewing,
        }))
    }

    /// Gives it back.
    pub(super) async fn end(self) {
        self.renewing.abort();
        let (name, owner) = (self.name, self.owner);
        let given = self
            .outbox
            .with(move |outbox| outbox.release_lease(&name, &owner));
        if let Err(error) = given.await {
            tracing::debug!("a turn ends by itself: {}", error.in_full());
        }
    }
}

async fn is_ours(
    outbox: &SharedOutbox,
    name: &str,
    owner: &Arc<str>,
    clock: RunClock,
) -> Result<bool, StoreError> {
    let (name, owner) = (name.to_owned(), Arc::clone(owner));
    let lease = outbox.with(move |outbox| outbox.lease(&name, &owner, in_ms(LEASE), clock.now_ms()));
    Ok(lease.await?.is_some())
}

#[cfg(test)]
mod tests {
    use landmarc_store::HostId;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn host(name: &str, seen_ms: u64, caught_up_ms: u64, pending: u64) -> HostStatus {
        HostStatus {
            id: HostId::from([0; 16]),
            name: name.to_owned(),
            through: 1,
            missing: 0,
            seen_ms,
            clock_offset_ms: 0,
            caught_up_ms,
            pending,
        }
    }

    #[test]
    fn a_host_is_waited_for_until_it_says_that_it_is_past_the_day() {
        let day = Day(20_605);
        let (begins, ends) = (day.begins_ms(), day.next().begins_ms());
        let now = ends + HOUR;
        let names = |hosts: &[HostStatus]| behind(hosts, day, now);
        assert!(names(&[]).is_empty(), "nobody to wait for");
        assert!(names(&[host("mx1", now, ends, 0)]).is_empty(), "just past it");
        assert_eq!(names(&[host("mx1", now, ends - 1, 0)]), ["mx1"]);
        assert_eq!(
            names(&[host("mx1", now, 0, 7)]),
            ["mx1"],
            "it has never caught up"
        );
        assert!(names(&[host("files", now, 0, 0)]).is_empty(), "it never says");
        assert!(
            names(&[host("mx1", begins - 1, begins - 1, 0)]).is_empty(),
            "gone before"
        );
        let anew = [host("mx1", now - 1, ends - 1, 0), host("mx1", now, ends, 0)];
        assert!(names(&anew).is_empty(), "its database was made anew");
        let long_ago = day.next().begins_ms() + 8 * 24 * HOUR;
        assert!(behind(&[host("mx1", ends, ends - 1, 0)], day, long_ago).is_empty());
    }

    #[test]
    fn a_line_names_so_many_hosts_and_counts_the_rest() {
        let names: Vec<_> = (1..=11).map(|number| format!("mx{number}")).collect();
        assert!(in_words(&names[..10]).ends_with("mx9, mx10"));
        assert!(in_words(&names).ends_with("mx10 and 1 more"));
    }
}
