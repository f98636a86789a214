//! How messages leave this host: signed, under a return path that leads back to us.

use std::io;
use std::path::PathBuf;

use landmarc_delivery::sign::{KeyFile, ReportSigner, SignerError};
use landmarc_delivery::{
    AgentOptions, DeliveryAgent, DeliveryOutcome, RelayLogin, Secret, Submission, TlsMode, Transport,
    TransportError,
};
use landmarc_report::mime::ReportMail;
use landmarc_report::return_path::ReturnPath;
use landmarc_settings::Delimiter;
use landmarc_settings::keys::{DeliveryBy, DeliveryTable, RelayTls, ReportTable};
use landmarc_store::DeliveryNumber;

use super::settings::{NoReportSettings, ReportSettings};
use landmarc_runtime::password::first_line;

/// The name of the secret in the store that makes the tokens of return paths.
pub const SECRET: &str = "return_path";

/// Hands messages over.
pub struct Mailer {
    agent: DeliveryAgent,
    signer: Option<ReportSigner>,
    return_path: ReturnPath,
    /// The same without a token.
    bounces: String,
}

/// Why no message can be handed over with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// An address is no use.
    #[error(transparent)]
    ReportSettings(#[from] NoReportSettings),
    /// How to reach the relay.
    #[error(transparent)]
    Post(#[from] TransportError),
    /// The keys.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The password.
    #[error("cannot read the password in {file:?}")]
    Password {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl MailerError {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::ReportSettings(error) => error.remedy().to_owned(),
            Self::Post(error) => error.remedy().to_owned(),
            Self::Signer(error) => error.remedy().to_owned(),
            Self::Password { .. } => {
                "let the user of the service read the file of report.delivery.password_file, and put the password \
                 alone on its first line"
                    .to_owned()
            }
        }
    }
}

impl Mailer {
    /// Makes it ready: reads keys, certificates and the password. Also what should be looked at.
    ///
    /// # Errors
    /// When one of these cannot be read, or is no use.
    pub fn new(settings: &ReportSettings, secret: &[u8; 32]) -> Result<(Self, Vec<String>), MailerError> {
        let report = &settings.keys;
        let agent = DeliveryAgent::new(AgentOptions {
            transport: transport(&report.delivery)?,
            connections: report.delivery.connections,
            timeout: report.delivery.timeout,
        })?;
        let (signer, warnings) = signer(report)?;
        let mailer = Self {
            agent,
            signer,
            bounces: settings.bounces()?.to_string(),
            return_path: return_path(settings, secret)?,
        };
        Ok((mailer, warnings))
    }

    /// Hands a message over. Its return path names the delivery; one that is not stored has none to
    /// name. `date` is that of the message, in seconds.
    pub async fn deliver(
        &self,
        mail: &ReportMail,
        recipient: &str,
        file_name: &str,
        date: u64,
        delivery: Option<DeliveryNumber>,
    ) -> DeliveryOutcome {
        let octets = self.signed(mail, date);
        let return_path = match delivery {
            Some(number) => self.return_path.address(number.0),
            None => self.bounces.clone(),
        };
        let submission = Submission {
            return_path: &return_path,
            recipient,
            message: &[&octets],
            file_name,
        };
        self.agent.deliver(submission).await
    }

    /// The message as it goes out.
    pub fn signed(&self, mail: &ReportMail, date: u64) -> Vec<u8> {
        let signatures = self.signer.as_ref().and_then(|signer| {
            let signed = signer.sign(&mail.header, &mail.body, date);
            // Better unsigned than not at all: SPF may still vouch for it.
            signed
                .inspect_err(|error| tracing::error!("a message cannot be signed: {error}"))
                .ok()
        });
        let mut octets = landmarc_delivery::sign::to_octets(&signatures.unwrap_or_default());
        octets.extend_from_slice(&mail.to_bytes());
        octets
    }

    /// Ends connections that wait for another message.
    pub async fn close(&self) {
        self.agent.close().await;
    }
}

/// Where the bounces of each message go.
///
/// # Errors
/// When that address is no use.
pub fn return_path(settings: &ReportSettings, secret: &[u8; 32]) -> Result<ReturnPath, NoReportSettings> {
    let delimiter = settings.keys.return_path_delimiter.map(Delimiter::as_char);
    let delimiter = delimiter.map(String::from).unwrap_or_default();
    Ok(ReturnPath::new(settings.bounces()?, &delimiter, secret))
}

fn transport(delivery: &DeliveryTable) -> Result<Transport, MailerError> {
    Ok(match delivery.by {
        DeliveryBy::Smtp => Transport::Smtp {
            host: delivery.relay.host().to_string(),
            port: delivery.relay.port(),
            tls: match delivery.tls {
                RelayTls::None => TlsMode::None,
                RelayTls::Opportunistic => TlsMode::Opportunistic,
                RelayTls::Required => TlsMode::Required,
                RelayTls::Implicit => TlsMode::Implicit,
            },
            ca_file: delivery.ca_file.clone(),
            login: login(delivery)?,
            hello: delivery
                .hello
                .as_ref()
                .map_or_else(landmarc_runtime::rules::host_name, ToString::to_string),
        },
        DeliveryBy::Sendmail => Transport::Sendmail {
            arguments: delivery.sendmail.clone(),
        },
        DeliveryBy::Directory => Transport::Directory {
            // The settings see to it that it is there.
            path: delivery.directory.clone().unwrap_or_default(),
        },
    })
}

fn login(delivery: &DeliveryTable) -> Result<Option<RelayLogin>, MailerError> {
    let (Some(user), Some(file)) = (&delivery.user, &delivery.password_file) else {
        return Ok(None);
    };
    let password = first_line(file).map_err(|source| MailerError::Password {
        file: file.clone(),
        source,
    })?;
    Ok(Some(RelayLogin {
        user: user.clone(),
        password: Secret::new(password),
    }))
}

fn signer(report: &ReportTable) -> Result<(Option<ReportSigner>, Vec<String>), MailerError> {
    let Some(domain) = report.signing_domain().filter(|_| !report.dkim_keys.is_empty()) else {
        return Ok((None, Vec::new()));
    };
    let key = |key: &landmarc_settings::DkimKeyFile| KeyFile {
        selector: key.selector().clone(),
        path: key.file().to_owned(),
    };
    let files: Vec<_> = report.dkim_keys.iter().map(key).collect();
    let opened = ReportSigner::open(domain.clone(), &files)?;
    let warnings = opened.warnings.iter();
    let warnings = warnings.map(|warning| format!("{warning}; {}", warning.remedy()));
    Ok((Some(opened.signer), warnings.collect()))
}
