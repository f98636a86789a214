//! Genuine mail.

use std::rc::Rc;

use landmarc_testkit::random::Random;

use super::recipe::{Recipe, Step};
use super::world::{Domain, Habit, How, MIDDLE, Relay, STOP, World, provider_host};
use super::{Kind, Mail};

/// Of a hundred messages so many come by a forwarder or list that many use.
const RELAYED: f64 = 8.0;
/// Of a hundred messages so many have a signature that is broken at the source.
const BROKEN: f64 = 0.2;
/// Messages that a forwarder of one person brings in a day.
const SMALL_A_DAY: usize = 6;
/// Messages that a domain sends in a day which sends little.
const FEW_A_DAY: f64 = 1.5;
/// Of a hundred messages so many are sent by the provider, where the domain has hosts too.
const BY_PROVIDER: f64 = 60.0;

/// The genuine mail of a day: about so many messages, and those of the small.
pub(super) fn mail(world: &World, day: u32, count: usize, random: &mut Random) -> Vec<Mail> {
    let mut mail = Vec::with_capacity(count);
    while mail.len() < count {
        let domain = &world.domains[world.any_domain(random)];
        mail.extend(message(world, domain, day, random));
    }
    for domain in world.domains.iter().filter(|domain| domain.habit == Habit::Few) {
        for _ in 0..(random.unit() * 2.0 * FEW_A_DAY).round() as usize {
            mail.extend(message(world, domain, day, random));
        }
    }
    for relay in world
        .small
        .iter()
        .filter(|relay| relay.from_day <= day && !relay.only.is_empty())
    {
        for _ in 0..SMALL_A_DAY {
            let domain = &world.domains[relay.only[random.below(relay.only.len())]];
            if is_there(domain, day) {
                mail.push(relayed(&direct(domain, day, random).1, relay));
            }
        }
    }
    mail
}

fn is_there(domain: &Domain, day: u32) -> bool {
    domain.habit != Habit::New || day >= MIDDLE
}

fn message(world: &World, domain: &Domain, day: u32, random: &mut Random) -> Option<Mail> {
    if !is_there(domain, day) {
        return None;
    }
    let (kind, recipe) = direct(domain, day, random);
    if random.percent(RELAYED) {
        let relay = &world.relays[random.below(world.relays.len())];
        return (relay.from_day <= day).then(|| relayed(&recipe, relay));
    }
    Some(Mail::new(Kind::Genuine(kind), recipe))
}

/// As it leaves the hosts of its owner.
fn direct(domain: &Domain, day: u32, random: &mut Random) -> (&'static str, Recipe) {
    let name = || Rc::clone(&domain.name);
    let selector = match domain.habit {
        Habit::Rotates if day >= MIDDLE => "s2",
        _ => "s1",
    };
    let mut recipe = Recipe {
        client: domain.host(random),
        mail_from: name(),
        author: name(),
        steps: vec![Step::Sign(name(), selector)],
    };
    let is_unsigned = match domain.habit {
        Habit::SpfOnly => true,
        Habit::Mostly => random.percent(10.0),
        Habit::Stops => day >= STOP,
        Habit::Begins => day < MIDDLE,
        Habit::ForgottenHost(permille) => random.percent(f64::from(permille) / 10.0),
        _ => false,
    };
    if is_unsigned {
        recipe.steps.clear();
        if matches!(domain.habit, Habit::ForgottenHost(_)) {
            recipe.client = domain.forgotten_host();
        }
        return ("direct, unsigned", recipe);
    }
    match domain.habit {
        Habit::EverythingByProvider if random.percent(BY_PROVIDER) => {
            recipe.client = provider_host(domain.provider, random.below(20));
            recipe.mail_from = format!("bounce.{}", domain.name).into();
        }
        Habit::ProviderOnly => {
            recipe.client = provider_host(domain.provider, random.below(20));
            recipe.mail_from = format!("bounce.esp{}.example", domain.provider).into();
        }
        _ => {}
    }
    if random.percent(BROKEN) {
        recipe.steps.push(Step::NewSubject);
        return ("direct, signature broken", recipe);
    }
    ("direct", recipe)
}

/// As it comes from the relay.
fn relayed(sent: &Recipe, relay: &Relay) -> Mail {
    Mail::new(Kind::Genuine(relay.kind), through(sent, relay))
}

/// What the relay makes of a message.
pub(super) fn through(sent: &Recipe, relay: &Relay) -> Recipe {
    let name = || Rc::clone(&relay.name);
    let mut recipe = sent.clone();
    recipe.client = relay.client;
    recipe.mail_from = name();
    let list_id = || Step::Field("List-Id", format!("<talk.{}>", relay.name));
    let steps: Vec<Step> = match relay.how {
        How::Srs => vec![],
        How::Plain { says_so } => {
            recipe.mail_from = Rc::clone(&sent.mail_from);
            let delivered_to = || Step::Field("Delivered-To", format!("someone@{}", relay.name));
            says_so.then(delivered_to).into_iter().collect()
        }
        How::Scanning => vec![Step::NewBody],
        How::Intact => vec![list_id()],
        How::Changing { signs: false } => vec![Step::NewSubject, Step::NewBody, list_id()],
        How::Changing { signs: true } => {
            vec![
                Step::NewSubject,
                Step::NewBody,
                list_id(),
                Step::Sign(name(), "s1"),
            ]
        }
        How::Stripping { signs } => {
            let sign = signs.then(|| Step::Sign(name(), "s1"));
            let changes = [Step::Strip, Step::NewSubject, Step::NewBody, list_id()];
            changes.into_iter().chain(sign).collect()
        }
        How::Munging => {
            recipe.author = name();
            recipe.steps.clear();
            vec![list_id(), Step::Sign(name(), "s1")]
        }
        How::Sealing => {
            vec![Step::NewSubject, Step::NewBody, list_id(), Step::Seal(name())]
        }
    };
    recipe.steps.extend(steps);
    recipe
}
