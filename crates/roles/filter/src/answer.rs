//! What the MTA is answered at the end of a message.

use std::net::IpAddr;

use landmarc_milter::{Edit, Response, Verdict};
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::policy::{EnforcementMode, OnFailure, QuarantineBy, Rules, TemplateVars};
use landmarc_receiver::{Judgement, RefusalReply, Removal};

/// Header edits and verdict.
pub(super) fn response(judgement: &Judgement) -> Response {
    let mut edits = deletions(&judgement.removals);
    let verdict = match &judgement.action.smtp {
        SmtpAction::Accept => Verdict::Accept,
        SmtpAction::Quarantine(QuarantineBy::Hold, reason) => {
            edits.push(Edit::Quarantine(reason.clone()));
            Verdict::Accept
        }
        SmtpAction::Quarantine(QuarantineBy::Header(name), reason) => {
            edits.push(Edit::InsertHeader {
                index: 0,
                name: name.clone(),
                value: reason.clone(),
            });
            Verdict::Accept
        }
        SmtpAction::Reject(reply) | SmtpAction::TempFail(reply) => verdict(reply),
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

/// P27: which program judged the message, where, and under which id.
pub(super) fn software(authserv_id: &str, queue_id: &str) -> Edit {
    let version = env!("CARGO_PKG_VERSION");
    Edit::InsertHeader {
        index: 0,
        name: "DMARC-Filter".to_owned(),
        value: format!("landmarc {version} {authserv_id} {queue_id}"),
    }
}

/// The answer to a message that is not meant to be judged. Results in our name are forged all the
/// same, and whoever wrote them may have chosen what it is not judged for (RFC 8601 §5).
pub(super) fn skipped(removals: &[Removal]) -> Response {
    Response {
        edits: deletions(removals),
        verdict: Verdict::Accept,
    }
}

fn verdict(reply: &RefusalReply) -> Verdict {
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

/// Why a message is not judged although it should be (decision D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJudged {
    /// A bug of ours.
    Internal,
    /// All sessions together had no room for a long header section.
    Memory,
    /// It could not be written down, and the operator wants no message that is not.
    Store,
}

impl NotJudged {
    /// What is said of it in the reply and in the store.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Internal => "internal error",
            Self::Memory => "no memory for the header section",
            Self::Store => "the store cannot be written",
        }
    }

    /// The word of the metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Memory => "memory",
            Self::Store => "store",
        }
    }

    pub(super) fn log(self, queue_id: &str, id: &str) {
        match self {
            Self::Internal => {
                tracing::error!(queue_id = %queue_id, id = %id, "a bug in landmarc: this message was not judged; please report it with the panic above");
            }
            Self::Memory => {
                tracing::warn!(queue_id = %queue_id, id = %id, "this message was not judged: no memory for its header section within the stall timeout (limits.memory)");
            }
            Self::Store => {
                tracing::warn!(queue_id = %queue_id, id = %id, "this message was put off: it could not be written down (failures.store)");
            }
        }
    }

    fn rule(self, rules: &Rules) -> &OnFailure {
        match self {
            Self::Internal => &rules.failures.internal,
            Self::Memory => &rules.failures.budget,
            Self::Store => &rules.failures.store,
        }
    }
}

/// What is done with a message that was not judged; when observing, nothing. Results in our
/// name are forged all the same, so they go (RFC 8601 §5).
pub(super) fn unjudged(
    why: NotJudged,
    rules: &Rules,
    client: Option<IpAddr>,
    id: &str,
    removals: &[Removal],
) -> Response {
    let verdict = match why.rule(rules) {
        OnFailure::TempFail { code, enhanced, text } if rules.mode == EnforcementMode::Enforce => {
            let blanks = TemplateVars {
                author_domain: "unknown",
                policy_domain: "unknown",
                client,
                reason: why.reason(),
                id,
            };
            verdict(&RefusalReply::new(*code, enhanced, &text.fill(&blanks)))
        }
        OnFailure::TempFail { .. } | OnFailure::Accept => Verdict::Accept,
    };
    Response {
        edits: deletions(removals),
        verdict,
    }
}
