//! The few attributes that mean something.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use quick_xml::events::attributes::Attribute;
use quick_xml::name::PrefixDeclaration;

use super::refused::ReportRefused;

/// How much of the name of a language is kept, in octets: RFC 5646 §4.4.1 asks for 35.
const MAX_LANG_OCTETS: usize = 64;
/// How much of the name of a namespace is kept, in octets.
const MAX_NAMESPACE_OCTETS: usize = 256;

/// What the attributes of one tag say.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// The language of the text.
    pub(super) lang: Option<Box<str>>,
    /// Namespaces, by their prefixes.
    namespaces: Vec<(String, String)>,
    /// The first that nobody knows, or that is no attribute.
    pub(super) odd: Option<String>,
}

impl Attributes {
    /// Reads those of a tag: at most so many.
    pub(super) fn read(tag: &BytesStart<'_>, limit: usize) -> Result<Self, ReportRefused> {
        let mut found = Self::default();
        if tag.attributes_raw().trim().is_empty() {
            return Ok(found);
        }
        // The check for doubles is what makes a thousand attributes cost a million steps.
        for (number, attribute) in tag.attributes().with_checks(false).enumerate() {
            if number >= limit {
                return Err(ReportRefused::Attributes { limit });
            }
            match attribute {
                Ok(attribute) => found.take(&attribute),
                Err(error) => found.note_odd(&error.to_string()),
            }
        }
        Ok(found)
    }

    /// The namespace that goes with a prefix; the empty one is that of names without.
    pub(super) fn namespace_of(&self, prefix: &str) -> Option<&str> {
        let mut known = self.namespaces.iter();
        known
            .find(|(known, _)| known == prefix)
            .map(|(_, name)| name.as_str())
    }

    /// Whether names without prefix mean something else from here on.
    pub(super) fn declares_namespace(&self) -> bool {
        self.namespace_of("").is_some()
    }

    fn take(&mut self, attribute: &Attribute<'_>) {
        let key = attribute.key.into_inner();
        let value = || {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            value.unwrap_or_else(|_| attribute.value.clone())
        };
        match attribute.key.as_namespace_binding() {
            Some(PrefixDeclaration::Default) => self.bind("", &value()),
            Some(PrefixDeclaration::Named(prefix)) => self.bind(prefix, &value()),
            None if matches!(key, "lang" | "xml:lang") => {
                self.lang = Some(cut(value().trim(), MAX_LANG_OCTETS).into());
            }
            // What validators are told, as some reporters do.
            None if key.starts_with("xsi:") => {}
            None => self.note_odd(key),
        }
    }

    fn bind(&mut self, prefix: &str, name: &str) {
        let name = cut(name.trim(), MAX_NAMESPACE_OCTETS);
        self.namespaces.push((prefix.to_owned(), name.to_owned()));
    }

    fn note_odd(&mut self, what: &str) {
        if self.odd.is_none() {
            self.odd = Some(what.to_owned());
        }
    }
}

fn cut(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or_default()
}
