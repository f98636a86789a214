//! What the Domain Owner asks for, and who may speak for the Author Domain.

use landmarc_dmarc::discovery::{Discovery, PolicyAt, TakenAs, Walk, WalkOutcome};
use landmarc_dmarc::evaluation::{AuthorRelation, DmarcResult, Evaluation, IdentifierStep, PolicyTag};
use landmarc_dmarc::record::Usability;

use super::lines::Section;

/// Characters of a DMARC record that are shown.
const MAX_RECORD_CHARACTERS: usize = 1_000;
/// Identifiers that are shown one by one.
const MAX_IDENTIFIERS_SHOWN: usize = 20;

pub(super) fn policy(evaluation: &Evaluation) -> Section {
    let author = &evaluation.author_domain;
    let mut section = Section::new(&format!(
        "Policy: what does the owner of {author} ask receivers to do?"
    ));
    for walk in evaluation.walks.iter().take(1) {
        walk_lines(&mut section, walk);
    }
    match &evaluation.discovery {
        Discovery::Applies(at) => {
            let taken = match at.taken_as {
                TakenAs::Author => "the Author Domain itself",
                TakenAs::Organizational => "the Organizational Domain",
                TakenAs::PublicSuffix => "the public suffix above it",
            };
            section.line(format!("What counts is the record of {}, {taken}.", at.domain));
            asked_for(&mut section, evaluation, at);
        }
        Discovery::Absent => {
            section.line("Nothing: no DMARC record was found.");
            if evaluation.problem.is_none() {
                section.line(how_to_begin(evaluation));
            }
        }
        Discovery::Unanswered(error) => {
            section.line(format!("That is not known: {error}."));
            if let Some(known) = &evaluation.policy_at_stake {
                section.line(format!(
                    "Above it, the record of {} may ask for {}.",
                    known.domain, known.policy
                ));
            }
        }
    }
    let shown = matches!(evaluation.discovery, Discovery::Unanswered(_));
    if let Some(problem) = evaluation.problem.as_ref().filter(|_| !shown) {
        section.line(format!("Note: {problem}."));
    }
    section
}

fn how_to_begin(evaluation: &Evaluation) -> String {
    let author = &evaluation.author_domain;
    let organization = evaluation.organizational_domain.as_ref();
    format!(
        "The owner of {author} can protect it by publishing one at _dmarc.{}; to begin with, `v=DMARC1; p=none; rua=mailto:ADDRESS`.",
        organization.unwrap_or(author)
    )
}

fn walk_lines(section: &mut Section, walk: &Walk) {
    for step in &walk.steps {
        let outcome = match &step.outcome {
            WalkOutcome::Record(record) => shortened(&record.raw),
            WalkOutcome::SeveralRecords(count) => format!("{count} DMARC records, so none of them counts"),
            WalkOutcome::NoRecord => "no DMARC record".to_owned(),
            WalkOutcome::NoName => "no such name".to_owned(),
            WalkOutcome::CannotExist => "not a name DNS could hold".to_owned(),
            WalkOutcome::Failed(error) => format!("no answer: {error}"),
        };
        section.indented(2, format!("_dmarc.{}: {outcome}", step.name));
    }
}

/// A record, which is printable as it is kept, cut when long.
fn shortened(record: &str) -> String {
    match record.char_indices().nth(MAX_RECORD_CHARACTERS) {
        Some((end, _)) => format!("{}[...]", record.get(..end).unwrap_or_default()),
        None => record.to_owned(),
    }
}

fn asked_for(section: &mut Section, evaluation: &Evaluation, at: &PolicyAt) {
    let (Some(published), Some(policy)) = (evaluation.policy_published, evaluation.policy) else {
        return;
    };
    let why = match (evaluation.policy_tag, at.taken_as) {
        _ if at.record.usability() != Usability::AsPublished => "its p=, sp= or np= is missing or wrong",
        (Some(PolicyTag::Sp), _) => "sp=, for names below",
        (Some(PolicyTag::Np), _) => "np=, for names below that do not exist",
        (Some(PolicyTag::P) | None, TakenAs::Author) => "p=, for the name itself",
        (Some(PolicyTag::P) | None, _) => "p=, which here counts for names below too",
    };
    section.line(format!(
        "For a message that fails it asks for \"{published}\" ({why})."
    ));
    if policy != published {
        section.line(format!(
            "But it is in test mode (t=y), which makes that \"{policy}\"."
        ));
    }
    if evaluation.policy_uncertain {
        section.line("DNS did not tell whether the name exists, so the weaker policy counts.");
    }
}

pub(super) fn alignment(evaluation: &Evaluation) -> Option<Section> {
    let Discovery::Applies(_) = &evaluation.discovery else {
        return None;
    };
    if evaluation.result == DmarcResult::PermError {
        return None;
    }
    let author = &evaluation.author_domain;
    let mut section = Section::new(&format!(
        "Alignment: does a domain that passed SPF or DKIM belong to the owner of {author}?"
    ));
    let mut passed = evaluation
        .identifiers
        .iter()
        .filter(|step| step.authenticated)
        .peekable();
    match (passed.peek(), &evaluation.organizational_domain) {
        (None, _) => section.line("No domain passed either of them."),
        (Some(_), Some(organization)) => section.line(format!(
            "The owner's top name, the Organizational Domain, is {organization}."
        )),
        (Some(_), None) => section.line("The Organizational Domain is not known: DNS did not answer."),
    }
    for step in passed.take(MAX_IDENTIFIERS_SHOWN) {
        section.line(identifier_line(step));
    }
    let count = evaluation
        .identifiers
        .iter()
        .filter(|step| step.authenticated)
        .count();
    section.more(count, MAX_IDENTIFIERS_SHOWN);
    if evaluation.guard_applied {
        section.line("A record stands on a public suffix without saying so (psd=y). It does not make one owner of all the names below.");
    }
    Some(section)
}

fn identifier_line(step: &IdentifierStep) -> String {
    let aligned = if step.aligned { "aligned" } else { "not aligned" };
    let passed = format!(
        "{} passed for {}",
        step.mechanism.as_str().to_ascii_uppercase(),
        step.domain
    );
    match &step.relation {
        AuthorRelation::Unanswered(_) => format!("{passed}, {}: {aligned}.", step.relation),
        relation => format!("{passed}, which {relation}: {aligned}."),
    }
}
