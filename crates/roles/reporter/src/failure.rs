//! Failure reports (RFC 9991): from a message that the filter found to ask for one, to messages in the
//! outbox. How many there are is bounded by the limits of the settings, whatever comes in.

use std::sync::Arc;

use landmarc_report::Address;
use landmarc_report::destination::DestinationKind;
use landmarc_report::failure::{
    FailureLimits, FailureMailHead, FailureReport, Limiter, LimiterKey, LimiterVerdict, Profile, Redactor,
    failure_mail,
};
use landmarc_settings::keys::{FailureReports, Redaction as RedactionWord};
use landmarc_store::{Day, MAX_DESTINATIONS, NewDelivery, NewReport, Put, ReportKind, StoreError};

use super::addressees::{Addressees, ReportDns};
use super::context::ReporterContext;
use super::hidden::without_local_parts;
use super::mail_draft::Facts;
use super::settings::ReportSettings;
use landmarc_runtime::failure_reports::FailureCandidate;

/// The name of the secret in the store that addresses are hidden with. It stays the same, so that
/// equal addresses can be recognised as such (RFC 6590 §3).
const SECRET: &str = "redaction";

/// Limits speak of a day.
const DAY_MS: u64 = 24 * 3600 * 1_000;

/// Makes failure reports, within the limits.
pub(crate) struct FailureReporter {
    limiter: Limiter,
    secret: [u8; 32],
    /// Made, and not in the outbox yet: the limits have counted it, so it is not made again.
    waiting: Option<NewReport>,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Queued,
    Limited,
    Refused,
}

impl Made {
    /// The label of the metric.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Limited => "limited",
            Self::Refused => "refused",
        }
    }
}

impl FailureReporter {
    /// Begins with what was sent in the last day: a restart gives nobody another ration.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(crate) async fn open<D>(
        context: &ReporterContext<D>,
        settings: &ReportSettings,
    ) -> Result<Self, StoreError> {
        let now_ms = context.clock.now_ms();
        let since_ms = Day::at(now_ms).begins_ms().max(now_ms.saturating_sub(DAY_MS));
        let (secret, sent) = context
            .outbox
            .with(move |outbox| Ok((outbox.secret(SECRET)?, outbox.failures_since(since_ms)?)))
            .await?;
        let mut limiter = Limiter::new(limits(&settings.keys.failure));
        // Our own copies are not rationed.
        let copy_to = settings.copy_to().ok().flatten();
        for (destination, deliveries) in sent {
            if let Ok(address) = Address::parse(&destination)
                && Some(&address) != copy_to.as_ref()
            {
                let deliveries = u32::try_from(deliveries).unwrap_or(u32::MAX);
                limiter.refill(now_ms / 1_000, &address, deliveries);
            }
        }
        Ok(Self {
            limiter,
            secret,
            waiting: None,
        })
    }

    /// Makes the report that a message asks for, and queues its messages.
    ///
    /// # Errors
    /// When the store cannot be written. Ask again with the same message: what was made waits here.
    pub(crate) async fn take<D: ReportDns>(
        &mut self,
        context: &ReporterContext<D>,
        settings: &Arc<ReportSettings>,
        candidate: &FailureCandidate,
    ) -> Result<Made, StoreError> {
        if self.waiting.is_none() {
            match self.make(context, settings, candidate).await {
                Ok(new) => self.waiting = Some(new),
                Err(made) => return Ok(made),
            }
        }
        self.queue(context).await
    }

    /// The report; what became of the message where there is none.
    async fn make<D: ReportDns>(
        &mut self,
        context: &ReporterContext<D>,
        settings: &Arc<ReportSettings>,
        candidate: &FailureCandidate,
    ) -> Result<NewReport, Made> {
        let FailureCandidate { facts, wanted } = candidate;
        let limit = settings.max_destinations(&facts.policy_domain);
        let lookup = context.dns.for_record();
        let (name, suffixes) = (&facts.policy_domain, &settings.suffixes);
        let found = Addressees::find(
            &lookup,
            name,
            &wanted.uris,
            DestinationKind::Failure,
            limit,
            suffixes,
        )
        .await;
        if found.open.is_empty() {
            // A sample that waits for DNS tells nobody anything: there will be others.
            let why = without_local_parts(&found.why_not());
            tracing::debug!(policy_domain = %facts.policy_domain, "no failure report: {why}");
            return Err(Made::Refused);
        }
        let now_ms = context.clock.now_ms();
        self.limiter.set_limits(limits(&settings.keys.failure));
        let (incidents, destinations) =
            match self
                .limiter
                .admit(now_ms / 1_000, LimiterKey::of(facts), &found.open)
            {
                LimiterVerdict::Report {
                    incidents,
                    destinations,
                    ..
                } => (incidents, destinations),
                LimiterVerdict::Counted(held) => {
                    tracing::debug!(policy_domain = %facts.policy_domain, "no failure report: {held}");
                    return Err(Made::Limited);
                }
            };
        let redaction = Redactor::new(profile(settings.keys.failure.redaction), &self.secret)
            .with_subjects(settings.keys.failure.subject);
        let report = FailureReport::assemble(facts, wanted.requested, &redaction, incidents);
        stored(settings, &report, &destinations, incidents, now_ms).ok_or(Made::Limited)
    }

    /// Puts what waits into the outbox.
    async fn queue<D>(&mut self, context: &ReporterContext<D>) -> Result<Made, StoreError> {
        let Some(new) = self.waiting.clone() else {
            return Ok(Made::Limited);
        };
        let now_ms = context.clock.now_ms();
        let (report_id, policy_domain) = (new.report_id.clone(), new.policy_domain.clone());
        let deliveries = new.deliveries.len();
        let put = context
            .outbox
            .with(move |outbox| outbox.put_all(&[new], now_ms))
            .await?;
        self.waiting = None;
        let [Put::Stored(_)] = put[..] else {
            // The same message once more, by what the MTA calls it: it has its report.
            return Ok(Made::Limited);
        };
        if let Some(metrics) = &context.metrics {
            metrics.report(ReportKind::Failure);
        }
        tracing::debug!(report_id, policy_domain, deliveries, "a failure report is queued");
        Ok(Made::Queued)
    }
}

fn limits(settings: &FailureReports) -> FailureLimits {
    FailureLimits {
        per_destination_minute: settings.per_destination_minute,
        per_destination_day: settings.per_destination_day,
        per_day: settings.per_day,
    }
}

fn profile(word: RedactionWord) -> Profile {
    match word {
        RedactionWord::Hashed => Profile::Hashed,
        RedactionWord::Domains => Profile::Domains,
        RedactionWord::None => Profile::None,
    }
}

/// The report as it is stored: the message to the first of its destinations. None where there is none.
fn stored(
    settings: &ReportSettings,
    report: &FailureReport,
    destinations: &[Address],
    incidents: u32,
    now_ms: u64,
) -> Option<NewReport> {
    let submitter = &settings.reporter.submitter;
    let id = report.id();
    // Who asked for copies has asked for this one, too; an address of no use is told of by the settings.
    let copy_to = settings.copy_to().ok().flatten();
    let mail = failure_mail(
        report,
        &FailureMailHead {
            from: &settings.email,
            display_name: &settings.reporter.organization,
            to: destinations.first()?,
            submitter,
            date: now_ms / 1_000,
        },
    );
    let all = destinations.iter().take(MAX_DESTINATIONS - 1).chain(&copy_to);
    let deliveries = all.map(|address| NewDelivery {
        destination: address.to_string(),
        message_id: id.message_id(submitter, address),
        next_ms: now_ms,
    });
    let facts = Facts {
        copy_to: copy_to.as_ref().map(ToString::to_string),
        ..Facts::default()
    };
    Some(NewReport {
        kind: ReportKind::Failure,
        report_id: id.to_string(),
        policy_domain: report.policy_domain.to_string(),
        day: Day::at(now_ms),
        begin_s: now_ms / 1_000,
        end_s: now_ms / 1_000,
        configuration: String::new(),
        part: 1,
        file_name: String::new(),
        submitter: submitter.to_string(),
        email: settings.email.to_string(),
        organization: settings.reporter.organization.clone(),
        facts: facts.to_json(),
        date_ms: now_ms,
        rows: 1,
        messages: u64::from(incidents),
        body: mail.to_bytes(),
        deliveries: deliveries.collect(),
    })
}
