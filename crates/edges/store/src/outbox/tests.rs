//! What a server does otherwise than a file, tried on a file: pages, tables that are spread, clocks that differ.

use std::collections::HashSet;

use super::statement::time;
use super::{claim, ends, lease, list, put};
use crate::model::{
    Claim, Claims, Day, DeliveryNumber, DeliveryState, NewDelivery, NewReport, Put, ReportKind,
};
use crate::sql::{Sql, SqlError, SqlQueries, SqlRow, SqlValue, values};
use crate::sqlite::in_memory;

/// Ten minutes, by which the clock of a host is wrong.
const OFF_MS: i64 = 600_000;
const NOW: u64 = 1_780_272_000_000;
const LEASE: u64 = 60_000;

/// A store whose tables are spread, as a host sees it whose clock is behind by so much.
struct Spread<'a> {
    sql: &'a dyn Sql,
    behind_ms: i64,
}

impl Sql for Spread<'_> {
    fn execute(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<u64, SqlError> {
        self.sql.execute(sql, values)
    }

    fn insert(&self, sql: &str, values: &[SqlValue<'_>]) -> Result<i64, SqlError> {
        self.sql.insert(sql, values)
    }

    fn each(
        &self,
        sql: &str,
        values: &[SqlValue<'_>],
        take: &mut dyn FnMut(&SqlRow) -> Result<bool, SqlError>,
    ) -> Result<(), SqlError> {
        self.sql.each(sql, values, take)
    }

    fn same_domain(&self) -> bool {
        true
    }

    fn corrected(&self, at_ms: u64) -> u64 {
        at_ms.saturating_add_signed(self.behind_ms)
    }
}

/// Works on such a store, with three hosts: one knows the time, one is late, one is early.
fn spread(work: impl FnOnce([&dyn Sql; 3])) {
    in_memory(|sql| {
        for table in ["body", "chunk", "delivery"] {
            let column = format!("ALTER TABLE {table} ADD COLUMN policy_domain TEXT NOT NULL DEFAULT ''");
            sql.execute(&column, &[]).unwrap();
        }
        let [right, late, early] = [0, OFF_MS, -OFF_MS].map(|behind_ms| Spread { sql, behind_ms });
        work([&right, &late, &early]);
    });
}

fn put_letters(sql: &dyn Sql, letters: impl IntoIterator<Item = (String, u64)>) {
    let deliveries = letters.into_iter().map(|(destination, next_ms)| NewDelivery {
        message_id: format!("<{destination}>"),
        destination,
        next_ms,
    });
    let day = Day::at(NOW);
    let report = NewReport {
        kind: ReportKind::Aggregate,
        report_id: "id".to_owned(),
        policy_domain: "example.com".to_owned(),
        day,
        begin_s: day.begins_s(),
        end_s: day.ends_s(),
        configuration: "c1".to_owned(),
        part: 1,
        file_name: String::new(),
        submitter: String::new(),
        email: String::new(),
        organization: String::new(),
        facts: String::new(),
        date_ms: NOW,
        rows: 1,
        messages: 1,
        body: b"body".to_vec(),
        deliveries: deliveries.collect(),
    };
    let put = put::store(sql, &[report], &[None], NOW).unwrap().unwrap();
    assert!(matches!(put[..], [Put::Stored(_)]));
}

fn ask(owner: &str, now_ms: u64) -> Claim {
    Claim {
        now_ms,
        owner: owner.to_owned(),
        lease_ms: LEASE,
        limit: 1_000,
        per_host: 1_000,
        ..Claim::default()
    }
}

fn claimed(sql: &dyn Sql, ask: &Claim) -> Claims {
    let found = claim::find(sql, ask).unwrap();
    claim::take(sql, ask, &found).unwrap()
}

fn destinations(claims: &Claims) -> Vec<&str> {
    claims
        .claimed
        .iter()
        .map(|one| one.destination.as_str())
        .collect()
}

#[test]
fn what_is_due_comes_in_pages_with_none_left_out_and_none_twice() {
    for count in [0, 499, 500, 501, 1_000] {
        spread(|[sql, ..]| {
            // All at one time, as after a night without a relay: only the number tells them apart.
            let letters: Vec<_> = (0..count)
                .map(|one| (format!("rua@{one:04}.example"), NOW))
                .collect();
            put_letters(sql, letters.clone());
            let claims = claimed(sql, &ask("me", NOW));
            let expected: Vec<_> = letters
                .iter()
                .map(|(destination, _)| destination.as_str())
                .collect();
            assert_eq!(destinations(&claims), expected, "{count}");
            let join = "SELECT count(*) FROM chunk AS c JOIN body AS b ON c.id / 256 = b.id \
                        WHERE c.policy_domain = b.policy_domain AND b.policy_domain = 'example.com'";
            assert_eq!(sql.count(join, &[]).unwrap(), 1);
        });
    }
}

#[test]
fn hosts_that_had_enough_are_left_out_however_many_they_are() {
    for hosts in [100, 101] {
        spread(|[sql, ..]| {
            let letters = (0..hosts * 6).map(|one| (format!("{one}@{}.example", one % hosts), NOW + one));
            let small = [("z@small.example".to_owned(), NOW + hosts * 6)];
            put_letters(sql, letters.chain(small));
            let mut question = ask("me", NOW + hosts * 7);
            question.per_host = 1;
            question.hosts_left_out = HashSet::from(["0.example".to_owned()]);
            let claims = claimed(sql, &question);
            assert_eq!(claims.claimed.len() as u64, hosts, "one for each but the first");
            assert_eq!(destinations(&claims).last().unwrap(), &"z@small.example");
            question.policy_domains = HashSet::from(["other.example".to_owned()]);
            assert!(claimed(sql, &question).claimed.is_empty());
        });
    }
}

/// Real time is said as the host with the right clock says it; the others name the same moments otherwise.
#[test]
fn a_lease_holds_whatever_the_clocks_of_the_hosts_say() {
    spread(|[right, late, early]| {
        let by_late = |real_ms: u64| real_ms.saturating_add_signed(-OFF_MS);
        let by_early = |real_ms: u64| real_ms.saturating_add_signed(OFF_MS);
        // The late host thinks it is ten minutes before, and says so when it hands the report over.
        put_letters(late, [("rua@a.example".to_owned(), by_late(NOW))]);
        let claims = claimed(late, &ask("late", by_late(NOW)));
        assert_eq!(destinations(&claims), ["rua@a.example"]);
        let lease = claims.claimed[0].lease.clone().unwrap();
        assert_eq!(lease.until_ms, by_late(NOW + LEASE), "on the clock of who asked");
        assert!(
            claimed(early, &ask("early", by_early(NOW + LEASE - 1)))
                .claimed
                .is_empty()
        );
        assert!(claimed(right, &ask("right", NOW + LEASE - 1)).claimed.is_empty());
        let claims = claimed(early, &ask("early", by_early(NOW + LEASE)));
        assert_eq!(destinations(&claims), ["rua@a.example"]);
        // The first one comes back: it is not his to put off, and what was delivered was delivered.
        let number = claims.claimed[0].number;
        let defer = |sql: &dyn Sql, owner, until| {
            ends::leave(sql, number, DeliveryState::Deferred, (owner, "451"), until).unwrap()
        };
        assert!(!defer(late, "late", by_late(NOW + LEASE)));
        assert!(defer(early, "early", by_early(NOW + 2 * LEASE)));
        assert!(
            claimed(late, &ask("late", by_late(NOW + 2 * LEASE - 1)))
                .claimed
                .is_empty()
        );
        assert_eq!(
            list::counts(late, by_late(NOW + 2 * LEASE)).unwrap().due,
            1,
            "for all at the same moment"
        );
        assert_eq!(list::counts(right, NOW + 2 * LEASE).unwrap().due, 1);
    });
}

#[test]
fn a_lease_with_a_name_holds_whatever_the_clocks_of_the_hosts_say() {
    spread(|[right, late, early]| {
        let late_now = NOW.saturating_add_signed(-OFF_MS);
        let early_now = NOW.saturating_add_signed(OFF_MS);
        let first = lease::take(late, "reports", "late", (LEASE, late_now)).unwrap();
        assert_eq!(first.unwrap().until_ms, late_now + LEASE);
        for (sql, owner, now_ms) in [(right, "right", NOW), (early, "early", early_now)] {
            let taken = lease::take(sql, "reports", owner, (LEASE, now_ms + LEASE - 1));
            assert_eq!(taken.unwrap(), None, "{owner}");
        }
        let all = lease::all(right).unwrap();
        assert_eq!(
            (all[0].1.owner.as_str(), all[0].1.until_ms),
            ("late", NOW + LEASE)
        );
        let next = lease::take(early, "reports", "early", (LEASE, early_now + LEASE)).unwrap();
        assert_eq!(next.unwrap().until_ms, early_now + 2 * LEASE);
    });
}

#[test]
fn what_is_open_is_counted_from_the_index_of_it_alone() {
    in_memory(|sql| {
        let plan = format!("EXPLAIN QUERY PLAN {}", list::OPEN);
        let steps = sql.rows(&plan, values![time(sql, NOW)], |row| row.get::<String>(3));
        assert_eq!(steps.unwrap(), ["SCAN delivery USING INDEX delivery_open"]);
    });
}

#[test]
fn a_number_past_all_reason_is_that_of_nothing() {
    in_memory(|sql| assert_eq!(list::delivery(sql, DeliveryNumber(u64::MAX)).unwrap(), None));
}
