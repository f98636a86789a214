//! Hands messages over: to a relay by SMTP, to a program, or into a directory (decision D19);
//! and signs them before (DKIM, RFC 6376).
//!
//! Knows how a message leaves and what was said to it ([`DeliveryOutcome`]). Deliberately knows no report, no
//! store and no calendar: who gets what, when it is tried again and when that ends is decided elsewhere, on the
//! outcome.
//!
//! Not implemented: MX records, DANE and MTA-STS, since it speaks to one relay and never to the servers of a
//! destination; SMTPUTF8, 8BITMIME and CHUNKING, since addresses and messages are ASCII in short lines ([`Submission`]);
//! AUTH by other mechanisms than PLAIN and LOGIN.
//!
//! ```
//! use landmarc_delivery::{AgentOptions, DeliveryAgent, Transport};
//!
//! let agent = DeliveryAgent::new(AgentOptions {
//!     transport: Transport::Directory { path: "/var/spool/reports".into() },
//!     connections: 1,
//!     timeout: std::time::Duration::from_secs(60),
//! })?;
//! # Ok::<(), landmarc_delivery::TransportError>(())
//! ```

mod directory;
mod outcome;
pub mod secret;
mod sendmail;
pub mod sign;
mod smtp;
mod submission;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage, MAX_WORDS};
pub use smtp::limits;
pub use smtp::{CaError, SYSTEM_ROOTS, check_ca_file};
pub use submission::{MAX_ADDRESS_OCTETS, MAX_LINE_OCTETS, Submission};

/// More messages on their way at once than this are never sent, whatever the options say.
pub const MAX_CONNECTIONS: usize = 100;

/// How messages leave, and within what limits.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Where they go.
    pub transport: Transport,
    /// Messages on their way at once: 1 to [`MAX_CONNECTIONS`]; others wait their turn.
    pub connections: usize,
    /// How long one message may take, from its turn to its final dot. The answer to that
    /// dot may take as long once more: RFC 5321 §4.5.3.2.6 gives it ten minutes, because
    /// whoever gives up too early there makes a duplicate.
    pub timeout: Duration,
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Transport {
    /// To a relay.
    Smtp {
        /// Its name or address; also the name its certificate must have.
        host: String,
        /// Its port.
        port: u16,
        /// Whether the connection is encrypted, and the certificate checked.
        tls: TlsMode,
        /// PEM file of the authorities to trust; none for those of the system.
        ca_file: Option<PathBuf>,
        /// Who we are to the relay, where it wants to know.
        login: Option<RelayLogin>,
        /// The argument of EHLO: our name.
        hello: String,
    },
    /// To a program, by its standard input.
    Sendmail {
        /// The program and its arguments, in which `{return_path}` and `{recipient}` are
        /// replaced. No shell reads them.
        arguments: Vec<String>,
    },
    /// Into files: nothing is sent.
    Directory {
        /// Where the files go; it must be there.
        path: PathBuf,
    },
}

/// Whether a connection is encrypted, and the certificate checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Never.
    None,
    /// If the relay offers STARTTLS; the certificate is not looked at. That keeps out who
    /// only listens (RFC 7435).
    Opportunistic,
    /// By STARTTLS, with a certificate that is checked, or not at all.
    Required,
    /// From the first octet on, with a certificate that is checked (RFC 8314 §3.3).
    Implicit,
}

/// A name and a password for AUTH (RFC 4954).
#[derive(Clone, Debug)]
pub struct RelayLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A text that is printed nowhere.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps that text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Hands messages over in one way. Shared by all who do so at the same time.
#[derive(Debug)]
pub struct DeliveryAgent {
    backend: Backend,
    slots: Semaphore,
    timeout: Duration,
}

#[derive(Debug)]
enum Backend {
    Smtp(smtp::Smtp),
    Sendmail(sendmail::Sendmail),
    Directory(directory::MessageDirectory),
}

impl DeliveryAgent {
    /// Checks the options and reads the certificates to trust; connects to nothing yet.
    ///
    /// # Errors
    /// [`TransportError`].
    pub fn new(options: AgentOptions) -> Result<Self, TransportError> {
        let AgentOptions {
            transport,
            connections,
            timeout,
        } = options;
        let backend = match transport {
            Transport::Smtp {
                host,
                port,
                tls,
                ca_file,
                login,
                hello,
            } => {
                let relay = smtp::RelayAddress { host, port };
                Backend::Smtp(smtp::Smtp::new(relay, tls, ca_file.as_deref(), login, hello)?)
            }
            Transport::Sendmail { arguments } => Backend::Sendmail(sendmail::Sendmail::new(arguments)?),
            Transport::Directory { path } => Backend::Directory(directory::MessageDirectory::new(path)),
        };
        Ok(Self {
            backend,
            slots: Semaphore::new(connections.clamp(1, MAX_CONNECTIONS)),
            timeout,
        })
    }

    /// Hands one message over to its one recipient, and tells what came of it. Every wait is
    /// bounded; who drops the future gives the message up where it is.
    pub async fn deliver(&self, submission: Submission<'_>) -> DeliveryOutcome {
        if let Err(unfit) = submission.check() {
            return DeliveryOutcome::Refused(unfit);
        }
        // Nobody closes the semaphore; without it there would merely be no bound.
        let _slot = self.slots.acquire().await;
        let deadline = Instant::now() + self.timeout;
        let outcome = match &self.backend {
            Backend::Smtp(smtp) => smtp.deliver(&submission, deadline, self.timeout).await,
            Backend::Sendmail(sendmail) => sendmail.deliver(&submission, deadline).await,
            Backend::Directory(directory) => directory.deliver(&submission).await,
        };
        match outcome.failure() {
            None => tracing::debug!("a message was handed over"),
            // Not the words: they repeat addresses, which belong into no log.
            Some(DeliveryFailure { stage, code, .. }) => {
                tracing::debug!(%stage, code, "a message was not handed over");
            }
        }
        outcome
    }

    /// Takes leave of the relay on connections that are kept for the next message. For the
    /// end of a run; a message after it opens a new one.
    pub async fn close(&self) {
        if let Backend::Smtp(smtp) = &self.backend {
            smtp.close().await;
        }
    }
}

/// Why messages cannot be handed over in the way asked for.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The name we would say to a relay would end or change the command.
    #[error("the name for EHLO, {0:?}, is not a host name or address")]
    Hello(String),
    /// The host is no name that a certificate could have.
    #[error("the relay, {0:?}, is not a host name or address")]
    Host(String),
    /// No certificates to hold the relay's against.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// No program.
    #[error("the command to hand messages to is empty")]
    NoProgram,
    /// Nobody would get it.
    #[error("no argument of {0:?} has {{recipient}} in it")]
    NoRecipient(String),
}

impl TransportError {
    /// What the operator can do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Hello(_) => "set `hello` of [report.delivery] to this host's full name",
            Self::Host(_) => "set `relay` of [report.delivery] to HOST:PORT",
            Self::Ca(error) => error.remedy(),
            Self::Tls(_) => "set `tls` of [report.delivery] to what the relay offers",
            Self::NoProgram | Self::NoRecipient(_) => {
                "set `sendmail` of [report.delivery] to a program and its arguments, one of them {recipient}"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_printed_nowhere() {
        let login = RelayLogin {
            user: "landmarc".to_owned(),
            password: Secret::new("correct horse".to_owned()),
        };
        let options = AgentOptions {
            transport: Transport::Smtp {
                host: "127.0.0.1".to_owned(),
                port: 25,
                tls: TlsMode::None,
                ca_file: None,
                login: Some(login),
                hello: "mail.example".to_owned(),
            },
            connections: 1,
            timeout: Duration::from_secs(1),
        };
        assert!(!format!("{options:?}").contains("horse"));
        let post = DeliveryAgent::new(options).unwrap();
        assert!(!format!("{post:?}").contains("horse"));
    }

    #[test]
    fn messages_at_once_are_at_least_one_and_not_too_many() {
        for (connections, slots) in [
            (0, 1),
            (1, 1),
            (MAX_CONNECTIONS, MAX_CONNECTIONS),
            (MAX_CONNECTIONS + 1, MAX_CONNECTIONS),
        ] {
            let options = AgentOptions {
                transport: Transport::Directory { path: "/tmp".into() },
                connections,
                timeout: Duration::from_secs(1),
            };
            assert_eq!(
                DeliveryAgent::new(options).unwrap().slots.available_permits(),
                slots
            );
        }
    }

    #[test]
    fn options_that_cannot_work_are_refused_with_a_remedy() {
        let smtp = |host: &str, hello: &str| Transport::Smtp {
            host: host.to_owned(),
            port: 25,
            tls: TlsMode::Required,
            ca_file: Some("/nowhere/ca.pem".into()),
            login: None,
            hello: hello.to_owned(),
        };
        let program = |arguments: &[&str]| Transport::Sendmail {
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
        };
        for (transport, message) in [
            (
                smtp("127.0.0.1", "a\r\nMAIL"),
                r#"the name for EHLO, "a\r\nMAIL", is not"#,
            ),
            (smtp("127.0.0.1", ""), r#"the name for EHLO, """#),
            (
                smtp("not a name", "mail.example"),
                r#"the relay, "not a name", is not"#,
            ),
            (
                smtp("127.0.0.1", "mail.example"),
                r#"cannot read "/nowhere/ca.pem""#,
            ),
            (program(&[]), "the command to hand messages to is empty"),
            (
                program(&["/bin/cat", "-f"]),
                r#"no argument of "/bin/cat" has {recipient}"#,
            ),
        ] {
            let options = AgentOptions {
                transport,
                connections: 1,
                timeout: Duration::from_secs(1),
            };
            let error = DeliveryAgent::new(options).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert!(!error.remedy().is_empty());
        }
    }
}
