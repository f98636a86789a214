//! How many distinct reporting rows one sender may make in a day, and what a further message counts in.
//!
//! A sender chooses his names, his selectors and, within his networks, his address: he can make a row of each message, kilobytes each,
//! kept for as long as the tally is. So new rows are counted by Organizational Domain and by client network. Past a limit a message counts in a
//! row that says less, and in the end in one that says nothing but the result. Each message counts once, in one of
//! them, and a row that is in the store already is never folded: whoever sends every day is not touched.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use landmarc_observation::{FOLDED, PublishedPolicy, TallyRow};

use crate::digest::Digests;
use crate::folded::FoldedCounts;
use crate::groups::Groups;
use crate::limits::MAX_PROBLEMS;
use crate::model::Day;
use crate::prepared::CountedRow;
use crate::sketch::{Sketch, SketchPlace};
use crate::sync::lock_ignoring_poison;

/// New rows of one Organizational Domain and day that pass DMARC: more than the largest senders have on a host of 10 million
/// messages a day, and 25 MB of the longest names.
const PASSING_ROWS: u16 = 10_000;
/// New rows of one Organizational Domain and day that fail: anybody makes those, in any name. They have a limit of their own so
/// that nobody can fold the rows of a domain that pass by sending some in its name.
const FAILING_ROWS: u16 = 5_000;
/// Those among them that come from one client network, so that the first network to come does not take all.
const FAILING_ROWS_OF_NETWORK: u16 = 500;
/// New rows that fail from one client network, in the name of whatever domain.
const FAILING_ROWS_BY_NETWORK: u16 = 10_000;
/// New rows of one Organizational Domain and day that stand for a client network.
const ROWS_OF_NETWORKS: u16 = 2_000;
/// New rows of one Organizational Domain and day that stand for a DMARC Policy Domain and all networks. There is one for each name
/// with a record, and the owner of the domain can have as many of these as he likes.
const ROWS_OF_POLICY_DOMAINS: u16 = 500;

/// What stands before an Organizational Domain for all names in it: this is no domain name, so nobody gets a report of
/// what counts there, whose records were many.
const ALL_NAMES: &str = "*.";

/// The limits in force: shared by the recorder and by each engine that it opens.
#[derive(Debug)]
pub(crate) struct Folding {
    pub(crate) groups: Arc<dyn Groups>,
    distinct: Mutex<Distinct>,
    messages: AtomicU64,
}

impl Folding {
    pub(crate) fn new(groups: Arc<dyn Groups>) -> Self {
        Self {
            groups,
            distinct: Mutex::new(Distinct::new()),
            messages: AtomicU64::new(0),
        }
    }

    /// The same counts within the limits, and how many messages count in another row. `is_known` says whether a row is in the store.
    pub(crate) fn fold<E>(
        &self,
        mut counts: FoldedCounts,
        mut is_known: impl FnMut(&CountedRow) -> Result<bool, E>,
    ) -> Result<(FoldedCounts, u64), E> {
        let mut new = Vec::new();
        for (key, (counted, _)) in &counts.tallies {
            if !is_known(counted)? {
                new.push(*key);
            }
        }
        let mut distinct = lock_ignoring_poison(&self.distinct);
        let mut messages = 0_u64;
        for key in new {
            let Some((counted, count)) = counts.tallies.remove(&key) else {
                continue;
            };
            let is_here = |one: &CountedRow| counts.tallies.contains_key(&(one.day, one.digest));
            let instead =
                distinct.instead_of(&counted, &*self.groups, |one| Ok(is_here(one) || is_known(one)?))?;
            messages += instead.as_ref().map_or(0, |_| count);
            counts.add_tally(instead.unwrap_or(counted), count);
        }
        Ok((counts, messages))
    }

    /// What was folded since is in the store, with so many messages.
    pub(crate) fn committed(&self, messages: u64) {
        lock_ignoring_poison(&self.distinct).committed();
        self.messages.fetch_add(messages, Relaxed);
    }

    /// Nothing of it is: it will come again.
    pub(crate) fn rolled_back(&self) {
        lock_ignoring_poison(&self.distinct).rolled_back();
    }

    /// Messages that count in a folded row, since the recorder was opened.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }
}

/// The new rows of one day, by whose they are.
#[derive(Debug)]
struct Distinct {
    day: Day,
    counts: Sketch,
    /// What the transaction under way has counted.
    pending: Vec<SketchPlace>,
    digests: Digests,
}

/// What a new row is counted against, with the limit.
#[derive(Hash)]
enum Key<'a> {
    Passing(&'a str),
    Failing(&'a str),
    FailingOfNetwork(&'a str, IpAddr),
    FailingByNetwork(IpAddr),
    OfNetworks(&'a str),
    OfPolicyDomains(&'a str),
}

impl Key<'_> {
    fn limit(&self) -> u16 {
        match self {
            Self::Passing(_) => PASSING_ROWS,
            Self::Failing(_) => FAILING_ROWS,
            Self::FailingOfNetwork(..) => FAILING_ROWS_OF_NETWORK,
            Self::FailingByNetwork(_) => FAILING_ROWS_BY_NETWORK,
            Self::OfNetworks(_) => ROWS_OF_NETWORKS,
            Self::OfPolicyDomains(_) => ROWS_OF_POLICY_DOMAINS,
        }
    }
}

impl Distinct {
    fn new() -> Self {
        Self {
            day: Day(0),
            counts: Sketch::new(),
            pending: Vec::new(),
            digests: Digests::new(),
        }
    }

    /// The row that a message counts in instead of this one, which is in the store not yet; none when it may be new.
    /// `is_known` says whether a row is in the store.
    fn instead_of<E>(
        &mut self,
        counted: &CountedRow,
        groups: &dyn Groups,
        mut is_known: impl FnMut(&CountedRow) -> Result<bool, E>,
    ) -> Result<Option<CountedRow>, E> {
        self.turn_to(counted.day);
        let row = &*counted.row;
        let organization = &*groups.organizational_domain(&row.header_from);
        let network = groups.client_network(row.source_ip);
        let may_be_new = if row.dkim_aligned || row.spf_aligned {
            self.take(&[Key::Passing(organization)])
        } else {
            self.take(&[
                Key::Failing(organization),
                Key::FailingOfNetwork(organization, network),
                Key::FailingByNetwork(network),
            ])
        };
        if may_be_new {
            return Ok(None);
        }
        for (folded, key) in [
            (of_network(row, network), Key::OfNetworks(organization)),
            (of_policy_domain(row), Key::OfPolicyDomains(organization)),
        ] {
            let folded = CountedRow::new(counted.day, folded, &self.digests);
            if is_known(&folded)? || self.take(&[key]) {
                return Ok(Some(folded));
            }
        }
        let folded = of_organization(row, organization);
        Ok(Some(CountedRow::new(counted.day, folded, &self.digests)))
    }

    /// What was counted since is in the store.
    fn committed(&mut self) {
        self.pending.clear();
    }

    /// Nothing of it is: it will come again.
    fn rolled_back(&mut self) {
        for place in self.pending.drain(..) {
            self.counts.take_back(place);
        }
    }

    /// Counts it everywhere when there is room everywhere.
    fn take(&mut self, keys: &[Key<'_>]) -> bool {
        let places: Vec<SketchPlace> = keys.iter().map(|key| self.counts.place(key)).collect();
        let mut all = keys.iter().zip(&places);
        if !all.all(|(key, place)| self.counts.count(*place) < key.limit()) {
            return false;
        }
        for place in places {
            self.counts.add(place);
            self.pending.push(place);
        }
        true
    }

    /// A new day begins anew; what comes late, of the day before, counts with it. A clock that went back does, too: else nothing
    /// would be new until it is where it was.
    fn turn_to(&mut self, day: Day) {
        if day > self.day || day.next() < self.day {
            self.day = day;
            self.counts.clear();
            self.pending.clear();
        }
    }
}

/// The row without what its sender chose freely.
fn of_network(row: &TallyRow, network: IpAddr) -> TallyRow {
    let mut problems = vec![FOLDED.to_owned()];
    problems.extend(row.published.problems.iter().take(MAX_PROBLEMS - 1).cloned());
    let mut reasons: Vec<_> = row
        .reasons
        .iter()
        .map(|(kind, _)| (kind.clone(), String::new()))
        .collect();
    reasons.dedup();
    TallyRow {
        published: PublishedPolicy {
            problems,
            ..row.published.clone()
        },
        source_ip: network,
        reasons,
        header_from: row.policy_domain.clone(),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
        ..row.clone()
    }
}

/// The same for all networks. The unspecified address is that of no host (RFC 6890 §2.2).
fn of_policy_domain(row: &TallyRow) -> TallyRow {
    let none = match row.source_ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    of_network(row, none)
}

/// The same for all names of an Organizational Domain. Of the records, which were many, it has the policy.
fn of_organization(row: &TallyRow, organization: &str) -> TallyRow {
    let name = format!("{ALL_NAMES}{organization}");
    TallyRow {
        published: PublishedPolicy {
            p: row.published.p.clone(),
            sp: row.published.p.clone(),
            problems: vec![FOLDED.to_owned()],
            ..PublishedPolicy::default()
        },
        reasons: Vec::new(),
        header_from: name.clone(),
        policy_domain: name,
        ..of_policy_domain(row)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::convert::Infallible;

    use super::*;
    use crate::groups::tests::TwoLabels;
    use crate::prepared::tests::row;

    /// A store of rows.
    struct Store {
        distinct: Distinct,
        rows: HashSet<[u8; 16]>,
    }

    impl Store {
        fn new() -> Self {
            Self {
                distinct: Distinct::new(),
                rows: HashSet::new(),
            }
        }

        /// Counts a message of the day in a row; which one that was.
        fn count(&mut self, day: u32, row: TallyRow) -> TallyRow {
            let counted = CountedRow::new(Day(day), row, &Digests::new());
            let known = |one: &CountedRow| Ok::<_, Infallible>(self.rows.contains(&one.digest.0));
            let Ok(is_known) = known(&counted);
            let instead = match is_known {
                true => None,
                false => self.distinct.instead_of(&counted, &TwoLabels, known).unwrap(),
            };
            let counted = instead.unwrap_or(counted);
            self.rows.insert(counted.digest.0);
            self.distinct.committed();
            counted.row.as_ref().clone()
        }

        /// Distinct rows that so many messages make, each like no other.
        fn flood(&mut self, messages: u32, message: impl Fn(u32) -> TallyRow) -> usize {
            let rows: HashSet<TallyRow> = (0..messages)
                .map(|number| self.count(1, message(number)))
                .collect();
            rows.len()
        }
    }

    fn failing(domain: &str, number: u32, client: [u8; 4]) -> TallyRow {
        TallyRow {
            dkim_aligned: false,
            spf_aligned: false,
            source_ip: client.into(),
            envelope_from: Some(format!("{number}.env.test")),
            ..row(domain)
        }
    }

    /// Of a zone with a wildcard: name, record and all else are new with each message.
    fn wildcard(number: u32) -> TallyRow {
        let mut row = row(&format!("{number}.evil.test"));
        row.header_from = format!("a.{number}.evil.test");
        row.published.rua = vec![format!("mailto:{number}@evil.test")];
        row.source_ip = number.to_be_bytes().into();
        row
    }

    #[test]
    fn rows_are_whole_up_to_the_limit_and_then_stand_for_a_network() {
        let mut store = Store::new();
        let limit = u32::from(FAILING_ROWS_OF_NETWORK);
        let one = |number| failing("victim.test", number, [192, 0, 2, 7]);
        assert_eq!(store.flood(limit, one), usize::from(FAILING_ROWS_OF_NETWORK));
        assert_eq!(
            store.count(1, one(limit - 1)),
            one(limit - 1),
            "it is there already"
        );
        let folded = store.count(1, one(limit));
        assert_eq!(folded.source_ip, IpAddr::from([192, 0, 2, 0]));
        assert!(folded.is_folded());
        assert_eq!((folded.envelope_from, folded.dkim.len()), (None, 0));
        assert_eq!(folded.policy_domain, "victim.test");
        assert_eq!(folded.published.problems, [FOLDED]);
        assert_eq!(folded.published.rua, one(0).published.rua, "it is reported");
        assert!(FOLDED.len() <= crate::MAX_PROBLEM);

        let elsewhere = failing("victim.test", 1, [198, 51, 100, 7]);
        assert_eq!(store.count(1, elsewhere.clone()), elsewhere, "of another network");
        assert_eq!(store.count(2, one(limit + 1)), one(limit + 1), "of another day");
    }

    #[test]
    fn rows_that_fail_fold_none_that_pass() {
        let mut store = Store::new();
        let messages = u32::from(FAILING_ROWS) + 1_000;
        let rows = store.flood(messages, |number| {
            let [_, _, b, c] = number.to_be_bytes();
            failing("victim.test", number, [10, b, c, 7])
        });
        assert_eq!(rows, messages as usize, "the last thousand stand for networks");
        let next = failing("victim.test", messages, [192, 0, 2, 7]);
        assert_eq!(store.count(1, next).envelope_from, None);
        let passing = TallyRow {
            envelope_from: Some("bounce.victim.test".to_owned()),
            ..row("victim.test")
        };
        assert_eq!(store.count(1, passing.clone()), passing);
    }

    #[test]
    fn a_network_makes_so_many_failing_rows_in_whatever_name() {
        let mut store = Store::new();
        let limit = u32::from(FAILING_ROWS_BY_NETWORK);
        let one = |number| failing(&format!("d{number}.test"), number, [192, 0, 2, 7]);
        store.flood(limit, one);
        assert_eq!(store.count(1, one(limit)).envelope_from, None);
        assert_eq!(store.count(1, one(limit)).policy_domain, format!("d{limit}.test"));
    }

    #[test]
    fn a_wildcard_makes_so_many_rows_and_then_one_for_all_its_names() {
        let mut store = Store::new();
        let most = usize::from(PASSING_ROWS + ROWS_OF_NETWORKS + ROWS_OF_POLICY_DOMAINS);
        assert_eq!(store.flood(20_000, wildcard), most + 1);
        let last = store.count(1, wildcard(20_001));
        assert_eq!(
            (&*last.policy_domain, &*last.header_from),
            ("*.evil.test", "*.evil.test")
        );
        assert_eq!(
            last.published.rua,
            Vec::<String>::new(),
            "nobody else is sent this"
        );
        assert_eq!(last.source_ip, IpAddr::from([0, 0, 0, 0]));
        assert_eq!(store.count(1, row("honest.test")), row("honest.test"));
    }

    #[test]
    fn what_was_rolled_back_takes_no_share() {
        let mut distinct = Distinct::new();
        let unknown = |_: &CountedRow| Ok::<_, Infallible>(false);
        for number in 0..3 * u32::from(PASSING_ROWS) {
            let counted = CountedRow::new(Day(1), wildcard(number), &Digests::new());
            assert!(
                distinct
                    .instead_of(&counted, &TwoLabels, unknown)
                    .unwrap()
                    .is_none()
            );
            distinct.rolled_back();
        }
    }

    #[test]
    fn a_clock_that_went_ahead_and_came_back_begins_anew() {
        let mut store = Store::new();
        store.flood(20_000, wildcard);
        let whole = |store: &mut Store, day, number| store.count(day, wildcard(number)) == wildcard(number);
        assert!(!whole(&mut store, 1, 30_000));
        assert!(!whole(&mut store, 0, 30_001), "late, of the day before");
        assert!(whole(&mut store, 366, 30_002));
        assert!(whole(&mut store, 1, 30_003));
    }
}
