//! Signatures: which a message has, what is wrong with them, and how they are made and broken.

use landmarc_auth::dkim::{Canonicalization, SignRequest, SigningKey, sign};
use landmarc_mail::message::{HeaderLimits, HeaderSection};
use landmarc_mail::{DomainName, HeaderField};
use landmarc_testkit::random::Random;

use super::Dkim;
use super::keys::Keys;
use super::world::{Domain, PROVIDERS};

/// When signatures say that they were made.
const SIGNED_AT: u64 = 1_700_000_000;

/// Header fields that are signed.
const SIGNED: &[&str] = &["From", "To", "Subject", "Date", "Message-ID", "MIME-Version"];

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The body was changed afterwards.
    Body,
    /// The Subject was changed afterwards.
    Subject,
    /// No key record.
    KeyMissing,
    /// A key record with an empty `p=` (RFC 6376 §3.6.1).
    KeyRevoked,
    /// `x=` lies in the past.
    Expired,
    /// The key record has the key of another.
    OtherKey,
    /// `v=2`.
    Version,
}

/// A signature to make.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    /// Its `d=`.
    pub(super) owner: String,
    /// Its `s=`.
    pub(super) selector: &'static str,
    pub(super) key: &'a SigningKey,
    /// Whether `owner` is of the author's organization.
    pub(super) ours: bool,
    pub(super) fault: Option<Fault>,
}

impl<'a> Plan<'a> {
    /// A provider signs in place of the domain.
    pub(super) fn pass_to_provider(&mut self, keys: &'a Keys, random: &mut Random) {
        let provider = random.below(PROVIDERS);
        *self = Plan {
            owner: format!("esp{provider}.example"),
            selector: "r1",
            key: &keys.rsa[provider % keys.rsa.len()],
            ours: false,
            fault: self
                .fault
                .filter(|fault| !matches!(fault, Fault::KeyMissing | Fault::KeyRevoked | Fault::OtherKey)),
        };
    }
}

/// 70 % RSA, 5 % Ed25519, 15 % none, 10 % broken; some with a second one of a provider.
pub(super) fn draw<'a>(domain: &Domain, keys: &'a Keys, random: &mut Random) -> Vec<Plan<'a>> {
    let rsa = domain.rsa_key(keys);
    let owner = if random.percent(12.0) {
        format!("news.{}", domain.name)
    } else {
        domain.name.clone()
    };
    let plan = |selector, key, fault| Plan {
        owner: owner.clone(),
        selector,
        key,
        ours: true,
        fault,
    };
    let kind = random.weighted(&[(0, 70.0), (1, 5.0), (2, 15.0), (3, 10.0)]);
    let mut plans = Vec::new();
    match kind {
        0 if random.percent(8.0) => {}
        0 => plans.push(plan("r1", rsa, None)),
        1 => plans.push(plan("e1", &keys.ed25519, None)),
        2 => return plans,
        _ => {
            return vec![match random.below(7) {
                0 => plan("r1", rsa, Some(Fault::Body)),
                1 => plan("r1", rsa, Some(Fault::Subject)),
                2 => plan("gone", rsa, Some(Fault::KeyMissing)),
                3 => plan("revoked", rsa, Some(Fault::KeyRevoked)),
                4 => plan("r1", rsa, Some(Fault::Expired)),
                5 => plan("other", rsa, Some(Fault::OtherKey)),
                _ => plan("r1", rsa, Some(Fault::Version)),
            }];
        }
    }
    if plans.is_empty() || random.percent(8.0) {
        let mut second = plan("r1", rsa, None);
        second.pass_to_provider(keys, random);
        plans.push(second);
    }
    plans
}

/// What all of them come to: one good one is enough.
pub(super) fn result(plans: &[Plan<'_>]) -> Dkim {
    if plans.is_empty() {
        Dkim::None
    } else if plans.iter().any(|plan| plan.fault.is_none()) {
        Dkim::Pass
    } else {
        Dkim::Broken
    }
}

/// The DKIM-Signature field that goes on top of these fields.
pub(super) fn signed(
    fields: &[(String, Vec<u8>)],
    body: &[u8],
    plan: &Plan<'_>,
    random: &mut Random,
) -> (String, Vec<u8>) {
    let (limits, mut headers) = (HeaderLimits::default(), HeaderSection::default());
    for (name, value) in fields {
        let value = String::from_utf8_lossy(value).replace('\n', "\r\n");
        headers.push(HeaderField::new(name.as_bytes(), value.into_bytes()), &limits);
    }
    let (header_canon, body_canon) = random.weighted(&[
        ((Canonicalization::Relaxed, Canonicalization::Relaxed), 70.0),
        ((Canonicalization::Relaxed, Canonicalization::Simple), 20.0),
        ((Canonicalization::Simple, Canonicalization::Simple), 10.0),
    ]);
    let domain = DomainName::parse(&plan.owner).expect("names of the corpus are valid");
    let selector = DomainName::parse(plan.selector).expect("selectors of the corpus are valid");
    let request = SignRequest {
        domain: &domain,
        selector: &selector,
        key: plan.key,
        header_canon,
        body_canon,
        fields: SIGNED,
        now: SIGNED_AT,
        expires: (plan.fault == Some(Fault::Expired)).then_some(SIGNED_AT + 86_400),
    };
    let field = sign(&headers, body, &request, &ring::rand::SystemRandom::new())
        .expect("each message has a From field");
    let value = String::from_utf8_lossy(field.value()).replace("\r\n", "\n");
    ("DKIM-Signature".to_owned(), value.into_bytes())
}

/// Breaks the signature on top, where that is done in the message and not in the DNS.
pub(super) fn damage(fault: Fault, fields: &mut [(String, Vec<u8>)], body: &mut Vec<u8>) {
    match fault {
        Fault::Body => body.extend_from_slice(b"-- \r\nAdded by a list\r\n"),
        Fault::Subject => {
            for (_, value) in fields.iter_mut().filter(|(name, _)| name == "Subject") {
                value.splice(0..0, *b" [list]");
            }
        }
        Fault::Version => {
            if let Some((_, value)) = fields.first_mut() {
                let text = String::from_utf8_lossy(value).replacen("v=1;", "v=2;", 1);
                *value = text.into_bytes();
            }
        }
        Fault::KeyMissing | Fault::KeyRevoked | Fault::Expired | Fault::OtherKey => {}
    }
}
