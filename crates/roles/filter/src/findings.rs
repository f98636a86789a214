//! What a message came to, for the interfaces that tell more than a milter can.

use landmarc_auth::dkim::DkimOutcome;
use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_interfaces::{
    Disposition, DkimFinding, Dmarc, Done, Findings, Interface, Judged, Policy, SpfFinding,
};
use landmarc_milter::{Response, Verdict};
use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::disposition;
use serde_json::{Value, json};

use super::FilterSession;
use super::answer::Unjudged;
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
    let applied = evaluation.and_then(|evaluation| match &evaluation.discovery {
        Discovery::Applies(at) => Some(at),
        Discovery::Absent | Discovery::Unanswered(_) => None,
    });
    let spf = &judgement.spf.mail_from;
    Findings {
        id: judgement.id.clone(),
        queue_id: queue_id.to_owned(),
        json: for_interface(json::object(judgement), &judgement.id),
        skipped: None,
        unjudged: None,
        author_domain: judgement.author_domain().map(ToString::to_string),
        policy_domain: applied.map(|at| at.domain.to_string()),
        policy_published: evaluation.and_then(|e| e.policy_published).map(policy),
        policy: evaluation.and_then(|e| e.policy).map(policy),
        dmarc: dmarc(&judgement.dmarc),
        spf: SpfFinding {
            result: spf.result.as_str().to_owned(),
            domain: spf.domain.as_ref().map(ToString::to_string),
        },
        dkim: judgement.dkim.iter().map(dkim).collect(),
        arc: judgement.arc.status.as_str().to_owned(),
        spf_aligned: evaluation.map(|e| e.spf_aligned),
        dkim_aligned: evaluation.map(|e| e.dkim_aligned),
        disposition: disposition(judgement.action.disposition),
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
pub(super) fn unjudged(why: Unjudged, response: &Response, queue_id: &str, id: &str) -> Findings {
    let (action, reply) = match &response.verdict {
        Verdict::Reply { code, enhanced, text } => {
            (Done::TempFail, Some(format!("{code} {enhanced} {text}")))
        }
        _ => (Done::Accept, None),
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

fn policy(policy: AssessmentPolicy) -> Policy {
    match policy {
        AssessmentPolicy::None => Policy::None,
        AssessmentPolicy::Quarantine => Policy::Quarantine,
        AssessmentPolicy::Reject => Policy::Reject,
    }
}

fn dmarc(result: &DmarcResult) -> Dmarc {
    match result {
        DmarcResult::None => Dmarc::None,
        DmarcResult::Pass(_) => Dmarc::Pass,
        DmarcResult::Fail => Dmarc::Fail,
        DmarcResult::TempError => Dmarc::TempError,
        DmarcResult::PermError => Dmarc::PermError,
    }
}

fn dkim(signature: &DkimOutcome) -> DkimFinding {
    DkimFinding {
        result: signature.result.as_str().to_owned(),
        domain: signature.domain.as_ref().map(ToString::to_string),
        selector: signature.selector.clone(),
    }
}

fn disposition(disposition: disposition::Disposition) -> Disposition {
    match disposition {
        disposition::Disposition::None => Disposition::None,
        disposition::Disposition::Pass => Disposition::Pass,
        disposition::Disposition::Quarantine => Disposition::Quarantine,
        disposition::Disposition::Reject => Disposition::Reject,
    }
}

fn done(step: &SmtpAction) -> Done {
    match step {
        SmtpAction::Accept => Done::Accept,
        SmtpAction::Quarantine(..) => Done::Quarantine,
        SmtpAction::Reject(_) => Done::Reject,
        SmtpAction::TempFail(_) => Done::TempFail,
    }
}
