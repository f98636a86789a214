//! Who a client is, by the certificate that it has shown.

use std::fmt;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Names of a certificate that are kept: that of a host has one or two.
const MAX_NAMES: usize = 16;

/// A client, as its verified certificate names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName {
    /// The DNS names of the certificate (subjectAltName), at most 16, in its order. What stands
    /// in the subject alone is none: no program of today goes by it (RFC 9525 §1.4).
    pub names: Vec<String>,
    /// SHA-256 of the certificate, in lower-case hex, as `openssl x509 -fingerprint -sha256` has it
    /// without its colons.
    pub fingerprint: String,
}

impl ClientName {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let parsed = EndEntityCert::try_from(certificate);
        let names = parsed.as_ref().map_or_else(
            // It was verified, so it can be parsed; were it not, its fingerprint would do.
            |_| Vec::new(),
            |parsed| {
                parsed
                    .valid_dns_names()
                    .take(MAX_NAMES)
                    .map(str::to_owned)
                    .collect()
            },
        );
        let octets = digest(&SHA256, certificate);
        let fingerprint = octets
            .as_ref()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        Self { names, fingerprint }
    }
}

impl fmt::Display for ClientName {
    /// The first name, or the fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names.first().unwrap_or(&self.fingerprint))
    }
}
