//! A whole message, as files and mailboxes hold it.

use std::borrow::Cow;

use super::{HeaderDefect, HeaderField, HeaderLimits, HeaderSection};

/// How much of an odd line an error quotes, in octets.
const MAX_QUOTED_OCTETS: usize = 60;

/// A message in its two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The header section.
    pub header: HeaderSection,
    /// All after the empty line; nothing when there is none.
    pub body: Cow<'a, [u8]>,
}

/// Why some octets are no message at all. Lines are counted from one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not one octet.
    #[error("the message is empty")]
    Empty,
    /// It begins with text that is no header field; quotes the start of it.
    #[error("line {line} should be the first header field, but is \"{found}\"")]
    NoHeaderField {
        /// Where the first header field should be.
        line: usize,
        /// What is there, escaped, at most 60 octets of it.
        found: String,
    },
}

/// Splits a message into header section and body.
///
/// Line ends are CRLF. Where the first one of the file is a bare LF, the file is taken
/// for one in local form: then each LF without a CR becomes CRLF, in the body too. In
/// all other files a bare CR or LF is an octet like any other; it never ends a field,
/// and is noted as [`HeaderDefect::BareLineEnd`].
///
/// The header section ends at an empty line (RFC 5322 §2.1); one of white space only
/// continues the field above. It also ends before a line that is no header field and
/// continues none: that line begins the body, as Postfix has it, and
/// [`HeaderDefect::NotAField`] is noted. A first line `From ` or `>From ` of an mbox
/// file is left out. A header section may be empty, and end at such a line at once.
///
/// # Errors
/// [`MessageError`] when there is nothing, and when it begins with text that is no field:
/// whoever hands that over has the wrong file.
pub fn split<'a>(octets: &'a [u8], limits: &HeaderLimits) -> Result<Parsed<'a>, MessageError> {
    match in_crlf_form(octets) {
        Cow::Borrowed(octets) => {
            let (header, body) = header_and_body(octets, limits)?;
            Ok(Parsed {
                header,
                body: Cow::Borrowed(body),
            })
        }
        Cow::Owned(octets) => {
            let (header, body) = header_and_body(&octets, limits)?;
            Ok(Parsed {
                header,
                body: Cow::Owned(body.to_vec()),
            })
        }
    }
}

fn in_crlf_form(octets: &[u8]) -> Cow<'_, [u8]> {
    match memchr::memchr(b'\n', octets) {
        Some(at) if !octets[..at].ends_with(b"\r") => with_crlf(octets),
        _ => Cow::Borrowed(octets),
    }
}

/// Puts a CR before each LF that has none.
pub(super) fn with_crlf(octets: &[u8]) -> Cow<'_, [u8]> {
    let line_ends = memchr::memchr_iter(b'\n', octets).count();
    if line_ends == 0 {
        return Cow::Borrowed(octets);
    }
    let mut converted = Vec::with_capacity(octets.len() + line_ends);
    let mut done = 0;
    for at in memchr::memchr_iter(b'\n', octets) {
        if !octets[..at].ends_with(b"\r") {
            converted.extend_from_slice(&octets[done..at]);
            converted.extend_from_slice(b"\r\n");
            done = at + 1;
        }
    }
    if done == 0 {
        return Cow::Borrowed(octets);
    }
    converted.extend_from_slice(&octets[done..]);
    Cow::Owned(converted)
}

fn header_and_body<'a>(
    octets: &'a [u8],
    limits: &HeaderLimits,
) -> Result<(HeaderSection, &'a [u8]), MessageError> {
    if octets.is_empty() {
        return Err(MessageError::Empty);
    }
    let (skipped_lines, mut rest) = without_mbox_line(octets);
    if begins_with_text(rest) {
        return Err(no_header_field(skipped_lines, octets));
    }
    let mut header = HeaderSection::default();
    while !rest.is_empty() {
        if let Some(body) = rest.strip_prefix(b"\r\n") {
            rest = body;
            break;
        }
        let Some(colon) = colon_of_field(rest) else {
            header.note(HeaderDefect::NotAField);
            break;
        };
        let (field, after) = rest.split_at(end_of_field(rest));
        let (name, value) = field.split_at(colon);
        let value = value.strip_suffix(b"\r\n").unwrap_or(value);
        header.push(HeaderField::new(name, &value[1..]), limits);
        rest = after;
    }
    Ok((header, rest))
}

/// Whether the first line is neither a header field nor empty, nor one that some readers of mail
/// step over.
fn begins_with_text(octets: &[u8]) -> bool {
    let is_stepped_over = matches!(octets, [b' ' | b'\t' | b':', ..]);
    !is_stepped_over && !octets.starts_with(b"\r\n") && colon_of_field(octets).is_none()
}

/// Steps over the separator of an mbox file that was handed over as a message.
fn without_mbox_line(octets: &[u8]) -> (usize, &[u8]) {
    let is_separator = octets.starts_with(b"From ") || octets.starts_with(b">From ");
    if is_separator && colon_of_field(octets).is_none() {
        (1, &octets[end_of_line(octets)..])
    } else {
        (0, octets)
    }
}

fn no_header_field(skipped_lines: usize, octets: &[u8]) -> MessageError {
    let start = if skipped_lines == 0 {
        0
    } else {
        end_of_line(octets)
    };
    let rest = &octets[start..];
    let line = &rest[..end_of_line(rest).min(MAX_QUOTED_OCTETS)];
    MessageError::NoHeaderField {
        line: skipped_lines + 1,
        found: line.trim_ascii_end().escape_ascii().to_string(),
    }
}

/// Where the colon is, if the line that begins here begins a field: a name, blanks
/// perhaps (RFC 5322 §4.5), a colon. An odd octet in the name does not make the line
/// something else, it is a defect of the field; a blank inside the name does.
fn colon_of_field(octets: &[u8]) -> Option<usize> {
    let line = &octets[..end_of_line(octets)];
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && memchr::memchr2(b' ', b'\t', name).is_none();
    is_name.then_some(colon)
}

/// The length of the field that begins here: its line and all that continue it.
fn end_of_field(octets: &[u8]) -> usize {
    let mut end = end_of_line(octets);
    while matches!(octets.get(end), Some(b' ' | b'\t')) {
        end += end_of_line(&octets[end..]);
    }
    end
}

/// The length of the line that begins here, with its CRLF if it has one.
fn end_of_line(octets: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', octets)
        .find(|&at| octets[..at].ends_with(b"\r"))
        .map_or(octets.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(octets: &[u8]) -> Parsed<'_> {
        split(octets, &HeaderLimits::default()).unwrap()
    }

    fn fields(message: &Parsed<'_>) -> Vec<String> {
        let fields = message.header.fields().iter();
        fields.map(|field| format!("{field:?}")).collect()
    }

    #[test]
    fn splits_at_the_empty_line() {
        let message = parsed(b"A: 1\r\nB: 2\r\n 3\r\n\r\nbody\r\n\r\nmore");
        assert_eq!(fields(&message), ["A: 1", r"B: 2\r\n 3"]);
        assert_eq!(&*message.body, b"body\r\n\r\nmore");
        assert!(matches!(message.body, Cow::Borrowed(_)));
        assert_eq!(message.header.defects(), []);
    }

    #[test]
    fn a_message_may_end_in_its_header_section() {
        for octets in [&b"A: 1"[..], b"A: 1\r\n", b"A: 1\r\n\r\n"] {
            let message = parsed(octets);
            assert_eq!(fields(&message), ["A: 1"]);
            assert!(message.body.is_empty());
        }
    }

    #[test]
    fn a_file_in_local_form_gets_crlf_everywhere() {
        let message = parsed(b"A: 1\n 2\nB: 3\r\n\nbody\nmore\r\n");
        assert_eq!(fields(&message), [r"A: 1\r\n 2", "B: 3"]);
        assert_eq!(&*message.body, b"body\r\nmore\r\n");
    }

    #[test]
    fn au23_a_bare_line_end_begins_no_field() {
        for bare in ["\r", "\n"] {
            let octets = format!("X: 1\r\nFrom: a@example.com{bare}From: b@evil.test\r\n\r\nbody{bare}");
            let message = parsed(octets.as_bytes());
            assert_eq!(message.header.fields().len(), 2);
            assert_eq!(message.header.defects(), [HeaderDefect::BareLineEnd]);
            assert!(message.body.ends_with(bare.as_bytes()));
        }
    }

    #[test]
    fn at09_a_line_of_white_space_does_not_end_the_section() {
        let message = parsed(b"A: 1\r\n \t\r\nB: 2\r\n\r\nbody");
        assert_eq!(fields(&message), [r"A: 1\r\n \t", "B: 2"]);
        assert_eq!(message.header.defects(), [HeaderDefect::BlankContinuation]);
        assert_eq!(&*message.body, b"body");
    }

    #[test]
    fn a_line_that_is_no_field_begins_the_body() {
        for odd in ["no colon", "two words: x", ": x"] {
            let octets = format!("A: 1\r\n{odd}\r\nB: 2\r\n\r\nbody");
            let message = parsed(octets.as_bytes());
            assert_eq!(fields(&message), ["A: 1"]);
            assert_eq!(message.header.defects(), [HeaderDefect::NotAField]);
            assert!(message.body.starts_with(odd.as_bytes()));
        }
    }

    #[test]
    fn a_header_section_may_be_empty() {
        for (octets, body) in [
            (&b"\r\nFrom: a\r\n"[..], &b"From: a\r\n"[..]),
            (b"From a@b\n\nx\n", b"x\r\n"),
        ] {
            let message = parsed(octets);
            assert_eq!((fields(&message).len(), message.header.defects()), (0, &[][..]));
            assert_eq!(&*message.body, body);
        }
        for stepped_over in ["", "x"] {
            for first in [" ", "\t", ":", ": x"] {
                let octets = format!("{first}{stepped_over}\r\nFrom: a\r\n\r\n");
                let message = parsed(octets.as_bytes());
                assert_eq!(message.header.defects(), [HeaderDefect::NotAField]);
                assert_eq!(&*message.body, octets.as_bytes());
            }
        }
    }

    #[test]
    fn an_odd_name_is_a_defect_of_the_field() {
        let message = parsed("From : a\r\nFr\0om: b\r\nÜ: c\r\n\r\n".as_bytes());
        assert_eq!(message.header.fields().len(), 3);
        assert_eq!(
            message.header.defects(),
            [HeaderDefect::FieldName, HeaderDefect::Nul]
        );
    }

    #[test]
    fn the_separator_of_an_mbox_is_no_field() {
        for line in ["From a@b Thu Jan  1 00:00:00 1970", ">From a@b"] {
            let octets = format!("{line}\r\nA: 1\r\n\r\n");
            assert_eq!(fields(&parsed(octets.as_bytes())), ["A: 1"]);
        }
        assert_eq!(fields(&parsed(b"From : a@b\r\n\r\n")), ["From : a@b"]);
    }

    #[test]
    fn what_is_no_message_is_refused_with_its_place() {
        let error = |octets| split(octets, &HeaderLimits::default()).unwrap_err().to_string();
        insta::assert_snapshot!(error(b""), @"the message is empty");
        insta::assert_snapshot!(
            error(b"%PDF-1.7\xff\nA: 1\n"),
            @r#"line 1 should be the first header field, but is "%PDF-1.7\xff""#
        );
        insta::assert_snapshot!(
            error(b"From a@b\r\nno colon\r\nA: 1"),
            @r#"line 2 should be the first header field, but is "no colon""#
        );
        assert!(error(&[b'x'; 10_000]).len() < 130);
    }

    #[test]
    fn too_long_a_section_is_read_to_its_end() {
        let limits = HeaderLimits {
            fields: 1,
            ..HeaderLimits::default()
        };
        let message = split(b"A: 1\r\nB: 2\r\n\r\nbody", &limits).unwrap();
        assert_eq!(fields(&message), ["A: 1"]);
        assert_eq!(message.header.defects(), [HeaderDefect::SectionTooLong]);
        assert_eq!(&*message.body, b"body");
    }
}
