//! What this host is in its fleet, as part of the service: who it hands on to, and who it takes in from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use landmarc_push::{CertificateFiles, Client, ClientTls, PushLimits, ServerTls, Timeouts};
use landmarc_settings::Settings;
use landmarc_settings::keys::Fleet;
use landmarc_store::{COMMAND_BUSY_TIMEOUT, DatabaseServer, Outbox, Recorder, StoreError, StoreLocation};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::FleetError;
use super::collecting;
use super::metrics::FleetMetrics;
use super::shipping::{self, Receiver, Sender};
use landmarc_runtime::clock::{in_ms, now_ms};
use landmarc_runtime::current::Current;
use landmarc_runtime::fleet_settings::{FleetMode, host, server};
use landmarc_runtime::lease_owner::lease_owner;
use landmarc_runtime::tasks::{ShutdownStage, Tasks};
use landmarc_runtime::{database, retention};

/// How often what is old is removed from the database of the fleet, by one of the hosts.
const BETWEEN_EXPIRIES: Duration = Duration::from_secs(3600);
/// The lease of the host that does.
const EXPIRY: &str = "expiry";

/// What this host is in its fleet by its settings, ready to begin.
pub struct FleetConfig {
    mode: FleetMode,
    place: StoreLocation,
    sender: Sender,
    receiver: Option<Receiver>,
    collector: Option<(landmarc_push::PushServer, ServerTls)>,
}

impl FleetConfig {
    /// By these settings. Reads passwords, keys and certificates, and opens the port for other hosts.
    ///
    /// # Errors
    /// When one of these cannot be used. That a database cannot be reached is none: mail comes first.
    pub async fn of(settings: &Settings) -> Result<Self, FleetError> {
        let shared = server(settings)?;
        let local = database::path(settings);
        let receiver = match (&shared, &settings.fleet.push_to) {
            (Some(server), _) => Some(Receiver::Database(server.clone().into())),
            (None, Some(url)) => {
                let tls = ClientTls::load(&files(&settings.fleet))?;
                Some(Receiver::Push(Client::new(
                    url.as_str(),
                    &tls,
                    Timeouts::default(),
                )?))
            }
            (None, None) => None,
        };
        Ok(Self {
            mode: FleetMode::of(settings),
            place: shared.map_or_else(|| (&local).into(), StoreLocation::from),
            sender: Sender {
                database: local,
                host: host(settings),
            },
            receiver,
            collector: collector(settings).await?,
        })
    }

    /// Where reports are made from and kept.
    pub fn place(&self) -> &StoreLocation {
        &self.place
    }

    /// What the log says of it at the start.
    pub fn introduce(&self) {
        let host = &self.sender.host;
        match (&self.receiver, self.mode) {
            (Some(Receiver::Database(place)), _) => {
                tracing::info!("records are handed on to {place}, as host {host}");
            }
            (Some(Receiver::Push(client)), _) => {
                tracing::info!(
                    "records are handed on to {}, as host {host}; aggregate reports are made there",
                    client.url()
                );
            }
            (None, FleetMode::Export) => tracing::info!(
                "records wait for \"landmarc spool export\", as those of host {host}; aggregate reports are made \
                 where they are imported"
            ),
            (None, _) => {}
        }
        let addresses = self
            .collector
            .iter()
            .flat_map(|(server, _)| server.local_addresses());
        for address in addresses {
            tracing::info!("records of other hosts are taken in at https://{address}");
        }
    }

    /// Begins; its tasks end with these. What shows other hosts who we are is handed back, to be read again.
    pub fn start(
        self,
        current: &Arc<Current>,
        recorder: &Arc<Recorder>,
        metrics: &Arc<FleetMetrics>,
        tasks: &mut Tasks,
    ) -> Option<ServerTls> {
        if let StoreLocation::Server(server) = &self.place {
            let expiring = expire_by_the_clock(server.clone(), Arc::clone(current));
            tasks.add(ShutdownStage::Collecting, async move {
                expiring.abort();
                // Aborted is what it should be.
                let _ = expiring.await;
            });
        }
        if let Some(receiver) = self.receiver {
            let (recorder, metrics) = (Arc::downgrade(recorder), Arc::clone(metrics));
            let shipping = shipping::start(self.sender, receiver, recorder, metrics);
            tasks.add(ShutdownStage::Shipping, shipping.end());
        }
        let (server, tls) = self.collector?;
        let (current, metrics) = (Arc::clone(current), Arc::clone(metrics));
        let collecting = collecting::start(server, tls, self.place, current, metrics);
        let certificates = collecting.tls();
        tasks.add(ShutdownStage::Collecting, collecting.end());
        Some(certificates)
    }
}

fn files(fleet: &Fleet) -> CertificateFiles {
    CertificateFiles {
        ca_file: named(fleet.ca_file.as_ref()),
        certificate_file: named(fleet.certificate_file.as_ref()),
        key_file: named(fleet.key_file.as_ref()),
    }
}

async fn collector(
    settings: &Settings,
) -> Result<Option<(landmarc_push::PushServer, ServerTls)>, FleetError> {
    let collector = &settings.collector;
    if collector.listen.is_empty() {
        return Ok(None);
    }
    let files = CertificateFiles {
        ca_file: named(collector.client_ca_file.as_ref()),
        certificate_file: named(collector.certificate_file.as_ref()),
        key_file: named(collector.key_file.as_ref()),
    };
    let addresses: Vec<_> = collector.listen.iter().map(|address| address.0).collect();
    let limits = PushLimits {
        connections: collector.max_connections,
        ..PushLimits::default()
    };
    let server = landmarc_push::PushServer::bind(&addresses, limits).await?;
    Ok(Some((server, ServerTls::load(files)?)))
}

/// The settings see to it that it is there.
fn named(file: Option<&PathBuf>) -> PathBuf {
    file.cloned().unwrap_or_default()
}

/// Removes what the settings no longer keep, every hour, when it is this host's turn.
fn expire_by_the_clock(server: DatabaseServer, current: Arc<Current>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut looks = interval(BETWEEN_EXPIRIES);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut clock = retention::clock(server.clone().into()).await;
        loop {
            looks.tick().await;
            let keep = retention::believing(&mut clock, retention::keep(&current.get().settings));
            let server = server.clone();
            let done = tokio::task::spawn_blocking(move || expire(&server, keep)).await;
            match done.unwrap_or(Err(StoreError::Ended)) {
                Ok(None) => {}
                Ok(Some(expired)) => retention::log_expired(&expired),
                Err(error) => tracing::warn!(
                    remedy = error.remedy(),
                    "old records were not removed from the database of the fleet: {}",
                    error.in_full()
                ),
            }
        }
    })
}

/// None when another host did it within the hour.
fn expire(
    server: &DatabaseServer,
    keep: landmarc_store::Retention,
) -> Result<Option<landmarc_store::ExpiredRecords>, StoreError> {
    let mut outbox = Outbox::open(server.clone(), COMMAND_BUSY_TIMEOUT)?;
    let lease = outbox.lease(EXPIRY, &lease_owner(), in_ms(BETWEEN_EXPIRIES), now_ms())?;
    lease.map(|_| server.expire(&keep)).transpose()
}
