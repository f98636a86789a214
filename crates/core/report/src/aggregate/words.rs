//! The words that RFC 9990 registers.
//!
//! Where the RFC takes its word from DMARC or from us, the type is the one of that crate:
//! [`AssessmentPolicy`], [`Mode`], [`DiscoveryMethod`] and [`Disposition`].

pub use landmarc_dmarc::evaluation::DiscoveryMethod;
pub use landmarc_dmarc::record::{AssessmentPolicy, Mode};
pub use landmarc_receiver::disposition::Disposition;

pub use crate::words::{Registered, SchemaWord};
use crate::words::{registered, words};

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

registered!(AssessmentPolicy: None, Quarantine, Reject);
registered!(Disposition: None, Pass, Quarantine, Reject);
registered!(DiscoveryMethod: Psl, TreeWalk);
registered!(Mode: Relaxed, Strict);

#[cfg(test)]
mod tests {
    use std::fmt;

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
