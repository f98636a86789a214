//! Messages that wait for their moment in the spread, sent now.

use std::collections::HashSet;

use landmarc_store::{DeliveryState, OutboxFilter, Resend, StoreError};

use super::assemble::Selection;
use super::context::ReporterContext;

/// Deliveries that are made due at once; of more, the newest.
const MAX_HASTENED: usize = 100_000;

/// Makes the messages due now that wait for their moment in the spread. Those that were tried wait on.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn hasten<D>(context: &ReporterContext<D>, selection: &Selection) -> Result<(), StoreError> {
    let queued = OutboxFilter {
        state: Some(DeliveryState::Queued),
        limit: MAX_HASTENED,
        ..OutboxFilter::default()
    };
    let mut filters = vec![queued.clone()];
    if !selection.is_all() {
        let all = context.read({
            let queued = queued.clone();
            move |reader| reader.deliveries(&queued)
        });
        let domains: HashSet<_> = all
            .await?
            .into_iter()
            .map(|delivery| delivery.report.policy_domain)
            .collect();
        let chosen = domains.into_iter().filter(|domain| selection.has(domain));
        let of_domain = |domain| OutboxFilter {
            policy_domain: Some(domain),
            ..queued.clone()
        };
        filters = chosen.map(of_domain).collect();
    }
    let now_ms = context.clock.now_ms();
    context
        .outbox
        .with(move |outbox| {
            for filter in &filters {
                outbox.retry(filter, Resend::Unfinished, now_ms)?;
            }
            Ok(())
        })
        .await
}
