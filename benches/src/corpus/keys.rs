//! Private keys that were made for this corpus and sign nothing else.
//!
//! They are part of the source, so that a seed makes the same signatures everywhere.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landmarc_auth::dkim::SigningKey;

/// RSA keys of 2,048 bits that all domains share: PKCS #1, base64 in lines.
const RSA: [&str; 4] = [
    include_str!("keys/rsa-0.txt"),
    include_str!("keys/rsa-1.txt"),
    include_str!("keys/rsa-2.txt"),
    include_str!("keys/rsa-3.txt"),
];

/// The Ed25519 key is made from this.
const ED25519_SEED: [u8; 32] = [7; 32];

/// Signs for every domain of the corpus.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) rsa: Vec<SigningKey>,
    pub(crate) ed25519: SigningKey,
}

impl Keys {
    /// Reads the keys.
    ///
    /// # Errors
    /// When one of them is not a key.
    pub(crate) fn read() -> io::Result<Self> {
        let rsa = RSA.iter().map(|text| {
            let der = decode(text)?;
            SigningKey::from_der(&der).map_err(io::Error::other)
        });
        Ok(Self {
            rsa: rsa.collect::<io::Result<_>>()?,
            ed25519: SigningKey::from_ed25519_seed(&ED25519_SEED).map_err(io::Error::other)?,
        })
    }
}

/// The first RSA key in DER, for whoever measures the bare arithmetic.
pub(crate) fn first_rsa_der() -> io::Result<Vec<u8>> {
    decode(RSA[0])
}

fn decode(text: &str) -> io::Result<Vec<u8>> {
    let joined: String = text.split_whitespace().collect();
    STANDARD
        .decode(joined)
        .map_err(|error| io::Error::other(format!("a key of the corpus: {error}")))
}
