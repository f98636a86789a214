//! Tests of the path that need no MTA.

use std::path::PathBuf;

use dmarc::suffixes::Suffixes;
use dns::resolver::Resolver;

use super::*;
use crate::trace;

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
    service_with(directory.join("landmarc.db"), settings)
}

fn service_with(database: PathBuf, settings: &str) -> Fixture {
    let text = format!("authserv_id = \"ours.example\"\ndns.name_servers = [\"127.0.0.1:53\"]\n{settings}");
    let settings = settings::read(&text).unwrap().0;
    let rules = Arc::new(rules::rules(&settings, Arc::new(Suffixes::built_in())));
    let resolver = Resolver::new(rules::resolver_options(&settings)).unwrap();
    let recorder = Arc::new(crate::database::open(&settings, &database).unwrap());
    let filter = Filter::new(
        Running::new(settings, rules, resolver),
        recorder,
        Arc::new(Metrics::new()),
    );
    Fixture { filter, database }
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
    let number = |edit: &milter::Edit| match edit {
        milter::Edit::DeleteHeader { nth, .. } => Some(*nth),
        _ => None,
    };
    response.edits.iter().filter_map(number).collect()
}

/// The text of the temporary reply, without the id at its end.
fn deferral(response: &Response) -> Option<&str> {
    match &response.verdict {
        milter::Verdict::Reply {
            code: 451,
            enhanced,
            text,
        } if enhanced == "4.7.1" => text.rsplit_once(" (").map(|(text, _id)| text),
        milter::Verdict::Accept => None,
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
async fn what_is_answered_is_written_down_with_its_story_under_both_ids() {
    let Fixture { filter, database } = &service("written", "");
    bounce(filter).await;
    let reader = store::Reader::open(database).unwrap();
    let [told] = &reader.explain("4Fb1").unwrap()[..] else {
        panic!("one message was answered");
    };
    assert_eq!(told.observation.action, "accept");
    assert!(!told.observation.cause.is_empty());
    let story = trace::with_id(told.trace.as_deref().unwrap(), &told.observation.id);
    assert!(story.starts_with("Mail from an unknown author"), "{story}");
    let by_short_id = reader.explain(&told.observation.id).unwrap();
    assert_eq!(by_short_id, std::slice::from_ref(told));
}

#[tokio::test]
async fn what_could_not_be_judged_is_written_down_too() {
    let Fixture { filter, database } = &service("unjudged", "");
    let _all = filter.common.memory.take(usize::MAX).await;
    tokio::time::pause();
    long_header(filter).await;
    tokio::time::resume();
    filter
        .common
        .recorder
        .record(record::unjudged("accept", "the next one", &moment()))
        .await;
    let reader = store::Reader::open(database).unwrap();
    let told = reader.explain("4Fb1").unwrap();
    assert_eq!(told[0].observation.cause, "no memory for the header section");
}

fn moment() -> Moment<'static> {
    Moment {
        queue_id: "4Fb2",
        id: "0123456789ab",
        elapsed: Duration::ZERO,
    }
}

/// Design D6 and D13: a store that takes nothing refuses no mail, unless the operator says so;
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
        let Fixture { filter, .. } = &service_with(PathBuf::from("/proc/landmarc/landmarc.db"), settings);
        filter
            .common
            .recorder
            .record(record::unjudged("accept", "the first one", &moment()))
            .await;
        let response = bounce(filter).await;
        assert_eq!(deferral(&response), verdict, "{settings}");
    }
}
