//! Relays that misbehave, each in its own way: the state of the message, its reason in `outbox list`, and how
//! it goes on.

use landmarc_testkit::relay::{At, Fault, Script, Tls, What};
use serde_json::{Value, json};

use super::{AFTER_JUNE_1, JUNE_1, World, message};

/// When a message that was deferred is tried again; `report.retry_first` is 15 minutes, give or take.
const LATER: &str = "2026-06-02T02:00:00Z";

/// What becomes of one message at a relay with a fault, and once the relay is sound.
struct Case<'a> {
    name: &'a str,
    settings: &'a str,
    script: Script,
    state: &'a str,
    /// What the reason has in it.
    reason: &'a str,
    /// What becomes of it later.
    then: &'a str,
}

impl Case<'_> {
    /// The messages that the relay has in the end.
    #[track_caller]
    fn runs(self) -> World {
        let Case {
            name,
            settings,
            script,
            state,
            reason,
            then,
        } = self;
        let world = World::with_script(&format!("relays-{name}"), settings, script);
        world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
        let (code, summary) = world.send(AFTER_JUNE_1);
        assert_eq!(code, 1, "{summary}");
        let message = only(&world);
        assert_eq!(message["state"], state, "{message}");
        let printed = message["reason"].as_str().unwrap_or_default();
        assert!(printed.contains(reason), "{printed}");
        assert_eq!(message["sender"], json!(null), "{message}");

        world.relay.set(Script::default());
        world.send(LATER);
        let message = only(&world);
        assert_eq!(message["state"], then, "{message}");
        world
    }
}

fn only(world: &World) -> Value {
    let messages = world.list(&[]);
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    message.clone()
}

fn with(fault: Fault) -> Script {
    Script {
        faults: vec![fault],
        ..Script::default()
    }
}

fn say(at: At, reply: &str) -> Script {
    with(Fault::new(at, What::Say(reply.to_owned())))
}

#[test]
fn a_refusal_for_good_at_the_end_ends_the_message() {
    let world = Case {
        name: "5xx",
        settings: "",
        script: say(At::EndOfData, "554 5.6.0 not like this"),
        state: "given_up",
        reason: "554 5.6.0 not like this",
        then: "given_up",
    }
    .runs();
    assert!(world.relay.messages().iter().all(|message| !message.answered));
}

#[test]
fn a_refusal_for_now_is_tried_again() {
    Case {
        name: "4xx",
        settings: "",
        script: say(At::EndOfData, "451 4.3.0 disk full"),
        state: "deferred",
        reason: "451 4.3.0 disk full",
        then: "delivered",
    }
    .runs();
}

#[test]
fn a_connection_that_breaks_within_the_text_leaves_the_message_to_be_sent_whole() {
    let world = Case {
        name: "mid-data",
        settings: "",
        script: with(Fault::new(At::Text(200), What::Drop)),
        state: "deferred",
        reason: "",
        then: "delivered",
    }
    .runs();
    assert_eq!(world.relay.messages().len(), 1, "no half message counts as one");
}

/// RFC 5321 §6.1: the one case in which a message may come twice, and then as the same one.
#[test]
fn a_250_that_is_lost_brings_the_same_message_again() {
    let world = Case {
        name: "lost-250",
        settings: "",
        script: with(Fault::new(At::EndOfData, What::TakeAndDrop)),
        state: "deferred",
        reason: "",
        then: "delivered",
    }
    .runs();
    let messages = world.relay.messages();
    let [first, second] = &messages[..] else {
        panic!("{} messages", messages.len());
    };
    assert_eq!((&first.text, &first.mail_from), (&second.text, &second.mail_from));
}

#[test]
fn a_relay_that_hangs_holds_nobody_for_ever() {
    Case {
        name: "hang",
        settings: "report.delivery.timeout = \"10s\"",
        script: with(Fault::new(At::Rcpt, What::Hang)),
        state: "deferred",
        reason: "",
        then: "delivered",
    }
    .runs();
}

/// Nothing is said of the message, so it stays queued; but whoever looks at it is told.
#[test]
fn without_the_starttls_that_is_required_no_message_leaves() {
    let name = "no-starttls";
    let world = World::with_script(
        &format!("relays-{name}"),
        "",
        Script {
            tls: Tls::None,
            ..Script::default()
        },
    );
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    let settings = std::fs::read_to_string(world.settings()).unwrap();
    let required = settings.replace("delivery.tls = \"none\"", "delivery.tls = \"required\"");
    std::fs::write(world.settings(), &required).unwrap();
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(code, 1, "{summary}");
    assert!(
        summary["relay"].as_str().unwrap().contains("STARTTLS"),
        "{summary}"
    );
    let message = only(&world);
    assert_eq!(
        (&message["state"], &message["attempts"]),
        (&json!("queued"), &json!(0)),
        "{message}"
    );
    let printed = message["reason"].as_str().unwrap_or_default();
    assert!(
        printed.contains("takes no messages") && printed.contains("STARTTLS"),
        "{printed}"
    );
    assert!(world.relay.messages().is_empty());

    std::fs::write(world.settings(), settings).unwrap();
    world.send(LATER);
    assert_eq!(only(&world)["state"], "delivered");
}
