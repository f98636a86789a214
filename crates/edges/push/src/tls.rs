//! Certificates, keys and authorities: from files, for either side.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::error::PushError;

/// Octets of a file of certificates or keys; the authorities of a whole system have 220 KB.
const MAX_FILE_OCTETS: u64 = 8 * 1024 * 1024;

/// Certificates that are shown: our own and those between it and the authority.
const MAX_CHAIN: usize = 16;

const CERTIFICATE: &str = "certificate";

/// The files of one side, each in PEM form. They are read when they are loaded, and then no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The authorities that sign certificates of the other side. Those of the system are no good:
    /// everybody has a certificate of theirs.
    pub ca_file: PathBuf,
    /// Our own certificate, and those between it and the authority.
    pub certificate_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
}

/// TLS of the side that takes segments: 1.2 and 1.3, and only with a certificate of the client.
/// Clones are the same, so a reload of one is of all.
#[derive(Clone)]
pub struct ServerTls {
    files: Arc<CertificateFiles>,
    config: Arc<RwLock<Arc<ServerConfig>>>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is of no use, and why.
    pub fn load(files: CertificateFiles) -> Result<Self, PushError> {
        let config = server_config(&files)?;
        Ok(Self {
            files: Arc::new(files),
            config: Arc::new(RwLock::new(config)),
        })
    }

    /// Reads the files again, for connections that begin from now on.
    ///
    /// # Errors
    /// As for [`load`](Self::load); then what was read before stays.
    pub fn reload(&self) -> Result<(), PushError> {
        let config = server_config(&self.files)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config).into()
    }
}

impl fmt::Debug for ServerTls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// TLS of the side that sends them, with a certificate of its own.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl ClientTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is of no use, and why.
    pub fn load(files: &CertificateFiles) -> Result<Self, PushError> {
        let (chain, key) = files.own()?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| files.unusable(source))?
            .with_root_certificates(roots(&files.ca_file)?)
            .with_client_auth_cert(chain, key)
            .map_err(|source| files.unusable(source))?;
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        Arc::clone(&self.0).into()
    }
}

impl fmt::Debug for ClientTls {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientTls").finish_non_exhaustive()
    }
}

fn server_config(files: &CertificateFiles) -> Result<Arc<ServerConfig>, PushError> {
    let (chain, key) = files.own()?;
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(&files.ca_file)?.into(), provider());
    // It wants an authority, of which there is at least one.
    let verifier = verifier.build().map_err(|_| files.no_authority())?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| files.unusable(source))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|source| files.unusable(source))?;
    // A session that is taken up again goes by the certificate that it began with, and it may have
    // expired since. One handshake a connection is no cost.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl CertificateFiles {
    /// Our certificates and the key of the first.
    fn own(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PushError> {
        let octets = read(&self.certificate_file)?;
        let chain = CertificateDer::pem_slice_iter(&octets).take(MAX_CHAIN);
        let chain: Vec<_> = chain.collect::<Result<_, _>>().unwrap_or_default();
        if chain.is_empty() {
            return Err(not_there(&self.certificate_file, CERTIFICATE));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key_file)?);
        let key = key.map_err(|_| not_there(&self.key_file, "private key without a password"))?;
        Ok((chain, key))
    }

    fn unusable(&self, source: rustls::Error) -> PushError {
        let (certificate_file, key_file) = (self.certificate_file.clone(), self.key_file.clone());
        match source {
            rustls::Error::InconsistentKeys(_) => PushError::OtherKey {
                certificate_file,
                key_file,
            },
            source => PushError::Tls {
                certificate_file,
                key_file,
                source,
            },
        }
    }

    fn no_authority(&self) -> PushError {
        not_there(&self.ca_file, "certificate of an authority")
    }
}

/// The authorities of a file. Some that are no use are no reason to refuse the others.
fn roots(path: &Path) -> Result<RootCertStore, PushError> {
    let octets = read(path)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&octets).flatten());
    if roots.is_empty() {
        return Err(not_there(path, "certificate of an authority"));
    }
    Ok(roots)
}

fn not_there(path: &Path, what: &'static str) -> PushError {
    PushError::NotThere {
        path: path.to_owned(),
        what,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PushError> {
    let read = || {
        let mut octets = Vec::new();
        File::open(path)?
            .take(MAX_FILE_OCTETS + 1)
            .read_to_end(&mut octets)?;
        if u64::try_from(octets.len()).is_ok_and(|length| length <= MAX_FILE_OCTETS) {
            Ok(octets)
        } else {
            Err(io::ErrorKind::FileTooLarge.into())
        }
    };
    read().map_err(|source| PushError::File {
        path: path.to_owned(),
        source,
    })
}
