//! Messages of a day as a large mail host sees it: few domains send most of the mail, from few
//! clients each; what fails comes from anywhere.

use std::net::IpAddr;
use std::sync::Arc;

use landmarc_observation::{Observation, PublishedPolicy, TallyRow};

use crate::common::{MIDNIGHT, mix};

/// Author Domains, of which the one of rank *r* sends in proportion to 1/*r* (Zipf).
const DOMAINS: f64 = 200_000.0;
/// Clients that send for the largest domain; the others have fewer, down to one.
const CLIENTS: f64 = 100.0;
/// Clients that send what fails: forwarders and forgers.
const STRANGERS: u64 = 30_000;

/// What one message is, decided by its number.
struct Made {
    domain: u64,
    client: IpAddr,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The Author Domain has no DMARC Policy Record: one domain in four.
    Unprotected,
    Passes,
    Forwarded,
    Forged,
}

fn made(number: u64) -> Made {
    let random = mix(number);
    let domain = zipf(share(random));
    let kind = match mix(random) % 1_000 {
        _ if mix(domain).is_multiple_of(4) => Kind::Unprotected,
        0..977 => Kind::Passes,
        977..992 => Kind::Forwarded,
        _ => Kind::Forged,
    };
    let other = mix(random ^ 0x1234);
    let client = match kind {
        Kind::Unprotected | Kind::Passes => {
            client(domain, (share(other).powi(2) * clients_of(domain)) as u64)
        }
        // A few forwarders bring most of it; forgers come from everywhere.
        Kind::Forwarded => stranger((share(other).powi(6) * STRANGERS as f64) as u64),
        Kind::Forged => stranger(other % STRANGERS),
    };
    Made { domain, client, kind }
}

/// A number from 0 up to 1.
fn share(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// The rank, from 0, of a domain drawn so that rank *r* comes in proportion to 1/*r*.
fn zipf(share: f64) -> u64 {
    ((DOMAINS + 1.0).powf(share) - 1.0) as u64
}

fn clients_of(domain: u64) -> f64 {
    (CLIENTS / (domain as f64 + 1.0).sqrt()).max(1.0)
}

pub(crate) fn author_domain(rank: u64) -> String {
    format!("sender-{rank}.example")
}

/// A client that sends for this domain.
pub(crate) fn client(domain: u64, number: u64) -> IpAddr {
    address(mix(domain << 20 | number))
}

fn stranger(number: u64) -> IpAddr {
    address(mix(number ^ 0xffff_0000_0000))
}

fn address(random: u64) -> IpAddr {
    let [a, b, c, d, ..] = random.to_be_bytes();
    IpAddr::from([a % 200 + 11, b, c, d])
}

/// As Postfix makes them when `enable_long_queue_ids` is off: nothing in them is in order.
pub(crate) fn queue_id(number: u64) -> String {
    format!("{:010X}", mix(number ^ 0x5555) & 0xff_ffff_ffff)
}

pub(crate) fn short_id(number: u64) -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let random = mix(number);
    (0..12)
        .map(|place| char::from(LETTERS[(random >> (place * 5)) as usize % 32]))
        .collect()
}

/// The message with this number among so many, spread evenly over the day.
pub(crate) fn message(number: u64, messages: u64) -> Observation {
    let Made { domain, client, kind } = made(number);
    let author = author_domain(domain);
    let random = mix(number);
    let protected = kind != Kind::Unprotected;
    let fails = matches!(kind, Kind::Forwarded | Kind::Forged);
    let rejects = kind == Kind::Forged && domain.is_multiple_of(2);
    let word = |fail: &str, pass: &str| if fails { fail } else { pass }.to_owned();
    let disposition = match () {
        () if rejects => "reject",
        () if fails => "none",
        () => "pass",
    };
    let dkim = if kind == Kind::Forged { "none" } else { "pass" };
    let forwarder = kind == Kind::Forwarded && !domain.is_multiple_of(3);
    Observation {
        at_ms: MIDNIGHT + number * 86_400_000 / messages,
        queue_id: queue_id(number),
        id: short_id(number),
        client: Some(client),
        author_domain: Some(author.clone()),
        spf: word("fail", "pass"),
        dkim: dkim.to_owned(),
        arc: "none".to_owned(),
        dmarc: if protected {
            word("fail", "pass")
        } else {
            "none".to_owned()
        },
        policy_domain: protected.then(|| author.clone()),
        policy: protected.then(|| policy(domain).to_owned()),
        disposition: if protected { disposition } else { "none" }.to_owned(),
        action: if rejects { "reject" } else { "accept" }.to_owned(),
        enforced_action: if rejects { "reject" } else { "accept" }.to_owned(),
        overrides: Vec::new(),
        rule: forwarder.then(|| format!("forwarder-{}", domain % 10)),
        cause: cause(fails, &author, client),
        questions: 4 + (domain % 7) as u32,
        ms: 5 + (random % 120) as u32,
        trace: trace(&author, client, kind),
        row: protected.then(|| row(&author, domain, client, kind, disposition)),
    }
}

fn policy(domain: u64) -> &'static str {
    if domain.is_multiple_of(2) {
        "reject"
    } else {
        "none"
    }
}

fn cause(fails: bool, author: &str, client: IpAddr) -> String {
    if fails {
        format!("SPF of {author} does not authorize {client}, and no signature is aligned")
    } else {
        "an aligned signature passed".to_owned()
    }
}

fn row(author: &str, domain: u64, client: IpAddr, kind: Kind, disposition: &str) -> TallyRow {
    let passes = kind == Kind::Passes;
    let word = |pass: &str, fail: &str| if passes { pass } else { fail }.to_owned();
    TallyRow {
        policy_domain: author.to_owned(),
        published: PublishedPolicy {
            p: policy(domain).to_owned(),
            sp: policy(domain).to_owned(),
            adkim: "r".to_owned(),
            aspf: "r".to_owned(),
            fo: "0".to_owned(),
            discovery_method: "treewalk".to_owned(),
            rua: vec![format!("mailto:dmarc@{author}")],
            ..PublishedPolicy::default()
        },
        source_ip: client,
        disposition: disposition.to_owned(),
        dkim_aligned: passes,
        spf_aligned: passes,
        reasons: Vec::new(),
        header_from: author.to_owned(),
        envelope_from: Some(format!("bounce.{author}")),
        envelope_to: None,
        dkim: match kind {
            Kind::Forged => Vec::new(),
            _ => vec![(author.to_owned(), "s1".to_owned(), word("pass", "fail"))],
        },
        spf: Some((
            format!("bounce.{author}"),
            "mfrom".to_owned(),
            word("pass", "fail"),
        )),
        incidental: false,
    }
}

/// An explanation of the usual length and shape. It holds what the message shares with others of
/// its Author Domain, client and outcome, and nothing of the message alone.
fn trace(author: &str, client: IpAddr, kind: Kind) -> Arc<str> {
    let found = match kind {
        Kind::Unprotected => "none: the owner of the Author Domain asks for nothing",
        Kind::Passes => "pass: the owner of the Author Domain vouches for this message",
        Kind::Forwarded => "fail: the signature of the Author Domain does not fit the body",
        Kind::Forged => "fail: nobody who may speak for the Author Domain vouches for this message",
    };
    format!(
        "Mail from {author}: DMARC {found}.\n\n\
         Author: whom does the message claim to be from?\n  \
         The From field names {author}: the Author Domain, which DMARC is about.\n\n\
         SPF: may {client} send mail for bounce.{author}, the domain of the envelope sender?\n    \
         bounce.{author}: v=spf1 ip4:192.0.2.0/24 include:_spf.{author} -all -> is read\n    \
         bounce.{author}: ip4:192.0.2.0/24 -> no match\n    \
         _spf.{author}: v=spf1 ip4:{client} -all -> is read\n\n\
         DKIM: who signed the message?\n  \
         {author} (selector s1, rsa-sha256, 2048 bits)\n\n\
         Policy: what does the owner of {author} ask receivers to do?\n    \
         _dmarc.{author}: v=DMARC1; p=reject; rua=mailto:dmarc@{author}\n    \
         _dmarc.example: no such name\n  \
         What counts is the record of {author}, the Author Domain itself.\n\n\
         Alignment: does a domain that passed SPF or DKIM belong to the owner of {author}?\n  \
         The owner's top name, the Organizational Domain, is {author}.\n\n\
         Result\n  dmarc={found}.\n\n\
         DNS questions: 5\n  bounce.{author} TXT: 1 record\n  _spf.{author} TXT: 1 record\n  \
         s1._domainkey.{author} TXT: 1 record\n  _dmarc.{author} TXT: 1 record\n  _dmarc.example TXT: no such name\n"
    )
    .into()
}
