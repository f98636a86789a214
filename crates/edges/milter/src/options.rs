//! What a server can be told.

use std::time::Duration;

use crate::codec::{Actions, MacroStage};

/// Limits and wishes of a server; the same for all its sockets and sessions.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Connections served at the same time. At the limit a new one gets the place of the
    /// oldest TCP connection that began no message; without one, no more are accepted until
    /// one ends: MTAs wait in the socket's queue. At least 1.
    pub max_sessions: usize,
    /// How long the MTA may be silent within a message and before the negotiation, how
    /// long it may take over one packet, and how long over taking our answer. Within a message it is the SMTP client
    /// that sets the pace: 10 minutes is the longest that RFC 5321 §4.5.3.2 has a
    /// server wait for it, but for the DATA block's end.
    pub stall_timeout: Duration,
    /// How long the MTA may be silent between messages: they keep connections open.
    pub idle_timeout: Duration,
    /// Octets of a packet that is neither a header field nor a piece of body.
    pub packet_limit: u32,
    /// Octets of name and value of a header field. Longer ones are thrown away as they
    /// come in, and the session is told (`header_too_long`).
    pub header_limit: u32,
    /// How often the MTA hears that work goes on while a message is judged. Must be
    /// shorter than its timeout (Postfix: `milter_content_timeout`, 300 s).
    pub progress_interval: Duration,
    /// How long messages that are under way at shutdown may take to end.
    pub shutdown_grace: Duration,
    /// The actions the service needs; what it may do is what the MTA grants of these.
    pub actions: Actions,
    /// The macros to ask for, separated by blanks. For stages not named the MTA sends
    /// what it is configured to.
    pub macros: Vec<(MacroStage, &'static str)>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            max_sessions: 10_000,
            stall_timeout: Duration::from_secs(600),
            // Longer than any MTA's own timeout on an idle SMTP client.
            idle_timeout: Duration::from_secs(7_200),
            packet_limit: 256 * 1024,
            header_limit: 1024 * 1024,
            progress_interval: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(30),
            actions: Actions::ADD_HEADERS
                .union(Actions::CHANGE_HEADERS)
                .union(Actions::QUARANTINE)
                .union(Actions::ADD_RECIPIENTS),
            macros: vec![
                (
                    MacroStage::Connect,
                    "j {daemon_name} {daemon_addr} {client_addr} {client_name} {client_ptr} {client_resolve} v _",
                ),
                (MacroStage::Mail, "i {auth_authen} {auth_type} {mail_addr}"),
                (MacroStage::Rcpt, "i"),
                (MacroStage::EndOfHeaders, "i"),
                (MacroStage::EndOfMessage, "i"),
            ],
        }
    }
}
