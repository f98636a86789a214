//! Who asks, and what is known of the message before its first octet.

use std::fmt;

use landmarc_milter::{ConnectInfo, Macros, PeerAddress};
use landmarc_net::Peer;

/// A way by which messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The milter protocol, which needs nothing of this crate.
    Milter,
    /// `POST /v1/check`.
    Http,
    /// The protocols of rspamd: `/checkv2` and `CHECK RSPAMC/1.3`.
    Rspamd,
    /// The line socket for Exim.
    Exim,
    /// The filter protocol of OpenSMTPD.
    OpenSmtpd,
}

impl Interface {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Milter,
        Self::Http,
        Self::Rspamd,
        Self::Exim,
        Self::OpenSmtpd,
    ];

    /// The word of log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Milter => "milter",
            Self::Http => "http",
            Self::Rspamd => "rspamd",
            Self::Exim => "exim",
            Self::OpenSmtpd => "opensmtpd",
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The envelope of a message, as an interface was told.
///
/// All of it may be missing. A client that is not known is not taken for a local one: say so
/// ([`PeerAddress::Unix`]) where a program of this host hands the message in. By default nothing is known, but that the
/// mail server is on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Who is connected to us: the mail server, not its SMTP client.
    pub peer: Peer,
    /// Where the SMTP client connected from.
    pub client: PeerAddress,
    /// The host name of the client, as far as the mail server knows one.
    pub client_name: Option<String>,
    /// Whether that name leads back to the client's address; one that does not is never believed.
    pub client_name_is_verified: bool,
    /// The argument of HELO or EHLO.
    pub helo: Vec<u8>,
    /// The reverse-path, with or without angle brackets; empty is the null reverse-path.
    pub mail_from: Vec<u8>,
    /// The recipients, with or without angle brackets.
    pub rcpt_to: Vec<Vec<u8>>,
    /// The user who has signed in.
    pub authenticated: Option<String>,
    /// What the mail server calls the message.
    pub queue_id: Option<String>,
    /// What the mail server calls itself.
    pub mta_name: Option<String>,
    /// Whether the message is to count in no report: it is judged, answered and written down all the same.
    pub stays_out_of_reports: bool,
}

/// What a message is called that has no name; the word of the milter interface.
const UNNAMED: &str = "unknown";

impl Caller {
    /// What a milter is told when the client connects.
    pub(crate) fn connect_info(&self) -> ConnectInfo {
        let name = self.client_name.as_deref().filter(|name| !name.is_empty());
        ConnectInfo {
            // Postfix's word where there is no name.
            hostname: name.unwrap_or("unknown").to_owned().into(),
            address: self.client.clone(),
        }
    }

    /// What a milter is told beside the commands.
    pub(crate) fn macros(&self) -> Macros {
        let resolved = match self.client_name_is_verified {
            true => "OK",
            // Sendmail's word for a name that could not be verified.
            false => "FAIL",
        };
        let known = [
            ("j", self.mta_name.as_deref()),
            ("{auth_authen}", self.authenticated.as_deref()),
        ];
        let known = known
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
        let queue_id = self.queue_id.as_deref().filter(|id| !id.is_empty());
        [("i", queue_id.unwrap_or(UNNAMED)), ("{client_resolve}", resolved)]
            .into_iter()
            .chain(known)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_is_nothing_claimed() {
        let caller = Caller::default();
        assert_eq!(caller.connect_info().hostname, "unknown");
        assert_eq!(caller.connect_info().address, PeerAddress::Unknown);
        let macros = caller.macros();
        assert_eq!(macros.text("i"), Some("unknown"));
        assert_eq!(macros.text("auth_authen"), None);
        assert_eq!(macros.text("j"), None);
    }

    #[test]
    fn what_is_known_becomes_macros() {
        let caller = Caller {
            client_name: Some("mx.example".to_owned()),
            authenticated: Some("user".to_owned()),
            queue_id: Some("4Fb1".to_owned()),
            mta_name: Some("mail.example.net".to_owned()),
            ..Caller::default()
        };
        let macros = caller.macros();
        for (name, value) in [
            ("i", "4Fb1"),
            ("auth_authen", "user"),
            ("j", "mail.example.net"),
            ("client_resolve", "FAIL"),
        ] {
            assert_eq!(macros.text(name), Some(value), "{name}");
        }
        assert_eq!(caller.connect_info().hostname, "mx.example");
        let verified = Caller {
            client_name_is_verified: true,
            ..caller
        };
        assert_eq!(verified.macros().text("client_resolve"), Some("OK"));
    }

    /// An empty user has not signed in.
    #[test]
    fn what_is_empty_is_not_known() {
        let caller = Caller {
            client_name: Some(String::new()),
            authenticated: Some(String::new()),
            queue_id: Some(String::new()),
            ..Caller::default()
        };
        assert_eq!(caller.macros().text("auth_authen"), None);
        assert_eq!(caller.macros().text("i"), Some("unknown"));
        assert_eq!(caller.connect_info().hostname, "unknown");
    }
}
