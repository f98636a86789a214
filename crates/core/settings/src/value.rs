//! What a key can hold: how each type is read from TOML, printed, and told of in words.

/// Declares a type that is written as a TOML string, in the form that its `Display` has; `parse` says why a text is none.
macro_rules! printed_value {
    ($Name:ty, $kind:literal, $allowed:literal, $parse:expr) => {
        impl $crate::value::TextValue for $Name {
            const KIND: &'static str = $kind;
            const ALLOWED: &'static str = $allowed;

            fn parse(text: &str) -> Result<Self, String> {
                $parse(text)
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }
    };
}

/// Declares a type around a text that `parse` makes of what is written, or says why it is none.
macro_rules! text_value {
    ($(#[doc = $about:literal])+ $Name:ident, $kind:literal, $allowed:literal, $parse:expr) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(String);

        impl $Name {
            /// As text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        printed_value!($Name, $kind, $allowed, |text| $parse(text).map(Self));
    };
}

#[macro_use]
mod choice;

pub(crate) mod address;
pub(crate) mod date;
pub(crate) mod fleet;
pub(crate) mod host;
pub(crate) mod redis;
pub(crate) mod reply;
pub(crate) mod report;
pub(crate) mod system;
pub(crate) mod text;
pub(crate) mod unit;

use std::ops::{Range, RangeInclusive};

pub use choice::Choice;
use landmarc_mail::text::{QUOTED_CHARS, excerpt, quoted};
use toml::Spanned;
use toml::de::DeValue;

use crate::mistake::MistakeKind;
use crate::text::toml_string;

/// A type a key can have.
pub(crate) trait SettingValue: Sized {
    /// The words it takes, for the types that take no others.
    const CHOICES: &'static [Choice] = &[];
    /// The units that may be written with a number.
    const UNIT: Option<&'static str> = None;

    /// What it is called in messages and pages: `duration`, `list of networks`.
    fn kind() -> String;

    /// What may be written, in words.
    fn allowed() -> String;

    /// Reads it. Nothing where it is not what is allowed, and `faults` says why.
    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self>;

    /// The value as it would be written in TOML.
    fn print(&self) -> String;
}

/// What is wrong with a value, each with where it is in the text, in octets.
pub(crate) type Faults = Vec<(Range<usize>, MistakeKind)>;

/// A type that is written as a TOML string.
pub(crate) trait TextValue: Sized {
    const KIND: &'static str;
    const ALLOWED: &'static str;
    const CHOICES: &'static [Choice] = &[];
    const UNIT: Option<&'static str> = None;

    /// Reads the string; otherwise says why it is none, to follow "is no KIND: ".
    fn parse(text: &str) -> Result<Self, String>;

    /// The string.
    fn text(&self) -> String;
}

/// A default that is written as text.
pub(crate) fn fixed<T: TextValue>(text: &'static str) -> T {
    T::parse(text).expect("defaults are part of the program, and each is built in the tests")
}

/// The range a declaration gives.
pub(crate) struct DeclaredRange<T> {
    range: RangeInclusive<T>,
    contains: fn(&RangeInclusive<T>, &T) -> bool,
}

impl<T: SettingValue> DeclaredRange<T> {
    pub(crate) fn new(range: RangeInclusive<T>) -> Self
    where
        T: PartialOrd,
    {
        Self {
            range,
            contains: |range, value| range.contains(value),
        }
    }

    pub(crate) fn hold(&self, value: &T) -> bool {
        (self.contains)(&self.range, value)
    }

    /// Has a message name the declared range, which is narrower than what the type takes.
    pub(crate) fn narrow(&self, wrong: &mut MistakeKind) {
        if let MistakeKind::NotA { allowed, .. } | MistakeKind::OutOfRange { allowed, .. } = wrong {
            *allowed = self.in_words();
        }
    }

    pub(crate) fn in_words(&self) -> String {
        let (least, most) = (self.range.start().print(), self.range.end().print());
        if least == most {
            least
        } else {
            format!("{least} to {most}")
        }
    }
}

impl<T: TextValue> SettingValue for T {
    const CHOICES: &'static [Choice] = T::CHOICES;
    const UNIT: Option<&'static str> = T::UNIT;

    fn kind() -> String {
        T::KIND.to_owned()
    }

    fn allowed() -> String {
        match T::CHOICES {
            [] => T::ALLOWED.to_owned(),
            choices => {
                let words: Vec<_> = choices.iter().map(|choice| toml_string(choice.word)).collect();
                words.join(", ")
            }
        }
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            return not_a::<Self>(value, None, faults);
        };
        T::parse(text)
            .or_else(|why| not_a::<Self>(value, Some(why), faults).ok_or(()))
            .ok()
    }

    fn print(&self) -> String {
        toml_string(&self.text())
    }
}

/// The empty string stands for "not set".
impl<T: TextValue> SettingValue for Option<T> {
    const UNIT: Option<&'static str> = T::UNIT;

    fn kind() -> String {
        T::kind()
    }

    fn allowed() -> String {
        format!("{}, or \"\" for none", T::allowed())
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        match value.get_ref().as_str() {
            Some("") => Some(None),
            Some(text) => match T::parse(text) {
                Ok(read) => Some(Some(read)),
                Err(why) => not_a::<Self>(value, Some(why), faults),
            },
            None => not_a::<Self>(value, None, faults),
        }
    }

    fn print(&self) -> String {
        self.as_ref().map_or_else(|| toml_string(""), SettingValue::print)
    }
}

impl<T: SettingValue> SettingValue for Vec<T> {
    const CHOICES: &'static [Choice] = T::CHOICES;
    const UNIT: Option<&'static str> = T::UNIT;

    fn kind() -> String {
        let kind = T::kind();
        let ending = if kind.ends_with('s') { "es" } else { "s" };
        format!("list of {kind}{ending}")
    }

    fn allowed() -> String {
        format!("in brackets, each {}", T::allowed())
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        let Some(items) = value.get_ref().as_array() else {
            return not_a::<Self>(value, None, faults);
        };
        // Not `collect` into an `Option`: it would stop at the first mistake.
        let read: Vec<T> = items.iter().filter_map(|item| T::read(item, faults)).collect();
        (read.len() == items.len()).then_some(read)
    }

    fn print(&self) -> String {
        let items: Vec<_> = self.iter().map(SettingValue::print).collect();
        format!("[{}]", items.join(", "))
    }
}

impl SettingValue for bool {
    fn kind() -> String {
        "truth value".to_owned()
    }

    fn allowed() -> String {
        "true or false".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
        value
            .get_ref()
            .as_bool()
            .or_else(|| not_a::<Self>(value, None, faults))
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_numbers {
    ($($Number:ty),*) => { $(
        impl SettingValue for $Number {
            fn kind() -> String {
                "whole number".to_owned()
            }

            fn allowed() -> String {
                format!("{} to {}", <$Number>::MIN, <$Number>::MAX)
            }

            fn read(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> Option<Self> {
                let Some(number) = value.get_ref().as_integer() else {
                    return not_a::<Self>(value, None, faults);
                };
                <$Number>::from_str_radix(number.as_str(), number.radix()).ok().or_else(|| {
                    faults.push((value.span(), out_of_range(value, Self::allowed())));
                    None
                })
            }

            fn print(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

whole_numbers!(u16, u32, usize);

/// Notes that the value is no `T`, and why.
fn not_a<T: SettingValue>(
    value: &Spanned<DeValue<'_>>,
    why: Option<String>,
    faults: &mut Faults,
) -> Option<T> {
    let wrong = MistakeKind::NotA {
        found: found(value),
        kind: T::kind(),
        why: why.filter(|why| !why.is_empty()),
        allowed: T::allowed(),
    };
    faults.push((value.span(), wrong));
    None
}

pub(crate) fn out_of_range(value: &Spanned<DeValue<'_>>, allowed: String) -> MistakeKind {
    MistakeKind::OutOfRange {
        found: found(value),
        allowed,
    }
}

/// The value as it stands in the file, in short, for messages.
pub(crate) fn found(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => excerpt(&number.to_string(), QUOTED_CHARS),
        DeValue::Float(number) => excerpt(number.as_str(), QUOTED_CHARS),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Reads one value as a file would have it; the messages otherwise.
    pub(crate) fn read<T: SettingValue>(toml: &str) -> Result<T, Vec<String>> {
        let value = DeValue::parse(toml).unwrap();
        let mut faults = Vec::new();
        T::read(&value, &mut faults)
            .ok_or_else(|| faults.iter().map(|(_, wrong)| wrong.to_string()).collect())
    }

    #[test]
    fn whole_numbers_in_every_spelling_of_toml() {
        assert_eq!(read::<usize>("10_000"), Ok(10_000));
        assert_eq!(read::<u16>("0x1F"), Ok(31));
        assert_eq!(read::<u16>("0o17"), Ok(15));
        assert_eq!(read::<u16>("65535"), Ok(u16::MAX));
        assert_eq!(
            read::<u16>("65536"),
            Err(vec!["65536 is out of range; allowed: 0 to 65535".to_owned()])
        );
        assert_eq!(
            read::<u16>("-1"),
            Err(vec!["-1 is out of range; allowed: 0 to 65535".to_owned()])
        );
        assert_eq!(
            read::<u16>("1.5"),
            Err(vec!["1.5 is no whole number; allowed: 0 to 65535".to_owned()])
        );
    }

    #[test]
    fn every_item_of_a_list_is_judged() {
        assert_eq!(read::<Vec<bool>>("[true, false]"), Ok(vec![true, false]));
        assert_eq!(
            read::<Vec<bool>>("[1, true, 'x']"),
            Err(vec![
                "1 is no truth value; allowed: true or false".to_owned(),
                "\"x\" is no truth value; allowed: true or false".to_owned(),
            ])
        );
        assert_eq!(
            read::<Vec<bool>>("true"),
            Err(vec![
                "true is no list of truth values; allowed: in brackets, each true or false".to_owned()
            ])
        );
    }

    #[test]
    fn lists_are_of_several() {
        insta::assert_snapshot!(Vec::<bool>::kind(), @"list of truth values");
        insta::assert_snapshot!(Vec::<super::address::MailAddress>::kind(), @"list of mail addresses");
    }
}
