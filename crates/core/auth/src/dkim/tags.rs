//! Tag lists, the form of signatures and key records (RFC 6376 §3.2).

use std::ops::Range;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use landmarc_mail::text::visible_octets;

/// Tags one list may have. A DKIM-Signature defines fourteen and nobody invents dozens.
pub const MAX_TAGS: usize = 64;

/// Base64 whose padding may be missing: key records in the field lack it, and it says nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A tag list: `name=value` pairs between semicolons, each name once.
#[derive(Clone, Debug)]
pub struct TagList<'a> {
    text: &'a [u8],
    tags: Vec<Tag<'a>>,
}

/// One tag, white space around name and value left out.
#[derive(Clone, Debug)]
struct Tag<'a> {
    name: &'a str,
    value: &'a [u8],
    /// Place of the value in the text, surrounding white space included.
    place: Range<usize>,
}

/// Why a text is no tag list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagListError {
    /// A part between semicolons that is not `name=value`.
    #[error("a part is not of the form tag=value: `{0}`")]
    NotATag(String),
    /// A name twice. RFC 6376 §3.2: "Tags with duplicate names MUST NOT occur within a
    /// single tag-list; if a tag name does occur more than once, the entire tag-list is invalid."
    #[error("a tag occurs twice: `{0}=`")]
    Duplicate(String),
    /// Octets that no value may have.
    #[error("a value has characters it may not have: `{0}=`")]
    Value(String),
    /// Over [`MAX_TAGS`].
    #[error("there are more than {MAX_TAGS} tags")]
    TooMany,
}

impl<'a> TagList<'a> {
    /// Reads a list; one semicolon may follow the last tag.
    ///
    /// # Errors
    /// [`TagListError`]. RFC 6376 §6.1.1: "being "liberal in what you accept" is definitely
    /// a bad strategy in this security context".
    pub fn parse(text: &'a [u8]) -> Result<Self, TagListError> {
        let mut tags = Vec::<Tag<'a>>::new();
        let mut start = 0;
        while start < text.len() {
            let end = memchr::memchr(b';', text.get(start..).unwrap_or_default())
                .map_or(text.len(), |found| start + found);
            let part = text.get(start..end).unwrap_or_default();
            let at_end = end == text.len();
            // The list may end in ";", so what follows the last one may be empty, and only that.
            if !(at_end && trim(part).is_empty() && !tags.is_empty()) {
                let tag = Tag::parse(part, start)?;
                if tags.iter().any(|other| other.name == tag.name) {
                    return Err(TagListError::Duplicate(tag.name.to_owned()));
                }
                if tags.len() == MAX_TAGS {
                    return Err(TagListError::TooMany);
                }
                tags.push(tag);
            }
            start = end + 1;
        }
        match tags.is_empty() {
            true => Err(TagListError::NotATag(excerpt(text))),
            false => Ok(Self { text, tags }),
        }
    }

    /// The value of a tag; names are compared with case (RFC 6376 §3.2).
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.tag(name).map(|tag| tag.value)
    }

    /// The name of the first tag.
    #[must_use]
    pub fn first_name(&self) -> &'a str {
        self.tags.first().map_or("", |tag| tag.name)
    }

    /// The text with the value of `b=` taken out, white space around it included:
    /// what a signature covers of its own field (RFC 6376 §3.7).
    #[must_use]
    pub fn without_signature(&self) -> Vec<u8> {
        let place = self.tag("b").map_or(0..0, |tag| tag.place.clone());
        let (before, after) = (self.text.get(..place.start), self.text.get(place.end..));
        [before.unwrap_or_default(), after.unwrap_or_default()].concat()
    }

    fn tag(&self, name: &str) -> Option<&Tag<'a>> {
        self.tags.iter().find(|tag| tag.name == name)
    }
}

impl<'a> Tag<'a> {
    fn parse(part: &'a [u8], offset: usize) -> Result<Self, TagListError> {
        let not_a_tag = || TagListError::NotATag(excerpt(part));
        let equals = memchr::memchr(b'=', part).ok_or_else(not_a_tag)?;
        let (name, value) = part.split_at(equals);
        let value = value.get(1..).unwrap_or_default();
        let name = str::from_utf8(trim(name)).map_err(|_| not_a_tag())?;
        // tag-name = ALPHA *(ALPHA / DIGIT / "_")
        let well_named = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !well_named {
            return Err(not_a_tag());
        }
        let raw = offset + equals + 1;
        let place = raw..raw + value.len();
        let value = trim(value);
        if !value_is_valid(value) {
            return Err(TagListError::Value(name.to_owned()));
        }
        Ok(Self { name, value, place })
    }
}

/// tval and folding white space; RFC 8616 §5 adds UTF-8 to what RFC 6376 §3.2 allows.
fn value_is_valid(value: &[u8]) -> bool {
    let printable = value
        .iter()
        .all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | 0x21..=0x7e | 0x80..));
    // Line ends are part of a fold or not there at all.
    let folds = value
        .split(|&b| b == b'\r')
        .skip(1)
        .all(|rest| matches!(rest, [b'\n', b' ' | b'\t', ..]));
    let line_feeds = memchr::memchr_iter(b'\n', value).count();
    let returns = memchr::memchr_iter(b'\r', value).count();
    printable && folds && line_feeds == returns && str::from_utf8(value).is_ok()
}

/// The text without folding white space at its ends.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|b| !is_space(b)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| !is_space(b))
        .map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// The items of a list such as `h=`, white space around each left out.
pub fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b':').map(trim)
}

/// The text without any folding white space.
#[must_use]
pub fn squeeze(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .copied()
        .filter(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
        .collect()
}

/// Octets from base64 with white space anywhere; `None` where it is something else.
#[must_use]
pub fn base64(value: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(squeeze(value)).ok()
}

/// A number of at most `digits` digits; a longer one counts as endless, as RFC 6376
/// §3.5 allows of `x=`. `None` unless it is all digits.
#[must_use]
pub fn number(value: &[u8], digits: usize) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if value.len() > digits {
        return Some(u64::MAX);
    }
    let digit = |sum: u64, b: &u8| sum.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    Some(value.iter().fold(0, digit))
}

/// Foreign text for a reason: printable ASCII, the start of it. It stands between backticks at the
/// end of the reason, so that it can be left out where no foreign text may stand.
#[must_use]
pub fn excerpt(text: &[u8]) -> String {
    const SHOWN: usize = 40;
    visible_octets(trim(text), SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> TagListError {
        TagList::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn reads_tags_and_trims_folds() {
        let list = TagList::parse(b" v=1; a = rsa-sha256 ;\r\n\th=from :\r\n to; empty=;b=x y ; ").unwrap();
        assert_eq!(list.value("v"), Some(&b"1"[..]));
        assert_eq!(list.value("a"), Some(&b"rsa-sha256"[..]));
        assert_eq!(list.value("empty"), Some(&b""[..]));
        assert_eq!(list.value("A"), None);
        assert_eq!(list.first_name(), "v");
        let names: Vec<_> = items(list.value("h").unwrap()).collect();
        assert_eq!(names, [&b"from"[..], b"to"]);
    }

    #[test]
    fn refuses_what_is_no_list() {
        assert!(matches!(error(""), TagListError::NotATag(_)));
        assert!(matches!(error(";"), TagListError::NotATag(_)));
        assert!(matches!(error("v=1;;a=2"), TagListError::NotATag(_)));
        assert!(matches!(error("v=1; ;"), TagListError::NotATag(_)));
        assert!(matches!(error("v=1; word"), TagListError::NotATag(_)));
        assert!(matches!(error("v=1; g-s=1"), TagListError::NotATag(_)));
        assert_eq!(error("v=1; v=1"), TagListError::Duplicate("v".into()));
        assert_eq!(error("v=1; n=a\0b"), TagListError::Value("n".into()));
        assert_eq!(error("v=1; n=a\rb"), TagListError::Value("n".into()));
        assert_eq!(error("v=1; n=a\nb"), TagListError::Value("n".into()));
        assert_eq!(error("v=1; n=a\r\nb"), TagListError::Value("n".into()));
        assert!(TagList::parse(b"v=1; n=\xff").is_err());
    }

    #[test]
    fn takes_out_its_own_signature_with_the_space_around() {
        let list = TagList::parse(b" b= AA \r\n BB ; v=1").unwrap();
        assert_eq!(list.without_signature(), b" b=; v=1");
        let list = TagList::parse(b" bh=b; b=AA==\r\n ").unwrap();
        assert_eq!(list.without_signature(), b" bh=b; b=");
    }

    #[test]
    fn tags_are_counted() {
        let list = |count: usize| (0..count).map(|i| format!("t{i}=;")).collect::<String>();
        assert!(TagList::parse(list(MAX_TAGS).as_bytes()).is_ok());
        assert_eq!(error(&list(MAX_TAGS + 1)), TagListError::TooMany);
    }

    #[test]
    fn numbers_are_digits_and_long_ones_endless() {
        assert_eq!(number(b"999999999999", 12), Some(999_999_999_999));
        assert_eq!(number(b"1000000000000", 12), Some(u64::MAX));
        assert_eq!(number(b"", 12), None);
        assert_eq!(number(b"1 2", 12), None);
        assert_eq!(number(b"-1", 12), None);
        assert_eq!(number(&[b'9'; 76], 76), Some(u64::MAX));
    }
}
