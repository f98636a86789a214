//! What the statements do beside their verdict: the delays (E9, E10, E13), and the field that messages are known by
//! again (E12).

use std::process::Command;
use std::time::{Duration, Instant};

use landmarc_e2e::{HOST_NAME, Outcome};
use landmarc_testkit::tools::{output_of, package};

use super::{Scene, Stage, program, queue_id};
use crate::interfaces::corpus::{ALLOWED, STRANGER};
use crate::world::letter;

/// Logs when a message came, as `$tod_log` has it.
const TELLS_TIME: &str = "warn\n  log_message = it is $tod_log.\n";
/// Seconds that our statements may be later than that.
const LATER: u32 = 60;

/// Each has its own macro: were two mixed up, one of them would be too short.
#[test]
fn e9_e10_e13_each_statement_holds_its_client_up_for_its_own_time() {
    let stage = Stage {
        main: "LANDMARC_DELAY_TEMPERROR == 1s\nLANDMARC_DELAY_QUARANTINE == 2s\nLANDMARC_DELAY_UNCLAIMED == 3s\n",
        ..Stage::default()
    };
    let Some(scene) = Scene::start("exim-delays", &stage) else {
        return;
    };
    let without_author = letter("a@plain.example");
    let end = without_author.iter().position(|octet| *octet == b'\n').unwrap();
    let without_author = &without_author[end + 1..];
    for (author, message, code, seconds) in [
        ("a@plain.example", without_author, 451, 1),
        ("a@quarantine.example", &letter("a@quarantine.example"), 451, 2),
        ("a@plain.example", &letter("a@plain.example"), 250, 3),
        ("a@none.example", &letter("a@none.example"), 250, 3),
    ] {
        let before = Instant::now();
        let outcome = scene.send(STRANGER, author, message);
        let taken = before.elapsed();
        assert_eq!(outcome.last().code, code, "{author}: {outcome:?}");
        assert!(taken >= Duration::from_secs(seconds), "{author}: {taken:?}");
    }
}

/// The value is the HMAC that the seed has, with the secret of the site.
#[test]
fn e12_the_track_is_an_hmac_with_the_secret() {
    for (secret, other) in [("first", "second"), ("second", "first")] {
        let stage = Stage {
            secret: Some(secret),
            acl: TELLS_TIME,
            ..Stage::default()
        };
        let Some(scene) = Scene::start(&format!("exim-track-{secret}"), &stage) else {
            return;
        };
        for outcome in [accepted(&scene), unclaimed(&scene)] {
            let id = queue_id(&outcome);
            let track = scene.exim.delivered(&id).values("X-TRACK-MSGID");
            let [track] = track.as_slice() else {
                panic!("{track:?}");
            };
            let possible = tracks(&scene, secret, &id);
            assert!(
                possible.iter().any(|one| one == track.trim()),
                "{track} is none of {possible:?}"
            );
            assert!(
                !tracks(&scene, other, &id).iter().any(|one| one == track.trim()),
                "{track}"
            );
        }
    }
}

/// Anybody could make up what is made without a secret.
#[test]
fn e12_without_a_secret_there_is_no_track() {
    let stage = Stage {
        secret: None,
        ..Stage::default()
    };
    let Some(scene) = Scene::start("exim-no-secret", &stage) else {
        return;
    };
    for outcome in [accepted(&scene), unclaimed(&scene)] {
        let delivered = scene.exim.delivered(&queue_id(&outcome));
        assert_eq!(delivered.values("X-DMARC").len(), 1);
        assert!(delivered.values("X-TRACK-MSGID").is_empty());
    }
}

/// A message of statement 4.
fn accepted(scene: &Scene) -> Outcome {
    scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"))
}

/// A message of statement 5.
fn unclaimed(scene: &Scene) -> Outcome {
    scene.spoof("a@none.example")
}

/// What the field of this message may say, computed by Exim outside of any message: for the second in which it came, and
/// for those after it.
fn tracks(scene: &Scene, secret: &str, id: &str) -> Vec<String> {
    let words = format!("{id} ");
    let log = scene.exim.log();
    let line = log
        .lines()
        .find(|line| line.contains(&words) && line.contains("it is "));
    let line = line.unwrap_or_else(|| panic!("no time of {id} in\n{log}"));
    let (_, time) = line.split_once("it is ").unwrap();
    let time = time.trim_end_matches('.');
    let seconds: Vec<_> = (0..LATER)
        .map(|later| format!("{time} {later} seconds\n"))
        .collect();
    let file = scene.exim.folder.write("seconds", seconds.concat());
    let times = output_of(Command::new("date").args(["-u", "+%F %T", "-f"]).arg(file));
    let texts = times
        .lines()
        .map(|time| format!("${{hmac{{md5}}{{{secret}}}{{{HOST_NAME} {id} {time}}}}}"));
    let tools = package("exim").unwrap();
    let computed = output_of(program(&tools, &scene.exim.folder).arg("-be").args(texts));
    computed.lines().map(str::to_owned).collect()
}
