//! The vectors DK20 to DK44: signatures and keys that are wrong, or odd, in one way each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::DkimResult::{Fail, Neutral, Pass, PermError, Policy, TempError};
use landmarc_auth::dkim::{BodyHashing, Canonicalization, DkimOptions, DkimOutcome, Verifier};
use landmarc_auth::lookup::{Fault, RecordType, ZoneData, Zones};
use landmarc_testkit::{dns_name, txt_zones};

use crate::dkim_keys as keys;
use crate::dkim_support::{
    Mail, NOW, body_hash, domain, ed25519_record, expect, keys_at, only, tag, verify, verify_as,
};

/// A message of `example.com`.
fn message() -> Mail {
    Mail::text("From: a@example.com\nTo: b@example.net\nSubject: A message\n\nLine one\nLine two\n")
}

/// Tags that pass as they are, with the key at `s1._domainkey.example.com`.
const TAGS: &str =
    " v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s1; h=from:to:subject; bh=BODY; b=";

/// Judges the message signed with one change to the tags.
fn with_tags(from: &str, to: &str) -> DkimOutcome {
    let tags = TAGS.replacen(from, to, 1);
    only(verify(
        &message().signed(&tags),
        &keys_at(&["s1._domainkey.example.com"]),
    ))
}

/// Judges the well-signed message with these records at the name of its key.
fn with_records(records: &[&str]) -> DkimOutcome {
    let records: Vec<_> = records
        .iter()
        .map(|record| ("s1._domainkey.example.com", *record))
        .collect();
    only(verify(&message().signed(TAGS), &txt_zones(&records)))
}

/// `p=` of the key that signs here.
fn public_key() -> String {
    tag(&ed25519_record(), "p").to_owned()
}

#[test]
fn dk20_rsa_sha1() {
    let result = with_tags("ed25519-sha256", "rsa-sha1");
    expect(&result, PermError, "rsa-sha1 is not accepted");
    assert_eq!(result.algorithm.as_deref(), Some("rsa-sha1"));
    assert_eq!(result.domain, Some(domain("example.com")));
}

/// A correct signature by an RSA key of that size, made outside.
fn rsa_of_size(bits: u32, signature: &str) -> Mail {
    let mail = Mail::text("From: a@example.com\nSubject: size\n\nBody\n");
    let hash = BASE64.encode(body_hash(&mail.body, Canonicalization::Relaxed));
    let value = format!(
        " v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=r{bits}; h=from:subject; bh={hash}; b={signature}"
    );
    mail.with("DKIM-Signature", &value)
}

fn rsa_zones(bits: u32, key: &str) -> Zones {
    txt_zones(&[(
        &format!("r{bits}._domainkey.example.com"),
        &format!("v=DKIM1; k=rsa; p={key}"),
    )])
}

#[test]
fn dk21_rsa_keys_that_are_too_short() {
    for (bits, key, signature) in [
        (512, keys::RSA_512_KEY, keys::RSA_512_SIGNATURE),
        (1023, keys::RSA_1023_KEY, keys::RSA_1023_SIGNATURE),
    ] {
        let result = only(verify(&rsa_of_size(bits, signature), &rsa_zones(bits, key)));
        expect(
            &result,
            PermError,
            &format!("r{bits}._domainkey.example.com has {bits} bits"),
        );
        assert_eq!(result.key_bits, Some(bits));
    }
}

#[test]
fn dk21_no_option_makes_them_long_enough() {
    let options = DkimOptions {
        min_rsa_bits: 512,
        ..DkimOptions::default()
    };
    let mail = rsa_of_size(512, keys::RSA_512_SIGNATURE);
    let results = verify_as(&mail, &rsa_zones(512, keys::RSA_512_KEY), &[], &options, NOW);
    expect(&only(results), PermError, "from 1024 to 8192 are accepted");
}

#[test]
fn dk22_rsa_keys_of_4096_bits() {
    // 1024 bits are in dk01, 2048 in the tests that sign.
    let (mail, zones) = (
        rsa_of_size(4096, keys::RSA_4096_SIGNATURE),
        rsa_zones(4096, keys::RSA_4096_KEY),
    );
    let result = only(verify(&mail, &zones));
    expect(&result, Pass, "");
    assert_eq!(result.key_bits, Some(4096));
    let options = DkimOptions {
        max_rsa_bits: 4095,
        ..DkimOptions::default()
    };
    expect(
        &only(verify_as(&mail, &zones, &[], &options, NOW)),
        PermError,
        "has 4096 bits",
    );
}

/// An RSA public key in base64, of any numbers.
pub(crate) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> String {
    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82, len[0], len[1]], contents].concat()
    }
    // Lengths of 256 and more, so that the two-octet form is the right one; smaller ones
    // are padded by the caller.
    let short = |contents: &[u8]| [&[0x02, u8::try_from(contents.len()).unwrap()], contents].concat();
    let integer = |n: &[u8]| if n.len() < 128 { short(n) } else { element(0x02, n) };
    BASE64.encode(element(0x30, &[integer(modulus), integer(exponent)].concat()))
}

#[test]
fn dk23_an_rsa_key_of_16384_bits_costs_nothing() {
    let modulus = [&[0][..], &[0xc5; 2048]].concat();
    let key = rsa_key(&modulus, &[1, 0, 1]);
    let signature = BASE64.encode([1; 2048]);
    let result = only(verify(&rsa_of_size(16384, &signature), &rsa_zones(16384, &key)));
    expect(&result, PermError, "has 16384 bits; from 1024 to 8192");
}

#[test]
fn dk24_key_and_algorithm_of_two_kinds() {
    let result = with_tags("ed25519-sha256", "rsa-sha256");
    expect(
        &result,
        PermError,
        "s1._domainkey.example.com is not of the kind that rsa-sha256 needs",
    );
    let record = format!(
        "k=rsa; p={}",
        rsa_key(&[&[0][..], &[0xc5; 256]].concat(), &[1, 0, 1])
    );
    expect(
        &with_records(&[&record]),
        PermError,
        "not of the kind that ed25519-sha256 needs",
    );
}

#[test]
fn dk25_a_revoked_key() {
    expect(
        &with_records(&["v=DKIM1; k=ed25519; p="]),
        PermError,
        "the key is revoked",
    );
}

#[test]
fn dk26_no_key() {
    let result = only(verify(&message().signed(TAGS), &Zones::new()));
    expect(
        &result,
        PermError,
        "no key at s1._domainkey.example.com (NXDOMAIN)",
    );
    let mut zones = Zones::new();
    zones.add_name(dns_name("s1._domainkey.example.com"));
    let result = only(verify(&message().signed(TAGS), &zones));
    expect(
        &result,
        PermError,
        "no key at s1._domainkey.example.com (no TXT record)",
    );
}

#[test]
fn dk27_no_answer_about_the_key() {
    for fault in [Fault::ServFail, Fault::Timeout, Fault::Refused] {
        let mut zones = Zones::new();
        let name = dns_name("s1._domainkey.example.com");
        zones.set(name, RecordType::Txt, ZoneData::Fault(fault));
        let result = only(verify(&message().signed(TAGS), &zones));
        expect(
            &result,
            TempError,
            "the key at s1._domainkey.example.com could not be asked for",
        );
    }
}

#[test]
fn dk28_a_record_of_another_version() {
    let key = public_key();
    for record in [
        format!("v=DKIM2; k=ed25519; p={key}"),
        format!("k=ed25519; v=DKIM1; p={key}"),
    ] {
        let words = "no usable key at s1._domainkey.example.com: the record is no key record";
        expect(&with_records(&[&record]), PermError, words);
    }
}

#[test]
fn dk29_a_key_for_another_hash() {
    let record = format!("v=DKIM1; k=ed25519; h=sha1; p={}", public_key());
    expect(&with_records(&[&record]), PermError, "not for sha256");
}

#[test]
fn dk30_a_key_for_another_service() {
    let record = format!("v=DKIM1; k=ed25519; s=other; p={}", public_key());
    expect(&with_records(&[&record]), PermError, "not for mail");
}

#[test]
fn dk31_a_key_for_the_domain_itself() {
    let zones = txt_zones(&[(
        "s1._domainkey.example.com",
        &format!("v=DKIM1; k=ed25519; t=s; p={}", public_key()),
    )]);
    let judged = |identity: &str| {
        let tags = TAGS.replace(" h=", &format!(" i={identity}; h="));
        only(verify(&message().signed(&tags), &zones))
    };
    expect(&judged("@sub.example.com"), PermError, "for d= itself (t=s)");
    expect(&judged("a@example.com"), Pass, "");
}

#[test]
fn dk32_an_identity_outside_the_domain() {
    let result = with_tags(" h=", " i=@example.net; h=");
    expect(&result, Neutral, "the domain of i= is not at or below d=");
}

#[test]
fn dk33_from_not_signed() {
    expect(&with_tags("h=from:to:", "h=to:"), Neutral, "From is not signed");
}

#[test]
fn dk34_a_tag_twice() {
    expect(
        &with_tags(" h=", " c=relaxed/relaxed; h="),
        Neutral,
        "a tag occurs twice: `c=`",
    );
}

#[test]
fn dk35_expired() {
    let expires = |x: u64| with_tags(" h=", &format!(" x={x}; h="));
    expect(
        &expires(NOW - 301),
        Neutral,
        &format!("expired: x={} has passed", NOW - 301),
    );
    expect(&expires(NOW - 300), Pass, "");
    let made = |t: u64| with_tags(" h=", &format!(" t={t}; h="));
    expect(&made(NOW + 301), Pass, "301 seconds in the future");
    expect(&made(NOW + 300), Pass, "");
}

/// The message signed with `l=` over the start of its body.
fn with_length(signed: &str, length: usize, options: &DkimOptions) -> DkimOutcome {
    let hash = BASE64.encode(body_hash_of_octets(signed.as_bytes()));
    let tags = TAGS.replace("bh=BODY", &format!("l={length}; bh={hash}"));
    let zones = keys_at(&["s1._domainkey.example.com"]);
    only(verify_as(&message().signed(&tags), &zones, &[], options, NOW))
}

fn body_hash_of_octets(octets: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, octets)
        .as_ref()
        .to_vec()
}

#[test]
fn dk36_a_body_signed_in_part() {
    let strict = DkimOptions::default();
    let lenient = DkimOptions {
        accept_body_length: true,
        ..DkimOptions::default()
    };
    let result = with_length("Line one\r\n", 10, &strict);
    expect(&result, Policy, "l=10: 10 octets of the body are not signed");
    assert_eq!(result.body_length, Some(10));
    expect(
        &with_length("Line one\r\n", 10, &lenient),
        Pass,
        "10 octets of the body are not signed",
    );
    // With l= of the whole body nothing is unsigned.
    expect(&with_length("Line one\r\nLine two\r\n", 20, &strict), Pass, "");
    expect(
        &with_length("Line ONE\r\n", 10, &lenient),
        Fail,
        "body hash differs",
    );
}

#[test]
fn dk37_more_signed_than_there_is() {
    let lenient = DkimOptions {
        accept_body_length: true,
        ..DkimOptions::default()
    };
    for options in [DkimOptions::default(), lenient] {
        let result = with_length("Line one\r\nLine two\r\n", 21, &options);
        expect(&result, Neutral, "l=21 is more than the 20 octets of the body");
    }
}

#[test]
fn dk38_a_top_level_domain() {
    let mail = message().signed(&TAGS.replace("d=example.com", "d=com"));
    expect(
        &only(verify(&mail, &keys_at(&["s1._domainkey.com"]))),
        Policy,
        "d=com is a top-level domain",
    );
}

#[test]
fn dk38_a_refused_domain() {
    let options = DkimOptions {
        refused_domains: vec![domain("co.uk")],
        ..DkimOptions::default()
    };
    let judged = |name: &str| {
        let mail = message().signed(&TAGS.replace("d=example.com", &format!("d={name}")));
        let zones = keys_at(&["s1._domainkey.co.uk", "s1._domainkey.example.co.uk"]);
        only(verify_as(&mail, &zones, &[], &options, NOW))
    };
    expect(
        &judged("co.uk"),
        Policy,
        "signatures of d=co.uk are refused by local policy",
    );
    expect(&judged("example.co.uk"), Pass, "");
}

#[test]
fn dk39_the_aligned_signature_is_verified_wherever_it_stands() {
    let mut mail = message().signed(TAGS);
    for at in 0..28 {
        mail = mail.signed(&TAGS.replace("d=example.com", &format!("d=d{at}.example.net")));
    }
    // One below the author's domain comes right after those at it.
    mail = mail.signed(&TAGS.replace("d=example.com", "d=sub.example.com"));
    let authors = [domain("example.com")];
    let mut bodies = BodyHashing::new();
    let verifier = Verifier::new(&mail.headers, &authors, &DkimOptions::default(), NOW, &mut bodies);
    assert_eq!(verifier.questions().len(), 10);
    let asked: Vec<_> = verifier.questions().iter().map(ToString::to_string).collect();
    assert_eq!(asked[0], "s1._domainkey.example.com TXT");
    assert_eq!(asked[1], "s1._domainkey.sub.example.com TXT");

    let zones = keys_at(&["s1._domainkey.example.com"]);
    let results = verify_as(&mail, &zones, &authors, &DkimOptions::default(), NOW);
    assert_eq!(results.len(), 30);
    expect(&results[29], Pass, "");
    let neutral = results.iter().filter(|result| result.result == Neutral);
    let reasons: Vec<_> = neutral.filter_map(|result| result.reason.as_deref()).collect();
    assert_eq!(reasons.len(), 20);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.contains("too many signatures"))
    );
}

#[test]
fn dk40_a_domain_of_u_labels() {
    let mail = message().signed(&TAGS.replace("d=example.com", "d=bücher.example"));
    let result = only(verify(&mail, &keys_at(&["s1._domainkey.xn--bcher-kva.example"])));
    expect(&result, Pass, "");
    assert_eq!(result.domain, Some(domain("xn--bcher-kva.example")));
}

#[test]
fn dk41_blanks_inside_the_key() {
    let key = public_key();
    let (start, end) = key.split_at(20);
    expect(
        &with_records(&[&format!("v=DKIM1; k=ed25519; p={start} \t {end}")]),
        Pass,
        "",
    );
}

#[test]
fn dk42_other_records_beside_the_key() {
    let key = ed25519_record();
    expect(&with_records(&["v=spf1 -all", &key]), Pass, "");
    expect(
        &with_records(&["some-verification=abc", "text", "v=spf1 -all", &key]),
        Pass,
        "",
    );
    expect(&with_records(&["v=spf1 -all"]), PermError, "no key record");
    // Of records that are keys two are tried.
    let other = "v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    expect(&with_records(&[other, &key]), Pass, "");
    expect(&with_records(&["v=DKIM1; p=", &key]), Pass, "");
    expect(
        &with_records(&[other, other, &key]),
        Fail,
        "signature does not verify",
    );
}

#[test]
fn dk43_an_unknown_tag_is_signed_and_no_more() {
    expect(&with_tags(" h=", " zz=1; h="), Pass, "");
    let mail = message().signed(&TAGS.replace(" h=", " zz=1; h="));
    let value = String::from_utf8(mail.headers.fields()[0].value().to_vec()).unwrap();
    let forged = message().with("DKIM-Signature", &value.replace("zz=1", "zz=2"));
    let result = only(verify(&forged, &keys_at(&["s1._domainkey.example.com"])));
    expect(&result, Fail, "signature does not verify");
}

#[test]
fn dk44_a_single_word_of_canonicalization() {
    expect(&with_tags("c=relaxed/relaxed", "c=relaxed"), Pass, "");
    let mail = message().signed(&TAGS.replace("c=relaxed/relaxed", "c=relaxed"));
    let zones = keys_at(&["s1._domainkey.example.com"]);
    let mut spaced = mail.clone();
    spaced.body = b"Line one\r\nLine  two\r\n".to_vec();
    expect(&only(verify(&spaced, &zones)), Fail, "body hash differs");
}

#[test]
fn dkim_keys_in_test_mode_count_unless_the_operator_says_otherwise() {
    let record = format!("v=DKIM1; k=ed25519; t=y; p={}", public_key());
    let zones = txt_zones(&[("s1._domainkey.example.com", &record)]);
    let mail = message().signed(TAGS);
    let result = only(verify(&mail, &zones));
    expect(&result, Pass, "test mode (t=y)");
    assert!(result.key_is_testing);
    let options = DkimOptions {
        accept_testing_keys: false,
        ..DkimOptions::default()
    };
    expect(
        &only(verify_as(&mail, &zones, &[], &options, NOW)),
        Policy,
        "test mode (t=y)",
    );
}

#[test]
fn dkim_names_the_fields_that_are_not_signed() {
    let result = with_tags("h=from:to:subject", "h=from");
    expect(&result, Pass, "");
    assert_eq!(result.unsigned_fields, ["Subject", "To"]);
}

/// Sessions run on a runtime of several threads.
#[test]
fn dkim_futures_may_move_between_threads() {
    fn movable<T: Send>(value: T) -> T {
        value
    }
    let (mail, zones) = (message().signed(TAGS), keys_at(&["s1._domainkey.example.com"]));
    let mut bodies = BodyHashing::new();
    let verifier = Verifier::new(&mail.headers, &[], &DkimOptions::default(), NOW, &mut bodies);
    let mut bodies = movable(bodies);
    bodies.update(&mail.body);
    let digests = bodies.finish();
    let future = movable(movable(verifier).finish(&zones, &digests));
    expect(&only(landmarc_testkit::block_on(future)), Pass, "");
}
