//! Programs of others, run from packages that were unpacked and not installed: a service that Debian
//! would start with its package must not serve this machine.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

pub(crate) use super::ports::free_port;
use super::wait_for;

/// The folder of an unpacked package, `redis` or `exim`; none where there is none or we are not root, which
/// is said loudly; unless `LANDMARC_E2E` is `required`, where it fails the test.
pub(crate) fn package(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("LANDMARC_TOOLS").map(PathBuf::from);
    let folder = root.map(|root| root.join(name)).filter(|folder| folder.is_dir());
    if folder.is_some() && nix::unistd::Uid::effective().is_root() {
        return folder;
    }
    let why = format!("needs root and the Debian package of {name}, unpacked below LANDMARC_TOOLS");
    if std::env::var_os("LANDMARC_E2E").is_some_and(|value| value == "required") {
        panic!("{why}; scripts/test gets it");
    }
    println!("SKIPPED: {why}");
    None
}

/// A folder of one test, that everybody may enter; gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(what: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("landmarc-{what}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file below it, with its folders.
    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
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
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it in a process group of its own; what it prints goes to the file `log`.
    pub(crate) fn start(command: &mut Command, log: impl Into<PathBuf>) -> Self {
        let log = log.into();
        let output = File::create(&log).unwrap();
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

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// What it has printed so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it listens on this port; the test fails with its log when it does not.
    pub(crate) fn listens_on(self, port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let open = wait_for(|| TcpStream::connect(address).ok());
        assert!(
            open.is_some(),
            "nobody listens on port {port}; it said:\n{}",
            self.log()
        );
        self
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A program that has ended by itself is no mistake of the end.
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Runs a program to its end and gives what it printed; the test fails when it fails.
pub(crate) fn output_of(command: &mut Command) -> String {
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
pub(crate) fn with_libraries(program: impl AsRef<OsStr>, libraries: &[PathBuf]) -> Command {
    let mut command = Command::new(program);
    let paths = libraries.iter().map(|path| path.as_os_str());
    command.env("LD_LIBRARY_PATH", paths.collect::<Vec<_>>().join(OsStr::new(":")));
    command
}
