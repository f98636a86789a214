//! Whether what a sender chose, and filters repeat, can be taken for more than it is.
//!
//! Seen in the world: the address of MAIL FROM inside a comment, its parentheses not quoted; and the
//! local part of a signature's `i=` as a property, decoded, so that it ends one result and begins the
//! next. The signer of one domain could so write a result for another into a genuine field.

use landmarc_mail::Envelope;
use landmarc_mail::message::HeaderSection;

const SIGNATURE: &str = "DKIM-Signature";
/// Signatures that are looked at; one more is in doubt.
pub(super) const MAX_SIGNATURES: usize = 100;

/// Why nothing in the fields of filters can be believed, if so.
pub(super) fn doubt(envelope: &Envelope, headers: &HeaderSection) -> Option<&'static str> {
    let mail_from = &envelope.mail_from;
    if !mail_from
        .as_bytes()
        .iter()
        .all(|&octet| is_plain(octet) || octet == b'@')
    {
        return Some("the address of the sender has characters that could stand for a result");
    }
    if !envelope
        .helo
        .iter()
        .all(|&octet| is_plain(octet) || b"[]:".contains(&octet))
    {
        return Some("the HELO name has characters that could stand for a result");
    }
    let mut signatures = headers.named(SIGNATURE);
    let plain = signatures
        .by_ref()
        .take(MAX_SIGNATURES)
        .all(|(_, field)| is_plain_signature(field.value()));
    if !plain || signatures.next().is_some() {
        return Some("a DKIM signature has characters that could stand for a result");
    }
    None
}

/// The `atext` of RFC 5322 §3.2.3, and the dot. The equals sign is among them, and nearly every
/// mailing list writes one; it gives no result a beginning without what is missing here.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&octet)
}

/// The tags that filters repeat: `d`, `s`, `a`, `i`, `b`.
fn is_plain_signature(value: &[u8]) -> bool {
    value.split(|&octet| octet == b';').all(|tag| {
        let equals = tag.iter().position(|&octet| octet == b'=');
        let (name, text) = tag.split_at(equals.unwrap_or(tag.len()));
        let text = text.get(1..).unwrap_or_default().trim_ascii();
        match name.trim_ascii() {
            b"d" | b"s" | b"a" => text.iter().all(|&octet| is_plain(octet) && octet != b'='),
            // RFC 6376 §2.11: `=` begins an encoded octet, which may be any.
            b"i" => text
                .iter()
                .all(|&octet| (is_plain(octet) || octet == b'@') && octet != b'='),
            b"b" => text.iter().all(|&octet| {
                octet.is_ascii_alphanumeric() || octet.is_ascii_whitespace() || b"+/=".contains(&octet)
            }),
            _ => true,
        }
    })
}

#[cfg(test)]
mod tests {
    use landmarc_mail::ReversePath;
    use landmarc_mail::message::{HeaderField, HeaderLimits};

    use super::*;

    fn section(values: &[&str]) -> HeaderSection {
        let mut headers = HeaderSection::default();
        for value in values {
            headers.push(
                HeaderField::new(SIGNATURE.as_bytes(), value.as_bytes()),
                &HeaderLimits::default(),
            );
        }
        headers
    }

    fn envelope(mail_from: &str, helo: &str) -> Envelope {
        Envelope {
            mail_from: ReversePath::new(mail_from.as_bytes()),
            helo: helo.as_bytes().to_vec(),
            ..Envelope::default()
        }
    }

    #[test]
    fn a7_an_envelope_of_ordinary_characters_is_plain() {
        for (mail_from, helo, is_plain) in [
            ("<a@example.com>", "mx.example.com", true),
            ("<>", "[192.0.2.1]", true),
            (
                "<SRS0=Ab/c=XY=example.org=a@example.com>",
                "[IPv6:2001:db8::1]",
                true,
            ),
            ("<list-bounces+a=example.org@example.com>", "", true),
            ("<\"a b\"@example.com>", "mx", false),
            ("<\"x) spf=pass (\"@example.com>", "mx", false),
            ("<a;b@example.com>", "mx", false),
            ("<j\u{fc}rgen@example.com>", "mx", false),
            ("<a@example.com>", "mx) spf=pass", false),
            ("<a@example.com>", "mx;", false),
        ] {
            let doubt = doubt(&envelope(mail_from, helo), &section(&[]));
            assert_eq!(doubt.is_none(), is_plain, "{mail_from} {helo}");
        }
    }

    #[test]
    fn a7_a_signature_is_plain_as_far_as_it_is_repeated() {
        for (value, is_plain) in [
            (" v=1; d=example.com; s=s1; i=@example.com; b=Ab+/\r\n\tc==", true),
            (
                " d=example.com; i=news+a@mail.example.com; z=From:=20(a)=3B|To:b",
                true,
            ),
            (" i=a=3B=20spf=3Dpass=20x=3Dy@example.com; d=example.com", false),
            (" i=\"a b\"@example.com", false),
            (" i=(x)@example.com", false),
            (" d=example.com spf", false),
            (" d=example.com\r\n\tx=y", false),
            (" s=s1 (x) y", false),
            (" b=abc) spf=pass", false),
            (" a=rsa-sha256\" x", false),
        ] {
            let doubt = doubt(&envelope("<>", ""), &section(&[" d=a.example; s=x", value]));
            assert_eq!(doubt.is_none(), is_plain, "{value}");
        }
    }

    #[test]
    fn one_signature_past_the_limit_is_in_doubt() {
        let headers = |count| section(&vec![" d=a.example"; count]);
        assert_eq!(doubt(&Envelope::default(), &headers(MAX_SIGNATURES)), None);
        assert!(doubt(&Envelope::default(), &headers(MAX_SIGNATURES + 1)).is_some());
    }
}
