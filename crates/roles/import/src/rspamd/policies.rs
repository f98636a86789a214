//! What DNS says about the domains in records: rspamd notes neither the policy nor, in the older forms, where
//! reports go.
//!
//! Asked at the time of reading, that is what the Domain Owner publishes now. A record that was changed since
//! the message came makes a difference in what a report says was asked for, and in nothing else.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use landmarc_dmarc::discovery::{Discovery, PolicyAt, discover};
use landmarc_dmarc::record::{AssessmentPolicy, PolicyRecord, Usability};
use landmarc_dns::resolver::Resolver;
use landmarc_mail::DomainName;
use landmarc_migrate::rspamd::Policy;
use landmarc_observation::PublishedPolicy;
use tokio::task::JoinSet;

/// The most domains that are asked about in one reading: each may take eight questions (RFC 9989 §4.10), and
/// who sends as many as he likes in names below his own shall not keep us busy all day.
const MAX_ASKED: usize = 20_000;
/// How many are asked about at once.
const AT_ONCE: usize = 32;

/// What came of asking about a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyLookup {
    /// It has a policy.
    Policy(Arc<Policy>),
    /// It has none now, or was not to be asked about.
    Unknown,
    /// DNS did not answer; another time it may.
    Unanswered,
}

/// What is known so far of domains: for one reading, since an answer is not good for ever.
pub struct Policies {
    /// None where DNS is not to be asked.
    resolver: Option<Resolver>,
    known: HashMap<DomainName, PolicyLookup>,
}

impl Policies {
    /// Asks this resolver; without one nothing is known.
    pub fn new(resolver: Option<Resolver>) -> Self {
        Self {
            resolver,
            known: HashMap::new(),
        }
    }

    /// Asks about all of these that nothing is known of, side by side.
    pub(super) async fn ask(&mut self, domains: BTreeSet<DomainName>) {
        let Some(resolver) = &self.resolver else {
            return;
        };
        let room = MAX_ASKED.saturating_sub(self.known.len());
        let unknown = domains
            .into_iter()
            .filter(|domain| !self.known.contains_key(domain));
        let mut unknown = unknown.take(room).collect::<Vec<_>>().into_iter();
        let mut tasks = JoinSet::new();
        loop {
            while tasks.len() < AT_ONCE
                && let Some(domain) = unknown.next()
            {
                let resolver = resolver.clone();
                tasks.spawn(async move { (found(&resolver, &domain).await, domain) });
            }
            match tasks.join_next().await {
                Some(Ok((asked, domain))) => {
                    self.known.insert(domain, asked);
                }
                // A panic has been told by the hook; of that domain nothing is known.
                Some(Err(_)) => {}
                None => return,
            }
        }
    }

    /// What is known of a domain.
    pub(super) fn of(&self, domain: &DomainName) -> PolicyLookup {
        self.known.get(domain).cloned().unwrap_or(PolicyLookup::Unknown)
    }
}

async fn found(resolver: &Resolver, domain: &DomainName) -> PolicyLookup {
    match discover(resolver, domain).await.1 {
        Discovery::Applies(at) => PolicyLookup::Policy(Arc::new(policy(&at))),
        Discovery::Absent => PolicyLookup::Unknown,
        Discovery::Unanswered(_) => PolicyLookup::Unanswered,
    }
}

fn policy(at: &PolicyAt) -> Policy {
    Policy {
        domain: at.domain.clone(),
        published: published(&at.record),
    }
}

fn published(record: &PolicyRecord) -> PublishedPolicy {
    // RFC 9989 §4.10.1: a record with a policy that is missing or not valid, but with a place to report to,
    // is taken for p=none, whatever else stands there.
    let as_written = record.usability() == Usability::AsPublished;
    let policy = record
        .policy
        .filter(|_| as_written)
        .unwrap_or(AssessmentPolicy::None);
    let subdomains = record.subdomain_policy.filter(|_| as_written).unwrap_or(policy);
    PublishedPolicy {
        p: policy.as_str().to_owned(),
        sp: subdomains.as_str().to_owned(),
        adkim: record.dkim_mode.as_str().to_owned(),
        aspf: record.spf_mode.as_str().to_owned(),
        fo: record.failure_options.to_string(),
        rua: record.aggregate_uris.iter().map(ToString::to_string).collect(),
        ..PublishedPolicy::of_rfc_7489()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use landmarc_auth::lookup::{Fault, RecordType, ZoneData, Zones};
    use landmarc_dns::resolver::ResolverOptions;
    use landmarc_testkit::dns_name;
    use landmarc_testkit::dns_server::DnsServer;

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn resolver(server: &DnsServer) -> Resolver {
        Resolver::new(ResolverOptions {
            name_servers: vec![server.addr()],
            question_timeout: Duration::from_secs(30),
            ..ResolverOptions::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn r9_what_records_lack_is_asked_from_dns() {
        let mut zones = Zones::new();
        zones.add_txt(
            dns_name("_dmarc.a.example"),
            b"v=DMARC1; p=reject; sp=quarantine; aspf=s; fo=1; ruf=mailto:f@a.example; rua=mailto:D@a.example",
        );
        zones.add_txt(
            dns_name("_dmarc.b.example"),
            b"v=DMARC1; p=nonsense; rua=mailto:d@b.example",
        );
        zones.set(
            dns_name("_dmarc.c.example"),
            RecordType::Txt,
            ZoneData::Fault(Fault::ServFail),
        );
        let server = DnsServer::start(zones);
        let mut policies = Policies::new(Some(resolver(&server)));
        let names = ["mail.a.example", "b.example", "c.example", "d.example"];
        policies.ask(names.map(name).into_iter().collect()).await;
        let PolicyLookup::Policy(policy) = policies.of(&name("mail.a.example")) else {
            panic!("a.example has a policy");
        };
        assert_eq!(policy.domain, name("a.example"));
        assert_eq!(
            policy.published,
            PublishedPolicy {
                p: "reject".to_owned(),
                sp: "quarantine".to_owned(),
                adkim: "r".to_owned(),
                aspf: "s".to_owned(),
                fo: "1".to_owned(),
                rua: vec!["mailto:D@a.example".to_owned()],
                ..PublishedPolicy::of_rfc_7489()
            }
        );
        let PolicyLookup::Policy(policy) = policies.of(&name("b.example")) else {
            panic!("b.example has a policy");
        };
        assert_eq!(
            (policy.published.p.as_str(), policy.published.sp.as_str()),
            ("none", "none")
        );
        assert_eq!(policies.of(&name("c.example")), PolicyLookup::Unanswered);
        assert_eq!(policies.of(&name("d.example")), PolicyLookup::Unknown);
    }

    #[tokio::test]
    async fn without_dns_nothing_is_asked_and_with_it_no_more_than_the_limit() {
        let server = DnsServer::start(Zones::new());
        let mut offline = Policies::new(None);
        offline.ask([name("a.example")].into()).await;
        assert!(offline.known.is_empty());
        let mut full = Policies::new(Some(resolver(&server)));
        full.known = (1..MAX_ASKED)
            .map(|number| (name(&format!("d{number}.example")), PolicyLookup::Unknown))
            .collect();
        full.ask([name("one.example"), name("two.example")].into()).await;
        assert_eq!(full.known.len(), MAX_ASKED);
        assert_eq!(full.of(&name("two.example")), PolicyLookup::Unknown);
    }
}
