//! Verifying the signatures of one message (RFC 6376 §6).

use std::collections::BTreeSet;

use landmarc_mail::{DomainName, HeaderField, HeaderSection};

use super::body::{BodyDigests, BodyHandle, BodyHashing, Sha256};
use super::canonical::header_field;
use super::headers::HeaderIndex;
use super::key::Signed;
use super::keys::{KeyAnswers, KeyClaim, KeyHandle, KeyQuestions, RsaBits};
use super::signature::{Algorithm, Described, DkimSignature, SignatureError, check_expiry, seconds_ahead};
use super::tags::TagList;
use super::{DkimOptions, DkimOutcome, DkimResult, MAX_HELD_OCTETS, Substance};
use crate::lookup::{Lookup, Question};

/// The longest DKIM-Signature field that is read, name and line end included.
pub const MAX_FIELD_OCTETS: usize = 16 * 1024;
/// Results listed one by one. Fields beyond are counted in one last result, so that
/// thousands of them do not become thousands of lines of header, log and report.
pub const MAX_RESULTS: usize = 100;
/// How long ago a signature may have expired and still be taken for one: mail servers keep trying for
/// four or five days (RFC 5321 §4.5.4.1).
pub const MAX_EXPIRED: u64 = 5 * 24 * 60 * 60;

const FIELD: &str = "DKIM-Signature";
/// RFC 8032 §5.1.6.
const ED25519_SIGNATURE_OCTETS: usize = 64;
/// Fields that a signature should cover, and that are named where it does not (RFC 6376 §8.15).
const WATCHED_FIELDS: [&str; 4] = ["Subject", "Date", "To", "Content-Type"];

/// Verifies the DKIM-Signature fields of one message.
///
/// All that concerns the header section is done when it is made; what remains is small,
/// but for RSA the canonical header (2 MiB in all at the very most).
pub struct Verifier {
    entries: Vec<Entry>,
    keys: KeyQuestions,
    rsa_bits: RsaBits,
    accept_body_length: bool,
    accept_testing_keys: bool,
}

/// One DKIM-Signature field: its result so far, and what is left to do for it.
struct Entry {
    result: DkimOutcome,
    task: Option<Task>,
}

/// A signature that waits for its key and for the body.
struct Task {
    key: KeyHandle,
    signed: Signed,
    signature: DkimSignature,
    body: BodyHandle,
}

impl Verifier {
    /// Reads the signatures of a header section, orders them (`d=` equal to an author's
    /// domain first, then names above or below one, then the rest), and asks `bodies` for
    /// the hashes they need. `now` is in seconds since 1970.
    #[must_use]
    pub fn new(
        headers: &HeaderSection,
        author_domains: &[DomainName],
        options: &DkimOptions,
        now: u64,
        bodies: &mut BodyHashing,
    ) -> Self {
        let mut fields: Vec<_> = headers
            .named(FIELD)
            .map(|(at, field)| Read::new(at, field))
            .collect();
        refuse(&mut fields, headers, options, now);
        let mut entries = Vec::with_capacity(fields.len());
        let mut chosen = Vec::new();
        for (at, Read { result, signature }) in fields.into_iter().enumerate() {
            entries.push(Entry { result, task: None });
            chosen.extend(signature.map(|signature| (at, signature)));
        }
        // The sort keeps the order of appearance among equals.
        chosen.sort_by_key(|(_, signature)| rank(&signature.signer.domain, author_domains));

        if headers.is_cut() && headers.may_lack(FIELD.as_bytes()) {
            entries.push(left_out(headers));
        }

        let mut plan = Plan::new(headers, bodies);
        for (count, (at, signature)) in chosen.into_iter().enumerate() {
            if let Some(Entry { result, task }) = entries.get_mut(at) {
                if count >= options.max_signatures {
                    result.conclude(DkimResult::Neutral, too_many(options.max_signatures));
                    result.substance = Substance::Void;
                } else {
                    *task = plan.task(result, signature);
                }
            }
        }
        Self {
            keys: plan.keys,
            entries: summarized(entries),
            rsa_bits: RsaBits::within(options.min_rsa_bits, options.max_rsa_bits),
            accept_body_length: options.accept_body_length,
            accept_testing_keys: options.accept_testing_keys,
        }
    }

    /// The key records it will ask for, so that they can be asked for early.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        self.keys.questions()
    }

    /// Asks for the keys, all at once, and decides: one result for each field, topmost
    /// first. Over [`MAX_RESULTS`], those verified and the first of the others are listed,
    /// and the last result stands for the rest.
    pub async fn finish(self, lookup: &impl Lookup, digests: &BodyDigests) -> Vec<DkimOutcome> {
        let answers = self.keys.ask(lookup).await;
        let judge = Judge {
            answers,
            digests,
            rsa_bits: self.rsa_bits,
            accept_body_length: self.accept_body_length,
            accept_testing_keys: self.accept_testing_keys,
        };
        let decide = |Entry { mut result, task }| {
            if let Some(task) = task {
                judge.decide(&task, &mut result);
            }
            result
        };
        self.entries.into_iter().map(decide).collect()
    }
}

/// The signatures of a header section as they describe themselves, topmost first, at most
/// [`MAX_RESULTS`]. Nothing is verified and nothing asked: a signature that can be read is neutral
/// without a reason, and one that cannot is what [`Verifier::finish`] would make of it.
#[must_use]
pub fn described(headers: &HeaderSection) -> Vec<DkimOutcome> {
    let fields = headers.named(FIELD).take(MAX_RESULTS);
    fields.map(|(at, field)| Read::new(at, field).result).collect()
}

/// A DKIM-Signature field as read: the signature, unless its form already decides.
struct Read {
    result: DkimOutcome,
    signature: Option<DkimSignature>,
}

impl Read {
    fn new(at: usize, field: &HeaderField) -> Self {
        let mut result = DkimOutcome::unread(at);
        let signature = match read(field, &mut result) {
            Ok(signature) => Some(signature),
            Err(Unread::TooLong) => {
                let reason = format!("the field has more than {MAX_FIELD_OCTETS} octets");
                result.conclude(DkimResult::Neutral, reason);
                result.substance = Substance::Unreadable;
                None
            }
            // RFC 8601 §2.7.1 has both words for what cannot be verified. Permerror is for what
            // no sender could fix in the field alone: keys and algorithms.
            Err(Unread::Signature(error)) => {
                let verdict = match error.is_algorithm() {
                    true => DkimResult::PermError,
                    false => DkimResult::Neutral,
                };
                result.conclude(verdict, error.to_string());
                // Software that is old or careless writes such, and names its domain; who writes "foo" does not.
                result.substance = match (&result.domain, &result.selector) {
                    (Some(_), Some(_)) => Substance::Void,
                    _ => Substance::Unreadable,
                };
                None
            }
        };
        Self { result, signature }
    }

    fn refuse(&mut self, verdict: DkimResult, reason: String) {
        self.signature = None;
        self.result.conclude(verdict, reason);
    }
}

enum Unread {
    TooLong,
    Signature(SignatureError),
}

fn read(field: &HeaderField, result: &mut DkimOutcome) -> Result<DkimSignature, Unread> {
    if field.wire_len() > MAX_FIELD_OCTETS {
        return Err(Unread::TooLong);
    }
    let tags = TagList::parse(field.value()).map_err(|e| Unread::Signature(e.into()))?;
    result.describe(Described::read(&tags));
    DkimSignature::read(&tags).map_err(Unread::Signature)
}

/// Sets aside what needs no key to be decided.
fn refuse(fields: &mut [Read], headers: &HeaderSection, options: &DkimOptions, now: u64) {
    let mut seen = BTreeSet::new();
    for read in fields {
        let Some(signature) = &read.signature else {
            continue;
        };
        let domain = &signature.signer.domain;
        if headers.is_cut() && signature.coverage.names.iter().any(|name| headers.may_lack(name)) {
            // What is left out may be a second Subject, which this signature forbids; or the one
            // it signs, and then it would fail because of us. RFC 8601 §2.7.1 has "neutral" for
            // signatures that were "not otherwise able to be processed".
            let reason = "a header field that it covers is over the limits of this server";
            read.refuse(DkimResult::Neutral, reason.to_owned());
            continue;
        }
        read.result.reason = seconds_ahead(&signature.signer, now, options.clock_skew)
            .map(|seconds| format!("signed {seconds} seconds in the future (t=)"));
        if let Err(error) = check_expiry(&signature.coverage, now, options.clock_skew) {
            if check_expiry(&signature.coverage, now, MAX_EXPIRED).is_err() {
                read.result.substance = Substance::Void;
            }
            read.refuse(DkimResult::Neutral, error.to_string());
        } else if domain.label_count() == 1 {
            // RFC 6376 §6.1.1: verifiers may ignore signatures of a top-level domain.
            let reason = format!("d={domain} is a top-level domain");
            read.refuse(DkimResult::Policy, reason);
        } else if options.refused_domains.contains(domain) {
            let reason = format!("signatures of d={domain} are refused by local policy");
            read.refuse(DkimResult::Policy, reason);
        } else if !seen.insert(
            headers
                .fields()
                .get(read.result.field_index)
                .map(HeaderField::value),
        ) {
            // Compared whole: a field with the b= of another and other content is another
            // signature, and must not push the real one aside.
            read.refuse(
                DkimResult::Neutral,
                "the same signature is in another field".to_owned(),
            );
            read.result.substance = Substance::Void;
        }
    }
}

/// Stands for the signatures that were left out at a limit: that nobody signed the message
/// must not be concluded.
fn left_out(headers: &HeaderSection) -> Entry {
    let mut result = DkimOutcome::unread(headers.fields().len());
    let reason = "a DKIM-Signature field may be among those over the limits of this server";
    result.conclude(DkimResult::Neutral, reason.to_owned());
    Entry { result, task: None }
}

/// Author-equal, related to an author by ancestry, other.
fn rank(domain: &DomainName, author_domains: &[DomainName]) -> u8 {
    let related = |author: &DomainName| author.is_at_or_below(domain) || domain.is_at_or_below(author);
    match domain {
        _ if author_domains.contains(domain) => 0,
        _ if author_domains.iter().any(related) => 1,
        _ => 2,
    }
}

fn too_many(limit: usize) -> String {
    format!("too many signatures: {limit} of a message are verified")
}

/// Turns signatures into tasks, within the limits of one message.
struct Plan<'a> {
    index: HeaderIndex<'a>,
    keys: KeyQuestions,
    bodies: &'a mut BodyHashing,
    held_octets: usize,
}

impl<'a> Plan<'a> {
    fn new(headers: &'a HeaderSection, bodies: &'a mut BodyHashing) -> Self {
        Self {
            index: HeaderIndex::new(headers),
            keys: KeyQuestions::default(),
            bodies,
            held_octets: 0,
        }
    }

    /// The work for one signature; none when the result is decided by trying.
    fn task(&mut self, result: &mut DkimOutcome, signature: DkimSignature) -> Option<Task> {
        let coverage = &signature.coverage;
        // A Subject added above the one that is signed is as good as none signed.
        let unsigned = |name: &&str| {
            let name = name.to_ascii_lowercase();
            let covered = coverage.names.count(name.as_bytes());
            self.index.positions(&name).len() > covered || self.index.may_lack(&name)
        };
        result.unsigned_fields = WATCHED_FIELDS.into_iter().filter(unsigned).collect();

        let signed = self.signed(result.field_index, &signature)?;
        if self.held_octets + signed.held_octets() > MAX_HELD_OCTETS {
            let reason = "the signed header fields are too long to be verified";
            result.conclude(DkimResult::Neutral, reason.to_owned());
            return None;
        }
        let Some(key) = self.keys.add(&signature.signer) else {
            let reason = "no key can exist: s= and d= make a name longer than DNS has";
            result.conclude(DkimResult::PermError, reason.to_owned());
            result.substance = Substance::Void;
            return None;
        };
        let Some(body) = self.bodies.want(coverage.body, coverage.body_length) else {
            let reason = "too many different l= in the signatures of one message";
            result.conclude(DkimResult::Neutral, reason.to_owned());
            result.substance = Substance::Void;
            return None;
        };
        self.held_octets += signed.held_octets();
        Some(Task {
            key,
            signed,
            signature,
            body,
        })
    }

    /// What the signature signs: the fields of `h=`, then its own without `b=` and without
    /// the final CRLF (RFC 6376 §3.7).
    fn signed(&self, own: usize, signature: &DkimSignature) -> Option<Signed> {
        let kind = signature.coverage.header;
        let field = self.index.field(own)?;
        let tags = TagList::parse(field.value()).ok()?;
        let mut octets = self
            .index
            .signed_fields(kind, &signature.coverage.names, Some(own));
        header_field(kind, field.raw_name(), &tags.without_signature(), &mut octets);
        Some(Signed::new(signature.signer.algorithm, octets))
    }
}

/// At most [`MAX_RESULTS`] entries: those to be verified, then the first of the others;
/// the last one says how many are left out.
fn summarized(entries: Vec<Entry>) -> Vec<Entry> {
    if entries.len() <= MAX_RESULTS {
        return entries;
    }
    let tasks = entries.iter().filter(|entry| entry.task.is_some()).count();
    let mut others = MAX_RESULTS.saturating_sub(tasks + 1);
    let mut left_out = Vec::new();
    let mut kept = Vec::with_capacity(MAX_RESULTS);
    for entry in entries {
        if entry.task.is_some() {
            kept.push(entry);
        } else if others > 0 {
            others -= 1;
            kept.push(entry);
        } else {
            left_out.push(entry.result.field_index);
        }
    }
    if let Some(&first) = left_out.first() {
        let mut result = DkimOutcome::unread(first);
        let reason = format!(
            "too many signatures: {} more DKIM-Signature fields",
            left_out.len()
        );
        result.conclude(DkimResult::Neutral, reason);
        result.substance = Substance::Void;
        kept.push(Entry { result, task: None });
    }
    kept
}

/// Decides about signatures when keys and body hashes are there.
struct Judge<'a> {
    answers: KeyAnswers,
    digests: &'a BodyDigests,
    rsa_bits: RsaBits,
    accept_body_length: bool,
    accept_testing_keys: bool,
}

/// How the body compares with what was signed.
struct BodyMatch {
    hash_agrees: bool,
    octets: u64,
}

impl Judge<'_> {
    fn decide(&self, task: &Task, result: &mut DkimOutcome) {
        let DkimSignature {
            signer,
            coverage,
            identity_domain,
        } = &task.signature;
        let claim = KeyClaim {
            algorithm: signer.algorithm,
            signed: &task.signed,
            signature: &signer.signature,
            exact_identity: *identity_domain == signer.domain,
        };
        if self.answers.deny(task.key) {
            result.substance = Substance::Void;
        }
        let body = self.body(task.body, &coverage.body_hash);
        // RFC 6376 §3.5: l= "MUST NOT be larger than the actual number of octets in the
        // canonicalized message body". No arithmetic can help it.
        if let Some(length) = coverage.body_length.filter(|&l| l > body.octets) {
            let reason = format!("l={length} is more than the {} octets of the body", body.octets);
            return result.conclude(DkimResult::Neutral, reason);
        }
        let checked = self.answers.check(task.key, &claim, self.rsa_bits);
        result.key_bits = checked.bits;
        result.key_is_testing = checked.testing;
        match checked.outcome {
            // RFC 6376 §6.1.3 leaves the order of the steps to us. No key makes this one verify, and
            // a forger who names a key that does not answer shall not get a temporary error for it.
            Err(problem) if problem.is_temporary() && !body.hash_agrees => {
                let reason = format!("body hash differs, whatever the key is ({problem})");
                result.conclude(DkimResult::Fail, reason);
            }
            Err(problem) if problem.is_temporary() => {
                result.conclude(DkimResult::TempError, problem.to_string());
            }
            Err(problem) => result.conclude(DkimResult::PermError, problem.to_string()),
            Ok(true) if body.hash_agrees => self.accept(coverage.body_length, body.octets, result),
            Ok(true) => {
                result.body_only_broken = true;
                let reason = "body hash differs: the body was changed after signing";
                result.conclude(DkimResult::Fail, reason.to_owned());
            }
            Ok(false) => {
                if !has_length_of(signer.algorithm, checked.bits, &signer.signature) {
                    result.substance = Substance::Void;
                }
                let reason = match body.hash_agrees {
                    true => {
                        "signature does not verify: a signed header field was changed, or the key is another"
                    }
                    false => {
                        "neither signature nor body hash verify: header and body were changed, or it is forged"
                    }
                };
                result.conclude(DkimResult::Fail, reason.to_owned());
            }
        }
    }

    /// The signature is good; whether it is good enough for us, body and key.
    fn accept(&self, body_length: Option<u64>, octets: u64, result: &mut DkimOutcome) {
        let mut remarks = Vec::from_iter(result.reason.take());
        match body_length {
            // Whatever the body is now, such a signature fits any other as well.
            Some(0) => {
                let reason = "l=0: no body at all is signed".to_owned();
                return result.conclude(DkimResult::Policy, reason);
            }
            Some(length) if length < octets => {
                let reason = format!(
                    "l={length}: {} octets of the body are not signed",
                    octets - length
                );
                if !self.accept_body_length {
                    return result.conclude(DkimResult::Policy, reason);
                }
                remarks.push(reason);
            }
            // With l= of the whole body nothing is unsigned: this message is as signed. If it
            // is sent again with more text, the branch above catches it.
            Some(_) | None => {}
        }
        if result.key_is_testing {
            // RFC 6376 §3.6.1 wants such a message treated as unsigned; a domain that tests is
            // helped more by reading that its signature holds.
            let reason = "the key is in test mode (t=y)".to_owned();
            if !self.accept_testing_keys {
                return result.conclude(DkimResult::Policy, reason);
            }
            remarks.push(reason);
        }
        result.result = DkimResult::Pass;
        result.reason = (!remarks.is_empty()).then(|| remarks.join("; "));
    }

    fn body(&self, handle: BodyHandle, signed_hash: &Sha256) -> BodyMatch {
        match self.digests.digest(handle) {
            Some(digest) => BodyMatch {
                hash_agrees: digest.sha256 == *signed_hash,
                octets: digest.canonical_octets,
            },
            // Hashes of another message: nothing agrees.
            None => BodyMatch {
                hash_agrees: false,
                octets: 0,
            },
        }
    }
}

/// Whether a signature is as long as those of such a key are. What a forwarder changes on the way is
/// the message, never the length of the signature.
fn has_length_of(algorithm: Algorithm, bits: Option<u32>, signature: &[u8]) -> bool {
    let octets = match algorithm {
        Algorithm::Ed25519Sha256 => Some(ED25519_SIGNATURE_OCTETS),
        Algorithm::RsaSha256 => bits.and_then(|bits| usize::try_from(bits.div_ceil(8)).ok()),
    };
    octets.is_none_or(|octets| octets == signature.len())
}

impl DkimOutcome {
    /// Nothing is known of the field but its place.
    fn unread(field_index: usize) -> Self {
        Self {
            result: DkimResult::Neutral,
            substance: Substance::Possible,
            domain: None,
            selector: None,
            algorithm: None,
            key_bits: None,
            identity_domain: None,
            reason: None,
            signature: String::new(),
            key_is_testing: false,
            body_length: None,
            body_only_broken: false,
            unsigned_fields: Vec::new(),
            field_index,
        }
    }

    fn describe(&mut self, described: Described) {
        let Described {
            domain,
            selector,
            algorithm,
            identity_domain,
            signature,
            body_length,
        } = described;
        self.domain = domain;
        self.selector = selector.map(|name| name.as_str().to_owned());
        self.algorithm = algorithm;
        self.identity_domain = identity_domain;
        self.signature = signature;
        self.body_length = body_length;
    }

    fn conclude(&mut self, verdict: DkimResult, reason: String) {
        self.result = verdict;
        self.reason = Some(reason);
    }
}
