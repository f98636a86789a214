//! The relay's side of TLS. `certificates/make.sh` tells how the certificates were made.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::Certificate;

/// What a connection can be.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The authority that vouches for both certificates.
pub const CA_PEM: &str = include_str!("certificates/ca.pem");

/// Shakes hands with a client.
pub(super) async fn accept(certificate: Certificate, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
    let acceptor = TlsAcceptor::from(Arc::new(config(certificate).map_err(io::Error::other)?));
    Ok(Box::new(acceptor.accept(stream).await?))
}

fn config(certificate: Certificate) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let (certificate, key) = match certificate {
        Certificate::Good => (
            include_bytes!("certificates/good.pem").as_slice(),
            include_bytes!("certificates/good-key.pem").as_slice(),
        ),
        Certificate::OtherName => (
            include_bytes!("certificates/other.pem").as_slice(),
            include_bytes!("certificates/other-key.pem").as_slice(),
        ),
    };
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(config)
}
