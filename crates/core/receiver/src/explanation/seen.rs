//! What the mail of the last days shows about a failing message.

use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::{ClientNetwork, DomainName};

use super::lines::Section;
use crate::evidence::{all_signed, grouped};
use crate::judgement::Judgement;
use crate::seen::{
    MIN_DAYS, MIN_MESSAGES, NETWORK_DAYS, NetworkHistory, SIGNING_DAYS, Seen, SigningHistory, YOUNG_DAYS,
};

/// The section; nothing where none of it would change what is done.
pub(super) fn seen(judgement: &Judgement) -> Option<Section> {
    let evaluation = judgement.evaluation()?;
    let is_asked =
        evaluation.result == DmarcResult::Fail && evaluation.policy == Some(AssessmentPolicy::Reject);
    if !is_asked {
        return None;
    }
    let mut section = Section::new("Seen: what does the mail of the last days show?");
    match &judgement.seen.table {
        Seen::Off => return None,
        Seen::Away => section.line("Nothing: the store has not been read yet, or cannot be read."),
        Seen::Young(days) => section.line(format!(
            "Nothing yet: the store has counted mail on {days} of the {YOUNG_DAYS} days that it takes."
        )),
        Seen::Known(_) => {
            let author = &evaluation.author_domain;
            section.line(of_domain(author, judgement.seen.signing.as_ref()));
            if let Some((network, seen)) = &judgement.seen.network {
                section.line(of_network(*network, seen));
            }
            if let Some(spare) = &judgement.spare {
                section.line(format!(
                    "What keeps the message from being refused: {}.",
                    spare.in_words()
                ));
            }
        }
    }
    Some(section)
}

fn of_domain(author: &DomainName, seen: Option<&SigningHistory>) -> String {
    let Some(seen) = seen else {
        return format!("No mail of {author} has passed in {SIGNING_DAYS} days.");
    };
    if seen.signs_everything() {
        let domain = all_signed(author, seen);
        return format!("It signs everything: {domain}.");
    }
    let SigningHistory {
        messages,
        unsigned,
        days,
        ..
    } = *seen;
    let signed = grouped(messages.saturating_sub(unsigned));
    let figures = format!(
        "In {SIGNING_DAYS} days {} messages of {author} came from its own hosts, on {days} days, and {signed} of them carried its signature",
        grouped(messages)
    );
    if messages < MIN_MESSAGES || days < MIN_DAYS {
        format!("{figures}: too few to tell whether it signs everything.")
    } else {
        format!("{figures}: it does not sign everything.")
    }
}

fn of_network(network: ClientNetwork, seen: &NetworkHistory) -> String {
    let figures = format!(
        "From {network}, in {NETWORK_DAYS} days, {} messages passed and {} failed",
        grouped(seen.passed),
        grouped(seen.failed)
    );
    if seen.is_known_spoofer() {
        format!(
            "{figures}, forged in the names of {} unrelated domains or more: a known spoofer.",
            seen.forged
        )
    } else if seen.is_forwarder() {
        format!("{figures}; it forwards mail of several regular senders.")
    } else if seen.is_shared() {
        format!("{figures}; several regular senders have it send their mail.")
    } else {
        format!("{figures}.")
    }
}
