//! What can be done about it, and by whom.

use auth::dkim::{DkimResult, DkimVerdict};
use auth::spf::SpfResult;
use dmarc::discovery::Discovery;
use dmarc::evaluation::{DmarcResult, Evaluation};
use dmarc::record::AssessmentPolicy;
use mail::DomainName;
use mail::author::Author;

use super::lines::Section;
use crate::action::{BUDGET_REACHED, Step};
use crate::evidence::{Evidence, is_own};
use crate::judge::Judgement;

/// The section, or nothing for a message that nobody has to do anything about.
pub(super) fn section(judgement: &Judgement) -> Option<Section> {
    let advice = advice(judgement);
    let mut section = Section::new("What to do");
    for line in &advice {
        section.line(format!("- {line}"));
    }
    (!advice.is_empty()).then_some(section)
}

fn advice(judgement: &Judgement) -> Vec<String> {
    if let Author::Unusable(fault) = judgement.author {
        let sender = "The sender must write one From field with a valid address.";
        return vec![if fault.is_refusable() {
            format!(
                "{sender} Every filter would have to guess whom such a message is from; accepting it invites forgery."
            )
        } else {
            format!("{sender} Until then it shows no domain to its readers, so it can deceive with none.")
        }];
    }
    let Some(evaluation) = judgement.evaluation() else {
        return Vec::new();
    };
    match &evaluation.result {
        DmarcResult::Fail => failing(judgement, evaluation),
        DmarcResult::TempError => unanswered(judgement),
        DmarcResult::PermError => vec![format!(
            "Only the owner of {} can help: its DMARC record needs a valid p= (none, quarantine or reject), and valid sp= and np= where they are used.",
            policy_domain(evaluation)
        )],
        DmarcResult::None if evaluation.problem.is_some() => vec![
            "Its owner must remove all DMARC records but one: while there are several, none of them counts."
                .to_owned(),
        ],
        DmarcResult::None => vec![format!(
            "The owner of {} can protect it by publishing a DMARC record at _dmarc.{}; to begin with, `v=DMARC1; p=none; rua=mailto:ADDRESS`.",
            evaluation.author_domain,
            evaluation
                .organizational_domain
                .as_ref()
                .unwrap_or(&evaluation.author_domain)
        )],
        DmarcResult::Pass(_) => Vec::new(),
    }
}

fn policy_domain(evaluation: &Evaluation) -> &DomainName {
    match &evaluation.discovery {
        Discovery::Applies(at) => &at.domain,
        Discovery::Absent | Discovery::Unanswered(_) => &evaluation.author_domain,
    }
}

fn unanswered(judgement: &Judgement) -> Vec<String> {
    let decision = &judgement.decision;
    let is_limit = decision.overrides.iter().any(|o| o.comment == BUDGET_REACHED);
    let cause = if is_limit {
        "The message used up its DNS questions or time: see `dns.questions_per_message` and `dns.message_timeout`."
    } else {
        "Look at the name servers of the questions below that failed. The same message may pass in a minute."
    };
    let key = if is_limit {
        "failures.budget"
    } else {
        "failures.dns"
    };
    let retried = match decision.step {
        Step::TempFail(_) => {
            format!("The sender is asked to try again because of `{key}.action = \"tempfail\"`.")
        }
        _ => format!("To have the sender try again, set `{key}.action = \"tempfail\"`."),
    };
    vec![cause.to_owned(), retried]
}

fn failing(judgement: &Judgement, evaluation: &Evaluation) -> Vec<String> {
    let evidence = &judgement.evidence;
    let does_not_exist = |evidence: &Evidence| matches!(evidence, Evidence::AuthorDoesNotExist(_));
    if evidence.iter().any(Evidence::is_decisive) {
        return Vec::new();
    }
    if evidence.iter().any(does_not_exist) {
        let author = &evaluation.author_domain;
        return vec![format!(
            "If it is genuine, the sender must use a From domain that exists: {author} is not in DNS."
        )];
    }
    let mut advice = vec![for_the_signer(judgement, evaluation)];
    advice.extend(for_the_spf_owner(judgement, evaluation));
    advice.extend(for_the_receiver(judgement, evaluation));
    advice
}

/// The signature that was meant to help: one of the author's own organization, and of several
/// the one that came closest.
pub(super) fn own_signature<'a>(dkim: &'a [DkimResult], evaluation: &Evaluation) -> Option<&'a DkimResult> {
    let own = |s: &&DkimResult| s.domain.as_ref().is_some_and(|domain| is_own(evaluation, domain));
    // max_by_key takes the last of equals; the topmost is meant.
    dkim.iter()
        .rev()
        .filter(own)
        .max_by_key(|signature| (signature.result == DkimVerdict::Pass, signature.body_only_broken))
}

fn for_the_signer(judgement: &Judgement, evaluation: &Evaluation) -> String {
    let author = &evaluation.author_domain;
    let genuine = format!("If it is genuine, the owner of {author} can");
    let Some(signature) = own_signature(&judgement.dkim, evaluation) else {
        return format!(
            "{genuine} sign its mail with DKIM (d={author}). A signature also survives forwarding."
        );
    };
    let reason = signature.reason.as_deref().unwrap_or("it does not verify");
    match signature.result {
        _ if signature.body_only_broken => format!(
            "The signature of {author} was good until the body was changed on the way, by a footer or a scanner, say. Whoever did that can leave the body alone, or put their own address into From."
        ),
        DkimVerdict::Pass => {
            format!("{genuine} sign with d={author}: its record asks that the names be the same (adkim=s).")
        }
        DkimVerdict::PermError => format!("{genuine} mend its DKIM key in DNS: {reason}."),
        _ => format!("{genuine} find out why its DKIM signature does not count: {reason}."),
    }
}

/// SPF helps only for a domain of the author's own, so changing another record is no remedy.
fn for_the_spf_owner(judgement: &Judgement, evaluation: &Evaluation) -> Option<String> {
    let outcome = &judgement.spf.mail_from;
    let client = judgement.envelope.client?;
    // Then it came by way of a list, and the list's server is none of the owner's.
    if own_signature(&judgement.dkim, evaluation).is_some_and(|s| s.body_only_broken) {
        return None;
    }
    let author = &evaluation.author_domain;
    let own = outcome
        .domain
        .as_ref()
        .filter(|domain| is_own(evaluation, domain));
    Some(match (own, outcome.result) {
        (None, _) => {
            format!("Or send it with an envelope sender under {author}, whose SPF record lists {client}.")
        }
        (Some(domain), SpfResult::Pass) => format!(
            "Or send it with an envelope sender at {author} instead of {domain}: its record asks that the names be the same (aspf=s)."
        ),
        (Some(domain), SpfResult::PermError) => format!("Or mend the SPF record of {domain}."),
        (Some(domain), _) => {
            format!("Or list {client} in the SPF record of {domain}, if it is one of its servers.")
        }
    })
}

fn for_the_receiver(judgement: &Judgement, evaluation: &Evaluation) -> Option<String> {
    let is_reject = evaluation.policy == Some(AssessmentPolicy::Reject);
    match &judgement.decision.step {
        Step::Quarantine(..) if is_reject && judgement.evidence.is_empty() => Some(
            "The policy alone is no ground to refuse it; `action.reject = \"always\"` refuses such mail all the same.".to_owned(),
        ),
        Step::Quarantine(..) | Step::Reject(_) => Some(
            "If you know this client as a forwarder or list that you trust, list it in `action.trusted_forwarders`.".to_owned(),
        ),
        Step::Accept | Step::TempFail(_) => None,
    }
}
