//! What becomes of a segment, in values and in JSON.

use std::time::Duration;

use landmarc_mail::text::excerpt;
use serde::{Deserialize, Serialize};

use crate::beat::{BeatMessage, BeatReply};
use crate::certificate::ClientName;

/// Whom segments are handed to.
pub trait SegmentReceiver: Send + Sync + 'static {
    /// Whether this client may hand on anything: looked at for each request, before a segment is read.
    ///
    /// # Errors
    /// With why it may not, when its certificate is not to be accepted any more.
    fn admits(&self, from: &ClientName) -> Result<(), PushRefusal> {
        let _ = from;
        Ok(())
    }

    /// Takes the octets of a segment from this client.
    fn segment(
        &self,
        from: ClientName,
        segment: Vec<u8>,
    ) -> impl Future<Output = Result<SegmentReply, PushRefusal>> + Send;

    /// Notes how far behind a host is that this client speaks for.
    fn beat(
        &self,
        from: ClientName,
        beat: BeatMessage,
    ) -> impl Future<Output = Result<BeatReply, PushRefusal>> + Send;
}

/// A segment was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentReply {
    /// Batches that were written.
    pub batches: u64,
    /// Batches that were written before, and now left alone.
    pub known: u64,
    /// Messages in those that were written.
    pub messages: u64,
}

/// A segment was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushRefusal {
    /// It cannot be read, now or ever: 400.
    Unreadable {
        /// What is wrong with it, in words.
        error: String,
        /// What can be done.
        remedy: String,
    },
    /// This client may not send it: 403.
    Forbidden {
        /// Why, in words.
        error: String,
        /// What can be done.
        remedy: String,
    },
    /// The store behind is away for now: 503.
    Away {
        /// Why, in words.
        error: String,
        /// When to try again; told in whole seconds, at least one.
        retry_after: Duration,
    },
}

/// An error and its remedy, as the other side told them. What it says is foreign: bounded, and
/// without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ErrorReply {
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) remedy: String,
}

impl ErrorReply {
    /// Characters of each that are kept; ours have 300.
    const MAX_CHARACTERS: usize = 500;

    /// None when it is not an error of ours.
    pub(crate) fn from_json(octets: &[u8]) -> Option<Self> {
        let said: Self = serde_json::from_slice(octets).ok()?;
        Some(Self {
            error: excerpt(&said.error, Self::MAX_CHARACTERS),
            remedy: excerpt(&said.remedy, Self::MAX_CHARACTERS),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        let reply = SegmentReply {
            batches: 3,
            known: 1,
            messages: 1200,
        };
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(text, r#"{"batches":3,"known":1,"messages":1200}"#);
        assert_eq!(serde_json::from_str::<SegmentReply>(&text).unwrap(), reply);
        for other in [
            "",
            "[]",
            "3",
            r#"{"batches":3}"#,
            r#"{"batches":-1,"known":0,"messages":0}"#,
        ] {
            assert!(serde_json::from_str::<SegmentReply>(other).is_err(), "{other}");
        }
    }

    #[test]
    fn what_the_other_side_says_is_bounded_and_printable() {
        let at_limit = "x".repeat(ErrorReply::MAX_CHARACTERS);
        let told =
            |error: &str| ErrorReply::from_json(json!({"error": error}).to_string().as_bytes()).unwrap();
        assert_eq!(told(&at_limit).error, at_limit);
        assert_eq!(told(&format!("{at_limit}x")).error, format!("{at_limit}[...]"));
        assert_eq!(told("a\r\n\u{1b}[31mb").error, "a\\r\\n\\u{1b}[31mb");
        assert_eq!(ErrorReply::from_json(b"<html>"), None);
        assert_eq!(ErrorReply::from_json(b"{\"error\":1}"), None);
    }
}
