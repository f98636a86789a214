//! Base32 in lower case (RFC 4648 §6 without padding): letters and digits that survive a change
//! of case, a file name and the unique-id of RFC 9990 §3.5.2.

/// RFC 4648 §6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BITS: u32 = 5;

/// The first `length` characters of the octets in base32; fewer where there are no more.
pub(crate) fn text(octets: &[u8], length: usize) -> String {
    let mut text = String::with_capacity(length);
    let (mut held, mut bits) = (0_u32, 0);
    for &octet in octets {
        held = (held << 8) | u32::from(octet);
        bits += 8;
        while bits >= BITS {
            if text.len() == length {
                return text;
            }
            bits -= BITS;
            text.push(digit(u64::from(held >> bits)));
        }
        // At most four bits are left over.
        held &= (1 << bits) - 1;
    }
    text
}

/// A number without leading zeros (`a`), at most 13 characters.
pub(crate) fn number(value: u64) -> String {
    let mut digits = vec![digit(value)];
    let mut rest = value >> BITS;
    while rest > 0 {
        digits.push(digit(rest));
        rest >>= BITS;
    }
    digits.iter().rev().collect()
}

/// Reads what [`number`] writes, and nothing else: each number has one spelling.
pub(crate) fn read_number(text: &str) -> Option<u64> {
    let mut value = 0_u64;
    for octet in text.bytes() {
        let digit = ALPHABET.iter().position(|&letter| letter == octet)?;
        value = value.checked_mul(1 << BITS)? | u64::try_from(digit).ok()?;
    }
    (number(value) == text).then_some(value)
}

/// Whether all characters are of the alphabet.
pub(crate) fn is_base32(text: &str) -> bool {
    text.bytes().all(|octet| ALPHABET.contains(&octet))
}

/// The character of the lowest five bits.
fn digit(bits: u64) -> char {
    let at = usize::try_from(bits % 32).unwrap_or_default();
    ALPHABET.get(at).copied().map_or('a', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_written_as_rfc_4648_section_10_has_them() {
        assert_eq!(text(b"foobar", 9), "mzxw6ytbo");
        assert_eq!(text(b"fooba", 8), "mzxw6ytb");
        assert_eq!(text(b"fooba", 3), "mzx");
        assert_eq!(text(b"", 3), "");
        assert_eq!(text(&[0xff; 20], 26), "7".repeat(26));
    }

    #[test]
    fn each_number_has_one_spelling() {
        for value in [0, 1, 31, 32, 1_023, 1_024, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(read_number(&number(value)), Some(value), "{value}");
        }
        assert_eq!((number(0), number(32)), ("a".to_owned(), "ba".to_owned()));
        assert_eq!(number(u64::MAX).len(), 13);
        for wrong in ["", "ab", "aa", "B", "1", "b=", "77777777777777", "ü"] {
            assert_eq!(read_number(wrong), None, "{wrong:?}");
        }
    }
}
