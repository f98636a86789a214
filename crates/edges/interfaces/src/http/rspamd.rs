//! What rspamd's clients say and expect: the envelope in header fields, the answer as one object.

use landmarc_milter::{PeerAddress, ip_address};
use landmarc_net::Peer;
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::answer::{Added, MessageAnswer, MessageOutcome, Removed};
use crate::caller::Caller;
use crate::findings::{ActionWord, Findings};
use crate::recipients::{Quotes, Recipients};
use crate::words::{self, threshold};

/// The envelope, field by field. What rspamd has and we have no use for (`Pass`, `Deliver-To`, `Flags`,
/// `Settings-ID`, ...) means nothing here.
#[derive(Debug)]
pub(super) struct Envelope {
    caller: Caller,
    recipients: Recipients,
    /// `Password`.
    pub(super) password: Option<Vec<u8>>,
}

impl Envelope {
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            caller: Caller {
                peer,
                ..Caller::default()
            },
            recipients: Recipients::default(),
            password: None,
        }
    }

    /// Takes a field. As with rspamd, one that cannot be read is as good as none.
    pub(super) fn take(&mut self, name: &str, value: &[u8]) {
        let value = value.trim_ascii();
        let text = || Some(String::from_utf8_lossy(value).into_owned());
        let caller = &mut self.caller;
        match name.to_ascii_lowercase().as_str() {
            "ip" => {
                caller.client = ip_address(value).map_or(PeerAddress::Unknown, |ip| PeerAddress::Ip(ip, 0));
            }
            "helo" => value.clone_into(&mut caller.helo),
            // Some clients send what the reverse zone says, which is its owner's to choose: not verified.
            "hostname" => caller.client_name = text(),
            "from" => value.clone_into(&mut caller.mail_from),
            "rcpt" => {
                self.recipients.take(value);
                self.recipients.end_list();
            }
            "user" => caller.authenticated = text(),
            "queue-id" => caller.queue_id = text(),
            "mta-name" => caller.mta_name = text(),
            "password" => self.password = Some(value.to_vec()),
            _ => {}
        }
    }

    pub(super) fn into_caller(self) -> Caller {
        Caller {
            rcpt_to: self.recipients.into_paths(),
            ..self.caller
        }
    }
}

/// Addresses that are separated by commas; within quotes a comma is part of one.
pub(super) fn addresses(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quotes = Quotes::default();
    let parts = list.split(move |octet| quotes.part(*octet));
    parts.map(<[u8]>::trim_ascii).filter(|part| !part.is_empty())
}

/// What an answer comes to in rspamd's words.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RspamdVerdict {
    pub(super) action: &'static str,
    pub(super) score: f64,
    pub(super) symbols: Vec<words::Symbol>,
    /// What the client is to be told in place of the words of its own.
    pub(super) message: Option<String>,
}

impl RspamdVerdict {
    pub(super) fn of(answer: &MessageAnswer) -> Self {
        // Without findings it was a bug of ours: for now, then.
        let bug = || Findings {
            unjudged: Some("internal error"),
            action: ActionWord::TempFail,
            ..Findings::default()
        };
        let findings = answer.findings.clone().unwrap_or_else(bug);
        let symbols = words::rspamd_symbols(&findings);
        let message = match answer.outcome() {
            MessageOutcome::Reject(reply) | MessageOutcome::TempFail(reply) => Some(reply.in_one_line()),
            MessageOutcome::Accept | MessageOutcome::Quarantine(_) | MessageOutcome::Discard => None,
        };
        Self {
            action: words::rspamd_action(findings.action),
            score: words::rspamd_score(&symbols),
            symbols,
            message,
        }
    }
}

/// The answer to `/checkv2`, with our own findings under `landmarc`.
pub(super) fn object(answer: &MessageAnswer, elapsed: Duration) -> Value {
    let result = RspamdVerdict::of(answer);
    let symbols: Map<String, Value> = result.symbols.iter().map(symbol).collect();
    let messages = match &result.message {
        Some(message) => json!({"smtp_message": message}),
        None => json!({}),
    };
    json!({
        "is_skipped": answer.findings.as_ref().is_some_and(|findings| findings.skipped.is_some()),
        "score": result.score,
        "required_score": threshold::REJECT,
        "action": result.action,
        "thresholds": {
            "reject": threshold::REJECT,
            "add header": threshold::ADD_HEADER,
            "greylist": threshold::GREYLIST,
        },
        "symbols": symbols,
        "messages": messages,
        "message-id": "undef",
        "time_real": elapsed.as_secs_f64(),
        "milter": milter_object(answer),
        "landmarc": answer.findings.as_ref().map(|findings| findings.json.clone()),
    })
}

fn symbol(symbol: &words::Symbol) -> (String, Value) {
    let object = json!({
        "name": symbol.name,
        "score": symbol.score,
        "metric_score": symbol.score,
        "description": symbol.description,
        "options": symbol.options,
    });
    (symbol.name.to_owned(), object)
}

/// What a client that edits messages is to do: a field at the place `order`, counted from the top; fields to remove by
/// their numbers, of which 0 is all of the name, as with rspamd.
fn milter_object(answer: &MessageAnswer) -> Value {
    let mut milter = Map::new();
    let mut add = Map::new();
    for (order, Added { name, value }) in answer.added().into_iter().enumerate() {
        add.insert(name, json!({"value": value, "order": order}));
    }
    if !add.is_empty() {
        milter.insert("add_headers".to_owned(), Value::Object(add));
    }
    let mut remove: Map<String, Value> = Map::new();
    for Removed { name, nth } in answer.removed_in_short() {
        match remove.entry(name).or_insert_with(|| json!([])) {
            Value::Array(numbers) => numbers.push(json!(nth)),
            other => *other = json!([nth]),
        }
    }
    if !remove.is_empty() {
        milter.insert("remove_headers".to_owned(), Value::Object(remove));
    }
    Value::Object(milter)
}

#[cfg(test)]
mod tests;
