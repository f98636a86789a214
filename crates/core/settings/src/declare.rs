//! How a key is declared, and what a declaration can tell.

use std::sync::LazyLock;

use toml::de::DeTable;

use crate::Settings;
use crate::reader::Reader;
use crate::value::{Choice, Value};

/// One key as declared: all there is to know about it without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The full name, with the tables it is in: `dns.question_timeout`.
    pub name: String,
    /// What kind of value it takes, in words: `duration`, `list of networks`.
    pub kind: String,
    /// The default, as it would be written in the file.
    pub default: String,
    /// What may be written, in words: the range, or the form.
    pub allowed: String,
    /// The words it takes and what each means; empty where it takes no fixed words.
    pub choices: &'static [Choice],
    /// What a plain number counts, or the units that may be written.
    pub unit: Option<&'static str>,
    /// Whether a reload takes up a new value; otherwise a restart does.
    pub reloads: bool,
    /// The release that first had it.
    pub since: &'static str,
    /// What it is for, in one or more paragraphs.
    pub help: String,
}

impl Key {
    /// The name without the tables: what is written left of the equals sign.
    #[must_use]
    pub fn last_name(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(_, last)| last)
    }
}

/// Every key, in the order of the file.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let items = Settings::default().items();
    let keys = items.into_iter().filter_map(|item| match item {
        Item::Key { key, .. } => Some(key),
        Item::Table { .. } => None,
    });
    keys.collect()
});

/// One piece of a settings file, in the order of the file.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// The start of a table, with what it is about.
    Table { name: String, intro: String },
    /// A key, and the value it has, as it would be written.
    Key { key: Key, value: String },
}

/// A struct made by [`table!`].
pub(crate) trait Table {
    /// Takes over what is written in `found`, which is the table at the reader's path.
    fn read(&mut self, found: &DeTable<'_>, reader: &mut Reader<'_>);
    /// Adds the keys and then the tables of this one, whose full name is `path`.
    fn add_items(&self, path: &str, items: &mut Vec<Item>);
}

impl Settings {
    /// Everything there is to print, in the order of the file.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        self.add_items("", &mut items);
        items
    }
}

/// What the declaration says of one key beside its Rust type.
pub(crate) struct Declared<'d> {
    pub(crate) name: &'d str,
    pub(crate) allowed: Option<String>,
    pub(crate) unit: Option<&'static str>,
    pub(crate) reloads: bool,
    pub(crate) since: &'static str,
    pub(crate) help: &'d [&'d str],
}

impl Declared<'_> {
    pub(crate) fn item<T: Value>(self, path: &str, value: &T, default: &T) -> Item {
        let key = Key {
            name: join(path, self.name),
            kind: T::kind(),
            default: default.print(),
            allowed: self.allowed.unwrap_or_else(T::allowed),
            choices: T::CHOICES,
            unit: self.unit.or(T::UNIT),
            reloads: self.reloads,
            since: self.since,
            help: paragraphs(self.help),
        };
        Item::Key {
            key,
            value: value.print(),
        }
    }
}

/// The full name of `name` in the table `path`; the outermost table has no name.
pub(crate) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// The lines of a documentation comment as running text; an empty line parts paragraphs.
pub(crate) fn paragraphs(lines: &[&str]) -> String {
    let parts = lines.split(|line| line.trim().is_empty());
    let texts: Vec<_> = parts
        .map(|part| part.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "))
        .collect();
    texts.join("\n\n")
}

/// Declares one table of the settings file: a struct with public fields, its default,
/// how it is read and what can be told about it. The documentation comment of a key is
/// its help text too.
///
/// ```text
/// table! {
///     /// About the struct.
///     pub struct Dns {
///         keys {
///             /// Help.
///             NAME: TYPE = DEFAULT, [RANGE, "what is counted"], reloads since "0.1.0";
///         }
///         tables {
///             /// What the table is about.
///             NAME: STRUCT;
///         }
///         beside {
///             /// A field that is no key.
///             NAME: TYPE;
///         }
///     }
/// }
/// ```
/// The brackets may be missing, or hold the range alone; in place of `reloads` stands
/// `restarts` where a running service cannot take up a new value.
macro_rules! table {
    (
        $(#[doc = $about:literal])+
        pub struct $Table:ident {
            keys { $(
                $(#[doc = $help:literal])+
                $key:ident: $Type:ty = $default:expr,
                $([$range:expr $(, $unit:literal)?],)?
                $reloads:ident since $since:literal;
            )* }
            $(tables { $(
                $(#[doc = $intro:literal])+
                $table:ident: $Nested:ident;
            )* })?
            $(beside { $(
                $(#[doc = $beside:literal])+
                $field:ident: $Field:ty;
            )* })?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Table {
            $( $(#[doc = $help])+ pub $key: $Type, )*
            $($( $(#[doc = $intro])+ pub $table: $Nested, )*)?
            $($( $(#[doc = $beside])+ pub $field: $Field, )*)?
        }

        impl Default for $Table {
            fn default() -> Self {
                Self {
                    $( $key: $default, )*
                    $($( $table: $Nested::default(), )*)?
                    $($( $field: <$Field>::default(), )*)?
                }
            }
        }

        impl $crate::declare::Table for $Table {
            fn read(
                &mut self,
                found: &toml::de::DeTable<'_>,
                reader: &mut $crate::reader::Reader<'_>,
            ) {
                for (name, value) in found {
                    match name.get_ref().as_ref() {
                        $( stringify!($key) => {
                            reader.value(&mut self.$key, limits!($($range)?), name, value);
                        } )*
                        $($( stringify!($table) => reader.table(&mut self.$table, name, value), )*)?
                        _ => reader.unknown(name, value),
                    }
                }
            }

            fn add_items(&self, path: &str, items: &mut Vec<$crate::declare::Item>) {
                let default = Self::default();
                // A table may have tables only.
                let _ = (path, &default);
                $(
                    let limits: Option<$crate::value::Limits<$Type>> = limits!($($range)?);
                    let declared = $crate::declare::Declared {
                        name: stringify!($key),
                        allowed: limits.map(|limits| limits.in_words()),
                        unit: optional!($($($unit)?)?),
                        reloads: reloads!($reloads),
                        since: $since,
                        help: &[$($help),+],
                    };
                    items.push(declared.item(path, &self.$key, &default.$key));
                )*
                $($(
                    let name = $crate::declare::join(path, stringify!($table));
                    items.push($crate::declare::Item::Table {
                        name: name.clone(),
                        intro: $crate::declare::paragraphs(&[$($intro),+]),
                    });
                    $crate::declare::Table::add_items(&self.$table, &name, items);
                )*)?
            }
        }
    };
}

macro_rules! limits {
    () => {
        None
    };
    ($range:expr) => {
        Some($crate::value::Limits::new($range))
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($given:expr) => {
        Some($given)
    };
}

macro_rules! reloads {
    (reloads) => {
        true
    };
    (restarts) => {
        false
    };
}

/// The full name of a key, as text, from its path in [`Settings`]: `key!(dns.question_timeout)`.
/// It does not compile where there is no such field, so a name cannot go stale.
#[macro_export]
macro_rules! key {
    ($first:ident $(. $rest:ident)*) => {{
        let _ = |settings: &$crate::Settings| {
            let _ = &settings.$first $(.$rest)*;
        };
        concat!(stringify!($first) $(, ".", stringify!($rest))*)
    }};
}
