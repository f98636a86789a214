//! rspamd's own client in front of us, and its protocol of old as Exim speaks it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Folder, package, with_libraries};

use super::api::{ANY_API, Api, Scene};
use super::corpus::{self, Case, Interface, RECIPIENT, judged_alike};
use crate::service::{Service, Socket};
use crate::world::{ALLOWED, STRANGER, letter, signed_letter, zones};

/// A service, and the unpacked package with the client.
struct Rspamc {
    scene: Scene,
    tools: PathBuf,
}

impl Rspamc {
    fn start(name: &str, zones: landmarc_auth::lookup::Zones, settings: &str) -> Option<Self> {
        let tools = package("rspamd")?;
        let scene = Scene::with_zones(name, zones, &format!("{ANY_API}{settings}"));
        Some(Self { scene, tools })
    }

    /// Runs it with this message on its standard input.
    fn run(&self, arguments: &[&str], message: &[u8]) -> Output {
        let mut command = self.command();
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A client that has no use for a message does not read it.
        let _ = stdin.write_all(message);
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    fn command(&self) -> Command {
        let libraries = [self.tools.join("usr/lib/rspamd")];
        let mut command = with_libraries(self.tools.join("usr/bin/rspamc"), &libraries);
        command.args(["-h", &format!("127.0.0.1:{}", self.scene.api.port())]);
        command
    }

    /// What it prints of this message.
    fn prints(&self, arguments: &[&str], message: &[u8]) -> String {
        let output = self.run(arguments, message);
        String::from_utf8(output.stdout).unwrap()
    }
}

fn envelope(client: &str) -> [String; 4] {
    [
        format!("--ip={client}"),
        "--helo=client.helo.example".to_owned(),
        "--from=a@reject.example".to_owned(),
        format!("--rcpt={RECIPIENT}"),
    ]
}

/// R1, R2, R3: symbols, action and score, as the real client reads them.
#[test]
fn r1_r2_r3_rspamc_shows_what_was_found_and_done() {
    let settings = "mode = \"enforce\"\naction.reject = \"always\"\n";
    let Some(rspamc) = Rspamc::start("rspamc-shows", zones(), settings) else {
        return;
    };
    let signed = signed_letter("reject.example");
    let allowed = letter("a@reject.example");
    for (client, message, expected) in [
        (
            STRANGER,
            &signed,
            &[
                "Action: no action",
                "Symbol: DMARC_POLICY_ALLOW (-0.50)",
                "R_DKIM_ALLOW",
                "R_SPF_FAIL",
            ][..],
        ),
        (
            ALLOWED,
            &allowed,
            &[
                "Action: no action",
                "Symbol: DMARC_POLICY_ALLOW (-0.50)",
                "R_SPF_ALLOW",
                "R_DKIM_NA",
            ],
        ),
        (
            STRANGER,
            &allowed,
            &[
                "Action: reject",
                "Score: 15.00 / 15.00",
                "Symbol: DMARC_POLICY_REJECT (2.00)[reject.example, SPF fail, DKIM none, reject]",
                "Symbol: LANDMARC_DECISION",
                "Message - smtp_message: 550 5.7.1 ",
            ],
        ),
        (
            ALLOWED,
            &letter("a@plain.example"),
            &["Action: no action", "Symbol: DMARC_NA (0.00)[plain.example]"],
        ),
        (
            ALLOWED,
            &letter("a@broken.example"),
            &["Symbol: DMARC_DNSFAIL (0.00)[broken.example]"],
        ),
        (
            STRANGER,
            &letter("a@sub.example"),
            &[
                "Action: no action",
                "Symbol: DMARC_POLICY_SOFTFAIL (0.10)[sub.example",
            ],
        ),
        (
            STRANGER,
            &letter("a@quarantine.example"),
            &[
                "Action: add header",
                "Score: 6.00 / 15.00",
                "Symbol: DMARC_POLICY_QUARANTINE (1.50)",
            ],
        ),
    ] {
        let envelope = envelope(client);
        let said = rspamc.prints(&envelope.each_ref().map(String::as_str), message);
        for words in expected {
            assert!(said.contains(words), "{words}: {said}");
        }
    }
    assert_eq!(rspamc.scene.records().len(), 7, "each once");
}

/// Its JSON has what a client that edits messages needs.
#[test]
fn rspamc_is_told_what_to_edit() {
    let settings = "mode = \"enforce\"\nauthserv_id = \"mx.here.example\"\n";
    let Some(rspamc) = Rspamc::start("rspamc-edits", zones(), settings) else {
        return;
    };
    let forged = b"Authentication-Results: mx.here.example; dmarc=pass\r\n";
    let message = [&forged[..], &letter("a@quarantine.example")].concat();
    let envelope = envelope(STRANGER);
    let mut arguments: Vec<&str> = envelope.iter().map(String::as_str).collect();
    arguments.extend(["--compact", "--user-agent=nobody"]);
    let said: serde_json::Value = serde_json::from_str(&rspamc.prints(&arguments, &message)).unwrap();
    assert_eq!(said["action"], "add header");
    let milter = &said["milter"];
    assert_eq!(
        milter["remove_headers"]["Authentication-Results"],
        serde_json::json!([1])
    );
    assert_eq!(milter["add_headers"]["Authentication-Results"]["order"], 0);
    // A client of rspamd puts nothing aside, so the message says it.
    assert!(
        milter["add_headers"]["DMARC-Quarantine"]["value"].is_string(),
        "{milter}"
    );
    assert_eq!(said["landmarc"]["dmarc"]["result"], "fail");
}

#[test]
fn rspamc_names_its_password_and_a_user_is_not_judged() {
    let folder = Folder::new("rspamc-password");
    let file = folder.write("secret", "s3cret\n");
    let settings = format!("check_api.secret_file = {:?}\n", file.display().to_string());
    let Some(rspamc) = Rspamc::start("rspamc-password", zones(), &settings) else {
        return;
    };
    let message = letter("a@plain.example");
    let refused = rspamc.run(&[], &message);
    assert!(!refused.status.success());
    assert!(
        String::from_utf8_lossy(&refused.stdout).contains("401"),
        "{refused:?}"
    );
    let said = rspamc.prints(&["--password=s3cret"], &message);
    assert!(said.contains("Action: no action"), "{said}");
    let said = rspamc.prints(&["--password=s3cret", "--user=somebody"], &message);
    assert!(
        said.contains("LANDMARC_DECISION (0.00)[accept, authenticated]"),
        "{said}"
    );
    // What it cannot be served, it is told.
    let compressed = rspamc.run(&["--password=s3cret", "-z"], &message);
    assert!(
        String::from_utf8_lossy(&compressed.stdout).contains("415"),
        "{compressed:?}"
    );
    assert_eq!(rspamc.scene.records().len(), 1);
}

/// Brings a case by the real client.
struct ByRspamc(Rspamc);

impl Interface for ByRspamc {
    fn service(&self) -> &Service {
        &self.0.scene.service
    }

    fn send(&mut self, case: &Case) -> corpus::Answer {
        let arguments = [
            format!("--ip={}", case.client),
            format!("--helo={}", case.helo),
            format!("--from={}", case.mail_from),
            format!("--rcpt={RECIPIENT}"),
        ];
        let said = self
            .0
            .prints(&arguments.each_ref().map(String::as_str), &case.message);
        answer_of_action(&said)
    }

    fn tells_what_is_held(&self) -> bool {
        true
    }
}

fn answer_of_action(said: &str) -> corpus::Answer {
    let action = said.lines().find_map(|line| line.strip_prefix("Action: "));
    match action.map(str::trim_end) {
        Some("no action") => corpus::Answer::Taken,
        Some("add header") => corpus::Answer::Held,
        Some("reject") => corpus::Answer::Refused,
        Some("soft reject") => corpus::Answer::Deferred,
        _ => panic!("{said}"),
    }
}

#[test]
fn corpus_is_judged_alike_by_rspamc() {
    let Some(rspamc) = Rspamc::start("rspamc-corpus", corpus::zones(), corpus::SETTINGS) else {
        return;
    };
    judged_alike(&mut ByRspamc(rspamc));
}

/// Brings a case as Exim does with `spamd_address = ... variant=rspamd`.
struct ByRspamc13 {
    service: Service,
    api: Api,
    _dns: DnsServer,
}

impl Interface for ByRspamc13 {
    fn service(&self) -> &Service {
        &self.service
    }

    fn send(&mut self, case: &Case) -> corpus::Answer {
        let head = format!(
            "CHECK RSPAMC/1.3\r\nContent-length: {}\r\nQueue-Id: x\r\nFrom: <{}>\r\nRecipient-Number: 1\r\n\
             Rcpt: <{RECIPIENT}>\r\nHelo: {}\r\nIP: {}\r\n\r\n",
            case.message.len(),
            case.mail_from,
            case.helo,
            case.client
        );
        let mut stream = self.api.connect();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&case.message).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(
            said.starts_with("RSPAMD/1.3 0 EX_OK\r\nMetric: default; "),
            "{said}"
        );
        answer_of_action(&said)
    }

    fn tells_what_is_held(&self) -> bool {
        true
    }
}

#[test]
fn corpus_is_judged_alike_by_rspamc_1_3() {
    let dns = DnsServer::start(corpus::zones());
    let settings = format!("{ANY_API}{}", corpus::SETTINGS);
    let service = Service::start("rspamc13-corpus", Socket::Inet, dns.addr(), &settings);
    let api = Api::of(&service);
    judged_alike(&mut ByRspamc13 {
        service,
        api,
        _dns: dns,
    });
}
