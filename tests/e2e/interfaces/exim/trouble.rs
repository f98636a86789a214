//! While landmarc is away, or somebody else is in its place.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

use landmarc_testkit::tools::free_port;

use super::{Scene, Stage, Way, queue_id, said};
use crate::interfaces::corpus::{ALLOWED, STRANGER};
use crate::world::letter;

#[test]
fn while_we_are_away_mail_goes_on_or_waits_as_the_site_wants() {
    for way in Way::ALL {
        for (choice, code) in [("accept", 250), ("defer", 451)] {
            let name = format!("exim-down-{way:?}-{choice}").to_lowercase();
            let main = format!("LANDMARC_WHEN_DOWN = {choice}\n");
            let stage = Stage {
                way,
                main: &main,
                ..Stage::default()
            };
            let Some(mut scene) = Scene::start(&name, &stage) else {
                return;
            };
            scene.service.terminate();
            scene.service.wait_for_end();
            let outcome = scene.spoof("ceo@reject.example");
            assert_eq!(outcome.last().code, code, "{:?}", outcome.last());
            if choice == "accept" {
                let delivered = scene.exim.delivered(&queue_id(&outcome));
                assert!(delivered.values("X-DMARC").is_empty());
                scene
                    .exim
                    .wait_for_log("Warning: DMARC: landmarc does not answer, the message was not checked");
            } else {
                let (_, lines) = said(&outcome);
                assert_eq!(
                    lines,
                    ["DMARC cannot be checked at the moment, please try again later"]
                );
                scene.exim.wait_for_log("DMARC: landmarc does not answer");
            }
            // Nobody has to tell Exim that we are back.
            scene.service.start_again();
            assert_eq!(scene.spoof("ceo@reject.example").last().code, 550, "{way:?}");
        }
    }
}

/// Somebody who takes the question and says nothing holds a message up for as long as Exim waits, no longer; and
/// one who hangs up is no better than nobody.
#[test]
fn who_does_not_answer_is_waited_for_no_longer_than_exim_was_told() {
    for stays in [true, false] {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let silent = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            stream.read_to_string(&mut asked).unwrap();
            (asked, stays.then_some(stream))
        });
        let main = format!("LANDMARC_PATIENCE = 1s\nLANDMARC_SOCKET == inet:127.0.0.1:{port}\n");
        let stage = Stage {
            main: &main,
            ..Stage::default()
        };
        let Some(scene) = Scene::start("exim-silent", &stage) else {
            return;
        };
        let outcome = scene.spoof("ceo@reject.example");
        assert_eq!(outcome.last().code, 250);
        scene.exim.wait_for_log("landmarc does not answer");
        let (asked, _stream) = silent.join().unwrap();
        assert!(asked.starts_with("landmarc exim 1\nid "), "{asked}");
        assert!(asked.ends_with("\nend\n"), "{asked}");
    }
}

/// Whoever else reaches the socket costs nothing, and is told what is wrong.
#[test]
fn strangers_at_the_socket_disturb_nobody() {
    let Some(scene) = Scene::start("exim-strangers", &Stage::default()) else {
        return;
    };
    let socket = scene.exim.folder.join("exim.sock");
    let connect = || UnixStream::connect(&socket).unwrap();
    // Those that say nothing, as many as may.
    let silent: Vec<UnixStream> = (0..50).map(|_| connect()).collect();
    let ask = |question: &[u8]| {
        let mut stream = connect();
        stream.write_all(question).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert_eq!(ask(b""), "");
    let put_off = "status=temperror text=\"Internal Policy Error\" error=";
    let down = "status=down text=\"Not checked\" error=";
    for (question, status, words) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], put_off, "the first line is"),
        (
            b"landmarc exim 1\nid 1pDJ4z-0007Kd-2B\n",
            put_off,
            "it ends before its line",
        ),
        (
            b"landmarc exim 1\nid ../../etc/passwd\nend\n",
            put_off,
            "the id of a message",
        ),
        (
            b"landmarc exim 1\nid 1pDJ4z-0007Kd-2B\nend\n",
            down,
            "there is no 1pDJ4z-0007Kd-2B-D",
        ),
        (b"landmarc exim 1\nend\n", down, "the request names no message"),
    ] {
        let answer = ask(question);
        assert!(answer.starts_with(status) && answer.contains(words), "{answer}");
        assert_eq!(answer.matches('\n').count(), 1, "{answer}");
    }
    let outcome = scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"));
    scene.delivered(&outcome);
    drop(silent);
    assert_eq!(scene.spoof("ceo@reject.example").last().code, 550);
}

/// A client that goes away within the message leaves nothing behind.
#[test]
fn a_client_that_goes_away_is_not_judged() {
    let Some(scene) = Scene::start("exim-gone", &Stage::default()) else {
        return;
    };
    let mut stream = TcpStream::connect(scene.exim.address).unwrap();
    stream
        .write_all(
            b"EHLO x\r\nMAIL FROM:<a@reject.example>\r\nRCPT TO:<b@here.example>\r\nDATA\r\nFrom: a@reje",
        )
        .unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(
        scene
            .send(STRANGER, "a@reject.example", &letter("a@reject.example"))
            .last()
            .code,
        550
    );
    assert_eq!(scene.service.messages(1).len(), 1);
}
