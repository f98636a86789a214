//! What an SPF outcome shows, and how terms fare with odd names and answers.

use landmarc_auth::spf::{RedactedNames, Scope, SpfResult};

use crate::spf_support::{Session, asked, check, result};

#[test]
fn scopes_have_the_words_of_rfc_9990() {
    assert_eq!(
        [Scope::MailFrom, Scope::Helo].map(Scope::as_str),
        ["mfrom", "helo"]
    );
}

#[test]
fn the_chain_of_records_is_shown() {
    let outcome = check(
        "example.com TXT v=spf1 include:a.example redirect=b.example
         a.example TXT v=spf1 ip4:192.0.2.9 -all
         b.example TXT v=spf1 ?include:c.example -all
         c.example TXT v=spf1 a:host.example ip4:192.0.2.0/24
         host.example A 192.0.2.8",
    );
    assert_eq!(outcome.result, SpfResult::Neutral);
    assert_eq!(
        outcome.mechanism.as_deref(),
        Some("redirect=b.example ?include:c.example ip4:192.0.2.0/24")
    );
    let steps: Vec<_> = outcome
        .steps
        .iter()
        .map(|s| format!("{} {}: {}: {}", s.depth, s.domain, s.term, s.outcome))
        .collect();
    assert_eq!(
        steps,
        [
            "0 example.com: v=spf1 include:a.example redirect=b.example: is read",
            "0 example.com: include:a.example: no match: it comes to fail by `-all`",
            "1 a.example: v=spf1 ip4:192.0.2.9 -all: is read",
            "1 a.example: ip4:192.0.2.9: no match",
            "1 a.example: -all: matches",
            "0 example.com: redirect=b.example: goes on at b.example",
            "1 b.example: v=spf1 ?include:c.example -all: is read",
            "1 b.example: ?include:c.example: matches through `ip4:192.0.2.0/24`",
            "2 c.example: v=spf1 a:host.example ip4:192.0.2.0/24: is read",
            "2 c.example: a:host.example: no match: host.example has 192.0.2.8",
            "2 c.example: ip4:192.0.2.0/24: matches: 192.0.2.3 is in it",
        ]
    );
}

#[test]
fn at05_the_pass_of_a_helo_name_is_bound_to_that_name() {
    let session = Session {
        helo: b"evil.test",
        mail_from: b"<>",
        ..Session::default()
    };
    let (outcome, _) = session.check("evil.test TXT v=spf1 +all\nbank.test TXT v=spf1 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.domain.unwrap().as_str(), "evil.test");
    assert!(outcome.from_helo);
}

#[test]
fn at04_an_odd_domain_is_none_and_quoted_without_harm() {
    let session = Session {
        mail_from: b"x@bank.test(.evil.test\r\n\x1b",
        ..Session::default()
    };
    let (outcome, questions) = session.check("evil.test TXT v=spf1 +all");
    assert_eq!((outcome.result, outcome.domain), (SpfResult::None, None));
    assert_eq!(questions, []);
    assert!(
        outcome
            .problem
            .unwrap()
            .contains(r"`bank.test(.evil.test\r\n\x1b`")
    );
}

#[test]
fn softfail_neutral_fail_and_permerror_are_kept_apart() {
    for (record, expected) in [
        ("~all", SpfResult::SoftFail),
        ("?all", SpfResult::Neutral),
        ("-all", SpfResult::Fail),
        ("+all", SpfResult::Pass),
        ("-al", SpfResult::PermError),
    ] {
        assert_eq!(
            result(&format!("example.com TXT v=spf1 {record}")),
            expected,
            "{record}"
        );
    }
}

#[test]
fn explanations_expand_every_macro_and_stay_printable() {
    let zone = "example.com TXT v=spf1 -all exp=why.%{d}
         why.example.com TXT %{s} from %{c} (%{h}) at %{t} by %{r}, %{p}: %{i} %{v} %{l} %{o} %{d} %%%_%-";
    assert_eq!(
        check(zone).explanation.as_deref(),
        Some(
            "a@example.com from 192.0.2.3 (mx.example.org) at 1700000000 by mx.receiver.example, \
             unknown: 192.0.2.3 in-addr a example.com example.com % %20"
        )
    );
    for local_part in ["\"a\r\nRCPT TO:<x@y.example>\"", "\"\u{1b}[31m\"", "jörg"] {
        let mail_from = format!("{local_part}@example.com");
        let session = Session {
            mail_from: mail_from.as_bytes(),
            ..Session::default()
        };
        let (outcome, _) = session.check(zone);
        assert_eq!(
            (outcome.result, outcome.explanation),
            (SpfResult::Fail, None),
            "{local_part:?}"
        );
    }
}

#[test]
fn explanations_are_asked_for_only_when_wanted_and_only_after_a_fail() {
    let unwanted = Session {
        fetch_explanation: false,
        ..Session::default()
    };
    let (outcome, questions) =
        unwanted.check("example.com TXT v=spf1 -all exp=why.example\nwhy.example TXT because");
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
    assert_eq!(asked(&questions), ["example.com TXT"]);
    let (outcome, questions) =
        Session::default().check("example.com TXT v=spf1 ~all exp=why.example\nwhy.example TXT because");
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::SoftFail, None));
    assert_eq!(asked(&questions), ["example.com TXT"]);
}

#[test]
fn a_null_mx_and_an_mx_without_addresses_do_not_match() {
    let null = check("example.com TXT v=spf1 mx -all\nexample.com MX .");
    assert_eq!((null.result, null.void_lookups), (SpfResult::Fail, 0));
    let empty = check(
        "example.com TXT v=spf1 mx -all
         example.com MX m1.example
         example.com MX m2.example
         example.com MX m3.example",
    );
    assert_eq!((empty.result, empty.void_lookups), (SpfResult::Fail, 1));
}

#[test]
fn a_match_counts_whatever_the_other_exchanges_answer() {
    let zone = "example.com TXT v=spf1 mx -all
         example.com MX dead.example
         example.com MX live.example
         dead.example A !TIMEOUT
         live.example A 192.0.2.";
    assert_eq!(result(&format!("{zone}3")), SpfResult::Pass);
    let outcome = check(&format!("{zone}4"));
    assert_eq!(outcome.result, SpfResult::TempError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: `mx`: dead.example A: no name server answered in time")
    );
}

#[test]
fn ptr_errors_are_no_match() {
    let zone = "example.com TXT v=spf1 ptr -all
         3.2.0.192.in-addr.arpa PTR ";
    assert_eq!(result(&format!("{zone}!TIMEOUT")), SpfResult::Fail);
    assert_eq!(
        result(&format!("{zone}dead.example.com\ndead.example.com A !SERVFAIL")),
        SpfResult::Fail
    );
    let live = "dead.example.com\n3.2.0.192.in-addr.arpa PTR live.example.com
         dead.example.com A !SERVFAIL\nlive.example.com A 192.0.2.3";
    assert_eq!(result(&format!("{zone}{live}")), SpfResult::Pass);
}

#[test]
fn ptr_takes_the_name_itself_and_names_below_not_look_alikes() {
    for (name, expected) in [
        ("example.com", SpfResult::Pass),
        ("mx.example.com", SpfResult::Pass),
        ("notexample.com", SpfResult::Fail),
        ("example.com.evil.test", SpfResult::Fail),
        ("com", SpfResult::Fail),
    ] {
        let zone = format!(
            "example.com TXT v=spf1 ptr -all
             3.2.0.192.in-addr.arpa PTR {name}
             {name} A 192.0.2.3"
        );
        assert_eq!(result(&zone), expected, "{name}");
    }
}

#[test]
fn the_validated_name_is_the_domain_else_below_it_else_any() {
    let question_with = |names: &[&str]| {
        let mut zone = "example.com TXT v=spf1 exists:%{p}.x.example -all\n".to_owned();
        for name in names {
            zone += &format!("3.2.0.192.in-addr.arpa PTR {name}\n{name} A 192.0.2.3\n");
        }
        asked(&Session::default().check(&zone).1).pop().unwrap()
    };
    assert_eq!(question_with(&[]), "unknown.x.example A");
    assert_eq!(
        question_with(&["h.example.net", "i.example.net"]),
        "h.example.net.x.example A"
    );
    assert_eq!(
        question_with(&["h.example.net", "mx.example.com"]),
        "mx.example.com.x.example A"
    );
    assert_eq!(
        question_with(&["mx.example.com", "example.com"]),
        "example.com.x.example A"
    );
}

#[test]
fn names_that_dns_cannot_carry_do_not_match_and_lead_nowhere() {
    for (term, expected) in [
        ("a:a..example.com", SpfResult::Neutral),
        ("mx:a..example.com", SpfResult::Neutral),
        ("exists:a..example.com", SpfResult::Neutral),
        ("ptr:a..example.com", SpfResult::Neutral),
        // RFC 7208 §4.3 makes check_host "none" there, and §5.2 that a permerror.
        ("include:a..example.com", SpfResult::PermError),
        ("redirect=a..example.com", SpfResult::PermError),
        ("include:%{d1}", SpfResult::PermError),
    ] {
        let (outcome, questions) = Session::default().check(&format!("example.com TXT v=spf1 {term}"));
        assert_eq!(outcome.result, expected, "{term}");
        assert_eq!(asked(&questions), ["example.com TXT"], "{term}");
    }
}

/// Decision D37: a record can ask for names with the local part of the sender in them. The steps
/// of the check are stored, so these names stand in them as the record has them.
#[test]
fn a_local_part_is_asked_for_but_not_shown() {
    let session = Session {
        mail_from: b"ann.secret@example.com",
        fetch_explanation: true,
        ..Session::default()
    };
    for (zone, questions, shown) in [
        (
            "example.com TXT v=spf1 exists:%{l}.x.example -all exp=%{l}.why.example
             ann.secret.why.example TXT no %{s}",
            vec!["ann.secret.x.example A", "ann.secret.why.example TXT"],
            vec![
                "%{l}.x.example has no A record",
                "explains, in a text that names the sender",
            ],
        ),
        (
            "example.com TXT v=spf1 redirect=%{l1r-}.x.example
             ann.secret.x.example TXT v=spf1 a exists:%{d}.y.example ?all",
            vec![
                "ann.secret.x.example TXT",
                "ann.secret.x.example A",
                "ann.secret.x.example.y.example A",
            ],
            vec![
                "goes on at %{l}.x.example",
                "%{l}.x.example.y.example has no A record",
            ],
        ),
        (
            "example.com TXT v=spf1 mx:%{l}.x.example -all
             ann.secret.x.example MX mx.ann.secret.x.example",
            vec!["ann.secret.x.example MX", "mx.ann.secret.x.example A"],
            vec!["no match: mx.%{l}.x.example has no A record"],
        ),
        (
            "example.com TXT v=spf1 include:%{L}.x.example -all",
            vec!["ann.secret.x.example TXT"],
            vec!["permerror", "does not exist"],
        ),
    ] {
        let (outcome, all) = session.check(zone);
        for question in questions {
            assert!(
                asked(&all).iter().any(|one| one == question),
                "{question}: {all:?}"
            );
        }
        let steps = outcome.steps.iter();
        let texts: String = steps
            .map(|step| format!("{}: {}: {}\n", step.domain, step.term, step.outcome))
            .chain(outcome.problem.clone())
            .collect();
        for words in shown {
            assert!(texts.contains(words), "{words}: {texts}");
        }
        assert!(!texts.contains("secret"), "{texts}");
        let secret = all
            .iter()
            .filter(|one| one.question.to_string().contains("secret"));
        for asked in secret {
            let printed = outcome.redacted_names.printed(&asked.question.name);
            assert!(!printed.to_string().contains("secret"), "{printed}");
        }
    }
}

/// It is nobody's, and shows who looks into a bounce what was asked.
#[test]
fn the_postmaster_of_the_null_reverse_path_is_shown() {
    let session = Session {
        helo: b"mx.example.org",
        mail_from: b"<>",
        ..Session::default()
    };
    let (outcome, _) = session.check("mx.example.org TXT v=spf1 exists:%{l}.x.example -all");
    assert_eq!(outcome.redacted_names, RedactedNames::default());
    let last = outcome.steps[1].outcome.to_string();
    assert_eq!(last, "no match: postmaster.x.example has no A record");
}
