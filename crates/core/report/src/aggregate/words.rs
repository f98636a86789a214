//! The words that RFC 9990 registers, and how other words of strangers are kept beside them.
//!
//! Where the RFC takes its word from DMARC or from us, the type is the one of that room:
//! [`AssessmentPolicy`], [`Mode`], [`DiscoveryMethod`] and [`Disposition`].

use std::fmt;

pub use landmarc_dmarc::evaluation::DiscoveryMethod;
pub use landmarc_dmarc::record::{AssessmentPolicy, Mode};
pub use landmarc_receiver::disposition::Disposition;

/// A closed list of words of the schema (RFC 9990 Appendix A).
pub trait Registered: Copy + Eq + 'static {
    /// All of them, in the order of the schema.
    const ALL: &'static [Self];

    /// As it is written, in lower case.
    fn word(self) -> &'static str;
}

/// A word of an element that the schema restricts to a list.
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
pub(super) fn known<T: Registered>(text: &str) -> Option<T> {
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

        impl Registered for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

words! {
    /// Whether a mechanism passed in alignment, as DMARC evaluated it, whatever a local rule made
    /// of it afterwards (RFC 9990 §3.1.1.9).
    AlignmentResult {
        /// An aligned identifier passed.
        Pass => "pass",
        /// None did.
        Fail => "fail",
    }
}

words! {
    /// Why the disposition is not the one that was asked for (RFC 9990 §3.1.6).
    OverrideType {
        /// A rule of the receiver exempted the message; also what an ARC chain brought about.
        LocalPolicy => "local_policy",
        /// It came by a mailing list.
        MailingList => "mailing_list",
        /// See the comment.
        Other => "other",
        /// The tag `t=y`. New with RFC 9990.
        PolicyTestMode => "policy_test_mode",
        /// It came by a forwarder that the receiver trusts.
        TrustedForwarder => "trusted_forwarder",
        /// It was forwarded. RFC 7489 only: read, and not written in the form of RFC 9990.
        Forwarded => "forwarded",
        /// It was left out by `pct=`. RFC 7489 only, as before.
        SampledOut => "sampled_out",
    }
}

words! {
    /// What came of one DKIM signature (RFC 8601 §2.7.1).
    DkimResultWord {
        /// Not signed.
        None => "none",
        /// It verified.
        Pass => "pass",
        /// It did not.
        Fail => "fail",
        /// It verified, and the receiver does not accept it.
        Policy => "policy",
        /// It could not be worked on, such as for a fault of its form.
        Neutral => "neutral",
        /// A later try may come to a result.
        TempError => "temperror",
        /// No later try will.
        PermError => "permerror",
    }
}

words! {
    /// What came of SPF (RFC 8601 §2.7.2).
    SpfResultWord {
        /// No record, or nothing to check.
        None => "none",
        /// The client is authorised.
        Pass => "pass",
        /// It is not.
        Fail => "fail",
        /// It probably is not.
        SoftFail => "softfail",
        /// The receiver's own policy decided. New with RFC 9990.
        Policy => "policy",
        /// The owner says neither.
        Neutral => "neutral",
        /// A later try may come to a result.
        TempError => "temperror",
        /// No later try will.
        PermError => "permerror",
    }
}

words! {
    /// Which identity SPF was checked for.
    SpfScope {
        /// MAIL FROM: the only one RFC 9990 knows.
        MailFrom => "mfrom",
        /// HELO. RFC 7489 only: read, never written.
        Helo => "helo",
    }
}

/// Takes a type of another room, with its own `as_str`, for a list of words.
macro_rules! registered {
    ($name:ty: $($variant:ident),+) => {
        impl Registered for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn word(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

registered!(AssessmentPolicy: None, Quarantine, Reject);
registered!(Disposition: None, Pass, Quarantine, Reject);
registered!(DiscoveryMethod: Psl, TreeWalk);
registered!(Mode: Relaxed, Strict);

#[cfg(test)]
mod tests {
    use super::*;

    fn all_read_back<T: Registered + fmt::Debug>() {
        for known in T::ALL {
            assert_eq!(SchemaWord::read(known.word()), SchemaWord::Known(*known));
        }
    }

    #[test]
    fn each_word_reads_back() {
        all_read_back::<AlignmentResult>();
        all_read_back::<OverrideType>();
        all_read_back::<DkimResultWord>();
        all_read_back::<SpfResultWord>();
        all_read_back::<SpfScope>();
        all_read_back::<AssessmentPolicy>();
        all_read_back::<Disposition>();
        all_read_back::<DiscoveryMethod>();
        all_read_back::<Mode>();
    }

    #[test]
    fn another_word_is_kept_as_it_is() {
        let word = SchemaWord::<SpfResultWord>::read("hardfail");
        assert_eq!(word, SchemaWord::Other("hardfail".to_owned()));
        assert_eq!(word.as_str(), "hardfail");
        assert_eq!(SchemaWord::<SpfResultWord>::read("Pass").known(), None);
    }
}
