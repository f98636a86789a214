//! Where reports may go: the URIs of `rua` and `ruf`, and whether who is named there wants them
//! (RFC 9990 §4; RFC 9991 §5 for failure reports).
//!
//! Anybody can write anybody's address into a DMARC Policy Record. So a destination outside the
//! Organizational Domain of the policy has to say by DNS that it takes reports about it, or gets none.
//!
//! Three steps: [`plan`] reads the URIs, [`ask`] asks DNS about one host, [`decide`] says what comes of each
//! URI. [`destinations`] takes all three; whoever has many records before him remembers the [`Relation`]
//! of each policy domain and host.

mod relation;
mod verdict;

use std::collections::BTreeMap;

use landmarc_auth::lookup::{Ledger, Lookup};
use landmarc_dmarc::record::ReportUri;
use landmarc_dmarc::{Suffixes, discovery};
use landmarc_mail::DomainName;
use landmarc_mail::text::excerpt;

use crate::address::Address;

pub use relation::{Relation, UriOverride, ask};
pub use verdict::{DestinationRefusal, DestinationVerdict};

/// Hosts of one record that DNS is asked about. RFC 9990 §4 warns of records made to cause questions.
pub const MAX_HOSTS: usize = 10;
/// URIs of one record that are looked at; of the others it is said how many there are.
pub const MAX_URIS: usize = 100;
/// DNS questions that one record can cause: a tree walk for the policy domain and each host, and the
/// authorisation of each host.
pub const MAX_QUESTIONS: usize = (1 + MAX_HOSTS) * discovery::MAX_QUESTIONS + MAX_HOSTS;
/// Characters of a URI that are shown.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DestinationKind {
    /// Aggregate reports: `rua`.
    Aggregate,
    /// Failure reports: `ruf`.
    Failure,
}

impl DestinationKind {
    /// The tag that asks for them.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Aggregate => "rua",
            Self::Failure => "ruf",
        }
    }
}

/// One place that a record names, and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The URI as the record has it: printable, cut short.
    pub uri: String,
    /// The address: that of the URI, or the one that its host named in its place. None when there is
    /// nothing that could be written to.
    pub address: Option<Address>,
    /// Whether reports go there.
    pub verdict: DestinationVerdict,
}

/// The URIs of one record, read: which addresses they name, and whom to ask about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationPlan {
    items: Vec<Item>,
    hosts: Vec<DomainName>,
    limit: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// Printable, cut short.
    uri: String,
    place: Result<Address, DestinationRefusal>,
}

/// How many destinations of one record there may be.
#[derive(Clone, Copy, Debug)]
pub struct DestinationLimits<'a> {
    /// So many, the first ones first.
    pub limit: usize,
    /// And only these, where the limits of the day have a say ([`allotment`](crate::allotment)).
    pub allotted: Option<&'a [Address]>,
}

impl From<usize> for DestinationLimits<'_> {
    fn from(limit: usize) -> Self {
        Self {
            limit,
            allotted: None,
        }
    }
}

impl DestinationPlan {
    /// The addresses that are not refused yet, in the order of the record.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.items.iter().filter_map(|item| item.place.as_ref().ok())
    }

    /// The hosts to [`ask`] about, each once, at most [`MAX_HOSTS`].
    #[must_use]
    pub fn hosts(&self) -> &[DomainName] {
        &self.hosts
    }
}

/// What comes of the URIs of one record, in the order of the record (RFC 9990 §3.5), with at most
/// [`MAX_QUESTIONS`] questions. No more of the destinations than there is room for are not refused.
pub async fn destinations(
    lookup: &impl Lookup,
    policy_domain: &DomainName,
    uris: &[String],
    kind: DestinationKind,
    room: impl Into<DestinationLimits<'_>>,
    suffixes: &Suffixes,
) -> Vec<Destination> {
    let plan = plan(uris, room);
    // Walks share their upper names, and all of them that of the policy domain.
    let ledger = Ledger::new(lookup, MAX_QUESTIONS);
    let mut relations = BTreeMap::new();
    for host in plan.hosts() {
        relations.insert(host.clone(), ask(&ledger, policy_domain, host, suffixes).await);
    }
    decide(&plan, &relations, kind)
}

/// Reads the URIs of one record as it is stored or written. Nothing is asked about one that is refused.
#[must_use]
pub fn plan<'a>(uris: &[String], room: impl Into<DestinationLimits<'a>>) -> DestinationPlan {
    let room = room.into();
    let mut plan = DestinationPlan {
        items: Vec::new(),
        hosts: Vec::new(),
        limit: room.limit,
    };
    for uri in uris.iter().take(MAX_URIS) {
        let place = read(uri).and_then(|address| plan.admit(address, room.allotted));
        plan.items.push(Item {
            uri: printable(uri),
            place,
        });
    }
    if let Some(first) = uris.get(MAX_URIS) {
        plan.items.push(Item {
            uri: printable(first),
            place: Err(DestinationRefusal::NotRead {
                count: uris.len() - MAX_URIS,
            }),
        });
    }
    plan
}

/// What comes of each URI, given what is known of their hosts. A host that was not asked about is as
/// good as one that did not answer.
#[must_use]
pub fn decide(
    plan: &DestinationPlan,
    relations: &BTreeMap<DomainName, Relation>,
    kind: DestinationKind,
) -> Vec<Destination> {
    let mut decided = Vec::new();
    for item in &plan.items {
        match &item.place {
            Err(refusal) => decided.push(Destination {
                uri: item.uri.clone(),
                address: None,
                verdict: DestinationVerdict::Refused(refusal.clone()),
            }),
            Ok(address) => {
                let relation = relations.get(address.domain()).unwrap_or(&Relation::NOT_ASKED);
                for (address, verdict) in relation.verdicts(address, kind) {
                    push_distinct(&mut decided, plan.limit, &item.uri, address, verdict);
                }
            }
        }
    }
    decided
}

impl DestinationPlan {
    /// Takes an address in, unless it stands there already or a limit is reached.
    fn admit(
        &mut self,
        address: Address,
        allotted: Option<&[Address]>,
    ) -> Result<Address, DestinationRefusal> {
        let admitted = || self.items.iter().filter_map(|item| item.place.as_ref().ok());
        if let Some(same) = admitted().find(|other| other.is_same_mailbox(&address)) {
            return Err(DestinationRefusal::Duplicate { of: same.clone() });
        }
        // RFC 9990 §3.5: each URI must be tried, "up to the Receiver's limits".
        if admitted().count() >= self.limit {
            return Err(DestinationRefusal::TooManyDestinations { limit: self.limit });
        }
        let is_allotted = |all: &[Address]| all.iter().any(|one| one.is_same_mailbox(&address));
        if !allotted.is_none_or(is_allotted) {
            return Err(DestinationRefusal::OverAllotment);
        }
        if !self.hosts.contains(address.domain()) {
            if self.hosts.len() >= MAX_HOSTS {
                return Err(DestinationRefusal::TooManyHosts);
            }
            self.hosts.push(address.domain().clone());
        }
        Ok(address)
    }
}

/// Appends a destination. Overrides can lead several URIs to one address, which gets one report mail (XD19),
/// and one URI to several, which are under the same limit as those of the record.
fn push_distinct(
    decided: &mut Vec<Destination>,
    limit: usize,
    uri: &str,
    address: Address,
    verdict: DestinationVerdict,
) {
    let open = || {
        decided
            .iter()
            .filter(|destination| !destination.verdict.is_refused())
    };
    let same = open()
        .filter_map(|destination| destination.address.as_ref())
        .find(|other| other.is_same_mailbox(&address));
    let verdict = match same {
        _ if verdict.is_refused() => verdict,
        Some(same) => DestinationVerdict::Refused(DestinationRefusal::Duplicate { of: same.clone() }),
        None if open().count() >= limit => {
            DestinationVerdict::Refused(DestinationRefusal::TooManyDestinations { limit })
        }
        None => verdict,
    };
    decided.push(Destination {
        uri: uri.to_owned(),
        address: Some(address),
        verdict,
    });
}

/// The one address of a URI.
fn read(uri: &str) -> Result<Address, DestinationRefusal> {
    let uri = ReportUri::parse(uri).ok_or(DestinationRefusal::Unusable)?;
    match &uri.address {
        Some(address) => Ok(Address::from(address)),
        // RFC 9990 §3.5.3 leaves room for other schemes; there is none but mailto.
        None => Err(DestinationRefusal::Scheme {
            scheme: printable(&uri.scheme),
        }),
    }
}

/// A URI as an operator reads it.
fn printable(uri: &str) -> String {
    excerpt(uri, MAX_SHOWN_CHARACTERS)
}
