//! The same of the service, which reports by itself.

use landmarc_testkit::relay::Log;

use super::super::clock::SetClock;
use super::account::{Account, distinct};
use super::{A_WHILE, PATIENCE, mail, part_of, world};
use crate::load::random::Random;

/// How fast its clocks run: it looks once a minute, so once a second.
const FACTOR: u32 = 60;
/// How often it is killed.
const KILLS: usize = 4;

#[test]
fn the_service_reports_a_day_by_itself_and_nothing_comes_twice_when_it_is_killed() {
    let Some(clock) = SetClock::find() else {
        return;
    };
    let mut random = Random::seeded("outbox kill service");
    let (calm, wild) = (world("kill-service-calm"), world("kill-service"));
    let mail = mail::day(0, &mut random.branch());
    calm.record(mail.clone());
    wild.record(mail);
    assert_eq!(calm.send("2026-06-02T00:20:00Z").0, 0);
    let expected = Account::of(&calm.relay.log(), |connection| connection);

    // Midnight is over, and the day has to settle until a quarter past.
    let mut connections = Vec::new();
    for kill in 0..KILLS {
        let time = format!(
            "2026-06-02 {:02}:{}:00",
            kill,
            if kill == 0 { "10" } else { "30" }
        );
        let service = clock.serve_fast(&wild, &time, FACTOR);
        let some = wild.relay.log().messages.len() + 1 + random.below(8);
        assert!(
            wild.relay.wait_until(PATIENCE, |log| log.messages.len() >= some),
            "{}",
            service.log()
        );
        if kill == 0 {
            let begins = service.line_with("reports are made and sent");
            assert!(
                begins.as_str() < "2026-06-02T00:15",
                "it was there before: {begins}"
            );
        }
        std::thread::sleep(part_of(A_WHILE, &mut random));
        service.kill();
        connections.push(wild.relay.log().connections);
    }
    let all = expected.received.len();
    let service = clock.serve_fast(&wild, "2026-06-02 06:00:00", FACTOR);
    let have_come = |log: &Log| distinct(log) >= all;
    assert!(wild.relay.wait_until(PATIENCE, have_come), "{}", service.log());
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    let before = wild.relay.log().messages.len();

    // The day after has one message: when the report about it is there, all else was looked at, too.
    let noon = super::JUNE_1 + 36 * 3_600_000;
    wild.record([mail::message(noon, 7, 0)]);
    let service = clock.serve_fast(&wild, "2026-06-03 00:10:00", FACTOR);
    assert!(
        wild.relay.wait_until(PATIENCE, |log| log.messages.len() > before),
        "{}",
        service.log()
    );
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");

    let log = wild.relay.log();
    assert_eq!(
        log.messages.len(),
        before + 1,
        "one message about the day after, and nothing else"
    );
    let life = |connection: usize| connections.iter().filter(|last| connection > **last).count();
    let found = Account::of(&log, life);
    eprintln!(
        "kill service: {} kills, {} messages, {} of them came again",
        KILLS,
        all,
        found.repeated.len()
    );
    let of_day: Vec<_> = found
        .received
        .iter()
        .filter(|got| expected.received.contains(*got))
        .collect();
    assert_eq!((of_day.len(), found.received.len()), (all, all + 1));
    assert!(
        expected
            .reports
            .iter()
            .all(|(id, told)| found.reports.get(id) == Some(told))
    );
    assert_dates(&log);
    let listed = wild.list(&["--limit", "100000"]);
    assert_eq!(listed.len(), all + 1);
    assert!(
        listed.iter().all(|message| message["state"] == "delivered"),
        "{listed:?}"
    );
}

/// No report is made before its day has settled.
fn assert_dates(log: &Log) {
    for message in &log.messages {
        let text = String::from_utf8_lossy(&message.text);
        let date = text.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap();
        let (day, time) = date.split_once(" Jun 2026 ").unwrap();
        assert!(
            ["Tue, 02", "Wed, 03"].contains(&day) && *time >= *"00:15",
            "{date}"
        );
    }
}
