//! What is not for strangers: local parts (decision D37), and the operator's own words.

use landmarc_receiver::Judgement;
use landmarc_receiver::action::SmtpAction;
use landmarc_receiver::explanation::explain;

use crate::properties::unwrapped;
use crate::scenario::Given;

#[test]
fn a_local_part_that_an_spf_record_asks_for_is_not_told() {
    for record in [
        "v=spf1 exists:%{l}.x.example -all",
        "v=spf1 include:%{l}.x.example -all",
        "v=spf1 redirect=%{l}.%{d}",
    ] {
        let judgement = Given::read(&format!(
            "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"\nzone example.com TXT \"{record}\"\n\
             mail <ann.secret@example.com>\nfrom ann.secret@example.com"
        ))
        .judge();
        let asked = |text: &str| {
            judgement
                .asked
                .iter()
                .any(|a| a.question.to_string().contains(text))
        };
        assert!(asked("ann.secret."), "{record}: {:?}", judgement.asked);
        let told = explain(&judgement);
        assert!(told.contains("  %{l}."), "{told}");
        let told = [&told, &judgement.cause, &judgement.authentication_results];
        assert!(told.iter().all(|text| !text.contains("secret")), "{told:?}");
    }
}

/// Everything that a stranger can read, of a message that a rule decided about: what the client is
/// told, what the mail server and the delivery agent are told, and our results.
#[test]
fn the_name_the_owner_and_the_reason_of_a_rule_stay_within_the_house() {
    for (record, rule) in [
        ("v=DMARC1; p=none", "reject"),
        ("v=DMARC1; p=none", "quarantine"),
        ("v=DMARC1; p=reject", "reject"),
        ("v=DMARC1; p=reject", "quarantine"),
        ("v=DMARC1; p=reject", "accept"),
    ] {
        let given = |rest: &str| {
            format!(
                "zone _dmarc.example.com TXT \"{record}\"\nfrom a@example.com\nrules trusted_forwarder yes\n{rest}"
            )
        };
        let judgement = Given::read(&given(&format!("rule hush {rule} author_domain=example.com"))).judge();
        assert_eq!(
            judgement.rule.as_ref().map(|rule| rule.name.as_str()),
            Some("hush")
        );
        tells_strangers_nothing(&judgement);
        assert!(unwrapped(&explain(&judgement)).contains("rule hush"));

        let passing =
            format!("signed by d=example.com s=s1\nrule hush {rule} result=pass author_domain=example.com");
        tells_strangers_nothing(&Given::read(&given(&passing)).judge());
    }
}

#[test]
fn a_rule_in_doubt_is_not_named_to_strangers_either() {
    let judgement = Given::read(
        "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"\nzone s1._domainkey.esp.example TXT SERVFAIL\n\
         from a@example.com\nsigned by d=esp.example s=s1 key=none\nrules reject always\n\
         rule hush accept dkim_domain=esp.example",
    )
    .judge();
    tells_strangers_nothing(&judgement);
    insta::assert_snapshot!(
        judgement.cause,
        @"example.net has no SPF record, and the DKIM signature of esp.example does not count: the key at s1._domainkey.esp.example could not be asked for: the name server failed [SERVFAIL], but whether a rule of this server applies is not known, as DNS did not answer"
    );
    let comment = judgement.decision.overrides[0].comment();
    assert!(comment.contains("the rule hush"), "{comment}");
}

#[track_caller]
fn tells_strangers_nothing(judgement: &Judgement) {
    let step = match &judgement.decision.smtp {
        SmtpAction::Accept => String::new(),
        SmtpAction::Quarantine(_, text) => text.clone(),
        SmtpAction::Reject(reply) | SmtpAction::TempFail(reply) => reply.to_string(),
    };
    for told in [&judgement.cause, &judgement.authentication_results, &step] {
        for word in ["hush", "anna"] {
            assert!(!told.contains(word), "{told}");
        }
    }
}
