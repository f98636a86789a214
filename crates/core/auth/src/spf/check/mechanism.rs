//! The mechanisms that ask about hosts: a, mx, ptr, exists (RFC 7208 §5.3 to §5.7).
//!
//! The hosts of one term are asked about at the same time. What comes of it does not
//! hang on which answer is the first: a match anywhere is a match.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::{At, Check, Evaluated, Interruption, check_size};
use crate::lookup::{Answer, DnsName, Lookup, Question, Record, RecordType};
use crate::spf::limits::{MAX_MX_HOSTS, MAX_PTR_NAMES};
use crate::spf::macros::DomainSpec;
use crate::spf::record::Prefixes;

/// How many addresses of a host are told in a step that does not match.
const ADDRESSES_TOLD: usize = 4;

/// The names that the client's address has, not validated yet.
#[derive(Clone)]
pub(super) struct ReverseNames {
    /// At most [`MAX_PTR_NAMES`].
    names: Vec<DnsName>,
    /// Whether there are none because nothing was found.
    pub(super) void: bool,
    /// All of them that were found to lead back, once that was asked.
    validated: Option<Vec<DnsName>>,
}

impl<L: Lookup> Check<'_, L> {
    /// RFC 7208 §5.3.
    pub(super) async fn a(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        at: &At,
        term: &str,
    ) -> Result<Evaluated, Interruption> {
        self.count_term(at, term)?;
        let host = match self.target(spec, at, term).await?.name_or_no_match() {
            Ok(name) => name,
            Err(no_match) => return Ok(no_match),
        };
        self.match_hosts(vec![host], prefixes, at, term).await
    }

    /// RFC 7208 §5.4.
    pub(super) async fn mx(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        at: &At,
        term: &str,
    ) -> Result<Evaluated, Interruption> {
        self.count_term(at, term)?;
        let name = match self.target(spec, at, term).await?.name_or_no_match() {
            Ok(name) => name,
            Err(no_match) => return Ok(no_match),
        };
        let question = Question::new(name, RecordType::Mx);
        let answer = self.lookup.ask(&question).await;
        let exchanges = exchanges(found(&question, &answer, at, term)?);
        if is_void(&answer) {
            // RFC 7208 §5.4: without MX records there is no implicit one.
            self.count_void(at, term)?;
            return Ok(Evaluated::NoMatch(format!("{} has no MX record", question.name)));
        }
        // RFC 7208 §4.6.4: "the evaluation of each "MX" record MUST NOT result in querying
        // more than 10 address records [...]. If this limit is exceeded, the "mx"
        // mechanism MUST produce a "permerror" result."
        if exchanges.len() > MAX_MX_HOSTS {
            let why = format!("{} has more than {MAX_MX_HOSTS} MX records", question.name);
            return Err(Interruption::permanent(at, term, &why));
        }
        let mut hosts = Vec::new();
        for (_, host) in exchanges {
            // The root stands for "no mail" (RFC 7505).
            if host != DnsName::root() && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        self.match_hosts(hosts, prefixes, at, term).await
    }

    /// RFC 7208 §5.7: the type asked for is A, whatever the client's family.
    pub(super) async fn exists(
        &mut self,
        spec: &DomainSpec,
        at: &At,
        term: &str,
    ) -> Result<Evaluated, Interruption> {
        self.count_term(at, term)?;
        let name = match self.target(Some(spec), at, term).await?.name_or_no_match() {
            Ok(name) => name,
            Err(no_match) => return Ok(no_match),
        };
        let question = Question::new(name, RecordType::A);
        let answer = self.lookup.ask(&question).await;
        found(&question, &answer, at, term)?;
        if is_void(&answer) {
            self.count_void(at, term)?;
            return Ok(Evaluated::NoMatch(format!("{} has no A record", question.name)));
        }
        Ok(Evaluated::Matches(format!("{} has an A record", question.name)))
    }

    /// RFC 7208 §5.5. Only names at the target or below need to be validated.
    pub(super) async fn ptr(
        &mut self,
        spec: Option<&DomainSpec>,
        at: &At,
        term: &str,
    ) -> Result<Evaluated, Interruption> {
        self.count_term(at, term)?;
        let target = match self.target(spec, at, term).await?.name_or_no_match() {
            Ok(name) => name,
            Err(no_match) => return Ok(no_match),
        };
        let reverse = self.reverse_names(at, term).await?;
        let candidates = reverse.names.into_iter().filter(|n| n.is_at_or_below(&target));
        let validated = self.validate(candidates.collect(), at, term).await?;
        if let Some(name) = validated.first() {
            return Ok(Evaluated::Matches(format!("the client is {name}")));
        }
        // Only the PTR question counts as void: the names are of the client's choosing.
        if reverse.void {
            self.count_void(at, term)?;
        }
        Ok(Evaluated::NoMatch(format!(
            "the client has no validated name at or below {target}"
        )))
    }

    /// The name for `%{p}` (RFC 7208 §7.3): the domain itself when validated, else one
    /// below it, else any.
    pub(crate) async fn validated_name(
        &mut self,
        at: &At,
        term: &str,
    ) -> Result<Option<DnsName>, Interruption> {
        let reverse = self.reverse_names(at, term).await?;
        let validated = match reverse.validated {
            Some(validated) => validated,
            None => self.validate(reverse.names, at, term).await?,
        };
        let itself = validated.iter().find(|name| **name == at.domain);
        let below = || validated.iter().find(|name| name.is_at_or_below(&at.domain));
        let chosen = itself.or_else(below).or(validated.first()).cloned();
        if let Some(reverse) = &mut self.reverse {
            reverse.validated = Some(validated);
        }
        Ok(chosen)
    }

    /// Whether one of the hosts has an address in the network of the client.
    async fn match_hosts(
        &mut self,
        hosts: Vec<DnsName>,
        prefixes: Prefixes,
        at: &At,
        term: &str,
    ) -> Result<Evaluated, Interruption> {
        let client = self.client;
        let answers = self.ask_addresses(hosts).await;
        let results: Vec<_> = answers
            .iter()
            .map(|(question, answer)| found(question, answer, at, term).map(|records| (question, records)))
            .collect();
        let is_near = |address: IpAddr| prefixes.around(address).contains(client);
        for (question, records) in results.iter().flatten() {
            if let Some(address) = addresses(records).find(|&a| is_near(a)) {
                return Ok(Evaluated::Matches(format!("{} has {address}", question.name)));
            }
        }
        // RFC 7208 §5: any other answer than these is a temperror, but only now that no
        // host that did answer matches.
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        // RFC 7208 §4.6.4 counts "terms": ten hosts without an address are one.
        if answers.iter().any(|(_, answer)| is_void(answer)) {
            self.count_void(at, term)?;
        }
        Ok(Evaluated::NoMatch(tell_addresses(&results)))
    }

    /// The names of the client, asked for once.
    async fn reverse_names(&mut self, at: &At, term: &str) -> Result<ReverseNames, Interruption> {
        if let Some(known) = &self.reverse {
            return Ok(known.clone());
        }
        let question = Question::new(DnsName::reverse(self.client), RecordType::Ptr);
        let answer = self.lookup.ask(&question).await;
        // RFC 7208 §5.5: "If a DNS error occurs while doing the PTR RR lookup, then this
        // mechanism fails to match." A limit of ours is no DNS error.
        if let Some(error) = answer.failure().filter(|error| error.is_ours()) {
            return Err(Interruption::unanswered(at, term, &question, error));
        }
        // RFC 7208 §4.6.4: "all records other than the first 10 MUST be ignored".
        let names = answer.records().iter().filter_map(|record| match record {
            Record::Ptr(name) => Some(name.clone()),
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
    async fn validate(&self, names: Vec<DnsName>, at: &At, term: &str) -> Result<Vec<DnsName>, Interruption> {
        let client = self.client;
        let mut validated = Vec::new();
        for (question, answer) in self.ask_addresses(names).await {
            if let Some(error) = answer.failure().filter(|error| error.is_ours()) {
                return Err(Interruption::unanswered(at, term, &question, error));
            }
            // "If a DNS error occurs while doing an A RR lookup, then that domain name is
            // skipped and the search continues."
            if addresses(answer.records()).any(|address| address == client) {
                validated.push(question.name);
            }
        }
        Ok(validated)
    }

    /// Asks for the addresses of the client's family, of all hosts at once.
    async fn ask_addresses(&self, hosts: Vec<DnsName>) -> Vec<(Question, Answer)> {
        let record_type = match self.client {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::Aaaa,
        };
        let questions: Vec<_> = hosts
            .into_iter()
            .map(|host| Question::new(host, record_type))
            .collect();
        let answers = join_all(questions.iter().map(|question| self.lookup.ask(question))).await;
        questions.into_iter().zip(answers).collect()
    }
}

/// The records of an answer; a temperror where nobody answered.
fn found<'r>(
    question: &Question,
    answer: &'r Answer,
    at: &At,
    term: &str,
) -> Result<&'r [Record], Interruption> {
    if let Some(error) = answer.failure() {
        return Err(Interruption::unanswered(at, term, question, error));
    }
    check_size(answer).map_err(|why| Interruption::permanent(at, term, &format!("{question}: {why}")))
}

/// Whether DNS answered that there is nothing (RFC 7208 §4.6.4).
fn is_void(answer: &Answer) -> bool {
    matches!(answer, Answer::NoData | Answer::NxDomain(_))
}

/// The mail exchanges, most preferred first.
fn exchanges(records: &[Record]) -> Vec<(u16, DnsName)> {
    let mut exchanges: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Mx { preference, exchange } => Some((*preference, exchange.clone())),
            _ => None,
        })
        .collect();
    exchanges.sort();
    exchanges
}

fn addresses(records: &[Record]) -> impl Iterator<Item = IpAddr> {
    records.iter().filter_map(|record| match record {
        Record::A(v4) => Some(IpAddr::V4(*v4)),
        Record::Aaaa(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    })
}

/// What the hosts have instead, for the trace.
fn tell_addresses(results: &[(&Question, &[Record])]) -> String {
    let hosts: Vec<_> = results
        .iter()
        .map(|(question, records)| {
            let told: Vec<_> = addresses(records)
                .take(ADDRESSES_TOLD)
                .map(|a| a.to_string())
                .collect();
            let told = match (told.is_empty(), records.len() > ADDRESSES_TOLD) {
                (true, _) => format!("no {} record", question.record_type),
                (false, false) => told.join(", "),
                (false, true) => told.join(", ") + " and more",
            };
            format!("{} has {told}", question.name)
        })
        .collect();
    match hosts.is_empty() {
        true => "there is no host to ask about".into(),
        false => hosts.join("; "),
    }
}
