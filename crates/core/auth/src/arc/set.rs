//! The sets of a chain: which fields belong together, and whether all are there.

use std::collections::BTreeMap;

use landmarc_mail::HeaderField;

use super::Sealer;
use crate::dkim::signature::{Coverage, Described, SignatureError, SignatureOrigin};
use crate::dkim::tags::{TagList, TagListError, number, trim};
use crate::dkim::{Canonicalization, HeaderIndex};

/// The longest chain (RFC 8617 §4.2.1: instances go from 1 to 50).
pub const MAX_SETS: u32 = 50;

const RESULTS: &str = "arc-authentication-results";
const MESSAGE_SIGNATURE: &str = "arc-message-signature";
const SEAL: &str = "arc-seal";

/// What the ARC fields of a message are made of, whole or not.
pub(super) struct Collected {
    /// The sets, instance 1 first.
    pub(super) sets: Result<Vec<Set>, SetError>,
    /// The highest instance any field claims.
    pub(super) instances: u32,
    /// Who sealed, as far as it can be read, instance 1 first.
    pub(super) sealers: Vec<Sealer>,
}

/// One complete set: indices of its fields, and its seal as read.
pub(super) struct Set {
    pub(super) results: usize,
    pub(super) message_signature: usize,
    pub(super) seal: usize,
    pub(super) signer: SignatureOrigin,
}

/// Why there is no chain that could hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SetError {
    #[error("more than {MAX_SETS} sets")]
    TooMany,
    #[error("{0} without an instance from 1 to {MAX_SETS} (i=)")]
    Instance(&'static str),
    #[error("{0} cannot be read: {1}")]
    Syntax(&'static str, TagListError),
    #[error("two {0} fields in set {1}")]
    Twice(&'static str, u32),
    #[error("set {0} has no {1}")]
    Missing(u32, &'static str),
    #[error("the seal of set {0}: {1}")]
    Seal(u32, SignatureError),
    #[error("the seal of set {0} has h=")]
    SealHasFields(u32),
    #[error("the seal of set {0} has no cv= of none, fail or pass")]
    NoStatus(u32),
    #[error("the newest seal, of set {0}, says cv=fail")]
    SaysFail(u32),
    #[error("the seal of set {0} says cv={1}")]
    WrongStatus(u32, &'static str),
}

/// Fields of one instance.
#[derive(Default)]
struct Slots {
    results: Option<usize>,
    message_signature: Option<usize>,
    seal: Option<usize>,
}

/// Reads all ARC fields; none when there are none.
pub(super) fn collect(index: &HeaderIndex<'_>) -> Option<Collected> {
    let fields = [RESULTS, MESSAGE_SIGNATURE, SEAL].map(|name| index.positions(name));
    if fields.iter().all(|positions| positions.is_empty()) {
        return None;
    }
    let too_many = fields.iter().any(|positions| positions.len() > MAX_SETS as usize);
    if too_many {
        return Some(Collected {
            sets: Err(SetError::TooMany),
            instances: 0,
            sealers: Vec::new(),
        });
    }
    let mut slots = BTreeMap::new();
    let filled = fill(index, &mut slots);
    let instances = slots.last_key_value().map_or(0, |(&instance, _)| instance);
    Some(Collected {
        sealers: slots
            .iter()
            .filter_map(|(&i, slots)| sealer(index, i, slots))
            .collect(),
        sets: filled.and_then(|()| complete(index, &slots, instances)),
        instances,
    })
}

fn fill(index: &HeaderIndex<'_>, slots: &mut BTreeMap<u32, Slots>) -> Result<(), SetError> {
    for name in [SEAL, MESSAGE_SIGNATURE, RESULTS] {
        for &at in index.positions(name) {
            let Some(field) = index.field(at) else { continue };
            let instance = match name {
                RESULTS => split_results(field.value()).map(|(instance, _)| instance),
                _ => tagged_instance(name, field)?,
            };
            let instance = instance.ok_or(SetError::Instance(name))?;
            let slots = slots.entry(instance).or_default();
            let slot = match name {
                RESULTS => &mut slots.results,
                MESSAGE_SIGNATURE => &mut slots.message_signature,
                _ => &mut slots.seal,
            };
            if slot.replace(at).is_some() {
                return Err(SetError::Twice(name, instance));
            }
        }
    }
    Ok(())
}

fn tagged_instance(name: &'static str, field: &HeaderField) -> Result<Option<u32>, SetError> {
    let tags = TagList::parse(field.value()).map_err(|e| SetError::Syntax(name, e))?;
    Ok(tags.value("i").and_then(instance))
}

/// `i=` is one or two digits, from 1 to 50 (RFC 8617 §4.2.1).
fn instance(digits: &[u8]) -> Option<u32> {
    let instance = u32::try_from(number(digits, 2)?).ok()?;
    (1..=MAX_SETS).contains(&instance).then_some(instance)
}

/// Instance and payload of an ARC-Authentication-Results field, which is no tag list:
/// `i=N;` and then what an Authentication-Results field has (RFC 8617 §4.1.1).
pub(super) fn split_results(value: &[u8]) -> Option<(u32, &[u8])> {
    let rest = skip_cfws(value)?.strip_prefix(b"i")?;
    let rest = skip_cfws(rest)?.strip_prefix(b"=")?;
    let rest = skip_cfws(rest)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    let payload = skip_cfws(rest)?.strip_prefix(b";")?;
    Some((instance(digits)?, trim(payload)))
}

/// What follows white space and comments; `None` within a comment that does not end.
fn skip_cfws(text: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut depth) = (text, 0_usize);
    loop {
        rest = match (rest, depth) {
            ([b' ' | b'\t' | b'\r' | b'\n', after @ ..], _) => after,
            ([b'(', after @ ..], _) => {
                depth += 1;
                after
            }
            (_, 0) => return Some(rest),
            ([b')', after @ ..], _) => {
                depth -= 1;
                after
            }
            ([b'\\', _, after @ ..] | [_, after @ ..], _) => after,
            ([], _) => return None,
        };
    }
}

fn sealer(index: &HeaderIndex<'_>, instance: u32, slots: &Slots) -> Option<Sealer> {
    let field = index.field(slots.seal?)?;
    let described = Described::read(&TagList::parse(field.value()).ok()?);
    Some(Sealer {
        instance,
        domain: described.domain?,
        selector: described.selector?.as_str().to_owned(),
    })
}

/// Holds the fields against RFC 8617 §5.2, steps 2 and 3.
fn complete(
    index: &HeaderIndex<'_>,
    slots: &BTreeMap<u32, Slots>,
    newest: u32,
) -> Result<Vec<Set>, SetError> {
    let nothing = Slots::default();
    let mut sets = Vec::with_capacity(slots.len());
    for instance in 1..=newest {
        let slots = slots.get(&instance).unwrap_or(&nothing);
        let missing = |name| SetError::Missing(instance, name);
        let seal = slots.seal.ok_or(missing(SEAL))?;
        sets.push(Set {
            results: slots.results.ok_or(missing(RESULTS))?,
            message_signature: slots.message_signature.ok_or(missing(MESSAGE_SIGNATURE))?,
            seal,
            signer: read_seal(index.field(seal).ok_or(missing(SEAL))?, instance, newest)?,
        });
    }
    Ok(sets)
}

fn read_seal(field: &HeaderField, instance: u32, newest: u32) -> Result<SignatureOrigin, SetError> {
    let tags = TagList::parse(field.value()).map_err(|e| SetError::Syntax(SEAL, e))?;
    // RFC 8617 §4.1.3: a seal has no h=, because what it covers is fixed.
    if tags.value("h").is_some() {
        return Err(SetError::SealHasFields(instance));
    }
    match (tags.value("cv"), instance) {
        (Some(b"none"), 1) | (Some(b"pass"), 2..) => {}
        (Some(b"fail"), _) if instance == newest => return Err(SetError::SaysFail(instance)),
        (Some(b"none"), _) => return Err(SetError::WrongStatus(instance, "none")),
        (Some(b"pass"), _) => return Err(SetError::WrongStatus(instance, "pass")),
        (Some(b"fail"), _) => return Err(SetError::WrongStatus(instance, "fail")),
        _ => return Err(SetError::NoStatus(instance)),
    }
    SignatureOrigin::read(&tags).map_err(|e| SetError::Seal(instance, e))
}

/// Why an ARC-Message-Signature cannot be verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MessageSignatureError {
    #[error("{0}")]
    Signature(#[from] SignatureError),
    #[error("it signs {0}")]
    Signs(&'static str),
}

/// Reads an ARC-Message-Signature: a DKIM-Signature without `v=`, whose `i=` is the
/// instance (RFC 8617 §4.1.2). From need not be signed, and `h=` may be empty: the chain can hold
/// then, but [`ArcResult::signs_from`](super::ArcResult::signs_from) is not set.
///
/// Without `c=` there are two readings: RFC 8617 takes the default of DKIM, simple/simple;
/// the test suite of the protocol's authors, and sealers tested with it, take relaxed/relaxed.
/// A signature is good for one of them at most, so trying both gives nothing away.
pub(super) fn read_message_signature(
    field: &HeaderField,
) -> Result<(SignatureOrigin, Vec<Coverage>), MessageSignatureError> {
    let tags = TagList::parse(field.value()).map_err(SignatureError::from)?;
    let signer = SignatureOrigin::read(&tags)?;
    let coverage = Coverage::read(&tags, signer.signed_at)?;
    // RFC 8617 §4.1.2 forbids sealers to sign Authentication-Results and all ARC fields. The
    // seal is refused, as it is made after; so are the results, which the next hop may
    // delete. Earlier ARC fields are harmless, and older sealers did sign them.
    for forbidden in [SEAL, "authentication-results"] {
        if coverage.names.contains(forbidden.as_bytes()) {
            return Err(MessageSignatureError::Signs(forbidden));
        }
    }
    let relaxed = Coverage {
        header: Canonicalization::Relaxed,
        body: Canonicalization::Relaxed,
        ..coverage.clone()
    };
    let readings = match tags.value("c") {
        Some(_) => vec![coverage],
        None => vec![coverage, relaxed],
    };
    Ok((signer, readings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_begin_with_their_instance() {
        assert_eq!(
            split_results(b" i=1; a.example; spf=pass"),
            Some((1, &b"a.example; spf=pass"[..]))
        );
        assert_eq!(
            split_results(b" (a\\)(b)) i = (c)\r\n 50 ;x"),
            Some((50, &b"x"[..]))
        );
        for wrong in [
            " a.example; i=1",
            "i=1 a.example",
            "i=;x",
            "i=0;x",
            "i=51;x",
            "i=100;x",
            "i=x;x",
            "(i=1;x",
            "",
        ] {
            assert_eq!(split_results(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
