//! The one line that Exim is answered, made for `${extract{KEY}{$acl_m_landmarc}}`.
//!
//! Exim expands what an ACL says once, and what comes in by a variable not again: a `$` in the line is a `$`. What
//! can do harm is a quote or a line end, so values that are more than a word are quoted, and in quotes everything
//! but printable ASCII is escaped in the way `${extract}` takes back.

use std::fmt::Write as _;

use crate::answer::{Added, MessageAnswer, MessageOutcome, Removed};
use crate::findings::Findings;
use crate::incoming::{Incoming, Piece};
use crate::words::{EximStatus, domain_policy};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_receiver::rule::ResultWord;

/// Octets of all fields that are put back after those of their name were removed. With more, they are left out:
/// results of others may always go (RFC 8601 §5).
pub const KEPT_LIMIT: usize = 32 * 1024;
/// Octets of a value; longer ones are cut. Only those that a sender has a hand in come near it.
pub const VALUE_LIMIT: usize = 64 * 1024;

/// The line of a message, without its line end. `header` is its header section, as far as Exim gave it out.
#[must_use]
pub fn line(answer: &MessageAnswer, header: &[u8]) -> String {
    let mut line = Line::default();
    let nothing = Findings {
        unjudged: Some("internal error"),
        dmarc: ResultWord::TempError,
        ..Findings::default()
    };
    let findings = answer.findings.as_ref().unwrap_or(&nothing);
    let status = match answer.findings {
        Some(_) => EximStatus::done(findings),
        None => EximStatus::TempError,
    };
    say_status(&mut line, status);
    say_findings(&mut line, findings);
    line.add("reply", &reply(answer));
    line.add("remove", &names(&answer.removed()).join(":"));
    line.add("keep", &kept(&answer.removed(), header));
    line.add("add", &together(&answer.added()));
    line.add("append", &together(&answer.appended()));
    line.0
}

/// The line of a request that could not be answered, where that is the doing of its message. What has no verdict
/// comes again: the word is `temperror`, and the ACL decides what becomes of it.
#[must_use]
pub fn failed(why: &str) -> String {
    let mut line = Line::default();
    say_status(&mut line, EximStatus::TempError);
    line.add("error", why);
    line.0
}

/// The line of a request that could not be answered, where that is for the operator to correct, and so for all mail: we
/// are as good as not there. The word is the one that the ACL itself has for that.
#[must_use]
pub fn down(why: &str) -> String {
    let mut line = Line::default();
    line.add("status", "down");
    line.add("text", EximStatus::Off.text());
    line.add("error", why);
    line.0
}

/// The words of Exim's own DMARC (E4, E5).
fn say_status(line: &mut Line, status: EximStatus) {
    line.add("status", status.as_str());
    line.add("text", status.text());
}

fn say_findings(line: &mut Line, findings: &Findings) {
    let yes = |aligned: Option<bool>| if aligned == Some(true) { "yes" } else { "no" };
    let (author_domain, policy_domain) = (
        findings.author_domain.as_deref(),
        findings.policy_domain.as_deref(),
    );
    for (key, value) in [
        ("used_domain", policy_domain.or(author_domain).unwrap_or_default()),
        ("domain_policy", domain_policy(findings)),
        ("alignment_spf", yes(findings.spf_aligned)),
        ("alignment_dkim", yes(findings.dkim_aligned)),
        // From here on, what Exim has no words for (E14).
        ("asked", EximStatus::asked(findings).as_str()),
        ("result", findings.dmarc.as_str()),
        ("author_domain", author_domain.unwrap_or_default()),
        ("policy_domain", policy_domain.unwrap_or_default()),
        ("policy", findings.policy.map_or("", AssessmentPolicy::as_str)),
        ("disposition", findings.disposition.as_str()),
        ("action", findings.action.as_str()),
        ("enforced_action", findings.enforced_action.as_str()),
        ("spf", &findings.spf.result),
        ("dkim", findings.dkim_word()),
        ("arc", &findings.arc),
        ("skipped", findings.skipped.unwrap_or_default()),
        ("error", findings.unjudged.unwrap_or_default()),
        ("cause", &findings.cause),
        ("id", &findings.id),
    ] {
        line.add(key, value);
    }
}

/// The reply that landmarc would give, with its code in front, which is how a `message` of an ACL takes one;
/// empty where the message goes on.
fn reply(answer: &MessageAnswer) -> String {
    match answer.outcome() {
        MessageOutcome::Reject(reply) | MessageOutcome::TempFail(reply) => reply.in_one_line(),
        MessageOutcome::Accept | MessageOutcome::Quarantine(_) | MessageOutcome::Discard => String::new(),
    }
}

/// The names of fields that must go: an ACL removes all of a name. To Exim a line with other octets
/// than printable ones before its colon is no field, so there is nothing to be removed.
fn names(removed: &[Removed]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let is_name = |field: &&Removed| field.name.bytes().all(|octet| octet.is_ascii_graphic());
    for Removed { name, .. } in removed.iter().filter(is_name) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names
}

/// The fields of those names that are to stay, to be put back.
fn kept(removed: &[Removed], header: &[u8]) -> String {
    let mut kept = String::new();
    for name in names(removed) {
        let is_removed = |nth| {
            let mut of_name = removed
                .iter()
                .filter(|field| field.name.eq_ignore_ascii_case(name));
            of_name.any(|field| field.nth == nth)
        };
        for (nth, value) in (1..).zip(values(header, name)) {
            if !is_removed(nth) {
                put(&mut kept, name, &latin1(&value));
            }
        }
    }
    if kept.len() > KEPT_LIMIT {
        String::new()
    } else {
        kept
    }
}

/// The values of all fields of a name, the topmost first.
fn values(mut header: &[u8], name: &str) -> Vec<Vec<u8>> {
    let mut incoming = Incoming::new(super::HEADER_LIMIT);
    let mut found = Vec::new();
    let mut take = |piece| match piece {
        Piece::Field { name: of, value } if of.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()) => {
            found.push(value);
        }
        // It keeps its number, but what is thrown away cannot be put back.
        Piece::LongField { name: of, .. } if of.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()) => {
            found.push(Vec::new());
        }
        _ => {}
    };
    while let Some(piece) = incoming.next(&mut header) {
        take(piece);
    }
    while let Some(piece) = incoming.finish() {
        take(piece);
    }
    found
}

/// One character for each octet: as such they are escaped, and come out of `${extract}` as they were.
fn latin1(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}

fn together(fields: &[Added]) -> String {
    let mut all = String::new();
    for Added { name, value } in fields {
        put(&mut all, name, value);
    }
    all
}

fn put(all: &mut String, name: &str, value: &str) {
    let value = value.trim().replace("\r\n", "\n");
    if value.is_empty() {
        return;
    }
    if !all.is_empty() {
        all.push('\n');
    }
    all.push_str(name);
    all.push_str(": ");
    all.push_str(&value);
}

/// Keys and values, one after the other.
#[derive(Default)]
struct Line(String);

impl Line {
    fn add(&mut self, key: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        // An empty value without quotes would make the next key a value.
        let is_word = !value.is_empty() && value.bytes().all(is_of_word);
        match is_word {
            true => self.0.push_str(value),
            false => self.quote(value),
        }
    }

    fn quote(&mut self, value: &str) {
        self.0.push('"');
        for character in value.chars().take(VALUE_LIMIT) {
            match character {
                '"' | '\\' => self.0.extend(['\\', character]),
                '\n' => self.0.push_str("\\n"),
                '\t' => self.0.push_str("\\t"),
                ' '..='~' => self.0.push(character),
                // NUL would end the text.
                '\u{1}'..='\u{ff}' => {
                    // Writing to a String does not fail.
                    let _ = write!(self.0, "\\x{:02x}", u32::from(character));
                }
                _ => self.0.push('?'),
            }
        }
        self.0.push('"');
    }
}

fn is_of_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests;
