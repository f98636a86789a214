//! Several hosts and one outbox: what is to be done once is done by one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::thread;

use landmarc_store::{Lease, NewReport, Outbox, OutboxFilter, Put, StoreError, StoreLocation};

use crate::bed::{Bed, suite};
use crate::letters::{LEASE, NOW, claim, outbox, part, to};
use crate::samples::reader;

suite!(
    hosts_that_hand_over_the_same_reports_at_once_store_each_once,
    hosts_that_ask_at_once_never_get_the_same_letter,
    of_hosts_that_ask_at_once_one_gets_a_lease_with_a_name,
    a_lease_with_a_name_is_renewed_given_back_and_runs_out,
    names_of_leases_are_bounded,
    hosts_that_ask_at_once_get_one_secret,
);

/// Does something on as many hosts at once; what it came to on each.
fn on_hosts<T: Send>(bed: &Bed, count: usize, work: impl Fn(usize, &mut Outbox) -> T + Sync) -> Vec<T> {
    let places: Vec<StoreLocation> = (0..count).map(|_| bed.elsewhere()).collect();
    let start = Barrier::new(count);
    thread::scope(|scope| {
        let hosts: Vec<_> = places
            .into_iter()
            .enumerate()
            .map(|(number, place)| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    let mut outbox = outbox(place);
                    start.wait();
                    work(number, &mut outbox)
                })
            })
            .collect();
        hosts.into_iter().map(|host| host.join().unwrap()).collect()
    })
}

/// The host that came later found more rows in the tally, so it divides what it has to say into more parts.
fn parts(host: usize, domain: &str) -> Vec<NewReport> {
    let count = u32::try_from(host).unwrap() + 2;
    let parts = (1..=count).map(|number| {
        let letters = vec![to(&format!("a@{domain}")), to(&format!("b@{domain}"))];
        NewReport {
            report_id: format!("{number}-of-{count}-of-{domain}"),
            // The large ones are written in several transactions.
            body: vec![7; if domain.starts_with('0') { 1 << 20 } else { 100 }],
            deliveries: letters,
            ..part(domain, number)
        }
    });
    parts.collect()
}

fn hosts_that_hand_over_the_same_reports_at_once_store_each_once(bed: &Bed) {
    const DOMAINS: usize = 20;
    drop(outbox(bed));
    let stored = on_hosts(bed, 2, |host, outbox| {
        let put = |number: usize| {
            let domain = format!("{number}.example");
            let put = outbox.put_all(&parts(host, &domain), NOW).unwrap();
            let is_stored = matches!(put[0], Put::Stored(_));
            assert!(
                put.iter().all(|one| matches!(one, Put::Stored(_)) == is_stored),
                "all parts or none: {put:?}"
            );
            is_stored.then_some(domain)
        };
        (0..DOMAINS).filter_map(put).collect::<BTreeSet<_>>()
    });
    let both: Vec<_> = stored[0].intersection(&stored[1]).collect();
    assert!(both.is_empty(), "stored twice: {both:?}");
    assert_eq!(stored[0].len() + stored[1].len(), DOMAINS);
    let all = OutboxFilter {
        limit: usize::MAX,
        ..OutboxFilter::default()
    };
    let mut letters: BTreeMap<String, Vec<(u32, String)>> = BTreeMap::new();
    for one in reader(bed).deliveries(&all).unwrap() {
        let of_domain = letters.entry(one.report.policy_domain).or_default();
        of_domain.push((one.report.part, one.destination));
    }
    for (domain, mut found) in letters {
        let count = if stored[0].contains(&domain) { 2 } else { 3 };
        let mut expected = Vec::new();
        for number in 1..=count {
            expected.push((number, format!("a@{domain}")));
            expected.push((number, format!("b@{domain}")));
        }
        found.sort();
        assert_eq!(found, expected);
    }
}

fn hosts_that_ask_at_once_never_get_the_same_letter(bed: &Bed) {
    let mut first = outbox(bed);
    for domain in 0..3 {
        let letters = (0..50).map(|one| to(&format!("{one}@{domain}.example")));
        let new = NewReport {
            deliveries: letters.collect(),
            ..part(&format!("{domain}.example"), 1)
        };
        first.put_all(&[new], NOW).unwrap();
    }
    let taken = on_hosts(bed, 3, |host, outbox| {
        let mut mine = Vec::new();
        loop {
            let some = claim(outbox, &host.to_string(), NOW, 7);
            if some.is_empty() && outbox.counts(NOW).unwrap().due == 0 {
                return mine;
            }
            mine.extend(some.into_iter().map(|one| one.number));
        }
    });
    let all: Vec<_> = taken.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (150, 150));
}

fn of_hosts_that_ask_at_once_one_gets_a_lease_with_a_name(bed: &Bed) {
    drop(outbox(bed));
    for round in 0..10 {
        let name = format!("reports {round}");
        let got = on_hosts(bed, 3, |host, outbox| {
            outbox.lease(&name, &host.to_string(), LEASE, NOW).unwrap()
        });
        let mut got: Vec<_> = got.into_iter().flatten().collect();
        assert_eq!(got.len(), 1, "{got:?}");
        let (told, lease) = reader(bed).leases().unwrap().remove(round);
        assert_eq!((told, Some(lease)), (name, got.pop()));
    }
}

fn a_lease_with_a_name_is_renewed_given_back_and_runs_out(bed: &Bed) {
    let (mut one, mut two) = (outbox(bed), outbox(bed.elsewhere()));
    let until = |owner: &str, until_ms| {
        let owner = owner.to_owned();
        Some(Lease { owner, until_ms })
    };
    assert_eq!(
        one.lease("reports", "one", LEASE, NOW).unwrap(),
        until("one", NOW + LEASE)
    );
    assert_eq!(two.lease("reports", "two", LEASE, NOW + LEASE - 1).unwrap(), None);
    assert_eq!(
        two.lease("other", "two", 1, NOW).unwrap(),
        until("two", NOW + 1),
        "another name"
    );
    assert!(!two.release_lease("reports", "two").unwrap(), "it is not his");
    // Renewed, it lasts from then on.
    let renewed = NOW + LEASE - 1 + LEASE;
    assert_eq!(
        one.lease("reports", "one", LEASE, NOW + LEASE - 1).unwrap(),
        until("one", renewed)
    );
    assert_eq!(two.lease("reports", "two", LEASE, renewed - 1).unwrap(), None);
    // Its owner was cut off and it ran out: another has it, and the owner that comes back has not.
    assert_eq!(
        two.lease("reports", "two", LEASE, renewed).unwrap(),
        until("two", renewed + LEASE)
    );
    assert_eq!(one.lease("reports", "one", LEASE, renewed).unwrap(), None);
    assert!(!one.release_lease("reports", "one").unwrap());
    let told = one.leases().unwrap();
    assert_eq!(
        told,
        [("reports".to_owned(), until("two", renewed + LEASE).unwrap())],
        "what ran out is forgotten"
    );
    assert!(two.release_lease("reports", "two").unwrap());
    assert!(!two.release_lease("reports", "two").unwrap());
    assert_eq!(
        one.lease("reports", "one", LEASE, renewed).unwrap(),
        until("one", renewed + LEASE)
    );
}

fn names_of_leases_are_bounded(bed: &Bed) {
    let mut outbox = outbox(bed);
    let [at, past] = [255, 256].map(|length| "x".repeat(length));
    assert!(outbox.lease(&at, &at, LEASE, NOW).unwrap().is_some());
    for (name, owner) in [(&past, &at), (&at, &past)] {
        let refused = outbox.lease(name, owner, LEASE, NOW);
        assert!(matches!(refused, Err(StoreError::TooLong { found: 256, .. })));
    }
    assert!(
        outbox.lease(&at, &at, u64::MAX, NOW).unwrap().is_some(),
        "for ever"
    );
    assert!(outbox.lease(&at, "another", LEASE, NOW).unwrap().is_none());
}

fn hosts_that_ask_at_once_get_one_secret(bed: &Bed) {
    drop(outbox(bed));
    let secrets = on_hosts(bed, 3, |_, outbox| outbox.secret("return_path").unwrap());
    assert!(secrets.iter().all(|secret| *secret == secrets[0]));
}
