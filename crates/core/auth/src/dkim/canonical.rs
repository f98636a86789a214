//! Canonical form: what of a message is hashed (RFC 6376 §3.4).
//!
//! Lines end in CRLF and in nothing else: a bare CR or LF is an octet like any other,
//! and is hashed as it is. Repairing it first would sign two messages with one signature.

use memchr::memmem::Finder;

/// How much change on the way a signature survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Canonicalization {
    /// Next to none (RFC 6376 §3.4.1, §3.4.3).
    Simple,
    /// White space and, in header fields, folding and case of the name (§3.4.2, §3.4.4).
    Relaxed,
}

impl Canonicalization {
    /// The word of `c=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }

    /// Reads one half of `c=`.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word {
            b"simple" => Some(Self::Simple),
            b"relaxed" => Some(Self::Relaxed),
            _ => None,
        }
    }
}

landmarc_mail::display_as_str!(Canonicalization);

/// Appends the canonical form of a header field to `out`, without the final CRLF:
/// the signature field itself is hashed without one (RFC 6376 §3.7).
///
/// `raw_name` is all that stands before the colon, `value` all after it.
pub fn header_field(kind: Canonicalization, raw_name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    match kind {
        Canonicalization::Simple => {
            out.extend_from_slice(raw_name);
            out.push(b':');
            out.extend_from_slice(value);
        }
        Canonicalization::Relaxed => {
            out.extend(trim_wsp(raw_name).iter().map(u8::to_ascii_lowercase));
            out.push(b':');
            relaxed_value(value, out);
        }
    }
}

/// Unfolded, each run of white space one space, none at the ends (RFC 6376 §3.4.2).
fn relaxed_value(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    let (mut blank, mut started) = (false, false);
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match (octet, after) {
            (b' ' | b'\t', _) => blank = true,
            // A fold is CRLF followed by white space; any other CRLF is no fold, and stays.
            (b'\r', [b'\n', b' ' | b'\t', ..]) => rest = after.get(1..).unwrap_or_default(),
            _ => {
                if blank && started {
                    out.push(b' ');
                }
                out.push(octet);
                (blank, started) = (false, true);
            }
        }
    }
}

fn trim_wsp(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| !matches!(b, b' ' | b'\t'));
    text.get(..end.map_or(0, |last| last + 1)).unwrap_or_default()
}

/// Canonical form of a body that arrives in pieces of any size, in constant memory.
///
/// Octets whose fate hangs on what follows (line ends, white space, a CR) are held
/// back as counts and flags, never as text.
#[derive(Clone, Debug)]
pub struct BodyCanonicalizer {
    kind: Canonicalization,
    held: Held,
    started: bool,
}

/// What was seen and is not yet known to be kept, in the order of arrival.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    line_ends: u64,
    blank: bool,
    carriage_return: bool,
}

impl BodyCanonicalizer {
    /// For a new body.
    #[must_use]
    pub fn new(kind: Canonicalization) -> Self {
        Self {
            kind,
            held: Held::default(),
            started: false,
        }
    }

    /// Takes the next piece and gives canonical octets to `sink`.
    pub fn update(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        match self.kind {
            Canonicalization::Simple => self.literal(chunk, sink),
            Canonicalization::Relaxed => self.relaxed(chunk, sink),
        }
    }

    /// The end of the body.
    pub fn finish(mut self, sink: &mut impl FnMut(&[u8])) {
        if self.held.carriage_return {
            self.release(sink);
            sink(b"\r");
        }
        // RFC 6376 §3.4.3: "If there is no body or no trailing CRLF on the message body, a
        // CRLF is added"; §3.4.4 adds one only where there is a body. Whatever else is held
        // back, empty lines and blanks at the end, is dropped by both.
        if self.started || self.kind == Canonicalization::Simple {
            sink(b"\r\n");
        }
    }

    /// Single spaces between words are the common case and stay where they are; only at
    /// white space of another kind is the text cut.
    fn relaxed(&mut self, chunk: &[u8], sink: &mut impl FnMut(&[u8])) {
        let mut start = 0;
        if self.held.blank && !self.held.carriage_return {
            // The run of white space began in an earlier piece.
            start = after_blanks(chunk, 0);
        }
        let mut blanks = OddBlanks::new(chunk);
        while let Some(at) = blanks.next_from(start) {
            self.literal(chunk.get(start..at).unwrap_or_default(), sink);
            self.blank(sink);
            start = after_blanks(chunk, at);
        }
        self.literal(chunk.get(start..).unwrap_or_default(), sink);
    }

    /// A run of white space: one space, if anything but a line end follows.
    fn blank(&mut self, sink: &mut impl FnMut(&[u8])) {
        if self.held.carriage_return {
            self.release(sink);
            sink(b"\r");
        }
        self.held.blank = true;
    }

    /// Text that is kept as it is, but for the line ends at its end.
    fn literal(&mut self, text: &[u8], sink: &mut impl FnMut(&[u8])) {
        let Some(text) = self.join_line_end(text, sink) else {
            return;
        };
        let (kept, line_ends, carriage_return) = split_line_ends(text);
        if !kept.is_empty() {
            self.release(sink);
            sink(kept);
        }
        self.held.line_ends += line_ends;
        self.held.carriage_return = carriage_return;
    }

    /// Settles a CR or blanks held back, which the next octets decide about. `None` when
    /// nothing remains to be done.
    fn join_line_end<'t>(&mut self, text: &'t [u8], sink: &mut impl FnMut(&[u8])) -> Option<&'t [u8]> {
        let rest = match (self.held.carriage_return, text) {
            (_, []) => return None,
            (true, [b'\n', rest @ ..]) => rest,
            (true, _) => {
                self.release(sink);
                sink(b"\r");
                return Some(text);
            }
            (false, [b'\r', b'\n', rest @ ..]) if self.held.blank => rest,
            // The one octet does not show yet whether the blanks end a line.
            (false, [b'\r']) => {
                self.held.carriage_return = true;
                return None;
            }
            (false, _) => return Some(text),
        };
        self.held.line_ends += 1;
        self.held.blank = false;
        self.held.carriage_return = false;
        Some(rest)
    }

    /// Gives out what was held back, because text follows; a CR is for the caller.
    fn release(&mut self, sink: &mut impl FnMut(&[u8])) {
        const LINE_ENDS: &[u8; 64] = b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
        let mut octets = self.held.line_ends.saturating_mul(2);
        while octets > 0 {
            let part = usize::try_from(octets).map_or(LINE_ENDS.len(), |left| left.min(LINE_ENDS.len()));
            sink(LINE_ENDS.get(..part).unwrap_or_default());
            octets -= part as u64;
        }
        if self.held.blank {
            sink(b" ");
        }
        self.held = Held::default();
        self.started = true;
    }
}

/// White space that relaxed form may change: a tab, two spaces in a row, a space before a
/// CR or at the end of the piece. Each kind is searched for on its own and by whole vectors
/// of octets, which is many times faster than to stop at every space between two words.
struct OddBlanks<'t> {
    text: &'t [u8],
    two_spaces: Finder<'static>,
    space_and_cr: Finder<'static>,
    /// The next place of each kind; [`usize::MAX`] when there is none.
    tab: usize,
    double: usize,
    before_line_end: usize,
}

impl<'t> OddBlanks<'t> {
    fn new(text: &'t [u8]) -> Self {
        let mut this = Self {
            text,
            two_spaces: Finder::new(b"  "),
            space_and_cr: Finder::new(b" \r"),
            tab: 0,
            double: 0,
            before_line_end: 0,
        };
        (this.tab, this.double, this.before_line_end) =
            (this.find_tab(0), this.find_double(0), this.find_end(0));
        this
    }

    /// The first one at or after `start`, which never goes back.
    fn next_from(&mut self, start: usize) -> Option<usize> {
        if self.tab < start {
            self.tab = self.find_tab(start);
        }
        if self.double < start {
            self.double = self.find_double(start);
        }
        if self.before_line_end < start {
            self.before_line_end = self.find_end(start);
        }
        let next = self.tab.min(self.double).min(self.before_line_end);
        (next < usize::MAX).then_some(next)
    }

    /// A tab, or the one space before it: two would be another kind.
    fn find_tab(&self, start: usize) -> usize {
        let rest = self.rest(start);
        let tab = memchr::memchr(b'\t', rest);
        let run = tab.map(|at| match at.checked_sub(1) {
            Some(before) if rest.get(before) == Some(&b' ') => before,
            _ => at,
        });
        place(start, run)
    }

    fn find_double(&self, start: usize) -> usize {
        place(start, self.two_spaces.find(self.rest(start)))
    }

    fn find_end(&self, start: usize) -> usize {
        let rest = self.rest(start);
        let at_end = || rest.ends_with(b" ").then(|| rest.len() - 1);
        place(start, self.space_and_cr.find(rest).or_else(at_end))
    }

    fn rest(&self, start: usize) -> &'t [u8] {
        self.text.get(start..).unwrap_or_default()
    }
}

fn place(start: usize, at: Option<usize>) -> usize {
    at.map_or(usize::MAX, |at| start + at)
}

/// Where the run of white space that begins at `start` ends.
fn after_blanks(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count()
}

/// The text up to the line ends at its end, how many of them, and whether a CR follows.
fn split_line_ends(text: &[u8]) -> (&[u8], u64, bool) {
    let (mut kept, carriage_return) = match text {
        [before @ .., b'\r'] => (before, true),
        _ => (text, false),
    };
    let mut line_ends = 0;
    while let [before @ .., b'\r', b'\n'] = kept {
        kept = before;
        line_ends += 1;
    }
    (kept, line_ends, carriage_return)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: Canonicalization, name: &str, value: &str) -> String {
        let mut out = Vec::new();
        header_field(kind, name.as_bytes(), value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    fn body(kind: Canonicalization, pieces: &[&str]) -> String {
        let mut out = Vec::new();
        let mut sink = |octets: &[u8]| out.extend_from_slice(octets);
        let mut canonicalizer = BodyCanonicalizer::new(kind);
        for piece in pieces {
            canonicalizer.update(piece.as_bytes(), &mut sink);
        }
        canonicalizer.finish(&mut sink);
        String::from_utf8(out).unwrap()
    }

    fn relaxed(pieces: &[&str]) -> String {
        body(Canonicalization::Relaxed, pieces)
    }

    fn simple(pieces: &[&str]) -> String {
        body(Canonicalization::Simple, pieces)
    }

    /// RFC 6376 §3.4.5, Example 1 and 2.
    #[test]
    fn examples_of_the_rfc() {
        let kind = Canonicalization::Relaxed;
        assert_eq!(header(kind, "A", " X"), "a:X");
        assert_eq!(header(kind, "B ", " Y\t\r\n\tZ  "), "b:Y Z");
        let kind = Canonicalization::Simple;
        assert_eq!(header(kind, "B ", " Y\t\r\n\tZ  "), "B : Y\t\r\n\tZ  ");
        let text = " C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(relaxed(&[text]), " C\r\nD E\r\n");
        assert_eq!(simple(&[text]), " C \r\nD \t E\r\n");
    }

    #[test]
    fn a_line_end_that_is_no_fold_stays_in_a_header_field() {
        assert_eq!(header(Canonicalization::Relaxed, "A", "x\r\ny"), "a:x\r\ny");
        assert_eq!(header(Canonicalization::Relaxed, "A", "x\ry\nz"), "a:x\ry\nz");
        assert_eq!(header(Canonicalization::Relaxed, "A", " \r\n "), "a:");
        assert_eq!(header(Canonicalization::Relaxed, "A", ""), "a:");
    }

    #[test]
    fn empty_bodies() {
        for empty in [&[][..], &[""], &["\r\n"], &["\r\n", "\r", "\n"]] {
            assert_eq!(simple(empty), "\r\n", "{empty:?}");
            assert_eq!(relaxed(empty), "", "{empty:?}");
        }
        assert_eq!(relaxed(&[" \t\r\n \r\n "]), "");
        assert_eq!(simple(&[" \r\n\r\n"]), " \r\n");
    }

    #[test]
    fn the_end_is_one_line_end() {
        assert_eq!(simple(&["a"]), "a\r\n");
        assert_eq!(simple(&["a\r\n\r\n", "\r\n"]), "a\r\n");
        assert_eq!(relaxed(&["a  "]), "a\r\n");
        assert_eq!(relaxed(&["a\r\n \t\r\n\r\n"]), "a\r\n");
        assert_eq!(relaxed(&["a\r\n\r\n\r\nb"]), "a\r\n\r\n\r\nb\r\n");
    }

    #[test]
    fn bare_line_ends_are_text() {
        assert_eq!(simple(&["a\nb\rc\r"]), "a\nb\rc\r\r\n");
        assert_eq!(relaxed(&["a \n b \r c\r"]), "a \n b \r c\r\r\n");
        assert_eq!(relaxed(&["a\r", "  b"]), "a\r b\r\n");
        assert_eq!(relaxed(&["a \r", "\r\n"]), "a \r\r\n");
        assert_eq!(relaxed(&["a \r", " b"]), "a \r b\r\n");
        assert_eq!(relaxed(&["a ", " b", " ", "\t", " \n"]), "a b \n\r\n");
    }

    /// RFC 6376 §3.4.4 word by word, for a body that is there as a whole.
    fn relaxed_by_the_book(text: &str) -> String {
        let reduced = |line: &str| {
            let mut out = String::new();
            for octet in line.chars() {
                match octet {
                    ' ' | '\t' if out.ends_with(' ') => {}
                    ' ' | '\t' => out.push(' '),
                    other => out.push(other),
                }
            }
            out.trim_end_matches(' ').to_owned()
        };
        let mut lines: Vec<String> = text.split("\r\n").map(reduced).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.into_iter().map(|line| line + "\r\n").collect()
    }

    #[test]
    fn every_short_text_in_every_two_pieces_is_as_the_rfc_has_it() {
        const CHARACTERS: [char; 5] = ['a', ' ', '\t', '\r', '\n'];
        for number in 0..5_usize.pow(6) {
            let text: String = (0..6)
                .map(|place| CHARACTERS[number / 5_usize.pow(place) % 5])
                .collect();
            let expected = relaxed_by_the_book(&text);
            for cut in 0..=text.len() {
                let (one, two) = text.split_at(cut);
                assert_eq!(relaxed(&[one, two]), expected, "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn more_line_ends_than_fit_into_one_piece() {
        let text = format!("a{}b", "\r\n".repeat(1_000));
        assert_eq!(simple(&[&text]), format!("{text}\r\n"));
        assert_eq!(relaxed(&[&text, "\r\n\r\n"]), format!("{text}\r\n"));
    }
}
