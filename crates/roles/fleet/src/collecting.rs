//! Taking in what other hosts hand on over HTTPS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landmarc_push::{BeatReply, ClientName, PushRefusal, SegmentReceiver, SegmentReply, ServerTls};
use landmarc_settings::keys::CollectorTable as Admission;
use landmarc_store::{
    Collector, Heartbeat, HostId, MAX_OWNERS, Outbox, SERVICE_BUSY_TIMEOUT, Segment, StoreError,
    StoreLocation,
};
use tokio::task::JoinHandle;

use super::metrics::FleetMetrics;
use super::store_handle::StoreHandle;
use landmarc_net::LogLimit;
use landmarc_runtime::clock::{in_ms, now_ms};
use landmarc_runtime::current::Current;
use landmarc_runtime::stop::{Stopper, stop};

/// How long a host waits that comes while the store cannot be written.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// How often the log tells of trouble.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// How long the number of a host belongs to the certificate that used it last. A host takes a new number at each start; one
/// that was not heard of for a week is not waited for, either.
const BOUND: Duration = Duration::from_secs(7 * 86_400);
/// How often that is written down anew while a host hands on.
const BETWEEN_BINDINGS: Duration = Duration::from_secs(3600);
/// Before the number in the name of the lease that says whose it is; those of other leases come before it.
const BINDING: &str = "sender ";

/// Taking in, from now until [`Collecting::end`].
pub(crate) struct Collecting {
    stopper: Stopper,
    tls: ServerTls,
    task: JoinHandle<()>,
}

/// Begins to take in.
pub(super) fn start(
    server: landmarc_push::PushServer,
    tls: ServerTls,
    place: StoreLocation,
    current: Arc<Current>,
    metrics: Arc<FleetMetrics>,
) -> Collecting {
    let (stopper, stop) = stop();
    let handler = CollectionHandler {
        current,
        store: Arc::new(CollectedStore {
            place,
            collector: StoreHandle::default(),
            bound: Mutex::default(),
        }),
        metrics,
        warnings: LogLimit::every(BETWEEN_WARNINGS),
        refusals: LogLimit::every(BETWEEN_WARNINGS),
    };
    let serves = tls.clone();
    let task = tokio::spawn(async move {
        server
            .run(serves, handler, async move { stop.wait().await })
            .await;
    });
    Collecting { stopper, tls, task }
}

impl Collecting {
    /// What shows who we are.
    pub(crate) fn tls(&self) -> ServerTls {
        self.tls.clone()
    }

    /// Ends; what is being taken in may end.
    pub(crate) async fn end(self) {
        self.stopper.stop();
        // A panic has been told by the hook.
        let _ = self.task.await;
    }
}

struct CollectionHandler {
    /// Has the settings in force.
    current: Arc<Current>,
    store: Arc<CollectedStore>,
    metrics: Arc<FleetMetrics>,
    warnings: LogLimit,
    /// Of certificates that are refused.
    refusals: LogLimit,
}

/// The store that all of it goes to.
struct CollectedStore {
    place: StoreLocation,
    collector: StoreHandle<Collector>,
    /// Whose the numbers of hosts are, and since when that is written down; at most [`MAX_OWNERS`].
    bound: Mutex<HashMap<HostId, (String, Instant)>>,
}

/// Whether the number of a host belongs to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    Ours,
    /// A certificate without our names used it first.
    Anothers,
    /// There are as many hosts as there may be.
    TooMany,
}

impl SegmentReceiver for CollectionHandler {
    fn admits(&self, from: &ClientName) -> Result<(), PushRefusal> {
        let Some((error, remedy)) = refused_by(&self.current.get().settings.collector, from) else {
            return Ok(());
        };
        self.metrics.refused();
        if self.refusals.count().is_some() {
            tracing::warn!(
                names = from.names.join(" "),
                fingerprint = from.fingerprint,
                "a host is refused by its certificate: {error}"
            );
        }
        Err(PushRefusal::Forbidden {
            error: error.to_owned(),
            remedy: remedy.to_owned(),
        })
    }

    async fn segment(&self, from: ClientName, octets: Vec<u8>) -> Result<SegmentReply, PushRefusal> {
        let segment = Segment::read(&octets).map_err(|source| self.refused(&from, &source.into()))?;
        self.bound(&from, segment.host()).await?;
        let taken = self
            .store
            .with(move |collector| collector.apply(&segment, now_ms()));
        let applied = taken.await.map_err(|error| self.refused(&from, &error))?;
        self.metrics.taken(&applied);
        if applied.of_reported_days > 0 {
            tracing::warn!(
                messages = applied.of_reported_days,
                "messages of {from} came after the reports of their day were made: they are counted and not reported"
            );
        }
        Ok(SegmentReply {
            batches: applied.new_batches,
            known: applied.known_batches,
            messages: applied.messages,
        })
    }

    async fn beat(
        &self,
        from: ClientName,
        beat: landmarc_push::BeatMessage,
    ) -> Result<BeatReply, PushRefusal> {
        let Some(host) = HostId::of_text(&beat.host) else {
            return Err(PushRefusal::Unreadable {
                error: "this is no number of a host".to_owned(),
                remedy: "bring both hosts to the same release".to_owned(),
            });
        };
        self.bound(&from, host).await?;
        let beat = Heartbeat {
            host,
            name: beat.name,
            clock_ms: beat.clock_ms,
            caught_up_ms: beat.caught_up_ms,
            pending: beat.pending,
        };
        let known = self.store.with(move |collector| collector.beat(&beat, now_ms()));
        let known = known.await.map_err(|error| self.refused(&from, &error))?;
        Ok(BeatReply {
            through: known.through,
            highest: known.highest,
        })
    }
}

impl CollectionHandler {
    /// Who learns the number of another host could use up the numbers of its batches: what that host hands on would
    /// pass for known.
    async fn bound(&self, from: &ClientName, host: HostId) -> Result<(), PushRefusal> {
        let binding = self.store.bind(host, from).await;
        let (error, remedy) = match binding.map_err(|error| self.refused(from, &error))? {
            Binding::Ours => return Ok(()),
            Binding::Anothers => (
                "these are records of a host whose certificate has another name",
                "give this host a certificate that has its earlier name beside the new one (subjectAltName takes several), \
                 for a week at least; or carry what waits there by \"landmarc spool export\" and \"landmarc store import\"",
            ),
            Binding::TooMany => (
                "the collector knows as many hosts as it takes in a week",
                "a host takes a new number at each start: look for one that starts again and again",
            ),
        };
        self.metrics.refused();
        if self.refusals.count().is_some() {
            tracing::warn!(
                names = from.names.join(" "),
                fingerprint = from.fingerprint,
                host_id = host.short(),
                remedy,
                "records are refused: {error}"
            );
        }
        Err(PushRefusal::Forbidden {
            error: error.to_owned(),
            remedy: remedy.to_owned(),
        })
    }

    fn refused(&self, from: &ClientName, error: &StoreError) -> PushRefusal {
        self.metrics.refused();
        if self.warnings.count().is_some() {
            tracing::warn!(
                remedy = error.remedy(),
                "records of {from} were not taken in: {}",
                error.in_full()
            );
        }
        refusal(error)
    }
}

impl CollectedStore {
    /// Binds the number of a host to a name of the certificate, unless it is another's. The lease is in the store, so
    /// that it holds for every collector, and after a restart.
    async fn bind(self: &Arc<Self>, host: HostId, from: &ClientName) -> Result<Binding, StoreError> {
        let names = match from.names.as_slice() {
            [] => vec![from.fingerprint.clone()],
            names => names.to_vec(),
        };
        if self.is_bound(host, &names) {
            return Ok(Binding::Ours);
        }
        let store = Arc::clone(self);
        let bound = tokio::task::spawn_blocking(move || {
            let mut outbox = Outbox::open(store.place.clone(), SERVICE_BUSY_TIMEOUT)?;
            let lease = format!("{BINDING}{host}");
            let leases = outbox.leases()?;
            if leases.len() >= MAX_OWNERS && !leases.iter().any(|(name, _)| *name == lease) {
                return Ok(Binding::TooMany);
            }
            for name in names {
                if outbox.lease(&lease, &name, in_ms(BOUND), now_ms())?.is_some() {
                    store.note(host, name);
                    return Ok(Binding::Ours);
                }
            }
            Ok(Binding::Anothers)
        });
        bound.await.unwrap_or(Err(StoreError::Ended))
    }

    fn is_bound(&self, host: HostId, names: &[String]) -> bool {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound
            .get(&host)
            .is_some_and(|(name, since)| names.contains(name) && since.elapsed() < BETWEEN_BINDINGS)
    }

    fn note(&self, host: HostId, name: String) {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.retain(|_, (_, since)| since.elapsed() < BETWEEN_BINDINGS);
        if bound.len() < MAX_OWNERS {
            bound.insert(host, (name, Instant::now()));
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        does: impl FnOnce(&mut Collector) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.place.clone();
        let open = move || Collector::open(&place, SERVICE_BUSY_TIMEOUT);
        self.collector.with(open, does).await
    }
}

/// Why a certificate of a trusted authority is not accepted, and what can be done on the collector; none when it is.
fn refused_by(admission: &Admission, from: &ClientName) -> Option<(&'static str, &'static str)> {
    let mut refused = admission.refused_fingerprints.iter();
    if refused.any(|fingerprint| fingerprint.as_str() == from.fingerprint) {
        return Some((
            "the collector refuses this certificate: it is in collector.refused_fingerprints",
            "give this host another key and certificate",
        ));
    }
    let is_allowed = |name: &String| {
        let name = name.to_ascii_lowercase();
        admission
            .allowed_names
            .iter()
            .any(|allowed| allowed.as_str() == name)
    };
    match admission.allowed_names.is_empty() || from.names.iter().any(is_allowed) {
        true => None,
        false => Some((
            "the collector refuses this certificate: none of its names is in collector.allowed_names",
            "add the name of this host to collector.allowed_names on the collector and send SIGHUP to landmarc there",
        )),
    }
}

/// What the other host is told. One that is told to come again keeps what it has.
fn refusal(error: &StoreError) -> PushRefusal {
    match error {
        StoreError::Segment { .. } => PushRefusal::Unreadable {
            error: error.in_full(),
            remedy: error.remedy().to_owned(),
        },
        // What is wrong with our database is for our log.
        _ => PushRefusal::Away {
            error: "the store of the collector cannot be written at the moment".to_owned(),
            retry_after: TRY_AGAIN,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(settings: &str) -> Admission {
        landmarc_settings::read(&format!("[collector]\n{settings}\n"))
            .unwrap()
            .0
            .collector
    }

    /// The number of a host belongs to the first certificate that used it, also for a collector that begins anew.
    #[tokio::test]
    async fn a_host_is_bound_to_the_name_of_its_certificate() {
        let folder = std::env::temp_dir().join(format!("landmarc-bound-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = || {
            Arc::new(CollectedStore {
                place: (&folder.join("landmarc.db")).into(),
                collector: StoreHandle::default(),
                bound: Mutex::default(),
            })
        };
        let (first, host) = (store(), HostId::from([1; 16]));
        let mx1 = client(&["mx1.example"], "ab");
        let mx2 = client(&["mx2.example"], "cd");
        let renamed = client(&["mail.example", "mx1.example"], "ef");
        assert_eq!(first.bind(host, &mx1).await.unwrap(), Binding::Ours);
        for store in [first, store()] {
            assert_eq!(store.bind(host, &mx2).await.unwrap(), Binding::Anothers);
            assert_eq!(store.bind(host, &renamed).await.unwrap(), Binding::Ours);
            assert_eq!(store.bind(host, &mx1).await.unwrap(), Binding::Ours);
            let other = HostId::from([2; 16]);
            assert_eq!(store.bind(other, &mx2).await.unwrap(), Binding::Ours);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn client(names: &[&str], fingerprint: &str) -> ClientName {
        ClientName {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            fingerprint: fingerprint.repeat(32),
        }
    }

    #[test]
    fn a_certificate_is_refused_by_its_fingerprint_and_accepted_by_its_names() {
        let anyone = admission("");
        assert_eq!(refused_by(&anyone, &client(&[], "ab")), None);
        let stolen = admission(&format!("refused_fingerprints = [\"{}\"]", "AB".repeat(32)));
        assert!(refused_by(&stolen, &client(&["mx1.example"], "ab")).is_some());
        assert_eq!(refused_by(&stolen, &client(&["mx1.example"], "cd")), None);
        let named = admission("allowed_names = [\"mx1.example\", \"mx2.example\"]");
        assert_eq!(
            refused_by(&named, &client(&["other.example", "MX2.example"], "ab")),
            None
        );
        for names in [&[][..], &["mx3.example"], &["a.mx1.example"]] {
            let (error, remedy) = refused_by(&named, &client(names, "ab")).unwrap();
            assert!(error.contains("allowed_names") && remedy.contains("SIGHUP"));
        }
    }
}
