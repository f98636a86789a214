//! What the service counts, for Prometheus (decision D36).
//!
//! Counted here is what happens to messages; what other rooms count themselves is read when somebody
//! asks ([`Sources`]). Counting a message allocates nothing and waits for nobody. No label has
//! values that strangers choose, such as domains: their number would have no bound.

mod counts;
mod exposition;
mod fleet;
mod held;
mod process;
mod reloads;
mod reporting;
mod rspamd;
mod sheet;

use std::time::{Duration, Instant, SystemTime};

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_interfaces::Door;
use landmarc_receiver::action::{BUDGET_REACHED, DNS_WITH_POLICY, Step};
use landmarc_receiver::judge::Judgement;
use landmarc_receiver::local::QuarantineBy;

use crate::failure_reports::Offered;
use counts::{Counts, Distribution, Named, places, words};
pub(crate) use exposition::Sources;
use fleet::Fleet;
use held::Held;
use reloads::Reloads;
use reporting::Reporting;
use rspamd::Rspamd;

/// Bounds of the times of messages, in microseconds. Answers from the cache take less than a
/// millisecond; a message has `dns.message_timeout`, 20 s by default.
const TIMES: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 25_000_000,
];
/// Bounds of the DNS questions of messages; a message has `dns.questions_per_message`, 100 by default.
const QUESTIONS: [u64; 9] = [0, 2, 5, 10, 15, 20, 30, 50, 100];

/// The counters of the service since its start.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: SystemTime,
    /// By DMARC result, disposition and what the MTA was told.
    messages: Counts<{ words::DMARC.len() * words::DISPOSITION.len() * words::STEP.len() }>,
    would: Counts<{ words::STEP.len() }>,
    held: Held,
    skipped: Counts<{ words::SKIPPED.len() }>,
    doors: Counts<{ Door::ALL.len() }>,
    failures: Counts<{ words::FAILURE.len() }>,
    spf: Counts<{ words::SPF.len() }>,
    dkim: Counts<{ words::DKIM.len() }>,
    arc: Counts<{ words::ARC.len() }>,
    rfc7489_differences: Counts<1>,
    /// Taken, and dropped.
    failure_candidates: Counts<2>,
    rule_hits: Named,
    seconds: Distribution<{ TIMES.len() }>,
    questions: Distribution<{ QUESTIONS.len() }>,
    reloads: Reloads,
    reporting: Reporting,
    rspamd: Rspamd,
    fleet: Fleet,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            started: SystemTime::now(),
            messages: Counts::default(),
            would: Counts::default(),
            held: Held::new(Instant::now()),
            skipped: Counts::default(),
            doors: Counts::default(),
            failures: Counts::default(),
            spf: Counts::default(),
            dkim: Counts::default(),
            arc: Counts::default(),
            rfc7489_differences: Counts::default(),
            failure_candidates: Counts::default(),
            rule_hits: Named::default(),
            seconds: Distribution::new(TIMES),
            questions: Distribution::new(QUESTIONS),
            reloads: Reloads::new(SystemTime::now()),
            reporting: Reporting::default(),
            rspamd: Rspamd::default(),
            fleet: Fleet::default(),
        }
    }

    /// A message was judged, so long after its end.
    pub(crate) fn message(&self, judgement: &Judgement, elapsed: Duration) {
        let done = &judgement.action;
        self.messages.add(places::message(
            places::dmarc(&judgement.dmarc),
            places::disposition(done.disposition),
            places::step(&done.step),
        ));
        if judgement.decision.step != done.step {
            self.would.add(places::step(&judgement.decision.step));
        }
        if let Step::Quarantine(QuarantineBy::Hold, _) = done.step {
            self.held.add(Instant::now());
        }
        self.spf.add(places::spf(judgement.spf.mail_from.result));
        for signature in &judgement.dkim {
            self.dkim.add(places::dkim(signature.result));
        }
        self.arc.add(places::arc(judgement.arc.status));
        if differs_from_rfc7489(judgement) {
            self.rfc7489_differences.add(0);
        }
        if let Some(rule) = &judgement.rule {
            self.rule_hits.add(&rule.name);
        }
        if let Some(cause) = cause_of_failure(judgement) {
            self.failed(cause);
        }
        self.seconds
            .add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        self.questions
            .add(u64::try_from(judgement.asked.len()).unwrap_or(u64::MAX));
    }

    /// A message came to its end, by this door.
    pub(crate) fn came_by(&self, door: Door) {
        let place = Door::ALL.iter().position(|known| *known == door);
        self.doors.add(place.unwrap_or_default());
    }

    /// A message was not to be judged; why, see [`words::SKIPPED`].
    pub(crate) fn skipped(&self, reason: &'static str) {
        self.skipped.add(places::of(reason, &words::SKIPPED));
    }

    /// A message could not be judged, or not be written down: `dns`, `unusable_record`, `budget`, `internal`,
    /// `store`, `memory`. The first three are counted by [`Metrics::message`].
    pub(crate) fn failed(&self, cause: &'static str) {
        self.failures.add(places::of(cause, &words::FAILURE));
    }

    /// A message that a failure report may be made of was offered to the reporter.
    pub(crate) fn failure_candidate(&self, offered: Offered) {
        self.failure_candidates.add(match offered {
            Offered::Taken => 0,
            Offered::Dropped => 1,
        });
    }

    /// Messages that were sent to the hold queue of the mail server.
    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// What is counted of reports.
    pub(crate) fn reporting(&self) -> &Reporting {
        &self.reporting
    }

    /// What is counted of the records of rspamd.
    pub(crate) fn rspamd(&self) -> &Rspamd {
        &self.rspamd
    }

    /// What is counted of handing on, and of taking in.
    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// What came of reading the settings.
    pub(crate) fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// All metrics, and what was read elsewhere just now, in the text format of OpenMetrics 1.0.
    pub(crate) fn encode(self: &std::sync::Arc<Self>, sources: Sources) -> String {
        exposition::encode(self, sources)
    }
}

fn differs_from_rfc7489(judgement: &Judgement) -> bool {
    match (judgement.evaluation(), &judgement.rfc7489) {
        (Some(decided), Some(other)) => {
            places::dmarc(&decided.result) != places::dmarc(&other.result) || decided.policy != other.policy
        }
        _ => false,
    }
}

/// Why there is no verdict, in the words of the table `failures` of the settings.
fn cause_of_failure(judgement: &Judgement) -> Option<&'static str> {
    match judgement.evaluation()?.result {
        DmarcResult::PermError => Some("unusable_record"),
        DmarcResult::TempError => {
            // A rule of the operator may have put another action in place of this.
            let decided = judgement
                .rule
                .as_ref()
                .map_or(&judgement.decision, |rule| &rule.without);
            let is_because = |comment| decided.overrides.iter().any(|reason| reason.comment == comment);
            Some(match () {
                () if is_because(BUDGET_REACHED) => "budget",
                () if is_because(DNS_WITH_POLICY) => "dns_with_policy",
                () => "dns",
            })
        }
        DmarcResult::None | DmarcResult::Pass(_) | DmarcResult::Fail => None,
    }
}
