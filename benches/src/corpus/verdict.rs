//! What DMARC comes to, worked out from how a message was made.

use landmarc_testkit::random::Random;

use super::envelope::Envelope;
use super::signing::Plan;
use super::world::{Asked, Policy};
use super::{Dmarc, Done, Spf};

/// Where From points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    /// The domain that publishes the policy.
    Domain,
    /// A name below it that exists.
    Subdomain,
    /// A name below it that does not exist.
    Missing,
}

impl Author {
    pub(super) fn draw(random: &mut Random) -> Self {
        random.weighted(&[
            (Self::Domain, 84.0),
            (Self::Subdomain, 13.0),
            (Self::Missing, 3.0),
        ])
    }

    /// The Author Domain of a message that this domain sends.
    pub(super) fn name_at(self, domain: &str) -> String {
        match self {
            Self::Domain => domain.to_owned(),
            Self::Subdomain => format!("news.{domain}"),
            Self::Missing => format!("ghost.{domain}"),
        }
    }
}

/// The rules of RFC 9989 §4.4, §4.7 and §5.3.5, for names as they are here.
pub(super) fn dmarc(
    policy: Option<Policy>,
    author: Author,
    author_domain: &str,
    envelope: &Envelope,
    plans: &[Plan<'_>],
) -> (Dmarc, Done) {
    let Some(policy) = policy else {
        return (Dmarc::None, Done::Accept);
    };
    let spf = envelope.spf == Spf::Pass
        && envelope.ours
        && (!policy.strict_spf || envelope.identity == author_domain);
    let dkim = plans.iter().any(|plan| {
        plan.fault.is_none() && plan.ours && (!policy.strict_dkim || plan.owner == author_domain)
    });
    if spf || dkim {
        return (Dmarc::Pass, Done::Accept);
    }
    let asked = match author {
        Author::Domain => policy.domain,
        Author::Subdomain => policy.subdomain.unwrap_or(policy.domain),
        Author::Missing => policy.missing.or(policy.subdomain).unwrap_or(policy.domain),
    };
    let done = match asked {
        Asked::None => Done::Accept,
        Asked::Quarantine => Done::Quarantine,
        Asked::Reject => Done::Reject,
    };
    (Dmarc::Fail, done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::keys::Keys;
    use crate::corpus::signing::Fault;

    const POLICY: Policy = Policy {
        domain: Asked::Reject,
        subdomain: Some(Asked::Quarantine),
        missing: None,
        strict_spf: false,
        strict_dkim: false,
        testing: false,
    };

    fn envelope(identity: &str, ours: bool, spf: Spf) -> Envelope {
        Envelope {
            client: [192, 0, 2, 1].into(),
            helo: "mail.shop.example".to_owned(),
            mail_from: format!("<news@{identity}>"),
            identity: identity.to_owned(),
            ours,
            spf,
        }
    }

    fn plan<'a>(keys: &'a Keys, owner: &str, ours: bool, fault: Option<Fault>) -> Plan<'a> {
        Plan {
            owner: owner.to_owned(),
            selector: "r1",
            key: &keys.ed25519,
            ours,
            fault,
        }
    }

    fn judge(policy: Policy, author: Author, envelope: &Envelope, plans: &[Plan<'_>]) -> (Dmarc, Done) {
        dmarc(
            Some(policy),
            author,
            &author.name_at("shop.example"),
            envelope,
            plans,
        )
    }

    #[test]
    fn spf_passes_dmarc_where_it_is_aligned() {
        let own = envelope("shop.example", true, Spf::Pass);
        let below = envelope("bounce.shop.example", true, Spf::Pass);
        let other = envelope("esp1.example", false, Spf::Pass);
        let strict = Policy {
            strict_spf: true,
            ..POLICY
        };
        let pass = (Dmarc::Pass, Done::Accept);
        assert_eq!(judge(POLICY, Author::Domain, &own, &[]), pass);
        assert_eq!(judge(POLICY, Author::Domain, &below, &[]), pass);
        assert_eq!(judge(strict, Author::Domain, &own, &[]), pass);
        let fail = (Dmarc::Fail, Done::Reject);
        assert_eq!(judge(strict, Author::Domain, &below, &[]), fail);
        assert_eq!(judge(POLICY, Author::Domain, &other, &[]), fail);
    }

    #[test]
    fn one_good_signature_that_is_aligned_is_enough() {
        let keys = Keys::read().unwrap();
        let stranger = envelope("shop.example", true, Spf::Fail);
        let good = plan(&keys, "shop.example", true, None);
        let broken = plan(&keys, "shop.example", true, Some(Fault::Body));
        let other = plan(&keys, "esp1.example", false, None);
        let below = plan(&keys, "news.shop.example", true, None);
        let strict = Policy {
            strict_dkim: true,
            ..POLICY
        };
        let (pass, fail) = ((Dmarc::Pass, Done::Accept), (Dmarc::Fail, Done::Reject));
        assert_eq!(judge(POLICY, Author::Domain, &stranger, &[broken, good]), pass);
        assert_eq!(judge(POLICY, Author::Domain, &stranger, &[other]), fail);
        assert_eq!(judge(strict, Author::Domain, &stranger, &[below]), fail);
    }

    #[test]
    fn a_failure_gets_what_the_record_asks_for_its_name() {
        let stranger = envelope("shop.example", true, Spf::Fail);
        let missing = Policy {
            missing: Some(Asked::None),
            ..POLICY
        };
        for (policy, author, done) in [
            (POLICY, Author::Domain, Done::Reject),
            (POLICY, Author::Subdomain, Done::Quarantine),
            // RFC 9989 §4.7: np is absent, so sp speaks for names that do not exist.
            (POLICY, Author::Missing, Done::Quarantine),
            (missing, Author::Missing, Done::Accept),
        ] {
            assert_eq!(
                judge(policy, author, &stranger, &[]),
                (Dmarc::Fail, done),
                "{author:?}"
            );
        }
    }

    #[test]
    fn without_a_record_there_is_no_result() {
        let stranger = envelope("shop.example", true, Spf::Fail);
        let found = dmarc(None, Author::Domain, "shop.example", &stranger, &[]);
        assert_eq!(found, (Dmarc::None, Done::Accept));
    }
}
