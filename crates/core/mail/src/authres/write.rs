//! Writing Authentication-Results (RFC 8601 §2.2), ours to the last octet: whatever
//! the values hold, what is written reads back, is ASCII, and breaks no line.

use std::borrow::Cow;

use super::read::{is_keyword, is_mailbox, is_token};
use super::{AuthenticationResults, Property, ResultInfo};
use crate::text::printable;

/// Where lines are folded (RFC 5322 §2.1.1). The hard limit of 998 holds too, by the limits below:
/// nothing that may not be broken comes near it, even with each octet escaped.
const LINE_COLUMNS: usize = 78;
/// What stands on the first line before the value.
const FIRST_COLUMN: usize = "Authentication-Results:".len();
/// The columns a tab takes at the start of a line.
const TAB_COLUMNS: usize = 8;
/// The longest method, result, property type and property.
const MAX_KEYWORD_OCTETS: usize = 64;
/// The longest value: the longest mailbox (RFC 5321 §4.5.3.1: 64 and 255, and the `@`).
const MAX_VALUE_OCTETS: usize = 320;
/// The longest reason; the rest is cut off.
pub const MAX_REASON_OCTETS: usize = 320;
/// The longest comment; the rest is cut off.
pub const MAX_COMMENT_OCTETS: usize = 600;
/// A field that needs more is written as well, only slower.
const USUAL_OCTETS: usize = 640;
/// Methods that somebody may search a field for, as registered (RFC 8601 §2.7) and as in use.
const SEARCHED_METHODS: [&str; 12] = [
    "arc",
    "auth",
    "bimi",
    "compauth",
    "dkim",
    "dkim-adsp",
    "dmarc",
    "domainkeys",
    "iprev",
    "sender-id",
    "smime",
    "spf",
];
/// The longest authserv-id; the rest is cut off.
const MAX_ID_OCTETS: usize = 255;
/// The longest job behind it; Postfix's own have at most 25 octets.
const MAX_JOB_OCTETS: usize = 64;

impl AuthenticationResults {
    /// The value of the field, to stand right after `Authentication-Results:`, folded,
    /// without the final CRLF.
    ///
    /// Nothing foreign gets through raw. A property whose value is no text in ASCII or
    /// is over 320 octets is left out, and so is a result or property whose name is no
    /// keyword; in reasons and comments, what is out of place is replaced.
    #[must_use]
    pub fn to_value(&self) -> String {
        self.written(None)
    }

    /// As [`to_value`](Self::to_value), with `/` and the job behind the authserv-id, as several filters
    /// write it; readers that go by RFC 8601 §2.2 alone make nothing of such a field. A job that is
    /// no token of at most 64 octets is left out.
    #[must_use]
    pub fn to_value_with_job(&self, job: &str) -> String {
        let fits = is_token(job.as_bytes()) && job.is_ascii() && job.len() <= MAX_JOB_OCTETS;
        self.written(Some(job).filter(|_| fits))
    }

    fn written(&self, job: Option<&str>) -> String {
        let mut line = Folded::new();
        let mut results = self
            .results
            .iter()
            .filter(|info| info.can_be_written())
            .peekable();
        let id = printable(&self.authserv_id, MAX_ID_OCTETS);
        let mut id = token_or_quoted(&id);
        if let Some(job) = job {
            id = Cow::Owned(format!("{id}/{job}"));
        }
        match self.version {
            Some(version) => line.add(&[&id, " ", &version.to_string(), ";"]),
            None => line.add(&[&id, ";"]),
        }
        if results.peek().is_none() {
            line.add(&["none"]);
        }
        while let Some(info) = results.next() {
            line.fold();
            info.write(&mut line);
            if results.peek().is_some() {
                line.text.push(';');
            }
        }
        line.text
    }
}

impl ResultInfo {
    fn can_be_written(&self) -> bool {
        is_short_keyword(&self.method) && is_short_keyword(&self.result)
    }

    /// The result, its reason and its comment, then what it is about. The grammar wants the
    /// reason before all properties, and a comment may stand anywhere.
    fn write(&self, line: &mut Folded) {
        match self.method_version {
            Some(version) => line.add(&[&self.method, "/", &version.to_string(), "=", &self.result]),
            None => line.add(&[&self.method, "=", &self.result]),
        }
        if let Some(reason) = &self.reason {
            line.add_reason(&harmless(reason, MAX_REASON_OCTETS, |octet| octet));
        }
        if let Some(comment) = &self.comment {
            line.add_comment(comment);
        }
        for property in &self.properties {
            property.write(line);
        }
    }
}

impl Property {
    /// `ptype.property=pvalue`, if it can be said.
    fn write(&self, line: &mut Folded) {
        let Self {
            ptype,
            property,
            value,
        } = self;
        let is_sayable = is_short_keyword(ptype)
            && is_short_keyword(property)
            && value.len() <= MAX_VALUE_OCTETS
            && value.bytes().all(is_text_octet);
        if !is_sayable {
            return;
        }
        // A mailbox is written as it is, quoted local part and all; quoted as a whole it
        // would be another value to some readers.
        let value = match value {
            value if is_mailbox(value.as_bytes()) => Cow::Borrowed(value.as_str()),
            value => token_or_quoted(value),
        };
        line.add(&[ptype, ".", property, "=", &value]);
    }
}

/// A text that grows word by word and is folded before it gets too wide.
struct Folded {
    text: String,
    column: usize,
    is_at_start: bool,
}

impl Folded {
    fn new() -> Self {
        let mut text = String::with_capacity(USUAL_OCTETS);
        text.push(' ');
        Self {
            text,
            column: FIRST_COLUMN + 1,
            is_at_start: true,
        }
    }

    /// Adds a word that is not broken, given in parts, after a blank or a fold.
    fn add(&mut self, parts: &[&str]) {
        let octets: usize = parts.iter().map(|part| part.len()).sum();
        // A semicolon may follow: as a tab is one octet and counts for eight columns, it fits.
        let fits = self.column + 1 + octets <= LINE_COLUMNS;
        if !self.is_at_start && fits {
            self.text.push(' ');
            self.column += 1;
        } else if !self.is_at_start {
            self.fold();
        }
        for part in parts {
            self.text.push_str(part);
        }
        self.column += octets;
        self.is_at_start = false;
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.column = TAB_COLUMNS;
        self.is_at_start = true;
    }

    /// Adds `reason=` and a text, broken at its blanks: what folds a line inside a quoted string
    /// is no part of the string, but the blank behind it is (RFC 5322 §3.2.4).
    fn add_reason(&mut self, reason: &str) {
        if is_token(reason.as_bytes()) {
            return self.add(&["reason=", reason]);
        }
        let mut words = reason.split(' ');
        let first = escaped(words.next().unwrap_or_default());
        self.add(&["reason=\"", &first]);
        for word in words {
            let word = escaped(word);
            // The final quote needs a column as well.
            let fits = self.column + 1 + word.len() < LINE_COLUMNS;
            // A line of nothing but blanks would be none (RFC 5322 §3.2.2).
            if !fits && !word.is_empty() {
                self.text.push_str("\r\n");
                self.column = 0;
            }
            self.text.push(' ');
            self.text.push_str(&word);
            self.column += 1 + word.len();
        }
        self.text.push('"');
        self.column += 1;
    }

    /// Adds a comment, parentheses around all. Parentheses and backslashes inside could end it
    /// early for somebody; quotes and semicolons too, for a reader that looks for those first.
    fn add_comment(&mut self, comment: &str) {
        let harmless = harmless(comment, MAX_COMMENT_OCTETS, |octet| match octet {
            b'(' => b'[',
            b')' => b']',
            b';' => b',',
            b'"' => b'\'',
            b'\\' => b'?',
            other => other,
        });
        let mut words = harmless.split_ascii_whitespace().peekable();
        let mut open = "(";
        while let Some(word) = words.next() {
            let close = if words.peek().is_none() { ")" } else { "" };
            self.add(&[open, word, close]);
            open = "";
        }
    }
}

fn is_short_keyword(word: &str) -> bool {
    word.len() <= MAX_KEYWORD_OCTETS && is_keyword(word.as_bytes())
}

/// What a quoted string can hold without harm to a reader.
fn is_text_octet(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\t')
}

fn printable_octet(character: char) -> u8 {
    let octet = u8::try_from(character).ok();
    octet.filter(|&octet| is_text_octet(octet)).unwrap_or(b'?')
}

/// The printable text with its octets replaced, and with a colon for the `=` of all that looks
/// like a result. Rules of mail servers search the whole field for `dmarc=pass`, and texts quote
/// what strangers wrote, in an SPF record say.
fn harmless(text: &str, limit: usize, replaced: impl Fn(u8) -> u8) -> String {
    let mut harmless = Vec::with_capacity(text.len().min(limit));
    for octet in text.chars().take(limit).map(printable_octet) {
        let is_result = octet == b'=' && ends_in_method(harmless.trim_ascii_end());
        harmless.push(if is_result { b':' } else { replaced(octet) });
    }
    // It is ASCII, and so never lost.
    String::from_utf8(harmless).unwrap_or_default()
}

fn ends_in_method(text: &[u8]) -> bool {
    SEARCHED_METHODS.iter().any(|method| {
        let start = text.len().checked_sub(method.len());
        let end = start.and_then(|start| text.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(method.as_bytes()))
    })
}

fn token_or_quoted(text: &str) -> Cow<'_, str> {
    if is_token(text.as_bytes()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("\"{}\"", escaped(text)))
    }
}

/// As it stands inside a quoted string.
fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '"']) {
        Cow::Owned(text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        Cow::Borrowed(text)
    }
}
