//! The parts of a report mail: found by their types, wherever they stand.

use landmarc_mail::DomainName;
use mail_parser::{Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{MAX_BOUNDARY_LINES, MAX_ORIGINAL_OCTETS, NotAFailureReport, Original, author_domain};
use crate::mime::media_type;

/// How deep a report may stand in messages that were forwarded as attachments.
const MAX_DEPTH: usize = 3;
/// The types of the part that holds the original message (RFC 5965 §2, RFC 6522 §4, RFC 6532 §3.7).
const ORIGINAL_TYPES: [&str; 5] = [
    "message/rfc822",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global",
    "message/global-headers",
];

/// What of a mail matters.
#[derive(Debug, Default)]
pub(super) struct FailureMailParts {
    /// Whether the mail is a `multipart/report`.
    pub(super) is_multipart_report: bool,
    /// The fields.
    pub(super) feedback: Option<Feedback>,
    /// The original message.
    pub(super) original: Option<Original>,
    /// The first text for people.
    pub(super) text: Option<String>,
    /// The domain of the From field.
    pub(super) reporter: Option<DomainName>,
    /// The Message-ID.
    pub(super) message_id: Option<String>,
}

/// The `message/feedback-report` part.
#[derive(Debug)]
pub(super) struct Feedback {
    pub(super) text: String,
    /// Whether it had to be decoded.
    pub(super) is_encoded: bool,
}

/// Finds the parts.
///
/// # Errors
/// When it is no mail, or one with too many parts.
pub(super) fn take_apart(mail: &[u8]) -> Result<FailureMailParts, NotAFailureReport> {
    let lines = mail.split(|&octet| octet == b'\n');
    if lines.filter(|line| line.starts_with(b"--")).count() > MAX_BOUNDARY_LINES {
        return Err(NotAFailureReport::TooManyParts);
    }
    let message = MessageParser::new()
        .parse(mail)
        .ok_or(NotAFailureReport::NoMail)?;
    let mut parts = FailureMailParts {
        reporter: author_domain(mail),
        message_id: message.message_id().map(str::to_owned),
        ..FailureMailParts::default()
    };
    parts.collect(&message, 0);
    Ok(parts)
}

impl FailureMailParts {
    /// Looks through the parts of a message, then through the messages in them.
    fn collect(&mut self, message: &Message<'_>, depth: usize) {
        if self.feedback.is_some() {
            return;
        }
        for part in &message.parts {
            let media_type = media_type(part.content_type());
            match media_type.as_str() {
                "multipart/report" => self.is_multipart_report = true,
                "message/feedback-report" if self.feedback.is_none() => self.feedback = feedback(part),
                "text/plain" if self.text.is_none() => self.text = part.text_contents().map(str::to_owned),
                // Before the fields there is none: a text of the known kind brings its own.
                known if self.feedback.is_some() && self.original.is_none() => {
                    let is_original = ORIGINAL_TYPES.contains(&known);
                    self.original = is_original.then(|| original(part, message, media_type));
                }
                _ => {}
            }
        }
        if depth < MAX_DEPTH {
            for part in &message.parts {
                if let PartType::Message(inner) = &part.body {
                    self.collect(inner, depth + 1);
                }
            }
        }
    }
}

fn feedback(part: &MessagePart<'_>) -> Option<Feedback> {
    Some(Feedback {
        text: String::from_utf8_lossy(part.contents()).into_owned(),
        is_encoded: part.encoding != Encoding::None,
    })
}

fn original(part: &MessagePart<'_>, message: &Message<'_>, media_type: String) -> Original {
    let octets = match &part.body {
        // A message in base64 was decoded on its own, and has its octets with it.
        PartType::Message(inner) if part.encoding != Encoding::None => inner.raw_message(),
        PartType::Message(_) => {
            let offset = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
            let range = offset(part.raw_body_offset())..offset(part.raw_end_offset());
            message.raw_message().get(range).unwrap_or_default()
        }
        _ => part.contents(),
    };
    Original {
        media_type,
        octets: octets.get(..MAX_ORIGINAL_OCTETS).unwrap_or(octets).to_vec(),
    }
}
