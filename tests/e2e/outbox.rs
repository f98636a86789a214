//! `landmarc outbox`: what is reported to others, from a store with tallies to the letters that a relay
//! has taken.
//!
//! [`World`] is a site that reports: a relay that does as it is told, a DNS server, a store, and settings
//! that name all three. Its clock is set by `--now`.

pub(crate) mod clock;
mod commands;
mod day;
mod flood;
mod kill;
mod postfix;
pub(crate) mod python;
mod refusals;
mod relays;
mod sending;
mod serving;
mod telling;
mod two_hosts;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_intake::archive::{self, unpack};
use landmarc_intake::{CarriedKind, MailLimits, open_mail};
use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{Recorded, Recorder, RecorderOptions};
use landmarc_testkit::dns_name;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::relay::{Relay, RelayedMessage, Script};
use landmarc_testkit::tools::Folder;
use serde_json::Value;

use crate::binary::{Ran, executable, landmarc, landmarc_reading};

/// 2026-06-01T00:00:00Z, which GR19 calls 1780272000.
pub(crate) const JUNE_1: u64 = 1_780_272_000_000;
/// 2026-06-02T00:20:00Z: that day is over and settled.
pub(crate) const AFTER_JUNE_1: &str = "2026-06-02T00:20:00Z";
/// Who reports.
pub(crate) const SUBMITTER: &str = "reports.receiver.example";
pub(crate) const EMAIL: &str = "noreply@reports.receiver.example";

/// A site that reports.
pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) dns: DnsServer,
    pub(crate) folder: Folder,
    settings: PathBuf,
}

impl World {
    /// With a relay that takes everything, domains that receive mail, and an empty store. `settings` are
    /// lines with dotted keys beside those that every test needs.
    pub(crate) fn start(name: &str, settings: &str) -> Self {
        Self::with_script(name, settings, Script::default())
    }

    /// The same with another relay.
    pub(crate) fn with_script(name: &str, settings: &str, script: Script) -> Self {
        let relay = Relay::start(script);
        let dns = DnsServer::start(zones());
        let folder = Folder::new(&format!("outbox-{name}"));
        let key = folder.path().join("key.pem").display().to_string();
        let made = landmarc([
            "dkim",
            "new",
            "s1",
            "--algorithm",
            "ed25519",
            "--domain",
            SUBMITTER,
            "--out",
            &key,
        ]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let text = format!(
            "milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = []\nlog.target = \"stderr\"\n\
             store.directory = \"{}\"\ndns.name_servers = [\"{}\"]\nreport.email = \"{EMAIL}\"\n\
             report.organization = \"Receiver & Co\"\nreport.delivery.relay = \"{}\"\n\
             report.delivery.tls = \"none\"\nreport.delivery.hello = \"mx.receiver.example\"\n\
             report.dkim_keys = [\"s1:{key}\"]\n{settings}\n",
            folder.path().display(),
            dns.addr(),
            relay.address(),
        );
        let settings = folder.write("landmarc.toml", text);
        let world = Self {
            relay,
            dns,
            folder,
            settings,
        };
        world.record([]);
        world
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("landmarc.db")
    }

    /// The file of settings.
    pub(crate) fn settings(&self) -> String {
        self.settings.display().to_string()
    }

    /// Writes down messages that were judged.
    pub(crate) fn record(&self, observations: impl IntoIterator<Item = Observation>) {
        record(self.database(), observations);
    }

    /// Runs `landmarc outbox` with these arguments and the settings of this world.
    pub(crate) fn outbox(&self, arguments: &[&str]) -> Ran {
        landmarc(self.line(arguments))
    }

    /// The same with something on standard input.
    pub(crate) fn outbox_reading(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let line = self.line(arguments);
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        landmarc_reading(&line, input)
    }

    fn line(&self, arguments: &[&str]) -> Vec<String> {
        let words = ["outbox"].iter().chain(arguments).map(|word| (*word).to_owned());
        words.chain(["--config".to_owned(), self.settings()]).collect()
    }

    /// Begins `landmarc outbox` with these arguments, to be waited for or killed.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(executable());
        command.args(self.line(arguments)).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Sends at this time what is due; with the exit code and the summary.
    #[track_caller]
    pub(crate) fn send(&self, now: &str) -> (i32, Value) {
        let ran = self.outbox(&["send", "--now", now, "--json"]);
        assert_eq!(without_warnings(&ran.stderr), "", "{}", ran.stdout);
        (ran.code, ran.json())
    }

    /// The messages in the outbox, the oldest first.
    #[track_caller]
    pub(crate) fn list(&self, options: &[&str]) -> Vec<Value> {
        let ran = self.outbox(&[&["list", "--json"], options].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Their states, each with its destination.
    #[track_caller]
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        let text = |message: &Value, key: &str| message[key].as_str().unwrap().to_owned();
        let states = self.list(&[]);
        let mut states: Vec<_> = states
            .iter()
            .map(|message| (text(message, "destination"), text(message, "state")))
            .collect();
        states.sort();
        states
    }

    /// The messages that the relay has taken to this address.
    pub(crate) fn messages_to(&self, address: &str) -> Vec<RelayedMessage> {
        let messages = self.relay.messages().into_iter();
        messages
            .filter(|message| message.rcpt_to.iter().any(|recipient| recipient == address))
            .collect()
    }
}

/// Writes messages down in this database, as if they had been judged.
pub(crate) fn record(database: PathBuf, observations: impl IntoIterator<Item = Observation>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut options = RecorderOptions::at(database);
    options.answer_timeout = Duration::from_mins(1);
    let recorder = Recorder::open(options).unwrap();
    let waiting: Vec<_> = observations.into_iter().map(|one| recorder.record(one)).collect();
    for recorded in waiting {
        assert_eq!(runtime.block_on(recorded), Recorded::Committed);
    }
}

/// What stands on standard error beside warnings: a world signs with Ed25519 alone, which is soon made and
/// warned of.
pub(crate) fn without_warnings(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains(": warning: "));
    lines.map(|line| format!("{line}\n")).collect()
}

impl Drop for World {
    /// Whatever a test is about: what has left is valid (decision D21).
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let messages = self.relay.messages().into_iter().map(|message| message.text);
        let reports: BTreeSet<Vec<u8>> = messages.flat_map(|message| reports_in(&message)).collect();
        let write = |(number, xml)| self.folder.write(format!("validated/{number}.xml"), xml);
        let files: Vec<_> = reports.into_iter().enumerate().map(write).collect();
        python::validate(files.iter().filter_map(|file| file.to_str()));
    }
}

/// The aggregate reports that a message carries, unpacked.
pub(crate) fn reports_in(message: &[u8]) -> Vec<Vec<u8>> {
    let Ok(mail) = open_mail(message, &MailLimits::default()) else {
        return Vec::new();
    };
    let aggregate = mail
        .carried
        .iter()
        .filter(|carried| matches!(carried.kind, CarriedKind::Aggregate(_)));
    aggregate
        .map(|carried| unpack(&carried.octets, &archive::ArchiveLimits::default()).expect("we packed it"))
        .collect()
}

/// What the DNS server of a world answers from: domains that ask for reports and receive mail.
pub(crate) fn zones() -> Zones {
    let mut zones = Zones::new();
    for domain in ["a.example", "b.example", "c.example", "third.example"] {
        zones.add_txt(
            dns_name(&format!("_dmarc.{domain}")),
            format!("v=DMARC1; p=none; rua=mailto:dmarc@{domain}").as_bytes(),
        );
        let address = DnsRecord::A([127, 0, 0, 1].into());
        zones.set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
    }
    zones
}

/// A message of this policy domain that failed, at this time, with this place to report to.
pub(crate) fn message(at_ms: u64, policy_domain: &str, rua: &[&str]) -> Observation {
    let none = || "none".to_owned();
    Observation {
        at_ms,
        queue_id: "4ZQ0000001".to_owned(),
        id: "0n2v5x8k4q1m".to_owned(),
        client: Some([192, 0, 2, 7].into()),
        author_domain: Some(policy_domain.to_owned()),
        spf: "fail".to_owned(),
        dkim: none(),
        arc: none(),
        dmarc: "fail".to_owned(),
        policy_domain: Some(policy_domain.to_owned()),
        policy: Some(none()),
        disposition: none(),
        action: "accept".to_owned(),
        enforced_action: "accept".to_owned(),
        overrides: Vec::new(),
        rule: None,
        cause: "SPF forbids 192.0.2.7, and nothing is signed".to_owned(),
        questions: 6,
        ms: 38,
        trace: "".into(),
        row: Some(row(policy_domain, rua, [192, 0, 2, 7].into())),
    }
}

/// Its row in the report.
pub(crate) fn row(policy_domain: &str, rua: &[&str], source_ip: IpAddr) -> TallyRow {
    TallyRow {
        policy_domain: policy_domain.to_owned(),
        published: PublishedPolicy {
            p: "none".to_owned(),
            sp: "none".to_owned(),
            np: None,
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            testing: false,
            discovery_method: "treewalk".to_owned(),
            rua: rua.iter().map(|uri| (*uri).to_owned()).collect(),
            ruf: Vec::new(),
            problems: Vec::new(),
            psd: false,
        },
        source_ip,
        disposition: "none".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        reasons: Vec::new(),
        header_from: policy_domain.to_owned(),
        envelope_from: Some(policy_domain.to_owned()),
        envelope_to: None,
        dkim: Vec::new(),
        spf: Some((policy_domain.to_owned(), "mfrom".to_owned(), "fail".to_owned())),
        incidental: false,
    }
}

/// A message that has its own row, by the address of its client.
pub(crate) fn message_from(at_ms: u64, policy_domain: &str, rua: &[&str], source_ip: IpAddr) -> Observation {
    Observation {
        client: Some(source_ip),
        row: Some(row(policy_domain, rua, source_ip)),
        ..message(at_ms, policy_domain, rua)
    }
}
