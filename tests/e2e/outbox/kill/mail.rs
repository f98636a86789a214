//! A day of mail that has of all that reports can be made of: domains with one destination and with
//! two, one with more than a message holds, one whose policy changed.

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_observation::Observation;
use landmarc_testkit::dns_name;

use super::super::{JUNE_1, message_from};
use crate::load::random::Random;

/// Policy domains of a day.
const DOMAINS: u64 = 40;
/// The one whose report is sent in parts: the limit of a message is 64 KiB, and its rows are of a text
/// that no compression makes much smaller.
const LARGE: u64 = 0;
const ROWS_OF_LARGE: u64 = 420;
/// The one that changed its policy in the middle of the day.
const CHANGED: u64 = 1;
/// Who collects reports for others.
const COLLECTOR: &str = "collector.example";

const DAY_MS: u64 = 86_400_000;

/// The messages of this day, 0 being June 1.
pub(super) fn day(number: u64, random: &mut Random) -> Vec<Observation> {
    let midnight = JUNE_1 + number * DAY_MS;
    let of_domain = |domain| {
        let rows = if domain == LARGE {
            ROWS_OF_LARGE
        } else {
            2 + domain % 3
        };
        (0..rows).map(move |row| (domain, rows, row))
    };
    let mut mail = Vec::new();
    for (domain, rows, row) in (0..DOMAINS).flat_map(of_domain) {
        let is_late = row * 2 >= rows;
        let at_ms = midnight + 3_600_000 + row;
        let mut message = message(at_ms, domain, row);
        let counted = message.row.as_mut().unwrap();
        if domain == LARGE {
            counted.envelope_from = Some(noise(random));
        }
        if domain == CHANGED && is_late {
            counted.published.p = "reject".to_owned();
        }
        // Each third row counts two messages.
        if row % 3 == 0 {
            mail.push(message.clone());
        }
        mail.push(message);
    }
    mail
}

/// One message of one domain, which has a row of its own.
pub(super) fn message(at_ms: u64, domain: u64, row: u64) -> Observation {
    let octet = |number: u64| u8::try_from(number % 256).unwrap();
    let client = [10, octet(domain), octet(row / 256), octet(row)];
    let rua = destinations(domain);
    let rua: Vec<&str> = rua.iter().map(String::as_str).collect();
    message_from(at_ms, &name(domain), &rua, client.into())
}

fn name(domain: u64) -> String {
    format!("d{domain}.example")
}

fn destinations(domain: u64) -> Vec<String> {
    let own = format!("mailto:dmarc@{}", name(domain));
    match domain % 5 {
        0 => vec![own, format!("mailto:d{domain}@{COLLECTOR}")],
        _ => vec![own],
    }
}

/// A name of three labels that repeats nothing.
fn noise(random: &mut Random) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut label = || -> String {
        (0..60)
            .map(|_| char::from(LETTERS[random.below(LETTERS.len())]))
            .collect()
    };
    format!("{}.{}.{}", label(), label(), label())
}

/// They all receive mail, and the collector takes the reports of those that name it.
pub(super) fn zones() -> Zones {
    let mut zones = Zones::new();
    for domain in 0..DOMAINS {
        host(&mut zones, &name(domain));
        let authorises = dns_name(&format!("{}._report._dmarc.{COLLECTOR}", name(domain)));
        zones.add_txt(authorises, b"v=DMARC1");
    }
    host(&mut zones, COLLECTOR);
    zones
}

fn host(zones: &mut Zones, name: &str) {
    let address = DnsRecord::A([127, 0, 0, 1].into());
    zones.set(dns_name(name), RecordType::A, ZoneData::Records(vec![address]));
}
