//! The real OpenSMTPD, which starts `landmarc filter opensmtpd` and speaks to it; that asks the service.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;

use landmarc_e2e::{Delivered, HOST_NAME, Outcome, Sink, Smtp};
use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools::{Daemon, Folder, free_port, package};

use super::apart::Apart;
use super::corpus::{self, ALLOWED, Answer, Case, Interface, STRANGER, judged_alike, send_from};
use super::mta::{self, accepted_id};
use crate::binary::executable;
use crate::service::{Line, Service, Socket};
use crate::world::{letter, signed_letter, unfolded};

/// Where smtpd finds the program: it starts filters as a user that may not enter every folder.
const PROGRAM: &str = "/mnt/landmarc";

/// OpenSMTPD and the service; the DNS server that it asks.
struct Scene {
    smtpd: Smtpd,
    service: Service,
    _dns: DnsServer,
}

impl Scene {
    fn start(name: &str, options: &str) -> Option<Self> {
        Self::start_with(name, options, "")
    }

    /// With more lines of our settings.
    fn start_with(name: &str, options: &str, settings: &str) -> Option<Self> {
        let tools = package("opensmtpd")?;
        let dns = DnsServer::start(corpus::zones());
        let folder = Folder::new(name);
        let socket = folder.join("check.sock");
        let settings = format!(
            "{}check_api.listen = [\"unix:{}\"]\ncheck_api.socket_mode = \"0666\"\n{settings}",
            corpus::SETTINGS,
            socket.display()
        );
        let service = Service::start(name, Socket::Inet, dns.addr(), &settings);
        let smtpd = Smtpd::start(&tools, folder, &service, options);
        Some(Self {
            smtpd,
            service,
            _dns: dns,
        })
    }

    fn send(&self, client: Ipv4Addr, mail_from: &str, message: &[u8]) -> Outcome {
        mta::send(&mut self.connect(client), mail_from, message)
    }

    fn connect(&self, client: Ipv4Addr) -> Smtp {
        mta::connect(client, self.smtpd.address)
    }

    #[track_caller]
    fn delivered(&self, outcome: &Outcome) -> (Delivered, Line) {
        mta::delivered(&self.smtpd.sink, &self.service, &accepted_id(outcome))
    }
}

/// A running smtpd with its filter; both end with the test.
struct Smtpd {
    sink: Sink,
    address: SocketAddr,
    daemon: Daemon,
    _folder: Folder,
}

impl Drop for Smtpd {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- log of smtpd\n{}", self.log());
        }
    }
}

impl Smtpd {
    fn start(tools: &Path, folder: Folder, service: &Service, options: &str) -> Self {
        let (sink, port) = (Sink::start().unwrap(), free_port());
        let filter = format!(
            "{PROGRAM} filter opensmtpd --config {} {options}",
            service.settings_file().display()
        );
        let conf = folder.write("smtpd.conf", settings(port, &sink, &filter));
        let mut command = apart(tools, &folder).command(tools.join("usr/sbin/smtpd"));
        command.arg("-d").arg("-f").arg(conf);
        let daemon = Daemon::start(&mut command, folder.join("log")).listens_on(port);
        Self {
            sink,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            daemon,
            _folder: folder,
        }
    }

    fn log(&self) -> String {
        self.daemon.log()
    }
}

/// A border host that takes mail for everybody and hands all of it to the sink.
fn settings(port: u16, sink: &Sink, filter: &str) -> String {
    format!(
        "filter \"landmarc\" proc-exec \"{filter}\"\n\
         listen on 127.0.0.1 port {port} hostname {HOST_NAME} filter \"landmarc\"\n\
         action \"out\" relay host smtp://{}\n\
         match from any for any action \"out\"\n",
        sink.address()
    )
}

/// smtpd was built for accounts and folders that the machine may not have.
fn apart<'a>(tools: &Path, folder: &'a Folder) -> Apart<'a> {
    let accounts = |file: &str, more: &str| fs::read_to_string(file).unwrap() + more;
    let users = "opensmtpd:x:991:991::/:/usr/sbin/nologin\nopensmtpq:x:992:992::/:/usr/sbin/nologin\n";
    Apart::new(folder)
        .file("/etc/passwd", &accounts("/etc/passwd", users))
        .file(
            "/etc/group",
            &accounts("/etc/group", "opensmtpd:x:991:\nopensmtpq:x:992:\n"),
        )
        .empties("/run")
        .empties("/var/spool")
        .empties("/var/lib")
        .empties("/usr/libexec")
        .empties("/mnt")
        .runs("mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /usr/libexec/opensmtpd")
        .runs(&format!("chmod 711 /var/spool/smtpd; touch {PROGRAM}"))
        .shows(PROGRAM, executable())
        .shows("/usr/libexec/opensmtpd", &tools.join("usr/libexec/opensmtpd"))
}

#[test]
fn opensmtpd_hears_every_verdict() {
    let Some(scene) = Scene::start("opensmtpd-verdicts", "") else {
        return;
    };
    let outcome = scene.send(STRANGER, "a@elsewhere.example", &signed_letter("reject.example"));
    let (delivered, line) = scene.delivered(&outcome);
    line.says("client=127.0.0.66 spf=fail dkim=pass dmarc=pass action=accept");
    assert!(delivered.message.ends_with(b"\r\n\r\nhello\r\n.a dot\r\n"));
    let results = delivered.values("Authentication-Results");
    assert_eq!(results.len(), 1, "{results:?}");
    let results = unfolded(&results[0]);
    assert!(
        results.starts_with("mx.corpus.test;") && results.contains("dmarc=pass (p=reject"),
        "{results}"
    );

    let outcome = scene.send(ALLOWED, "a@reject.example", &letter("a@reject.example"));
    let (_, line) = scene.delivered(&outcome);
    line.says("client=127.0.0.2 spf=pass dmarc=pass action=accept");

    let refused = scene.send(STRANGER, "ceo@reject.example", &letter("ceo@reject.example"));
    let (code, text) = (refused.last().code, refused.last().text());
    assert_eq!(code, 550, "{text}");
    let line = &scene.service.messages(3)[2];
    line.says("spf=fail dmarc=fail policy=reject action=reject");
    for words in [
        "5.7.1 ",
        "DMARC",
        "reject.example",
        line.get("id"),
        line.get("cause"),
    ] {
        assert!(text.contains(words), "{words:?} is not in {text:?}");
    }
    assert_eq!(scene.smtpd.sink.delivered().len(), 2);
}

/// There is no place for a message that is held: it is delivered, and marked as OpenSMTPD marks junk.
#[test]
fn opensmtpd_delivers_what_is_quarantined_with_marks() {
    let Some(scene) = Scene::start("opensmtpd-junk", "") else {
        return;
    };
    let forged = [
        &b"DMARC-Quarantine: forged\r\n"[..],
        &letter("a@quarantine.example"),
    ]
    .concat();
    let outcome = scene.send(STRANGER, "a@quarantine.example", &forged);
    let (delivered, line) = scene.delivered(&outcome);
    line.says("dmarc=fail disposition=quarantine action=quarantine");
    let marks = delivered.values("DMARC-Quarantine");
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert!(
        marks[0].contains("quarantined by DMARC policy for quarantine.example"),
        "{marks:?}"
    );
    assert_eq!(delivered.values("X-Spam"), [" yes"]);
}

/// A7: forged results go, with their folds; those of others stay, below ours.
#[test]
fn opensmtpd_gets_messages_back_without_forged_results() {
    let Some(scene) = Scene::start("opensmtpd-forged", "") else {
        return;
    };
    let forged = "Authentication-Results: mx.other.example; dkim=pass header.d=first.example\r\n\
        Authentication-Results: mx.corpus.test;\r\n\tdmarc=pass header.from=forged.example\r\n\
        Authentication-Results: mx.other.example; dkim=pass header.d=second.example\r\n";
    // Too large to be kept in memory.
    let large = ".a line that begins with a dot, and is one of many\r\n".repeat(4_000);
    let message = [forged.as_bytes(), &letter("a@none.example"), large.as_bytes()].concat();
    let outcome = scene.send(STRANGER, "a@none.example", &message);
    let (delivered, line) = scene.delivered(&outcome);
    line.says("dmarc=fail action=accept");
    let results = delivered.values("Authentication-Results");
    let results: Vec<String> = results.iter().map(|value| unfolded(value)).collect();
    assert_eq!(results.len(), 3, "{results:?}");
    assert!(
        results[0].starts_with("mx.corpus.test;") && results[0].contains("dmarc=fail"),
        "{results:?}"
    );
    assert!(
        results[1].contains("first.example") && results[2].contains("second.example"),
        "{results:?}"
    );
    assert!(!String::from_utf8_lossy(&delivered.message).contains("forged.example"));
    let body = [&b"hello\r\n.a dot\r\n"[..], large.as_bytes()].concat();
    assert_eq!(delivered.body(), body);
}

/// So many forged results that a list of them would be longer than the longest answer that is read: the answer stays
/// short, and the message is judged, also where what cannot be judged is taken.
#[test]
fn opensmtpd_is_not_kept_from_judging_by_forged_results() {
    let settings =
        "limits.header_fields = 1000000\nlimits.header_section = \"64MiB\"\nlimits.memory = \"512MiB\"\n";
    let Some(scene) = Scene::start_with("opensmtpd-flood", "--unjudged accept", settings) else {
        return;
    };
    let fields = "Authentication-Results: mx.corpus.test; dmarc=pass\r\n".repeat(30_000);
    let of = |author: &str| [fields.as_bytes(), &letter(author)].concat();
    let refused = scene.send(STRANGER, "a@reject.example", &of("a@reject.example"));
    assert_eq!(refused.last().code, 550, "{:?}", refused.last());
    let outcome = scene.send(STRANGER, "a@none.example", &of("a@none.example"));
    let (delivered, _) = scene.delivered(&outcome);
    let results = delivered.values("Authentication-Results");
    assert_eq!(results.len(), 1, "{}", results.len());
    assert!(results[0].contains("dmarc=fail"), "{results:?}");
}

/// Sessions share one filter, and what is said of them is mixed.
#[test]
fn opensmtpd_has_many_sessions_at_once() {
    let Some(scene) = Scene::start("opensmtpd-many", "") else {
        return;
    };
    // One after the other: smtpd lets no more than five wait before it has greeted them.
    let connected: Vec<_> = (0..24).map(|_| scene.connect(STRANGER)).collect();
    let clients: Vec<_> = connected
        .into_iter()
        .enumerate()
        .map(|(number, mut smtp)| {
            thread::spawn(move || {
                let domain = ["reject.example", "none.example", "plain.example"][number % 3];
                let body = format!("line of {number}\r\n").repeat(2_000 * (number % 4));
                let message = [letter(&format!("a@{domain}")), body.into_bytes()].concat();
                (number, mta::send(&mut smtp, &format!("a@{domain}"), &message))
            })
        })
        .collect();
    for client in clients {
        let (number, outcome) = client.join().unwrap();
        let expected = if number % 3 == 0 { 550 } else { 250 };
        assert_eq!(outcome.last().code, expected, "{number}: {:?}", outcome.last());
        if expected == 250 {
            let (delivered, line) = scene.delivered(&outcome);
            line.says(["", "dmarc=fail policy=none", "dmarc=none"][number % 3]);
            let body = String::from_utf8_lossy(delivered.body()).into_owned();
            let own = body.lines().filter(|line| *line == format!("line of {number}"));
            assert_eq!(own.count(), 2_000 * (number % 4));
            assert_eq!(body.lines().count(), 2 + 2_000 * (number % 4));
        }
    }
    assert_eq!(scene.service.messages(24).len(), 24);
}

/// While the service is away mail is put off, or taken as it is: as the filter was told.
#[test]
fn opensmtpd_does_without_the_service_as_it_was_told() {
    for (options, code) in [("", 451), ("--unjudged accept", 250)] {
        let Some(mut scene) = Scene::start(&format!("opensmtpd-away-{code}"), options) else {
            return;
        };
        let spoof = letter("a@reject.example");
        assert_eq!(scene.send(STRANGER, "a@reject.example", &spoof).last().code, 550);
        scene.service.terminate();
        scene.service.wait_for_end();
        let unjudged = scene.send(STRANGER, "a@reject.example", &spoof);
        assert_eq!(unjudged.last().code, code, "{options}: {:?}", unjudged.last());
        assert!(scene.smtpd.log().contains("cannot be reached"));
        if code == 250 {
            let id = accepted_id(&unjudged);
            let delivered = scene.smtpd.sink.wait_for(&id).expect("it is delivered");
            assert!(delivered.values("Authentication-Results").is_empty());
            assert_eq!(delivered.body(), b"hello\r\n.a dot\r\n");
        }
        scene.service.start_again();
        assert_eq!(scene.send(STRANGER, "a@reject.example", &spoof).last().code, 550);
        assert_eq!(scene.service.messages(2).len(), 2);
    }
}

/// OpenSMTPD delivers about one message in a second, and many at once; so it is looked at when all are taken.
struct Corpus<'a> {
    scene: &'a Scene,
    outcomes: Vec<Outcome>,
}

impl Interface for Corpus<'_> {
    fn service(&self) -> &Service {
        &self.scene.service
    }

    fn send(&mut self, case: &Case) -> Answer {
        let outcome = send_from(case, self.scene.smtpd.address).unwrap();
        let answer = Answer::of(&outcome);
        self.outcomes.push(outcome);
        answer
    }

    fn settle(&mut self, answers: &mut [Answer]) {
        let taken = answers
            .iter_mut()
            .zip(&self.outcomes)
            .filter(|(answer, _)| **answer == Answer::Taken);
        for (answer, outcome) in taken {
            let (delivered, _) = self.scene.delivered(outcome);
            if !delivered.values("DMARC-Quarantine").is_empty() {
                *answer = Answer::Held;
            }
        }
    }

    fn tells_what_is_held(&self) -> bool {
        true
    }
}

#[test]
fn corpus_is_judged_alike_by_opensmtpd() {
    let Some(scene) = Scene::start("corpus-opensmtpd", "") else {
        return;
    };
    judged_alike(&mut Corpus {
        scene: &scene,
        outcomes: Vec::new(),
    });
}
