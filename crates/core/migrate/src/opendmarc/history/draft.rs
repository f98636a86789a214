//! One record while its lines are read.

use std::net::IpAddr;

use super::fault::{Fault, What, short};
use super::{Found, MAX_RECORD_LINES};
use crate::opendmarc::codes::{action, alignment, policy, result, tag};
use crate::opendmarc::message::{Message, Seal, Signature};

/// The longest word that is a queue id or a host name.
const MAX_WORD: usize = 255;
/// The first second of the year 10000: later is no time of a message.
const END_OF_TIME_S: u64 = 253_402_300_800;

/// What is known of a message so far.
#[derive(Debug)]
pub(super) struct Draft {
    /// Where its record begins.
    line: u64,
    lines: u32,
    job: String,
    reporter: Option<String>,
    received_s: Option<u64>,
    client: Option<IpAddr>,
    author_domain: Option<String>,
    mail_from: Option<String>,
    spf: Option<i64>,
    spf_scope: Option<i64>,
    dkim: Vec<Signature>,
    policy_domain: Option<String>,
    policy: Option<i64>,
    rua: Vec<String>,
    pct: Option<i64>,
    adkim: Option<i64>,
    aspf: Option<i64>,
    p: Option<i64>,
    sp: Option<i64>,
    fo: Option<i64>,
    align_dkim: Option<i64>,
    align_spf: Option<i64>,
    arc: Option<i64>,
    arc_policy: Option<(i64, Vec<Seal>)>,
    action: Option<i64>,
}

impl Draft {
    /// The record of this queue id begins at this line.
    pub(super) fn new(line: u64, job: &str) -> Self {
        Self {
            line,
            lines: 1,
            job: job.to_owned(),
            reporter: None,
            received_s: None,
            client: None,
            author_domain: None,
            mail_from: None,
            spf: None,
            spf_scope: None,
            dkim: Vec::new(),
            policy_domain: None,
            policy: None,
            rua: Vec::new(),
            pct: None,
            adkim: None,
            aspf: None,
            p: None,
            sp: None,
            fo: None,
            align_dkim: None,
            align_spf: None,
            arc: None,
            arc_policy: None,
            action: None,
        }
    }

    /// Whether its record begins at this line.
    pub(super) fn begins_at(&self, line: u64) -> bool {
        self.line == line
    }

    /// Takes a line; whether its key is known.
    pub(super) fn line(&mut self, key: &str, value: &str) -> Result<bool, What> {
        self.lines += 1;
        if self.lines > MAX_RECORD_LINES {
            return Err(What::ManyLines);
        }
        match key {
            "reporter" => set(&mut self.reporter, "reporter", value, |text| {
                job(text).map(str::to_owned)
            })?,
            "received" => set(&mut self.received_s, "received", value, time)?,
            "ipaddr" => set(&mut self.client, "ipaddr", value, address)?,
            "from" => set(&mut self.author_domain, "from", value, any)?,
            "mfrom" => set(&mut self.mail_from, "mfrom", value, any)?,
            "spf" => set(&mut self.spf, "spf", value, any_result)?,
            "spf_scope" => set(&mut self.spf_scope, "spf_scope", value, number)?,
            "dkim" => self
                .dkim
                .push(signature(value).ok_or_else(|| wrong("dkim", value))?),
            "pdomain" => set(&mut self.policy_domain, "pdomain", value, any)?,
            "policy" => set(&mut self.policy, "policy", value, |text| {
                number_of(text, policy::is_known)
            })?,
            "rua" if value == "-" => {}
            "rua" => self.rua.push(value.to_owned()),
            "pct" => set(&mut self.pct, "pct", value, |text| {
                number_of(text, |percent| (0..=100).contains(&percent))
            })?,
            "adkim" => set(&mut self.adkim, "adkim", value, mode)?,
            "aspf" => set(&mut self.aspf, "aspf", value, mode)?,
            "p" => set(&mut self.p, "p", value, asked)?,
            "sp" => set(&mut self.sp, "sp", value, asked)?,
            "fo" => set(&mut self.fo, "fo", value, number)?,
            "align_dkim" => set(&mut self.align_dkim, "align_dkim", value, aligned)?,
            "align_spf" => set(&mut self.align_spf, "align_spf", value, aligned)?,
            "arc" => set(&mut self.arc, "arc", value, number)?,
            "arc_policy" => set(&mut self.arc_policy, "arc_policy", value, arc_policy)?,
            "action" => set(&mut self.action, "action", value, |text| {
                number_of(text, |done| (action::REJECT..=action::QUARANTINE).contains(&done))
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.missing().is_empty()
    }

    /// What it is when the file ends here.
    pub(super) fn unfinished(&self) -> Found {
        Found::Unfinished {
            line: self.line,
            job: short(&self.job),
        }
    }

    /// What it is when another record begins inside of this line.
    pub(super) fn cut_at(&self, line: u64) -> Found {
        let job = short(&self.job);
        Found::Broken(Fault {
            line,
            what: What::Cut { job },
        })
    }

    /// What it is when it is over.
    pub(super) fn finish(self) -> Found {
        let (line, keys, job) = (self.line, self.missing(), short(&self.job));
        match self.message().filter(|_| keys.is_empty()) {
            Some(message) => Found::Message(line, Box::new(message)),
            None => Found::Broken(Fault {
                line,
                what: What::Missing { job, keys },
            }),
        }
    }

    /// The keys without which nothing can be counted. Whoever writes `arc` writes `arc_policy` behind it, which
    /// says whether the chain overrode the policy; Exim writes both below `action` (HF4), so that a record that
    /// was cut between them has all the others (HF6).
    fn missing(&self) -> Vec<&'static str> {
        let there = [
            ("reporter", self.reporter.is_some()),
            ("received", self.received_s.is_some()),
            ("ipaddr", self.client.is_some()),
            ("from", self.author_domain.is_some()),
            ("pdomain", self.policy_domain.is_some()),
            ("policy", self.policy.is_some()),
            ("pct", self.pct.is_some()),
            ("adkim", self.adkim.is_some()),
            ("aspf", self.aspf.is_some()),
            ("p", self.p.is_some()),
            ("sp", self.sp.is_some()),
            ("align_dkim", self.align_dkim.is_some()),
            ("align_spf", self.align_spf.is_some()),
            ("action", self.action.is_some()),
            ("arc_policy", self.arc.is_none() || self.arc_policy.is_some()),
        ];
        let missing = there.iter().filter(|(_, is_there)| !is_there);
        missing.map(|(key, _)| *key).collect()
    }

    fn message(self) -> Option<Message> {
        // Exim writes 1 for a policy that played no part, OpenDMARC 2 where there is no chain.
        let overrides = self.arc_policy.filter(|(code, _)| *code == 0);
        Some(Message {
            job: self.job,
            reporter: self.reporter?,
            received_s: self.received_s?,
            client: self.client?,
            author_domain: self.author_domain?,
            mail_from: self.mail_from.unwrap_or_default(),
            spf: self.spf,
            spf_scope: self.spf_scope,
            dkim: self.dkim,
            policy_domain: self.policy_domain?,
            policy: self.policy?,
            rua: self.rua,
            pct: self.pct?,
            adkim: self.adkim?,
            aspf: self.aspf?,
            p: self.p?,
            sp: self.sp?,
            fo: self.fo.unwrap_or(0),
            align_dkim: self.align_dkim?,
            align_spf: self.align_spf?,
            arc: overrides.map(|(_, seals)| seals),
            action: self.action?,
        })
    }
}

/// A word that can be a queue id. What stands in for octets that are no UTF-8 cannot: two queue ids that differ in
/// such octets alone would be one message.
pub(super) fn job(text: &str) -> Option<&str> {
    let is_foreign = |character: char| character.is_whitespace() || character == char::REPLACEMENT_CHARACTER;
    let is_word = !text.is_empty() && text.len() <= MAX_WORD && !text.contains(is_foreign);
    Some(text).filter(|_| is_word)
}

fn set<T>(
    place: &mut Option<T>,
    key: &'static str,
    value: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<(), What> {
    if place.is_some() {
        return Err(What::Repeated { key });
    }
    *place = Some(read(value).ok_or_else(|| wrong(key, value))?);
    Ok(())
}

fn wrong(key: &'static str, value: &str) -> What {
    What::Value {
        key,
        value: short(value),
    }
}

/// What is looked at later: no record without a policy is lost for it.
#[allow(clippy::unnecessary_wraps)] // of one shape with the others
fn any(text: &str) -> Option<String> {
    Some(text.to_owned())
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
fn signature(text: &str) -> Option<Signature> {
    let words: Vec<_> = text.split(' ').take(4).collect();
    let (domain, selector, code) = match *words.as_slice() {
        [domain, selector, code] => (domain, Some(selector), code),
        [domain, code] => (domain, None, code),
        _ => return None,
    };
    let selector = selector.filter(|selector| !matches!(*selector, "-" | ""));
    Some(Signature {
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
