//! What a message came to, for the interfaces that tell more than a milter can.

use landmarc_auth::dkim::DkimOutcome;
use landmarc_interfaces::{ActionWord, DkimFinding, Findings, Interface, Judged, SpfFinding};
use landmarc_milter::{Response, Verdict};
use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;
use serde_json::{Value, json};

use super::FilterSession;
use super::answer::NotJudged;
use super::skipping::Skipped;
use crate::json;

impl Judged for FilterSession {
    fn comes_by(&mut self, interface: Interface) {
        self.interface = interface;
        self.keeps_findings = true;
    }

    fn stay_out_of_reports(&mut self) {
        self.stays_out_of_reports = true;
    }

    fn ends_at_no_field(&mut self) {
        if let Some(message) = self.judged() {
            message.ends_at_no_field();
        }
    }

    fn take_findings(&mut self) -> Option<Findings> {
        self.findings.take().map(|findings| *findings)
    }
}

impl FilterSession {
    /// Keeps what was found, where an interface asked for it: a milter has no use for it, and pays nothing.
    pub(super) fn keep(&mut self, findings: impl FnOnce() -> Findings) {
        if self.keeps_findings {
            self.findings = Some(Box::new(findings()));
        }
    }
}

/// Of a message that was judged.
pub(super) fn judged(judgement: &Judgement, queue_id: &str) -> Findings {
    let evaluation = judgement.evaluation();
    let applied = evaluation.and_then(|evaluation| evaluation.discovery.applied());
    let spf = &judgement.spf.mail_from;
    Findings {
        id: judgement.id.clone(),
        queue_id: queue_id.to_owned(),
        json: for_interface(json::object(judgement), &judgement.id),
        skipped: None,
        unjudged: None,
        author_domain: judgement.author_domain().map(ToString::to_string),
        policy_domain: applied.map(|at| at.domain.to_string()),
        policy_published: evaluation.and_then(|e| e.policy_published),
        policy: evaluation.and_then(|e| e.policy),
        dmarc: (&judgement.dmarc).into(),
        spf: SpfFinding {
            result: spf.result.as_str().to_owned(),
            domain: spf.domain.as_ref().map(ToString::to_string),
        },
        dkim: judgement.dkim.iter().map(dkim).collect(),
        arc: judgement.arc.status.as_str().to_owned(),
        spf_aligned: evaluation.map(|e| e.spf_aligned),
        dkim_aligned: evaluation.map(|e| e.dkim_aligned),
        disposition: judgement.action.disposition,
        action: done(&judgement.action.smtp),
        enforced_action: done(&judgement.decision.smtp),
        cause: judgement.cause.clone(),
        authentication_results: judgement.authentication_results.trim_start().to_owned(),
    }
}

/// Of a message that was not to be judged.
pub(super) fn skipped(why: Skipped, queue_id: &str) -> Findings {
    let mut json = for_interface(json::not_judged("accept", None, ""), "");
    json["skipped"] = json!(why.as_str());
    Findings {
        queue_id: queue_id.to_owned(),
        json,
        skipped: Some(why.as_str()),
        ..Findings::default()
    }
}

/// Of a message that could not be judged, with what is done about it.
pub(super) fn unjudged(why: NotJudged, response: &Response, queue_id: &str, id: &str) -> Findings {
    let (action, reply) = match &response.verdict {
        Verdict::Reply { code, enhanced, text } => {
            (ActionWord::TempFail, Some(format!("{code} {enhanced} {text}")))
        }
        _ => (ActionWord::Accept, None),
    };
    let mut json = for_interface(
        json::not_judged(action.as_str(), reply.as_deref(), why.reason()),
        id,
    );
    json["unjudged"] = json!(why.as_str());
    Findings {
        id: id.to_owned(),
        queue_id: queue_id.to_owned(),
        json,
        unjudged: Some(why.reason()),
        action,
        enforced_action: action,
        cause: why.reason().to_owned(),
        ..Findings::default()
    }
}

/// The object of `check --json`, and what only the service knows.
fn for_interface(mut object: Value, id: &str) -> Value {
    object["id"] = json!(Some(id).filter(|id| !id.is_empty()));
    object["skipped"] = Value::Null;
    object["unjudged"] = Value::Null;
    object
}

fn dkim(signature: &DkimOutcome) -> DkimFinding {
    DkimFinding {
        result: signature.result.as_str().to_owned(),
        domain: signature.domain.as_ref().map(ToString::to_string),
        selector: signature.selector.clone(),
    }
}

fn done(step: &SmtpAction) -> ActionWord {
    match step {
        SmtpAction::Accept => ActionWord::Accept,
        SmtpAction::Quarantine(..) => ActionWord::Quarantine,
        SmtpAction::Reject(_) => ActionWord::Reject,
        SmtpAction::TempFail(_) => ActionWord::TempFail,
    }
}
