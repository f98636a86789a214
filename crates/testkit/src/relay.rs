//! A scripted relay: an SMTP server on loopback that takes messages, remembers them, and
//! goes wrong where it is told to.
//!
//! It runs on a thread of its own, so that tests without a runtime can use it, and ends
//! when it is dropped; its port is then free. [`serve`] plays the same part over any
//! stream, such as one in memory, on the runtime of the test, whose time may be paused.

mod script;
mod session;
mod tls;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use script::{At, Certificate, Fault, Login, Script, Tls, What};
pub use session::serve;
pub use tls::{CA_PEM, Stream};

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    /// Dropped to end the relay.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start(script: Script) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), script)
    }

    /// Starts at this address, such as that of a relay that was dropped.
    ///
    /// # Panics
    /// When the port cannot be had.
    #[must_use]
    pub fn start_at(address: SocketAddr, script: Script) -> Self {
        let state = Arc::new(State::new(script));
        let listener = std::net::TcpListener::bind(address).expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&state);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime needs only file descriptors");
            let served = runtime.block_on(listen(listener, of_thread, stopped));
            served.expect("a bound socket can be registered");
        });
        Self {
            address,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It behaves like this from now on, on open connections too.
    pub fn set(&self, script: Script) {
        self.state.set(script);
    }

    /// What happened so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.state.log()
    }

    /// The messages whose text came to its end, in the order of their final dots.
    #[must_use]
    pub fn messages(&self) -> Vec<RelayedMessage> {
        self.log().messages
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log().connections
    }

    /// Command lines so far.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.log().commands
    }

    /// Waits until what happened so far is enough; false when it is not after `limit`.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&Log) -> bool) -> bool {
        let log = self.state.lock_log();
        let waited = self
            .state
            .changed
            .wait_timeout_while(log, limit, |log| !condition(log));
        let (log, _) = waited.unwrap_or_else(PoisonError::into_inner);
        condition(&log)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed by it.
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: std::net::TcpListener,
    state: Arc<State>,
    mut stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        let stream = tokio::select! {
            // The runtime, dropped after this, ends all connections.
            _ = &mut stopped => return Ok(()),
            accepted = listener.accept() => accepted?.0,
        };
        stream.set_nodelay(true)?;
        let state = Arc::clone(&state);
        tokio::spawn(async move { serve(stream, &state).await });
    }
}

/// What a relay is told and what it remembers.
#[derive(Debug)]
pub struct State {
    script: Mutex<Playing>,
    log: Mutex<Log>,
    changed: Condvar,
}

/// A script, and how often each fault had its turn.
#[derive(Debug)]
struct Playing {
    script: Script,
    turns: Vec<usize>,
}

impl State {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let turns = vec![0; script.faults.len()];
        Self {
            script: Mutex::new(Playing { script, turns }),
            log: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Another behaviour from now on.
    pub fn set(&self, script: Script) {
        let turns = vec![0; script.faults.len()];
        *self.lock_script() = Playing { script, turns };
    }

    /// What happened so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.lock_log().clone()
    }

    fn script(&self) -> Script {
        self.lock_script().script.clone()
    }

    /// What goes wrong here and now, if anything.
    fn fault(&self, at: At, recipients: &[String]) -> Option<Fault> {
        let mut playing = self.lock_script();
        let Playing { script, turns } = &mut *playing;
        script.faults.iter().zip(turns).find_map(|(fault, turn)| {
            let is_here = std::mem::discriminant(&fault.at) == std::mem::discriminant(&at);
            let is_for = |to: &String| to.contains(&fault.recipient);
            if !is_here || !fault.recipient.is_empty() && !recipients.iter().any(is_for) {
                return None;
            }
            *turn += 1;
            let last = fault
                .times
                .map_or(usize::MAX, |times| fault.skip.saturating_add(times));
            (*turn > fault.skip && *turn <= last).then(|| fault.clone())
        })
    }

    /// Remembers something.
    fn note(&self, change: impl FnOnce(&mut Log)) {
        change(&mut self.lock_log());
        self.changed.notify_all();
    }

    fn lock_script(&self) -> MutexGuard<'_, Playing> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Connections so far.
    pub connections: usize,
    /// Messages whose text came to its end.
    pub messages: Vec<RelayedMessage>,
    /// Command lines.
    pub commands: Vec<Command>,
}

/// A message whose text came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayedMessage {
    /// The number of its connection, from 1.
    pub connection: usize,
    /// The return path, without angle brackets.
    pub mail_from: String,
    /// What followed it: `SIZE=1000`.
    pub parameters: String,
    /// The recipients that were accepted.
    pub rcpt_to: Vec<String>,
    /// The message, with CRLF line ends and its dots as they were.
    pub text: Vec<u8>,
    /// Came inside TLS.
    pub tls: bool,
    /// Who sent it, after AUTH.
    pub user: Option<String>,
    /// The relay took it: by 250, or without a word where it was told so.
    pub taken: bool,
    /// It says so: this is noted just before.
    pub answered: bool,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The number of its connection, from 1.
    pub connection: usize,
    /// The line, without CRLF. Not the lines within AUTH.
    pub line: String,
    /// More had come already when this was read.
    pub pipelined: bool,
    /// Came inside TLS.
    pub tls: bool,
}
