//! Whether a host takes mail at all, asked before a report mail to it is queued.

use landmarc_auth::lookup::{Answer, DnsName, DnsRecord, Lookup, LookupError, Missing, Question, RecordType};
use landmarc_mail::DomainName;

/// Whether a host takes mail, as far as DNS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// It has a mail exchange or an address.
    Yes,
    /// It never will, as things stand.
    No(NoReception),
    /// Nobody answered, which is no no.
    Unanswered(LookupError),
}

/// Why a host takes no mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReception {
    /// NXDOMAIN.
    #[error("the host does not exist")]
    NoName,
    /// A null MX (RFC 7505).
    #[error("the host takes no mail: it has a null MX")]
    NullMx,
    /// Neither mail exchange nor address.
    #[error("the host has neither a mail exchange nor an address")]
    NoAddress,
}

/// Asks whether a host takes mail, as a relay would (RFC 5321 §5.1): its mail exchanges; without any, its
/// addresses. One to three questions. Whether a mail exchange in turn has an address is left to the relay.
pub async fn can_receive(lookup: &impl Lookup, host: &DomainName) -> Reception {
    let question = |record_type| Question::new(DnsName::from(host), record_type);
    match lookup.ask(&question(RecordType::Mx)).await {
        Answer::Records(records) => return by_exchanges(&records),
        Answer::NxDomain(Missing::Name | Missing::AliasTarget) => return Reception::No(NoReception::NoName),
        Answer::Failed(error) => return Reception::Unanswered(error),
        Answer::NoData => {}
    }
    let mut unanswered = None;
    for record_type in [RecordType::A, RecordType::Aaaa] {
        match lookup.ask(&question(record_type)).await {
            Answer::Records(_) => return Reception::Yes,
            Answer::Failed(error) => unanswered = Some(error),
            Answer::NoData | Answer::NxDomain(_) => {}
        }
    }
    unanswered.map_or(Reception::No(NoReception::NoAddress), Reception::Unanswered)
}

/// RFC 7505 §3: a null MX is the only MX record. Beside others it is a mistake, and the others count.
fn by_exchanges(records: &[DnsRecord]) -> Reception {
    let root = DnsName::root();
    let takes_mail =
        |record: &DnsRecord| matches!(record, DnsRecord::Mx { exchange, .. } if *exchange != root);
    if records.iter().any(takes_mail) {
        Reception::Yes
    } else {
        Reception::No(NoReception::NullMx)
    }
}

#[cfg(test)]
mod tests {
    use landmarc_auth::lookup::{Fault, ZoneData, Zones};
    use landmarc_testkit::{block_on, dns_name};

    use super::*;

    fn exchange(name: DnsName) -> DnsRecord {
        DnsRecord::Mx {
            preference: 10,
            exchange: name,
        }
    }

    fn reception(set: &[(RecordType, ZoneData)]) -> Reception {
        let mut zones = Zones::new();
        for (record_type, data) in set {
            zones.set(dns_name("mx.example"), *record_type, data.clone());
        }
        block_on(can_receive(&zones, &DomainName::parse("mx.example").unwrap()))
    }

    #[test]
    fn a_host_takes_mail_by_exchange_or_address() {
        let records = |record| ZoneData::Records(vec![record]);
        let v4 = records(DnsRecord::A([192, 0, 2, 1].into()));
        let v6 = records(DnsRecord::Aaaa("2001:db8::1".parse().unwrap()));
        let mx = records(exchange(dns_name("a.example")));
        for set in [(RecordType::Mx, mx), (RecordType::A, v4), (RecordType::Aaaa, v6)] {
            assert_eq!(reception(&[set]), Reception::Yes);
        }
    }

    #[test]
    fn nothing_there_is_a_clear_no() {
        assert_eq!(reception(&[]), Reception::No(NoReception::NoName));
        let nothing = ZoneData::Records(vec![]);
        assert_eq!(
            reception(&[(RecordType::Txt, nothing)]),
            Reception::No(NoReception::NoAddress)
        );
    }

    #[test]
    fn a_null_mx_is_a_no_unless_another_stands_beside_it() {
        let null = exchange(DnsName::root());
        let with_address = [
            (RecordType::Mx, ZoneData::Records(vec![null.clone()])),
            (
                RecordType::A,
                ZoneData::Records(vec![DnsRecord::A([192, 0, 2, 1].into())]),
            ),
        ];
        assert_eq!(reception(&with_address), Reception::No(NoReception::NullMx));
        let both = ZoneData::Records(vec![null, exchange(dns_name("a.example"))]);
        assert_eq!(reception(&[(RecordType::Mx, both)]), Reception::Yes);
    }

    #[test]
    fn an_answer_that_is_missing_is_no_no() {
        let timeout = || ZoneData::Fault(Fault::Timeout);
        let unanswered = Reception::Unanswered(LookupError::Timeout);
        assert_eq!(reception(&[(RecordType::Mx, timeout())]), unanswered);
        assert_eq!(reception(&[(RecordType::A, timeout())]), unanswered);
        let v6 = ZoneData::Records(vec![DnsRecord::Aaaa("2001:db8::1".parse().unwrap())]);
        let half = [(RecordType::A, timeout()), (RecordType::Aaaa, v6)];
        assert_eq!(reception(&half), Reception::Yes);
    }
}
