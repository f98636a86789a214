//! A flood of mail that fails, in the name of domains that ask for failure reports: the reports stay
//! few, mail is answered as ever, and what was held is counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landmarc_auth::lookup::Zones;
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::relay::{Relay, RelayedMessage, Script};
use landmarc_testkit::tools::{Folder, wait_for};
use serde_json::{Value, json};

use super::day::{add_host, keys_of};
use super::postfix::key_files;
use super::python;
use crate::binary::landmarc;
use crate::http::{ANY_PORT, metrics, port, wait_until_started};
use crate::serve::for_mta;
use crate::service::{Service, Socket};
use crate::world::add_text;

/// Who reports.
const REPORTER: &str = "reports.here.example";
/// Gets a copy of each failure report.
const COPY: &str = "abuse@here.example";
/// The messages of each wave of the flood, and all of them.
const WAVES: [usize; 3] = [800, 600, 570];
const STEADY: usize = 30;
/// Connections of the flood at once.
const SESSIONS: usize = 4;
/// A word that is in nothing that leaves: not in the recipients' local parts, nor the subject, nor the body.
const PRIVATE: &str = "carla";

/// One in whose name the mail comes.
fn asks(name: &str) -> String {
    format!("failures@{name}")
}

fn zones() -> Zones {
    let mut zones = Zones::new();
    for (name, more) in [
        ("steady.example", ""),
        ("flood.example", ""),
        ("other.example", ""),
        ("suffix.example", "; psd=y"),
        ("quiet.example", ""),
    ] {
        let record = format!("v=DMARC1; p=reject; fo=1; ruf=mailto:{}{more}", asks(name));
        add_text(&mut zones, &format!("_dmarc.{name}"), &record);
        add_text(&mut zones, name, "v=spf1 -all");
        add_host(&mut zones, name);
    }
    zones
}

/// The service, with its relay and its DNS.
struct Scene {
    service: Service,
    relay: Relay,
    port: SocketAddr,
    common: String,
    folder: Folder,
    _dns: DnsServer,
}

impl Scene {
    fn start() -> Self {
        let dns = DnsServer::start(zones());
        let relay = Relay::start(Script::default());
        let folder = Folder::new("outbox-flood-keys");
        let common = format!(
            "{ANY_PORT}mode = \"enforce\"\naction.reject = \"always\"\nreport.email = \"dmarc@{REPORTER}\"\n\
             report.dkim_keys = {}\nreport.delivery.relay = \"{}\"\nreport.delivery.tls = \"none\"\n\
             report.per_host = 100000\nreport.failure.enabled = true\nreport.failure.bcc = \"{COPY}\"\n",
            key_files(&folder),
            relay.address(),
        );
        let service = Service::start(
            "outbox-flood",
            Socket::Inet,
            dns.addr(),
            &with_limits(&common, 60, 1_000),
        );
        let port = port(&service);
        wait_until_started(port);
        Self {
            service,
            relay,
            port,
            common,
            folder,
            _dns: dns,
        }
    }

    /// Other limits from now on: to one destination in a minute, and in all on a day.
    fn limit(&self, per_minute: u32, per_day: u32) {
        let said = self
            .service
            .reload(&with_limits(&self.common, per_minute, per_day));
        assert!(said.contains("configuration reloaded"), "{said}");
    }

    /// The same after a restart.
    fn restart_with(&mut self, per_minute: u32, per_day: u32) {
        self.service
            .configure(&with_limits(&self.common, per_minute, per_day));
        self.service.terminate();
        assert_eq!(self.service.wait_for_end().code(), Some(0));
        let before = self.ports().len();
        self.service.start_again();
        let line = wait_for(|| self.ports().into_iter().nth(before)).expect("it opens its port again");
        let mut words = line.split([' ', '/']);
        self.port = words.find_map(|word| word.parse().ok()).expect("an address");
        wait_until_started(self.port);
    }

    /// The lines that tell the ports of all its lives.
    fn ports(&self) -> Vec<String> {
        let log = self.service.log().into_iter();
        log.filter(|line| line.contains("http port http://")).collect()
    }

    /// Asserts that the message is refused as it would be without any report.
    #[track_caller]
    fn refuses(&self, mail: &Mail) {
        let mut mta = Mta::connect(&for_mta(self.service.milter())).unwrap();
        match mta.deliver(mail).unwrap().verdict {
            Verdict::Reply(reply) => assert!(reply.starts_with("550 5.7.1 "), "{reply}"),
            other => panic!("{other:?}"),
        }
    }

    /// So many messages, over several connections at once, all of them refused.
    fn flood(&self, domain: &str, messages: usize) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..SESSIONS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= messages {
                            return;
                        }
                        self.refuses(&forged(domain, number));
                    }
                });
            }
        });
    }

    /// What became of all messages that ask for a report, when nothing waits any more.
    fn figures(&self) -> Figures {
        let seen = wait_for(|| Some(self.figures_now()).filter(Figures::are_settled));
        seen.unwrap_or_else(|| panic!("some wait for ever: {:?}", self.figures_now()))
    }

    fn figures_now(&self) -> Figures {
        let samples = metrics(self.port);
        let figure = |name: &str, outcome: &str| {
            let sample = samples.get(&format!("landmarc_failure_{name}_total{{outcome=\"{outcome}\"}}"));
            format!("{:.0}", sample.copied().unwrap_or_default())
                .parse()
                .unwrap()
        };
        Figures {
            taken: figure("candidates", "taken"),
            dropped: figure("candidates", "dropped"),
            queued: figure("reports", "queued"),
            limited: figure("reports", "limited"),
            others: figure("reports", "refused") + figure("reports", "failed"),
        }
    }

    /// Sends what is queued; the messages that the relay has, by their recipient.
    fn sent(&self) -> BTreeMap<String, Vec<RelayedMessage>> {
        let settings = self.service.settings_file().display().to_string();
        let ran = landmarc(["outbox", "send", "--json", "--config", &settings]);
        assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
        // The service may have some under way itself.
        let listed = wait_for(|| {
            let listed = landmarc(["outbox", "list", "--state", "queued", "--config", &settings]);
            listed.stdout.is_empty().then_some(())
        });
        assert!(listed.is_some(), "messages wait for ever");
        let mut sent: BTreeMap<String, Vec<RelayedMessage>> = BTreeMap::new();
        for message in self.relay.messages() {
            sent.entry(message.rcpt_to[0].clone()).or_default().push(message);
        }
        sent
    }
}

fn with_limits(common: &str, per_minute: u32, per_day: u32) -> String {
    format!(
        "{common}report.failure.per_destination_minute = {per_minute}\n\
         report.failure.per_destination_day = 60\nreport.failure.per_day = {per_day}\n"
    )
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    taken: usize,
    dropped: usize,
    queued: usize,
    limited: usize,
    /// Nobody may have it, or it could not be stored.
    others: usize,
}

impl Figures {
    fn are_settled(&self) -> bool {
        self.taken == self.queued + self.limited + self.others
    }
}

/// A message in the name of a domain, unlike any other: client, envelope and signature vary.
fn forged(domain: &str, number: usize) -> Mail {
    let octet = |number: usize| u8::try_from(number % 256).unwrap();
    let text = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s{number}; h=from:subject;\r\n\
         \tbh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=; b=MTIz\r\n\
         From: boss{number}@{domain}\r\nTo: {PRIVATE}.{number}@here.example\r\nSubject: for {PRIVATE}\r\n\
         Message-ID: <{number}@{domain}>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nDear {PRIVATE},\r\n"
    );
    Mail {
        client: Some([198, octet(number / 256), octet(number), 7].into()),
        mail_from: format!("<x@e{number}.nowhere.example>"),
        rcpt_to: vec![format!("<{PRIVATE}.{number}@here.example>")],
        macros: vec![("i".to_owned(), format!("4F{number}"))],
        ..Mail::plain()
    }
    .with_text(text.as_bytes())
}

/// One and the same thing going wrong again and again: only the MTA tells the messages apart.
fn steady(number: usize) -> Mail {
    Mail {
        macros: vec![("i".to_owned(), format!("4S{number}"))],
        ..forged("steady.example", 0)
    }
}

/// Such that nobody reports about, though they fail and their domain asks for it.
fn unreported() -> [Mail; 5] {
    let with_field = |field: &str| {
        let mail = forged("quiet.example", 0);
        let mut fields = mail.fields.clone();
        let (name, value) = field.split_once(':').unwrap();
        fields.retain(|(known, _)| known != name.as_bytes());
        fields.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        Mail { fields, ..mail }
    };
    let bounce = Mail {
        mail_from: "<>".to_owned(),
        ..forged("quiet.example", 0)
    };
    let to_reports = Mail {
        rcpt_to: vec![format!("<dmarc@{REPORTER}>")],
        ..forged("quiet.example", 0)
    };
    [
        forged("suffix.example", 0),
        bounce,
        to_reports,
        with_field("Auto-Submitted: auto-replied"),
        with_field("Content-Type: multipart/report; report-type=feedback-report; boundary=b"),
    ]
}

/// The limits that are tried here are those of a UTC day: shortly before its end the next one is waited for.
fn stay_within_a_day() {
    const DAY: Duration = Duration::from_hours(24);
    const ROOM: Duration = Duration::from_mins(2);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let left = DAY - Duration::from_secs(since_epoch.as_secs() % DAY.as_secs());
    if left < ROOM {
        std::thread::sleep(left);
    }
}

#[test]
fn a_flood_of_failing_mail_makes_few_reports_and_changes_no_answer() {
    if !python::can_read() {
        return;
    }
    stay_within_a_day();
    let mut scene = Scene::start();
    for mail in unreported() {
        scene.refuses(&mail);
    }
    assert_eq!(scene.figures(), Figures::default(), "nobody asked");

    for number in 0..STEADY {
        scene.refuses(&steady(number));
    }
    let after_steady = scene.figures();
    // The first ten, and two that stand for ten each.
    assert_eq!(
        (after_steady.queued, after_steady.limited),
        (12, STEADY - 12),
        "{after_steady:?}"
    );

    // The limit of a minute.
    scene.limit(10, 1_000);
    let began = Instant::now();
    scene.flood("flood.example", WAVES[0]);
    let minutes = usize::try_from(began.elapsed().as_secs() / 60 + 1).unwrap();
    let first = scene.figures();
    let queued = first.queued - after_steady.queued;
    assert!(
        (10..=10 * minutes).contains(&queued),
        "{queued} in {minutes} minutes"
    );
    assert_eq!(
        (first.taken + first.dropped, first.others),
        (STEADY + WAVES[0], 0),
        "{first:?}"
    );

    // That of a day to one destination. A restart makes nobody forget it; the minute begins anew.
    scene.restart_with(60, 1_000);
    scene.flood("flood.example", WAVES[1]);
    let second = scene.figures();
    assert_eq!(second.queued, 60 - queued, "{second:?}");

    // And that of a day to all.
    scene.limit(60, 100);
    scene.flood("other.example", WAVES[2]);
    let last = scene.figures();
    assert_eq!(first.queued + last.queued, 100, "{last:?}");
    assert_eq!(
        (last.taken + last.dropped, last.others),
        (WAVES[1] + WAVES[2], 0),
        "{last:?}"
    );
    eprintln!("flood: before the restart {first:?}, after it {last:?}");
    assert_messages(&scene);
}

fn assert_messages(scene: &Scene) {
    let sent = scene.sent();
    let counts: Vec<_> = sent
        .iter()
        .map(|(to, messages)| (to.as_str(), messages.len()))
        .collect();
    let expected = [
        (COPY, 100),
        ("failures@flood.example", 60),
        ("failures@other.example", 28),
        ("failures@steady.example", 12),
    ];
    assert_eq!(counts, expected);
    let messages = sent.values().flatten().enumerate();
    let files: Vec<_> = messages
        .map(|(number, message)| scene.folder.write(format!("{number}.eml"), &message.text))
        .collect();
    let read = python::read(&scene.folder, &keys_of(REPORTER), &files);
    assert_eq!(read.len(), files.len());
    read.iter().for_each(assert_message);
    let of_steady: Vec<_> = read
        .iter()
        .filter(|message| message["to"] == "failures@steady.example")
        .collect();
    let incidents: Vec<_> = of_steady
        .iter()
        .map(|message| message["feedback"]["Incidents"].clone())
        .collect();
    let merged = incidents
        .iter()
        .filter(|printed| **printed == json!("10"))
        .count();
    assert_eq!((incidents.len(), merged), (12, 2), "{incidents:?}");
}

/// What holds of each.
fn assert_message(message: &Value) {
    assert_eq!(message["defects"], json!([]), "{message}");
    assert_eq!(message["type"], "multipart/report", "{message}");
    let parts = json!(["text/plain", "message/feedback-report", "text/rfc822-headers"]);
    assert_eq!(message["parts"], parts, "{message}");
    assert_eq!(message["signatures"], json!([true, true]), "{message}");
    assert_eq!(message["auto_submitted"], "auto-generated", "{message}");
    let feedback = &message["feedback"];
    assert_eq!(
        (&feedback["Feedback-Type"], &feedback["Auth-Failure"]),
        (&json!("auth-failure"), &json!("dmarc"))
    );
    let content = message["content"].as_str().unwrap();
    assert!(
        content.contains("Message-ID: <"),
        "the header section is in it: {content}"
    );
    assert!(!content.contains(PRIVATE), "{content}");
}
