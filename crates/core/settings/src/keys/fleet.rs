//! The tables of a fleet: many hosts that share one picture, and who collects from them.

use std::path::PathBuf;
use std::time::Duration;

use landmarc_mail::DomainName;

use crate::value::fleet::{CollectorUrl, DatabaseUrl, Fingerprint};
use crate::value::system::WebAddress;
use crate::value::unit::Size;

table! {
    /// Many hosts, one picture.
    pub struct Fleet {
        keys {
            /// The database that all hosts share, PostgreSQL or MariaDB: "postgres://USER@HOST:PORT/NAME" or
            /// "mysql://USER@HOST:PORT/NAME". "landmarc store migrate" makes its tables, "landmarc store
            /// grants" prints the rights that the user needs. While it cannot be reached, mail is judged and
            /// written down as ever, and handed on later. Empty: none.
            database: Option<DatabaseUrl> = None, restarts since "0.1.0";

            /// The file whose first line is the password of that user. The environment variable
            /// LANDMARC_DATABASE_PASSWORD comes before it. Empty: none is asked for.
            password_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// Whether what goes to the database is encrypted.
            tls: DatabaseTls = DatabaseTls::Verified, restarts since "0.1.0";

            /// The certificates of the authorities that signed that of the database, or of the collector below, in
            /// PEM. For a database those that browsers trust count as well.
            ca_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// How many connections to the database this host keeps at most.
            connections: u32 = 4, [1..=64, "connections"], restarts since "0.1.0";

            /// How long the database may take over one statement, or to be connected to.
            statement_timeout: Duration = Duration::from_secs(30),
                [Duration::from_secs(1)..=Duration::from_secs(3600)], restarts since "0.1.0";

            /// Another landmarc that records are handed to over HTTPS, instead of a database:
            /// "https://HOST:PORT", what its "collector.listen" says. It makes the aggregate reports then,
            /// this host none. Empty: none.
            push_to: Option<CollectorUrl> = None, restarts since "0.1.0";

            /// The certificate that this host shows to the collector, in PEM, with the chain of its authorities.
            certificate_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// The key of that certificate, in PEM.
            key_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// Whether records are kept for "landmarc spool export", which writes them into files that
            /// "landmarc store import" takes in elsewhere. As with "push_to", this host makes no aggregate
            /// reports.
            export: bool = false, restarts since "0.1.0";

            /// What this host is called among the others. Empty: its host name.
            host: Option<String> = None, restarts since "0.1.0";

            /// Whether messages and their explanations are shared, for "log" and "explain" on any host. Without
            /// it there are only the counts that reports are made from; each host still has its own messages.
            observations: bool = true, restarts since "0.1.0";

            /// How much may wait on disk to be handed on. Past it explanations are given up first, the oldest
            /// first, then messages, counts last; "landmarc store status" tells.
            spool_max_size: Size = Size::mib(4 << 10), [Size::mib(1)..=Size::mib(1 << 24)],
                restarts since "0.1.0";

            /// How long the reports of a day wait for hosts that have not handed on all of it, after
            /// "report.settle". What comes later is counted, but not reported any more. A host that was
            /// not heard of for a week is not waited for.
            wait_for_hosts: Duration = Duration::from_secs(6 * 3600),
                [Duration::ZERO..=Duration::from_secs(48 * 3600)], reloads since "0.1.0";
        }
    }
}

choices! {
    /// Whether what goes to a database is encrypted.
    pub enum DatabaseTls {
        /// always, with a certificate that is right for the host; otherwise nothing is sent.
        Verified = "verified",
        /// always, whoever is at the other end.
        Required = "required",
        /// never: for a socket of this host, or a network that is trusted.
        Off = "off",
    }
}

table! {
    /// Records of other hosts are taken in over HTTPS.
    pub struct CollectorTable {
        keys {
            /// The addresses and ports to listen on. Empty: none.
            listen: Vec<WebAddress> = Vec::new(), restarts since "0.1.0";

            /// The certificate of this host, in PEM, with the chain of its authorities.
            certificate_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// The key of that certificate, in PEM.
            key_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// The certificates of the authorities of the hosts that may hand on records, in PEM. Who shows no
            /// certificate of theirs is not listened to.
            client_ca_file: Option<PathBuf> = None, restarts since "0.1.0";

            /// The names that certificates of mail hosts may have (DNS names of subjectAltName). A host whose
            /// certificate has none of them is refused, with its name and fingerprint in the log. Empty: every
            /// certificate of those authorities will do.
            allowed_names: Vec<DomainName> = Vec::new(), reloads since "0.1.0";

            /// Certificates that are refused though their authority is trusted, because their keys were stolen,
            /// say: the SHA-256 fingerprint of each, as "openssl x509 -noout -fingerprint -sha256" prints it.
            refused_fingerprints: Vec<Fingerprint> = Vec::new(), reloads since "0.1.0";

            /// How many hosts are listened to at once.
            max_connections: usize = 256, [1..=10_000, "connections"], restarts since "0.1.0";
        }
    }
}
