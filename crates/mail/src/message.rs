//! Header fields and body, byte for byte, under stated limits.

use std::ops::Range;

/// One header field, byte for byte.
///
/// `name` is all that stood before the colon (with the blanks of the obsolete form
/// `From :`), `value` all after it up to, and without, the final CRLF: leading blank
/// and folds (as CRLF) included, so that `name ":" value CRLF` is the field as sent.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderField {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl HeaderField {
    /// A field of these octets, which are kept as they are.
    pub fn new(name: impl Into<Box<[u8]>>, value: impl Into<Box<[u8]>>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }

    /// The field name without the white space that may stand before the colon.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.name.trim_ascii_end()
    }

    /// All octets before the colon.
    #[must_use]
    pub fn raw_name(&self) -> &[u8] {
        &self.name
    }

    /// All octets after the colon, without the final CRLF.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Whether this is a field of that name; names are compared without case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// Octets of the field on the wire: name, colon, value, CRLF.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        self.name.len() + self.value.len() + 3
    }
}

impl std::fmt::Debug for HeaderField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name.escape_ascii(), self.value.escape_ascii())
    }
}

/// What is wrong with a header section. Such a message is judged all the same, and
/// says so: an unparsable message is an attack more often than an accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HeaderDefect {
    /// A carriage return without a line feed, or the other way round.
    #[error("a bare CR or LF in the header section")]
    BareLineEnd,
    /// A NUL octet.
    #[error("a NUL octet in the header section")]
    Nul,
    /// A line without a colon that continues nothing.
    #[error("a line that is no header field")]
    NotAField,
    /// A continuation line of white space only (RFC 5322 §4.2 calls it obsolete).
    #[error("a line of white space inside the header section")]
    BlankContinuation,
    /// A field name with octets outside RFC 5322 §2.2.
    #[error("a field name with characters it may not have")]
    FieldName,
    /// A field over [`HeaderLimits::field_octets`]; it is cut off from evaluation.
    #[error("a header field over the size limit")]
    FieldTooLong,
    /// More than [`HeaderLimits::section_octets`] or [`HeaderLimits::fields`].
    #[error("a header section over the size limit")]
    SectionTooLong,
}

/// How much of a header section is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLimits {
    /// Octets of all fields together.
    pub section_octets: usize,
    /// Octets of one field.
    pub field_octets: usize,
    /// Number of fields.
    pub fields: usize,
}

impl Default for HeaderLimits {
    /// 1 MiB in all, 256 KiB a field (standards: one header block, one field), 10,000 fields.
    fn default() -> Self {
        Self {
            section_octets: 1024 * 1024,
            field_octets: 256 * 1024,
            fields: 10_000,
        }
    }
}

/// The header section in the order of arrival, topmost field first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderSection {
    fields: Vec<HeaderField>,
    defects: Vec<HeaderDefect>,
    octets: usize,
}

impl HeaderSection {
    /// Appends a field as received, unless a limit is passed: then the field is left
    /// out and the defect noted.
    pub fn push(&mut self, field: HeaderField, limits: &HeaderLimits) {
        self.octets = self.octets.saturating_add(field.wire_len());
        self.note_defects(&field);
        if field.wire_len() > limits.field_octets {
            self.note(HeaderDefect::FieldTooLong);
        } else if self.octets > limits.section_octets || self.fields.len() >= limits.fields {
            self.note(HeaderDefect::SectionTooLong);
        } else {
            self.fields.push(field);
        }
    }

    /// Notes a defect once.
    pub fn note(&mut self, defect: HeaderDefect) {
        if !self.defects.contains(&defect) {
            self.defects.push(defect);
        }
    }

    /// All fields, topmost first.
    #[must_use]
    pub fn fields(&self) -> &[HeaderField] {
        &self.fields
    }

    /// The fields of one name with their index among all, topmost first.
    pub fn named<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = (usize, &'a HeaderField)> {
        self.fields
            .iter()
            .enumerate()
            .filter(move |(_, field)| field.is(name))
    }

    /// What is wrong with the section, each thing once.
    #[must_use]
    pub fn defects(&self) -> &[HeaderDefect] {
        &self.defects
    }

    /// Octets received, kept or not.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    fn note_defects(&mut self, field: &HeaderField) {
        let name_ok =
            !field.name().is_empty() && field.name().iter().all(|b| matches!(b, 33..=57 | 59..=126));
        if !name_ok {
            self.note(HeaderDefect::FieldName);
        }
        if memchr::memchr(0, field.value()).is_some() || memchr::memchr(0, field.raw_name()).is_some() {
            self.note(HeaderDefect::Nul);
        }
        for line in line_ranges(field.value()) {
            let line = &field.value()[line];
            if memchr::memchr2(b'\r', b'\n', line).is_some() {
                self.note(HeaderDefect::BareLineEnd);
            }
        }
        if line_ranges(field.value())
            .skip(1)
            .any(|line| field.value()[line].trim_ascii().is_empty())
        {
            self.note(HeaderDefect::BlankContinuation);
        }
    }
}

/// The lines of a field value, split at CRLF only.
fn line_ranges(value: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = Some(0);
    std::iter::from_fn(move || {
        let from = start?;
        let end = memchr::memmem::find(&value[from..], b"\r\n").map(|at| from + at);
        start = end.map(|at| at + 2);
        Some(from..end.unwrap_or(value.len()))
    })
}
