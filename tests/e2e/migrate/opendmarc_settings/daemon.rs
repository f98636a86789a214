//! The service under its old name: into the background, its PidFile, its signals, and started again.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::tools::wait_for;
use landmarc_testkit::tools::{Folder, free_port};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::said;
use crate::binary::executable;

/// A site with OpenDMARC's own files, whose service is stopped at the end.
struct Site {
    folder: Folder,
    port: u16,
}

impl Site {
    fn new(name: &str, lines: &str) -> Self {
        let site = Self {
            folder: Folder::new(name),
            port: free_port(),
        };
        site.configure(lines);
        site
    }

    /// What the file says beside its Socket and its PidFile.
    fn configure(&self, lines: &str) {
        let pid_file = self.folder.join("opendmarc.pid");
        let text = format!(
            "Socket inet:{}@localhost\nPidFile {}\n{lines}",
            self.port,
            pid_file.display()
        );
        self.folder.write("opendmarc.conf", text);
    }

    /// Called by its old name, as a link to it would be.
    fn command(&self) -> Command {
        let mut command = Command::new(executable());
        command
            .arg0("opendmarc")
            .arg("-c")
            .arg(self.folder.join("opendmarc.conf"))
            .env("STATE_DIRECTORY", self.folder.join("store"))
            .env_remove("NOTIFY_SOCKET");
        command
    }

    fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.folder.join("opendmarc.pid")).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid().unwrap(), signal).unwrap();
    }

    /// What a message without a Date field comes to; no question is asked of DNS about it.
    fn verdict(&self) -> Option<Verdict> {
        let mut mta = Mta::connect(&format!("inet:{}@127.0.0.1", self.port)).ok()?;
        mta.deliver(&Mail::plain()).ok().map(|outcome| outcome.verdict)
    }

    fn wait_until(&self, what: &str, holds: impl Fn(Option<Verdict>) -> bool) {
        let held = wait_for(|| holds(self.verdict()).then_some(()));
        assert!(held.is_some(), "{what}: {:?}", self.verdict());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // One that never started has nothing to be stopped.
        if let Some(pid) = self.pid() {
            let _ = kill(pid, Signal::SIGTERM);
            let _ = wait_for(|| kill(pid, None).is_err().then_some(()));
        }
    }
}

const IGNORED: &str = "IgnoreMailFrom example.com\n";
const REFUSED: &str = "RequiredHeaders true\nRejectFailures true\n";

fn is_refused(verdict: Option<Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Reply(text)) if text.starts_with("550 "))
}

/// P6, P20, F7, F8: the command returns when the service takes mail; USR1 and HUP read the file again, TERM
/// ends it.
#[test]
fn p6_into_the_background_reloaded_and_stopped() {
    let site = Site::new("opendmarc-daemon", IGNORED);
    let started = said(&mut site.command());
    assert_eq!(
        (started.code, started.stdout.as_str()),
        (Some(0), ""),
        "{}",
        started.stderr
    );
    // No waiting: it is there when the command has returned.
    assert_eq!(site.verdict(), Some(Verdict::Accept));
    let pid = site.pid().unwrap();

    site.configure(REFUSED);
    site.signal(Signal::SIGUSR1);
    site.wait_until("USR1 reloads", is_refused);
    site.configure(IGNORED);
    site.signal(Signal::SIGHUP);
    site.wait_until("HUP reloads", |verdict| verdict == Some(Verdict::Accept));
    // A broken file changes nothing.
    site.configure("Sylog true\n");
    site.signal(Signal::SIGUSR1);
    assert_eq!(site.verdict(), Some(Verdict::Accept));
    assert_eq!(site.pid(), Some(pid));

    site.signal(Signal::SIGTERM);
    site.wait_until("TERM ends it", |verdict| verdict.is_none());
}

/// P20: the directory may belong to the user that the service becomes, and root writes the file.
#[test]
fn p20_a_pid_file_that_is_a_link_is_not_written_through() {
    let site = Site::new("opendmarc-pid-link", IGNORED);
    let victim = site.folder.join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, site.folder.join("opendmarc.pid")).unwrap();
    let log = site.folder.join("log");
    let mut service = site
        .command()
        .arg("-f")
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    site.wait_until("it serves", |verdict| verdict == Some(Verdict::Accept));
    let number = i32::try_from(service.id()).unwrap();
    kill(Pid::from_raw(number), Signal::SIGTERM).unwrap();
    assert!(service.wait().unwrap().success());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// F9: nobody watches the file. What it says counts once somebody asks for it.
#[test]
fn f9_a_file_that_changes_counts_when_a_reload_is_asked_for() {
    let site = Site::new("opendmarc-watch", IGNORED);
    let started = said(&mut site.command());
    assert_eq!(started.code, Some(0), "{}", started.stderr);
    site.configure(REFUSED);
    for _ in 0..20 {
        assert_eq!(site.verdict(), Some(Verdict::Accept));
    }
    let descriptors = fs::read_dir(format!("/proc/{}/fd", site.pid().unwrap())).unwrap();
    let what = descriptors.filter_map(|one| fs::read_link(one.ok()?.path()).ok());
    let what: Vec<_> = what.map(|path| path.display().to_string()).collect();
    assert!(what.iter().any(|one| one.contains("socket")), "{what:?}");
    assert!(!what.iter().any(|one| one.contains("notify")), "{what:?}");
    site.signal(Signal::SIGUSR1);
    site.wait_until("it is asked for", is_refused);
}

/// Whoever starts it is told why it does not, and gets the exit code.
#[test]
fn p6_an_error_at_the_start_is_told_in_the_foreground() {
    let site = Site::new("opendmarc-error", "");
    let taken = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    let started = said(&mut site.command());
    assert_eq!(started.code, Some(69), "{}", started.stderr);
    assert!(
        started.stderr.contains(&site.port.to_string()),
        "{}",
        started.stderr
    );
    drop(taken);
    site.configure("UserID nobody-of-that-name\nSylog true\n");
    let started = said(&mut site.command());
    assert_eq!(started.code, Some(78), "{}", started.stderr);
    assert!(
        started.stderr.contains("line 4: unrecognized parameter"),
        "{}",
        started.stderr
    );
    assert_eq!(site.pid(), None);
}

/// C8: what the command line says outlives a reload.
#[test]
fn c8_the_command_line_still_counts_after_a_reload() {
    let site = Site::new("opendmarc-options", IGNORED);
    let other = free_port();
    let pid_file = site.folder.join("opendmarc.pid");
    let started = said(
        site.command()
            .args(["-l", "-p", &format!("inet:{other}@localhost"), "-P"])
            .arg(pid_file),
    );
    assert_eq!(started.code, Some(0), "{}", started.stderr);
    assert_eq!(site.verdict(), None);
    let there = Site {
        folder: Folder::new("opendmarc-there"),
        port: other,
    };
    assert_eq!(there.verdict(), Some(Verdict::Accept));
    site.configure(REFUSED);
    site.signal(Signal::SIGUSR1);
    there.wait_until("reloaded on the same port", is_refused);
}

/// P3, P4, L6: a service that is killed is started again, as often as the file says.
#[test]
fn p3_started_again_until_it_is_too_often() {
    let site = Site::new("opendmarc-again", &format!("{IGNORED}AutoRestartCount 1\n"));
    let log = fs::File::create(site.folder.join("log")).unwrap();
    let mut watcher = site
        .command()
        .args(["-A", "-f"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    site.wait_until("it serves", |verdict| verdict == Some(Verdict::Accept));
    assert_eq!(site.pid(), i32::try_from(watcher.id()).ok().map(Pid::from_raw));
    let log = || fs::read_to_string(site.folder.join("log")).unwrap();

    kill(child_of(watcher.id()).unwrap(), Signal::SIGKILL).unwrap();
    let restarted = wait_for(|| {
        log()
            .contains("terminated with signal 9, restarting")
            .then_some(())
    });
    assert!(restarted.is_some(), "{}", log());
    let again = wait_for(|| child_of(watcher.id()).filter(|_| site.verdict() == Some(Verdict::Accept)));
    kill(again.unwrap(), Signal::SIGKILL).unwrap();
    let ended = wait_for(|| watcher.try_wait().ok().flatten());
    assert_eq!(ended.and_then(|status| status.code()), Some(69), "{}", log());
    assert!(log().contains("signal 9; maximum restart count"), "{}", log());
    // L1, L2: where it listens, and what it was started with.
    assert!(
        log().contains(&format!("milter socket inet:127.0.0.1:{}", site.port)),
        "{}",
        log()
    );
    assert!(log().contains("opendmarc.conf (args: -c "), "{}", log());
    fs::remove_file(site.folder.join("opendmarc.pid")).unwrap();
}

/// P3: between two runs there is no service to be told to stop, and the one who would start it hears it.
#[test]
fn p3_told_to_stop_between_two_runs_it_stops() {
    let site = Site::new("opendmarc-between", IGNORED);
    let log = fs::File::create(site.folder.join("log")).unwrap();
    let mut watcher = site
        .command()
        .args(["-A", "-f"])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    site.wait_until("it serves", |verdict| verdict == Some(Verdict::Accept));
    let log = || fs::read_to_string(site.folder.join("log")).unwrap();

    kill(child_of(watcher.id()).unwrap(), Signal::SIGKILL).unwrap();
    let restarting = wait_for(|| log().contains("signal 9, restarting").then_some(()));
    assert!(restarting.is_some(), "{}", log());
    kill(site.pid().unwrap(), Signal::SIGTERM).unwrap();
    let ended = wait_for(|| watcher.try_wait().ok().flatten());
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "{}", log());
}

/// The process that another has started.
fn child_of(parent: u32) -> Option<Pid> {
    let text = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Pid::from_raw)
}
