//! Two sites that report about each other: what they send each other because of reports causes no
//! report (decision D18), on ten days and for ever.

use std::path::{Path, PathBuf};

use landmarc_auth::lookup::Zones;
use landmarc_store::{Day, Reader};
use landmarc_testkit::mta::{Mail, Mta};
use landmarc_testkit::relay::RelayedMessage;
use landmarc_testkit::tools::{Folder, wait_for};
use serde_json::{Value, json};

use super::clock::{Serving, SetClock, set};
use super::day::add_host;
use super::postfix::key_files;
use super::{EMAIL, JUNE_1, World};
use crate::serve::for_mta;
use crate::world::{ED25519, RSA, add_text, signing_key};

const A: Name = Name {
    domain: "a.example",
    address: [192, 0, 2, 10],
    email: "dmarc@a.example",
};
/// Reports come from another address than those of others go to, and it names the second nowhere: it has
/// to recognise reports by what they are.
const B: Name = Name {
    domain: "b.example",
    address: [192, 0, 2, 20],
    email: "reports@b.example",
};

#[derive(Clone, Copy)]
struct Name {
    domain: &'static str,
    /// Where its mail comes from.
    address: [u8; 4],
    /// Where its reports come from.
    email: &'static str,
}

impl Name {
    /// Where it wants the reports of others.
    fn rua(self) -> String {
        format!("dmarc@{}", self.domain)
    }

    fn host(self) -> String {
        format!("mx.{}", self.domain)
    }
}

/// One of the two.
struct Site {
    name: Name,
    world: World,
    service: Serving,
}

impl Site {
    fn start(name: Name, clock: &SetClock, time: &Path) -> Self {
        let world = World::start(name.domain, "");
        let settings = std::fs::read_to_string(world.settings()).unwrap();
        let settings = settings.replace(EMAIL, name.email);
        let others = settings
            .lines()
            .filter(|line| !line.starts_with("report.dkim_keys"));
        let keys = format!("report.dkim_keys = {}", key_files(&world.folder));
        let lines: Vec<&str> = others.chain([keys.as_str()]).collect();
        std::fs::write(world.settings(), lines.join("\n")).unwrap();
        world.dns.set_zones(zones());
        let service = clock.serve_by(&world, time);
        Self { name, world, service }
    }

    /// Mail comes in from the other site.
    fn receives(&self, from: Name, mail_from: &str, rcpt_to: &str, text: &[u8]) {
        let mut mta = Mta::connect(&for_mta(&self.service.milter())).unwrap();
        let mail = Mail {
            client: Some(from.address.into()),
            client_name: from.host(),
            helo: from.host(),
            mail_from: format!("<{mail_from}>"),
            rcpt_to: vec![format!("<{rcpt_to}>")],
            ..Mail::plain()
        };
        mta.deliver(&mail.with_text(text)).unwrap();
    }

    /// What one person writes to another.
    fn receives_mail(&self, from: Name) {
        let (author, reader) = (
            format!("anna@{}", from.domain),
            format!("bert@{}", self.name.domain),
        );
        let text = format!("From: {author}\r\nTo: {reader}\r\nSubject: hello\r\n\r\nHello\r\n");
        self.receives(from, &author, &reader, text.as_bytes());
    }

    /// A message of the other site as its relay has it.
    fn receives_message(&self, from: Name, message: &RelayedMessage) {
        self.receives(from, &message.mail_from, &message.rcpt_to[0], &message.text);
    }

    /// Waits until so many messages of this day are counted.
    #[track_caller]
    fn counts(&self, day: u32, messages: u64) {
        let counted = || {
            let reader = Reader::open(self.world.database()).unwrap();
            let domains = reader.reporting_day(june(day)).unwrap();
            let rows = domains.flat_map(|domain| domain.unwrap().rows);
            rows.map(|row| row.count).sum::<u64>()
        };
        let found = wait_for(|| (counted() == messages).then_some(()));
        assert!(
            found.is_some(),
            "{}: {} on June {day}",
            self.name.domain,
            counted()
        );
    }

    /// The night before this day: the messages that go out, and the days that are reported.
    #[track_caller]
    fn night(&self, day: u32) -> (usize, Value) {
        let before = self.world.relay.messages().len();
        let (code, summary) = self.world.send(&midnight(day));
        assert_eq!(code, 0, "{summary}");
        let messages = self.world.relay.messages().len() - before;
        (messages, summary["days"].clone())
    }

    /// About whom a report would be made in the night before this day, and why not.
    fn due(&self, day: u32) -> Value {
        let due = self.world.outbox(&["due", "--json", "--now", &midnight(day)]);
        assert_eq!(due.code, 0, "{}", due.stderr);
        due.json()
    }
}

fn june(day: u32) -> Day {
    Day(Day::at(JUNE_1).0 + day - 1)
}

fn midnight(day: u32) -> String {
    format!("2026-06-{day:02}T00:20:00Z")
}

fn zones() -> Zones {
    let mut zones = Zones::new();
    for name in [A, B] {
        let [a, b, c, d] = name.address;
        let allowed = format!("v=spf1 ip4:{a}.{b}.{c}.{d} -all");
        let asks = format!("v=DMARC1; p=reject; rua=mailto:{}", name.rua());
        add_text(&mut zones, &format!("_dmarc.{}", name.domain), &asks);
        for host in [name.domain, &name.host()] {
            add_text(&mut zones, host, &allowed);
            add_host(&mut zones, host);
        }
        for selector in [RSA, ED25519] {
            let key = signing_key(selector).dns_record();
            add_text(
                &mut zones,
                &format!("{selector}._domainkey.{}", name.domain),
                &key,
            );
        }
    }
    zones
}

/// The message did not get into its mailbox.
fn bounce(message: &RelayedMessage) -> String {
    let (return_path, recipient) = (&message.mail_from, &message.rcpt_to[0]);
    format!(
        "From: MAILER-DAEMON@{host}\r\nTo: {return_path}\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nNo.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; {host}\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.2.2\r\n\
         Diagnostic-Code: smtp; 552 5.2.2 mailbox full\r\n\r\n--b--\r\n",
        host = B.host(),
    )
}

#[test]
fn for_ten_days_nothing_is_reported_but_the_mail_of_the_first() {
    let Some(clock) = SetClock::find() else {
        return;
    };
    let folder = Folder::new("outbox-two-hosts");
    let time: PathBuf = folder.path().join("time");
    set(&time, "2026-06-01 12:00:00");
    let (a, b) = (Site::start(A, &clock, &time), Site::start(B, &clock, &time));
    a.receives_mail(B);
    b.receives_mail(A);
    a.counts(1, 1);
    b.counts(1, 1);

    // The first night: one report each.
    for site in [&a, &b] {
        let (messages, days) = site.night(2);
        assert_eq!(
            (messages, &days[0]["reports"], &days[0]["messages"]),
            (1, &json!(1), &json!(1))
        );
    }
    let (of_a, of_b) = (
        a.world.relay.messages().remove(0),
        b.world.relay.messages().remove(0),
    );
    assert_eq!((&of_a.rcpt_to, &of_b.rcpt_to), (&vec![B.rua()], &vec![A.rua()]));

    // They come in, and one comes back.
    set(&time, "2026-06-02 00:30:00");
    b.receives_message(A, &of_a);
    a.receives_message(B, &of_b);
    a.receives(B, "", &of_a.mail_from, bounce(&of_a).as_bytes());
    b.counts(2, 1);
    a.counts(2, 2);
    assert_bounce(&a, &of_a);

    // The second night: there was mail, but none that is to be reported.
    let mut reasons = Vec::new();
    for (site, about) in [(&a, B), (&b, A)] {
        let due = site.due(3);
        assert_eq!(
            (&due["policy_domain"], &due["reports"]),
            (&json!(about.domain), &json!(0)),
            "{due}"
        );
        reasons.push(due["skipped"].as_str().unwrap().to_owned());
        let (messages, days) = site.night(3);
        assert_eq!(
            (messages, &days[0]["reports"], &days[0]["skipped"]),
            (0, &json!(0), &json!(1))
        );
    }
    insta::assert_snapshot!(reasons[0], @"nothing but report traffic");
    assert_eq!(reasons[1], reasons[0]);
    // And nothing more comes of it.
    for day in 3..=10 {
        set(&time, &format!("2026-06-{day:02} 12:00:00"));
        for site in [&a, &b] {
            assert_eq!(
                site.night(day + 1),
                (0, json!([])),
                "{} June {day}",
                site.name.domain
            );
        }
    }
    // Mail of people is reported as before: nobody was struck dumb, and the bounce is forgiven.
    set(&time, "2026-06-11 12:00:00");
    a.receives_mail(B);
    b.receives_mail(A);
    for site in [&a, &b] {
        site.counts(11, 1);
        assert_eq!(site.night(12).0, 1);
    }
}

/// It is of that message, and nothing more goes there for a day.
fn assert_bounce(site: &Site, message: &RelayedMessage) {
    let now = "2026-06-02T00:40:00Z";
    let line = ["bounce", "--recipient", &message.mail_from, "--now", now];
    let read = site.world.outbox_reading(&line, bounce(message).as_bytes());
    assert_eq!(read.code, 0, "{}", read.stderr);
    assert!(
        read.stdout.contains("dmarc@b.example given up"),
        "{}",
        read.stdout
    );
    let state = ("dmarc@b.example".to_owned(), "given_up".to_owned());
    assert_eq!(site.world.states(), [state]);
    let suppressed = site.world.outbox(&["suppress", "--list", "--json"]).json();
    assert_eq!(
        (&suppressed["destination"], &suppressed["bounces"]),
        (&json!("dmarc@b.example"), &json!(1))
    );
}
