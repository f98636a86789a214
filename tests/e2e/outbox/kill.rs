//! `kill -9` while reports are assembled, rendered and sent: each destination has each report in the
//! end, under one Report-ID, and what comes twice is a message whose answer may have been lost.

mod account;
mod mail;
mod service;

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::{Duration, Instant};

use landmarc_store::{Day, DayState, Reader};
use landmarc_testkit::relay::{At, Fault, Log, Script, What};

use self::account::Account;
use super::{JUNE_1, World};
use crate::load::random::Random;

const KILLS: usize = 50;
/// In each of the three stretches of a night: before its reports are all made, until messages arrive,
/// and while they do.
const BEFORE_ALL_ARE_MADE: usize = 6;
const BEFORE_MESSAGES: usize = 2;
const WHILE_MESSAGES_ARRIVE: usize = 9;
/// Days are made one after the other; so many do even if some of them end early.
const MAX_DAYS: u64 = 9;
/// The messages that may be on their way at once (report.delivery.connections), so that their answers
/// can be lost together.
const CONNECTIONS: usize = 2;
/// Runs after the last kill that may be needed until nothing waits.
const LAST_RUNS: usize = 5;
/// A moment of a run: a message takes about as long.
const A_WHILE: Duration = Duration::from_millis(20);
/// Far beyond what a run takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between the times that runs are told.
const BETWEEN_RUNS_S: u64 = 1_200;

const SETTINGS: &str = "report.max_message_size = \"64KiB\"\nreport.per_host = 10000\nreport.spread = \"0s\"\n\
                        dns.question_timeout = \"60s\"\ndns.message_timeout = \"300s\"\n";

/// A relay that takes its time over each message.
fn slow() -> Script {
    Script::with(Fault::new(At::EndOfData, What::Slow(A_WHILE)))
}

/// A world with all domains.
fn world(name: &str) -> World {
    let world = World::with_script(name, SETTINGS, slow());
    world.dns.set_zones(mail::zones());
    // So that not all reports are ready at the same moment.
    world.dns.set_delay(A_WHILE / 2);
    world
}

#[test]
fn after_fifty_kills_each_destination_has_each_report_once() {
    let mut field = Field::start();
    while field.kills() < KILLS {
        field.one_day();
    }
    let calm = Account::of(&field.calm.relay.log(), |connection| connection);
    assert_eq!(calm.repeated, Vec::<usize>::new());
    let log = field.wild.relay.log();
    let wild = Account::of(&log, |connection| life_of(&log, connection));
    eprintln!(
        "kill: {} kills on {} days, {} before all reports were made, {} before messages, {} among messages; \
         {} reports in {} messages, {} of them came again",
        field.kills(),
        field.days,
        field.in_assembly,
        field.before_messages,
        field.among_messages,
        wild.reports.len(),
        wild.received.len(),
        wild.repeated.len(),
    );
    assert_eq!(wild.received, calm.received, "who has which report");
    assert!(wild.reports == calm.reports, "what the reports say");
    let printed: u64 = wild.reports.values().map(account::Told::messages).sum();
    assert_eq!(printed, field.messages, "every message is in one report");
    field.assert_repeated(&wild.repeated);
    field.assert_delivered(wild.received.len());
    assert!(
        wild.reports
            .values()
            .filter(|printed| printed.policy_domain == "d0.example")
            .count()
            > 1,
        "in parts"
    );
    let least = field.in_assembly.min(field.among_messages);
    assert!(least >= KILLS / 10, "{least} kills in one of the phases");
}

/// Two sites with the same mail: one whose processes are left alone, one whose processes are killed.
struct Field {
    calm: World,
    wild: World,
    random: Random,
    days: u64,
    /// The present, in seconds.
    now: u64,
    messages: u64,
    /// Whether each process of the wild site was killed.
    lives: Vec<bool>,
    in_assembly: usize,
    before_messages: usize,
    among_messages: usize,
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its start.
    After(Duration),
    /// So long after it has made a report.
    Made(Duration),
    /// So long after all of them are made.
    AllMade(Duration),
    /// So long after so many messages of it have come.
    Messages(usize, Duration),
}

impl Field {
    fn start() -> Self {
        Self {
            random: Random::seeded("outbox kill"),
            calm: world("kill-calm"),
            wild: world("kill-wild"),
            days: 0,
            now: 0,
            messages: 0,
            lives: Vec::new(),
            in_assembly: 0,
            before_messages: 0,
            among_messages: 0,
        }
    }

    fn kills(&self) -> usize {
        self.lives.iter().filter(|was_killed| **was_killed).count()
    }

    /// A day of mail, and the night after it: once undisturbed, and once with kills.
    fn one_day(&mut self) {
        assert!(
            self.days < MAX_DAYS,
            "most processes ended before they could be killed"
        );
        let mail = mail::day(self.days, &mut self.random.branch());
        self.messages += u64::try_from(mail.len()).unwrap();
        self.calm.record(mail.clone());
        self.wild.record(mail);
        self.now = self.day().next().begins_s() + BETWEEN_RUNS_S;
        let until_messages = self.undisturbed();
        for moment in self.moments(until_messages) {
            if self.kills() == KILLS || !self.kill_at(moment) {
                break;
            }
        }
        self.until_nothing_waits();
        self.days += 1;
    }

    fn day(&self) -> Day {
        let of_june_1 = Day::at(JUNE_1);
        Day(of_june_1.0 + u32::try_from(self.days).unwrap())
    }

    /// How long it takes until the first message comes.
    fn undisturbed(&self) -> Duration {
        let before = self.calm.relay.log().messages.len();
        let began = Instant::now();
        let mut run = self.calm.begin(&["send", "--now", &self.now.to_string()]);
        let has_come = |log: &Log| log.messages.len() > before;
        assert!(self.calm.relay.wait_until(PATIENCE, has_come), "no message comes");
        let until_messages = began.elapsed();
        assert!(run.wait().unwrap().success());
        until_messages
    }

    /// The moments of one night, those of each stretch at random.
    fn moments(&mut self, until_messages: Duration) -> Vec<Moment> {
        let mut part = |time| part_of(time, &mut self.random);
        let mut moments = vec![Moment::After(part(until_messages))];
        for _ in 1..BEFORE_ALL_ARE_MADE {
            moments.push(Moment::Made(part(A_WHILE / 8)));
        }
        for _ in 0..BEFORE_MESSAGES {
            moments.push(Moment::AllMade(part(A_WHILE / 2)));
        }
        for _ in 0..WHILE_MESSAGES_ARRIVE {
            let pause = part_of(A_WHILE, &mut self.random);
            moments.push(Moment::Messages(1 + self.random.below(4), pause));
        }
        moments
    }

    /// One process that is killed at this moment; whether it was not at its end before.
    fn kill_at(&mut self, moment: Moment) -> bool {
        let messages = self.wild.relay.log().messages.len();
        let mut run = self.begin_life();
        self.wait_for(moment, messages, &mut run);
        // Fails only when it has ended already.
        let _ = run.kill();
        let was_killed = run.wait().unwrap().signal() == Some(9);
        self.lives.push(was_killed);
        if was_killed {
            *self.phase(messages) += 1;
        }
        was_killed
    }

    fn begin_life(&mut self) -> Child {
        self.introduce();
        self.wild.begin(&["send", "--now", &self.now.to_string()])
    }

    /// The next process comes later, and says at the relay which one it is.
    fn introduce(&mut self) {
        self.now += BETWEEN_RUNS_S;
        let settings = std::fs::read_to_string(self.wild.settings()).unwrap();
        let is_hello = |line: &&str| line.starts_with("report.delivery.hello");
        let mut others: Vec<_> = settings.lines().filter(|line| !is_hello(line)).collect();
        let hello = format!("report.delivery.hello = \"life{}.example\"\n", self.lives.len());
        others.push(&hello);
        std::fs::write(self.wild.settings(), others.join("\n")).unwrap();
    }

    fn wait_for(&self, moment: Moment, messages: usize, run: &mut Child) {
        let reader = self.reader();
        let made = self.queued(&reader);
        let has_ended = |run: &mut Child| run.try_wait().unwrap().is_some();
        let pause = match moment {
            Moment::After(pause) => pause,
            Moment::Made(pause) => {
                while self.queued(&reader) == made && !has_ended(run) {
                    std::thread::yield_now();
                }
                pause
            }
            Moment::AllMade(pause) => {
                while !self.are_all_made(&reader) && !has_ended(run) {
                    std::thread::yield_now();
                }
                pause
            }
            Moment::Messages(count, pause) => {
                let have_come = |log: &Log| log.messages.len() >= messages + count;
                while !self.wild.relay.wait_until(A_WHILE, have_come) && !has_ended(run) {}
                pause
            }
        };
        std::thread::sleep(pause);
    }

    /// Messages that wait.
    fn queued(&self, reader: &Reader) -> u64 {
        let counts = reader.outbox_counts(self.now * 1_000).unwrap();
        counts.queued + counts.deferred
    }

    fn are_all_made(&self, reader: &Reader) -> bool {
        let states = reader.reported_days(1).unwrap();
        matches!(states[..], [(day, DayState::Done { .. })] if day == self.day())
    }

    fn reader(&self) -> Reader {
        Reader::open(self.wild.database()).unwrap()
    }

    /// The counter for a process that has just been killed; before it there were so many messages.
    fn phase(&mut self, messages: usize) -> &mut usize {
        if !self.are_all_made(&self.reader()) {
            &mut self.in_assembly
        } else if self.wild.relay.log().messages.len() == messages {
            &mut self.before_messages
        } else {
            &mut self.among_messages
        }
    }

    fn until_nothing_waits(&mut self) {
        for _ in 0..LAST_RUNS {
            self.introduce();
            let (code, summary) = self.wild.send(&self.now.to_string());
            self.lives.push(false);
            if code == 0 && summary["waiting"] == 0 {
                return;
            }
        }
        panic!(
            "messages wait for ever: {:?}",
            self.wild.list(&["--state", "deferred"])
        );
    }

    /// Only who was killed could lose answers, and no more than it was waiting for.
    fn assert_repeated(&self, repeated: &[usize]) {
        for (life, was_killed) in self.lives.iter().enumerate() {
            let lost = repeated.iter().filter(|of| **of == life).count();
            let limit = if *was_killed { CONNECTIONS } else { 0 };
            assert!(
                lost <= limit,
                "{lost} messages of process {life} came again, {limit} may"
            );
        }
    }

    fn assert_delivered(&self, messages: usize) {
        let listed = self.wild.list(&["--limit", "100000"]);
        assert_eq!(listed.len(), messages);
        for message in listed {
            assert_eq!(message["state"], "delivered", "{message}");
        }
    }
}

/// Which process had this connection, by how it greeted.
fn life_of(log: &Log, connection: usize) -> usize {
    let hello = log.commands.iter().find_map(|command| {
        let name = command
            .line
            .strip_prefix("EHLO life")
            .filter(|_| command.connection == connection)?;
        name.strip_suffix(".example")?.parse().ok()
    });
    hello.unwrap()
}

/// Some of this time.
fn part_of(time: Duration, random: &mut Random) -> Duration {
    let micros = usize::try_from(time.as_micros()).unwrap();
    Duration::from_micros(u64::try_from(random.below(micros)).unwrap())
}
