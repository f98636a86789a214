//! Many hosts, one picture: how this host hands on what it counted, and takes in what others hand on (decision D15).
//!
//! [`FleetConfig`] says what a host is in its fleet by its settings, and starts what follows from that: shipping from its
//! spool to a database or over HTTPS, collecting over HTTPS, the expiry of a shared database. Each of them runs without the
//! others, and without a filter or a reporter.
//!
//! It knows segments and heartbeats, and neither mail nor reports. Not implemented: several places to hand on to, because
//! numbers that one of them has would be missing at the other.

mod collecting;
mod config;
mod metrics;
mod shipping;
mod store_handle;

use landmarc_push::PushError;
use landmarc_settings::Settings;

pub use config::FleetConfig;
use landmarc_runtime::fleet_settings::FleetDatabaseError;
pub use metrics::FleetMetrics;

/// Up to when a host has handed on all that has ended in order: nobody waits for it until it comes back. It is in the
/// year 9999.
pub const LEFT_MS: u64 = 253_402_300_799_000;

/// File descriptors that other hosts and the database may take.
pub fn descriptors(settings: &Settings) -> usize {
    let (fleet, collector) = (&settings.fleet, &settings.collector);
    let of_database = fleet.database.as_ref().map_or(0, |_| fleet.connections);
    let of_collector = match collector.listen.len() {
        0 => 0,
        sockets => sockets + collector.max_connections + landmarc_push::PushLimits::default().handshakes,
    };
    usize::try_from(of_database).unwrap_or(usize::MAX) + of_collector
}

/// Why this host cannot take its part in the fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The database that all hosts share cannot be used.
    #[error(transparent)]
    Database(#[from] FleetDatabaseError),
    /// Records cannot be handed on or taken in over HTTPS.
    #[error(transparent)]
    Push(#[from] PushError),
}

impl FleetError {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::Database(error) => error.remedy(),
            Self::Push(error) => error.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::Arc;

    use landmarc_push::{BeatMessage, BeatReply, CertificateFiles, Client, ClientTls, Timeouts};
    use landmarc_runtime::current::{ActiveSettings, Current};
    use landmarc_runtime::tasks::Tasks;
    use landmarc_store::{Reader, Recorder, RecorderOptions};

    use super::*;

    /// An empty folder for one test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("landmarc-fleet-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    /// What a host with these settings does for its fleet, and what it does it with.
    async fn begun(
        folder: &Path,
        fleet: &str,
        metrics: &Arc<FleetMetrics>,
    ) -> (Tasks, Option<landmarc_push::ServerTls>) {
        let text = format!("dns.name_servers = [\"127.0.0.1:53\"]\nstore.directory = {folder:?}\n{fleet}\n");
        let loaded = landmarc_runtime::load::read_with("test", text.as_bytes(), None, None).unwrap();
        let config = FleetConfig::of(&loaded.settings).await.unwrap();
        let recorder = Recorder::open(RecorderOptions::at(folder.join("landmarc.db"))).unwrap();
        let current = Arc::new(Current::new(ActiveSettings::new(loaded, None).unwrap()));
        let mut tasks = Tasks::default();
        let certificates = config.start(&current, &Arc::new(recorder), metrics, &mut tasks);
        (tasks, certificates)
    }

    /// Without a filter, a reporter or a page of metrics: a host that only hands on. Its database is not there.
    #[tokio::test]
    async fn the_fleet_starts_alone() {
        let folder = folder("ships");
        let settings = "[fleet]\ndatabase = \"postgres://landmarc@127.0.0.1:9/landmarc\"\ntls = \"off\"";
        let (tasks, certificates) = begun(&folder, settings, &Arc::default()).await;
        assert!(certificates.is_none(), "it takes nothing in");
        tasks.end().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// An authority `ca`, and a certificate `host` that it has signed for 127.0.0.1.
    fn make_certificates(folder: &Path) -> CertificateFiles {
        let extensions = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
        std::fs::write(folder.join("extensions"), extensions).unwrap();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        for line in [
            format!("req -x509 {key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem"),
            format!("req {key} -subj /CN=host -keyout host.key -out host.csr"),
            "x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions -out host.pem"
                .to_owned(),
        ] {
            let mut openssl = Command::new("openssl");
            let ran = openssl
                .args(line.split_whitespace())
                .current_dir(folder)
                .output()
                .unwrap();
            assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
        }
        CertificateFiles {
            ca_file: folder.join("ca.pem"),
            certificate_file: folder.join("host.pem"),
            key_file: folder.join("host.key"),
        }
    }

    /// Without a filter, a reporter or a page of metrics: a host that only collects.
    #[tokio::test]
    async fn the_collecting_side_starts_alone() {
        let folder = folder("collects");
        let files = make_certificates(&folder);
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let settings = format!(
            "[collector]\nlisten = [\"{free}\"]\nclient_ca_file = {:?}\ncertificate_file = {:?}\nkey_file = {:?}",
            files.ca_file, files.certificate_file, files.key_file
        );
        let (tasks, certificates) = begun(&folder, &settings, &Arc::default()).await;
        assert!(certificates.is_some(), "its certificates can be read again");

        let tls = ClientTls::load(&files).unwrap();
        let client = Client::new(&format!("https://{free}"), &tls, Timeouts::default()).unwrap();
        let beat = BeatMessage {
            host: "00112233445566778899aabbccddeeff".to_owned(),
            name: "mx1.example".to_owned(),
            clock_ms: 1,
            caught_up_ms: 0,
            pending: 3,
        };
        assert_eq!(client.beat(&beat).await.unwrap(), BeatReply::default());
        let hosts = Reader::open(folder.join("landmarc.db")).unwrap().hosts().unwrap();
        let found: Vec<_> = hosts.iter().map(|host| (&*host.name, host.pending)).collect();
        assert_eq!(found, [("mx1.example", 3)]);
        tasks.end().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
