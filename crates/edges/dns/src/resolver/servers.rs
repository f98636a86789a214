//! The name servers: whom to ask first, whom next, and when to give up.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use landmarc_auth::lookup::{Answer, DnsName, LookupError, Missing, Question};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use super::exchange::{self, Exchange, UDP_SENDS};
use super::slots::Slot;
use super::wire::{MAX_ALIASES, Packet, Reply};

/// How long after an ICMP refusal the same server is tried again, as a part of one UDP
/// wait: a resolver that is being restarted is back in a moment.
const REFUSAL_PAUSE_DIVISOR: u32 = 4;

/// How often a server that refuses packets is tried again for one question.
const REFUSAL_RETRIES: u32 = 3;

/// For how long a server that loses the case of names is asked in lower case, before random case is
/// tried again: it may have been replaced, or its TCP was only away for a moment. Each trial costs one
/// query one UDP wait at most.
const LOWER_CASE_FOR: Duration = Duration::from_secs(3_600);

/// Name servers that are asked in the same order until the first one falls silent.
pub(super) struct Servers {
    addresses: Vec<SocketAddr>,
    /// The place of the server to ask first: the one that answered last when another was silent.
    first: AtomicUsize,
    /// Those that lose the case of names, and until when they are asked in lower case.
    lower_case: Mutex<HashMap<SocketAddr, Instant>>,
}

/// A name server that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilentServer {
    /// Which.
    pub address: SocketAddr,
    /// [`LookupError::Timeout`] or [`LookupError::Unreachable`].
    pub error: LookupError,
}

/// The end of one question: the answer, and for how long it holds.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    /// Seconds; without meaning for a failure.
    pub(super) ttl: u32,
}

impl Outcome {
    pub(super) fn failed(error: LookupError) -> Self {
        Self {
            answer: Answer::Failed(error),
            ttl: 0,
        }
    }
}

impl Servers {
    pub(super) fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            addresses,
            first: AtomicUsize::new(0),
            lower_case: Mutex::default(),
        }
    }

    /// Asks a question, and where a server leaves an alias unfollowed, about its target,
    /// all until `deadline`, or until the slot is lost. `wait` is the time between two
    /// packets to one server, and at most that until the next server is asked as well.
    pub(super) async fn resolve(
        &self,
        question: &Question,
        wait: Duration,
        deadline: Instant,
        slot: &Slot,
    ) -> Outcome {
        let mut question = question.clone();
        let mut chain_ttl = u32::MAX;
        for hop in 0..=MAX_ALIASES {
            match self.ask(&question, wait, deadline, slot).await {
                Reply::Failed(error) => return Outcome::failed(error),
                Reply::Alias { target, ttl } => {
                    question.name = target;
                    chain_ttl = chain_ttl.min(ttl);
                }
                Reply::Final { answer, ttl } => {
                    let answer = match answer {
                        // The name asked about first owned an alias, so it is there.
                        Answer::NxDomain(_) if hop > 0 => Answer::NxDomain(Missing::AliasTarget),
                        other => other,
                    };
                    let ttl = ttl.min(chain_ttl);
                    return Outcome { answer, ttl };
                }
            }
        }
        Outcome::failed(LookupError::ServFail)
    }

    /// The first usable answer of any server. A server that fails, is silent for `wait`
    /// or cannot be reached makes us ask the next one as well, and sooner where other queries
    /// wait for a slot.
    async fn ask(&self, question: &Question, wait: Duration, deadline: Instant, slot: &Slot) -> Reply {
        let mut conversations = Conversations::new(self, question.clone(), wait);
        let mut to_ask = self.in_order();
        let mut ask_next_at = Instant::now();
        let mut asked_last = ask_next_at;
        let mut failure = LookupError::Timeout;
        while !(conversations.is_over() && to_ask.len() == 0) {
            tokio::select! {
                biased;
                ended = conversations.next() => {
                    if ended.exchange.loses_case {
                        self.use_lower_case(ended.server);
                    }
                    match ended.exchange.reply {
                        Reply::Failed(error) => {
                            failure = more_specific(failure, error);
                            conversations.retry_if_unreachable(ended.server, ended.retries, error);
                            ask_next_at = Instant::now();
                        }
                        reply => {
                            self.prefer(ended.server, failure);
                            return reply;
                        }
                    }
                }
                () = sleep_until(ask_next_at), if to_ask.len() > 0 => {
                    if let Some(server) = to_ask.next() {
                        conversations.start(server, Duration::ZERO, REFUSAL_RETRIES);
                    }
                    asked_last = Instant::now();
                    ask_next_at = asked_last + self.wait_for_one(wait);
                }
                () = slot.others_wait(), if to_ask.len() > 0 && ask_next_at > asked_last + slot.certain() => {
                    ask_next_at = asked_last + slot.certain();
                }
                () = slot.is_lost(to_ask.len() == 0) => return Reply::Failed(LookupError::Overload),
                () = sleep_until(deadline) => break,
            }
        }
        Reply::Failed(failure)
    }

    /// The servers that do not answer at all, and how that shows. An answer of any kind will do.
    pub(super) async fn silent(&self, wait: Duration) -> Vec<SilentServer> {
        // The root is there for every resolver, and its answer is short.
        let question = Question::txt(DnsName::root());
        let mut probes = JoinSet::new();
        for &address in &self.addresses {
            let packet = Packet::new(&question);
            probes.spawn(async move {
                match exchange::ask(address, &packet?, wait).await.reply {
                    Reply::Failed(error @ (LookupError::Timeout | LookupError::Unreachable)) => {
                        Some(SilentServer { address, error })
                    }
                    _ => None,
                }
            });
        }
        let mut silent: Vec<_> = probes.join_all().await.into_iter().flatten().collect();
        silent.sort_by_key(|server| {
            self.addresses
                .iter()
                .position(|&address| address == server.address)
        });
        silent
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How long one server may be silent before the next is asked as well: so that the
    /// last one has its turn in time.
    fn wait_for_one(&self, wait: Duration) -> Duration {
        let servers = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        wait * UDP_SENDS / servers.max(UDP_SENDS)
    }

    fn in_order(&self) -> std::vec::IntoIter<SocketAddr> {
        let mut addresses = self.addresses.clone();
        let first = self.first.load(Ordering::Relaxed).min(addresses.len());
        addresses.rotate_left(first);
        addresses.into_iter()
    }

    /// Stays with the server that answered where the first one was silent. One that
    /// answered SERVFAIL or the like keeps its place: that is about the name.
    fn prefer(&self, server: SocketAddr, failure_of_others: LookupError) {
        let silent = matches!(failure_of_others, LookupError::Timeout | LookupError::Unreachable);
        let place = self.addresses.iter().position(|&address| address == server);
        if let Some(place) = place.filter(|_| silent)
            && self.first.swap(place, Ordering::Relaxed) != place
        {
            warn!(%server, "the name server asked first is silent: another one is from now on");
        }
    }

    /// The question as this server gets it. Nobody forges answers on the way within this host, and
    /// names in lower case are easier to find in its log.
    fn packet_for(&self, server: SocketAddr, question: &Question) -> Option<Packet> {
        if server.ip().to_canonical().is_loopback() || self.loses_case(server) {
            Packet::new(question)
        } else {
            // The state is seeded by the system for each thread, and its hash cannot be known beforehand.
            Packet::with_random_case(question, RandomState::new().build_hasher().finish())
        }
    }

    fn loses_case(&self, server: SocketAddr) -> bool {
        let lower_case = self.lower_case.lock().unwrap_or_else(PoisonError::into_inner);
        lower_case
            .get(&server)
            .is_some_and(|&until| Instant::now() < until)
    }

    /// The server lost the case of a name, and could not be asked over TCP.
    fn use_lower_case(&self, server: SocketAddr) {
        let until = Instant::now() + LOWER_CASE_FOR;
        let mut lower_case = self.lower_case.lock().unwrap_or_else(PoisonError::into_inner);
        if lower_case.insert(server, until).is_none() {
            warn!(
                %server,
                "the name server does not keep the case of names and cannot be reached over TCP: its answers are \
                 easier to forge; use a server that keeps case, or a resolver on this host"
            );
        }
    }
}

/// The servers we wait for. Dropped, it ends them all.
struct Conversations<'a> {
    servers: &'a Servers,
    question: Question,
    wait: Duration,
    tasks: JoinSet<Ended>,
}

/// What came of asking one server.
struct Ended {
    server: SocketAddr,
    retries: u32,
    exchange: Exchange,
}

impl<'a> Conversations<'a> {
    fn new(servers: &'a Servers, question: Question, wait: Duration) -> Self {
        Self {
            servers,
            question,
            wait,
            tasks: JoinSet::new(),
        }
    }

    fn start(&mut self, server: SocketAddr, pause: Duration, retries: u32) {
        let (packet, wait) = (self.servers.packet_for(server, &self.question), self.wait);
        self.tasks.spawn(async move {
            // Nearly always there is none, and even that would be a timer to set.
            if !pause.is_zero() {
                sleep(pause).await;
            }
            let exchange = match packet {
                Some(packet) => exchange::ask(server, &packet, wait).await,
                None => Exchange {
                    reply: Reply::Failed(LookupError::BadAnswer),
                    loses_case: false,
                },
            };
            Ended {
                server,
                retries,
                exchange,
            }
        });
    }

    fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The next that ends.
    async fn next(&mut self) -> Ended {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return ended,
                // Only a panic gets here, a bug of ours: the question then ends in time.
                Some(Err(bug)) => warn!(%bug, "asking a name server came to an end"),
                None => std::future::pending().await,
            }
        }
    }

    fn retry_if_unreachable(&mut self, server: SocketAddr, retries: u32, error: LookupError) {
        if error == LookupError::Unreachable && retries > 0 {
            let pause = self.wait / REFUSAL_PAUSE_DIVISOR;
            self.start(server, pause, retries - 1);
        }
    }
}

/// Which of two failures to report: what a server said goes before silence.
fn more_specific(so_far: LookupError, new: LookupError) -> LookupError {
    let rank = |error| match error {
        LookupError::Timeout | LookupError::Budget | LookupError::Overload => 0,
        LookupError::Unreachable => 1,
        LookupError::BadAnswer => 2,
        LookupError::Refused => 3,
        LookupError::ServFail => 4,
    };
    if rank(new) > rank(so_far) { new } else { so_far }
}

/// The time between two packets, so that all of them fit into one question's time.
pub(super) fn wait_between(question_timeout: Duration) -> Duration {
    question_timeout / UDP_SENDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_to_other_hosts_in_random_case() {
        let question = Question::txt(landmarc_testkit::dns_name("a-name-of-many-letters.example.com"));
        let servers = Servers::new(Vec::new());
        let octets = |server: &str| {
            let packet = servers.packet_for(server.parse().unwrap(), &question).unwrap();
            // Behind the header, which has a random ID.
            packet.octets[12..].to_vec()
        };
        let plain = octets("127.0.0.1:53");
        for own in [
            "127.0.0.1:53",
            "127.9.9.9:53",
            "[::1]:53",
            "[::ffff:127.0.0.1]:53",
        ] {
            assert_eq!(octets(own), plain, "{own}");
        }
        let other = octets("192.0.2.53:53");
        assert_ne!(other, plain);
        assert!(other.eq_ignore_ascii_case(&plain));
        assert_ne!(octets("192.0.2.53:53"), other, "another one each time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_loses_case_is_asked_in_lower_case_for_an_hour() {
        let question = Question::txt(landmarc_testkit::dns_name("a-name-of-many-letters.example.com"));
        let addresses = ["192.0.2.1:53", "192.0.2.2:53"].map(|address| address.parse().unwrap());
        let servers = Servers::new(addresses.to_vec());
        let plain = Packet::new(&question).unwrap();
        let is_plain = |server| {
            let packet = servers.packet_for(server, &question).unwrap();
            packet.octets[12..] == plain.octets[12..]
        };
        servers.use_lower_case(addresses[0]);
        assert!(is_plain(addresses[0]) && !is_plain(addresses[1]));
        tokio::time::advance(LOWER_CASE_FOR - Duration::from_secs(1)).await;
        assert!(is_plain(addresses[0]));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!is_plain(addresses[0]));
    }
}
