//! What follows a verdict: it is written down, logged, counted and offered to whoever reports.
//!
//! Nothing of it can take the verdict back, and the MTA waits for it no longer than the record does.

use landmarc_receiver::Judgement;
use landmarc_receiver::explanation::explain;
use landmarc_store::{Recorded, RecorderState};

use super::record::{self, RecordIds};
use super::reporting::Traffic;
use super::{FilterSession, now};
use crate::log_line;
use landmarc_runtime::failure_reports::Offered;

impl FilterSession {
    /// Decision D13: what is answered is written down first, on disk if that is not long. The
    /// record is on its way while the log line is written.
    pub(super) async fn write_down(&self, judgement: &Judgement, traffic: Traffic, moment: &RecordIds<'_>) {
        let is_wanted = self.common.keeps_traces || tracing::enabled!(tracing::Level::DEBUG);
        let explanation = is_wanted.then(|| explain(judgement));
        let kept = explanation.as_deref().filter(|_| self.common.keeps_traces);
        let mut observation = record::judged(judgement, kept, moment, traffic.incidental);
        if self.stays_out_of_reports {
            observation.row = None;
        }
        let record = self.common.recorder.record(observation);
        log_line::message(moment.queue_id, judgement, moment.elapsed, self.interface);
        self.common.metrics.message(judgement, moment.elapsed);
        if let Some(explanation) = explanation {
            tracing::debug!(queue_id = %moment.queue_id, "{explanation}");
        }
        self.log_if_late(record.await, moment);
        self.offer(judgement, traffic, moment);
    }

    /// Decision D20: offers it to whoever makes failure reports, where its domain asks for them.
    fn offer(&self, judgement: &Judgement, traffic: Traffic, moment: &RecordIds<'_>) {
        let reporting = &self.running.reporting;
        let Some(offers) = self
            .common
            .offers
            .get()
            .filter(|_| reporting.makes_failure_reports() && !self.stays_out_of_reports)
        else {
            return;
        };
        let moment = landmarc_report::failure::MtaFacts {
            arrived: now(),
            queue_id: moment.queue_id.to_owned(),
            authserv_id: self.rules.authserv_id.clone(),
            source_port: self.client_port,
            ..landmarc_report::failure::MtaFacts::default()
        };
        let Some(candidate) = reporting.candidate(judgement, traffic, moment) else {
            return;
        };
        let offered = offers.offer(candidate);
        self.common.metrics.failure_candidate(offered);
        if offered == Offered::Dropped
            && let Some(messages) = self.common.unreported.count()
        {
            tracing::warn!(
                messages,
                "no failure reports about these: too many wait for the reporter already"
            );
        }
    }

    /// Decision D13: a crash now would lose the record. While the store takes nothing at all, its
    /// own lines say so, once.
    pub(super) fn log_if_late(&self, recorded: Recorded, moment: &RecordIds<'_>) {
        let RecordIds { queue_id, id, .. } = moment;
        if recorded == Recorded::Committed || self.common.recorder.state() != RecorderState::Ok {
            return;
        }
        if recorded == Recorded::Later {
            tracing::debug!(queue_id = %queue_id, id = %id, "answered before it was written down");
            if let Some(messages) = self.common.late.count() {
                tracing::warn!(
                    messages,
                    "answered before they were written down: the disk is slow; the records follow"
                );
            }
        } else {
            tracing::debug!(queue_id = %queue_id, id = %id, "answered and not written down");
            if let Some(messages) = self.common.dropped.count() {
                tracing::warn!(
                    messages,
                    "answered and not written down: no room in memory (store.memory), or nobody writes any more"
                );
            }
        }
    }
}
