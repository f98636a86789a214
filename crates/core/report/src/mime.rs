//! Writing report messages: header fields and MIME parts (RFC 5322, RFC 2045, RFC 2046).
//!
//! The octets of a report mail follow from what is put into it and from nothing else: no clock, host name or
//! random number, so that a report mail made again is the same report mail. All of it is ASCII in CRLF lines of at
//! most 998 octets: it needs no 8BITMIME, and a DKIM signature survives every relay that leaves it alone.
//!
//! Not written: quoted-printable, and parts inside parts.

mod header_text;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{HeaderField, HeaderSection};

use crate::address::Address;
use crate::date;
use crate::report_id::IdHasher;

pub use header_text::{MAX_NAME_OCTETS, MAX_TEXT_OCTETS, mailbox, parameter, unstructured};
pub(crate) use header_text::{folded, one_line};

/// Octets that become one line of base64: 76 characters (RFC 2045 §6.8).
const BASE64_LINE_INPUT: usize = 57;
/// Octets of such a line with its CRLF.
const BASE64_LINE_OUTPUT: usize = 78;
/// The longest line that goes unencoded (RFC 5322 §2.1.1, without CRLF).
const MAX_LINE_OCTETS: usize = 998;
/// Characters of a boundary that follow from the content: 160 bits of a SHA-256.
const BOUNDARY_CHARACTERS: usize = 32;

/// A message ready to be signed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportMail {
    /// The header fields in their order. Values begin with a blank; folds are CRLF.
    pub header: HeaderSection,
    /// The body: CRLF lines, seven bits.
    pub body: Vec<u8>,
    /// The Message-ID, in angle brackets.
    pub message_id: String,
}

impl ReportMail {
    /// Header section, empty line, body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = self.header.fields().iter().map(HeaderField::wire_len);
        let mut octets = Vec::with_capacity(header.sum::<usize>() + 2 + self.body.len());
        for field in self.header.fields() {
            octets.extend_from_slice(field.raw_name());
            octets.push(b':');
            octets.extend_from_slice(field.value());
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(&self.body);
        octets
    }
}

/// The header fields that every report mail of ours has.
#[derive(Clone, Copy, Debug)]
pub struct MailHead<'a> {
    /// The author.
    pub from: &'a Address,
    /// The author's name: any text, empty for none.
    pub display_name: &'a str,
    /// The one recipient.
    pub to: &'a Address,
    /// The Subject: any text.
    pub subject: &'a str,
    /// The Date, in seconds since 1970.
    pub date: u64,
    /// The Message-ID in angle brackets, as [`ReportId::message_id`](crate::ReportId::message_id) makes it.
    pub message_id: &'a str,
}

/// The parts of a report mail.
#[derive(Clone, Debug)]
pub struct Multipart<'a> {
    /// `mixed`, `report`.
    pub subtype: &'a str,
    /// Parameters beside the boundary: `("report-type", "feedback-report")`.
    pub parameters: &'a [(&'a str, &'a str)],
    /// In the order of the report mail.
    pub parts: Vec<MimePart<'a>>,
}

/// One part of a report mail.
#[derive(Clone, Debug)]
pub struct MimePart<'a> {
    content_type: &'a str,
    content: Content<'a>,
    description: &'a str,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    /// For people: gets a charset.
    Text(&'a str),
    /// For programs, in lines.
    Lines(&'a str),
    /// Octets under a name.
    File { name: &'a str, octets: &'a [u8] },
}

impl<'a> MimePart<'a> {
    /// A text for people (`text/plain`): as it is where it is ASCII in lines that mail can carry, else in
    /// base64.
    #[must_use]
    pub fn text(text: &'a str) -> Self {
        Self::new("text/plain", Content::Text(text))
    }

    /// Lines of another media type, with LF or CRLF between them. Encoded like a text: for
    /// `message/feedback-report` and the like, of which RFC 6522 wants seven bits, see to it that they
    /// are ASCII without control characters, and no line over 998 octets.
    #[must_use]
    pub fn lines(content_type: &'a str, lines: &'a str) -> Self {
        Self::new(content_type, Content::Lines(lines))
    }

    /// A file, attached in base64.
    #[must_use]
    pub fn file(content_type: &'a str, name: &'a str, octets: &'a [u8]) -> Self {
        Self::new(content_type, Content::File { name, octets })
    }

    /// The same with a Content-Description.
    #[must_use]
    pub fn described(self, description: &'a str) -> Self {
        Self { description, ..self }
    }

    fn new(content_type: &'a str, content: Content<'a>) -> Self {
        Self {
            content_type,
            content,
            description: "",
        }
    }

    /// The lines that stand in the report mail as they are.
    fn plain_lines(&self) -> Option<&'a str> {
        match self.content {
            Content::Text(lines) | Content::Lines(lines) => Some(lines).filter(|lines| is_seven_bit(lines)),
            Content::File { .. } => None,
        }
    }

    fn size_hint(&self) -> usize {
        let octets = match self.content {
            Content::Text(lines) | Content::Lines(lines) => lines.len(),
            Content::File { octets, .. } => octets.len(),
        };
        base64_octets(octets) + PART_HEADER_OCTETS
    }

    fn write(&self, body: &mut String) {
        self.write_header(body);
        body.push_str("\r\n");
        match (self.content, self.plain_lines()) {
            (_, Some(lines)) => {
                for line in lines.lines() {
                    body.push_str(line);
                    body.push_str("\r\n");
                }
            }
            (Content::Text(lines) | Content::Lines(lines), None) => {
                let with_crlf: String = lines.lines().flat_map(|line| [line, "\r\n"]).collect();
                push_base64(body, with_crlf.as_bytes());
            }
            (Content::File { octets, .. }, None) => push_base64(body, octets),
        }
    }

    fn write_header(&self, body: &mut String) {
        let encoding = if self.plain_lines().is_some() {
            "7bit"
        } else {
            "base64"
        };
        let mut content_type = vec![self.content_type.to_owned()];
        let mut disposition = None;
        match self.content {
            Content::Text(_) if encoding == "7bit" => content_type.push("charset=us-ascii".to_owned()),
            Content::Text(_) => content_type.push("charset=utf-8".to_owned()),
            Content::Lines(_) => {}
            Content::File { name, .. } => {
                content_type.push(parameter("name", name));
                disposition = Some(["attachment".to_owned(), parameter("filename", name)]);
            }
        }
        push_field(
            body,
            "Content-Type",
            &with_parameters("Content-Type", &content_type),
        );
        push_field(body, "Content-Transfer-Encoding", &format!(" {encoding}"));
        if let Some(disposition) = disposition {
            let value = with_parameters("Content-Disposition", &disposition);
            push_field(body, "Content-Disposition", &value);
        }
        if !self.description.is_empty() {
            let value = unstructured("Content-Description", self.description);
            push_field(body, "Content-Description", &value);
        }
    }
}

/// Room for the header fields of one part and its boundary.
const PART_HEADER_OCTETS: usize = 2_048;

/// A report mail of these parts.
#[must_use]
pub fn compose(head: &MailHead<'_>, content: &Multipart<'_>) -> ReportMail {
    let boundary = boundary(head, content);
    let room = content.parts.iter().map(MimePart::size_hint).sum::<usize>() + PART_HEADER_OCTETS;
    let mut body = String::with_capacity(room);
    for part in &content.parts {
        body.push_str(&format!("--{boundary}\r\n"));
        part.write(&mut body);
        // The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1).
        body.push_str("\r\n");
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    ReportMail {
        header: header(head, content, &boundary),
        body: body.into_bytes(),
        message_id: head.message_id.to_owned(),
    }
}

/// Octets that a file of this size takes in base64, line ends included.
#[must_use]
pub fn base64_octets(octets: usize) -> usize {
    octets
        .div_ceil(BASE64_LINE_INPUT)
        .saturating_mul(BASE64_LINE_OUTPUT)
}

fn header(head: &MailHead<'_>, content: &Multipart<'_>, boundary: &str) -> HeaderSection {
    let mut content_type = vec![format!("multipart/{}", content.subtype)];
    content_type.extend(
        content
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    content_type.push(format!("boundary=\"{boundary}\""));
    let fields = [
        ("From", mailbox("From", head.display_name, &head.from.to_string())),
        ("To", mailbox("To", "", &head.to.to_string())),
        ("Subject", unstructured("Subject", head.subject)),
        ("Date", format!(" {}", date::rfc5322(head.date))),
        ("Message-ID", unstructured("Message-ID", head.message_id)),
        ("MIME-Version", " 1.0".to_owned()),
        // RFC 3834 §5.1: so that no vacation program answers, and nobody reports about it (decision D18).
        ("Auto-Submitted", " auto-generated".to_owned()),
        ("Content-Type", with_parameters("Content-Type", &content_type)),
    ];
    let mut section = HeaderSection::default();
    for (name, value) in fields {
        let field = HeaderField::new(name.as_bytes(), value.into_bytes());
        section.push(field, &HeaderLimits::default());
    }
    section
}

/// A boundary that does not occur in the report mail: no line of base64 has an underscore, and lines that
/// stand there as they are would have to contain their own hash.
fn boundary(head: &MailHead<'_>, content: &Multipart<'_>) -> String {
    let mut hash = IdHasher::new("landmarc boundary 1");
    hash.add(head.message_id.as_bytes());
    for lines in content.parts.iter().filter_map(MimePart::plain_lines) {
        hash.add(lines.as_bytes());
    }
    format!("=_{}", hash.finish(BOUNDARY_CHARACTERS))
}

/// A value and its parameters, folded.
fn with_parameters(name: &str, items: &[String]) -> String {
    let value = items.join(";\n");
    folded(name, value.lines())
}

fn push_field(body: &mut String, name: &str, value: &str) {
    body.push_str(name);
    body.push(':');
    body.push_str(value);
    body.push_str("\r\n");
}

fn push_base64(body: &mut String, octets: &[u8]) {
    for line in octets.chunks(BASE64_LINE_INPUT) {
        STANDARD.encode_string(line, body);
        body.push_str("\r\n");
    }
}

/// Whether lines can stand in a report mail as they are (RFC 2045 §2.7).
fn is_seven_bit(lines: &str) -> bool {
    lines.lines().all(|line| {
        line.len() <= MAX_LINE_OCTETS && line.bytes().all(|octet| matches!(octet, b'\t' | b' '..=b'~'))
    })
}

#[cfg(test)]
mod tests;
