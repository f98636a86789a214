//! What came of a message, in a few cases that ask for different things to be done.

use std::fmt;

use landmarc_mail::text;

/// Characters of [`DeliveryFailure::words`].
pub const MAX_WORDS: usize = 300;

/// What came of handing one message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It is no longer ours to care for (RFC 5321 §4.2.5).
    Delivered {
        /// What was said to it: `250 2.0.0 Ok: queued as 4Fb1`.
        reply: String,
    },
    /// Not now; the same octets may be sent again later.
    Deferred(DeliveryFailure),
    /// All of it was sent and nothing came back: it may have arrived. To be sent again
    /// with the same Message-ID, so that a duplicate can be known as one.
    Unanswered(DeliveryFailure),
    /// The relay or program takes nobody's message now: none of the others needs to be tried,
    /// and it is no fault of the recipient.
    RelayUnusable(DeliveryFailure),
    /// Never: sent again it would be refused again.
    Refused(DeliveryFailure),
}

impl DeliveryOutcome {
    /// What went wrong; none when it was delivered.
    #[must_use]
    pub fn failure(&self) -> Option<&DeliveryFailure> {
        match self {
            Self::Delivered { .. } => None,
            Self::Deferred(failure)
            | Self::Unanswered(failure)
            | Self::RelayUnusable(failure)
            | Self::Refused(failure) => Some(failure),
        }
    }
}

/// Where and how it went wrong. Printed it is the reason that an operator reads:
/// `RCPT: 550 5.1.1 <a@example.com>: User unknown`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// How far the message came.
    pub stage: DeliveryStage,
    /// The code of the reply, where there was one (RFC 5321 §4.2).
    pub code: Option<u16>,
    /// The enhanced code of the reply, where it had one: `5.1.1` (RFC 3463).
    pub enhanced: Option<String>,
    /// Whether it was the size of the message: a smaller one may pass.
    pub is_size: bool,
    /// The server's words with the codes before them, or ours where it said nothing:
    /// printable ASCII, at most [`MAX_WORDS`] characters.
    pub words: String,
}

impl DeliveryFailure {
    /// A failure without a reply.
    pub(crate) fn new(stage: DeliveryStage, words: &str) -> Self {
        Self {
            stage,
            code: None,
            enhanced: None,
            is_size: false,
            words: printable(words),
        }
    }
}

impl fmt::Display for DeliveryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.words)
    }
}

/// How far a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStage {
    /// Nowhere: it or its addresses cannot be sent.
    Message,
    /// The connection.
    Connect,
    /// The greeting of the relay, with implicit TLS before it.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL, with the return path and the size.
    Mail,
    /// RCPT, with the recipient.
    Rcpt,
    /// DATA: whether the text may come.
    Data,
    /// The text of the message.
    Text,
    /// The final dot.
    EndOfData,
    /// The program that takes messages.
    Program,
    /// The file that takes the message.
    File,
}

impl fmt::Display for DeliveryStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Message => "message",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Text => "text",
            Self::EndOfData => "end of data",
            Self::Program => "program",
            Self::File => "file",
        })
    }
}

/// What a stranger said, as it may stand in a log or a table: one line of printable ASCII, each white space one
/// blank, at most [`MAX_WORDS`] characters.
pub(crate) fn printable(text: &str) -> String {
    let mut words: String = text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .skip(1)
        .collect();
    // One more than is kept shows whether there is more.
    words = text::printable(&words, MAX_WORDS + 1).into_owned();
    if words.len() > MAX_WORDS {
        words.truncate(MAX_WORDS - text::CUT.len());
        words.push_str(text::CUT);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_printable_line() {
        assert_eq!(printable("550  a\r\n\tb\u{1b}[31m é\0"), "550 a b?[31m ??");
        assert_eq!(printable(" \r\n"), "");
    }

    #[test]
    fn words_are_cut_one_character_past_the_limit() {
        let longest = "x".repeat(MAX_WORDS);
        assert_eq!(printable(&longest), longest);
        let cut = printable(&format!("{longest}x"));
        assert_eq!(cut.len(), MAX_WORDS);
        assert!(cut.ends_with("xxx[...]"));
    }

    #[test]
    fn a_failure_says_where_it_was() {
        let failure = DeliveryFailure::new(DeliveryStage::EndOfData, "the connection was closed");
        insta::assert_snapshot!(failure.to_string(), @"end of data: the connection was closed");
    }
}
