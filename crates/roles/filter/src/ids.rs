//! Short ids: what a sender can quote and an operator can look up.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Characters of an id.
pub(crate) const LENGTH: usize = 12;
/// 32 characters that nobody takes for each other on the telephone: Crockford's base 32, without i, l, o and u.
pub(crate) const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Bits of a character.
const BITS: usize = 5;
/// Bits of an id that count messages; the others count seconds, which repeat after 34 years.
const COUNTER_BITS: u32 = 30;

/// Makes ids: the second, and a counter that begins anywhere, so that a restart or another host of
/// a fleet hardly ever makes the same ones. One process makes none twice.
///
/// Whoever gets two replies shall not read from them how many messages came in between. So the
/// counter goes through an odd multiplier of this process: each count still has a number of its own.
#[derive(Debug)]
pub(crate) struct Ids {
    next: AtomicU64,
    /// Odd, and so without a factor in common with the number of counts.
    multiplier: u64,
}

impl Default for Ids {
    fn default() -> Self {
        // The keys of a hasher are the only random number that the standard library gives.
        let anywhere = || RandomState::new().hash_one(std::process::id());
        Self {
            next: AtomicU64::new(anywhere()),
            multiplier: anywhere() | 1,
        }
    }
}

impl Ids {
    /// The id of a message that is judged at this second of the epoch.
    pub(crate) fn next(&self, now: u64) -> String {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let count = count.wrapping_mul(self.multiplier) & ((1 << COUNTER_BITS) - 1);
        let number = (now << COUNTER_BITS) | count;
        (0..LENGTH)
            .rev()
            .map(|place| character(number >> (place * BITS)))
            .collect()
    }
}

/// The character for the lowest bits.
fn character(number: u64) -> char {
    let lowest = number.to_le_bytes()[0] & ((1 << BITS) - 1);
    char::from(ALPHABET[usize::from(lowest)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form_and_differ() {
        let ids = Ids::default();
        let made: std::collections::HashSet<_> =
            (0..10_000).map(|n| ids.next(1_700_000_000 + n / 100)).collect();
        assert_eq!(made.len(), 10_000);
        for id in made {
            assert!(
                id.chars().count() == 12 && id.bytes().all(|b| ALPHABET.contains(&b)),
                "{id}"
            );
        }
    }

    #[test]
    fn an_id_tells_its_second_and_its_number() {
        let ids = Ids {
            next: AtomicU64::new((1 << COUNTER_BITS) - 1),
            multiplier: 1,
        };
        assert_eq!(ids.next(0), "000000zzzzzz");
        assert_eq!(ids.next(0), "000000000000");
        assert_eq!(ids.next(33), "000011000001");
    }

    /// One reply after the other shows neither the count nor how many there were between them.
    #[test]
    fn ids_of_one_second_are_no_sequence() {
        let ids = Ids {
            next: AtomicU64::new(0),
            multiplier: 0x2545_f491,
        };
        let made: Vec<_> = (0..4).map(|_| ids.next(0)).collect();
        assert_eq!(
            made,
            ["000000000000", "000000jmbx4h", "00000058qt92", "000000qx3qdk"]
        );
        let of = |ids: Ids| ids.multiplier;
        assert_ne!(of(Ids::default()), of(Ids::default()));
        assert_eq!(of(Ids::default()) % 2, 1);
    }
}
