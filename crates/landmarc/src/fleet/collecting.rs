//! Taking in what other hosts hand on over HTTPS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use push::{ClientName, Known, Refusal, Reply, ServerTls, Taker};
use store::{Beat, Collector, HostId, Place, SERVICE_PATIENCE, Segment, StoreError};
use tokio::task::JoinHandle;

use crate::filter::Throttle;
use crate::metrics::Metrics;
use crate::records::now_ms;
use crate::reporter::{Stopper, stop};

/// How long a host waits that comes while the store cannot be written.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// How often the log tells of trouble.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// Taking in, from now until [`Collecting::end`].
pub(crate) struct Collecting {
    stopper: Stopper,
    tls: ServerTls,
    task: JoinHandle<()>,
}

/// Begins to take in.
pub(super) fn start(server: push::Server, tls: ServerTls, place: Place, metrics: Arc<Metrics>) -> Collecting {
    let (stopper, stop) = stop();
    let desk = Desk {
        shelf: Arc::new(Shelf {
            place,
            collector: Mutex::default(),
        }),
        metrics,
        warnings: Throttle::every(BETWEEN_WARNINGS),
    };
    let serves = tls.clone();
    let task = tokio::spawn(async move { server.run(serves, desk, async move { stop.wait().await }).await });
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

struct Desk {
    shelf: Arc<Shelf>,
    metrics: Arc<Metrics>,
    warnings: Throttle,
}

/// The store that all of it goes to.
struct Shelf {
    place: Place,
    /// None after trouble: the next one opens it anew.
    collector: Mutex<Option<Collector>>,
}

impl Taker for Desk {
    async fn segment(&self, from: ClientName, octets: Vec<u8>) -> Result<Reply, Refusal> {
        let taken = self.shelf.with(move |collector| {
            let segment = Segment::read(&octets)?;
            collector.apply(&segment, now_ms())
        });
        let applied = taken.await.map_err(|error| self.refused(&from, &error))?;
        self.metrics.fleet().taken(&applied);
        if applied.of_reported_days > 0 {
            tracing::warn!(
                messages = applied.of_reported_days,
                "messages of {from} came after the reports of their day were made: they are counted and not reported"
            );
        }
        Ok(Reply {
            batches: applied.new_batches,
            known: applied.known_batches,
            messages: applied.messages,
        })
    }

    async fn beat(&self, from: ClientName, beat: push::Beat) -> Result<Known, Refusal> {
        let Some(host) = HostId::of_text(&beat.host) else {
            return Err(Refusal::Unreadable {
                error: "this is no number of a host".to_owned(),
                remedy: "bring both hosts to the same release".to_owned(),
            });
        };
        let beat = Beat {
            host,
            name: beat.name,
            clock_ms: beat.clock_ms,
            caught_up_ms: beat.caught_up_ms,
            pending: beat.pending,
        };
        let known = self.shelf.with(move |collector| collector.beat(&beat, now_ms()));
        let known = known.await.map_err(|error| self.refused(&from, &error))?;
        Ok(Known {
            through: known.through,
            highest: known.highest,
        })
    }
}

impl Desk {
    fn refused(&self, from: &ClientName, error: &StoreError) -> Refusal {
        self.metrics.fleet().refused();
        if self.warnings.count(Instant::now()).is_some() {
            tracing::warn!(
                remedy = error.remedy(),
                "records of {from} were not taken in: {}",
                error.in_full()
            );
        }
        refusal(error)
    }
}

impl Shelf {
    /// Does something with the store where waiting for the disk holds up nobody.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        does: impl FnOnce(&mut Collector) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shelf = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let mut open = shelf.collector.lock().unwrap_or_else(PoisonError::into_inner);
            let collector = match &mut *open {
                Some(collector) => collector,
                none => none.insert(Collector::open(&shelf.place, SERVICE_PATIENCE)?),
            };
            let done = does(collector);
            if done.is_err() {
                *open = None;
            }
            done
        });
        done.await.unwrap_or(Err(StoreError::Ended))
    }
}

/// What the other host is told. One that is told to come again keeps what it has.
fn refusal(error: &StoreError) -> Refusal {
    match error {
        StoreError::Segment { .. } => Refusal::Unreadable {
            error: error.in_full(),
            remedy: error.remedy().to_owned(),
        },
        // What is wrong with our database is for our log.
        _ => Refusal::Away {
            error: "the store of the collector cannot be written at the moment".to_owned(),
            retry_after: TRY_AGAIN,
        },
    }
}
