//! Arithmetic without a filter: what nobody who verifies the signatures of the corpus can spare.

use std::hint::black_box;
use std::io;

use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    UnparsedPublicKey, VerificationAlgorithm,
};

use crate::corpus::{Corpus, Dkim, first_rsa_der};

/// Verifications of one signature that are timed together.
const ROUNDS: u32 = 2_000;

/// The shortest of so many tries counts: another program on the same core only ever adds.
const TRIES: usize = 3;

/// How long the arithmetic takes here, and what the corpus needs of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    rsa_micros: f64,
    ed25519_micros: f64,
    sha256_gb_per_second: f64,
    /// CPU seconds for each 1,000 messages of the corpus.
    pub(crate) per_thousand: f64,
}

impl Floor {
    pub(crate) fn measure(corpus: &Corpus) -> io::Result<Self> {
        let (rsa_micros, ed25519_micros) = (rsa_micros()?, ed25519_micros()?);
        let signed = || corpus.messages.iter().filter(|m| m.expected.dkim != Dkim::None);
        let octets: usize = signed().map(|message| message.body.len()).sum();
        let hashing = shortest(|| {
            for message in signed() {
                black_box(digest(&SHA256, &message.body));
            }
            Ok(())
        })?;
        let count = |algorithm: &[u8]| {
            let fields = corpus.messages.iter().flat_map(|message| &message.fields);
            let signatures = fields.filter(|(name, value)| {
                name == "DKIM-Signature" && value.windows(algorithm.len()).any(|part| part == algorithm)
            });
            signatures.count() as f64
        };
        let verifying =
            count(b"a=rsa-sha256") * rsa_micros / 1e6 + count(b"a=ed25519-sha256") * ed25519_micros / 1e6;
        Ok(Self {
            rsa_micros,
            ed25519_micros,
            sha256_gb_per_second: octets as f64 / hashing / 1e9,
            per_thousand: (verifying + hashing) * 1000.0 / corpus.messages.len().max(1) as f64,
        })
    }

    /// A line that tells it.
    pub(crate) fn summary(&self) -> String {
        format!(
            "Arithmetic of the corpus alone (ring): RSA-2048 {:.1} us, Ed25519 {:.1} us, SHA-256 {:.2} GB/s; \
             {:.3} CPU s for 1,000 messages.",
            self.rsa_micros, self.ed25519_micros, self.sha256_gb_per_second, self.per_thousand
        )
    }
}

fn rsa_micros() -> io::Result<f64> {
    let pair = RsaKeyPair::from_der(&first_rsa_der()?).map_err(refused)?;
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        b"message",
        &mut signature,
    )
    .map_err(refused)?;
    verify_micros(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref(), &signature)
}

fn ed25519_micros() -> io::Result<f64> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(refused)?;
    verify_micros(
        &ED25519,
        pair.public_key().as_ref(),
        pair.sign(b"message").as_ref(),
    )
}

fn verify_micros(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    signature: &[u8],
) -> io::Result<f64> {
    let seconds = shortest(|| {
        for _ in 0..ROUNDS {
            let key = UnparsedPublicKey::new(algorithm, key);
            key.verify(b"message", signature).map_err(refused)?;
        }
        Ok(())
    })?;
    Ok(seconds * 1e6 / f64::from(ROUNDS))
}

/// The errors of `ring` say nothing on purpose.
fn refused(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

/// CPU seconds of the shortest try.
fn shortest(work: impl Fn() -> io::Result<()>) -> io::Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        let begun = cpu_seconds()?;
        work()?;
        least = least.min(cpu_seconds()? - begun);
    }
    Ok(least)
}

/// CPU seconds of this thread so far, to the nanosecond: waiting for a core does not count.
fn cpu_seconds() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok());
    let nanos = nanos.ok_or_else(|| io::Error::other(format!("schedstat says {text:?}")))?;
    Ok(nanos / 1e9)
}
