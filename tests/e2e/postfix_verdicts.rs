//! Through Postfix: what is found, and what becomes of the message.

use landmarc_auth::dkim::Canonicalization;
use landmarc_testkit::tools::Folder;

use crate::service::Socket;
use crate::world::{
    ALLOWED, ED25519, HELO, RSA, STRANGER, Scene, Signer, Stage, envelope, letter, queue_id, results, send,
    signed_letter,
};

const ENFORCE: &str = "mode = \"enforce\"\n";

#[test]
fn an_aligned_signature_passes() {
    let Some(scene) = Scene::start("dkim-pass", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    for (selector, words) in [
        (
            RSA,
            "dkim=pass (2048-bit key) header.d=reject.example header.s=s1 header.a=rsa-sha256",
        ),
        (
            ED25519,
            "header.d=reject.example header.s=ed header.a=ed25519-sha256",
        ),
    ] {
        let signer = Signer {
            selector,
            ..Signer::relaxed("reject.example")
        };
        let message = signer.sign(&letter("A <a@reject.example>"));
        let outcome = send(&mut smtp, &envelope("bounce@elsewhere.example"), &message);
        let (delivered, line) = scene.delivered(&outcome);
        let results = results(&delivered);
        assert!(results.contains(words), "{results}");
        let (before, after_id) = results.split_once(" id=").expect("an id");
        assert!(
            before.ends_with("dmarc=pass (p=reject dis=pass dom=reject.example"),
            "{results}"
        );
        assert!(
            after_id.ends_with(") header.from=reject.example policy.dmarc=reject"),
            "{results}"
        );
        line.says(
            "author_domain=reject.example spf=none dkim=pass dmarc=pass policy=reject disposition=pass",
        );
    }
}

#[test]
fn an_aligned_client_passes() {
    let Some(scene) = Scene::start("spf-pass", ENFORCE) else {
        return;
    };
    let outcome = scene.send(ALLOWED, "bounce@reject.example", &letter("a@reject.example"));
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    assert!(
        results.contains("spf=pass (ip4:192.0.2.0/24) smtp.mailfrom=reject.example; dkim=none; dmarc=pass"),
        "{results}"
    );
    line.says(
        "client=192.0.2.7 spf=pass dkim=none arc=none dmarc=pass action=accept enforced_action=accept override=-",
    );
}

#[test]
fn a_spoof_is_refused_with_its_reason() {
    let Some(scene) = Scene::start("spoof-enforce", ENFORCE) else {
        return;
    };
    let outcome = scene.send(STRANGER, "ceo@reject.example", &letter("ceo@reject.example"));
    let reply = outcome.last();
    assert_eq!(reply.code, 550, "{reply:?}");
    let text = reply.text();
    assert!(text.starts_with("5.7.1 "), "{text}");
    for words in ["DMARC", "reject.example", "SPF", STRANGER, "no DKIM signature"] {
        assert!(text.contains(words), "{words:?} is not in {text:?}");
    }
    let lines = scene.service.messages(1);
    lines[0].says(
        "spf=fail dkim=none dmarc=fail policy=reject disposition=reject action=reject enforced_action=reject",
    );
    assert!(text.contains(lines[0].get("id")), "{text}");
    assert!(text.contains(lines[0].get("cause")), "{text}");
    assert!(scene.postfix.sink.delivered().is_empty());
}

#[test]
fn a_spoof_is_delivered_and_marked_while_observing() {
    let Some(scene) = Scene::start("spoof-observe", "") else {
        return;
    };
    let outcome = scene.send(STRANGER, "ceo@reject.example", &letter("ceo@reject.example"));
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    assert!(
        results.contains("dmarc=fail reason=\"SPF of reject.example ")
            && results.contains("no DKIM signature\" (p=reject dis=none dom=reject.example id="),
        "{results}"
    );
    line.says("dmarc=fail policy=reject disposition=none action=accept enforced_action=reject override=local_policy");
}

#[test]
fn quarantine_can_be_the_hold_queue() {
    let settings = format!("{ENFORCE}action.quarantine = \"hold\"\n");
    let Some(scene) = Scene::start("quarantine-hold", &settings) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@quarantine.example", &letter("a@quarantine.example"));
    let id = queue_id(&outcome);
    // Postfix has no place for the reason that a milter gives; ours is in the log below.
    scene
        .postfix
        .wait_for_log(&[id, "milter triggers HOLD action"])
        .expect("held");
    let held = scene.postfix.held().expect("the queue can be read");
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].queue_id, id);
    let content = String::from_utf8_lossy(&held[0].message);
    let content: Vec<_> = content.split_whitespace().collect();
    let content = content.join(" ");
    assert!(
        content.contains("no DKIM signature\" (p=quarantine dis=quarantine"),
        "{content}"
    );
    scene
        .service
        .message(id)
        .says("dmarc=fail policy=quarantine disposition=quarantine action=quarantine");
    assert!(scene.postfix.sink.delivered().is_empty());
}

#[test]
fn quarantine_is_a_header_field() {
    let Some(scene) = Scene::start("quarantine-header", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let failing = [
        &b"DMARC-Quarantine: forged\r\n"[..],
        &letter("a@quarantine.example"),
    ]
    .concat();
    let outcome = send(&mut smtp, &envelope("a@quarantine.example"), &failing);
    let (delivered, line) = scene.delivered(&outcome);
    let marks = delivered.values("DMARC-Quarantine");
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert!(
        marks[0].starts_with(" quarantined by DMARC policy for quarantine.example: "),
        "{marks:?}"
    );
    line.says("disposition=quarantine action=quarantine");

    let passing = [
        &b"DMARC-Quarantine: forged\r\n"[..],
        &signed_letter("quarantine.example"),
    ]
    .concat();
    let outcome = send(&mut smtp, &envelope("a@quarantine.example"), &passing);
    let (delivered, line) = scene.delivered(&outcome);
    assert!(delivered.values("DMARC-Quarantine").is_empty());
    line.says("dmarc=pass disposition=pass action=accept");
}

/// The line of docs/postfix.md, as it stands there.
#[test]
fn postfix_can_redirect_what_is_marked() {
    let manual = include_str!("../../docs/postfix.md");
    let line = manual
        .split('`')
        .find(|text| text.starts_with("/^DMARC-Quarantine:/"));
    let folder = Folder::new("quarantine-redirect");
    let table = folder.write("quarantine", format!("{}\n", line.expect("the recipe")));
    let stage = Stage {
        socket: Socket::Inet,
        settings: ENFORCE,
        default_action: "tempfail",
    };
    let scene = Scene::start_with("quarantine-redirect", &stage, |postfix| {
        postfix.set("milter_header_checks", format!("regexp:{}", table.display()))
    });
    let Some(scene) = scene else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@quarantine.example", &letter("a@quarantine.example"));
    let (delivered, _) = scene.delivered(&outcome);
    assert_eq!(delivered.rcpt_to, ["<quarantine@example.com>"]);
    let outcome = scene.send(
        STRANGER,
        "a@quarantine.example",
        &signed_letter("quarantine.example"),
    );
    let (delivered, _) = scene.delivered(&outcome);
    assert_eq!(delivered.rcpt_to, ["<b@here.example>"]);
}

#[test]
fn a_subdomain_is_under_sp() {
    let Some(scene) = Scene::start("sp", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let outcome = send(
        &mut smtp,
        &envelope("a@mail.sub.example"),
        &letter("a@mail.sub.example"),
    );
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let lines = scene.service.messages(1);
    lines[0]
        .says("author_domain=mail.sub.example policy_domain=sub.example policy=reject disposition=reject");

    let outcome = send(&mut smtp, &envelope("a@sub.example"), &letter("a@sub.example"));
    let (_, line) = scene.delivered(&outcome);
    line.says("author_domain=sub.example dmarc=fail policy=none disposition=none action=accept");
}

#[test]
fn a_subdomain_that_does_not_exist_is_under_np() {
    let Some(scene) = Scene::start("np", ENFORCE) else {
        return;
    };
    let author = "a@ghost.existing.example";
    let outcome = scene.send(STRANGER, "bounce@plain.example", &letter(author));
    let reply = outcome.last();
    assert_eq!(reply.code, 550, "{reply:?}");
    let lines = scene.service.messages(1);
    lines[0].says(
        "author_domain=ghost.existing.example policy_domain=existing.example policy=reject action=reject",
    );
}

#[test]
fn without_a_record_dmarc_does_not_apply() {
    let Some(scene) = Scene::start("no-record", ENFORCE) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@plain.example", &letter("a@plain.example"));
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    assert!(results.contains("spf=fail"), "{results}");
    assert!(results.contains("dmarc=none"), "{results}");
    assert!(!results.contains("policy.dmarc"), "{results}");
    line.says("dmarc=none policy_domain=- policy=- disposition=none action=accept");
}

#[test]
fn a_bounce_passes_by_its_helo_name() {
    let Some(scene) = Scene::start("null-sender", ENFORCE) else {
        return;
    };
    let bounce = letter("MAILER-DAEMON@reject.example");
    let mut smtp = scene.client_with_helo(ALLOWED, "reject.example");
    let outcome = send(&mut smtp, &envelope(""), &bounce);
    let (delivered, line) = scene.delivered(&outcome);
    assert!(delivered.mail_from.starts_with("<>"), "{}", delivered.mail_from);
    let results = results(&delivered);
    assert!(results.contains("smtp.helo=reject.example"), "{results}");
    line.says("spf=pass dmarc=pass");

    let mut smtp = scene.client_with_helo(ALLOWED, HELO);
    let outcome = send(&mut smtp, &envelope(""), &bounce);
    // The policy alone is no reason to reject (RFC 9989 §7.4).
    let line = scene.service.message(queue_id(&outcome));
    line.says("spf=none dmarc=fail policy=reject disposition=quarantine action=quarantine");
}

#[test]
fn one_verdict_serves_all_recipients() {
    let Some(scene) = Scene::start("recipients", ENFORCE) else {
        return;
    };
    let mut envelope = envelope("a@reject.example");
    envelope.rcpt_to = &["b@here.example", "c@here.example"];
    let mut smtp = scene.client(STRANGER);
    let outcome = send(&mut smtp, &envelope, &signed_letter("reject.example"));
    let (delivered, line) = scene.delivered(&outcome);
    assert_eq!(delivered.rcpt_to, ["<b@here.example>", "<c@here.example>"]);
    assert_eq!(delivered.values("Authentication-Results").len(), 1);
    line.says("spf=fail dkim=pass dmarc=pass");
    assert_eq!(scene.service.messages(1).len(), 1);
}

#[test]
fn twenty_messages_of_one_session_are_judged_each_by_itself() {
    let Some(scene) = Scene::start("twenty", ENFORCE) else {
        return;
    };
    let signed = Signer {
        canonicalization: Canonicalization::Simple,
        ..Signer::relaxed("reject.example")
    }
    .sign(&letter("a@reject.example"));
    let spoof = letter("a@reject.example");
    let unknown = letter("a@plain.example");
    let several = [&b"From: b@plain.example\r\n"[..], &spoof].concat();
    let kinds: [(&str, &[u8], u16, &str); 4] = [
        (
            "a@reject.example",
            &signed,
            250,
            "spf=fail dkim=pass dmarc=pass action=accept",
        ),
        (
            "a@reject.example",
            &spoof,
            550,
            "spf=fail dkim=none dmarc=fail action=reject",
        ),
        (
            "a@plain.example",
            &unknown,
            250,
            "spf=fail dkim=none dmarc=none action=accept",
        ),
        (
            "",
            &several,
            550,
            "spf=none dkim=none dmarc=permerror action=reject",
        ),
    ];
    let mut smtp = scene.client(STRANGER);
    for (count, (mail_from, message, code, says)) in kinds.iter().cycle().take(20).enumerate() {
        let outcome = send(&mut smtp, &envelope(mail_from), message);
        assert_eq!(
            outcome.last().code,
            *code,
            "message {count}: {:?}",
            outcome.last()
        );
        scene.service.messages(count + 1)[count].says(says);
    }
    assert_eq!(scene.service.messages(20).len(), 20);
}
