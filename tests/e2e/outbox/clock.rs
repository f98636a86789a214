//! A service whose clock is set: Debian's libfaketime in front of the system's calls for the time.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::World;
use crate::binary::executable;

/// Where Debian has it, below the directory of the architecture.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// Its sibling, in which threads wait for each other.
const FOR_THREADS: &str = "libfaketimeMT.so.1";

/// A clock that shows what it is set to.
pub(crate) struct SetClock(PathBuf);

impl SetClock {
    /// With the library; none where the run does without tools.
    pub(crate) fn find() -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
        let found = folders
            .map(|folder| folder.path().join(LIBRARY))
            .find(|file| file.is_file());
        if found.is_none() {
            Need::Tools.is_missing("faketime is not installed");
        }
        found.map(Self)
    }

    /// Starts a service at this time (`2026-06-02 00:10:00`, UTC). All its clocks run so many times as
    /// fast, those for waits among them.
    pub(super) fn serve_fast(&self, world: &World, time: &str, factor: u32) -> Serving {
        Serving::start(world, &[("FAKETIME", format!("@{time} x{factor}"))], &self.0)
    }

    /// Starts a service that looks up the time of day in this file, which [`set`] writes. Waits take as
    /// long as they do.
    pub(super) fn serve_by(&self, world: &World, file: &std::path::Path) -> Serving {
        Serving::start(world, &by(file), &self.0)
    }

    /// What makes a process look up the time of day in this file. Waits take as long as they do.
    pub(crate) fn environment(&self, file: &std::path::Path) -> Vec<(String, String)> {
        // The other one lets two threads read the file into the same place at once, and one of them may then
        // see the right time.
        let library = self.0.with_file_name(FOR_THREADS);
        let library = ("LD_PRELOAD", library.display().to_string());
        let all = [library, ("TZ", "UTC".to_owned())].into_iter().chain(by(file));
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn by(file: &std::path::Path) -> [(&'static str, String); 3] {
    [
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Sets the clock of the services that look into this file.
pub(super) fn set(file: &std::path::Path, time: &str) {
    write(file, &format!("@{time}\n"));
}

/// Sets it so many seconds before or after the right time, whenever the service is started.
pub(crate) fn set_off(file: &std::path::Path, seconds: i64) {
    write(file, &format!("{seconds:+}\n"));
}

fn write(file: &std::path::Path, text: &str) {
    // Whoever looks meanwhile sees the time before or this one, never half of it.
    let next = file.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(&next, file).unwrap();
}

/// A service over the store of a world; dropping it kills it.
pub(super) struct Serving {
    child: Child,
    log: PathBuf,
}

impl Serving {
    fn start(world: &World, clock: &[(&str, String)], library: &std::path::Path) -> Self {
        let log = world.folder.path().join("serve.log");
        // Lines of an earlier life are not of this one.
        match fs::remove_file(&log) {
            Err(error) if error.kind() != ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
        let child = Command::new(executable())
            .args(["serve", "--config", &world.settings()])
            .env_remove("JOURNAL_STREAM")
            .env("LD_PRELOAD", library)
            .env("TZ", "UTC")
            .envs(clock.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// What it has written so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line with these words.
    #[track_caller]
    pub(super) fn line_with(&self, words: &str) -> String {
        let line = wait_for(|| {
            let log = self.log();
            log.lines().find(|line| line.contains(words)).map(str::to_owned)
        });
        line.unwrap_or_else(|| panic!("no {words:?} in {}", self.log()))
    }

    /// Waits until it listens; where, in the form of `smtpd_milters`.
    #[track_caller]
    pub(super) fn milter(&self) -> String {
        const LISTENS: &str = "in Postfix: smtpd_milters = ";
        let line = self.line_with(LISTENS);
        let socket = line.split_once(LISTENS).map(|(_, socket)| socket.to_owned());
        socket.unwrap()
    }

    /// `kill -9`.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end; its exit code and its log.
    pub(super) fn stop(mut self) -> (Option<i32>, String) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.log())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!(
                "---- log of the service\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }
}
