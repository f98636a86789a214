//! What end-to-end tests stand on: a Postfix of our own, an SMTP client in front of
//! it, and behind it a sink that keeps every message as it was delivered.

mod home;
mod postfix;
mod queue;
mod sasl;
mod sink;
mod smtp;
pub(crate) mod tools;

use std::time::Duration;

pub(crate) use landmarc_testkit::tools::wait_for;
pub(crate) use postfix::{HOST_NAME, Postfix, PostfixConfig};
pub(crate) use sasl::{PASSWORD, USER};
pub(crate) use sink::{Delivered, Sink};
pub(crate) use smtp::{Envelope, Outcome, Smtp};

/// The longest that anything here is waited for: far beyond what it takes, short
/// enough that a test which hangs is seen to.
const PATIENCE: Duration = Duration::from_secs(30);

/// Base64 as SASL sends it (RFC 4648 §4), with padding.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in octets.chunks(3) {
        let bits = group
            .iter()
            .fold(0_usize, |bits, &octet| bits << 8 | usize::from(octet))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let sextet = bits >> (18 - 6 * place) & 63;
            text.push(if place <= group.len() {
                char::from(ALPHABET[sextet])
            } else {
                '='
            });
        }
    }
    text
}

#[test]
fn base64_pads_as_rfc_4648_10_shows() {
    let encoded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
    assert_eq!(
        encoded,
        ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]
    );
}
