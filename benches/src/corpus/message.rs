//! One message: drawn, built, signed and damaged.

use landmarc_testkit::random::Random;

use super::content::{body, fields};
use super::envelope::Envelope;
use super::keys::Keys;
use super::signing::{self, Plan};
use super::verdict::{self, Author};
use super::world::{Domain, World};
use super::{Expected, Message, Spf};

/// The message with this number, by a stream of random numbers of its own: whatever the
/// count of messages, it is the same.
pub(super) fn make(seed: u64, index: usize, world: &World, keys: &Keys, pool: &[u8]) -> Message {
    let mut random = Random::new(seed, index as u64);
    let domain = world.draw(&mut random);
    let author = Author::draw(&mut random);
    let author_domain = author.name_at(&domain.name);
    let envelope = Envelope::draw(domain, &mut random);
    let plans = plans(domain, &envelope, keys, &mut random);
    let forged = if random.percent(2.0) {
        1 + random.below(3)
    } else {
        0
    };

    let mut fields = fields(index, &author_domain, &envelope, forged, &mut random);
    let mut body = body(index, pool, &mut random);
    for plan in &plans {
        let field = signing::signed(&fields, &body, plan, &mut random);
        fields.insert(0, field);
    }
    for fault in plans.iter().filter_map(|plan| plan.fault) {
        signing::damage(fault, &mut fields, &mut body);
    }

    let (dmarc, done) = verdict::dmarc(domain.policy, author, &author_domain, &envelope, &plans);
    let made = format!(
        "author {author_domain}, policy {:?}, envelope {} from {} ({:?}), signatures {:?}",
        domain.policy,
        envelope.mail_from,
        envelope.client,
        envelope.spf,
        plans
            .iter()
            .map(|plan| (&plan.owner, plan.selector, plan.fault))
            .collect::<Vec<_>>(),
    );
    Message {
        client: envelope.client,
        helo: envelope.helo,
        mail_from: envelope.mail_from,
        rcpt_to: "<reader@receiver.example>".to_owned(),
        queue_id: format!("4F{index:08X}"),
        fields,
        body,
        expected: Expected {
            spf: envelope.spf,
            dkim: signing::result(&plans),
            dmarc,
            done,
            forged,
        },
        made,
    }
}

fn plans<'a>(domain: &Domain, envelope: &Envelope, keys: &'a Keys, random: &mut Random) -> Vec<Plan<'a>> {
    let mut plans = signing::draw(domain, keys, random);
    // Whoever forges an author can sign for a domain of his own at most.
    let genuine = envelope.ours && envelope.spf == Spf::Pass;
    if !genuine && random.percent(50.0) {
        for plan in &mut plans {
            plan.pass_to_provider(keys, random);
        }
    }
    plans
}
