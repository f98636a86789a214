//! The document as a row of parts, put right where it is not well-formed.
//!
//! Elements are matched by their local names, in any namespace or none. One without end ends
//! where the one around it does; an end without beginning is passed over; a bare `<` in a text
//! is text. Each of these is noted.

mod elements;
mod text;

use quick_xml::errors::{Error as XmlError, IllFormedError};
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::decode::Decoded;
use super::deviation::{DeviationKind, Notes};
use super::limits::{Metered, ReadLimits};
use super::part::ReportElement;
use super::refused::ReportRefused;
use super::schema::{Child, ElementKind};
use crate::archive::ArchiveContents;

type Xml<'a> = Reader<Metered<Decoded<ArchiveContents<'a>>>>;

/// Reads one part after the other.
pub(super) struct Scanner<'a> {
    xml: Xml<'a>,
    buffer: Vec<u8>,
    limits: ReadLimits,
    open: Vec<Open>,
    /// The part read last.
    pub(super) part: ReportElement,
    pub(super) notes: Notes,
    pub(super) root: Root,
    /// What to begin before reading on: its start ended the part before.
    pending: Option<Pending>,
    state: State,
    repairs: usize,
    /// Records begun so far.
    pub(super) records: u64,
    /// Extensions, which the schema allows and nobody here reads.
    pub(super) extensions: u64,
    /// Why the document ended before its end, if it did.
    pub(super) broken: Option<String>,
}

/// What the start of `feedback` says.
#[derive(Debug, Default)]
pub(super) struct Root {
    pub(super) namespace: String,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `feedback` is still to come; whether anything else came.
    Before {
        is_first: bool,
    },
    Inside,
    Over,
}

/// An element that was begun.
struct Open {
    tag: Tag,
    holds: Holds,
    /// Which children of the schema it has had, and the number of the last.
    seen: u32,
    last: usize,
}

/// The name in the document, for finding its end.
#[derive(Debug, PartialEq, Eq)]
enum Tag {
    Known(&'static str),
    Other(Box<str>),
}

#[derive(Debug)]
enum Holds {
    Elements {
        kind: &'static ElementKind,
        node: Option<usize>,
    },
    Text {
        place: &'static str,
        node: Option<usize>,
        /// Where its text begins.
        start: usize,
    },
    /// An element in a text. Where it has no end it was text itself: how it reads, and where it stood.
    Markup {
        place: &'static str,
        start: usize,
        text: Box<str>,
        at: usize,
    },
    /// Nothing that is looked at.
    Skipped,
}

/// What the reader is in, without what that has come to.
#[derive(Clone, Copy, Debug)]
enum Around {
    /// The start of the document.
    Nothing,
    Elements(&'static ElementKind),
    /// A text at this place of the schema, and where it begins.
    Text(&'static str, usize),
    /// An element in such a text.
    Markup(&'static str, usize),
    Skipped,
}

struct Pending {
    tag: Tag,
    child: (usize, &'static Child),
    lang: Option<Box<str>>,
}

/// What one event came to.
type Finished = Option<&'static str>;

impl Tag {
    fn of(name: &str, child: Option<&'static Child>) -> Self {
        match child.filter(|child| child.name == name) {
            Some(child) => Self::Known(child.name),
            None => Self::Other(name.into()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(contents: Decoded<ArchiveContents<'a>>, limits: &ReadLimits, notes: Notes) -> Self {
        let mut xml = Reader::from_reader(Metered::new(contents, limits.token_octets));
        let config = xml.config_mut();
        config.allow_dangling_amp = true;
        config.allow_unmatched_ends = true;
        config.check_end_names = false;
        config.expand_empty_elements = true;
        Self {
            xml,
            buffer: Vec::new(),
            limits: *limits,
            open: Vec::new(),
            part: ReportElement::default(),
            notes,
            root: Root::default(),
            pending: None,
            state: State::Before { is_first: true },
            repairs: 0,
            records: 0,
            extensions: 0,
            broken: None,
        }
    }

    /// Reads the next child of `feedback`. Its name; none at the end of the document.
    pub(super) fn next_part(&mut self) -> Result<Finished, ReportRefused> {
        if let Some(pending) = self.pending.take() {
            let (number, child) = pending.child;
            self.begin(pending.tag, number, child, pending.lang)?;
        }
        while self.state != State::Over {
            if let Some(name) = self.step()? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Octets that were not in the encoding of the document, so far.
    pub(super) fn bad_octets(&self) -> u64 {
        self.xml.get_ref().inner.bad_octets
    }

    /// How much memory the reading takes at the moment.
    #[cfg(test)]
    pub(super) fn held_octets(&self) -> usize {
        self.buffer.capacity() + self.part.held_octets() + self.xml.get_ref().inner.held_octets()
    }

    /// Whether a record was begun and not ended when the document was over.
    pub(super) fn has_torn_record(&self) -> bool {
        let part = self.open.get(1).map(|open| &open.holds);
        self.broken.is_some() && matches!(part, Some(Holds::Elements { kind, .. }) if kind.place == "record")
    }

    fn step(&mut self) -> Result<Finished, ReportRefused> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.xml.get_mut().begin();
        let event = self.xml.read_event_into(&mut buffer);
        if self.xml.get_ref().is_past() {
            return Err(ReportRefused::Token {
                limit: self.limits.token_octets,
            });
        }
        let finished = match event {
            Ok(event) => self.handle(event),
            Err(error) => self.fail(&error),
        };
        self.buffer = buffer;
        finished
    }

    fn handle(&mut self, event: Event<'_>) -> Result<Finished, ReportRefused> {
        match event {
            Event::Start(tag) | Event::Empty(tag) => return self.start(&tag),
            Event::End(tag) => return self.end(tag.name().into_inner()),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.literal(&text.xml10_content()),
            Event::GeneralRef(name) => self.reference(&name),
            Event::DocType(_) => return Err(ReportRefused::Doctype),
            Event::Decl(_) => {
                if self.state != (State::Before { is_first: true }) {
                    self.notes.add(DeviationKind::BeforeDeclaration, "", "");
                }
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return self.cut(String::new()),
        }
        if self.state == (State::Before { is_first: true }) {
            self.state = State::Before { is_first: false };
        }
        Ok(None)
    }

    /// What to make of an error of the XML reader.
    fn fail(&mut self, error: &XmlError) -> Result<Finished, ReportRefused> {
        match error {
            XmlError::IllFormed(IllFormedError::MissingDoctypeName) => Err(ReportRefused::Doctype),
            // It goes on behind those.
            XmlError::IllFormed(_) => Ok(None),
            other => self.cut(other.to_string()),
        }
    }

    /// Ends a document that ended before its end.
    fn cut(&mut self, why: String) -> Result<Finished, ReportRefused> {
        let is_inside = self.state == State::Inside;
        self.state = State::Over;
        if !is_inside {
            return Err(ReportRefused::NoFeedback);
        }
        let place = self.place();
        let why = if why.is_empty() {
            "it ends in the middle".to_owned()
        } else {
            why
        };
        self.notes.add(DeviationKind::CutShort, place, &why);
        self.broken = Some(why);
        Ok(None)
    }

    /// What the innermost element that is open holds.
    fn around(&self) -> Around {
        match self.open.last().map(|open| &open.holds) {
            None => Around::Nothing,
            Some(Holds::Elements { kind, .. }) => Around::Elements(kind),
            Some(Holds::Text { place, start, .. }) => Around::Text(place, *start),
            Some(Holds::Markup { place, start, .. }) => Around::Markup(place, *start),
            Some(Holds::Skipped) => Around::Skipped,
        }
    }

    /// Where in the schema the reader is.
    fn place(&self) -> &'static str {
        let mut open = self.open.iter().rev();
        let place = open.find_map(|open| match &open.holds {
            Holds::Elements { kind, .. } => Some(kind.place),
            Holds::Text { place, .. } | Holds::Markup { place, .. } => Some(*place),
            Holds::Skipped => None,
        });
        place.unwrap_or_default()
    }

    /// Notes what follows the end of `feedback`.
    pub(super) fn note_tail(&mut self) {
        use std::io::BufRead;
        if self.broken.is_some() {
            return;
        }
        let mut octets = 0_u64;
        let mut start = String::new();
        let source = self.xml.get_mut();
        loop {
            source.begin();
            // What cannot be read was run through before: there is no such thing.
            let Ok(chunk) = source.fill_buf() else { break };
            if chunk.is_empty() {
                break;
            }
            let odd = chunk.iter().filter(|octet| !octet.is_ascii_whitespace()).count();
            if octets == 0 && odd > 0 {
                let chunk = chunk.trim_ascii_start();
                start = String::from_utf8_lossy(chunk.get(..100).unwrap_or(chunk)).into_owned();
            }
            octets = octets.saturating_add(u64::try_from(odd).unwrap_or(u64::MAX));
            let length = chunk.len();
            source.consume(length);
        }
        if octets > 0 {
            self.notes.record = None;
            self.notes.add(DeviationKind::AfterFeedback, "", &start);
        }
    }
}
