//! Messages that are not judged, copies for a human, and the operator's words in replies.

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Edit, Mail, Mta, Offer, Outcome, Verdict};

use crate::serve::for_mta;
use crate::service::{Service, Socket};
use crate::world::{ALLOWED, RECIPIENT, STRANGER, Scene, envelope, letter, queue_id, send, zones};

const ENFORCE: &str = "mode = \"enforce\"\n";
/// Results in our name that somebody else wrote.
const FORGED: &str = "Authentication-Results: mail.example.net; dmarc=pass\r\n";

/// The service, and what it asks, with a scripted MTA for each message.
struct Stage {
    service: Service,
    _dns: DnsServer,
}

impl Stage {
    fn new(name: &str, settings: &str) -> Self {
        let dns = DnsServer::start(zones());
        let service = Service::start(name, Socket::Inet, dns.addr(), settings);
        Self { service, _dns: dns }
    }

    /// Delivers it in a session of its own.
    fn deliver(&self, mail: &Mail) -> Outcome {
        self.deliver_by(mail, Offer::POSTFIX)
    }

    fn deliver_by(&self, mail: &Mail, offer: Offer) -> Outcome {
        let mut mta = Mta::connect_with(&for_mta(self.service.milter()), offer).unwrap();
        mta.deliver(mail).unwrap()
    }

    /// Delivers it under this name, and asserts that it is not judged, for this reason.
    #[track_caller]
    fn skips(&self, queue_id: &str, mail: &Mail, why: &str) -> Outcome {
        let outcome = self.deliver(&named(mail, queue_id));
        assert_eq!(outcome.verdict, Verdict::Accept, "{queue_id}");
        let line = self.service.message(queue_id);
        assert_eq!(line.keys, ["queue_id", "client", "skipped", "interface"]);
        line.says(&format!("skipped={why}"));
        outcome
    }

    /// Delivers it under this name, and asserts that it is refused, as a spoof is.
    #[track_caller]
    fn refuses(&self, queue_id: &str, mail: &Mail) -> String {
        match self.deliver(&named(mail, queue_id)).verdict {
            Verdict::Reply(reply) => reply,
            other => panic!("{queue_id}: {other:?}"),
        }
    }
}

/// The same under another queue id.
fn named(mail: &Mail, queue_id: &str) -> Mail {
    with_macro(mail, "i", queue_id)
}

fn with_macro(mail: &Mail, name: &str, value: &str) -> Mail {
    let mut mail = mail.clone();
    mail.macros.retain(|(other, _)| other != name);
    mail.macros.push((name.to_owned(), value.to_owned()));
    mail
}

/// From a client that may not send for its author's domain, with forged results on top.
fn spoof(author: &str) -> Mail {
    let text = [FORGED.as_bytes(), &letter(author)].concat();
    Mail {
        client: STRANGER.parse().ok(),
        client_name: "unknown".to_owned(),
        mail_from: format!("<{author}>"),
        rcpt_to: vec![format!("<{RECIPIENT}>")],
        ..Mail::plain()
    }
    .with_text(&text)
}

/// How an MTA is told to take the forged results off, and nothing else.
fn forged_results_go(outcome: &Outcome) {
    let [Edit::Change { nth: 1, name, value }] = &outcome.edits[..] else {
        panic!("{:?}", outcome.edits);
    };
    assert_eq!(
        (&name[..], &value[..]),
        (&b"Authentication-Results"[..], &b""[..])
    );
}

/// P17 and M7: clients of ours are not judged, by the name that the MTA has verified.
#[test]
fn p17_m7_trusted_names_are_not_judged_unless_their_network_is_excepted() {
    let settings = format!(
        "{ENFORCE}clients.trusted_names = [\"mx.partner.example\", \"*.out.example\"]\n\
         clients.trusted_networks_except = [\"203.0.113.0/24\"]\n"
    );
    let stage = Stage::new("skip-names", &settings);
    let called = |name: &str| Mail {
        client_name: name.to_owned(),
        ..spoof("a@reject.example")
    };
    let trusted = called("mx.partner.example");
    let outcome = stage.skips("N1", &trusted, "trusted_name");
    assert_eq!(outcome.edits, [], "our own systems may write results in our name");
    stage.skips("N2", &called("MX7.out.example"), "trusted_name");
    stage.refuses("N3", &called("out.example"));
    let excepted = Mail {
        client: "203.0.113.9".parse().ok(),
        ..trusted.clone()
    };
    stage.refuses("N4", &excepted);
    // Sendmail passes on what the client's own reverse zone says.
    stage.refuses("N5", &with_macro(&trusted, "{client_resolve}", "FORGED"));
    stage.skips(
        "N6",
        &with_macro(&trusted, "{client_resolve}", "OK"),
        "trusted_name",
    );
}

/// P18: and whoever writes such a From field does not get results past us.
#[test]
fn p18_an_author_domain_is_not_judged_but_its_forged_results_go() {
    let settings = format!("{ENFORCE}clients.skip_author_domains = [\"reject.example\"]\n");
    let stage = Stage::new("skip-author", &settings);
    let outcome = stage.skips("A1", &spoof("a@reject.example"), "author_domain");
    forged_results_go(&outcome);
    stage.refuses("A2", &spoof("a@ghost.existing.example"));
    let two = [FORGED.as_bytes(), &letter("a@reject.example, b@mail.sub.example")].concat();
    stage.refuses("A3", &spoof("a@reject.example").with_text(&two));
    let nobody = spoof("a@reject.example").with_text(b"From: a@reject.example <\r\n\r\n");
    stage.refuses("A4", &nobody);
}

/// P41, IgnoreMailTo
#[test]
fn p41_a_message_for_listed_recipients_only_is_not_judged_but_its_forged_results_go() {
    let settings =
        format!("{ENFORCE}clients.skip_recipients = [\"abuse@here.example\", \"*.lists.example\"]\n");
    let stage = Stage::new("skip-recipients", &settings);
    let to = |recipients: &[&str]| Mail {
        rcpt_to: recipients.iter().map(|one| format!("<{one}>")).collect(),
        ..spoof("a@reject.example")
    };
    let both = to(&["Abuse@here.example", "news@a.lists.example"]);
    forged_results_go(&stage.skips("R1", &both, "recipient"));
    stage.refuses("R2", &to(&["abuse@here.example", RECIPIENT]));
    stage.refuses("R3", &to(&[RECIPIENT, "abuse@here.example"]));
    stage.refuses("R4", &to(&["news@lists.example"]));
    // More recipients than are kept are counted all the same.
    let mut many = vec!["abuse@here.example"; 1_001];
    many.push(RECIPIENT);
    stage.refuses("R5", &to(&many));
    many.pop();
    stage.skips("R6", &to(&many), "recipient");
}

/// P41, RejectString: the operator's words and codes.
#[test]
fn p41_a_refusal_says_what_the_operator_wants_it_to_say() {
    let settings = format!(
        "{ENFORCE}action.reject_code = 554\naction.reject_enhanced = \"5.7.26\"\n\
         action.reject_text = \"{{author_domain}} {{policy_domain}} {{client}} {{reason}} ({{id}})\"\n\
         action.unusable_author_text = \"no author: {{reason}}, {{client}}\"\n"
    );
    let stage = Stage::new("skip-texts", &settings);
    let reply = stage.refuses("T1", &spoof("a@mail.sub.example"));
    let line = stage.service.message("T1");
    let expected = format!(
        "554 5.7.26 mail.sub.example sub.example {STRANGER} {} ({})",
        line.get("cause"),
        line.get("id")
    );
    assert_eq!(reply.replace("%%", "%"), expected);
    let broken = spoof("a@reject.example").with_text(b"From: a@reject.example <\r\n\r\n");
    let reply = stage.refuses("T2", &broken);
    assert!(
        reply.starts_with("554 5.7.26 no author: ") && reply.ends_with(&format!(", {STRANGER}")),
        "{reply}"
    );
}

/// The same for the field that marks what is set aside.
#[test]
fn a_quarantined_message_is_marked_in_the_operators_words() {
    let settings =
        format!("{ENFORCE}action.quarantine_text = \"{{policy_domain}} does not know {{client}}\"\n");
    let stage = Stage::new("skip-quarantine-text", &settings);
    let outcome = stage.deliver(&spoof("a@quarantine.example"));
    let marks = outcome.edits.iter().filter_map(|edit| match edit {
        Edit::Insert { name, value, .. } if name == b"DMARC-Quarantine" => Some(value.trim_ascii()),
        _ => None,
    });
    let expected = format!("quarantine.example does not know {STRANGER}");
    assert_eq!(marks.collect::<Vec<_>>(), [expected.as_bytes()]);
}

fn added(outcome: &Outcome) -> Vec<String> {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let added = outcome.edits.iter().filter_map(|edit| match edit {
        Edit::AddRcpt(path) => Some(text(path)),
        Edit::AddRcptWithParameters { path, parameters } => {
            Some(format!("{} {}", text(path), text(parameters)))
        }
        _ => None,
    });
    added.collect()
}

const COPY: &str = "action.copy_to = \"dmarc@here.example\"\n";
/// Without the parameter the sender that a spoof pretends to be from would hear of it where the
/// copy cannot be delivered (RFC 3461 §4.1).
const COPIED: [&str; 1] = ["<dmarc@here.example> NOTIFY=NEVER"];

/// P9: and while observing it is the very thing one wants to look at.
#[test]
fn p09_a_message_taken_against_its_policy_gets_one_recipient_more() {
    let stage = Stage::new("copy", COPY);
    for author in ["a@reject.example", "a@quarantine.example", "a@mail.sub.example"] {
        assert_eq!(added(&stage.deliver(&spoof(author))), COPIED, "{author}");
    }
    let allowed = Mail {
        client: ALLOWED.parse().ok(),
        ..spoof("a@reject.example")
    };
    let local = Mail {
        client: "127.0.0.1".parse().ok(),
        ..spoof("a@reject.example")
    };
    let reader = Mail {
        rcpt_to: vec![format!("<{RECIPIENT}>"), "<DMARC@Here.Example>".to_owned()],
        ..spoof("a@reject.example")
    };
    for (mail, why) in [
        (spoof("a@sub.example"), "p=none"),
        (spoof("a@plain.example"), "no record"),
        (spoof("a@broken.example"), "no answer"),
        (allowed, "it passes"),
        (local, "it is not judged"),
        (reader, "it is a recipient already"),
    ] {
        assert_eq!(added(&stage.deliver(&mail)), [""; 0], "{why}");
    }
}

#[test]
fn p09_a_refused_message_is_not_copied_and_a_held_one_is() {
    let stage = Stage::new(
        "copy-enforce",
        &format!("{ENFORCE}{COPY}action.quarantine = \"hold\"\n"),
    );
    stage.refuses("C1", &spoof("a@reject.example"));
    let held = stage.deliver(&spoof("a@quarantine.example"));
    assert_eq!(added(&held), COPIED);
    assert!(held.edits.iter().any(|edit| matches!(edit, Edit::Quarantine(_))));
}

/// What SMFIF_ADDRCPT and SMFIF_ADDRCPT_PAR are.
const ADD_RECIPIENTS: u32 = 0x04;
const ADD_RECIPIENTS_WITH_PARAMETERS: u32 = 0x80;

/// Sendmail before 8.14 is one; its operator is not told that something is missing.
#[test]
fn p09_an_mta_that_takes_no_parameters_gets_the_recipient_without() {
    let stage = Stage::new("copy-plain", COPY);
    let offer = Offer {
        actions: Offer::POSTFIX.actions & !ADD_RECIPIENTS_WITH_PARAMETERS,
        ..Offer::POSTFIX
    };
    let outcome = stage.deliver_by(&named(&spoof("a@reject.example"), "E1"), offer);
    assert_eq!(added(&outcome), ["<dmarc@here.example>"]);
    stage.service.message("E1");
    let log = stage.service.log().join("\n");
    assert!(!log.contains("not allow actions"), "{log}");
}

#[test]
fn p09_an_mta_that_lets_no_recipient_be_added_is_told_of_once() {
    let stage = Stage::new("copy-denied", COPY);
    let offer = Offer {
        actions: Offer::POSTFIX.actions & !(ADD_RECIPIENTS | ADD_RECIPIENTS_WITH_PARAMETERS),
        ..Offer::POSTFIX
    };
    for queue_id in ["D1", "D2"] {
        let outcome = stage.deliver_by(&named(&spoof("a@reject.example"), queue_id), offer);
        assert_eq!(outcome.verdict, Verdict::Accept);
        assert_eq!(added(&outcome), [""; 0]);
        stage.service.message(queue_id);
    }
    let log = stage.service.log().join("\n");
    assert_eq!(
        log.matches("nobody gets the copies of action.copy_to").count(),
        1,
        "{log}"
    );
}

/// P9, through Postfix: the copy arrives, and nobody is told if it could not.
#[test]
fn p09_the_copy_arrives() {
    let Some(scene) = Scene::start("copy-postfix", COPY) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let from = envelope("ceo@reject.example");
    let outcome = send(&mut smtp, &from, &letter("ceo@reject.example"));
    let (delivered, line) = scene.delivered(&outcome);
    line.says("dmarc=fail disposition=none action=accept enforced_action=reject");
    assert_eq!(
        delivered.rcpt_to,
        [format!("<{RECIPIENT}>"), "<dmarc@here.example>".to_owned()]
    );
    let is_silent = |parameters: &String| parameters.split(' ').any(|one| one == "NOTIFY=NEVER");
    let silent: Vec<_> = delivered.rcpt_parameters.iter().map(is_silent).collect();
    assert_eq!(silent, [false, true], "{:?}", delivered.rcpt_parameters);
    let outcome = send(&mut smtp, &from, &letter("a@plain.example"));
    let delivered = scene
        .postfix
        .sink
        .wait_for(queue_id(&outcome))
        .expect("delivered");
    assert_eq!(delivered.rcpt_to, [format!("<{RECIPIENT}>")]);
}
