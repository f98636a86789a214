//! Reporting by the service itself, on its own clock.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landmarc_testkit::dns_name;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{World, message, zones};
use crate::binary::executable;
use crate::serve::for_mta;

/// Far beyond what it takes.
const PATIENCE: Duration = Duration::from_secs(60);
const DAY_MS: u64 = 24 * 3600 * 1_000;

/// A service over the store of a world; dropping it kills it.
struct Serving {
    child: Child,
    log: BufReader<ChildStderr>,
    socket: String,
}

impl Serving {
    fn start(world: &World) -> Self {
        let mut child = Command::new(executable())
            .args(["serve", "--config", &world.settings()])
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let socket = loop {
            line.clear();
            assert!(
                log.read_line(&mut line).unwrap() > 0,
                "it ended before it listened"
            );
            if let Some((_, socket)) = line.trim_end().split_once("in Postfix: smtpd_milters = ") {
                break for_mta(socket);
            }
        };
        Self { child, log, socket }
    }

    /// Asks it to end; the exit code and the rest of its log.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

#[test]
fn the_service_reports_the_days_that_are_over_by_itself() {
    let world = World::start("service", "report.spread = \"0s\"");
    world.record([
        message(now_ms() - 2 * DAY_MS, "a.example", &["mailto:dmarc@a.example"]),
        // Too long ago to be reported without being asked.
        message(now_ms() - 9 * DAY_MS, "b.example", &["mailto:dmarc@b.example"]),
    ]);
    let service = Serving::start(&world);
    assert!(world.relay.wait_until(PATIENCE, |log| !log.messages.is_empty()));
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("reports day="), "{log}");
    assert!(
        log.contains("domains=1 reports=1 deliveries=1 skipped=0"),
        "{log}"
    );
    let states = world.states();
    assert_eq!(states, [("dmarc@a.example".to_owned(), "delivered".to_owned())]);
    assert_eq!(world.relay.messages().len(), 1);
}

/// D20, checklist X1 to X5: asked for, verified, redacted, limited; with a copy for the postmaster.
#[test]
fn a_message_that_fails_is_reported_to_who_asks_for_it_and_to_the_postmaster() {
    let settings = "report.failure.enabled = true\nreport.failure.bcc = \"postmaster@receiver.example\"\n\
                    report.failure.per_destination_day = 2\nreport.failure.per_destination_minute = 2\nmode = \"observe\"";
    let world = World::start("failure", settings);
    let mut asking = zones();
    asking.add_txt(
        dns_name("_dmarc.asks.example"),
        b"v=DMARC1; p=reject; ruf=mailto:failures@asks.example",
    );
    asking.set(
        dns_name("asks.example"),
        landmarc_auth::lookup::RecordType::A,
        landmarc_auth::lookup::ZoneData::Records(vec![landmarc_auth::lookup::DnsRecord::A(
            [127, 0, 0, 1].into(),
        )]),
    );
    world.dns.set_zones(asking);
    let service = Serving::start(&world);
    let text = "From: somebody@asks.example\r\nTo: secret.person@receiver.example\r\nSubject: private\r\n\
                Message-ID: <1@asks.example>\r\nDate: Mon, 01 Jun 2026 00:00:00 +0000\r\n\r\nHello\r\n";
    for number in 0..4 {
        let mail = Mail {
            mail_from: "<somebody@asks.example>".to_owned(),
            rcpt_to: vec!["<secret.person@receiver.example>".to_owned()],
            // Each from a network of its own, so that none is like another.
            client: Some([198, 51, 100 + number, 7].into()),
            ..Mail::plain()
        };
        let mut mta = Mta::connect(&service.socket).unwrap();
        let outcome = mta.deliver(&mail.with_text(text.as_bytes())).unwrap();
        assert_eq!(outcome.verdict, Verdict::Accept);
    }
    assert!(world.relay.wait_until(PATIENCE, |log| log.messages.len() >= 4));
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    let to_owner = world.messages_to("failures@asks.example");
    assert_eq!(to_owner.len(), 2, "the limit of a day holds");
    assert_eq!(world.messages_to("postmaster@receiver.example").len(), 2);
    let message = String::from_utf8(to_owner[0].text.clone()).unwrap();
    for part in [
        "To: failures@asks.example",
        "report-type=feedback-report",
        "Feedback-Type: auth-failure",
        "Auto-Submitted: auto-generated",
        "d=reports.receiver.example;",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    for private in ["secret.person", "private", "Hello"] {
        assert!(!message.contains(private), "{private} is in {message}");
    }
    assert_eq!(world.list(&["--kind", "failure"]).len(), 4);
}
