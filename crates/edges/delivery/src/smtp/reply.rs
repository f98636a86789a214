//! What a relay said, or that it said nothing, and what that means for the message.

use smtp_proto::response::parser::ResponseReceiver;
use tokio::time::{Duration, Instant};

use crate::outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage, printable};

/// Octets of a line that are quoted when it is no reply.
const QUOTED_OCTETS: usize = 120;

/// A reply (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SmtpReply {
    /// 200 to 599.
    pub(super) code: u16,
    /// `5.1.1`, if it is of the class of the code (RFC 2034 §4).
    enhanced: Option<String>,
    /// All of it, printable.
    pub(super) words: String,
}

impl SmtpReply {
    /// Reads the lines of one reply.
    pub(super) fn parse(octets: &[u8]) -> Result<Self, NoReply> {
        let response = ResponseReceiver::default().parse(&mut octets.iter()).ok();
        response
            .and_then(|response| Self::new(response.code, response.esc, &response.message))
            .ok_or_else(|| NoReply::garbage(octets))
    }

    /// From the parts of a reply; none when the code is no code.
    fn new(code: u16, enhanced: [u8; 3], text: &str) -> Option<Self> {
        if !(200..=599).contains(&code) {
            return None;
        }
        let [class, subject, detail] = enhanced;
        let dotted = format!("{class}.{subject}.{detail}");
        let enhanced = (u16::from(class) == code / 100).then(|| dotted.clone());
        let words = match class {
            0 => printable(&format!("{code} {text}")),
            _ => printable(&format!("{code} {dotted} {text}")),
        };
        Some(Self {
            code,
            enhanced,
            words,
        })
    }

    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// "Go on": the answer to DATA.
    pub(super) fn is_intermediate(&self) -> bool {
        (300..400).contains(&self.code)
    }

    /// Whether the relay hangs up behind this (RFC 5321 §3.8).
    pub(super) fn is_farewell(&self) -> bool {
        self.code == 421
    }

    pub(super) fn into_failure(self, stage: DeliveryStage) -> DeliveryFailure {
        DeliveryFailure {
            stage,
            code: Some(self.code),
            is_size: self.is_about_size(),
            enhanced: self.enhanced,
            words: self.words,
        }
    }

    /// What it means for a message when it is not what was hoped for.
    pub(super) fn into_outcome(self, stage: DeliveryStage) -> DeliveryOutcome {
        let code = self.code;
        let failure = self.into_failure(stage);
        match code {
            // RFC 4954 §6 and RFC 3207 §4: first AUTH, or STARTTLS. Of no message in particular.
            421 | 530 => DeliveryOutcome::RelayUnusable(failure),
            500..=599 => DeliveryOutcome::Refused(failure),
            // 4xx; and what is out of place, which is no final word.
            _ => DeliveryOutcome::Deferred(failure),
        }
    }

    fn is_about_size(&self) -> bool {
        match self.enhanced.as_deref() {
            // RFC 3463 §3.4, §3.3: too big for the system, over an administrative limit.
            Some("5.3.4" | "5.2.3") => true,
            Some(_) => false,
            // RFC 1870 §6.1 and §6.3: this is what 552 says of a size.
            None => self.code == 552,
        }
    }
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// The connection is gone.
    Closed(String),
    /// What came is no reply.
    Garbage(String),
    /// Nothing came.
    Silence(Duration),
}

impl NoReply {
    /// Quotes the last line of what is no reply.
    pub(super) fn garbage(octets: &[u8]) -> Self {
        let line = octets.trim_ascii_end();
        let line = line.rsplit(|&octet| octet == b'\n').next().unwrap_or_default();
        let start = line.get(..QUOTED_OCTETS).unwrap_or(line);
        Self::Garbage(format!("this is no SMTP reply: \"{}\"", start.escape_ascii()))
    }

    pub(super) fn words(&self) -> String {
        match self {
            Self::Closed(words) | Self::Garbage(words) => words.clone(),
            Self::Silence(limit) if limit.as_secs() == 0 => "the time for this message is over".to_owned(),
            Self::Silence(limit) => format!("no answer within {} s", limit.as_secs()),
        }
    }

    pub(super) fn into_failure(self, stage: DeliveryStage) -> DeliveryFailure {
        DeliveryFailure::new(stage, &self.words())
    }
}

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReplyError {
    /// The relay refused it.
    Refused(SmtpReply),
    /// There is no reply.
    Broken(NoReply),
}

impl From<NoReply> for ReplyError {
    fn from(broken: NoReply) -> Self {
        Self::Broken(broken)
    }
}

impl ReplyError {
    pub(super) fn into_failure(self, stage: DeliveryStage) -> DeliveryFailure {
        match self {
            Self::Refused(reply) => reply.into_failure(stage),
            Self::Broken(broken) => broken.into_failure(stage),
        }
    }
}

/// Until when a message may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) deadline: Instant,
}

impl Deadline {
    /// What is left for a step that may take so long.
    pub(super) fn limit(self, step: Duration) -> Duration {
        step.min(self.deadline.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: u16, enhanced: [u8; 3]) -> DeliveryOutcome {
        let reply = SmtpReply::new(code, enhanced, "said").unwrap();
        reply.into_outcome(DeliveryStage::Rcpt)
    }

    #[test]
    fn the_first_digit_decides_but_for_what_is_said_of_the_relay() {
        assert!(matches!(outcome(450, [4, 2, 1]), DeliveryOutcome::Deferred(_)));
        assert!(matches!(outcome(452, [4, 5, 3]), DeliveryOutcome::Deferred(_)));
        assert!(matches!(outcome(550, [5, 1, 1]), DeliveryOutcome::Refused(_)));
        assert!(matches!(outcome(554, [0, 0, 0]), DeliveryOutcome::Refused(_)));
        assert!(matches!(
            outcome(421, [4, 3, 2]),
            DeliveryOutcome::RelayUnusable(_)
        ));
        assert!(matches!(
            outcome(530, [5, 7, 0]),
            DeliveryOutcome::RelayUnusable(_)
        ));
        assert!(matches!(outcome(354, [0, 0, 0]), DeliveryOutcome::Deferred(_)));
    }

    #[test]
    fn what_is_about_size_is_told_by_the_enhanced_code_or_by_552() {
        for (code, enhanced, is_size) in [
            (552, [0, 0, 0], true),
            (552, [5, 3, 4], true),
            (554, [5, 3, 4], true),
            (552, [5, 2, 3], true),
            (552, [5, 2, 2], false), // the mailbox is full
            (550, [0, 0, 0], false),
            (452, [4, 3, 4], false),
        ] {
            let failure = outcome(code, enhanced).failure().cloned().unwrap();
            assert_eq!(failure.is_size, is_size, "{code} {enhanced:?}");
        }
    }

    #[test]
    fn a_reply_is_quoted_with_its_codes() {
        let words = |code, enhanced, text| SmtpReply::new(code, enhanced, text).map(|reply| reply.words);
        assert_eq!(
            words(550, [5, 1, 1], "<a@b.example>:\nno").as_deref(),
            Some("550 5.1.1 <a@b.example>: no")
        );
        assert_eq!(words(250, [0, 0, 0], "").as_deref(), Some("250"));
        assert_eq!(words(199, [0, 0, 0], ""), None);
        assert_eq!(words(600, [0, 0, 0], ""), None);
    }

    #[test]
    fn an_enhanced_code_of_another_class_is_quoted_and_not_believed() {
        let reply = SmtpReply::new(550, [2, 1, 5], "a").unwrap();
        assert_eq!(reply.words, "550 2.1.5 a");
        assert_eq!(reply.into_failure(DeliveryStage::Rcpt).enhanced, None);
    }
}
