//! How a message of the corpus is written, signed, sealed and spoilt. Time and keys are fixed: the corpus
//! is the same octets each time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::canonical::{BodyCanonicalizer, header_field};
use landmarc_auth::dkim::{Canonicalization, SignRequest, sign};
use landmarc_mail::DomainName;
use landmarc_mail::message::{HeaderLimits, Parsed, split};
use ring::digest::{Context, SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use crate::world::{ED25519, RECIPIENT, signing_key};

/// When all signatures are made: 1 January 2026. They never expire.
const SIGNED_AT: u64 = 1_767_225_600;

/// How many bodies and headers there are to choose from.
const DRESSES: usize = 8;

/// A letter with this From field (all of it, such as `From: a@example.com\r\n`). The `number` chooses among the
/// bodies and headers that the world sends, so that not all messages of one kind look alike.
pub(super) fn letter(from: &str, number: usize) -> Vec<u8> {
    let (before, after) = header(number);
    format!(
        "{before}{from}To: <{RECIPIENT}>\r\nSubject: letter {number}\r\n\
         Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@corpus.example>\r\n{after}\r\n{}",
        body(number)
    )
    .into_bytes()
}

/// What stands above and below the usual fields.
fn header(number: usize) -> (String, String) {
    let none = String::new;
    match number % DRESSES {
        1 => (none(), format!("X-Long: {}\r\n", ["word"; 150].join(" "))),
        2 => (none(), format!("References: {}\r\n", references())),
        3 => (
            "Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTP id 4Fb1;\r\n\
             \tFri, 20 Nov 2026 09:59:58 +0000\r\n"
                .to_owned(),
            none(),
        ),
        // Of nobody we know; it stays.
        4 => (
            "Authentication-Results: mx.other.example; dmarc=pass header.from=reject.example\r\n".to_owned(),
            none(),
        ),
        5 => (
            none(),
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                       Content-Transfer-Encoding: 8bit\r\n"
                .to_owned(),
        ),
        6 => (
            none(),
            "X-Colon:value: with: colons\r\nX-Tab:\ta tab, and  two blanks\r\n".to_owned(),
        ),
        _ => (none(), none()),
    }
}

/// A field folded over a hundred lines.
fn references() -> String {
    let ids = (0..100).map(|id| format!("<{id}.abcdefghijklmnopqrstuvwxyz@references.example>"));
    ids.collect::<Vec<_>>().join("\r\n ")
}

fn body(number: usize) -> String {
    match number % DRESSES {
        0 => "hello\r\n.a dot\r\n..two dots\r\n.\r\nafter a lonely dot\r\n".to_owned(),
        1 => format!("{}\r\n", "x".repeat(990)),
        2 => "one\r\n\r\ntwo \t \r\n\r\n\r\n\r\n".to_owned(),
        3 => "From here on it looks like an mbox.\r\nFrom there, too.\r\n".to_owned(),
        4 => "a line of a large body, forty octets so\r\n".repeat(2_500),
        5 => "Grüße aus Köln, 東京 und Ελλάδα\r\n".to_owned(),
        6 => "tab\tand trailing blanks   \r\n".to_owned(),
        _ => String::new(),
    }
}

/// Who signs, and how.
#[derive(Clone, Copy)]
pub(super) struct Signer<'a> {
    pub(super) domain: &'a str,
    /// [`RSA`](crate::world::RSA) or [`ED25519`].
    pub(super) selector: &'a str,
    pub(super) canonicalization: Canonicalization,
}

/// The message with a signature on top.
pub(super) fn signed(message: &[u8], signer: Signer<'_>) -> Vec<u8> {
    let parsed = parsed(message);
    let request = SignRequest {
        domain: &DomainName::parse(signer.domain).unwrap(),
        selector: &DomainName::parse(signer.selector).unwrap(),
        key: &signing_key(signer.selector),
        header_canon: signer.canonicalization,
        body_canon: signer.canonicalization,
        fields: &[
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "References",
            "X-Long",
            "X-Tab",
            "X-Colon",
        ],
        now: SIGNED_AT,
        expires: None,
    };
    let field = sign(&parsed.header, &parsed.body, &request, &SystemRandom::new()).unwrap();
    [field.raw_name(), b":", field.value(), b"\r\n", message].concat()
}

/// The message with a first ARC set on top (RFC 8617 §5.1), in which the sealer says that DMARC passed.
pub(super) fn sealed(message: &[u8], sealer: &str, author_domain: &str) -> Vec<u8> {
    let results = format!(" i=1; mx.{sealer}; dmarc=pass header.from={author_domain}");
    let tags = format!(" i=1; a=ed25519-sha256; c=relaxed/relaxed; d={sealer}; s={ED25519};");
    let parsed = parsed(message);

    let unsigned = format!(
        "{tags} h=from:subject; bh={}; b=",
        BASE64.encode(body_hash(&parsed.body))
    );
    let mut octets = Vec::new();
    for name in ["from", "subject"] {
        let field = parsed
            .header
            .fields()
            .iter()
            .rfind(|field| field.is(name))
            .unwrap();
        append(field.raw_name(), field.value(), &mut octets);
    }
    let of_message = with_signature(unsigned, "ARC-Message-Signature", octets);

    let mut octets = Vec::new();
    append(b"ARC-Authentication-Results", results.as_bytes(), &mut octets);
    append(b"ARC-Message-Signature", of_message.as_bytes(), &mut octets);
    let seal = with_signature(
        format!(" i=1; a=ed25519-sha256; cv=none; d={sealer}; s={ED25519}; b="),
        "ARC-Seal",
        octets,
    );
    let set = format!(
        "ARC-Seal:{seal}\r\nARC-Message-Signature:{of_message}\r\nARC-Authentication-Results:{results}\r\n"
    );
    [set.as_bytes(), message].concat()
}

/// The message as a list passes it on: with a footer, and the marks of the list.
pub(super) fn with_footer(message: &[u8], list: &str) -> Vec<u8> {
    let marks = format!("List-Id: <talk.{list}>\r\nList-Post: <mailto:talk@{list}>\r\n");
    let footer = format!("-- \r\nThis came through talk@{list}\r\n");
    [marks.as_bytes(), message, footer.as_bytes()].concat()
}

fn parsed(message: &[u8]) -> Parsed<'_> {
    split(message, &HeaderLimits::default()).unwrap()
}

/// The value with what the key of the tests says to these octets and to the field itself.
fn with_signature(unsigned: String, name: &str, mut octets: Vec<u8>) -> String {
    header_field(
        Canonicalization::Relaxed,
        name.as_bytes(),
        unsigned.as_bytes(),
        &mut octets,
    );
    let pair = Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap();
    let signature = pair.sign(digest(&SHA256, &octets).as_ref());
    unsigned + &BASE64.encode(signature)
}

fn append(name: &[u8], value: &[u8], octets: &mut Vec<u8>) {
    header_field(Canonicalization::Relaxed, name, value, octets);
    octets.extend_from_slice(b"\r\n");
}

fn body_hash(body: &[u8]) -> impl AsRef<[u8]> {
    let mut hash = Context::new(&SHA256);
    let mut canonical = BodyCanonicalizer::new(Canonicalization::Relaxed);
    canonical.update(body, &mut |octets| hash.update(octets));
    canonical.finish(&mut |octets| hash.update(octets));
    hash.finish()
}
