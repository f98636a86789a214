//! How much report mail of one day goes out, whatever strangers publish.

use std::collections::BTreeSet;

use landmarc_report::allotment::DailyLimit;

use super::super::assemble::{Assembly, Settled, SettledSource, Settlement};
use super::*;

/// A row of a domain with these addresses in its record, and so many messages.
fn asking(policy_domain: &str, rua: impl IntoIterator<Item = String>, count: usize) -> Vec<TallyRow> {
    let published = PublishedPolicy {
        rua: rua
            .into_iter()
            .map(|address| format!("mailto:{address}"))
            .collect(),
        ..row(policy_domain, 1).published
    };
    let one = TallyRow {
        published,
        ..row(policy_domain, 1)
    };
    vec![one; count]
}

/// Forty records in the zone of one owner, each with ten destinations of its own below it.
fn bomb(world: &mut World) -> Vec<TallyRow> {
    let mut rows = Vec::new();
    for number in 0..40 {
        let domain = format!("n{number}.bomb.test");
        world.zones.add_txt(dns_name_of(&domain), b"v=DMARC1; p=reject");
        let hosts: Vec<_> = (0..10).map(|host| format!("h{host}.{domain}")).collect();
        for host in &hosts {
            let address = DnsRecord::A(Ipv4Addr::LOCALHOST);
            world
                .zones
                .set(dns_name(host), RecordType::A, ZoneData::Records(vec![address]));
        }
        rows.extend(asking(&domain, hosts.iter().map(|host| format!("x@{host}")), 1));
    }
    rows
}

fn skipped(world: &World) -> Vec<(String, String)> {
    let reader = Reader::open(world.database()).unwrap();
    reader.skipped(Day::at(JUNE_1), 1_000).unwrap()
}

/// What `outbox due` would list.
async fn due(world: &World) -> Vec<Settled> {
    let request = DayRequest {
        day: Day::at(JUNE_1),
        selection: Selection::default(),
        clock: RunClock::at(AFTER),
        spread: false,
    };
    let zones = Arc::new(world.zones.clone());
    let settings = Arc::clone(&world.setup.settings);
    let mut assembly = Assembly::begin(
        world.database().into(),
        SettledSource::Store,
        settings,
        request,
        zones,
    );
    let mut all = Vec::new();
    while let Some(settled) = assembly.next().await {
        all.push(settled.unwrap());
    }
    all
}

#[tokio::test]
async fn d18_a_zone_of_many_records_causes_no_more_mail_than_one_organization_gets() {
    let mut world = World::new(Script::default(), "report.per_host = 1000");
    let rows = bomb(&mut world);
    world.record(rows).await;
    world.record([row("a.example", 1), row("b.example", 1)]).await;
    let before: usize = due(&world)
        .await
        .iter()
        .map(|settled| match &settled.settlement {
            Settlement::Reports { addressees, .. } => addressees.open.len(),
            _ => 0,
        })
        .sum();
    let context = world.context(AFTER);
    let made = world.make(&context).await;
    // Three for each record below its Organizational Domain, twenty in all; and one each for the others.
    assert_eq!((made.deliveries, before), (22, 22));
    assert_eq!(made.counts.reports, 9);
    assert_eq!(made.limited.destinations, 34, "{made:?}");
    let skipped = skipped(&world);
    let reasons: BTreeSet<_> = skipped.iter().map(|(_, why)| why.as_str()).collect();
    insta::assert_snapshot!(
        reasons.into_iter().collect::<Vec<_>>().join("\n"),
        @"over the limit of 20 destinations of bomb.test a day (report.destinations_per_organization)"
    );
    for (domain, _) in skipped {
        assert!(domain.ends_with(".bomb.test"), "{domain}");
    }
    assert_eq!(world.send(&context).await.delivered, 22);
    let to: Vec<_> = world
        .relay
        .messages()
        .into_iter()
        .map(|message| message.rcpt_to)
        .collect();
    assert!(to.contains(&vec!["dmarc@a.example".to_owned()]), "{to:?}");
}

#[tokio::test]
async fn d18_an_organization_gets_its_most_reports_and_the_largest_domains_come_first() {
    for (domains, past) in [(3, 0), (4, 1)] {
        let mut world = World::new(Script::default(), "report.reports_per_organization = 3");
        let mut rows = Vec::new();
        for number in 1..=domains {
            let domain = format!("n{number}.a.example");
            world.zones.add_txt(dns_name_of(&domain), b"v=DMARC1; p=none");
            rows.extend(asking(&domain, ["dmarc@a.example".to_owned()], number));
        }
        world.record(rows).await;
        let context = world.context(AFTER);
        let made = world.make(&context).await;
        assert_eq!((made.counts.reports, made.limited.reports), (3, past));
        let skipped = skipped(&world);
        assert_eq!(skipped.len(), usize::try_from(past).unwrap());
        if let [(domain, why)] = skipped.as_slice() {
            assert_eq!(domain, "n1.a.example", "the one with the fewest messages");
            insta::assert_snapshot!(
                why,
                @"over the limit of 3 policy domains of a.example a day (report.reports_per_organization)"
            );
        }
    }
}

#[tokio::test]
async fn d18_report_mail_of_a_day_ends_at_its_limit() {
    for (per_day, messages) in [(3, 3), (2, 2)] {
        let world = World::new(Script::default(), &format!("report.per_day = {per_day}"));
        let own = |domain: &str| [format!("dmarc@{domain}")];
        let mut rows = asking("c.example", own("c.example"), 2);
        rows.extend([row("a.example", 1), row("b.example", 1)]);
        world.record(rows).await;
        let context = world.context(AFTER);
        let made = world.make(&context).await;
        assert_eq!((made.deliveries, made.limited.messages), (messages, 3 - messages));
        if let [(domain, why)] = skipped(&world).as_slice() {
            assert_eq!(domain, "b.example");
            assert!(why.contains("(report.per_day)"), "{why}");
        }
    }
}

/// A run that goes on after another one was killed decides as that one did.
#[tokio::test]
async fn d18_who_begins_again_keeps_within_what_the_first_left() {
    let mut world = World::new(Script::default(), "report.reports_per_organization = 2");
    let mut rows = Vec::new();
    for number in 1..=4 {
        let domain = format!("n{number}.a.example");
        world.zones.add_txt(dns_name_of(&domain), b"v=DMARC1; p=none");
        rows.extend(asking(&domain, ["dmarc@a.example".to_owned()], number));
    }
    world.record(rows).await;
    let context = world.context(AFTER);
    let only = |domain: &str| DayRequest {
        day: Day::at(JUNE_1),
        selection: Selection {
            only: [domain.to_owned()].into(),
            ..Selection::default()
        },
        clock: context.clock,
        spread: false,
    };
    let one = only("n3.a.example");
    let first = make_day(&context, &world.setup.settings, &one, &world.stop, |_| {});
    assert_eq!(first.await.unwrap().deliveries, 1);
    // What came late would have the first one out of the limit.
    world
        .record(asking("n2.a.example", ["dmarc@a.example".to_owned()], 9))
        .await;
    let made = world.make(&context).await;
    assert_eq!((made.before, made.deliveries, made.limited.reports), (1, 1, 2));
    let limits = due(&world).await;
    assert!(
        limits
            .iter()
            .all(|settled| settled.limited != Some(DailyLimit::Messages))
    );
    let kept: Vec<_> = skipped(&world).into_iter().map(|(domain, _)| domain).collect();
    assert_eq!(kept, ["n1.a.example", "n4.a.example"]);
}
