//! Reading as part of the service: on the clock, by the settings of each moment.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use landmarc_migrate::rspamd::{RspamdDay, Unread, Window};
use landmarc_settings::keys::Rspamd;
use landmarc_source::redis::Days;
use landmarc_store::{SERVICE_BUSY_TIMEOUT, StoreError, StoreLocation};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::accounts::{PasswordError, names, options};
use super::metrics::RspamdMetrics;
use super::policies::Policies;
use super::reading::{Order, ReadError, RspamdReading, WhenUnanswered, read};
use super::taker::ImportWriter;
use crate::{ImportMode, Imports};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::current::{ActiveSettings, Current};
use landmarc_runtime::error_chain::error_chain;

/// How often it is looked whether it is time, or whether the settings have changed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// How often a server is looked through for lists that has none: all its keys are gone through for that.
const BETWEEN_SEARCHES: Duration = Duration::from_secs(3600);
/// The most broken records that are told, each once.
const MAX_TOLD: usize = 1_000;

/// Begins to read, by the settings of each moment; where they name no server, not at all. It may be
/// aborted at any moment: what was written stays, and is not written again.
pub fn start(current: Arc<Current>, place: StoreLocation, metrics: Arc<RspamdMetrics>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = Reader::default();
        loop {
            looks.tick().await;
            let in_force = current.get();
            if reader.is_due(&in_force.settings.rspamd, Instant::now()) {
                reader.read(&in_force, &place, &metrics).await;
            }
        }
    })
}

/// What is remembered from one reading to the next.
#[derive(Default)]
struct Reader {
    /// By which settings was read last, and when that was begun.
    last: Option<(Rspamd, Instant)>,
    /// When the last reading was begun that came to its end, in Unix seconds.
    since_s: u64,
    /// When the server was looked through for lists last, and whether there were some.
    searched: Option<(Instant, bool)>,
    /// Why nothing can be read, as was told.
    trouble: Option<String>,
    /// Broken records that were told.
    told: HashSet<String>,
}

/// Why a reading failed.
#[derive(Debug, thiserror::Error)]
enum ImportFailure {
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ImportFailure {
    fn remedy(&self) -> &str {
        match self {
            Self::Password(error) => error.remedy(),
            Self::Read(ReadError::Redis(error)) => error.remedy(),
            Self::Read(ReadError::Store(error)) | Self::Store(error) => error.remedy(),
        }
    }
}

impl Reader {
    /// Whether it is time to read; other settings are taken up at once.
    fn is_due(&mut self, settings: &Rspamd, now: Instant) -> bool {
        if settings.servers.is_empty() {
            *self = Self::default();
            return false;
        }
        match &self.last {
            Some((by, at)) if by == settings => now.duration_since(*at) >= settings.interval,
            Some(_) => {
                // Other servers, or other names: what was known of the old ones is of no use.
                *self = Self::default();
                true
            }
            None => true,
        }
    }

    async fn read(&mut self, in_force: &ActiveSettings, place: &StoreLocation, metrics: &RspamdMetrics) {
        let begun = Instant::now();
        self.last = Some((in_force.settings.rspamd.clone(), begun));
        let now_s = now_ms() / 1_000;
        let lists = self.has_to_search(begun);
        let imports = open(in_force, place, now_s).await.map_err(ImportFailure::from);
        let done = match imports {
            Ok(imports) => self.read_until(in_force, imports, now_s, lists).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(reading) => {
                if lists {
                    self.searched = Some((begun, reading.lists > 0));
                }
                // A server that was not there may have counted meanwhile.
                if reading.missing.is_empty() {
                    self.since_s = now_s;
                }
                metrics.read(&reading, now_s);
                self.tell(&reading, begun.elapsed());
            }
            Err(error) => {
                metrics.failed();
                self.tell_trouble(error_chain(&error), error.remedy());
            }
        }
    }

    /// Whether lists are to be looked for: always where there are some, seldom where there are none.
    fn has_to_search(&self, now: Instant) -> bool {
        self.searched
            .is_none_or(|(at, found)| found || now.duration_since(at) >= BETWEEN_SEARCHES)
    }

    async fn read_until(
        &self,
        in_force: &ActiveSettings,
        imports: Imports,
        now_s: u64,
        lists: bool,
    ) -> Result<RspamdReading, ImportFailure> {
        let settings = &in_force.settings.rspamd;
        let order = Order {
            options: options(settings)?,
            names: names(settings),
            days: Days::Around(RspamdDay::at(now_s)),
            lists,
            window: Window {
                since_s: self.since_s,
                now_s,
            },
            when_unanswered: WhenUnanswered::WaitUntilTheDayEnds,
        };
        let mut taker = ImportWriter::new(imports);
        let mut policies = Policies::new(Some(in_force.resolver.clone()));
        Ok(read(&order, &mut policies, &mut taker).await?)
    }

    /// One line for each reading, one for each broken record, and one when something gets in the way or is
    /// out of it again.
    fn tell(&mut self, reading: &RspamdReading, took: Duration) {
        match reading.missing.first() {
            Some(error) => self.tell_trouble(error_chain(error), error.remedy()),
            None if self.trouble.take().is_some() => tracing::info!("records of rspamd are read again"),
            None => {}
        }
        if reading.are_too_many {
            tracing::warn!("there are more keys in Redis than are read: is rspamd.key_prefix right?");
        }
        for unread in &reading.unread {
            self.tell_unread(unread);
        }
        let imported = &reading.imported;
        for refused in &imported.refused {
            tracing::warn!("a record of rspamd cannot be counted: {}", refused.why);
        }
        tracing::info!(
            keys = reading.keys,
            records = reading.records,
            messages = imported.messages.new,
            known = imported.messages.known,
            broken = reading.broken,
            waiting = reading.waiting,
            ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "records of rspamd"
        );
        if imported.messages.of_reported_days > 0 {
            tracing::warn!(
                messages = imported.messages.of_reported_days,
                "records of rspamd came after the reports of their day were made: they are counted and not \
                 reported"
            );
        }
    }

    fn tell_unread(&mut self, unread: &Unread) {
        if self.told.len() < MAX_TOLD && self.told.insert(unread.to_string()) {
            tracing::warn!(remedy = unread.remedy(), "not read: {unread}");
        }
    }

    fn tell_trouble(&mut self, why: String, remedy: &str) {
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!(
                remedy,
                "records of rspamd cannot be read: {why}; it is tried again"
            );
            self.trouble = Some(why);
        }
    }
}

/// The store is opened for each reading: it is not held while there is nothing to do.
async fn open(in_force: &ActiveSettings, place: &StoreLocation, now_s: u64) -> Result<Imports, StoreError> {
    let (settings, place) = (in_force.settings.clone(), place.clone());
    let opened = tokio::task::spawn_blocking(move || {
        Imports::open(
            &place,
            &settings,
            ImportMode::Write,
            now_s * 1_000,
            SERVICE_BUSY_TIMEOUT,
        )
    });
    opened.await.map_err(|_| StoreError::Ended)?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: &str) -> Rspamd {
        Rspamd {
            servers: vec![server.parse().unwrap()],
            ..Rspamd::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_read_at_the_start_at_each_interval_and_after_a_change() {
        let (now, usual) = (Instant::now(), settings("127.0.0.1:6379"));
        let mut reader = Reader::default();
        assert!(!reader.is_due(&Rspamd::default(), now), "no server, no reading");
        assert!(reader.is_due(&usual, now));
        reader.last = Some((usual.clone(), now));
        reader.since_s = 1;
        let second = Duration::from_secs(1);
        assert!(!reader.is_due(&usual, now + usual.interval - second));
        assert!(reader.is_due(&usual, now + usual.interval));
        assert_eq!(reader.since_s, 1);
        assert!(reader.is_due(&settings("127.0.0.1:6390"), now + second));
        assert_eq!(
            (reader.since_s, reader.searched),
            (0, None),
            "nothing is known of that server"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_without_lists_is_seldom_looked_through() {
        let now = Instant::now();
        let mut reader = Reader::default();
        assert!(reader.has_to_search(now));
        reader.searched = Some((now, true));
        assert!(reader.has_to_search(now));
        reader.searched = Some((now, false));
        assert!(!reader.has_to_search(now + BETWEEN_SEARCHES - BETWEEN_LOOKS));
        assert!(reader.has_to_search(now + BETWEEN_SEARCHES));
    }

    #[test]
    fn the_same_trouble_and_the_same_broken_record_are_told_once() {
        let mut reader = Reader::default();
        reader.tell_trouble("redis is gone".to_owned(), "start it");
        assert_eq!(reader.trouble.as_deref(), Some("redis is gone"));
        reader.tell(&RspamdReading::default(), Duration::ZERO);
        assert_eq!(reader.trouble, None);
        let unread = |number: usize| Unread {
            key: number.to_string().into_bytes(),
            what: landmarc_migrate::rspamd::UnreadPart::TooMany { read: 1 },
        };
        for number in 0..=MAX_TOLD {
            reader.tell_unread(&unread(number));
            reader.tell_unread(&unread(number));
        }
        assert_eq!(reader.told.len(), MAX_TOLD);
    }

    /// Without a filter, a reporter or a page of metrics: a host that only reads. There is no Redis.
    #[tokio::test]
    async fn the_reader_starts_alone() {
        let text = "dns.name_servers = [\"127.0.0.1:53\"]\nrspamd.servers = [\"127.0.0.1:9\"]\n";
        let loaded = landmarc_runtime::load::read_with("test", text.as_bytes(), None, None).unwrap();
        let current = Arc::new(Current::new(ActiveSettings::new(loaded, None).unwrap()));
        let metrics = Arc::<RspamdMetrics>::default();
        let directory = std::env::temp_dir().join(format!("landmarc-reader-alone-{}", std::process::id()));
        let place = directory.join("landmarc.db").into();
        let task = start(current, place, Arc::clone(&metrics));
        let mut registry = prometheus_client::registry::Registry::default();
        metrics.register(&mut registry);
        let failed = || landmarc_runtime::metrics::encode([&registry]).contains("outcome=\"failed\"} 1");
        while !failed() {
            tokio::task::yield_now().await;
        }
        task.abort();
        // It may have made the directory, and may still be at it.
        let _ = (task.await, std::fs::remove_dir_all(&directory));
    }
}
