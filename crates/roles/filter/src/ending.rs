//! The end of a message: judged, passed by or given up, and what the MTA is told of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use landmarc_milter::{Edit, Response};
use landmarc_observation::Observation;
use landmarc_receiver::policy::{EnforcementMode, OnFailure};
use landmarc_receiver::seen::Seen;
use landmarc_receiver::{Judgement, Removal};
use landmarc_store::RecorderState;

use super::answer::{self, NotJudged, response, unjudged};
use super::message::Message;
use super::record::{self, RecordIds};
use super::reporting::Traffic;
use super::{FilterSession, Skipped, UNKNOWN_QUEUE_ID, findings};
use crate::log_line;

impl FilterSession {
    /// What is found, and what the MTA is to be told; nothing when a part of it panicked.
    pub(super) async fn judge(
        &self,
        message: Box<Message>,
        queue_id: &str,
        id: &str,
    ) -> Option<(Judgement, Traffic, Response)> {
        let has_reader = message.recipients.have_reader();
        let known = Some(queue_id).filter(|queue_id| *queue_id != UNKNOWN_QUEUE_ID);
        let seen = match self.running.in_force.settings.action.evidence_from_records {
            true => self.common.seen.now(),
            false => Seen::Off,
        };
        let (judgement, traffic) = message.finish(id, known, &self.rules, &seen).await?;
        let mut response = response(&judgement);
        if self.running.in_force.settings.software_header {
            response
                .edits
                .push(answer::software(&self.rules.authserv_id, queue_id));
        }
        if judgement.is_taken_against_policy() && !has_reader {
            response.edits.extend(self.copy());
        }
        Some((judgement, traffic, response))
    }

    /// The copy for a human to look at.
    fn copy(&self) -> Option<Edit> {
        let edit = self.running.copy_to.as_ref()?.edit(self.adding);
        if edit.is_none() && !self.common.warned_of_no_copies.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the mail server lets no filter add recipients: nobody gets the copies of action.copy_to"
            );
        }
        edit
    }

    pub(super) fn skip(&self, why: Skipped, queue_id: &str) {
        let client = self
            .client
            .map_or_else(|| "local".to_owned(), |client| client.to_string());
        log_line::skipped(queue_id, &client, why.as_str(), self.interface);
        self.common.metrics.skipped(why);
    }

    /// What keeps the message from being judged at all.
    pub(super) fn obstacle(&self, message: &Message) -> Option<NotJudged> {
        let may_not_be_lost = self.rules.mode == EnforcementMode::Enforce
            && matches!(self.rules.failures.store, OnFailure::TempFail { .. });
        if message.unjudged.is_some() {
            message.unjudged
        } else if may_not_be_lost && self.common.recorder.state() == RecorderState::Degraded {
            Some(NotJudged::Store)
        } else {
            None
        }
    }

    /// The answer to a message that is not judged; that, too, is written down.
    pub(super) async fn give_up(
        &mut self,
        why: NotJudged,
        queue_id: &str,
        id: &str,
        removals: &[Removal],
    ) -> Response {
        why.log(queue_id, id);
        self.common.metrics.failed(why.as_str());
        let response = unjudged(why, &self.rules, self.client, id, removals);
        let action = match response.verdict {
            landmarc_milter::Verdict::Reply { .. } => "tempfail",
            _ => "accept",
        };
        let moment = RecordIds {
            queue_id,
            id,
            elapsed: Duration::ZERO,
        };
        let observation = Observation {
            client: self.client,
            ..record::unjudged(action, why.reason(), &moment)
        };
        self.log_if_late(self.common.recorder.record(observation).await, &moment);
        self.keep(|| findings::unjudged(why, &response, queue_id, id));
        response
    }
}
