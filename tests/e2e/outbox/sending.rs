//! The whole way: from the tally of a day to the messages that the relay has.

use std::time::Duration;

use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_intake::{MailLimits, open_mail};
use landmarc_testkit::relay::{At, Fault, Script, What};
use serde_json::json;

use super::{AFTER_JUNE_1, EMAIL, JUNE_1, SUBMITTER, World, message, message_from};

const HOUR: u64 = 3_600_000;

fn two_domains(world: &World) {
    let rua = ["mailto:dmarc@a.example"];
    world.record([
        message(JUNE_1, "a.example", &rua),
        message(JUNE_1 + HOUR, "a.example", &rua),
        message_from(JUNE_1 + 2 * HOUR, "a.example", &rua, [192, 0, 2, 8].into()),
        message(
            JUNE_1 + 3 * HOUR,
            "b.example",
            &["mailto:dmarc@b.example", "mailto:too@b.example"],
        ),
        // The day after is not over.
        message(JUNE_1 + 24 * HOUR, "a.example", &rua),
    ]);
}

/// Checklist G1 to G10.
#[test]
fn a_closed_day_is_reported_once_to_each_destination() {
    let world = World::start("once", "");
    two_domains(&world);
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(code, 0, "{summary}");
    assert_eq!(
        summary["days"][0],
        json!({"day": "2026-06-01", "domains": 2, "reports": 2, "messages": 4, "deliveries": 3, "skipped": 0,
               "limited": 0, "settled_before": 0, "done": true})
    );
    assert_eq!(summary["deliveries"]["delivered"], 3);
    let messages = world.relay.messages();
    assert_eq!(messages.len(), 3);
    let to_a = world.messages_to("dmarc@a.example");
    let [message] = &to_a[..] else {
        panic!("{to_a:?}");
    };
    assert!(
        message.mail_from.starts_with("noreply+r")
            && message.mail_from.ends_with("@reports.receiver.example"),
        "{}",
        message.mail_from
    );
    assert_eq!(message.rcpt_to, ["dmarc@a.example"]);
    let text = String::from_utf8(message.text.clone()).unwrap();
    for line in [
        format!("<{EMAIL}>"),
        "Auto-Submitted: auto-generated".to_owned(),
        "DKIM-Signature: v=1; a=ed25519-sha256;".to_owned(),
        format!("d={SUBMITTER};"),
        format!("Submitter: {SUBMITTER}"),
        "Date: Tue, 02 Jun 2026 00:20:".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    // And nothing is due any more.
    let (code, again) = world.send("2026-06-02T06:00:00Z");
    assert_eq!(
        (code, &again["days"], &again["deliveries"]["delivered"]),
        (0, &json!([]), &json!(0))
    );
    assert_eq!(world.relay.messages().len(), 3);
}

/// The sum over all rows is what came, and a reader of ours reads what we wrote.
#[test]
fn the_report_says_what_was_counted() {
    let world = World::start("counted", "");
    two_domains(&world);
    world.send(AFTER_JUNE_1);
    let message = &world.messages_to("dmarc@a.example")[0];
    let mail = open_mail(&message.text, &MailLimits::default()).unwrap();
    let [carried] = &mail.carried[..] else {
        panic!("{mail:?}");
    };
    let reading = read(&carried.octets, &ReadLimits::default()).unwrap();
    assert!(reading.deviations.is_empty(), "{:?}", reading.deviations);
    let report = reading.report;
    assert_eq!(report.policy.domain, "a.example");
    assert_eq!(report.metadata.organization, "Receiver & Co");
    assert_eq!(
        (report.metadata.period.begin, report.metadata.period.end),
        (1_780_272_000, 1_780_358_399)
    );
    let mut counts: Vec<_> = report
        .rows
        .iter()
        .map(|row| (row.key.source_ip.to_string(), row.count))
        .collect();
    counts.sort();
    assert_eq!(counts, [("192.0.2.7".to_owned(), 2), ("192.0.2.8".to_owned(), 1)]);
    // The same id everywhere (G8).
    let subject = mail.subject.unwrap();
    let listed = world.list(&["--destination", "dmarc@a.example"]);
    assert_eq!(
        subject.report_id.as_deref(),
        Some(report.metadata.report_id.as_str())
    );
    assert_eq!(listed[0]["report_id"], report.metadata.report_id);
}

/// A 250 that was lost: the only way to a second message, under the same Message-ID and octet by octet the
/// same (GR20).
#[test]
fn a_message_that_is_sent_again_is_the_same_message() {
    let script = Script {
        faults: vec![Fault::new(At::EndOfData, What::TakeAndDrop).times(1)],
        ..Script::default()
    };
    let world = World::with_script("again", "", script);
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(
        (code, &summary["deliveries"]["deferred"]),
        (1, &json!(1)),
        "{summary}"
    );
    let (code, summary) = world.send("2026-06-02T02:00:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["delivered"]),
        (0, &json!(1)),
        "{summary}"
    );
    let messages = world.relay.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].text, messages[1].text);
    assert_eq!(messages[0].mail_from, messages[1].mail_from);
}

#[test]
fn one_domain_can_be_sent_alone_and_others_left_out() {
    let world = World::start("selected", "");
    two_domains(&world);
    let send = |options: &[&str]| {
        let ran = world.outbox(&[&["send", "--now", AFTER_JUNE_1, "--json"], options].concat());
        assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
        ran.json()["deliveries"]["delivered"].clone()
    };
    assert_eq!(send(&["--domain", "A.example"]), json!(1));
    assert_eq!(send(&["--exclude-domain", "b.example"]), json!(0));
    assert_eq!(world.states().len(), 1, "b.example is not even made");
    assert_eq!(send(&[]), json!(2));
}

/// The service spreads them; a command that is told to respect that leaves them queued.
#[test]
fn the_spread_gives_each_domain_its_moment_unless_it_is_to_be_now() {
    let world = World::start("spread", "report.spread = \"4h\"");
    two_domains(&world);
    let spread = ["send", "--now", AFTER_JUNE_1, "--respect-spread", "--json"];
    let summary = world.outbox(&spread).json();
    let delivered = summary["deliveries"]["delivered"].as_u64().unwrap();
    let waiting = summary["waiting"].as_u64().unwrap();
    assert_eq!(delivered + waiting, 3, "{summary}");
    assert!(waiting > 0, "{summary}");
    let (_, summary) = world.send("2026-06-02T00:30:00Z");
    assert_eq!(summary["deliveries"]["delivered"], waiting);
    assert_eq!(world.relay.messages().len(), 3);
}

/// Killed while the relay has the text and has not said so: the message is free at once for the next
/// sender, and is the same.
#[test]
fn a_sender_that_is_killed_within_a_message_leaves_it_to_the_next_one() {
    let script = Script {
        faults: vec![Fault::new(At::EndOfData, What::Hang).times(1)],
        ..Script::default()
    };
    let world = World::with_script("killed", "", script);
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    let mut sender = world.begin(&["send", "--now", AFTER_JUNE_1]);
    let has_text = |log: &landmarc_testkit::relay::Log| !log.messages.is_empty();
    assert!(world.relay.wait_until(Duration::from_secs(60), has_text));
    sender.kill().unwrap();
    sender.wait().unwrap();
    world.relay.set(Script::default());
    let held = &world.list(&[])[0];
    assert_eq!(
        (&held["state"], held["sender"].is_string()),
        (&json!("queued"), true),
        "{held}"
    );
    let (code, summary) = world.send("2026-06-02T00:21:00Z");
    assert_eq!(
        (code, &summary["deliveries"]["delivered"]),
        (0, &json!(1)),
        "{summary}"
    );
    let sent = world.messages_to("dmarc@a.example");
    let message_id = held["message_id"].as_str().unwrap();
    let last = String::from_utf8(sent.last().unwrap().text.clone()).unwrap();
    assert!(last.contains(message_id), "{last}");
    assert_eq!(world.list(&[])[0]["state"], "delivered");
}
