//! The real qpsmtpd with `contrib/qpsmtpd/dmarc` (checklist Q1 to Q15).

mod hostile;
mod scene;

use std::net::Ipv4Addr;

use landmarc_e2e::Outcome;

use self::scene::{Arguments, RELAY, Scene, WHITELISTED, forged, signed};
use super::corpus::{self, ALLOWED, HoldingInterface, STRANGER, SmtpInterface, judged_alike};
use crate::world::letter;

/// A client that the SPF records of the corpus would rather not see.
const SOFT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The name that landmarc's fields bear in these tests.
const ID: &str = corpus::AUTHSERV_ID;

/// Q9: a message that passes is logged as such, and its results are on top of its header.
#[test]
fn a_message_that_passes_is_taken_with_its_results() {
    let Some(scene) = Scene::start("pass", &Arguments::default()) else {
        return;
    };
    let outcome = scene.send(ALLOWED, "a@reject.example", &signed("reject.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: pass");
    let delivered = scene.delivered(1).remove(0);
    let results = delivered.field("Authentication-Results");
    assert!(results[0].starts_with(&format!("{ID}; spf=pass")), "{results:?}");
    assert!(results[0].contains("dkim=pass") && results[0].contains("dmarc=pass"));
    // Above qpsmtpd's own fields, which are above those that came.
    let at = |words: &str| delivered.text.find(words).unwrap();
    assert!(at("dmarc=pass") < at("Received: from"));
    assert_eq!(results.len(), 2, "ours, and the one of qpsmtpd: {results:?}");
    assert!(results[1].contains("auth=none"), "{results:?}");
}

/// Q11, Q13: refused in landmarc's words, and the connection loses karma.
#[test]
fn a_forged_message_is_refused() {
    let Some(scene) = Scene::start("refused", &Arguments::default()) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@reject.example", &forged("reject.example"));
    let reply = outcome.last();
    assert_eq!(reply.code, 552, "{reply:?}");
    let text = reply.text();
    assert!(
        text.starts_with("5.7.1 ") && text.contains("DMARC policy for reject.example"),
        "{text}"
    );
    scene.says("(data_post) dmarc: karma -3 (-3)");
    scene.says("(data_post) dmarc: fail");
    scene.service.messages(1)[0].says("dmarc=fail action=reject");
    assert_eq!(scene.deliveries(), 0);
}

/// Q10, Q11: what is taken although it fails, and what nobody has a policy for.
#[test]
fn what_is_tolerated_and_what_has_no_policy_is_told_apart() {
    let Some(scene) = Scene::start("tolerated", &Arguments::default()) else {
        return;
    };
    for (domain, printed) in [
        ("none.example", "(data_post) dmarc: fail, tolerated"),
        ("plain.example", "(data_post) dmarc: skip, no policy"),
    ] {
        let outcome = scene.send(STRANGER, &format!("a@{domain}"), &forged(domain));
        assert_eq!(outcome.last().code, 250, "{outcome:?}");
        scene.says(printed);
    }
    assert!(!scene.qpsmtpd_log().contains("karma -3"));
}

/// Q15: where there is no policy, SPF alone may refuse.
#[test]
fn without_a_policy_spf_may_decide() {
    for (level, client, code, printed) in [
        (1, STRANGER, 552, "dmarc: fail, no policy, spf fail"),
        (1, SOFT, 250, "dmarc: skip, no policy"),
        (2, SOFT, 552, "dmarc: fail, no policy, spf softfail"),
    ] {
        let Some(scene) = Scene::start("no-policy", &Arguments::of(&format!("no_dmarc_policy {level}")))
        else {
            return;
        };
        let outcome = scene.send(client, "a@plain.example", &forged("plain.example"));
        assert_eq!(outcome.last().code, code, "{outcome:?}");
        assert_eq!(
            outcome.last().text().starts_with("5.7.23 "),
            code == 552,
            "{outcome:?}"
        );
        scene.says(printed);
    }
}

/// Q4, Q12: own users are not asked about, and a listed host is not refused.
#[test]
fn relay_clients_are_not_judged_and_immune_ones_not_refused() {
    let Some(scene) = Scene::start("immune", &Arguments::default()) else {
        return;
    };
    let forged = forged("reject.example");
    let outcome = scene.send(WHITELISTED, "a@reject.example", &forged);
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: skip, whitelisted host");
    scene.says("(data_post) dmarc: fail, tolerated");
    assert!(!scene.qpsmtpd_log().contains("karma -3"));
    scene.service.messages(1)[0].says("dmarc=fail action=reject");

    let outcome = scene.send(RELAY, "a@reject.example", &forged);
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: skip, relay client");
    let delivered = scene.delivered(2);
    let judged = |text: &str| text.contains("dmarc=fail");
    assert_eq!(delivered.iter().filter(|one| judged(&one.text)).count(), 1);
    assert_eq!(scene.service.messages(1).len(), 1);
}

/// Q1: `reject 0` takes, and marks, what would be refused.
#[test]
fn without_reject_a_message_is_marked_only() {
    let Some(scene) = Scene::start("reject-0", &Arguments::of("reject 0")) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@reject.example", &forged("reject.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: fail, tolerated");
    assert!(scene.delivered(1)[0].field("Authentication-Results")[0].contains("dmarc=fail"));
}

/// Q1: the types of refusal, with a status code of their class.
#[test]
fn a_refusal_is_of_the_type_that_was_asked_for() {
    for (kind, code, status, ends) in [
        ("temp", 452, "4.7.1 ", false),
        ("hard", 552, "5.7.1 ", false),
        ("disconnect", 552, "5.7.1 ", true),
    ] {
        let arguments = Arguments::of(&format!("reject_type {kind}"));
        let Some(scene) = Scene::start(&format!("type-{kind}"), &arguments) else {
            return;
        };
        let mut smtp = scene.connect(STRANGER);
        let envelope = crate::world::envelope("a@reject.example");
        let outcome = smtp.send(&envelope, &forged("reject.example")).unwrap();
        assert_eq!(outcome.last().code, code, "{outcome:?}");
        assert!(outcome.last().text().starts_with(status), "{outcome:?}");
        assert_eq!(smtp.command("NOOP").is_err(), ends, "{kind}");
    }
}

/// A quarantine of qpsmtpd's: a field to sort by, or a refusal, as the plugin of Mail::DMARC had it.
#[test]
fn a_message_in_quarantine_is_marked_or_refused() {
    for (arguments, settings, code, printed) in [
        ("quarantine mark", "", 250, "dmarc: fail, quarantine"),
        (
            "quarantine mark",
            "action.quarantine = \"hold\"\n",
            250,
            "dmarc: fail, quarantine",
        ),
        ("quarantine reject", "", 552, "dmarc: fail"),
    ] {
        let arguments = Arguments {
            settings,
            ..Arguments::of(arguments)
        };
        let Some(scene) = Scene::start("quarantine", &arguments) else {
            return;
        };
        let forged = [
            b"DMARC-Quarantine: no\r\n".as_slice(),
            &forged("quarantine.example"),
        ]
        .concat();
        let outcome = scene.send(STRANGER, "a@quarantine.example", &forged);
        assert_eq!(outcome.last().code, code, "{outcome:?}");
        scene.says(printed);
        scene.says("karma -3");
        if code == 250 {
            let delivered = scene.delivered(1).remove(0);
            let fields = delivered.field("DMARC-Quarantine");
            assert_eq!(fields.len(), 1, "{fields:?}");
            assert!(
                fields[0].contains("quarantine.example") || fields[0].contains("DMARC"),
                "{fields:?}"
            );
        }
    }
}

/// Q5, Q14: a From field that nobody can read, and two of them.
#[test]
fn a_message_without_one_author_is_refused() {
    let Some(scene) = Scene::start("author", &Arguments::default()) else {
        return;
    };
    let signed = signed("reject.example");
    let two = [b"From: b@plain.example\r\n".as_slice(), &signed].concat();
    let broken = String::from_utf8(letter("a@reject.example")).unwrap();
    let broken = broken.replace("From: a@reject.example", "From: <<a@reject.example");
    for (times, message) in [two, broken.into_bytes()].iter().enumerate() {
        let outcome = scene.send(ALLOWED, "a@reject.example", message);
        assert_eq!(outcome.last().code, 552, "{outcome:?}");
        scene.says_times("(data_post) dmarc: unparseable from header, ", times + 1);
    }
    assert_eq!(scene.deliveries(), 0);
}

/// Q7: that landmarc is away costs no mail, unless it is wanted so.
#[test]
fn without_an_answer_mail_is_taken_or_put_off() {
    let nowhere = "server unix:/nonexistent/check.sock";
    for (arguments, code) in [
        (nowhere.to_owned(), 250),
        (format!("{nowhere} defer_on_error 1"), 452),
    ] {
        let Some(scene) = Scene::start("down", &Arguments::of(&arguments)) else {
            return;
        };
        let outcome = scene.send(STRANGER, "a@reject.example", &forged("reject.example"));
        assert_eq!(outcome.last().code, code, "{outcome:?}");
        scene.says("dmarc: not judged: cannot connect to unix:/nonexistent/check.sock: No such file");
    }
}

/// A service that says nothing is waited for no longer than `timeout`.
#[test]
fn a_silent_service_is_not_waited_for_forever() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = format!("server {} timeout 1", silent.local_addr().unwrap());
    let Some(scene) = Scene::start("silent", &Arguments::of(&server)) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@reject.example", &forged("reject.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("dmarc: not judged: no answer in time");
}

/// The signature covers every octet of five million, so each came through as it was; one that is larger than landmarc
/// takes is put off, for its size must be no way past the policy.
#[test]
fn a_large_message_comes_through_whole() {
    let arguments = Arguments {
        settings: "check_api.max_message_size = \"6MiB\"\n",
        ..Arguments::default()
    };
    let Some(scene) = Scene::start("large", &arguments) else {
        return;
    };
    let large = |lines: usize| {
        // As long as RFC 5322 §2.1.1 lets them be, and with what canonicalization has an eye on.
        let line = format!("{}\r\n", ".0123456789 \t".repeat(76));
        [letter("a@reject.example"), line.repeat(lines).into_bytes()].concat()
    };
    let signer = crate::world::Signer::relaxed("reject.example");
    // From a stranger: the signature alone makes it pass.
    let outcome = scene.send(STRANGER, "a@plain.example", &signer.sign(&large(5_400)));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: pass");

    let outcome = scene.send(STRANGER, "a@plain.example", &large(7_000));
    assert_eq!(outcome.last().code, 452, "{outcome:?}");
    assert!(outcome.last().text().starts_with("4.3.4 "), "{outcome:?}");
    scene.says("dmarc: not judged: refused (413): ");
    // Not from those that are let by anyway.
    let outcome = scene.send(WHITELISTED, "a@plain.example", &large(7_000));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
}

/// RFC 8601 §5: whoever writes results in our name is not believed; those of others stay.
#[test]
fn forged_results_are_removed() {
    let Some(scene) = Scene::start("forged", &Arguments::default()) else {
        return;
    };
    let fields = format!(
        "Authentication-Results: {ID}; dmarc=pass (1)\r\nAuthentication-Results: other.example;\r\n\tdmarc=pass (2)\r\n\
         AUTHENTICATION-RESULTS: {ID};\r\n\tdmarc=pass (3)\r\nauthentication-results: mx.here.example; auth=none\r\n"
    );
    let message = [fields.as_bytes(), &forged("none.example")].concat();
    let outcome = scene.send(STRANGER, "a@none.example", &message);
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    let delivered = scene.delivered(1).remove(0);
    let results = delivered.field("Authentication-Results");
    assert_eq!(results.len(), 4, "{results:?}");
    assert!(
        results[0].starts_with(ID) && results[0].contains("dmarc=fail"),
        "{results:?}"
    );
    let theirs = results[2..].join(" ");
    assert!(
        theirs.contains("(2)") && !theirs.contains("(1)") && !theirs.contains("(3)"),
        "{results:?}"
    );
}

/// Q9: what is noted for other plugins has both parts, and is not said of the next message.
#[test]
fn results_are_noted_for_one_message_only() {
    let Some(scene) = Scene::start("notes", &Arguments::default()) else {
        return;
    };
    let mut smtp = scene.connect(STRANGER);
    for domain in ["none.example", "plain.example"] {
        let mail_from = format!("a@{domain}");
        let outcome = smtp
            .send(&crate::world::envelope(&mail_from), &forged(domain))
            .unwrap();
        assert_eq!(outcome.last().code, 250, "{outcome:?}");
    }
    scene.says("notes: dmarc=fail (p=none) d=none.example");
    scene.says("notes: dmarc=none d=plain.example");
    let all = scene.delivered(2);
    let of_qpsmtpd = all.iter().flat_map(|one| one.field("Authentication-Results"));
    let of_qpsmtpd: Vec<_> = of_qpsmtpd
        .filter(|field| field.starts_with("mx.here.example"))
        .collect();
    assert_eq!(of_qpsmtpd, ["mx.here.example; auth=none"; 2]);
}

/// Q1: with `reporting 0` a message counts in no report.
#[test]
fn what_is_not_to_be_reported_is_not_counted() {
    for (reporting, rows) in [(1, &["reject.example"][..]), (0, &[])] {
        let arguments = Arguments::of(&format!("reporting {reporting}"));
        let Some(scene) = Scene::start(&format!("reporting-{reporting}"), &arguments) else {
            return;
        };
        let outcome = scene.send(ALLOWED, "a@reject.example", &signed("reject.example"));
        assert_eq!(outcome.last().code, 250, "{outcome:?}");
        scene.service.messages(1)[0].says("dmarc=pass action=accept");
        assert_eq!(scene.domains_to_report(), rows, "reporting {reporting}");
    }
}

/// A secret opens the interface over TCP; without the right one there is no answer, and one line that says why.
#[test]
fn a_secret_is_named() {
    for (theirs, printed) in [
        ("s3cret", "dmarc: fail, tolerated"),
        ("wr0ng", "dmarc: not judged: refused (401): "),
    ] {
        let arguments = Arguments {
            secret: Some(("s3cret", theirs)),
            ..Arguments::default()
        };
        let Some(scene) = Scene::start("secret", &arguments) else {
            return;
        };
        let outcome = scene.send(STRANGER, "a@none.example", &forged("none.example"));
        assert_eq!(outcome.last().code, 250, "{outcome:?}");
        scene.says(printed);
        assert!(!scene.qpsmtpd_log().contains(theirs));
    }
}

/// Q1, Q3: an argument that is none is told when qpsmtpd starts, and costs nothing.
#[test]
fn arguments_that_are_none_are_told() {
    let Some(scene) = Scene::start("arguments", &Arguments::of("rejekt 1 quarantine hold timeout")) else {
        return;
    };
    scene.says("dmarc: Bad arguments");
    scene.says("dmarc: no such argument: rejekt");
    scene.says("dmarc: quarantine is mark or reject, not hold");
    let outcome = scene.send(ALLOWED, "a@reject.example", &signed("reject.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: pass");
}

#[test]
fn corpus_is_judged_alike_by_qpsmtpd() {
    let Some(scene) = Scene::start("corpus", &Arguments::default()) else {
        return;
    };
    let mut marked = 0;
    judged_alike(&mut HoldingInterface {
        smtp: SmtpInterface {
            service: &scene.service,
            address: scene.address,
        },
        // It is in the maildir before its sender is answered: one more with the mark, or not.
        is_held: |_: &Outcome| {
            let before = std::mem::replace(&mut marked, scene.marked());
            marked > before
        },
    });
}
