//! Counts that are handed on over HTTPS, to a collector that stops and dies in between.

use std::path::Path;
use std::process::Command;

use landmarc_store::Day;
use landmarc_testkit::relay::{Relay, Script};
use landmarc_testkit::tools::{Folder, free_port};
use serde_json::Value;

use super::account::{assert_same, reported, rows, tallies, written};
use super::ground::Loopback;
use super::mail::DOMAINS;
use super::mx::{Mx, now_s, today};
use super::wait_for;
use crate::outbox::clock::SetClock;

/// The manual, whose commands make the certificates.
const MANUAL: &str = include_str!("../../../docs/fleet.md");
/// Messages that are answered between two things that happen.
const A_FEW: usize = 20;
/// What a mail host says when nothing can be handed on, and when it can be again.
const AWAY: &str = "records wait on disk to be handed on; mail goes on: ";
const BACK: &str = "what waited is handed on again";

#[test]
fn what_is_pushed_is_counted_once_whatever_becomes_of_the_collector() {
    let Some(mut scene) = Scene::start() else {
        return;
    };
    let day = scene.day;
    let Scene {
        mx, collector, other, ..
    } = &mut scene;
    mx.receive(&Loopback);
    other.receive(&Loopback);
    mx.answers(A_FEW);
    let is_there = wait_for(|| (hosts(collector).len() == 1).then_some(()));
    assert!(is_there.is_some(), "{}", mx.complaints());

    for ends in [Mx::stop, Mx::kill] {
        let before = mx.log().len();
        ends(collector);
        mx.answers(A_FEW);
        let printed = mx.line_after(before, AWAY);
        assert!(printed.contains("remedy=\"nothing is lost"), "{printed}");
        collector.begin(&Loopback);
        mx.line_after(before, BACK);
        let complaints = mx.complaints_after(before);
        // One for each thing that is in the way: a connection that breaks, and then nobody who listens.
        assert!(
            complaints.len() <= 2 && complaints.iter().all(|line| line.contains(AWAY)),
            "{complaints:?}"
        );
        mx.answers(A_FEW);
    }

    mx.rest();
    let is_up_to_date = || {
        let said = collector.says(&Loopback, &["store", "status"]);
        let line = said.lines().find(|line| line.starts_with("host "))?.to_owned();
        (line.contains(" mx1 (") && line.contains("), up to date, ")).then_some(())
    };
    assert!(wait_for(is_up_to_date).is_some(), "{:?}", hosts(collector));
    assert_eq!(hosts(collector)[0]["pending_messages"], 0);
    mx.stop();
    let all = written(mx);
    let counted = tallies(&collector.database().into(), day);
    assert_same("the tallies of the collector", &counted, &rows(&all));
    let hosts = hosts(collector);
    assert_eq!(hosts.len(), 1, "the other one is nobody: {hosts:?}");
    assert_eq!(hosts[0]["has_stopped"], true);

    scene.the_other_one_is_refused_and_answers_mail();
    scene.the_collector_reports();
}

/// What the collector knows of its hosts.
#[track_caller]
fn hosts(collector: &Mx) -> Vec<Value> {
    let status = collector.json(&["store", "status", "--json"]);
    status["hosts"].as_array().unwrap().clone()
}

/// A mail host, where it hands on, and one that shows a certificate of another authority. All clocks are at noon.
struct Scene {
    mx: Mx,
    collector: Mx,
    other: Mx,
    relay: Relay,
    day: Day,
    _folder: Folder,
}

impl Scene {
    fn start() -> Option<Self> {
        let clock = SetClock::find()?;
        // Of the day after this one: the certificates are of now.
        let day = Day(today().0 + 1);
        let noon = i64::try_from(day.begins_ms() / 1_000).unwrap() + 43_200;
        let folder = Folder::new("fleet-push");
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        make_certificates(&ours);
        make_certificates(&theirs);
        let relay = Relay::start(Script::default());
        let port = free_port();
        let pushes = |shown: &Path| {
            format!(
                "fleet.push_to = \"https://localhost:{port}\"\nfleet.certificate_file = \"{0}/mx1.pem\"\n\
                 fleet.key_file = \"{0}/mx1.key\"\nfleet.ca_file = \"{1}/fleet-ca.pem\"\n",
                shown.display(),
                ours.display()
            )
        };
        let collects = format!(
            "[collector]\nlisten = [\"127.0.0.1:{port}\"]\ncertificate_file = \"{0}/collector.pem\"\n\
             key_file = \"{0}/collector.key\"\nclient_ca_file = \"{0}/fleet-ca.pem\"\n",
            ours.display()
        );
        let host = |name, settings: String| {
            let reports = format!(
                "report.email = \"noreply@reports.here.example\"\nreport.delivery.relay = \"{}\"\n\
                 report.delivery.tls = \"none\"\nreport.delivery.hello = \"mx.here.example\"\n",
                relay.address()
            );
            let mut host = Mx::new(&Loopback, Some(&clock), (name, 0), &(reports + &settings));
            host.set_clock(noon - now_s());
            host.begin(&Loopback);
            host.listens();
            host
        };
        Some(Self {
            collector: host("collector", collects),
            mx: host("mx1", pushes(&ours)),
            other: host("mx2", pushes(&theirs)),
            relay,
            day,
            _folder: folder,
        })
    }

    /// It has tried several times, and said so once.
    #[track_caller]
    fn the_other_one_is_refused_and_answers_mail(&mut self) {
        let (other, collector) = (&mut self.other, &self.collector);
        let turned_away = || {
            let log = collector.log().into_iter();
            log.filter(|line| line.contains("turned away")).count()
        };
        let has_tried = wait_for(|| (turned_away() > 2).then_some(()));
        assert!(has_tried.is_some(), "{}", collector.complaints());
        other.answers(A_FEW);
        other.rest();
        let log = other.log();
        // Said once, and again only after something else was in the way: the collector was away twice.
        let away: Vec<_> = log.iter().filter(|line| line.contains(AWAY)).collect();
        let is_refused = |line: &&String| line.contains("our certificate");
        let is_repeated = |pair: &[&String]| is_refused(&pair[0]) && is_refused(&pair[1]);
        assert!(!away.windows(2).any(is_repeated), "{}", other.complaints());
        let refused = away.into_iter().find(is_refused).unwrap();
        assert!(refused.contains("remedy=\"give this host"), "{refused}");
        other.stop();
        let written = written(other);
        let waiting = other.json(&["spool", "status", "--json"]);
        assert_eq!(waiting["messages"], written.len(), "all of it waits");
    }

    /// When the day is over, of all that was counted; the mail host makes no report.
    #[track_caller]
    fn the_collector_reports(&self) {
        let later = self.day.begins_ms() / 1_000 + 2 * 86_400;
        let send = ["outbox", "send", "--json", "--now", &later.to_string()];
        for day in [&[][..], &["--day", "today"]] {
            let sent = self.mx.landmarc(&Loopback, &[&send, day].concat());
            let said = String::from_utf8_lossy(&sent.stderr);
            assert!(sent.status.success(), "{said}");
            assert!(said.contains(": none are made"), "{said}");
        }
        assert_eq!(self.relay.messages().len(), 0);
        assert_eq!(self.mx.says(&Loopback, &["outbox", "list", "--json"]), "");
        self.collector.says(&Loopback, &send);
        let letters = self.relay.messages();
        assert_eq!(letters.len(), usize::try_from(DOMAINS).unwrap());
        assert_same("the reports", &reported(&letters), &rows(&written(&self.mx)));
    }
}

/// As the manual says, for `mx1.example.net`; and the same for the collector, which is `localhost`.
#[track_caller]
fn make_certificates(folder: &Path) {
    let at = MANUAL.find("openssl req -x509").unwrap();
    let (commands, _) = MANUAL[at..].split_once("```").unwrap();
    let (authority, of_host) = commands.split_once('\n').unwrap();
    let of_collector = of_host
        .replace("mx1.example.net", "localhost")
        .replace("mx1", "collector");
    assert_ne!(of_collector, of_host);
    std::fs::create_dir(folder).unwrap();
    let script = [authority, of_host, &of_collector].join("\n");
    let made = Command::new("sh")
        .args(["-e", "-c", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
