//! mail-auth's judgement of a case.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput, SpfResult,
};
use landmarc_testkit::cases::Case;

use crate::Judged;

/// Our name in macros.
const HOST: &str = "mx.landmarc.test";

/// It sets no limit of its own to one question, and a case may have one that nobody answers.
const TIMEOUT: Duration = Duration::from_millis(300);

/// mail-auth over one DNS server. It always reads the wall clock, so that cases about
/// time are beyond it.
pub struct Peer {
    authenticator: MessageAuthenticator,
}

impl Peer {
    /// Asks this server only, once, and remembers nothing.
    pub fn asking(server: SocketAddr) -> Self {
        let mut name_server = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut name_server.connections {
            connection.port = server.port();
        }
        let mut options = ResolverOpts::default();
        options.timeout = TIMEOUT;
        options.attempts = 1;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
        let authenticator =
            MessageAuthenticator::new(config, options).expect("the configuration is complete");
        Self { authenticator }
    }

    /// The result in the words of the RFCs.
    pub async fn judge(&self, case: &Case, judged: Judged) -> String {
        if judged == Judged::Spf {
            return spf_word(self.spf(case).await.result()).to_owned();
        }
        let octets = case.message().unwrap_or_default();
        let Some(message) = AuthenticatedMessage::parse(&octets) else {
            return "none".to_owned();
        };
        match judged {
            Judged::Spf | Judged::Dkim => overall(&self.authenticator.verify_dkim(&message).await),
            Judged::Arc => arc_word(self.authenticator.verify_arc(&message).await.result()),
            Judged::Dmarc => self.dmarc(case, &message).await,
        }
        .to_owned()
    }

    async fn spf(&self, case: &Case) -> SpfOutput {
        let client = case
            .input("ip")
            .and_then(|text| text.parse().ok())
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let helo = case.input("helo").unwrap_or_default();
        let parameters = match case.input("mailfrom") {
            None | Some("") => SpfParameters::verify_ehlo(client, helo, HOST),
            Some(mail_from) => SpfParameters::verify_mail_from(client, helo, HOST, mail_from),
        };
        self.authenticator.verify_spf(parameters).await
    }

    async fn dmarc(&self, case: &Case, message: &AuthenticatedMessage<'_>) -> &'static str {
        let spf = self.spf(case).await;
        let dkim = self.authenticator.verify_dkim(message).await;
        let mail_from = case
            .input("mailfrom")
            .and_then(|path| path.rsplit_once('@'))
            .map(|(_, domain)| domain);
        let domain = mail_from.or(case.input("helo")).unwrap_or_default();
        let parameters = DmarcParameters::new(message, &dkim, domain, &spf);
        match self.authenticator.verify_dmarc(parameters).await.result() {
            DmarcResult::Pass => "pass",
            DmarcResult::Fail(_) => "fail",
            DmarcResult::TempError(_) => "temperror",
            DmarcResult::PermError(_) => "permerror",
            DmarcResult::None => "none",
        }
    }
}

/// As for ours: pass when one passes, none without any, else that of the first.
fn overall(outputs: &[DkimOutput<'_>]) -> &'static str {
    if outputs.iter().any(|one| *one.result() == DkimResult::Pass) {
        return "pass";
    }
    outputs.first().map_or("none", |first| dkim_word(first.result()))
}

fn dkim_word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

/// A chain has three results; whatever is wrong with it is a failure (RFC 8617 §5.2).
fn arc_word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::None => "none",
        _ => "fail",
    }
}

fn spf_word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}
