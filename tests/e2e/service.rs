//! Runs `landmarc serve`: its settings, its socket, its log, its signals.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use landmarc_testkit::tools::{Folder, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::binary::executable;

/// The line by which the service says that it listens; the socket follows in the form
/// that `smtpd_milters` takes.
const LISTENS: &str = "in Postfix: smtpd_milters = ";

/// What kind of socket it listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    Inet,
    Unix,
}

/// A running service; dropping it kills it and removes its folder.
pub(crate) struct Service {
    child: Child,
    lines: Arc<Lines>,
    /// Ends when the process has, and all it wrote was read.
    reader: Option<JoinHandle<()>>,
    /// Lines of earlier lives.
    before: usize,
    folder: Folder,
    dns: SocketAddr,
    /// As the settings have it: `inet:127.0.0.1:PORT`, `unix:PATH`.
    socket: String,
}

/// What it wrote to standard error, of all its lives.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Lines {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Starts it and waits until it listens. `settings` are lines with dotted keys, such as
    /// `action.reject = "always"`, beside those that every test needs.
    pub(crate) fn start(name: &str, socket: Socket, dns: SocketAddr, settings: &str) -> Self {
        let folder = Folder::new(name);
        let socket = match socket {
            Socket::Inet => "inet:127.0.0.1:0".to_owned(),
            Socket::Unix => format!("unix:{}", folder.path().join("landmarc.sock").display()),
        };
        let file = write_settings(&folder, &socket, dns, settings);
        let lines = Arc::default();
        let (child, reader) = spawn(&file, &lines);
        let mut service = Self {
            child,
            lines,
            reader: Some(reader),
            before: 0,
            folder,
            dns,
            socket,
        };
        // The port it was given is the one it will have after a restart.
        service.socket = service.wait_until_it_listens();
        service.configure(settings);
        service
    }

    /// The socket, in the form that `smtpd_milters` takes.
    pub(crate) fn milter(&self) -> &str {
        &self.socket
    }

    /// Writes other settings; they are in force after a reload or a restart.
    pub(crate) fn configure(&self, settings: &str) {
        write_settings(&self.folder, &self.socket, self.dns, settings);
    }

    /// Writes other settings, sends SIGHUP and waits for the line that tells of it.
    pub(crate) fn reload(&self, settings: &str) -> String {
        let before = self.log().len();
        self.configure(settings);
        self.signal(Signal::SIGHUP);
        self.wait_for_line_after(before, |line| {
            line.contains("configuration reloaded") || line.contains("not reloaded")
        })
    }

    /// Its settings, which the other commands read, too.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.folder.path().join("landmarc.toml")
    }

    /// Its database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("store").join("landmarc.db")
    }

    /// Asks it to stop, and returns at once.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let status = wait_for(|| self.child.try_wait().ok().flatten())
            .unwrap_or_else(|| panic!("it does not end:\n{}", self.log().join("\n")));
        self.read_to_the_end();
        status
    }

    /// `kill -9`: nothing is tidied up, a unix socket stays where it was.
    pub(crate) fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.read_to_the_end();
    }

    /// Starts it again on the socket it had, and waits until it listens.
    pub(crate) fn start_again(&mut self) {
        self.start_again_unawaited();
        assert_eq!(self.wait_until_it_listens(), self.socket);
    }

    /// Starts it again on the socket it had, and returns at once.
    pub(crate) fn start_again_unawaited(&mut self) {
        self.before = self.log().len();
        let (child, reader) = spawn(&self.folder.path().join("landmarc.toml"), &self.lines);
        self.child = child;
        self.reader = Some(reader);
    }

    fn read_to_the_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A panic over there has been printed.
            drop(reader.join());
        }
    }

    /// Every line of its log so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.all().clone()
    }

    /// Waits for a line of the log with these words.
    pub(crate) fn wait_for_line(&self, words: &str) -> String {
        self.wait_for_line_after(0, |line| line.contains(words))
    }

    /// Waits for the lines of the first `count` messages.
    pub(crate) fn messages(&self, count: usize) -> Vec<Line> {
        let found = wait_for(|| {
            let lines: Vec<Line> = self.log().iter().filter_map(|line| Line::read(line)).collect();
            (lines.len() >= count).then_some(lines)
        });
        found.unwrap_or_else(|| panic!("not {count} messages:\n{}", self.log().join("\n")))
    }

    /// Waits for the line of one message.
    pub(crate) fn message(&self, queue_id: &str) -> Line {
        let words = format!("queue_id={queue_id} ");
        let line = self.wait_for_line(&words);
        Line::read(&line).unwrap_or_else(|| panic!("no line of a message: {line}"))
    }

    /// A figure of `/proc/PID/status` in KiB, such as `VmRSS`.
    pub(crate) fn memory_kib(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
        let number = value.and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok());
        number.unwrap_or_else(|| panic!("no {figure} in {status}"))
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id is an i32");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    fn wait_until_it_listens(&self) -> String {
        let line = self.wait_for_line_after(self.before, |line| line.contains(LISTENS));
        let (_, socket) = line.split_once(LISTENS).unwrap_or_default();
        socket.to_owned()
    }

    fn wait_for_line_after(&self, after: usize, is_it: impl Fn(&str) -> bool) -> String {
        let found = wait_for(|| self.log().into_iter().skip(after).find(|line| is_it(line)));
        found.unwrap_or_else(|| panic!("no such line:\n{}", self.log().join("\n")))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- log of {}\n{}", self.socket, self.log().join("\n"));
        }
    }
}

fn write_settings(folder: &Folder, socket: &str, dns: SocketAddr, settings: &str) -> PathBuf {
    let common = format!(
        "milter.listen = [\"{socket}\"]\nmilter.socket_mode = \"0666\"\n\
         dns.name_servers = [\"{dns}\"]\nlog.target = \"stderr\"\n"
    );
    // Where every other command finds it, too.
    let store = match settings.contains("store.directory") {
        true => String::new(),
        false => format!("store.directory = {:?}\n", folder.path().join("store")),
    };
    // Of the port for monitoring there is only one by default.
    let web = if settings.contains("web.listen") {
        ""
    } else {
        "web.listen = []\n"
    };
    folder.write("landmarc.toml", format!("{common}{store}{web}{settings}"))
}

fn spawn(settings: &std::path::Path, lines: &Arc<Lines>) -> (Child, JoinHandle<()>) {
    let mut child = Command::new(executable())
        .args(["serve", "--config"])
        .arg(settings)
        .env("STATE_DIRECTORY", settings.with_file_name("store"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let stderr = child.stderr.take().expect("it was asked for");
    let lines = Arc::clone(lines);
    let reader = std::thread::spawn(move || keep(stderr, &lines));
    (child, reader)
}

fn keep(stderr: ChildStderr, lines: &Lines) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        lines.all().push(line);
    }
}

/// The one line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// In the order of the line.
    pub(crate) keys: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Line {
    /// Reads `TIME LEVEL key=value key="some value"`; nothing when it is of no message, or a
    /// complaint that names one.
    fn read(text: &str) -> Option<Self> {
        let (_, mut rest) = text
            .split_once(" INFO ")
            .filter(|(_, rest)| rest.starts_with("queue_id="))?;
        let (mut keys, mut values) = (Vec::new(), BTreeMap::new());
        while let Some((key, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_at(after.find(' ').unwrap_or(after.len())),
            };
            keys.push(key.to_owned());
            values.insert(key.to_owned(), value.to_owned());
            rest = after.trim_start();
        }
        Some(Self { keys, values })
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.values
            .get(key)
            .unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    /// The value of `ms`: from the end of the message to the answer.
    pub(crate) fn milliseconds(&self) -> u64 {
        self.get("ms").parse().expect("a number")
    }

    /// Asserts several values at once: `"spf=fail dmarc=fail action=reject"`.
    #[track_caller]
    pub(crate) fn says(&self, expected: &str) {
        for pair in expected.split(' ') {
            let (key, value) = pair.split_once('=').expect("key=value");
            assert_eq!(self.get(key), value, "{key} of {self:?}");
        }
    }
}

#[test]
fn a_line_is_read_with_its_keys_in_order() {
    let line = Line::read(
        "2026-11-20T10:00:00Z  INFO queue_id=4F client=192.0.2.1 cause=\"SPF fail, no key=1\" ms=3",
    );
    let line = line.expect("a line of a message");
    assert_eq!(line.keys, ["queue_id", "client", "cause", "ms"]);
    assert_eq!(line.get("cause"), "SPF fail, no key=1");
    assert_eq!(line.milliseconds(), 3);
    assert_eq!(Line::read("2026-11-20T10:00:00Z  INFO stopped"), None);
    assert_eq!(
        Line::read("2026-11-20T10:00:00Z  WARN late queue_id=4F id=1"),
        None
    );
}
