//! `dkim new`: makes a key file.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::output::print;
use clap::{Args, ValueEnum};
use landmarc_mail::DomainName;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding, SecretDocument};
use rsa::rand_core::OsRng;

use super::record::DnsKeyRecord;

/// What the help says below the options.
const AFTER_HELP: &str = "\
An RSA key is what every receiver can verify; an Ed25519 key (RFC 8463) may stand beside one, not in \
place of it. The file is readable by whoever runs this and by nobody else: give it to the user of the \
service. An existing file is never overwritten.\n\n\
Exit code: 0, 64 for a wrong command line, 69 when the file cannot be written.";

/// The label of a private key of either kind in PEM (RFC 7468 §10).
const PEM_LABEL: &str = "PRIVATE KEY";

/// RFC 8301 §3.2: "Signers SHOULD use RSA keys of at least 2048 bits."
const RSA_BITS: u16 = 2048;

/// Arguments of `dkim new`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct DkimNewArguments {
    /// The selector: the key is published at SELECTOR._domainkey.DOMAIN
    selector: DomainName,
    /// The domain that reports are signed for: that of report.email, or one above it
    #[arg(long)]
    domain: DomainName,
    /// The kind of key
    #[arg(long, value_enum, default_value = "rsa")]
    algorithm: Algorithm,
    /// How long an RSA key is [default: 2048, which fits into a DNS answer without TCP]
    #[arg(long, value_parser = clap::value_parser!(u16).range(2048..=4096))]
    bits: Option<u16>,
    /// The file to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl DkimNewArguments {
    fn rsa_bits(&self) -> u16 {
        self.bits.unwrap_or(RSA_BITS)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    Rsa,
    Ed25519,
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
enum KeyFileError {
    #[error("cannot make an RSA key")]
    Rsa(#[source] rsa::Error),
    #[error("cannot make an Ed25519 key: the system gives no random numbers")]
    Ed25519,
    #[error("cannot write the key down")]
    Encoding(#[source] rsa::pkcs8::Error),
}

pub(super) fn run(arguments: &DkimNewArguments) -> CommandResult {
    if arguments.algorithm == Algorithm::Ed25519 && arguments.bits.is_some() {
        return Err(failure!(
            Exit::Usage,
            "--bits is for RSA keys: all of Ed25519 are alike"
        ));
    }
    let unavailable = |error: &dyn std::error::Error| Failure::of(Exit::Unavailable, error);
    let path = std::path::absolute(&arguments.out).map_err(|error| unavailable(&error))?;
    let pem = private_key(arguments).map_err(|error| unavailable(&error))?;
    let record = DnsKeyRecord::of(pem.as_bytes(), &path, &arguments.selector, &arguments.domain)
        .map_err(|error| unavailable(&error))?;
    write(&path, &pem).map_err(|error| cannot_write(&path, &error))?;
    print(&instructions(arguments, &path, &record))
}

/// PKCS#8 in PEM. Wiped from memory when it is dropped.
fn private_key(
    arguments: &DkimNewArguments,
) -> Result<impl std::ops::Deref<Target = String> + use<>, KeyFileError> {
    let key = match arguments.algorithm {
        Algorithm::Rsa => {
            let key =
                RsaPrivateKey::new(&mut OsRng, arguments.rsa_bits().into()).map_err(KeyFileError::Rsa)?;
            key.to_pkcs8_der().map_err(KeyFileError::Encoding)?
        }
        Algorithm::Ed25519 => {
            let key =
                Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyFileError::Ed25519)?;
            SecretDocument::try_from(key.as_ref()).map_err(|error| KeyFileError::Encoding(error.into()))?
        }
    };
    key.to_pem(PEM_LABEL, LineEnding::LF)
        .map_err(|error| KeyFileError::Encoding(error.into()))
}

/// Whole and on disk, or not there: a key that was published and is lost has to be made anew.
fn write(path: &Path, pem: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // What is left is no key; that it cannot be removed is instructions by its being there.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let remedy = match error.kind() {
        ErrorKind::AlreadyExists => "; a key is never overwritten: name another file",
        _ => "",
    };
    failure!(
        Exit::Unavailable,
        "cannot make {}: {error}{remedy}",
        path.display()
    )
}

fn instructions(arguments: &DkimNewArguments, path: &Path, record: &DnsKeyRecord) -> String {
    let kind = match arguments.algorithm {
        Algorithm::Rsa => format!("an RSA key of {} bits", arguments.rsa_bits()),
        Algorithm::Ed25519 => "an Ed25519 key".to_owned(),
    };
    let path = path.display();
    let setting = format!("{}:{path}", arguments.selector);
    format!(
        "{path}: {kind}\n\n\
         Publish its public half. {}\n\
         Then add it to the settings, for the user of the service to read, and see whether all is well with\n\
         \"landmarc dkim check\":\n\n[report]\ndkim_keys = [{setting:?}]\n\n\
         Where dkim_keys has a key already, put this one behind it in the same brackets.\n",
        record.in_words()
    )
}
