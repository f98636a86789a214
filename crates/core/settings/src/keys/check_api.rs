//! The table of the check API: how programs that speak no milter have their messages judged.

use std::path::PathBuf;

use landmarc_mail::DomainName;

use crate::value::fixed;
use crate::value::system::FileMode;
use crate::value::unit::Size;

table! {
    /// The check API: judging messages by HTTP.
    pub struct CheckApiTable {
        keys {
            /// The sockets to listen on, spelt as those of the milter: "inet:ADDRESS:PORT" or
            /// "unix:PATH". The same socket speaks the protocol of rspamd (/checkv2, and RSPAMC as Exim
            /// speaks it). Empty: none.
            listen: Vec<String> = Vec::new(), restarts since "0.1.0";

            /// The permissions of a unix socket. Whoever may write to it may have messages judged, and
            /// written down.
            socket_mode: FileMode = fixed("0660"), restarts since "0.1.0";

            /// The group of a unix socket, usually that of the mail server. Empty: the group of
            /// the service.
            socket_group: Option<String> = None, restarts since "0.1.0";

            /// A file with the secret that each request has to name ("Authorization: Bearer SECRET", or the
            /// password of rspamd's clients), without the line end after it. Empty: whoever reaches the
            /// socket may ask.
            secret_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// The names this host is asked under. "localhost" and addresses are always right; requests
            /// for other names are refused, since a web site could make a browser on this host send them.
            host_names: Vec<DomainName> = Vec::new(), restarts since "0.1.0";

            /// How many requests are served at once. A further one gets the place of the oldest TCP
            /// connection that sent no whole request header; without one it waits, unanswered.
            max_connections: usize = 256, [1..=10_000, "connections"], restarts since "0.1.0";

            /// How large a message may be. One that is larger is refused, not judged in part.
            max_message_size: Size = Size::mib(100), [Size::kib(64)..=Size::mib(4096)], restarts since "0.1.0";
        }
    }
}
