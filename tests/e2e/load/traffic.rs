//! Mail without pause over several connections, and an account of what came of each message.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::client::{Answer, Client};
use super::letter::{Fate, Letter, fate, fate_of};
use super::{runtime, wait_for};

/// Messages over one connection before the next one is made, unless it is never let go.
const MESSAGES_A_CONNECTION: usize = 25;
/// How long before the service is tried again that does not take connections.
const PAUSE: Duration = Duration::from_millis(5);

/// Mail that keeps coming until it is stopped. Each message is sent once, whatever comes of it.
pub(super) struct Traffic {
    runtime: Runtime,
    shared: Arc<Shared>,
}

struct Shared {
    sent: AtomicU64,
    /// Messages over one connection.
    messages: usize,
    stop: AtomicBool,
    account: Mutex<Account>,
}

/// What was sent, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// Messages whose answer came, by number.
    pub(super) answered: BTreeMap<u64, Answer>,
    /// Messages whose connection broke before the answer.
    pub(super) unanswered: BTreeSet<u64>,
    /// How often the service took no connection.
    pub(super) no_connection: usize,
    /// The number of the last message.
    sent: u64,
    /// What must never happen, whatever happens to the service.
    faults: Vec<String>,
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Begins, over so many connections.
    pub(super) fn start(address: SocketAddr, connections: usize) -> Self {
        Self::resume(Account::default(), address, connections)
    }

    /// Begins, over connections that do not end by themselves.
    pub(super) fn start_endless(address: SocketAddr, connections: usize) -> Self {
        Self::begin(Account::default(), address, connections, usize::MAX)
    }

    /// Goes on where other traffic has stopped.
    pub(super) fn resume(account: Account, address: SocketAddr, connections: usize) -> Self {
        Self::begin(account, address, connections, MESSAGES_A_CONNECTION)
    }

    fn begin(account: Account, address: SocketAddr, connections: usize, messages: usize) -> Self {
        let runtime = runtime();
        let shared = Arc::new(Shared {
            sent: AtomicU64::new(account.sent),
            messages,
            stop: AtomicBool::new(false),
            account: Mutex::new(account),
        });
        for _ in 0..connections {
            let shared = Arc::clone(&shared);
            runtime.spawn(async move { keep_sending(address, &shared).await });
        }
        Self { runtime, shared }
    }

    /// Messages answered so far.
    pub(super) fn answered(&self) -> usize {
        self.shared.account().answered.len()
    }

    /// The number that the next message will have: all from there on are sent later than now.
    pub(super) fn next(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst) + 1
    }

    /// Waits until so many more messages are answered.
    #[track_caller]
    pub(super) fn wait_for_more(&self, messages: usize) {
        let enough = self.answered() + messages;
        let done = wait_for(|| (self.answered() >= enough).then_some(()));
        assert!(done.is_some(), "{} of {enough} are answered", self.answered());
    }

    /// Waits until a message is answered that was sent later than now.
    #[track_caller]
    pub(super) fn wait_for_later_ones(&self, messages: usize) {
        let from = self.next();
        let done = wait_for(|| {
            let later = self.shared.account().answered.range(from..).count();
            (later >= messages).then_some(())
        });
        assert!(done.is_some(), "nothing is answered any more");
    }

    /// Lets the messages under way end, and tells what came of all.
    #[track_caller]
    pub(super) fn stop(self) -> Account {
        self.shared.stop.store(true, Ordering::Relaxed);
        let is_over = wait_for(|| (Arc::strong_count(&self.shared) == 1).then_some(()));
        assert!(is_over.is_some(), "a connection hangs");
        let mut account = self.shared.account().clone();
        account.sent = self.shared.sent.load(Ordering::SeqCst);
        drop(self.runtime);
        assert_eq!(account.faults, Vec::<String>::new());
        account
    }
}

impl Account {
    /// Asserts that each message had the fate that it has in quiet times.
    #[track_caller]
    pub(super) fn assert_fates(&self) {
        for (number, answer) in &self.answered {
            assert_eq!(
                fate_of(answer),
                Some(fate(*number)),
                "message {number}: {answer:?}"
            );
        }
        let with = |wanted: Fate| self.answered.keys().any(|number| fate(*number) == wanted);
        assert!(
            [Fate::Accepted, Fate::Refused, Fate::Held].into_iter().all(with),
            "too few messages"
        );
    }
}

async fn keep_sending(address: SocketAddr, shared: &Shared) {
    while !shared.stops() {
        match Client::connect(address).await {
            Ok(client) => send_some(client, shared).await,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                shared.account().faults.push(error.to_string());
                return;
            }
            Err(_) => {
                shared.account().no_connection += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn send_some(mut client: Client, shared: &Shared) {
    for _ in 0..shared.messages {
        if shared.stops() {
            break;
        }
        let number = shared.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = client.deliver(&Letter::numbered(number)).await;
        let mut account = shared.account();
        match outcome {
            Ok(answer) => {
                account.answered.insert(number, answer);
            }
            Err(error) => {
                account.unanswered.insert(number);
                if error.kind() == io::ErrorKind::TimedOut || error.kind() == io::ErrorKind::Other {
                    account.faults.push(format!("message {number}: {error}"));
                }
                return;
            }
        }
    }
    // A service that dies at this moment is no matter: the answers were all there.
    let _ = client.quit().await;
}
