//! The configuration language of rspamd (UCL), as far as its DMARC and Redis sections are written in it.
//!
//! Read are `key = value;`, `key: value`, `key value`, sections and named sections in braces, lists in
//! brackets, both kinds of quotes, texts between `<<WORD` and `WORD`, and comments. `.include` and other
//! macros are told and not followed; variables such as `$CONFDIR` stay as they are written. JSON is UCL, too.

mod fault;

pub use fault::{UclError, UclMistake};

/// The largest file that is read, in octets.
pub const MAX_FILE_OCTETS: usize = 1 << 20;
/// How deep sections may lie in one another.
pub const MAX_DEPTH: usize = 32;
/// The most values in one file.
pub const MAX_VALUES: usize = 20_000;
/// The longest value, in octets.
pub const MAX_VALUE_OCTETS: usize = 64 * 1_024;
/// The most faults of one file that are told.
pub const MAX_FAULTS: usize = 100;

/// Something that a file says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UclEntry {
    /// The sections it is in and its own key, from the outermost on.
    pub path: Vec<String>,
    /// The line it begins in, from 1.
    pub line: usize,
    /// What it says.
    pub value: UclValue,
}

/// A value as it is written, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UclValue {
    /// One value; numbers and truth values are texts here.
    Text(String),
    /// A list.
    List(Vec<String>),
    /// The beginning of a section.
    Section,
    /// A macro, such as `include`, with what it is about.
    Macro(String),
}

/// Reads a file. What is wrong costs its line, or what it is inside of; all else is read.
#[must_use]
pub fn read(octets: &[u8]) -> (Vec<UclEntry>, Vec<UclMistake>) {
    if octets.len() > MAX_FILE_OCTETS {
        let wrong = UclError::FileTooLong(octets.len());
        return (Vec::new(), vec![UclMistake { line: 1, wrong }]);
    }
    // Editors of other systems begin a file with a byte order mark.
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let (text, is_cut) = match str::from_utf8(octets) {
        Ok(text) => (text, false),
        Err(error) => {
            let valid = octets.get(..error.valid_up_to()).unwrap_or_default();
            (str::from_utf8(valid).unwrap_or_default(), true)
        }
    };
    let mut reader = Reader::new(text);
    reader.run();
    if is_cut {
        reader.fault(reader.line, UclError::NotUtf8);
    } else if let Some((path, line)) = reader.open.pop().filter(|_| !reader.ended_inside()) {
        reader.fault(line, UclError::OpenSection(path));
    }
    (reader.said, reader.faults)
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
    /// The sections that are open, each with its line.
    open: Vec<(String, usize)>,
    said: Vec<UclEntry>,
    faults: Vec<UclMistake>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            line: 1,
            open: Vec::new(),
            said: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn run(&mut self) {
        loop {
            self.skip_blanks();
            if self.said.len() >= MAX_VALUES {
                return self.fault(self.line, UclError::TooMany);
            }
            match self.peek() {
                None => return,
                Some(';' | ',') => self.advance(1),
                Some('}') => self.end_section(),
                // The braces around a file that is JSON.
                Some('{') if self.open.is_empty() && self.said.is_empty() => {
                    self.advance(1);
                    self.open.push((String::new(), self.line));
                }
                Some('.') => self.read_macro(),
                Some(_) => self.read_pair(),
            }
        }
    }

    fn fault(&mut self, line: usize, wrong: UclError) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(UclMistake { line, wrong });
        }
    }

    /// Whether the file ended inside of something that is told already, and that has swallowed the braces.
    fn ended_inside(&self) -> bool {
        let inside = |wrong: &UclError| {
            matches!(
                wrong,
                UclError::OpenQuote | UclError::OpenComment | UclError::OpenList | UclError::OpenText(_)
            )
        };
        self.faults.last().is_some_and(|fault| inside(&fault.wrong))
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Goes on by so many octets, which end at a character.
    fn advance(&mut self, octets: usize) {
        let (gone, rest) = self.rest.split_at_checked(octets).unwrap_or((self.rest, ""));
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    /// Takes what stands before the first character like that.
    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest;
        let length = rest.find(ends).unwrap_or(rest.len());
        self.advance(length);
        rest.get(..length).unwrap_or_default()
    }

    /// Blanks, line ends and comments.
    fn skip_blanks(&mut self) {
        loop {
            self.take_until(|c| !c.is_whitespace());
            if self.rest.starts_with('#') {
                self.take_until(|c| c == '\n');
            } else if self.rest.starts_with("/*") {
                self.skip_comment();
            } else {
                return;
            }
        }
    }

    /// `/* … */`, which may have others in it.
    fn skip_comment(&mut self) {
        let (line, mut depth) = (self.line, 0_usize);
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.advance(2);
            } else if self.rest.starts_with("*/") {
                depth = depth.saturating_sub(1);
                self.advance(2);
                if depth == 0 {
                    return;
                }
            } else {
                match self.peek() {
                    Some(c) => self.advance(c.len_utf8()),
                    None => return self.fault(line, UclError::OpenComment),
                }
            }
        }
    }

    fn skip_spaces(&mut self) {
        self.take_until(|c| !matches!(c, ' ' | '\t'));
    }

    fn end_section(&mut self) {
        if self.open.pop().is_none() {
            self.fault(self.line, UclError::Brace);
        }
        self.advance(1);
    }

    /// `.include(try=true) "path"`.
    fn read_macro(&mut self) {
        let line = self.line;
        let name = self
            .take_until(|c| c.is_whitespace() || "(;}".contains(c))
            .to_owned();
        if self.peek() == Some('(') {
            self.take_until(|c| matches!(c, ')' | '\n'));
            self.advance(1);
        }
        self.skip_spaces();
        let about = match self.peek() {
            Some('"' | '\'') => self.quoted().unwrap_or_default(),
            _ => self.bare().to_owned(),
        };
        self.say(
            Vec::new(),
            line,
            UclValue::Macro(cut(&format!("{name} {about}")).to_owned()),
        );
    }

    fn read_pair(&mut self) {
        let line = self.line;
        let key = match self.peek() {
            Some('"' | '\'') => match self.quoted() {
                Some(key) => key,
                None => return,
            },
            _ => self
                .take_until(|c| c.is_whitespace() || "=:{}[];,\"'#".contains(c))
                .to_owned(),
        };
        if key.is_empty() {
            let text = self.take_until(|c| c == '\n');
            return self.fault(line, UclError::Key(cut(text).to_owned()));
        }
        self.skip_spaces();
        if matches!(self.peek(), Some('=' | ':')) {
            self.advance(1);
            self.skip_spaces();
        }
        self.read_value(key, line);
    }

    fn read_value(&mut self, key: String, line: usize) {
        match self.peek() {
            None | Some(';' | ',' | '}') => self.fault(line, UclError::NoValue(key)),
            Some('\n' | '\r') => {
                // A brace may stand on the next line; any other value stands behind its key.
                let (rest, at) = (self.rest, self.line);
                self.skip_blanks();
                if self.peek() == Some('{') {
                    self.begin(&[key], line);
                } else {
                    (self.rest, self.line) = (rest, at);
                    self.fault(line, UclError::NoValue(key));
                }
            }
            Some('{') => self.begin(&[key], line),
            Some('[') => {
                self.advance(1);
                self.read_list(&key, line);
            }
            Some('"' | '\'') => {
                if let Some(text) = self.quoted() {
                    self.end_value(key, text, line);
                }
            }
            Some('<') if self.rest.starts_with("<<") => self.read_text(key, line),
            Some(_) => {
                let text = self.bare();
                self.end_value(key, text.to_owned(), line);
            }
        }
    }

    /// What is not quoted ends with its line, at a semicolon, a brace, or a comment.
    fn bare(&mut self) -> &'t str {
        let rest = self.rest;
        let mut before = ' ';
        let end = rest.char_indices().find(|(_, c)| {
            let ends = matches!(c, '\n' | ';' | '{' | '}' | ',') || (*c == '#' && before.is_whitespace());
            before = *c;
            ends
        });
        let length = end.map_or(rest.len(), |(at, _)| at);
        self.advance(length);
        rest.get(..length).unwrap_or_default().trim()
    }

    /// After a value that was quoted or not: where a brace follows, it was the name of a section.
    fn end_value(&mut self, key: String, text: String, line: usize) {
        self.skip_spaces();
        if self.peek() == Some('{') {
            return self.begin(&[key, text], line);
        }
        self.say(vec![key], line, UclValue::Text(text));
    }

    /// At a brace that opens.
    fn begin(&mut self, names: &[String], line: usize) {
        self.advance(1);
        if self.open.len() >= MAX_DEPTH {
            // What is inside is no part of anything; the braces are counted all the same.
            self.fault(line, UclError::TooDeep);
        }
        self.say(names.to_vec(), line, UclValue::Section);
        self.open.push((names.join(" "), line));
    }

    /// After a bracket that opens.
    fn read_list(&mut self, key: &str, line: usize) {
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return self.fault(line, UclError::OpenList),
                Some(',' | ';') => self.advance(1),
                Some(']') => {
                    self.advance(1);
                    break;
                }
                Some('"' | '\'') => match self.quoted() {
                    Some(item) => items.push(item),
                    None => return,
                },
                Some('{' | '}' | '[') => {
                    // Lists of sections are of other modules.
                    self.advance(1);
                }
                Some(_) => {
                    let ends = |c: char| c.is_whitespace() || ",;[]{}".contains(c);
                    items.push(self.take_until(ends).to_owned());
                }
            }
            if items.len() > MAX_VALUES {
                return self.fault(line, UclError::TooMany);
            }
        }
        self.say(vec![key.to_owned()], line, UclValue::List(items));
    }

    /// `<<EOD`, lines, and `EOD` on a line of its own.
    fn read_text(&mut self, key: String, line: usize) {
        self.advance(2);
        let word = self.take_until(|c| c == '\n').trim();
        self.advance(1);
        let mut lines = Vec::new();
        while !self.rest.is_empty() {
            let text = self.take_until(|c| c == '\n');
            self.advance(1);
            if text.trim_end() == word {
                return self.say(vec![key], line, UclValue::Text(lines.join("\n")));
            }
            lines.push(text);
        }
        self.fault(line, UclError::OpenText(word.to_owned()));
    }

    /// At a quote; nothing where it is not closed, which is told. Nothing is replaced between single quotes.
    fn quoted(&mut self) -> Option<String> {
        let line = self.line;
        let quote = self.peek()?;
        self.advance(1);
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.advance(c.len_utf8());
            match c {
                c if c == quote => return Some(text),
                '\\' if quote == '"' => {
                    let escaped = self.peek()?;
                    self.advance(escaped.len_utf8());
                    text.push(unescaped(escaped));
                }
                c => text.push(c),
            }
        }
        self.fault(line, UclError::OpenQuote);
        None
    }

    fn say(&mut self, names: Vec<String>, line: usize, value: UclValue) {
        let octets = match &value {
            UclValue::Text(text) => text.len(),
            UclValue::List(items) => items.iter().map(String::len).sum(),
            UclValue::Section | UclValue::Macro(_) => 0,
        };
        if octets > MAX_VALUE_OCTETS {
            return self.fault(line, UclError::ValueTooLong(names.join(".")));
        }
        if self.open.len() > MAX_DEPTH {
            return;
        }
        let sections = self.open.iter().flat_map(|(names, _)| names.split(' '));
        let sections = sections.filter(|name| !name.is_empty()).map(str::to_owned);
        self.said.push(UclEntry {
            path: sections.chain(names).collect(),
            line,
            value,
        });
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}

fn cut(text: &str) -> &str {
    const MAX: usize = 200;
    text.get(..text.floor_char_boundary(MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
