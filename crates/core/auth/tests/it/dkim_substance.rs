//! What stands behind a signature that does not pass.

use landmarc_auth::dkim::{DkimOptions, MAX_EXPIRED, Substance};
use landmarc_auth::lookup::{Fault, Zones};
use landmarc_testkit::{dns_name, txt_zones};

use crate::dkim_support::{Mail, NOW, keys_at, only, verify, verify_as};

const KEY: &str = "s1._domainkey.example.com";
const TAGS: &str =
    " v=1; a=ed25519-sha256; c=relaxed/relaxed; d=example.com; s=s1; h=from:to:subject; bh=BODY; b=";

fn message() -> Mail {
    Mail::text("From: a@example.com\nTo: b@example.net\nSubject: A message\n\nLine one\n")
}

fn of(mail: &Mail, zones: &Zones) -> Substance {
    only(verify(mail, zones)).substance
}

fn with_field(value: &str) -> Mail {
    Mail::text(&format!(
        "DKIM-Signature: {value}\nFrom: a@example.com\nTo: b@example.net\nSubject: A message\n\nLine one\n"
    ))
}

#[test]
fn a_signature_with_a_key_may_have_been_broken_on_the_way() {
    let good = message().signed(TAGS);
    assert_eq!(of(&good, &keys_at(&[KEY])), Substance::Possible);
    // A signature of Ed25519 has 64 octets; none of another length was ever one.
    for (base64, substance) in [
        ("A".repeat(86) + "==", Substance::Possible),
        ("A".repeat(84), Substance::Void),
        ("A".repeat(87) + "=", Substance::Void),
        ("AAAA".to_owned(), Substance::Void),
    ] {
        let rubbish = with_field(&format!(
            "v=1; a=ed25519-sha256; d=example.com; s=s1; h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b={base64}"
        ));
        assert_eq!(of(&rubbish, &keys_at(&[KEY])), substance, "{base64}");
    }
    let mut silent = Zones::new();
    silent.set_others(dns_name(KEY), Fault::Timeout);
    assert_eq!(of(&good, &silent), Substance::Possible);
}

#[test]
fn a_signature_whose_key_dns_denies_is_void() {
    let good = message().signed(TAGS);
    assert_eq!(of(&good, &Zones::new()), Substance::Void);
    let mut no_data = Zones::new();
    no_data.add_name(dns_name(KEY));
    assert_eq!(of(&good, &no_data), Substance::Void);
    // What a wildcard has there is no key.
    assert_eq!(of(&good, &txt_zones(&[(KEY, "v=spf1 -all")])), Substance::Void);
    let mut other = Zones::new();
    other.set_others(dns_name(KEY), Fault::NxDomain);
    assert_eq!(of(&good, &other), Substance::Void);
}

#[test]
fn a_field_that_names_nobody_is_no_signature() {
    for value in [
        "foo",
        "v=1",
        "v=1; d=example.com; b=AAAA",
        "v=1; s=s1; b=AAAA",
        "",
    ] {
        assert_eq!(
            of(&with_field(value), &keys_at(&[KEY])),
            Substance::Unreadable,
            "{value}"
        );
    }
    let old = "v=1; a=rsa-sha1; d=example.com; s=s1; h=from; bh=AAAA; b=AAAA";
    assert_eq!(of(&with_field(old), &keys_at(&[KEY])), Substance::Void);
}

#[test]
fn a_signature_may_have_expired_while_mail_servers_kept_trying() {
    let expires = NOW - 1_000_000;
    let mail = message().signed(&TAGS.replace("s=s1;", &format!("s=s1; t={}; x={expires};", expires - 1)));
    let at = |now| {
        only(verify_as(
            &mail,
            &keys_at(&[KEY]),
            &[],
            &DkimOptions::default(),
            now,
        ))
        .substance
    };
    assert_eq!(at(expires + MAX_EXPIRED), Substance::Possible);
    assert_eq!(at(expires + MAX_EXPIRED + 1), Substance::Void);
}

#[test]
fn one_signature_more_than_are_verified_is_void() {
    let junk = |number| {
        format!(
            "DKIM-Signature: v=1; a=ed25519-sha256; d=example.com; s=x{number}; h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; b=AAAA\n"
        )
    };
    let most = DkimOptions::default().max_signatures;
    let fields: String = (0..=most).map(junk).collect();
    let mail = Mail::text(&format!("{fields}From: a@example.com\n\nLine one\n"));
    let results = verify(&mail, &Zones::new());
    assert_eq!(results.len(), most + 1);
    assert!(
        results.iter().all(|result| result.substance == Substance::Void),
        "{results:#?}"
    );
}
