//! What an SMTP client reads.

use std::fmt;

use landmarc_mail::text::printable;

use crate::limits::MAX_REPLY_OCTETS;

/// An SMTP reply: one line of printable ASCII, at most [`MAX_REPLY_OCTETS`] long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusalReply {
    /// 4xx or 5xx.
    pub code: u16,
    /// The enhanced status code (RFC 3463).
    pub enhanced: String,
    /// The text after the codes.
    pub text: String,
}

impl RefusalReply {
    /// Makes a reply that fits, whatever has been filled into its text: characters that have
    /// no place in one (RFC 5321 §4.2) become question marks, and the end is cut off.
    #[must_use]
    pub fn new(code: u16, enhanced: &str, text: &str) -> Self {
        let taken = format!("{code} {enhanced} ").len();
        Self {
            code,
            enhanced: enhanced.to_owned(),
            text: printable(text, MAX_REPLY_OCTETS.saturating_sub(taken)).into_owned(),
        }
    }
}

impl fmt::Display for RefusalReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.code, self.enhanced, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_fills_its_line_and_no_more() {
        let room = MAX_REPLY_OCTETS - "550 5.7.1 ".len();
        let at_limit = RefusalReply::new(550, "5.7.1", &"a".repeat(room));
        assert_eq!(at_limit.to_string().len(), MAX_REPLY_OCTETS);
        assert_eq!(at_limit.text, "a".repeat(room));
        let past_it = RefusalReply::new(550, "5.7.1", &"a".repeat(room + 1));
        assert_eq!(past_it, at_limit);
    }

    #[test]
    fn nothing_in_a_text_can_end_the_line() {
        let reply = RefusalReply::new(451, "4.7.1", "one\r\n250 ok \0\u{7f}b\u{fc}cher");
        assert_eq!(reply.to_string(), "451 4.7.1 one??250 ok ??b?cher");
    }
}
