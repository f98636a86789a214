//! What a relay said, or that it said nothing, and what that means for the letter.

use mail_send::smtp::auth;
use mail_send::{Error, SmtpClient};
use tokio::time::{Duration, Instant};

use super::wire::Wire;
use crate::outcome::{Failure, Outcome, Stage, printable};

/// A reply (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// 200 to 599.
    pub(super) code: u16,
    /// `5.1.1`, if it is of the class of the code (RFC 2034 §4).
    enhanced: Option<String>,
    /// All of it, printable.
    pub(super) words: String,
}

impl Reply {
    /// From the parts that `mail-send` finds; none when the code is no code.
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

    pub(super) fn into_failure(self, stage: Stage) -> Failure {
        Failure {
            stage,
            code: Some(self.code),
            is_size: self.is_about_size(),
            enhanced: self.enhanced,
            words: self.words,
        }
    }

    /// What it means for a letter when it is not what was hoped for.
    pub(super) fn into_outcome(self, stage: Stage) -> Outcome {
        let code = self.code;
        let failure = self.into_failure(stage);
        match code {
            // RFC 4954 §6 and RFC 3207 §4: first AUTH, or STARTTLS. Of no letter in particular.
            421 | 530 => Outcome::RelayUnusable(failure),
            500..=599 => Outcome::Refused(failure),
            // 4xx; and what is out of place, which is no final word.
            _ => Outcome::Deferred(failure),
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
pub(super) enum Broken {
    /// The connection is gone.
    Closed(String),
    /// What came is no reply.
    Garbage(String),
    /// Nothing came.
    Silence(Duration),
}

impl Broken {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Closed(words) | Self::Garbage(words) => words.clone(),
            Self::Silence(limit) if limit.as_secs() == 0 => "the time for this letter is over".to_owned(),
            Self::Silence(limit) => format!("no answer within {} s", limit.as_secs()),
        }
    }

    pub(super) fn into_failure(self, stage: Stage) -> Failure {
        Failure::new(stage, &self.words())
    }
}

/// A reply that was not hoped for, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unhappy {
    Said(Reply),
    Broken(Broken),
}

impl Unhappy {
    pub(super) fn into_failure(self, stage: Stage) -> Failure {
        match self {
            Self::Said(reply) => reply.into_failure(stage),
            Self::Broken(broken) => broken.into_failure(stage),
        }
    }
}

/// Until when a letter may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) deadline: Instant,
}

impl Clock {
    /// What is left for a step that may take so long.
    pub(super) fn limit(self, step: Duration) -> Duration {
        step.min(self.deadline.saturating_duration_since(Instant::now()))
    }
}

/// Reads one reply.
pub(super) async fn read(client: &mut SmtpClient<Wire>, limit: Duration) -> Result<Reply, Broken> {
    client.stream.expect_reply();
    let Ok(read) = tokio::time::timeout(limit, client.read()).await else {
        return Err(Broken::Silence(limit));
    };
    let response = read.map_err(|error| broken(&error, &client.stream, limit))?;
    Reply::new(response.code, response.esc, &response.message).ok_or_else(|| no_reply(&client.stream))
}

/// What an error of `mail-send` says.
pub(super) fn unhappy(error: Error, wire: &Wire, limit: Duration) -> Unhappy {
    match error {
        Error::UnexpectedReply(response) | Error::AuthenticationFailed(response) => {
            match Reply::new(response.code, response.esc, &response.message) {
                Some(reply) => Unhappy::Said(reply),
                None => Unhappy::Broken(no_reply(wire)),
            }
        }
        other => Unhappy::Broken(broken(&other, wire, limit)),
    }
}

fn broken(error: &Error, wire: &Wire, limit: Duration) -> Broken {
    match error {
        Error::Timeout => Broken::Silence(limit),
        Error::UnparseableReply if wire.is_closed() => Broken::Closed("the connection was closed".to_owned()),
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Broken::Garbage(error.to_string())
        }
        Error::Io(error) => Broken::Closed(format!("the connection failed: {error}")),
        Error::UnsupportedAuthMechanism => {
            Broken::Garbage("the relay offers neither AUTH PLAIN nor AUTH LOGIN".to_owned())
        }
        Error::Auth(auth::Error::InvalidChallenge) | Error::Base64(_) => {
            Broken::Garbage("a challenge that asks for neither name nor password".to_owned())
        }
        _ => no_reply(wire),
    }
}

fn no_reply(wire: &Wire) -> Broken {
    Broken::Garbage(format!(
        "this is no SMTP reply: \"{}\"",
        wire.last_line().trim_ascii_end().escape_ascii()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: u16, enhanced: [u8; 3]) -> Outcome {
        let reply = Reply::new(code, enhanced, "said").unwrap();
        reply.into_outcome(Stage::Rcpt)
    }

    #[test]
    fn the_first_digit_decides_but_for_what_is_said_of_the_relay() {
        assert!(matches!(outcome(450, [4, 2, 1]), Outcome::Deferred(_)));
        assert!(matches!(outcome(452, [4, 5, 3]), Outcome::Deferred(_)));
        assert!(matches!(outcome(550, [5, 1, 1]), Outcome::Refused(_)));
        assert!(matches!(outcome(554, [0, 0, 0]), Outcome::Refused(_)));
        assert!(matches!(outcome(421, [4, 3, 2]), Outcome::RelayUnusable(_)));
        assert!(matches!(outcome(530, [5, 7, 0]), Outcome::RelayUnusable(_)));
        assert!(matches!(outcome(354, [0, 0, 0]), Outcome::Deferred(_)));
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
        let words = |code, enhanced, text| Reply::new(code, enhanced, text).map(|reply| reply.words);
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
        let reply = Reply::new(550, [2, 1, 5], "a").unwrap();
        assert_eq!(reply.words, "550 2.1.5 a");
        assert_eq!(reply.into_failure(Stage::Rcpt).enhanced, None);
    }
}
