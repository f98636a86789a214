//! Which policy applies: `p`, `sp` or `np`, and what test mode leaves of it
//! (RFC 9989 §4.7, §5.3.6).

use landmarc_auth::lookup::Existence;

use super::Evaluation;
use crate::discovery::TakenAs;
use crate::record::{AssessmentPolicy, PolicyRecord, PolicyTag, Usability};

/// A policy and the tag it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) tag: PolicyTag,
    pub(super) policy: AssessmentPolicy,
    /// See [`Evaluation::policy_uncertain`].
    pub(super) is_uncertain: bool,
}

impl Selected {
    fn certain(tag: PolicyTag, policy: AssessmentPolicy) -> Self {
        Self {
            tag,
            policy,
            is_uncertain: false,
        }
    }

    /// Writes it into an evaluation, `is_test` having been found out.
    pub(super) fn apply(self, is_test: bool, evaluation: &mut Evaluation) {
        evaluation.policy_tag = Some(self.tag);
        evaluation.policy_published = Some(self.policy);
        evaluation.policy = Some(if is_test {
            self.policy.lowered()
        } else {
            self.policy
        });
        evaluation.policy_uncertain = self.is_uncertain;
    }
}

/// The policy for the name that carries the record: `p`, never `sp` or `np`.
pub(super) fn for_itself(record: &PolicyRecord) -> Selected {
    match (record.usability(), record.policy) {
        (Usability::AsPublished, Some(policy)) => Selected::certain(PolicyTag::P, policy),
        // RFC 9989 §4.10.1: as if `p=none` had been retrieved, whatever else stands there.
        _ => Selected::certain(PolicyTag::P, AssessmentPolicy::None),
    }
}

/// The policy for a name below that exists: `sp`, else `p`.
pub(super) fn for_existing(record: &PolicyRecord) -> Selected {
    match (record.usability(), record.subdomain_policy) {
        (Usability::AsPublished, Some(policy)) => Selected::certain(PolicyTag::Sp, policy),
        _ => for_itself(record),
    }
}

/// The policy for a name below that does not exist: `np`, else as if it did.
fn for_missing(record: &PolicyRecord) -> Selected {
    match (record.usability(), record.nonexistent_policy) {
        (Usability::AsPublished, Some(policy)) => Selected::certain(PolicyTag::Np, policy),
        _ => for_existing(record),
    }
}

/// The strictest policy that may apply to a name while it is not known whether it exists.
pub(super) fn strictest(record: &PolicyRecord, taken_as: TakenAs) -> AssessmentPolicy {
    match taken_as {
        TakenAs::Author => for_itself(record).policy,
        TakenAs::Organizational | TakenAs::PublicSuffix => {
            for_existing(record).policy.max(for_missing(record).policy)
        }
    }
}

/// The policy for a name below.
pub(super) fn for_name_below(record: &PolicyRecord, existence: Option<Existence>) -> Selected {
    let (existing, missing) = (for_existing(record), for_missing(record));
    match existence {
        Some(Existence::Exists) => existing,
        Some(Existence::NxDomain) => missing,
        // Neither may be claimed: the weaker does the least harm.
        Some(Existence::Unknown(_)) | None => Selected {
            is_uncertain: existing.policy != missing.policy,
            ..if missing.policy < existing.policy {
                missing
            } else {
                existing
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use landmarc_auth::lookup::LookupError;

    use super::*;

    fn record(text: &str) -> PolicyRecord {
        PolicyRecord::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn existence_matters_only_where_two_policies_differ() {
        assert!(record("v=DMARC1; p=none; np=reject").depends_on_existence());
        assert!(!record("v=DMARC1; p=none; sp=reject; np=reject").depends_on_existence());
        assert!(!record("v=DMARC1; p=reject").depends_on_existence());
        let as_none = record("v=DMARC1; p=bogus; np=reject; rua=mailto:d@example.com");
        assert!(!as_none.depends_on_existence());
    }

    #[test]
    fn without_an_answer_the_weaker_policy_is_taken() {
        let unknown = Some(Existence::Unknown(LookupError::Timeout));
        let weaker_sp = for_name_below(&record("v=DMARC1; p=none; np=reject"), unknown);
        assert_eq!(
            (weaker_sp.tag, weaker_sp.policy),
            (PolicyTag::P, AssessmentPolicy::None)
        );
        let weaker_np = for_name_below(&record("v=DMARC1; p=reject; np=none"), unknown);
        assert_eq!(
            (weaker_np.tag, weaker_np.policy),
            (PolicyTag::Np, AssessmentPolicy::None)
        );
        assert!(weaker_sp.is_uncertain && weaker_np.is_uncertain);
        let same = for_name_below(&record("v=DMARC1; p=reject; np=reject"), unknown);
        assert_eq!((same.tag, same.is_uncertain), (PolicyTag::P, false));
    }
}
