//! Handing on what this host counted, in the background: mail waits for none of it.
//!
//! Batches leave the spool when whoever takes them has said that they are on disk there. Handing one on twice
//! changes nothing, so that an answer which was lost costs a second look.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use landmarc_push::PushError;
use landmarc_store::{
    Applied, Collector, Heartbeat, HostProgress, Recorder, RecorderState, SERVICE_BUSY_TIMEOUT, Segment,
    Spool, SpoolAgreement, StoreError, StoreLocation,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::LEFT_MS;
use super::metrics::FleetMetrics;
use super::store_handle::StoreHandle;
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::error_chain::error_chain;
use landmarc_runtime::stop::{Stop, Stopper, stop};

/// How often it is looked whether something waits.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// A message waits for the disk for less, in milliseconds, as long as the disk takes what it is given.
const LONGEST_IN_MEMORY_MS: u64 = 60_000;
/// How often the others are told how far behind this host is.
const BETWEEN_BEATS: Duration = Duration::from_secs(15);
/// After this long without a word, one goes between two segments: whoever makes reports waits for a host that says it is behind.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);
/// After a failure it is tried again after this long, after each further one twice as long,
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// and this long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long handing on may take at the end of the service.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How much is handed on at a time, in octets: some thousand batches, a second of work for a database.
const SEGMENT_OCTETS: usize = 4 << 20;

/// Handing on, from now until [`Shipping::end`].
pub(crate) struct Shipping {
    stopper: Stopper,
    task: JoinHandle<ShippingTask>,
}

/// Whom what waits is handed to.
pub(crate) enum Receiver {
    /// A database that hosts share.
    Database(StoreLocation),
    /// Another landmarc.
    Push(landmarc_push::Client),
}

/// What is handed on, and in whose name.
pub(crate) struct Sender {
    /// The database of this host, which has the spool.
    pub database: PathBuf,
    /// What this host is called among the others.
    pub host: String,
}

/// Begins to hand on.
pub(crate) fn start(
    sender: Sender,
    receiver: Receiver,
    recorder: Weak<Recorder>,
    metrics: Arc<FleetMetrics>,
) -> Shipping {
    let (stopper, stop) = stop();
    let state = ShippingTask {
        sender,
        receiver,
        recorder,
        metrics,
        spool: StoreHandle::default(),
        collector: StoreHandle::default(),
        last_beat: None,
        said_behind: None,
        reported: None,
        failures: 0,
    };
    let task = tokio::spawn(state.run(stop));
    Shipping { stopper, task }
}

impl Shipping {
    /// Ends: what was written to the last is handed on, as far as there is time. The rest waits on disk.
    pub(crate) async fn end(self) {
        self.stopper.stop();
        // Where it takes too long, or fails, the next start goes on with it. A panic has been told by the hook.
        if let Ok(Ok(state)) = timeout(LAST_WORDS, self.task).await {
            let _ = timeout(LAST_WORDS, state.last_words()).await;
        }
    }
}

/// Why nothing can be handed on at the moment.
#[derive(Debug, thiserror::Error)]
enum ShippingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Push(#[from] PushError),
}

impl ShippingError {
    /// The same for as long as it lasts, whatever is being tried.
    fn cause(&self) -> String {
        match self {
            Self::Store(error) => error.cause(),
            Self::Push(error) => error.to_string(),
        }
    }

    fn remedy(&self) -> String {
        match self {
            Self::Store(error) => error.remedy().to_owned(),
            Self::Push(error) => error.remedy(),
        }
    }
}

struct ShippingTask {
    sender: Sender,
    receiver: Receiver,
    /// None any more when the service ends.
    recorder: Weak<Recorder>,
    metrics: Arc<FleetMetrics>,
    spool: StoreHandle<Spool>,
    collector: StoreHandle<Collector>,
    last_beat: Option<Instant>,
    /// When it was said that more is to come.
    said_behind: Option<Instant>,
    /// What is in the way, as was told.
    reported: Option<String>,
    failures: u32,
}

impl ShippingTask {
    async fn run(mut self, stop: Stop) -> Self {
        loop {
            tokio::select! {
                () = sleep(self.pause()) => {}
                () = stop.wait() => return self,
            }
            match self.hand_on(&stop).await {
                Ok(()) => self.recovered(),
                Err(error) => self.failed(&error),
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.failures.checked_sub(1) {
            None => BETWEEN_LOOKS,
            Some(further) => FIRST_PAUSE
                .saturating_mul(2_u32.saturating_pow(further))
                .min(LONGEST_PAUSE),
        }
    }

    /// All that waits, and then how far behind we are.
    async fn hand_on(&mut self, stop: &Stop) -> Result<(), ShippingError> {
        let caught_up_ms = self.in_spool_before();
        // What waits now, and not what comes while this lasts: where mail never ceases it would never end, and nobody
        // would hear how far we are.
        let mut waiting = self.with_spool(Spool::status).await?.entries;
        while waiting > 0
            && let Some(segment) = self.take().await?
        {
            self.say_behind().await?;
            waiting = waiting.saturating_sub(u64::try_from(segment.entries()).unwrap_or(u64::MAX));
            self.hand_over(segment).await?;
            if stop.is_set() {
                return Ok(());
            }
        }
        if self.last_beat.is_none_or(|last| last.elapsed() >= BETWEEN_BEATS) {
            self.beat(caught_up_ms).await?;
            self.last_beat = Some(Instant::now());
        }
        Ok(())
    }

    /// What is answered before this time is in the spool; none when nobody knows.
    fn in_spool_before(&self) -> Option<u64> {
        let now_ms = now_ms();
        let Some(recorder) = self.recorder.upgrade() else {
            return Some(now_ms);
        };
        match (recorder.statistics().queue_length, recorder.state()) {
            (0, _) => Some(now_ms),
            // Under load something always waits for the disk, and none of it for long.
            (_, RecorderState::Ok) => Some(now_ms.saturating_sub(LONGEST_IN_MEMORY_MS)),
            (_, RecorderState::Degraded) => None,
        }
    }

    /// Before the first segment, and now and then while many follow: else a host that has begun to hand on, and not come
    /// to its end, is taken for one that never says how far it is.
    async fn say_behind(&mut self) -> Result<(), ShippingError> {
        let said = self.last_beat.max(self.said_behind);
        if said.is_none_or(|last| last.elapsed() >= LONGEST_SILENCE) {
            self.beat(None).await?;
            self.said_behind = Some(Instant::now());
        }
        Ok(())
    }

    async fn hand_over(&self, segment: Segment) -> Result<(), ShippingError> {
        let applied = self.give(&segment).await?;
        self.metrics.shipped(&applied);
        if applied.of_reported_days > 0 {
            tracing::warn!(
                messages = applied.of_reported_days,
                "messages came after the reports of their day were made: they are counted and not reported"
            );
        }
        self.with_spool(move |spool| spool.remove(segment.host(), segment.last()))
            .await?;
        Ok(())
    }

    /// All that waits, and that nothing comes after it.
    async fn last_words(&self) -> Result<(), ShippingError> {
        while let Some(segment) = self.take().await? {
            self.hand_over(segment).await?;
        }
        self.beat(Some(LEFT_MS)).await
    }

    async fn take(&self) -> Result<Option<Segment>, StoreError> {
        self.with_spool(|spool| spool.take(SEGMENT_OCTETS)).await
    }

    async fn give(&self, segment: &Segment) -> Result<Applied, ShippingError> {
        match &self.receiver {
            Receiver::Database(place) => {
                let segment = segment.clone();
                let given = self.with_collector(place, move |collector| collector.apply(&segment, now_ms()));
                Ok(given.await?)
            }
            Receiver::Push(client) => {
                let reply = client.send(segment.to_octets()).await?;
                Ok(Applied {
                    new_batches: reply.batches,
                    known_batches: reply.known,
                    messages: reply.messages,
                    ..Applied::default()
                })
            }
        }
    }

    /// Tells how far we are, and hears how far the others think we are.
    async fn beat(&self, caught_up_ms: Option<u64>) -> Result<(), ShippingError> {
        let status = self.with_spool(Spool::status).await?;
        self.metrics.spool(&status);
        let Some(host) = status.host else {
            return Ok(());
        };
        let beat = Heartbeat {
            host,
            name: self.sender.host.clone(),
            clock_ms: now_ms(),
            caught_up_ms: caught_up_ms.unwrap_or(0),
            // Where that is not known, something waits in memory.
            pending: status.messages.max(u64::from(caught_up_ms.is_none())),
        };
        let known = match &self.receiver {
            Receiver::Database(place) => {
                self.with_collector(place, move |collector| collector.beat(&beat, now_ms()))
                    .await?
            }
            Receiver::Push(client) => {
                let known = client.beat(&beat_message(&beat)).await?;
                HostProgress {
                    through: known.through,
                    highest: known.highest,
                }
            }
        };
        let agreed = self
            .with_spool(move |spool| spool.agree(host, known.highest))
            .await?;
        if let SpoolAgreement::AnotherHost = agreed {
            tracing::warn!(
                "the database of this host is an older copy: it goes on as another host of the same name, so that \
                 nothing is taken for what was counted before"
            );
        }
        Ok(())
    }

    async fn with_spool<T: Send + 'static>(
        &self,
        does: impl FnOnce(&mut Spool) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (path, host) = (self.sender.database.clone(), self.sender.host.clone());
        let open = move || Spool::open(path, &host, SERVICE_BUSY_TIMEOUT);
        self.spool.with(open, does).await
    }

    async fn with_collector<T: Send + 'static>(
        &self,
        place: &StoreLocation,
        does: impl FnOnce(&mut Collector) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = place.clone();
        let open = move || Collector::open(&place, SERVICE_BUSY_TIMEOUT);
        self.collector.with(open, does).await
    }

    fn recovered(&mut self) {
        self.failures = 0;
        if self.reported.take().is_some() {
            tracing::info!("what waited is handed on again");
        }
    }

    /// Told once for each thing that is in the way, however often it is tried.
    fn failed(&mut self, error: &ShippingError) {
        self.failures = self.failures.saturating_add(1);
        self.metrics.failed();
        let cause = error.cause();
        if self.reported.as_ref() != Some(&cause) {
            tracing::warn!(
                remedy = error.remedy(),
                "records wait on disk to be handed on; mail goes on: {}",
                error_chain(error)
            );
            self.reported = Some(cause);
        }
    }
}

/// As it goes over HTTPS.
fn beat_message(beat: &Heartbeat) -> landmarc_push::BeatMessage {
    landmarc_push::BeatMessage {
        host: beat.host.to_string(),
        name: beat.name.clone(),
        clock_ms: beat.clock_ms,
        caught_up_ms: beat.caught_up_ms,
        pending: beat.pending,
    }
}
