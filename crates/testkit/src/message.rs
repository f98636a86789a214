//! A message under construction: fields and body, signed and sealed on the fly.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::canonical::{Canonicalization, header_field};
use landmarc_auth::dkim::{BodyHashing, SignRequest, SigningKey, sign};
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

/// When everything happens.
pub const NOW: u64 = 1_700_000_000;
/// The seed of the one key that all domains of the tests sign with.
const SEED: [u8; 32] = [7; 32];
/// Fields that are no ordinary ones.
const LONG: usize = 64 * 1024;
const ARC_FIELDS: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// A message under construction. All domains sign with the same key.
pub struct Message {
    fields: Vec<HeaderField>,
    /// Its body, with CRLF line ends.
    pub body: Vec<u8>,
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

impl Message {
    /// Without fields, with a short text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            fields: Vec::new(),
            body: b"Text\r\n".to_vec(),
        }
    }

    /// A message as a file holds it.
    ///
    /// # Panics
    /// When it has no header section.
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let message = split(octets, &HeaderLimits::default()).expect("it has a header section");
        Self {
            fields: message.header.fields().to_vec(),
            body: message.body.into_owned(),
        }
    }

    /// Takes the fields of a name away, whatever covers them.
    pub fn remove(&mut self, name: &str) {
        self.fields
            .retain(|field| !field.is(name) || field.wire_len() > LONG);
    }

    /// Adds a field below the others.
    pub fn append(&mut self, name: &[u8], value: &[u8]) {
        self.fields.push(HeaderField::new(name, value));
    }

    /// Adds a field above the others, as each hop does.
    pub fn put_on_top(&mut self, name: &[u8], value: &[u8]) {
        self.fields.insert(0, HeaderField::new(name, value));
    }

    /// The header section as the MTA hands it over.
    #[must_use]
    pub fn headers(&self) -> HeaderSection {
        let mut section = HeaderSection::default();
        for field in &self.fields {
            section.push(field.clone(), &HeaderLimits::default());
        }
        section
    }

    /// Signs From and Subject, and with `extra` that field too.
    ///
    /// # Panics
    /// When the names are no names, or there is no From field.
    pub fn sign(&mut self, domain: &str, selector: &str, extra: Option<&str>) {
        let name = |text| DomainName::parse(text).expect("a name");
        let fields: Vec<_> = ["From", "Subject"].into_iter().chain(extra).collect();
        let request = SignRequest {
            domain: &name(domain),
            selector: &name(selector),
            key: &key(),
            header_canon: Canonicalization::Relaxed,
            body_canon: Canonicalization::Relaxed,
            fields: &fields,
            now: NOW - 60,
            expires: None,
        };
        let field = sign(&self.headers(), &self.body, &request, &SystemRandom::new()).expect("signed");
        self.fields.insert(0, field);
    }

    /// Signs From, and no octet of the body: `l=0`, which our signer does not do.
    pub fn sign_without_body(&mut self, domain: &str, selector: &str) {
        let tags = format!(
            "v=1; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s={selector}; l=0; h=from; bh={}; b=",
            body_hash(b"")
        );
        let value = self.signature("DKIM-Signature", &tags, &["From"]);
        self.put_on_top(b"DKIM-Signature", value.as_bytes());
    }

    /// Seals it as the next hop of an ARC chain, with these results (RFC 8617 §5.1), and signs
    /// these fields.
    pub fn seal(&mut self, domain: &str, selector: &str, results: &str, fields: &[&str]) {
        let i = 1 + self.fields.iter().filter(|field| field.is("ARC-Seal")).count();
        let message = format!(
            "i={i}; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h={}; bh={}; b=",
            fields.join(":"),
            body_hash(&self.body)
        );
        let message = self.signature("ARC-Message-Signature", &message, fields);
        self.put_on_top(
            b"ARC-Authentication-Results",
            format!("i={i}; {results}").as_bytes(),
        );
        self.put_on_top(b"ARC-Message-Signature", message.as_bytes());
        let status = if i == 1 { "none" } else { "pass" };
        let seal = format!("i={i}; a=ed25519-sha256; cv={status}; d={domain}; s={selector}; b=");
        let seal = self.arc_seal(&seal);
        self.put_on_top(b"ARC-Seal", seal.as_bytes());
    }

    /// The value of a signature field over the named fields of this message.
    fn signature(&self, field: &str, tags: &str, names: &[&str]) -> String {
        let mut octets = Vec::new();
        for name in names {
            if let Some(signed) = self.fields.iter().rfind(|field| field.is(name)) {
                append_canonical(signed, &mut octets);
            }
        }
        header_field(
            Canonicalization::Relaxed,
            field.as_bytes(),
            tags.as_bytes(),
            &mut octets,
        );
        format!("{tags}{}", ed25519(&octets))
    }

    /// A seal covers the fields of all sets. Each set stands above the one before, so from
    /// below they come in order.
    fn arc_seal(&self, tags: &str) -> String {
        let mut octets = Vec::new();
        let is_arc = |field: &&HeaderField| ARC_FIELDS.iter().any(|name| field.is(name));
        for field in self.fields.iter().rev().filter(is_arc) {
            append_canonical(field, &mut octets);
        }
        header_field(
            Canonicalization::Relaxed,
            b"ARC-Seal",
            tags.as_bytes(),
            &mut octets,
        );
        format!("{tags}{}", ed25519(&octets))
    }
}

/// The key record of every domain of the tests.
#[must_use]
pub fn key_record() -> String {
    key().dns_record()
}

fn key() -> SigningKey {
    SigningKey::from_ed25519_seed(&SEED).expect("32 octets")
}

fn append_canonical(field: &HeaderField, octets: &mut Vec<u8>) {
    header_field(Canonicalization::Relaxed, field.raw_name(), field.value(), octets);
    octets.extend_from_slice(b"\r\n");
}

fn body_hash(body: &[u8]) -> String {
    let mut hashing = BodyHashing::new();
    let handle = hashing
        .want(Canonicalization::Relaxed, None)
        .expect("room for one");
    hashing.update(body);
    BASE64.encode(hashing.finish().digest(handle).expect("asked for").sha256)
}

/// RFC 8463 §3: the digest is what is signed.
fn ed25519(octets: &[u8]) -> String {
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("32 octets");
    BASE64.encode(pair.sign(digest(&SHA256, octets).as_ref()))
}
