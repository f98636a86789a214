//! The list of tags, before anyone asks what they mean (RFC 9989 §4.8).

use landmarc_mail::text::visible_octets;

use super::problem::{MAX_QUOTE_OCTETS, Problems, RecordProblem};
use super::{MAX_RECORD_OCTETS, MAX_TAGS};

/// One tag; each name stands once in a list that was read.
pub(super) struct Tag {
    /// In lower case.
    pub(super) name: String,
    /// Printable ASCII with blanks and tabs, trimmed; none when it has other octets, or
    /// when the tag stood twice with different values.
    pub(super) value: Option<String>,
    quote: String,
}

impl Tag {
    /// What a reader makes of the value, if there is one to read.
    pub(super) fn read<T>(&self, reader: impl Fn(&str) -> Option<T>) -> Option<T> {
        reader(self.value.as_deref()?)
    }

    /// The complaint about the value.
    pub(super) fn invalid_value(&self) -> RecordProblem {
        RecordProblem::Value {
            tag: self.name.clone(),
            value: self.quote.clone(),
        }
    }

    /// No section says it: equal values are one, different ones make the tag invalid. Read as a
    /// RFC 6376 tag list the record would be void; §4.8 has errors ignored.
    fn merge(&mut self, other: &Self, problems: &mut Problems) {
        let is_same = match (&self.value, &other.value) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            (None, _) | (_, None) => false,
        };
        if !is_same {
            self.value = None;
            problems.add(RecordProblem::Conflict {
                tag: self.name.clone(),
            });
        }
    }
}

/// Whether the first tag is `v` with the value `DMARC1`, which alone is case-sensitive
/// (§4.8). Not a test of a prefix: `DMARC10` is another version.
pub(super) fn starts_with_version(text: &[u8]) -> bool {
    let first = text.split(|&b| b == b';').next().unwrap_or_default();
    split_element(first).is_some_and(|(name, value)| name.eq_ignore_ascii_case(b"v") && value == b"DMARC1")
}

/// The tags after `v`, in the order of first appearance.
///
/// # Errors
/// The limit that the text goes over.
pub(super) fn read(text: &[u8], problems: &mut Problems) -> Result<Vec<Tag>, RecordProblem> {
    if text.len() > MAX_RECORD_OCTETS {
        return Err(RecordProblem::TooLong { octets: text.len() });
    }
    if let Some(b' ' | b'\t') = text.first() {
        problems.add(RecordProblem::LeadingBlank);
    }
    let mut tags: Vec<Tag> = Vec::new();
    let mut count = 0;
    for element in text.split(|&b| b == b';').map(trim_blanks) {
        let Some(tag) = read_element(element, problems) else {
            continue;
        };
        count += 1;
        if count > MAX_TAGS {
            return Err(RecordProblem::TooManyTags);
        }
        match tags.iter_mut().find(|known| known.name == tag.name) {
            Some(known) => known.merge(&tag, problems),
            None => tags.push(tag),
        }
    }
    tags.retain(|tag| tag.name != "v");
    Ok(tags)
}

/// Nothing for an empty element, which is passed over in silence, and for one that is
/// no tag, which is noted.
fn read_element(element: &[u8], problems: &mut Problems) -> Option<Tag> {
    if element.is_empty() {
        return None;
    }
    let Some((name, value)) = split_element(element) else {
        problems.add(RecordProblem::NoEqualsSign(visible_octets(
            element,
            MAX_QUOTE_OCTETS,
        )));
        return None;
    };
    let quoted_name = visible_octets(name, MAX_QUOTE_OCTETS);
    if name.is_empty() || !name.iter().all(u8::is_ascii_alphabetic) {
        problems.add(RecordProblem::TagName(quoted_name));
        return None;
    }
    // Two readings: the grammar folds the case of tag names, RFC 6376 §3.2 does not.
    if name.iter().any(u8::is_ascii_uppercase) {
        problems.add(RecordProblem::TagCase(quoted_name));
    }
    let is_text = value.iter().all(|&b| matches!(b, b'\t' | b' '..=b'~'));
    Some(Tag {
        name: String::from_utf8_lossy(name).to_ascii_lowercase(),
        value: is_text.then(|| String::from_utf8_lossy(value).into_owned()),
        quote: visible_octets(value, MAX_QUOTE_OCTETS),
    })
}

/// Name and value around the first equals sign, blanks taken off.
fn split_element(element: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = element.iter().position(|&b| b == b'=')?;
    let (name, rest) = element.split_at(at);
    let value = rest.strip_prefix(b"=")?;
    Some((trim_blanks(name), trim_blanks(value)))
}

/// Without the blanks and tabs at both ends: the only white space there is (WSP).
fn trim_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_spaces_and_tabs_only() {
        assert_eq!(trim_blanks(b" \t a\n "), b"a\n");
        assert_eq!(trim_blanks(b" \t"), b"");
        assert!(starts_with_version(b"\tv\t=\tDMARC1\t"));
        assert!(!starts_with_version(b"v=DMARC1\n; p=none"));
    }

    #[test]
    fn what_is_no_tag_is_noted_and_passed_over() {
        let mut problems = Problems::default();
        let tags = read(b"v=DMARC1; P=none; ;; oops; =x; x_1=2; v=DMARC2", &mut problems)
            .map_err(|limit| limit.to_string())
            .unwrap();
        let names: Vec<_> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["p"]);
        for (text, is_noted) in [(" v=DMARC1", true), ("\tv=DMARC1", true), ("v=DMARC1", false)] {
            let mut problems = Problems::default();
            assert!(read(text.as_bytes(), &mut problems).is_ok());
            let is_leading = problems.into_vec() == [RecordProblem::LeadingBlank];
            assert_eq!(is_leading, is_noted, "{text:?}");
        }
        assert_eq!(
            problems.into_vec(),
            [
                RecordProblem::TagCase("P".into()),
                RecordProblem::NoEqualsSign("oops".into()),
                RecordProblem::TagName(String::new()),
                RecordProblem::TagName("x_1".into()),
                RecordProblem::Conflict { tag: "v".into() },
            ]
        );
    }
}
