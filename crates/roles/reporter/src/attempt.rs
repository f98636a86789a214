//! One attempt to deliver one message, and what is written down of it, at once.

use std::sync::Arc;
use std::time::Duration;

use landmarc_auth::lookup::Lookup;
use landmarc_delivery::{DeliveryFailure, DeliveryOutcome, DeliveryStage};
use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::destination::DestinationKind;
use landmarc_report::refusal::{is_size_refusal, speaks_of_destination, speaks_of_us};
use landmarc_report::timing;
use landmarc_store::{Delivery, OutboxFilter, ReportKind, StoreError, Strikes};
use tokio::time::sleep;

use super::addressees::{Addressees, ReportDns};
use super::context::{ReportSetup, ReporterContext};
use super::mail_draft::{Facts, MailDraft};
use super::outcome::AttemptOutcome;
use landmarc_runtime::clock::in_ms;
use landmarc_runtime::panic::catch_panic;

/// How long a destination that was verified when its report was made counts as verified. RFC 9990 §4
/// lets positive answers be cached for their TTL; a day is what most reports are delivered in.
const VERIFIED_FOR_MS: u64 = 24 * 3600 * 1_000;

/// How often it is tried to write down that a message is there; the message itself cannot be taken back.
const MARKING_ATTEMPTS: u32 = 5;
/// The pause between two of them.
const BETWEEN_MARKINGS: Duration = Duration::from_millis(200);

/// A bounce or refusal suppresses its destination at once, for a day at first (decision D18).
const STRIKES_BEFORE_SUPPRESSION: u32 = 1;

/// Why a message waits that we fail at. The log has the panic.
const A_BUG: &str = "a bug of landmarc: see the log";

/// Where a message may go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    To(Address),
    /// DNS did not answer.
    Unanswered(String),
    Nowhere(String),
}

/// What a delivery is to be marked as.
pub(super) enum Mark {
    Delivered(String),
    Deferred(String),
    GivenUp(String),
}

/// One attempt at a delivery that is under our lease.
pub(super) struct Attempt<'a, D> {
    pub(super) context: &'a ReporterContext<D>,
    pub(super) setup: &'a ReportSetup,
    pub(super) delivery: &'a Delivery,
}

impl<D: ReportDns> Attempt<'_, D> {
    /// Tries to deliver the message, and marks it. One that we fail at waits like others that fail, and is given
    /// up in the end: it must not come first again and again.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn run(&self) -> Result<AttemptOutcome, StoreError> {
        match catch_panic(self.deliver()).await {
            Some(outcome) => outcome,
            None => self.mark(Mark::Deferred(A_BUG.to_owned())).await,
        }
    }

    async fn deliver(&self) -> Result<AttemptOutcome, StoreError> {
        let Self {
            context, delivery, ..
        } = self;
        let number = delivery.report.number;
        let Some(body) = context.outbox.with(move |outbox| outbox.body(number)).await? else {
            return self
                .mark(Mark::GivenUp("the report has expired".to_owned()))
                .await;
        };
        let address = match self.route().await? {
            Route::To(address) => address,
            Route::Unanswered(why) => return self.mark(Mark::Deferred(why)).await,
            Route::Nowhere(why) => return self.mark(Mark::GivenUp(why)).await,
        };
        let draft = MailDraft::from(&delivery.report);
        let mail = match draft.report_mail(&body, &address) {
            Ok(mail) => mail,
            Err(error) => return self.mark(Mark::GivenUp(error.to_string())).await,
        };
        // The name of a message that is written into a directory.
        let file_name = format!("{}.{}", delivery.report.report_id, delivery.number);
        let (recipient, date) = (address.to_string(), draft.date_s());
        let mailer = &self.setup.mailer;
        let outcome = mailer.deliver(&mail, &recipient, &file_name, date, Some(delivery.number));
        match outcome.await {
            DeliveryOutcome::Delivered { reply } => self.mark(Mark::Delivered(reply)).await,
            DeliveryOutcome::Deferred(failure) | DeliveryOutcome::Unanswered(failure) => {
                self.mark(Mark::Deferred(failure.to_string())).await
            }
            DeliveryOutcome::RelayUnusable(failure) => self.unusable(&failure).await,
            DeliveryOutcome::Refused(failure) if is_of_us(&failure) => {
                Ok(AttemptOutcome::Unusable(failure.to_string()))
            }
            DeliveryOutcome::Refused(failure) if is_not_relayed(&failure) => {
                self.mark(Mark::Deferred(failure.to_string())).await
            }
            DeliveryOutcome::Refused(failure) => self.refused(&failure, &body).await,
        }
    }

    /// Where it may go by now. Nothing goes out unverified; what was verified lately is not looked up again.
    async fn route(&self) -> Result<Route, StoreError> {
        let Self {
            context, delivery, ..
        } = self;
        let report = &delivery.report;
        let Ok(address) = Address::parse(&delivery.destination) else {
            let why = format!("{:?} is no address", delivery.destination);
            return Ok(Route::Nowhere(why));
        };
        let facts = Facts::read(&report.facts);
        let was_unanswered = facts
            .unverified
            .iter()
            .any(|host| host == address.domain().as_str());
        let age_ms = context.clock.now_ms().saturating_sub(report.created_ms);
        if facts.copy_to.as_deref() == Some(delivery.destination.as_str())
            || !was_unanswered && age_ms <= VERIFIED_FOR_MS
        {
            return Ok(Route::To(address));
        }
        let Ok(policy_domain) = DomainName::parse(&report.policy_domain) else {
            return Ok(Route::Nowhere(format!("{:?} is no domain", report.policy_domain)));
        };
        if self.is_redirected(&address).await? {
            return Ok(Route::To(address));
        }
        let kind = match report.kind {
            ReportKind::Aggregate => DestinationKind::Aggregate,
            ReportKind::Failure => DestinationKind::Failure,
        };
        let lookup = context.dns.for_record();
        let route = verified(&lookup, &policy_domain, &address, kind, self.setup).await;
        match route {
            Route::To(other) if other != address && self.is_second(&address).await? => {
                Ok(Route::Nowhere(format!(
                    "{other} takes the reports of all of {}, and gets this one already",
                    address.domain()
                )))
            }
            route => Ok(route),
        }
    }
}

impl<D> Attempt<'_, D> {
    /// The relay takes no messages. What it said after it was told of this one may be about this one, which then
    /// stands back behind the others: the first in line must not hold up all of them for good.
    async fn unusable(&self, failure: &DeliveryFailure) -> Result<AttemptOutcome, StoreError> {
        let why = failure.to_string();
        if matches!(
            failure.stage,
            DeliveryStage::Rcpt | DeliveryStage::Data | DeliveryStage::Text | DeliveryStage::EndOfData
        ) {
            self.mark(Mark::Deferred(why.clone())).await?;
        }
        Ok(AttemptOutcome::Unusable(why))
    }

    /// Whether the operator wants the reports about this domain there (`outbox redirect`).
    async fn is_redirected(&self, address: &Address) -> Result<bool, StoreError> {
        let name = self.delivery.report.policy_domain.clone();
        let outbox = &self.context.outbox;
        let redirection = outbox.with(move |outbox| outbox.redirection(&name)).await?;
        let uris = redirection.map(|one| one.rua).unwrap_or_default();
        Ok(Addressees::of_operator(&uris).open.contains(address))
    }

    /// Whether another delivery of this report to the same host comes before: where the host has one
    /// address in place of all, it gets one message (XD19).
    async fn is_second(&self, address: &Address) -> Result<bool, StoreError> {
        let filter = OutboxFilter {
            report_id: Some(self.delivery.report.report_id.clone()),
            destination: Some(format!("@{}", address.domain())),
            limit: landmarc_store::MAX_DESTINATIONS,
            ..OutboxFilter::default()
        };
        let all = self
            .context
            .read(move |reader| reader.deliveries(&filter))
            .await?;
        Ok(all.iter().any(|other| other.number < self.delivery.number))
    }

    /// A refusal for good: of the size, of the destination, or of us.
    async fn refused(&self, failure: &DeliveryFailure, body: &[u8]) -> Result<AttemptOutcome, StoreError> {
        if is_size(failure) && self.delivery.report.kind == ReportKind::Aggregate {
            return self.split(failure, body).await;
        }
        if is_of_destination(failure) {
            self.strike(failure.to_string()).await?;
        }
        self.mark(Mark::GivenUp(failure.to_string())).await
    }

    /// Counts a refusal against the destination.
    async fn strike(&self, reason: String) -> Result<(), StoreError> {
        let (destination, now_ms) = (self.delivery.destination.clone(), self.context.clock.now_ms());
        let outbox = &self.context.outbox;
        let struck = outbox
            .with(move |outbox| outbox.strike(&destination, &reason, &strikes(), now_ms))
            .await?;
        tracing::debug!(strikes = struck.strikes, "a destination refuses its messages");
        Ok(())
    }

    /// Writes down what came of it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) async fn mark(&self, mark: Mark) -> Result<AttemptOutcome, StoreError> {
        let Self {
            context, delivery, ..
        } = self;
        let now_ms = context.clock.now_ms();
        let (number, owner) = (delivery.number, Arc::clone(&context.owner));
        let (marked, outcome) = match self.or_too_old(mark, now_ms) {
            Mark::Delivered(reply) => {
                self.mark_delivered(&reply, now_ms).await?;
                return Ok(AttemptOutcome::Delivered);
            }
            Mark::Deferred(reason) => {
                let wait = self.setup.settings.retry.wait(delivery.attempts, number.0);
                let next_ms = now_ms.saturating_add(in_ms(wait));
                let marked = context
                    .outbox
                    .with(move |outbox| outbox.deferred(number, &owner, &reason, next_ms))
                    .await?;
                (marked, AttemptOutcome::Deferred)
            }
            Mark::GivenUp(reason) => {
                let outcome = AttemptOutcome::GivenUp(reason.clone());
                let marked = context
                    .outbox
                    .with(move |outbox| outbox.given_up(number, &owner, &reason, now_ms))
                    .await?;
                (marked, outcome)
            }
        };
        Ok(if marked { outcome } else { AttemptOutcome::Lapsed })
    }

    /// What has waited for too long is not deferred again.
    fn or_too_old(&self, mark: Mark, now_ms: u64) -> Mark {
        let age = Duration::from_millis(now_ms.saturating_sub(self.delivery.due_ms));
        match mark {
            Mark::Deferred(reason) if self.setup.settings.retry.is_over(age) => {
                Mark::GivenUp(format!("{reason}; given up after {}", in_words(age)))
            }
            mark => mark,
        }
    }

    /// The message is out: a store that is busy now must not make us send it again.
    async fn mark_delivered(&self, reply: &str, now_ms: u64) -> Result<(), StoreError> {
        let mut tried = 0;
        loop {
            let (number, reply) = (self.delivery.number, reply.to_owned());
            let outbox = &self.context.outbox;
            let marked = outbox
                .with(move |outbox| outbox.delivered(number, &reply, now_ms))
                .await;
            tried += 1;
            match marked {
                Ok(_) => return Ok(()),
                Err(error) if tried >= MARKING_ATTEMPTS || error.is_final() => return Err(error),
                Err(_) => sleep(BETWEEN_MARKINGS).await,
            }
        }
    }
}

/// Looks up whether this destination may have reports about a policy domain.
async fn verified(
    lookup: &impl Lookup,
    policy_domain: &DomainName,
    address: &Address,
    kind: DestinationKind,
    setup: &ReportSetup,
) -> Route {
    let uri = [format!("mailto:{address}")];
    let (limit, suffixes) = (setup.settings.keys.max_destinations, &setup.settings.suffixes);
    let mut found = Addressees::find(lookup, policy_domain, &uri, kind, limit, suffixes).await;
    if let Some(address) = found.open.pop() {
        return Route::To(address);
    }
    match found.unanswered.pop() {
        Some((_, why)) => Route::Unanswered(why),
        None => Route::Nowhere(found.why_not()),
    }
}

/// A refusal of the return path, which is that of all messages: it says nothing about this one.
fn is_of_us(failure: &DeliveryFailure) -> bool {
    failure.stage == DeliveryStage::Mail && !failure.is_size
}

/// A relay that does not relay for us: a setting of its, which somebody puts right. All messages of a day
/// would be lost otherwise; if nobody does, each is given up in its time.
fn is_not_relayed(failure: &DeliveryFailure) -> bool {
    failure.stage == DeliveryStage::Rcpt && speaks_of_us(failure.enhanced.as_deref(), &failure.words)
}

/// Whether a smaller message may pass: the relay said before what it takes, or said it of this one.
fn is_size(failure: &DeliveryFailure) -> bool {
    let said = |code| is_size_refusal(code, failure.enhanced.as_deref(), &failure.words);
    failure.is_size && failure.code.is_none_or(said)
}

/// Whether a refusal is about the recipient, and not about us or the message. The exit code of a program
/// never is: programs give the same one for both.
fn is_of_destination(failure: &DeliveryFailure) -> bool {
    let enhanced = failure.enhanced.as_deref();
    // What is said of the message has no code of its own for the recipient.
    let code = failure.code.filter(|_| failure.stage == DeliveryStage::Rcpt);
    matches!(
        failure.stage,
        DeliveryStage::Rcpt | DeliveryStage::Data | DeliveryStage::EndOfData
    ) && speaks_of_destination(code, enhanced, &failure.words)
}

/// When bounces suppress a destination, and for how long.
pub fn strikes() -> Strikes {
    Strikes {
        limit: STRIKES_BEFORE_SUPPRESSION,
        forget_ms: in_ms(timing::BOUNCES_FORGOTTEN_AFTER),
        suppress_ms: in_ms(timing::suppression(1)),
        longest_ms: in_ms(timing::suppression(u32::MAX)),
    }
}

/// A span as people say it.
fn in_words(span: Duration) -> String {
    const HOUR: u64 = 3600;
    let hours = span.as_secs() / HOUR;
    match hours {
        0..48 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    }
}
