//! A fleet whose service may read and write rows and no more, over several days.

use std::collections::BTreeSet;

use landmarc_store::Day;
use landmarc_testkit::databases::{PASSWORD, Setup, USER};
use landmarc_testkit::relay::{Relay, Script};
use landmarc_testkit::tools::Folder;

use super::account::{assert_same, begin_of, reported, rows, tallies, written};
use super::database::{Database, Engine, READER};
use super::ground::Loopback;
use super::mx::{Mx, now_s};
use super::trouble::{password_file, settings};
use super::{PATIENCE, wait_for};
use crate::binary::{Ran, landmarc};
use crate::outbox::clock::{SetClock, set_off};

/// 2026-06-01T12:00:00Z, and the day of it.
const NOON_S: i64 = 1_780_315_200;
const FIRST: Day = Day(20_605);
const A_DAY_S: i64 = 86_400;
/// Days with mail, one after the other.
const DAYS: u32 = 3;
/// How long counts are kept.
const KEPT: u32 = 30;
/// Messages of a day: each domain has some.
const A_FEW: usize = 30;

#[test]
fn on_postgresql_what_store_grants_prints_is_enough_and_no_more() {
    what_is_granted_is_enough(Engine::PostgreSql);
}

#[test]
fn on_mariadb_what_store_grants_prints_is_enough_and_no_more() {
    what_is_granted_is_enough(Engine::MariaDb);
}

fn what_is_granted_is_enough(engine: Engine) {
    let Some(mut scene) = Scene::start(engine) else {
        return;
    };
    let days: Vec<_> = (0..DAYS)
        .map(|number| scene.a_day(Day(FIRST.0 + number)))
        .collect();
    scene.has_partitions(&days);
    scene.has_reports(&days);
    scene.the_service_may_no_more();
    scene.the_reader_only_looks();
    scene.what_is_old_goes();
}

/// One host, its database and the relay of its reports, with clocks that are set.
struct Scene {
    mx: Mx,
    relay: Relay,
    database: Database,
    folder: Folder,
    /// What has been written down so far.
    written: BTreeSet<u64>,
}

impl Scene {
    fn start(engine: Engine) -> Option<Self> {
        let clock = SetClock::find()?;
        let folder = Folder::new("fleet-rights");
        let time = folder.path().join("time");
        set_off(&time, NOON_S - now_s());
        let setup = Setup {
            environment: clock.environment(&time),
            ..Setup::default()
        };
        let database = Database::start(engine, setup)?;
        database.create_for_three();
        let relay = Relay::start(Script::default());
        let settings = settings(&folder, &database.url())
            + &format!(
                "store.tally_days = {KEPT}\nstore.observation_days = 60\nreport.email = \"noreply@reports.here.example\"\n\
                 report.spread = \"0s\"\nreport.delivery.relay = \"{}\"\nreport.delivery.tls = \"none\"\n\
                 report.delivery.hello = \"mx.here.example\"\n",
                relay.address()
            );
        let mx = Mx::new(&Loopback, Some(&clock), ("mx1", 0), &settings);
        mx.set_clock(NOON_S - now_s());
        database.make_tables(&mx, &password_file(&folder));
        Some(Self {
            mx,
            relay,
            database,
            folder,
            written: BTreeSet::new(),
        })
    }

    /// It is noon of this day.
    fn is_noon_of(&self, day: Day) {
        let off = NOON_S + A_DAY_S * i64::from(day.0 - FIRST.0) - now_s();
        set_off(&self.folder.path().join("time"), off);
        self.mx.set_clock(off);
    }

    /// A day with mail, from a start of the service to its end; the messages.
    fn a_day(&mut self, day: Day) -> BTreeSet<u64> {
        self.is_noon_of(day);
        self.mx.begin(&Loopback);
        self.mx.listens();
        self.mx.receive(&Loopback);
        self.mx.answers(A_FEW);
        self.mx.rest();
        self.mx.stop();
        let all = written(&self.mx);
        let of_day: BTreeSet<u64> = all.difference(&self.written).copied().collect();
        self.written = all;
        let counted = tallies(&self.database.place(), day);
        assert_same("the tallies of the day", &counted, &rows(&of_day));
        of_day
    }

    /// Each day is in a partition of its own.
    fn has_partitions(&self, days: &[BTreeSet<u64>]) {
        let Database::PostgreSql(_) = &self.database else {
            return;
        };
        let partitions = self
            .database
            .sql("SELECT DISTINCT tableoid::regclass::text FROM tally ORDER BY 1");
        assert_eq!(partitions.lines().count(), days.len(), "{partitions}");
        assert!(!partitions.contains("default"), "{partitions}");
    }

    /// Those of all days but the last, which is not over, were sent by the service.
    fn has_reports(&mut self, days: &[BTreeSet<u64>]) {
        let domains = usize::try_from(super::mail::DOMAINS).unwrap();
        self.mx.begin(&Loopback);
        self.mx.listens();
        let over = days.len() - 1;
        let letters = || self.relay.messages();
        let are_sent = self
            .relay
            .wait_until(PATIENCE, |log| log.messages.len() >= over * domains);
        assert!(are_sent, "{} letters: {}", letters().len(), self.mx.complaints());
        self.mx.stop();
        let letters = letters();
        assert_eq!(letters.len(), over * domains);
        // Those of one day come one after the other, those of two days as they are due.
        for (number, messages) in (0..).zip(days.iter().take(over)) {
            let begins_s = Day(FIRST.0 + number).begins_s();
            let of_day: Vec<_> = letters
                .iter()
                .filter(|letter| begin_of(letter) == begins_s)
                .cloned()
                .collect();
            assert_same("the reports", &reported(&of_day), &rows(messages));
        }
        let lines = self.mx.complaints_after(0).into_iter();
        let lines: Vec<_> = lines.filter(|line| line.contains("right")).collect();
        assert_eq!(lines, Vec::<String>::new());
    }

    fn the_service_may_no_more(&self) {
        let denied = self.as_user(USER, &["store", "migrate"]);
        assert_eq!(denied.code, 0, "there is nothing to do: {}", denied.stderr);
        self.database.sql("DELETE FROM migration WHERE version = 3");
        let denied = self.as_user(USER, &["store", "migrate"]);
        self.database
            .sql("INSERT INTO migration (version, at_ms, program) VALUES (3, 0, 'landmarc')");
        is_denied(&denied);
    }

    fn the_reader_only_looks(&self) {
        let status = self.as_user(READER, &["store", "status", "--json"]);
        assert_eq!(status.code, 0, "{}", status.stderr);
        let of_host = &status.json()["hosts"][0];
        assert_eq!(
            (&of_host["host"], &of_host["has_stopped"]),
            (&"mx1".into(), &true.into())
        );
        let log = self.as_user(READER, &["log", "--json", "--limit", "5"]);
        assert_eq!((log.code, log.stdout.lines().count()), (0, 5), "{}", log.stderr);
        let list = self.as_user(READER, &["outbox", "list"]);
        assert_eq!(list.code, 0, "{}", list.stderr);
        for attempt in [
            &["store", "expire", "--force"][..],
            &["outbox", "suppress", "a@example.com"],
            &["outbox", "send"],
        ] {
            is_denied(&self.as_user(READER, attempt));
        }
    }

    /// When it is time, and by the service. It believes a clock that has jumped when there is mail of the two days before.
    fn what_is_old_goes(&mut self) {
        let today = FIRST.0 + KEPT + DAYS - 1;
        for day in [today - 2, today - 1] {
            self.a_day(Day(day));
        }
        self.is_noon_of(Day(today));
        self.mx.begin(&Loopback);
        self.mx.listens();
        let days = || self.database.sql("SELECT DISTINCT day FROM tally ORDER BY day");
        let kept = format!("{}\n{}\n{}\n", FIRST.0 + DAYS - 1, today - 2, today - 1);
        let are_gone = wait_for(|| (days() == kept).then_some(()));
        assert!(are_gone.is_some(), "{}: {}", days(), self.mx.complaints());
        self.mx.stop();
    }

    /// Runs a command with the settings of the host, and in the name of another user.
    fn as_user(&self, user: &str, arguments: &[&str]) -> Ran {
        let text = std::fs::read_to_string(self.mx.settings()).unwrap();
        let text = text.replace(&self.database.url(), &self.database.url_of(user));
        let settings = self.folder.write("of-user.toml", text);
        let config = ["--config".to_owned(), settings.display().to_string()];
        landmarc(arguments.iter().map(|word| (*word).to_owned()).chain(config))
    }
}

#[track_caller]
fn is_denied(ran: &Ran) {
    assert_eq!(ran.code, 69, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("lacks a right"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("\n  run what `landmarc store grants` prints"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
}
