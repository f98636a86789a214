//! Through Postfix: header sections as attackers, old programs and the rest of the world
//! write them.

use landmarc_auth::dkim::Canonicalization;
use landmarc_e2e::{Envelope, HOST_NAME};

use crate::world::{
    ALLOWED, RECIPIENT, STRANGER, Scene, Signer, envelope, letter, results, send, signed_letter, unfolded,
};

const ENFORCE: &str = "mode = \"enforce\"\n";

/// Eleven fields, six of them in the name of this host.
const FORGED_AND_FOREIGN: &str = "\
Authentication-Results: mx.landmarc.test; spf=pass smtp.mailfrom=reject.example
Authentication-Results: one.example; dkim=pass header.d=a.example
authentication-results: MX.Landmarc.TEST; dmarc=pass header.from=reject.example
Authentication-Results: mx.landmarc.test.two.example; dmarc=pass
Authentication-Results:
\tmx.landmarc.test;
\tdmarc=pass header.from=reject.example
Authentication-Results: three.example 1; spf=fail
AUTHENTICATION-RESULTS: \"mx.landmarc.test\"; dkim=pass header.d=reject.example
Authentication-Results: (for all to see) mx.landmarc.test 1; dkim=pass header.d=reject.example
Authentication-Results: four.example; none
Authentication-Results:mx.landmarc.test;none
Authentication-Results: not-mx.landmarc.test; dmarc=pass
";

#[test]
fn forged_results_go_and_those_of_others_stay_in_order() {
    let Some(scene) = Scene::start("forged", "") else {
        return;
    };
    let message = [
        FORGED_AND_FOREIGN.replace('\n', "\r\n").as_bytes(),
        &letter("a@reject.example"),
    ]
    .concat();
    let outcome = scene.send(STRANGER, "a@reject.example", &message);
    let (delivered, _) = scene.delivered(&outcome);
    assert!(results(&delivered).contains("dmarc=fail"));
    let all = delivered.values("Authentication-Results");
    let ids: Vec<String> = all
        .iter()
        .map(|value| {
            unfolded(value)
                .split([';', ' '])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert_eq!(
        ids,
        [
            HOST_NAME,
            "one.example",
            "mx.landmarc.test.two.example",
            "three.example",
            "four.example",
            "not-mx.landmarc.test"
        ]
    );
    let names: Vec<String> = delivered.fields().into_iter().map(|(name, _)| name).collect();
    assert_eq!(&names[..2], ["Authentication-Results", "Received"]);
}

#[test]
fn several_from_fields_are_refused() {
    let Some(scene) = Scene::start("two-from-enforce", ENFORCE) else {
        return;
    };
    let message = [
        &b"From: a@plain.example\r\n"[..],
        &signed_letter("reject.example"),
    ]
    .concat();
    let outcome = scene.send(ALLOWED, "a@reject.example", &message);
    let reply = outcome.last();
    assert_eq!(reply.code, 550, "{reply:?}");
    assert!(
        reply.text().starts_with("5.7.1 ") && reply.text().contains("the message has 2 From fields"),
        "{reply:?}"
    );
    scene.service.messages(1)[0].says("author_domain=- dmarc=permerror disposition=reject action=reject");
    assert!(scene.postfix.sink.delivered().is_empty());
}

#[test]
fn several_from_fields_are_told_while_observing() {
    let Some(scene) = Scene::start("two-from-observe", "") else {
        return;
    };
    let message = [&b"From: a@plain.example\r\n"[..], &letter("a@reject.example")].concat();
    let outcome = scene.send(STRANGER, "a@plain.example", &message);
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    assert!(results.contains("dmarc=permerror reason="), "{results}");
    assert!(results.contains("the message has 2 From fields"), "{results}");
    assert_eq!(delivered.values("From").len(), 2);
    line.says("author_domain=- dmarc=permerror action=accept enforced_action=reject");
}

/// RFC 5322 §4.5 lets old programs put white space before the colon; it is a From field
/// all the same, alone or as the second one.
#[test]
fn white_space_before_the_colon_hides_no_from_field() {
    let Some(scene) = Scene::start("from-space", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let spaced = String::from_utf8_lossy(&letter("a@reject.example")).replacen("From:", "From :", 1);
    let outcome = send(&mut smtp, &envelope("a@reject.example"), spaced.as_bytes());
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let two = [&b"From: a@plain.example\r\n"[..], spaced.as_bytes()].concat();
    let outcome = send(&mut smtp, &envelope("a@plain.example"), &two);
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let lines = scene.service.messages(2);
    lines[0].says("author_domain=reject.example dmarc=fail action=reject");
    lines[1].says("author_domain=- dmarc=permerror action=reject");
}

#[test]
fn octets_above_ascii_keep_their_signature() {
    let Some(scene) = Scene::start("latin-1", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let message = b"From: J\xfcrgen <a@reject.example>\r\nSubject: sch\xf6ne Gr\xfc\xdfe\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\
        \r\nsch\xf6n \xff\xfe\r\n";
    for canonicalization in [Canonicalization::Simple, Canonicalization::Relaxed] {
        let signer = Signer {
            canonicalization,
            ..Signer::relaxed("reject.example")
        };
        let mut envelope = envelope("a@reject.example");
        envelope.parameters = "BODY=8BITMIME";
        let outcome = send(&mut smtp, &envelope, &signer.sign(message));
        let (delivered, line) = scene.delivered(&outcome);
        line.says("author_domain=reject.example dkim=pass dmarc=pass");
        assert_eq!(delivered.body(), b"sch\xf6n \xff\xfe\r\n");
        let subject = b"\r\nSubject: sch\xf6ne Gr\xfc\xdfe\r\n";
        let kept = delivered
            .message
            .windows(subject.len())
            .any(|octets| octets == subject);
        assert!(kept, "{:?}", delivered.fields());
    }
}

#[test]
fn internationalized_addresses_are_judged_by_their_a_labels() {
    let Some(scene) = Scene::start("eai", ENFORCE) else {
        return;
    };
    let message = letter("Jürgen <jürgen@bücher.example>");
    let envelope = Envelope {
        mail_from: "jürgen@bücher.example",
        parameters: "BODY=8BITMIME SMTPUTF8",
        rcpt_to: &[RECIPIENT],
    };
    let outcome = send(&mut scene.client(ALLOWED), &envelope, &message);
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    assert!(
        results.contains("smtp.mailfrom=xn--bcher-kva.example"),
        "{results}"
    );
    assert!(results.contains("header.from=xn--bcher-kva.example"), "{results}");
    line.says("author_domain=xn--bcher-kva.example policy_domain=xn--bcher-kva.example spf=pass dmarc=pass");

    let outcome = send(&mut scene.client(STRANGER), &envelope, &message);
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
}

/// Simple canonicalization changes no octet, so each blank after a colon and each fold
/// must come through the milter protocol as it was sent.
#[test]
fn simple_signatures_survive_odd_white_space() {
    let Some(scene) = Scene::start("simple", ENFORCE) else {
        return;
    };
    let fields = "From: a@reject.example\r\nSubject:no blank\r\nX-Three:   three blanks\r\n\
        X-Tab:\tone tab\r\nX-Fold:\r\n\tfolded at once\r\n   and again\r\nX-Trail: to the right \t \r\n\
        X-Inner: a  b \t c\r\n\t \td\r\nX-Empty:\r\nX-Blank: \r\nx-CASE: Case\r\n";
    let message = format!("{fields}\r\n  odd \t body \r\n\r\nwith blanks  \r\n\r\n\r\n");
    let signer = Signer {
        canonicalization: Canonicalization::Simple,
        fields: &[
            "X-Three", "X-Tab", "X-Fold", "X-Trail", "X-Inner", "X-Empty", "X-Blank", "X-Case",
        ],
        ..Signer::relaxed("reject.example")
    };
    let outcome = scene.send(STRANGER, "a@reject.example", &signer.sign(message.as_bytes()));
    let (delivered, line) = scene.delivered(&outcome);
    line.says("dkim=pass dmarc=pass");
    let header = String::from_utf8_lossy(delivered.header()).into_owned();
    assert!(header.contains(fields), "{header}");
}
