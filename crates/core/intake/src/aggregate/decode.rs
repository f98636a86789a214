//! The octets of a document as UTF-8, whatever they were written in.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::deviation::{DeviationKind, Notes};
use crate::archive::Archive;

/// How far the declaration is looked for.
const DECLARATION_OCTETS: usize = 512;
/// How much is decoded at a time.
const CHUNK_OCTETS: usize = 32 * 1024;

/// What a document is to be read in.
///
/// Octets that are UTF-8 are UTF-8, whatever the declaration says; so are those of a document
/// that claims UTF-8 or nothing, and then single octets that are not are taken for windows-1252,
/// which is what the writer's system had in mind. Everything else goes by a byte order mark, or
/// by the declaration.
pub(super) fn encoding_of(archive: &Archive<'_>, notes: &mut Notes) -> io::Result<&'static Encoding> {
    let mut start = Vec::new();
    let wanted = u64::try_from(DECLARATION_OCTETS).unwrap_or(u64::MAX);
    archive.reader().take(wanted).read_to_end(&mut start)?;
    match &*start {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => return Ok(UTF_16LE),
        [0xfe, 0xff, ..] | [0, b'<', ..] => return Ok(UTF_16BE),
        _ => {}
    }
    let Some(label) = declared(&start) else {
        return Ok(UTF_8);
    };
    let encoding = Encoding::for_label(label.as_bytes());
    if encoding == Some(UTF_8) {
        return Ok(UTF_8);
    }
    let text = text_of(archive)?;
    let is_utf16 = encoding.is_none_or(|encoding| [UTF_16LE, UTF_16BE].contains(&encoding));
    if text != TextOf::OtherThanUtf8 || is_utf16 {
        // An ASCII text is a text in all the others.
        if text != TextOf::Ascii || is_utf16 {
            notes.add(DeviationKind::Encoding, "", &label);
        }
        return Ok(UTF_8);
    }
    Ok(encoding.unwrap_or(UTF_8))
}

/// The encoding that the XML declaration names.
fn declared(start: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(start);
    let (_, declaration) = text.split_once("<?xml")?;
    let (declaration, _) = declaration.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    value.split(quote).nth(1).map(|label| label.trim().to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextOf {
    Ascii,
    Utf8,
    OtherThanUtf8,
}

/// Runs through a document to see what its octets could be.
fn text_of(archive: &Archive<'_>) -> io::Result<TextOf> {
    let mut contents = Decoded::new(archive.reader(), UTF_8);
    let mut is_ascii = true;
    loop {
        let chunk = contents.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        is_ascii &= chunk.is_ascii();
        let length = chunk.len();
        contents.consume(length);
    }
    Ok(match contents.bad_octets {
        0 if is_ascii => TextOf::Ascii,
        0 => TextOf::Utf8,
        _ => TextOf::OtherThanUtf8,
    })
}

/// A document in UTF-8, without byte order mark. Holds one chunk of it at a time.
pub(super) struct Decoded<R> {
    source: R,
    decoder: Decoder,
    /// Read and not yet decoded: a chunk, behind the beginning of a character.
    raw: Vec<u8>,
    text: String,
    /// How much of the text has been handed out.
    given: usize,
    is_at_start: bool,
    is_at_end: bool,
    /// Octets that were not in the encoding.
    pub(super) bad_octets: u64,
}

enum Decoder {
    Utf8,
    Other(encoding_rs::Decoder),
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(source: R, encoding: &'static Encoding) -> Self {
        let decoder = match encoding == UTF_8 {
            true => Decoder::Utf8,
            false => Decoder::Other(encoding.new_decoder_with_bom_removal()),
        };
        Self {
            source,
            decoder,
            raw: Vec::with_capacity(CHUNK_OCTETS),
            text: String::new(),
            given: 0,
            is_at_start: true,
            is_at_end: false,
            bad_octets: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn held_octets(&self) -> usize {
        self.raw.capacity() + self.text.capacity()
    }

    /// Decodes the next chunk in place of the last.
    fn refill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        let wanted = u64::try_from(CHUNK_OCTETS).unwrap_or(u64::MAX);
        let read = (&mut self.source).take(wanted).read_to_end(&mut self.raw)?;
        self.is_at_end = read < CHUNK_OCTETS;
        match &mut self.decoder {
            Decoder::Utf8 => self.decode_utf8(),
            Decoder::Other(decoder) => {
                self.bad_octets += decode_other(decoder, &mut self.raw, &mut self.text, self.is_at_end);
            }
        }
        if std::mem::take(&mut self.is_at_start) && self.text.starts_with('\u{feff}') {
            self.given = '\u{feff}'.len_utf8();
        }
        Ok(())
    }

    fn decode_utf8(&mut self) {
        let mut rest = &*self.raw;
        // Each round takes at least one octet, or is the last.
        while !rest.is_empty() {
            let error = match str::from_utf8(rest) {
                Ok(text) => {
                    self.text.push_str(text);
                    rest = &[];
                    break;
                }
                Err(error) => error,
            };
            let (good, bad) = rest.split_at_checked(error.valid_up_to()).unwrap_or((rest, &[]));
            self.text.push_str(&String::from_utf8_lossy(good));
            rest = bad;
            // None: a character begins here, and its end is not read yet.
            let length = match error.error_len() {
                None if !self.is_at_end => break,
                None => bad.len(),
                Some(length) => length,
            };
            let (bad, after) = bad.split_at_checked(length).unwrap_or((bad, &[]));
            self.text
                .push_str(&WINDOWS_1252.decode_without_bom_handling(bad).0);
            self.bad_octets += u64::try_from(bad.len()).unwrap_or(u64::MAX);
            rest = after;
        }
        let decoded = self.raw.len() - rest.len();
        self.raw.drain(..decoded);
    }
}

/// Decodes all of `raw`; what is left of a character is kept inside of the decoder.
fn decode_other(
    decoder: &mut encoding_rs::Decoder,
    raw: &mut Vec<u8>,
    text: &mut String,
    is_last: bool,
) -> u64 {
    let room = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(CHUNK_OCTETS);
    text.reserve(room);
    let (result, _, has_bad) = decoder.decode_to_string(raw, text, is_last);
    debug_assert_eq!(result, CoderResult::InputEmpty, "there is room for all of it");
    raw.clear();
    u64::from(has_bad)
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.given >= self.text.len() && !self.is_at_end {
            self.refill()?;
        }
        Ok(self.text.as_bytes().get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, octets: usize) {
        self.given = self.given.saturating_add(octets).min(self.text.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::ArchiveLimits;

    fn decode(octets: &[u8]) -> (String, Vec<&'static str>, u64) {
        let archive = Archive::open(octets, &ArchiveLimits::default()).unwrap();
        let mut notes = Notes::default();
        let encoding = encoding_of(&archive, &mut notes).unwrap();
        let mut decoded = Decoded::new(archive.reader(), encoding);
        let mut text = String::new();
        decoded.read_to_string(&mut text).unwrap();
        let words = notes.into_list().iter().map(|note| note.kind.as_str()).collect();
        (text, words, decoded.bad_octets)
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn octets_that_are_utf8_are_utf8_whatever_is_declared() {
        for label in ["iso-8859-1", "utf-16", "koi9"] {
            let text = format!("<?xml version='1.0' encoding='{label}'?><a>é</a>");
            assert_eq!(decode(text.as_bytes()), (text, vec!["encoding"], 0), "{label}");
        }
    }

    #[test]
    fn ascii_is_a_text_in_the_declared_encoding_but_not_in_utf_16() {
        let text = |label: &str| format!("<?xml version=\"1.0\" encoding=\"{label}\"?><a/>");
        assert_eq!(decode(text("iso-8859-1").as_bytes()).1, [""; 0]);
        assert_eq!(decode(text("UTF-16").as_bytes()).1, ["encoding"]);
    }

    #[test]
    fn other_octets_are_read_as_declared() {
        let octets = b"<?xml version='1.0' encoding='iso-8859-2'?><a>\xb1</a>";
        let (text, notes, bad) = decode(octets);
        assert!(text.ends_with("<a>ą</a>"), "{text}");
        assert_eq!((notes.len(), bad), (0, 0));
    }

    #[test]
    fn single_bad_octets_are_windows_1252_and_counted() {
        let (text, _, bad) = decode(b"<a>M\xfcller \xc3\xa9 \x80\xe2\x82</a>\xe2\x82");
        assert_eq!((&*text, bad), ("<a>Müller é €â‚</a>â‚", 6));
    }

    #[test]
    fn byte_order_marks_are_taken_off() {
        assert_eq!(decode(b"\xef\xbb\xbf<a/>").0, "<a/>");
        assert_eq!(decode(&utf16("\u{feff}<a>é</a>")).0, "<a>é</a>");
        assert_eq!(decode(&utf16("<a>é</a>")).0, "<a>é</a>");
    }

    #[test]
    fn characters_across_chunks_stay_whole() {
        let text = format!("<a>{}</a>", "é€𝄞x".repeat(20_000));
        assert_eq!(decode(text.as_bytes()), (text.clone(), Vec::new(), 0));
        assert_eq!(decode(&utf16(&text)).0, text);
    }
}
