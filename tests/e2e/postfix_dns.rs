//! Through Postfix: DNS that fails, is silent, or takes its time.

use landmarc_auth::lookup::Question;
use landmarc_testkit::dns_name;
use landmarc_testkit::tools::wait_for;

use crate::world::{
    BROKEN, RECIPIENT, STRANGER, Scene, Signer, add_text, envelope, letter, results, send, signed_letter,
    zones,
};

const ENFORCE: &str = "mode = \"enforce\"\n";
const DEFER: &str = "mode = \"enforce\"\nfailures.dns.action = \"tempfail\"\n";

#[test]
fn servfail_is_accepted_without_a_claim() {
    let Some(scene) = Scene::start("servfail", ENFORCE) else {
        return;
    };
    let sender = format!("a@{BROKEN}");
    let outcome = scene.send(STRANGER, &sender, &signed_letter(BROKEN));
    let (delivered, line) = scene.delivered(&outcome);
    let results = results(&delivered);
    for words in ["spf=temperror", "dkim=temperror", "dmarc=temperror"] {
        assert!(results.contains(words), "{results}");
    }
    line.says("spf=temperror dkim=temperror dmarc=temperror disposition=none action=accept override=other");
}

#[test]
fn silent_dns_is_accepted_within_ten_seconds() {
    let Some(scene) = Scene::start("silent", ENFORCE) else {
        return;
    };
    scene.dns.set_silent(true);
    // Three domains that have nothing in common but the top, and a deep tree to walk.
    let message = Signer::relaxed("plain.example").sign(&letter("a@one.two.reject.example"));
    let outcome = scene.send(STRANGER, "bounce@quarantine.example", &message);
    let (delivered, line) = scene.delivered(&outcome);
    assert!(results(&delivered).contains("dmarc=temperror"));
    line.says("spf=temperror dkim=temperror dmarc=temperror action=accept");
    eprintln!("silent DNS: {} ms", line.milliseconds());
    assert!(line.milliseconds() < 10_000, "{line:?}");
}

#[test]
fn a_dns_failure_can_defer_mail() {
    let settings = format!("{DEFER}dns.question_timeout = \"300ms\"\n");
    let Some(scene) = Scene::start("defer", &settings) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let broken = format!("a@{BROKEN}");
    let outcome = send(&mut smtp, &envelope(&broken), &letter(&broken));
    assert_eq!(outcome.last().code, 451, "{:?}", outcome.last());
    let text = outcome.last().text();
    assert!(text.starts_with("4.7.1 "), "{text}");
    scene.dns.set_silent(true);
    let spoof = letter("a@reject.example");
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &spoof);
    assert_eq!(outcome.last().code, 451, "{:?}", outcome.last());
    for line in scene.service.messages(2) {
        line.says("dmarc=temperror disposition=none action=tempfail enforced_action=tempfail");
    }
    assert!(scene.postfix.sink.delivered().is_empty());
}

/// Decision D12: SPF is under way while the client still takes its time over DATA. The record
/// is a chain of names, each of which is known only by the answer about the one before.
#[test]
fn questions_begin_before_the_message_has_come() {
    let Some(scene) = Scene::start("early", ENFORCE) else {
        return;
    };
    let mut slow = zones();
    add_text(&mut slow, "chain.example", "v=spf1 include:c1.example -all");
    for link in 1..4 {
        let text = format!("v=spf1 include:c{}.example -all", link + 1);
        add_text(&mut slow, &format!("c{link}.example"), &text);
    }
    add_text(&mut slow, "c4.example", "v=spf1 ip4:198.51.100.66 -all");
    add_text(&mut slow, "_dmarc.chain.example", "v=DMARC1; p=reject");
    scene.dns.set_zones(slow);

    let mut smtp = scene.client(STRANGER);
    for line in [
        "MAIL FROM:<a@chain.example>".to_owned(),
        format!("RCPT TO:<{RECIPIENT}>"),
        "DATA".to_owned(),
    ] {
        assert!(smtp.command(&line).expect("an answer").is_positive());
    }
    let last = Question::txt(dns_name("c4.example"));
    wait_for(|| scene.dns.log().contains(&last).then_some(())).expect("SPF is asked while DATA goes on");
    smtp.write(&letter("a@chain.example")).expect("DATA goes on");
    let reply = smtp.command(".").expect("an answer");
    let queue_id = reply.queue_id().expect("taken");
    let line = scene.service.message(queue_id);
    line.says("spf=pass dmarc=pass action=accept");
}
