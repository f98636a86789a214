//! What is counted of messages (decision D36).

mod held;
pub mod places;
mod words;

use std::fmt;
use std::time::{Duration, Instant};

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_interfaces::Interface;
use landmarc_receiver::Judgement;
use landmarc_receiver::action::{FailureCause, Override, SmtpAction};
use landmarc_receiver::policy::QuarantineBy;
use landmarc_runtime::metrics::{Counts, Distribution, MetricWriter, Named, OTHER, SECONDS, place_of};

use held::HeldCounter;
use landmarc_runtime::failure_reports::Offered;

/// Bounds of the times of messages, in microseconds. Answers from the cache take less than a
/// millisecond; a message has `dns.message_timeout`, 20 s by default.
const TIMES: [u64; 14] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 25_000_000,
];
/// Bounds of the DNS questions of messages; a message has `dns.questions_per_message`, 100 by default.
const QUESTIONS: [u64; 9] = [0, 2, 5, 10, 15, 20, 30, 50, 100];

/// What is counted of messages, since the start.
#[derive(Debug)]
pub struct FilterMetrics {
    /// By DMARC result, disposition and what the MTA was told.
    pub messages: Counts<{ words::DMARC.len() * words::DISPOSITION.len() * words::STEP.len() }>,
    /// What enforcing would have done, by what the MTA would have been told.
    pub enforced_action: Counts<{ words::STEP.len() }>,
    /// Sent to the hold queue of the mail server within a day.
    pub held: HeldCounter,
    /// Not to be judged, by why.
    pub skipped: Counts<{ words::SKIPPED.len() }>,
    /// By the interface that they came by.
    pub interfaces: Counts<{ Interface::ALL.len() }>,
    /// Not judged, by why.
    pub failures: Counts<{ words::FAILURE.len() }>,
    /// SPF results, for the MAIL FROM identity.
    pub spf: Counts<{ words::SPF.len() }>,
    /// DKIM results, one for each signature.
    pub dkim: Counts<{ words::DKIM.len() }>,
    /// ARC results.
    pub arc: Counts<{ words::ARC.len() }>,
    /// Of which RFC 7489 and RFC 9989 say different things.
    pub rfc7489_differences: Counts<1>,
    /// Taken, and dropped.
    pub failure_candidates: Counts<2>,
    /// Decided by a rule of the operator, by its name.
    pub rule_hits: Named,
    /// From the end of a message to its verdict, in microseconds.
    pub seconds: Distribution<{ TIMES.len() }>,
    /// DNS questions of a message.
    pub questions: Distribution<{ QUESTIONS.len() }>,
}

impl Default for FilterMetrics {
    fn default() -> Self {
        Self {
            messages: Counts::default(),
            enforced_action: Counts::default(),
            held: HeldCounter::new(Instant::now()),
            skipped: Counts::default(),
            interfaces: Counts::default(),
            failures: Counts::default(),
            spf: Counts::default(),
            dkim: Counts::default(),
            arc: Counts::default(),
            rfc7489_differences: Counts::default(),
            failure_candidates: Counts::default(),
            rule_hits: Named::default(),
            seconds: Distribution::new(TIMES),
            questions: Distribution::new(QUESTIONS),
        }
    }
}

impl FilterMetrics {
    /// A message was judged, so long after its end.
    pub fn message(&self, judgement: &Judgement, elapsed: Duration) {
        let done = &judgement.action;
        self.messages.add(places::message(
            places::dmarc(&judgement.dmarc),
            places::disposition(done.disposition),
            places::step(&done.smtp),
        ));
        if judgement.decision.smtp != done.smtp {
            self.enforced_action.add(places::step(&judgement.decision.smtp));
        }
        if let SmtpAction::Quarantine(QuarantineBy::Hold, _) = done.smtp {
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

    /// A message came to its end, by this interface.
    pub fn count_ingress(&self, interface: Interface) {
        let place = Interface::ALL.iter().position(|known| *known == interface);
        self.interfaces.add(place.unwrap_or_default());
    }

    /// A message was not to be judged; why, see `words::SKIPPED`.
    pub fn skipped(&self, reason: &'static str) {
        self.skipped.add(place_of(reason, &words::SKIPPED));
    }

    /// A message could not be judged, or not be written down: `dns`, `unusable_record`, `budget`, `internal`,
    /// `store`, `memory`. The first three are counted by [`FilterMetrics::message`].
    pub fn failed(&self, cause: &'static str) {
        self.failures.add(place_of(cause, &words::FAILURE));
    }

    /// A message that a failure report may be made of was offered to the reporter.
    pub fn failure_candidate(&self, offered: Offered) {
        self.failure_candidates.add(match offered {
            Offered::Taken => 0,
            Offered::Dropped => 1,
        });
    }

    /// Messages that were sent to the hold queue of the mail server.
    pub fn held(&self) -> &HeldCounter {
        &self.held
    }
}

impl FilterMetrics {
    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, sheet: &mut MetricWriter<'_>) -> fmt::Result {
        self.write_messages(sheet)?;
        self.write_mechanisms(sheet)?;
        self.write_distributions(sheet)
    }

    fn write_messages(&self, sheet: &mut MetricWriter<'_>) -> fmt::Result {
        let Self {
            messages,
            enforced_action,
            held,
            skipped,
            interfaces,
            failures,
            rfc7489_differences,
            failure_candidates,
            rule_hits,
            ..
        } = self;
        sheet.counters(
            "landmarc_messages",
            "Messages that were judged, by what DMARC found, what was done and what the mail server was told.",
            kinds_of_messages(&messages.read()),
        )?;
        let [_, enforced_action @ ..] = labelled("action", words::STEP, enforced_action.read());
        sheet.counters(
            "landmarc_enforced_action",
            "Messages that were accepted because mode is observe, by what enforcing would have done.",
            enforced_action,
        )?;
        sheet.gauge(
            "landmarc_held_messages",
            "Messages that were sent to the hold queue of the mail server within the last 24 hours.",
            None,
            &held.within_a_day(Instant::now()),
        )?;
        sheet.counters(
            "landmarc_messages_skipped",
            "Messages that were not to be judged, by why.",
            without_other(labelled("reason", words::SKIPPED, skipped.read())),
        )?;
        sheet.counters(
            "landmarc_interface_messages",
            "Messages that came to their end, judged or not, by the interface they came by.",
            labelled(
                "interface",
                Interface::ALL.map(Interface::as_str),
                interfaces.read(),
            ),
        )?;
        sheet.counters(
            "landmarc_failures",
            "Messages that could not be judged, by why: see the table failures of the settings.",
            without_other(labelled("cause", words::FAILURE, failures.read())),
        )?;
        let [differences] = rfc7489_differences.read();
        sheet.counter(
            "landmarc_rfc7489_differences",
            "Messages of which RFC 7489 and RFC 9989 say different things.",
            differences,
        )?;
        sheet.counters(
            "landmarc_failure_candidates",
            "Messages that a failure report may be made of, by whether the reporter had room for them.",
            labelled("outcome", ["taken", "dropped"], failure_candidates.read()),
        )?;
        let hits = rule_hits.read();
        sheet.counters(
            "landmarc_rule_hits",
            "Messages that a rule of the operator decided, by its name.",
            hits.iter().map(|(name, hits)| ([("rule", name.as_str())], *hits)),
        )
    }

    fn write_mechanisms(&self, sheet: &mut MetricWriter<'_>) -> fmt::Result {
        let Self { spf, dkim, arc, .. } = self;
        sheet.counters(
            "landmarc_spf_results",
            "SPF results of judged messages, for the MAIL FROM identity.",
            labelled("result", words::SPF, spf.read()),
        )?;
        sheet.counters(
            "landmarc_dkim_results",
            "DKIM results of judged messages, one for each signature.",
            labelled("result", words::DKIM, dkim.read()),
        )?;
        sheet.counters(
            "landmarc_arc_results",
            "ARC results of judged messages.",
            labelled("result", words::ARC, arc.read()),
        )
    }

    fn write_distributions(&self, sheet: &mut MetricWriter<'_>) -> fmt::Result {
        sheet.distribution(
            "landmarc_message",
            "Time from the end of a message to its verdict.",
            SECONDS,
            self.seconds.read(),
            1e6,
        )?;
        sheet.distribution(
            "landmarc_message_dns_questions",
            "DNS questions of a message, answered from the cache or not.",
            None,
            self.questions.read(),
            1.0,
        )
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
        DmarcResult::PermError => Some(FailureCause::UnusableRecord.as_str()),
        DmarcResult::TempError => {
            // A rule of the operator may have put another action in place of this.
            let decided = judgement
                .rule
                .as_ref()
                .map_or(&judgement.decision, |rule| &rule.without);
            let cause = decided.overrides.iter().find_map(Override::failure);
            Some(cause.unwrap_or(FailureCause::Dns).as_str())
        }
        DmarcResult::None | DmarcResult::Pass(_) | DmarcResult::Fail => None,
    }
}

/// A row for each kind of message that is usual, and for every other that has come.
fn kinds_of_messages(counts: &[u64]) -> impl Iterator<Item = ([(&'static str, &'static str); 3], u64)> {
    let mut rows = Vec::new();
    for (dmarc, found) in words::DMARC.iter().enumerate() {
        for (disposition, done) in words::DISPOSITION.iter().enumerate() {
            for (step, told) in words::STEP.iter().enumerate() {
                let place = places::message(dmarc, disposition, step);
                let count = counts.get(place).copied().unwrap_or(0);
                if count > 0 || is_usual(found, done, told) {
                    let labels = [("dmarc", *found), ("disposition", *done), ("action", *told)];
                    rows.push((labels, count));
                }
            }
        }
    }
    rows.into_iter()
}

/// What happens to messages out of the box. Told from the start, so that the first message is seen
/// as one more than none.
fn is_usual(dmarc: &str, disposition: &str, action: &str) -> bool {
    match dmarc {
        "pass" => matches!((disposition, action), ("none" | "pass", "accept")),
        "fail" => matches!(
            (disposition, action),
            ("none", "accept") | ("quarantine", "quarantine") | ("reject", "reject")
        ),
        "permerror" => matches!((disposition, action), ("none", "accept") | ("reject", "reject")),
        _ => (disposition, action) == ("none", "accept"),
    }
}

fn labelled<const N: usize>(
    label: &'static str,
    words: [&'static str; N],
    counts: [u64; N],
) -> [([(&'static str, &'static str); 1], u64); N] {
    std::array::from_fn(|place| {
        let word = words.get(place).copied().unwrap_or(OTHER);
        ([(label, word)], counts.get(place).copied().unwrap_or(0))
    })
}

/// The last row is for words that are in no table: told only when there are some.
fn without_other<T>(rows: impl IntoIterator<Item = (T, u64)>) -> Vec<(T, u64)> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    if rows.last().is_some_and(|(_, count)| *count == 0) {
        rows.pop();
    }
    rows
}
