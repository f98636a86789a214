//! Zones in memory: what `--dns`, the demonstration and the tests answer from.

use std::collections::BTreeMap;

use super::{Answer, DnsName, DnsRecord, Lookup, LookupError, Missing, Question, RecordType};

/// The longest chain of aliases that is followed; resolvers stop at about as many.
const MAX_ALIASES: usize = 8;

/// What a name has for one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneData {
    /// These records; an empty list is NODATA.
    Records(Vec<DnsRecord>),
    /// A scripted misfortune.
    Fault(Fault),
}

/// A misfortune that a name can be given, for one type or for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the response of that name
pub enum Fault {
    ServFail,
    Refused,
    Timeout,
    NxDomain,
    NoData,
}

#[derive(Clone, Debug, Default)]
struct Node {
    by_type: BTreeMap<RecordType, ZoneData>,
    alias: Option<DnsName>,
    others: Option<Fault>,
}

/// A map of names that answers like a resolver over it: aliases followed, empty
/// non-terminals kept apart from missing names, faults where scripted.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    nodes: BTreeMap<DnsName, Node>,
}

impl Zones {
    /// Zones without any name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the name exist, without records so far.
    pub fn add_name(&mut self, name: DnsName) {
        self.nodes.entry(name).or_default();
    }

    /// What the name has for a type, in place of what it had.
    pub fn set(&mut self, name: DnsName, record_type: RecordType, data: ZoneData) {
        self.nodes
            .entry(name)
            .or_default()
            .by_type
            .insert(record_type, data);
    }

    /// A fault for every type that is not set at that name.
    pub fn set_others(&mut self, name: DnsName, fault: Fault) {
        self.nodes.entry(name).or_default().others = Some(fault);
    }

    /// A CNAME: types that are not set at that name are looked up at the target.
    pub fn set_alias(&mut self, name: DnsName, target: DnsName) {
        self.nodes.entry(name).or_default().alias = Some(target);
    }

    /// Adds a TXT record beside those of the name.
    pub fn add_txt(&mut self, name: DnsName, text: &[u8]) {
        let data = self
            .nodes
            .entry(name)
            .or_default()
            .by_type
            .entry(RecordType::Txt)
            .or_insert_with(|| ZoneData::Records(Vec::new()));
        if let ZoneData::Records(records) = data {
            records.push(DnsRecord::Txt(text.into()));
        }
    }

    /// The answer to a question, at once.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Answer {
        let mut name = &question.name;
        for hop in 0..=MAX_ALIASES {
            let missing = if hop == 0 {
                Missing::Name
            } else {
                Missing::AliasTarget
            };
            let Some(node) = self.nodes.get(name) else {
                return if self.has_below(name) {
                    Answer::NoData
                } else {
                    Answer::NxDomain(missing)
                };
            };
            match (node.by_type.get(&question.record_type), &node.alias, node.others) {
                (Some(ZoneData::Records(records)), _, _) => return Answer::from_records(records.clone()),
                (Some(&ZoneData::Fault(fault)), _, _) | (None, None, Some(fault)) => {
                    return fault_answer(fault, missing);
                }
                (None, Some(target), _) => name = target,
                (None, None, None) => return Answer::NoData,
            }
        }
        Answer::Failed(LookupError::ServFail)
    }

    /// The target to which a question at this name is passed on: that of its CNAME, unless
    /// the name has something of its own for the type.
    #[must_use]
    pub fn alias(&self, question: &Question) -> Option<&DnsName> {
        let node = self.nodes.get(&question.name)?;
        let target = node.alias.as_ref()?;
        (!node.by_type.contains_key(&question.record_type)).then_some(target)
    }

    /// Whether a name exists only because another lies below it (RFC 8020).
    fn has_below(&self, name: &DnsName) -> bool {
        self.nodes
            .keys()
            .any(|other| other != name && other.is_at_or_below(name))
    }
}

fn fault_answer(fault: Fault, missing: Missing) -> Answer {
    match fault {
        Fault::ServFail => Answer::Failed(LookupError::ServFail),
        Fault::Refused => Answer::Failed(LookupError::Refused),
        Fault::Timeout => Answer::Failed(LookupError::Timeout),
        Fault::NxDomain => Answer::NxDomain(missing),
        Fault::NoData => Answer::NoData,
    }
}

impl Lookup for Zones {
    async fn ask(&self, question: &Question) -> Answer {
        self.answer(question)
    }
}
