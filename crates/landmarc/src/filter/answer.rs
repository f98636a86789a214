//! What the MTA is answered at the end of a message.

use milter::{Edit, Response, Verdict};
use receiver::action::{Reply, Step};
use receiver::judge::Judgement;
use receiver::local::{Blanks, OnFailure, QuarantineBy, Rules};

/// Header edits and verdict.
pub(super) fn response(judgement: &Judgement) -> Response {
    let delete = |removal: &receiver::results::Removal| Edit::DeleteHeader {
        name: removal.name.clone(),
        nth: removal.nth,
    };
    let mut edits: Vec<Edit> = judgement.removals.iter().map(delete).collect();
    let verdict = match &judgement.action.step {
        Step::Accept => Verdict::Accept,
        Step::Quarantine(QuarantineBy::Hold, reason) => {
            edits.push(Edit::Quarantine(reason.clone()));
            Verdict::Accept
        }
        Step::Quarantine(QuarantineBy::Header(name), reason) => {
            edits.push(Edit::InsertHeader {
                index: 0,
                name: name.clone(),
                value: reason.clone(),
            });
            Verdict::Accept
        }
        Step::Reject(reply) | Step::TempFail(reply) => verdict(reply),
    };
    // RFC 8601 §4.1: a trace field, so it goes to the top.
    let value = judgement.authentication_results.trim_start().to_owned();
    edits.push(Edit::InsertHeader {
        index: 0,
        name: "Authentication-Results".to_owned(),
        value,
    });
    Response { edits, verdict }
}

fn verdict(reply: &Reply) -> Verdict {
    Verdict::Reply {
        code: reply.code,
        enhanced: reply.enhanced.clone(),
        text: reply.text.clone(),
    }
}

/// Design D6: a bug of ours costs this message its verdict, and nothing more.
pub(super) fn internal_failure(rules: &Rules, id: &str) -> Response {
    tracing::error!(queue_id = %id, "a bug in landmarc: this message was not judged; please report it with the panic above");
    failure(&rules.failures.internal, "internal error", id)
}

/// What is done with a message that was not judged.
pub(super) fn failure(rule: &OnFailure, reason: &str, id: &str) -> Response {
    let verdict = match rule {
        OnFailure::Accept => Verdict::Accept,
        OnFailure::TempFail { code, enhanced, text } => {
            let blanks = Blanks {
                author_domain: "unknown",
                reason,
                id,
            };
            verdict(&Reply::new(*code, enhanced, &text.fill(&blanks)))
        }
    };
    Response {
        edits: Vec::new(),
        verdict,
    }
}
