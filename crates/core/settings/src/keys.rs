//! The declarations: every key of the settings file, in its order.
//!
//! The documentation of a field is its help text in the sample file and on the page, so
//! it speaks to the operator. Where a value is not at our discretion, it names the RFC.

mod action;
mod check_api;
mod exim;
mod fleet;
mod judging;
mod report;
mod rspamd;
mod store;
mod wire;

use std::sync::LazyLock;
use std::time::Duration;

pub use action::{ActionTable, Clients, FailureAction, FailureResponse, Failures, Quarantine};
pub use check_api::CheckApiTable;
pub use exim::Exim;
pub use fleet::{CollectorTable, DatabaseTls, Fleet};
pub use judging::{Arc, Authentication, Dkim, Dmarc, Spf};
pub use report::{DeliveryBy, DeliveryTable, FailureReports, Redaction, RelayTls, ReportForm, ReportTable};
pub use rspamd::Rspamd;
pub use store::Store;
pub use wire::{DnsTable, Milter, Web};

use landmarc_receiver::policy::EnforcementMode;

use crate::key::{Item, Key};
use crate::mistake::{Mistake, MistakeKind};
use crate::reader::Table as _;
use crate::value::text::AuthservId;
use crate::value::unit::Size;
use crate::written::Written;

table! {
    /// Everything that can be set. Made by [`read`](crate::read), or by `default()` where
    /// there is no file.
    pub struct Settings {
        keys {
            /// Whether messages are acted upon. Observe first: the log shows what
            /// enforcing would do, until nothing in it surprises.
            mode: EnforcementMode = EnforcementMode::Observe, reloads since "0.1.0";

            /// The name this service goes by in Authentication-Results (RFC 8601 §2.5). Fields
            /// that bear it and come from outside are removed as forged. Empty: the name
            /// that the mail server goes by, or of this host where there is none.
            authserv_id: Option<AuthservId> = None, reloads since "0.1.0";

            /// Whether the queue id of the message stands behind that name, as in "mx.example.com/4Fb1". RFC 8601
            /// knows no such form; some programs look for it.
            authserv_id_with_job_id: bool = false, reloads since "0.1.0";

            /// Whether a header field "DMARC-Filter" says which program judged a message, where, and under
            /// which queue id.
            software_header: bool = false, reloads since "0.1.0";

            /// The version of this file's format. A later format will have a higher number,
            /// and be refused by a program that does not know it.
            config_version: u32 = 1, [1..=1], reloads since "0.1.0";
        }
        tables {
            /// The socket that the mail server speaks to (the milter protocol).
            milter: Milter;
            /// The check API: messages are judged by HTTP, for mail servers and programs that speak no
            /// milter. Off until "listen" is set; docs/check-api.md tells the rest.
            check_api: CheckApiTable;
            /// A socket for Exim, which has no milter protocol. Off until "listen" is set;
            /// docs/exim.md tells the rest.
            exim: Exim;
            /// How DNS is asked. Every message has a budget, so that no sender can make us ask
            /// without end.
            dns: DnsTable;
            /// Where the results come from that DMARC is worked out of: from here, or from filters that the
            /// mail server asks before this one. Those must be told to leave no gap, or mail can be forged:
            /// docs/three-milters.md.
            authentication: Authentication;
            /// Sender Policy Framework (RFC 7208).
            spf: Spf;
            /// Signatures (RFC 6376, RFC 8301, RFC 8463).
            dkim: Dkim;
            /// Chains of custody (RFC 8617). A valid chain of a trusted sealer can soften what is
            /// done to a message; it never makes DMARC pass.
            arc: Arc;
            /// How the wish of the Domain Owner is found and compared (RFC 9989).
            dmarc: Dmarc;
            /// What is done to a message that fails. Only in mode "enforce"; in mode "observe" it is
            /// what would be done.
            action: ActionTable;
            /// Clients that are treated apart from the rest of the world.
            clients: Clients;
            /// What is done to a message that could not be judged. It is never refused for good:
            /// that we failed is not the sender's fault. As set here it is accepted, without
            /// claiming anything about it, or deferred: its sender tries again. What a sender can bring
            /// about to get past a policy is deferred by default, in mode "enforce".
            failures: Failures;
            /// How much of a message is kept in memory.
            limits: LimitsTable;
            /// What is written down, and for how long it is kept.
            store: Store;
            /// Many hosts that share one picture: each keeps its own database, and hands on what it counted to a
            /// database they share, to a collector, or into files. Off until one of these is set;
            /// docs/fleet.md tells the rest.
            fleet: Fleet;
            /// Records of other hosts are taken in over HTTPS ("fleet.push_to" there). Off until "listen" is
            /// set; docs/fleet.md tells the rest.
            collector: CollectorTable;
            /// Reports to the owners of the domains that mail claims to come from (RFC 9990). Off until
            /// "email" is set; docs/reporting.md tells the rest.
            report: ReportTable;
            /// Records that rspamd counted: they are read from Redis and go into the reports. Off until
            /// "servers" is set; docs/rspamd.md tells the rest.
            rspamd: Rspamd;
            /// The HTTP port for monitoring: metrics, and whether the service is well.
            web: Web;
            /// Where the log goes, and how much it says.
            log: Log;
            /// The service itself.
            server: ServerTable;
        }
        beside {
            /// Where the file mentions each key; no part of what it says.
            written: Written;
        }
    }
}

choices! {
    for EnforcementMode {
        /// judge, mark and log every message, refuse and hold none.
        Observe = "observe",
        /// do what the table "action" says.
        Enforce = "enforce",
    }
}

table! {
    /// How much of a message is kept in memory.
    pub struct LimitsTable {
        keys {
            /// The longest header section of a message. Fields past it, and fields that are too long, are
            /// left out of what is judged. A DKIM signature that covers one is neutral. Where one may be a
            /// From field, the author cannot be told: see "action.unusable_author".
            header_section: Size = Size::mib(1), [Size::kib(16)..=Size::mib(64)], reloads since "0.1.0";

            /// The longest header field. A longer one is left out of what is judged, as above.
            header_field: Size = Size::kib(256), [Size::kib(1)..=Size::mib(64)], reloads since "0.1.0";

            /// The most header fields in one message.
            header_fields: usize = 10_000, [100..=1_000_000, "fields"], reloads since "0.1.0";

            /// The memory of the header sections of all sessions together, as they come. When it is used up,
            /// sessions wait for others to end; none is cut off. A section is held and read at once, so that the
            /// process may take up to twice as much; it returns the memory when the flood is over.
            memory: Size = Size::mib(256), [Size::mib(16)..=Size::mib(1 << 20)], restarts since "0.1.0";
        }
    }
}

table! {
    /// Where the log goes, and how much it says.
    pub struct Log {
        keys {
            /// Where the log goes.
            target: LogTarget = LogTarget::Auto, restarts since "0.1.0";

            /// How a line looks.
            format: LogFormat = LogFormat::Text, restarts since "0.1.0";

            /// How much is said: this level and those above it.
            level: LogLevel = LogLevel::Info, reloads since "0.1.0";

            /// The facility of syslog, where that is the target (RFC 5424 §6.2.1).
            syslog_facility: SyslogFacility = SyslogFacility::Mail, restarts since "0.1.0";
        }
    }
}

choices! {
    /// Where the log goes.
    pub enum LogTarget {
        /// the journal when systemd started the service, otherwise standard error.
        Auto = "auto",
        /// standard error.
        Stderr = "stderr",
        /// the systemd journal, with a field for each key.
        Journald = "journald",
        /// the socket /dev/log.
        Syslog = "syslog",
    }
}

choices! {
    /// How a line of the log looks.
    pub enum LogFormat {
        /// key=value pairs, always in the same order.
        Text = "text",
        /// one JSON object a line.
        Json = "json",
    }
}

choices! {
    /// How much is logged.
    pub enum LogLevel {
        /// the service is not being provided.
        Error = "error",
        /// someone should look.
        Warn = "warn",
        /// one line for each message.
        Info = "info",
        /// why each message was judged as it was.
        Debug = "debug",
    }
}

choices! {
    /// A facility of syslog that a service may use (RFC 5424 §6.2.1).
    pub enum SyslogFacility {
        /// user-level messages.
        User = "user",
        /// the mail system.
        Mail = "mail",
        /// system daemons.
        Daemon = "daemon",
        /// security and authorization.
        Auth = "auth",
        /// local use 0.
        Local0 = "local0",
        /// local use 1.
        Local1 = "local1",
        /// local use 2.
        Local2 = "local2",
        /// local use 3.
        Local3 = "local3",
        /// local use 4.
        Local4 = "local4",
        /// local use 5.
        Local5 = "local5",
        /// local use 6.
        Local6 = "local6",
        /// local use 7.
        Local7 = "local7",
    }
}

table! {
    /// The service itself.
    pub struct ServerTable {
        keys {
            /// The user to become once the sockets are open, when started as root. Empty: the
            /// user that started the service.
            user: Option<String> = None, restarts since "0.1.0";

            /// The group to become. Empty: the first group of the user.
            group: Option<String> = None, restarts since "0.1.0";

            /// How long a session may take to end when the service is asked to stop.
            shutdown_grace: Duration = Duration::from_secs(30),
                [Duration::ZERO..=Duration::from_secs(600)], restarts since "0.1.0";
        }
    }
}

impl Settings {
    /// Everything there is to print, in the order of the file.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        self.add_items(&Self::default(), "", &mut items);
        items
    }

    /// The line that sets the key, from 1; nothing if the file does not mention it. The
    /// name is best made by [`key!`](crate::key).
    #[must_use]
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.written.place(key).map(|place| place.line)
    }

    /// The mistake that the value of `key` is refused for a reason that only the program
    /// can know, at its place in the file; `item` counts from 0 in a list.
    #[must_use]
    pub fn refuse(&self, key: &str, item: Option<usize>, why: impl Into<String>) -> Mistake {
        let item_place = item.and_then(|item| self.written.item_place(key, item));
        let place = item_place.or_else(|| self.written.place(key));
        Mistake {
            place,
            key: key.to_owned(),
            wrong: MistakeKind::Refused(why.into()),
        }
    }
}

/// Every key, in the order of the file.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let items = Settings::default().items();
    let keys = items.into_iter().filter_map(|item| match item {
        Item::Key { key, .. } => Some(key),
        Item::Table { .. } => None,
    });
    keys.collect()
});

/// The full name of a key, as text, from its path in [`Settings`]: `key!(dns.question_timeout)`.
/// It does not compile where there is no such field, so a name cannot go stale.
#[macro_export]
macro_rules! key {
    ($first:ident $(. $rest:ident)*) => {{
        let _ = |settings: &$crate::Settings| {
            let _ = &settings.$first $(.$rest)*;
        };
        concat!(stringify!($first) $(, ".", stringify!($rest))*)
    }};
}
