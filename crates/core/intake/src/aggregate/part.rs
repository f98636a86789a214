//! One part of a report, as its elements and texts: the metadata, the policy, or one record.

use std::ops::Range;

use super::schema::Child;

/// A child of `feedback` with all that is in it and is known. Cleared and filled again for the next.
#[derive(Debug, Default)]
pub(super) struct ReportElement {
    nodes: Vec<Node>,
    /// All texts in the order of the document: that of an element holds those of its children.
    text: String,
}

#[derive(Debug)]
struct Node {
    child: &'static Child,
    text: Range<usize>,
    /// The number of the first node that is not in this one.
    end: usize,
    lang: Option<Box<str>>,
}

impl ReportElement {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
    }

    #[cfg(test)]
    pub(super) fn held_octets(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.text.capacity()
    }

    /// How many elements it has.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Begins an element; to be ended by [`ReportElement::end`] with the number given back.
    pub(super) fn begin(&mut self, child: &'static Child, lang: Option<Box<str>>) -> usize {
        let number = self.nodes.len();
        self.nodes.push(Node {
            child,
            text: self.text.len()..self.text.len(),
            end: number + 1,
            lang,
        });
        number
    }

    pub(super) fn end(&mut self, number: usize) {
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(number) {
            node.end = end;
            node.text.end = self.text.len();
        }
    }

    /// Where the text of the next element begins.
    pub(super) fn text_len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn push_char(&mut self, character: char) {
        self.text.push(character);
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Puts a text before what was written since that place.
    pub(super) fn insert_text(&mut self, at: usize, text: &str) {
        if self.text.is_char_boundary(at) {
            self.text.insert_str(at, text);
        }
    }

    /// The part itself; none while it is empty.
    pub(super) fn root(&self) -> Option<Element<'_>> {
        (!self.nodes.is_empty()).then_some(Element {
            part: self,
            number: 0,
        })
    }
}

/// One element of a part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'p> {
    part: &'p ReportElement,
    number: usize,
}

impl<'p> Element<'p> {
    /// The children of that name, in their order.
    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = Element<'p>> {
        let end = self.node().map_or(0, |node| node.end);
        let mut next = self.number + 1;
        std::iter::from_fn(move || {
            let number = (next < end).then_some(next)?;
            let element = Element { number, ..self };
            next = element.node()?.end;
            Some(element)
        })
        .filter(move |element| element.node().is_some_and(|node| node.child.name == name))
    }

    /// The first child of that name.
    pub(super) fn first(self, name: &'static str) -> Option<Element<'p>> {
        self.all(name).next()
    }

    /// The text with that of all within, as it stands.
    pub(super) fn raw(self) -> &'p str {
        let text = self.node().and_then(|node| self.part.text.get(node.text.clone()));
        text.unwrap_or_default()
    }

    /// The text without the blanks around it.
    pub(super) fn text(self) -> &'p str {
        self.raw().trim()
    }

    /// The attribute `lang`.
    pub(super) fn lang(self) -> Option<&'p str> {
        self.node()?.lang.as_deref()
    }

    /// Its place below `feedback`.
    pub(super) fn place(self) -> &'static str {
        self.node().map_or("", |node| node.child.place)
    }

    fn node(self) -> Option<&'p Node> {
        self.part.nodes.get(self.number)
    }
}
