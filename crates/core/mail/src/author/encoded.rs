//! Encoded words (RFC 2047), as far as they can do harm: what they say is for display, and never an address.

/// Whether something in here looks like `=?charset?encoding?text?=` (RFC 2047 §2).
pub(super) fn has_encoded_word(octets: &[u8]) -> bool {
    let Some(start) = memchr::memmem::find(octets, b"=?") else {
        return false;
    };
    let inside = &octets[start + 2..];
    memchr::memmem::rfind(inside, b"?=")
        .is_some_and(|end| memchr::memchr_iter(b'?', &inside[..end]).nth(1).is_some())
}

/// Whether encoded words hide octets at which readers stop, so that one that decodes before it looks for
/// the address never gets there: `=?utf-8?q?ceo=40bank.test=00?= <x@evil.test>`.
///
/// A NUL is never honest. A line end is, at the end of a name that a script encoded; with an at sign in some
/// word it is not.
pub(super) fn hides_the_address(value: &[u8]) -> bool {
    let (mut has_line_end, mut has_at_sign) = (false, false);
    for text in texts(value) {
        if text.contains(&0) {
            return true;
        }
        has_line_end |= text.iter().any(|octet| matches!(octet, b'\r' | b'\n'));
        has_at_sign |= text.contains(&b'@');
    }
    has_line_end && has_at_sign
}

/// The texts of the encoded words, decoded as kind readers do it: what is out of place is dropped. Each
/// octet is looked at once.
fn texts(value: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memmem::find(rest, b"=?")?;
            rest = rest.get(start + 2..)?;
            let charset = memchr::memchr(b'?', rest)?;
            let Some((encoding, text)) = rest.get(charset + 1..)?.split_first_chunk::<2>() else {
                continue;
            };
            let decode = match encoding {
                b"q?" | b"Q?" => quoted_printable,
                b"b?" | b"B?" => base64,
                _ => continue,
            };
            let end = memchr::memmem::find(text, b"?=")?;
            rest = text.get(end + 2..)?;
            return Some(decode(text.get(..end)?));
        }
    })
}

fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let digit = |octet: Option<&u8>| octet.and_then(|octet| char::from(*octet).to_digit(16));
    let mut octets = text.iter();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(octet) = octets.next() {
        let ahead = octets.as_slice();
        match (octet, digit(ahead.first()), digit(ahead.get(1))) {
            (b'=', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                octets = ahead.get(2..).unwrap_or_default().iter();
            }
            _ => decoded.push(*octet),
        }
    }
    decoded
}

fn base64(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut count) = (0_u32, 0_u32);
    let mut decoded = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for octet in text {
        let six = match octet {
            b'A'..=b'Z' => octet - b'A',
            b'a'..=b'z' => octet - b'a' + 26,
            b'0'..=b'9' => octet - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.extend(u8::try_from((bits >> count) & 0xff));
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_decoded_as_kind_readers_do_it() {
        let decoded = |value: &[u8]| texts(value).collect::<Vec<_>>();
        assert_eq!(
            decoded(b"a =?utf-8?q?ceo=40b_=4g=?= =?X*en?B?YW5uCg==?= b"),
            [&b"ceo@b_=4g="[..], b"ann\n"]
        );
        assert_eq!(decoded(b"=?u?b?YW\xff 5u?="), [b"ann"]);
        for none in [
            &b"=?utf-8?q?x"[..],
            b"=?utf-8?x?y?=",
            b"=?utf-8",
            b"=?u?q",
            b"=?=?=?",
        ] {
            assert!(decoded(none).is_empty(), "{}", none.escape_ascii());
        }
        assert_eq!(decoded(b"=?=?u?q?x?="), [b"x"]);
    }

    #[test]
    fn a_nul_hides_and_a_line_end_behind_an_address() {
        for hides in [
            "=?utf-8?q?ceo=40bank.test=00?= <x@evil.test>",
            "=?utf-8?b?Y2VvQGJhbmsudGVzdAA=?= <x@evil.test>",
            "=?utf-8?q?ceo=40bank.test?= =?utf-8?q?=00?= <x@evil.test>",
            "=?utf-8?q?ceo=40bank.test=0A?= <x@evil.test>",
        ] {
            assert!(hides_the_address(hides.as_bytes()), "{hides}");
        }
        for honest in [
            "=?utf-8?q?ann=40list_via_Bob?= <x@example.com>",
            "=?utf-8?b?Sm9lCg==?= <x@example.com>",
            "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?= <x@example.com>",
        ] {
            assert!(!hides_the_address(honest.as_bytes()), "{honest}");
        }
    }
}
