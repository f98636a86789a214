//! The values a tag can have, each in the words of RFC 9989 §4.7.

use std::fmt;

/// What the Domain Owner asks for a message that fails (RFC 9989 §3.2.8), by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssessmentPolicy {
    /// Nothing: the mail is only watched.
    None,
    /// To take it for suspicious.
    Quarantine,
    /// To refuse it.
    Reject,
}

impl AssessmentPolicy {
    /// One level less, as `t=y` asks; none stays none (RFC 9989 §4.7).
    #[must_use]
    pub fn lowered(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }

    /// The keyword.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| value.eq_ignore_ascii_case(policy.as_str()))
    }
}

/// How an Authenticated Identifier must agree with the Author Domain (RFC 9989 §3.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The same Organizational Domain.
    Relaxed,
    /// The same name.
    Strict,
}

impl Mode {
    /// The keyword: `r` or `s`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "r",
            Self::Strict => "s",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        [Self::Relaxed, Self::Strict]
            .into_iter()
            .find(|mode| value.eq_ignore_ascii_case(mode.as_str()))
    }
}

/// Whether the name that carries the record is a public suffix (`psd`, RFC 9989 §4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Psd {
    /// A Public Suffix Domain: what lies below belongs to others.
    Yes,
    /// An Organizational Domain, even where others lie above it.
    No,
    /// `u` or nothing: the Tree Walk finds out.
    Undeclared,
}

impl Psd {
    /// The keyword: `y`, `n` or `u`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "y",
            Self::No => "n",
            Self::Undeclared => "u",
        }
    }

    pub(super) fn parse(value: &str) -> Option<Self> {
        [Self::Yes, Self::No, Self::Undeclared]
            .into_iter()
            .find(|psd| value.eq_ignore_ascii_case(psd.as_str()))
    }
}

/// The three tags that hold an [`AssessmentPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyTag {
    /// `p`: for the name that carries the record, and below it where no other speaks.
    P,
    /// `sp`: for names below that exist.
    Sp,
    /// `np`: for names below that do not.
    Np,
}

impl PolicyTag {
    /// The tag name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P => "p",
            Self::Sp => "sp",
            Self::Np => "np",
        }
    }
}

/// When the Domain Owner wants failure reports (`fo`, RFC 9989 §4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FailureOptions {
    /// `0`: when every mechanism fails to give an aligned pass. The default.
    pub all: bool,
    /// `1`: when any mechanism does.
    pub any: bool,
    /// `d`: when a DKIM signature fails, aligned or not.
    pub dkim: bool,
    /// `s`: when SPF fails, aligned or not.
    pub spf: bool,
}

impl Default for FailureOptions {
    fn default() -> Self {
        Self {
            all: true,
            any: false,
            dkim: false,
            spf: false,
        }
    }
}

impl FailureOptions {
    /// `0` and `1` exclude each other, and each option stands once (RFC 9989 §4.8).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut options = Self {
            all: false,
            ..Self::default()
        };
        for item in value.split(':') {
            let option = match item.trim_matches([' ', '\t']) {
                "0" => &mut options.all,
                "1" => &mut options.any,
                "d" | "D" => &mut options.dkim,
                "s" | "S" => &mut options.spf,
                _ => return None,
            };
            if std::mem::replace(option, true) {
                return None;
            }
        }
        (!(options.all && options.any)).then_some(options)
    }
}

impl fmt::Display for FailureOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = [
            (self.all, "0"),
            (self.any, "1"),
            (self.dkim, "d"),
            (self.spf, "s"),
        ];
        let mut separator = "";
        for (_, letter) in letters.into_iter().filter(|(set, _)| *set) {
            write!(f, "{separator}{letter}")?;
            separator = ":";
        }
        Ok(())
    }
}

landmarc_mail::display_as_str!(AssessmentPolicy, Mode, Psd, PolicyTag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_ordered_by_strictness() {
        assert!(AssessmentPolicy::None < AssessmentPolicy::Quarantine);
        assert!(AssessmentPolicy::Quarantine < AssessmentPolicy::Reject);
        assert_eq!(AssessmentPolicy::Reject.lowered(), AssessmentPolicy::Quarantine);
        assert_eq!(AssessmentPolicy::None.lowered(), AssessmentPolicy::None);
    }

    #[test]
    fn failure_options_print_in_the_order_of_the_rfc() {
        let options = FailureOptions::parse("s:d:1").unwrap();
        assert_eq!(options.to_string(), "1:d:s");
        assert_eq!(FailureOptions::default().to_string(), "0");
        assert_eq!(FailureOptions::parse("0"), Some(FailureOptions::default()));
        assert_eq!(FailureOptions::parse("s:0").unwrap().to_string(), "0:s");
        for wrong in ["", "0:1", "d:d", "1,d", "2", "d:", ":"] {
            assert_eq!(FailureOptions::parse(wrong), None, "{wrong:?}");
        }
    }
}
