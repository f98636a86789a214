//! Relays that misbehave, each in its own way: the state of the letter, its reason in `outbox list`, and how
//! it goes on.

use landmarc_testkit::relay::{At, Fault, Script, Tls, What};
use serde_json::{Value, json};

use super::{AFTER_JUNE_1, JUNE_1, World, message};

/// When a letter that was deferred is tried again; `report.retry_first` is 15 minutes, give or take.
const LATER: &str = "2026-06-02T02:00:00Z";

/// What becomes of one letter at a relay with a fault, and once the relay is sound.
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
    /// The letters that the relay has in the end.
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
        let letter = only(&world);
        assert_eq!(letter["state"], state, "{letter}");
        let told = letter["reason"].as_str().unwrap_or_default();
        assert!(told.contains(reason), "{told}");
        assert_eq!(letter["sender"], json!(null), "{letter}");

        world.relay.set(Script::default());
        world.send(LATER);
        let letter = only(&world);
        assert_eq!(letter["state"], then, "{letter}");
        world
    }
}

fn only(world: &World) -> Value {
    let letters = world.list(&[]);
    let [letter] = &letters[..] else {
        panic!("{letters:?}");
    };
    letter.clone()
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
fn a_refusal_for_good_at_the_end_ends_the_letter() {
    let world = Case {
        name: "5xx",
        settings: "",
        script: say(At::EndOfData, "554 5.6.0 not like this"),
        state: "given_up",
        reason: "554 5.6.0 not like this",
        then: "given_up",
    }
    .runs();
    assert!(world.relay.letters().iter().all(|letter| !letter.answered));
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
fn a_connection_that_breaks_within_the_text_leaves_the_letter_to_be_sent_whole() {
    let world = Case {
        name: "mid-data",
        settings: "",
        script: with(Fault::new(At::Text(200), What::Drop)),
        state: "deferred",
        reason: "",
        then: "delivered",
    }
    .runs();
    assert_eq!(world.relay.letters().len(), 1, "no half letter counts as one");
}

/// RFC 5321 §6.1: the one case in which a letter may come twice, and then as the same one.
#[test]
fn a_250_that_is_lost_brings_the_same_letter_again() {
    let world = Case {
        name: "lost-250",
        settings: "",
        script: with(Fault::new(At::EndOfData, What::TakeAndDrop)),
        state: "deferred",
        reason: "",
        then: "delivered",
    }
    .runs();
    let letters = world.relay.letters();
    let [first, second] = &letters[..] else {
        panic!("{} letters", letters.len());
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

/// Nothing is said of the letter, so it stays queued; but whoever looks at it is told.
#[test]
fn without_the_starttls_that_is_required_no_letter_leaves() {
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
    let letter = only(&world);
    assert_eq!(
        (&letter["state"], &letter["attempts"]),
        (&json!("queued"), &json!(0)),
        "{letter}"
    );
    let told = letter["reason"].as_str().unwrap_or_default();
    assert!(
        told.contains("the relay takes no letters") && told.contains("STARTTLS"),
        "{told}"
    );
    assert!(world.relay.letters().is_empty());

    std::fs::write(world.settings(), settings).unwrap();
    world.send(LATER);
    assert_eq!(only(&world)["state"], "delivered");
}
