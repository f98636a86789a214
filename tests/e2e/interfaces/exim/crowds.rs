//! More recipients than anybody keeps: a sender names them, and so they must be no way past the policy.

use std::fmt::Write as _;

use super::{Scene, Stage, Way};
use crate::interfaces::corpus::STRANGER;
use crate::world::letter;

/// Recipients that are kept of a message.
const KEPT: usize = 1_000;
/// So many make a request of more than 512 KiB by either way.
const PAST: usize = 6_000;
/// So many make one of more than a MiB.
const FAR_PAST: usize = 10_000;
/// Recipients that are sent before the replies to them are read: few enough for the buffers between us.
const AT_ONCE: usize = 100;

/// The reply to a forged message for so many times the same recipient; Exim keeps each.
fn forged_for(scene: &Scene, recipients: usize) -> (u16, String) {
    let command = format!("RCPT TO:<{}@here.example>", "b".repeat(100));
    let mut smtp = scene.client(STRANGER);
    assert_eq!(smtp.command("MAIL FROM:<a@reject.example>").unwrap().code, 250);
    let mut left = recipients;
    while left > 0 {
        let now = left.min(AT_ONCE);
        let mut commands = String::new();
        for _ in 1..now {
            write!(commands, "{command}\r\n").unwrap();
        }
        smtp.write(commands.as_bytes()).unwrap();
        for _ in 1..now {
            assert_eq!(smtp.read_reply().unwrap().code, 250);
        }
        assert_eq!(smtp.command(&command).unwrap().code, 250);
        left -= now;
    }
    assert_eq!(smtp.command("DATA").unwrap().code, 354);
    smtp.write(&letter("a@reject.example")).unwrap();
    let reply = smtp.command(".").unwrap();
    (reply.code, reply.text())
}

/// What is set for a list of recipients holds up to as many as are kept. With one more it does not; and with so many
/// that the request is larger than any buffer the message is judged all the same. By the client for rspamd a field of
/// Exim's own has them all on top of the message, and with more than a MiB of them no author is found: that is refused.
fn judged_whoever_else_gets_it(way: Way) {
    let stage = Stage {
        way,
        settings: "clients.skip_recipients = [\"here.example\"]\n",
        main: "recipients_max = 0\n",
        ..Stage::default()
    };
    let name = format!("exim-crowd-{way:?}").to_lowercase();
    let Some(scene) = Scene::start(&name, &stage) else {
        return;
    };
    for recipients in [KEPT + 1, PAST, FAR_PAST] {
        let (code, text) = forged_for(&scene, recipients);
        assert_eq!(code, 550, "{recipients}: {text}");
    }
    let lines = scene.service.messages(3);
    for line in &lines[..2] {
        line.says("dmarc=fail policy=reject action=reject");
    }
    lines[2].says("action=reject");
    assert_eq!(forged_for(&scene, KEPT).0, 250);
    scene.service.messages(4)[3].says("skipped=recipient");
}

#[test]
fn any_number_of_recipients_is_no_way_past_the_policy_over_a_unix_socket() {
    judged_whoever_else_gets_it(Way::Unix);
}

#[test]
fn any_number_of_recipients_is_no_way_past_the_policy_over_tcp() {
    judged_whoever_else_gets_it(Way::Inet);
}

#[test]
fn any_number_of_recipients_is_no_way_past_the_policy_by_the_client_for_rspamd() {
    judged_whoever_else_gets_it(Way::Spamd);
}
