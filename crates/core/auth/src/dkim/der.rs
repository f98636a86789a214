//! The little DER that RSA keys need (RFC 8017 A.1.1, RFC 5280 §4.1), read and written.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
/// AlgorithmIdentifier of rsaEncryption: 1.2.840.113549.1.1.1 with a NULL parameter.
const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The same object identifier, alone: some writers leave the parameter out.
const RSA_ENCRYPTION_BARE: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

/// Modulus and public exponent, big-endian without leading zeros.
pub(super) type ModulusExponent<'a> = (&'a [u8], &'a [u8]);

/// Reads an RSA public key, as SubjectPublicKeyInfo (what everyone publishes) or as bare
/// RSAPublicKey (what RFC 6376 §3.6.1 says).
/// `None` unless the octets are exactly one of the two.
pub(super) fn rsa_public_key(der: &[u8]) -> Option<ModulusExponent<'_>> {
    let (body, []) = element(der, SEQUENCE)? else {
        return None;
    };
    match body.first() {
        Some(&INTEGER) => modulus_exponent(body),
        _ => modulus_exponent(inside_key_info(body)?),
    }
}

/// The inside of the RSAPublicKey that a SubjectPublicKeyInfo wraps.
fn inside_key_info(info: &[u8]) -> Option<&[u8]> {
    let (algorithm, rest) = element(info, SEQUENCE)?;
    if algorithm != RSA_ENCRYPTION && algorithm != RSA_ENCRYPTION_BARE {
        return None;
    }
    // The first octet says how many bits of the last are unused: whole octets have none.
    let ([0, key @ ..], []) = element(rest, BIT_STRING)? else {
        return None;
    };
    let (body, []) = element(key, SEQUENCE)? else {
        return None;
    };
    Some(body)
}

fn modulus_exponent(body: &[u8]) -> Option<ModulusExponent<'_>> {
    let (modulus, rest) = element(body, INTEGER)?;
    let (exponent, []) = element(rest, INTEGER)? else {
        return None;
    };
    Some((positive(modulus)?, positive(exponent)?))
}

/// An integer over zero without its leading zero octet.
fn positive(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, magnitude @ ..] if magnitude.first().is_some_and(|&b| b >= 0x80) => Some(magnitude),
        [0x01..=0x7f, ..] => Some(integer),
        _ => None,
    }
}

/// Contents of the element of that tag at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (len, rest) = match der {
        [t, short @ 0..=0x7f, rest @ ..] if *t == tag => (usize::from(*short), rest),
        [t, 0x81, len @ 0x80..=0xff, rest @ ..] if *t == tag => (usize::from(*len), rest),
        // 64 KiB are more than DNS can carry, so longer forms need not be read.
        [t, 0x82, high @ 1..=0xff, low, rest @ ..] if *t == tag => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// Wraps an RSAPublicKey into a SubjectPublicKeyInfo. `None` over 64 KiB.
pub(super) fn rsa_key_info(rsa_public_key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = write(SEQUENCE, &[RSA_ENCRYPTION])?;
    let key = write(BIT_STRING, &[&[0], rsa_public_key])?;
    write(SEQUENCE, &[&algorithm, &key])
}

fn write(tag: u8, contents: &[&[u8]]) -> Option<Vec<u8>> {
    let contents = contents.concat();
    let [high, low] = u16::try_from(contents.len()).ok()?.to_be_bytes();
    let mut out = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(&contents);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let numbers = [
            write(INTEGER, &[modulus]).unwrap(),
            write(INTEGER, &[exponent]).unwrap(),
        ];
        write(SEQUENCE, &[&numbers[0], &numbers[1]]).unwrap()
    }

    #[test]
    fn reads_both_forms() {
        let bare = key(&[0, 0xc5, 1], &[1, 0, 1]);
        let expected = Some((&[0xc5, 1][..], &[1, 0, 1][..]));
        assert_eq!(rsa_public_key(&bare), expected);
        assert_eq!(rsa_public_key(&rsa_key_info(&bare).unwrap()), expected);
    }

    #[test]
    fn long_numbers_have_long_lengths() {
        for len in [0x7f, 0x80, 0xff, 0x100, 0x2000] {
            let bare = key(&vec![1; len], &[3]);
            let info = rsa_key_info(&bare).unwrap();
            assert_eq!(rsa_public_key(&info).unwrap().0.len(), len);
        }
    }

    #[test]
    fn refuses_all_else() {
        let good = key(&[5, 1], &[3]);
        for len in 0..good.len() {
            assert_eq!(rsa_public_key(&good[..len]), None, "cut at {len}");
        }
        assert_eq!(rsa_public_key(&[&good[..], &[0]].concat()), None, "octets behind");
        assert_eq!(rsa_public_key(&key(&[0x85, 1], &[3])), None, "negative");
        assert_eq!(
            rsa_public_key(&key(&[0, 5], &[3])),
            None,
            "zero in front that is not needed"
        );
        assert_eq!(rsa_public_key(&key(&[], &[3])), None, "no number");
        assert_eq!(
            rsa_public_key(b"\x30\x84\xff\xff\xff\xff"),
            None,
            "a length of 4 GiB"
        );
        assert_eq!(
            rsa_public_key(b"\x30\x80\x02\x01\x05\x00\x00"),
            None,
            "no definite length"
        );
        let mut other = rsa_key_info(&good).unwrap();
        other[12] ^= 1;
        assert_eq!(rsa_public_key(&other), None, "another algorithm");
    }
}
