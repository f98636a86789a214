//! What keeps segments from being taken or sent, and what the operator can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use landmarc_net::ListenError;

/// Why we cannot listen, have no certificate to show, or could not push a segment.
/// [`remedy`](Self::remedy) says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// Nothing can be pushed to this URL.
    #[error("{url:?} is no place to push to: {why}")]
    Url {
        /// As it was written.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// We cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A file of certificates or keys cannot be read.
    #[error("cannot read {path:?}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file has not in it what it is for.
    #[error("{path:?} has no {what} in PEM form")]
    NotThere {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// The certificate is not that of the key.
    #[error("{certificate_file:?} is not the certificate of the key in {key_file:?}")]
    OtherKey {
        /// The file of the certificate.
        certificate_file: PathBuf,
        /// The file of the key.
        key_file: PathBuf,
    },
    /// Certificate and key are of no use to TLS.
    #[error("cannot use {certificate_file:?} with {key_file:?} for TLS")]
    Tls {
        /// The file of the certificate.
        certificate_file: PathBuf,
        /// The file of the key.
        key_file: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The other host cannot be reached, or the connection to it broke.
    #[error("cannot reach {url}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        source: io::Error,
    },
    /// It did not answer in time.
    #[error("{url} did not answer within {} s", waited.as_secs())]
    Slow {
        /// Where it is.
        url: String,
        /// How long we waited.
        waited: Duration,
    },
    /// It does not speak TLS.
    #[error("{url} does not speak TLS")]
    NotTls {
        /// Where it is.
        url: String,
    },
    /// Its certificate does not stand our check.
    #[error("the certificate of {url} is not accepted: {why}")]
    TheirCertificate {
        /// Where it is.
        url: String,
        /// What is wrong with it.
        why: String,
        /// What can be done.
        remedy: &'static str,
    },
    /// It does not accept our certificate.
    #[error("{url} does not accept our certificate: {why}")]
    OurCertificate {
        /// Where it is.
        url: String,
        /// What it has said.
        why: String,
    },
    /// It can never take this segment.
    #[error("{url} refuses the segment: {error}")]
    Refused {
        /// Where it is.
        url: String,
        /// What it has said.
        error: String,
        /// What it said can be done.
        remedy: String,
    },
    /// It takes no segment with so many octets.
    #[error("{url} takes no segment of {octets} octets: {error}")]
    TooLarge {
        /// Where it is.
        url: String,
        /// Of the segment.
        octets: usize,
        /// What it has said.
        error: String,
    },
    /// It takes nothing from us.
    #[error("{url} takes no segments from this host: {error}")]
    Forbidden {
        /// Where it is.
        url: String,
        /// What it has said.
        error: String,
        /// What it said can be done.
        remedy: String,
    },
    /// It cannot take a segment now.
    #[error("{url} cannot take segments now: {error}")]
    Later {
        /// Where it is.
        url: String,
        /// What it has said.
        error: String,
        /// When to try again, if it has said that; at most an hour.
        retry_after: Option<Duration>,
    },
    /// It answers as no landmarc does.
    #[error("{url} answers, but not as landmarc does (HTTP status {status})")]
    NotLandmarc {
        /// Where it is.
        url: String,
        /// Of the answer.
        status: u16,
    },
}

impl PushError {
    /// Whether the same segment will never be taken, however often it is sent.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// When the other side wants to be asked again, if it has said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Later { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Url { .. } => "write it as https://host:port".to_owned(),
            Self::Listen(error) => error.remedy(),
            Self::File { .. } => "see the cause above; the user of this service has to be able to read it".to_owned(),
            Self::NotThere { what, .. } => format!("put the {what} into it, between its BEGIN and END lines"),
            Self::OtherKey { .. } => {
                "name the two files that were made together; both are replaced when a certificate is renewed".to_owned()
            }
            Self::Tls { .. } => "use a key of RSA (2048 bits or more), ECDSA (P-256, P-384) or Ed25519".to_owned(),
            Self::Unreachable { url, .. } => format!(
                "nothing is lost and it is tried again; see whether the other side runs, and is reached from here: \
                 `openssl s_client -connect {}`",
                host_and_port(url)
            ),
            Self::Slow { .. } => "nothing is lost and it is tried again; see the log of the other side".to_owned(),
            Self::NotTls { .. } => "see whether host and port are those that the other side takes segments at".to_owned(),
            Self::TheirCertificate { remedy, .. } => (*remedy).to_owned(),
            Self::OurCertificate { .. } => {
                "give this host a certificate that the authority of the other side has signed, and that has not expired"
                    .to_owned()
            }
            Self::Refused { remedy, .. } | Self::Forbidden { remedy, .. } if !remedy.is_empty() => remedy.clone(),
            Self::Refused { .. } | Self::Forbidden { .. } => "see the log of the other side".to_owned(),
            Self::TooLarge { .. } => "bring both sides to the same release".to_owned(),
            Self::Later { .. } => {
                "nothing is lost and it is tried again; see the log of the other side if it stays so".to_owned()
            }
            Self::NotLandmarc { .. } => {
                "see whether host and port are those that the other side takes segments at, with no proxy between"
                    .to_owned()
            }
        }
    }
}

/// What the tools of TLS ask for; the URL was parsed before.
fn host_and_port(url: &str) -> String {
    let authority = url.trim_start_matches("https://").trim_end_matches('/');
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|octet| octet.is_ascii_digit()));
    if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:443")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_names_what_openssl_connects_to() {
        for (url, expected) in [
            ("https://collector.example.org/", "collector.example.org:443"),
            ("https://collector.example.org:8443", "collector.example.org:8443"),
            ("https://[2001:db8::1]", "[2001:db8::1]:443"),
            ("https://[2001:db8::1]:8443/", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(host_and_port(url), expected);
        }
    }
}
