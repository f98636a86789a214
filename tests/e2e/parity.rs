//! The same message gets the same verdict through `check` and through the milter: over
//! the messages of the conformance sets, in both modes.

use std::net::IpAddr;
use std::thread;

use landmarc_dns::zone_file;
use landmarc_testkit::cases::{self, Case};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Edit, Mail, Mta, Outcome, Verdict};
use landmarc_testkit::tools::Folder;
use serde_json::Value;

use crate::binary::landmarc;
use crate::serve::for_mta;
use crate::service::{Service, Socket};

/// What both ways judge by. Nothing is remembered from one case to the next, loopback
/// clients are judged, and no file of this machine plays a part.
const SETTINGS: &str = "\
authserv_id = \"parity.example\"
action.quarantine = \"hold\"
arc.validate = \"always\"
clients.trusted_networks = []
dns.cache_entries = 0
dmarc.public_suffix_list = \"\"
";

const MODES: [&str; 2] = ["observe", "enforce"];

/// How many threads share the cases; each has a DNS server and two services of its own.
const WORKERS: usize = 2;

/// Messages that cannot come through a milter as they are, and why.
const NO_MAIL: [(&str, &str); 2] = [
    ("arc/validation/cv_empty", "no octet: `check` calls it no message"),
    (
        "arc/validation/cv_no_headers",
        "no header field: `check` calls it no message",
    ),
];

#[test]
fn check_and_milter_say_the_same() {
    let sets = [
        cases::all("dkim/cases.jsonl"),
        cases::load("arc/validation.jsonl"),
        cases::own("dmarc/cases.jsonl"),
    ];
    let cases = sets.into_iter().flatten();
    let (cases, left_out): (Vec<_>, Vec<_>) = cases
        // Twins with switches that we do not have are the same message and zones again.
        .filter(|case| !case.needs_legacy_options())
        .partition(|case| NO_MAIL.iter().all(|(id, _)| *id != case.id()));
    let differences: Vec<String> = thread::scope(|scope| {
        let chunks = cases.chunks(cases.len().div_ceil(WORKERS).max(1));
        let workers: Vec<_> = chunks
            .enumerate()
            .map(|(number, chunk)| scope.spawn(move || Bench::new(number).differences(chunk)))
            .collect();
        let found = workers.into_iter().map(|worker| worker.join().unwrap());
        found.flatten().collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    if cases::folder().is_some() {
        assert!(cases.len() > 300, "only {} cases", cases.len());
        assert_eq!(left_out.len(), NO_MAIL.len());
    }
}

/// What one thread works with.
struct Bench {
    folder: Folder,
    dns: DnsServer,
    /// In the order of [`MODES`].
    services: [Service; 2],
}

/// What is compared.
#[derive(Debug, PartialEq, Eq)]
struct Judged {
    /// The value, with folds and blanks as one blank; none for a message that is refused,
    /// for nobody will read it.
    authentication_results: Option<String>,
    /// `accept`, `quarantine`, or the reply without the id of the message.
    verdict: String,
}

impl Bench {
    fn new(number: usize) -> Self {
        let dns = DnsServer::start(landmarc_auth::lookup::Zones::new());
        let services = MODES.map(|mode| {
            let settings = format!("mode = \"{mode}\"\n{SETTINGS}");
            let name = format!("parity-{number}-{mode}");
            Service::start(&name, Socket::Inet, dns.addr(), &settings)
        });
        let folder = Folder::new(&format!("parity-{number}"));
        folder.write("landmarc.toml", SETTINGS);
        Self {
            folder,
            dns,
            services,
        }
    }

    fn differences(&self, cases: &[Case]) -> Vec<String> {
        cases.iter().filter_map(|case| self.difference(case)).collect()
    }

    fn difference(&self, case: &Case) -> Option<String> {
        // A resolver that waits for an answer finds out the same as one that is told.
        let zones = case.json["dns"]
            .to_string()
            .replace("\"TIMEOUT\"", "\"SERVFAIL\"");
        self.dns.set_zones(zone_file::parse(&zones).unwrap());
        self.folder.write("zones.json", zones);
        let message = case.message().unwrap();
        self.folder.write("message.eml", &message);
        let mail = mail(case, &message);
        let mut found = String::new();
        for (mode, service) in MODES.iter().zip(&self.services) {
            let checked = self.check(case, mode);
            let outcome = Mta::connect(&for_mta(service.milter())).and_then(|mut mta| mta.deliver(&mail));
            let filtered = outcome.map(|outcome| filtered(&outcome));
            match filtered {
                Ok(filtered) if filtered == checked => {}
                other => found += &format!("\n  {mode}: check  {checked:?}\n  {mode}: milter {other:?}"),
            }
        }
        (!found.is_empty()).then(|| format!("{}:{found}", case.id()))
    }

    fn check(&self, case: &Case, mode: &str) -> Judged {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut arguments = vec![
            "check".to_owned(),
            "--json".to_owned(),
            format!("--mode={mode}"),
            format!("--config={}", path("landmarc.toml")),
            format!("--dns={}", path("zones.json")),
            format!("--helo={}", case.input("helo").unwrap_or_default()),
            format!("--mail-from={}", case.input("mailfrom").unwrap_or_default()),
            path("message.eml"),
        ];
        arguments.extend(case.input("ip").map(|ip| format!("--ip={ip}")));
        let ran = landmarc(arguments);
        assert!(matches!(ran.code, 0..=2), "{}: {}", case.id(), ran.stderr);
        judged_by_check(&ran.json())
    }
}

fn judged_by_check(object: &Value) -> Judged {
    let word = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    match object["reply"].as_str() {
        Some(reply) => Judged {
            authentication_results: None,
            verdict: without_id(reply),
        },
        None => Judged {
            authentication_results: Some(without_id(&word("authentication_results"))),
            verdict: word("action"),
        },
    }
}

const QUEUE_ID: &str = "4Fb1";

fn mail(case: &Case, message: &[u8]) -> Mail {
    let ip = case.input("ip").map(|ip| ip.parse::<IpAddr>().unwrap());
    let macros = [("i", QUEUE_ID), ("j", "mail.example.net")];
    Mail {
        client: ip,
        client_name: "unknown".to_owned(),
        helo: case.input("helo").unwrap_or_default().to_owned(),
        mail_from: format!("<{}>", case.input("mailfrom").unwrap_or_default()),
        macros: macros
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..Mail::plain()
    }
    .with_text(message)
}

/// What the MTA was told of the message.
fn filtered(outcome: &Outcome) -> Judged {
    let results: Vec<String> = outcome.edits.iter().filter_map(results).collect();
    let is_held = |edit: &Edit| matches!(edit, Edit::Quarantine(_));
    let verdict = match &outcome.verdict {
        Verdict::Accept | Verdict::Continue if outcome.edits.iter().any(is_held) => "quarantine".to_owned(),
        Verdict::Accept | Verdict::Continue => "accept".to_owned(),
        // On the wire `%` is doubled.
        Verdict::Reply(text) => without_id(&text.replace("%%", "%")),
        other => format!("{other:?}"),
    };
    Judged {
        // Two of them would be one too many, and differ from what `check` has.
        authentication_results: (!results.is_empty()).then(|| results.join(" and ")),
        verdict,
    }
}

fn results(edit: &Edit) -> Option<String> {
    match edit {
        Edit::Insert {
            index: 0,
            name,
            value,
        } if name == b"Authentication-Results" => Some(without_id(&String::from_utf8_lossy(value))),
        _ => None,
    }
}

/// With the id of the message, which is another one each time, taken out wherever it stands.
fn without_id(text: &str) -> String {
    let is_id =
        |word: &str| word == "check" || word.len() == 12 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let word = |word: &str| {
        let bare = word.trim_matches(['(', ')', ',', ';']);
        let bare = bare.strip_prefix("id=").unwrap_or(bare);
        if is_id(bare) {
            word.replace(bare, "ID")
        } else {
            word.to_owned()
        }
    };
    text.split_ascii_whitespace()
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}
