//! How a table of keys is declared.

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
///             NAME: STRUCT = DEFAULT;
///         }
///         beside {
///             /// A field that is no key.
///             NAME: TYPE;
///         }
///     }
/// }
/// ```
/// The default of a table may be missing: it is that of its struct. The brackets may be missing, or hold the range alone; in place of `reloads` stands
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
                $table:ident: $Nested:ident $(= $of_table:expr)?;
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
                    $($( $table: table_default!($Nested $(, $of_table)?), )*)?
                    $($( $field: <$Field>::default(), )*)?
                }
            }
        }

        impl $crate::reader::Table for $Table {
            fn read(
                &mut self,
                found: &toml::de::DeTable<'_>,
                reader: &mut $crate::reader::TableReader<'_>,
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

            fn add_items(&self, default: &Self, path: &str, items: &mut Vec<$crate::key::Item>) {
                // A table may have tables only.
                let _ = path;
                $(
                    let limits: Option<$crate::value::DeclaredRange<$Type>> = limits!($($range)?);
                    let declared = $crate::key::Declared {
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
                    let name = $crate::text::join(path, stringify!($table));
                    items.push($crate::key::Item::Table {
                        name: name.clone(),
                        intro: $crate::text::paragraphs(&[$($intro),+]),
                    });
                    $crate::reader::Table::add_items(&self.$table, &default.$table, &name, items);
                )*)?
            }
        }
    };
}

macro_rules! table_default {
    ($Table:ident) => {
        $Table::default()
    };
    ($Table:ident, $given:expr) => {
        $given
    };
}

macro_rules! limits {
    () => {
        None
    };
    ($range:expr) => {
        Some($crate::value::DeclaredRange::new($range))
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
