//! The order in which packets may come: a pure function from stage to stage.

use crate::codec::Code;

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Nothing has been settled on.
    New,
    /// Settled; no SMTP client yet.
    Agreed,
    /// A client, and no message.
    Idle,
    /// A message, of which there is the envelope, or part of it.
    Envelope,
    /// Header fields.
    Headers,
    /// The header section has ended.
    Body,
}

/// What a packet brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The stage after it.
    pub to: Stage,
    /// Whether a message that was under way is dropped by it.
    pub drops_message: bool,
}

/// A packet that has no business here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {code:?} packet in the stage {stage:?}")]
pub struct OrderError {
    /// What came.
    pub code: Code,
    /// When it came.
    pub stage: Stage,
}

impl Stage {
    /// Whether a message is under way.
    #[must_use]
    pub const fn is_within_message(self) -> bool {
        matches!(self, Self::Envelope | Self::Headers | Self::Body)
    }

    /// The stage that follows on a packet of this kind.
    ///
    /// Greeting anew and a new MAIL drop a message that was under way, as they do in
    /// SMTP; all else has one place.
    ///
    /// # Errors
    /// When such a packet cannot come at this stage. MTAs do not do that; to guess
    /// what it means could mix up two messages.
    pub fn step(self, code: Code) -> Result<Step, OrderError> {
        use Stage::{Agreed, Body, Envelope, Headers, Idle, New};
        let to = match (code, self) {
            (Code::Quit, _) | (Code::Macros | Code::Unknown, Agreed | Idle | Envelope | Headers | Body) => {
                self
            }
            (Code::Negotiate, New) => Agreed,
            (Code::Negotiate, _) | (_, New) => return Err(OrderError { code, stage: self }),
            (Code::QuitNewConnection, _) | (Code::Abort, Agreed) => Agreed,
            (Code::Connect, Agreed) | (Code::Helo | Code::Abort, _) | (Code::EndOfMessage, Body) => Idle,
            (Code::Mail, _) | (Code::Rcpt | Code::Data, Envelope) => Envelope,
            (Code::Header, Envelope | Headers) => Headers,
            (Code::EndOfHeaders, Envelope | Headers) | (Code::Body, Body) => Body,
            _ => return Err(OrderError { code, stage: self }),
        };
        let drops_message = self.is_within_message()
            && matches!(
                code,
                Code::Abort | Code::Helo | Code::Mail | Code::Quit | Code::QuitNewConnection
            );
        Ok(Step { to, drops_message })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &[u8] = b"ODCHMRTLNBEAQKU";

    fn all_codes() -> impl Iterator<Item = Code> {
        CODES.iter().filter_map(|octet| Code::from_octet(*octet))
    }

    /// The stages a sequence of packets leads through, as far as it is allowed.
    fn walk(codes: &[u8]) -> Result<Stage, OrderError> {
        codes.iter().try_fold(Stage::New, |stage, octet| {
            stage.step(Code::from_octet(*octet).unwrap()).map(|step| step.to)
        })
    }

    #[test]
    fn conversations_that_happen_are_allowed() {
        for (codes, end) in [
            (&b"OQ"[..], Stage::Agreed),
            (b"ODCDHDMDRDRTDLLNBBDE", Stage::Idle),
            (b"OCHMRTLNBEAMRLNE", Stage::Idle),
            (b"OCHMRA", Stage::Idle),
            (b"OCHHMRNE", Stage::Idle),
            (b"OHM", Stage::Envelope),
            (b"OCUMUR", Stage::Envelope),
            (b"OCHMRLKCHM", Stage::Envelope),
            (b"OCHMRM", Stage::Envelope),
        ] {
            assert_eq!(walk(codes), Ok(end), "{}", codes.escape_ascii());
        }
    }

    #[test]
    fn what_has_one_place_is_allowed_there_only() {
        for codes in [
            &b"C"[..],
            b"D",
            b"M",
            b"A",
            b"K",
            b"OO",
            b"OCC",
            b"OCHR",
            b"OCHT",
            b"OCHL",
            b"OCHN",
            b"OCHB",
            b"OCHE",
            b"OCHMB",
            b"OCHMRE",
            b"OCHMRLB",
            b"OCHMRLE",
            b"OCHMRLR",
            b"OCHMRLNL",
            b"OCHMRLNN",
            b"OCHMRLNBT",
            b"OCHMC",
        ] {
            let error = walk(codes).unwrap_err();
            assert_eq!(
                Some(error.code),
                Code::from_octet(*codes.last().unwrap()),
                "{}",
                codes.escape_ascii()
            );
        }
    }

    #[test]
    fn a_message_is_dropped_exactly_when_one_is_under_way() {
        for stage in [Stage::New, Stage::Agreed, Stage::Idle] {
            for code in all_codes() {
                assert!(
                    !stage.step(code).is_ok_and(|step| step.drops_message),
                    "{stage:?} {code:?}"
                );
            }
        }
        for stage in [Stage::Envelope, Stage::Headers, Stage::Body] {
            for code in all_codes() {
                let Ok(step) = stage.step(code) else { continue };
                let dropping = matches!(
                    code,
                    Code::Abort | Code::Helo | Code::Mail | Code::Quit | Code::QuitNewConnection
                );
                assert_eq!(step.drops_message, dropping, "{stage:?} {code:?}");
            }
        }
    }
}
