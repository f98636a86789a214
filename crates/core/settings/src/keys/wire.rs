//! The tables of what talks to others: the milter socket, the HTTP port and DNS.

use std::time::Duration;

use landmarc_mail::DomainName;

use crate::value::fixed;
use crate::value::system::{FileMode, NameServer, WebAddress};

table! {
    /// The socket that the mail server speaks to.
    pub struct Milter {
        keys {
            /// The sockets to listen on: "inet:ADDRESS:PORT" or "unix:PATH". The mail server is told
            /// the same, in Postfix as smtpd_milters. Empty: none, where mail comes in another way.
            listen: Vec<String> = vec![fixed("inet:127.0.0.1:8894")], restarts since "0.1.0";

            /// The permissions of a unix socket. Whoever may write to it may have messages judged.
            socket_mode: FileMode = fixed("0660"), restarts since "0.1.0";

            /// The group of a unix socket, usually that of the mail server. Empty: the group of
            /// the service.
            socket_group: Option<String> = None, restarts since "0.1.0";

            /// How many sessions are served at once. A further one gets the place of the oldest TCP
            /// connection that began no message; without one it waits, unanswered.
            max_sessions: usize = 10_000, [1..=100_000, "sessions"], restarts since "0.1.0";

            /// How long the mail server may be silent within a message, or take over an answer of
            /// ours; then the session is dropped. Within a message its own client sets the pace,
            /// which RFC 5321 §4.5.3.2 gives up to ten minutes.
            stall_timeout: Duration = Duration::from_secs(600),
                [Duration::from_secs(1)..=Duration::from_secs(3600)], restarts since "0.1.0";

            /// How long the mail server may be silent between two messages. It keeps connections
            /// open for as long as its own clients do.
            idle_timeout: Duration = Duration::from_secs(7200),
                [Duration::from_secs(60)..=Duration::from_secs(86_400)], restarts since "0.1.0";
        }
    }
}

table! {
    /// The HTTP port for monitoring.
    pub struct Web {
        keys {
            /// The addresses and ports to listen on. /metrics is for Prometheus, /healthz and /readyz
            /// for whoever watches over the service. Nobody has to sign in, so whoever reaches the port
            /// can read them. Empty: no port.
            listen: Vec<WebAddress> = vec![fixed("127.0.0.1:8895")], restarts since "0.1.0";

            /// The names this host is asked under, such as in the targets of Prometheus. "localhost" and
            /// addresses are always right; requests for other names are refused, since a web site could
            /// make a browser on this host send them.
            host_names: Vec<DomainName> = Vec::new(), restarts since "0.1.0";
        }
    }
}

table! {
    /// How DNS is asked.
    pub struct DnsTable {
        keys {
            /// The name servers to ask, in this order, at most eight; port 53 where none is written.
            /// Empty: those of the system. A resolver on this host that validates DNSSEC is worth having: on
            /// the way to another host answers can be forged by who sees the queries. Who does not see them
            /// has to guess port, ID and the case of each letter.
            name_servers: Vec<NameServer> = Vec::new(), reloads since "0.1.0";

            /// How long one question may take, with all its repetitions.
            question_timeout: Duration = Duration::from_secs(5),
                [Duration::from_millis(100)..=Duration::from_secs(60)], reloads since "0.1.0";

            /// How long all questions for one message may take. The mail server waits as long, so
            /// stay well below its own limit (Postfix: milter_content_timeout).
            message_timeout: Duration = Duration::from_secs(20),
                [Duration::from_secs(1)..=Duration::from_secs(300)], reloads since "0.1.0";

            /// How many questions one message may cause. Beyond that it cannot be judged: see
            /// "failures.budget".
            questions_per_message: usize = 100, [10..=10_000, "questions"], reloads since "0.1.0";

            /// How many questions may be under way at once, for all messages together: three eighths of
            /// them for DMARC policies, a quarter each for SPF and for keys, the rest for everything else. Of
            /// each part no client network keeps more than others who wait: one that names many silent
            /// domains is answered by "failures.budget". Too low if landmarc_dns_answers_total counts
            /// "overload" without such a flood.
            questions_in_flight: usize = 256, [1..=10_000, "questions"], reloads since "0.1.0";

            /// How many answers are kept, each no longer than its time to live. 0: none.
            cache_entries: usize = 65_536, [0..=10_000_000, "answers"], reloads since "0.1.0";

            /// How long it is remembered that a question was not answered, so that a dead name
            /// server is not waited for again and again (RFC 9520 §3.2: one second to five minutes).
            failure_ttl: Duration = Duration::from_secs(5),
                [Duration::from_secs(1)..=Duration::from_secs(300)], reloads since "0.1.0";
        }
    }
}
