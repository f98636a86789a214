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
use super::mail_draft::{Facts, MailDraft, Unfit};
use super::outcome::AttemptOutcome;
use super::split;
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
enum Mark {
    Delivered(String),
    Deferred(String),
    GivenUp(String),
}

/// Tries to deliver a message that is under our lease, and marks it. One that we fail at waits like others
/// that fail, and is given up in the end: it must not come first again and again.
///
/// # Errors
/// When the store cannot be used.
pub(crate) async fn attempt<D: ReportDns>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
) -> Result<AttemptOutcome, StoreError> {
    match catch_panic(try_to_deliver(context, setup, delivery)).await {
        Some(ended) => ended,
        None => mark(context, setup, delivery, Mark::Deferred(A_BUG.to_owned())).await,
    }
}

async fn try_to_deliver<D: ReportDns>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
) -> Result<AttemptOutcome, StoreError> {
    let number = delivery.report.number;
    let Some(body) = context.outbox.with(move |outbox| outbox.body(number)).await? else {
        return mark(
            context,
            setup,
            delivery,
            Mark::GivenUp("the report has expired".to_owned()),
        )
        .await;
    };
    let address = match way(context, setup, delivery).await? {
        Route::To(address) => address,
        Route::Unanswered(why) => return mark(context, setup, delivery, Mark::Deferred(why)).await,
        Route::Nowhere(why) => return mark(context, setup, delivery, Mark::GivenUp(why)).await,
    };
    let draft = MailDraft::from(&delivery.report);
    let mail = match draft.report_mail(&body, &address) {
        Ok(mail) => mail,
        Err(error) => return unfit(context, setup, delivery, &error).await,
    };
    let (recipient, date) = (address.to_string(), draft.date_s());
    let outcome = setup
        .mailer
        .deliver(
            &mail,
            &recipient,
            &file_name(delivery),
            date,
            Some(delivery.number),
        )
        .await;
    match outcome {
        DeliveryOutcome::Delivered { reply } => mark(context, setup, delivery, Mark::Delivered(reply)).await,
        DeliveryOutcome::Deferred(failure) | DeliveryOutcome::Unanswered(failure) => {
            mark(context, setup, delivery, Mark::Deferred(failure.to_string())).await
        }
        DeliveryOutcome::RelayUnusable(failure) => unusable(context, setup, delivery, &failure).await,
        DeliveryOutcome::Refused(failure) if is_of_us(&failure) => {
            Ok(AttemptOutcome::Unusable(failure.to_string()))
        }
        DeliveryOutcome::Refused(failure) if is_not_relayed(&failure) => {
            mark(context, setup, delivery, Mark::Deferred(failure.to_string())).await
        }
        DeliveryOutcome::Refused(failure) => refused(context, setup, delivery, &failure, &body).await,
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

/// The relay takes no messages. What it said after it was told of this one may be about this one, which then
/// stands back behind the others: the first in line must not hold up all of them for good.
async fn unusable<D>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
    failure: &DeliveryFailure,
) -> Result<AttemptOutcome, StoreError> {
    let why = failure.to_string();
    if matches!(
        failure.stage,
        DeliveryStage::Rcpt | DeliveryStage::Data | DeliveryStage::Text | DeliveryStage::EndOfData
    ) {
        mark(context, setup, delivery, Mark::Deferred(why.clone())).await?;
    }
    Ok(AttemptOutcome::Unusable(why))
}

/// The name of a message that is written into a directory.
pub(crate) fn file_name(delivery: &Delivery) -> String {
    format!("{}.{}", delivery.report.report_id, delivery.number)
}

async fn unfit<D>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
    error: &Unfit,
) -> Result<AttemptOutcome, StoreError> {
    mark(context, setup, delivery, Mark::GivenUp(error.to_string())).await
}

/// Where it may go by now. Nothing goes out unverified; what was verified lately is not asked about
/// again.
async fn way<D: ReportDns>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
) -> Result<Route, StoreError> {
    let report = &delivery.report;
    let Ok(address) = Address::parse(&delivery.destination) else {
        return Ok(Route::Nowhere(format!(
            "{:?} is no address",
            delivery.destination
        )));
    };
    let facts = Facts::read(&report.facts);
    if facts.copy_to.as_deref() == Some(delivery.destination.as_str()) {
        return Ok(Route::To(address));
    }
    let was_unanswered = facts
        .unverified
        .iter()
        .any(|host| host == address.domain().as_str());
    let age_ms = context.clock.now_ms().saturating_sub(report.created_ms);
    if !was_unanswered && age_ms <= VERIFIED_FOR_MS {
        return Ok(Route::To(address));
    }
    let Ok(policy_domain) = DomainName::parse(&report.policy_domain) else {
        return Ok(Route::Nowhere(format!("{:?} is no domain", report.policy_domain)));
    };
    if is_redirected(context, &report.policy_domain, &address).await? {
        return Ok(Route::To(address));
    }
    let kind = match report.kind {
        ReportKind::Aggregate => DestinationKind::Aggregate,
        ReportKind::Failure => DestinationKind::Failure,
    };
    let way = verified(&context.dns.for_record(), &policy_domain, &address, kind, setup).await;
    match way {
        Route::To(other) if other != address && is_second(context, delivery, &address).await? => {
            Ok(Route::Nowhere(format!(
                "{other} takes the reports of all of {}, and gets this one already",
                address.domain()
            )))
        }
        way => Ok(way),
    }
}

/// Whether the operator wants the reports about this domain there (`outbox redirect`).
async fn is_redirected<D>(
    context: &ReporterContext<D>,
    policy_domain: &str,
    address: &Address,
) -> Result<bool, StoreError> {
    let name = policy_domain.to_owned();
    let redirection = context
        .outbox
        .with(move |outbox| outbox.redirection(&name))
        .await?;
    let uris = redirection.map(|one| one.rua).unwrap_or_default();
    Ok(Addressees::of_operator(&uris).open.contains(address))
}

/// Asks DNS whether this destination may have reports about a policy domain.
pub(crate) async fn verified(
    lookup: &impl Lookup,
    policy_domain: &DomainName,
    address: &Address,
    kind: DestinationKind,
    setup: &ReportSetup,
) -> Route {
    let uri = [format!("mailto:{address}")];
    let limit = setup.settings.keys.max_destinations;
    let suffixes = &setup.settings.suffixes;
    let mut found = Addressees::find(lookup, policy_domain, &uri, kind, limit, suffixes).await;
    if let Some(address) = found.open.pop() {
        return Route::To(address);
    }
    match found.unanswered.pop() {
        Some((_, why)) => Route::Unanswered(why),
        None => Route::Nowhere(found.why_not()),
    }
}

/// Whether another delivery of this report to the same host comes before: where the host has one
/// address in place of all, it gets one message (XD19).
async fn is_second<D>(
    context: &ReporterContext<D>,
    delivery: &Delivery,
    address: &Address,
) -> Result<bool, StoreError> {
    let filter = OutboxFilter {
        report_id: Some(delivery.report.report_id.clone()),
        destination: Some(format!("@{}", address.domain())),
        limit: landmarc_store::MAX_DESTINATIONS,
        ..OutboxFilter::default()
    };
    let number = delivery.number;
    let all = context.read(move |reader| reader.deliveries(&filter)).await?;
    Ok(all.iter().any(|other| other.number < number))
}

/// A refusal for good: of the size, of the destination, or of us.
async fn refused<D>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
    failure: &DeliveryFailure,
    body: &[u8],
) -> Result<AttemptOutcome, StoreError> {
    if is_size(failure) && delivery.report.kind == ReportKind::Aggregate {
        return split::into_smaller(context, setup, delivery, failure, body).await;
    }
    if is_of_destination(failure) {
        strike(context, &delivery.destination, &failure.to_string()).await?;
    }
    mark(context, setup, delivery, Mark::GivenUp(failure.to_string())).await
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

/// Counts a bounce or refusal against a destination.
///
/// # Errors
/// When the store cannot be written.
pub(crate) async fn strike<D>(
    context: &ReporterContext<D>,
    destination: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let (destination, reason) = (destination.to_owned(), reason.to_owned());
    let now_ms = context.clock.now_ms();
    let strikes = strikes();
    let struck = context
        .outbox
        .with(move |outbox| outbox.strike(&destination, &reason, &strikes, now_ms))
        .await?;
    tracing::debug!(strikes = struck.strikes, "a destination refuses its messages");
    Ok(())
}

/// When bounces suppress a destination, and for how long.
pub fn strikes() -> Strikes {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Strikes {
        limit: STRIKES_BEFORE_SUPPRESSION,
        forget_ms: ms(timing::BOUNCES_FORGOTTEN_AFTER),
        suppress_ms: ms(timing::suppression(1)),
        longest_ms: ms(timing::suppression(u32::MAX)),
    }
}

async fn mark<D>(
    context: &ReporterContext<D>,
    setup: &ReportSetup,
    delivery: &Delivery,
    mark: Mark,
) -> Result<AttemptOutcome, StoreError> {
    let now_ms = context.clock.now_ms();
    let (number, owner) = (delivery.number, Arc::clone(&context.owner));
    match mark {
        Mark::Delivered(reply) => {
            mark_delivered(context, delivery, &reply, now_ms).await?;
            Ok(AttemptOutcome::Delivered)
        }
        Mark::Deferred(reason) => {
            let age = Duration::from_millis(now_ms.saturating_sub(delivery.due_ms));
            if setup.settings.retry.is_over(age) {
                let reason = format!("{reason}; given up after {}", in_words(age));
                return give_up(context, delivery, reason, now_ms).await;
            }
            let wait = setup.settings.retry.wait(delivery.attempts, number.0);
            let next_ms = now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            let marked = context
                .outbox
                .with(move |outbox| outbox.deferred(number, &owner, &reason, next_ms))
                .await?;
            Ok(if marked {
                AttemptOutcome::Deferred
            } else {
                AttemptOutcome::Lapsed
            })
        }
        Mark::GivenUp(reason) => give_up(context, delivery, reason, now_ms).await,
    }
}

async fn give_up<D>(
    context: &ReporterContext<D>,
    delivery: &Delivery,
    reason: String,
    now_ms: u64,
) -> Result<AttemptOutcome, StoreError> {
    let (number, owner, told) = (delivery.number, Arc::clone(&context.owner), reason.clone());
    let marked = context
        .outbox
        .with(move |outbox| outbox.given_up(number, &owner, &told, now_ms))
        .await?;
    Ok(if marked {
        AttemptOutcome::GivenUp(reason)
    } else {
        AttemptOutcome::Lapsed
    })
}

/// The message is out: a store that is busy now must not make us send it again.
async fn mark_delivered<D>(
    context: &ReporterContext<D>,
    delivery: &Delivery,
    reply: &str,
    now_ms: u64,
) -> Result<(), StoreError> {
    let mut tried = 0;
    loop {
        let (number, reply) = (delivery.number, reply.to_owned());
        let marked = context
            .outbox
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

/// A span as people say it.
fn in_words(span: Duration) -> String {
    const HOUR: u64 = 3600;
    let hours = span.as_secs() / HOUR;
    match hours {
        0..48 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    }
}
