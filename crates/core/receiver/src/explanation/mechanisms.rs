//! What SPF, DKIM and ARC found.

use landmarc_auth::arc::ArcStatus;
use landmarc_auth::dkim::DkimOutcome;
use landmarc_auth::spf::{SpfOutcome, SpfResult};

use super::lines::Section;
use crate::judgement::Judgement;

/// Steps of one SPF check that are shown; a record cannot cause many more.
const MAX_SPF_STEPS_SHOWN: usize = 60;
/// Signatures that are shown one by one.
const MAX_SIGNATURES_SHOWN: usize = 20;

pub(super) fn spf(judgement: &Judgement) -> Section {
    let outcome = &judgement.spf.mail_from;
    let client = judgement.envelope.client;
    let client = client.map_or_else(|| "a client without address".to_owned(), |ip| ip.to_string());
    let identity = match (&outcome.domain, outcome.from_helo) {
        (Some(domain), false) => format!("{domain}, the domain of the envelope sender"),
        (Some(domain), true) => format!("{domain}, its HELO name (the envelope sender is empty)"),
        (None, false) => "the envelope sender, which has no usable domain".to_owned(),
        (None, true) => "its HELO name, which is no usable domain".to_owned(),
    };
    let mut section = Section::new(&format!("SPF: may {client} send mail for {identity}?"));
    section.line(format!("{}{}", outcome.result, spf_why(outcome)));
    section.line_of_source(judgement.result_sources.spf.as_deref());
    // The one step of a domain without record says what has just been said.
    for step in outcome
        .steps
        .iter()
        .take(MAX_SPF_STEPS_SHOWN)
        .skip_while(|_| outcome.steps.len() == 1)
    {
        let text = format!("{}: {} -> {}", step.domain, step.term, step.outcome);
        section.indented(step.depth + 2, text);
    }
    section.more(outcome.steps.len(), MAX_SPF_STEPS_SHOWN);
    if let Some(SpfOutcome {
        domain: Some(name),
        result,
        ..
    }) = &judgement.spf.helo
    {
        section.line(format!("HELO name {name}: {result} (DMARC makes no use of it)"));
    }
    section
}

fn spf_why(outcome: &SpfOutcome) -> String {
    let word = match outcome.result {
        SpfResult::None => "no SPF record",
        SpfResult::Neutral => "the owner says neither yes nor no",
        SpfResult::Pass => "yes",
        SpfResult::Fail => "no",
        SpfResult::SoftFail => "probably not",
        SpfResult::TempError => "DNS did not answer",
        SpfResult::PermError => "the SPF record is not valid",
    };
    match (&outcome.problem, &outcome.mechanism) {
        (Some(problem), _) if outcome.result == SpfResult::None => format!(": {problem}"),
        (Some(problem), _) => format!(": {word}; {problem}"),
        (None, Some(mechanism)) => format!(": {word}, by `{mechanism}`"),
        (None, None) => format!(": {word}"),
    }
}

pub(super) fn dkim(judgement: &Judgement) -> Section {
    let mut section = Section::new("DKIM: who signed the message?");
    section.line_of_source(judgement.result_sources.dkim.as_deref());
    if judgement.dkim.is_empty() {
        section.line("Nobody: it has no DKIM-Signature field.");
    }
    for signature in judgement.dkim.iter().take(MAX_SIGNATURES_SHOWN) {
        section.line(one_signature(signature));
    }
    section.more(judgement.dkim.len(), MAX_SIGNATURES_SHOWN);
    section
}

fn one_signature(signature: &DkimOutcome) -> String {
    let domain = signature
        .domain
        .as_ref()
        .map_or("an unreadable domain", |domain| domain.as_str());
    let mut details = Vec::new();
    details.extend(
        signature
            .selector
            .as_ref()
            .map(|selector| format!("selector {selector}")),
    );
    details.extend(signature.algorithm.clone());
    details.extend(signature.key_bits.map(|bits| format!("{bits} bits")));
    let mut text = domain.to_owned();
    if !details.is_empty() {
        text = format!("{text} ({})", details.join(", "));
    }
    text = format!("{text}: {}", signature.result);
    if let Some(reason) = &signature.reason {
        text = format!("{text}, {reason}");
    }
    if !signature.unsigned_fields.is_empty() {
        text = format!("{text}; not covered: {}", signature.unsigned_fields.join(", "));
    }
    text
}

pub(super) fn arc(judgement: &Judgement) -> Option<Section> {
    let arc = &judgement.arc;
    if arc.instances == 0 && arc.status == ArcStatus::None {
        return None;
    }
    let mut section = Section::new("ARC: what do earlier hops say they saw?");
    let sealers: Vec<_> = arc
        .sealers
        .iter()
        .map(|sealer| sealer.domain.to_string())
        .collect();
    let reason = arc
        .reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(", {reason}"));
    section.line(format!(
        "{}{reason}. Sealed by {}.",
        arc.status,
        sealers.join(", then ")
    ));
    section.line_of_source(judgement.result_sources.arc.as_deref());
    section.line(if arc.status == ArcStatus::Pass && !arc.signs_from {
        "The newest message signature does not sign From, so the chain says nothing about the author and excuses no failure."
    } else {
        "A chain never makes DMARC pass; that of a trusted sealer can excuse a failure."
    });
    Some(section)
}
