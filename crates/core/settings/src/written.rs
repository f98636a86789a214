//! Where a file mentions each key.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use crate::place::{FilePosition, LineIndex};

pub(crate) type Name<'n> = Spanned<std::borrow::Cow<'n, str>>;

/// Where a value stands. The parser makes one up where the syntax left none, as in
/// `key = = 3`; that one stands nowhere, so its key has to do.
pub(crate) fn written_span(name: &Name<'_>, value: Range<usize>) -> Range<usize> {
    if value.is_empty() { name.span() } else { value }
}

/// Where the file mentions each key.
///
/// Two settings that say the same are equal wherever they were written, so any two of
/// these are equal.
#[derive(Clone, Debug, Default)]
pub struct Written(BTreeMap<String, WrittenValue>);

#[derive(Clone, Debug)]
struct WrittenValue {
    place: FilePosition,
    items: Vec<FilePosition>,
}

impl Written {
    pub(crate) fn add(
        &mut self,
        key: &str,
        name: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
        lines: &LineIndex<'_>,
    ) {
        let place_of = |value: &Spanned<DeValue<'_>>| lines.place(written_span(name, value.span()).start);
        let items = value
            .get_ref()
            .as_array()
            .into_iter()
            .flatten()
            .map(place_of)
            .collect();
        self.0.insert(
            key.to_owned(),
            WrittenValue {
                place: place_of(value),
                items,
            },
        );
    }

    /// Where the value of the key is; nowhere, if the file does not mention it.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<FilePosition> {
        self.0.get(key).map(|value| value.place)
    }

    /// Where an item of the key's list is, counted from 0.
    #[must_use]
    pub fn item_place(&self, key: &str, item: usize) -> Option<FilePosition> {
        self.0.get(key).and_then(|value| value.items.get(item).copied())
    }

    /// The first key on each line.
    pub(crate) fn keys_by_line(&self) -> BTreeMap<usize, &str> {
        let mut keys = BTreeMap::new();
        for (key, WrittenValue { place, .. }) in &self.0 {
            keys.entry(place.line).or_insert(key.as_str());
        }
        keys
    }
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}
