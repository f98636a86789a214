//! From fields in which some reader shows a victim: none of them is accepted as another's, or as
//! nobody's, and no honest field is refused.
//!
//! The messages are made from a seed. `LANDMARC_FROM_SEED` and `LANDMARC_FROM_COUNT` choose others and more:
//! `LANDMARC_FROM_SEED=7 LANDMARC_FROM_COUNT=200000 cargo nextest run -p landmarc-mail from_corpus`.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

mod generator;
mod honest;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use landmarc_mail::DomainName;
use landmarc_mail::author::{Author, author};
use landmarc_mail::message::{HeaderLimits, split};
use landmarc_testkit::needs::Need;

const SEED: u64 = 20_261_121;
const COUNT: usize = 2_000;
const READERS: [&str; 4] = ["old policy", "new policy", "decode first", "naive"];

/// How a message is answered when enforcing, as far as its form goes.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Whatever anybody's policy asks for.
    Refused(String),
    /// By the policy of the victim, among others.
    JudgedAsVictim,
    /// By another policy, or by none.
    Otherwise(String),
}

fn answer(message: &[u8]) -> Answer {
    let parsed = match split(message, &HeaderLimits::default()) {
        Ok(parsed) => parsed,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    match author(&parsed.header) {
        Author::Unusable(fault) if fault.is_refusable() => Answer::Refused(fault.to_string()),
        Author::Unusable(fault) => Answer::Otherwise(fault.to_string()),
        author => {
            let victim = DomainName::parse(generator::VICTIM).unwrap();
            let mut domains = author.domains().iter();
            match domains.any(|domain| domain.is_at_or_below(&victim)) {
                true => Answer::JudgedAsVictim,
                false => Answer::Otherwise(format!("{:?}", author.domains())),
            }
        }
    }
}

/// Which readers show the victim, for each message; nothing without Python.
fn shown(messages: &[Vec<u8>]) -> Option<Vec<String>> {
    let child = Command::new("python3")
        .args(["-c", include_str!("from_corpus/readers.py"), generator::VICTIM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        Need::Tools.is_missing("python3 is not installed");
        return None;
    };
    let mut input = child.stdin.take().unwrap();
    let framed: Vec<u8> = messages
        .iter()
        .flat_map(|message| {
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            length.into_iter().chain(message.iter().copied())
        })
        .collect();
    let writer = std::thread::spawn(move || input.write_all(&framed));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "python3 could not read the messages");
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(lines.lines().map(str::to_owned).collect())
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn no_message_that_shows_a_victim_is_accepted_without_its_policy() {
    let seed = number("LANDMARC_FROM_SEED", SEED);
    let count = usize::try_from(number("LANDMARC_FROM_COUNT", COUNT as u64)).unwrap();
    let messages = generator::messages(seed, count);
    let Some(shown) = shown(&messages) else {
        return;
    };
    assert_eq!(shown.len(), count);
    let mut by_reader = [0; READERS.len()];
    let mut answers = BTreeMap::new();
    let mut wrong = Vec::new();
    for (message, readers) in messages.iter().zip(&shown) {
        for (reader, shows) in readers.chars().enumerate() {
            by_reader[reader] += usize::from(shows == '1');
        }
        if !readers.contains('1') {
            continue;
        }
        let word = match answer(message) {
            Answer::Refused(why) => why,
            Answer::JudgedAsVictim => "judged by the policy of the victim".to_owned(),
            Answer::Otherwise(how) => {
                wrong.push(format!("{readers} {how}: {}", message.escape_ascii()));
                continue;
            }
        };
        *answers.entry(word).or_insert(0) += 1;
    }
    for (name, count) in READERS.iter().zip(by_reader) {
        println!("{count:6} are shown as the victim by the reader: {name}");
    }
    for (answer, count) in &answers {
        println!("{count:6} {answer}");
    }
    let caught: usize = answers.values().sum();
    assert!(
        wrong.is_empty(),
        "{} of {count} pass:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        caught > count / 3,
        "{caught} of {count}: too few that show the victim at all"
    );
}

#[test]
fn honest_from_fields_have_the_domain_that_people_see() {
    let honest = honest::messages();
    assert_eq!(honest.len(), 300);
    for (message, domain) in honest {
        let parsed = split(&message, &HeaderLimits::default()).unwrap();
        let names: Vec<_> = match author(&parsed.header) {
            Author::Unusable(fault) => panic!("{fault}: {}", message.escape_ascii()),
            author => author.domains().iter().map(ToString::to_string).collect(),
        };
        assert_eq!(names, [domain], "{}", message.escape_ascii());
    }
}
