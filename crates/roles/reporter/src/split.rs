//! A report in two, for a destination that refused it by its size.

use std::sync::Arc;

use landmarc_delivery::DeliveryFailure;
use landmarc_intake::aggregate as intake;
use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::aggregate::{RenderedPart, ReportPart, halve, render};
use landmarc_report::report_id::ReportId;
use landmarc_report::summary::{Portion, TextFacts};
use landmarc_store::{Delivery, NewDelivery, NewReport, Report, StoreError};

use super::attempt::{Attempt, Mark};
use super::context::ReportSetup;
use super::mail_draft::{Facts, MailDraft};
use super::new_report::new_report;
use super::outcome::AttemptOutcome;

impl<D> Attempt<'_, D> {
    /// Puts two smaller reports in place of the delivery; gives it up where it cannot be halved.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) async fn split(
        &self,
        failure: &DeliveryFailure,
        body: &[u8],
    ) -> Result<AttemptOutcome, StoreError> {
        let Self {
            context,
            setup,
            delivery,
        } = self;
        let now_ms = context.clock.now_ms();
        let Some(halves) = halves(setup, delivery, body, now_ms) else {
            let reason = format!("{failure}; and the report cannot be made smaller");
            return self.mark(Mark::GivenUp(reason)).await;
        };
        let (number, owner) = (delivery.number, Arc::clone(&context.owner));
        let reason = format!("{failure}; sent again in two parts");
        let replaced = context
            .outbox
            .with(move |outbox| outbox.replace(number, &owner, &reason, &halves, now_ms))
            .await?;
        Ok(replaced.map_or(AttemptOutcome::Lapsed, |made| AttemptOutcome::Split(made.len())))
    }
}

/// The two halves of a stored report, for the destination of this delivery; none where one row is all,
/// or the body is none of ours.
fn halves(setup: &ReportSetup, delivery: &Delivery, body: &[u8], now_ms: u64) -> Option<Vec<NewReport>> {
    let report = &delivery.report;
    let submitter = MailDraft::from(report).submitter().ok()?;
    let destination = Address::parse(&delivery.destination).ok()?;
    let part = ReportPart {
        number: report.part,
        report: intake::read(body, &intake::ReadLimits::default()).ok()?.report,
    };
    let (first, second) = halve(&part, &submitter)?;
    let halves = [first, second].map(|half| half_of(setup, report, &half, &destination, now_ms));
    halves.into_iter().collect()
}

fn half_of(
    setup: &ReportSetup,
    whole: &Report,
    half: &ReportPart,
    to: &Address,
    now_ms: u64,
) -> Option<NewReport> {
    let submitter = MailDraft::from(whole).submitter().ok()?;
    let policy_domain = DomainName::parse(&whole.policy_domain).ok()?;
    let from = Address::parse(&whole.email).ok()?;
    let report_id = ReportId::parse(&half.report.metadata.report_id)?;
    let facts = Facts::read(&whole.facts);
    let gaps = facts.gaps.clone();
    let text = TextFacts {
        organization: &whole.organization,
        from: &from,
        contact: setup.settings.reporter.contact.as_deref().unwrap_or_default(),
        submitter: &submitter,
        policy_domain: &policy_domain,
        report_id: &report_id,
        begin: whole.begin_s,
        end: whole.end_s,
        portion: Portion::Half,
        gaps: &gaps,
    };
    // The form is that of the whole one only as long as the setting stays: either can be read.
    let rendered = render(&half.report, setup.settings.form).ok()?;
    let part = RenderedPart::new(half, rendered);
    Some(NewReport {
        deliveries: vec![NewDelivery {
            destination: to.to_string(),
            message_id: report_id.message_id(&submitter, to),
            next_ms: now_ms,
        }],
        ..new_report(part, &text, facts, whole.day, &whole.configuration, now_ms)
    })
}
