//! One mail server: a service with a store, a resolver and a clock of its own, and mail that comes to it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testkit::dns_server::DnsServer;

use super::mail;
use super::network::Network;
use super::sender::{Account, Sender};
use super::wait_for;
use crate::binary::{Folder, LANDMARC};
use crate::outbox::clock::{SetClock, set_off};

/// Where it listens; loopback is its own.
const MILTER_PORT: u16 = 8891;
/// The line by which it says that it listens.
const LISTENS: &str = "in Postfix: smtpd_milters = ";

/// A mail server; dropping it kills its service.
pub(super) struct Mx {
    /// Its name, and that of its place in the network.
    pub(super) name: &'static str,
    /// What its settings and its store are in.
    folder: Folder,
    /// By how much its clock is wrong, in seconds.
    wrong_by: i64,
    environment: Vec<(String, String)>,
    /// The number of its first message.
    first: u64,
    service: Option<Child>,
    lives: usize,
    sender: Option<Sender>,
    /// What became of the mail of senders that were stopped.
    account: Account,
    _dns: DnsServer,
}

impl Mx {
    /// Sets it up, and starts nothing. `settings` are lines with dotted keys beside those that every host needs.
    pub(super) fn new(
        network: &Network,
        clock: &SetClock,
        (name, wrong_by): (&'static str, i64),
        settings: &str,
    ) -> Self {
        let folder = Folder::new(&format!("fleet-{name}"));
        let dns = network.within(name, || DnsServer::start(mail::zones()));
        let common = format!(
            "milter.listen = [\"inet:127.0.0.1:{MILTER_PORT}\"]\nweb.listen = []\nlog.target = \"stderr\"\n\
             log.level = \"debug\"\nstore.directory = \"{}\"\ndns.name_servers = [\"{}\"]\nfleet.host = \"{name}\"\n",
            folder.path().display(),
            dns.addr()
        );
        folder.write("landmarc.toml", format!("{common}{settings}"));
        let first = name.bytes().last().map_or(0, u64::from) * mail::A_HOST;
        Self {
            environment: clock.environment(&folder.path().join("time")),
            name,
            folder,
            wrong_by,
            first,
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

    /// Its own database.
    pub(super) fn database(&self) -> PathBuf {
        self.folder.path().join("landmarc.db")
    }

    /// Starts its service; [`listens`](Self::listens) waits for it.
    pub(super) fn begin(&mut self, network: &Network) {
        self.lives += 1;
        let log = File::create(self.log_file(self.lives)).unwrap();
        let mut command = self.command(&["serve"]);
        command.stdout(Stdio::null()).stderr(log);
        self.service = Some(network.within(self.name, || command.spawn().unwrap()));
    }

    /// Waits until it takes mail.
    #[track_caller]
    pub(super) fn listens(&self) {
        self.wait_for_line(LISTENS);
    }

    /// Mail begins to come.
    pub(super) fn receive(&mut self, network: &Network) {
        let milter = format!("inet:{MILTER_PORT}@127.0.0.1");
        self.sender = Some(network.within(self.name, || Sender::start(&milter, self.first)));
    }

    /// Waits until so many messages are answered that are sent later than now.
    #[track_caller]
    pub(super) fn answers(&self, messages: usize) {
        self.sender.as_ref().unwrap().wait_for_later_ones(messages);
    }

    /// No more mail comes.
    pub(super) fn rest(&mut self) {
        self.account = self.sender.take().unwrap().stop();
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

    /// Runs a command with its settings, its clock and its addresses.
    pub(super) fn landmarc(&self, network: &Network, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        network.within(self.name, || command.output().unwrap())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(LANDMARC);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.folder.path().join("landmarc.toml"));
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

    /// The lines of all its lives.
    pub(super) fn log(&self) -> Vec<String> {
        let texts = (1..=self.lives).map(|life| fs::read_to_string(self.log_file(life)).unwrap_or_default());
        texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// Those among them that somebody should look at.
    pub(super) fn complaints(&self) -> String {
        let is_one =
            |line: &String| line.contains(" WARN ") || line.contains("ERROR") || line.contains("panicked");
        self.log()
            .into_iter()
            .filter(is_one)
            .map(|line| format!("{line}\n"))
            .collect()
    }

    fn log_file(&self, life: usize) -> PathBuf {
        log_file(self.folder.path(), life)
    }
}

fn log_file(folder: &Path, life: usize) -> PathBuf {
    folder.join(format!("serve-{life}.log"))
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
