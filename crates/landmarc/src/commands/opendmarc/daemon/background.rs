//! Into the background (P6), as a service of its own: whoever started it is let go when it takes mail, or
//! is told why it does not.

use crate::exit::Exit;
use crate::failure::{CommandResult, failure};
use crate::notes::print_note;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long the service may take to open its sockets and its database.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How often it is looked whether it has ended instead.
const LOOK: Duration = Duration::from_millis(100);
/// Room for what it says of itself (sd_notify(3)): `READY=1` and a few words.
const MAX_NOTICE: usize = 1_024;

/// Starts a process that stays, and waits until it takes mail.
pub(super) fn start(arguments: &[OsString]) -> CommandResult {
    try_start(arguments).map_err(|error| failure!(Exit::Unavailable, "cannot start the service: {error}"))
}

/// This process is the one that stays: signals of the terminal are for others from now on.
pub(super) fn detach() {
    // It fails only for the leader of a group, which is on its own already.
    let _ = nix::unistd::setsid();
}

fn try_start(arguments: &[OsString]) -> io::Result<Exit> {
    let place = Place::new()?;
    let notices = UnixDatagram::bind(place.socket())?;
    // It may be another user by then.
    fs::set_permissions(place.socket(), Permissions::from_mode(0o666))?;
    notices.set_read_timeout(Some(LOOK))?;
    let mut child = again(arguments, "--detached")?
        .env("NOTIFY_SOCKET", place.socket())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let printing = child.stderr.take().map(|stderr| {
        std::thread::spawn(move || {
            BufReader::new(stderr)
                .lines()
                .map_while(Result::ok)
                .for_each(|line| print_note(&line));
        })
    });
    let ended = wait(&mut child, &notices)?;
    if let Some(status) = ended {
        // All that it said is to be read first.
        let _ = printing.map(std::thread::JoinHandle::join);
        return Ok(exit_of(status));
    }
    Ok(Exit::Fine)
}

/// Until it takes mail, or ends.
fn wait(child: &mut Child, notices: &UnixDatagram) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut octets = [0; MAX_NOTICE];
    loop {
        let length = notices.recv(&mut octets).unwrap_or(0);
        let notice = octets.get(..length).unwrap_or_default();
        if notice
            .split(|octet| *octet == b'\n')
            .any(|line| line == b"READY=1")
        {
            return Ok(None);
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > START_TIMEOUT {
            child.kill()?;
            return Err(io::Error::other(format!(
                "it was not ready after {} s",
                START_TIMEOUT.as_secs()
            )));
        }
    }
}

/// The exit code it ended with; of one that was killed, that it did not start.
pub(super) fn exit_of(status: ExitStatus) -> Exit {
    let known = [
        Exit::Fine,
        Exit::Usage,
        Exit::BadInput,
        Exit::NoInput,
        Exit::Bug,
        Exit::Config,
    ];
    let code = status.code();
    known
        .into_iter()
        .find(|exit| code == Some(i32::from(*exit as u8)))
        .unwrap_or(Exit::Unavailable)
}

/// This program again, with the same arguments and one more.
pub(super) fn again(arguments: &[OsString], one_more: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0("opendmarc").arg(one_more).args(arguments);
    Ok(command)
}

/// A directory for a socket that another user must reach; gone when it is dropped.
struct Place(PathBuf);

impl Place {
    /// How many names are tried: somebody may have taken one.
    const TRIES: u32 = 16;

    fn new() -> io::Result<Self> {
        let mut taken = io::Error::other("no name for a directory");
        for number in 0..Self::TRIES {
            let name = format!("opendmarc-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match DirBuilder::new().mode(0o711).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) => taken = error,
            }
        }
        Err(taken)
    }

    fn socket(&self) -> PathBuf {
        self.path().join("ready")
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is left lies in the system's temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}
