//! How much report mail of one day goes out: limits for each organization, and for all of it (decision D18).
//!
//! A wildcard zone makes a policy domain of each message, with destinations of its owner's choice. So what goes out
//! is decided before the first report is made, from stored facts alone: a run that goes on after another, and every
//! host of a fleet, decides the same. The organization is the registrable domain of the Public Suffix List, which
//! no record of its owner changes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use landmarc_dmarc::Suffixes;
use landmarc_mail::DomainName;

use crate::address::Address;

/// Destinations of a record below its Organizational Domain: owners of subdomains name few, and a zone can have any
/// number of such records.
pub const MAX_DESTINATIONS_BELOW: usize = 3;

/// How much there may be of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyLimits {
    /// Policy domains of one organization that get a report.
    pub reports: usize,
    /// Addresses that the records of one organization name, and that get reports.
    pub destinations: usize,
    /// All report mail.
    pub messages: u64,
}

/// Which of the limits keeps something back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DailyLimit {
    /// [`DailyLimits::reports`].
    Reports,
    /// [`DailyLimits::destinations`].
    Destinations,
    /// [`DailyLimits::messages`].
    Messages,
}

/// A policy domain that asks for a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllotmentCandidate {
    /// The DMARC Policy Domain.
    pub policy_domain: DomainName,
    /// Messages counted that day: those with the most come first.
    pub messages: u64,
    /// How many reports it takes to report them.
    pub reports: u64,
    /// Whom they would go to, as far as the record goes.
    pub destinations: Vec<Address>,
    /// Whether the operator named the destinations: then only the limit of all report mail counts.
    pub is_redirected: bool,
}

/// What a policy domain may get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allotted {
    /// The destinations that are within the limits.
    pub destinations: Vec<Address>,
    /// Whether there were more.
    pub is_cut: bool,
}

/// Collects who asks for reports about a day. It holds no more of an organization than can get one.
#[derive(Debug)]
pub struct Allotment<'a> {
    limits: DailyLimits,
    suffixes: &'a Suffixes,
    organizations: HashMap<DomainName, Organization>,
    redirected: Vec<AllotmentCandidate>,
    messages: u64,
}

#[derive(Debug, Default)]
struct Organization {
    /// Policy domains whose reports are in the outbox.
    made: HashSet<DomainName>,
    /// Where reports go, in lower case.
    destinations: HashSet<String>,
    candidates: Vec<AllotmentCandidate>,
}

/// Who gets what.
#[derive(Debug, Default)]
pub struct Allotments(HashMap<DomainName, Result<Allotted, DailyLimit>>);

/// The Organizational Domain by the Public Suffix List; a public suffix is one of its own.
#[must_use]
pub fn organization(policy_domain: &DomainName, suffixes: &Suffixes) -> DomainName {
    suffixes
        .registrable(policy_domain)
        .unwrap_or_else(|| policy_domain.clone())
}

/// How many destinations of one record get its reports, where the settings say `limit`.
#[must_use]
pub fn max_destinations(policy_domain: &DomainName, suffixes: &Suffixes, limit: usize) -> usize {
    if organization(policy_domain, suffixes) == *policy_domain {
        limit
    } else {
        limit.min(MAX_DESTINATIONS_BELOW)
    }
}

impl<'a> Allotment<'a> {
    /// Begins a day.
    #[must_use]
    pub fn new(limits: DailyLimits, suffixes: &'a Suffixes) -> Self {
        Self {
            limits,
            suffixes,
            organizations: HashMap::new(),
            redirected: Vec::new(),
            messages: 0,
        }
    }

    /// Counts report mail of the day that is no aggregate report.
    pub fn count(&mut self, messages: u64) {
        self.messages = self.messages.saturating_add(messages);
    }

    /// Counts what is in the outbox: it comes before all that is still to be made.
    pub fn count_made(&mut self, policy_domain: &DomainName, destination: &str, messages: u64) {
        self.count(messages);
        let organization = self.organization(policy_domain);
        organization.made.insert(policy_domain.clone());
        organization.destinations.insert(destination.to_ascii_lowercase());
    }

    /// Whether this policy domain has its reports.
    #[must_use]
    pub fn is_made(&self, policy_domain: &DomainName) -> bool {
        let organization = organization(policy_domain, self.suffixes);
        let known = self.organizations.get(&organization);
        known.is_some_and(|known| known.made.contains(policy_domain))
    }

    /// Adds one that asks for a report.
    pub fn add(&mut self, candidate: AllotmentCandidate) {
        if candidate.is_redirected {
            self.redirected.push(candidate);
            return;
        }
        let most = self.limits.reports;
        let candidates = &mut self.organization(&candidate.policy_domain).candidates;
        candidates.push(candidate);
        if candidates.len() >= most.saturating_mul(2).max(2) {
            most_first(candidates);
            candidates.truncate(most);
        }
    }

    fn organization(&mut self, policy_domain: &DomainName) -> &mut Organization {
        let name = organization(policy_domain, self.suffixes);
        self.organizations.entry(name).or_default()
    }

    /// Decides: in each organization, and then among all, those with the most messages first. Of two alike the one
    /// that comes first in its organization goes first, so that many names of one owner stand behind one of another.
    #[must_use]
    pub fn decide(self) -> Allotments {
        let limits = self.limits;
        let mut in_line: Vec<_> = self.redirected.into_iter().map(|one| (0, one, false)).collect();
        let mut decided = HashMap::new();
        for organization in self.organizations.into_values() {
            let shared = organization.shared(&limits);
            for (place, (candidate, is_cut)) in shared.into_iter().enumerate() {
                if candidate.destinations.is_empty() {
                    decided.insert(candidate.policy_domain, Err(DailyLimit::Destinations));
                } else {
                    in_line.push((place, candidate, is_cut));
                }
            }
        }
        in_line.sort_unstable_by(|(place, one, _), (other_place, other, _)| {
            let key = |place, one: &AllotmentCandidate| (Reverse(one.messages), place);
            key(*place, one)
                .cmp(&key(*other_place, other))
                .then_with(|| one.policy_domain.cmp(&other.policy_domain))
        });
        let mut messages = self.messages;
        for (_, candidate, is_cut) in in_line {
            let destinations = u64::try_from(candidate.destinations.len()).unwrap_or(u64::MAX);
            let with = messages.saturating_add(candidate.reports.saturating_mul(destinations));
            let outcome = if with > limits.messages {
                Err(DailyLimit::Messages)
            } else {
                messages = with;
                Ok(Allotted {
                    destinations: candidate.destinations,
                    is_cut,
                })
            };
            decided.insert(candidate.policy_domain, outcome);
        }
        Allotments(decided)
    }
}

impl Organization {
    /// Its candidates within its limits, the most messages first, each with the destinations that are left to it,
    /// and whether these are fewer.
    fn shared(mut self, limits: &DailyLimits) -> Vec<(AllotmentCandidate, bool)> {
        most_first(&mut self.candidates);
        self.candidates
            .truncate(limits.reports.saturating_sub(self.made.len()));
        let mut shared = Vec::new();
        for mut candidate in self.candidates {
            let named = candidate.destinations.len();
            candidate.destinations.retain(|address| {
                let key = address.to_string().to_ascii_lowercase();
                let has_room =
                    self.destinations.contains(&key) || self.destinations.len() < limits.destinations;
                has_room && {
                    self.destinations.insert(key);
                    true
                }
            });
            let is_cut = candidate.destinations.len() < named;
            shared.push((candidate, is_cut));
        }
        shared
    }
}

fn most_first(candidates: &mut [AllotmentCandidate]) {
    candidates.sort_unstable_by(|one, other| {
        let by_messages = other.messages.cmp(&one.messages);
        by_messages.then_with(|| one.policy_domain.cmp(&other.policy_domain))
    });
}

impl Allotments {
    /// What this policy domain may get.
    ///
    /// # Errors
    /// With the limit that keeps its report back.
    pub fn of(&self, policy_domain: &DomainName) -> Result<&Allotted, DailyLimit> {
        match self.0.get(policy_domain) {
            Some(Ok(allotted)) => Ok(allotted),
            Some(Err(limit)) => Err(*limit),
            // Only so many of an organization are held.
            None => Err(DailyLimit::Reports),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DailyLimits = DailyLimits {
        reports: 50,
        destinations: 20,
        messages: 20_000,
    };

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn candidate(policy_domain: &str, messages: u64, destinations: &[String]) -> AllotmentCandidate {
        AllotmentCandidate {
            policy_domain: name(policy_domain),
            messages,
            reports: 1,
            destinations: destinations
                .iter()
                .map(|address| Address::parse(address).unwrap())
                .collect(),
            is_redirected: false,
        }
    }

    fn decided(limits: DailyLimits, candidates: impl IntoIterator<Item = AllotmentCandidate>) -> Allotments {
        let suffixes = Suffixes::built_in();
        let mut allotment = Allotment::new(limits, &suffixes);
        candidates.into_iter().for_each(|one| allotment.add(one));
        allotment.decide()
    }

    fn granted(allotments: &Allotments) -> Vec<(&str, usize)> {
        let granted = allotments.0.iter();
        let granted = granted.filter_map(|(name, outcome)| Some((name, outcome.as_ref().ok()?)));
        let mut granted: Vec<_> = granted
            .map(|(name, allotted)| (name.as_str(), allotted.destinations.len()))
            .collect();
        granted.sort_unstable();
        granted
    }

    fn own(domain: &str) -> Vec<String> {
        vec![format!("dmarc@{domain}")]
    }

    /// Each message of a wildcard zone is a policy domain with ten destinations of its owner's choice.
    #[test]
    fn d18_a_zone_of_many_records_gets_what_one_organization_gets_and_others_theirs() {
        let bomb = (0..40).map(|number| {
            let hosts = (0..10).map(|host| format!("x@h{host}.n{number}.bomb.test"));
            candidate(&format!("n{number}.bomb.test"), 1, &hosts.collect::<Vec<_>>())
        });
        let honest = ["a.example", "b.example"].map(|domain| candidate(domain, 1, &own(domain)));
        let allotments = decided(LIMITS, bomb.chain(honest));
        let granted = granted(&allotments);
        let messages: usize = granted.iter().map(|(_, messages)| messages).sum();
        assert_eq!(messages, LIMITS.destinations + 2, "{granted:?}");
        for domain in ["a.example", "b.example"] {
            assert!(allotments.of(&name(domain)).is_ok(), "{domain}");
        }
        assert_eq!(
            allotments.of(&name("n9.bomb.test")).err(),
            Some(DailyLimit::Destinations)
        );
    }

    #[test]
    fn d18_an_organization_has_its_most_reports_and_not_one_more_the_largest_first() {
        let of = |count: u64| {
            // The later ones count more; all name one destination.
            let many =
                (0..count).map(|number| candidate(&format!("n{number:03}.a.test"), number, &own("a.test")));
            decided(LIMITS, many)
        };
        assert_eq!(granted(&of(50)).len(), 50);
        let past = of(51);
        assert_eq!(granted(&past).len(), 50);
        assert_eq!(past.of(&name("n000.a.test")), Err(DailyLimit::Reports));
        let many = of(1_000);
        assert_eq!(granted(&many).first(), Some(&("n950.a.test", 1)));
        // Registrants below a public suffix are apart.
        let apart = (0..60).map(|number| candidate(&format!("n{number}.co.uk"), 1, &own("a.test")));
        assert_eq!(granted(&decided(LIMITS, apart)).len(), 60);
    }

    #[test]
    fn d18_an_organization_has_its_most_destinations_and_not_one_more() {
        let limits = DailyLimits {
            destinations: 3,
            ..LIMITS
        };
        let addresses = |numbers: &[u32]| -> Vec<String> {
            let written = numbers.iter().map(|number| format!("X{number}@A.test"));
            written.collect()
        };
        let exact = decided(limits, [candidate("a.test", 2, &addresses(&[1, 2, 3]))]);
        let whole = exact.of(&name("a.test")).unwrap();
        assert_eq!((whole.destinations.len(), whole.is_cut), (3, false));
        // The same address again is no other.
        let again = candidate("b.a.test", 1, &addresses(&[4, 3]));
        let past = decided(limits, [candidate("a.test", 2, &addresses(&[1, 2, 3])), again]);
        let cut = past.of(&name("b.a.test")).unwrap();
        assert_eq!((cut.destinations.len(), cut.is_cut), (1, true));
        assert!(cut.destinations[0].to_string().starts_with("X3@"));
    }

    #[test]
    fn d18_all_report_mail_of_a_day_has_a_limit_and_the_largest_come_first() {
        let limits = DailyLimits {
            messages: 3,
            ..LIMITS
        };
        let many = |last: u64| {
            let mut large = candidate("z.example", last, &own("z.example"));
            large.reports = 2;
            let small = ["a.example", "b.example"].map(|domain| candidate(domain, 1, &own(domain)));
            decided(limits, small.into_iter().chain([large]))
        };
        assert_eq!(granted(&many(9)), [("a.example", 1), ("z.example", 1)]);
        assert_eq!(many(9).of(&name("b.example")), Err(DailyLimit::Messages));
        // Alike, those of many owners come before many of one.
        let one_owner = (0..5).map(|number| candidate(&format!("n{number}.a.test"), 1, &own("a.test")));
        let others = ["x.example", "y.example"].map(|domain| candidate(domain, 1, &own(domain)));
        let allotments = decided(limits, one_owner.chain(others));
        assert_eq!(
            granted(&allotments),
            [("n0.a.test", 1), ("x.example", 1), ("y.example", 1)]
        );
    }

    #[test]
    fn d18_what_is_made_counts_before_what_is_not() {
        let suffixes = Suffixes::built_in();
        let limits = DailyLimits {
            reports: 2,
            destinations: 2,
            messages: 10,
        };
        let mut allotment = Allotment::new(limits, &suffixes);
        allotment.count_made(&name("a.test"), "X@a.test", 1);
        allotment.count_made(&name("a.test"), "y@a.test", 1);
        assert!(allotment.is_made(&name("a.test")) && !allotment.is_made(&name("b.a.test")));
        allotment.add(candidate("b.a.test", 9, &own("c.test")));
        allotment.add(candidate("c.a.test", 8, &["x@a.test".to_owned()]));
        let allotments = allotment.decide();
        assert_eq!(allotments.of(&name("b.a.test")), Err(DailyLimit::Destinations));
        assert_eq!(allotments.of(&name("c.a.test")), Err(DailyLimit::Reports));
    }

    #[test]
    fn d18_what_the_operator_redirects_counts_among_all_alone() {
        let limits = DailyLimits {
            reports: 1,
            destinations: 1,
            messages: 2,
        };
        let redirected = |domain: &str| AllotmentCandidate {
            is_redirected: true,
            ..candidate(domain, 1, &own("r.example"))
        };
        let many = ["a.a.test", "b.a.test", "c.a.test"].map(redirected);
        assert_eq!(
            granted(&decided(limits, many)),
            [("a.a.test", 1), ("b.a.test", 1)]
        );
    }

    #[test]
    fn a_record_below_its_organizational_domain_has_few_destinations() {
        let suffixes = Suffixes::built_in();
        let most = |domain: &str, limit| max_destinations(&name(domain), &suffixes, limit);
        assert_eq!(
            (most("a.test", 10), most("b.a.test", 10), most("b.a.test", 2)),
            (10, 3, 2)
        );
        assert_eq!(
            (most("co.uk", 10), most("a.co.uk", 10), most("b.a.co.uk", 10)),
            (10, 10, 3)
        );
    }
}
