//! What is not sent, or not at once: each with its state and its reason.

use landmarc_auth::lookup::Fault as DnsFault;
use landmarc_testkit::dns_name;
use landmarc_testkit::relay::{At, Fault, Script, What};
use serde_json::json;

use super::{AFTER_JUNE_1, JUNE_1, World, message, zones};

fn say(at: At, reply: &str) -> Fault {
    Fault::new(at, What::Say(reply.to_owned()))
}

fn with_fault(name: &str, settings: &str, fault: Fault) -> World {
    let script = Script {
        faults: vec![fault],
        ..Script::default()
    };
    let world = World::with_script(name, settings, script);
    world.record([message(
        JUNE_1,
        "b.example",
        &["mailto:dmarc@b.example", "mailto:too@b.example"],
    )]);
    world
}

#[test]
fn a_refused_recipient_is_given_up_and_the_other_one_delivered() {
    let world = with_fault(
        "one-of-two",
        "",
        say(At::Rcpt, "550 5.1.1 no such user").to("dmarc@b.example"),
    );
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(code, 1, "{summary}");
    let states = world.states();
    let state = |address: &str, state: &str| (address.to_owned(), state.to_owned());
    assert_eq!(
        states,
        [
            state("dmarc@b.example", "given_up"),
            state("too@b.example", "delivered")
        ]
    );
    let given_up = &world.list(&["--state", "given_up"])[0];
    assert!(
        given_up["reason"].as_str().unwrap().contains("550 5.1.1"),
        "{given_up}"
    );
    // The next day's message to it is not even tried.
    world.record([message(
        JUNE_1 + 86_400_000,
        "b.example",
        &["mailto:dmarc@b.example"],
    )]);
    let before = world.relay.commands().len();
    let (code, summary) = world.send("2026-06-03T00:15:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["suppressed"]),
        (0, &json!(1)),
        "{summary}"
    );
    assert_eq!(world.relay.commands().len(), before);
}

#[test]
fn a_deferred_message_is_tried_again_when_its_time_has_come_and_given_up_at_last() {
    let world = with_fault("deferred", "", say(At::Rcpt, "451 4.3.0 later"));
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(
        (code, &summary["deliveries"]["deferred"]),
        (1, &json!(2)),
        "{summary}"
    );
    // Not before its time.
    let (_, summary) = world.send("2026-06-02T00:21:00Z");
    assert_eq!(
        (&summary["deliveries"]["deferred"], &summary["waiting"]),
        (&json!(0), &json!(2))
    );
    let (_, summary) = world.send("2026-06-02T02:00:00Z");
    assert_eq!(summary["deliveries"]["deferred"], 2);
    assert_eq!(world.list(&["--state", "deferred"])[0]["attempts"], 2);
    // report.give_up_after is four days.
    let (code, summary) = world.send("2026-06-06T12:00:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["given_up"]),
        (1, &json!(2)),
        "{summary}"
    );
    let given_up = &world.list(&["--state", "given_up"])[0];
    assert!(
        given_up["reason"]
            .as_str()
            .unwrap()
            .contains("given up after 4 days"),
        "{given_up}"
    );
    // And the operator may try again.
    world.relay.set(Script::default());
    let now = "2026-06-06T13:00:00Z";
    let ran = world.outbox(&["retry", "--all-given-up", "--now", now]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "queued again: 2\n"),
        "{}",
        ran.stderr
    );
    let (code, summary) = world.send(now);
    assert_eq!(
        (code, &summary["deliveries"]["delivered"]),
        (0, &json!(2)),
        "{summary}"
    );
}

/// Nothing is blamed on destinations.
#[test]
fn a_relay_that_takes_nothing_holds_messages_up_and_counts_against_none() {
    let world = with_fault("relay", "", say(At::Greeting, "554 go away"));
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!((code, &summary["waiting"]), (1, &json!(2)), "{summary}");
    assert!(summary["relay"].as_str().unwrap().contains("554"), "{summary}");
    for message in world.list(&[]) {
        assert_eq!(
            (&message["state"], &message["attempts"], &message["sender"]),
            (&json!("queued"), &json!(0), &json!(null))
        );
    }
    world.relay.set(Script::default());
    let (code, summary) = world.send("2026-06-02T00:21:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["delivered"]),
        (0, &json!(2)),
        "{summary}"
    );
}

/// XD05, XD06, XD11, XD18; and addresses that are traps.
#[test]
fn destinations_that_may_not_have_it_get_nothing_and_the_reason_is_told() {
    let world = World::start("unauthorised", "");
    world.record([
        message(JUNE_1, "a.example", &["mailto:spy@third.example"]),
        message(JUNE_1, "b.example", &["https://collector.example/"]),
        message(JUNE_1, "c.example", &["mailto:a%0d%0aRCPT%20TO@c.example"]),
        message(JUNE_1, "third.example", &[]),
        message(JUNE_1, "nowhere.example", &["mailto:dmarc@nowhere.example"]),
    ]);
    let ran = world.outbox(&["due", "--now", AFTER_JUNE_1]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(
        (code, &summary["days"][0]["skipped"]),
        (0, &json!(5)),
        "{summary}"
    );
    assert!(world.relay.messages().is_empty() && world.list(&[]).is_empty());
    for domain in [
        "a.example",
        "b.example",
        "c.example",
        "third.example",
        "nowhere.example",
    ] {
        assert!(ran.stdout.contains(domain), "{}", ran.stdout);
    }
    assert_eq!(ran.stdout.matches("nobody: ").count(), 5, "{}", ran.stdout);
}

/// XD14: nothing goes out unverified, and nothing is lost.
#[test]
fn a_destination_that_dns_says_nothing_about_waits_until_it_does() {
    let world = World::start("unanswered", "dns.question_timeout = \"1s\"");
    let mut broken = zones();
    let authorisation = "a.example._report._dmarc.third.example";
    broken.set_others(dns_name(authorisation), DnsFault::ServFail);
    world.dns.set_zones(broken);
    world.record([message(
        JUNE_1,
        "a.example",
        &["mailto:dmarc@a.example", "mailto:dmarc@third.example"],
    )]);
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(code, 1, "{summary}");
    assert_eq!(world.messages_to("dmarc@a.example").len(), 1);
    assert!(world.messages_to("dmarc@third.example").is_empty());
    let waits = &world.list(&["--state", "deferred"])[0];
    assert_eq!(waits["destination"], "dmarc@third.example", "{waits}");
    let mut mended = zones();
    mended.add_txt(dns_name(authorisation), b"v=DMARC1");
    world.dns.set_zones(mended);
    let (code, summary) = world.send("2026-06-02T03:00:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["delivered"]),
        (0, &json!(1)),
        "{summary}"
    );
    assert_eq!(world.messages_to("dmarc@third.example").len(), 1);
}
