//! What is too much, who may not ask, and many at once.

use std::io::Write;
use std::thread;

use landmarc_testkit::tools::Folder;

use super::{ANY_API, Request, Scene, request};
use crate::world::{ALLOWED, STRANGER, letter, signed_letter};

/// The smallest limit that can be set.
const LIMIT: usize = 64 * 1024;

fn of(octets: usize) -> Vec<u8> {
    let mut message = letter("a@plain.example");
    message.resize(octets, b'x');
    message
}

#[test]
fn a_message_at_the_limit_and_one_past_it() {
    let scene = Scene::start("api-limit", "check_api.max_message_size = \"64KiB\"\n");
    let errors = ["/v1/check", "/checkv2"].map(|path| {
        assert_eq!(scene.api.ask(&Request::post(path), &of(LIMIT)).code, 200);
        let past = scene.api.ask(&Request::post(path), &of(LIMIT + 1));
        assert_eq!(past.code, 413);
        past.json()["error"].as_str().unwrap().to_owned()
    });
    insta::assert_snapshot!(errors[0], @"the message has more than 65536 octets");
    assert_eq!(errors[1], errors[0]);
    assert_eq!(scene.records().len(), 2, "half a message is not judged");
}

/// What goes by is hashed, not kept.
#[test]
fn a_large_message_takes_no_memory() {
    let scene = Scene::start("api-large", "");
    let message = signed_letter("reject.example");
    scene
        .api
        .ask(&request(STRANGER, "a@reject.example", "S1"), &message);
    let before = scene.service.memory_kib("VmHWM");

    let lines = "a line of a message that is long enough to be one of many\r\n".repeat(1_000);
    let count = 90 * 1024 * 1024 / lines.len();
    let mut stream = scene.api.connect();
    let head = request(STRANGER, "a@reject.example", "L1");
    let head = head.head(message.len() + count * lines.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&message).unwrap();
    for _ in 0..count {
        stream.write_all(lines.as_bytes()).unwrap();
    }
    let reply = super::Reply::read(&mut *stream);
    assert_eq!(
        reply.json()["dkim"][0]["result"],
        "fail",
        "its body was looked at"
    );
    let grown = scene.service.memory_kib("VmHWM") - before;
    assert!(grown < 8 * 1024, "{grown} KiB");
}

#[test]
fn without_the_secret_nobody_is_served() {
    let folder = Folder::new("api-secret");
    let file = folder.write("secret", "correct-horse\n");
    let settings = format!("check_api.secret_file = {:?}\n", file.display().to_string());
    let scene = Scene::start("api-secret", &settings);
    let message = letter("a@plain.example");
    for (path, name, value, code) in [
        ("/v1/check", "X-Nothing", "x", 401),
        ("/v1/check", "Authorization", "Bearer correct-hors", 401),
        ("/v1/check", "Authorization", "Bearer correct-horse", 200),
        ("/checkv2", "Password", "wrong", 401),
        ("/checkv2", "Password", "correct-horse", 200),
    ] {
        let reply = scene.api.ask(&Request::post(path).field(name, value), &message);
        assert_eq!(reply.code, code, "{path} {name}: {value}");
    }
    assert_eq!(scene.records().len(), 2);
}

#[test]
fn a_secret_that_is_not_there_is_a_mistake_of_the_settings() {
    let folder = Folder::new("api-no-secret");
    let empty = folder.write("empty", "\n");
    let missing = folder.join("missing");
    for (path, why) in [(missing, "No such file"), (empty, "is empty")] {
        let text = format!(
            "{ANY_API}check_api.secret_file = {:?}\n",
            path.display().to_string()
        );
        let settings = folder.write("landmarc.toml", text);
        let ran = crate::binary::landmarc(["config", "check", &settings.display().to_string()]);
        assert_eq!(ran.code, 78);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains(":2:") && said.contains("check_api.secret_file") && said.contains(why),
            "{said}"
        );
    }
}

/// A browser that somebody has led here.
#[test]
fn web_pages_are_refused() {
    let scene = Scene::start("api-pages", "check_api.host_names = [\"mx.here.example\"]\n");
    let message = letter("a@plain.example");
    let page = Request::post("/v1/check").field("Origin", "https://evil.example");
    assert_eq!(scene.api.ask(&page, &message).code, 403);
    for (host, code) in [("evil.example", 421), ("mx.here.example", 200)] {
        let request = Request::post("/v1/check");
        let head = request
            .head(message.len())
            .replace("Host: localhost", &format!("Host: {host}"));
        let mut stream = scene.api.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&message).unwrap();
        assert_eq!(super::Reply::read(&mut *stream).code, code, "{host}");
    }
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn two_hundred_at_once_are_answered_and_recorded_once_each() {
    const CLIENTS: usize = 200;
    let scene = Scene::start(
        "api-crowd",
        "check_api.max_connections = 50\nmode = \"enforce\"\n",
    );
    let api = &scene.api;
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                let (client, expected) = match number % 2 {
                    0 => (ALLOWED, "pass"),
                    _ => (STRANGER, "fail"),
                };
                let queue_id = format!("C{number}");
                let request = request(client, "a@reject.example", &queue_id);
                let reply = api.ask(&request, &letter("a@reject.example"));
                assert_eq!(reply.json()["dmarc"]["result"], expected, "{queue_id}");
            });
        }
    });
    let records = scene.records();
    let ids: std::collections::BTreeSet<_> = records
        .iter()
        .map(|record| record["queue_id"].to_string())
        .collect();
    assert_eq!((records.len(), ids.len()), (CLIENTS, CLIENTS));
}
