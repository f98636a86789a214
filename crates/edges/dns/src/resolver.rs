//! `Lookup` over the name servers of the system, or over given ones.
//!
//! A stub resolver: it relies on a recursive server, best on this host, and knows no
//! zones. Each question is answered from the cache, joined to the same question of the
//! same [`Asker`] under way, or put to the servers, within a time that is fixed beforehand:
//!
//! * one question, all packets and servers together: [`ResolverOptions::question_timeout`];
//! * one message: [`ResolverOptions::message_timeout`], and less when DNS is dead: see
//!   [`MessageLookup`], which is how "dead DNS is answered within 10 s" (decision D11) is kept.
//!
//! Built on `hickory-proto` and sockets of its own in place of `hickory-resolver`,
//! because mail needs to see what that one hides: the alias in an NXDOMAIN answer, NSEC
//! records, a TXT record without strings, an ICMP refusal; and because it answers names
//! such as `localhost` by itself.
//!
//! Not implemented: validation of DNSSEC (a validating server says SERVFAIL of what is
//! forged); questions without EDNS for servers of before 1999; `search` domains and the hosts
//! file, which say nothing about mail; serving answers past their TTL.

mod cache;
mod exchange;
mod message;
mod servers;
mod slots;
mod statistics;
mod system;
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_auth::lookup::{Answer, Lookup, LookupError, Purpose, Question};
use landmarc_mail::ClientNetwork;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use cache::Cache;
pub use message::MessageLookup;
pub use servers::SilentServer;
use servers::{Outcome, Servers};
use slots::{MAX_SLOTS, Slot, Slots};
use statistics::{QueryCounters, count};
pub use statistics::{QueryEnd, ResolverStatistics};

/// Negative answers are kept no longer than this, whatever the zone says: a record that
/// was just published should be seen soon. RFC 2308 §5 leaves the limit to us.
const MAX_NEGATIVE_TTL: Duration = Duration::from_secs(15 * 60);

/// Longer times than this in the options are taken as this (RFC 8767 §4 finds no TTL
/// above seven days sensible).
const MAX_TIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Name servers that are asked at most; of a longer list the first ones.
const MAX_NAME_SERVERS: usize = 8;

/// For what a query is made, and on behalf of which client. Slots are shared out by both; see
/// [`LookupError::Overload`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Asker {
    /// What for.
    pub purpose: Purpose,
    /// The network of the client whose message it is about; none for a client without address,
    /// and for queries of our own.
    pub client: Option<ClientNetwork>,
}

/// How a [`Resolver`] behaves.
#[derive(Clone, Debug)]
pub struct ResolverOptions {
    /// The recursive servers, asked in this order; at most eight. Empty: those of
    /// `/etc/resolv.conf`, read once.
    pub name_servers: Vec<SocketAddr>,
    /// All attempts of one question together. A third of it passes between two packets
    /// to one server, and at most that before the next server is asked as well.
    pub question_timeout: Duration,
    /// All questions of one message together.
    pub message_timeout: Duration,
    /// Questions put to the servers at the same time: three eighths for policies, a quarter each
    /// for SPF and keys, an eighth for the rest. Others wait for a slot, within their own time.
    /// Where some wait, one that has been silent for a twentieth of its time ends early, of the
    /// client network that has the most under way.
    pub questions_in_flight: usize,
    /// Answers kept in memory; fewer than 2 keeps none.
    pub cache_entries: usize,
    /// Answers are kept no longer than this, whatever their TTL. Negative ones, by
    /// RFC 2308, no longer than 15 minutes either.
    pub max_ttl: Duration,
    /// For how long a failure is the answer to the same question (RFC 9520 §3.2: at
    /// least a second, at most five minutes).
    pub failure_ttl: Duration,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self {
            name_servers: Vec::new(),
            question_timeout: Duration::from_secs(5),
            message_timeout: Duration::from_secs(20),
            questions_in_flight: 256,
            cache_entries: 16_384,
            // The server behind us has a cache of its own, so asking again costs little.
            max_ttl: Duration::from_secs(60 * 60),
            failure_ttl: Duration::from_secs(5),
        }
    }
}

/// Why there is no resolver.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// The list of the system cannot be read.
    #[error("the name servers in {file:?} cannot be read")]
    SystemConfig {
        /// The file.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The options allow no question at all.
    #[error("with {option} = 0 no question could be asked")]
    Zero {
        /// The name of the option.
        option: &'static str,
    },
}

/// Asks name servers. Cheap to clone: all clones share cache, servers and limits.
///
/// Must be used within a tokio runtime that has time and network.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

impl Resolver {
    /// A resolver; no packet is sent yet.
    ///
    /// # Errors
    /// [`ResolverError`] when the servers of the system cannot be read, or an option is 0
    /// that must not be.
    pub fn new(options: ResolverOptions) -> Result<Self, ResolverError> {
        let options = checked(options)?;
        let mut addresses = options.name_servers.clone();
        if addresses.is_empty() {
            let file = system::RESOLV_CONF;
            addresses = system::name_servers(Path::new(file))
                .map_err(|source| ResolverError::SystemConfig { file, source })?;
        }
        addresses.truncate(MAX_NAME_SERVERS);
        debug!(?addresses, "name servers");
        let slots = options.questions_in_flight;
        let inner = Inner {
            slots: Slots::new(slots, options.question_timeout, addresses.len()),
            servers: Servers::new(addresses),
            state: Mutex::new(State {
                cache: Cache::new(options.cache_entries),
                pending: HashMap::new(),
            }),
            counters: QueryCounters::default(),
            are_away: AtomicBool::new(false),
            options,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// A lookup for one message, whose time starts now.
    #[must_use]
    pub fn for_message(&self, asker: Asker) -> MessageLookup {
        MessageLookup::new(self.clone(), asker)
    }

    /// The name servers, in the order of the options.
    #[must_use]
    pub fn name_servers(&self) -> &[SocketAddr] {
        self.inner.servers.addresses()
    }

    /// Asks each name server, beside slots and cache, and returns those that do not answer at all
    /// within the time of a question. Where that is all of them, queries that get no slot fail with
    /// [`LookupError::Timeout`], for the servers keep the slots taken and not a client.
    pub async fn silent_servers(&self) -> Vec<SilentServer> {
        let wait = servers::wait_between(self.inner.options.question_timeout);
        let silent = self.inner.servers.silent(wait).await;
        let are_away = silent.len() == self.name_servers().len();
        self.inner.are_away.store(are_away, Ordering::Relaxed);
        silent
    }

    /// What was done since the start.
    #[must_use]
    pub fn statistics(&self) -> ResolverStatistics {
        let in_flight = self.inner.lock().pending.len();
        self.inner.counters.read(in_flight)
    }
}

impl Lookup for Resolver {
    async fn ask(&self, question: &Question) -> Answer {
        Inner::ask(&self.inner, question, Asker::default()).await
    }
}

struct Inner {
    options: ResolverOptions,
    servers: Servers,
    slots: Slots,
    state: Mutex<State>,
    counters: QueryCounters,
    /// Whether no name server answered when they were last probed.
    are_away: AtomicBool,
}

/// Under one lock, so that between a miss in the cache and joining a question under way
/// no answer can slip through.
struct State {
    cache: Cache,
    /// A question that is asked for two purposes or two networks is two queries: who joined the
    /// query of another would wait in the line of that one, and could lose its slot.
    pending: HashMap<(Question, Asker), PendingAnswer>,
}

/// Where those who wait for an answer see it; none yet while it is under way.
type PendingAnswer = watch::Receiver<Option<Answer>>;

impl Inner {
    async fn ask(this: &Arc<Self>, question: &Question, asker: Asker) -> Answer {
        let mut pending = match this.enter(question, asker) {
            QueryStart::Cached(answer) => return answer,
            QueryStart::Joined(pending) => pending,
            QueryStart::First(pending, sender) => {
                // A task of its own: who asked first may go away, the others still wait.
                tokio::spawn(Arc::clone(this).resolve(question.clone(), asker, sender));
                pending
            }
        };
        let answered = pending.wait_for(Option::is_some).await;
        let answer = answered.ok().and_then(|answer| answer.clone());
        // No answer at all only when the runtime is shutting down.
        answer.unwrap_or(Answer::Failed(LookupError::Unreachable))
    }

    fn enter(&self, question: &Question, asker: Asker) -> QueryStart {
        let mut state = self.lock();
        if let Some(answer) = state.cache.answer(question, Instant::now()) {
            count(&self.counters.cache_hits);
            return QueryStart::Cached(answer);
        }
        let key = (question.clone(), asker);
        if let Some(pending) = state.pending.get(&key) {
            count(&self.counters.joined);
            return QueryStart::Joined(pending.clone());
        }
        let (sender, pending) = watch::channel(None);
        state.pending.insert(key, pending.clone());
        QueryStart::First(pending, sender)
    }

    /// Asks the servers and answers all who wait.
    async fn resolve(
        self: Arc<Self>,
        question: Question,
        asker: Asker,
        sender: watch::Sender<Option<Answer>>,
    ) {
        // However this ends, by a panic too, nobody may wait for it any more.
        let _guard = InFlightGuard {
            inner: &self,
            key: (question.clone(), asker),
        };
        let deadline = Instant::now() + self.options.question_timeout;
        let answer = match self.slots.take(asker, deadline).await {
            Some(slot) => match self.known(&question) {
                // Another purpose or network had the answer while this one waited.
                Some(known) => known,
                None => self.query(&question, deadline, &slot).await,
            },
            None => self.ended(&question, Answer::Failed(LookupError::Overload)),
        };
        sender.send_replace(Some(answer));
    }

    async fn query(&self, question: &Question, deadline: Instant, slot: &Slot) -> Answer {
        count(&self.counters.questions);
        let wait = servers::wait_between(self.options.question_timeout);
        let outcome = self.servers.resolve(question, wait, deadline, slot).await;
        self.keep(question, &outcome);
        self.ended(question, outcome.answer)
    }

    fn ended(&self, question: &Question, answer: Answer) -> Answer {
        let answer = match answer {
            Answer::Failed(LookupError::Overload) if self.are_away.load(Ordering::Relaxed) => {
                Answer::Failed(LookupError::Timeout)
            }
            other => other,
        };
        self.counters.ended(&answer);
        if let Some(error) = answer.failure() {
            debug!(%question, %error, "no answer");
        }
        answer
    }

    fn keep(&self, question: &Question, outcome: &Outcome) {
        let ttl = Duration::from_secs(outcome.ttl.into()).min(self.options.max_ttl);
        let ttl = match outcome.answer {
            Answer::Records(_) => ttl,
            Answer::NoData | Answer::NxDomain(_) => ttl.min(MAX_NEGATIVE_TTL),
            // It says nothing about the name, and must not become the answer of others.
            Answer::Failed(error) if error.is_ours() => return,
            Answer::Failed(_) => self.options.failure_ttl,
        };
        if !ttl.is_zero() {
            let expires = Instant::now() + ttl;
            self.lock()
                .cache
                .keep(question.clone(), outcome.answer.clone(), expires);
        }
    }

    fn known(&self, question: &Question) -> Option<Answer> {
        let known = self.lock().cache.answer(question, Instant::now());
        known.inspect(|_| count(&self.counters.cache_hits))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change of the state is one call, complete or not begun.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a question stands when it comes in.
enum QueryStart {
    Cached(Answer),
    Joined(PendingAnswer),
    First(PendingAnswer, watch::Sender<Option<Answer>>),
}

/// Takes a question off the list of those under way.
struct InFlightGuard<'a> {
    inner: &'a Inner,
    key: (Question, Asker),
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.inner.lock().pending.remove(&self.key);
    }
}

/// The options with all times and counts in a range that can be reckoned with.
fn checked(mut options: ResolverOptions) -> Result<ResolverOptions, ResolverError> {
    if options.questions_in_flight == 0 {
        return Err(ResolverError::Zero {
            option: "questions_in_flight",
        });
    }
    if options.question_timeout.is_zero() {
        return Err(ResolverError::Zero {
            option: "question_timeout",
        });
    }
    options.questions_in_flight = options.questions_in_flight.min(MAX_SLOTS);
    for time in [
        &mut options.question_timeout,
        &mut options.message_timeout,
        &mut options.max_ttl,
        &mut options.failure_ttl,
    ] {
        *time = MAX_TIME.min(*time);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_allow_no_question_are_refused() {
        let none_in_flight = ResolverOptions {
            questions_in_flight: 0,
            ..given()
        };
        let no_time = ResolverOptions {
            question_timeout: Duration::ZERO,
            ..given()
        };
        for (options, option) in [
            (none_in_flight, "questions_in_flight"),
            (no_time, "question_timeout"),
        ] {
            let error = Resolver::new(options).err().map(|error| error.to_string());
            assert_eq!(
                error,
                Some(format!("with {option} = 0 no question could be asked"))
            );
        }
    }

    #[tokio::test]
    async fn the_greatest_options_are_no_overflow() {
        let options = ResolverOptions {
            question_timeout: Duration::MAX,
            message_timeout: Duration::MAX,
            questions_in_flight: usize::MAX,
            max_ttl: Duration::MAX,
            failure_ttl: Duration::MAX,
            ..given()
        };
        let message = Resolver::new(options).unwrap().for_message(Asker::default());
        assert_eq!(message.failure_time_left(), MAX_TIME * 9 / 5);
    }

    fn given() -> ResolverOptions {
        ResolverOptions {
            name_servers: vec!["127.0.0.1:53".parse().unwrap()],
            ..ResolverOptions::default()
        }
    }
}
