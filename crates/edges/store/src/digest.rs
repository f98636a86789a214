//! The fingerprints by which equal contents are stored once.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;

use crate::recent::Recent;
use crate::sync::lock_ignoring_poison;

/// The first half of a SHA-256: what makes two contents count as one. Two contents that differ
/// and share it take 2^64 tries to find, and gain their finder one wrong line of explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Digest(pub(crate) [u8; 16]);

impl Digest {
    pub(crate) fn of(content: &[u8]) -> Self {
        let whole = ring::digest::digest(&ring::digest::SHA256, content);
        let mut half = [0; 16];
        half.iter_mut()
            .zip(whole.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(half)
    }
}

/// Digests of contents met lately, found by a quicker hash: most messages have the outcome, the
/// reporting row and the trace that others had. The hash is keyed at random, so that nobody can make
/// two contents meet; by chance it happens once in ten million days of ten million messages, and
/// then one message is taken for another.
#[derive(Debug)]
pub(crate) struct Digests {
    keys: RandomState,
    recent: Mutex<Recent<u64, Digest>>,
}

/// Digests remembered: about 2 MB.
const REMEMBERED: usize = 50_000;

impl Digests {
    pub(crate) fn new() -> Self {
        Self {
            keys: RandomState::new(),
            recent: Mutex::new(Recent::new(REMEMBERED)),
        }
    }

    /// The same as [`Digest::of`].
    pub(crate) fn of(&self, content: &[u8]) -> Digest {
        let quick = self.keys.hash_one(content);
        if let Some(digest) = lock_ignoring_poison(&self.recent).find(quick) {
            return digest;
        }
        let digest = Digest::of(content);
        lock_ignoring_poison(&self.recent).remember(quick, digest);
        digest
    }
}

/// Writes values one behind the other so that no two lists of values come out the same.
#[derive(Default)]
pub(crate) struct Encoder(pub(crate) Vec<u8>);

impl Encoder {
    pub(crate) fn length(&mut self, length: usize) {
        self.0.extend((length as u64).to_le_bytes());
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.length(value.len());
        self.0.extend(value.as_bytes());
    }

    pub(crate) fn optional(&mut self, value: Option<&str>) {
        self.0.push(u8::from(value.is_some()));
        self.text(value.unwrap_or_default());
    }

    pub(crate) fn pairs(&mut self, list: &[(String, String)]) {
        self.length(list.len());
        for (name, comment) in list {
            self.text(name);
            self.text(comment);
        }
    }

    pub(crate) fn triple(&mut self, (domain, name, result): &(String, String, String)) {
        self.text(domain);
        self.text(name);
        self.text(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_met_before_has_the_same_digest() {
        let digests = Digests::new();
        let first = digests.of(b"a");
        assert_eq!((digests.of(b"a"), first), (first, Digest::of(b"a")));
        assert_ne!(digests.of(b"b"), first);
    }

    #[test]
    fn no_two_lists_of_values_come_out_the_same() {
        let encoded = |write: fn(&mut Encoder)| {
            let mut content = Encoder::default();
            write(&mut content);
            content.0
        };
        let all = [
            encoded(|content| content.text("ab")),
            encoded(|content| {
                content.text("a");
                content.text("b");
            }),
            encoded(|content| content.optional(None)),
            encoded(|content| content.optional(Some(""))),
            encoded(|content| content.pairs(&[])),
            encoded(|content| content.pairs(&[(String::new(), String::new())])),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(
                !all[..place].contains(one),
                "number {place} equals an earlier one"
            );
        }
    }
}
