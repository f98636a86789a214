//! Texts of elements, and what stands where no text should.

use quick_xml::events::BytesRef;

use super::{Around, Scanner};
use crate::aggregate::deviation::DeviationKind;

impl Scanner<'_> {
    /// Text as the XML reader gives it: references come by themselves, so an ampersand is a bare one.
    pub(super) fn text(&mut self, text: &str) {
        if let (Around::Text(place, _) | Around::Markup(place, _), true) =
            (self.around(), text.starts_with('&'))
        {
            self.notes.add(DeviationKind::Entity, place, text);
        }
        self.literal(text);
    }

    /// Text in which nothing has a meaning of its own.
    pub(super) fn literal(&mut self, text: &str) {
        let bare = text.trim();
        match self.around() {
            Around::Text(place, start) | Around::Markup(place, start) => self.append(text, place, start),
            Around::Elements(kind) if !bare.is_empty() => {
                self.notes.add(DeviationKind::StrayText, kind.place, bare);
            }
            Around::Nothing if !bare.is_empty() => self.notes.add(DeviationKind::BeforeFeedback, "", bare),
            Around::Elements(_) | Around::Skipped | Around::Nothing => {}
        }
    }

    /// What stood between a bare `<` and the end it hid.
    pub(super) fn text_before_end(&mut self, text: &str) {
        if let Around::Text(place, start) | Around::Markup(place, start) = self.around() {
            self.append("<", place, start);
            self.append(text, place, start);
        }
    }

    /// A reference to a character, or to an entity: of those there are the five of XML.
    pub(super) fn reference(&mut self, name: &BytesRef<'_>) {
        let character = match (name.resolve_char_ref(), &**name) {
            (Ok(Some(character)), _) => Some(character),
            (_, "lt") => Some('<'),
            (_, "gt") => Some('>'),
            (_, "amp") => Some('&'),
            (_, "apos") => Some('\''),
            (_, "quot") => Some('"'),
            _ => None,
        };
        if let Some(character) = character {
            self.literal(character.encode_utf8(&mut [0; 4]));
            return;
        }
        let whole = format!("&{};", &**name);
        if let Around::Text(place, _) | Around::Markup(place, _) = self.around() {
            self.notes.add(DeviationKind::Entity, place, &whole);
        }
        self.literal(&whole);
    }

    /// Adds to the text of an element, up to the limit and without what XML 1.0 forbids.
    fn append(&mut self, text: &str, place: &'static str, start: usize) {
        let is_empty = self.part.text_len() == start;
        let text = if is_empty { text.trim_start() } else { text };
        let room = self
            .limits
            .text_octets
            .saturating_sub(self.part.text_len().saturating_sub(start));
        let (kept, cut) = text.split_at(text.floor_char_boundary(room));
        if !cut.trim().is_empty() {
            self.notes.add(DeviationKind::TextCut, place, cut);
        }
        if kept.chars().all(is_allowed) {
            self.part.push_text(kept);
            return;
        }
        self.notes.add(DeviationKind::BadCharacters, place, kept);
        for character in kept.chars().filter(|character| is_allowed(*character)) {
            self.part.push_char(character);
        }
    }
}

/// XML 1.0 §2.2: what a document may hold.
pub(super) fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
