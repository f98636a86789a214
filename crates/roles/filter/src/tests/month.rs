//! A simulated month: evidence from what was seen refuses spoofs and no genuine mail (decision D5).
//!
//! Honest domains of all habits send mail, directly, through forwarders and lists; spoofers forge it in every way that
//! we know, and prepare the ground for it. All of it is made from a seed, so the truth about each message is known. Every
//! message is octets with real signatures, judged by [`judge`] twice, with and without what was seen. It is recorded
//! as the service records it, in a store, with a clock of its own; and the table is read from that store.
//!
//! The tests here take a small month. A large one, with its table printed:
//!
//! ```text
//! LANDMARC_MONTH=1000000 LANDMARC_MONTH_SEED=1 cargo test -p landmarc --bin landmarc month:: -- --nocapture
//! ```

// All numbers here are our own and small; none comes from a stranger.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod honest;
mod hostile;
mod recipe;
mod tables;
mod world;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use landmarc_auth::lookup::{Answer, Lookup, QUESTIONS_PER_MESSAGE, Question, Zones};
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_observation::Observation;
use landmarc_receiver::policy::Rules;
use landmarc_receiver::seen::{Seen, SeenHistory};
use landmarc_receiver::{Arrival, Head, Judgement, Ledgers, Transaction, judge, spf_of};
use landmarc_store::{Reader, Recorded, Recorder};
use landmarc_testkit::message::NOW;
use landmarc_testkit::random::Random;

use super::super::record::{self, RecordIds};
use crate::seen;
use recipe::Recipe;
use tables::Counts;
use world::{TRUSTED_SEALER, World};

/// Days until the server has seen enough, in which nothing is measured but genuine mail that is refused.
const LEARNING_DAYS: u32 = 14;
/// Days in all.
const DAYS: u32 = LEARNING_DAYS + 30;
/// Of all messages so many are spoofs.
const SPOOFED: f64 = 0.1;
/// Messages on their way to the store at a time.
const IN_FLIGHT: usize = 1_000;
/// Of the direct spoofs of domains that sign everything, so many of a hundred must be refused.
const WANTED: f64 = 90.0;

const DAY_MS: u64 = 86_400_000;
/// Midnight after the keys of the messages were made.
const BEGIN_MS: u64 = (NOW * 1_000 / DAY_MS + 1) * DAY_MS;

/// What a message really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Genuine(&'static str),
    /// Sent by a spoofer to us.
    Spoof(&'static str),
    /// Sent to move the figures.
    Poison(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, how) = match self {
            Self::Genuine(how) => ("genuine", how),
            Self::Spoof(how) => ("spoof", how),
            Self::Poison(how) => ("poison", how),
        };
        write!(f, "{what}: {how}")
    }
}

/// A message of the month.
struct Mail {
    kind: Kind,
    recipe: Rc<Recipe>,
    /// The domain that is spoofed.
    victim: Option<usize>,
    at_ms: u64,
}

impl Mail {
    fn new(kind: Kind, recipe: Recipe) -> Self {
        Self {
            kind,
            recipe: Rc::new(recipe),
            victim: None,
            at_ms: 0,
        }
    }

    fn of_victim(kind: Kind, recipe: Recipe, victim: usize) -> Self {
        Self {
            victim: Some(victim),
            ..Self::new(kind, recipe)
        }
    }
}

/// Which month.
#[derive(Clone, Copy)]
struct Scale {
    seed: u64,
    messages: usize,
    domains: usize,
    /// How often the store is read. The service reads it every hour; less often is worse.
    readings_a_day: u32,
    is_poisoned: bool,
}

impl Scale {
    const fn small(seed: u64) -> Self {
        Self {
            seed,
            messages: 40_000,
            domains: 50,
            readings_a_day: 4,
            is_poisoned: true,
        }
    }

    const fn large(seed: u64, messages: usize) -> Self {
        Self {
            messages,
            domains: 200,
            readings_a_day: 24,
            ..Self::small(seed)
        }
    }
}

/// What is done with a message: accept, quarantine, reject.
type Word = &'static str;

/// What is known of a recipe.
#[derive(Clone)]
struct Judged {
    before: Word,
    after: Word,
    /// By which table; none where what was seen plays no part.
    table: Option<u32>,
    observation: Rc<Observation>,
}

/// What came of a month.
#[derive(Default)]
struct Outcome {
    counts: Counts,
    /// Genuine messages that are refused only since there is such evidence.
    newly_refused: Vec<String>,
    /// What was done with each message that is no poison, in order.
    decisions: Vec<(Kind, Word)>,
}

/// DNS with a cache: to find out that there is no name, the zones look at all that they have.
struct Dns {
    zones: Zones,
    answers: Mutex<HashMap<Question, Answer>>,
}

impl Lookup for Dns {
    async fn ask(&self, question: &Question) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        let answer = answers.entry(question.clone());
        answer.or_insert_with(|| self.zones.answer(question)).clone()
    }
}

/// The server in the month.
struct Server {
    world: World,
    dns: Dns,
    rules: Rules,
    recorder: Recorder,
    reader: Reader,
    history: SeenHistory,
    seen: Seen,
    /// How often the store was read.
    readings: u32,
    directory: PathBuf,
    known: HashMap<Rc<Recipe>, Judged>,
    recorded: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A leftover in the temporary directory is all it can come to.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Server {
    fn new(scale: Scale) -> Self {
        let name = format!(
            "landmarc-month-{}-{}-{}",
            std::process::id(),
            scale.seed,
            scale.is_poisoned
        );
        let directory = std::env::temp_dir().join(name);
        let settings = format!("mode = \"enforce\"\narc.trusted_sealers = [\"{TRUSTED_SEALER}\"]\n");
        let loaded = landmarc_runtime::load::read_with("month", settings.as_bytes(), None, None).unwrap();
        let mut options = landmarc_store::RecorderOptions::at(directory.join("landmarc.db"));
        // Nothing here is about time.
        options.answer_timeout = Duration::from_mins(10);
        let recorder = Recorder::open(options).unwrap();
        let mut world = World::new(&mut Random::new(scale.seed, 0), scale.domains);
        Self {
            dns: Dns {
                zones: std::mem::take(&mut world.zones),
                answers: Mutex::default(),
            },
            world,
            rules: loaded.rules(),
            recorder,
            reader: Reader::open(directory.join("landmarc.db")).unwrap(),
            history: SeenHistory::default(),
            seen: Seen::Away,
            readings: 0,
            directory,
            known: HashMap::new(),
            recorded: 0,
        }
    }

    /// Reads the table from the store, as the service does.
    fn look(&mut self, now_ms: u64) {
        let suffixes = Arc::clone(&self.rules.suffixes);
        self.seen = seen::refresh(&mut self.history, &self.reader, &suffixes, now_ms).unwrap();
        self.readings += 1;
    }

    /// Judges a message as if it had come at this time, with and without what was seen.
    async fn judge(&mut self, mail: &Mail) -> Judged {
        let known = self.known.get(&mail.recipe);
        if let Some(known) = known.filter(|known| known.table.is_none_or(|table| table == self.readings)) {
            return known.clone();
        }
        let after = self.judgement(mail, &self.seen).await;
        // What was seen is about messages that fail.
        let fails = after.dmarc == DmarcResult::Fail;
        let before = match known {
            Some(known) => known.before,
            None if fails => self.judgement(mail, &Seen::Off).await.action.smtp.as_str(),
            None => after.action.smtp.as_str(),
        };
        let moment = RecordIds {
            queue_id: "",
            id: "",
            elapsed: Duration::ZERO,
        };
        let judged = Judged {
            before,
            after: after.action.smtp.as_str(),
            table: fails.then_some(self.readings),
            observation: Rc::new(record::judged(&after, None, &moment, false)),
        };
        self.known.insert(Rc::clone(&mail.recipe), judged.clone());
        judged
    }

    async fn judgement(&self, mail: &Mail, seen: &Seen) -> Judgement {
        let (rules, message) = (&self.rules, mail.recipe.message());
        let envelope = mail.recipe.envelope();
        let ledgers = Ledgers::new(QUESTIONS_PER_MESSAGE, |_| &self.dns);
        let mut head = Head::new(
            &message.headers(),
            rules,
            &Arrival::of(&envelope, mail.at_ms / 1_000),
        );
        let spf = spf_of(&head, &ledgers, &envelope, rules).await;
        head.body(&message.body);
        let transaction = Transaction {
            envelope,
            client: landmarc_receiver::policy::ClientFacts::default(),
            id: "",
            queue_id: None,
            seen,
        };
        judge(head, transaction, spf, &ledgers, rules).await
    }

    /// Writes messages down, and waits until they are on disk.
    async fn record(&mut self, observations: &[(u64, Rc<Observation>)]) {
        for some in observations.chunks(IN_FLIGHT) {
            let records = some.iter().map(|(at_ms, observation)| {
                self.recorded += 1;
                let id = format!("{:x}", self.recorded);
                self.recorder.record(Observation {
                    at_ms: *at_ms,
                    queue_id: id.clone(),
                    id,
                    ..Observation::clone(observation)
                })
            });
            let records: Vec<_> = records.collect();
            assert!(
                join_all(records)
                    .await
                    .iter()
                    .all(|one| *one == Recorded::Committed)
            );
        }
    }
}

/// The messages of a day in the order in which they come. Poison does not change what else comes.
fn messages(world: &World, scale: Scale, day: u32) -> Vec<Mail> {
    let a_day = scale.messages / DAYS as usize;
    let spoofs = (a_day as f64 * SPOOFED) as usize;
    let stream = |part: u64| Random::new(scale.seed, 1 + 3 * u64::from(day) + part);
    let mut mail = honest::mail(world, day, a_day - spoofs, &mut stream(0));
    mail.extend(hostile::spoofs(world, day, spoofs, &mut stream(1)));
    if scale.is_poisoned {
        mail.extend(hostile::poison(world, day, &mut stream(2)));
    }
    let begin = BEGIN_MS + u64::from(day) * DAY_MS;
    let mut moments = Random::new(scale.seed ^ 0x5eed, u64::from(day));
    for one in &mut mail {
        one.at_ms = begin + moments.below(DAY_MS as usize) as u64;
    }
    mail.sort_by_key(|one| one.at_ms);
    mail
}

async fn month(scale: Scale) -> Outcome {
    let mut server = Server::new(scale);
    let mut outcome = Outcome::default();
    for day in 0..DAYS {
        let mut today = messages(&server.world, scale, day).into_iter().peekable();
        for part in 1..=scale.readings_a_day {
            let begin = BEGIN_MS + u64::from(day) * DAY_MS;
            let end = begin + u64::from(part) * DAY_MS / u64::from(scale.readings_a_day);
            let mut observations = Vec::new();
            while let Some(mail) = today.next_if(|mail| mail.at_ms < end) {
                let judged = server.judge(&mail).await;
                outcome.take(&server.world, &mail, &judged, day);
                observations.push((mail.at_ms, judged.observation));
            }
            server.record(&observations).await;
            server.look(end);
        }
    }
    outcome
}

impl Outcome {
    fn take(&mut self, world: &World, mail: &Mail, judged: &Judged, day: u32) {
        let is_measured = day >= LEARNING_DAYS;
        if !matches!(mail.kind, Kind::Poison(_)) {
            self.decisions.push((mail.kind, judged.after));
        }
        let is_genuine = matches!(mail.kind, Kind::Genuine(_));
        if is_genuine && judged.after == "reject" && judged.before != "reject" {
            let author = world
                .domains
                .iter()
                .find(|domain| domain.name == mail.recipe.author);
            let habit = author.map(|domain| domain.habit);
            let (kind, recipe) = (mail.kind, &mail.recipe);
            self.newly_refused
                .push(format!("day {day}, {kind:?}, {habit:?}: {recipe:?}"));
        }
        if is_measured {
            self.counts.take(mail, judged, world);
        }
    }
}

/// From the environment, for a large month.
fn asked_for(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Two months at a time.
fn with_and_without_poison(scale: Scale) -> (Outcome, Outcome) {
    let run = |scale| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(month(scale))
    };
    std::thread::scope(|threads| {
        let clean = Scale {
            is_poisoned: false,
            ..scale
        };
        let clean = threads.spawn(move || run(clean));
        (run(scale), clean.join().unwrap())
    })
}

#[test]
fn a_month_refuses_spoofs_and_no_genuine_mail() {
    let seed = asked_for("LANDMARC_MONTH_SEED").unwrap_or(1);
    let scale = match asked_for("LANDMARC_MONTH") {
        Some(messages) => Scale::large(seed, messages as usize),
        None => Scale::small(seed),
    };
    let (outcome, clean) = with_and_without_poison(scale);
    println!("seed {seed}\n\n{}", outcome.counts);

    assert_eq!(outcome.newly_refused, Vec::<String>::new());
    let share = outcome.counts.refused_of_signing();
    assert!(share >= WANTED, "{share:.1} % of the direct spoofs were refused");
    assert_eq!(outcome.decisions.len(), clean.decisions.len());
    let both = outcome.decisions.iter().zip(&clean.decisions);
    let changed: Vec<_> = both.filter(|(with, without)| with != without).collect();
    assert_eq!(changed, [], "poison changed what became of other mail");
}
