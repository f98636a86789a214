//! How the body comes to us: from the spool in either layout, from the request, whole or not at all.

use std::fmt::Write as _;
use std::fs;

use landmarc_auth::dkim::Canonicalization;
use landmarc_testkit::tools::package;

use super::{Scene, Stage, Way, queue_id, said};
use crate::interfaces::corpus::{ALLOWED, STRANGER};
use crate::world::{Signer, letter, signed_letter};

/// What a site sets that sends bodies along.
const SENDS_BODY: &str =
    "LANDMARC_SENDS_BODY = yes\nmessage_body_visible = 50M\nmessage_body_newlines = true\n";

/// A message of which each octet is signed, with what a body may have: dots, empty lines, blanks, eight bits.
fn signed_to_the_last_octet() -> Vec<u8> {
    let body = "one \r\n\r\n.\r\n..\r\n\ttwo \r\n\u{fc}ber\r\n\r\n";
    let message = [&letter("a@reject.example")[..], body.as_bytes()].concat();
    Signer {
        canonicalization: Canonicalization::Simple,
        ..Signer::relaxed("reject.example")
    }
    .sign(&message)
}

/// Sends it whole, then with one octet of its body changed.
#[track_caller]
fn only_what_was_signed_passes(scene: &Scene) {
    let signed = signed_to_the_last_octet();
    let outcome = scene.send(STRANGER, "a@reject.example", &signed);
    let (_, line) = scene.delivered(&outcome);
    line.says("spf=fail dkim=pass dmarc=pass action=accept");
    let mut changed = signed;
    let last = changed.iter_mut().rfind(|octet| **octet == b'b').unwrap();
    *last = b'p';
    let (code, lines) = said(&scene.send(STRANGER, "a@reject.example", &changed));
    // Only the body was changed, as by a list: that speaks against refusing it.
    assert_eq!(
        (code, lines[0].as_str()),
        (451, "DMARC: status=quarantine"),
        "{lines:?}"
    );
    scene.service.messages(2)[1].says("spf=fail dkim=fail dmarc=fail action=quarantine");
}

#[test]
fn dkim_is_verified_with_the_body_in_the_spool() {
    for (name, main) in [
        ("exim-spool", ""),
        ("exim-spool-split", "split_spool_directory\n"),
    ] {
        let stage = Stage {
            main,
            ..Stage::default()
        };
        let Some(scene) = Scene::start(name, &stage) else {
            return;
        };
        only_what_was_signed_passes(&scene);
    }
}

/// With CHUNKING and `spool_wireformat`, Exim keeps CRLF.
#[test]
fn dkim_is_verified_with_a_body_in_wire_format() {
    let stage = Stage {
        main: "spool_wireformat\nchunking_advertise_hosts = *\n",
        ..Stage::default()
    };
    let Some(scene) = Scene::start("exim-wireformat", &stage) else {
        return;
    };
    let message = signed_to_the_last_octet();
    let mut smtp = scene.client(STRANGER);
    for command in ["MAIL FROM:<a@reject.example>", "RCPT TO:<b@here.example>"] {
        assert_eq!(smtp.command(command).unwrap().code, 250);
    }
    let chunk = format!("BDAT {} LAST\r\n", message.len());
    smtp.write(&[chunk.as_bytes(), &message].concat()).unwrap();
    // The answer to the chunk, once a further command makes the client read on.
    let reply = smtp.command("NOOP").unwrap();
    assert_eq!(reply.code, 250, "{reply:?}");
    scene.service.messages(1)[0].says("spf=fail dkim=pass dmarc=pass action=accept");
}

#[test]
fn dkim_is_verified_with_a_body_that_is_sent_along() {
    for way in [Way::Unix, Way::Inet] {
        let stage = Stage {
            way,
            main: SENDS_BODY,
            spool: Some(""),
            ..Stage::default()
        };
        let Some(scene) = Scene::start("exim-inline", &stage) else {
            return;
        };
        only_what_was_signed_passes(&scene);
        // A large one does not fit into what is kept of a request.
        let mut large = letter("a@reject.example");
        large.extend(b"a line of a large body, forty octets so\r\n".repeat(50_000));
        let outcome = scene.send(
            STRANGER,
            "a@reject.example",
            &Signer::relaxed("reject.example").sign(&large),
        );
        let (_, line) = scene.delivered(&outcome);
        line.says("dkim=pass dmarc=pass");
    }
}

/// A body that was cut, or has blanks for its line ends, is no ground for a verdict.
#[test]
fn a_body_that_is_not_whole_is_not_judged() {
    for (name, main) in [
        (
            "exim-cut",
            "LANDMARC_SENDS_BODY = yes\nmessage_body_newlines = true\nmessage_body_visible = 8\n",
        ),
        (
            "exim-blanks",
            "LANDMARC_SENDS_BODY = yes\nmessage_body_visible = 50M\n",
        ),
    ] {
        let stage = Stage {
            main,
            spool: Some(""),
            ..Stage::default()
        };
        let Some(scene) = Scene::start(name, &stage) else {
            return;
        };
        let (code, lines) = said(&scene.send(STRANGER, "a@reject.example", &signed_letter("reject.example")));
        assert_eq!(
            (code, lines[0].as_str()),
            (451, "DMARC: status=temperror"),
            "{lines:?}"
        );
        let line = scene.service.wait_for_line("there is no verdict");
        assert!(
            line.contains("WARN") && line.contains("message_body_visible"),
            "{line}"
        );
    }
}

/// Nothing is guessed where the spool cannot be read, and the log says what to do. What becomes of mail is as the site
/// wants it while we are away: all of it would be put off otherwise, in mode `observe` too.
#[test]
fn without_the_spool_there_is_no_verdict() {
    for (settings, spool, words) in [
        ("", Some("/nonexistent/spool"), "exim -bP spool_directory"),
        ("server.user = \"nobody\"\n", None, "adduser landmarc Debian-exim"),
    ] {
        for (main, code) in [("", 250), ("LANDMARC_WHEN_DOWN = defer\n", 451)] {
            let stage = Stage {
                settings,
                spool,
                main,
                ..Stage::default()
            };
            let Some(scene) = Scene::start("exim-no-spool", &stage) else {
                return;
            };
            let outcome = scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"));
            assert_eq!(outcome.last().code, code, "{outcome:?}");
            scene.exim.wait_for_log("DMARC: landmarc cannot judge: ");
            let line = scene.service.wait_for_line("there is no verdict");
            assert!(line.contains("queue_id=") && line.contains(words), "{line}");
        }
    }
}

/// Exim gives out 64 KiB of a header section; what is larger we read from the file for content scanners.
#[test]
fn a_header_section_beyond_64_kib_is_judged_whole() {
    for way in Way::ALL {
        let name = format!("exim-header-{way:?}").to_lowercase();
        let stage = Stage {
            way,
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&name, &stage) else {
            return;
        };
        let mut many = String::new();
        for number in 0..200 {
            writeln!(many, "X-Many-{number}: {}\r", "x".repeat(900)).unwrap();
        }
        // Below them all: who reads only the beginning finds no author.
        let message = [many.as_bytes(), &letter("a@reject.example")].concat();
        let signed = Signer::relaxed("reject.example").sign(&message);
        let outcome = scene.send(STRANGER, "a@reject.example", &signed);
        let (delivered, line) = scene.delivered(&outcome);
        line.says("author_domain=reject.example dkim=pass dmarc=pass");
        assert_eq!(delivered.values("X-DMARC"), [" accept [Accept]"]);
        assert_eq!(
            scene.send(STRANGER, "a@reject.example", &message).last().code,
            550
        );
    }
}

/// Nothing of ours is left in the spool, and nothing there has changed.
#[test]
fn the_spool_is_left_as_it_was() {
    if package("exim").is_none() {
        return;
    }
    let stage = Stage {
        main: "split_spool_directory\nqueue_only\n",
        ..Stage::default()
    };
    let Some(scene) = Scene::start("exim-left", &stage) else {
        return;
    };
    let outcome = scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"));
    let id = queue_id(&outcome);
    let folder = scene.exim.folder.join("spool/input").join(&id[5..6]);
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, [format!("{id}-D"), format!("{id}-H")]);
    let scanned = fs::read_dir(scene.exim.folder.join("spool/scan"));
    assert!(scanned.map_or(0, Iterator::count) == 0);
}
