//! A message with its envelope, and whether it can be sent at all.
//!
//! Addresses and messages are made and checked elsewhere. They are checked here once more,
//! because this is the last place where a line end in an address, or a lone dot behind a
//! bare line feed in a message, is text and not yet a command.

use landmarc_mail::DomainName;

use crate::outcome::{DeliveryFailure, DeliveryStage};

/// Octets of an address: RFC 5321 §4.5.3.1.3 gives a path 256 with its angle brackets.
pub const MAX_ADDRESS_OCTETS: usize = 254;
/// Octets of a line of a message without its CRLF (RFC 5321 §4.5.3.1.6).
pub const MAX_LINE_OCTETS: usize = 998;

/// A message and its envelope.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// Where bounces go, without angle brackets; empty for the null path.
    pub return_path: &'a str,
    /// The one recipient, without angle brackets.
    pub recipient: &'a str,
    /// The pieces which, one after the other, are the message: header section, blank line,
    /// body. Seven bits, every line ended by CRLF and at most [`MAX_LINE_OCTETS`] long:
    /// so no extension is needed to send it and nobody on the way breaks its signature.
    pub message: &'a [&'a [u8]],
    /// What its file is called in a directory, without the ending.
    pub file_name: &'a str,
}

impl Submission<'_> {
    /// Octets of the message, as SIZE counts them (RFC 1870 §3).
    pub(crate) fn octets(&self) -> usize {
        self.message.iter().map(|piece| piece.len()).sum()
    }

    /// Whether message and envelope can be sent.
    pub(crate) fn check(&self) -> Result<(), DeliveryFailure> {
        let address = |what: &str, text: &str| {
            let quoted: String = text.chars().take(MAX_ADDRESS_OCTETS).collect();
            DeliveryFailure::new(
                DeliveryStage::Message,
                &format!("the {what} \"{}\" is no address", quoted.escape_default()),
            )
        };
        if !self.return_path.is_empty() && !is_address(self.return_path) {
            return Err(address("return path", self.return_path));
        }
        if !is_address(self.recipient) {
            return Err(address("recipient", self.recipient));
        }
        let mut lines = Lines::default();
        let fit = self.message.iter().all(|piece| lines.add(piece)) && lines.is_ended();
        let unfit = || {
            let words = format!(
                "line {} of the message cannot be sent: {LINE_RULE}",
                lines.number + 1
            );
            DeliveryFailure::new(DeliveryStage::Message, &words)
        };
        if fit { Ok(()) } else { Err(unfit()) }
    }
}

const LINE_RULE: &str = "lines have at most 998 octets of ASCII without NUL and end with CRLF";

/// Whether a text is `local@domain` and cannot be taken for anything else, in a command
/// line of SMTP or of a program (RFC 5321 §4.1.2, without address literals).
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    text.len() <= MAX_ADDRESS_OCTETS
        // An argument that begins so would be an option to the program it is given to.
        && !text.starts_with('-')
        && (is_dot_string(local) || is_quoted_string(local))
        && domain.is_ascii()
        && DomainName::parse(domain).is_ok()
}

fn is_dot_string(local: &str) -> bool {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_quoted_string(local: &str) -> bool {
    let inner = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return false };
    let mut octets = inner.bytes();
    while let Some(octet) = octets.next() {
        let content = match octet {
            b'"' => return false,
            b'\\' => octets.next(),
            other => Some(other),
        };
        // RFC 5321 §4.1.2, qtextSMTP and quoted-pairSMTP: printable ASCII and blank.
        if !content.is_some_and(|b| matches!(b, b' '..=b'~')) {
            return false;
        }
    }
    true
}

/// Reads a message line by line, in whatever pieces it comes.
#[derive(Debug, Default)]
struct Lines {
    /// Complete lines before this one.
    number: usize,
    /// Octets of this line so far.
    octets: usize,
    after_cr: bool,
}

impl Lines {
    /// Takes the next piece; false at the first line that cannot be sent.
    fn add(&mut self, piece: &[u8]) -> bool {
        piece.iter().all(|&octet| self.add_octet(octet))
    }

    fn add_octet(&mut self, octet: u8) -> bool {
        match (self.after_cr, octet) {
            (true, b'\n') => {
                *self = Self {
                    number: self.number + 1,
                    ..Self::default()
                };
                true
            }
            // A bare CR or LF is what message smuggling is made of (RFC 5321 §2.3.8).
            (true, _) | (false, b'\n' | 0 | 0x80..) => false,
            (false, b'\r') => {
                self.after_cr = true;
                true
            }
            (false, _) => {
                self.octets += 1;
                self.octets <= MAX_LINE_OCTETS
            }
        }
    }

    fn is_ended(&self) -> bool {
        self.number > 0 && self.octets == 0 && !self.after_cr
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(recipient: &str, message: &[&[u8]]) -> Result<(), String> {
        let submission = Submission {
            return_path: "",
            recipient,
            message,
            file_name: "",
        };
        submission.check().map_err(|failure| failure.to_string())
    }

    #[test]
    fn addresses_that_mean_one_thing_pass() {
        for address in [
            "a@b.example",
            "dmarc+x=y@b.example",
            "o'brien@b.example",
            "\"a b\"@b.example",
            "\"a\\\"b\"@b.example",
            "\"a@b\"@c.example",
            "\"-x\"@b.example",
        ] {
            assert_eq!(check(address, &[b"a\r\n"]), Ok(()), "{address}");
        }
    }

    #[test]
    fn addresses_that_are_tricks_do_not() {
        for address in [
            "",
            "a",
            "@b.example",
            "a@",
            "-a@b.example",
            "-oQ/tmp@b.example",
            "a b@c.example",
            "a@b.example>",
            "<a@b.example>",
            "a@b.example\r\nRCPT TO:<x@y.example>",
            "a\r\nDATA@b.example",
            "\"a\r\nb\"@c.example",
            "\"a\\\nb\"@c.example",
            "\"a\0b\"@c.example",
            "\"a\"b\"@c.example",
            "\"a\\\"@c.example",
            "a..b@c.example",
            ".a@c.example",
            "a,b@c.example",
            "a@b@c.example",
            "ü@c.example",
            "a@ü.example",
            "a@[192.0.2.1]",
            "a@b.example SIZE=1",
        ] {
            let refusal = check(address, &[b"a\r\n"]).unwrap_err();
            assert!(refusal.starts_with("message: the recipient \""), "{refusal}");
            assert!(refusal.ends_with("\" is no address"), "{refusal}");
        }
    }

    #[test]
    fn an_address_one_octet_past_the_limit_is_none() {
        let of = |octets: usize| format!("{}@b.example", "a".repeat(octets - "@b.example".len()));
        assert_eq!(check(&of(MAX_ADDRESS_OCTETS), &[b"a\r\n"]), Ok(()));
        assert!(check(&of(MAX_ADDRESS_OCTETS + 1), &[b"a\r\n"]).is_err());
    }

    #[test]
    fn the_return_path_is_checked_too_and_may_be_null() {
        let mut submission = Submission {
            return_path: "a@b.example\n",
            recipient: "a@b.example",
            message: &[b"a\r\n"],
            file_name: "",
        };
        let refusal = submission.check().unwrap_err().to_string();
        insta::assert_snapshot!(refusal, @r#"message: the return path "a@b.example\n" is no address"#);
        submission.return_path = "";
        assert_eq!(submission.check(), Ok(()));
    }

    #[test]
    fn lines_may_be_cut_into_pieces_anywhere() {
        let message = b"A: b\r\n\r\n.\r\n";
        for at in 0..message.len() {
            let (first, second) = message.split_at(at);
            assert_eq!(check("a@b.example", &[first, second]), Ok(()), "{at}");
        }
    }

    #[test]
    fn lines_that_would_need_more_than_smtp_are_refused() {
        let longest = [&[b'x'; MAX_LINE_OCTETS][..], b"\r\n"].concat();
        let too_long = [&b"x"[..], &longest].concat();
        assert_eq!(check("a@b.example", &[b"A: b\r\n", &longest]), Ok(()));
        for message in [
            &too_long[..],
            b"a\n",
            b"a\n.\r\n",
            b"a\r.\r\n",
            b"a\r\r\n",
            b"a\0\r\n",
            b"\xc3\xbc\r\n",
            b"a",
            b"a\r",
            b"",
        ] {
            let refusal = check("a@b.example", &[b"A: b\r\n", message, b""]);
            if message.is_empty() {
                assert_eq!(refusal, Ok(()));
            } else {
                assert!(refusal.unwrap_err().starts_with("message: line 2 of the message"));
            }
        }
        assert!(check("a@b.example", &[]).is_err());
    }
}
