//! What an interface is to tell its mail server: the response of a session, taken apart.

use std::collections::HashMap;

use landmarc_milter::{Edit, Response, Verdict};
use serde::{Deserialize, Serialize};

use crate::findings::Findings;

/// What a message came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageAnswer {
    /// What is to be done with it.
    pub response: Response,
    /// What was found of it; nothing only after a bug of ours.
    pub findings: Option<Findings>,
}

/// What is to become of a message, as every mail server can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// Take it.
    Accept,
    /// Take it and put it aside, for this reason.
    Quarantine(String),
    /// Refuse it for good in these words.
    Reject(SmtpRefusal),
    /// Refuse it for now in these words.
    TempFail(SmtpRefusal),
    /// Take it and throw it away.
    Discard,
}

/// An SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmtpRefusal {
    /// Three digits.
    pub code: u16,
    /// The enhanced status code (RFC 3463), such as `5.7.1`; may be empty.
    pub enhanced: String,
    /// What is said; may have several lines.
    pub text: String,
}

impl SmtpRefusal {
    /// Code, enhanced code and text in one line.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let Self { code, enhanced, text } = self;
        let text = text.replace(['\r', '\n'], " ");
        match enhanced.is_empty() {
            true => format!("{code} {text}"),
            false => format!("{code} {enhanced} {text}"),
        }
    }
}

/// A header field to be added: nothing in it but what may stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// What stands after the colon and its blank. Folds are LF; the field has no other line ends.
    pub value: String,
}

/// A header field to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its name; compared without case.
    pub name: String,
    /// Which one of those of this name, counted from 1 at the top, among the fields of the message as it came; or
    /// [`Removed::ALL`].
    pub nth: u32,
}

impl Removed {
    /// In place of a number: all fields of this name, as clients of rspamd understand it, too.
    pub const ALL: u32 = 0;
}

/// Fields of one name that a list of removed ones names one by one. Of more than that all of the name go, as they may
/// (RFC 8601 §5): a sender forges as many as there is room for, and must not make the answer longer than is read.
pub const LISTED_LIMIT: usize = 100;

/// What is said where a verdict has no words of its own.
const REFUSED: &str = "refused by local policy";
const LATER: &str = "try again later";

impl MessageAnswer {
    /// The answer to a message that a bug of ours was in: never a reject (decision D6).
    #[must_use]
    pub fn tempfail() -> Self {
        Self {
            response: Response {
                edits: Vec::new(),
                verdict: Verdict::TempFail,
            },
            findings: None,
        }
    }

    /// The same without the fields that it adds, of which a sender can make long ones.
    #[must_use]
    pub fn without_added_fields(&self) -> Self {
        let mut answer = self.clone();
        let is_field = |edit: &Edit| matches!(edit, Edit::InsertHeader { .. } | Edit::AddHeader { .. });
        answer.response.edits.retain(|edit| !is_field(edit));
        answer
    }

    /// What is to become of the message.
    #[must_use]
    pub fn outcome(&self) -> MessageOutcome {
        let reply = |code, enhanced: &str, text: &str| SmtpRefusal {
            code,
            enhanced: enhanced.to_owned(),
            text: text.to_owned(),
        };
        match &self.response.verdict {
            Verdict::Accept | Verdict::Continue => match self.quarantine_reason() {
                Some(reason) => MessageOutcome::Quarantine(reason.to_owned()),
                None => MessageOutcome::Accept,
            },
            Verdict::Reject => MessageOutcome::Reject(reply(550, "5.7.1", REFUSED)),
            Verdict::TempFail => MessageOutcome::TempFail(reply(451, "4.7.1", LATER)),
            Verdict::Discard => MessageOutcome::Discard,
            Verdict::Reply {
                code: code @ 500..=599,
                enhanced,
                text,
            } => MessageOutcome::Reject(reply(*code, enhanced, text)),
            Verdict::Reply {
                code: code @ 400..=499,
                enhanced,
                text,
            } => MessageOutcome::TempFail(reply(*code, enhanced, text)),
            // As with a milter: a mistake of ours is never a reject.
            Verdict::Reply { text, .. } => MessageOutcome::TempFail(reply(451, "4.7.1", text)),
        }
    }

    /// Whether the message goes on; only then are fields added and removed.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.response.verdict, Verdict::Accept | Verdict::Continue)
    }

    /// Why the mail server is to put it aside.
    #[must_use]
    pub fn quarantine_reason(&self) -> Option<&str> {
        self.edits().find_map(|edit| match edit {
            Edit::Quarantine(reason) => Some(reason.as_str()),
            _ => None,
        })
    }

    /// The fields to be put above all others, the topmost first.
    #[must_use]
    pub fn added(&self) -> Vec<Added> {
        // Of several at the top, the last one ends up topmost (`landmarc_milter::Edit`).
        let edits: Vec<_> = self.edits().collect();
        let inserted = edits.iter().rev().filter_map(|edit| match edit {
            Edit::InsertHeader { name, value, .. } => Some(added(name, value)),
            _ => None,
        });
        inserted.collect()
    }

    /// The fields to be put below all others.
    #[must_use]
    pub fn appended(&self) -> Vec<Added> {
        let appended = self.edits().filter_map(|edit| match edit {
            Edit::AddHeader { name, value } => Some(added(name, value)),
            _ => None,
        });
        appended.collect()
    }

    /// The fields that must go before others are added: results that somebody forged in our name.
    #[must_use]
    pub fn removed(&self) -> Vec<Removed> {
        let removed = self.edits().filter_map(|edit| match edit {
            Edit::DeleteHeader { name, nth } => Some(Removed {
                name: name.clone(),
                nth: *nth,
            }),
            _ => None,
        });
        removed.collect()
    }

    /// The same as a list that is never long: of names with more than [`LISTED_LIMIT`] all fields go.
    #[must_use]
    pub fn removed_in_short(&self) -> Vec<Removed> {
        let removed = self.removed();
        let mut of_name: HashMap<String, usize> = HashMap::new();
        for field in &removed {
            *of_name.entry(field.name.to_ascii_lowercase()).or_default() += 1;
        }
        let mut listed = Vec::new();
        for field in removed {
            match of_name.get_mut(&field.name.to_ascii_lowercase()) {
                Some(count) if *count > LISTED_LIMIT => {
                    // Once; the others of this name are among them.
                    *count = 0;
                    listed.push(Removed {
                        nth: Removed::ALL,
                        ..field
                    });
                }
                Some(0) | None => {}
                Some(_) => listed.push(field),
            }
        }
        listed
    }

    /// The recipients to be added, in angle brackets.
    #[must_use]
    pub fn added_recipients(&self) -> Vec<&str> {
        let recipients = self.edits().filter_map(|edit| match edit {
            Edit::AddRcpt(path) | Edit::AddRcptWithParameters { path, .. } => Some(path.as_str()),
            _ => None,
        });
        recipients.collect()
    }

    /// The edits of a message that goes on.
    fn edits(&self) -> impl Iterator<Item = &Edit> {
        let goes_on = self.goes_on();
        self.response.edits.iter().filter(move |_| goes_on)
    }
}

fn added(name: &str, value: &str) -> Added {
    Added {
        name: name.to_owned(),
        value: folded_with_lf(value),
    }
}

/// Folds as LF and a blank; a line end that is no fold, and NUL, becomes a blank, so that no value
/// can smuggle in a field of its own.
fn folded_with_lf(value: &str) -> String {
    let value = value.replace("\r\n", "\n");
    let mut characters = value.chars().peekable();
    let mut folded = String::with_capacity(value.len());
    while let Some(c) = characters.next() {
        let is_fold = c == '\n' && matches!(characters.peek(), Some(' ' | '\t'));
        folded.push(match c {
            '\n' if !is_fold => ' ',
            '\r' | '\0' => ' ',
            c => c,
        });
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(edits: Vec<Edit>, verdict: Verdict) -> MessageAnswer {
        MessageAnswer {
            response: Response { edits, verdict },
            findings: None,
        }
    }

    fn insert(name: &str, value: &str) -> Edit {
        Edit::InsertHeader {
            index: 0,
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    fn delete(name: &str, nth: u32) -> Edit {
        Edit::DeleteHeader {
            name: name.to_owned(),
            nth,
        }
    }

    fn reply(code: u16) -> Verdict {
        Verdict::Reply {
            code,
            enhanced: "5.7.1".to_owned(),
            text: "no".to_owned(),
        }
    }

    #[test]
    fn every_verdict_is_an_outcome() {
        let word = |verdict| match answer(Vec::new(), verdict).outcome() {
            MessageOutcome::Accept => "accept".to_owned(),
            MessageOutcome::Quarantine(_) => "quarantine".to_owned(),
            MessageOutcome::Reject(reply) => format!("reject {}", reply.in_one_line()),
            MessageOutcome::TempFail(reply) => format!("tempfail {}", reply.in_one_line()),
            MessageOutcome::Discard => "discard".to_owned(),
        };
        for (verdict, expected) in [
            (Verdict::Accept, "accept"),
            (Verdict::Continue, "accept"),
            (Verdict::Discard, "discard"),
            (Verdict::Reject, "reject 550 5.7.1 refused by local policy"),
            (Verdict::TempFail, "tempfail 451 4.7.1 try again later"),
            (reply(500), "reject 500 5.7.1 no"),
            (reply(599), "reject 599 5.7.1 no"),
            (reply(400), "tempfail 400 5.7.1 no"),
            (reply(499), "tempfail 499 5.7.1 no"),
            (reply(399), "tempfail 451 4.7.1 no"),
            (reply(600), "tempfail 451 4.7.1 no"),
        ] {
            assert_eq!(word(verdict), expected);
        }
    }

    #[test]
    fn the_last_one_inserted_is_topmost() {
        let answer = answer(
            vec![
                delete("Authentication-Results", 2),
                insert("DMARC-Quarantine", "why"),
                insert("Authentication-Results", "mx; dmarc=fail"),
                Edit::AddHeader {
                    name: "X-Last".to_owned(),
                    value: "z".to_owned(),
                },
                Edit::AddRcpt("<a@example.com>".to_owned()),
                Edit::Quarantine("because".to_owned()),
            ],
            Verdict::Accept,
        );
        let names: Vec<_> = answer.added().into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["Authentication-Results", "DMARC-Quarantine"]);
        assert_eq!(answer.appended()[0].name, "X-Last");
        assert_eq!(answer.removed()[0].nth, 2);
        assert_eq!(answer.added_recipients(), ["<a@example.com>"]);
        assert_eq!(answer.outcome(), MessageOutcome::Quarantine("because".to_owned()));
    }

    /// As many as are listed one by one, and one more of another name; the case of a name does not matter.
    #[test]
    fn of_too_many_removed_fields_all_of_the_name_go() {
        let names = ["Authentication-Results", "AUTHENTICATION-RESULTS"];
        let numbers = 1..=u32::try_from(LISTED_LIMIT).unwrap();
        let mut edits: Vec<_> = numbers
            .zip(names.into_iter().cycle())
            .map(|(nth, name)| delete(name, nth))
            .collect();
        edits.push(delete("X-Other", 7));
        let at = answer(edits.clone(), Verdict::Accept);
        assert_eq!(at.removed_in_short(), at.removed());
        edits.push(delete(names[1], 500));
        let past = answer(edits, Verdict::Accept).removed_in_short();
        let past: Vec<_> = past
            .iter()
            .map(|field| (field.name.as_str(), field.nth))
            .collect();
        assert_eq!(past, [(names[0], Removed::ALL), ("X-Other", 7)]);
    }

    #[test]
    fn a_message_that_does_not_go_on_is_not_edited() {
        let edits = vec![insert("A", "1"), Edit::Quarantine("because".to_owned())];
        let answer = answer(edits, reply(550));
        assert!(answer.added().is_empty());
        assert_eq!(answer.quarantine_reason(), None);
    }

    #[test]
    fn no_value_smuggles_in_a_field() {
        for (value, expected) in [
            ("a;\r\n b", "a;\n b"),
            ("a;\n\tb", "a;\n\tb"),
            ("a\r\nBcc: b", "a Bcc: b"),
            ("a\nBcc: b\r\n", "a Bcc: b "),
            ("a\rb\0c\r", "a b c "),
        ] {
            assert_eq!(folded_with_lf(value), expected, "{value:?}");
        }
    }
}
