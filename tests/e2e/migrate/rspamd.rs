//! A site with rspamd: real rspamd 3.4 writes its DMARC records into a real Redis, and `landmarc` reads them,
//! while more are written and afterwards. What older releases wrote is written as they document it.

mod conf;
mod older;
mod outages;
mod running;
mod several;
mod site;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use landmarc_store::{Day, Reader};

use crate::world::{ALLOWED, STRANGER};

/// What a row says of messages that are alike, in the order of this tuple: DMARC Policy Domain, Author Domain,
/// client, SPF and DKIM in alignment, disposition.
pub(super) type Row = (String, String, IpAddr, bool, bool, String);

/// How many messages each row counts.
pub(super) type Sums = BTreeMap<Row, u64>;

/// The sums that are in the tally of these days.
pub(super) fn tallied(database: &Path, days: &[Day]) -> Sums {
    let mut sums = Sums::new();
    let Ok(reader) = Reader::open(database) else {
        return sums;
    };
    for day in days {
        for domain in reader.policy_domains(*day).unwrap() {
            for (row, count) in reader.tally(*day, &domain).unwrap() {
                let key = (
                    row.policy_domain,
                    row.header_from,
                    row.source_ip,
                    row.spf_aligned,
                    row.dkim_aligned,
                    row.disposition,
                );
                *sums.entry(key).or_default() += count;
            }
        }
    }
    sums
}

/// A row in the words of this file.
pub(super) fn row(
    policy_domain: &str,
    author_domain: &str,
    client: &str,
    (spf, dkim): (bool, bool),
    disposition: &str,
) -> Row {
    (
        policy_domain.to_owned(),
        author_domain.to_owned(),
        client.parse().unwrap(),
        spf,
        dkim,
        disposition.to_owned(),
    )
}

/// The two addresses that the world knows are what rspamd is told of as clients.
#[test]
fn clients_are_not_of_this_host() {
    for client in [ALLOWED, STRANGER] {
        let client: IpAddr = client.parse().unwrap();
        assert!(
            !client.is_loopback(),
            "rspamd does not judge mail of its own host"
        );
    }
}
