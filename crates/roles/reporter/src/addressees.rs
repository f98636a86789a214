//! Whom a report goes to: the destinations of a record, as far as DNS lets them have it.
//!
//! RFC 9990 §4: a destination elsewhere must have said that it takes these reports. Where DNS does not
//! answer, nothing is sent; the message waits.

use landmarc_auth::lookup::Lookup;
use landmarc_dmarc::Suffixes;
use landmarc_dmarc::record::ReportUri;
use landmarc_dns::resolver::{Asker, MessageLookup, Resolver};
use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::destination::{DestinationKind, DestinationLimits, DestinationVerdict, destinations};
use landmarc_report::reception::{Reception, can_receive};

/// So many destinations that get nothing are told of in one reason, and the others counted.
const MAX_REASONS: usize = 3;

/// Where DNS is asked: about each record within a time of its own, so that one whose name servers are
/// dead holds up no more than itself.
pub trait ReportDns: Clone + Send + Sync + 'static {
    /// What the questions about one record go through.
    type Lookup: Lookup + 'static;

    /// Begins with a record.
    fn for_record(&self) -> Self::Lookup;
}

impl ReportDns for Resolver {
    type Lookup = MessageLookup;

    fn for_record(&self) -> MessageLookup {
        self.for_message(Asker::default())
    }
}

/// The destinations of a record, sorted by what may be sent there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addressees {
    /// They get it.
    pub open: Vec<Address>,
    /// DNS did not answer, and what it was asked.
    pub unanswered: Vec<(Address, String)>,
    /// They get nothing, and why.
    pub refused: Vec<(String, String)>,
}

impl Addressees {
    /// Asks DNS about the destinations that a record names, as many as there is room for.
    pub async fn find(
        lookup: &impl Lookup,
        policy_domain: &DomainName,
        uris: &[String],
        kind: DestinationKind,
        room: impl Into<DestinationLimits<'_>>,
        suffixes: &Suffixes,
    ) -> Self {
        let mut found = Self::default();
        for destination in destinations(lookup, policy_domain, uris, kind, room, suffixes).await {
            let why = destination.verdict.to_string();
            match (destination.address, destination.verdict) {
                (Some(address), DestinationVerdict::Unanswered { .. }) => found.wait(address, why),
                (Some(address), verdict) if verdict.may_send() => found.reach(lookup, address).await,
                _ => found.refused.push((destination.uri, why)),
            }
        }
        found
    }

    /// The addresses that the operator named in place of those of the record. DNS has no say in them: RFC 9990
    /// §4 guards against what strangers write into records.
    pub fn of_operator(uris: &[String]) -> Self {
        let mut found = Self::default();
        for uri in uris {
            match address_of(uri) {
                Some(address) if found.open.contains(&address) => {}
                Some(address) => found.open.push(address),
                None => found.refused.push((uri.clone(), "no mailto address".to_owned())),
            }
        }
        found
    }

    /// One that may have it: whether mail can get there at all.
    async fn reach(&mut self, lookup: &impl Lookup, address: Address) {
        match can_receive(lookup, address.domain()).await {
            Reception::No(why) => self.refused.push((address.to_string(), why.to_string())),
            // Who relays asks again, and tells when it cannot be found.
            Reception::Yes | Reception::Unanswered(_) => {
                // XD19: several URIs may lead to one address.
                if !self.open.contains(&address) {
                    self.open.push(address);
                }
            }
        }
    }

    fn wait(&mut self, address: Address, why: String) {
        if !self.unanswered.iter().any(|(known, _)| *known == address) {
            self.unanswered.push((address, why));
        }
    }

    /// Whether there is nobody to send anything to, now or later.
    pub fn is_nobody(&self) -> bool {
        self.open.is_empty() && self.unanswered.is_empty()
    }

    /// Why some get nothing, in one line.
    pub fn why_not(&self) -> String {
        let reasons = self.refused.iter().take(MAX_REASONS);
        let mut reasons: Vec<_> = reasons.map(|(uri, why)| format!("{uri}: {why}")).collect();
        if let Some(more) = self
            .refused
            .len()
            .checked_sub(MAX_REASONS)
            .filter(|more| *more > 0)
        {
            reasons.push(format!("and {more} more"));
        }
        reasons.join("; ")
    }

    /// The hosts that nothing is known of, each once.
    pub fn unanswered_hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = self
            .unanswered
            .iter()
            .map(|(address, _)| address.domain().to_string())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }
}

/// The address of a `mailto` URI as records have it.
pub fn address_of(uri: &str) -> Option<Address> {
    let address = ReportUri::parse(uri)?.address?;
    Address::parse(&address.to_string()).ok()
}
