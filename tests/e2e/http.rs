//! The HTTP port: numbers that messages move, and whether the service is ready.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::tools::{Folder, wait_for};

use crate::binary::landmarc;
use crate::serve::for_mta;
use crate::service::{Service, Socket};
use crate::world::{ALLOWED, RECIPIENT, STRANGER, zones};

pub(crate) const ANY_PORT: &str = "web.listen = [\"127.0.0.1:0\"]\n";

/// A service, and the port it answers on.
struct Watched {
    service: Service,
    port: SocketAddr,
    dns: DnsServer,
}

impl Watched {
    fn start(name: &str, socket: Socket, settings: &str) -> Self {
        let dns = DnsServer::start(zones());
        let service = Service::start(name, socket, dns.addr(), &format!("{ANY_PORT}{settings}"));
        let port = port(&service);
        let watched = Self { service, port, dns };
        wait_until_started(port);
        watched
    }

    /// Code and body of a page; nothing when nobody answers.
    fn get(&self, page: &str) -> Option<(u16, String)> {
        get(self.port, page)
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        metrics(self.port)
    }

    /// Waits until `/readyz` says this.
    #[track_caller]
    fn wait_until_it_says(&self, code: u16, words: &str) {
        wait_until_it_says(self.port, code, words);
    }

    fn connect(&self) -> Mta {
        Mta::connect(&for_mta(self.service.milter())).unwrap()
    }
}

/// The port that the service says it answers on.
pub(crate) fn port(service: &Service) -> SocketAddr {
    let line = service.wait_for_line("http port http://");
    let address = line
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next());
    address.unwrap().parse().unwrap()
}

/// Waits until all of a service has started: its port opens first, and tells of less until then.
#[track_caller]
pub(crate) fn wait_until_started(port: SocketAddr) {
    wait_until_it_says(port, 200, "milter ok\n");
}

/// Waits until `/readyz` says this.
#[track_caller]
fn wait_until_it_says(port: SocketAddr, code: u16, words: &str) {
    let mut last = None;
    let said = wait_for(|| {
        last = get(port, "/readyz");
        last.as_ref()
            .is_some_and(|(found, body)| *found == code && body.contains(words))
            .then_some(())
    });
    assert!(said.is_some(), "{code} {words:?} is not said, but {last:?}");
}

pub(crate) fn get(port: SocketAddr, page: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(port).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
}

/// The samples of `/metrics`, by name and labels.
pub(crate) fn metrics(port: SocketAddr) -> BTreeMap<String, f64> {
    let (code, page) = get(port, "/metrics").expect("the port is open");
    assert_eq!(code, 200);
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    samples.map(sample).collect()
}

fn mail(client: &str, domain: &str) -> Mail {
    let text = format!("From: a@{domain}\r\nSubject: hello\r\n\r\nhello\r\n");
    Mail {
        client: Some(client.parse().unwrap()),
        mail_from: format!("<a@{domain}>"),
        rcpt_to: vec![format!("<{RECIPIENT}>")],
        ..Mail::plain().with_text(text.as_bytes())
    }
}

#[test]
fn what_happens_to_messages_is_counted() {
    let watched = Watched::start("http-metrics", Socket::Inet, "");
    let before = watched.metrics();
    for mail in [
        mail(ALLOWED, "reject.example"),
        mail(STRANGER, "reject.example"),
        mail(STRANGER, "broken.example"),
        mail("127.0.0.1", "reject.example"),
    ] {
        let mut mta = watched.connect();
        assert_eq!(mta.deliver(&mail).unwrap().verdict, Verdict::Accept);
        mta.quit().unwrap();
    }
    let _idle = watched.connect();
    let open = wait_for(|| {
        Some(watched.metrics()["landmarc_milter_sessions"]).filter(|open| (open - 1.0).abs() < 0.5)
    });
    assert!(open.is_some(), "one session is open, and no other");
    let after = watched.metrics();
    let grown = |name: &str| {
        let value =
            |samples: &BTreeMap<String, f64>| *samples.get(name).unwrap_or_else(|| panic!("no {name}"));
        value(&after) - value(&before)
    };
    for (name, by) in [
        (
            "landmarc_messages_total{dmarc=\"pass\",disposition=\"pass\",action=\"accept\"}",
            1.0,
        ),
        (
            "landmarc_messages_total{dmarc=\"fail\",disposition=\"none\",action=\"accept\"}",
            1.0,
        ),
        (
            "landmarc_messages_total{dmarc=\"temperror\",disposition=\"none\",action=\"accept\"}",
            1.0,
        ),
        ("landmarc_enforced_action_total{action=\"reject\"}", 1.0),
        ("landmarc_enforced_action_total{action=\"quarantine\"}", 0.0),
        ("landmarc_messages_skipped_total{reason=\"trusted_network\"}", 1.0),
        ("landmarc_failures_total{cause=\"dns\"}", 1.0),
        ("landmarc_failures_total{cause=\"internal\"}", 0.0),
        ("landmarc_spf_results_total{result=\"pass\"}", 1.0),
        ("landmarc_spf_results_total{result=\"fail\"}", 1.0),
        ("landmarc_spf_results_total{result=\"temperror\"}", 1.0),
        ("landmarc_message_seconds_count", 3.0),
        ("landmarc_message_seconds_bucket{le=\"+Inf\"}", 3.0),
        ("landmarc_message_dns_questions_count", 3.0),
        ("landmarc_milter_connections_total", 5.0),
        ("landmarc_milter_protocol_errors_total", 0.0),
        ("landmarc_store_recorded_total", 3.0),
    ] {
        assert!((grown(name) - by).abs() < 1e-9, "{name} grew by {}", grown(name));
    }
    assert!(grown("landmarc_dns_questions_total") >= 3.0);
    assert!(grown("landmarc_dns_answers_total{answer=\"serv_fail\"}") >= 1.0);
    assert!(after["landmarc_milter_accepting"] > 0.0 && after["landmarc_store_up"] > 0.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);
}

/// The limit of one message is our own doing, so it is not counted as a failure of DNS.
#[test]
fn a_message_that_asks_too_much_is_counted_apart() {
    let watched = Watched::start("http-budget", Socket::Inet, "dns.questions_per_message = 10\n");
    let mut mta = watched.connect();
    mta.deliver(&mail(STRANGER, "a.b.c.d.e.f.g.plain.example"))
        .unwrap();
    mta.quit().unwrap();
    let metrics = watched.metrics();
    let failures =
        ["budget", "dns"].map(|cause| metrics[&format!("landmarc_failures_total{{cause=\"{cause}\"}}")]);
    assert!(failures[0] > 0.5 && failures[1] < 0.5, "{failures:?}");
}

/// Until the last message is answered, the port tells that no more are taken.
#[test]
fn it_is_ready_until_it_is_told_to_stop() {
    let mut watched = Watched::start("http-ready", Socket::Inet, "");
    watched.wait_until_it_says(200, "milter ok\nstore ok\n");
    assert_eq!(watched.get("/healthz"), Some((200, "ok\n".to_owned())));
    let mut mta = watched.connect();
    let mail = mail(ALLOWED, "reject.example");
    assert!(mta.greet(&mail).unwrap().is_none());
    assert!(mta.tell_up_to_body(&mail).unwrap().is_none());
    watched.service.terminate();
    watched.wait_until_it_says(503, "milter down: stopping\nstore ok\n");
    assert_eq!(watched.get("/healthz"), Some((200, "ok\n".to_owned())));
    assert!(watched.metrics().contains_key("landmarc_milter_sessions"));
    assert_eq!(mta.finish(&mail).unwrap().verdict, Verdict::Accept);
    assert_eq!(watched.service.wait_for_end().code(), Some(0));
    assert_eq!(watched.get("/healthz"), None, "the port is closed");
}

#[test]
fn a_name_server_that_does_not_answer_is_told_and_so_is_its_return() {
    let settings = "dns.question_timeout = \"300ms\"\n";
    let watched = Watched::start("http-dns", Socket::Inet, settings);
    watched.wait_until_it_says(200, "settings ok\ndns ok\n");
    let address = watched.dns.addr();
    watched.dns.set_silent(true);
    let degraded = format!("settings ok\ndns degraded: {address} does not answer\n");
    watched.wait_until_it_says(200, &degraded);
    let line = watched.service.wait_for_line("the name server does not answer");
    assert!(
        line.contains("WARN") && line.contains(&address.to_string()),
        "{line}"
    );
    let answers = format!("landmarc_dns_server_answers{{server=\"{address}\"}}");
    assert!(watched.metrics()[&answers] < 0.5);
    watched.dns.set_silent(false);
    watched.service.wait_for_line("the name server answers again");
    watched.wait_until_it_says(200, "dns ok\n");
}

/// Decision D13: mail goes on without the store, and the port says so.
#[test]
fn a_store_that_cannot_be_written_is_told_and_does_not_make_it_unready() {
    let watched = Watched::start(
        "http-store",
        Socket::Inet,
        "store.directory = \"/proc/landmarc\"\n",
    );
    let mut mta = watched.connect();
    assert_eq!(
        mta.deliver(&mail(ALLOWED, "reject.example")).unwrap().verdict,
        Verdict::Accept
    );
    watched.wait_until_it_says(200, "milter ok\nstore degraded: ");
    let banner = watched.service.wait_for_line("records wait in memory: ");
    assert!(
        banner.contains("/proc/landmarc/landmarc.db cannot be written; ") && banner.contains("chown "),
        "{banner}"
    );
    assert!(
        !watched
            .service
            .log()
            .iter()
            .any(|line| line.contains("records in "))
    );
    let metrics = watched.metrics();
    assert!(metrics["landmarc_store_up"] < 0.5);
    assert!(metrics["landmarc_store_queue_length"] > 0.5);
    mta.quit().unwrap();
}

/// Decision D34: a failed reload keeps what runs, and those who watch see it until it is mended.
#[test]
fn a_reload_that_failed_is_told_until_one_goes_well() {
    let watched = Watched::start("http-reload", Socket::Inet, "");
    let state = || {
        let metrics = watched.metrics();
        [
            "last_reload_successful",
            "reloads_total{result=\"ok\"}",
            "reloads_total{result=\"failed\"}",
        ]
        .map(|name| metrics[&format!("landmarc_config_{name}")].to_string())
    };
    watched.wait_until_it_says(200, "store ok\nsettings ok\n");
    assert_eq!(state(), ["1", "0", "0"]);
    assert!(watched.metrics()["landmarc_config_loaded_timestamp_seconds"] > 1_000_000_000.0);
    let line = watched.service.reload(&format!("{ANY_PORT}mode = \"no\"\n"));
    assert!(line.ends_with(": 1 mistake"), "{line}");
    watched.wait_until_it_says(200, "settings degraded: not reloaded, the old ones stay");
    assert_eq!(state(), ["0", "0", "1"]);
    watched.service.reload(ANY_PORT);
    watched.wait_until_it_says(200, "store ok\nsettings ok\n");
    assert_eq!(state(), ["1", "1", "1"]);
}

#[test]
fn a_socket_that_somebody_removed_makes_it_unready() {
    let watched = Watched::start("http-socket", Socket::Unix, "");
    let path = watched.service.milter().trim_start_matches("unix:").to_owned();
    std::fs::remove_file(&path).unwrap();
    watched.wait_until_it_says(
        503,
        &format!("milter down: {path} is gone: restart the service\n"),
    );
}

#[test]
fn a_port_in_use_is_told_with_cause_and_remedy() {
    let folder = Folder::new("http-taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = format!("milter.listen = [\"inet:127.0.0.1:0\"]\nweb.listen = [\"{address}\"]\n");
    let file = folder.write("landmarc.toml", settings);
    let ran = landmarc(["serve", "--config", &file.display().to_string()]);
    assert_eq!(ran.code, 69);
    assert_eq!(
        ran.stderr,
        format!(
            "landmarc: web.listen: cannot listen on inet:{address}: another program does\n  \
             stop the program that holds it (`ss -tlnp 'sport = :{}'`), or choose another port\n",
            address.port()
        )
    );
}

#[test]
fn switched_off_there_is_no_port() {
    let dns = DnsServer::start(zones());
    let mut service = Service::start("http-off", Socket::Inet, dns.addr(), "web.listen = []\n");
    service.terminate();
    assert_eq!(service.wait_for_end().code(), Some(0));
    service.wait_for_line("stopped finished=");
    let log = service.log().join("\n");
    assert!(!log.contains("http port"), "{log}");
}
