//! Programs of others, run from packages that were unpacked and not installed: a service that Debian
//! would start with its package must not serve this machine.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::needs::Need;

/// How long something that will be there is waited for, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Below those that the system gives to clients, any of which could take one in the meantime.
const PORTS: RangeInclusive<u16> = 20_000..=32_000;

/// Those that are ours until this process ends, by their locks.
static OURS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// The folder of an unpacked package, `redis` or `exim`, below `LANDMARC_TOOLS`. None where the run does without
/// root, who has to start it, or without tools.
///
/// # Panics
/// When it is missing, or we are not root, and the run does not do without.
#[track_caller]
pub fn package(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LANDMARC_TOOLS").map(PathBuf::from);
    let folder = root.map(|root| root.join(name)).filter(|folder| folder.is_dir());
    if !nix::unistd::Uid::effective().is_root() {
        Need::Root.is_missing(&format!("only root starts {name}"));
        return None;
    }
    if folder.is_none() {
        Need::Tools.is_missing(&format!(
            "the Debian package of {name} is not unpacked below LANDMARC_TOOLS"
        ));
    }
    folder
}

/// Looks until there is something to see; nothing when patience ends first.
pub fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// A port that is free on loopback, and that no test of another process takes.
pub fn free_port() -> u16 {
    let owner = nix::unistd::geteuid();
    let claims = std::env::temp_dir().join(format!("landmarc-e2e-ports-{owner}"));
    fs::create_dir_all(&claims).unwrap_or_else(|error| panic!("{}: {error}", claims.display()));
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    // Each process begins elsewhere: a port that was just closed is nobody's first choice.
    let begin = usize::try_from(std::process::id()).unwrap_or(0) % usize::from(PORTS.end() - PORTS.start());
    for port in PORTS.skip(begin).chain(PORTS) {
        let path = claims.join(port.to_string());
        let claim = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Whoever holds the lock has the port, or is about to.
        if claim.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ours.push(claim);
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// A folder of one test, that everybody may enter; gone when the test is.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one, with this word in its name.
    pub fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("landmarc-{what}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Something in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file below it, with its folders.
    pub fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that serves until the test ends; then it is killed with all that it started.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it in a process group of its own; what it prints goes to the file `log`.
    pub fn start(command: &mut Command, log: impl Into<PathBuf>) -> Self {
        let log = log.into();
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn();
        let name = command.get_program().to_owned();
        Self {
            child: child.unwrap_or_else(|error| panic!("{}: {error}", Path::new(&name).display())),
            log,
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it listens on this port; the test fails with its log when it does not.
    #[must_use]
    pub fn listens_on(mut self, port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        self.waited_for("listens", || TcpStream::connect(address).ok());
        self
    }

    /// Waits until there is something to see of it; the test fails with its log when there is not, or it has ended.
    pub fn waited_for<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let mut ended = None;
        let seen = wait_for(|| {
            let seen = look().map(Some);
            ended = self.child.try_wait().unwrap();
            // Nothing will be seen any more.
            seen.or(ended.map(|_| None))
        });
        let seen = seen.flatten();
        seen.unwrap_or_else(|| panic!("it never {what} ({ended:?}); it said:\n{}", self.log()))
    }

    /// Sends it a signal, and waits until it has ended.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        if let Some(status) = self.child.try_wait().unwrap() {
            return status;
        }
        kill(self.pid(), signal).unwrap();
        let child = &mut self.child;
        let status = wait_for(|| child.try_wait().unwrap());
        status.unwrap_or_else(|| panic!("it does not end by {signal}; it said:\n{}", self.log()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A program that has ended by itself is no mistake of the end; its number may be somebody else's then.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = killpg(self.pid(), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// Runs a program to its end and gives what it printed; the test fails when it fails.
pub fn output_of(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(
        output.status.success(),
        "{:?} ended with {}:\n{}{}",
        command.get_program().to_string_lossy(),
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A command whose libraries are looked for in these folders too.
pub fn with_libraries(program: impl AsRef<OsStr>, libraries: &[PathBuf]) -> Command {
    let mut command = Command::new(program);
    let paths = libraries.iter().map(|path| path.as_os_str());
    command.env("LD_LIBRARY_PATH", paths.collect::<Vec<_>>().join(OsStr::new(":")));
    command
}
