//! The steps together: a store with a tally, zones in memory, a relay that does as it is told.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use landmarc_auth::lookup::{DnsRecord, Fault as DnsFault, RecordType, ZoneData, Zones};
use landmarc_observation::{Observation, PublishedPolicy, TallyRow};
use landmarc_store::{
    COMMAND_BUSY_TIMEOUT, Day, DeliveryState, Outbox, OutboxFilter, Reader, Recorder, RecorderOptions,
};
use landmarc_testkit::dns_name;
use landmarc_testkit::relay::{At, Fault, Relay, Script, What};

use super::addressees::ReportDns;
use super::assemble::{DayRequest, Selection};
use super::clock::RunClock;
use super::context::{ReportSetup, ReporterContext};
use super::days::{make_day, release_of_gone, waiting_days};
use super::mailer::Mailer;
use super::send::{Orders, SendCounts, send};
use super::settings::ReportSettings;
use super::shared::SharedOutbox;
use landmarc_runtime::stop::{Stop, Stopper, stop};

mod limits;
mod misfortune;
mod redirected;
mod turns;

/// 2026-06-01T00:00:00Z.
const JUNE_1: u64 = 1_780_272_000_000;
/// Twenty minutes into the day after.
const AFTER: u64 = JUNE_1 + 86_400_000 + 1_200_000;

impl ReportDns for Arc<Zones> {
    type Lookup = Self;

    fn for_record(&self) -> Self {
        Arc::clone(self)
    }
}

/// A place for a test, which is gone afterwards.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("landmarc-reporter-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A leftover in the temporary directory is all it can come to.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct World {
    place: Place,
    relay: Relay,
    setup: Arc<ReportSetup>,
    zones: Zones,
    stopper: Stopper,
    stop: Stop,
}

impl World {
    fn new(script: Script, settings: &str) -> Self {
        let relay = Relay::start(script);
        let text = format!(
            "report.email = \"noreply@r.example\"\nreport.delivery.relay = \"{}\"\nreport.delivery.tls = \"none\"\n\
             report.delivery.hello = \"r.example\"\n{settings}\n",
            relay.address()
        );
        let settings = Arc::new(ReportSettings::of(&landmarc_settings::read(&text).unwrap().0).unwrap());
        let (mailer, _) = Mailer::new(&settings, &[7; 32]).unwrap();
        let mut zones = Zones::new();
        for domain in ["a.example", "b.example", "c.example"] {
            zones.add_txt(dns_name_of(domain), b"v=DMARC1; p=none");
            let address = DnsRecord::A(Ipv4Addr::LOCALHOST);
            zones.set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
        }
        let (stopper, stop) = stop();
        Self {
            place: Place::new(),
            relay,
            setup: Arc::new(ReportSetup { settings, mailer }),
            zones,
            stopper,
            stop,
        }
    }

    fn database(&self) -> PathBuf {
        self.place.0.join("landmarc.db")
    }

    fn context(&self, now_ms: u64) -> Arc<ReporterContext<Arc<Zones>>> {
        let outbox = Outbox::open(self.database(), COMMAND_BUSY_TIMEOUT).unwrap();
        let zones = Arc::new(self.zones.clone());
        Arc::new(ReporterContext::new(
            SharedOutbox::new(outbox),
            self.database().into(),
            RunClock::at(now_ms),
            zones,
        ))
    }

    async fn record(&self, rows: impl IntoIterator<Item = TallyRow>) {
        let recorder = Recorder::open(RecorderOptions::at(self.database())).unwrap();
        for row in rows {
            // What is late is written when it is closed.
            recorder.record(observation(row)).await;
        }
        let closed = tokio::task::spawn_blocking(move || recorder.close(Duration::from_secs(60)));
        assert_eq!(closed.await.unwrap().dropped_tallies, 0);
    }

    async fn make(&self, context: &Arc<ReporterContext<Arc<Zones>>>) -> super::DayMade {
        let request = DayRequest {
            day: Day::at(JUNE_1),
            selection: Selection::default(),
            clock: context.clock,
            spread: false,
        };
        make_day(context, &self.setup.settings, &request, &self.stop, |_| {})
            .await
            .unwrap()
    }

    async fn send(&self, context: &Arc<ReporterContext<Arc<Zones>>>) -> SendCounts {
        send(context, &self.setup, &Orders::default(), &self.stop, |_| {})
            .await
            .unwrap()
    }

    fn count(&self, state: DeliveryState) -> usize {
        let filter = OutboxFilter {
            state: Some(state),
            limit: 1_000,
            ..OutboxFilter::default()
        };
        Reader::open(self.database())
            .unwrap()
            .deliveries(&filter)
            .unwrap()
            .len()
    }
}

fn dns_name_of(domain: &str) -> landmarc_auth::lookup::DnsName {
    dns_name(&format!("_dmarc.{domain}"))
}

fn row(policy_domain: &str, last: u8) -> TallyRow {
    TallyRow {
        policy_domain: policy_domain.to_owned(),
        published: PublishedPolicy {
            p: "none".to_owned(),
            sp: "none".to_owned(),
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            discovery_method: "treewalk".to_owned(),
            rua: vec![format!("mailto:dmarc@{policy_domain}")],
            ..PublishedPolicy::default()
        },
        source_ip: [192, 0, 2, last].into(),
        disposition: "none".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        reasons: Vec::new(),
        header_from: policy_domain.to_owned(),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: Some((policy_domain.to_owned(), "mfrom".to_owned(), "fail".to_owned())),
        incidental: false,
    }
}

fn observation(row: TallyRow) -> Observation {
    let none = || "none".to_owned();
    Observation {
        at_ms: JUNE_1 + 5,
        queue_id: String::new(),
        id: "0n2v5x8k4q1m".to_owned(),
        client: None,
        author_domain: None,
        spf: none(),
        dkim: none(),
        arc: none(),
        dmarc: none(),
        policy_domain: None,
        policy: None,
        disposition: none(),
        action: none(),
        enforced_action: none(),
        overrides: Vec::new(),
        cause: String::new(),
        questions: 0,
        ms: 0,
        trace: "".into(),
        rule: None,
        row: Some(row),
    }
}

#[tokio::test]
async fn a_day_is_made_once_however_often_it_is_tried() {
    let world = World::new(Script::default(), "");
    world
        .record([row("a.example", 1), row("a.example", 2), row("b.example", 1)])
        .await;
    let context = world.context(AFTER);
    let settle = world.setup.settings.keys.settle;
    assert_eq!(waiting_days(&context, settle).await.unwrap(), [Day::at(JUNE_1)]);
    let made = world.make(&context).await;
    assert_eq!((made.counts.reports, made.deliveries, made.is_done), (2, 2, true));
    assert!(waiting_days(&context, settle).await.unwrap().is_empty());
    let again = world.make(&context).await;
    assert_eq!((again.counts.reports, again.before), (0, 2));
    assert_eq!(world.send(&context).await.delivered, 2);
    assert_eq!(world.relay.messages().len(), 2);
}

#[tokio::test]
async fn each_domain_without_a_report_has_one_clear_reason() {
    let settings = "report.exclude_domains = [\"b.example\"]\nreport.only_after_accepting = true";
    let world = World::new(Script::default(), settings);
    let published = |domain: &str, rua: &[&str]| PublishedPolicy {
        rua: rua.iter().map(|uri| (*uri).to_owned()).collect(),
        ..row(domain, 1).published
    };
    let with = |domain: &str, rua: &[&str]| TallyRow {
        published: published(domain, rua),
        ..row(domain, 1)
    };
    let refused = TallyRow {
        disposition: "reject".to_owned(),
        ..row("c.example", 1)
    };
    let incidental = TallyRow {
        incidental: true,
        ..row("a.example", 1)
    };
    world
        .record([
            incidental,
            row("b.example", 1),
            refused,
            with("d.example", &[]),
            with("e.example", &["mailto:x@gone.example"]),
            with("f.example", &["https://f.example/"]),
        ])
        .await;
    let context = world.context(AFTER);
    let made = world.make(&context).await;
    assert_eq!(
        (made.counts.skipped, made.counts.reports, made.is_done),
        (6, 0, true)
    );
    let skipped = Reader::open(world.database())
        .unwrap()
        .skipped(Day::at(JUNE_1), 10)
        .unwrap();
    let reason = |domain: &str| {
        let line = skipped.iter().find(|(skipped, _)| skipped == domain);
        line.map(|(_, reason)| reason.as_str()).unwrap_or_default()
    };
    insta::assert_snapshot!(reason("a.example"), @"nothing but report traffic");
    assert_eq!(reason("b.example"), "report.exclude_domains has it");
    insta::assert_snapshot!(reason("c.example"), @"nothing but refused mail (report.only_after_accepting)");
    insta::assert_snapshot!(reason("d.example"), @"the record has no rua");
    assert!(
        reason("e.example").starts_with("mailto:x@gone.example: "),
        "{skipped:?}"
    );
    assert!(
        reason("f.example").starts_with("https://f.example/: "),
        "{skipped:?}"
    );
}

/// XD14, XD19.
#[tokio::test]
async fn what_waited_for_dns_is_verified_before_it_is_sent() {
    let mut world = World::new(Script::default(), "");
    let authorisation = dns_name("a.example._report._dmarc.b.example");
    world.zones.set_others(authorisation.clone(), DnsFault::ServFail);
    let rua = ["mailto:x@b.example", "mailto:y@b.example"]
        .map(str::to_owned)
        .to_vec();
    let published = PublishedPolicy {
        rua,
        ..row("a.example", 1).published
    };
    let asked = TallyRow {
        published,
        ..row("a.example", 1)
    };
    world.record([asked]).await;
    let context = world.context(AFTER);
    assert_eq!(world.make(&context).await.deliveries, 2);
    assert_eq!(world.send(&context).await.deferred, 2);
    assert!(world.relay.messages().is_empty());
    // Both lead to one address now, which gets one message.
    world.zones = {
        let mut zones = World::new(Script::default(), "").zones;
        zones.add_txt(authorisation, b"v=DMARC1; rua=mailto:in@b.example");
        zones
    };
    let later = world.context(AFTER + 3_600_000);
    let sent = world.send(&later).await;
    assert_eq!((sent.delivered, sent.given_up), (1, 1), "{sent:?}");
    let messages = world.relay.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].rcpt_to, ["in@b.example"]);
}

#[tokio::test]
async fn a_report_that_is_too_large_for_its_destination_goes_in_parts() {
    let refuses_one = Script {
        faults: vec![Fault::new(At::EndOfData, What::Say("552 5.3.4 too big".to_owned())).times(1)],
        ..Script::default()
    };
    let world = World::new(refuses_one, "");
    world.record((1..=4).map(|last| row("a.example", last))).await;
    let context = world.context(AFTER);
    world.make(&context).await;
    let sent = world.send(&context).await;
    assert_eq!((sent.split, sent.delivered), (1, 2), "{sent:?}");
    let given_up = OutboxFilter {
        state: Some(DeliveryState::GivenUp),
        ..OutboxFilter::default()
    };
    let reader = Reader::open(world.database()).unwrap();
    let whole = &reader.deliveries(&given_up).unwrap()[0];
    let (_, then) = whole.reason.rsplit_once("; ").unwrap();
    insta::assert_snapshot!(then, @"sent again in two parts");
    let parts = reader.deliveries(&OutboxFilter {
        state: Some(DeliveryState::Delivered),
        ..OutboxFilter::default()
    });
    let parts = parts.unwrap();
    assert_eq!(
        parts.iter().map(|part| part.report.messages).sum::<u64>(),
        whole.report.messages
    );
    assert!(
        parts
            .iter()
            .all(|part| part.report.report_id != whole.report.report_id)
    );
}

#[tokio::test]
async fn two_senders_send_each_message_once() {
    let world = World::new(Script::default(), "report.delivery.connections = 4");
    let domains = ["a.example", "b.example", "c.example"];
    world.record(domains.map(|domain| row(domain, 1))).await;
    let one = world.context(AFTER);
    world.make(&one).await;
    let other = Outbox::open(world.database(), COMMAND_BUSY_TIMEOUT).unwrap();
    let zones = Arc::new(world.zones.clone());
    let mut other = ReporterContext::new(
        SharedOutbox::new(other),
        world.database().into(),
        RunClock::at(AFTER),
        zones,
    );
    other.owner = "other/0/1".into();
    let other = Arc::new(other);
    let (first, second) = tokio::join!(world.send(&one), world.send(&other));
    assert_eq!(first.delivered + second.delivered, 3);
    assert_eq!(world.relay.messages().len(), 3);
}

#[tokio::test]
async fn whoever_is_to_stop_lets_go_of_what_is_not_sent() {
    let world = World::new(Script::default(), "");
    world.record([row("a.example", 1)]).await;
    let context = world.context(AFTER);
    world.make(&context).await;
    world.stopper.stop();
    assert_eq!(world.send(&context).await, SendCounts::default());
    assert_eq!(world.count(DeliveryState::Queued), 1);
    let owners = context.outbox.with(Outbox::owners).await.unwrap();
    assert!(owners.is_empty(), "{owners:?}");
}

#[tokio::test]
async fn messages_of_a_process_that_was_killed_are_free_at_once() {
    let world = World::new(Script::default(), "");
    world.record([row("a.example", 1)]).await;
    let context = world.context(AFTER);
    world.make(&context).await;
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let (before, _) = landmarc_runtime::lease_owner::lease_owner()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let of_child = format!("{before}/{}", child.id());
    child.wait().unwrap();
    let claim = landmarc_store::Claim {
        now_ms: AFTER + 60_000,
        owner: of_child,
        ..landmarc_store::Claim::default()
    };
    let claimed = context
        .outbox
        .with(move |outbox| outbox.claim(&claim))
        .await
        .unwrap();
    assert_eq!(claimed.claimed.len(), 1);
    let context = world.context(AFTER + 61_000);
    assert_eq!(world.send(&context).await.delivered, 0, "it is under lease");
    assert_eq!(release_of_gone(&context).await.unwrap(), 1);
    assert_eq!(world.send(&context).await.delivered, 1);
}

/// Without a filter, a fleet or a page of metrics: a host that only reports.
#[tokio::test]
async fn the_reporter_starts_alone() {
    use landmarc_runtime::current::{ActiveSettings, Current};
    let directory = std::env::temp_dir().join(format!("landmarc-reporter-alone-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let text = "dns.name_servers = [\"127.0.0.1:53\"]\nreport.email = \"dmarc@reporter.example\"\n";
    let loaded = landmarc_runtime::load::read_with("test", text.as_bytes(), None, None).unwrap();
    let current = Arc::new(Current::new(ActiveSettings::new(loaded, None).unwrap()));
    let (_filter, candidates) = landmarc_runtime::failure_reports::channel();
    let place = directory.join("landmarc.db").into();
    let reporting = crate::start(current, place, Arc::default(), candidates);
    reporting.end().await;
    std::fs::remove_dir_all(&directory).unwrap();
}
