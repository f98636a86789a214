//! Many hosts, one picture: how this host hands on what it counted, and where its fleet looks (decision D15).

mod collecting;
mod config;
mod metrics;
mod shipping;

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
    use std::sync::Arc;

    use landmarc_runtime::current::{ActiveSettings, Current};
    use landmarc_runtime::tasks::Tasks;
    use landmarc_store::{Recorder, RecorderOptions};

    use super::*;

    /// Without a filter, a reporter or a page of metrics: a host that only hands on. Its database is not there.
    #[tokio::test]
    async fn the_fleet_starts_alone() {
        let directory = std::env::temp_dir().join(format!("landmarc-fleet-alone-{}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let text = format!(
            "dns.name_servers = [\"127.0.0.1:53\"]\nstore.directory = {directory:?}\n\
             [fleet]\ndatabase = \"postgres://landmarc@127.0.0.1:9/landmarc\"\ntls = \"off\"\n"
        );
        let loaded = landmarc_runtime::load::read_with("test", text.as_bytes(), None, None).unwrap();
        let config = FleetConfig::of(&loaded.settings).await.unwrap();
        let recorder = Recorder::open(RecorderOptions::at(directory.join("landmarc.db"))).unwrap();
        let current = Arc::new(Current::new(ActiveSettings::new(loaded, None).unwrap()));
        let mut tasks = Tasks::default();
        let certificates = config.start(&current, &Arc::new(recorder), &Arc::default(), &mut tasks);
        assert!(certificates.is_none(), "it takes nothing in");
        tasks.end().await;
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
