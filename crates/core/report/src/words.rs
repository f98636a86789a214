//! Words of closed lists, and how other words of strangers are kept beside them.

use std::fmt;

/// A closed list of words, as a schema or a registry has them.
pub trait Registered: Copy + Eq + 'static {
    /// All of them, in the order of the list.
    const ALL: &'static [Self];

    /// As it is written, in lower case.
    fn word(self) -> &'static str;
}

/// A word of an element or field that is restricted to a list.
///
/// A reader meets others, and keeps them as they are. We write registered ones only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SchemaWord<T> {
    /// One of the list.
    Known(T),
    /// Another one, as read. Empty: the element is not there, or nothing is in it.
    Other(String),
}

impl<T: Registered> SchemaWord<T> {
    /// The word `text` is, exactly: in lower case, without blanks around it.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let known = T::ALL.iter().find(|known| known.word() == text);
        known.map_or_else(|| Self::Other(text.to_owned()), |known| Self::Known(*known))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(known) => known.word(),
            Self::Other(text) => text,
        }
    }

    /// The registered word it is, when it is one.
    #[must_use]
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(known) => Some(*known),
            Self::Other(_) => None,
        }
    }
}

/// The registered word that `text` is, exactly.
pub(crate) fn known<T: Registered>(text: &str) -> Option<T> {
    SchemaWord::read(text).known()
}

impl<T> SchemaWord<T> {
    /// What stands for a mandatory element that is not there.
    #[must_use]
    pub fn missing() -> Self {
        Self::Other(String::new())
    }
}

impl<T> From<T> for SchemaWord<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

impl<T: Registered> fmt::Display for SchemaWord<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Declares a list of words once: the variants, and how each is written.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$what])* $variant,)+
        }

        impl $crate::words::Registered for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

/// Takes a type of another crate, with its own `as_str`, for a list of words.
macro_rules! registered {
    ($name:ty: $($variant:ident),+) => {
        impl $crate::words::Registered for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

pub(crate) use {registered, words};
