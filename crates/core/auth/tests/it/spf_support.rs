//! What the SPF tests share: zones in a few lines, and a transaction to be checked.

use std::net::IpAddr;

use landmarc_auth::lookup::{
    AskedQuestion, DnsName, DnsRecord, Fault, Ledger, QUESTIONS_PER_MESSAGE, RecordType, ZoneData, Zones,
};
use landmarc_auth::spf::{SpfOutcome, SpfRequest, SpfResult, check_helo, check_mail_from};
use landmarc_mail::ReversePath;
use landmarc_testkit::{block_on, dns_name};

/// Zones from lines of `name TYPE data`, where the data of several records of a name is
/// given on several lines, and a fault is written `!SERVFAIL`.
pub(crate) fn zones(lines: &str) -> Zones {
    let mut zones = Zones::new();
    let mut sets: Vec<(&str, RecordType, Vec<DnsRecord>)> = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (kind, data) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let record_type = record_type(kind);
        if let Some(fault) = data.strip_prefix('!') {
            zones.set(dns_name(name), record_type, ZoneData::Fault(fault_of(fault)));
            continue;
        }
        let record = record(record_type, data.trim_start());
        match sets.iter_mut().find(|(n, t, _)| *n == name && *t == record_type) {
            Some((_, _, records)) => records.push(record),
            None => sets.push((name, record_type, vec![record])),
        }
    }
    for (name, record_type, records) in sets {
        zones.set(dns_name(name), record_type, ZoneData::Records(records));
    }
    zones
}

fn record_type(kind: &str) -> RecordType {
    match kind {
        "TXT" => RecordType::Txt,
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "PTR" => RecordType::Ptr,
        other => panic!("no type {other}"),
    }
}

fn fault_of(word: &str) -> Fault {
    match word {
        "SERVFAIL" => Fault::ServFail,
        "TIMEOUT" => Fault::Timeout,
        "REFUSED" => Fault::Refused,
        other => panic!("no fault {other}"),
    }
}

fn record(record_type: RecordType, data: &str) -> DnsRecord {
    match record_type {
        RecordType::Txt => DnsRecord::Txt(data.as_bytes().into()),
        RecordType::A => DnsRecord::A(data.parse().unwrap()),
        RecordType::Aaaa => DnsRecord::Aaaa(data.parse().unwrap()),
        RecordType::Mx => DnsRecord::Mx {
            preference: 10,
            exchange: if data == "." {
                DnsName::root()
            } else {
                dns_name(data)
            },
        },
        RecordType::Ptr => DnsRecord::Ptr(dns_name(data)),
    }
}

/// A transaction, ready to be changed in one thing.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a str,
    pub(crate) helo: &'a [u8],
    pub(crate) mail_from: &'a [u8],
    pub(crate) fetch_explanation: bool,
}

impl Default for Session<'_> {
    fn default() -> Self {
        Self {
            client: "192.0.2.3",
            helo: b"mx.example.org",
            mail_from: b"a@example.com",
            fetch_explanation: true,
        }
    }
}

impl Session<'_> {
    /// The outcome for MAIL FROM, and every question it took.
    pub(crate) fn check(&self, zones: &str) -> (SpfOutcome, Vec<AskedQuestion>) {
        let ledger = Ledger::new(self::zones(zones), QUESTIONS_PER_MESSAGE);
        let outcome = self.with(|request| block_on(check_mail_from(&ledger, request)));
        (outcome, ledger.asked())
    }

    pub(crate) fn helo(&self, zones: &str) -> SpfOutcome {
        let zones = self::zones(zones);
        self.with(|request| block_on(check_helo(&zones, request)))
    }

    pub(crate) fn with<T>(&self, run: impl FnOnce(&SpfRequest<'_>) -> T) -> T {
        let client: IpAddr = self.client.parse().unwrap();
        run(&SpfRequest {
            client,
            helo: self.helo,
            mail_from: &ReversePath::new(self.mail_from),
            receiver: "mx.receiver.example",
            now: 1_700_000_000,
            fetch_explanation: self.fetch_explanation,
        })
    }
}

/// The outcome for `a@example.com` from 192.0.2.3.
pub(crate) fn check(zones: &str) -> SpfOutcome {
    Session::default().check(zones).0
}

pub(crate) fn result(zones: &str) -> SpfResult {
    check(zones).result
}

pub(crate) fn asked(asked: &[AskedQuestion]) -> Vec<String> {
    asked.iter().map(|asked| asked.question.to_string()).collect()
}
