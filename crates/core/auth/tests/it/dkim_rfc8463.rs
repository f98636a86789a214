//! The vectors DK01 to DK14: changes to the message of RFC 8463 Appendix A.3, and bodies.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_auth::dkim::DkimResult::{self, Fail, Pass};
use landmarc_auth::dkim::canonical::BodyCanonicalizer;
use landmarc_auth::dkim::{Canonicalization, DkimOutcome};
use landmarc_auth::lookup::Zones;
use landmarc_testkit::txt_zones;

use crate::dkim_support::{Mail, body_hash, domain, expect, verify};

/// RFC 8463 Appendix A.3, as it stands there.
const RFC_8463: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

/// RFC 8463 Appendix A.2.
fn rfc_8463_zones() -> Zones {
    txt_zones(&[
        (
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        ),
        (
            "test._domainkey.football.example.com",
            "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2\
             jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3\
             Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
        ),
    ])
}

/// Judges the message of RFC 8463 with one change, and expects the same of both signatures.
#[track_caller]
fn changed(from: &str, to: &str, verdict: DkimResult, words: &str) -> Vec<DkimOutcome> {
    assert!(RFC_8463.contains(from), "{from:?} is not in the message");
    let results = verify(&Mail::text(&RFC_8463.replacen(from, to, 1)), &rfc_8463_zones());
    assert_eq!(results.len(), 2);
    for result in &results {
        expect(result, verdict, words);
    }
    results
}

#[test]
fn dk01_the_message_as_it_is() {
    let results = changed("", "", Pass, "");
    assert_eq!(results[0].reason, None);
    assert_eq!(results[0].selector.as_deref(), Some("brisbane"));
    assert_eq!(results[0].algorithm.as_deref(), Some("ed25519-sha256"));
    assert_eq!(
        (results[0].key_bits, results[1].key_bits),
        (Some(256), Some(1024))
    );
    assert_eq!((results[0].field_index, results[1].field_index), (0, 1));
    assert!(
        results[1]
            .signature
            .starts_with("F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXg")
    );
    assert_eq!(results[1].identity_domain, Some(domain("football.example.com")));
    assert!(results[0].unsigned_fields.is_empty());
}

#[test]
fn dk02_two_empty_lines_at_the_end() {
    changed("Joe.\n", "Joe.\n\n\n", Pass, "");
}

#[test]
fn dk03_blanks_at_the_end_of_a_line() {
    changed("Hi.\n", "Hi. \t\n", Pass, "");
}

#[test]
fn dk04_no_line_end_at_the_end() {
    changed("Joe.\n", "Joe.", Pass, "");
}

#[test]
fn dk05_a_line_more() {
    let results = changed(
        "Joe.\n",
        "Joe.\nPS\n",
        Fail,
        "body hash differs: the body was changed after signing",
    );
    assert!(results.iter().all(|result| result.body_only_broken));
}

#[test]
fn dk06_name_blanks_and_folding_of_a_field() {
    changed(
        "Subject: Is dinner ready?\n",
        "SUBJECT :  Is \t dinner\n ready?  \n",
        Pass,
        "",
    );
}

#[test]
fn dk07_a_signed_field_changed() {
    let results = changed("21:00:37", "21:00:38", Fail, "signature does not verify");
    assert!(results.iter().all(|result| !result.body_only_broken));
    changed("21:00:37", "21:00:38", Fail, "a signed header field was changed");
}

#[test]
fn dk08_a_second_subject_above_or_below() {
    changed("DKIM-Signature", "Subject: Another\nDKIM-Signature", Fail, "");
    changed("\n\nHi.", "\nSubject: Another\n\nHi.", Fail, "");
}

#[test]
fn dk09_a_second_from_above() {
    changed("DKIM-Signature", "From: ceo@bank.test\nDKIM-Signature", Fail, "");
}

#[test]
fn dk10_a_second_to_above_is_not_what_was_signed() {
    changed(
        "DKIM-Signature",
        "To: other@example.net\nDKIM-Signature",
        Pass,
        "",
    );
}

#[test]
fn dk11_a_second_to_below() {
    changed("Subject: Is", "To: other@example.net\nSubject: Is", Fail, "");
}

#[test]
fn dk12_a_field_that_is_not_signed() {
    changed(
        "Subject: Is",
        "Reply-To: other@example.net\nSubject: Is",
        Pass,
        "",
    );
}

#[test]
fn dk13_the_body_of_rfc_6376_3_4_5() {
    let body = b" C \r\nD \t E\r\n\r\n\r\n";
    let canonical = |kind| {
        let mut out = Vec::new();
        let mut canonicalizer = BodyCanonicalizer::new(kind);
        canonicalizer.update(body, &mut |octets| out.extend_from_slice(octets));
        canonicalizer.finish(&mut |octets| out.extend_from_slice(octets));
        (out, BASE64.encode(body_hash(body, kind)))
    };
    let (text, hash) = canonical(Canonicalization::Relaxed);
    assert_eq!(text, b" C\r\nD E\r\n");
    assert_eq!(hash, "unak6JHq0wL+Q1HP7dW1tjBx9FLA6DffoZ0qrLwbbpo=");
    let (text, hash) = canonical(Canonicalization::Simple);
    assert_eq!(text, b" C \r\nD \t E\r\n");
    assert_eq!(hash, "NOeivbQlDH9TmNKJUw7D53wZfsk8YMZ/hTuVVwTgi8s=");
}

#[test]
fn dk14_the_empty_body() {
    let hash = |kind| BASE64.encode(body_hash(b"", kind));
    assert_eq!(
        hash(Canonicalization::Relaxed),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    );
    assert_eq!(
        hash(Canonicalization::Simple),
        "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
    );
}
