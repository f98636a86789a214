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
        sockets => sockets + collector.max_connections + landmarc_push::Limits::default().handshakes,
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
