//! One record while its lines are read.

use std::net::IpAddr;

use super::fault::{HistoryError, HistoryMistake, short};
use super::{HistoryEvent, MAX_RECORD_LINES};
use crate::opendmarc::codes::{action, alignment, policy, result, tag};
use crate::opendmarc::message::{Message, RecordedSignature, Seal};

/// The longest word that is a queue id or a host name.
const MAX_WORD: usize = 255;
/// The first second of the year 10000: later is no time of a message.
const END_OF_TIME_S: u64 = 253_402_300_800;

/// The keys that a record has at most once, in the order of the files of 1.4.
const ONCE: &str = "reporter received ipaddr from mfrom spf spf_scope pdomain policy pct adkim aspf p sp fo align_dkim \
                    align_spf action arc arc_policy";
/// Those of them that may be missing.
const OPTIONAL: [&str; 6] = ["mfrom", "spf", "spf_scope", "fo", "arc", "arc_policy"];

/// What is known of a message so far.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where its record begins.
    line: u64,
    lines: u32,
    /// Those of [`ONCE`] that were there.
    keys: Vec<&'static str>,
    message: Message,
}

impl Draft {
    /// The record of this queue id begins at this line.
    pub(super) fn new(line: u64, job: &str) -> Self {
        Self {
            line,
            lines: 1,
            keys: Vec::new(),
            message: Message::empty(job),
        }
    }

    /// Whether its record begins at this line.
    pub(super) fn begins_at(&self, line: u64) -> bool {
        self.line == line
    }

    /// Takes a line; whether its key is known.
    pub(super) fn line(&mut self, key: &str, value: &str) -> Result<bool, HistoryError> {
        self.lines += 1;
        if self.lines > MAX_RECORD_LINES {
            return Err(HistoryError::ManyLines);
        }
        match key {
            "dkim" => {
                let signature = signature(value).ok_or_else(|| wrong("dkim", value))?;
                self.message.dkim.push(signature);
            }
            "rua" if value == "-" => {}
            "rua" => self.message.rua.push(value.to_owned()),
            _ => match ONCE.split_whitespace().find(|known| *known == key) {
                Some(key) => self.take_once(key, value)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn take_once(&mut self, key: &'static str, value: &str) -> Result<(), HistoryError> {
        if self.keys.contains(&key) {
            return Err(HistoryError::Repeated { key });
        }
        self.keys.push(key);
        let message = &mut self.message;
        let read = match key {
            "reporter" => set(&mut message.reporter, job(value).map(str::to_owned)),
            "received" => set(&mut message.received_s, time(value)),
            "ipaddr" => set(&mut message.client, address(value)),
            // What is looked at later: no record without a policy is lost for it.
            "from" => set(&mut message.author_domain, Some(value.to_owned())),
            "mfrom" => set(&mut message.mail_from, Some(value.to_owned())),
            "pdomain" => set(&mut message.policy_domain, Some(value.to_owned())),
            "spf" => set(&mut message.spf, any_result(value).map(Some)),
            "spf_scope" => set(&mut message.spf_scope, number(value).map(Some)),
            "policy" => set(&mut message.policy, number_of(value, policy::is_known)),
            "pct" => set(
                &mut message.pct,
                number_of(value, |percent| (0..=100).contains(&percent)),
            ),
            "adkim" => set(&mut message.adkim, mode(value)),
            "aspf" => set(&mut message.aspf, mode(value)),
            "p" => set(&mut message.p, asked(value)),
            "sp" => set(&mut message.sp, asked(value)),
            "fo" => set(&mut message.fo, number(value)),
            "align_dkim" => set(&mut message.align_dkim, aligned(value)),
            "align_spf" => set(&mut message.align_spf, aligned(value)),
            "action" => {
                let known = action::REJECT..=action::QUARANTINE;
                set(
                    &mut message.action,
                    number_of(value, |done| known.contains(&done)),
                )
            }
            "arc_policy" => {
                // Exim writes 1 for a policy that played no part, OpenDMARC 2 where there is no chain.
                let overrides = arc_policy(value).map(|(code, seals)| (code == 0).then_some(seals));
                set(&mut message.arc, overrides)
            }
            _ => number(value).map(drop),
        };
        read.ok_or_else(|| wrong(key, value))
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// What it is when the file ends here.
    pub(super) fn unfinished(&self) -> HistoryEvent {
        HistoryEvent::Unfinished {
            line: self.line,
            job: short(&self.message.job),
        }
    }

    /// What it is when another record begins inside of this line.
    pub(super) fn cut_at(&self, line: u64) -> HistoryEvent {
        let job = short(&self.message.job);
        HistoryEvent::Broken(HistoryMistake {
            line,
            what: HistoryError::Cut { job },
        })
    }

    /// What it is when it is over.
    pub(super) fn finish(self) -> HistoryEvent {
        let (line, keys) = (self.line, self.missing());
        if keys.is_empty() {
            return HistoryEvent::Message(line, Box::new(self.message));
        }
        let job = short(&self.message.job);
        HistoryEvent::Broken(HistoryMistake {
            line,
            what: HistoryError::Missing { job, keys },
        })
    }

    /// The keys without which nothing can be counted. Whoever writes `arc` writes `arc_policy` behind it, which
    /// says whether the chain overrode the policy; Exim writes both below `action` (HF4), so that a record that
    /// was cut between them has all the others (HF6).
    fn missing(&self) -> Vec<&'static str> {
        let is_needed =
            |key: &&str| !OPTIONAL.contains(key) || *key == "arc_policy" && self.keys.contains(&"arc");
        let needed = ONCE.split_whitespace().filter(is_needed);
        needed.filter(|key| !self.keys.contains(key)).collect()
    }
}

/// A word that can be a queue id. What stands in for octets that are no UTF-8 cannot: two queue ids that differ in
/// such octets alone would be one message.
pub(super) fn job(text: &str) -> Option<&str> {
    let is_foreign = |character: char| character.is_whitespace() || character == char::REPLACEMENT_CHARACTER;
    let is_word = !text.is_empty() && text.len() <= MAX_WORD && !text.contains(is_foreign);
    Some(text).filter(|_| is_word)
}

fn set<T>(field: &mut T, read: Option<T>) -> Option<()> {
    *field = read?;
    Some(())
}

fn wrong(key: &'static str, value: &str) -> HistoryError {
    HistoryError::Value {
        key,
        value: short(value),
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn number_of(text: &str, is_known: impl FnOnce(i64) -> bool) -> Option<i64> {
    number(text).filter(|number| is_known(*number))
}

fn any_result(text: &str) -> Option<i64> {
    number_of(text, |code| (result::UNDEFINED..=result::LAST).contains(&code))
}

fn mode(text: &str) -> Option<i64> {
    number_of(text, |code| code == 0 || tag::mode(code).is_some())
}

fn asked(text: &str) -> Option<i64> {
    number_of(text, |code| code == 0 || tag::policy(code).is_some())
}

fn aligned(text: &str) -> Option<i64> {
    number_of(text, alignment::is_known)
}

fn time(text: &str) -> Option<u64> {
    text.parse().ok().filter(|seconds| *seconds < END_OF_TIME_S)
}

/// Sendmail says `IPv6:` before such an address.
fn address(text: &str) -> Option<IpAddr> {
    text.strip_prefix("IPv6:").unwrap_or(text).parse().ok()
}

/// `DOMAIN SELECTOR RESULT`, or `DOMAIN RESULT` in files of 1.2 (HF5); a hyphen is no selector.
fn signature(text: &str) -> Option<RecordedSignature> {
    let words: Vec<_> = text.split(' ').take(4).collect();
    let (domain, selector, code) = match *words.as_slice() {
        [domain, selector, code] => (domain, Some(selector), code),
        [domain, code] => (domain, None, code),
        _ => return None,
    };
    let selector = selector.filter(|selector| !matches!(*selector, "-" | ""));
    Some(RecordedSignature {
        domain: domain.to_owned(),
        selector: selector.map(str::to_owned),
        result: any_result(code)?,
    })
}

/// `N json:[…]`, or `N json[ ]` as Exim writes it (HF4). Names in the chain are strangers' and are written
/// without escapes: a chain that is no JSON costs its names, not the record. One without its last bracket was cut
/// off (HF6).
fn arc_policy(text: &str) -> Option<(i64, Vec<Seal>)> {
    let (code, json) = text.split_once(' ')?;
    let json = json.strip_prefix("json").filter(|json| json.ends_with(']'))?;
    let json = json.strip_prefix(':').unwrap_or(json);
    let seals = serde_json::from_str(json).ok();
    let seals = seals.iter().filter_map(serde_json::Value::as_array).flatten();
    Some((number(code)?, seals.filter_map(seal).collect()))
}

fn seal(value: &serde_json::Value) -> Option<Seal> {
    let text = |key| {
        value
            .get(key)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    Some(Seal {
        instance: value.get("i")?.as_u64()?,
        domain: text("d").to_owned(),
        selector: text("s").to_owned(),
        client: text("ip").to_owned(),
    })
}
