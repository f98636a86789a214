//! Three mail servers, their database and the relay of their reports, each a host of a network.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use landmarc_store::{Day, StoreLocation};
use landmarc_testkit::databases::{PASSWORD, Setup};
use landmarc_testkit::relay::{Relay, Script};
use landmarc_testkit::tools::Folder;
use serde_json::Value;

use super::database::{Database, Engine};
use super::mx::{Mx, now_s};
use super::network::Network;
use super::{PATIENCE, wait_for};
use crate::binary::landmarc;
use crate::outbox::clock::{SetClock, set_off};

/// The place of the database.
pub(super) const DATABASE: &str = "db";
/// That of the relay.
const RELAY: &str = "relay";
/// Who reports.
const SUBMITTER: &str = "reports.here.example";

/// All of it, in the order in which it goes.
pub(super) struct Site {
    pub(super) hosts: Vec<Mx>,
    pub(super) relay: Relay,
    database: Database,
    /// What the clock of the database is set by.
    time: PathBuf,
    /// By how much all clocks are off, in seconds.
    off: i64,
    pub(super) folder: Folder,
    pub(super) network: Network,
}

impl Site {
    /// With a database whose tables are made, and three hosts that are not started. The clock of the first is
    /// wrong by so many seconds; the time is this one, in seconds since 1970. None where something is missing,
    /// which is said.
    pub(super) fn new(engine: Engine, now: i64, wrong_by: i64) -> Option<Self> {
        let clock = SetClock::find()?;
        let network = Network::start(&["mx1", "mx2", "mx3", DATABASE, RELAY])?;
        let folder = Folder::new(&format!("fleet-{engine:?}"));
        let time = folder.path().join("time");
        let off = now - now_s();
        set_off(&time, off);
        let setup = Setup {
            listen: network.address(DATABASE).into(),
            environment: clock.environment(&time),
            ..Setup::default()
        };
        let database = network.within(DATABASE, || Database::start(engine, setup))?;
        database.create();
        let at_relay = SocketAddr::from((network.address(RELAY), 0));
        let relay = network.within(RELAY, || Relay::start_at(at_relay, Script::default()));
        let settings = settings(&folder, &database.url(), relay.address());
        let hosts = [("mx1", wrong_by), ("mx2", 0), ("mx3", 0)].map(|host| {
            let mx = Mx::new(&network, Some(&clock), host, &settings);
            mx.set_clock(off);
            mx
        });
        let site = Self {
            hosts: hosts.into(),
            relay,
            database,
            time,
            off,
            folder,
            network,
        };
        let migrated = site.run("mx1", &["store", "migrate"]);
        assert!(migrated.0, "{}", migrated.1);
        Some(site)
    }

    /// All clocks go forward by this.
    pub(super) fn forward(&mut self, seconds: i64) {
        self.off += seconds;
        set_off(&self.time, self.off);
        for mx in &self.hosts {
            mx.set_clock(self.off);
        }
    }

    /// All clocks are set to this time, in seconds since 1970.
    pub(super) fn set_clocks(&mut self, now: i64) {
        self.forward(now - now_s() - self.off);
    }

    /// Does something with each host and the network.
    pub(super) fn each(&mut self, mut does: impl FnMut(&mut Mx, &Network)) {
        for mx in &mut self.hosts {
            does(mx, &self.network);
        }
    }

    /// The host of this name, and the network.
    pub(super) fn host(&mut self, name: &str) -> (&mut Mx, &Network) {
        let mx = self.hosts.iter_mut().find(|mx| mx.name == name);
        (mx.expect("there are three"), &self.network)
    }

    /// Runs a command on a host: whether it ended well, and what it said.
    pub(super) fn run(&self, name: &str, arguments: &[&str]) -> (bool, String) {
        let mx = self
            .hosts
            .iter()
            .find(|mx| mx.name == name)
            .expect("there are three");
        let output = mx.landmarc(&self.network, arguments);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        match output.status.success() {
            true => (true, text(&output.stdout)),
            false => (false, text(&output.stdout) + &text(&output.stderr)),
        }
    }

    /// The same, of a command that prints an object and ends well.
    #[track_caller]
    pub(super) fn json(&self, name: &str, arguments: &[&str]) -> Value {
        let (is_well, said) = self.run(name, arguments);
        assert!(is_well, "{name}: {arguments:?}: {said}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Does something with the store that all share, on its own host.
    pub(super) fn shared<T: Send>(&self, does: impl FnOnce(StoreLocation) -> T + Send) -> T {
        self.network.within(DATABASE, || does(self.database.place()))
    }

    /// The messages in the tallies of the database, by its own word.
    pub(super) fn counted(&self) -> u64 {
        self.database.counted()
    }

    /// The days that it counts messages of.
    pub(super) fn days(&self) -> String {
        self.database.sql("SELECT DISTINCT day FROM tally ORDER BY day")
    }

    /// The counts in the database that say nothing, because the row is not there that they count.
    pub(super) fn counts_of_nothing(&self) -> String {
        self.database.sql(
            "SELECT tally.policy_domain, count FROM tally LEFT JOIN reporting_row ON \
             reporting_row.policy_domain = tally.policy_domain AND reporting_row.digest = tally.reporting_row \
             LEFT JOIN published ON published.policy_domain = reporting_row.policy_domain AND \
             published.digest = reporting_row.published WHERE published.digest IS NULL",
        )
    }

    /// Waits until the database counts so many messages.
    #[track_caller]
    pub(super) fn wait_until_counted(&self, messages: u64) {
        let done = wait_for(|| (self.counted() == messages).then_some(()));
        assert!(
            done.is_some(),
            "{} of {messages} messages are counted",
            self.counted()
        );
    }

    /// The letters that the relay has, when there are so many.
    #[track_caller]
    pub(super) fn letters(&self, count: usize) -> Vec<landmarc_testkit::relay::RelayedMessage> {
        let done = self.relay.wait_until(PATIENCE, |log| log.messages.len() >= count);
        assert!(done, "{} of {count} letters", self.relay.messages().len());
        self.relay.messages()
    }

    /// What the hosts know of each other: names, and by how many seconds each clock is off.
    pub(super) fn clocks(&self) -> BTreeSet<(String, i64)> {
        let status = self.json("mx2", &["store", "status", "--json"]);
        let hosts = status["hosts"].as_array().cloned().unwrap_or_default();
        let name = |host: &Value| host["host"].as_str().unwrap_or_default().to_owned();
        let off = |host: &Value| host["clock_offset_ms"].as_i64().map_or(i64::MAX, nearest_minute);
        hosts.iter().map(|host| (name(host), off(host))).collect()
    }
}

/// In seconds. What it takes to tell the time does not matter.
fn nearest_minute(ms: i64) -> i64 {
    (ms + 30_000).div_euclid(60_000) * 60
}

/// Of all hosts.
fn settings(folder: &Folder, database: &str, relay: SocketAddr) -> String {
    let password_file = folder.write("password", format!("{PASSWORD}\n"));
    let key = folder.path().join("key.pem");
    format!(
        "fleet.database = \"{database}\"\nfleet.password_file = \"{}\"\nfleet.tls = \"off\"\n\
         fleet.statement_timeout = \"5s\"\nreport.email = \"noreply@{SUBMITTER}\"\n\
         report.organization = \"Receiver & Co\"\nreport.spread = \"0s\"\nreport.delivery.relay = \"{relay}\"\n\
         report.delivery.tls = \"none\"\nreport.delivery.hello = \"mx.here.example\"\n\
         report.dkim_keys = [\"s1:{}\"]\n",
        password_file.display(),
        made(&key),
    )
}

/// A key to sign with.
fn made(key: &Path) -> String {
    let path = key.display().to_string();
    let line = [
        "dkim",
        "new",
        "s1",
        "--algorithm",
        "ed25519",
        "--domain",
        SUBMITTER,
        "--out",
        &path,
    ];
    let ran = landmarc(line);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    path
}

/// June 1, as all here has it.
pub(super) const DAY: Day = Day(20_605);

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of the database\n{}", self.database.log());
        }
    }
}
