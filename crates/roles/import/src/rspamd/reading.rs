//! One reading: from the keys in Redis to the tally.

use std::collections::BTreeSet;

use landmarc_mail::DomainName;
use landmarc_migrate::Counted;
use landmarc_migrate::rspamd::{
    Names, RecordKey, RspamdDay, RspamdDisposition, RspamdEntry, Shape, Unread, Window,
};
use landmarc_source::redis::{Content, Days, RedisError, RedisOptions, RedisSession, Wanted};
use landmarc_store::StoreError;

use super::policies::{Policies, PolicyLookup};
use super::taker::ImportWriter;
use crate::ImportSummary;

/// The keys whose domains are asked about together.
const KEYS_AT_ONCE: usize = 64;
/// The most messages about single keys and records.
const MAX_UNREAD: usize = 1_000;

/// What is to be read.
pub struct Order {
    /// How Redis is reached.
    pub options: RedisOptions,
    /// What the keys are called there.
    pub names: Names,
    /// The days that are read.
    pub days: Days,
    /// Whether the server is to be looked through for lists of the first releases.
    pub lists: bool,
    /// The time of the records that are taken.
    pub window: Window,
    /// What is done with records while DNS does not answer.
    pub when_unanswered: WhenUnanswered,
}

/// What is done with records of domains that DNS does not answer about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnanswered {
    /// They wait for another reading.
    Wait,
    /// They wait until their day is over, and are taken as they are then: the reports of a day wait for nobody.
    WaitUntilTheDayEnds,
}

/// What a reading came to.
#[derive(Debug, Default)]
pub struct RspamdReading {
    /// Keys that hold records.
    pub keys: u64,
    /// Those of them that are lists.
    pub lists: u64,
    /// Records in them that could be read.
    pub records: u64,
    /// Keys and records that could not be read.
    pub broken: u64,
    /// Why, up to a limit.
    pub unread: Vec<Unread>,
    /// Messages that wait for another reading, since DNS did not answer about their domains.
    pub waiting: u64,
    /// Those domains.
    pub unanswered: BTreeSet<DomainName>,
    /// Servers that could not be reached.
    pub missing: Vec<RedisError>,
    /// Whether there were more keys than are read.
    pub are_too_many: bool,
    /// What came into the store.
    pub imported: ImportSummary,
}

/// Why a reading did not come to its end. What was read until then is in the store, and is not added again.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Redis.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads all that is there into the store.
///
/// # Errors
/// When Redis or the store fails.
pub async fn read(
    order: &Order,
    policies: &mut Policies,
    taker: &mut ImportWriter,
) -> Result<RspamdReading, ReadError> {
    let mut session = RedisSession::open(&order.options).await?;
    let wanted = Wanted {
        names: &order.names,
        days: order.days,
        lists: order.lists,
    };
    let keys = session.keys(&wanted).await?;
    let mut reading = RspamdReading {
        broken: keys.unread_count,
        unread: keys.unread,
        are_too_many: keys.are_too_many,
        ..RspamdReading::default()
    };
    for found in keys.found.chunks(KEYS_AT_ONCE) {
        let mut contents = Vec::with_capacity(found.len());
        for found in found {
            let content = session.content(found).await?;
            contents.push((&found.key, reading.note(&found.key, content, order.days)));
        }
        policies.ask(authors(&contents)).await;
        let mut counted = Vec::new();
        for (key, entries) in &contents {
            reading.count(key, entries, policies, order, &mut counted);
        }
        taker.take(counted).await?;
    }
    reading.missing = session.into_missing();
    reading.imported = taker.finish().await?;
    Ok(reading)
}

/// The Author Domains of these records.
fn authors(contents: &[(&RecordKey, Vec<RspamdEntry>)]) -> BTreeSet<DomainName> {
    let of_key = |(key, entries): &(&RecordKey, Vec<RspamdEntry>)| {
        let authors = entries.iter().map(|entry| entry.author_domain(key).clone());
        authors.collect::<BTreeSet<_>>()
    };
    contents.iter().flat_map(of_key).collect()
}

impl RspamdReading {
    /// Notes what a key holds; gives the records that are of the days wanted.
    fn note(&mut self, key: &RecordKey, content: Content, days: Days) -> Vec<RspamdEntry> {
        self.keys += 1;
        self.lists += u64::from(key.shape == Shape::Lines);
        self.broken += content.unread_count;
        let room = MAX_UNREAD.saturating_sub(self.unread.len());
        self.unread.extend(content.unread.into_iter().take(room));
        let is_wanted = |entry: &RspamdEntry| match (days, entry.record.seen_s) {
            (Days::One(day), Some(seen_s)) => RspamdDay::at(seen_s) == day,
            _ => true,
        };
        let entries: Vec<_> = content.entries.into_iter().filter(is_wanted).collect();
        self.records += entries.len() as u64;
        entries
    }

    /// Makes rows of records, but for those that wait.
    fn count(
        &mut self,
        key: &RecordKey,
        entries: &[RspamdEntry],
        policies: &Policies,
        order: &Order,
        counted: &mut Vec<Counted>,
    ) {
        let strongest = entries.iter().map(|entry| entry.record.disposition).max();
        for entry in entries {
            let author_domain = entry.author_domain(key);
            let policy = match policies.of(author_domain) {
                PolicyLookup::Policy(policy) => Some(policy),
                PolicyLookup::Unanswered if order.has_to_wait(key, entry) => {
                    self.waiting = self.waiting.saturating_add(entry.count);
                    self.unanswered.insert(author_domain.clone());
                    continue;
                }
                PolicyLookup::Unknown | PolicyLookup::Unanswered => None,
            };
            let strongest = strongest.unwrap_or(RspamdDisposition::None);
            counted.push(entry.counted(key, policy.as_deref(), strongest, order.window));
        }
    }
}

impl Order {
    fn has_to_wait(&self, key: &RecordKey, entry: &RspamdEntry) -> bool {
        let day = entry.record.seen_s.map(RspamdDay::at).or(key.day);
        match self.when_unanswered {
            WhenUnanswered::Wait => true,
            WhenUnanswered::WaitUntilTheDayEnds => day.is_some_and(|day| self.window.now_s < day.end_s()),
        }
    }
}
