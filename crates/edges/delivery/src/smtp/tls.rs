//! Encryption of the connection to the relay, and whose word counts for a certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::connection::ByteStream;
use crate::{TlsMode, TransportError};

/// Where Debian and its kin keep the authorities that the system trusts.
pub const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Octets of a file of authorities; that of Debian has 220 KB.
pub(super) const MAX_CA_OCTETS: u64 = 8 * 1024 * 1024;

/// Makes plain connections encrypted ones.
pub(super) struct Encryption {
    connector: TlsConnector,
    server: ServerName<'static>,
}

impl Encryption {
    /// What the mode asks for; none when it asks for nothing.
    pub(super) fn new(
        host: &str,
        mode: TlsMode,
        ca_file: Option<&Path>,
    ) -> Result<Option<Self>, TransportError> {
        let no_name = |_| TransportError::Host(host.to_owned());
        let server = ServerName::try_from(host.to_owned()).map_err(no_name)?;
        let provider = Arc::new(ring::default_provider());
        let unchecked = Unchecked(Arc::clone(&provider));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TransportError::Tls)?;
        let config = match mode {
            TlsMode::None => return Ok(None),
            TlsMode::Opportunistic => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(unchecked)),
            TlsMode::Required | TlsMode::Implicit => {
                config.with_root_certificates(roots(ca_file.unwrap_or(Path::new(SYSTEM_ROOTS)))?)
            }
        };
        Ok(Some(Self {
            connector: Arc::new(config.with_no_client_auth()).into(),
            server,
        }))
    }

    /// Shakes hands; otherwise why that failed, in words.
    pub(super) async fn encrypt(&self, stream: Box<dyn ByteStream>) -> Result<Box<dyn ByteStream>, String> {
        match self.connector.connect(self.server.clone(), stream).await {
            Ok(encrypted) => Ok(Box::new(encrypted)),
            Err(error) => Err(format!("TLS failed: {}", in_words(&error, &self.server))),
        }
    }
}

/// What the webpki crate calls a certificate of an authority that a server shows as its own; rustls has no name for it.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// What went wrong with a handshake, and what can be done where that is known.
fn in_words(error: &io::Error, server: &ServerName<'_>) -> String {
    use rustls::{CertificateError as Wrong, Error, InvalidMessage};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "it does not speak TLS on this port (see report.delivery.tls: \"required\" is STARTTLS, \"implicit\" \
             for port 465)"
                .to_owned()
        }
        Some(Error::InvalidCertificate(wrong)) => match wrong {
            Wrong::UnknownIssuer => {
                "its certificate is signed by nobody we trust (set report.delivery.ca_file)".to_owned()
            }
            Wrong::Expired | Wrong::ExpiredContext { .. } => "its certificate has expired (renew it)".to_owned(),
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "its certificate is not valid yet (are the clocks right?)".to_owned()
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => format!(
                "its certificate is not for {} (set report.delivery.relay to a name that it is for)",
                server.to_str()
            ),
            Wrong::Other(other) if format!("{other:?}").contains(CA_AS_SERVER) => {
                "its certificate is a CA's own (self-signed): give it one that a CA has signed for it, and set \
                 report.delivery.ca_file to that CA"
                    .to_owned()
            }
            _ => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// Looks whether a file has certificates of authorities, as [`crate::Transport::Smtp`] needs them.
///
/// # Errors
/// When it cannot be read, or has none.
pub fn check_ca_file(path: &Path) -> Result<(), CaError> {
    roots(path).map(|_| ())
}

/// The certificates of a PEM file. Some that are no use are no reason to refuse the others.
fn roots(path: &Path) -> Result<RootCertStore, CaError> {
    let octets = crate::sign::read_bounded(path, MAX_CA_OCTETS).map_err(|source| CaError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&octets).flatten());
    if roots.is_empty() {
        return Err(CaError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(roots)
}

/// Why there is nothing to hold a certificate against.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The file cannot be read.
    #[error("cannot read {path:?}, the authorities to trust")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has no certificate that is of use.
    #[error("{path:?} has no certificate of an authority in PEM form")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
}

impl CaError {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        "install the package `ca-certificates`, or set `ca_file` of [report.delivery]"
    }
}

/// Looks at no certificate at all. Whoever sits on the way could have answered without
/// STARTTLS just as well; only who merely listens is kept out (RFC 7435 §3).
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
