//! The answer of `POST /v1/check`: the object of `landmarc check --json`, and what to do.

use landmarc_milter::{Response, Verdict};
use serde_json::{Map, Value, json};

use crate::answer::{Added, MessageAnswer, MessageOutcome, SmtpRefusal};

/// What was found, with what is to be done behind it.
///
/// Without findings, which only a bug of ours leads to, it is what is to be done alone.
pub(super) fn object(answer: &MessageAnswer) -> Value {
    let mut object = match answer.findings.as_ref().map(|findings| findings.json.clone()) {
        Some(Value::Object(found)) => found,
        _ => Map::new(),
    };
    let (verdict, reply) = verdict(&answer.outcome());
    // A client may take what we refuse (reject 0 of qpsmtpd): what is forged in it must go all the same.
    let taken = MessageAnswer {
        response: Response {
            edits: answer.response.edits.clone(),
            verdict: Verdict::Accept,
        },
        findings: None,
    };
    let done = [
        ("verdict", json!(verdict)),
        ("smtp", json!(reply)),
        ("quarantine", json!(answer.quarantine_reason())),
        ("remove_header", json!(taken.removed_in_short())),
        ("add_header", fields(&taken.added())),
        ("append_header", fields(&taken.appended())),
        ("add_recipient", json!(answer.added_recipients())),
    ];
    object.extend(done.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object)
}

fn verdict(outcome: &MessageOutcome) -> (&'static str, Option<SmtpRefusal>) {
    match outcome {
        MessageOutcome::Accept => ("accept", None),
        MessageOutcome::Quarantine(_) => ("quarantine", None),
        MessageOutcome::Reject(reply) => ("reject", Some(reply.clone())),
        MessageOutcome::TempFail(reply) => ("tempfail", Some(reply.clone())),
        MessageOutcome::Discard => ("discard", None),
    }
}

fn fields(fields: &[Added]) -> Value {
    fields
        .iter()
        .map(|field| json!([field.name, field.value]))
        .collect()
}

#[cfg(test)]
mod tests {
    use landmarc_milter::Edit;

    use super::*;
    use crate::findings::Findings;

    #[test]
    fn what_to_do_stands_behind_what_was_found() {
        let answer = MessageAnswer {
            response: Response {
                edits: vec![
                    Edit::DeleteHeader {
                        name: "Authentication-Results".to_owned(),
                        nth: 2,
                    },
                    Edit::InsertHeader {
                        index: 0,
                        name: "Authentication-Results".to_owned(),
                        value: "mx.example;\r\n\tdmarc=fail".to_owned(),
                    },
                    Edit::Quarantine("it looks forged".to_owned()),
                ],
                verdict: Verdict::Accept,
            },
            findings: Some(Findings {
                json: json!({"author_domain": "example.com", "id": "x"}),
                ..Findings::default()
            }),
        };
        let expected = json!({
            "author_domain": "example.com",
            "id": "x",
            "verdict": "quarantine",
            "smtp": null,
            "quarantine": "it looks forged",
            "remove_header": [{"name": "Authentication-Results", "nth": 2}],
            "add_header": [["Authentication-Results", "mx.example;\n\tdmarc=fail"]],
            "append_header": [],
            "add_recipient": [],
        });
        assert_eq!(object(&answer).to_string(), expected.to_string(), "in this order");
    }

    #[test]
    fn a_refusal_has_its_reply_and_what_is_for_those_who_take_it() {
        let mut answer = MessageAnswer::tempfail();
        answer.response.edits.push(Edit::AddHeader {
            name: "X".to_owned(),
            value: "y".to_owned(),
        });
        let expected = json!({
            "verdict": "tempfail",
            "smtp": {"code": 451, "enhanced": "4.7.1", "text": "try again later"},
            "quarantine": null,
            "remove_header": [],
            "add_header": [],
            "append_header": [["X", "y"]],
            "add_recipient": [],
        });
        assert_eq!(object(&answer), expected);
    }
}
