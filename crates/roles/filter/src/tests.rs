//! Tests of the path that need no MTA.

mod findings;
mod month;
mod reporting;

use std::path::PathBuf;
use std::time::Duration;

use landmarc_milter::Edit;
use landmarc_store::Recorded;
use prometheus_client::registry::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::memory::UNCOUNTED_HEADER_OCTETS;
use super::task::bug;
use super::*;
use crate::trace;
use landmarc_runtime::current::ActiveSettings;
use landmarc_runtime::rules;

#[test]
fn the_name_of_a_message_is_printable_and_bounded() {
    assert_eq!(queue_id(b"4Fb1"), "4Fb1");
    assert_eq!(queue_id(b"a b\r\nc\xff"), "a?b??c?");
    assert_eq!(queue_id(&[b'x'; MAX_QUEUE_ID_OCTETS]).len(), MAX_QUEUE_ID_OCTETS);
    assert_eq!(
        queue_id(&[b'x'; MAX_QUEUE_ID_OCTETS + 1]).len(),
        MAX_QUEUE_ID_OCTETS
    );
}

/// A service with a store of its own, and the file of that.
struct Fixture {
    filter: Filter,
    database: PathBuf,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(directory) = self.database.parent() {
            // A leftover in the temporary directory is all it can come to.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn service(name: &str, settings: &str) -> Fixture {
    let directory = std::env::temp_dir().join(format!("landmarc-filter-{}-{name}", std::process::id()));
    service_with(directory.join("landmarc.db"), NOBODY, settings)
}

/// A name server that is never asked.
const NOBODY: &str = "127.0.0.1:53";

fn service_with(database: PathBuf, name_server: &str, settings: &str) -> Fixture {
    let text = format!("authserv_id = \"ours.example\"\ndns.name_servers = [\"{name_server}\"]\n{settings}");
    let loaded = landmarc_runtime::load::read_with("test", text.as_bytes(), None, None).unwrap();
    let recorder =
        Arc::new(landmarc_runtime::database::open(&loaded.settings, &database, loaded.groups()).unwrap());
    let current = Current::new(ActiveSettings::new(loaded, None).unwrap());
    let (seen, metrics) = (Arc::default(), Arc::new(FilterMetrics::default()));
    let filter = Filter::new(Arc::new(current), seen, recorder, metrics);
    Fixture { filter, database }
}

/// What was counted.
fn printed(filter: &Filter) -> String {
    let metrics = Arc::clone(&filter.common.metrics);
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    landmarc_runtime::metrics::encode([&registry])
}

/// A message whose header section is longer than goes uncounted, with fields in our name
/// before and after that point. No recipient, so nobody is asked anything.
async fn long_header(filter: &Filter) -> Response {
    let long = " x".repeat(UNCOUNTED_HEADER_OCTETS / 2);
    let mut session = filter.connect(&Peer::Unix);
    let macros: Macros = [("i", "4Fb1")].into_iter().collect();
    session.mail(b"<>", Arguments::default(), &macros).await;
    for (name, value) in [
        ("Authentication-Results", " ours.example; dmarc=pass"),
        ("Authentication-Results", " other.example; dmarc=pass"),
        ("Subject", long.as_str()),
        ("Authentication-Results", " ours.example; dmarc=pass"),
        ("From", " a@author.example"),
    ] {
        session.header(name.as_bytes(), value.as_bytes()).await;
    }
    session.end_of_headers(&macros).await;
    assert!(!session.wants_body());
    session.end_of_message(&macros).await
}

fn removed(response: &Response) -> Vec<u32> {
    let number = |edit: &landmarc_milter::Edit| match edit {
        landmarc_milter::Edit::DeleteHeader { nth, .. } => Some(*nth),
        _ => None,
    };
    response.edits.iter().filter_map(number).collect()
}

/// The text of the temporary reply, without the id at its end.
fn deferral(response: &Response) -> Option<&str> {
    match &response.verdict {
        landmarc_milter::Verdict::Reply {
            code: 451,
            enhanced,
            text,
        } if enhanced == "4.7.1" => text.rsplit_once(" (").map(|(text, _id)| text),
        landmarc_milter::Verdict::Accept => None,
        other => panic!("{other:?}"),
    }
}

const DEFERRED: &str = "the message could not be checked, try again later";

#[tokio::test(start_paused = true)]
async fn without_memory_a_message_is_not_judged_and_yet_no_forged_results_pass() {
    const TEMPFAIL: &str = "failures.budget.action = \"tempfail\"\n";
    let enforced = format!("mode = \"enforce\"\n{TEMPFAIL}");
    for (settings, verdict) in [("", None), (TEMPFAIL, None), (&enforced, Some(DEFERRED))] {
        let Fixture { filter, .. } = &service("memory", settings);
        let _all = filter.common.memory.take(usize::MAX).await;
        let response = long_header(filter).await;
        assert_eq!(deferral(&response), verdict, "{settings}");
        // What was not kept cannot be read, so it goes whosever it may be.
        assert_eq!(removed(&response), [1, 3], "{settings}");
        assert_eq!(response.edits.len(), 2, "no results of ours: {response:?}");
    }
}

/// A message of no domain, so nobody is asked anything.
async fn bounce(filter: &Filter) -> Response {
    let mut session = filter.connect(&Peer::Unix);
    let macros: Macros = [("i", "4Fb1")].into_iter().collect();
    session.mail(b"<>", Arguments::default(), &macros).await;
    session.header(b"Subject", b" none").await;
    session.end_of_headers(&macros).await;
    session.end_of_message(&macros).await
}

#[tokio::test]
async fn what_is_answered_is_written_down_with_its_explanation_under_both_ids() {
    let Fixture { filter, database } = &service("written", "");
    bounce(filter).await;
    settled(filter).await;
    let reader = landmarc_store::Reader::open(database).unwrap();
    let [observation] = &reader.explain("4Fb1").unwrap()[..] else {
        panic!("one message was answered");
    };
    assert_eq!(observation.action, "accept");
    assert!(!observation.cause.is_empty());
    let explanation = trace::with_id(&observation.trace, &observation.id);
    let headline: Vec<_> = explanation.split(' ').take(5).collect();
    insta::assert_snapshot!(headline.join(" "), @"Mail from an unknown author");
    let by_short_id = reader.explain(&observation.id).unwrap();
    assert_eq!(by_short_id, std::slice::from_ref(observation));
}

#[tokio::test]
async fn what_could_not_be_judged_is_written_down_too() {
    let Fixture { filter, database } = &service("unjudged", "");
    let _all = filter.common.memory.take(usize::MAX).await;
    tokio::time::pause();
    long_header(filter).await;
    tokio::time::resume();
    settled(filter).await;
    let reader = landmarc_store::Reader::open(database).unwrap();
    let found = reader.explain("4Fb1").unwrap();
    insta::assert_snapshot!(found[0].cause, @"no memory for the header section");
}

/// Waits until all that was answered is written down, for which an answer waits 100 ms only.
async fn settled(filter: &Filter) {
    for _ in 0..400 {
        let statistics = filter.common.recorder.statistics();
        if statistics.committed == statistics.recorded {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{:?}", filter.common.recorder.statistics());
}

fn moment() -> RecordIds<'static> {
    RecordIds {
        queue_id: "4Fb2",
        id: "0123456789ab",
        elapsed: Duration::ZERO,
    }
}

/// Decisions D6 and D13: a store that takes nothing refuses no mail, unless the operator says so;
/// and then it is no refusal for good.
#[tokio::test]
async fn a_store_that_takes_nothing_defers_mail_only_where_that_is_wanted() {
    const TEMPFAIL: &str = "failures.store.action = \"tempfail\"\n";
    let enforced = format!("mode = \"enforce\"\n{TEMPFAIL}");
    for (settings, verdict) in [
        ("mode = \"enforce\"\n", None),
        (TEMPFAIL, None),
        (&enforced, Some(DEFERRED)),
    ] {
        // A directory that nobody, root included, can make files in.
        let Fixture { filter, .. } =
            &service_with(PathBuf::from("/proc/landmarc/landmarc.db"), NOBODY, settings);
        filter
            .common
            .recorder
            .record(record::unjudged("accept", "the first one", &moment()))
            .await;
        let response = bounce(filter).await;
        assert_eq!(deferral(&response), verdict, "{settings}");
    }
}

/// A log that ends in a panic over the line of a message: a bug of ours past the verdict.
struct Broken;

impl<S: tracing::Subscriber> Layer<S> for Broken {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = event.metadata().fields().iter();
        assert!(fields.all(|field| field.name() != "disposition"), "a bug");
    }
}

/// Decision D13: what is only about records refuses no mail, and cannot take the verdict back.
#[tokio::test]
async fn a_bug_in_what_is_recorded_leaves_the_answer_as_it_is() {
    let settings = "mode = \"enforce\"\nfailures.internal.action = \"tempfail\"\n";
    let Fixture { filter, .. } = &service("recording-bug", settings);
    let response = {
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(Broken));
        bounce(filter).await
    };
    assert_eq!(deferral(&response), None);
    let [landmarc_milter::Edit::InsertHeader { name, .. }] = &response.edits[..] else {
        panic!("{response:?}");
    };
    assert_eq!(name, "Authentication-Results");
    let failures = printed(filter);
    assert!(
        failures.contains("landmarc_failures_total{cause=\"internal\"} 1\n"),
        "{failures}"
    );
}

/// A session, and what it answers to a message with forged results in our name.
struct Forgery {
    session: FilterSession,
    wants_body: bool,
}

impl Forgery {
    async fn connect(filter: &Filter) -> Self {
        let mut session = filter.connect(&Peer::Unix);
        let client = ConnectInfo {
            hostname: b"mx.example".to_vec().into(),
            address: PeerAddress::Ip("192.0.2.1".parse().unwrap(), 25),
        };
        session.connected(client, &Macros::default()).await;
        Self {
            session,
            wants_body: false,
        }
    }

    async fn send(&mut self) -> Response {
        let session = &mut self.session;
        let macros: Macros = [("i", "4Fb1")].into_iter().collect();
        session.mail(b"<>", Arguments::default(), &macros).await;
        session.rcpt(b"<a@ours.example>", &macros).await;
        for (name, value) in [
            ("Authentication-Results", " ours.example; dmarc=pass"),
            ("Authentication-Results", " other.example; dmarc=pass"),
            ("Subject", " none"),
        ] {
            session.header(name.as_bytes(), value.as_bytes()).await;
        }
        session.end_of_headers(&macros).await;
        session.body(b"text\r\n").await;
        self.wants_body = session.wants_body();
        session.end_of_message(&macros).await
    }
}

fn is_judged(response: &Response) -> bool {
    let adds = |edit: &Edit| matches!(edit, Edit::InsertHeader { .. });
    response.edits.iter().any(adds)
}

/// Decision D6: what is done about it is the operator's to say, and when observing nothing is. Forged
/// results go all the same, as far as there is anything left to find them with.
#[tokio::test]
async fn a_bug_in_any_step_costs_its_message_and_not_the_session() {
    const TEMPFAIL: &str = "failures.internal.action = \"tempfail\"\n";
    const ENFORCED: &str = "mode = \"enforce\"\nfailures.internal.action = \"tempfail\"\n";
    const BUGS: [(&[Step], &[u32]); 8] = [
        (&[Step::Mail], &[1, 2]),
        (&[Step::Rcpt], &[1, 2]),
        (&[Step::Header], &[1, 2]),
        (&[Step::Header, Step::LeaveOut], &[1]),
        (&[Step::EndOfHeaders], &[1]),
        (&[Step::EndOfHeaders, Step::Removals], &[]),
        (&[Step::Body], &[1]),
        (&[Step::Connect], &[1, 2]),
    ];
    for (number, (settings, verdict)) in [("", None), (TEMPFAIL, None), (ENFORCED, Some(DEFERRED))]
        .into_iter()
        .enumerate()
    {
        let Fixture { filter, .. } = &service(&format!("bug-{number}"), settings);
        for (bug, removals) in BUGS {
            bug::put_into(bug);
            let mut forgery = Forgery::connect(filter).await;
            let response = forgery.send().await;
            assert_eq!(deferral(&response), verdict, "{bug:?} {settings}");
            assert_eq!(removed(&response), removals, "{bug:?}");
            assert!(!is_judged(&response) && !forgery.wants_body, "{bug:?}");
            // Of a client that nobody knows no message is judged.
            let response = forgery.send().await;
            assert_eq!(is_judged(&response), bug != [Step::Connect], "{bug:?}");
        }
        let failures = printed(filter);
        // Each message once, and two of the last session.
        let expected = format!(
            "landmarc_failures_total{{cause=\"internal\"}} {}\n",
            BUGS.len() + 1
        );
        assert!(failures.contains(&expected), "{failures}");
    }
}

/// A recipient that was lost in a bug is not taken for one that is listed.
#[tokio::test]
async fn a_bug_in_a_recipient_gets_no_message_past_us() {
    let settings = "mode = \"enforce\"\nfailures.internal.action = \"tempfail\"\nclients.skip_recipients = [\"ours.example\"]\n";
    let Fixture { filter, .. } = &service("bug-recipient", settings);
    let macros = Macros::default();
    let mut session = filter.connect(&Peer::Unix);
    session.mail(b"<>", Arguments::default(), &macros).await;
    session.rcpt(b"<a@ours.example>", &macros).await;
    bug::put_into(&[Step::Rcpt]);
    session.rcpt(b"<b@other.example>", &macros).await;
    session.rcpt(b"<c@ours.example>", &macros).await;
    session.end_of_headers(&macros).await;
    let response = session.end_of_message(&macros).await;
    assert_eq!(deferral(&response), Some(DEFERRED));
}

/// Counts the lines of the log by level.
#[derive(Clone, Default)]
struct Counting(Arc<std::sync::Mutex<Vec<tracing::Level>>>);

impl<S: tracing::Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }
}

/// A line for each message would only make a slow disk slower; who looks for one message asks for
/// more (`log.level`).
#[tokio::test]
async fn of_a_slow_disk_each_message_tells_only_at_debug() {
    let Fixture { filter, .. } = &service("late", "");
    bounce(filter).await;
    let session = filter.connect(&Peer::Unix);
    let counting = Counting::default();
    let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(counting.clone()));
    tokio::time::pause();
    filter.common.late.count();
    filter.common.dropped.count();
    session.log_if_late(Recorded::Later, &moment());
    session.log_if_late(Recorded::Dropped, &moment());
    session.log_if_late(Recorded::Committed, &moment());
    assert_eq!(
        counting.0.lock().unwrap()[..],
        [tracing::Level::DEBUG, tracing::Level::DEBUG]
    );
}

/// Decision D9: that no filter ahead speaks is worth a warning where one is looked for, and nowhere else.
#[tokio::test]
async fn d9_filters_ahead_that_never_speak_are_warned_of_once() {
    const UPSTREAM: &str = "authentication.spf = \"upstream\"";
    for (settings, authserv_id, warnings) in [
        (UPSTREAM, "other.example", 1),
        (UPSTREAM, "ours.example", 0),
        ("", "other.example", 0),
    ] {
        let Fixture { filter, .. } = &service("silent", settings);
        let counting = Counting::default();
        let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(counting.clone()));
        let macros: Macros = [("i", "4Fb1")].into_iter().collect();
        let field = format!(" {authserv_id}; spf=none smtp.mailfrom=author.example");
        for _ in 0..100 {
            let mut session = filter.connect(&Peer::Unix);
            session.mail(b"<>", Arguments::default(), &macros).await;
            session.header(b"Authentication-Results", field.as_bytes()).await;
            session.header(b"From", b" a@author.example").await;
            session.end_of_headers(&macros).await;
            session.abort();
        }
        let levels = counting.0.lock().unwrap();
        let warned = levels
            .iter()
            .filter(|level| **level == tracing::Level::WARN)
            .count();
        assert_eq!(warned, warnings, "{settings} {authserv_id}");
    }
}

/// Recipients are kept for the rules that ask about them, and for nothing else.
#[test]
fn paths_of_recipients_are_kept_only_for_a_rule_that_asks_about_them() {
    let kept = |lines: &str| {
        let rule = format!(
            "[[rule]]\nname = \"r\"\nreason = \"why\"\nowner = \"anna\"\naction = \"accept\"\n{lines}"
        );
        let rules = landmarc_settings::rules::read(&rule).unwrap().0;
        running::asks_about_recipients(&rules::operator::for_receiver(&rules))
    };
    assert!(!kept("client = [\"192.0.2.0/24\"]\n"));
    assert!(kept("recipient = [\"ours.example\"]\n"));
}
