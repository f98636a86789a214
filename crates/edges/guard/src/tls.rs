//! TLS towards a server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::GuardError;
use crate::{GuardTarget, GuardedTls, ServerSocket};

/// TLS, and whether the server may do without.
pub(crate) struct Connector {
    inner: TlsConnector,
    pub(crate) is_optional: bool,
}

impl Connector {
    /// Shakes hands on a connection that both sides know to be followed by TLS.
    pub(crate) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        target: &GuardTarget,
    ) -> Result<TlsStream<S>, GuardError> {
        let ServerSocket::Tcp(host, _) = &target.place else {
            return Err(GuardError::Tls("a socket of this host has no TLS".to_owned()));
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|_| GuardError::Tls(format!("{host:?} is no name that a certificate can have")))?;
        Ok(self.inner.connect(name, stream).await?)
    }
}

/// None where nothing is encrypted.
pub(crate) fn config(tls: &GuardedTls) -> Result<Option<Connector>, GuardError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let config = match tls {
        GuardedTls::Off => return Ok(None),
        GuardedTls::Offered | GuardedTls::Encrypted => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        GuardedTls::Verified { ca } => builder
            .with_root_certificates(roots(ca.as_deref().unwrap_or_default())?)
            .with_no_client_auth(),
    };
    Ok(Some(Connector {
        inner: Arc::new(config).into(),
        is_optional: *tls == GuardedTls::Offered,
    }))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, GuardError> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| GuardError::Tls(format!("the CA file: {error}")))?;
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unusable(error: Error) -> GuardError {
    GuardError::Tls(error.to_string())
}

/// Accepts every certificate, as the settings say; the other side has the key of what it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
