//! One message over an open connection: MAIL, RCPT, DATA, the text (RFC 5321 §3.3).

use tokio::time::{Duration, Instant};

use super::limits;
use super::reply::{Deadline, NoReply, SmtpReply};
use super::session::SmtpSession;
use super::text::DotStuffed;
use crate::Submission;
use crate::outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage};

/// What came of a message on this connection.
pub(super) enum Sent {
    /// That is the outcome.
    Over(DeliveryOutcome),
    /// The relay had left a connection that was kept from an earlier message. Nothing was
    /// sent; a new connection is worth a try.
    Stale,
}

/// A command and how long its answer may take.
struct Step {
    stage: DeliveryStage,
    line: String,
    limit: Duration,
}

impl Step {
    fn is_reset(&self) -> bool {
        self.line == RESET
    }
}

/// Ends what an earlier message began (RFC 5321 §4.1.1.5).
const RESET: &str = "RSET\r\n";

impl SmtpSession {
    /// Sends one message. `grace` is how long the answer to the final dot may take.
    pub(super) async fn send(
        &mut self,
        submission: &Submission<'_>,
        clock: Deadline,
        grace: Duration,
    ) -> Sent {
        if let Some(longest) = self.longest.filter(|&longest| submission.octets() > longest) {
            return Sent::Over(DeliveryOutcome::Refused(too_large(longest, submission.octets())));
        }
        let is_reused = self.messages > 0;
        self.messages += 1;
        let handed = match self.ask(submission, is_reused, clock).await {
            Ok(()) => Sent::Over(self.send_text(submission, clock, grace).await),
            Err(sent) => sent,
        };
        self.last_used = Instant::now();
        handed
    }

    /// The commands up to DATA; without an error the relay waits for the text.
    async fn ask(
        &mut self,
        submission: &Submission<'_>,
        is_reused: bool,
        clock: Deadline,
    ) -> Result<(), Sent> {
        let steps = self.steps(submission);
        if self.pipelining {
            // RFC 2920 §3.1: RSET, MAIL and RCPT may be followed at once, DATA ends a group.
            let lines: String = steps.iter().map(|step| step.line.as_str()).collect();
            let written = self
                .connection
                .write(lines.as_bytes(), clock.limit(limits::MAIL))
                .await;
            written.map_err(|broken| self.breakdown(broken, DeliveryStage::Mail, is_reused))?;
        }
        let mut refused = None;
        for (number, step) in steps.iter().enumerate() {
            let is_first = is_reused && number == 0;
            let reply = match self.command(step, clock).await {
                Ok(reply) => reply,
                Err(broken) => {
                    let sent = self.breakdown(broken, step.stage, is_first);
                    // Who has refused and then hangs up has still refused.
                    return Err(refused.map_or(sent, Sent::Over));
                }
            };
            if is_first && (reply.is_farewell() || step.is_reset() && !reply.is_positive()) {
                self.is_usable = false;
                return Err(Sent::Stale);
            }
            self.is_usable &= !reply.is_farewell();
            if let Some(outcome) = self.judge(step, reply, refused.is_some(), clock).await {
                refused.get_or_insert(outcome);
                // Behind 421 there is nothing more to read (RFC 5321 §3.8).
                if !self.pipelining || !self.is_usable {
                    break;
                }
            }
        }
        refused.map_or(Ok(()), |outcome| Err(Sent::Over(outcome)))
    }

    fn steps(&self, submission: &Submission<'_>) -> Vec<Step> {
        let size = if self.announces_size {
            format!(" SIZE={}", submission.octets())
        } else {
            String::new()
        };
        let step = |stage, line, limit| Step { stage, line, limit };
        let reset = self
            .is_unfinished
            .then(|| step(DeliveryStage::Mail, RESET.to_owned(), limits::MAIL));
        let from = format!("MAIL FROM:<{}>{size}\r\n", submission.return_path);
        let to = format!("RCPT TO:<{}>\r\n", submission.recipient);
        let others = [
            step(DeliveryStage::Mail, from, limits::MAIL),
            step(DeliveryStage::Rcpt, to, limits::RCPT),
            step(DeliveryStage::Data, "DATA\r\n".to_owned(), limits::DATA),
        ];
        reset.into_iter().chain(others).collect()
    }

    /// The answer to one command, which may have been sent before.
    async fn command(&mut self, step: &Step, clock: Deadline) -> Result<SmtpReply, NoReply> {
        let limit = clock.limit(step.limit);
        if !self.pipelining {
            self.connection.write(step.line.as_bytes(), limit).await?;
        }
        self.connection.read(limit).await
    }

    /// What an answer means; nothing when all is well so far.
    async fn judge(
        &mut self,
        step: &Step,
        reply: SmtpReply,
        was_refused: bool,
        clock: Deadline,
    ) -> Option<DeliveryOutcome> {
        if step.stage == DeliveryStage::Data && reply.is_intermediate() {
            if was_refused {
                self.send_nothing(clock).await;
            }
            return None;
        }
        if step.stage != DeliveryStage::Data && reply.is_positive() {
            self.is_unfinished = true;
            return None;
        }
        // An answer that is out of place: nobody knows what the next one will be to.
        self.is_usable &= reply.code >= 400;
        Some(reply.into_outcome(step.stage))
    }

    /// RFC 2920 §3.1: DATA may be accepted though no recipient was; "the client SMTP should
    /// send a single dot".
    async fn send_nothing(&mut self, clock: Deadline) {
        let limit = clock.limit(limits::DATA);
        let answered = match self.connection.write(b".\r\n", limit).await {
            Ok(()) => self.connection.read(limit).await,
            Err(broken) => Err(broken),
        };
        self.is_usable &= answered.is_ok_and(|reply| !reply.is_farewell());
    }

    /// The text and what is said to it.
    async fn send_text(
        &mut self,
        submission: &Submission<'_>,
        clock: Deadline,
        grace: Duration,
    ) -> DeliveryOutcome {
        let mut text = DotStuffed::new(submission.message);
        let mut room = Vec::with_capacity(limits::TEXT_OCTETS);
        loop {
            let more = text.fill(&mut room, limits::TEXT_OCTETS);
            let written = self.connection.write(&room, clock.limit(limits::TEXT)).await;
            match (written, more) {
                (Ok(()), true) => {}
                (Ok(()), false) => break,
                (Err(broken), true) => return self.interrupted(broken).await,
                // The dot may be among what still got through.
                (Err(broken), false) => return self.unanswered(broken),
            }
        }
        let reply = match self.connection.read(limits::END_OF_DATA.min(grace)).await {
            Ok(reply) => reply,
            Err(broken) => return self.unanswered(broken),
        };
        self.is_unfinished = false;
        self.is_usable &= !reply.is_farewell() && !reply.is_intermediate();
        if reply.is_positive() {
            DeliveryOutcome::Delivered { reply: reply.words }
        } else {
            reply.into_outcome(DeliveryStage::EndOfData)
        }
    }

    /// The relay would not take all of the text. Sometimes it has said why, and hung up.
    async fn interrupted(&mut self, broken: NoReply) -> DeliveryOutcome {
        self.is_usable = false;
        match self.connection.read(limits::LAST_WORD).await {
            Ok(reply) if reply.code >= 400 => reply.into_outcome(DeliveryStage::Text),
            _ => DeliveryOutcome::Deferred(broken.into_failure(DeliveryStage::Text)),
        }
    }

    fn unanswered(&mut self, broken: NoReply) -> DeliveryOutcome {
        self.is_usable = false;
        DeliveryOutcome::Unanswered(broken.into_failure(DeliveryStage::EndOfData))
    }

    /// The connection broke where nothing of the text was sent.
    fn breakdown(&mut self, broken: NoReply, stage: DeliveryStage, is_first: bool) -> Sent {
        self.is_usable = false;
        match broken {
            NoReply::Closed(_) if is_first => Sent::Stale,
            other => Sent::Over(DeliveryOutcome::Deferred(other.into_failure(stage))),
        }
    }
}

fn too_large(longest: usize, octets: usize) -> DeliveryFailure {
    let words = format!("the relay takes messages of at most {longest} octets, this one has {octets}");
    DeliveryFailure {
        is_size: true,
        ..DeliveryFailure::new(DeliveryStage::Mail, &words)
    }
}
