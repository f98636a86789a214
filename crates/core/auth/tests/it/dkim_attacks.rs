//! DKIM against those who choose every octet: the vectors AT03, AT10, AT11, AT15, AT18,
//! RZ10, and the limits.

use landmarc_auth::dkim::DkimResult::{Fail, Neutral, Pass, PermError, Policy};
use landmarc_auth::dkim::{
    BodyHashing, DkimOptions, MAX_FIELD_OCTETS, MAX_RESULTS, MAX_SIGNED_NAMES, Verifier,
};
use landmarc_auth::lookup::Zones;
use landmarc_mail::message::{HeaderDefect, HeaderLimits};
use landmarc_mail::{HeaderField, HeaderSection};
use landmarc_testkit::txt_zones;

use crate::dkim_support::{Mail, NOW, domain, expect, keys_at, only, verify, verify_as};
use crate::dkim_vectors::rsa_key;

const TAGS: &str =
    " v=1; a=ed25519-sha256; c=relaxed/relaxed; d=bank.test; s=s1; h=from:subject; bh=BODY; b=";

fn message() -> Mail {
    Mail::text("From: a@bank.test\nSubject: A message\n\nPay nothing.\n")
}

fn zones() -> Zones {
    keys_at(&["s1._domainkey.bank.test"])
}

#[test]
fn at03_a_nul_in_the_domain() {
    for odd in ["bank.test\0.evil.test", "bank.test\\0.evil.test"] {
        let mail = message().signed(&TAGS.replace("d=bank.test", &format!("d={odd}")));
        let result = only(verify(&mail, &zones()));
        expect(&result, Neutral, "");
        assert_eq!((result.domain, result.identity_domain), (None, None));
    }
}

#[test]
fn rz10_at18_results_smuggled_in_by_domain_or_selector() {
    let mail = message().signed(&TAGS.replace("d=bank.test", "d=evil.test dmarc=pass header.from=bank.test"));
    let result = only(verify(&mail, &zones()));
    expect(&result, Neutral, "d= is no domain name");
    assert_eq!(result.domain, None);
    assert!(!result.reason.unwrap().contains("dmarc"));

    // A semicolon ends the tag; what follows is a tag of its own.
    let mail = message().signed(&TAGS.replace("s=s1", "s=x;dmarc=pass"));
    let result = only(verify(&mail, &zones()));
    expect(&result, PermError, "no key at x._domainkey.bank.test");
    assert_eq!(result.selector.as_deref(), Some("x"));

    for odd in ["x dmarc=pass", "x(dmarc=pass)", "\"x", "x..y", ".", ""] {
        let mail = message().signed(&TAGS.replace("s=s1", &format!("s={odd}")));
        let result = only(verify(&mail, &zones()));
        expect(&result, Neutral, "s= is no domain name");
        assert_eq!(result.selector, None, "{odd}");
    }
    let mail = message().signed(&TAGS.replace("ed25519-sha256", "rsa (dmarc=pass)"));
    let result = only(verify(&mail, &zones()));
    assert_eq!(result.algorithm, None);
}

#[test]
fn results_smuggled_in_by_the_signature_end_at_its_padding() {
    for (value, kept) in [("dmarc=pass", "dmarc="), ("AAA===", "AAA=="), ("AAAA=", "AAAA=")] {
        let mail = message().with("DKIM-Signature", &format!("{TAGS}{value}"));
        assert_eq!(only(verify(&mail, &zones())).signature, kept, "{value}");
    }
}

#[test]
fn a_second_subject_above_the_signed_one_is_reported() {
    let mail = message().signed(TAGS).with("Subject", " Pay everything");
    let result = only(verify(&mail, &zones()));
    expect(&result, Pass, "");
    assert_eq!(result.unsigned_fields, ["Subject"]);
}

/// The message, signed, with one more field that is left out.
fn cut(name: &str) -> Mail {
    let limits = HeaderLimits {
        field_octets: 20,
        ..HeaderLimits::default()
    };
    let mut mail = message().signed(TAGS);
    let value = *b" Another one, left out";
    mail.headers
        .push(HeaderField::new(name.as_bytes(), value), &limits);
    assert!(mail.headers.is_cut());
    mail
}

#[test]
fn a_signature_that_covers_a_field_left_out_is_neutral() {
    expect(&only(verify(&message().signed(TAGS), &zones())), Pass, "");
    for covered in ["Subject", "FROM ", "subject"] {
        expect(
            &only(verify(&cut(covered), &zones())),
            Neutral,
            "a header field that it covers is over the limits",
        );
    }
}

#[test]
fn a_signature_that_covers_no_field_left_out_is_verified() {
    let result = only(verify(&cut("X-Report"), &zones()));
    expect(&result, Pass, "");
    assert!(result.unsigned_fields.is_empty());
    let result = only(verify(&cut("Content-Type"), &zones()));
    expect(&result, Pass, "");
    assert_eq!(result.unsigned_fields, ["Content-Type"]);
}

#[test]
fn where_any_field_may_be_left_out_no_signature_is_verified() {
    let mut mail = message().signed(TAGS);
    mail.headers.note(HeaderDefect::SectionTooLong);
    let results = verify(&mail, &zones());
    assert!(
        results.iter().all(|result| result.result == Neutral),
        "{results:?}"
    );
}

#[test]
fn a_signature_left_out_is_reported() {
    let results = verify(&cut("DKIM-Signature"), &zones());
    assert_eq!(results.len(), 2);
    expect(&results[0], Pass, "");
    expect(
        &results[1],
        Neutral,
        "a DKIM-Signature field may be among those over the limits",
    );
}

#[test]
fn at10_a_signature_of_no_body_at_all() {
    let empty_hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let mut mail = message().signed(&TAGS.replace("bh=BODY", &format!("l=0; bh={empty_hash}")));
    mail.body = b"Pay everything.\r\n".to_vec();
    let options = DkimOptions {
        accept_body_length: true,
        ..DkimOptions::default()
    };
    for options in [DkimOptions::default(), options] {
        let result = only(verify_as(&mail, &zones(), &[], &options, NOW));
        expect(&result, Policy, "l=0: no body at all is signed");
    }
    // Not even where there is no body: it would fit any other.
    mail.body.clear();
    expect(&only(verify(&mail, &zones())), Policy, "l=0");
}

/// A header section with these fields above those of the message, whatever their number.
fn crowded(fields: impl Iterator<Item = HeaderField>) -> HeaderSection {
    let limits = HeaderLimits {
        section_octets: usize::MAX,
        field_octets: usize::MAX,
        fields: usize::MAX,
    };
    let mut headers = HeaderSection::default();
    for field in fields.chain(message().headers.fields().iter().cloned()) {
        headers.push(field, &limits);
    }
    headers
}

#[test]
fn at11_five_thousand_signatures() {
    let value = message().signature("DKIM-Signature", TAGS);
    let others = (0..4_999).map(|at| {
        let other = value.replace("d=bank.test", &format!("d=d{at}.example"));
        HeaderField::new(*b"DKIM-Signature", other.into_bytes())
    });
    let good = HeaderField::new(*b"DKIM-Signature", value.clone().into_bytes());
    let headers = crowded(others.chain([good]));
    let mail = Mail {
        headers,
        body: message().body,
    };

    let mut bodies = BodyHashing::new();
    let verifier = Verifier::new(&mail.headers, &[], &DkimOptions::default(), NOW, &mut bodies);
    assert_eq!(verifier.questions().len(), 10);

    let authors = [domain("bank.test")];
    let results = verify_as(&mail, &zones(), &authors, &DkimOptions::default(), NOW);
    assert_eq!(results.len(), MAX_RESULTS);
    let passed: Vec<_> = results.iter().filter(|result| result.result == Pass).collect();
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0].field_index, 4_999);
    // The ten are verified, 89 are listed, and one result stands for the rest.
    let last = results.last().unwrap();
    expect(
        last,
        Neutral,
        "too many signatures: 4901 more DKIM-Signature fields",
    );
    assert_eq!(last.domain, None);
    assert_eq!(
        results.iter().filter(|result| result.result == PermError).count(),
        9
    );
}

#[test]
fn dkim_results_are_listed_up_to_the_limit() {
    let listed = |count: usize| {
        let value = message().signature("DKIM-Signature", TAGS);
        let fields = (0..count).map(|at| {
            let other = value.replace("d=bank.test", &format!("d=d{at}.example"));
            HeaderField::new(*b"DKIM-Signature", other.into_bytes())
        });
        let mail = Mail {
            headers: crowded(fields),
            body: message().body,
        };
        verify(&mail, &zones())
    };
    let at_limit = listed(MAX_RESULTS);
    assert_eq!(at_limit.len(), MAX_RESULTS);
    assert_eq!(at_limit.last().unwrap().field_index, MAX_RESULTS - 1);
    let past = listed(MAX_RESULTS + 1);
    assert_eq!(past.len(), MAX_RESULTS);
    expect(past.last().unwrap(), Neutral, "2 more DKIM-Signature fields");
}

#[test]
fn dkim_the_same_signature_twice_counts_once() {
    let value = message().signature("DKIM-Signature", TAGS);
    let mail = message()
        .with("DKIM-Signature", &value)
        .with("DKIM-Signature", &value);
    let results = verify(&mail, &zones());
    expect(&results[0], Pass, "");
    expect(&results[1], Neutral, "the same signature is in another field");
    // The same b= with other tags is another signature, and does not hide the good one.
    let forged = value.replace("s=s1;", "s=s1; zz=1;");
    let results = verify(
        &message()
            .with("DKIM-Signature", &value)
            .with("DKIM-Signature", &forged),
        &zones(),
    );
    expect(&results[0], Fail, "signature does not verify");
    expect(&results[1], Pass, "");
}

#[test]
fn at15_an_exponent_of_4096_bits() {
    let modulus = [&[0][..], &[0xc5; 512]].concat();
    let record = format!("v=DKIM1; p={}", rsa_key(&modulus, &[1; 512]));
    let mail = message().signed(&TAGS.replace("ed25519-sha256", "rsa-sha256"));
    let result = only(verify(&mail, &txt_zones(&[("s1._domainkey.bank.test", &record)])));
    expect(&result, PermError, "an exponent that is not acceptable");
}

#[test]
fn dkim_fields_are_bounded() {
    let filled = |len: usize| {
        let tags = |fill: usize| TAGS.replace(" h=", &format!(" zz={}; h=", "x".repeat(fill)));
        let mail = message().signed(&tags(0));
        let rest = mail.headers.fields()[0].wire_len();
        message().signed(&tags(len - rest))
    };
    let at_limit = filled(MAX_FIELD_OCTETS);
    assert_eq!(at_limit.headers.fields()[0].wire_len(), MAX_FIELD_OCTETS);
    expect(&only(verify(&at_limit, &zones())), Pass, "");
    let result = only(verify(&filled(MAX_FIELD_OCTETS + 1), &zones()));
    expect(&result, Neutral, "the field has more than 16384 octets");
}

/// Naively this is twenty thousand names times twenty thousand fields, ten times over.
#[test]
fn dkim_many_fields_with_many_names_are_linear() {
    let names = vec!["x"; MAX_SIGNED_NAMES - 1].join(":");
    let tags = TAGS.replace("from:subject", &format!("from:{names}"));
    let field = |_| HeaderField::new(*b"X", *b" y");
    let headers = crowded((0..20_000).map(field));
    let mut mail = Mail {
        headers,
        body: message().body,
    };
    let value = mail.signature("DKIM-Signature", &tags);
    let signatures = (0..10).map(|at| {
        let other = value.replace("zz=0", &format!("zz={at}"));
        HeaderField::new(
            *b"DKIM-Signature",
            format!("{other}{}", " ".repeat(at)).into_bytes(),
        )
    });
    mail.headers = crowded(signatures.chain((0..20_000).map(field)));
    let results = verify(&mail, &zones());
    assert_eq!(results.len(), 10);
    assert!(results.iter().all(|result| result.result == Pass));

    let more = TAGS.replace("from:subject", &format!("from:{names}:x"));
    expect(
        &only(verify(&message().signed(&more), &zones())),
        Neutral,
        "h= lists more than 1000 names",
    );
}

#[test]
fn dkim_held_headers_are_bounded() {
    // Three RSA signatures over 1 MiB of header: two are held, the third is not.
    let big = HeaderField::new(*b"Subject", vec![b'x'; 1_000_000]);
    let tags = TAGS
        .replace("ed25519-sha256", "rsa-sha256")
        .replace("BODY", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let signatures =
        (0..3).map(|at| HeaderField::new(*b"DKIM-Signature", format!("{tags}AAA{at}").into_bytes()));
    let mut headers = HeaderSection::default();
    let limits = HeaderLimits {
        section_octets: usize::MAX,
        field_octets: usize::MAX,
        fields: usize::MAX,
    };
    for field in signatures.chain([big, HeaderField::new(*b"From", *b" a@bank.test")]) {
        headers.push(field, &limits);
    }
    let mail = Mail {
        headers,
        body: Vec::new(),
    };
    let results = verify(&mail, &zones());
    expect(&results[0], PermError, "not of the kind");
    expect(&results[1], PermError, "not of the kind");
    expect(&results[2], Neutral, "the signed header fields are too long");
}

#[test]
fn dkim_a_key_name_too_long_for_dns() {
    let selector = [&"a".repeat(60)[..]; 4].join(".");
    let mail = message().signed(&TAGS.replace("s=s1", &format!("s={selector}")));
    expect(
        &only(verify(&mail, &zones())),
        PermError,
        "a name longer than DNS has",
    );
}

#[test]
fn dkim_its_own_field_is_never_among_those_signed() {
    // h= lists DKIM-Signature: it means the other one, below.
    let mail = message().signed(TAGS);
    let tags = TAGS.replace("h=from:subject", "h=from:subject:dkim-signature:dkim-signature");
    let results = verify(&mail.signed(&tags), &zones());
    expect(&results[0], Pass, "");
    expect(&results[1], Pass, "");
}
