//! Whether the corpus is what it says.

use landmarc_testkit::random::Random;

use super::*;

/// With short bodies, which is what takes time.
fn corpus(seed: u64, count: usize) -> Corpus {
    Corpus::with_pool(seed, count, &Keys::read().unwrap(), &text_pool(seed, 4096))
}

fn text(message: &Message) -> String {
    format!("{message:?}")
}

#[test]
fn a_seed_makes_the_same_messages_whatever_their_number() {
    let (few, more, other) = (corpus(7, 12), corpus(7, 20), corpus(8, 12));
    for (one, same) in few.messages.iter().zip(&more.messages) {
        assert_eq!(text(one), text(same));
    }
    assert_eq!(few.zone, more.zone);
    let differ = few.messages.iter().zip(&other.messages);
    assert!(differ.clone().all(|(one, other)| text(one) != text(other)));
    assert_ne!(few.zone, other.zone);
}

#[test]
fn every_kind_of_verdict_is_among_a_few_hundred() {
    let corpus = corpus(1, 400);
    let count = |is: &dyn Fn(&Expected) -> bool| {
        let found = corpus.messages.iter().filter(|message| is(&message.expected));
        found.count() * 100 / corpus.messages.len()
    };
    assert!((65..80).contains(&count(&|e| e.spf == Spf::Pass)));
    assert!((65..82).contains(&count(&|e| e.dkim == Dkim::Pass)));
    assert!((50..70).contains(&count(&|e| e.dmarc == Dmarc::Pass)));
    for spf in [Spf::None, Spf::Fail, Spf::SoftFail, Spf::Neutral, Spf::PermError] {
        assert!(corpus.messages.iter().any(|m| m.expected.spf == spf), "{spf:?}");
    }
    for dkim in [Dkim::None, Dkim::Broken] {
        assert!(
            corpus.messages.iter().any(|m| m.expected.dkim == dkim),
            "{dkim:?}"
        );
    }
    for done in [Done::Accept, Done::Quarantine, Done::Reject] {
        assert!(
            corpus.messages.iter().any(|m| m.expected.done == done),
            "{done:?}"
        );
    }
    assert!(corpus.messages.iter().any(|m| m.expected.forged > 0));
}

#[test]
fn a_signature_that_is_to_pass_has_its_key_in_the_zone() {
    let corpus = corpus(1, 200);
    for message in corpus.messages.iter().filter(|m| m.expected.dkim == Dkim::Pass) {
        let found = message.fields.iter().filter(|(name, _)| name == "DKIM-Signature");
        let names = found.map(|(_, value)| {
            let value = String::from_utf8_lossy(value).replace(['\n', '\t', ' '], "");
            let tag = |name: &str| {
                value
                    .split(';')
                    .find_map(|tag| tag.strip_prefix(name))
                    .unwrap()
                    .to_owned()
            };
            format!("{}._domainkey.{}", tag("s="), tag("d="))
        });
        let mut names = names.peekable();
        assert!(names.peek().is_some(), "{}", message.made);
        assert!(names.any(|name| corpus.zone.has_txt(&name)), "{}", message.made);
    }
}

#[test]
fn domains_send_as_zipf_says() {
    let world = World::new(1, &Keys::read().unwrap());
    let mut random = Random::new(1, 0);
    let mut counts = vec![0_usize; 200];
    for _ in 0..20_000 {
        counts[world.draw(&mut random).number] += 1;
    }
    // The first of 200 sends 17 % of all, and twice what the second does.
    assert!((3_100..3_700).contains(&counts[0]), "{}", counts[0]);
    assert!((1_500..1_900).contains(&counts[1]), "{}", counts[1]);
}
