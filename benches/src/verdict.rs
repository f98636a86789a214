//! Whether a filter said of a message what was expected of it.

use crate::corpus::{AUTHSERV_ID, Dkim, Done, Message};
use crate::wire::Answer;

/// What is compared with what is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing: the filter judges nothing.
    Nothing,
    /// Everything; of a refused message only that it was refused can be seen.
    Enforcing,
    /// The results, and that nothing is held or refused.
    Observing,
    /// Everything but whether forged fields go: a peer may take them out elsewhere in its chain, or
    /// leave them and pay them no heed.
    Peer,
}

/// What is wrong with an answer, in words that are the same for the same kind of mistake.
pub(crate) fn differences(message: &Message, answer: &Answer, check: Check) -> Vec<String> {
    if check == Check::Nothing {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let expected = &message.expected;
    let mut compare = |what: &str, expected: &str, found: &str| {
        if expected != found {
            wrong.push(format!("{what} {expected}, found {found}"));
        }
    };
    let done = match (answer.code, answer.held) {
        (b'a' | b'c', false) => "accept",
        (b'a' | b'c', true) => "quarantine",
        (b'r', _) => "reject",
        (b'y', _) if answer.reply.first() == Some(&b'5') => "reject",
        _ => "tempfail",
    };
    let expected_done = match check {
        Check::Enforcing | Check::Peer => expected.done,
        Check::Nothing | Check::Observing => Done::Accept,
    };
    compare("done", expected_done.as_str(), done);
    if done == "reject" || done == "tempfail" {
        return wrong;
    }
    let results = results(answer);
    let first = |method: &str| {
        let found = results.iter().find(|(name, _)| name == method);
        found.map_or("missing", |(_, result)| result.as_str())
    };
    compare("spf", expected.spf.as_str(), first("spf"));
    compare("dkim", expected.dkim.as_str(), dkim(&results).as_str());
    compare("dmarc", expected.dmarc.as_str(), first("dmarc"));
    if check != Check::Peer {
        let deleted = answer
            .deleted
            .iter()
            .filter(|(_, name)| name.eq_ignore_ascii_case(b"Authentication-Results"));
        compare(
            "forged",
            &expected.forged.to_string(),
            &deleted.count().to_string(),
        );
    }
    wrong
}

fn dkim(results: &[(String, String)]) -> Dkim {
    let mut all = results.iter().filter(|(method, _)| method == "dkim").peekable();
    if all.peek().is_none() {
        return Dkim::None;
    }
    let mut best = Dkim::None;
    for (_, result) in all {
        match result.as_str() {
            "pass" => return Dkim::Pass,
            "none" => {}
            _ => best = Dkim::Broken,
        }
    }
    best
}

/// Method and result of all that the filter added under our name.
fn results(answer: &Answer) -> Vec<(String, String)> {
    let mut results = Vec::new();
    for (name, value) in &answer.added {
        if !name.eq_ignore_ascii_case(b"Authentication-Results") {
            continue;
        }
        let value = String::from_utf8_lossy(value);
        let mut parts = value.split(';').map(str::trim);
        if parts.next() != Some(AUTHSERV_ID) {
            continue;
        }
        for part in parts {
            let word = part.split([' ', '\t', '\n', '(']).next().unwrap_or_default();
            if let Some((method, result)) = word.split_once('=') {
                results.push((method.to_ascii_lowercase(), result.to_ascii_lowercase()));
            }
        }
    }
    results
}
