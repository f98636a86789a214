//! Relays, settings and replies that must end nothing but what they speak of.

use super::*;

const HOUR: u64 = 3_600_000;

fn says(at: At, reply: &str) -> Script {
    Script::with(Fault::say(at, reply))
}

/// Three messages, to three hosts.
async fn with_three_messages(script: Script, settings: &str) -> (World, Arc<ReporterContext<Arc<Zones>>>) {
    let world = World::new(script, settings);
    let domains = ["a.example", "b.example", "c.example"];
    world.record(domains.map(|domain| row(domain, 1))).await;
    let context = world.context(AFTER);
    assert_eq!(world.make(&context).await.deliveries, 3);
    (world, context)
}

async fn suppressions(context: &ReporterContext<Arc<Zones>>) -> Vec<String> {
    let all = context.outbox.with(Outbox::suppressions).await.unwrap();
    all.into_iter().map(|one| one.destination).collect()
}

#[tokio::test]
async fn d18_a_relay_that_relays_nothing_suppresses_nobody() {
    for reply in ["554 5.7.1 Relay access denied", "550 relay not permitted"] {
        let (world, context) = with_three_messages(says(At::Rcpt, reply), "").await;
        assert_eq!(world.send(&context).await.deferred, 3);
        assert!(suppressions(&context).await.is_empty(), "{reply}");
        // The relay is put right, and nothing was lost.
        world.relay.set(Script::default());
        assert_eq!(world.send(&world.context(AFTER + HOUR)).await.delivered, 3);
    }
}

#[tokio::test]
async fn d18_a_relay_that_never_relays_ends_messages_in_their_time() {
    let (world, context) = with_three_messages(says(At::Rcpt, "554 5.7.1 Relay access denied"), "").await;
    assert_eq!(world.send(&context).await.deferred, 3);
    let give_up_after = world.setup.settings.keys.give_up_after;
    let late = world.context(AFTER + HOUR + u64::try_from(give_up_after.as_millis()).unwrap());
    assert_eq!(world.send(&late).await.given_up, 3);
    assert!(suppressions(&late).await.is_empty());
}

/// All that waits says why, and when it goes on; nothing counts as tried.
#[tokio::test]
async fn messages_say_that_the_relay_takes_none() {
    let (world, context) = with_three_messages(says(At::Greeting, "554 5.3.2 no service"), "").await;
    let orders = Orders {
        pause: Duration::from_secs(240),
        ..Orders::default()
    };
    let sent = send(&context, &world.setup, &orders, &world.stop, |_| {})
        .await
        .unwrap();
    assert_eq!(sent.deliveries(), 0);
    let reader = Reader::open(world.database()).unwrap();
    for message in reader.deliveries(&OutboxFilter::default()).unwrap() {
        assert_eq!((message.state, message.attempts), (DeliveryState::Queued, 0));
        assert!(message.next_ms >= AFTER + 240_000, "{}", message.next_ms);
        insta::allow_duplicates! {
            insta::assert_snapshot!(message.reason, @"the relay takes no messages: greeting: 554 5.3.2 no service");
        }
    }
    world.relay.set(Script::default());
    assert_eq!(world.send(&world.context(AFTER + 1_000)).await.deliveries(), 0);
    assert_eq!(world.send(&world.context(AFTER + HOUR)).await.delivered, 3);
}

#[tokio::test]
async fn d18_a_mailbox_that_is_not_there_is_suppressed_and_no_other() {
    let script = Script::with(Fault::say(At::Rcpt, "550 5.1.1 no such user").to("dmarc@b.example"));
    let (world, context) = with_three_messages(script, "").await;
    let sent = world.send(&context).await;
    assert_eq!((sent.delivered, sent.given_up), (2, 1), "{sent:?}");
    assert_eq!(suppressions(&context).await, ["dmarc@b.example"]);
}

#[tokio::test]
async fn d18_a_message_that_is_disliked_suppresses_nobody() {
    let (world, context) = with_three_messages(says(At::EndOfData, "550 5.7.1 looks like spam"), "").await;
    assert_eq!(world.send(&context).await.given_up, 3);
    assert!(suppressions(&context).await.is_empty());
}

#[tokio::test]
async fn a_relay_that_refuses_our_return_path_ends_no_message() {
    let (world, context) = with_three_messages(says(At::Mail, "550 5.7.1 sender rejected"), "").await;
    let sent = world.send(&context).await;
    assert_eq!(sent.deliveries(), 0, "{sent:?}");
    assert!(sent.relay.is_some_and(|why| why.starts_with("MAIL: 550 5.7.1")));
    assert_eq!(world.count(DeliveryState::Queued), 3);
    world.relay.set(Script::default());
    assert_eq!(world.send(&world.context(AFTER + 60_000)).await.delivered, 3);
}

#[tokio::test]
async fn a_message_that_makes_the_relay_hang_up_stands_back_behind_the_others() {
    let script = Script::with(Fault::say(At::Rcpt, "421 4.3.2 closing").to("dmarc@a.example"));
    let (world, context) = with_three_messages(script, "report.delivery.connections = 1").await;
    let (mut delivered, mut now_ms) = (world.send(&context).await.delivered, AFTER);
    for _ in 0..2 {
        now_ms += 60_000;
        delivered += world.send(&world.context(now_ms)).await.delivered;
    }
    assert_eq!(delivered, 2);
    assert_eq!(world.count(DeliveryState::Deferred), 1);
}

#[tokio::test]
async fn a_full_mailbox_is_not_sent_the_same_in_parts() {
    let world = World::new(says(At::EndOfData, "552 mailbox full, over quota"), "");
    world.record((1..=4).map(|last| row("a.example", last))).await;
    let context = world.context(AFTER);
    world.make(&context).await;
    let sent = world.send(&context).await;
    assert_eq!((sent.split, sent.given_up), (0, 1), "{sent:?}");
}

/// A limit of the store is no reason to begin the day again every minute, for good.
#[tokio::test]
async fn a_domain_whose_report_cannot_be_stored_does_not_keep_the_day_from_its_end() {
    let mut world = World::new(Script::default(), "");
    // The settings take no such name.
    let mut settings = ReportSettings::clone(&world.setup.settings);
    settings.reporter.organization = "x".repeat(landmarc_store::MAX_TEXT + 1);
    let (mailer, _) = Mailer::new(&settings, &[7; 32]).unwrap();
    let settings = Arc::new(settings);
    world.setup = Arc::new(ReportSetup { settings, mailer });
    world.record([row("a.example", 1)]).await;
    let context = world.context(AFTER);
    let made = world.make(&context).await;
    assert_eq!((made.counts.skipped, made.deliveries, made.is_done), (1, 0, true));
    let skipped = Reader::open(world.database())
        .unwrap()
        .skipped(Day::at(JUNE_1), 10)
        .unwrap();
    assert!(skipped[0].1.contains("organization"), "{skipped:?}");
}

#[tokio::test]
async fn suppressed_messages_do_not_keep_others_from_being_sent() {
    let world = World::new(Script::default(), "report.delivery.connections = 1");
    // One more than a claim takes.
    let many: Vec<_> = (0..9)
        .map(|number| format!("mailto:dmarc{number}@b.example"))
        .collect();
    let published = PublishedPolicy {
        rua: many,
        ..row("b.example", 1).published
    };
    let asking = TallyRow {
        published,
        ..row("b.example", 1)
    };
    world.record([asking]).await;
    let context = world.context(AFTER);
    assert_eq!(world.make(&context).await.deliveries, 9);
    world.record([row("c.example", 1)]).await;
    assert_eq!(world.make(&context).await.deliveries, 1);
    let suppressed = context
        .outbox
        .with(|outbox| outbox.suppress("@b.example", "by hand", None, AFTER));
    suppressed.await.unwrap();
    let sent = world.send(&world.context(AFTER + 60_000)).await;
    assert_eq!((sent.suppressed, sent.delivered), (9, 1), "{sent:?}");
}
