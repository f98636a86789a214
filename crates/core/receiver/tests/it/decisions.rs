//! Single steps on the way from what was found to what is done and told.

use landmarc_mail::{ClientNetwork, DomainName};
use landmarc_receiver::evidence::Evidence;
use landmarc_receiver::rule::RuleAction;
use landmarc_receiver::seen::{NetworkHistory, SigningHistory};

use crate::scenario::Given;

/// No wish of the Domain Owner has been weighed, so the cause speaks of none.
#[test]
fn a_message_refused_for_its_form_has_its_form_as_the_cause() {
    let judgement = Given::read(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"
        from a@example.com
        header Date: Fri, 20 Nov 2026 10:00:00 +0000
        header Subject: one
        header Subject: two
        rules required_header_fields yes",
    )
    .judge();
    assert_eq!(
        judgement.cause,
        "RFC5322 requirement error: multiple Subject fields"
    );
    assert_eq!(judgement.action.smtp.as_str(), "reject");
}

/// RFC 8617 §7.2.2: the comment names the client that the first hop saw.
#[test]
fn the_comment_of_a_trusted_chain_has_the_client_of_the_first_hop() {
    let judgement = Given::read(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"
        from a@example.com
        sealed by d=forward.example s=f claiming mx.forward.example; spf=pass smtp.mailfrom=example.com smtp.remote-ip=198.51.100.7; dmarc=pass header.from=example.com
        rules trusted_sealers forward.example",
    )
    .judge();
    let [Evidence::TrustedArc { comment, .. }] = &judgement.evidence[..] else {
        panic!("{:?}", judgement.evidence);
    };
    assert!(comment.ends_with(" remote-ip[1]=198.51.100.7"), "{comment}");
}

/// The reason of the domain that decides is the cause; that of another stands beside its own result.
#[test]
fn each_author_domain_has_its_own_problem_in_our_results() {
    let judgement = Given::read(
        "zone _dmarc.one.example TXT \"v=DMARC1; p=reject\"
        zone _dmarc.two.example TXT TIMEOUT
        from a@one.example, b@two.example",
    )
    .judge();
    assert_eq!(
        judgement.author_domain().map(DomainName::as_str),
        Some("one.example")
    );
    let problem = judgement.evaluations[1].problem.as_deref().expect("a problem");
    let words: Vec<_> = judgement.authentication_results.split_whitespace().collect();
    let results = words.join(" ");
    assert!(results.contains(problem), "{problem}: {results}");
}

#[test]
fn evidence_and_rules_have_their_words_in_the_log() {
    let domain = || DomainName::parse("example.com").unwrap();
    let network = ClientNetwork::of([192, 0, 2, 1].into());
    for (evidence, word) in [
        (Evidence::AuthorDoesNotExist(domain()), "author_does_not_exist"),
        (Evidence::AuthorIsLocal(domain()), "author_is_local"),
        (Evidence::ForbiddenAndUnsigned(domain()), "spf_forbids"),
        (
            Evidence::SignsEverything(domain(), SigningHistory::default()),
            "signs_everything",
        ),
        (
            Evidence::KnownSpoofer(network, NetworkHistory::default()),
            "known_spoofer",
        ),
        (Evidence::MailingList(domain()), "mailing_list"),
        (Evidence::BodyChangedOnly(domain()), "body_changed"),
        (Evidence::TrustedArcUnanswered(domain()), "arc_unanswered"),
        (Evidence::TrustedForwarder, "trusted_forwarder"),
    ] {
        assert_eq!(evidence.as_str(), word);
    }
    let actions = [RuleAction::Accept, RuleAction::Quarantine, RuleAction::Reject];
    assert_eq!(
        actions.map(RuleAction::as_str),
        ["accept", "quarantine", "reject"]
    );
}
