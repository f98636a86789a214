//! Signs our messages (DKIM, RFC 6376), so that whoever gets one can tell that it is from us.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use landmarc_auth::dkim::{Canonicalization, SignError, SignRequest, SigningKey, SigningKeyError};
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use ring::rand::SystemRandom;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use crate::secret::{OpenSecret, open_to_others};

/// Keys of one signer: one of RSA and one of Ed25519 (RFC 8463 §3 advises both), and both
/// once more while keys change.
pub const MAX_KEYS: usize = 4;
/// Octets of a key file. An RSA key of 4,096 bits has 3,300.
pub const MAX_KEY_OCTETS: u64 = 64 * 1024;

/// The fields of a message that are signed, each so that none can be added (RFC 6376 §5.4.1;
/// Auto-Submitted keeps others from answering it).
const SIGNED_FIELDS: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
];

/// Signs messages of one domain with one or more keys.
#[derive(Debug)]
pub struct ReportSigner {
    domain: DomainName,
    keys: Vec<(DomainName, SigningKey)>,
}

/// A key and where its public half is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// `s=`: the key is published at `SELECTOR._domainkey.DOMAIN`.
    pub selector: DomainName,
    /// The private key in PEM form.
    pub path: PathBuf,
}

/// The content of a key file.
#[derive(Clone, Copy, Debug)]
pub struct KeyPem<'a> {
    /// `s=`.
    pub selector: &'a DomainName,
    /// PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    pub pem: &'a [u8],
    /// Where it is from, for messages.
    pub path: &'a Path,
}

/// A signer, and what someone should look at.
#[derive(Debug)]
pub struct Opened {
    /// The signer.
    pub signer: ReportSigner,
    /// What is wrong with the files, though not wrong enough to go without.
    pub warnings: Vec<OpenSecret>,
}

impl ReportSigner {
    /// Reads the keys from files.
    ///
    /// # Errors
    /// [`SignerError`], which names the file.
    pub fn open(domain: DomainName, files: &[KeyFile]) -> Result<Opened, SignerError> {
        let mut contents = Vec::new();
        let mut warnings = Vec::new();
        for KeyFile { path, .. } in files.iter().take(MAX_KEYS + 1) {
            let unreadable = |source| SignerError::Unreadable {
                path: path.clone(),
                source,
            };
            contents.push(read_bounded(path, MAX_KEY_OCTETS).map_err(unreadable)?);
            warnings.extend(open_to_others(path).map_err(unreadable)?);
        }
        let keys: Vec<_> = files
            .iter()
            .zip(&contents)
            .map(|(KeyFile { selector, path }, pem)| KeyPem { selector, pem, path })
            .collect();
        let signer = Self::new(domain, &keys)?;
        Ok(Opened { signer, warnings })
    }

    /// Takes the keys as they are in their files.
    ///
    /// # Errors
    /// [`SignerError`] for a key that cannot sign, none or more than [`MAX_KEYS`].
    pub fn new(domain: DomainName, keys: &[KeyPem<'_>]) -> Result<Self, SignerError> {
        if keys.is_empty() || keys.len() > MAX_KEYS {
            return Err(SignerError::Count(keys.len()));
        }
        let mut read: Vec<(DomainName, SigningKey)> = Vec::new();
        for KeyPem { selector, pem, path } in keys {
            if read.iter().any(|(other, _)| other == *selector) {
                return Err(SignerError::SelectorTwice((*selector).clone()));
            }
            read.push(((*selector).clone(), read_key(pem, path)?));
        }
        Ok(Self { domain, keys: read })
    }

    /// One DKIM-Signature field for each key, to be put on top of the message in this order.
    /// `body` has CRLF line ends; `date` is the `t=` of the signatures in Unix seconds: the
    /// date of the message, so that the same message always gets the same signatures.
    ///
    /// There is no `x=`. A message is sent again for days, shown and sent once more for weeks,
    /// and judged by whoever imports an old mailbox years later; it should be good each time.
    /// Nor is there anything to gain from replaying a report, which is known by its id.
    ///
    /// # Errors
    /// [`SignError`] when the message has no From field, or a key does not work.
    pub fn sign(
        &self,
        header: &HeaderSection,
        body: &[u8],
        date: u64,
    ) -> Result<Vec<HeaderField>, SignError> {
        // It blinds RSA against timing and does not change the signature.
        let random = SystemRandom::new();
        let signature = |(selector, key): &(DomainName, SigningKey)| {
            let request = SignRequest {
                domain: &self.domain,
                selector,
                key,
                header_canon: Canonicalization::Relaxed,
                body_canon: Canonicalization::Relaxed,
                fields: &SIGNED_FIELDS,
                now: date,
                expires: None,
            };
            landmarc_auth::dkim::sign(header, body, &request, &random)
        };
        self.keys.iter().map(signature).collect()
    }

    /// The TXT records that must be there for the signatures to be believed: name and text.
    #[must_use]
    pub fn dns_records(&self) -> Vec<(String, String)> {
        let record = |(selector, key): &(DomainName, SigningKey)| {
            (format!("{selector}._domainkey.{}", self.domain), key.dns_record())
        };
        self.keys.iter().map(record).collect()
    }
}

/// Header fields as they are sent.
#[must_use]
pub fn to_octets(fields: &[HeaderField]) -> Vec<u8> {
    let pieces = fields
        .iter()
        .flat_map(|field| [field.raw_name(), b":", field.value(), b"\r\n"]);
    pieces.flatten().copied().collect()
}

fn read_key(pem: &[u8], path: &Path) -> Result<SigningKey, SignerError> {
    let path = || path.to_owned();
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| SignerError::NoKey {
        path: path(),
        is_encrypted: find(pem, b"ENCRYPTED"),
    })?;
    SigningKey::from_der(der.secret_der()).map_err(|source| SignerError::Key { path: path(), source })
}

fn find(octets: &[u8], words: &[u8]) -> bool {
    octets.windows(words.len()).any(|window| window == words)
}

/// A file of at most `limit` octets.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    // One more than is allowed shows whether there is more.
    File::open(path)?.take(limit + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > limit {
        let words = format!("the file has more than {limit} octets");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    Ok(octets)
}

/// Why messages cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The file cannot be read.
    #[error("cannot read the private key {path:?}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing in it is a private key.
    #[error("{path:?} has no private key in PEM form{}", if *.is_encrypted { " that can be read without a password" } else { "" })]
    NoKey {
        /// The file.
        path: PathBuf,
        /// There is one, under a password.
        is_encrypted: bool,
    },
    /// There is a private key, and it cannot sign.
    #[error("the private key {path:?} cannot sign")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SigningKeyError,
    },
    /// None, or too many.
    #[error("messages are signed with 1 to {MAX_KEYS} keys, not with {0}")]
    Count(usize),
    /// A selector is the name of one key.
    #[error("two keys have the selector {0}")]
    SelectorTwice(DomainName),
}

impl SignerError {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "let the service's user read the file, or correct `dkim_keys` of [report]"
            }
            Self::NoKey { .. } | Self::Key { .. } => {
                "make a key with `landmarc dkim new`: RSA of 2,048 to 4,096 bits or Ed25519, without a password"
            }
            Self::Count(_) | Self::SelectorTwice(_) => {
                "correct `dkim_keys` of [report]: one key of each kind, each with a selector of its own"
            }
        }
    }
}
