//! Asking for keys, and holding a signature against what was found.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use landmarc_mail::DomainName;

use super::key::{KeyRecord, KeyRecordError, MAX_RSA_BITS, MIN_RSA_BITS, PublicKey, Signed};
use super::signature::{Algorithm, SignatureOrigin};
use crate::lookup::{Answer, DnsName, Lookup, LookupError, Question};

/// Key records tried of one name: RFC 6376 §3.6.2.2 leaves the result of more than one
/// open, and two are what a careless rollover leaves behind.
const MAX_KEYS_TRIED: usize = 2;

/// The key records the signatures of one message need, each asked for once.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyQuestions {
    questions: Vec<Question>,
    index: BTreeMap<DnsName, usize>,
}

/// Which question is about the key of a signature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHandle(usize);

impl KeyQuestions {
    /// Adds the question for a key; `None` when the name is longer than DNS can ask for.
    pub(crate) fn add(&mut self, signer: &SignatureOrigin) -> Option<KeyHandle> {
        let name = key_name(&signer.selector, &signer.domain)?;
        let next = self.questions.len();
        let at = *self.index.entry(name.clone()).or_insert(next);
        if at == next {
            self.questions.push(Question::txt(name));
        }
        Some(KeyHandle(at))
    }

    /// The questions, each once.
    pub(crate) fn questions(&self) -> Vec<Question> {
        self.questions.clone()
    }

    /// Asks all of them at once.
    pub(crate) async fn ask(self, lookup: &impl Lookup) -> KeyAnswers {
        let answers = join_all(self.questions.iter().map(|question| lookup.ask(question))).await;
        let names = self.questions.iter().map(|question| question.name.clone());
        KeyAnswers(names.zip(answers).collect())
    }
}

/// `s._domainkey.d`.
fn key_name(selector: &DomainName, domain: &DomainName) -> Option<DnsName> {
    DnsName::below(&format!("{selector}._domainkey"), domain)
}

/// What DNS said about keys.
pub(crate) struct KeyAnswers(Vec<(DnsName, Answer)>);

/// A signature to be held against a key.
pub(crate) struct KeyClaim<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) signed: &'a Signed,
    pub(crate) signature: &'a [u8],
    /// Whether `i=` is at `d=` itself, for keys with `t=s`.
    pub(crate) exact_identity: bool,
}

/// Bits an RSA key may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RsaBits {
    pub(crate) least: u32,
    pub(crate) most: u32,
}

impl RsaBits {
    /// Limits within those of RFC 8301 and of what `ring` calculates.
    pub(crate) fn within(least: u32, most: u32) -> Self {
        Self {
            least: least.max(MIN_RSA_BITS),
            most: most.min(MAX_RSA_BITS),
        }
    }
}

/// What came of a signature and the key records at its name.
pub(crate) struct Checked {
    /// Whether the signature is good, or why no key could decide.
    pub(crate) outcome: Result<bool, KeyProblem>,
    /// Bits of the key.
    pub(crate) bits: Option<u32>,
    /// The key has `t=y`.
    pub(crate) testing: bool,
}

/// Why there is no key to verify with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyProblem {
    #[error("no key at {0} (NXDOMAIN)")]
    NoName(DnsName),
    #[error("no key at {0} (no TXT record)")]
    NoRecord(DnsName),
    #[error("the key at {0} could not be asked for: {1}")]
    Unanswered(DnsName, LookupError),
    #[error("no usable key at {0}: {1}")]
    Unusable(DnsName, KeyRecordError),
    #[error("the key at {0} is not of the kind that {1} needs")]
    OtherKind(DnsName, Algorithm),
    #[error("the RSA key at {0} has {1} bits; from {2} to {3} are accepted")]
    Bits(DnsName, u32, u32, u32),
    #[error("the key at {0} is for d= itself (t=s), and i= is below it")]
    StrictIdentity(DnsName),
}

impl KeyProblem {
    /// Whether asking again later may help.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(self, Self::Unanswered(..))
    }
}

impl KeyAnswers {
    /// Whether DNS has nothing at the name of the key, or nothing that is meant as one.
    pub(crate) fn deny(&self, handle: KeyHandle) -> bool {
        let is_other = |record: Result<_, KeyRecordError>| record.is_err_and(|error| !error.is_key_record());
        match self.0.get(handle.0).map(|(_, answer)| answer) {
            Some(Answer::NoData | Answer::NxDomain(_)) => true,
            Some(answer @ Answer::Records(_)) => answer.texts().map(KeyRecord::parse).all(is_other),
            Some(Answer::Failed(_)) | None => false,
        }
    }

    /// Holds a signature against the key records of its name.
    pub(crate) fn check(&self, handle: KeyHandle, claim: &KeyClaim<'_>, bits: RsaBits) -> Checked {
        let Some((name, answer)) = self.0.get(handle.0) else {
            // Handles come from the same questions, so this is never reached.
            return Checked::problem(KeyProblem::NoRecord(DnsName::root()));
        };
        let records = match answer {
            Answer::Records(_) => answer.texts().map(KeyRecord::parse),
            Answer::NoData => return Checked::problem(KeyProblem::NoRecord(name.clone())),
            Answer::NxDomain(_) => return Checked::problem(KeyProblem::NoName(name.clone())),
            Answer::Failed(error) => {
                return Checked::problem(KeyProblem::Unanswered(name.clone(), *error));
            }
        };
        let mut passed_over = None;
        let mut best: Option<Checked> = None;
        let meant_as_keys = records.filter(|record| match record {
            Err(error) if !error.is_key_record() => {
                passed_over.get_or_insert_with(|| error.clone());
                false
            }
            Ok(_) | Err(_) => true,
        });
        for record in meant_as_keys.take(MAX_KEYS_TRIED) {
            let checked = match record {
                Ok(record) => check_one(name, &record, claim, bits),
                Err(error) => Checked::problem(KeyProblem::Unusable(name.clone(), error)),
            };
            best = Some(match best.take() {
                Some(earlier) if earlier.rank() >= checked.rank() => earlier,
                _ => checked,
            });
        }
        best.unwrap_or_else(|| {
            Checked::problem(match passed_over {
                Some(error) => KeyProblem::Unusable(name.clone(), error),
                None => KeyProblem::NoRecord(name.clone()),
            })
        })
    }
}

impl Checked {
    fn problem(problem: KeyProblem) -> Self {
        Self {
            outcome: Err(problem),
            bits: None,
            testing: false,
        }
    }

    /// Of two records, the one that verifies counts, then the one that could have.
    fn rank(&self) -> u8 {
        match self.outcome {
            Ok(true) => 2,
            Ok(false) => 1,
            Err(_) => 0,
        }
    }
}

fn check_one(name: &DnsName, record: &KeyRecord, claim: &KeyClaim<'_>, accepted: RsaBits) -> Checked {
    let bits = record.key.bits();
    let is_rsa = matches!(record.key, PublicKey::Rsa { .. });
    let problem = if !record.key.fits(claim.algorithm) {
        Some(KeyProblem::OtherKind(name.clone(), claim.algorithm))
    } else if is_rsa && !(accepted.least..=accepted.most).contains(&bits) {
        let RsaBits { least, most } = accepted;
        Some(KeyProblem::Bits(name.clone(), bits, least, most))
    } else if record.strict_identity && !claim.exact_identity {
        Some(KeyProblem::StrictIdentity(name.clone()))
    } else {
        None
    };
    Checked {
        outcome: match problem {
            Some(problem) => Err(problem),
            None => Ok(record.key.verifies(claim.signed, claim.signature)),
        },
        bits: Some(bits),
        testing: record.testing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(selector: &str) -> SignatureOrigin {
        SignatureOrigin {
            algorithm: Algorithm::Ed25519Sha256,
            signature: Box::default(),
            domain: DomainName::parse("example.com").unwrap(),
            selector: DomainName::parse(selector).unwrap(),
            signed_at: None,
        }
    }

    #[test]
    fn each_name_is_one_question() {
        let mut keys = KeyQuestions::default();
        let handles = ["a", "b", "A"].map(|s| keys.add(&signer(s)).unwrap().0);
        assert_eq!(handles, [0, 1, 0]);
        let asked: Vec<_> = keys.questions().iter().map(ToString::to_string).collect();
        assert_eq!(
            asked,
            ["a._domainkey.example.com TXT", "b._domainkey.example.com TXT"]
        );
    }

    #[test]
    fn a_name_longer_than_dns_carries_has_no_question() {
        let mut keys = KeyQuestions::default();
        // 253 octets less "._domainkey.example.com".
        let label = "a".repeat(57);
        let selector = format!("{label}.{label}.{label}.{}", "a".repeat(56));
        assert_eq!(selector.len(), 230);
        assert!(keys.add(&signer(&selector)).is_some());
        assert!(keys.add(&signer(&format!("{selector}a"))).is_none());
    }
}
