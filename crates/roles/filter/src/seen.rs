//! Reads what the mail of the last days shows, beside the mail (decision D5).
//!
//! The counts of past days are read once and kept; those of today and yesterday are read again. The store is
//! only read, some rows at a time. Where that fails there is no such evidence, until it succeeds.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::DomainName;
use landmarc_observation::TallyRow;
use landmarc_receiver::seen::{DayBuilder, SIGNING_DAYS, Seen, SeenDay, SeenHistory, SeenTable, Sighting};
use landmarc_settings::Settings;
use landmarc_store::{Day, Reader, StoreError, StoreLocation};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use landmarc_runtime::clock::now_ms;
use landmarc_runtime::current::Current;
use landmarc_runtime::database;
use landmarc_runtime::metrics::{MetricWriter, SECONDS};

/// How often the store is read. A day of 300,000 rows takes some seconds of one processor.
const BETWEEN_READS: Duration = Duration::from_secs(3600);
/// How soon it is read again when that failed.
const BETWEEN_TRIES: Duration = Duration::from_secs(60);
/// The pause is so many times as long as the reading before it at least, however large the store.
const PAUSE_PER_READING: u32 = 99;
/// How long a command that judges messages from files reads the store before it goes on without.
const MAX_COMMAND: Duration = Duration::from_secs(10);
/// Days that are read again: today, and the one before, of which other hosts may hand in something late.
const OPEN_DAYS: u32 = 2;

/// What was seen, for all sessions.
#[derive(Debug)]
pub struct SeenMail {
    status: Mutex<SeenStatus>,
}

/// What is counted of it.
#[derive(Clone, Debug)]
pub struct SeenStatus {
    /// What judgements look in.
    pub seen: Seen,
    /// When the store was last read, in milliseconds since the epoch; 0 for never.
    pub read_ms: u64,
    /// How often it could not be read.
    pub failures: u64,
}

impl Default for SeenMail {
    fn default() -> Self {
        let status = SeenStatus {
            seen: Seen::Away,
            read_ms: 0,
            failures: 0,
        };
        Self {
            status: Mutex::new(status),
        }
    }
}

impl SeenMail {
    /// What a judgement may look in.
    pub fn now(&self) -> Seen {
        self.lock().seen.clone()
    }

    /// What is counted of it.
    pub fn status(&self) -> SeenStatus {
        self.lock().clone()
    }

    /// Puts this in force, as it was read at that time.
    pub fn set(&self, seen: Seen, read_ms: u64) {
        let mut current = self.lock();
        current.seen = seen;
        current.read_ms = read_ms;
    }

    fn failed(&self) {
        let mut current = self.lock();
        current.seen = Seen::Away;
        current.failures += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SeenStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SeenStatus {
    /// Writes what is counted of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, writer: &mut MetricWriter<'_>) -> fmt::Result {
        let none = SeenTable::default();
        let table = match &self.seen {
            Seen::Known(table) => table,
            Seen::Off | Seen::Away | Seen::Young(_) => &none,
        };
        let kinds = [
            ("domain", table.domains()),
            ("signing_domain", table.signing_domains()),
            ("network", table.networks()),
            ("spoofer", table.spoofers()),
        ];
        let rows = kinds.map(|(kind, count)| ([("kind", kind)], u64::try_from(count).unwrap_or(u64::MAX)));
        writer.gauges(
            "landmarc_seen_entries",
            "Domains and networks of which the records of the last days show something; 0 while they are no evidence.",
            rows,
        )?;
        writer.counter(
            "landmarc_seen_failures",
            "Attempts to read the records for evidence that failed.",
            self.failures,
        )?;
        let seconds = self.read_ms / 1_000;
        let help = "When the records were read for evidence last; 0 for never.";
        writer.gauge("landmarc_seen_timestamp", help, SECONDS, &seconds)
    }
}

/// Reads the store at the start and from then on, as long as the settings of that moment ask for it.
pub fn start(current: Arc<Current>, seen_mail: Arc<SeenMail>, place: StoreLocation) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut history = SeenHistory::default();
        let mut is_away = false;
        loop {
            let in_force = current.get();
            if !in_force.settings.action.evidence_from_records {
                seen_mail.set(Seen::Off, 0);
                sleep(BETWEEN_TRIES).await;
                continue;
            }
            let suffixes = Arc::clone(&in_force.rules.suffixes);
            drop(in_force);
            let (place, begun, now) = (place.clone(), Instant::now(), now_ms());
            let read = tokio::task::spawn_blocking(move || {
                let result =
                    Reader::open(place).and_then(|reader| refresh(&mut history, &reader, &suffixes, now));
                (history, result)
            });
            let result = match read.await {
                Ok((read, result)) => {
                    history = read;
                    result
                }
                // A bug; the runtime has logged the panic. What was read is gone with it.
                Err(_) => {
                    history = SeenHistory::default();
                    seen_mail.failed();
                    sleep(BETWEEN_TRIES).await;
                    continue;
                }
            };
            match result {
                Ok(seen) => {
                    let elapsed = begun.elapsed();
                    seen_mail.set(seen.clone(), now);
                    // After it is in force: whoever reads the line may rely on it.
                    log(&seen, elapsed);
                    is_away = false;
                    sleep(BETWEEN_READS.max(elapsed * PAUSE_PER_READING)).await;
                }
                Err(error) => {
                    seen_mail.failed();
                    if !is_away {
                        tracing::warn!(
                            remedy = error.remedy(),
                            error = error.in_full(),
                            "what was seen of domains and networks cannot be read: it is no evidence until it can"
                        );
                    }
                    is_away = true;
                    sleep(BETWEEN_TRIES).await;
                }
            }
        }
    })
}

fn log(seen: &Seen, elapsed: Duration) {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    match seen {
        Seen::Known(table) => tracing::info!(
            domains = table.domains(),
            signing = table.signing_domains(),
            networks = table.networks(),
            spoofers = table.spoofers(),
            ms,
            "evidence from what was seen was read"
        ),
        Seen::Young(days) => tracing::info!(days, ms, "the store is too young to give evidence"),
        Seen::Off | Seen::Away => {}
    }
}

/// Brings the history up to now, from the store. What was read of past days stays as it is.
///
/// # Errors
/// When the store cannot be read. What was read before that is kept.
pub fn refresh(
    history: &mut SeenHistory,
    reader: &Reader,
    suffixes: &Suffixes,
    now_ms: u64,
) -> Result<Seen, StoreError> {
    refresh_until(history, reader, suffixes, now_ms, None)
}

/// The same, but no longer than to this moment: then it is as if there were no store.
fn refresh_until(
    history: &mut SeenHistory,
    reader: &Reader,
    suffixes: &Suffixes,
    now_ms: u64,
    deadline: Option<Instant>,
) -> Result<Seen, StoreError> {
    let today = Day::at(now_ms);
    let first = today.back(SIGNING_DAYS - 1);
    history.expire(today.0);
    let days = reader.reporting_days()?;
    for day in days.into_iter().filter(|day| (first..=today).contains(day)) {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(Seen::Away);
        }
        let is_open = day.0 + OPEN_DAYS > today.0;
        if is_open || !history.has(day.0) {
            let known = history.table(day.0.saturating_sub(1));
            history.put(day.0, read_day(reader, day, &known, suffixes)?);
        }
    }
    // Networks of days that have just been read may be too old to count.
    history.expire(today.0);
    Ok(history.seen(today.0))
}

/// For a command that judges as the service would: what its store shows, if there is one that can be read.
pub fn for_command(settings: &Settings, suffixes: &Suffixes, now_ms: u64) -> Seen {
    if !settings.action.evidence_from_records {
        return Seen::Off;
    }
    let deadline = Some(Instant::now() + MAX_COMMAND);
    let Ok(place) = database::place(settings) else {
        return Seen::Away;
    };
    if matches!(&place, StoreLocation::File(path) if !path.exists()) {
        return Seen::Away;
    }
    let read = Reader::open(place);
    let mut history = SeenHistory::default();
    let seen = read.and_then(|reader| refresh_until(&mut history, &reader, suffixes, now_ms, deadline));
    seen.unwrap_or(Seen::Away)
}

fn read_day(
    reader: &Reader,
    day: Day,
    known: &SeenTable,
    suffixes: &Suffixes,
) -> Result<SeenDay, StoreError> {
    let mut builder = DayBuilder::new(known, suffixes);
    for domain in reader.reporting_day(day)? {
        let domain = domain?;
        // Of a day of which some was left out nobody knows what: a flood must not choose it.
        if domain.left_out_rows > 0 {
            continue;
        }
        for row in &domain.rows {
            add(&mut builder, &row.row, row.count);
        }
    }
    Ok(builder.finish())
}

fn add(builder: &mut DayBuilder<'_>, row: &TallyRow, count: u64) {
    let Ok(author) = DomainName::parse(&row.header_from) else {
        return;
    };
    if !is_settled(row) {
        return;
    }
    builder.add(&Sighting {
        author: &author,
        client: row.source_ip,
        count,
        spf_aligned: row.spf_aligned,
        dkim_aligned: row.dkim_aligned,
        is_signed: is_signed(row),
        // A row that stands for many says neither who signed them nor what SPF passed for: no forgery is proven by it.
        is_authenticated: is_authenticated(row) || row.is_folded(),
    });
}

/// Whether nothing that decides was left open by DNS.
fn is_settled(row: &TallyRow) -> bool {
    let by_spf = row
        .spf
        .as_ref()
        .is_some_and(|(_, _, result)| result == "temperror");
    let by_dkim = row.dkim.iter().any(|(_, _, result)| result == "temperror");
    let by_reason = row.reasons.iter().any(|(kind, _)| kind == "other");
    row.spf_aligned || row.dkim_aligned || !(by_spf || by_dkim || by_reason)
}

/// Whether a signature is there that may be genuine: of mail of its own hosts, one of the domain that the
/// policy is of; of mail that fails, anybody's.
fn is_signed(row: &TallyRow) -> bool {
    let policy_domain = DomainName::parse(&row.policy_domain);
    let is_own = |domain: &str| match (&policy_domain, DomainName::parse(domain)) {
        (Ok(policy_domain), Ok(domain)) => domain.is_at_or_below(policy_domain),
        _ => false,
    };
    let may_be = |result: &str| matches!(result, "pass" | "fail" | "policy" | "temperror");
    let mut signatures = row.dkim.iter();
    signatures.any(|(domain, _, result)| may_be(result) && (!row.spf_aligned || is_own(domain)))
}

/// Whether anybody stands behind it: a sender of its own, a list, a forwarder, a sealer.
fn is_authenticated(row: &TallyRow) -> bool {
    let by_spf = row.spf.as_ref().is_some_and(|(_, _, result)| result == "pass");
    let by_dkim = row.dkim.iter().any(|(_, _, result)| result == "pass");
    let by_reason = row.reasons.iter().any(|(kind, comment)| {
        // RFC 8617 §7.2.2 has this comment for a chain that was believed.
        matches!(kind.as_str(), "mailing_list" | "trusted_forwarder") || comment.starts_with("arc=pass")
    });
    by_spf || by_dkim || by_reason
}

#[cfg(test)]
mod tests;
