//! What `due` and `send` tell: of each domain what became of it, and of each run whether somebody is to look.

use std::process::{Command, Stdio};
use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_testkit::relay::{At, Fault, Script};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{AFTER_JUNE_1, EMAIL, JUNE_1, World, message, without_warnings};
use crate::binary::executable;

/// A domain whose record has something for `rua` that nobody understands.
fn misspelt(domain: &str) -> Observation {
    let mut observation = message(JUNE_1, domain, &[]);
    if let Some(row) = &mut observation.row {
        row.published.problems = vec![
            "the tag pct has the value \"x\", which is not valid".to_owned(),
            format!("the tag rua has the item \"me@{domain}\", which is no usable URI"),
        ];
    }
    observation
}

/// One domain that gets a report, one that asks for none, one that cannot be understood.
fn three_domains(name: &str, settings: &str) -> World {
    let world = World::start(name, settings);
    world.record([
        message(JUNE_1, "a.example", &["mailto:dmarc@a.example"]),
        message(JUNE_1, "b.example", &[]),
        misspelt("c.example"),
    ]);
    world
}

#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

const OF_C: &str =
    "no usable address in rua: the tag rua has the item \"me@c.example\", which is no usable URI";

#[test]
fn when_a_day_is_made_it_is_still_told_who_got_no_report_and_why() {
    let world = three_domains("due-made", "");
    let due = ["due", "--now", AFTER_JUNE_1];
    let printed = |found: &[Value]| -> Vec<_> {
        let of = |row: &Value| {
            (
                row["state"].clone(),
                row["reports"].clone(),
                row["skipped"].clone(),
            )
        };
        found.iter().map(of).collect()
    };
    let skipped = [
        (json!("skipped"), json!(0), json!("the record has no rua")),
        (json!("skipped"), json!(0), json!(OF_C)),
    ];
    let before = objects(&world.outbox(&[&due[..], &["--json"]].concat()).stdout);
    assert_eq!(printed(&before)[0], (json!("due"), json!(1), Value::Null));
    assert_eq!(printed(&before)[1..], skipped);

    world.send(AFTER_JUNE_1);
    let named = world.outbox(&[&due[..], &["--day", "2026-06-01", "--json"]].concat());
    assert_eq!(
        (named.code, without_warnings(&named.stderr).as_str()),
        (
            0,
            "landmarc: 2026-06-01 is reported: 1 report, 2 domains without\n"
        )
    );
    let after = objects(&named.stdout);
    assert_eq!(printed(&after)[0], (json!("made"), json!(1), Value::Null));
    assert_eq!(printed(&after)[1..], skipped);
    assert_eq!(
        (&after[0]["deliveries"], &after[0]["messages"]),
        (&json!(1), &json!(1))
    );
    let text = world
        .outbox(&[&due[..], &["--day", "2026-06-01"]].concat())
        .stdout;
    assert!(
        text.contains("made: 1 report, 1 delivery") && text.contains(OF_C),
        "{text}"
    );

    let words = |options: &[&str]| {
        let ran = world.outbox(&[&due[..], options].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
        without_warnings(&ran.stderr)
    };
    insta::assert_snapshot!(words(&[]), @"
        landmarc: no report is due
        landmarc: 2026-06-01 is reported: 1 report, 2 domains without (landmarc outbox due --day 2026-06-01)
        ");
    insta::assert_snapshot!(words(&["--day", "2026-06-09"]), @"landmarc: 2026-06-09 is still to come");
    insta::assert_snapshot!(
        words(&["--day", "2026-05-20"]),
        @"landmarc: 2026-05-20 has no mail to report about"
    );
}

#[test]
fn it_is_told_that_reports_are_switched_off() {
    let world = three_domains("due-off", "report.aggregate = false");
    let printed = ["due", "send"].map(|command| {
        let ran = world.outbox(&[command, "--now", AFTER_JUNE_1]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        without_warnings(&ran.stderr)
    });
    insta::assert_snapshot!(
        printed[0],
        @"landmarc: aggregate reports are switched off (report.aggregate = false): none are made"
    );
    assert_eq!(printed[1], printed[0]);
}

/// The host takes one message a minute; the second one waits when the sign comes.
#[test]
fn a_run_that_is_stopped_says_so_at_once_and_ends_with_a_finding() {
    let world = World::start("stopped", "report.per_host = 1");
    let rua = ["mailto:dmarc@a.example", "mailto:too@a.example"];
    world.record([message(JUNE_1, "a.example", &rua)]);
    let mut command = Command::new(executable());
    command.args(world.line(&["send", "--now", AFTER_JUNE_1]));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let has_begun = |log: &landmarc_testkit::relay::Log| !log.messages.is_empty();
    assert!(world.relay.wait_until(Duration::from_mins(1), has_begun));
    let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(process, Signal::SIGTERM).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let (out, err) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(1), "{out} {err}");
    insta::assert_snapshot!(
        without_warnings(&err),
        @"landmarc: stopping: messages under way may end (10 s at most)"
    );
    insta::assert_snapshot!(out, @"
    2026-06-01: 1 report about 1 message, 2 deliveries
    deliveries: 1 delivered
    1 delivery still to be sent (landmarc outbox list)
    stopped before the end; nothing is lost
    ");
}

#[test]
fn a_rehearsal_has_the_keys_of_a_run_and_its_reports() {
    let world = three_domains("shape", "");
    let run = |options: &[&str]| {
        let line = [&["send", "--now", AFTER_JUNE_1, "--json"], options].concat();
        let ran = world.outbox(&line);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let dry = run(&["--dry-run"]);
    let sent_too = run(&["--no-update"]);
    let real = run(&[]);
    for key in real.as_object().unwrap().keys() {
        assert!(dry.get(key).is_some() && sent_too.get(key).is_some(), "{key}");
    }
    let modes = |of: fn(&Value) -> Value| [&dry, &sent_too, &real].map(of);
    assert_eq!(
        modes(|one| json!([
            one["mode"],
            one["dry_run"],
            one["deliveries"]["delivered"],
            one["waiting"]
        ])),
        [
            json!(["dry_run", true, 0, 1]),
            json!(["no_update", false, 1, 1]),
            json!(["send", false, 1, 0])
        ]
    );
    let report_id = dry["reports"][0]["report_id"].clone();
    assert_eq!(
        dry["reports"],
        json!([{"report_id": report_id, "policy_domain": "a.example", "day": "2026-06-01",
                "destinations": [{"destination": "dmarc@a.example", "reason": null}], "messages": 1, "rows": 1}])
    );
    assert_eq!(
        sent_too["reports"][0]["destinations"][0]["destination"],
        "dmarc@a.example"
    );
    assert_eq!(
        (&dry["days"][0]["skipped"], &real["days"][0]["skipped"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        world.list(&[])[0]["report_id"],
        report_id,
        "as it was told before"
    );
}

#[test]
fn a_run_is_told_in_plain_words_and_a_quiet_one_not_at_all_when_all_is_well() {
    let send = ["send", "--now", AFTER_JUNE_1];
    let world = three_domains("words", "");
    let dry = world.outbox(&[&send[..], &["--dry-run"]].concat()).stdout;
    let lines: Vec<_> = dry.lines().collect();
    assert!(
        lines[..3].is_sorted() && lines[0].contains("to dmarc@a.example"),
        "{dry}"
    );
    let absent = world.outbox(&[&send[..], &["--domain", "nix.example"]].concat());
    assert_eq!(absent.code, 0);
    insta::assert_snapshot!(
        without_warnings(&absent.stderr),
        @"landmarc: 2026-06-01: no mail was counted for the DMARC Policy Domain nix.example"
    );
    insta::assert_snapshot!(world.outbox(&send).stdout, @"
        2026-06-01: 1 report about 1 message, 1 delivery; 2 domains get no report (landmarc outbox due --day 2026-06-01 tells why)
        deliveries: 1 delivered
        ");
    assert_eq!(world.outbox(&send).stdout, "nothing to send\n");

    let world = three_domains("quiet", "");
    let quiet = world.outbox(&[&send[..], &["--quiet"]].concat());
    assert_eq!(
        (quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()),
        (0, "", "")
    );
    let script = Script::with(Fault::say(At::Rcpt, "550 5.1.1 no such user"));
    let world = World::with_script("not-quiet", "", script);
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    let printed = world.outbox(&[&send[..], &["--quiet"]].concat());
    assert_eq!(printed.code, 1);
    assert!(
        printed.stdout.contains("given up: RCPT: 550 5.1.1"),
        "{}",
        printed.stdout
    );
}

#[test]
fn a_test_message_goes_the_way_of_reports_and_nothing_is_kept_of_it() {
    let world = three_domains("test-message", "");
    let ran = world.outbox(&["send", "--test", "postmaster@a.example"]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.starts_with("postmaster@a.example: 250 "),
        "{}",
        ran.stdout
    );
    let messages = world.relay.messages();
    let [message] = &messages[..] else {
        panic!("{messages:?}");
    };
    assert_eq!(
        (message.mail_from.as_str(), &message.rcpt_to[..]),
        (EMAIL, &["postmaster@a.example".to_owned()][..])
    );
    let text = String::from_utf8(message.text.clone()).unwrap();
    for line in [
        "DKIM-Signature: v=1; a=ed25519-sha256;",
        "Subject: landmarc test message\r\n",
        "This is a test message of Receiver & Co.\r\n",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(world.list(&[]).is_empty());

    world
        .relay
        .set(Script::with(Fault::say(At::Rcpt, "450 4.2.0 greylisted")));
    let later = world.outbox(&["send", "--test", "postmaster@a.example", "--json"]);
    assert_eq!(
        (later.code, later.json()),
        (
            1,
            json!({"mode": "test", "destination": "postmaster@a.example", "delivered": false,
                   "reason": "RCPT: 450 4.2.0 greylisted"})
        )
    );
    for wrong in [
        &["send", "--test", "nobody"][..],
        &["send", "--test", "a@a.example", "--dry-run"],
        &["send", "--test", "a@a.example", "--day", "today"],
    ] {
        assert_eq!(world.outbox(wrong).code, 64, "{wrong:?}");
    }
}
