//! Spoofs, and what is sent to make the table believe what is not so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use landmarc_testkit::random::Random;

use super::honest::through;
use super::recipe::{Recipe, Step};
use super::world::{
    Domain, Habit, LOOK_ALIKES, OPERATIONS, UNSIGNED_FORWARDERS, World, address, look_alike, provider_host,
    spoofer, spoofing_host,
};
use super::{Kind, Mail};

/// How spoofs are made, and how many of a hundred are made so.
const TEMPLATES: [(Template, f64); 11] = [
    (Template::OwnEnvelope, 28.0),
    (Template::VictimEnvelope, 25.0),
    (Template::Decorated(Junk::Signature), 4.0),
    (Template::Decorated(Junk::MadeUpSelector), 4.0),
    (Template::Decorated(Junk::ListId), 4.0),
    (Template::Decorated(Junk::DeliveredTo), 4.0),
    (Template::Decorated(Junk::Arc), 4.0),
    (Template::OwnSignature, 6.0),
    (Template::OwnSignedList, 4.0),
    (Template::RealSelector, 2.0),
    (Template::Botnet, 15.0),
];

#[derive(Clone, Copy, Debug)]
enum Template {
    /// From few hosts, with an envelope sender of his own that passes SPF.
    OwnEnvelope,
    /// From few hosts, the victim in MAIL FROM too.
    VictimEnvelope,
    /// With one field of junk each, from hosts of his own.
    Decorated(Junk),
    /// Signed by a domain of his own.
    OwnSignature,
    /// Signed by a domain of his own, List-Id and all.
    OwnSignedList,
    /// With a signature of nothing that names a key of the victim.
    RealSelector,
    /// Each from another network.
    Botnet,
}

#[derive(Clone, Copy, Debug)]
enum Junk {
    Signature,
    MadeUpSelector,
    ListId,
    DeliveredTo,
    Arc,
}

impl Junk {
    fn steps(self, victim: &str, own: &str) -> Vec<Step> {
        let field = |name, value: &str| Step::Field(name, value.to_owned());
        match self {
            Self::Signature => vec![field("DKIM-Signature", "foo")],
            Self::MadeUpSelector => vec![signature_of_nothing(victim, "made-up")],
            Self::ListId => vec![field("List-Id", &format!("<news.{own}>"))],
            Self::DeliveredTo => vec![field("Delivered-To", &format!("someone@{own}"))],
            Self::Arc => vec![
                field(
                    "ARC-Seal",
                    &format!("i=1; a=rsa-sha256; cv=none; d={own}; s=s1; b=QUJD"),
                ),
                field(
                    "ARC-Message-Signature",
                    &format!(
                        "i=1; a=rsa-sha256; c=relaxed/relaxed; d={own}; s=s1; h=from; bh={BODY}; b=QUJD"
                    ),
                ),
                field(
                    "ARC-Authentication-Results",
                    &format!("i=1; mx.{own}; dmarc=pass header.from={victim}"),
                ),
            ],
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Signature => "decorated: DKIM-Signature: foo",
            Self::MadeUpSelector => "decorated: signature without a key",
            Self::ListId => "decorated: List-Id",
            Self::DeliveredTo => "decorated: Delivered-To",
            Self::Arc => "decorated: ARC set of rubbish",
        }
    }
}

/// The hash of no body in particular.
const BODY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn signature_of_nothing(domain: &str, selector: &str) -> Step {
    let value = format!(
        "v=1; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from; bh={BODY}; b=QUJD"
    );
    Step::Field("DKIM-Signature", value)
}

/// The spoofs of a day.
pub(super) fn spoofs(world: &World, day: u32, count: usize, random: &mut Random) -> Vec<Mail> {
    let one = |_| {
        let number = random.below(world.domains.len());
        let (template, victim) = (random.weighted(&TEMPLATES), &world.domains[number]);
        let (kind, recipe) = spoof(template, victim, day, random);
        Mail::of_victim(Kind::Spoof(kind), recipe, number)
    };
    (0..count).map(one).collect()
}

fn spoof(template: Template, victim: &Domain, day: u32, random: &mut Random) -> (&'static str, Recipe) {
    let name = || Rc::clone(&victim.name);
    let host = random.below(3);
    let plain = |operation: usize| Recipe {
        client: spoofing_host(operation, day, host),
        mail_from: spoofer(operation),
        author: name(),
        steps: Vec::new(),
    };
    match template {
        Template::OwnEnvelope => ("plain, own envelope sender", plain(0)),
        Template::VictimEnvelope => {
            let recipe = Recipe {
                mail_from: name(),
                ..plain(1)
            };
            ("victim in MAIL FROM too", recipe)
        }
        Template::Decorated(junk) => {
            let mut recipe = plain(2);
            recipe.steps = junk.steps(&victim.name, &spoofer(2));
            if random.percent(50.0) {
                recipe.mail_from = name();
            }
            (junk.kind(), recipe)
        }
        Template::OwnSignature => {
            let mut recipe = plain(3);
            recipe.steps = vec![Step::Sign(spoofer(3), "s1")];
            ("signed by a domain of his own", recipe)
        }
        Template::OwnSignedList => {
            let mut recipe = plain(3);
            let list_id = Step::Field("List-Id", format!("<news.{}>", spoofer(3)));
            recipe.steps = vec![list_id, Step::Sign(spoofer(3), "s1")];
            ("signed by a domain of his own, with List-Id", recipe)
        }
        Template::RealSelector => {
            let mut recipe = plain(4);
            recipe.steps = vec![signature_of_nothing(&victim.name, "s1")];
            ("signature of nothing with a key of the victim", recipe)
        }
        Template::Botnet => {
            let mut recipe = plain(0);
            recipe.client = address(80 + random.below(100), random.below(65_536), random.below(256));
            if random.percent(50.0) {
                recipe.mail_from = name();
            } else {
                recipe.mail_from = format!("pool{}.example", random.below(1_000)).into();
            }
            ("botnet", recipe)
        }
    }
}

/// Messages of each attempt in a day.
const A_DAY: usize = 12;
/// Messages of a burst, and the days of them.
const BURST: usize = 300;
const BURST_DAYS: [u32; 2] = [5, 20];

/// What is sent in a day to move the figures.
pub(super) fn poison(world: &World, day: u32, random: &mut Random) -> Vec<Mail> {
    let mut mail = Vec::new();
    for _ in 0..A_DAY {
        mail.extend(replay(world, day, random));
        mail.push(of_look_alike(day, random));
        mail.push(beside_a_customer(world, random));
        mail.push(through_a_forwarder(world, day, random));
        mail.push(next_door(world, random));
    }
    if BURST_DAYS.contains(&day) {
        mail.extend((0..BURST).filter_map(|_| backdated(world, day, random)));
    }
    mail
}

fn poisonous(kind: &'static str, recipe: Recipe) -> Mail {
    Mail::new(Kind::Poison(kind), recipe)
}

/// A genuine message that is signed, of a domain that does not sign all of its mail, sent again by
/// the spoofer: as if that domain signed more than it does.
fn replay(world: &World, day: u32, random: &mut Random) -> Option<Mail> {
    let signs_some = |domain: &&Domain| matches!(domain.habit, Habit::Mostly | Habit::Stops | Habit::Begins);
    let some: Vec<&Domain> = world.domains.iter().filter(signs_some).collect();
    let domain = some.get(random.below(some.len()))?;
    let recipe = Recipe {
        client: spoofing_host(OPERATIONS - 1, day, random.below(3)),
        mail_from: spoofer(OPERATIONS - 1),
        author: Rc::clone(&domain.name),
        steps: vec![Step::Sign(Rc::clone(&domain.name), "s1")],
    };
    Some(poisonous("signed message sent again", recipe))
}

/// The same, many at once, with a Date of a month ago: as if it were an old habit.
fn backdated(world: &World, day: u32, random: &mut Random) -> Option<Mail> {
    let mut mail = replay(world, day, random)?;
    let recipe = Rc::make_mut(&mut mail.recipe);
    let date = Step::Field("Date", "Sat, 14 Oct 2023 22:13:20 +0000".to_owned());
    recipe.steps.insert(0, date);
    Some(Mail {
        kind: Kind::Poison("burst with a Date long ago"),
        ..mail
    })
}

/// Mail that passes, of a domain that looks like others, from the hosts that spoof.
fn of_look_alike(day: u32, random: &mut Random) -> Mail {
    let operation = random.below(OPERATIONS);
    let name = look_alike(operation, random.below(LOOK_ALIKES));
    let recipe = Recipe {
        client: spoofing_host(operation, day, random.below(3)),
        mail_from: Rc::clone(&name),
        author: Rc::clone(&name),
        steps: vec![Step::Sign(name, "s1")],
    };
    poisonous("look-alike domain that passes", recipe)
}

/// Spoofs by a customer of the provider that the victims send by: as if its hosts were a spoofer's.
fn beside_a_customer(world: &World, random: &mut Random) -> Mail {
    let victim = &world.domains[random.below(world.domains.len())];
    let recipe = Recipe {
        client: provider_host(random.below(4), random.below(20)),
        mail_from: spoofer(OPERATIONS - 1),
        author: Rc::clone(&victim.name),
        steps: Vec::new(),
    };
    poisonous("spoof from the hosts of a provider", recipe)
}

/// Spoofs to those who have their mail forwarded: as if the forwarder were a spoofer.
fn through_a_forwarder(world: &World, day: u32, random: &mut Random) -> Mail {
    let victim = &world.domains[random.below(world.domains.len())];
    let (_, recipe) = spoof(Template::OwnEnvelope, victim, day, random);
    let forwarders = world.relays.iter().filter(|relay| relay.name.starts_with("fwd"));
    let forwarders: Vec<_> = forwarders.chain(&world.small).collect();
    let relay = forwarders[random.below(forwarders.len())];
    poisonous("spoof through a forwarder", through(&recipe, relay))
}

/// Spoofs from a host that is rented in the network of a small forwarder.
fn next_door(world: &World, random: &mut Random) -> Mail {
    let victim = &world.domains[random.below(world.domains.len())];
    let forwarders = world.small.iter();
    let forwarders: Vec<_> = forwarders
        .filter(|relay| relay.name.starts_with(UNSIGNED_FORWARDERS))
        .collect();
    let recipe = Recipe {
        client: beside(forwarders[random.below(forwarders.len())].client),
        mail_from: Rc::clone(&victim.name),
        author: Rc::clone(&victim.name),
        steps: Vec::new(),
    };
    poisonous("spoof from next door to a forwarder", recipe)
}

fn beside(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) + 1).into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) + 1).into(),
    }
}
