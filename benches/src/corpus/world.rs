//! The sender domains and what they publish.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use landmarc_auth::dkim::SigningKey;
use landmarc_testkit::random::Random;

use super::keys::Keys;
use crate::dns::Zone;

/// Domains that send mail; the n-th sends one n-th of what the first does (Zipf).
pub(crate) const DOMAINS: usize = 200;

/// Providers that send in the name of others without being aligned with them.
pub(crate) const PROVIDERS: usize = 5;

/// What a Domain Owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    None,
    Quarantine,
    Reject,
}

impl Asked {
    /// What `t=y` makes of it (RFC 9989 §4.7).
    fn softer(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// A record that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) domain: Asked,
    pub(crate) subdomain: Option<Asked>,
    pub(crate) missing: Option<Asked>,
    pub(crate) strict_spf: bool,
    pub(crate) strict_dkim: bool,
    pub(crate) testing: bool,
}

/// A sender domain.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) number: usize,
    /// Of the record that counts; none without one, or with two.
    pub(crate) policy: Option<Policy>,
}

impl Domain {
    /// Addresses that each of its SPF records lets through.
    pub(crate) fn client(&self, random: &mut Random) -> IpAddr {
        if self.number % 5 == 4 && random.percent(30.0) {
            return Ipv6Addr::new(0x2001, 0xdb8, self.number as u16, 0, 0, 0, 0, 0x20).into();
        }
        Ipv4Addr::new(198, 18, self.number as u8, 20 + random.below(2) as u8).into()
    }

    /// Whether its own SPF record ends in `-all`, and not in `~all`.
    pub(crate) fn denies_others(&self) -> bool {
        self.number % 5 != 4
    }

    /// Which of the RSA keys is published for it.
    pub(crate) fn rsa_key<'a>(&self, keys: &'a Keys) -> &'a SigningKey {
        &keys.rsa[self.number % keys.rsa.len()]
    }
}

/// All domains and their zones.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) domains: Vec<Domain>,
    pub(crate) zone: Zone,
    /// Sum of the weights up to each domain.
    cumulated: Vec<f64>,
}

impl World {
    pub(crate) fn new(seed: u64, keys: &Keys) -> Self {
        let mut zone = Zone::default();
        let mut domains = Vec::with_capacity(DOMAINS);
        let mut cumulated = Vec::with_capacity(DOMAINS);
        let mut sum = 0.0;
        for number in 0..DOMAINS {
            let mut random = Random::new(seed, 1_000_000_007 + number as u64);
            let name = format!("shop{number}.example");
            let policy = publish_dmarc(&mut zone, &name, &mut random);
            publish_spf(&mut zone, &name, number);
            let domain = Domain { name, number, policy };
            publish_keys(&mut zone, &domain, keys);
            domains.push(domain);
            sum += 1.0 / (number + 1) as f64;
            cumulated.push(sum);
        }
        for provider in 0..PROVIDERS {
            publish_provider(&mut zone, provider, keys);
        }
        Self {
            domains,
            zone,
            cumulated,
        }
    }

    /// A domain, drawn as often as it sends.
    pub(crate) fn draw(&self, random: &mut Random) -> &Domain {
        let total = self.cumulated.last().copied().unwrap_or(1.0);
        let point = random.unit() * total;
        let place = self.cumulated.partition_point(|&sum| sum <= point);
        &self.domains[place.min(DOMAINS - 1)]
    }
}

/// Publishes what this domain has of DMARC, and returns the policy that counts.
fn publish_dmarc(zone: &mut Zone, name: &str, random: &mut Random) -> Option<Policy> {
    let at = format!("_dmarc.{name}");
    if random.percent(9.0) {
        return None;
    }
    let ask = |random: &mut Random| {
        random.weighted(&[
            (Asked::None, 40.0),
            (Asked::Quarantine, 25.0),
            (Asked::Reject, 35.0),
        ])
    };
    let domain = ask(random);
    let mut policy = Policy {
        domain,
        subdomain: random.percent(25.0).then(|| ask(random)),
        missing: random.percent(12.0).then(|| ask(random)),
        strict_spf: random.percent(10.0),
        strict_dkim: random.percent(8.0),
        testing: random.percent(3.0),
    };
    let separator = if random.percent(21.0) { " ; " } else { "; " };
    let rua = format!("rua=mailto:reports@{name}");
    let mut tags = vec!["v=DMARC1".to_owned()];
    if random.percent(2.0) {
        // RFC 9989 §4.7: without p, but with rua, it is as if p=none was there.
        tags.push(rua.clone());
        zone.txt(&at, &tags.join(separator));
        return Some(Policy {
            domain: Asked::None,
            subdomain: None,
            missing: None,
            strict_spf: false,
            strict_dkim: false,
            testing: false,
        });
    }
    tags.push(format!("p={}", policy.domain.as_str()));
    tags.extend(policy.subdomain.map(|asked| format!("sp={}", asked.as_str())));
    tags.extend(policy.missing.map(|asked| format!("np={}", asked.as_str())));
    tags.extend(policy.strict_spf.then(|| "aspf=s".to_owned()));
    tags.extend(policy.strict_dkim.then(|| "adkim=s".to_owned()));
    tags.extend(policy.testing.then(|| "t=y".to_owned()));
    if random.percent(70.0) {
        tags.push(rua);
    }
    let mut text = tags.join(separator);
    if random.percent(40.0) {
        text.push(';');
    }
    zone.txt(&at, &text);
    if random.percent(3.0) {
        // RFC 9989 §4.10.1: several records are none.
        zone.txt(&at, "v=DMARC1; p=none");
        return None;
    }
    if policy.testing {
        policy.domain = policy.domain.softer();
        policy.subdomain = policy.subdomain.map(Asked::softer);
        policy.missing = policy.missing.map(Asked::softer);
    }
    Some(policy)
}

/// The SPF records of a domain and of the names below it that envelopes bear.
fn publish_spf(zone: &mut Zone, name: &str, number: usize) {
    let net = format!("198.18.{number}.0/24");
    let host = |last: u8| Ipv4Addr::new(198, 18, number as u8, last);
    let (mail, out) = (format!("mail.{name}"), format!("out.{name}"));
    zone.a(name, host(10));
    zone.mx(name, &mail);
    zone.a(&mail, host(20));
    zone.a(&out, host(21));
    zone.a(&format!("news.{name}"), host(30));
    zone.a(&format!("bare.{name}"), host(31));
    let own = match number % 5 {
        0 => format!("v=spf1 ip4:{net} -all"),
        1 => format!("v=spf1 include:_spf.{name} -all"),
        2 => format!("v=spf1 mx a:{out} -all"),
        3 => format!("v=spf1 redirect=_spf.{name}"),
        _ => format!(
            "v=spf1 include:_spf.esp{}.example include:_spf.{name} ip6:2001:db8:{number:x}::/48 ~all",
            number % PROVIDERS
        ),
    };
    let mut text = |owner: &str, text: &str| zone.txt(owner, text);
    text(name, &own);
    text(&format!("_spf.{name}"), &format!("v=spf1 ip4:{net} -all"));
    text(&mail, "v=spf1 a -all");
    text(&format!("bounce.{name}"), &format!("v=spf1 ip4:{net} -all"));
    text(&format!("soft.{name}"), &format!("v=spf1 ip4:{net} ~all"));
    text(&format!("neutral.{name}"), &format!("v=spf1 ip4:{net} ?all"));
    let wrong = format!("wrong.{name}");
    match number % 3 {
        0 => text(&wrong, &format!("v=spf1 ip4:198.18.{number}.0/33 -all")),
        1 => {
            text(&wrong, "v=spf1 -all");
            text(&wrong, "v=spf1 ~all");
        }
        _ => {
            let many: Vec<String> = (0..11).map(|_| format!("a:{out}")).collect();
            text(&wrong, &format!("v=spf1 {} -all", many.join(" ")));
        }
    }
}

fn publish_keys(zone: &mut Zone, domain: &Domain, keys: &Keys) {
    let own = domain.rsa_key(keys);
    let other = &keys.rsa[(domain.number + 1) % keys.rsa.len()];
    for owner in [domain.name.clone(), format!("news.{}", domain.name)] {
        for (selector, text) in [
            ("r1", own.dns_record()),
            ("e1", keys.ed25519.dns_record()),
            ("other", other.dns_record()),
            ("revoked", "v=DKIM1; p=".to_owned()),
        ] {
            zone.txt(&format!("{selector}._domainkey.{owner}"), &text);
        }
    }
}

fn publish_provider(zone: &mut Zone, provider: usize, keys: &Keys) {
    let name = format!("esp{provider}.example");
    zone.txt(&name, &format!("v=spf1 ip4:198.19.{provider}.0/24 -all"));
    zone.txt(
        &format!("_spf.{name}"),
        &format!("v=spf1 ip4:198.19.{provider}.0/24 ?all"),
    );
    let host = format!("mail.{name}");
    zone.a(&host, Ipv4Addr::new(198, 19, provider as u8, 20));
    zone.txt(&host, "v=spf1 a -all");
    let key = &keys.rsa[provider % keys.rsa.len()];
    zone.txt(&format!("r1._domainkey.{name}"), &key.dns_record());
}
