//! What comes back is read: delivery status notifications (RFC 3464) and what programs older than that
//! send in their place.
//!
//! A bounce says that a destination is no good, and so keeps messages from it for a while. That makes it
//! something to forge. What counts is the token in our return path, which only who got a message of ours has seen;
//! the Message-ID of a returned message is worth less, for Message-IDs of ours can be worked out.
//!
//! Not read: the body of the returned message, notifications encrypted or signed, and VERP of others.

mod guess;
mod status;

use std::fmt;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use landmarc_mail::text::excerpt;
use landmarc_report::refusal::{is_size_refusal, speaks_of_destination};
use landmarc_report::return_path::ReturnPath;

/// How much of a bounce is read. The status stands before the returned message, which may be all of a report.
pub const MAX_BOUNCE_OCTETS: usize = 256 * 1024;
/// Characters of a diagnostic text that are kept.
pub const MAX_DIAGNOSTIC_CHARACTERS: usize = 300;
/// Characters of an address or an id that are kept.
const MAX_NAME_CHARACTERS: usize = 320;
/// Words of the header fields that may name our return path which are looked at.
const MAX_RECIPIENTS: usize = 50;
/// Fields that may name the address a message was delivered to: by Postfix, by Exim, and by its author.
const RECIPIENT_FIELDS: [&str; 4] = ["X-Original-To", "Delivered-To", "Envelope-To", "To"];

/// What became of a message, by what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// The delivery, by the token of our return path. It cannot be made up.
    pub delivery: Option<u64>,
    /// The Message-ID of the returned message, in angle brackets. Anybody can write one: to be looked up only
    /// where [`delivery`](Self::delivery) is none and return paths have no token.
    pub message_id: Option<String>,
    /// What happened.
    pub action: BounceAction,
    /// The enhanced status code: `5.1.1`.
    pub status: Option<String>,
    /// What the last server said: printable, at most [`MAX_DIAGNOSTIC_CHARACTERS`] and what escaping adds;
    /// may be empty.
    pub diagnostic: String,
    /// The address that the message did not reach, as the other side knows it.
    pub final_recipient: Option<String>,
    /// Whether all this was in a delivery status notification, and not read out of words.
    pub is_standard: bool,
}

/// What happened to a message (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BounceAction {
    /// It will not be delivered.
    Failed,
    /// It is still tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed on to where no notification comes from.
    Relayed,
    /// It was delivered to all members of a list.
    Expanded,
}

impl BounceAction {
    /// The keyword.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }
}

landmarc_mail::display_as_str!(BounceAction);

impl fmt::Display for Bounce {
    /// In one line: `failed: 5.1.1 <r@example.com>: host mx.example said: 550 no such user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.action)?;
        if let Some(status) = &self.status {
            write!(f, " {status}")?;
        }
        if let Some(recipient) = &self.final_recipient {
            write!(f, " <{recipient}>:")?;
        }
        match self.diagnostic.as_str() {
            "" => f.write_str(" no reason given"),
            diagnostic => write!(f, " {diagnostic}"),
        }
    }
}

impl Bounce {
    /// Whether the message was too big, so that the destination is not to blame and smaller messages may reach it.
    #[must_use]
    pub fn is_size_refusal(&self) -> bool {
        let code = self.diagnostic.get(..3).and_then(|code| code.parse().ok());
        self.action == BounceAction::Failed
            && is_size_refusal(code.unwrap_or(550), self.status.as_deref(), &self.diagnostic)
    }

    /// Whether it is the mailbox or domain that is no good, so that further messages to it are no use for a
    /// while: what a server holds against us, the message or the relay is no fault of the destination.
    #[must_use]
    pub fn speaks_of_destination(&self) -> bool {
        let words = self.diagnostic.split(|c: char| !c.is_ascii_alphanumeric());
        let mut codes = words
            .filter(|word| word.len() == 3)
            .filter_map(|word| word.parse().ok());
        let code = codes.find(|code| (500..600).contains(code));
        self.action == BounceAction::Failed
            && speaks_of_destination(code, self.status.as_deref(), &self.diagnostic)
    }
}

/// Why a message says nothing of a delivery. It must keep nothing from being sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotABounce {
    /// No header fields.
    #[error("it is no mail message")]
    NoMessage,
    /// A vacation program and the like.
    #[error("it is an automatic reply")]
    AutomaticReply,
    /// A report of another kind: a receipt, an abuse report.
    #[error("it is a report of the kind \"{0}\"")]
    OtherReport(String),
    /// A notification without a recipient in it.
    #[error("it is a delivery status notification that names no recipient")]
    EmptyNotification,
    /// A message in words to an address that names no delivery.
    #[error("it is no delivery status notification, and it was not sent to the return path of a message")]
    NoToken,
    /// A message in words that do not tell of a failed delivery.
    #[error("it is no delivery status notification, and nothing else shows that it is a bounce")]
    NoSign,
}

/// Reads a message that came to our return path. `recipient` is the envelope recipient, where the caller
/// knows it. At most [`MAX_BOUNCE_OCTETS`] are looked at.
///
/// # Errors
/// Why it says nothing of a delivery.
pub fn read(mail: &[u8], recipient: Option<&str>, ours: &ReturnPath) -> Result<Bounce, NotABounce> {
    let mail = mail.get(..MAX_BOUNCE_OCTETS).unwrap_or(mail);
    let message = MessageParser::default()
        .parse(mail)
        .ok_or(NotABounce::NoMessage)?;
    let delivery = delivery(&message, recipient, ours);
    let notification = message.parts.iter().find(|part| is_delivery_status(part));
    let found = match notification {
        Some(part) => {
            let text = String::from_utf8_lossy(part.contents());
            status::read(&text).ok_or(NotABounce::EmptyNotification)?
        }
        None => {
            if let Some(kind) = report_type(&message) {
                return Err(NotABounce::OtherReport(excerpt(kind, 60)));
            }
            let guess = guess::read(&message)?;
            // Words alone must not silence a destination: anybody can write them.
            delivery.ok_or(NotABounce::NoToken)?;
            guess
        }
    };
    let recipient = found.final_recipient;
    Ok(Bounce {
        delivery,
        message_id: returned_message_id(&message),
        action: found.action,
        status: found.status,
        diagnostic: excerpt(&found.diagnostic, MAX_DIAGNOSTIC_CHARACTERS),
        final_recipient: recipient.map(|name| excerpt(&name, MAX_NAME_CHARACTERS)),
        is_standard: notification.is_some(),
    })
}

/// What a message says of one recipient, by its fields or in words.
#[derive(Debug, PartialEq, Eq)]
struct RecipientStatus {
    action: BounceAction,
    status: Option<String>,
    diagnostic: String,
    final_recipient: Option<String>,
}

/// The delivery named by the envelope recipient, or else by a field that tells it. Wherever it stands, the
/// token proves itself.
fn delivery(message: &Message<'_>, recipient: Option<&str>, ours: &ReturnPath) -> Option<u64> {
    if let Some(delivery) = recipient.and_then(|recipient| ours.recognise(recipient)) {
        return Some(delivery);
    }
    message
        .headers_raw()
        .filter(|(name, _)| {
            RECIPIENT_FIELDS
                .iter()
                .any(|field| name.eq_ignore_ascii_case(field))
        })
        .flat_map(|(_, value)| value.split([' ', '\t', '\r', '\n', ',', ';', '<', '>']))
        .filter(|word| word.contains('@'))
        .take(MAX_RECIPIENTS)
        .find_map(|word| ours.recognise(word))
}

/// RFC 3464 §2, and its like for internationalized mail (RFC 6533 §4).
fn is_delivery_status(part: &MessagePart<'_>) -> bool {
    is_type(part, "message", &["delivery-status", "global-delivery-status"])
}

fn is_type(part: &MessagePart<'_>, main: &str, subtypes: &[&str]) -> bool {
    part.content_type().is_some_and(|content_type| {
        let subtype = content_type.subtype().unwrap_or_default();
        content_type.ctype().eq_ignore_ascii_case(main)
            && subtypes.iter().any(|known| subtype.eq_ignore_ascii_case(known))
    })
}

/// The `report-type` of a multipart/report (RFC 6522 §3).
fn report_type<'a>(message: &'a Message<'_>) -> Option<&'a str> {
    let content_type = message.content_type()?;
    let is_report = content_type
        .subtype()
        .is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"));
    content_type.attribute("report-type").filter(|_| is_report)
}

/// The Message-ID of the message that came back, whole or as its header section.
fn returned_message_id(message: &Message<'_>) -> Option<String> {
    message.parts.iter().find_map(|part| {
        let id = match &part.body {
            PartType::Message(returned) => returned.message_id().map(str::to_owned),
            _ if is_type(part, "text", &["rfc822-headers"])
                || is_type(part, "message", &["global-headers"]) =>
            {
                let header = MessageParser::default().parse_headers(part.contents())?;
                header.message_id().map(str::to_owned)
            }
            _ => None,
        };
        id.map(|id| format!("<{}>", excerpt(&id, MAX_NAME_CHARACTERS)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounce(action: BounceAction, status: Option<&str>, diagnostic: &str) -> Bounce {
        Bounce {
            delivery: Some(1),
            message_id: None,
            action,
            status: status.map(str::to_owned),
            diagnostic: diagnostic.to_owned(),
            final_recipient: None,
            is_standard: true,
        }
    }

    #[test]
    fn d18_only_what_is_said_of_the_destination_counts_against_it() {
        for (status, diagnostic, speaks) in [
            (Some("5.1.1"), "550 5.1.1 User unknown", true),
            (None, "550 no such user", true),
            (None, "host mx.example [192.0.2.1] said: 550 no such user", true),
            (Some("5.0.0"), "550 no such user", true),
            (Some("4.4.1"), "timed out", true),
            (Some("5.7.1"), "554 5.7.1 Relay access denied", false),
            (Some("5.7.26"), "550 5.7.26 unauthenticated", false),
            (Some("5.3.4"), "552 5.3.4 too big", false),
            (Some("5.0.0"), "554 5.7.1 no", false),
            (None, "", false),
        ] {
            let failed = bounce(BounceAction::Failed, status, diagnostic);
            assert_eq!(failed.speaks_of_destination(), speaks, "{failed}");
        }
        let delayed = bounce(BounceAction::Delayed, Some("4.1.1"), "");
        assert!(!delayed.speaks_of_destination());
    }
}
