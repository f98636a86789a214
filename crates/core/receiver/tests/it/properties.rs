//! What holds of every judgement, of scenarios and of messages nobody thought of.

use landmarc_auth::lookup::{Fault, RecordType, ZoneData};
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_mail::authres::AuthenticationResults;
use landmarc_receiver::action::{Effect, Override, SmtpAction};
use landmarc_receiver::disposition::{Disposition, OverrideKind};
use landmarc_receiver::explanation::{explain, remedy};
use landmarc_receiver::limits::{MAX_CAUSE_OCTETS, MAX_REPLY_OCTETS};
use landmarc_receiver::policy::{EnforcementMode, Rules};
use landmarc_receiver::{Judgement, RefusalReply};
use landmarc_testkit::dns_name;
use proptest::prelude::*;

use crate::scenario::Given;

/// Asserts it of one judgement.
#[track_caller]
pub(crate) fn always_holds(judgement: &Judgement, rules: &Rules, what: &str) {
    let (step, decision) = (&judgement.action.smtp, &judgement.decision.smtp);
    if rules.mode == EnforcementMode::Observe {
        assert_eq!(*step, SmtpAction::Accept, "{what}: observing changes nothing");
    }
    let by_rule = judgement
        .rule
        .as_ref()
        .is_some_and(|rule| rule.effect == Effect::Hardened);
    let may_reject = judgement
        .evaluation()
        .is_none_or(|e| e.result == DmarcResult::Fail && !e.policy_uncertain || by_rule)
        || rules.required_header_fields;
    let rejects = matches!(decision, SmtpAction::Reject(_));
    assert!(
        may_reject || !rejects,
        "{what}: {decision:?} of {:?}",
        judgement.evaluation()
    );
    let is_unanswered = judgement
        .evaluation()
        .is_some_and(|e| e.result == DmarcResult::TempError);
    assert!(!(rejects && is_unanswered), "{what}: {decision:?} of a temperror");
    for reply in [step, decision].into_iter().filter_map(SmtpAction::reply) {
        is_one_line(reply, what);
    }
    has_its_reason(judgement, what);
    let value = &judgement.authentication_results;
    AuthenticationResults::parse_with_job(value.as_bytes()).expect(what);
    assert!(
        value.lines().all(|line| line.len() <= 998 && is_printable(line)),
        "{what}: {value}"
    );
    let explanation = explain(judgement);
    assert!(explanation.split('\n').all(is_plain), "{what}: {explanation}");
    one_cause_everywhere(judgement, &explanation, what);
}

/// RFC 9990 §3.1.1.9: a failing message to which something else is done than its policy asks for is
/// reported with the reason, whoever decided that.
#[track_caller]
fn has_its_reason(judgement: &Judgement, what: &str) {
    let Some(evaluation) = judgement.evaluation() else {
        return;
    };
    let asked = match evaluation.policy_published {
        Some(AssessmentPolicy::Reject) => Disposition::Reject,
        Some(AssessmentPolicy::Quarantine) => Disposition::Quarantine,
        Some(AssessmentPolicy::None) | None => Disposition::None,
    };
    let is_reported = match evaluation.result {
        DmarcResult::Fail => true,
        // GR22: one that could not be settled says so.
        DmarcResult::TempError => {
            assert!(!evaluation.dkim_aligned && !evaluation.spf_aligned, "{what}");
            assert_eq!(judgement.action.disposition, Disposition::None, "{what}");
            let kinds: Vec<_> = judgement.action.overrides.iter().map(Override::kind).collect();
            assert!(kinds.contains(&OverrideKind::Other), "{what}: {kinds:?}");
            false
        }
        DmarcResult::None | DmarcResult::Pass(_) | DmarcResult::PermError => false,
    };
    let differs = judgement.action.disposition != asked || evaluation.policy_uncertain;
    let has_reason = judgement
        .action
        .overrides
        .iter()
        .all(|reason| !reason.comment().is_empty())
        && !judgement.action.overrides.is_empty();
    assert!(
        !is_reported || !differs || has_reason,
        "{what}: {:?}",
        judgement.action
    );
}

/// Cause and remedy are the same words wherever they are told, and there is a cause for all
/// that is not a plain pass or a domain without a record.
#[track_caller]
fn one_cause_everywhere(judgement: &Judgement, explanation: &str, what: &str) {
    let cause = &judgement.cause;
    assert!(
        is_plain(cause) && cause.len() <= MAX_CAUSE_OCTETS,
        "{what}: {cause}"
    );
    let is_plain_result = matches!(judgement.dmarc, DmarcResult::Pass(_) | DmarcResult::None);
    let is_accepted = judgement.decision.smtp == SmtpAction::Accept;
    assert!(
        !cause.is_empty() || is_plain_result && is_accepted,
        "{what}: no cause"
    );
    for reply in [&judgement.action.smtp, &judgement.decision.smtp]
        .into_iter()
        .filter_map(SmtpAction::reply)
    {
        let told = reply.to_string();
        // An operator may word it without the cause, and names may fill the line before its end.
        let is_free = what == "words" || told.len() == MAX_REPLY_OCTETS;
        assert!(is_free || told.contains(cause.as_str()), "{what}: {told}");
    }
    let value = judgement.authentication_results.as_bytes();
    let (field, _) = AuthenticationResults::parse_with_job(value).expect(what);
    let reasons: Vec<_> = field
        .results
        .iter()
        .filter(|info| info.is("dmarc"))
        .filter_map(|info| info.reason.as_deref())
        .collect();
    if cause.is_empty() {
        assert_eq!(reasons, [""; 0], "{what}");
        assert!(!explanation.contains("\nCause: "), "{what}: {explanation}");
    } else {
        assert_eq!(reasons, [cause], "{what}");
        assert!(
            unwrapped(explanation).contains(&format!(" Cause: {}.", unwrapped(cause))),
            "{what}: {explanation}"
        );
    }
    let Some(remedy) = remedy(judgement) else {
        // Only the owner of a rule may have something to do, and that is not for everybody.
        let has_more = explanation.contains("\nWhat to do\n");
        assert!(!has_more || judgement.rule.is_some(), "{what}: {explanation}");
        return;
    };
    assert!(is_plain(&remedy), "{what}: {remedy}");
    assert!(
        unwrapped(explanation).contains(&format!(" What to do - {remedy}")),
        "{what}: {explanation}"
    );
}

/// The words of a text that may be wrapped or folded.
pub(crate) fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_plain(line: &str) -> bool {
    line.chars().all(|c| matches!(c, ' '..='~'))
}

#[track_caller]
fn is_one_line(reply: &RefusalReply, what: &str) {
    let line = format!("{reply}\r\n");
    assert!(line.len() <= 512, "{what}: {line}");
    assert!(is_printable(reply.to_string().as_str()), "{what}: {line}");
}

fn is_printable(line: &str) -> bool {
    line.chars().all(|c| matches!(c, ' '..='~' | '\t'))
}

fn policies() -> impl Strategy<Value = String> {
    let policy = || prop::sample::select(vec!["none", "quarantine", "reject", "bogus"]);
    let tags = (policy(), policy(), policy(), any::<bool>(), any::<bool>());
    tags.prop_map(|(p, sp, np, test, rua)| {
        let test = if test { "; t=y" } else { "" };
        let rua = if rua { "; rua=mailto:d@example.com" } else { "" };
        format!("v=DMARC1; p={p}; sp={sp}; np={np}{test}{rua}")
    })
}

fn faults() -> impl Strategy<Value = Option<Fault>> {
    prop::sample::select(vec![
        None,
        Some(Fault::Timeout),
        Some(Fault::ServFail),
        Some(Fault::NxDomain),
    ])
}

const RULES: [&str; 10] = [
    "mode observe",
    "reject always",
    "reject never",
    "local_domains example.com",
    "trusted_forwarder yes",
    "tempfail dns",
    "accept budget",
    "accept dns_with_policy",
    "questions 2",
    "unusable_author accept",
];
const AUTHORS: [&str; 7] = [
    "a@example.com",
    "a@mail.example.com",
    "a@ghost.example.com",
    "a@example.com, b@example.net",
    "\\0",
    "a@b@c",
    "undisclosed:;",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_published_and_whatever_fails(
        policy in policies(),
        author in prop::sample::select(AUTHORS.to_vec()),
        rules in prop::sample::subsequence(RULES.to_vec(), 0..=RULES.len()),
        policy_fault in faults(),
        author_fault in faults(),
        spf_fault in faults(),
        is_signed in any::<bool>(),
    ) {
        let mut text = format!(
            "zone _dmarc.example.com TXT \"{policy}\"\nzone example.com TXT \"v=spf1 -all\"\n\
             zone mail.example.com A 192.0.2.9\nmail <a@example.com>\nfrom {author}\n"
        );
        if is_signed {
            text.push_str("signed by d=example.com s=s1\nbody Changed\n");
        }
        for rule in &rules {
            text.push_str(&format!("rules {rule}\n"));
        }
        let mut given = Given::read(&text);
        let faults = [
            ("_dmarc.example.com", RecordType::Txt, policy_fault),
            ("ghost.example.com", RecordType::A, author_fault),
            ("example.com", RecordType::Txt, spf_fault),
        ];
        for (name, record_type, fault) in faults {
            if let Some(fault) = fault {
                given.zones.set(dns_name(name), record_type, ZoneData::Fault(fault));
            }
        }
        always_holds(&given.judge(), &given.rules, &text);
    }

    #[test]
    fn whatever_octets_a_sender_chooses(
        from in prop::collection::vec(any::<u8>(), 0..80),
        signature in prop::collection::vec(any::<u8>(), 0..80),
        results in prop::collection::vec(any::<u8>(), 0..80),
        helo in prop::collection::vec(any::<u8>(), 0..80),
        mail_from in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut given = Given::read("zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"");
        given.message.append(b"From", &from);
        given.message.put_on_top(b"DKIM-Signature", &signature);
        given.message.put_on_top(b"Authentication-Results", &results);
        given.envelope.helo = helo;
        given.envelope.mail_from = landmarc_mail::ReversePath::new(&mail_from);
        always_holds(&given.judge(), &given.rules, "octets");
    }

    #[test]
    fn whatever_octets_dns_holds(
        policy in prop::collection::vec(any::<u8>(), 0..60),
        spf in prop::collection::vec(any::<u8>(), 0..60),
        key in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut given = Given::read(
            "mail <a@example.com>\nfrom a@example.com\nsigned by d=example.com s=s1 key=none",
        );
        let records = [
            ("_dmarc.example.com", b"v=DMARC1; p=reject; ".as_slice(), policy),
            ("example.com", b"v=spf1 ", spf),
            ("s1._domainkey.example.com", b"v=DKIM1; ", key),
        ];
        for (name, start, rest) in records {
            given.zones.add_txt(dns_name(name), &[start, &rest].concat());
        }
        always_holds(&given.judge(), &given.rules, "records");
    }

    #[test]
    fn whatever_an_operator_words(words in ".{0,600}") {
        let mut given = Given::read(
            "zone _dmarc.example.com TXT \"v=DMARC1; p=reject\"\nfrom a@example.com\nrules reject always",
        );
        given.rules.reject_text = landmarc_receiver::policy::ReplyTemplate::new(move |_| words.clone());
        let judgement = given.judge();
        prop_assert!(judgement.action.smtp.reply().is_some());
        always_holds(&judgement, &given.rules, "words");
    }
}
