//! `rules test`: the rules held against messages, one by one.

use clap::Args;
use landmarc_auth::dkim::DkimResult;
use landmarc_mail::DomainName;
use landmarc_mail::author::Author;
use landmarc_receiver::action::Action;
use landmarc_receiver::operator::{Check, MessageFacts, select};
use landmarc_receiver::rule::{Condition, ResultWord, Rule};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::CommandResult;
use crate::file_check::{FileCheckArguments, JudgedFile, judge_each};
use crate::output::print;

/// What the help says below the options.
const AFTER_HELP: &str = "\
The message is judged as `check` does; conditions about the client and the recipients need --ip, \
--client-name and --rcpt. What is done is told as in mode \"enforce\", whatever the mode is.\n\n\
Exit code: 0 when a rule decides about every message, 1 when none does about one, 64 for a wrong \
command line, 65 for a file that is no message, 78 for wrong settings or rules; the largest of \
those that apply.";

/// Recipients and signatures that are told; the rest is counted.
const MAX_LISTED: usize = 5;

/// Arguments of `rules test`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct RulesTestArguments {
    #[command(flatten)]
    options: FileCheckArguments,
    /// Print one JSON object for each message, on a line of its own
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &RulesTestArguments) -> CommandResult {
    judge_each(&arguments.options, |judged| {
        let trial = Trial::new(judged);
        let text = match arguments.json {
            true => format!("{}\n", trial.object()),
            false => trial.text(),
        };
        print(&text)?;
        Ok(match trial.decides {
            Some(_) => Exit::Fine,
            None => Exit::Findings,
        })
    })
}

/// All rules held against one message.
struct Trial<'a> {
    judged: JudgedFile<'a>,
    facts: MessageFacts<'a>,
    /// The name of the one that decides.
    decides: Option<&'a str>,
}

impl<'a> Trial<'a> {
    fn new(judged: JudgedFile<'a>) -> Self {
        let facts = MessageFacts::of(judged.judgement, judged.now);
        let rules = &judged.rules.operator;
        Self {
            judged,
            facts,
            decides: select(rules, &facts).rule.map(|rule| rule.name.as_str()),
        }
    }

    fn text(&self) -> String {
        let judgement = self.judged.judgement;
        let place = self
            .judged
            .place
            .map_or_else(String::new, |place| format!("{place}: "));
        let author = judgement
            .author_domain()
            .map_or("(no author domain)", |domain| domain.as_str());
        let mut text = format!("{place}{author}: dmarc={}\n", judgement.dmarc);
        let rules = &self.judged.rules.operator;
        if rules.is_empty() {
            text.push_str("  there are no rules\n");
        }
        for rule in rules.iter() {
            text.push_str(&format!("  {}: {}\n", rule.name, self.finding(rule)));
        }
        let decides = match self.decides {
            Some(name) => format!("decides: {name}"),
            None => "decides: no rule".to_owned(),
        };
        text.push_str(&format!("  {decides}\n  done: {}\n", done(&judgement.decision)));
        if let Some(rule) = &judgement.rule {
            text.push_str(&format!("  without it: {}\n", done(&rule.without)));
        }
        text
    }

    /// Whether the message meets a rule, in words.
    fn finding(&self, rule: &Rule) -> String {
        match rule.check(&self.facts) {
            Check::Holds if self.decides == Some(rule.name.as_str()) => {
                format!("matches, {}", rule.action.as_str())
            }
            Check::Holds => format!("matches, {}, but comes too late", rule.action.as_str()),
            Check::Fails(Condition::Expires) => "no, it has expired".to_owned(),
            Check::Fails(condition) => {
                format!(
                    "no, {}: the message has {}",
                    condition.as_str(),
                    self.has(condition)
                )
            }
            Check::Unanswered(condition) => {
                format!("not known, {}: DNS did not answer", condition.as_str())
            }
        }
    }

    /// What the message has to show to a condition.
    fn has(&self, condition: Condition) -> String {
        let facts = &self.facts;
        match condition {
            Condition::Expires | Condition::Result => {
                let found = ResultWord::of(facts.evaluation);
                found.as_str().to_owned()
            }
            Condition::AuthorDomain => match facts.author {
                Author::Unusable(_) => "no Author Domain".to_owned(),
                Author::Domain(_) | Author::Domains(_) => listed(facts.author.domains()),
            },
            Condition::DkimDomain => {
                let verified = facts.dkim.iter();
                let verified = verified.filter(|signature| signature.result == DkimResult::Pass);
                match verified
                    .filter_map(|signature| signature.domain.as_ref())
                    .collect::<Vec<_>>()
                {
                    domains if domains.is_empty() => "no signature that verifies".to_owned(),
                    domains => listed(&domains),
                }
            }
            Condition::Client => {
                let client = facts.envelope.client.map(|client| client.to_string());
                client.unwrap_or_else(|| "no known client (--ip)".to_owned())
            }
            Condition::ClientName => {
                let name = facts.envelope.client_name.clone();
                name.unwrap_or_else(|| "no verified client name (--client-name)".to_owned())
            }
            Condition::ListId => {
                let id = facts.header.list_id.as_ref();
                id.map_or_else(|| "no List-Id".to_owned(), ToString::to_string)
            }
            Condition::ArcSealer => {
                let newest = facts.arc.sealers.last();
                newest.map_or_else(
                    || "no ARC chain".to_owned(),
                    |sealer| format!("{}, arc={}", sealer.domain, facts.arc.status),
                )
            }
            Condition::Recipient => match facts.envelope.rcpt_to.as_slice() {
                [] => "no known recipients (--rcpt)".to_owned(),
                paths => listed(
                    &paths
                        .iter()
                        .map(|path| String::from_utf8_lossy(path))
                        .collect::<Vec<_>>(),
                ),
            },
        }
    }

    /// The same as an object; keys are never missing, what is absent is null.
    fn object(&self) -> Value {
        let judgement = self.judged.judgement;
        let rules = self.judged.rules.operator.iter();
        json!({
            "file": self.judged.place,
            "author_domain": judgement.author_domain().map(DomainName::as_str),
            "dmarc": judgement.dmarc.as_str(),
            "rules": rules.map(|rule| self.rule_object(rule)).collect::<Vec<_>>(),
            "decides": self.decides,
            "effect": judgement.rule.as_ref().map(|rule| rule.effect.as_str()),
            "done": done_object(&judgement.decision),
            "without": judgement.rule.as_ref().map(|rule| done_object(&rule.without)),
        })
    }

    fn rule_object(&self, rule: &Rule) -> Value {
        let (matches, condition) = match rule.check(&self.facts) {
            Check::Holds => (Some(true), None),
            Check::Fails(condition) => (Some(false), Some(condition)),
            Check::Unanswered(condition) => (None, Some(condition)),
        };
        json!({
            "name": rule.name,
            "action": rule.action.as_str(),
            "owner": rule.owner,
            "matches": matches,
            "condition": condition.map(Condition::as_str),
            "found": condition.filter(|condition| *condition != Condition::Expires).map(|c| self.has(c)),
        })
    }
}

/// The first few, and how many more there are.
fn listed(items: &[impl ToString]) -> String {
    let listed: Vec<_> = items.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    let more = match items.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", listed.join(", "))
}

fn done(action: &Action) -> String {
    let mut text = format!("{} (disposition {}", action.smtp.as_str(), action.disposition);
    for reason in &action.overrides {
        text.push_str(&format!(
            ", override {}: {}",
            reason.kind().as_str(),
            reason.comment()
        ));
    }
    text + ")"
}

fn done_object(action: &Action) -> Value {
    let reasons = action.overrides.iter();
    json!({
        "action": action.smtp.as_str(),
        "disposition": action.disposition.as_str(),
        "overrides": reasons
            .map(|reason| json!({"type": reason.kind().as_str(), "comment": reason.comment()}))
            .collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_where_nobody_reads_on() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a"; MAX_LISTED]), "a, a, a, a, a");
        assert_eq!(listed(&["a"; MAX_LISTED + 2]), "a, a, a, a, a and 2 more");
    }
}
