//! Header fields and body, byte for byte, under stated limits.
//!
//! Knows where a field begins and ends, and what is wrong with it; deliberately
//! repairs nothing and decodes nothing, for signatures are over octets. No MIME
//! structure: only report mail is taken apart, elsewhere.

mod left_out;
mod read;

use left_out::NamesLeftOut;
pub use left_out::{MAX_NAME_LEFT_OUT_OCTETS, MAX_NAMES_LEFT_OUT};
pub use read::{MessageError, Parsed, split};

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

    /// A field as a milter hears of it: the MTA has turned the CRLF of folds into LF
    /// (and leaves a CRLF it did not make). Folds become CRLF again; `value` must be
    /// with its leading blank, as the milter protocol's leading-space option gives it.
    #[must_use]
    pub fn from_milter(name: &[u8], value: &[u8]) -> Self {
        Self::new(name, read::with_crlf(value).into_owned())
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

    /// Whether some reader may take it for a field of that name: also with octets in its name that are
    /// dropped in display, or at the first of which a reader stops.
    #[must_use]
    pub fn reads_as(&self, name: &str) -> bool {
        reads_as(&self.name, name)
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
    /// A CR or LF that is no part of a fold: alone, or a CRLF without a blank after it.
    /// Some reader takes it for the end of the field; here it never is.
    #[error("a bare CR or LF in the header section")]
    BareLineEnd,
    /// A NUL octet.
    #[error("a NUL octet in the header section")]
    Nul,
    /// A line that begins no field and continues none: the body begins with it.
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
    /// 1 MiB in all, 256 KiB a field, 10,000 fields: some ten times what honest mail has.
    fn default() -> Self {
        Self {
            section_octets: 1024 * 1024,
            field_octets: 256 * 1024,
            fields: 10_000,
        }
    }
}

/// The field that every receiver writes and must remove where it is forged (RFC 8601).
const RESULTS: &str = "Authentication-Results";

/// The header section in the order of arrival, topmost field first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderSection {
    fields: Vec<HeaderField>,
    defects: Vec<HeaderDefect>,
    octets: usize,
    left_out: NamesLeftOut,
    results: ResultsFields,
}

/// Which Authentication-Results fields were received and which of them are not kept: those
/// that are not may still have to be removed (RFC 8601 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ResultsFields {
    received: u32,
    left_out: Vec<u32>,
    /// Names that are not that name and may be taken for it, of each such field.
    misspelt: Vec<Box<[u8]>>,
}

/// Authentication-Results fields that are left out and remembered. Past that they are not,
/// and a message with ten thousand such fields is not one that anybody reads.
pub const MAX_RESULTS_LEFT_OUT: usize = 10_000;

impl HeaderSection {
    /// Appends a field as received, unless a limit is passed: then the field is left
    /// out and the defect noted.
    pub fn push(&mut self, field: HeaderField, limits: &HeaderLimits) {
        self.note_defects(&field);
        let octets = self.octets.saturating_add(field.wire_len());
        if field.wire_len() > limits.field_octets {
            self.leave_out(field.name(), field.wire_len(), HeaderDefect::FieldTooLong);
        } else if octets > limits.section_octets || self.fields.len() >= limits.fields {
            self.leave_out(field.name(), field.wire_len(), HeaderDefect::SectionTooLong);
        } else {
            self.octets = octets;
            self.results.received += u32::from(field.is(RESULTS));
            self.note_misspelt_results(field.name());
            self.fields.push(field);
        }
    }

    /// Notes that a field of that name and size was received and is not kept.
    pub fn leave_out(&mut self, name: &[u8], octets: usize, defect: HeaderDefect) {
        self.octets = self.octets.saturating_add(octets);
        self.note_once(defect);
        self.left_out.add(name);
        if name.len() <= MAX_NAME_LEFT_OUT_OCTETS {
            self.note_misspelt_results(name.trim_ascii_end());
        }
        if name.trim_ascii_end().eq_ignore_ascii_case(RESULTS.as_bytes()) {
            self.results.received = self.results.received.saturating_add(1);
            if self.results.left_out.len() < MAX_RESULTS_LEFT_OUT {
                self.results.left_out.push(self.results.received);
            }
        }
    }

    /// The numbers, from 1 at the top, of the Authentication-Results fields that were received
    /// and are not kept, at most [`MAX_RESULTS_LEFT_OUT`]. Those of the kept ones are the others.
    #[must_use]
    pub fn results_left_out(&self) -> &[u32] {
        &self.results.left_out
    }

    fn note_misspelt_results(&mut self, name: &[u8]) {
        let is_misspelt = !name.eq_ignore_ascii_case(RESULTS.as_bytes()) && reads_as(name, RESULTS);
        if is_misspelt && self.results.misspelt.len() < MAX_RESULTS_LEFT_OUT {
            self.results.misspelt.push(name.into());
        }
    }

    /// The names of the fields, kept or not, that some reader may take for Authentication-Results
    /// although their name is another; each as often as it was received, in that order, at most
    /// [`MAX_RESULTS_LEFT_OUT`] of them.
    pub fn misspelt_results(&self) -> impl Iterator<Item = &[u8]> {
        self.results.misspelt.iter().map(AsRef::as_ref)
    }

    /// Notes a defect. One of size, noted without [`HeaderSection::leave_out`], says that fields
    /// were left out and nobody knows which.
    pub fn note(&mut self, defect: HeaderDefect) {
        if matches!(defect, HeaderDefect::FieldTooLong | HeaderDefect::SectionTooLong) {
            self.left_out.add_unknown();
        }
        self.note_once(defect);
    }

    fn note_once(&mut self, defect: HeaderDefect) {
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

    /// Whether fields were left out at a limit. What they say is not known then: of a name
    /// that is here once there may be two, and of one that is not here, one.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.defects
            .iter()
            .any(|defect| matches!(defect, HeaderDefect::FieldTooLong | HeaderDefect::SectionTooLong))
    }

    /// Whether a field of that name may be among those that were left out: then what is here of
    /// that name is perhaps not all there was.
    #[must_use]
    pub fn may_lack(&self, name: &[u8]) -> bool {
        self.left_out.may_contain(name)
    }

    /// Whether one that was left out may be the From field, or be taken for it.
    #[must_use]
    pub fn may_lack_from(&self) -> bool {
        self.left_out.may_contain_from()
    }

    /// Octets received, kept or not.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    fn note_defects(&mut self, field: &HeaderField) {
        let name = field.name();
        // RFC 5322 §2.2: printable ASCII without the colon.
        if name.is_empty() || !name.iter().all(|&b| b.is_ascii_graphic() && b != b':') {
            self.note(HeaderDefect::FieldName);
        }
        self.note_odd_octets(field.raw_name());
        self.note_odd_octets(field.value());
    }

    /// Looks at each NUL, CR and LF, of which only CRLF before a blank or tab is right.
    fn note_odd_octets(&mut self, octets: &[u8]) {
        for at in memchr::memchr3_iter(b'\r', b'\n', 0, octets) {
            let (before, after) = (&octets[..at], &octets[at + 1..]);
            match (octets[at], before, after) {
                (0, ..) => self.note(HeaderDefect::Nul),
                (b'\r', _, [b'\n', b' ' | b'\t', line @ ..]) => {
                    if is_blank_line(line) {
                        self.note(HeaderDefect::BlankContinuation);
                    }
                }
                // The LF of a CRLF: its CR was looked at.
                (b'\n', [.., b'\r'], _) => {}
                _ => self.note(HeaderDefect::BareLineEnd),
            }
        }
    }
}

/// Whether the printable octets of a name are that name, in any case.
fn reads_as(name: &[u8], word: &str) -> bool {
    let shown = name.iter().filter(|octet| octet.is_ascii_graphic());
    shown
        .map(u8::to_ascii_lowercase)
        .eq(word.bytes().map(|octet| octet.to_ascii_lowercase()))
}

fn is_blank_line(octets: &[u8]) -> bool {
    let text = octets.iter().position(|b| !matches!(b, b' ' | b'\t'));
    text.is_none_or(|at| octets[at..].starts_with(b"\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defects_of(name: &[u8], value: &[u8]) -> Vec<HeaderDefect> {
        let mut header = HeaderSection::default();
        header.push(HeaderField::new(name, value), &HeaderLimits::default());
        header.defects().to_vec()
    }

    #[test]
    fn a_field_is_kept_as_sent() {
        let field = HeaderField::new(*b"Subject \t", *b" a\r\n  b ");
        assert_eq!(field.name(), b"Subject");
        assert_eq!(field.raw_name(), b"Subject \t");
        assert_eq!(field.value(), b" a\r\n  b ");
        assert!(field.is("SUBJECT"));
        assert_eq!(field.wire_len(), b"Subject \t: a\r\n  b \r\n".len());
    }

    #[test]
    fn a_milter_value_gets_its_line_ends_back() {
        let field = HeaderField::from_milter(b"To", b" a,\n\tb,\r\n c\n\n d");
        assert_eq!(field.value(), b" a,\r\n\tb,\r\n c\r\n\r\n d");
        assert_eq!(HeaderField::from_milter(b"To", b"\n a").value(), b"\r\n a");
    }

    #[test]
    fn at08_a_line_end_that_is_no_fold_is_noted() {
        use HeaderDefect::BareLineEnd;
        for value in [
            &b" a\rFrom: x@bank.test"[..],
            b" a\nFrom: x@bank.test",
            b" a\r\nFrom: x@bank.test",
            b" a\n b",
            b" a\r\r\n b",
            b" a\r",
            b"\n",
        ] {
            assert!(
                defects_of(b"Subject", value).contains(&BareLineEnd),
                "{}",
                value.escape_ascii()
            );
        }
        assert_eq!(defects_of(b"Subject", b" a\r\n b\r\n\tc"), []);
    }

    #[test]
    fn nul_odd_names_and_blank_lines_are_noted() {
        assert_eq!(defects_of(b"Subject", b" a\0b"), [HeaderDefect::Nul]);
        assert_eq!(
            defects_of(b"Sub\0ject", b" a"),
            [HeaderDefect::FieldName, HeaderDefect::Nul]
        );
        for name in [&b""[..], b" ", b"a b", b"a:b", "ü".as_bytes()] {
            assert_eq!(defects_of(name, b" a"), [HeaderDefect::FieldName]);
        }
        for value in [&b" a\r\n \r\n b"[..], b" a\r\n\t ", b"\r\n "] {
            assert_eq!(defects_of(b"To", value), [HeaderDefect::BlankContinuation]);
        }
        assert_eq!(defects_of(b"From ", b" a"), []);
    }

    #[test]
    fn a_field_is_left_out_one_octet_past_its_limit() {
        let limits = HeaderLimits {
            field_octets: 10,
            ..HeaderLimits::default()
        };
        let mut header = HeaderSection::default();
        header.push(HeaderField::new(*b"X", *b" 45678"), &limits);
        assert_eq!((header.fields().len(), header.defects()), (1, &[][..]));
        assert!(!header.is_cut());
        header.push(HeaderField::new(*b"X", *b" 456789"), &limits);
        header.push(HeaderField::new(*b"X", *b" 456789"), &limits);
        assert_eq!(header.fields().len(), 1);
        assert_eq!(header.defects(), [HeaderDefect::FieldTooLong]);
        assert!(header.is_cut());
        assert_eq!(header.octets(), 10 + 11 + 11);
    }

    #[test]
    fn a_section_is_cut_one_octet_or_one_field_past_its_limit() {
        let section = |octets, fields| {
            let limits = HeaderLimits {
                section_octets: octets,
                fields,
                ..HeaderLimits::default()
            };
            let mut header = HeaderSection::default();
            for _ in 0..3 {
                header.push(HeaderField::new(*b"X", *b" 45678"), &limits);
            }
            (header.fields().len(), header.defects().to_vec())
        };
        assert_eq!(section(30, 3), (3, vec![]));
        assert_eq!(section(29, 3), (2, vec![HeaderDefect::SectionTooLong]));
        assert_eq!(section(30, 2), (2, vec![HeaderDefect::SectionTooLong]));
    }

    #[test]
    fn results_that_are_left_out_are_remembered_to_a_limit() {
        let mut header = HeaderSection::default();
        header.push(
            HeaderField::new(RESULTS.as_bytes(), *b" a"),
            &HeaderLimits::default(),
        );
        for _ in 0..=MAX_RESULTS_LEFT_OUT {
            header.leave_out(b"authentication-results ", 10, HeaderDefect::FieldTooLong);
        }
        header.leave_out(b"Subject", 10, HeaderDefect::FieldTooLong);
        let left_out = header.results_left_out();
        assert_eq!(
            (left_out.len(), left_out.first()),
            (MAX_RESULTS_LEFT_OUT, Some(&2))
        );
        assert!(header.is_cut());
    }

    #[test]
    fn fields_of_a_name_come_with_their_place() {
        let mut header = HeaderSection::default();
        for name in [&b"To"[..], b"X", b"TO "] {
            header.push(HeaderField::new(name, *b" a"), &HeaderLimits::default());
        }
        let places: Vec<_> = header.named("to").map(|(place, _)| place).collect();
        assert_eq!(places, [0, 2]);
    }
}
