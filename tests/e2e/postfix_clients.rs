//! Through Postfix: clients that are not judged, and messages that are large.

use landmarc_e2e::{PASSWORD, USER};

use crate::world::{ALLOWED, STRANGER, Scene, Signer, envelope, letter, send};

const ENFORCE: &str = "mode = \"enforce\"\n";

/// How much more memory a message of thirty megabytes may cost than a small one.
const MAX_GROWTH_KIB: u64 = 8 * 1024;

#[test]
fn users_who_signed_in_are_not_judged() {
    let Some(scene) = Scene::start("authenticated", ENFORCE) else {
        return;
    };
    let mut smtp = scene.client(STRANGER);
    let reply = smtp.auth_plain(USER, PASSWORD).expect("AUTH is answered");
    assert_eq!(reply.code, 235, "{reply:?}");
    let outcome = send(
        &mut smtp,
        &envelope("a@reject.example"),
        &letter("a@reject.example"),
    );
    let (delivered, line) = scene.delivered(&outcome);
    assert!(delivered.values("Authentication-Results").is_empty());
    assert_eq!(line.keys, ["queue_id", "client", "skipped", "interface"]);
    line.says("client=198.51.100.66 skipped=authenticated");
}

#[test]
fn trusted_networks_are_not_judged() {
    let settings = format!("{ENFORCE}clients.trusted_networks = [\"127.0.0.0/8\", \"192.0.2.0/24\"]\n");
    let Some(scene) = Scene::start("trusted", &settings) else {
        return;
    };
    let mut local = scene.postfix.connect().expect("Postfix greets");
    local.ehlo("localhost").expect("EHLO is answered");
    for (mut smtp, address) in [(local, "127.0.0.1"), (scene.client(ALLOWED), ALLOWED)] {
        let outcome = send(
            &mut smtp,
            &envelope("a@reject.example"),
            &letter("a@reject.example"),
        );
        let (delivered, line) = scene.delivered(&outcome);
        assert!(delivered.values("Authentication-Results").is_empty());
        line.says(&format!("client={address} skipped=trusted_network"));
    }
    let outcome = scene.send(STRANGER, "a@reject.example", &letter("a@reject.example"));
    assert_eq!(outcome.last().code, 550, "{:?}", outcome.last());
}

#[test]
fn thirty_megabytes_pass_in_constant_memory() {
    let Some(scene) = Scene::start("large", ENFORCE) else {
        return;
    };
    let signer = Signer::relaxed("reject.example");
    let small = signer.sign(&letter("a@reject.example"));
    let line = b"abcdefghijklmnopqrstuvwxyz 0123456789  ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789\r\n";
    let body = line.repeat(30 * 1024 * 1024 / line.len());
    let large = signer.sign(&[&b"From: a@reject.example\r\nSubject: large\r\n\r\n"[..], &body].concat());

    let mut smtp = scene.client(STRANGER);
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &small);
    scene.delivered(&outcome).1.says("dkim=pass");
    let before = scene.service.memory_kib("VmHWM");
    let outcome = send(&mut smtp, &envelope("a@reject.example"), &large);
    let (delivered, line) = scene.delivered(&outcome);
    line.says("dkim=pass dmarc=pass");
    assert!(
        delivered.body() == body,
        "{} octets delivered",
        delivered.body().len()
    );
    let growth = scene.service.memory_kib("VmHWM").saturating_sub(before);
    eprintln!(
        "30 MB: {} ms, {growth} KiB more than {before} KiB",
        line.milliseconds()
    );
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB");
}
