//! Starts and ends of elements, matched as far as they can be.

use quick_xml::events::BytesStart;

use super::text::is_allowed;
use super::{Around, Finished, Holds, Open, Pending, Root, Scanner, State, Tag};
use crate::aggregate::attributes::Attributes;
use crate::aggregate::deviation::DeviationKind;
use crate::aggregate::limits::MAX_REPAIRS;
use crate::aggregate::refused::ReportRefused;
use crate::aggregate::schema::{Child, ElementKind, FEEDBACK, Fit};

impl Scanner<'_> {
    pub(super) fn start(&mut self, tag: &BytesStart<'_>) -> Result<Finished, ReportRefused> {
        let whole: &str = tag;
        // A bare `<` in a text takes all up to the next `>` for a tag, with the end it should have had.
        if let Some((text, end)) = whole.split_once("</") {
            self.notes.add(DeviationKind::MarkupInText, self.place(), whole);
            self.text_before_end(text);
            return self.end(end.trim());
        }
        if self.open.len() >= self.limits.depth {
            return Err(ReportRefused::Depth {
                limit: self.limits.depth,
            });
        }
        let attributes = Attributes::read(tag, self.limits.attributes)?;
        let name = tag.name().into_inner();
        if self.state != State::Inside {
            self.start_outside(name, &attributes);
            return Ok(None);
        }
        match self.around() {
            Around::Elements(kind) => self.start_element(kind, name, attributes),
            Around::Text(..) if self.is_next(name) => {
                self.close(true)?;
                self.start(tag)
            }
            Around::Text(place, start) | Around::Markup(place, start) => {
                self.start_markup(name, whole, place, start);
                Ok(None)
            }
            Around::Skipped | Around::Nothing => {
                self.push(Tag::of(name, None), Holds::Skipped);
                Ok(None)
            }
        }
    }

    /// The start of an element where `feedback` has not come yet.
    fn start_outside(&mut self, name: &str, attributes: &Attributes) {
        let (prefix, local) = split_name(name);
        if !local.eq_ignore_ascii_case("feedback") {
            self.notes.add(DeviationKind::BeforeFeedback, "", name);
            self.push(Tag::of(name, None), Holds::Skipped);
            return;
        }
        self.note_attributes(attributes, "");
        self.root = Root {
            namespace: attributes.namespace_of(prefix).unwrap_or_default().to_owned(),
            prefix: prefix.to_owned(),
        };
        // What was begun before and never ended is of no interest any more.
        self.open.clear();
        self.state = State::Inside;
        let holds = Holds::Elements {
            kind: &FEEDBACK,
            node: None,
        };
        self.push(Tag::of(name, None), holds);
    }

    fn start_element(
        &mut self,
        kind: &'static ElementKind,
        name: &str,
        attributes: Attributes,
    ) -> Result<Finished, ReportRefused> {
        let (prefix, local) = split_name(name);
        let is_foreign =
            attributes.declares_namespace() || !(prefix.is_empty() || prefix == self.root.prefix);
        let found = kind.child(local).filter(|_| !is_foreign);
        let is_part = || FEEDBACK.child(local).filter(|_| !is_foreign);
        let Some((number, child, fit)) = found.or_else(is_part) else {
            self.skip(kind, name, local, is_foreign);
            return Ok(None);
        };
        self.note_attributes(&attributes, child.place);
        if fit == Fit::Alike {
            self.notes.add(DeviationKind::Name, child.place, local);
        }
        let tag = Tag::of(name, Some(child));
        if found.is_some() {
            self.begin(tag, number, child, attributes.lang)?;
            return Ok(None);
        }
        // A part begins within a part: that one has no end.
        self.pending = Some(Pending {
            tag,
            child: (number, child),
            lang: attributes.lang,
        });
        self.close_above(1)
    }

    /// Whether a start within a text is that of the next element: then the text has no end.
    fn is_next(&self, name: &str) -> bool {
        let (prefix, local) = split_name(name);
        let mut open = self.open.iter().rev();
        let text = open.next().map(|open| open.tag.as_str());
        let is_ours = prefix.is_empty() || prefix == self.root.prefix;
        match open.next().map(|open| &open.holds) {
            Some(Holds::Elements { kind, .. }) => {
                is_ours && text != Some(name) && kind.children.iter().any(|child| child.name == local)
            }
            _ => false,
        }
    }

    /// An element, or what looks like one, in a text.
    fn start_markup(&mut self, name: &str, whole: &str, place: &'static str, start: usize) {
        self.notes.add(DeviationKind::MarkupInText, place, whole);
        let kept = whole.get(..whole.floor_char_boundary(self.limits.text_octets));
        let kept = kept
            .unwrap_or_default()
            .chars()
            .filter(|character| is_allowed(*character));
        let text = format!("<{}>", kept.collect::<String>()).into();
        let at = self.part.text_len();
        self.push(
            Tag::of(name, None),
            Holds::Markup {
                place,
                start,
                text,
                at,
            },
        );
    }

    /// Passes over an element that is not in the schema.
    fn skip(&mut self, kind: &'static ElementKind, name: &str, local: &str, is_foreign: bool) {
        let is_extension = match kind.place {
            "" => local == "extension",
            place => is_foreign && place == "record",
        };
        if is_extension {
            self.extensions += 1;
        } else {
            self.notes.add(DeviationKind::UnknownElement, kind.place, name);
        }
        self.push(Tag::of(name, None), Holds::Skipped);
    }

    /// Begins an element of the schema.
    pub(super) fn begin(
        &mut self,
        tag: Tag,
        number: usize,
        child: &'static Child,
        lang: Option<Box<str>>,
    ) -> Result<(), ReportRefused> {
        self.note_order(number, child);
        if self.open.len() == 1 {
            self.part.clear();
            self.begin_part(child)?;
        }
        if self.part.len() >= self.limits.elements {
            self.notes.add(DeviationKind::ElementsCut, child.place, "");
            self.push(tag, Holds::Skipped);
            return Ok(());
        }
        let start = self.part.text_len();
        let node = Some(self.part.begin(child, lang));
        let holds = match child.kind {
            Some(kind) => Holds::Elements { kind, node },
            None => Holds::Text {
                place: child.place,
                node,
                start,
            },
        };
        self.push(tag, holds);
        Ok(())
    }

    fn begin_part(&mut self, child: &'static Child) -> Result<(), ReportRefused> {
        self.notes.record = None;
        if child.name != "record" {
            return Ok(());
        }
        self.records += 1;
        self.notes.record = Some(self.records);
        match self.records > self.limits.rows {
            true => Err(ReportRefused::Rows {
                limit: self.limits.rows,
            }),
            false => Ok(()),
        }
    }

    /// Notes a child that comes too early or too often.
    fn note_order(&mut self, number: usize, child: &'static Child) {
        let Some(parent) = self.open.last_mut() else {
            return;
        };
        let bit = u32::try_from(number).map_or(0, |number| 1_u32.checked_shl(number).unwrap_or(0));
        let is_repeated = parent.seen & bit != 0 && !child.repeats;
        let is_ordered = matches!(&parent.holds, Holds::Elements { kind, .. } if kind.is_ordered);
        let is_early = is_ordered && number < parent.last;
        parent.seen |= bit;
        parent.last = parent.last.max(number);
        if is_repeated {
            self.notes.add(DeviationKind::Repeated, child.place, "");
        } else if is_early {
            self.notes.add(DeviationKind::Order, child.place, "");
        }
    }

    fn note_attributes(&mut self, attributes: &Attributes, place: &'static str) {
        if let Some(odd) = &attributes.odd {
            self.notes.add(DeviationKind::Attribute, place, odd);
        }
    }

    fn push(&mut self, tag: Tag, holds: Holds) {
        self.open.push(Open {
            tag,
            holds,
            seen: 0,
            last: 0,
        });
    }

    pub(super) fn end(&mut self, name: &str) -> Result<Finished, ReportRefused> {
        let exact = self.open.iter().rposition(|open| open.tag.as_str() == name);
        let alike = || {
            let mut open = self.open.iter();
            open.rposition(|open| open.tag.as_str().eq_ignore_ascii_case(name))
        };
        let Some(number) = exact.or_else(alike) else {
            if self.state == State::Inside {
                self.notes.add(DeviationKind::StrayEnd, self.place(), name);
                self.repair()?;
            }
            return Ok(None);
        };
        let finished = self.close_above(number + 1)?;
        Ok(self.close(false)?.or(finished))
    }

    /// Closes what was never ended, until so many are open.
    fn close_above(&mut self, number: usize) -> Result<Finished, ReportRefused> {
        let mut finished = None;
        while self.open.len() > number {
            finished = self.close(true)?.or(finished);
        }
        Ok(finished)
    }

    /// Closes the innermost element. The name of the part when that is what it was.
    fn close(&mut self, is_implied: bool) -> Result<Finished, ReportRefused> {
        let Some(open) = self.open.pop() else {
            return Ok(None);
        };
        if is_implied && self.state == State::Inside {
            self.repair()?;
        }
        let depth = self.open.len();
        if depth == 0 && self.state == State::Inside {
            self.state = State::Over;
        }
        let (node, place) = match open.holds {
            Holds::Elements { node, kind } => (node, kind.place),
            Holds::Text { node, place, .. } => (node, place),
            Holds::Markup { text, at, .. } => {
                if is_implied {
                    self.part.insert_text(at, &text);
                }
                return Ok(None);
            }
            Holds::Skipped => return Ok(None),
        };
        if is_implied {
            self.notes.add(DeviationKind::Unclosed, place, "");
        }
        let Some(node) = node else {
            return Ok(None);
        };
        self.part.end(node);
        Ok((depth == 1).then_some(place))
    }

    fn repair(&mut self) -> Result<(), ReportRefused> {
        self.repairs += 1;
        match self.repairs > MAX_REPAIRS {
            true => Err(ReportRefused::Repairs { limit: MAX_REPAIRS }),
            false => Ok(()),
        }
    }
}

/// The prefix, empty for none, and the local name.
fn split_name(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}
