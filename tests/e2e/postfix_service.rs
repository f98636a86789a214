//! Through Postfix: sockets, signals, restarts, and the log.

use crate::serve::KEYS;
use crate::service::Socket;
use crate::world::{
    RECIPIENT, STRANGER, Scene, Stage, envelope, letter, queue_id, results, send, signed_letter,
};

const ENFORCE: &str = "mode = \"enforce\"\n";

#[test]
fn a_unix_socket_serves_as_well() {
    let stage = Stage {
        socket: Socket::Unix,
        settings: ENFORCE,
        default_action: "tempfail",
    };
    let Some(scene) = Scene::start_on("unix", &stage) else {
        return;
    };
    assert!(
        scene.service.milter().starts_with("unix:/"),
        "{}",
        scene.service.milter()
    );
    let mut smtp = scene.client(STRANGER);
    let outcome = send(
        &mut smtp,
        &envelope("a@reject.example"),
        &signed_letter("reject.example"),
    );
    let (delivered, line) = scene.delivered(&outcome);
    assert!(results(&delivered).contains("dmarc=pass"));
    line.says("dkim=pass dmarc=pass");
    let outcome = send(
        &mut smtp,
        &envelope("a@reject.example"),
        &letter("a@reject.example"),
    );
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
}

/// With `tempfail` Postfix answers 4xx for the rest of the session; the client comes again.
#[test]
fn a_crash_between_two_messages_defers_the_second() {
    let Some(mut scene) = Scene::start("crash-tempfail", ENFORCE) else {
        return;
    };
    let message = signed_letter("reject.example");
    let mut smtp = scene.client(STRANGER);
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &message);
    scene.delivered(&outcome).1.says("dmarc=pass");

    scene.service.kill();
    scene.service.start_again();
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &message);
    assert_eq!(outcome.last().code, 451, "{outcome:?}");
    let outcome = scene.send(STRANGER, "a@reject.example", &message);
    let (delivered, line) = scene.delivered(&outcome);
    assert!(results(&delivered).contains("dmarc=pass"));
    line.says("dmarc=pass");
    assert_eq!(scene.postfix.sink.delivered().len(), 2);
}

/// With `accept` mail goes on unjudged until the next session. The unix socket that the
/// dead process left behind is taken over.
#[test]
fn a_crash_between_two_messages_lets_the_second_pass_unjudged() {
    let stage = Stage {
        socket: Socket::Unix,
        settings: ENFORCE,
        default_action: "accept",
    };
    let Some(mut scene) = Scene::start_on("crash-accept", &stage) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let signed = signed_letter("reject.example");
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &signed);
    scene.delivered(&outcome).1.says("dmarc=pass");

    scene.service.kill();
    scene.service.start_again();
    let spoof = letter("a@reject.example");
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &spoof);
    let unjudged = scene
        .postfix
        .sink
        .wait_for(queue_id(&outcome))
        .expect("delivered");
    assert!(unjudged.values("Authentication-Results").is_empty());
    let outcome = scene.send(STRANGER, "a@reject.example", &spoof);
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    assert_eq!(scene.service.messages(2).len(), 2);
}

#[test]
fn a_reload_is_for_new_sessions() {
    let Some(scene) = Scene::start("reload", "mode = \"observe\"\n") else {
        return;
    };
    let spoof = letter("a@reject.example");
    let mut old = scene.client(STRANGER);
    let outcome = send(&mut old, &envelope("a@reject.example"), &spoof);
    scene
        .delivered(&outcome)
        .1
        .says("action=accept enforced_action=reject");

    let line = scene.service.reload(ENFORCE);
    assert!(line.contains("configuration reloaded from "), "{line}");
    let outcome = scene.send(STRANGER, "a@reject.example", &spoof);
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
    let outcome = send(&mut old, &envelope("a@reject.example"), &spoof);
    scene
        .delivered(&outcome)
        .1
        .says("action=accept enforced_action=reject");
}

#[test]
fn broken_settings_leave_the_old_ones_in_force() {
    let Some(scene) = Scene::start("reload-broken", ENFORCE) else {
        return;
    };
    // Six lines are written above these.
    let line = scene
        .service
        .reload("mode = \"observe\"\ndns.question_timeout = \"5 parsecs\"\n");
    assert!(line.contains("ERROR") && line.ends_with(": 1 mistake"), "{line}");
    scene.service.wait_for_line("landmarc.toml:8");
    scene.service.wait_for_line("5 parsecs");
    let outcome = scene.send(STRANGER, "a@reject.example", &letter("a@reject.example"));
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());

    let line = scene.service.reload("mode = \"observe\"\n");
    assert!(line.contains("configuration reloaded"), "{line}");
    let outcome = scene.send(STRANGER, "a@reject.example", &letter("a@reject.example"));
    scene
        .delivered(&outcome)
        .1
        .says("action=accept enforced_action=reject");
}

#[test]
fn a_message_under_way_may_end_when_the_service_stops() {
    let Some(mut scene) = Scene::start("stop", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let message = signed_letter("reject.example");
    for line in [
        "MAIL FROM:<a@reject.example>".to_owned(),
        format!("RCPT TO:<{RECIPIENT}>"),
        "DATA".to_owned(),
    ] {
        assert!(smtp.command(&line).expect("an answer").is_positive());
    }
    scene.service.terminate();
    scene
        .service
        .wait_for_line("stopping: messages under way may end");
    let dots_stuffed = String::from_utf8_lossy(&message).replace("\r\n.", "\r\n..");
    smtp.write(dots_stuffed.as_bytes()).expect("DATA goes on");
    let reply = smtp.command(".").expect("an answer");
    let queue_id = reply.queue_id().unwrap_or_else(|| panic!("{reply:?}"));
    let delivered = scene.postfix.sink.wait_for(queue_id).expect("delivered");
    assert!(results(&delivered).contains("dmarc=pass"));
    scene.service.message(queue_id).says("dkim=pass dmarc=pass");
    let status = scene.service.wait_for_end();
    assert!(status.success(), "{status}");
    let line = scene.service.wait_for_line("stopped");
    assert!(line.contains("cut=0"), "{line}");
}

#[test]
fn a_message_is_one_line_with_the_same_keys() {
    let Some(scene) = Scene::start("log", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    for message in [
        signed_letter("reject.example"),
        letter("a@reject.example"),
        letter("a@plain.example"),
        b"Subject: nobody wrote this\r\n\r\n".to_vec(),
    ] {
        send(&mut smtp, &envelope("a@reject.example"), &message);
    }
    let lines = scene.service.messages(4);
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in &lines {
        assert_eq!(line.keys, KEYS);
    }
    let log = scene.service.log();
    let of_messages: Vec<_> = log.iter().filter(|line| line.contains("queue_id=")).collect();
    assert!(
        of_messages.iter().all(|line| line.contains(" INFO queue_id=")),
        "{of_messages:?}"
    );
    // Decision D37: local-parts and subjects stay out.
    assert!(
        !log.iter()
            .any(|line| line.contains("a@") || line.contains("hello")),
        "{log:?}"
    );
}
