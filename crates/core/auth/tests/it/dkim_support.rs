//! What the DKIM and ARC tests share: messages, and signatures made with any tags.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::canonical::{Canonicalization, header_field};
use landmarc_auth::dkim::{BodyHashing, DkimOptions, DkimOutcome, DkimResult, Sha256, SigningKey, Verifier};
use landmarc_auth::lookup::{DnsName, Zones};
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use landmarc_testkit::block_on;
use ring::digest::{SHA256, digest};
use ring::signature::Ed25519KeyPair;

/// When all of it happens, unless a test says otherwise.
pub(crate) const NOW: u64 = 1_700_000_000;

/// A message in two parts.
#[derive(Clone)]
pub(crate) struct Mail {
    pub(crate) headers: HeaderSection,
    pub(crate) body: Vec<u8>,
}

impl Mail {
    /// Splits octets with CRLF line ends at the first empty line.
    pub(crate) fn parse(octets: &[u8]) -> Self {
        let mut headers = HeaderSection::default();
        let limits = HeaderLimits {
            section_octets: usize::MAX,
            field_octets: usize::MAX,
            fields: usize::MAX,
        };
        let mut rest = octets;
        while !rest.is_empty() && !rest.starts_with(b"\r\n") {
            let end = field_end(rest);
            let (field, after) = rest.split_at(end);
            let field = field.strip_suffix(b"\r\n").unwrap_or(field);
            if let Some(colon) = field.iter().position(|&b| b == b':') {
                headers.push(HeaderField::new(&field[..colon], &field[colon + 1..]), &limits);
            }
            rest = after;
        }
        let body = rest.strip_prefix(b"\r\n").unwrap_or(rest).to_vec();
        Self { headers, body }
    }

    /// From text, where a line end is LF.
    pub(crate) fn text(text: &str) -> Self {
        Self::parse(text.replace('\n', "\r\n").as_bytes())
    }

    /// With a field on top.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let limits = HeaderLimits::default();
        let mut headers = HeaderSection::default();
        headers.push(HeaderField::new(name.as_bytes(), value.as_bytes()), &limits);
        for field in self.headers.fields() {
            headers.push(field.clone(), &limits);
        }
        Self {
            headers,
            body: self.body.clone(),
        }
    }

    /// With a DKIM-Signature on top that has exactly these tags, and `b=` behind them.
    /// `BODY` stands for the hash of the body in the form that `c=` of the tags asks for.
    pub(crate) fn signed(&self, tags: &str) -> Self {
        self.with("DKIM-Signature", &self.signature("DKIM-Signature", tags))
    }

    /// The value of a signature field over fields of this message, by the Ed25519 key of the tests.
    pub(crate) fn signature(&self, field: &str, tags: &str) -> String {
        let (header, body) = match tag(tags, "c").split_once('/') {
            Some((header, body)) => (form(header), form(body)),
            None => (form(tag(tags, "c")), Canonicalization::Simple),
        };
        let value = tags.replace("BODY", &BASE64.encode(body_hash(&self.body, body)));
        let mut octets = Vec::new();
        let mut left: Vec<_> = self.headers.fields().iter().collect();
        for name in tag(tags, "h").split(':').map(str::trim) {
            if let Some(at) = left.iter().rposition(|field| field.is(name)) {
                let chosen = left.remove(at);
                header_field(header, chosen.raw_name(), chosen.value(), &mut octets);
                octets.extend_from_slice(b"\r\n");
            }
        }
        header_field(header, field.as_bytes(), value.as_bytes(), &mut octets);
        value + &ed25519(&octets)
    }
}

/// Where the field at the start ends: at the first CRLF that no white space follows.
fn field_end(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = octets[at..].windows(2).position(|w| w == b"\r\n") {
        at += found + 2;
        if !matches!(octets.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    octets.len()
}

fn form(word: &str) -> Canonicalization {
    Canonicalization::parse(word.as_bytes()).unwrap_or(Canonicalization::Simple)
}

/// A value out of a well-formed tag list.
pub(crate) fn tag<'t>(tags: &'t str, name: &str) -> &'t str {
    let mut parts = tags.split(';').filter_map(|part| part.trim().split_once('='));
    parts
        .find(|(n, _)| n.trim() == name)
        .map_or("", |(_, value)| value.trim())
}

pub(crate) fn body_hash(body: &[u8], form: Canonicalization) -> Sha256 {
    let mut hashing = BodyHashing::new();
    let handle = hashing.want(form, None).unwrap();
    hashing.update(body);
    hashing.finish().digest(handle).unwrap().sha256
}

/// Base64 of the signature by the Ed25519 key of the tests.
pub(crate) fn ed25519(octets: &[u8]) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    BASE64.encode(pair.sign(digest(&SHA256, octets).as_ref()))
}

/// The key record of the Ed25519 key of the tests.
pub(crate) fn ed25519_record() -> String {
    SigningKey::from_ed25519_seed(&[7; 32]).unwrap().dns_record()
}

/// Zones in which the Ed25519 key of the tests is at these names.
pub(crate) fn keys_at(names: &[&str]) -> Zones {
    let mut zones = Zones::new();
    for name in names {
        let name = DnsName::from_octets(name.as_bytes()).unwrap();
        zones.add_txt(name, ed25519_record().as_bytes());
    }
    zones
}

pub(crate) fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

/// Judges with the defaults.
pub(crate) fn verify(mail: &Mail, zones: &Zones) -> Vec<DkimOutcome> {
    verify_as(mail, zones, &[], &DkimOptions::default(), NOW)
}

/// Judges with everything given.
pub(crate) fn verify_as(
    mail: &Mail,
    zones: &Zones,
    authors: &[DomainName],
    options: &DkimOptions,
    now: u64,
) -> Vec<DkimOutcome> {
    let mut bodies = BodyHashing::new();
    let verifier = Verifier::new(&mail.headers, authors, options, now, &mut bodies);
    bodies.update(&mail.body);
    block_on(verifier.finish(zones, &bodies.finish()))
}

/// The one result of a message with one signature.
pub(crate) fn only(results: Vec<DkimOutcome>) -> DkimOutcome {
    assert_eq!(results.len(), 1, "{results:#?}");
    results.into_iter().next().unwrap()
}

/// Asserts result and words of the reason.
#[track_caller]
pub(crate) fn expect(result: &DkimOutcome, verdict: DkimResult, words: &str) {
    let reason = result.reason.as_deref().unwrap_or_default();
    assert!(
        result.result == verdict && reason.contains(words),
        "expected {verdict} with {words:?}, found {result:#?}"
    );
}
