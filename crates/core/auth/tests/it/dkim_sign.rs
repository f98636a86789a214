//! What we sign verifies, and shows every change.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::DkimResult::{Fail, Pass};
use landmarc_auth::dkim::{Canonicalization, SignError, SignRequest, SigningKey, SigningKeyError, sign};
use landmarc_auth::lookup::Zones;
use landmarc_mail::HeaderField;
use landmarc_testkit::txt_zones;
use ring::rand::SystemRandom;

use crate::dkim_keys::RSA_2048_PKCS8;
use crate::dkim_support::{Mail, NOW, domain, expect, only, verify};

const FIELDS: [&str; 5] = ["From", "To", "Subject", "Date", "Content-Type"];

fn message() -> Mail {
    Mail::text(
        "From: postmaster@example.com\nTo: a@example.net\nTo: b@example.net\n\
         Subject: Report  Domain: example.net\n Submitter: example.com\n\nText  with blanks \n\n",
    )
}

fn rsa_pkcs8() -> Vec<u8> {
    BASE64.decode(RSA_2048_PKCS8).unwrap()
}

/// PKCS#8 wraps PKCS#1 with 26 octets in front, for a key of this size.
fn rsa_pkcs1() -> Vec<u8> {
    rsa_pkcs8()[26..].to_vec()
}

fn keys() -> [SigningKey; 3] {
    [
        SigningKey::from_der(&rsa_pkcs8()).unwrap(),
        SigningKey::from_der(&rsa_pkcs1()).unwrap(),
        SigningKey::from_ed25519_seed(&[42; 32]).unwrap(),
    ]
}

fn signed(
    mail: &Mail,
    key: &SigningKey,
    header: Canonicalization,
    body: Canonicalization,
) -> Result<HeaderField, SignError> {
    let request = SignRequest {
        domain: &domain("example.com"),
        selector: &domain("reports"),
        key,
        header_canon: header,
        body_canon: body,
        fields: &FIELDS,
        now: NOW - 10,
        expires: Some(NOW + 86_400),
    };
    sign(&mail.headers, &mail.body, &request, &SystemRandom::new())
}

fn with_signature(mail: &Mail, field: &HeaderField) -> Mail {
    mail.with("DKIM-Signature", str::from_utf8(field.value()).unwrap())
}

fn zones(key: &SigningKey) -> Zones {
    txt_zones(&[("reports._domainkey.example.com", &key.dns_record())])
}

#[test]
fn dkim_signed_then_verified() {
    use Canonicalization::{Relaxed, Simple};
    let mail = message();
    for key in &keys() {
        for (header, body) in [
            (Simple, Simple),
            (Simple, Relaxed),
            (Relaxed, Simple),
            (Relaxed, Relaxed),
        ] {
            let field = signed(&mail, key, header, body).unwrap();
            let result = only(verify(&with_signature(&mail, &field), &zones(key)));
            expect(&result, Pass, "");
            assert_eq!(result.reason, None);
            assert_eq!(result.algorithm.as_deref(), Some(key.algorithm().as_str()));
            assert!(result.unsigned_fields.is_empty());
        }
    }
}

#[test]
fn dkim_every_change_to_what_is_signed_shows() {
    let mail = message();
    let [_, _, key] = keys();
    let relaxed = Canonicalization::Relaxed;
    let field = signed(&mail, &key, relaxed, relaxed).unwrap();
    let fails = |changed: &Mail| {
        let result = only(verify(&with_signature(changed, &field), &zones(&key)));
        expect(&result, Fail, "");
    };
    // Names that are signed once more than they occur cannot be added, absent ones neither.
    for (name, value) in [
        ("To", " c@example.net"),
        ("From", " d@example.net"),
        ("Content-Type", " text/html"),
    ] {
        fails(&mail.with(name, value));
    }
    let mut changed = mail.clone();
    changed.body = b"Other text\r\n".to_vec();
    fails(&changed);
    let result = only(verify(
        &with_signature(&mail.with("Received", " from x"), &field),
        &zones(&key),
    ));
    expect(&result, Pass, "");
}

#[test]
fn dkim_signature_lines_are_short() {
    let mail = message();
    for key in &keys() {
        let field = signed(&mail, key, Canonicalization::Relaxed, Canonicalization::Relaxed).unwrap();
        let text = format!("DKIM-Signature:{}", str::from_utf8(field.value()).unwrap());
        for line in text.split("\r\n") {
            assert!(line.len() <= 78, "{line:?}");
        }
        assert!(text.split("\r\n").skip(1).all(|line| line.starts_with('\t')));
    }
}

#[test]
fn dkim_what_cannot_be_signed_is_refused() {
    let [_, _, key] = keys();
    let relaxed = Canonicalization::Relaxed;
    let nobody = Mail::text("To: a@example.net\n\nText\n");
    assert_eq!(
        signed(&nobody, &key, relaxed, relaxed),
        Err(SignError::FromNotSigned)
    );

    let domain = domain("example.com");
    let request = |fields: &'static [&'static str], expires| SignRequest {
        domain: &domain,
        selector: &domain,
        key: &key,
        header_canon: relaxed,
        body_canon: relaxed,
        fields,
        now: NOW,
        expires,
    };
    let mail = message();
    let sign = |request: &SignRequest<'_>| sign(&mail.headers, &mail.body, request, &SystemRandom::new());
    assert_eq!(sign(&request(&["To"], None)), Err(SignError::FromNotSigned));
    assert!(matches!(
        sign(&request(&["From", "a b"], None)),
        Err(SignError::Fields(_))
    ));
    assert!(matches!(
        sign(&request(&["From", ""], None)),
        Err(SignError::Fields(_))
    ));
    assert_eq!(sign(&request(&["From"], Some(NOW))), Err(SignError::ExpiresFirst));
    assert!(sign(&request(&["From"], Some(NOW + 1))).is_ok());
}

#[test]
fn dkim_keys_that_are_none() {
    assert!(matches!(
        SigningKey::from_der(b"nothing"),
        Err(SigningKeyError::Der { .. })
    ));
    assert_eq!(
        SigningKey::from_ed25519_seed(&[0; 31]).unwrap_err(),
        SigningKeyError::Seed(31)
    );
    // RFC 8410 §7: the seed in PKCS#8.
    let wrapped = [
        &b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..],
        &[42; 32],
    ]
    .concat();
    let key = SigningKey::from_der(&wrapped).unwrap();
    assert_eq!(
        key.dns_record(),
        SigningKey::from_ed25519_seed(&[42; 32]).unwrap().dns_record()
    );
    assert_eq!(format!("{key:?}"), "SigningKey(ed25519-sha256)");
}

/// The key of RFC 8463 Appendix A.2, whose public half is printed there.
#[test]
fn dkim_record_of_the_rfc_8463_key() {
    let seed = BASE64
        .decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
        .unwrap();
    let record = SigningKey::from_ed25519_seed(&seed).unwrap().dns_record();
    assert_eq!(
        record,
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    );
}
