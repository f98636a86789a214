//! Writing Authentication-Results (RFC 8601 §2.2), ours to the last octet: whatever
//! the values hold, what is written reads back, is ASCII, and breaks no line.

use super::read::{is_keyword, is_mailbox, is_token};
use super::{AuthenticationResults, Property, ResultInfo};

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
const MAX_REASON_OCTETS: usize = 320;
/// The longest comment; the rest is cut off.
const MAX_COMMENT_OCTETS: usize = 500;
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

impl AuthenticationResults {
    /// The value of the field, to stand right after `Authentication-Results:`, folded,
    /// without the final CRLF.
    ///
    /// Nothing foreign gets through raw. A property whose value is no text in ASCII or
    /// is over 320 octets is left out, and so is a result or property whose name is no
    /// keyword; in reasons and comments, what is out of place is replaced.
    #[must_use]
    pub fn to_value(&self) -> String {
        let mut line = Folded::new();
        let mut id = token_or_quoted(&printable(&self.authserv_id, MAX_ID_OCTETS));
        let mut results = self
            .results
            .iter()
            .filter(|info| info.can_be_written())
            .peekable();
        if let Some(version) = self.version {
            id = format!("{id} {version}");
        }
        line.add(&format!("{id};"));
        if results.peek().is_none() {
            line.add("none");
        }
        while let Some(info) = results.next() {
            line.fold();
            let end = if results.peek().is_some() { ";" } else { "" };
            info.write(&mut line, end);
        }
        line.text
    }
}

impl ResultInfo {
    fn can_be_written(&self) -> bool {
        is_short_keyword(&self.method) && is_short_keyword(&self.result)
    }

    fn write(&self, line: &mut Folded, end: &str) {
        let mut words = vec![self.method_and_result()];
        if let Some(comment) = &self.comment {
            words.extend(comment_words(comment));
        }
        if let Some(reason) = &self.reason {
            let reason = token_or_quoted(&without_results(&printable(reason, MAX_REASON_OCTETS)));
            words.push(format!("reason={reason}"));
        }
        words.extend(self.properties.iter().filter_map(Property::written));
        if let Some(last) = words.last_mut() {
            last.push_str(end);
        }
        for word in words {
            line.add(&word);
        }
    }

    fn method_and_result(&self) -> String {
        let Self { method, result, .. } = self;
        match self.method_version {
            Some(version) => format!("{method}/{version}={result}"),
            None => format!("{method}={result}"),
        }
    }
}

impl Property {
    /// `ptype.property=pvalue`, if it can be said.
    fn written(&self) -> Option<String> {
        let Self {
            ptype,
            property,
            value,
        } = self;
        let is_sayable = is_short_keyword(ptype)
            && is_short_keyword(property)
            && value.len() <= MAX_VALUE_OCTETS
            && value.bytes().all(is_text_octet);
        // A mailbox is written as it is, quoted local part and all; quoted as a whole it
        // would be another value to some readers.
        let value = match value {
            value if is_mailbox(value.as_bytes()) => value.clone(),
            value => token_or_quoted(value),
        };
        is_sayable.then(|| format!("{ptype}.{property}={value}"))
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
        Self {
            text: " ".to_owned(),
            column: FIRST_COLUMN + 1,
            is_at_start: true,
        }
    }

    /// Adds a word that is not broken, after a blank or a fold.
    fn add(&mut self, word: &str) {
        let fits = self.column + 1 + word.len() <= LINE_COLUMNS;
        if !self.is_at_start && fits {
            self.text.push(' ');
            self.column += 1;
        } else if !self.is_at_start {
            self.fold();
        }
        self.text.push_str(word);
        self.column += word.len();
        self.is_at_start = false;
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.column = TAB_COLUMNS;
        self.is_at_start = true;
    }
}

fn is_short_keyword(word: &str) -> bool {
    word.len() <= MAX_KEYWORD_OCTETS && is_keyword(word.as_bytes())
}

/// What a quoted string can hold without harm to a reader.
fn is_text_octet(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\t')
}

/// The text with a `?` for each character that is not printable ASCII, cut at `limit`.
fn printable(text: &str, limit: usize) -> String {
    text.chars()
        .take(limit)
        .map(|c| {
            u8::try_from(c)
                .ok()
                .filter(|&b| is_text_octet(b))
                .map_or('?', char::from)
        })
        .collect()
}

/// The text with a colon for the `=` of all that looks like a result. Rules of mail servers
/// search the whole field for `dmarc=pass`, and texts quote what strangers wrote, in an SPF
/// record say.
fn without_results(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for octet in text.chars() {
        let is_result = octet == '=' && ends_in_method(harmless.trim_end());
        harmless.push(if is_result { ':' } else { octet });
    }
    harmless
}

fn ends_in_method(text: &str) -> bool {
    SEARCHED_METHODS.iter().any(|method| {
        let start = text.len().checked_sub(method.len());
        let end = start.and_then(|start| text.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(method))
    })
}

fn token_or_quoted(text: &str) -> String {
    if is_token(text.as_bytes()) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// The words of a comment, parentheses around all. Parentheses and backslashes inside
/// could end it early for somebody; quotes and semicolons too, for a reader that looks
/// for those first.
fn comment_words(comment: &str) -> Vec<String> {
    let harmless: String = without_results(&printable(comment, MAX_COMMENT_OCTETS))
        .chars()
        .map(|c| match c {
            '(' => '[',
            ')' => ']',
            ';' => ',',
            '"' => '\'',
            '\\' => '?',
            other => other,
        })
        .collect();
    let mut words: Vec<String> = harmless.split_ascii_whitespace().map(str::to_owned).collect();
    if let Some(first) = words.first_mut() {
        first.insert(0, '(');
    }
    if let Some(last) = words.last_mut() {
        last.push(')');
    }
    words
}
