//! Messages that were made to get past the judge, and a judge in trouble.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use landmarc_e2e::{Envelope, Outcome};
use landmarc_testkit::tools::Folder;
use tokio::net::UnixSocket;

use super::scene::{Arguments, Scene, forged, signed};
use super::{ALLOWED, ID, STRANGER};

/// Lines that qpsmtpd leaves out of the header section, and goes on behind.
const NO_FIELDS: [&str; 5] = [
    "this is no field\r\n",
    "this is no field\r\n\tnor is its fold\r\n",
    "Subject : with a blank\r\n",
    "From nobody Sat Nov 21 10:00:00 2026\r\n",
    "From : b@plain.example\r\n",
];

/// What is judged is what is delivered: a line that is no field does not end the header section for qpsmtpd.
#[test]
fn behind_a_line_that_is_no_field_a_second_author_is_seen() {
    let Some(scene) = Scene::start("second-author", &Arguments::default()) else {
        return;
    };
    for (times, line) in NO_FIELDS.iter().enumerate() {
        let message = String::from_utf8(signed("reject.example")).unwrap();
        let (above, body) = message.split_once("\r\n\r\n").unwrap();
        let message = format!("{above}\r\n{line}From: ceo@quarantine.example\r\n\r\n{body}");
        let outcome = scene.send(ALLOWED, "a@reject.example", message.as_bytes());
        assert_eq!(outcome.last().code, 552, "{line}: {outcome:?}");
        scene.says_times("(data_post) dmarc: unparseable from header, ", times + 1);
    }
    assert_eq!(scene.deliveries(), 0);
}

/// Nor do forged results stay that stand behind one; and what such a line says is not judged, as it is not delivered.
#[test]
fn behind_a_line_that_is_no_field_forged_results_are_removed() {
    let Some(scene) = Scene::start("behind", &Arguments::default()) else {
        return;
    };
    for (count, line) in NO_FIELDS.iter().enumerate() {
        let results = format!(
            "Authentication-Results: other.example; dmarc=pass (theirs)\r\n{line}Authentication-Results: {ID};\r\n\t\
             dmarc=pass (forged)\r\n"
        );
        let message = [results.as_bytes(), &signed("reject.example")].concat();
        let outcome = scene.send(ALLOWED, "a@reject.example", &message);
        assert_eq!(outcome.last().code, 250, "{line}: {outcome:?}");
        scene.says_times("(data_post) dmarc: pass", count + 1);
        for delivered in scene.delivered(count + 1) {
            let results = delivered.field("Authentication-Results").join("\n");
            assert!(
                results.contains("(theirs)") && !results.contains("(forged)"),
                "{line}: {results}"
            );
        }
    }
}

/// Behind a line with a CR alone qpsmtpd takes no field, and goes on with the body: so it is judged.
#[test]
fn behind_a_line_with_a_cr_alone_nothing_is_delivered_and_nothing_judged() {
    let Some(scene) = Scene::start("cr", &Arguments::default()) else {
        return;
    };
    let message = String::from_utf8(signed("reject.example")).unwrap();
    let message = message.replacen("\r\n\r\n", "\r\n\r\r\nFrom: ceo@quarantine.example\r\n\r\n", 1);
    // From a stranger: the signature alone makes it pass, which covers the body.
    let outcome = scene.send(STRANGER, "a@plain.example", message.as_bytes());
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("(data_post) dmarc: pass");
    let delivered = scene.delivered(1).remove(0);
    assert!(
        !delivered.text.contains("ceo@quarantine.example"),
        "{}",
        delivered.text
    );
}

/// However many fields stand above it, forged results go.
#[test]
fn forged_results_below_ten_thousand_fields_are_removed() {
    let Some(scene) = Scene::start("ten-thousand", &Arguments::default()) else {
        return;
    };
    let fields = format!(
        "{}Authentication-Results: {ID}; dmarc=pass (forged)\r\n",
        "X: y\r\n".repeat(10_050)
    );
    let message = [&signed("reject.example"), fields.as_bytes()];
    let [signed, fields] = message.map(|part| String::from_utf8(part.to_vec()).unwrap());
    let message = signed.replacen("\r\n\r\n", &format!("\r\n{fields}\r\n"), 1);
    let outcome = scene.send(ALLOWED, "a@reject.example", message.as_bytes());
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    let delivered = scene.delivered(1).remove(0);
    assert!(!delivered.text.contains("(forged)"));
    assert!(delivered.text.contains("X: y"));
}

/// As many as are looked for one by one, and one more: then those of others go with them.
#[test]
fn of_too_many_forged_results_all_of_their_name_go() {
    let Some(scene) = Scene::start("too-many", &Arguments::default()) else {
        return;
    };
    for (count, stays) in [(100, true), (101, false)] {
        let fields = format!(
            "Authentication-Results: other.example; dmarc=pass (theirs)\r\n{}",
            format!("Authentication-Results: {ID}; dmarc=pass (forged)\r\n").repeat(count)
        );
        let message = [fields.as_bytes(), &forged("none.example")].concat();
        let domain = format!("a@{}none.example", if stays { "" } else { "of." });
        let outcome = scene.send(STRANGER, &domain, &message);
        assert_eq!(outcome.last().code, 250, "{outcome:?}");
        let all = scene.delivered(if stays { 1 } else { 2 });
        let delivered = all
            .iter()
            .find(|one| one.text.contains(&format!("<{domain}>")))
            .unwrap();
        assert!(!delivered.text.contains("(forged)"), "{count}");
        assert_eq!(delivered.text.contains("(theirs)"), stays, "{count}");
        let ours = &delivered.field("Authentication-Results")[0];
        assert!(ours.starts_with(ID) && ours.contains("dmarc=fail"), "{ours}");
    }
}

/// So many forged results that a list of them would be longer than the longest answer that is read: the answer stays
/// short, and the message is judged.
#[test]
fn a_hundred_thousand_forged_results_do_not_keep_a_message_from_being_judged() {
    let arguments = Arguments {
        settings: "limits.header_fields = 1000000\nlimits.header_section = \"64MiB\"\nlimits.memory = \"512MiB\"\n",
        ..Arguments::default()
    };
    let Some(scene) = Scene::start("flood", &arguments) else {
        return;
    };
    let fields = format!("Authentication-Results: {ID}; dmarc=pass\r\n").repeat(100_000);
    let message = [fields.as_bytes(), &forged("reject.example")].concat();
    let outcome = scene.send(STRANGER, "a@reject.example", &message);
    assert_eq!(outcome.last().code, 552, "{outcome:?}");
    scene.service.messages(1)[0].says("dmarc=fail action=reject");
    assert_eq!(scene.deliveries(), 0);
}

fn send_to(scene: &Scene, recipients: &[String], message: &[u8]) -> Outcome {
    let rcpt_to: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let envelope = Envelope {
        mail_from: "a@reject.example",
        parameters: "",
        rcpt_to: &rcpt_to,
    };
    scene.connect(STRANGER).send(&envelope, message).unwrap()
}

/// A message to more recipients than one request has room for is judged, and no list of recipients lets it by.
#[test]
fn many_recipients_are_no_way_past_the_policy() {
    let arguments = Arguments {
        settings: "clients.skip_recipients = [\"here.example\"]\n",
        ..Arguments::default()
    };
    let Some(scene) = Scene::start("recipients", &arguments) else {
        return;
    };
    let message = forged("reject.example");
    let recipients = |count: usize| (0..count).map(|number| format!("b{number}@here.example"));
    let all: Vec<String> = recipients(2_100).collect();
    let outcome = send_to(&scene, &all[..1_000], &message);
    assert_eq!(outcome.last().code, 250, "{:?}", outcome.last());
    scene.says("(data_post) dmarc: skip, ");
    let outcome = send_to(&scene, &all, &message);
    assert!(outcome.rcpt_to.iter().all(|reply| reply.code == 250));
    assert_eq!(outcome.last().code, 552, "{:?}", outcome.last());
}

/// Nor is an envelope of a megabyte.
#[test]
fn long_recipients_are_no_way_past_the_policy() {
    let Some(scene) = Scene::start("long-recipients", &Arguments::default()) else {
        return;
    };
    let long = "b".repeat(1_000);
    let recipients: Vec<String> = (0..1_000)
        .map(|number| format!("{long}{number}@here.example"))
        .collect();
    let outcome = send_to(&scene, &recipients, &forged("reject.example"));
    assert!(outcome.rcpt_to.iter().all(|reply| reply.code == 250));
    assert_eq!(outcome.last().code, 452, "{:?}", outcome.last());
    assert!(
        outcome.last().text().starts_with("4.3.4 "),
        "{:?}",
        outcome.last()
    );
    scene.says("dmarc: not judged: ");
}

/// Octets of an answer that the plugin reads.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// A sender has a hand in how much there is to say about a message: that it is too much is no reason to take it.
#[test]
fn an_answer_that_is_too_long_puts_the_message_off() {
    for (octets, code) in [(MAX_ANSWER, 250), (MAX_ANSWER + 1, 452)] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = format!("server {}", listener.local_addr().unwrap());
        let judge = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = "HTTP/1.1 200 OK\r\n\r\n";
            let content = r#"{"dmarc": {"result": "none"}, "action": "accept", "verdict": "accept"}"#;
            let blanks = " ".repeat(octets - head.len() - content.len());
            // Who has had enough hangs up.
            let _ = write!(stream, "{head}{content}{blanks}");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let Some(scene) = Scene::start(&format!("answer-{code}"), &Arguments::of(&server)) else {
            return;
        };
        let outcome = scene.send(STRANGER, "a@plain.example", &forged("plain.example"));
        assert_eq!(outcome.last().code, code, "{octets}: {outcome:?}");
        if code == 452 {
            assert!(outcome.last().text().starts_with("4.3.4 "), "{outcome:?}");
            scene.says("dmarc: not judged: the answer is too long");
        }
        judge.join().unwrap();
    }
}

/// D6: a message that could not be judged, and is let through as configured, is not refused by `no_dmarc_policy`.
#[test]
fn what_could_not_be_judged_has_no_spf_result_to_refuse_it_by() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = format!("server {} no_dmarc_policy 4", listener.local_addr().unwrap());
    let judge = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let content = r#"{"spf": null, "dmarc": null, "skipped": null, "unjudged": "internal", "action": "accept",
            "verdict": "accept", "remove_header": [], "add_header": []}"#;
        let length = content.len();
        // The answer may come before the question is out.
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{content}"
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).unwrap();
    });
    let Some(scene) = Scene::start("unjudged", &Arguments::of(&server)) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@plain.example", &forged("plain.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("dmarc: not judged: internal");
    judge.join().unwrap();
}

/// A socket that has no room for one more caller is not waited for any longer than a silent one.
#[test]
fn a_socket_that_takes_nobody_is_not_waited_for_forever() {
    let folder = Folder::new("qpsmtpd-full-socket");
    let path = folder.join("check.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _within = runtime.enter();
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let _listener = socket.listen(0).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    // The only one that may wait.
    let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();

    let server = format!("server unix:{} timeout 1", path.display());
    let Some(scene) = Scene::start("full-socket", &Arguments::of(&server)) else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@reject.example", &forged("reject.example"));
    assert_eq!(outcome.last().code, 250, "{outcome:?}");
    scene.says("dmarc: not judged: cannot connect to unix:");
}
