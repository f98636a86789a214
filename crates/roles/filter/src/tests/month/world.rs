//! Who sends mail in the month, what they publish, and by which ways their mail comes.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use landmarc_auth::lookup::Zones;
use landmarc_testkit::random::Random;
use landmarc_testkit::{dns_name, message};

use super::{DAYS, LEARNING_DAYS};

/// When something changes that changes in the month: in its middle.
pub(super) const MIDDLE: u32 = LEARNING_DAYS + (DAYS - LEARNING_DAYS) / 2;
/// When a domain stops signing. The forwarders that begin in the middle are known by then: nobody can tell
/// a domain that stops in this hour, by a forwarder that begins in this hour, from a spoofer.
pub(super) const STOP: u32 = MIDDLE + 5;
/// Providers that send for others, each from one network.
pub(super) const PROVIDERS: usize = 4;
/// Operations of spoofers: one for each of five templates, and one that prepares the others.
pub(super) const OPERATIONS: usize = 6;
/// Look-alike domains that an operation has registered.
pub(super) const LOOK_ALIKES: usize = 5;
/// Domains that one person gets mail from who has it forwarded.
const CORRESPONDENTS: usize = 8;

/// Which of its mail a domain signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// All of it, from hosts of its own.
    Everything,
    /// All of it, and much of it is sent by a provider that its SPF record includes.
    EverythingByProvider,
    /// All of it; the selector changes in the middle.
    Rotates,
    /// All but so many of a thousand, which a forgotten host sends: a printer, a cron job.
    ForgottenHost(u32),
    /// Nine of ten: one of several systems does not sign.
    Mostly,
    /// None: SPF alone.
    SpfOnly,
    /// All of it, by a provider that its SPF record does not include.
    ProviderOnly,
    /// All of it, and too little to know.
    Few,
    /// All of it, from the middle on: there was no such domain before.
    New,
    /// All of it, until it stops.
    Stops,
    /// None, until it begins in the middle.
    Begins,
}

/// How many of a hundred domains have which habit. Most large senders sign all they send; a sixth relies on SPF.
const HABITS: [(Habit, usize); 14] = [
    (Habit::Everything, 30),
    (Habit::EverythingByProvider, 12),
    (Habit::Rotates, 4),
    (Habit::ForgottenHost(1), 3),
    (Habit::ForgottenHost(2), 3),
    (Habit::ForgottenHost(3), 3),
    (Habit::ForgottenHost(4), 3),
    (Habit::Mostly, 8),
    (Habit::SpfOnly, 16),
    (Habit::ProviderOnly, 6),
    (Habit::Few, 4),
    (Habit::New, 2),
    (Habit::Stops, 3),
    (Habit::Begins, 3),
];

/// `p=`, and how many of a hundred domains have it: more are strict among those worth spoofing.
const POLICIES: [(&str, f64); 3] = [("none", 30.0), ("quarantine", 20.0), ("reject", 50.0)];
/// How the SPF record ends, in so many of a hundred.
const ENDINGS: [(&str, f64); 2] = [("-all", 45.0), ("~all", 55.0)];

/// A domain of an honest owner.
#[derive(Debug)]
pub(super) struct Domain {
    pub(super) name: Rc<str>,
    pub(super) policy: &'static str,
    pub(super) habit: Habit,
    /// How much it sends beside the others. Nothing for those that send little: they have a count of their own.
    pub(super) weight: f64,
    number: usize,
    pub(super) provider: usize,
}

impl Domain {
    /// One of its own hosts.
    pub(super) fn host(&self, random: &mut Random) -> IpAddr {
        address(20, self.number, 10 + random.below(4))
    }

    /// The printer.
    pub(super) fn forgotten_host(&self) -> IpAddr {
        address(20, self.number, 77)
    }

    /// Whether it really signs everything, and enough of it to know.
    pub(super) fn signs_everything(&self) -> bool {
        matches!(
            self.habit,
            Habit::Everything | Habit::EverythingByProvider | Habit::Rotates
        )
    }
}

/// What becomes of mail between its author's hosts and us.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) name: Rc<str>,
    pub(super) how: How,
    pub(super) kind: &'static str,
    pub(super) from_day: u32,
    /// The only domains whose mail comes this way; all, where there is none.
    pub(super) only: Vec<usize>,
    pub(super) client: IpAddr,
}

/// What a relay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Forwards with an envelope sender of its own (SRS).
    Srs,
    /// Forwards with the author's envelope sender, and says so in Delivered-To or not.
    Plain { says_so: bool },
    /// Forwards with SRS and changes the body.
    Scanning,
    /// A list that leaves all as it is.
    Intact,
    /// A list that changes Subject and body.
    Changing { signs: bool },
    /// A list that takes signatures away, and changes Subject and body.
    Stripping { signs: bool },
    /// A list that puts itself into From.
    Munging,
    /// A list that changes Subject and body, and seals.
    Sealing,
}

/// The domains and relays of the month, and DNS.
pub(super) struct World {
    pub(super) domains: Vec<Domain>,
    /// Large forwarders and lists, which anybody's mail comes by.
    pub(super) relays: Vec<Relay>,
    /// Forwarders of one person each.
    pub(super) small: Vec<Relay>,
    pub(super) zones: Zones,
    /// Sums of the weights, to choose by.
    sums: Vec<f64>,
}

/// The sealer whose word the operator trusts.
pub(super) const TRUSTED_SEALER: &str = "list-sealed-trusted.example";
/// How the forwarders are called whose one user gets no mail that is signed. Spoofers rent hosts beside them.
pub(super) const UNSIGNED_FORWARDERS: &str = "fwd-unsigned";

impl World {
    pub(super) fn new(random: &mut Random, domains: usize) -> Self {
        let mut world = Self {
            domains: Vec::new(),
            relays: Vec::new(),
            small: Vec::new(),
            zones: Zones::new(),
            sums: Vec::new(),
        };
        world.add_domains(random, domains);
        world.add_large_relays();
        world.add_small_forwarders(random);
        world.add_providers();
        world.add_spoofers();
        let mut sum = 0.0;
        for domain in &world.domains {
            sum += domain.weight;
            world.sums.push(sum);
        }
        world
    }

    /// A domain, each as often as its weight says.
    pub(super) fn any_domain(&self, random: &mut Random) -> usize {
        let end = self.sums.last().copied().unwrap_or_default();
        let at = random.unit() * end;
        self.sums
            .partition_point(|sum| *sum <= at)
            .min(self.sums.len() - 1)
    }

    fn add_domains(&mut self, random: &mut Random, count: usize) {
        let habits = HABITS
            .iter()
            .flat_map(|&(habit, share)| (0..share).map(move |_| habit));
        let habits: Vec<Habit> = habits.collect();
        for number in 0..count {
            // A step that is prime to a hundred: any row of domains has all habits.
            let habit = habits[number * 37 % habits.len()];
            let name: Rc<str> = format!("d{number:03}.example").into();
            let domain = Domain {
                name: Rc::clone(&name),
                policy: random.weighted(&POLICIES),
                habit,
                // The largest send some twenty times what the smallest do.
                weight: match habit {
                    Habit::Few => 0.0,
                    _ => 0.5 + 6.0 / (random.below(count) as f64 / 4.0 + 1.0),
                },
                number,
                provider: random.below(PROVIDERS),
            };
            let hosts = format!("ip4:{}/24", address(20, number, 0));
            let ending = random.weighted(&ENDINGS);
            let spf = match habit {
                Habit::EverythingByProvider => {
                    format!(
                        "v=spf1 {hosts} include:_spf.esp{}.example {ending}",
                        domain.provider
                    )
                }
                Habit::ProviderOnly => format!("v=spf1 {ending}"),
                _ => format!("v=spf1 {hosts} {ending}"),
            };
            self.publish(&name, &spf);
            self.text(
                &format!("_dmarc.{name}"),
                &format!("v=DMARC1; p={}", domain.policy),
            );
            if habit != Habit::SpfOnly {
                self.keys(&name, &["s1", "s2"]);
            }
            self.domains.push(domain);
        }
    }

    fn add_large_relays(&mut self) {
        let relays = [
            ("fwd-srs0", How::Srs, "forwarder with SRS", 0),
            ("fwd-srs1", How::Srs, "forwarder with SRS", 0),
            ("fwd-srs2", How::Srs, "forwarder with SRS", 0),
            (
                "fwd-old0",
                How::Plain { says_so: true },
                "forwarder without SRS, with Delivered-To",
                0,
            ),
            (
                "fwd-old1",
                How::Plain { says_so: false },
                "forwarder without SRS or trace",
                0,
            ),
            ("fwd-scan", How::Scanning, "forwarder that changes the body", 0),
            ("fwd-new", How::Srs, "new forwarder", MIDDLE),
            ("list-intact", How::Intact, "list, changes nothing", 0),
            ("list-changes", How::Changing { signs: false }, "list, changes", 0),
            (
                "list-changes-signs",
                How::Changing { signs: true },
                "list, changes and signs",
                0,
            ),
            (
                "list-strips",
                How::Stripping { signs: false },
                "list, strips signatures",
                0,
            ),
            (
                "list-strips-signs",
                How::Stripping { signs: true },
                "list, strips and signs",
                0,
            ),
            ("list-munges", How::Munging, "list, puts itself into From", 0),
            ("list-sealed", How::Sealing, "list, changes and seals", 0),
            (
                "list-sealed-trusted",
                How::Sealing,
                "list, changes, trusted seal",
                0,
            ),
            (
                "list-new",
                How::Stripping { signs: true },
                "new list, strips and signs",
                MIDDLE,
            ),
            (
                "list-new-strips",
                How::Stripping { signs: false },
                "new list, strips signatures",
                MIDDLE,
            ),
        ];
        for (number, (name, how, kind, from_day)) in relays.into_iter().enumerate() {
            let relay = self.relay(&format!("{name}.example"), how, kind, number);
            self.relays.push(Relay { from_day, ..relay });
        }
    }

    fn add_small_forwarders(&mut self, random: &mut Random) {
        for number in 0..4 {
            let how = if number % 2 == 0 {
                How::Srs
            } else {
                How::Plain { says_so: false }
            };
            let relay = self.relay(
                &format!("fwd-small{number}.example"),
                how,
                "forwarder of one person",
                100 + number,
            );
            let only = (0..CORRESPONDENTS)
                .map(|_| random.below(self.domains.len()))
                .collect();
            let from_day = if number == 3 { MIDDLE } else { 0 };
            self.small.push(Relay {
                only,
                from_day,
                ..relay
            });
        }
        let unsigned = self
            .domains
            .iter()
            .filter(|domain| domain.habit == Habit::SpfOnly);
        let only: Vec<usize> = unsigned
            .map(|domain| domain.number)
            .take(CORRESPONDENTS)
            .collect();
        let ways = [
            How::Srs,
            How::Plain { says_so: true },
            How::Plain { says_so: false },
        ];
        for (number, how) in ways.into_iter().enumerate() {
            let name = format!("{UNSIGNED_FORWARDERS}{number}.example");
            let relay = self.relay(&name, how, "forwarder of mail that nobody signs", 110 + number);
            let only = only.clone();
            self.small.push(Relay { only, ..relay });
        }
    }

    fn relay(&mut self, name: &str, how: How, kind: &'static str, number: usize) -> Relay {
        let client = address(30, number, 25);
        self.publish(name, &format!("v=spf1 ip4:{client} -all"));
        self.keys(name, &["s1"]);
        Relay {
            name: name.into(),
            how,
            kind,
            from_day: 0,
            only: Vec::new(),
            client,
        }
    }

    fn add_providers(&mut self) {
        for number in 0..PROVIDERS {
            let network = format!("v=spf1 ip4:{}/24 -all", provider_host(number, 0));
            self.text(&format!("_spf.esp{number}.example"), &network);
            let name = format!("esp{number}.example");
            self.publish(&name, &network);
            self.keys(&name, &["s1"]);
        }
    }

    /// What spoofers publish is in order.
    fn add_spoofers(&mut self) {
        for number in 0..OPERATIONS {
            let hosts = format!(
                "v=spf1 ip4:{}/16 ip4:50.0.0.0/16 -all",
                address(60 + number, 0, 0)
            );
            let names = (0..LOOK_ALIKES).map(|look| look_alike(number, look));
            for name in names.chain([spoofer(number)]) {
                self.publish(&name, &hosts);
                self.text(&format!("_dmarc.{name}"), "v=DMARC1; p=reject");
                self.keys(&name, &["s1"]);
            }
        }
    }

    /// An SPF record for the name and for the one below it that providers use for bounces.
    fn publish(&mut self, name: &str, spf: &str) {
        self.text(name, spf);
        self.text(&format!("bounce.{name}"), spf);
    }

    fn keys(&mut self, name: &str, selectors: &[&str]) {
        for selector in selectors {
            self.text(&format!("{selector}._domainkey.{name}"), &message::key_record());
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        self.zones.add_txt(dns_name(name), text.as_bytes());
    }
}

/// One of the hosts of a provider, which any of its customers may send from.
pub(super) fn provider_host(provider: usize, host: usize) -> IpAddr {
    address(50, provider, host)
}

/// A host of an operation of spoofers. It rents new ones every ten days.
pub(super) fn spoofing_host(operation: usize, day: u32, host: usize) -> IpAddr {
    address(60 + operation, day as usize / 10, 10 + host)
}

/// The domain of an operation of spoofers.
pub(super) fn spoofer(operation: usize) -> Rc<str> {
    format!("spoofer{operation}.example").into()
}

/// A look-alike domain of an operation of spoofers.
pub(super) fn look_alike(operation: usize, number: usize) -> Rc<str> {
    format!("look-alike{operation}-{number}.example").into()
}

/// The numbers are small, and each of the blocks belongs to one kind of sender.
pub(super) fn address(block: usize, network: usize, host: usize) -> IpAddr {
    let octet = |number: usize| u8::try_from(number % 256).unwrap_or_default();
    Ipv4Addr::new(octet(block), octet(network / 256), octet(network), octet(host)).into()
}
