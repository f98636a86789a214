//! What can be done about it, and by whom.

use landmarc_auth::dkim::{DkimOutcome, DkimResult};
use landmarc_auth::lookup::{Answer, LookupError};
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::discovery::Discovery;
use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::DomainName;
use landmarc_mail::author::{Author, AuthorFault};

use super::lines::Section;
use crate::action::{Effect, FailureCause, Override, SmtpAction};
use crate::collect::{is_own, own_signature};
use crate::evidence::Evidence;
use crate::judgement::Judgement;

/// The first piece of advice, on one line that stands alone: the first of "What to do" in the
/// explanation. Nothing where nobody has to do anything.
#[must_use]
pub fn remedy(judgement: &Judgement) -> Option<String> {
    // That of a rule's owner stays within the house: everybody reads our results.
    by_result(judgement).into_iter().next()
}

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
    let mut advice = by_result(judgement);
    advice.extend(for_the_owner_of_the_rule(judgement));
    advice
}

/// The owner of a rule answers for what it does, and should know when it has expired.
fn for_the_owner_of_the_rule(judgement: &Judgement) -> Option<String> {
    let rule = judgement.rule.as_ref()?;
    let (name, owner) = (&rule.name, &rule.owner);
    match (&judgement.decision.smtp, rule.effect) {
        (SmtpAction::Accept, Effect::Softened) => Some(format!(
            "When such mail passes by itself, the rule {name} is not needed any more: {owner} can take it away."
        )),
        (SmtpAction::Accept | SmtpAction::TempFail(_), _) => None,
        (SmtpAction::Quarantine(..) | SmtpAction::Reject(_), _) => Some(format!(
            "If that is not meant, {owner} can change the rule {name} in the file of `action.rules_file`."
        )),
    }
}

fn by_result(judgement: &Judgement) -> Vec<String> {
    if let Author::Unusable(AuthorFault::NotAField) = judgement.author {
        return vec![
            "The sender must end the header section with an empty line. As it is, readers that step over the line would show another author than the one judged."
                .to_owned(),
        ];
    }
    if let Author::Unusable(fault) = judgement.author {
        let sender = "The sender must write one From field with a valid address.";
        return vec![if fault.is_refusable() {
            format!("{sender} As it is, every filter would have to guess whom it is from.")
        } else {
            format!("{sender} Until then it shows no domain to its readers, so it can deceive with none.")
        }];
    }
    let Some(evaluation) = judgement.evaluation() else {
        return Vec::new();
    };
    match &evaluation.result {
        DmarcResult::Fail => failing(judgement, evaluation),
        DmarcResult::TempError => unanswered(judgement, evaluation),
        DmarcResult::PermError => vec![format!(
            "The owner of {} must mend its DMARC record: it needs a p= of none, quarantine or reject, and the like for sp= and np= where they are used.",
            policy_domain(evaluation)
        )],
        DmarcResult::None if evaluation.problem.is_some() => vec![format!(
            "The owner of {} must remove all DMARC records but one. While there are several, none of them counts.",
            evaluation.author_domain
        )],
        DmarcResult::None if matches!(judgement.author, Author::Domains(_)) => vec![
            "The sender should name one author. Where a message has several domains in From, each of them must pass."
                .to_owned(),
        ],
        DmarcResult::None | DmarcResult::Pass(_) => Vec::new(),
    }
}

fn policy_domain(evaluation: &Evaluation) -> &DomainName {
    match &evaluation.discovery {
        Discovery::Applies(at) => &at.domain,
        Discovery::Absent | Discovery::Unanswered(_) => &evaluation.author_domain,
    }
}

fn unanswered(judgement: &Judgement, evaluation: &Evaluation) -> Vec<String> {
    let decision = &judgement.decision;
    let failure = decision.overrides.iter().find_map(Override::failure);
    let is_limit = failure == Some(FailureCause::Budget);
    let cause = if is_limit && is_overloaded(judgement) {
        "This server had too many DNS queries under way, see `dns.questions_in_flight` and the metric landmarc_dns_answers. One client network with names that do not answer can cause that."
            .to_owned()
    } else if is_limit {
        "The message used up its DNS questions or time, see `dns.questions_per_message` and `dns.message_timeout`."
            .to_owned()
    } else if judgement.result_sources.is_silent {
        "See that the filters ahead of this one run and always add their results (`authentication.*`); with \"upstream-then-self\" this server checks what they leave out."
            .to_owned()
    } else {
        format!(
            "Look at the name servers of {}, or the resolver of this server: one of them did not answer. The same message may pass in a minute.",
            silent_domain(judgement, evaluation)
        )
    };
    let key = failure.unwrap_or(FailureCause::Dns).as_str();
    let retried = match decision.smtp {
        SmtpAction::TempFail(_) => {
            format!("The sender is asked to try again because of `failures.{key}.action = \"tempfail\"`.")
        }
        _ => format!("To have the sender try again, set `failures.{key}.action = \"tempfail\"`."),
    };
    vec![cause, retried]
}

fn is_overloaded(judgement: &Judgement) -> bool {
    let overload = Some(Answer::Failed(LookupError::Overload));
    judgement.asked.iter().any(|asked| asked.answer == overload)
}

/// Whose name servers left the question open that decides.
fn silent_domain<'a>(judgement: &'a Judgement, evaluation: &'a Evaluation) -> &'a DomainName {
    let spf = &judgement.spf.mail_from;
    let of_spf = spf.domain.as_ref().filter(|_| spf.result == SpfResult::TempError);
    let is_silent = |signature: &&DkimOutcome| signature.result == DkimResult::TempError;
    let of_dkim = judgement
        .dkim
        .iter()
        .find(is_silent)
        .and_then(|s| s.domain.as_ref());
    match &evaluation.discovery {
        Discovery::Unanswered(_) => &evaluation.author_domain,
        Discovery::Applies(_) | Discovery::Absent => of_spf.or(of_dkim).unwrap_or(&evaluation.author_domain),
    }
}

fn failing(judgement: &Judgement, evaluation: &Evaluation) -> Vec<String> {
    let evidence = &judgement.evidence;
    let author = &evaluation.author_domain;
    let has = |kind: fn(&Evidence) -> bool| evidence.iter().any(kind);
    if has(Evidence::is_decisive) {
        return Vec::new();
    }
    if has(|piece| matches!(piece, Evidence::AuthorDoesNotExist(_))) {
        return vec![format!(
            "If it is genuine, the sender must use a From domain that exists: {author} is not in DNS."
        )];
    }
    let mut advice = Vec::new();
    if let Some(client) = judgement.envelope.client
        && has(|piece| matches!(piece, Evidence::AuthorIsLocal(_)))
    {
        advice.push(format!(
            "If {client} sends mail for you, list it in `clients.trusted_networks`, or have it sign with d={author}."
        ));
    }
    advice.push(for_the_signer(judgement, evaluation));
    advice.extend(for_the_spf_owner(judgement, evaluation));
    advice.extend(for_the_receiver(judgement, evaluation));
    advice
}

fn for_the_signer(judgement: &Judgement, evaluation: &Evaluation) -> String {
    let author = &evaluation.author_domain;
    let genuine = format!("If it is genuine, the owner of {author} can");
    let Some(signature) = own_signature(&judgement.dkim, evaluation) else {
        return format!("{genuine} sign its mail with DKIM, d={author}, which survives forwarding too.");
    };
    let named = match (&signature.selector, &signature.domain) {
        (Some(selector), Some(domain)) => format!(" {selector}._domainkey.{domain}"),
        _ => String::new(),
    };
    match signature.result {
        _ if signature.body_only_broken => {
            "Whoever changed the body on the way, by a footer or a scanner, say, can leave it alone, or put their own address into From."
                .to_owned()
        }
        DkimResult::Pass => {
            format!("{genuine} sign with d={author}, as its record asks that the names be the same.")
        }
        DkimResult::PermError => {
            format!("{genuine} mend its DKIM key{named} in DNS, or sign with another.")
        }
        _ => format!("{genuine} find out why its DKIM signature with the key{named} does not count."),
    }
}

/// SPF helps only for a domain of the author's own, so changing another record is no remedy.
fn for_the_spf_owner(judgement: &Judgement, evaluation: &Evaluation) -> Option<String> {
    if judgement.result_sources.spf_doubt.is_some() {
        return None;
    }
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
    if judgement.rule.is_some() {
        return None;
    }
    let is_reject = evaluation.policy == Some(AssessmentPolicy::Reject);
    match &judgement.decision.smtp {
        SmtpAction::Quarantine(..) if is_reject && judgement.evidence.is_empty() => Some(
            "The policy alone is no ground to refuse it; `action.reject = \"always\"` refuses such mail all the same.".to_owned(),
        ),
        SmtpAction::Quarantine(..) | SmtpAction::Reject(_) => Some(
            "If you know this client as a forwarder or list that you trust, list it in `action.trusted_forwarders`.".to_owned(),
        ),
        SmtpAction::Accept | SmtpAction::TempFail(_) => None,
    }
}
