//! One mail server: a service with a store, a resolver and a clock of its own, and mail that comes to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use landmarc_store::Day;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Folder, free_port};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::ground::{Ground, Loopback};
use super::mail;
use super::sender::{Account, Sender};
use super::{PAUSE, wait_for};
use crate::binary::executable;
use crate::outbox::clock::{SetClock, set_off};

/// The line by which it says that it listens.
const LISTENS: &str = "in Postfix: smtpd_milters = ";
/// What it says of a disk that takes its time.
const SLOW_DISK: &str = "the disk is slow; the records follow";

/// A mail server; dropping it kills its service.
pub(super) struct Mx {
    /// Its name, and that of its place in the network.
    pub(super) name: &'static str,
    /// What its settings and its store are in.
    folder: Folder,
    /// By how much its clock is wrong, in seconds.
    wrong_by: i64,
    environment: Vec<(String, String)>,
    /// Where it listens, on loopback.
    port: u16,
    /// The number of its next message when mail begins to come.
    next: u64,
    service: Option<Child>,
    lives: usize,
    sender: Option<Sender>,
    /// What became of the mail of senders that were stopped.
    account: Account,
    _dns: DnsServer,
}

impl Mx {
    /// Sets it up, and starts nothing. `settings` are lines with dotted keys beside those that every host needs.
    /// Without a clock that is set it has the one of all.
    pub(super) fn new(
        ground: &impl Ground,
        clock: Option<&SetClock>,
        (name, wrong_by): (&'static str, i64),
        settings: &str,
    ) -> Self {
        let folder = Folder::new(&format!("fleet-{name}"));
        let dns = ground.within(name, || DnsServer::start(mail::zones()));
        let port = free_port();
        let common = format!(
            "milter.listen = [\"inet:127.0.0.1:{port}\"]\nweb.listen = []\nlog.target = \"stderr\"\n\
             log.level = \"debug\"\nstore.directory = \"{}\"\ndns.name_servers = [\"{}\"]\nfleet.host = \"{name}\"\n",
            folder.path().display(),
            dns.addr()
        );
        folder.write("landmarc.toml", format!("{common}{settings}"));
        let next = name.bytes().last().map_or(0, u64::from) * mail::A_HOST;
        let time = folder.path().join("time");
        Self {
            environment: clock.map_or_else(Vec::new, |clock| clock.environment(&time)),
            name,
            folder,
            wrong_by,
            port,
            next,
            service: None,
            lives: 0,
            sender: None,
            account: Account::default(),
            _dns: dns,
        }
    }

    /// Sets its clock so many seconds off, and what it is wrong by beside them.
    pub(super) fn set_clock(&self, seconds: i64) {
        set_off(&self.folder.path().join("time"), seconds + self.wrong_by);
    }

    /// Its file of settings.
    pub(super) fn settings(&self) -> PathBuf {
        self.folder.path().join("landmarc.toml")
    }

    /// Its own database.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.path().join("landmarc.db")
    }

    /// Starts its service; [`listens`](Self::listens) waits for it.
    pub(super) fn begin(&mut self, ground: &impl Ground) {
        self.lives += 1;
        let log = File::create(self.log_file(self.lives)).unwrap();
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        self.service = Some(ground.within(self.name, || command.spawn().unwrap()));
    }

    /// Waits until it takes mail.
    #[track_caller]
    pub(super) fn listens(&self) {
        self.wait_for_line(LISTENS);
    }

    /// Mail begins to come.
    pub(super) fn receive(&mut self, ground: &impl Ground) {
        let milter = format!("inet:{}@127.0.0.1", self.port);
        self.sender = Some(ground.within(self.name, || Sender::start(&milter, self.next)));
    }

    /// Waits until so many messages are answered that are sent later than now.
    #[track_caller]
    pub(super) fn answers(&self, messages: usize) {
        self.sender.as_ref().unwrap().wait_for_later_ones(messages);
    }

    /// No more mail comes.
    pub(super) fn rest(&mut self) {
        let (account, next) = self.sender.take().unwrap().stop();
        self.account.add(account);
        self.next = next;
    }

    /// What became of its mail, once it [rests](Self::rest).
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        let mut service = self.service.take().unwrap();
        service.kill().unwrap();
        service.wait().unwrap();
    }

    /// Asks it to end, in order.
    #[track_caller]
    pub(super) fn stop(&mut self) {
        let mut service = self.service.take().unwrap();
        let id = i32::try_from(service.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let code = service.wait().unwrap().code();
        assert_eq!(code, Some(0), "{}: {}", self.name, self.complaints());
    }

    /// The same, and not longer than this.
    #[track_caller]
    pub(super) fn stop_within(&mut self, longest: Duration) {
        let mut service = self.service.take().unwrap();
        let id = i32::try_from(service.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + longest;
        let ended = loop {
            match service.try_wait().unwrap() {
                None if Instant::now() < deadline => std::thread::sleep(PAUSE),
                ended => break ended,
            }
        };
        let code = ended.and_then(|status| status.code());
        // Else it is killed with this host.
        self.service = ended.is_none().then_some(service);
        assert_eq!(
            code,
            Some(0),
            "{} within {longest:?}: {}",
            self.name,
            self.complaints()
        );
    }

    /// What a command prints that ends well.
    #[track_caller]
    pub(super) fn says(&self, ground: &impl Ground, arguments: &[&str]) -> String {
        let output = self.landmarc(ground, arguments);
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: {arguments:?}: {complaints}",
            self.name
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, of one that prints an object.
    #[track_caller]
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(&Loopback, arguments)).unwrap()
    }

    /// Runs a command with its settings, its clock and its addresses.
    pub(super) fn landmarc(&self, ground: &impl Ground, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        ground.within(self.name, || command.output().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
        command.args(arguments).arg("--config").arg(self.settings());
        command
            .envs(self.environment.iter().cloned())
            .env_remove("JOURNAL_STREAM");
        command.stdin(Stdio::null());
        command
    }

    /// Waits until its service has said these words in its present life.
    #[track_caller]
    pub(super) fn wait_for_line(&self, words: &str) -> String {
        let log = || fs::read_to_string(self.log_file(self.lives)).unwrap();
        let line = wait_for(|| log().lines().find(|line| line.contains(words)).map(str::to_owned));
        line.unwrap_or_else(|| panic!("{} does not say {words:?}: {}", self.name, self.complaints()))
    }

    /// Waits until it says these words, behind so many lines of all its lives; the line.
    #[track_caller]
    pub(super) fn line_after(&self, lines: usize, words: &str) -> String {
        let said = || {
            self.log()
                .into_iter()
                .skip(lines)
                .find(|line| line.contains(words))
        };
        let line = wait_for(said);
        line.unwrap_or_else(|| panic!("{} does not say {words:?}: {}", self.name, self.complaints()))
    }

    /// The lines of all its lives.
    pub(super) fn log(&self) -> Vec<String> {
        let texts = (1..=self.lives).map(|life| fs::read_to_string(self.log_file(life)).unwrap_or_default());
        texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// Those among them that somebody should look at.
    pub(super) fn complaints(&self) -> String {
        let lines = self.complaints_after(0);
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Those behind so many lines, but for that which is told of the disk of a busy machine.
    pub(super) fn complaints_after(&self, lines: usize) -> Vec<String> {
        let is_told =
            |line: &str| line.contains(" WARN ") || line.contains("ERROR") || line.contains("panicked");
        let is_one = |line: &String| is_told(line) && !line.contains(SLOW_DISK);
        self.log().into_iter().skip(lines).filter(is_one).collect()
    }

    fn log_file(&self, life: usize) -> PathBuf {
        log_file(self.folder.path(), life)
    }
}

fn log_file(folder: &Path, life: usize) -> PathBuf {
    folder.join(format!("serve-{life}.log"))
}

/// The right time, in seconds since 1970.
pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The day of all clocks that are not set.
pub(super) fn today() -> Day {
    Day::at(u64::try_from(now_s()).unwrap() * 1_000)
}

impl Drop for Mx {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            // Both fail only when it has ended already.
            let _ = service.kill();
            let _ = service.wait();
        }
        if std::thread::panicking() {
            eprintln!("---- what {} complained of\n{}", self.name, self.complaints());
        }
    }
}
