//! A day of mail made by rule: who sends what, and what the reports about it must say. The second
//! follows from the first here, without a line of the program under test.

use std::collections::BTreeMap;

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_testkit::dns_name;
use serde_json::{Value, json};

use crate::world::{self, ED25519, RSA, Signer, add_text};

/// Domains with a policy; every fifth of them also sends from a name below it.
pub(super) const DOMAINS: usize = 50;
/// Clients: those below [`ALLOWED`] are in everybody's SPF record.
const CLIENTS: usize = 12;
const ALLOWED: usize = 7;

/// A message of the day: all there is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    domain: usize,
    client: usize,
    below: bool,
    signed: bool,
}

impl Kind {
    /// The message of this number. Small domains are many and large ones few, and each has mail of
    /// several kinds.
    pub(super) fn of(number: usize) -> Self {
        // Squares gather at the low end: the first domain has a seventh of all mail.
        let spot = number.wrapping_mul(7919) % 10_007;
        let domain = spot * spot / (10_007 * 10_007 / DOMAINS);
        Self {
            domain: domain.min(DOMAINS - 1),
            client: number.wrapping_mul(31) % CLIENTS,
            below: domain.is_multiple_of(5) && number % 16 == 3,
            signed: !number.is_multiple_of(3),
        }
    }

    pub(super) fn policy_domain(self) -> String {
        format!("d{}.example", self.domain)
    }

    pub(super) fn author_domain(self) -> String {
        match self.below {
            true => format!("news.{}", self.policy_domain()),
            false => self.policy_domain(),
        }
    }

    pub(super) fn client(self) -> String {
        match self.client < ALLOWED {
            true => format!("192.0.2.{}", self.client + 1),
            false => format!("198.51.100.{}", self.client + 1),
        }
    }

    pub(super) fn mail_from(self) -> String {
        format!("bounce@{}", self.author_domain())
    }

    /// The message, signed where it is to be.
    pub(super) fn message(self) -> Vec<u8> {
        let message = world::letter(&format!("a@{}", self.author_domain()));
        match self.signed {
            true => Signer::relaxed(&self.policy_domain()).sign(&message),
            false => message,
        }
    }

    fn spf_passes(self) -> bool {
        self.client < ALLOWED
    }

    fn policy(self) -> &'static str {
        policy(self.domain)
    }

    /// The row that it counts in, as an independent reader of the report words it.
    pub(super) fn row(self) -> Row {
        let passes = self.spf_passes() || self.signed;
        Row {
            policy_domain: self.policy_domain(),
            source_ip: self.client(),
            header_from: self.author_domain(),
            envelope_from: self.author_domain(),
            dkim: word(self.signed),
            spf: word(self.spf_passes()),
            // The service observes: what fails is let through, and a reason says why.
            disposition: match passes && self.policy() != "none" {
                true => "pass",
                false => "none",
            }
            .to_owned(),
            has_reason: !passes && self.policy() != "none",
            signatures: usize::from(self.signed),
        }
    }
}

fn word(passes: bool) -> String {
    if passes { "pass" } else { "fail" }.to_owned()
}

fn policy(domain: usize) -> &'static str {
    match domain % 3 {
        0 => "reject",
        1 => "quarantine",
        _ => "none",
    }
}

/// One row of a report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    policy_domain: String,
    source_ip: String,
    header_from: String,
    envelope_from: String,
    dkim: String,
    spf: String,
    disposition: String,
    has_reason: bool,
    signatures: usize,
}

impl Row {
    /// A row as `read_messages.py` has it, and how many messages it counts.
    pub(super) fn read(policy_domain: &str, row: &Value) -> (Self, usize) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let length = |value: &Value| value.as_array().map_or(0, Vec::len);
        let count = row["count"]
            .as_u64()
            .and_then(|count| usize::try_from(count).ok());
        let row = Self {
            policy_domain: policy_domain.to_owned(),
            source_ip: text(&row["source_ip"]),
            header_from: text(&row["identifiers"]["header_from"]),
            envelope_from: text(&row["identifiers"]["envelope_from"]),
            dkim: text(&row["dkim"]),
            spf: text(&row["spf"]),
            disposition: text(&row["disposition"]),
            has_reason: length(&row["reasons"]) > 0,
            signatures: length(&row["dkim_results"]),
        };
        (row, count.expect("a row counts messages"))
    }
}

/// What all reports together must say of the first so many messages.
pub(super) fn rows(messages: usize) -> BTreeMap<Row, usize> {
    let mut rows = BTreeMap::new();
    for number in 0..messages {
        *rows.entry(Kind::of(number).row()).or_default() += 1;
    }
    rows
}

/// Where a domain wants its reports: most with themselves, some with another who says so, some twice.
pub(super) fn destinations(domain: usize) -> Vec<String> {
    let own = format!("dmarc@d{domain}.example");
    let collector = format!("d{domain}@collector.example");
    match domain % 7 {
        0 => vec![collector],
        1 => vec![own, collector],
        _ => vec![own],
    }
}

/// The records of all of them.
pub(super) fn zones() -> Zones {
    let mut zones = world::zones();
    let networks: String = (1..=ALLOWED).map(|last| format!(" ip4:192.0.2.{last}")).collect();
    for domain in 0..DOMAINS {
        let name = format!("d{domain}.example");
        let rua: Vec<String> = destinations(domain)
            .iter()
            .map(|address| format!("mailto:{address}"))
            .collect();
        let record = format!("v=DMARC1; p={}; rua={}", policy(domain), rua.join(","));
        add_text(&mut zones, &format!("_dmarc.{name}"), &record);
        add_text(&mut zones, &name, &format!("v=spf1{networks} -all"));
        add_text(
            &mut zones,
            &format!("news.{name}"),
            &format!("v=spf1{networks} -all"),
        );
        let key = world::signing_key(RSA).dns_record();
        add_text(&mut zones, &format!("{RSA}._domainkey.{name}"), &key);
        add_text(
            &mut zones,
            &format!("{name}._report._dmarc.collector.example"),
            "v=DMARC1",
        );
        add_host(&mut zones, &name);
    }
    add_host(&mut zones, "collector.example");
    zones
}

/// A host that takes mail.
pub(super) fn add_host(zones: &mut Zones, name: &str) {
    let address = DnsRecord::A([192, 0, 2, 25].into());
    zones.set(dns_name(name), RecordType::A, ZoneData::Records(vec![address]));
}

/// The keys of our own messages, as an independent verifier asks for them.
pub(super) fn keys_of(domain: &str) -> Value {
    json!({
        (format!("{RSA}._domainkey.{domain}")): world::signing_key(RSA).dns_record(),
        (format!("{ED25519}._domainkey.{domain}")): world::signing_key(ED25519).dns_record(),
    })
}
