//! An hour without the database, and everything else that goes wrong in it: mail is answered all the time,
//! and in the end every message is counted once, and reported once.
//!
//! The hour is one by the clocks of all hosts, which are set forward by ten minutes six times while mail comes;
//! waits and the timers of TCP take as long as they do. So what is shown of an hour is what its time stamps do;
//! that a host gives up on the database, and comes back to it by itself, is shown in the minute it takes.

use std::collections::BTreeSet;

use super::account::{assert_same, reported, rows, tallies, validate, written};
use super::database::Engine;
use super::mail::DOMAINS;
use super::mx::Mx;
use super::site::{DATABASE, DAY, Site};
use super::wait_for;

/// 2026-06-01T11:00:00Z.
const BEGIN_S: i64 = 1_780_311_600;
/// 2026-06-02T00:30:00Z: the day is over, and settled by every clock.
const AFTER_S: i64 = 1_780_360_200;
/// By how much the clock of the first host is wrong.
const WRONG_BY_S: i64 = 600;
/// The hour, in steps.
const STEPS: usize = 6;
const STEP_S: i64 = 600;
/// The step in which a host is killed.
const KILL_AT: usize = 3;
/// Packets of a hundred that the link of the third host loses.
const LOSS: u8 = 10;
/// Messages that each host answers in each step.
const A_FEW: usize = 40;

/// What a host says when it has noticed that nothing can be handed on.
const AWAY: &str = "records wait on disk to be handed on";

#[test]
fn an_hour_without_postgresql() {
    an_hour_without(Engine::PostgreSql);
}

#[test]
fn an_hour_without_mariadb() {
    an_hour_without(Engine::MariaDb);
}

fn an_hour_without(engine: Engine) {
    let Some(mut site) = Site::new(engine, BEGIN_S, WRONG_BY_S) else {
        return;
    };
    site.each(Mx::begin);
    site.each(|mx, network| {
        mx.listens();
        mx.receive(network);
    });
    site.each(|mx, _| mx.answers(A_FEW));
    assert!(
        wait_for(|| (site.counted() > 0).then_some(())).is_some(),
        "nothing is handed on"
    );

    site.network.lossy("mx3", LOSS);
    site.each(|mx, _| mx.answers(A_FEW));
    the_hour(&mut site);
    site.each(|mx, _| mx.answers(A_FEW));
    site.each(|mx, _| mx.rest());

    let all = everything_is_counted_once(&site);
    assert!(site.network.lost("mx3") > 0, "the lossy link has lost nothing");
    the_night(&mut site, &all);
}

/// The database is out of reach, and one host dies.
fn the_hour(site: &mut Site) {
    site.network.cut(DATABASE);
    site.each(|mx, _| {
        mx.answers(A_FEW);
        mx.wait_for_line(AWAY);
    });
    let before = site.counted();
    for step in 0..STEPS {
        site.forward(STEP_S);
        if step == KILL_AT {
            let (mx, network) = site.host("mx2");
            mx.kill();
            mx.begin(network);
            mx.listens();
        }
        site.each(|mx, _| mx.answers(A_FEW));
    }
    site.host("mx2").0.wait_for_line(AWAY);
    assert_eq!(site.counted(), before, "nothing gets through");
    assert!(site.network.lost(DATABASE) > 0);
    site.network.mend(DATABASE);
}

/// The messages that were answered, and those that the host that was killed had written down without an answer.
fn everything_is_counted_once(site: &Site) -> BTreeSet<u64> {
    let of_hosts: Vec<_> = site.hosts.iter().map(written).collect();
    let all: BTreeSet<u64> = of_hosts.iter().flatten().copied().collect();
    let sum: usize = of_hosts.iter().map(BTreeSet::len).sum();
    assert_eq!(all.len(), sum, "no message went to two hosts");
    site.wait_until_counted(u64::try_from(all.len()).unwrap());
    assert_eq!(
        site.days(),
        format!("{}\n", DAY.0),
        "all clocks were at that day all the time"
    );
    assert_eq!(site.counts_of_nothing(), "");
    let counted = site.shared(|place| tallies(&place, DAY));
    assert_same("the tallies of the database", &counted, &rows(&all));

    let right = |name: &str| (name.to_owned(), 0);
    let clocks = BTreeSet::from([("mx1".to_owned(), WRONG_BY_S), right("mx2"), right("mx3")]);
    let are_known = wait_for(|| (site.clocks() == clocks).then_some(()));
    assert!(are_known.is_some(), "{:?}", site.clocks());
    all
}

/// All hosts begin at once to report about the day.
fn the_night(site: &mut Site, all: &BTreeSet<u64>) {
    site.each(|mx, _| mx.stop());
    site.set_clocks(AFTER_S);
    site.each(Mx::begin);
    let count = usize::try_from(DOMAINS).unwrap();
    site.letters(count);
    // And by hand, on all of them at once, while the services run.
    std::thread::scope(|scope| {
        for mx in &site.hosts {
            let network = &site.network;
            scope.spawn(move || {
                let sent = mx.landmarc(network, &["outbox", "send"]);
                let said = String::from_utf8_lossy(&sent.stderr).into_owned();
                assert!(sent.status.success(), "{}: {said}", mx.name);
            });
        }
    });
    let all_are_delivered = || {
        let (is_well, said) = site.run("mx1", &["outbox", "list", "--json"]);
        let delivered = said.matches("\"state\":\"delivered\"").count();
        (is_well && (delivered, said.lines().count()) == (count, count)).then_some(())
    };
    assert!(
        wait_for(all_are_delivered).is_some(),
        "{}",
        site.run("mx1", &["outbox", "list"]).1
    );
    site.each(|mx, _| mx.stop());
    let letters = site.letters(count);
    assert_same("the reports", &reported(&letters), &rows(all));
    validate(site.folder.path(), &letters);
    for mx in &site.hosts {
        let panics: Vec<_> = mx
            .log()
            .into_iter()
            .filter(|line| line.contains("panicked"))
            .collect();
        assert_eq!(panics, Vec::<String>::new(), "{}", mx.name);
    }
}
