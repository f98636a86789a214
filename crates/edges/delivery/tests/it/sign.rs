//! Messages signed by us, and checked by the verifier that judges the messages of others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use landmarc_auth::dkim::{BodyHashing, DkimOptions, DkimResult, Verifier};
use landmarc_auth::lookup::Zones;
use landmarc_delivery::sign::{
    KeyFile, KeyPem, MAX_KEY_OCTETS, MAX_KEYS, ReportSigner, SignerError, to_octets,
};
use landmarc_mail::message::HeaderLimits;
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use landmarc_testkit::{block_on, dns_name};

use crate::support::Scratch;

const RSA: &[u8] = include_bytes!("keys/rsa.pem");
const RSA_PKCS1: &[u8] = include_bytes!("keys/rsa-pkcs1.pem");
const RSA_1024: &[u8] = include_bytes!("keys/rsa-1024.pem");
const ED25519: &[u8] = include_bytes!("keys/ed25519.pem");
const ENCRYPTED: &[u8] = include_bytes!("keys/encrypted.pem");

/// 2026-06-01.
const DATE: u64 = 1_780_272_000;
const BODY: &[u8] = b"A report.\r\n\r\n";

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn header(fields: &[(&str, &str)]) -> HeaderSection {
    let mut header = HeaderSection::default();
    for (name, value) in fields {
        header.push(
            HeaderField::new(name.as_bytes(), format!(" {value}").into_bytes()),
            &HeaderLimits::default(),
        );
    }
    header
}

fn message() -> HeaderSection {
    header(&[
        ("From", "reports@receiver.example"),
        ("To", "dmarc@author.example"),
        (
            "Subject",
            "Report Domain: author.example\r\n Submitter: receiver.example",
        ),
        ("Date", "Mon, 01 Jun 2026 00:00:00 +0000"),
        ("Message-ID", "<a@receiver.example>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain"),
        ("Auto-Submitted", "auto-generated"),
    ])
}

fn signer(keys: &[(&str, &[u8])]) -> Result<ReportSigner, SignerError> {
    let selectors: Vec<_> = keys.iter().map(|(selector, _)| name(selector)).collect();
    let keys: Vec<_> = keys
        .iter()
        .zip(&selectors)
        .map(|((_, pem), selector)| KeyPem {
            selector,
            pem,
            path: Path::new("/etc/key.pem"),
        })
        .collect();
    ReportSigner::new(name("receiver.example"), &keys)
}

/// The verdicts on a message with these signatures on top.
fn verdicts(
    signer: &ReportSigner,
    signatures: &[HeaderField],
    message: &HeaderSection,
    body: &[u8],
    now: u64,
) -> Vec<DkimResult> {
    let mut zones = Zones::new();
    for (name, record) in signer.dns_records() {
        zones.add_txt(dns_name(&name), record.as_bytes());
    }
    let mut header = HeaderSection::default();
    for field in signatures.iter().chain(message.fields()) {
        header.push(field.clone(), &HeaderLimits::default());
    }
    let mut bodies = BodyHashing::new();
    let authors = [name("receiver.example")];
    let verifier = Verifier::new(&header, &authors, &DkimOptions::default(), now, &mut bodies);
    bodies.update(body);
    let results = block_on(verifier.finish(&zones, &bodies.finish()));
    results.into_iter().map(|result| result.result).collect()
}

#[test]
fn each_key_signs_and_each_signature_verifies() {
    let signer = signer(&[("rsa", RSA), ("old", RSA_PKCS1), ("ed", ED25519)]).unwrap();
    let signatures = signer.sign(&message(), BODY, DATE).unwrap();
    let now = verdicts(&signer, &signatures, &message(), BODY, DATE + 60);
    assert_eq!(now, [DkimResult::Pass; 3]);
    // There is no x=: a message that is imported years later is as good.
    let later = verdicts(&signer, &signatures, &message(), BODY, DATE + 10 * 365 * 86_400);
    assert_eq!(later, [DkimResult::Pass; 3]);
    let changed = verdicts(&signer, &signatures, &message(), b"Another.\r\n", DATE);
    assert_eq!(changed, [DkimResult::Fail; 3]);
}

#[test]
fn the_same_message_always_gets_the_same_signatures() {
    let signer = signer(&[("rsa", RSA), ("ed", ED25519)]).unwrap();
    let sign = |date| to_octets(&signer.sign(&message(), BODY, date).unwrap());
    assert_eq!(sign(DATE), sign(DATE));
    assert_ne!(sign(DATE), sign(DATE + 1));
    let text = String::from_utf8(sign(DATE)).unwrap();
    for tag in [
        "a=rsa-sha256",
        "a=ed25519-sha256",
        "c=relaxed/relaxed",
        "d=receiver.example",
        "s=ed",
        "t=1780272000",
    ] {
        assert!(text.contains(tag), "{tag} in {text}");
    }
    assert!(!text.contains("x="), "{text}");
    assert!(text.lines().all(|line| line.len() < 80) && text.ends_with("\r\n"));
}

#[test]
fn nothing_can_be_added_to_a_signed_message() {
    let signer = signer(&[("ed", ED25519)]).unwrap();
    let signatures = signer.sign(&message(), BODY, DATE).unwrap();
    for field in message().fields() {
        let mut changed = message();
        changed.push(field.clone(), &HeaderLimits::default());
        let found = verdicts(&signer, &signatures, &changed, BODY, DATE);
        assert_eq!(found, [DkimResult::Fail], "{field:?}");
    }
}

#[test]
fn a_message_without_an_author_is_not_signed() {
    let signer = signer(&[("ed", ED25519)]).unwrap();
    assert!(
        signer
            .sign(&header(&[("To", "a@b.example")]), BODY, DATE)
            .is_err()
    );
}

#[test]
fn keys_that_cannot_sign_are_told_apart() {
    let cut = &RSA[..RSA.len() / 2];
    for (pem, message) in [
        (&b""[..], "\"/etc/key.pem\" has no private key in PEM form"),
        (
            b"v=DKIM1; k=rsa; p=AAAA",
            "\"/etc/key.pem\" has no private key in PEM form",
        ),
        (cut, "\"/etc/key.pem\" has no private key in PEM form"),
        (
            ENCRYPTED,
            "\"/etc/key.pem\" has no private key in PEM form that can be read without a password",
        ),
        (RSA_1024, "the private key \"/etc/key.pem\" cannot sign"),
    ] {
        let error = signer(&[("a", pem)]).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(error.remedy().contains("landmarc dkim new"));
    }
}

#[test]
fn there_are_so_many_keys_and_each_has_its_selector() {
    let selectors = ["a", "b", "c", "d", "e"];
    let keys: Vec<_> = selectors.iter().map(|&selector| (selector, ED25519)).collect();
    assert!(signer(&keys[..MAX_KEYS]).is_ok());
    assert!(matches!(signer(&keys[..=MAX_KEYS]), Err(SignerError::Count(5))));
    assert!(matches!(signer(&[]), Err(SignerError::Count(0))));
    let twice = signer(&[("a", RSA), ("A", ED25519)]);
    assert!(matches!(twice, Err(SignerError::SelectorTwice(_))));
}

#[test]
fn a_key_file_is_read_and_one_that_is_open_to_others_is_told() {
    let scratch = Scratch::new("keys");
    let path = scratch.file("ed.pem", ED25519);
    let files = [KeyFile {
        selector: name("ed"),
        path: path.clone(),
    }];
    for (mode, warnings) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let opened = ReportSigner::open(name("receiver.example"), &files).unwrap();
        assert_eq!(opened.warnings.len(), warnings, "{mode:o}");
        for warning in opened.warnings {
            let path = path.display();
            let expected =
                format!("the secret in \"{path}\" is open to others than its owner (mode {mode:o})");
            assert_eq!(warning.to_string(), expected);
            assert_eq!(warning.remedy(), format!("chmod 600 \"{path}\""));
        }
        assert_eq!(opened.signer.dns_records()[0].0, "ed._domainkey.receiver.example");
    }
}

#[test]
fn a_key_file_that_cannot_be_read_is_named() {
    let scratch = Scratch::new("keys");
    let missing = scratch.path().join("missing.pem");
    let mut text = ED25519.to_vec();
    text.resize(usize::try_from(MAX_KEY_OCTETS).unwrap(), b'\n');
    let longest = scratch.file("longest.pem", &text);
    text.push(b'\n');
    let too_long = scratch.file("too-long.pem", &text);
    let open = |path: &Path| {
        let files = [KeyFile {
            selector: name("a"),
            path: path.to_owned(),
        }];
        ReportSigner::open(name("receiver.example"), &files)
    };
    assert!(open(&longest).is_ok());
    for path in [missing, too_long] {
        let error = open(&path).unwrap_err();
        let expected = format!("cannot read the private key \"{}\"", path.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.remedy().contains("dkim_keys"));
    }
}

#[test]
fn a_signer_prints_no_key() {
    let printed = format!("{:?}", signer(&[("ed", ED25519)]).unwrap());
    assert_eq!(
        printed,
        "ReportSigner { domain: \"receiver.example\", keys: [(\"ed\", SigningKey(ed25519-sha256))] }"
    );
}
