//! Validating the chain (RFC 8617 §5.2).

use landmarc_mail::{DomainName, HeaderSection};

use super::set::{Collected, MessageSignatureError, Set, collect, read_message_signature, split_results};
use super::{ArcResult, ArcStatus};
use crate::dkim::canonical::{Canonicalization, header_field};
use crate::dkim::key::{MAX_RSA_BITS, MIN_RSA_BITS, Signed};
use crate::dkim::signature::{Coverage, ExpiredSignature, SignatureOrigin, check_expiry};
use crate::dkim::tags::TagList;
use crate::dkim::{
    BodyDigests, BodyHandle, BodyHashing, HeaderIndex, KeyAnswers, KeyClaim, KeyHandle, KeyProblem,
    KeyQuestions, MAX_HELD_OCTETS, RsaBits,
};
use crate::lookup::{Lookup, Question};

/// Message signatures verified, newest first. The newest decides; the older ones only give
/// `header.oldest-pass`.
pub const MAX_MESSAGE_SIGNATURES: usize = 10;
/// Seconds by which clocks may differ when `t=` and `x=` are judged.
const CLOCK_SKEW: u64 = 300;

/// Validates the ARC chain of one message.
///
/// All that concerns the header section is done when it is made; what remains are the
/// canonical ARC fields and, for RSA, the canonical header of each message signature
/// (2 MiB in all at the very most).
pub struct Validator {
    result: ArcResult,
    chain: Option<Chain>,
}

/// A chain whose form is right.
struct Chain {
    keys: KeyQuestions,
    /// Canonical form of all sets, instance 1 first.
    sets: Vec<u8>,
    /// Instance 1 first.
    seals: Vec<Seal>,
    /// Newest first, as far as they are to be verified.
    messages: Vec<Message>,
    /// The results of the oldest set.
    oldest_results: Vec<u8>,
    /// The results of the newest set.
    newest_results: Vec<u8>,
}

/// An ARC-Seal that waits for its key.
struct Seal {
    key: KeyHandle,
    signer: SignatureOrigin,
    /// How much of the canonical sets it covers in front of itself.
    covered: usize,
    /// Its own canonical form, without `b=`.
    own: Vec<u8>,
}

/// An ARC-Message-Signature that waits for its key and for the body; or why it cannot verify.
type Message = Result<MessageTask, MessageError>;

struct MessageTask {
    key: KeyHandle,
    signer: SignatureOrigin,
    /// What it may sign; without `c=` there are two ways to read it.
    readings: Vec<Reading>,
}

struct Reading {
    coverage: Coverage,
    signed: Signed,
    body: BodyHandle,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum MessageError {
    #[error("{0}")]
    Unreadable(#[from] MessageSignatureError),
    #[error("{0}")]
    Time(#[from] ExpiredSignature),
    #[error("{0}")]
    Key(#[from] KeyProblem),
    #[error("no key can exist: s= and d= make a name longer than DNS has")]
    LongName,
    #[error("the signed header fields are too long to be verified")]
    TooLong,
    #[error("too many different l= in the signatures of one message")]
    TooManyBodies,
    #[error("it does not verify")]
    Broken,
    #[error("body hash differs: the body was changed after sealing")]
    Body,
    #[error("l= leaves some of the body unsigned")]
    PartialBody,
}

impl Validator {
    /// Reads the ARC fields of a header section and asks `bodies` for the hashes they need.
    /// `now` is in seconds since 1970.
    #[must_use]
    pub fn new(headers: &HeaderSection, now: u64, bodies: &mut BodyHashing) -> Self {
        let mut result = ArcResult::none();
        let index = HeaderIndex::new(headers);
        let Some(Collected {
            sets,
            instances,
            sealers,
        }) = collect(&index)
        else {
            return Self { result, chain: None };
        };
        result.instances = instances;
        result.sealers = sealers;
        let chain = match sets {
            // A field that was left out may be one more set, or one that a signature covers.
            _ if headers.is_cut() => Err("the header section is over its limits".to_owned()),
            Ok(sets) => Chain::new(&index, &sets, now, bodies),
            Err(error) => Err(error.to_string()),
        };
        let chain = chain.map_err(|reason| fail(&mut result, reason)).ok();
        result.signs_from = chain.as_ref().is_some_and(Chain::signs_from);
        Self { result, chain }
    }

    /// `d=` of the newest seal, when it can be read. Nothing is verified yet: good for
    /// deciding whether the rest is worth asking.
    #[must_use]
    pub fn newest_sealer(&self) -> Option<&DomainName> {
        let newest = self.result.sealers.last()?;
        (newest.instance == self.result.instances).then_some(&newest.domain)
    }

    /// The key records it will ask for, so that they can be asked for early.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        self.chain
            .as_ref()
            .map(|chain| chain.keys.questions())
            .unwrap_or_default()
    }

    /// What the chain comes to by the word of somebody else who has validated it. Nothing is asked,
    /// and no word makes a chain pass that is not there or whose form is wrong.
    #[must_use]
    pub fn by_word(self, status: ArcStatus) -> ArcResult {
        let Self { mut result, chain } = self;
        match (chain, status) {
            (Some(chain), ArcStatus::Pass) => {
                result.status = ArcStatus::Pass;
                result.oldest_results = Some(chain.oldest_results);
                result.newest_results = Some(chain.newest_results);
            }
            (Some(_), ArcStatus::Fail) => fail(&mut result, "the filter ahead says so".to_owned()),
            (Some(_), ArcStatus::None) | (None, _) => {}
        }
        result
    }

    /// Asks for the keys, all at once, and decides. All that is wrong is a failure, DNS
    /// included: a chain has no temporary errors (RFC 8617 §5.2).
    pub async fn finish(self, lookup: &impl Lookup, digests: &BodyDigests) -> ArcResult {
        let Self { mut result, chain } = self;
        let Some(mut chain) = chain else {
            return result;
        };
        let answers = std::mem::take(&mut chain.keys).ask(lookup).await;
        match chain.verdict(&answers, digests) {
            Ok(oldest_pass) => {
                result.status = ArcStatus::Pass;
                result.oldest_pass = Some(oldest_pass);
                result.oldest_results = Some(chain.oldest_results);
                result.newest_results = Some(chain.newest_results);
            }
            Err(reason) => fail(&mut result, reason),
        }
        result
    }
}

fn fail(result: &mut ArcResult, reason: String) {
    result.status = ArcStatus::Fail;
    result.reason = Some(reason);
}

impl Chain {
    fn new(
        index: &HeaderIndex<'_>,
        sets: &[Set],
        now: u64,
        bodies: &mut BodyHashing,
    ) -> Result<Self, String> {
        let mut plan = Plan {
            index,
            now,
            bodies,
            keys: KeyQuestions::default(),
            held_octets: 0,
        };
        let newest = sets.iter().rev().take(MAX_MESSAGE_SIGNATURES);
        let messages = newest.map(|set| plan.message(set.message_signature)).collect();
        let (canonical, seals) = plan.seals(sets).ok_or("a seal cannot be read")?;
        let results = |set: Option<&Set>| {
            let field = set.and_then(|set| index.field(set.results));
            let payload = field.and_then(|field| split_results(field.value()));
            payload.map_or_else(Vec::new, |(_, payload)| payload.to_vec())
        };
        Ok(Self {
            keys: plan.keys,
            sets: canonical,
            seals,
            messages,
            oldest_results: results(sets.first()),
            newest_results: results(sets.last()),
        })
    }

    /// Whether the newest message signature signs From.
    fn signs_from(&self) -> bool {
        let signs_from = |reading: &Reading| reading.coverage.names.contains(b"from");
        let newest = self.messages.first();
        newest.is_some_and(|message| {
            message
                .as_ref()
                .is_ok_and(|task| task.readings.iter().all(signs_from))
        })
    }

    /// `header.oldest-pass` of a chain that holds, or why it does not.
    fn verdict(&self, answers: &KeyAnswers, digests: &BodyDigests) -> Result<u32, String> {
        let newest = self.seals.len();
        let mut older = self
            .messages
            .iter()
            .map(|message| check_message(message, answers, digests));
        // RFC 8617 §5.2, step 4: the newest message signature must verify.
        if let Some(Err(error)) = older.next() {
            return Err(format!("the message signature of set {newest}: {error}"));
        }
        // Step 6: every seal must verify, newest first.
        for (at, seal) in self.seals.iter().enumerate().rev() {
            self.check_seal(seal, answers)
                .map_err(|error| format!("the seal of set {}: {error}", at + 1))?;
        }
        // Step 5: older message signatures, until one fails or enough were verified.
        let verified = 1 + older.take_while(Result::is_ok).count();
        let oldest = newest.saturating_sub(verified) + 1;
        Ok(match oldest {
            1 => 0,
            // Instances are at most 50.
            _ => u32::try_from(oldest).unwrap_or(u32::MAX),
        })
    }

    fn check_seal(&self, seal: &Seal, answers: &KeyAnswers) -> Result<(), MessageError> {
        let covered = self.sets.get(..seal.covered).unwrap_or_default();
        let signed = Signed::new(seal.signer.algorithm, [covered, &seal.own].concat());
        check_signature(seal.key, &seal.signer, &signed, answers)
    }
}

fn check_signature(
    key: KeyHandle,
    signer: &SignatureOrigin,
    signed: &Signed,
    answers: &KeyAnswers,
) -> Result<(), MessageError> {
    let claim = KeyClaim {
        algorithm: signer.algorithm,
        signed,
        signature: &signer.signature,
        // ARC has no i= that t=s could speak of.
        exact_identity: true,
    };
    let bits = RsaBits::within(MIN_RSA_BITS, MAX_RSA_BITS);
    match answers.check(key, &claim, bits).outcome? {
        true => Ok(()),
        false => Err(MessageError::Broken),
    }
}

fn check_message(message: &Message, answers: &KeyAnswers, digests: &BodyDigests) -> Result<(), MessageError> {
    let task = message.as_ref().map_err(Clone::clone)?;
    let mut checks = task
        .readings
        .iter()
        .map(|reading| check_reading(task, reading, answers, digests));
    let first = checks.next().unwrap_or(Err(MessageError::Broken));
    match first {
        Err(_) if checks.any(|check| check.is_ok()) => Ok(()),
        first => first,
    }
}

fn check_reading(
    task: &MessageTask,
    reading: &Reading,
    answers: &KeyAnswers,
    digests: &BodyDigests,
) -> Result<(), MessageError> {
    let digest = digests.digest(reading.body).ok_or(MessageError::Body)?;
    if digest.sha256 != reading.coverage.body_hash {
        return Err(MessageError::Body);
    }
    // As for DKIM: what anyone may append to authenticates nothing.
    if reading
        .coverage
        .body_length
        .is_some_and(|l| l == 0 || l != digest.canonical_octets)
    {
        return Err(MessageError::PartialBody);
    }
    check_signature(task.key, &task.signer, &reading.signed, answers)
}

/// Turns fields into tasks, within the limits of one message.
struct Plan<'p, 'h> {
    index: &'p HeaderIndex<'h>,
    now: u64,
    bodies: &'p mut BodyHashing,
    keys: KeyQuestions,
    held_octets: usize,
}

impl Plan<'_, '_> {
    fn message(&mut self, at: usize) -> Message {
        let field = self.index.field(at).ok_or(MessageError::Broken)?;
        let (signer, coverages) = read_message_signature(field)?;
        let readings = coverages
            .into_iter()
            .map(|coverage| self.reading(at, &signer, coverage));
        Ok(MessageTask {
            readings: readings.collect::<Result<_, _>>()?,
            key: self.keys.add(&signer).ok_or(MessageError::LongName)?,
            signer,
        })
    }

    fn reading(
        &mut self,
        at: usize,
        signer: &SignatureOrigin,
        coverage: Coverage,
    ) -> Result<Reading, MessageError> {
        check_expiry(&coverage, self.now, CLOCK_SKEW)?;
        let mut octets = self
            .index
            .signed_fields(coverage.header, &coverage.names, Some(at));
        self.append_unsigned(coverage.header, at, &mut octets)
            .ok_or(MessageError::Broken)?;
        let signed = Signed::new(signer.algorithm, octets);
        self.held_octets += signed.held_octets();
        if self.held_octets > MAX_HELD_OCTETS {
            return Err(MessageError::TooLong);
        }
        let body = self.bodies.want(coverage.body, coverage.body_length);
        Ok(Reading {
            body: body.ok_or(MessageError::TooManyBodies)?,
            coverage,
            signed,
        })
    }

    /// Canonical form of all sets, and their seals. A seal covers, always in relaxed form,
    /// results, message signature and seal of each set up to its own, itself without `b=`
    /// (RFC 8617 §5.1.1).
    fn seals(&mut self, sets: &[Set]) -> Option<(Vec<u8>, Vec<Seal>)> {
        let mut canonical = Vec::new();
        let mut seals = Vec::with_capacity(sets.len());
        for set in sets {
            self.append(set.results, &mut canonical)?;
            self.append(set.message_signature, &mut canonical)?;
            let mut own = Vec::new();
            self.append_unsigned(Canonicalization::Relaxed, set.seal, &mut own)?;
            seals.push(Seal {
                key: self.keys.add(&set.signer)?,
                signer: set.signer.clone(),
                covered: canonical.len(),
                own,
            });
            self.append(set.seal, &mut canonical)?;
        }
        Some((canonical, seals))
    }

    fn append(&self, at: usize, out: &mut Vec<u8>) -> Option<()> {
        let field = self.index.field(at)?;
        header_field(Canonicalization::Relaxed, field.raw_name(), field.value(), out);
        out.extend_from_slice(b"\r\n");
        Some(())
    }

    /// A signature field without its `b=` and without the final CRLF.
    fn append_unsigned(&self, kind: Canonicalization, at: usize, out: &mut Vec<u8>) -> Option<()> {
        let field = self.index.field(at)?;
        let tags = TagList::parse(field.value()).ok()?;
        header_field(kind, field.raw_name(), &tags.without_signature(), out);
        Some(())
    }
}
