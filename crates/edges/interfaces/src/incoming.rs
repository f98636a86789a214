//! A message that comes in pieces, taken apart as it comes: header fields, then body.
//!
//! Splits as [`landmarc_mail::message::split`] does with a whole message, and holds no more than one header field.

use std::borrow::Cow;
use std::mem::take;

use landmarc_milter::codec::LONG_NAME_LIMIT;

/// What comes next of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A header field: all before the colon, and all after it but the line end. Folds are CRLF.
    Field {
        /// With the blanks that may stand before the colon.
        name: Vec<u8>,
        /// With its leading blank, if it has one.
        value: Vec<u8>,
    },
    /// A header field of more octets than are taken, thrown away but for its name.
    LongField {
        /// At most [`LONG_NAME_LIMIT`] octets of it.
        name: Vec<u8>,
        /// Octets of the field, its line end included.
        size: u64,
    },
    /// The header section is over before its empty line, at a line that is no header field.
    NotAField,
    /// The header section is over.
    EndOfHeaders,
    /// A piece of the body, with CRLF line ends.
    Body(Cow<'a, [u8]>),
}

/// A message on its way in.
///
/// Where its first line ends in a bare LF, it is in local form: each LF without a CR is CRLF, in the body
/// too. Else a bare CR or LF is an octet like any other. The header section ends at an empty line, and
/// before a line that is no header field: the body begins with that. The separator of an mbox (`From `)
/// above it is left out.
#[derive(Debug)]
pub struct Incoming {
    limit: usize,
    state: State,
    /// Whether it is in local form; nothing before its first line end.
    is_local: Option<bool>,
    /// The octet before the next one.
    previous: u8,
    /// The complete lines of the field under way, as far as they fit under the limit.
    field: Vec<u8>,
    /// Octets of that field, kept or not.
    field_size: u64,
    /// The line that is coming in, as far as it fits.
    line: Vec<u8>,
    /// Octets of that line, kept or not.
    line_size: u64,
    /// Whether it is known to be of a field, and too long: no more of it is kept.
    is_line_too_long: bool,
    is_first_line: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Headers,
    /// The header section ends at a line that is no header field, which is still to be said.
    NotAField,
    /// The header section has ended, which is still to be said.
    Ended,
    Body,
}

impl Incoming {
    /// Nothing has come yet. `limit`: octets of a header field that are taken, its line end included.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            state: State::Headers,
            is_local: None,
            previous: 0,
            field: Vec::new(),
            field_size: 0,
            line: Vec::new(),
            line_size: 0,
            is_line_too_long: false,
            is_first_line: true,
        }
    }

    /// The next piece that is complete with these octets, which are taken off the front; nothing once
    /// they are used up.
    pub fn next<'a>(&mut self, octets: &mut &'a [u8]) -> Option<Piece<'a>> {
        loop {
            match self.state {
                State::Headers => {
                    if !self.fill_line(octets) {
                        return None;
                    }
                    if let Some(field) = self.take_line() {
                        return Some(field);
                    }
                }
                State::NotAField => return Some(self.end_at_text()),
                State::Ended => return Some(self.enter_body()),
                State::Body if self.line_size > 0 => return Some(self.first_of_body()),
                State::Body => {
                    let rest = take(octets);
                    return (!rest.is_empty()).then(|| Piece::Body(self.in_crlf_form(rest)));
                }
            }
        }
    }

    /// The next piece that is complete if nothing more comes; nothing at the end of the message.
    pub fn finish(&mut self) -> Option<Piece<'static>> {
        if self.state == State::Headers && self.line_size > 0 {
            let field = self.take_line();
            if field.is_some() {
                return field;
            }
        }
        if self.state == State::Headers {
            let field = self.take_field();
            if field.is_some() {
                return field;
            }
            self.state = State::Ended;
        }
        match self.state {
            State::NotAField => Some(self.end_at_text()),
            State::Ended => Some(self.enter_body()),
            State::Headers | State::Body => (self.line_size > 0).then(|| self.first_of_body()),
        }
    }

    /// Takes octets until a line is complete, or so much of it is here that it is known to be no
    /// field. Whether it is.
    fn fill_line(&mut self, octets: &mut &[u8]) -> bool {
        while !octets.is_empty() {
            let room = self.limit.saturating_sub(self.line.len());
            if room == 0 && !self.is_line_too_long {
                if !self.continues() && colon_of_field(&self.line).is_none() {
                    return true;
                }
                self.is_line_too_long = true;
            }
            let window = match self.is_line_too_long {
                true => octets.len(),
                false => room.min(octets.len()),
            };
            let window = octets.get(..window).unwrap_or(octets);
            let end = window
                .iter()
                .position(|b| *b == b'\n')
                .map_or(window.len(), |at| at + 1);
            let (part, rest) = octets.split_at_checked(end).unwrap_or((octets, &[]));
            *octets = rest;
            if self.add(part) {
                return true;
            }
        }
        false
    }

    /// Adds to the line octets without LF but for the last one. Whether the line is complete.
    fn add(&mut self, part: &[u8]) -> bool {
        let before = self.previous;
        self.previous = part.last().copied().unwrap_or(before);
        let Some(text) = part.strip_suffix(b"\n") else {
            self.keep(part);
            return false;
        };
        let has_cr = text.last().copied().unwrap_or(before) == b'\r';
        let is_local = *self.is_local.get_or_insert(!has_cr);
        self.keep(text);
        self.keep(if is_local && !has_cr { b"\r\n" } else { b"\n" });
        has_cr || is_local
    }

    fn keep(&mut self, octets: &[u8]) {
        self.line_size = self.line_size.saturating_add(size_of(octets));
        if !self.is_line_too_long {
            self.line.extend_from_slice(octets);
        }
    }

    /// What a complete line means; the field that it ends, if it ends one.
    fn take_line(&mut self) -> Option<Piece<'static>> {
        let is_first = std::mem::replace(&mut self.is_first_line, false);
        if self.continues() {
            let fits = self.field.len().saturating_add(self.line.len()) <= self.limit;
            if fits && !self.is_line_too_long {
                self.field.append(&mut self.line);
            }
            self.field_size = self.field_size.saturating_add(self.line_size);
            self.clear_line();
            return None;
        }
        let ended = self.take_field();
        if self.line == b"\r\n" {
            self.state = State::Ended;
            self.clear_line();
        } else if colon_of_field(&self.line).is_some() {
            self.field = take(&mut self.line);
            self.field_size = self.line_size;
            self.clear_line();
        } else if is_first && is_mbox_separator(&self.line) {
            self.clear_line();
        } else {
            self.state = State::NotAField;
        }
        ended
    }

    fn take_field(&mut self) -> Option<Piece<'static>> {
        let size = take(&mut self.field_size);
        let field = take(&mut self.field);
        let (name, value) = field.split_at_checked(colon_of_field(&field)?)?;
        if size_of(&field) != size || field.len() > self.limit {
            let name = name.get(..LONG_NAME_LIMIT).unwrap_or(name).to_vec();
            return Some(Piece::LongField { name, size });
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_suffix(b"\r\n").unwrap_or(value);
        Some(Piece::Field {
            name: name.to_vec(),
            value: value.to_vec(),
        })
    }

    /// Whether the line continues a field.
    fn continues(&self) -> bool {
        self.field_size > 0 && matches!(self.line.first(), Some(b' ' | b'\t'))
    }

    fn clear_line(&mut self) {
        self.line.clear();
        self.line_size = 0;
        self.is_line_too_long = false;
    }

    fn end_at_text(&mut self) -> Piece<'static> {
        self.state = State::Ended;
        Piece::NotAField
    }

    fn enter_body(&mut self) -> Piece<'static> {
        self.state = State::Body;
        Piece::EndOfHeaders
    }

    /// The line that was looked for a field and is none.
    fn first_of_body(&mut self) -> Piece<'static> {
        let line = take(&mut self.line);
        self.clear_line();
        Piece::Body(line.into())
    }

    fn in_crlf_form<'a>(&mut self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        let mut before = self.previous;
        self.previous = octets.last().copied().unwrap_or(before);
        if self.is_local.is_none()
            && let Some(at) = octets.iter().position(|b| *b == b'\n')
        {
            let text = octets.get(..at).unwrap_or_default();
            self.is_local = Some(text.last().copied().unwrap_or(before) != b'\r');
        }
        if self.is_local != Some(true) {
            return Cow::Borrowed(octets);
        }
        // A line of a message in local form has some fifty octets.
        let mut converted = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
        for line in octets.split_inclusive(|b| *b == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) if text.last().copied().unwrap_or(before) != b'\r' => {
                    converted.extend_from_slice(text);
                    converted.extend_from_slice(b"\r\n");
                }
                _ => converted.extend_from_slice(line),
            }
            before = line.last().copied().unwrap_or(before);
        }
        Cow::Owned(converted)
    }
}

/// Where the colon is, if this line begins a field: a name, blanks perhaps (RFC 5322 §4.5), a colon.
pub(crate) fn colon_of_field(line: &[u8]) -> Option<usize> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    let is_name = !name.is_empty() && !name.iter().any(|b| matches!(b, b' ' | b'\t'));
    is_name.then_some(colon)
}

pub(crate) fn is_mbox_separator(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

fn size_of(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
