//! Messages that can be told apart in every record and report, each counted in a row of its own.

use std::net::{IpAddr, Ipv6Addr};

use landmarc_auth::lookup::{DnsRecord, RecordType, ZoneData, Zones};
use landmarc_testkit::dns_name;
use landmarc_testkit::mta::Mail;

use crate::world::add_text;

/// Domains that ask for reports.
pub(super) const DOMAINS: u64 = 12;
/// The first number of a host's messages is so many after that of the host before it.
pub(super) const A_HOST: u64 = 10_000_000;

/// The network of the clients that the domains allow, and that of those they do not.
const ALLOWED: u16 = 0xa;
const STRANGERS: u16 = 0xf;

/// The domains.
pub(super) fn domains() -> impl Iterator<Item = String> {
    (0..DOMAINS).map(|number| format!("d{number}.example"))
}

/// Where a domain wants its reports.
pub(super) fn destination(domain: &str) -> String {
    format!("dmarc@{domain}")
}

/// Of the message of this number.
pub(super) fn policy_domain(number: u64) -> String {
    format!("d{}.example", number % DOMAINS)
}

/// Whether a message of this number passes.
pub(super) fn passes(number: u64) -> bool {
    !number.is_multiple_of(5)
}

/// The message of this number. The client's address is its own, and so is therefore its reporting row.
pub(super) fn mail(number: u64) -> Mail {
    let author = format!("a@{}", policy_domain(number));
    let text = format!(
        "From: {author}\r\nTo: b@here.example\r\nSubject: hello\r\nDate: Mon, 01 Jun 2026 11:00:00 +0000\r\n\
         Message-ID: <{number}@mail.example>\r\n\r\nHello\r\n"
    );
    let mut mail = Mail {
        client: Some(client(number)),
        mail_from: format!("<{author}>"),
        rcpt_to: vec!["<b@here.example>".to_owned()],
        ..Mail::plain()
    };
    mail.macros.retain(|(name, _)| name != "i");
    mail.macros.push(("i".to_owned(), queue_id(number)));
    mail.with_text(text.as_bytes())
}

fn client(number: u64) -> IpAddr {
    let network = if passes(number) { ALLOWED } else { STRANGERS };
    let prefix = 0x2001_0db8_u128 << 96 | u128::from(network) << 80;
    Ipv6Addr::from(prefix | u128::from(number)).into()
}

/// The number of the message that came from this address, if that is one of ours.
pub(super) fn number_of_client(address: IpAddr) -> Option<u64> {
    let IpAddr::V6(octets) = address else { return None };
    let number = u64::try_from(u128::from(octets) & u128::from(u64::MAX)).ok()?;
    (client(number) == address).then_some(number)
}

fn queue_id(number: u64) -> String {
    format!("F{number}")
}

/// The number of the message that has this queue id.
pub(super) fn number_of_queue_id(queue_id: &str) -> Option<u64> {
    queue_id.strip_prefix('F')?.parse().ok()
}

/// What the DNS servers of the hosts answer from.
pub(super) fn zones() -> Zones {
    let mut zones = Zones::new();
    for (number, domain) in domains().enumerate() {
        let policy = ["none", "quarantine", "reject"].into_iter().cycle().nth(number);
        let policy = policy.unwrap_or("none");
        let record = format!("v=DMARC1; p={policy}; rua=mailto:{}", destination(&domain));
        add_text(&mut zones, &format!("_dmarc.{domain}"), &record);
        add_text(
            &mut zones,
            &domain,
            &format!("v=spf1 ip6:2001:db8:{ALLOWED:x}::/48 -all"),
        );
        let address = DnsRecord::A([192, 0, 2, 25].into());
        zones.set(dns_name(&domain), RecordType::A, ZoneData::Records(vec![address]));
    }
    zones
}

#[test]
fn a_message_is_known_by_its_client_and_its_queue_id() {
    for number in [1, 5, A_HOST, 3 * A_HOST + 7] {
        assert_eq!(number_of_client(client(number)), Some(number));
        assert_eq!(number_of_queue_id(&queue_id(number)), Some(number));
    }
    assert_eq!(number_of_client([192, 0, 2, 1].into()), None);
    assert_eq!(number_of_queue_id("4Fb1"), None);
}
