//! What the MTA is answered at the end of a message.

use milter::{Edit, Response, Verdict};
use receiver::action::{Reply, Step};
use receiver::judge::Judgement;
use receiver::local::{Blanks, Mode, OnFailure, QuarantineBy, Rules};
use receiver::results::Removal;

/// Header edits and verdict.
pub(super) fn response(judgement: &Judgement) -> Response {
    let mut edits = deletions(&judgement.removals);
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

fn deletions(removals: &[Removal]) -> Vec<Edit> {
    let delete = |removal: &Removal| Edit::DeleteHeader {
        name: removal.name.clone(),
        nth: removal.nth,
    };
    removals.iter().map(delete).collect()
}

/// Design D6: a bug of ours costs this message its verdict, and nothing more.
pub(super) fn internal_failure(rules: &Rules, id: &str, removals: &[Removal]) -> Response {
    tracing::error!(queue_id = %id, "a bug in landmarc: this message was not judged; please report it with the panic above");
    failure(rules, &rules.failures.internal, "internal error", id, removals)
}

/// All sessions together had no room for a long header section.
pub(super) fn no_memory(rules: &Rules, id: &str, removals: &[Removal]) -> Response {
    tracing::warn!(queue_id = %id, "this message was not judged: no memory for its header section within the stall timeout (limits.memory)");
    let reason = "no memory for the header section";
    failure(rules, &rules.failures.budget, reason, id, removals)
}

/// What is done with a message that was not judged; when observing, nothing. Results in our
/// name are forged all the same, so they go (RFC 8601 §5).
fn failure(rules: &Rules, rule: &OnFailure, reason: &str, id: &str, removals: &[Removal]) -> Response {
    let verdict = match rule {
        OnFailure::TempFail { code, enhanced, text } if rules.mode == Mode::Enforce => {
            let blanks = Blanks {
                author_domain: "unknown",
                reason,
                id,
            };
            verdict(&Reply::new(*code, enhanced, &text.fill(&blanks)))
        }
        OnFailure::TempFail { .. } | OnFailure::Accept => Verdict::Accept,
    };
    Response {
        edits: deletions(removals),
        verdict,
    }
}
