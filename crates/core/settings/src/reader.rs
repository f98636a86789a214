//! From text to [`Settings`]: the syntax first, then each table against its declaration.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::declare::{Table, join};
use crate::mistake::{Mistake, Mistakes, Place, Wrong, key_in_words};
use crate::value::{self, Limits, Value};
use crate::{Settings, check, nearest};

/// The longest file that is read, in octets: a hundred times one with every key and its help.
pub const MAX_FILE_OCTETS: usize = 1 << 20;

/// The name of the tables of another file, which many will write into this one.
pub(crate) const RULE: &str = "rule";
const RULES_ELSEWHERE: &str = "rules belong in the file that action.rules_file names";

/// The highest column that is told. Were each column of an endless line counted out, the
/// work would grow with the square of its length.
const MAX_COLUMN: usize = 1000;

/// Reads the text; the cross-checks and those of the program are made too, the
/// warnings are not.
pub(crate) fn read(
    text: &str,
    check_of_program: impl FnOnce(&Settings) -> Vec<Mistake>,
) -> Result<Settings, Mistakes> {
    if text.len() > MAX_FILE_OCTETS {
        return Err(whole_file(Wrong::FileTooLong { octets: text.len() }).into());
    }
    let lines = Lines::new(text);
    // Goes on after a mistake, and bounds the depth of nesting.
    let (table, errors) = DeTable::parse_recoverable(text);
    let syntax: Vec<_> = errors.iter().map(|error| syntax_mistake(error, &lines)).collect();

    let mut reader = Reader::new(&lines);
    let mut settings = Settings::default();
    settings.read(table.get_ref(), &mut reader);
    let (mut mistakes, written) = reader.into_parts();
    settings.written = written;

    let conflicts = check::conflicts(&settings, &mistakes);
    let mut refused = check_of_program(&settings);
    refused.retain(|refused| mistakes.iter().all(|mistake| mistake.key != refused.key));
    mistakes.extend(conflicts);
    mistakes.extend(refused);
    let all = with_syntax(mistakes, syntax, &settings.written.keys_by_line());
    if all.is_empty() {
        Ok(settings)
    } else {
        Err(Mistakes::gather(all, nearest::nearest))
    }
}

/// The one mistake of octets that are no UTF-8 after the first `valid`.
pub(crate) fn not_utf8(octets: &[u8], valid: usize) -> Mistakes {
    let text = octets
        .get(..valid)
        .and_then(|start| str::from_utf8(start).ok())
        .unwrap_or_default();
    let place = Some(Lines::new(text).place(valid));
    Mistake {
        place,
        key: String::new(),
        wrong: Wrong::NotUtf8,
    }
    .into()
}

/// Takes what is declared from what is written.
pub(crate) struct Reader<'t> {
    lines: &'t Lines<'t>,
    /// The full name of the table that is being read.
    path: String,
    mistakes: Vec<Mistake>,
    written: Written,
}

pub(crate) type Name<'n> = Spanned<std::borrow::Cow<'n, str>>;

impl<'t> Reader<'t> {
    pub(crate) fn new(lines: &'t Lines<'t>) -> Self {
        Self {
            lines,
            path: String::new(),
            mistakes: Vec::new(),
            written: Written::default(),
        }
    }

    /// Of the keys of one table.
    pub(crate) fn inside(lines: &'t Lines<'t>, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..Self::new(lines)
        }
    }

    /// The value of a key that has no default; nothing if there is a mistake.
    pub(crate) fn taken<T: Value>(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) -> Option<T> {
        let key = join(&self.path, name.get_ref());
        self.written.add(&key, name, value, self.lines);
        let mut faults = Vec::new();
        let read = T::read(value, &mut faults);
        for (span, wrong) in faults {
            self.mistake(&written_span(name, span), key.clone(), wrong);
        }
        read
    }

    /// All mistakes so far, and where the keys stand that were read.
    pub(crate) fn into_parts(self) -> (Vec<Mistake>, Written) {
        (self.mistakes, self.written)
    }

    /// Reads the value of a key into `target`, which stays as it is if there is a mistake.
    pub(crate) fn value<T: Value>(
        &mut self,
        target: &mut T,
        limits: Option<Limits<T>>,
        name: &Name<'_>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let key = join(&self.path, name.get_ref());
        self.written.add(&key, name, value, self.lines);
        let mut faults = Vec::new();
        match (T::read(value, &mut faults), limits) {
            (Some(read), Some(limits)) if !limits.hold(&read) => {
                faults.push((value.span(), value::out_of_range(value, limits.in_words())));
            }
            (Some(read), _) => *target = read,
            (None, Some(limits)) => faults.iter_mut().for_each(|(_, wrong)| limits.tell(wrong)),
            (None, None) => {}
        }
        for (span, wrong) in faults {
            self.mistake(&written_span(name, span), key.clone(), wrong);
        }
    }

    /// Reads a table into `target`.
    pub(crate) fn table(&mut self, target: &mut impl Table, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let path = join(&self.path, name.get_ref());
        match value.get_ref().as_table() {
            Some(table) => {
                let outer = std::mem::replace(&mut self.path, path);
                target.read(table, self);
                self.path = outer;
            }
            None => {
                let wrong = Wrong::NoTable {
                    found: value::found(value),
                    table: path.clone(),
                };
                self.mistake(&value.span(), path, wrong);
            }
        }
    }

    /// Notes a name that is not declared. Nothing below it is looked at.
    pub(crate) fn unknown(&mut self, name: &Name<'_>, value: &Spanned<DeValue<'_>>) {
        let is_table = value.get_ref().is_table();
        let is_list = value.get_ref().is_array();
        let is_outermost = self.path.is_empty();
        let wrong = match (name.get_ref().as_ref(), is_table) {
            (RULE, _) if is_outermost && (is_table || is_list) => Wrong::Refused(RULES_ELSEWHERE.to_owned()),
            (_, true) => Wrong::UnknownTable { nearest: None },
            (_, false) => Wrong::UnknownKey { nearest: None },
        };
        let key = join(&self.path, &key_in_words(name.get_ref()));
        self.mistake(&name.span(), key, wrong);
    }

    /// Notes a mistake at the start of `span`.
    pub(crate) fn mistake(&mut self, span: &Range<usize>, key: String, wrong: Wrong) {
        self.mistakes.push(Mistake {
            place: Some(self.lines.place(span.start)),
            key,
            wrong,
        });
    }
}

/// Where a value stands. The parser makes one up where the syntax left none, as in
/// `key = = 3`; that one stands nowhere, so its key has to do.
fn written_span(name: &Name<'_>, value: Range<usize>) -> Range<usize> {
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
    place: Place,
    items: Vec<Place>,
}

impl Written {
    fn add(&mut self, key: &str, name: &Name<'_>, value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) {
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
    pub fn place(&self, key: &str) -> Option<Place> {
        self.0.get(key).map(|value| value.place)
    }

    /// Where an item of the key's list is, counted from 0.
    #[must_use]
    pub fn item_place(&self, key: &str, item: usize) -> Option<Place> {
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

impl Settings {
    /// The line that sets the key, from 1; nothing if the file does not mention it. The
    /// name is best made by [`key!`](crate::key).
    #[must_use]
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.written.place(key).map(|place| place.line)
    }

    /// The mistake that the value of `key` is refused for a reason that only the program
    /// can know, at its place in the file; `item` counts from 0 in a list.
    #[must_use]
    pub fn refuse(&self, key: &str, item: Option<usize>, why: impl Into<String>) -> Mistake {
        let item_place = item.and_then(|item| self.written.item_place(key, item));
        let place = item_place.or_else(|| self.written.place(key));
        Mistake {
            place,
            key: key.to_owned(),
            wrong: Wrong::Refused(why.into()),
        }
    }
}

/// Puts the two kinds together. One line, one broken rule: what a line with broken syntax
/// seemed to say is a guess of the parser, so nothing else is reported for it. In turn the
/// syntax mistake is told with the key of that line.
pub(crate) fn with_syntax(
    mistakes: Vec<Mistake>,
    syntax: Vec<Mistake>,
    keys: &BTreeMap<usize, &str>,
) -> Vec<Mistake> {
    let mut by_line: BTreeMap<usize, Mistake> = BTreeMap::new();
    for mut mistake in syntax {
        let Some(Place { line, .. }) = mistake.place else {
            continue;
        };
        mistake.key = keys.get(&line).map_or_else(String::new, |&key| key.to_owned());
        match by_line.entry(line) {
            Entry::Vacant(entry) => drop(entry.insert(mistake)),
            Entry::Occupied(mut first) if mistake.place < first.get().place => drop(first.insert(mistake)),
            Entry::Occupied(_) => {}
        }
    }
    let undisturbed = |mistake: &Mistake| {
        mistake
            .place
            .is_none_or(|place| !by_line.contains_key(&place.line))
    };
    let others: Vec<_> = mistakes.into_iter().filter(undisturbed).collect();
    by_line.into_values().chain(others).collect()
}

pub(crate) fn syntax_mistake(error: &toml::de::Error, lines: &Lines<'_>) -> Mistake {
    let start = error.span().map_or(0, |span| span.start);
    let place = lines.place(start);
    let line = value::quoted_short(lines.line(place.line).trim());
    let message = syntax_in_words(error.message(), lines.text.get(start..).unwrap_or_default());
    Mistake {
        place: Some(place),
        key: String::new(),
        wrong: Wrong::Syntax { message, line },
    }
}

/// What the parser says, but for the two slips it says too little of.
fn syntax_in_words(message: &str, rest: &str) -> String {
    let unquoted = message.starts_with("string values must be quoted");
    let nothing_left = rest
        .lines()
        .next()
        .is_none_or(|line| line.trim().is_empty() || line.starts_with('#'));
    match (unquoted, nothing_left) {
        (true, true) => "there is no value".to_owned(),
        (true, false) => "a value that is no number, true or false must be in quotes".to_owned(),
        (false, _) => message.to_owned(),
    }
}

pub(crate) fn whole_file(wrong: Wrong) -> Mistake {
    Mistake {
        place: Some(Place { line: 1, column: 1 }),
        key: String::new(),
        wrong,
    }
}

/// The lines of a text, to tell places by.
pub(crate) struct Lines<'t> {
    text: &'t str,
    /// The octet each line starts at; the first at 0.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n');
        let starts = std::iter::once(0)
            .chain(ends.map(|(index, _)| index + 1))
            .collect();
        Self { text, starts }
    }

    /// The place of an octet.
    pub(crate) fn place(&self, octet: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= octet);
        let start = self.start(line);
        let before = self.text.get(start..octet).unwrap_or_default();
        Place {
            line,
            column: before.chars().take(MAX_COLUMN - 1).count() + 1,
        }
    }

    /// A line, counted from 1, with its line feed.
    fn line(&self, line: usize) -> &'t str {
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(self.start(line)..end).unwrap_or_default()
    }

    fn start(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = Lines::new("ab\nüx\n\nz");
        for (octet, line, column) in [
            (0, 1, 1),
            (2, 1, 3),
            (3, 2, 1),
            (5, 2, 2),
            (6, 2, 3),
            (7, 3, 1),
            (8, 4, 1),
            (9, 4, 2),
        ] {
            assert_eq!(lines.place(octet), Place { line, column }, "octet {octet}");
        }
        assert_eq!(
            (lines.line(1), lines.line(2), lines.line(4), lines.line(5)),
            ("ab\n", "üx\n", "z", "")
        );
    }

    #[test]
    fn columns_are_counted_up_to_a_thousand() {
        let text = "x".repeat(2 * MAX_COLUMN);
        let column = |octet| Lines::new(&text).place(octet).column;
        assert_eq!((column(998), column(999), column(1000)), (999, 1000, 1000));
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_past_it_is_not() {
        let at_limit = "#".repeat(MAX_FILE_OCTETS);
        assert_eq!(read(&at_limit, |_| Vec::new()), Ok(Settings::default()));
        let mistakes = read(&(at_limit + "#"), |_| Vec::new()).unwrap_err();
        assert_eq!(
            mistakes.render("f"),
            "f:1:1: the file has 1048577 octets, at most 1048576 are read\n"
        );
    }
}
