//! Messages that can be told apart by everything that is written down of them, and what is to
//! become of each.

use std::net::{IpAddr, Ipv6Addr};

use landmarc_auth::lookup::Zones;
use landmarc_testkit::dns_name;

use super::client::Answer;
use crate::world::{HELO, RSA, add_text, signing_key};

/// The network of the clients that the domains allow, and that of those they do not.
const ALLOWED: u16 = 0xa;
const STRANGERS: u16 = 0x1000;

/// Numbers whose clients share a network: fewer than the new rows of a network that the store keeps apart.
const NUMBERS_OF_NETWORK: u64 = 1_000;

/// The domains of the authors, with what they ask for.
pub(super) const REJECT: &str = "reject.example";
pub(super) const QUARANTINE: &str = "quarantine.example";

/// Octets of the body of a numbered message.
const BODY: usize = 2_000;

/// The settings that the fates of the messages hang on.
pub(super) const SETTINGS: &str =
    "mode = \"enforce\"\naction.reject = \"always\"\naction.quarantine = \"hold\"\n";

/// A message, and how it comes.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// What the MTA calls it.
    pub(super) queue_id: String,
    pub(super) client: IpAddr,
    pub(super) helo: String,
    /// With its brackets.
    pub(super) mail_from: String,
    /// Name and value; the value with the blank after the colon.
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It passes, and is accepted.
    Accepted,
    /// It fails, and is refused for good.
    Refused,
    /// It fails, and is held.
    Held,
}

impl Letter {
    /// The message of this number. The client's address is its own, and so is therefore its
    /// reporting row, which counts it alone.
    pub(super) fn numbered(number: u64) -> Self {
        let domain = match fate(number) {
            Fate::Accepted | Fate::Refused => REJECT,
            Fate::Held => QUARANTINE,
        };
        let nth = u16::try_from(number / NUMBERS_OF_NETWORK % u64::from(STRANGERS)).unwrap();
        let network = match fate(number) {
            Fate::Accepted => ALLOWED,
            Fate::Refused | Fate::Held => STRANGERS + nth,
        };
        let mut letter = Self::from(domain);
        letter.client = client(network, number);
        letter.queue_id = queue_id(number);
        letter
    }

    /// A message that passes, and has no number.
    pub(super) fn from(domain: &str) -> Self {
        let field = |name: &str, value: &str| (name.into(), format!(" {value}").into());
        Self {
            queue_id: "none".to_owned(),
            client: client(ALLOWED, 0),
            helo: HELO.to_owned(),
            mail_from: format!("<a@{domain}>"),
            fields: vec![
                field("From", &format!("a@{domain}")),
                field("To", "b@here.example"),
                field("Subject", "hello"),
                field("Date", "Fri, 20 Nov 2026 10:00:00 +0000"),
                field("Message-ID", "<1@mail.example>"),
            ],
            body: lines(BODY),
        }
    }
}

/// A body of so many octets, in lines.
pub(super) fn lines(octets: usize) -> Vec<u8> {
    const LINE: &[u8] = b"The quick brown fox jumps over the lazy dog, and does so again and again.\r\n";
    let mut body = LINE.repeat(octets.div_ceil(LINE.len()));
    body.truncate(octets);
    body
}

/// A client of this network with this number.
fn client(network: u16, number: u64) -> IpAddr {
    let prefix = 0x2001_0db8_u128 << 96 | u128::from(network) << 80;
    Ipv6Addr::from(prefix | u128::from(number)).into()
}

/// A client that no domain allows.
pub(super) fn stranger() -> IpAddr {
    client(STRANGERS, 0)
}

/// The number of the message that came from this address; none where it has no number.
pub(super) fn number_of_client(client: IpAddr) -> Option<u64> {
    let IpAddr::V6(address) = client else { return None };
    let number = u64::try_from(u128::from(address) & u128::from(u64::MAX)).ok();
    number.filter(|number| *number > 0)
}

fn queue_id(number: u64) -> String {
    format!("Q{number}")
}

/// The number of the message that has this queue id.
pub(super) fn number_of_queue_id(queue_id: &str) -> Option<u64> {
    queue_id.strip_prefix('Q')?.parse().ok()
}

/// What is to become of the message of this number.
pub(super) fn fate(number: u64) -> Fate {
    match number % 4 {
        2 => Fate::Refused,
        3 => Fate::Held,
        _ => Fate::Accepted,
    }
}

/// What became of a message by this answer; nothing when it is none of the three.
pub(super) fn fate_of(answer: &Answer) -> Option<Fate> {
    match (answer.code, answer.smtp_code(), answer.held) {
        (b'a' | b'c', None, false) => Some(Fate::Accepted),
        (b'a' | b'c', None, true) => Some(Fate::Held),
        (b'y', Some("550"), false) => Some(Fate::Refused),
        _ => None,
    }
}

/// What the DNS server answers from.
pub(super) fn zones() -> Zones {
    let mut zones = Zones::new();
    zones.add_name(dns_name(HELO));
    for (domain, policy) in [(REJECT, "reject"), (QUARANTINE, "quarantine")] {
        let allowed = format!("v=spf1 ip6:2001:db8:{ALLOWED:x}::/48 -all");
        add_text(&mut zones, domain, &allowed);
        add_text(
            &mut zones,
            &format!("_dmarc.{domain}"),
            &format!("v=DMARC1; p={policy}"),
        );
        add_text(
            &mut zones,
            &format!("{RSA}._domainkey.{domain}"),
            &signing_key(RSA).dns_record(),
        );
    }
    zones
}
