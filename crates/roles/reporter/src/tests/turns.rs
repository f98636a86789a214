//! Sending while reports are made.

use std::cell::{Cell, RefCell};

use super::super::turns::{Progress, Turns, make_and_send};
use super::*;

const TURNS: Turns = Turns {
    domains: 10,
    sending: Duration::from_secs(60),
};

/// Forty owners with a domain each.
async fn many_domains(script: Script) -> World {
    let mut world = World::new(script, "report.delivery.connections = 4");
    let domains: Vec<_> = (0..40).map(|number| format!("d{number:02}.example")).collect();
    for domain in &domains {
        world.zones.add_txt(dns_name_of(domain), b"v=DMARC1; p=none");
        let address = DnsRecord::A(Ipv4Addr::LOCALHOST);
        world
            .zones
            .set(dns_name(domain), RecordType::A, ZoneData::Records(vec![address]));
    }
    world.record(domains.iter().map(|domain| row(domain, 1))).await;
    world
}

fn requests(context: &ReporterContext<Arc<Zones>>) -> [DayRequest; 1] {
    [DayRequest {
        day: Day::at(JUNE_1),
        selection: Selection::default(),
        clock: context.clock,
        spread: false,
    }]
}

/// Whoever is cut off while a day of many domains is made has sent what was made before.
#[tokio::test]
async fn what_is_made_is_sent_before_the_rest_of_the_day_is_made() {
    let world = many_domains(Script::default()).await;
    let context = world.context(AFTER);
    let (made_so_far, sent_at) = (Cell::new(0), RefCell::new(Vec::new()));
    let seen = |progress: Progress<'_>| match progress {
        Progress::Made(_, made) => made_so_far.set(made.counts.domains),
        Progress::Sent(sent) => sent_at.borrow_mut().push((made_so_far.get(), sent.delivered)),
    };
    let (days, orders) = (requests(&context), Orders::default());
    let done = make_and_send(&context, &world.setup, &days, (&orders, TURNS), &world.stop, seen);
    let (days, sent) = done.await.unwrap();
    assert_eq!(
        sent_at.into_inner(),
        [(10, 10), (20, 20), (30, 30), (40, 40)],
        "all that is made is sent, each time"
    );
    assert_eq!((days[0].1.counts.reports, days[0].1.is_done), (40, true));
    assert_eq!((sent.delivered, world.relay.messages().len()), (40, 40));
}

/// Each attempt waits for a relay that takes nothing: one is enough until all is made.
#[tokio::test]
async fn a_relay_that_takes_nothing_does_not_hold_up_making() {
    let refuses = Script::with(Fault::say(At::Greeting, "554 5.3.2 no service"));
    let world = many_domains(refuses).await;
    let context = world.context(AFTER);
    let tried = Cell::new(0);
    let seen = |progress: Progress<'_>| {
        if let Progress::Sent(_) = progress {
            tried.set(tried.get() + 1);
        }
    };
    let (days, orders) = (requests(&context), Orders::default());
    let done = make_and_send(&context, &world.setup, &days, (&orders, TURNS), &world.stop, seen);
    let (days, sent) = done.await.unwrap();
    assert_eq!((tried.get(), days[0].1.deliveries, sent.deliveries()), (1, 40, 0));
    assert!(sent.relay.is_some());
    assert_eq!(world.count(DeliveryState::Queued), 40);
}

#[tokio::test]
async fn a_turn_of_sending_ends_when_its_time_is_over() {
    let world = many_domains(Script::default()).await;
    let context = world.context(AFTER);
    world.make(&context).await;
    let orders = Orders {
        for_at_most: Some(Duration::ZERO),
        ..Orders::default()
    };
    let sent = send(&context, &world.setup, &orders, &world.stop, |_| {}).await;
    assert_eq!(sent.unwrap(), SendCounts::default());
    assert_eq!(world.count(DeliveryState::Queued), 40);
}
