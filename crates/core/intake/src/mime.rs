//! The parts of a mail (RFC 2045, RFC 2046), as far as it takes to find reports in them.
//!
//! The structure is walked here, and fields and encodings are left to the library: its own
//! walk nests messages as deep as they come, which a mail of a few kilobytes can make deeper
//! than any stack.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_mail::{HeaderField, HeaderSection};
use mail_parser::ContentType;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::parsers::MessageStream;

/// What the header of one part may take: report messages that came a long way have some ten kilobytes.
const HEADER_LIMITS: HeaderLimits = HeaderLimits {
    field_octets: 64 * 1024,
    section_octets: 256 * 1024,
    fields: 1000,
};
/// The longest media type or file name that is kept, in octets.
const MAX_NAME_OCTETS: usize = 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A message, or a part of one.
pub(super) struct Entity<'a> {
    header: HeaderSection,
    content_type: Option<ContentType<'static>>,
    body: Cow<'a, [u8]>,
}

impl<'a> Entity<'a> {
    pub(super) fn read(octets: &'a [u8]) -> Self {
        let (header_octets, body) = octets
            .split_at_checked(end_of_header(octets))
            .unwrap_or((octets, &[]));
        let (header, body) = match split(header_octets, &HEADER_LIMITS) {
            // A line that is no field ended the header before the empty line did.
            Ok(parsed) if !parsed.body.is_empty() => {
                (parsed.header, Cow::Owned([&parsed.body, body].concat()))
            }
            Ok(parsed) => (parsed.header, Cow::Borrowed(body)),
            // A part may have no header at all.
            Err(_) => (HeaderSection::default(), Cow::Borrowed(body)),
        };
        let content_type = header.named("Content-Type").next();
        Self {
            content_type: content_type.and_then(|(_, field)| parameters_of(field)),
            header,
            body,
        }
    }

    /// The media type in lower case; text/plain where none is given (RFC 2045 §5.2).
    pub(super) fn media_type(&self) -> String {
        media_type(self.content_type.as_ref())
    }

    pub(super) fn has_media_type(&self) -> bool {
        self.content_type.is_some()
    }

    /// A parameter of the media type.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.content_type.as_ref()?.attribute(name)
    }

    /// The file name, from where it belongs or from where it used to be.
    pub(super) fn file_name(&self) -> Option<String> {
        let disposition = self.header.named("Content-Disposition").next();
        let disposition = disposition.and_then(|(_, field)| parameters_of(field));
        let named = disposition.as_ref().and_then(|found| found.attribute("filename"));
        let name = named.or_else(|| self.parameter("name"))?;
        name.get(..name.floor_char_boundary(MAX_NAME_OCTETS))
            .map(str::to_owned)
    }

    /// The value of the Subject.
    pub(super) fn subject(&self) -> Option<String> {
        let (_, field) = self.header.named("Subject").next()?;
        Some(String::from_utf8_lossy(field.value()).into_owned())
    }

    /// The body as it came.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body without its transfer encoding. What is no base64 in base64 is passed over
    /// (RFC 2045 §6.8); any other encoding that is none is taken for none.
    pub(super) fn into_decoded(self) -> Cow<'a, [u8]> {
        let encoding = self.header.named("Content-Transfer-Encoding").next();
        let encoding = encoding.map(|(_, field)| field.value().trim_ascii().to_ascii_lowercase());
        match encoding.as_deref() {
            Some(b"base64") => Cow::Owned(decode_base64(&self.body)),
            Some(b"quoted-printable") => match quoted_printable_decode(&self.body) {
                Some(decoded) => Cow::Owned(decoded),
                None => self.body,
            },
            _ => self.body,
        }
    }
}

/// The parts of a multipart body, without preamble and epilogue (RFC 2046 §5.1.1).
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> impl Iterator<Item = &'b [u8]> {
    let mut delimiters = delimiters(body, boundary.to_owned()).peekable();
    std::iter::from_fn(move || {
        let delimiter = delimiters.next()?;
        if delimiter.is_last {
            return None;
        }
        // One that never ends goes on to the end.
        let end = delimiters.peek().map_or(body.len(), |next| next.start);
        let part = body.get(delimiter.end..end).unwrap_or_default();
        // The line end before a delimiter is the delimiter's.
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        Some(part.strip_suffix(b"\r").unwrap_or(part))
    })
}

struct Delimiter {
    start: usize,
    end: usize,
    is_last: bool,
}

fn delimiters(body: &[u8], boundary: String) -> impl Iterator<Item = Delimiter> {
    let mut at = 0;
    body.split_inclusive(|octet| *octet == b'\n')
        .filter_map(move |line| {
            let start = at;
            at += line.len();
            let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?;
            let is_last = rest.starts_with(b"--");
            // Another boundary may begin like this one.
            (is_last || rest.trim_ascii().is_empty()).then_some(Delimiter {
                start,
                end: at,
                is_last,
            })
        })
}

/// Where the header ends, the empty line counted to it.
fn end_of_header(octets: &[u8]) -> usize {
    let mut at = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        at += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    at
}

/// The media type in lower case; without a usable Content-Type the default of RFC 2045 §5.2.
pub(super) fn media_type(content_type: Option<&ContentType<'_>>) -> String {
    let Some(content_type) = content_type else {
        return "text/plain".to_owned();
    };
    let subtype = content_type.subtype().unwrap_or_default();
    let mut media_type = format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase();
    media_type.truncate(media_type.floor_char_boundary(MAX_NAME_OCTETS));
    media_type
}

fn parameters_of(field: &HeaderField) -> Option<ContentType<'static>> {
    let value = [field.value(), b"\n"].concat();
    let parsed = MessageStream::new(&value).parse_content_type().into_owned();
    parsed.into_content_type()
}

fn decode_base64(body: &[u8]) -> Vec<u8> {
    let is_base64 = |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let mut digits: Vec<u8> = body
        .iter()
        .take_while(|octet| **octet != b'=')
        .filter(is_base64)
        .copied()
        .collect();
    // One digit alone is not even an octet: what came was cut.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    BASE64.decode(digits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_at_an_empty_line_or_before_what_is_no_field() {
        let read = |octets: &'static [u8]| {
            let entity = Entity::read(octets);
            (entity.media_type(), entity.body().to_vec())
        };
        let html = || "text/html".to_owned();
        assert_eq!(
            read(b"Content-Type: text/html\r\n\r\na\nb"),
            (html(), b"a\nb".to_vec())
        );
        assert_eq!(
            read(b"Content-Type: text/html\n\na\nb"),
            (html(), b"a\nb".to_vec())
        );
        assert_eq!(
            read(b"Content-Type: text/html\nno field\n\nb"),
            (html(), b"no field\r\n\r\nb".to_vec())
        );
        assert_eq!(
            read(b"\nonly a body"),
            ("text/plain".to_owned(), b"only a body".to_vec())
        );
    }

    #[test]
    fn parts_are_between_delimiters() {
        let split = |body: &'static [u8]| {
            let parts = parts(body, "x").map(|part| String::from_utf8_lossy(part).into_owned());
            parts.collect::<Vec<_>>()
        };
        assert_eq!(
            split(b"before\r\n--x\r\na\r\n--x  \r\nb\r\n\r\n--x--\r\nafter\r\n--x\r\nc"),
            ["a", "b\r\n"]
        );
        assert_eq!(split(b"--x\na\n--xy\nb\n--x\nc"), ["a\n--xy\nb", "c"]);
        assert_eq!(split(b"no delimiter"), [""; 0]);
    }

    #[test]
    fn base64_is_read_through_what_is_none() {
        assert_eq!(decode_base64(b"aGVs\r\n!bG8=\r\n=\r\n"), b"hello");
        assert_eq!(decode_base64(b"aGVsbG8"), b"hello");
        assert_eq!(decode_base64(b"aGVsb"), b"hel");
        assert_eq!(decode_base64(b"*"), b"");
    }

    #[test]
    fn file_names_are_found_where_they_are() {
        let name = |header: &'static str| Entity::read(header.as_bytes()).file_name();
        let found = Some("a!b!1!2.xml".to_owned());
        assert_eq!(
            name("Content-Disposition: attachment; filename=\"a!b!1!2.xml\"\n\n"),
            found
        );
        assert_eq!(name("Content-Type: text/xml;\n name=\"a!b!1!2.xml\"\n\n"), found);
        assert_eq!(
            name("Content-Disposition: attachment;\n filename*0=a!b; filename*1=\"!1!2.xml\"\n\n"),
            found
        );
        assert_eq!(name("Subject: x\n\n"), None);
    }
}
