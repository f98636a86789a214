//! Load: many connections, each with messages one after the other, and what came of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::corpus::Message;
use crate::verdict::{Check, differences};
use crate::wire::{Answer, Mta, POSTFIX_WRITE};

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    /// One filter, or a chain of them with commas between.
    pub(crate) address: &'a str,
    pub(crate) connections: usize,
    /// SMTP connections that share one connection to the filter.
    pub(crate) per_connection: usize,
    pub(crate) check: Check,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) messages: usize,
    pub(crate) wall: Duration,
    latencies: Vec<u32>,
    /// How often each kind of difference was seen, with one example.
    pub(crate) wrong: BTreeMap<String, (usize, String)>,
    pub(crate) wrong_messages: usize,
}

impl Outcome {
    /// A latency that this share of the messages did not exceed, in milliseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let place = (self.latencies.len() as f64 * share) as usize;
        let place = place.min(self.latencies.len().saturating_sub(1));
        f64::from(self.latencies.get(place).copied().unwrap_or(0)) / 1000.0
    }

    pub(crate) fn mean(&self) -> f64 {
        let sum: f64 = self.latencies.iter().map(|&micros| f64::from(micros)).sum();
        sum / 1000.0 / self.latencies.len().max(1) as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.wall.as_secs_f64()
    }

    fn merge(&mut self, other: Self) {
        self.messages += other.messages;
        self.wrong_messages += other.wrong_messages;
        self.latencies.extend(other.latencies);
        for (kind, (count, example)) in other.wrong {
            self.wrong.entry(kind).or_insert((0, example)).0 += count;
        }
    }
}

/// Sends all messages once.
pub(crate) fn run(load: Load<'_>, messages: &[Message]) -> io::Result<Outcome> {
    let next = AtomicUsize::new(0);
    let total = Mutex::new((Outcome::default(), None));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..load.connections {
            let builder = std::thread::Builder::new().stack_size(256 * 1024);
            let spawned = builder.spawn_scoped(scope, || {
                let mut outcome = Outcome::default();
                let ended = one_connection(load, messages, &next, &mut outcome);
                let mut total = total.lock().expect("no thread panics with the lock");
                total.0.merge(outcome);
                if let Err(error) = ended {
                    total.1 = Some(error);
                }
            });
            spawned.expect("the system has threads");
        }
    });
    let wall = begun.elapsed();
    let (mut outcome, error) = total.into_inner().expect("no thread panics with the lock");
    outcome.wall = wall;
    outcome.latencies.sort_unstable();
    match error {
        Some(error) => Err(error),
        None => Ok(outcome),
    }
}

fn one_connection(
    load: Load<'_>,
    messages: &[Message],
    next: &AtomicUsize,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let mut chain: Vec<Mta> = Vec::new();
    let mut sent = 0;
    while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed)) {
        if sent == load.per_connection {
            chain.drain(..).for_each(Mta::quit);
        }
        let begun = Instant::now();
        if chain.is_empty() {
            sent = 0;
            for address in load.address.split(',') {
                chain.push(Mta::connect(address, POSTFIX_WRITE)?);
            }
        }
        let answer = deliver(&mut chain, message)?;
        sent += 1;
        let micros = begun.elapsed().as_micros();
        outcome.latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
        outcome.messages += 1;
        let wrong = differences(message, &answer, load.check);
        outcome.wrong_messages += usize::from(!wrong.is_empty());
        for kind in wrong {
            let told = || {
                answer
                    .added
                    .iter()
                    .map(|(_, value)| String::from_utf8_lossy(value))
                    .collect::<Vec<_>>()
            };
            let example = || {
                (
                    0,
                    format!("{} {}; it said {:?}", message.queue_id, message.made, told()),
                )
            };
            outcome.wrong.entry(kind).or_insert_with(example).0 += 1;
        }
    }
    chain.into_iter().for_each(Mta::quit);
    Ok(())
}

/// Delivers to one filter after the other; each sees what those before it added.
fn deliver(chain: &mut [Mta], message: &Message) -> io::Result<Answer> {
    let Some((first, others)) = chain.split_first_mut() else {
        return Ok(Answer::default());
    };
    let mut answer = first.deliver(message)?;
    if others.is_empty() {
        return Ok(answer);
    }
    let mut edited = message.clone();
    for mta in others {
        if !matches!(answer.code, b'a' | b'c') {
            break;
        }
        for (index, name) in &answer.deleted {
            delete(&mut edited, *index, name);
        }
        for (name, value) in &answer.added {
            let value = [b" ", value.trim_ascii_start()].concat();
            edited
                .fields
                .insert(0, (String::from_utf8_lossy(name).into_owned(), value));
        }
        let next = mta.deliver(&edited)?;
        answer.code = next.code;
        answer.reply = next.reply;
        answer.held |= next.held;
        answer.added.extend(next.added);
        answer.deleted.extend(next.deleted);
    }
    Ok(answer)
}

/// Takes out the field that has this place, from one, among those of the name.
fn delete(message: &mut Message, index: usize, name: &[u8]) {
    let mut same = message
        .fields
        .iter()
        .enumerate()
        .filter(|(_, (other, _))| other.as_bytes().eq_ignore_ascii_case(name));
    let place = same.nth(index.saturating_sub(1)).map(|(place, _)| place);
    if let Some(place) = place {
        message.fields.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Corpus, Keys};

    #[test]
    fn of_fields_with_one_name_the_right_one_goes() {
        let corpus = Corpus::generate(1, 1, &Keys::read().unwrap());
        let mut message = corpus.messages[0].clone();
        let field = |value: &str| ("X-Same".to_owned(), value.as_bytes().to_vec());
        message.fields = vec![field("one"), ("Other".to_owned(), Vec::new()), field("two")];
        delete(&mut message, 2, b"x-same");
        assert_eq!(message.fields.len(), 2);
        assert_eq!(message.fields[0], field("one"));
        delete(&mut message, 2, b"x-same");
        assert_eq!(message.fields.len(), 2);
    }
}
