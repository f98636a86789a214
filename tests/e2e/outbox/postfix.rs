//! A day from the first message to the last report: mail through one Postfix and the milter, the
//! reports through another into mailboxes, and read there by programs that are not ours.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use landmarc_e2e::{Postfix, PostfixConfig, Smtp};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Folder, wait_for};
use serde_json::Value;

use super::day::{self, DOMAINS, Kind, Row};
use super::python;
use crate::binary::landmarc;
use crate::service::{Service, Socket};
use crate::world::{ED25519, HELO, RECIPIENT, RSA};

/// Messages of the day.
const MESSAGES: usize = 10_000;
/// Sessions at once.
const SESSIONS: usize = 8;
/// PKCS#8, base64.
const RSA_KEY: &str = include_str!("../world_rsa_key.txt");
/// Who reports.
const REPORTER: &str = "reports.here.example";

#[test]
fn ten_thousand_messages_are_what_the_reports_in_the_mailboxes_say() {
    if !python::can_read() {
        return;
    }
    let dns = DnsServer::start(day::zones());
    let Some(mailboxes) = Postfix::start(&PostfixConfig::default().into_mailboxes()).expect("Postfix starts")
    else {
        return;
    };
    let folder = Folder::new("outbox-postfix");
    let service = Service::start(
        "outbox-day",
        Socket::Inet,
        dns.addr(),
        &settings(&folder, mailboxes.address()),
    );
    let config = PostfixConfig::with_milters([service.milter()]).set("relay_transport", "discard:");
    let border = Postfix::start(&config)
        .expect("Postfix starts")
        .expect("the other one did");
    send_the_day(border.address());

    let sent = landmarc([
        "outbox",
        "send",
        "--json",
        "--now",
        &tomorrow().to_string(),
        "--config",
        &service.settings_file().display().to_string(),
    ]);
    assert_eq!(sent.code, 0, "{} {}", sent.stdout, sent.stderr);

    let messages: usize = (0..DOMAINS).map(|domain| day::destinations(domain).len()).sum();
    let mails = wait_for(|| mailboxes.mailboxes().ok().filter(|mails| mails.len() >= messages));
    let mails =
        mails.unwrap_or_else(|| panic!("{:?} of {messages}", mailboxes.mailboxes().map(|all| all.len())));
    let read = python::read(&folder, &day::keys_of(REPORTER), &mails);
    assert_messages(&read);
    assert_eq!(read.len(), messages, "each destination has each report once");
    assert_eq!(counted(&read), day::rows(MESSAGES));
}

fn settings(folder: &Folder, relay: SocketAddr) -> String {
    let keys = key_files(folder);
    format!(
        "report.email = \"dmarc@{REPORTER}\"\nreport.organization = \"Here & There\"\n\
         report.dkim_keys = {keys}\nreport.delivery.relay = \"{relay}\"\nreport.delivery.tls = \"none\"\n"
    )
}

/// The keys of the world as files, an RSA and an Ed25519 key, in the form of the setting.
pub(super) fn key_files(folder: &Folder) -> String {
    // RFC 8410 §7: what stands before the seed of an Ed25519 key in PKCS#8.
    let before_seed = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let ed25519 = BASE64.encode([&before_seed[..], &[42; 32]].concat());
    let files = [(RSA, RSA_KEY.trim()), (ED25519, &ed25519)].map(|(selector, key)| {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
        let file = folder.write(format!("{selector}.pem"), pem);
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("it is ours");
        format!("\"{selector}:{}\"", file.display())
    });
    format!("[{}]", files.join(", "))
}

/// Half an hour into the next day, in seconds.
fn tomorrow() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.expect("it is later than 1970").as_secs();
    (now / 86_400 + 1) * 86_400 + 1_800
}

/// Sends all messages, by the clients that they are from.
fn send_the_day(border: SocketAddr) {
    let mut by_client: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
    for kind in (0..MESSAGES).map(Kind::of) {
        by_client.entry(kind.client()).or_default().push(kind);
    }
    let work: Mutex<Vec<(String, Vec<Kind>)>> = Mutex::new(by_client.into_iter().collect());
    std::thread::scope(|scope| {
        for _ in 0..SESSIONS {
            scope.spawn(|| {
                while let Some((client, kinds)) = take(&work) {
                    send_all(border, &client, &kinds);
                }
            });
        }
    });
}

fn take<T>(work: &Mutex<Vec<T>>) -> Option<T> {
    work.lock().expect("nobody panicked").pop()
}

fn send_all(border: SocketAddr, client: &str, kinds: &[Kind]) {
    let mut smtp = Smtp::connect(border).expect("Postfix greets");
    smtp.ehlo("e2e.example").expect("EHLO is answered");
    let address = client.parse().expect("an address");
    smtp.as_client(address, None, HELO).expect("XCLIENT is answered");
    let mut messages: BTreeMap<Kind, Vec<u8>> = BTreeMap::new();
    for &kind in kinds {
        let message = messages.entry(kind).or_insert_with(|| kind.message());
        let mail_from = kind.mail_from();
        let envelope = landmarc_e2e::Envelope {
            mail_from: &mail_from,
            parameters: "",
            rcpt_to: &[RECIPIENT],
        };
        let outcome = smtp.send(&envelope, message).expect("the session lasts");
        assert!(outcome.queue_id().is_some(), "{:?}", outcome.last());
    }
    smtp.quit().expect("QUIT is answered");
}

/// What holds of each message, whatever it reports.
fn assert_messages(messages: &[Value]) {
    let mut message_ids = std::collections::BTreeSet::new();
    for message in messages {
        assert_eq!(message["defects"], serde_json::json!([]), "{message}");
        assert_eq!(message["auto_submitted"], "auto-generated");
        assert_eq!(
            message["signatures"],
            serde_json::json!([true, true]),
            "{message}"
        );
        assert_eq!(
            message["parts"],
            serde_json::json!(["text/plain", "application/gzip"])
        );
        assert!(message_ids.insert(message["message_id"].to_string()), "{message}");
        let report = &message["report"];
        let (id, domain) = (text(&report["report_id"]), text(&report["policy"]["domain"]));
        assert!(id.bytes().all(|octet| octet.is_ascii_alphanumeric()), "{id}");
        let subject = format!("Report Domain: {domain} Submitter: {REPORTER} Report-ID: <{id}>");
        assert_eq!(text(&message["subject"]), subject);
        let (begin, end) = (&report["begin"], &report["end"]);
        let file_name = format!("{REPORTER}!{domain}!{begin}!{end}!{id}.xml.gz");
        assert_eq!(text(&message["file_name"]), file_name);
        assert_eq!(report["org_name"], "Here & There");
    }
}

/// The sums over all reports, each report once however many got it.
fn counted(messages: &[Value]) -> BTreeMap<Row, usize> {
    let reports: BTreeMap<&str, &Value> = messages
        .iter()
        .map(|message| (text(&message["report"]["report_id"]), &message["report"]))
        .collect();
    let mut rows = BTreeMap::new();
    for report in reports.values() {
        for row in report["rows"].as_array().expect("a list") {
            let (row, count) = Row::read(text(&report["policy"]["domain"]), row);
            *rows.entry(row).or_default() += count;
        }
    }
    rows
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
