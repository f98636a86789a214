//! What is counted of messages (decision D36).

mod held;
mod rule_hits;

use std::sync::Arc;
use std::time::{Duration, Instant};

use landmarc_auth::arc::ArcStatus;
use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_interfaces::Interface;
use landmarc_receiver::Judgement;
use landmarc_receiver::action::{FailureCause, Override, SmtpAction};
use landmarc_receiver::policy::QuarantineBy;
use landmarc_runtime::failure_reports::Offered;
use landmarc_runtime::metrics::{Counters, Labels, collect, counters};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::answer::NotJudged;
use crate::skipping::Skipped;
use held::HeldCounter;
pub use rule_hits::RuleHitCounters;

/// Bounds of the times of messages, in seconds. Answers from the cache take less than a
/// millisecond; a message has `dns.message_timeout`, 20 s by default.
const TIMES: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0,
];
/// Bounds of the DNS questions of messages; a message has `dns.questions_per_message`, 100 by default.
const QUESTIONS: [f64; 9] = [0.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0];

/// DMARC result, disposition and action of the messages that are usual out of the box.
const USUAL_MESSAGES: [Labels<'static, 3>; 9] = [
    message("none", "none", "accept"),
    message("pass", "none", "accept"),
    message("pass", "pass", "accept"),
    message("fail", "none", "accept"),
    message("fail", "quarantine", "quarantine"),
    message("fail", "reject", "reject"),
    message("temperror", "none", "accept"),
    message("permerror", "none", "accept"),
    message("permerror", "reject", "reject"),
];

/// What is counted of messages, since the start.
#[derive(Debug)]
pub struct FilterMetrics {
    /// By DMARC result, disposition and what the MTA was told.
    pub messages: Counters<3>,
    /// What enforcing would have done, by what the MTA would have been told.
    pub enforced_action: Counters<1>,
    /// Sent to the hold queue of the mail server within a day.
    held: HeldCounter,
    /// Not to be judged, by why.
    skipped: Counters<1>,
    /// By the interface that they came by.
    interfaces: Counters<1>,
    /// Not judged, by why.
    failures: Counters<1>,
    /// SPF results, for the MAIL FROM identity.
    pub spf: Counters<1>,
    /// DKIM results, one for each signature.
    pub dkim: Counters<1>,
    /// ARC results.
    pub arc: Counters<1>,
    /// Of which RFC 7489 and RFC 9989 say different things.
    pub rfc7489_differences: Counter,
    /// Taken, and dropped.
    failure_candidates: Counters<1>,
    /// Decided by a rule of the operator, by its name.
    pub rule_hits: RuleHitCounters,
    /// Seconds from the end of a message to its verdict.
    pub seconds: Histogram,
    /// DNS questions of a message.
    pub questions: Histogram,
}

impl Default for FilterMetrics {
    fn default() -> Self {
        let messages = Counters::default();
        for labels in USUAL_MESSAGES {
            drop(messages.get_or_create(&labels));
        }
        let spf = [
            SpfResult::None,
            SpfResult::Neutral,
            SpfResult::Pass,
            SpfResult::Fail,
            SpfResult::SoftFail,
            SpfResult::TempError,
            SpfResult::PermError,
        ];
        let dkim = [
            DkimResult::Pass,
            DkimResult::Fail,
            DkimResult::Policy,
            DkimResult::Neutral,
            DkimResult::TempError,
            DkimResult::PermError,
        ];
        let arc = [ArcStatus::None, ArcStatus::Pass, ArcStatus::Fail];
        let causes = [
            FailureCause::Dns,
            FailureCause::DnsWithPolicy,
            FailureCause::UnusableRecord,
            FailureCause::Budget,
        ];
        let unjudged = [NotJudged::Internal, NotJudged::Store, NotJudged::Memory];
        let failures = causes.map(FailureCause::as_str).into_iter();
        let failures = failures.chain(unjudged.map(NotJudged::as_str));
        Self {
            messages,
            enforced_action: counters("action", ["quarantine", "reject", "tempfail"]),
            held: HeldCounter::new(Instant::now()),
            skipped: counters("reason", Skipped::ALL.map(Skipped::as_str)),
            interfaces: counters("interface", Interface::ALL.map(Interface::as_str)),
            failures: counters("cause", failures),
            spf: counters("result", spf.map(SpfResult::as_str)),
            dkim: counters("result", dkim.map(DkimResult::as_str)),
            arc: counters("result", arc.map(ArcStatus::as_str)),
            rfc7489_differences: Counter::default(),
            failure_candidates: counters("outcome", ["taken", "dropped"]),
            rule_hits: RuleHitCounters::default(),
            seconds: Histogram::new(TIMES),
            questions: Histogram::new(QUESTIONS),
        }
    }
}

impl FilterMetrics {
    /// A message was judged, so long after its end.
    pub fn message(&self, judgement: &Judgement, elapsed: Duration) {
        let done = &judgement.action;
        let labels = message(
            judgement.dmarc.as_str(),
            done.disposition.as_str(),
            done.smtp.as_str(),
        );
        self.messages.get_or_create(&labels).inc();
        if judgement.decision.smtp != done.smtp {
            count(&self.enforced_action, "action", judgement.decision.smtp.as_str());
        }
        if let SmtpAction::Quarantine(QuarantineBy::Hold, _) = done.smtp {
            self.held.add(Instant::now());
        }
        count(&self.spf, "result", judgement.spf.mail_from.result.as_str());
        for signature in &judgement.dkim {
            count(&self.dkim, "result", signature.result.as_str());
        }
        count(&self.arc, "result", judgement.arc.status.as_str());
        if differs_from_rfc7489(judgement) {
            self.rfc7489_differences.inc();
        }
        if let Some(rule) = &judgement.rule {
            self.rule_hits.add(&rule.name);
        }
        if let Some(cause) = cause_of_failure(judgement) {
            self.failed(cause);
        }
        self.seconds.observe(elapsed.as_secs_f64());
        // A message has some hundred at most, and any number is exact.
        self.questions.observe(f64::from(
            u32::try_from(judgement.asked.len()).unwrap_or(u32::MAX),
        ));
    }

    /// A message came to its end, by this interface.
    pub fn count_ingress(&self, interface: Interface) {
        count(&self.interfaces, "interface", interface.as_str());
    }

    /// A message was not to be judged.
    pub fn skipped(&self, reason: Skipped) {
        count(&self.skipped, "reason", reason.as_str());
    }

    /// A message could not be judged, or not be written down: the word of a [`FailureCause`], which
    /// [`FilterMetrics::message`] counts, or `internal`, `store`, `memory`.
    pub fn failed(&self, cause: &'static str) {
        count(&self.failures, "cause", cause);
    }

    /// A message that a failure report may be made of was offered to the reporter.
    pub fn failure_candidate(&self, offered: Offered) {
        let outcome = match offered {
            Offered::Taken => "taken",
            Offered::Dropped => "dropped",
        };
        count(&self.failure_candidates, "outcome", outcome);
    }

    /// Messages that were sent to the hold queue of the mail server.
    pub fn held(&self) -> &HeldCounter {
        &self.held
    }

    /// Adds all of it to what is printed.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.register_messages(registry);
        registry.register(
            "landmarc_spf_results",
            "SPF results of judged messages, for the MAIL FROM identity",
            self.spf.clone(),
        );
        registry.register(
            "landmarc_dkim_results",
            "DKIM results of judged messages, one for each signature",
            self.dkim.clone(),
        );
        registry.register(
            "landmarc_arc_results",
            "ARC results of judged messages",
            self.arc.clone(),
        );
        registry.register_with_unit(
            "landmarc_message",
            "Time from the end of a message to its verdict",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "landmarc_message_dns_questions",
            "DNS questions of a message, answered from the cache or not",
            self.questions.clone(),
        );
        let metrics = Arc::clone(self);
        collect(registry, move |writer| {
            writer.gauge(
                "landmarc_held_messages",
                "Messages that were sent to the hold queue of the mail server within the last 24 hours.",
                None,
                &metrics.held.within_a_day(Instant::now()),
            )
        });
    }

    fn register_messages(&self, registry: &mut Registry) {
        registry.register(
            "landmarc_messages",
            "Messages that were judged, by what DMARC found, what was done and what the mail server was told",
            self.messages.clone(),
        );
        registry.register(
            "landmarc_enforced_action",
            "Messages that were accepted because mode is observe, by what enforcing would have done",
            self.enforced_action.clone(),
        );
        registry.register(
            "landmarc_messages_skipped",
            "Messages that were not to be judged, by why",
            self.skipped.clone(),
        );
        registry.register(
            "landmarc_interface_messages",
            "Messages that came to their end, judged or not, by the interface they came by",
            self.interfaces.clone(),
        );
        registry.register(
            "landmarc_failures",
            "Messages that could not be judged, by why: see the table failures of the settings",
            self.failures.clone(),
        );
        registry.register(
            "landmarc_rfc7489_differences",
            "Messages of which RFC 7489 and RFC 9989 say different things",
            self.rfc7489_differences.clone(),
        );
        registry.register(
            "landmarc_failure_candidates",
            "Messages that a failure report may be made of, by whether the reporter had room for them",
            self.failure_candidates.clone(),
        );
        registry.register(
            "landmarc_rule_hits",
            "Messages that a rule of the operator decided, by its name",
            self.rule_hits.clone(),
        );
    }
}

/// The labels of a judged message.
const fn message(dmarc: &'static str, disposition: &'static str, action: &'static str) -> Labels<'static, 3> {
    [("dmarc", dmarc), ("disposition", disposition), ("action", action)]
}

fn count(counters: &Counters<1>, label: &'static str, value: &'static str) {
    counters.get_or_create(&[(label, value)]).inc();
}

fn differs_from_rfc7489(judgement: &Judgement) -> bool {
    match (judgement.evaluation(), &judgement.rfc7489) {
        (Some(decided), Some(other)) => {
            decided.result.as_str() != other.result.as_str() || decided.policy != other.policy
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
