//! Keys that take one of a few words.

/// One of the words a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The word, as it is written in the file.
    pub word: &'static str,
    /// What it means.
    pub help: &'static [&'static str],
}

/// Declares an enum whose variants are the words a key takes; the documentation comment
/// of a variant is its help text too. `for` an enum of another crate, it gives its variants their words.
macro_rules! choices {
    (
        for $Name:ident {
            $( $(#[doc = $help:literal])+ $Variant:ident = $word:literal, )+
        }
    ) => {
        impl $crate::value::TextValue for $Name {
            const KIND: &'static str = "choice";
            const ALLOWED: &'static str = "";
            const CHOICES: &'static [$crate::value::Choice] =
                &[$( $crate::value::Choice { word: $word, help: &[$($help),+] } ),+];

            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $( $word => Ok(Self::$Variant), )+
                    _ => Err(String::new()),
                }
            }

            fn text(&self) -> String {
                match self {
                    $( Self::$Variant => $word.to_owned(), )+
                }
            }
        }
    };
    (
        $(#[doc = $about:literal])+
        pub enum $Name:ident {
            $( $(#[doc = $help:literal])+ $Variant:ident = $word:literal, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name {
            $( $(#[doc = $help])+ $Variant, )+
        }

        impl $Name {
            /// The word for it in the settings file.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $( Self::$Variant => $word, )+
                }
            }
        }

        choices! {
            for $Name {
                $( $(#[doc = $help])+ $Variant = $word, )+
            }
        }
    };
}
