//! A service that writes down what it is told and answers what it was told to, and a
//! server around it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landmarc_milter::{
    Arguments, Capabilities, ConnectInfo, Edit, Gauge, Macros, MilterServer, Response, ServerOptions,
    Service, Session, Verdict,
};
use landmarc_net::{Drained, Peer, SocketAddress, UnixAccess};
use tokio::sync::oneshot;

/// What the recorder does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) response: Response,
    /// How long it takes over the end of a message.
    pub(crate) work: Duration,
    /// The event at which it panics: when a line it writes down begins so.
    pub(crate) panics_at: Option<&'static str>,
    /// Whether it wants no bodies.
    pub(crate) no_body: bool,
}

impl Script {
    pub(crate) fn verdict(verdict: Verdict) -> Self {
        Self {
            response: Response {
                edits: Vec::new(),
                verdict,
            },
            ..Self::default()
        }
    }

    pub(crate) fn edits(edits: Vec<Edit>) -> Self {
        Self {
            response: Response {
                edits,
                verdict: Verdict::Accept,
            },
            ..Self::default()
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) script: Script,
    log: Arc<Mutex<Vec<String>>>,
}

impl Recorder {
    pub(crate) fn new(script: Script) -> Self {
        let log = Arc::default();
        Self { script, log }
    }

    fn note(&self, line: String) {
        let panics = self.script.panics_at.is_some_and(|at| line.starts_with(at));
        self.log.lock().unwrap().push(line);
        assert!(!panics, "as the script has it");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line is written down that begins so.
    pub(crate) fn await_line(&self, start: &str) {
        await_that(&format!("{start:?} in the log"), || {
            self.log().iter().any(|line| line.starts_with(start))
        });
    }
}

impl Service for Recorder {
    type Session = Self;

    fn connect(&self, _peer: &Peer) -> Self {
        self.note("connect".to_owned());
        self.clone()
    }
}

fn shown(octets: &[u8]) -> String {
    if octets.len() > 60 {
        format!("({} octets)", octets.len())
    } else {
        octets.escape_ascii().to_string()
    }
}

impl Session for Recorder {
    fn negotiated(&mut self, capabilities: &Capabilities) {
        self.note(format!("negotiated, refused {}", capabilities.refused()));
    }

    async fn connected(&mut self, info: ConnectInfo, macros: &Macros) {
        let j = macros.text("j").unwrap_or("-");
        self.note(format!(
            "connected {} {:?} j={j}",
            shown(&info.hostname),
            info.address
        ));
    }

    async fn helo(&mut self, name: &[u8], _macros: &Macros) {
        self.note(format!("helo {}", shown(name)));
    }

    async fn mail(&mut self, path: &[u8], arguments: Arguments<'_>, macros: &Macros) {
        let i = macros.text("{i}").unwrap_or("-").to_owned();
        let arguments: Vec<String> = arguments.map(shown).collect();
        self.note(format!("mail {} {arguments:?} i={i}", shown(path)));
    }

    async fn rcpt(&mut self, path: &[u8], _macros: &Macros) {
        self.note(format!("rcpt {}", shown(path)));
    }

    async fn header(&mut self, name: &[u8], value: &[u8]) {
        self.note(format!("header {}:{}", shown(name), shown(value)));
    }

    async fn header_too_long(&mut self, name: &[u8], size: u32) {
        self.note(format!("header_too_long {} {size}", shown(name)));
    }

    async fn end_of_headers(&mut self, _macros: &Macros) {
        self.note("end_of_headers".to_owned());
    }

    fn wants_body(&self) -> bool {
        !self.script.no_body
    }

    async fn body(&mut self, chunk: &[u8]) {
        self.note(format!("body {}", shown(chunk)));
    }

    async fn end_of_message(&mut self, macros: &Macros) -> Response {
        self.note(format!("end_of_message i={}", macros.text("i").unwrap_or("-")));
        if !self.script.work.is_zero() {
            tokio::time::sleep(self.script.work).await;
            self.note("worked".to_owned());
        }
        self.script.response.clone()
    }

    fn abort(&mut self) {
        self.note("abort".to_owned());
    }
}

/// A server on a thread of its own.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) recorder: Recorder,
    pub(crate) gauge: Gauge,
    shutdown: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Drained>>,
}

impl Running {
    pub(crate) fn start(script: Script) -> Self {
        Self::start_with(script, ServerOptions::default())
    }

    pub(crate) fn start_with(script: Script, options: ServerOptions) -> Self {
        Self::start_on("inet:0@127.0.0.1", Recorder::new(script), options)
    }

    pub(crate) fn start_on(address: &str, recorder: Recorder, options: ServerOptions) -> Self {
        let address: SocketAddress = address.parse().unwrap();
        let service = recorder.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let (shutdown, stop) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = MilterServer::bind(&[address], &UnixAccess::default(), options)
                    .await
                    .unwrap();
                let address = server.local_addresses()[0].to_string();
                tell.send((address, server.gauge())).unwrap();
                let stopped = async {
                    let _ = stop.await;
                };
                server.run(service, stopped).await
            })
        });
        let (address, gauge) = told.recv().unwrap();
        Self {
            address,
            recorder,
            gauge,
            shutdown: Some(shutdown),
            thread: Some(thread),
        }
    }

    /// Asks the server to end.
    pub(crate) fn shut_down(&mut self) {
        drop(self.shutdown.take());
    }

    /// Waits until it has.
    pub(crate) fn join(&mut self) -> Drained {
        self.shut_down();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Waits until something is so; fails after longer than any machine is that slow.
pub(crate) fn await_that(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A directory of its own for sockets; removed with the value.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("landmarc-milter-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn socket(&self) -> String {
        format!("unix:{}", self.0.join("s").display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
