//! Mail without pause to one host, and an account of what came of each message.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use landmarc_testkit::mta::{Mail, Mta, Outcome, Verdict};
use landmarc_testkit::tools::wait_for;

use super::mail::mail;

/// Connections at once.
const CONNECTIONS: usize = 2;
/// Messages over one connection before the next one is made.
const MESSAGES_A_CONNECTION: usize = 25;
/// Between two messages of a connection: a busy host, and not one that has nothing else to do.
const PACE: Duration = Duration::from_millis(20);

/// Mail that keeps coming until it is stopped. Each message is sent once, whatever comes of it.
pub(super) struct Sender {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    /// Where the host listens.
    milter: String,
    next: AtomicU64,
    stop: AtomicBool,
    account: Mutex<Account>,
}

/// What was sent, by number, and what came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// Messages that were accepted.
    pub(super) answered: BTreeSet<u64>,
    /// Messages whose connection broke before the answer.
    pub(super) unanswered: BTreeSet<u64>,
    /// What must never happen: other answers than that.
    faults: Vec<String>,
}

impl Account {
    /// What came of further messages.
    pub(super) fn add(&mut self, further: Self) {
        self.answered.extend(further.answered);
        self.unanswered.extend(further.unanswered);
        self.faults.extend(further.faults);
    }
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Begins, with this number, from the namespace of the thread that calls.
    pub(super) fn start(milter: &str, first: u64) -> Self {
        let shared = Arc::new(Shared {
            milter: milter.to_owned(),
            next: AtomicU64::new(first),
            stop: AtomicBool::new(false),
            account: Mutex::default(),
        });
        let send = || {
            let shared = Arc::clone(&shared);
            thread::spawn(move || keep_sending(&shared))
        };
        Self {
            threads: (0..CONNECTIONS).map(|_| send()).collect(),
            shared,
        }
    }

    /// Waits until so many messages are answered that are sent later than now.
    #[track_caller]
    pub(super) fn wait_for_later_ones(&self, messages: usize) {
        let from = self.shared.next.load(Ordering::SeqCst);
        let later = || self.shared.account().answered.range(from..).count();
        let done = wait_for(|| (later() >= messages).then_some(()));
        assert!(done.is_some(), "{} of {messages} are answered", later());
    }

    /// Lets the messages under way end, and tells what came of all, and the number of the next one.
    #[track_caller]
    pub(super) fn stop(self) -> (Account, u64) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let account = self.shared.account().clone();
        assert_eq!(account.faults, Vec::<String>::new());
        (account, self.shared.next.load(Ordering::SeqCst))
    }
}

fn keep_sending(shared: &Shared) {
    while !shared.stop.load(Ordering::Relaxed) {
        match Mta::connect(&shared.milter) {
            Ok(mta) => send_some(mta, shared),
            // It is being killed, or started.
            Err(_) => thread::sleep(PACE),
        }
    }
}

fn send_some(mut mta: Mta, shared: &Shared) {
    for sent in 0..MESSAGES_A_CONNECTION {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let number = shared.next.fetch_add(1, Ordering::SeqCst);
        let mail = mail(number);
        match deliver(&mut mta, &mail, sent > 0) {
            Ok(outcome) if outcome.verdict == Verdict::Accept => {
                shared.account().answered.insert(number);
            }
            Ok(outcome) => shared
                .account()
                .faults
                .push(format!("message {number}: {outcome:?}")),
            Err(_) => {
                shared.account().unanswered.insert(number);
                return;
            }
        }
        thread::sleep(PACE);
    }
    // A service that dies at this moment is no matter: the answers were all there.
    let _ = mta.quit();
}

/// As that of a new SMTP connection: each message has a client of its own.
fn deliver(mta: &mut Mta, mail: &Mail, is_further: bool) -> io::Result<Outcome> {
    if is_further {
        // SMFIC_QUIT_NC: the SMTP connection before it is over.
        mta.wire.send(b'K', b"")?;
    }
    match mta.greet(mail)? {
        Some(outcome) => Ok(outcome),
        None => mta.deliver(mail),
    }
}
