//! Failure reports, as the filter asks for them.

use std::sync::Arc;
use std::time::Duration;

use landmarc_dns::resolver::Resolver;
use landmarc_store::StoreError;
use tokio::time::sleep;

use super::super::context::ReporterContext;
use super::super::failure::{FailureReporter, Made};
use super::super::settings::ReportSettings;
use super::{Ready, ReporterState};
use landmarc_runtime::failure_reports::{Candidates, FailureCandidate};
use landmarc_runtime::stop::Stop;

/// How long a failure report waits that the store did not take.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// Makes failure reports of what the filter hands on. One that is being made when it is to stop is made
/// no more.
pub(super) async fn take_candidates(state: Arc<ReporterState>, mut candidates: Candidates, stop: Stop) {
    let mut failures: Option<FailureReporter> = None;
    loop {
        tokio::select! {
            candidate = candidates.recv() => match candidate {
                Some(candidate) => state.take(&mut failures, &candidate, &stop).await,
                None => return,
            },
            () = stop.wait() => return,
        }
    }
}

impl ReporterState {
    /// While the store cannot be written the message waits, and others behind it, as many as there is room for.
    async fn take(&self, failures: &mut Option<FailureReporter>, candidate: &FailureCandidate, stop: &Stop) {
        let word = loop {
            match self.try_one(failures, candidate, stop).await {
                Ok(Some(made)) => break made.word(),
                Ok(None) => return,
                Err(error) if may_pass(&error) => {
                    tracing::debug!("a failure report waits: {}", error.in_full());
                    tokio::select! {
                        () = sleep(BETWEEN_TRIES) => {}
                        () = stop.wait() => return,
                    }
                }
                Err(error) => {
                    tracing::debug!("a failure report was not made: {}", error.in_full());
                    break "failed";
                }
            }
        };
        self.metrics.failure_report(word);
    }

    /// None where nothing is reported.
    async fn try_one(
        &self,
        failures: &mut Option<FailureReporter>,
        candidate: &FailureCandidate,
        stop: &Stop,
    ) -> Result<Option<Made>, StoreError> {
        let Some(Ready { context, setup, .. }) = self.ready_or_stop(stop).await else {
            return match ReportSettings::of(&self.current.get().settings) {
                // It is the store that is in the way.
                Ok(_) => Err(StoreError::Ended),
                Err(_) => Ok(None),
            };
        };
        let made = take_one(failures, &context, &setup.settings, candidate).await?;
        if made == Made::Queued {
            self.queued.notify_one();
        }
        Ok(Some(made))
    }
}

/// Whether it is worth another try.
fn may_pass(error: &StoreError) -> bool {
    !error.is_final() && !matches!(error, StoreError::TooLong { .. } | StoreError::Panicked { .. })
}

async fn take_one(
    failures: &mut Option<FailureReporter>,
    context: &ReporterContext<Resolver>,
    settings: &Arc<ReportSettings>,
    candidate: &FailureCandidate,
) -> Result<Made, StoreError> {
    let failures = match failures {
        Some(failures) => failures,
        none => none.insert(FailureReporter::open(context, settings).await?),
    };
    failures.take(context, settings, candidate).await
}
