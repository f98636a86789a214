//! The five statements of the seed, each seen to fire, by each way (E4, E5, E9–E13).

use landmarc_e2e::{PASSWORD, USER};
use landmarc_testkit::tools::{Folder, output_of, package};

use super::{Scene, Stage, Way, contrib, program, queue_id, said};
use crate::interfaces::corpus::{ALLOWED, Answer, Case, Interface, STRANGER, SmtpInterface, judged_alike};
use crate::interfaces::mta;
use crate::service::Service;
use crate::world::{letter, signed_letter, unfolded};

fn scene(name: &str, way: Way) -> Option<Scene> {
    let name = format!("exim-{name}-{way:?}").to_lowercase();
    Scene::start(
        &name,
        &Stage {
            way,
            ..Stage::default()
        },
    )
}

/// E9: what has no author, or no answer of DNS, is put off.
#[test]
fn e9_statement_1_defers_what_could_not_be_judged() {
    for way in Way::ALL {
        let name = format!("exim-e9-{way:?}").to_lowercase();
        let stage = Stage {
            way,
            settings: "failures.dns.action = \"tempfail\"\n",
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&name, &stage) else {
            return;
        };
        let outcome = scene.spoof("a@silent.example");
        let expected = ["DMARC: status=temperror", "Internal Policy Error", "policy="];
        assert_eq!(
            said(&outcome),
            (451, expected.map(str::to_owned).to_vec()),
            "{way:?}"
        );
        scene.exim.wait_for_log(
            "F=<a@silent.example> temporarily rejected after DATA: DMARC: status=temperror Text=Internal Policy Error \
             policy=",
        );
        scene.service.messages(1)[0].says("dmarc=temperror action=tempfail");
    }
}

/// E9, E8: without an Author Domain; with two From fields, of which Exim would take the last, it is refused.
#[test]
fn e8_e9_two_from_fields_hide_nothing() {
    for way in Way::ALL {
        let Some(scene) = scene("e8", way) else {
            return;
        };
        let letter = letter("a@plain.example");
        let without = letter
            .split_inclusive(|octet| *octet == b'\n')
            .skip(1)
            .collect::<Vec<_>>();
        let (code, lines) = said(&scene.send(STRANGER, "a@plain.example", &without.concat()));
        assert_eq!(code, 451, "{lines:?}");
        assert_eq!(
            lines,
            ["DMARC: status=nofrom", "No From: domain found", "policy="]
        );

        let two = [&b"From: boss@reject.example\r\n"[..], &letter].concat();
        let (code, lines) = said(&scene.send(STRANGER, "a@plain.example", &two));
        assert_eq!(
            (code, lines[0].as_str()),
            (550, "DMARC: status=reject"),
            "{lines:?}"
        );
        assert_eq!(scene.service.messages(2).len(), 2);
    }
}

/// E10: what is to be set aside is put off.
#[test]
fn e10_statement_2_defers_what_is_quarantined() {
    for way in Way::ALL {
        let Some(scene) = scene("e10", way) else {
            return;
        };
        let outcome = scene.spoof("a@quarantine.example");
        let expected = ["DMARC: status=quarantine", "Quarantine", "policy=quarantine"];
        assert_eq!(
            said(&outcome),
            (451, expected.map(str::to_owned).to_vec()),
            "{way:?}"
        );
        scene.exim.wait_for_log(
            "temporarily rejected after DATA: DMARC: status=quarantine Text=Quarantine policy=quarantine",
        );
        scene.service.messages(1)[0].says("dmarc=fail policy=quarantine action=quarantine");
    }
}

/// As the macros are by default, nothing that is quarantined is deferred: it is accepted with its mark.
#[test]
fn statement_2_accepts_what_is_marked() {
    for way in Way::ALL {
        let stage = Stage {
            way,
            main: "LANDMARC_QUARANTINE == mark\n",
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&format!("exim-mark-{way:?}").to_lowercase(), &stage) else {
            return;
        };
        let outcome = scene.spoof("a@quarantine.example");
        let (delivered, line) = scene.delivered(&outcome);
        assert_eq!(delivered.values("DMARC-Quarantine").len(), 1, "{way:?}");
        line.says("dmarc=fail policy=quarantine action=quarantine");
    }
}

/// E11: what is to be refused is refused.
#[test]
fn e11_statement_3_denies_what_is_rejected() {
    for way in Way::ALL {
        let Some(scene) = scene("e11", way) else {
            return;
        };
        let outcome = scene.spoof("ceo@reject.example");
        let expected = ["DMARC: status=reject", "Reject", "policy=reject"];
        assert_eq!(
            said(&outcome),
            (550, expected.map(str::to_owned).to_vec()),
            "{way:?}"
        );
        scene
            .exim
            .wait_for_log("rejected after DATA: DMARC: status=reject Text=Reject policy=reject");
        scene.service.messages(1)[0].says("dmarc=fail policy=reject action=reject");
        assert!(scene.exim.sink.delivered().is_empty());
    }
}

/// E12: what passes is marked, and can be tracked.
#[test]
fn e12_statement_4_marks_what_passes() {
    for way in Way::ALL {
        let Some(scene) = scene("e12", way) else {
            return;
        };
        let outcome = scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"));
        let (delivered, line) = scene.delivered(&outcome);
        line.says("client=127.0.0.2 spf=pass dmarc=pass action=accept");
        assert_eq!(delivered.values("X-DMARC"), [" accept [Accept]"], "{way:?}");
        let track = delivered.values("X-TRACK-MSGID");
        assert!(
            track.len() == 1
                && track[0].len() == 33
                && track[0].trim().bytes().all(|b| b.is_ascii_hexdigit()),
            "{track:?}"
        );
        let results = delivered.values("Authentication-Results");
        let results: Vec<_> = results.iter().map(|value| unfolded(value)).collect();
        assert_eq!(results.len(), 1, "{results:?}");
        assert!(
            results[0].starts_with("mx.corpus.test; spf=pass") && results[0].contains("dmarc=pass"),
            "{results:?}"
        );
        assert_eq!(
            delivered.fields()[0].0,
            "Authentication-Results",
            "it is the topmost"
        );
        let log = scene.exim.log();
        assert!(!log.contains("DMARC"), "{log}");
    }
}

/// E13: what nobody claims is marked and logged: no policy, one that asks for nothing, not checked.
#[test]
fn e13_statement_5_marks_what_nobody_claims() {
    for way in Way::ALL {
        let name = format!("exim-e13-{way:?}").to_lowercase();
        let stage = Stage {
            way,
            acl: "warn\n  condition = ${if match{$h_Subject:}{unchecked}}\n  set acl_m_landmarc_off = yes\n",
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&name, &stage) else {
            return;
        };
        for (author, status, text, policy) in [
            ("a@none.example", "none", "None, Accept", "none"),
            ("a@plain.example", "norecord", "No DMARC record", ""),
        ] {
            let outcome = scene.spoof(author);
            let (delivered, _) = scene.delivered(&outcome);
            assert_eq!(
                delivered.values("X-DMARC"),
                [format!(" {status} [{text}]")],
                "{way:?}"
            );
            assert_eq!(delivered.values("X-TRACK-MSGID").len(), 1);
            let words = format!("Warning: DMARC: status={status} Text={text} policy={policy}");
            let line = scene.exim.wait_for_log(&words);
            assert!(line.contains(&queue_id(&outcome)), "{line}");
        }
        // Off by a list of ours, and by an earlier statement, as `control = dmarc_disable_verify` was (E3).
        let unchecked = String::from_utf8(letter("ceo@reject.example")).unwrap();
        let unchecked = unchecked.replace("Subject: hello", "Subject: unchecked");
        let outcome = scene.send(STRANGER, "ceo@reject.example", unchecked.as_bytes());
        let delivered = scene.exim.delivered(&queue_id(&outcome));
        assert_eq!(delivered.values("X-DMARC"), [" off [Not checked]"]);
        scene
            .exim
            .wait_for_log("Warning: DMARC: status=off Text=Not checked policy=");
        assert_eq!(
            scene.service.messages(2).len(),
            2,
            "it was not asked about the third"
        );
    }
}

/// E8: who has signed in is not judged, and not marked.
#[test]
fn e8_authenticated_users_are_left_alone() {
    for way in Way::ALL {
        let Some(scene) = scene("authenticated", way) else {
            return;
        };
        let mut smtp = scene.client(STRANGER);
        assert_eq!(smtp.auth_plain(USER, PASSWORD).unwrap().code, 235);
        let outcome = mta::send(&mut smtp, "ceo@reject.example", &letter("ceo@reject.example"));
        let delivered = scene.exim.delivered(&queue_id(&outcome));
        assert!(delivered.values("X-DMARC").is_empty());
        assert!(delivered.values("Authentication-Results").is_empty());
        // One that is judged shows that there was no other before it.
        assert_eq!(scene.spoof("ceo@reject.example").last().code, 550);
        assert_eq!(scene.service.messages(1).len(), 1);
    }
}

/// The delays of the seed, and that both files are taken as they are shipped.
#[test]
fn e9_e13_the_delays_are_those_of_the_seed() {
    let Some(tools) = package("exim") else {
        return;
    };
    let folder = Folder::new("exim-macros");
    let ours = contrib();
    let ours = ours.display();
    folder.write(
        "exim.conf",
        format!(
            "acl_smtp_data = check\n.include {ours}/landmarc-macros.conf\nbegin acl\ncheck:\n\
             .include {ours}/landmarc-acl.conf\n  accept\n"
        ),
    );
    let macros = output_of(program(&tools, &folder).args(["-bP", "macros"]));
    for expected in [
        "LANDMARC_QUARANTINE=mark",
        "LANDMARC_DELAY_TEMPERROR=0s",
        "LANDMARC_DELAY_QUARANTINE=0s",
        "LANDMARC_DELAY_UNCLAIMED=0s",
        "LANDMARC_WHEN_DOWN=accept",
    ] {
        let found = macros.lines().any(|line| line.replace(' ', "") == expected);
        assert!(found, "{expected} is not in\n{macros}");
    }
}

/// The corpus through Exim, whose statement 2 puts off what is to be set aside.
struct Corpus<'a>(SmtpInterface<'a>);

impl Interface for Corpus<'_> {
    fn service(&self) -> &Service {
        self.0.service
    }

    fn send(&mut self, case: &Case) -> Answer {
        self.0.send(case)
    }

    fn answer_to(&self, action: &str) -> Answer {
        match action {
            "quarantine" | "tempfail" => Answer::Deferred,
            "reject" => Answer::Refused,
            _ => Answer::Taken,
        }
    }
}

#[test]
fn corpus_is_judged_alike_by_exim() {
    for way in Way::ALL {
        let name = format!("exim-corpus-{way:?}").to_lowercase();
        let stage = Stage {
            way,
            // What has no author is accepted by us, and the corpus knows of no other answer.
            main: "LANDMARC_PUT_OFF = temperror\n",
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&name, &stage) else {
            return;
        };
        judged_alike(&mut Corpus(SmtpInterface {
            service: &scene.service,
            address: scene.exim.address,
        }));
    }
}

/// A signature is all that speaks for it.
#[test]
fn a_signature_passes_by_every_way() {
    for way in Way::ALL {
        let Some(scene) = scene("signed", way) else {
            return;
        };
        let outcome = scene.send(STRANGER, "a@reject.example", &signed_letter("reject.example"));
        let (_, line) = scene.delivered(&outcome);
        line.says("client=127.0.0.66 spf=fail dkim=pass dmarc=pass action=accept");
    }
}
