//! Files that are missing, empty or other than they should be; and those that are read again.

use std::fs;

use landmarc_push::{CertificateFiles, ClientTls, PushError, PushLimits, ServerTls};

use crate::pki::Pki;
use crate::port::Port;

/// What both sides say to these files.
#[track_caller]
fn told(files: &CertificateFiles) -> (String, String) {
    let of_server = ServerTls::load(files.clone()).unwrap_err();
    let of_client = ClientTls::load(files).unwrap_err();
    assert_eq!(of_server.to_string(), of_client.to_string());
    (of_server.to_string(), of_server.remedy())
}

#[test]
fn a_file_that_is_missing_is_named() {
    let pki = Pki::new();
    let good = pki.mx1();
    let none = pki.path("none.pem");
    for files in [
        CertificateFiles {
            ca_file: none.clone(),
            ..good.clone()
        },
        CertificateFiles {
            certificate_file: none.clone(),
            ..good.clone()
        },
        CertificateFiles {
            key_file: none.clone(),
            ..good.clone()
        },
    ] {
        let (error, remedy) = told(&files);
        assert_eq!(error, format!("cannot read {none:?}"));
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                remedy,
                @"see the cause above; the user of this service has to be able to read it"
            );
        }
    }
}

#[test]
fn a_file_without_what_it_is_for_is_named() {
    let pki = Pki::new();
    let good = pki.mx1();
    let (certificate, key) = (good.certificate_file.clone(), good.key_file.clone());
    for (files, problem) in [
        (
            CertificateFiles {
                ca_file: key.clone(),
                ..good.clone()
            },
            format!("{key:?} has no certificate of an authority in PEM form"),
        ),
        (
            CertificateFiles {
                certificate_file: key.clone(),
                ..good.clone()
            },
            format!("{key:?} has no certificate in PEM form"),
        ),
        (
            CertificateFiles {
                key_file: certificate.clone(),
                ..good
            },
            format!("{certificate:?} has no private key without a password in PEM form"),
        ),
    ] {
        let (error, remedy) = told(&files);
        assert_eq!(error, problem);
        assert!(remedy.starts_with("put the "), "{remedy}");
    }
}

#[test]
fn the_key_of_another_certificate_is_told() {
    let pki = Pki::new();
    let (good, other) = (pki.mx1(), pki.collector());
    let files = CertificateFiles {
        key_file: other.key_file.clone(),
        ..good
    };
    let (error, _) = told(&files);
    let expected = format!(
        "{:?} is not the certificate of the key in {:?}",
        files.certificate_file, files.key_file
    );
    assert_eq!(error, expected);
}

/// 8 MiB are read, and no octet more.
#[test]
fn a_file_at_the_limit_and_one_octet_past_it() {
    const LIMIT: usize = 8 * 1024 * 1024;
    let pki = Pki::new();
    let files = pki.mx1();
    let authority = fs::read(&files.ca_file).unwrap();
    for (octets, is_read) in [(LIMIT, true), (LIMIT + 1, false)] {
        let filling = vec![b'\n'; octets - authority.len()];
        fs::write(&files.ca_file, [authority.clone(), filling].concat()).unwrap();
        let loaded = ClientTls::load(&files);
        assert_eq!(loaded.is_ok(), is_read, "{octets}: {loaded:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_was_renewed_is_shown_after_a_reload() {
    let port = Port::open(PushLimits::default()).await;
    let collector = port.pki.files_of("collector");
    let stranger = port.pki.stranger("DNS:localhost");
    for (from, to) in [
        (&stranger.certificate_file, &collector.certificate_file),
        (&stranger.key_file, &collector.key_file),
    ] {
        fs::copy(from, to).unwrap();
    }
    assert!(port.send(b"segment").await.is_ok(), "not before it is asked to");
    port.tls.reload().unwrap();
    let error = port.send(b"segment").await.unwrap_err();
    assert!(matches!(error, PushError::TheirCertificate { .. }), "{error:?}");
}

#[tokio::test]
async fn a_reload_that_fails_changes_nothing() {
    let port = Port::open(PushLimits::default()).await;
    fs::write(port.pki.files_of("collector").key_file, "").unwrap();
    let error = port.tls.reload().unwrap_err();
    assert!(matches!(error, PushError::NotThere { .. }), "{error:?}");
    assert!(port.send(b"segment").await.is_ok());
}
