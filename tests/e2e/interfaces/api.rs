//! The check API: what it says is what `landmarc check` says, and each message is written down once.

mod alone;
mod client;
mod flood;
mod limits;
mod stopping;

use std::path::Path;

use landmarc_testkit::dns_server::DnsServer;
use serde_json::{Value, json};

use super::corpus::{self, Case, Interface, RECIPIENT, judged_alike};
use crate::binary::landmarc;
use crate::http::{ANY_PORT, metrics, port, wait_until_started};
use crate::service::{Service, Socket};
use crate::world::{ALLOWED, BROKEN, STRANGER, letter, signed_letter, zones};
pub(super) use client::{Api, Reply, Request};
use landmarc_testkit::tools::Folder;

/// A service with this interface open on TCP.
pub(super) const ANY_API: &str = "check_api.listen = [\"inet:127.0.0.1:0\"]\n";

/// A service, and its API.
pub(super) struct Scene {
    pub(super) service: Service,
    pub(super) api: Api,
    _dns: DnsServer,
}

impl Scene {
    pub(super) fn start(name: &str, settings: &str) -> Self {
        Self::with_zones(name, zones(), &format!("{ANY_API}{settings}"))
    }

    pub(super) fn with_zones(name: &str, zones: landmarc_auth::lookup::Zones, settings: &str) -> Self {
        let dns = DnsServer::start(zones);
        let service = Service::start(name, Socket::Inet, dns.addr(), settings);
        let api = Api::of(&service);
        Self {
            service,
            api,
            _dns: dns,
        }
    }

    /// What is recorded of all messages so far.
    pub(super) fn records(&self) -> Vec<Value> {
        let settings = self.service.settings_file();
        let ran = landmarc([
            "log",
            "--json",
            "--limit",
            "1000",
            "--config",
            &settings.display().to_string(),
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let lines = ran.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What `landmarc check` says under the same settings.
    fn checked(&self, client: &str, mail_from: &str, message: &[u8]) -> Value {
        let file = self.service.settings_file().with_file_name("checked.eml");
        std::fs::write(&file, message).unwrap();
        let path = |path: &Path| path.display().to_string();
        landmarc([
            "check".to_owned(),
            "--json".to_owned(),
            format!("--config={}", path(&self.service.settings_file())),
            format!("--ip={client}"),
            "--helo=client.helo.example".to_owned(),
            format!("--mail-from={mail_from}"),
            format!("--rcpt={RECIPIENT}"),
            path(&file),
        ])
        .json()
    }
}

/// The request for a message of this client.
pub(super) fn request(client: &str, mail_from: &str, queue_id: &str) -> Request {
    Request::post("/v1/check")
        .field("Landmarc-Client", client)
        .field("Landmarc-Helo", "client.helo.example")
        .field("Landmarc-Mail-From", mail_from)
        .field("Landmarc-Rcpt-To", RECIPIENT)
        .field("Landmarc-Queue-Id", queue_id)
}

/// What does not hang on the moment: ids stand in replies and in our field.
fn lasting(mut object: Value) -> Value {
    let keys = ["reply", "authentication_results", "questions"];
    let map = object.as_object_mut().unwrap();
    for key in keys {
        map.remove(key);
    }
    let decision = map.get_mut("decision").and_then(Value::as_object_mut);
    decision.map(|decision| decision.remove("reply"));
    object
}

#[test]
fn the_api_says_what_check_says_and_records_once() {
    let settings = "mode = \"enforce\"\narc.validate = \"always\"\nauthserv_id = \"mx.here.example\"\n\
                    action.quarantine = \"hold\"\n";
    let scene = Scene::start("api-says", settings);
    let two_authors = [b"From: b@plain.example\r\n".to_vec(), letter("a@reject.example")].concat();
    let in_local_form = String::from_utf8(signed_letter("reject.example"))
        .unwrap()
        .replace("\r\n", "\n");
    let cases: [(&str, &str, &str, Vec<u8>); 9] = [
        (
            "pass",
            STRANGER,
            "a@reject.example",
            signed_letter("reject.example"),
        ),
        ("local", STRANGER, "a@reject.example", in_local_form.into_bytes()),
        ("reject", STRANGER, "a@reject.example", letter("a@reject.example")),
        (
            "quarantine",
            STRANGER,
            "a@quarantine.example",
            letter("a@quarantine.example"),
        ),
        ("none", STRANGER, "a@sub.example", letter("a@sub.example")),
        ("plain", ALLOWED, "a@plain.example", letter("a@plain.example")),
        (
            "temperror",
            ALLOWED,
            "a@plain.example",
            letter(&format!("a@{BROKEN}")),
        ),
        ("authors", ALLOWED, "a@plain.example", two_authors),
        ("bounce", ALLOWED, "", letter("a@reject.example")),
    ];
    for (queue_id, client, mail_from, message) in &cases {
        let reply = scene.api.ask(&request(client, mail_from, queue_id), message);
        assert_eq!(reply.code, 200, "{queue_id}: {reply:?}");
        let said = reply.json();
        let checked = scene.checked(client, mail_from, message);
        for (key, value) in lasting(checked.clone()).as_object().unwrap() {
            assert_eq!(&lasting(said.clone())[key], value, "{queue_id}: {key}");
        }
        assert_eq!(
            (&said["skipped"], &said["unjudged"]),
            (&Value::Null, &Value::Null)
        );
        let line = scene.service.message(queue_id);
        line.says("interface=http");
        assert_eq!(said["id"], line.get("id"));
        assert_eq!(said["verdict"], checked["action"], "{queue_id}");
        assert_eq!(said["add_header"][0][0], "Authentication-Results", "{queue_id}");
    }
    let records = scene.records();
    let mut recorded: Vec<_> = records
        .iter()
        .map(|record| record["queue_id"].as_str().unwrap())
        .collect();
    let mut sent = cases.each_ref().map(|case| case.0);
    recorded.sort_unstable();
    sent.sort_unstable();
    assert_eq!(recorded, sent, "each once");
}

/// Callers deliver the octets as they came, and some readers step over a line that is no field.
#[test]
fn a_line_that_is_no_field_hides_no_author() {
    let settings = "mode = \"enforce\"\nauthserv_id = \"mx.here.example\"\n";
    let scene = Scene::start("api-no-field", settings);
    let author = letter("ceo@reject.example");
    let after = |lines: &str| [lines.as_bytes(), &author].concat();
    for (queue_id, message) in [
        ("N1", after("Received: from a by b\r\n: x\r\n")),
        ("N2", after("Received: from a by b\r\nFrom x@evil.example\r\n")),
        ("N3", after(" \r\n")),
    ] {
        let reply = scene.api.ask(&request(STRANGER, "", queue_id), &message).json();
        assert_eq!(reply["verdict"], "reject", "{reply}");
        assert_eq!(reply["dmarc"]["result"], "permerror", "{reply}");
        assert_eq!(reply["defects"], json!(["a line that is no header field"]));
        let checked = scene.checked(STRANGER, "", &message);
        for key in ["author_domain", "dmarc", "defects", "cause", "action"] {
            assert_eq!(reply[key], checked[key], "{queue_id}: {key}");
        }
        assert_eq!(scene.service.message(queue_id).get("cause"), reply["cause"]);
        let settings = scene.service.settings_file().display().to_string();
        let explained = landmarc(["explain", queue_id, "--config", &settings]);
        assert!(
            explained.stdout.contains("no header field"),
            "{}",
            explained.stdout
        );
    }
    // An mbox line in first place and a section that ends with the message do no harm; where
    // the section is empty, there is no author.
    let signed = signed_letter("reject.example");
    let stored = [&b"From a@b Sat Nov 21 12:00:00 2026\r\n"[..], &signed].concat();
    let reply = scene.api.ask(&request(STRANGER, "", "N4"), &stored).json();
    assert_eq!(
        (&reply["verdict"], &reply["defects"]),
        (&json!("accept"), &json!([]))
    );
    for (queue_id, message, result) in [
        ("N5", &b"From: a@plain.example"[..], "none"),
        ("N6", b"\r\nFrom: ceo@reject.example\r\n", "permerror"),
    ] {
        let reply = scene.api.ask(&request(STRANGER, "", queue_id), message).json();
        assert_eq!(
            (&reply["verdict"], &reply["defects"]),
            (&json!("accept"), &json!([]))
        );
        assert_eq!(reply["dmarc"]["result"], result, "{reply}");
        assert_eq!(scene.checked(STRANGER, "", message)["dmarc"]["result"], result);
    }
}

#[test]
fn what_is_to_be_done_stands_in_the_answer() {
    let settings = "mode = \"enforce\"\nauthserv_id = \"mx.here.example\"\n\
                    action.reject = \"always\"\naction.quarantine = \"hold\"\n";
    let scene = Scene::start("api-does", settings);
    let forged = b"Authentication-Results: other.example; dmarc=fail\r\n\
        Authentication-Results: mx.here.example; dmarc=pass\r\n";
    let ask = |domain: &str, queue_id| {
        let message = [&forged[..], &letter(&format!("a@{domain}"))].concat();
        let request = request(STRANGER, &format!("a@{domain}"), queue_id);
        scene.api.ask(&request, &message).json()
    };

    let refused = ask("reject.example", "R1");
    assert_eq!(refused["verdict"], "reject");
    assert_eq!(refused["smtp"]["code"], 550);
    assert_eq!(refused["smtp"]["enhanced"], "5.7.1");
    let removed = json!([{"name": "Authentication-Results", "nth": 2}]);
    assert_eq!(
        refused["remove_header"], removed,
        "for whoever takes it all the same"
    );

    let aside = ask("quarantine.example", "Q1");
    assert_eq!(aside["verdict"], "quarantine");
    assert!(aside["quarantine"].is_string(), "{aside}");
    assert_eq!(aside["smtp"], Value::Null);
    assert_eq!(aside["remove_header"], removed, "the forged one, by its number");
    let [name, value] = [0, 1].map(|part| aside["add_header"][0][part].as_str().unwrap());
    assert_eq!(name, "Authentication-Results");
    assert!(value.starts_with("mx.here.example;\n\t"), "{value:?}");
}

/// As with the milter, but that nobody is taken for a program of this host who does not say so.
#[test]
fn some_are_not_judged() {
    let scene = Scene::start("api-skips", "");
    let message = letter("a@reject.example");
    for (name, value, skipped) in [
        ("Landmarc-Client", "127.0.0.1", json!("trusted_network")),
        ("Landmarc-Client", "local", json!("local_program")),
        ("Landmarc-User", "somebody", json!("authenticated")),
        ("Landmarc-Client", "", Value::Null),
    ] {
        let request = Request::post("/v1/check").field(name, value);
        let said = scene.api.ask(&request, &message).json();
        assert_eq!(said["skipped"], skipped, "{name}: {value}");
        assert_eq!(said["verdict"], "accept");
        assert_eq!(said["dmarc"].is_null(), !skipped.is_null(), "no key is missing");
    }
    assert_eq!(scene.records().len(), 1);
}

#[test]
fn a_unix_socket_has_its_rights_and_serves() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new("api-unix");
    let socket = folder.join("api.sock");
    let settings = format!(
        "check_api.listen = [\"unix:{}\"]\ncheck_api.socket_mode = \"0600\"\n",
        socket.display()
    );
    let scene = Scene::with_zones("api-unix", zones(), &settings);
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let reply = scene.api.ask(
        &request(ALLOWED, "a@reject.example", "U1"),
        &letter("a@reject.example"),
    );
    assert_eq!(reply.json()["dmarc"]["result"], "pass");
    let Scene { mut service, .. } = scene;
    service.terminate();
    service.wait_for_end();
    assert!(!socket.exists(), "it is removed");
}

#[test]
fn messages_are_counted_by_door() {
    let scene = Scene::start("api-counts", ANY_PORT);
    let port = port(&scene.service);
    wait_until_started(port);
    for (path, count) in [("/v1/check", 2), ("/checkv2", 1)] {
        for _ in 0..count {
            let reply = scene.api.ask(&Request::post(path), &letter("a@plain.example"));
            assert_eq!(reply.code, 200);
        }
    }
    let metrics = metrics(port);
    for (interface, expected) in [("http", 2.0), ("rspamd", 1.0), ("milter", 0.0)] {
        let count = metrics[&format!("landmarc_interface_messages_total{{interface=\"{interface}\"}}")];
        assert!((count - expected).abs() < 0.1, "{interface}: {count}");
    }
}

/// Asks with the message and envelope of a case.
struct ByApi(Scene);

impl Interface for ByApi {
    fn service(&self) -> &Service {
        &self.0.service
    }

    fn send(&mut self, case: &Case) -> corpus::Answer {
        let request = Request::post("/v1/check")
            .field("Landmarc-Client", &case.client.to_string())
            .field("Landmarc-Helo", &case.helo)
            .field("Landmarc-Mail-From", &case.mail_from)
            .field("Landmarc-Rcpt-To", RECIPIENT);
        let reply = self.0.api.ask(&request, &case.message);
        match reply.json()["verdict"].as_str() {
            Some("accept") => corpus::Answer::Taken,
            Some("quarantine") => corpus::Answer::Held,
            Some("reject") => corpus::Answer::Refused,
            _ => corpus::Answer::Deferred,
        }
    }

    fn tells_what_is_held(&self) -> bool {
        true
    }
}

#[test]
fn corpus_is_judged_alike_by_api() {
    let settings = format!("{ANY_API}{}{}", corpus::SETTINGS, corpus::HOLDING);
    let scene = Scene::with_zones("api-corpus", corpus::zones(), &settings);
    judged_alike(&mut ByApi(scene));
}
