//! The commands that look and steer.

use landmarc_testkit::relay::{At, Fault, Script};
use serde_json::json;

use super::{AFTER_JUNE_1, JUNE_1, World, message, without_warnings};

fn with_one_message(name: &str) -> World {
    let world = World::start(name, "");
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    world
}

#[test]
fn what_is_due_is_told_and_nothing_is_written() {
    let world = with_one_message("due");
    let due = world.outbox(&["due", "--now", AFTER_JUNE_1, "--json"]);
    assert_eq!(due.code, 0, "{}", due.stderr);
    assert_eq!(
        due.json(),
        json!({"day": "2026-06-01", "policy_domain": "a.example", "state": "due", "rows": 1, "messages": 1,
               "reports": 1, "deliveries": 1, "destinations": ["dmarc@a.example"], "unanswered": [], "refused": [], "skipped": null})
    );
    assert!(world.list(&[]).is_empty());
    // Not before the day has settled.
    let early = world.outbox(&["due", "--now", "2026-06-02T00:14:59Z"]);
    assert_eq!((early.code, early.stdout.as_str()), (0, ""));
    // A day that is named is told of at any time.
    let named = world.outbox(&["due", "--now", "2026-06-01T12:00:00Z", "--day", "today"]);
    assert!(
        named.stdout.contains("dmarc@a.example"),
        "{} {}",
        named.stdout,
        named.stderr
    );
    world.send(AFTER_JUNE_1);
    let after = world.outbox(&["due", "--now", AFTER_JUNE_1]);
    assert_eq!(after.stdout, "");
    insta::assert_snapshot!(without_warnings(&after.stderr), @"
        landmarc: no report is due
        landmarc: 2026-06-01 is reported: 1 report (landmarc outbox due --day 2026-06-01)
        ");
}

/// Checklist T2: `--test` and `--keepfiles`.
#[test]
fn a_dry_run_sends_nothing_and_writes_files_only_where_it_is_told_to() {
    let world = with_one_message("dry");
    let directory = world.folder.path().join("deliveries");
    let said = world.outbox(&["send", "--dry-run", "--now", AFTER_JUNE_1]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stdout.ends_with("would be sent: 1 delivery\n"),
        "{}",
        said.stdout
    );
    let path = directory.display().to_string();
    let ran = world.outbox(&["send", "--dry-run", "--output-dir", &path, "--now", AFTER_JUNE_1]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut names: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(".xml.gz")), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(".eml")), "{names:?}");
    assert!(world.relay.messages().is_empty() && world.list(&[]).is_empty());
    assert_eq!(world.outbox(&["send", "--output-dir", &path]).code, 64);
}

/// Checklist T2: `--noupdate`.
#[test]
fn without_an_update_the_messages_go_out_and_are_due_again() {
    let world = with_one_message("no-update");
    for _ in 0..2 {
        let ran = world.outbox(&["send", "--no-update", "--now", AFTER_JUNE_1]);
        assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    }
    assert_eq!(world.relay.messages().len(), 2);
    assert!(world.list(&[]).is_empty());
    let (_, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(summary["deliveries"]["delivered"], 1);
}

#[test]
fn a_message_can_be_shown_as_facts_as_xml_and_as_it_went_out() {
    let world = with_one_message("show");
    world.send(AFTER_JUNE_1);
    let listed = &world.list(&[])[0];
    let (id, report_id) = (listed["id"].to_string(), listed["report_id"].as_str().unwrap());
    let by_id = world.outbox(&["show", &id]);
    assert_eq!(by_id.code, 0, "{}", by_id.stderr);
    assert_eq!(by_id.stdout, world.outbox(&["show", report_id]).stdout);
    assert!(
        by_id.stdout.contains("state          delivered"),
        "{}",
        by_id.stdout
    );
    assert_eq!(
        world.outbox(&["show", &id, "--json"]).json()["deliveries"][0]["state"],
        "delivered"
    );
    let xml = world.outbox(&["show", &id, "--xml"]).stdout;
    assert!(xml.starts_with("<?xml") && xml.contains(report_id), "{xml}");
    let message = world.outbox(&["show", &id, "--message"]);
    assert_eq!(
        message.stdout.as_bytes(),
        world.relay.messages()[0].text,
        "{}",
        message.stderr
    );
    let unknown = world.outbox(&["show", "999"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""));
}

#[test]
fn the_operator_keeps_messages_from_somebody_and_lets_them_go_again() {
    let world = with_one_message("suppress");
    let now = ["--now", AFTER_JUNE_1];
    let said = world.outbox(
        &[
            &["suppress", "@a.example", "--days", "2", "--reason", "by phone"],
            &now[..],
        ]
        .concat(),
    );
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (0, "no messages to @a.example until 2026-06-04T00:20:00Z\n"),
        "{}",
        said.stderr
    );
    let listed = world.outbox(&["suppress", "--list", "--json"]).json();
    assert_eq!(
        (&listed["destination"], &listed["reason"]),
        (&json!("@a.example"), &json!("by phone"))
    );
    let (code, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(
        (code, &summary["deliveries"]["suppressed"]),
        (0, &json!(1)),
        "{summary}"
    );
    assert_eq!(world.list(&[])[0]["reason"], "suppressed: by phone");
    assert_eq!(world.outbox(&["suppress", "--remove", "@a.example"]).code, 0);
    assert_eq!(world.outbox(&["suppress", "--remove", "@a.example"]).code, 1);
    let retried = world.outbox(&[&["retry", "--destination", "dmarc@a.example"], &now[..]].concat());
    assert_eq!(retried.stdout, "queued again: 1\n", "{}", retried.stderr);
    let (_, summary) = world.send(AFTER_JUNE_1);
    assert_eq!(summary["deliveries"]["delivered"], 1);
}

#[test]
fn a_bounce_gives_its_message_up_and_suppresses_who_sent_it_back() {
    let world = with_one_message("bounce");
    world.send(AFTER_JUNE_1);
    let return_path = world.relay.messages()[0].mail_from.clone();
    let bounce = format!(
        "From: MAILER-DAEMON@relay.example\r\nTo: {return_path}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n\
         Final-Recipient: rfc822; dmarc@a.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 unknown\r\n\r\n--b--\r\n"
    );
    let now = ["--now", "2026-06-02T00:30:00Z"];
    let read = |recipient: &str, mail: &str| {
        let line = [&["bounce", "--recipient", recipient], &now[..]].concat();
        world.outbox_reading(&line, mail.as_bytes())
    };
    // Anybody can write such a mail; without the token it is of no message.
    let forged = read(
        "noreply+raaaaaaaaaaaaaaaaaaaa@reports.receiver.example",
        "Subject: hello\r\n\r\nx\r\n",
    );
    assert_eq!(
        (forged.code, forged.stdout.as_str()),
        (0, ""),
        "{}",
        forged.stderr
    );
    assert!(
        without_warnings(&forged.stderr).starts_with("landmarc: dropped: "),
        "{}",
        forged.stderr
    );
    assert_eq!(world.list(&[])[0]["state"], "delivered");
    let ran = read(&return_path, &bounce);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(
        ran.stdout,
        @"delivery 1 to dmarc@a.example given up, nothing more until 2026-06-03T00:30:00Z: failed: 5.1.1 <dmarc@a.example>: 550 5.1.1 unknown"
    );
    let listed = &world.list(&[])[0];
    assert_eq!(listed["state"], "given_up");
    assert!(listed["reason"].as_str().unwrap().contains("5.1.1"), "{listed}");
    // Read twice it counts once.
    assert!(read(&return_path, &bounce).stdout.contains("given up before"));
    assert_eq!(
        world.outbox(&["suppress", "--list", "--json"]).json()["bounces"],
        1
    );
}

/// What a stranger can work out keeps nothing from being sent, and what a relay holds against us nobody's messages.
#[test]
fn a_bounce_ends_no_message_that_was_not_handed_over_and_suppresses_for_no_fault_of_ours() {
    let world = World::start("no-token", "report.return_path_delimiter = \"\"");
    world.record([message(JUNE_1, "a.example", &["mailto:dmarc@a.example"])]);
    let now = ["--now", AFTER_JUNE_1];
    let bounce = |message_id: &str| {
        let mail = format!(
            "From: MAILER-DAEMON@relay.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n\
             Final-Recipient: rfc822; dmarc@a.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
        );
        world.outbox_reading(&[&["bounce"], &now[..]].concat(), mail.as_bytes())
    };
    // It waits: the relay takes nothing yet.
    world
        .relay
        .set(Script::with(Fault::say(At::Greeting, "421 later")));
    world.send(AFTER_JUNE_1);
    let waiting = world.list(&[]).remove(0);
    let message_id = waiting["message_id"].as_str().unwrap().to_owned();
    let printed = bounce(&message_id).stdout;
    assert!(printed.starts_with("of no delivery"), "{printed}");
    assert_eq!(world.list(&[])[0]["state"], "queued");
    world.relay.set(Script::default());
    world.send(AFTER_JUNE_1);
    let printed = bounce(&message_id).stdout;
    assert!(printed.contains("dmarc@a.example given up: "), "{printed}");
    assert_eq!(world.outbox(&["suppress", "--list", "--json"]).stdout, "");

    let world = with_one_message("denied");
    world.send(AFTER_JUNE_1);
    let return_path = world.relay.messages()[0].mail_from.clone();
    let mail = "From: MAILER-DAEMON@relay.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
                Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
                --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n\
                Final-Recipient: rfc822; dmarc@a.example\r\nAction: failed\r\nStatus: 5.7.1\r\n\
                Diagnostic-Code: smtp; 554 5.7.1 Relay access denied\r\n\r\n--b--\r\n";
    let line = [&["bounce", "--recipient", &return_path], &now[..]].concat();
    let printed = world.outbox_reading(&line, mail.as_bytes()).stdout;
    assert!(
        printed.contains("dmarc@a.example given up: ") && printed.contains("5.7.1"),
        "{printed}"
    );
    assert_eq!(world.outbox(&["suppress", "--list", "--json"]).stdout, "");
}

#[test]
fn without_an_address_to_report_from_nothing_is_reported() {
    let world = World::with_script("off", "", Script::default());
    let settings = std::fs::read_to_string(world.settings()).unwrap();
    let without: String = settings
        .lines()
        .filter(|line| !line.starts_with("report.email"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(world.settings(), without).unwrap();
    for command in [&["send"][..], &["due"]] {
        let ran = world.outbox(command);
        assert_eq!(ran.code, 78, "{}", ran.stderr);
        assert!(ran.stderr.contains("report.email"), "{}", ran.stderr);
    }
    assert_eq!(world.outbox(&["list"]).code, 0);
}
