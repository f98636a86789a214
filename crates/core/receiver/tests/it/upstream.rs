//! Results of the filters ahead: each word that they write, and what makes a result one of this message.

use landmarc_auth::arc::ArcStatus;
use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_receiver::Judgement;

use crate::scenario::Given;

fn judged(lines: &str) -> Judgement {
    Given::read(&format!("mail <a@example.com>\nfrom a@example.com\n{lines}")).judge()
}

/// SPF, and whether there is a reason to believe no result.
fn spf(lines: &str) -> (SpfResult, bool) {
    let spf = judged(&format!("rules spf upstream\n{lines}")).spf.mail_from;
    (spf.result, spf.problem.is_some())
}

#[test]
fn each_word_of_spf_is_read() {
    for (word, expected) in [
        ("none", (SpfResult::None, false)),
        ("neutral", (SpfResult::Neutral, false)),
        ("policy", (SpfResult::Neutral, false)),
        ("Pass", (SpfResult::Pass, false)),
        ("fail", (SpfResult::Fail, false)),
        ("hardfail", (SpfResult::Fail, false)),
        ("softfail", (SpfResult::SoftFail, false)),
        ("temperror", (SpfResult::TempError, false)),
        ("tempfail", (SpfResult::TempError, false)),
        ("permerror", (SpfResult::PermError, false)),
        ("permfail", (SpfResult::PermError, false)),
        ("certain", (SpfResult::PermError, true)),
    ] {
        let field = "top Authentication-Results: mx.receiver.example";
        let line = format!("{field}; spf={word} smtp.mailfrom=example.com");
        assert_eq!(spf(&line), expected, "{word}");
    }
}

/// The results of signatures by example.com with the selectors s1 and s2, and whether the filter told them.
fn dkim(lines: &str) -> Vec<(DkimResult, bool)> {
    let signed = "signed by d=example.com s=s2\nsigned by d=example.com s=s1";
    let judgement = judged(&format!("{signed}\nrules dkim upstream\n{lines}"));
    let told = |reason: &Option<String>| reason.is_none();
    let results = judgement.dkim.iter();
    results
        .map(|signature| (signature.result, told(&signature.reason)))
        .collect()
}

#[test]
fn each_word_of_dkim_is_read() {
    for (word, expected) in [
        ("Pass", (DkimResult::Pass, true)),
        ("fail", (DkimResult::Fail, true)),
        ("hardfail", (DkimResult::Fail, true)),
        ("policy", (DkimResult::Policy, true)),
        ("neutral", (DkimResult::Neutral, true)),
        ("none", (DkimResult::Neutral, true)),
        ("temperror", (DkimResult::TempError, true)),
        ("tempfail", (DkimResult::TempError, true)),
        ("permerror", (DkimResult::PermError, true)),
        ("permfail", (DkimResult::PermError, true)),
        ("certain", (DkimResult::Neutral, false)),
    ] {
        let field = "top Authentication-Results: mx.receiver.example";
        let line = format!("{field}; dkim={word} header.d=example.com");
        assert_eq!(dkim(&line), [expected, expected], "{word}");
    }
}

#[test]
fn a_result_is_of_the_signature_whose_domain_and_selector_it_names() {
    let (pass, untold) = ((DkimResult::Pass, true), (DkimResult::Neutral, false));
    for (properties, expected) in [
        ("header.d=example.com header.s=s1", [pass, untold]),
        ("header.d=example.com header.s=S2", [untold, pass]),
        ("header.d=example.com header.s=s3", [untold, untold]),
        ("header.d=other.example header.s=s1", [untold, untold]),
        ("header.d=example.com header.b=!", [untold, untold]),
        ("header.s=s1", [untold, untold]),
    ] {
        let line = format!("top Authentication-Results: mx.receiver.example; dkim=pass {properties}");
        assert_eq!(dkim(&line), expected, "{properties}");
    }
}

/// What the sender has done to make filters stumble spares the message nothing (decision D6).
#[test]
fn a_signature_beside_a_doubtful_name_is_neutral_and_no_error_of_ours() {
    let results = dkim("helo a;b");
    assert_eq!(results, [(DkimResult::Neutral, false); 2]);
    assert!(
        !judged("helo a;b\nsigned by d=example.com s=s1\nrules dkim upstream")
            .result_sources
            .is_silent
    );
}

#[test]
fn twenty_fields_are_read_and_with_one_more_those_below_are_not() {
    let result = "top Authentication-Results: mx.receiver.example; spf=pass smtp.mailfrom=example.com\n";
    let other = "top Authentication-Results: mx.receiver.example; auth=none\n";
    for (others, expected) in [(19, (SpfResult::Pass, false)), (20, (SpfResult::PermError, true))] {
        assert_eq!(
            spf(&format!("{result}{}", other.repeat(others))),
            expected,
            "{others}"
        );
    }
}

#[test]
fn received_spf_counts_for_this_client_and_this_sender_only() {
    for (lines, expected) in [
        (
            "top Received-SPF: pass client-ip=192.0.2.1; envelope-from=a@example.com",
            SpfResult::Pass,
        ),
        (
            "top Received-SPF: pass client-ip=192.0.2.2; envelope-from=a@example.com",
            SpfResult::PermError,
        ),
        (
            "top Received-SPF: pass client-ip=192.0.2.1; envelope-from=a@other.example",
            SpfResult::PermError,
        ),
        (
            "mail <>\nhelo [192.0.2.1]\ntop Received-SPF: pass client-ip=192.0.2.1; identity=helo",
            SpfResult::PermError,
        ),
    ] {
        assert_eq!(
            spf(&format!("rules received_spf yes\n{lines}")).0,
            expected,
            "{lines}"
        );
    }
}

#[test]
fn a_chain_counts_where_all_results_are_of_it_and_one_that_is_no_pass_counts_more() {
    let sealed =
        "sealed by d=forward.example s=f claiming mx.forward.example; dmarc=pass header.from=example.com";
    for (results, expected) in [
        ("arc=pass", ArcStatus::Pass),
        ("arc=pass arc.chain=forward.example", ArcStatus::Pass),
        ("arc=pass; arc=fail", ArcStatus::Fail),
        ("arc=fail; arc=pass", ArcStatus::Fail),
        ("arc=certain", ArcStatus::None),
        ("arc=pass arc.chain=other.example", ArcStatus::None),
        (
            "arc=pass arc.chain=\"forward.example:forward.example\"",
            ArcStatus::None,
        ),
    ] {
        let line = format!("top Authentication-Results: mx.receiver.example; {results}");
        let arc = judged(&format!("{sealed}\nrules upstream_arc upstream\n{line}")).arc;
        assert_eq!(arc.status, expected, "{results}");
    }
}
