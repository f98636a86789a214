//! The mechanisms that ask about hosts: a, mx, ptr, exists (RFC 7208 §5.3 to §5.7).
//!
//! The hosts of one term are asked about at the same time. The result does not depend on
//! which answer is the first: a match anywhere is a match.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::{Check, NotMatched, TermAt, found};
use crate::lookup::{Answer, DnsName, DnsRecord, Lookup, RecordType};
use crate::spf::limits::{MAX_MX_HOSTS, MAX_PTR_NAMES};
use crate::spf::macros::DomainSpec;
use crate::spf::record::Prefixes;
use crate::spf::redacted::SpfName;
use crate::spf::trace::{HostAddresses, Match, Mismatch, ProblemCause, SpfProblem};

/// How many addresses of a host are printed in a step that does not match.
const MAX_ADDRESSES_PRINTED: usize = 4;

/// The names that the client's address has, not validated yet.
#[derive(Clone)]
pub(super) struct ReverseNames {
    /// At most [`MAX_PTR_NAMES`].
    names: Vec<SpfName>,
    /// Whether there are none because nothing was found.
    pub(super) void: bool,
    /// All of them that were found to lead back, once that was asked.
    validated: Option<Vec<SpfName>>,
}

impl<L: Lookup> Check<'_, L> {
    /// RFC 7208 §5.3.
    pub(super) async fn a(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        term: TermAt<'_>,
    ) -> Result<Match, NotMatched> {
        let host = self.target(spec, term).await??;
        self.match_hosts(vec![host], prefixes, term).await
    }

    /// RFC 7208 §5.4.
    pub(super) async fn mx(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        term: TermAt<'_>,
    ) -> Result<Match, NotMatched> {
        let name = self.target(spec, term).await??;
        let answer = self.ask(&name, RecordType::Mx).await;
        let records = found(&name, RecordType::Mx, &answer).map_err(|cause| term.problem(cause))?;
        let exchanges = exchanges(records);
        if is_void(&answer) {
            // RFC 7208 §5.4: without MX records there is no implicit one.
            self.count_void(term)?;
            return Err(NotMatched::Mismatch(Mismatch::NoRecord(name, RecordType::Mx)));
        }
        // RFC 7208 §4.6.4: "the evaluation of each "MX" record MUST NOT result in querying
        // more than 10 address records [...]. If this limit is exceeded, the "mx"
        // mechanism MUST produce a "permerror" result."
        if exchanges.len() > MAX_MX_HOSTS {
            return Err(term.problem(ProblemCause::MxHosts(name)).into());
        }
        let mut hosts = Vec::new();
        for (_, host) in exchanges {
            // The root stands for "no mail" (RFC 7505).
            if host != DnsName::root() && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let hosts = hosts.into_iter().map(|host| self.redacted_names.host(host));
        let hosts = hosts.collect();
        self.match_hosts(hosts, prefixes, term).await
    }

    /// RFC 7208 §5.7: the type asked for is A, whatever the client's family.
    pub(super) async fn exists(&mut self, spec: &DomainSpec, term: TermAt<'_>) -> Result<Match, NotMatched> {
        let name = self.target(Some(spec), term).await??;
        let answer = self.ask(&name, RecordType::A).await;
        found(&name, RecordType::A, &answer).map_err(|cause| term.problem(cause))?;
        if is_void(&answer) {
            self.count_void(term)?;
            return Err(NotMatched::Mismatch(Mismatch::NoRecord(name, RecordType::A)));
        }
        Ok(Match::Exists(name))
    }

    /// RFC 7208 §5.5. Only names at the target or below need to be validated.
    pub(super) async fn ptr(
        &mut self,
        spec: Option<&DomainSpec>,
        term: TermAt<'_>,
    ) -> Result<Match, NotMatched> {
        let target = self.target(spec, term).await??;
        let reverse = self.reverse_names(term).await?;
        let candidates = reverse.names.into_iter();
        let candidates = candidates.filter(|candidate| candidate.name.is_at_or_below(&target.name));
        let validated = self.validate(candidates.collect(), term).await?;
        if let Some(name) = validated.into_iter().next() {
            return Ok(Match::ClientName(name));
        }
        // Only the PTR question counts as void: the names are of the client's choosing.
        if reverse.void {
            self.count_void(term)?;
        }
        Err(NotMatched::Mismatch(Mismatch::ClientName(target)))
    }

    /// The name for `%{p}` (RFC 7208 §7.3): the domain itself when validated, else one
    /// below it, else any.
    pub(crate) async fn validated_name(&mut self, term: TermAt<'_>) -> Result<Option<SpfName>, SpfProblem> {
        let reverse = self.reverse_names(term).await?;
        let validated = match reverse.validated {
            Some(validated) => validated,
            None => self.validate(reverse.names, term).await?,
        };
        let domain = &term.at.domain.name;
        let itself = validated.iter().find(|client| client.name == *domain);
        let below = || validated.iter().find(|client| client.name.is_at_or_below(domain));
        let chosen = itself.or_else(below).or(validated.first()).cloned();
        if let Some(reverse) = &mut self.reverse {
            reverse.validated = Some(validated);
        }
        Ok(chosen)
    }

    /// Whether one of the hosts has an address in the network of the client.
    async fn match_hosts(
        &mut self,
        hosts: Vec<SpfName>,
        prefixes: Prefixes,
        term: TermAt<'_>,
    ) -> Result<Match, NotMatched> {
        let record_type = self.address_type();
        let answers = self.ask_addresses(hosts).await;
        let results: Vec<_> = answers
            .iter()
            .map(|(host, answer)| found(host, record_type, answer).map(|records| (host, records)))
            .collect();
        let is_near = |address: IpAddr| prefixes.around(address).contains(self.client);
        for (host, records) in results.iter().flatten() {
            if let Some(address) = addresses(records).find(|&a| is_near(a)) {
                return Ok(Match::Address((*host).clone(), address));
            }
        }
        // RFC 7208 §5: any other answer than these is a temperror, but only now that no
        // host that did answer matches.
        let results: Result<Vec<_>, _> = results.into_iter().collect();
        let results = results.map_err(|cause| term.problem(cause))?;
        // RFC 7208 §4.6.4 counts "terms": ten hosts without an address are one.
        if answers.iter().any(|(_, answer)| is_void(answer)) {
            self.count_void(term)?;
        }
        let hosts = results.into_iter().map(|(host, records)| HostAddresses {
            host: host.clone(),
            record_type,
            addresses: addresses(records).take(MAX_ADDRESSES_PRINTED).collect(),
            has_more: records.len() > MAX_ADDRESSES_PRINTED,
        });
        Err(NotMatched::Mismatch(Mismatch::OtherAddresses(hosts.collect())))
    }

    /// The names of the client, asked for once.
    async fn reverse_names(&mut self, term: TermAt<'_>) -> Result<ReverseNames, SpfProblem> {
        if let Some(mut known) = self.reverse.clone() {
            // A term since then may have made a name that one of these is below.
            for name in known.names.iter_mut().chain(known.validated.iter_mut().flatten()) {
                *name = self.redacted_names.host(name.name.clone());
            }
            return Ok(known);
        }
        let name = SpfName::new(DnsName::reverse(self.client), None);
        let answer = self.ask(&name, RecordType::Ptr).await;
        // RFC 7208 §5.5: "If a DNS error occurs while doing the PTR RR lookup, then this
        // mechanism fails to match." A limit of ours is no DNS error.
        refuse_own_limit(&name, RecordType::Ptr, &answer, term)?;
        // RFC 7208 §4.6.4: "all records other than the first 10 MUST be ignored".
        let names = answer.records().iter().filter_map(|record| match record {
            DnsRecord::Ptr(name) => Some(self.redacted_names.host(name.clone())),
            _ => None,
        });
        let reverse = ReverseNames {
            names: names.take(MAX_PTR_NAMES).collect(),
            void: is_void(&answer),
            validated: None,
        };
        self.reverse = Some(reverse.clone());
        Ok(reverse)
    }

    /// Those of the names that have the client's address (RFC 7208 §5.5).
    async fn validate(&self, names: Vec<SpfName>, term: TermAt<'_>) -> Result<Vec<SpfName>, SpfProblem> {
        let mut validated = Vec::new();
        for (name, answer) in self.ask_addresses(names).await {
            // "If a DNS error occurs while doing an A RR lookup, then that domain name is
            // skipped and the search continues."
            refuse_own_limit(&name, self.address_type(), &answer, term)?;
            if addresses(answer.records()).any(|address| address == self.client) {
                validated.push(name);
            }
        }
        Ok(validated)
    }

    /// Asks for the addresses of the client's family, of all hosts at once.
    async fn ask_addresses(&self, hosts: Vec<SpfName>) -> Vec<(SpfName, Answer)> {
        let answers = join_all(hosts.iter().map(|host| self.ask(host, self.address_type()))).await;
        hosts.into_iter().zip(answers).collect()
    }

    fn address_type(&self) -> RecordType {
        match self.client {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::Aaaa,
        }
    }
}

/// A temperror for an answer that a limit of ours prevented.
fn refuse_own_limit(
    name: &SpfName,
    record_type: RecordType,
    answer: &Answer,
    term: TermAt<'_>,
) -> Result<(), SpfProblem> {
    match answer.failure().filter(|error| error.is_ours()) {
        Some(error) => Err(term.problem(ProblemCause::Unanswered {
            name: name.clone(),
            record_type,
            error,
        })),
        None => Ok(()),
    }
}

/// Whether DNS answered that there is nothing (RFC 7208 §4.6.4).
fn is_void(answer: &Answer) -> bool {
    matches!(answer, Answer::NoData | Answer::NxDomain(_))
}

/// The mail exchanges, most preferred first.
fn exchanges(records: &[DnsRecord]) -> Vec<(u16, DnsName)> {
    let mut exchanges: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            DnsRecord::Mx { preference, exchange } => Some((*preference, exchange.clone())),
            _ => None,
        })
        .collect();
    exchanges.sort();
    exchanges
}

fn addresses(records: &[DnsRecord]) -> impl Iterator<Item = IpAddr> {
    records.iter().filter_map(|record| match record {
        DnsRecord::A(v4) => Some(IpAddr::V4(*v4)),
        DnsRecord::Aaaa(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    })
}
