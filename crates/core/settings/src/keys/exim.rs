//! The table of the line socket for Exim.

use std::path::PathBuf;

use crate::value::fixed;
use crate::value::system::FileMode;

table! {
    /// The line socket that Exim asks.
    pub struct Exim {
        keys {
            /// The sockets to listen on, spelled as in "milter.listen". Empty: none. Exim is told the same in
            /// landmarc-macros.conf.
            listen: Vec<String> = Vec::new(), restarts since "0.1.0";

            /// The permissions of a unix socket. Whoever may write to it may have messages judged.
            socket_mode: FileMode = fixed("0660"), restarts since "0.1.0";

            /// The group of a unix socket, usually that of Exim (Debian: "Debian-exim"). Empty: the group
            /// of the service.
            socket_group: Option<String> = None, restarts since "0.1.0";

            /// Where Exim keeps messages: what "exim -bP spool_directory" prints. Bodies are read there, so the
            /// user of the service has to be in the group of Exim. Empty: they are not, and Exim has to send
            /// them along.
            spool_directory: Option<PathBuf> = Some(PathBuf::from("/var/spool/exim4")), restarts since "0.1.0";
        }
    }
}
