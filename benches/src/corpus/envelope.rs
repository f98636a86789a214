//! Who sends a message from where, and what SPF makes of it.

use std::net::{IpAddr, Ipv4Addr};

use landmarc_testkit::random::Random;

use super::Spf;
use super::world::{Domain, PROVIDERS};

/// An SMTP envelope and the client that gives it.
pub(super) struct Envelope {
    pub(super) client: IpAddr,
    pub(super) helo: String,
    /// With its brackets.
    pub(super) mail_from: String,
    /// The name that SPF is about.
    pub(super) identity: String,
    /// Whether it is of the author's organization.
    pub(super) ours: bool,
    /// What SPF comes to.
    pub(super) spf: Spf,
}

impl Envelope {
    /// 72 % of them pass; each result that RFC 7208 §2.6 has is there, but temperror.
    pub(super) fn draw(domain: &Domain, random: &mut Random) -> Self {
        let name = &domain.name;
        let spf = random.weighted(&[
            (Spf::Pass, 72.0),
            (Spf::None, 13.0),
            (Spf::Fail, 10.0),
            (Spf::SoftFail, 2.0),
            (Spf::Neutral, 2.0),
            (Spf::PermError, 1.0),
        ]);
        let client = domain.client(random);
        let stranger = Ipv4Addr::new(203, 0, 113, 1 + random.below(250) as u8).into();
        let helo = format!("mail.{name}");
        let (identity, client, ours) = match spf {
            Spf::Pass if random.percent(12.0) => return Self::of_provider(random),
            Spf::Pass if random.percent(4.0) => return Self::bounce(domain),
            Spf::Pass if random.percent(22.0) => {
                let client = Ipv4Addr::new(198, 18, domain.number as u8, 20).into();
                (format!("bounce.{name}"), client, true)
            }
            Spf::Pass => (name.clone(), client, true),
            Spf::None => (format!("bare.{name}"), client, true),
            Spf::Fail if domain.denies_others() => (name.clone(), stranger, true),
            Spf::Fail => (format!("bounce.{name}"), stranger, true),
            Spf::SoftFail => (format!("soft.{name}"), stranger, true),
            Spf::Neutral => (format!("neutral.{name}"), stranger, true),
            Spf::PermError => (format!("wrong.{name}"), stranger, true),
        };
        Self {
            client,
            helo,
            mail_from: format!("<news-{}@{identity}>", random.below(1_000_000)),
            identity,
            ours,
            spf,
        }
    }

    /// A provider sends in the name of the domain: SPF passes, for the provider's own name.
    fn of_provider(random: &mut Random) -> Self {
        let provider = random.below(PROVIDERS);
        let identity = format!("esp{provider}.example");
        Self {
            client: Ipv4Addr::new(198, 19, provider as u8, 20).into(),
            helo: format!("mail.{identity}"),
            mail_from: format!("<bounce-{}@{identity}>", random.below(1_000_000)),
            identity,
            ours: false,
            spf: Spf::Pass,
        }
    }

    /// RFC 7208 §2.4: with an empty reverse-path the identity is that of HELO.
    fn bounce(domain: &Domain) -> Self {
        let identity = format!("mail.{}", domain.name);
        Self {
            client: Ipv4Addr::new(198, 18, domain.number as u8, 20).into(),
            helo: identity.clone(),
            mail_from: "<>".to_owned(),
            identity,
            ours: true,
            spf: Spf::Pass,
        }
    }
}
