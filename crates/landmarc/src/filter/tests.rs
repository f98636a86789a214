//! Tests of the path that need no MTA.

use dmarc::suffixes::Suffixes;

use super::*;

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

fn filter(settings: &str) -> Filter {
    let text = format!("authserv_id = \"ours.example\"\ndns.name_servers = [\"127.0.0.1:53\"]\n{settings}");
    let settings = settings::read(&text).unwrap().0;
    let rules = Arc::new(rules::rules(&settings, Arc::new(Suffixes::built_in())));
    let resolver = Resolver::new(rules::resolver_options(&settings)).unwrap();
    Filter::new(Running::new(settings, rules, resolver))
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

#[tokio::test(start_paused = true)]
async fn without_memory_a_message_is_not_judged_and_yet_no_forged_results_pass() {
    const TEMPFAIL: &str = "failures.budget.action = \"tempfail\"\n";
    let verdicts = [
        (String::new(), milter::Verdict::Accept),
        (TEMPFAIL.to_owned(), milter::Verdict::Accept),
        (
            format!("mode = \"enforce\"\n{TEMPFAIL}"),
            milter::Verdict::Reply {
                code: 451,
                enhanced: "4.7.1".to_owned(),
                text: "the message could not be checked, try again later (4Fb1)".to_owned(),
            },
        ),
    ];
    for (settings, verdict) in verdicts {
        let filter = filter(&settings);
        let _all = filter.memory.take(usize::MAX).await;
        let response = long_header(&filter).await;
        assert_eq!(response.verdict, verdict, "{settings}");
        // What was not kept cannot be read, so it goes whosever it may be.
        assert_eq!(removed(&response), [1, 3], "{settings}");
        assert_eq!(response.edits.len(), 2, "no results of ours: {response:?}");
    }
}
