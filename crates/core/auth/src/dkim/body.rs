//! The body, hashed as it arrives, for every signature that wants to know.

use ring::digest::{Context, SHA256};

use super::canonical::{BodyCanonicalizer, Canonicalization};

/// SHA-256, the one hash of RFC 8301.
pub type Sha256 = [u8; 32];

/// Distinct hashes of one body. DKIM and ARC ask for ten signatures each, so this is never
/// reached by them; it bounds the work an octet of body can cause.
pub const MAX_BODY_HASHES: usize = 24;

/// Canonical octets gathered before they are hashed. White space can cut a body into
/// pieces of one octet, and each piece costs a call for each hash.
const GATHERED_OCTETS: usize = 4 * 1024;

/// Which hash of the body a signature is about; from [`BodyHashing::want`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHandle(usize);

/// Hashes a body for all signatures of a message at once: one pass of each
/// canonicalization asked for, one hash of each length limit (`l=`). Memory does not
/// grow with the body.
#[derive(Default)]
pub struct BodyHashing {
    wanted: Vec<Wanted>,
    passes: Vec<Pass>,
}

/// One hash.
struct Wanted {
    canonicalization: Canonicalization,
    limit: Option<u64>,
    hash: LimitedHash,
}

/// One canonicalization of the body.
struct Pass {
    canonicalizer: BodyCanonicalizer,
    text: CanonicalText,
}

/// What came of a canonicalization, on its way to the hashes.
struct CanonicalText {
    canonicalization: Canonicalization,
    octets: u64,
    /// Not hashed yet; at most [`GATHERED_OCTETS`].
    gathered: Vec<u8>,
}

struct LimitedHash {
    context: Context,
    left: u64,
}

impl BodyHashing {
    /// Hashes nothing, until something is wanted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the hash of the first `limit` octets of the canonical body, or of all of
    /// it, before the first piece arrives. `None` past [`MAX_BODY_HASHES`].
    #[must_use]
    pub fn want(&mut self, canonicalization: Canonicalization, limit: Option<u64>) -> Option<BodyHandle> {
        let known = self
            .wanted
            .iter()
            .position(|w| w.canonicalization == canonicalization && w.limit == limit);
        if let Some(at) = known {
            return Some(BodyHandle(at));
        }
        if self.wanted.len() >= MAX_BODY_HASHES {
            return None;
        }
        if !self
            .passes
            .iter()
            .any(|p| p.text.canonicalization == canonicalization)
        {
            self.passes.push(Pass {
                canonicalizer: BodyCanonicalizer::new(canonicalization),
                text: CanonicalText {
                    canonicalization,
                    octets: 0,
                    gathered: Vec::new(),
                },
            });
        }
        self.wanted.push(Wanted {
            canonicalization,
            limit,
            hash: LimitedHash {
                context: Context::new(&SHA256),
                left: limit.unwrap_or(u64::MAX),
            },
        });
        Some(BodyHandle(self.wanted.len() - 1))
    }

    /// Takes the next piece of the body, line ends as received.
    pub fn update(&mut self, chunk: &[u8]) {
        let Self { wanted, passes } = self;
        for Pass { canonicalizer, text } in passes {
            canonicalizer.update(chunk, &mut |piece| text.add(piece, wanted));
        }
    }

    /// The end of the body.
    #[must_use]
    pub fn finish(self) -> BodyDigests {
        let Self { mut wanted, passes } = self;
        let mut octets_of = Vec::with_capacity(passes.len());
        for pass in passes {
            let mut text = pass.text;
            pass.canonicalizer
                .finish(&mut |piece| text.add(piece, &mut wanted));
            text.hash_gathered(&mut wanted);
            octets_of.push((text.canonicalization, text.octets));
        }
        let octets = |kind| octets_of.iter().find(|(k, _)| *k == kind).map_or(0, |(_, n)| *n);
        let digests = wanted
            .into_iter()
            .map(|wanted| BodyDigest {
                canonical_octets: octets(wanted.canonicalization),
                sha256: sha256_of(wanted.hash.context),
            })
            .collect();
        BodyDigests { digests }
    }
}

impl CanonicalText {
    /// Takes the next piece.
    fn add(&mut self, piece: &[u8], wanted: &mut [Wanted]) {
        self.octets = self.octets.saturating_add(piece.len() as u64);
        if self.gathered.len() + piece.len() > GATHERED_OCTETS {
            self.hash_gathered(wanted);
        }
        if piece.len() > GATHERED_OCTETS {
            self.hash(piece, wanted);
        } else {
            self.gathered.extend_from_slice(piece);
        }
    }

    fn hash_gathered(&mut self, wanted: &mut [Wanted]) {
        self.hash(&self.gathered, wanted);
        self.gathered.clear();
    }

    /// Gives text to all hashes of this canonicalization.
    fn hash(&self, text: &[u8], wanted: &mut [Wanted]) {
        let mine = |w: &&mut Wanted| w.canonicalization == self.canonicalization;
        for wanted in wanted.iter_mut().filter(mine) {
            wanted.hash.update(text);
        }
    }
}

impl LimitedHash {
    fn update(&mut self, text: &[u8]) {
        let taken = usize::try_from(self.left).map_or(text.len(), |left| left.min(text.len()));
        self.context.update(text.get(..taken).unwrap_or_default());
        self.left -= taken as u64;
    }
}

/// The hashes of one body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyDigests {
    digests: Vec<BodyDigest>,
}

/// One hash of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// Hash of the canonical body, up to the limit.
    pub sha256: Sha256,
    /// Octets of the whole canonical body.
    pub canonical_octets: u64,
}

impl BodyDigests {
    /// The hash asked for; `None` when the handle is of another message.
    #[must_use]
    pub fn digest(&self, handle: BodyHandle) -> Option<BodyDigest> {
        self.digests.get(handle.0).copied()
    }
}

/// SHA-256 of octets at hand.
pub(crate) fn sha256(octets: &[u8]) -> Sha256 {
    let mut context = Context::new(&SHA256);
    context.update(octets);
    sha256_of(context)
}

fn sha256_of(context: Context) -> Sha256 {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest_of(kind: Canonicalization, limit: Option<u64>, text: &[u8]) -> BodyDigest {
        let mut hashing = BodyHashing::new();
        let handle = hashing.want(kind, limit).unwrap();
        hashing.update(text);
        hashing.finish().digest(handle).unwrap()
    }

    #[test]
    fn one_hash_for_equal_wishes() {
        let mut hashing = BodyHashing::new();
        let first = hashing.want(Canonicalization::Relaxed, None);
        let other = hashing.want(Canonicalization::Relaxed, Some(5));
        assert_eq!(hashing.want(Canonicalization::Relaxed, None), first);
        assert_ne!(first, other);
        assert_eq!((hashing.wanted.len(), hashing.passes.len()), (2, 1));
    }

    #[test]
    fn a_limit_counts_canonical_octets() {
        let found = digest_of(Canonicalization::Relaxed, Some(3), b"a   b  c\r\n");
        assert_eq!(found.sha256, sha256(b"a b"));
        assert_eq!(found.canonical_octets, 7);
        let all = digest_of(Canonicalization::Simple, Some(1_000), b"ab");
        assert_eq!((all.sha256, all.canonical_octets), (sha256(b"ab\r\n"), 4));
        assert_eq!(
            digest_of(Canonicalization::Simple, Some(0), b"ab").sha256,
            sha256(b"")
        );
    }

    #[test]
    fn pieces_of_every_size_around_what_is_gathered_are_hashed_in_order() {
        for len in [1, GATHERED_OCTETS - 1, GATHERED_OCTETS, GATHERED_OCTETS + 1] {
            let line = [&b"x".repeat(len)[..], b"\r\n"].concat();
            let mut hashing = BodyHashing::new();
            let handle = hashing.want(Canonicalization::Relaxed, None).unwrap();
            for piece in [&b"a \t b "[..], &line, b"\tc", &line] {
                hashing.update(piece);
                assert!(hashing.passes[0].text.gathered.len() <= GATHERED_OCTETS);
            }
            let expected = [b"a b ", &line[..], b" c", &line].concat();
            assert_eq!(
                hashing.finish().digest(handle).unwrap().sha256,
                sha256(&expected),
                "{len}"
            );
        }
    }

    #[test]
    fn wishes_are_bounded() {
        let mut hashing = BodyHashing::new();
        for limit in 0..MAX_BODY_HASHES as u64 {
            assert!(hashing.want(Canonicalization::Simple, Some(limit)).is_some());
        }
        assert_eq!(hashing.want(Canonicalization::Simple, None), None);
        assert!(hashing.want(Canonicalization::Simple, Some(0)).is_some());
    }
}
