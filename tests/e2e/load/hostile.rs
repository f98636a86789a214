//! Mail made to hurt: each has a verdict of its own, costs bounded memory, and holds up nobody.

use std::sync::Arc;

use super::client::{Answer, Client};
use super::letter::{Fate, Letter, REJECT, fate_of, lines, stranger};
use super::traffic::Traffic;
use super::{Scene, all, runtime};
use crate::service::Line;
use crate::world::Signer;

/// Connections that bring the same message at once; fewer where it is slow to tell.
const AT_ONCE: usize = 20;
const FEW_AT_ONCE: usize = 4;
/// Octets of a long header field; those above the longest that the service reads at all.
const LONG: usize = 1_000_000;
const TOO_LONG: usize = 2_000_000;
/// Octets of a long From field, and of the longest that is still read.
const LONG_FROM: usize = 160_000;
const READABLE_FROM: usize = 120_000;
/// Header fields of a message.
const FIELDS: usize = 100_000;
/// Signatures of a message.
const SIGNATURES: usize = 1_000;
/// Large bodies at once, and how large they are: all of them in a full run, one in any.
const BODIES: usize = 50;
const LARGE: usize = 50_000_000;
const SMALLER: usize = 2_000_000;
/// The most that memory may grow, in a build without optimization.
const GROWTH_MIB: u64 = 150;

#[test]
fn header_fields_of_megabytes_are_left_out_and_the_message_is_judged() {
    let mut letter = Letter::from(REJECT);
    letter.fields.push(("X-Long".into(), long(LONG)));
    letter.fields.push(("X-Longer".into(), long(TOO_LONG)));
    let answer = brought_by_many("load-long", letter, AT_ONCE);
    assert_eq!(fate_of(&answer), Some(Fate::Accepted), "{answer:?}");
    assert!(answer.says("dmarc", "pass"), "{answer:?}");
}

#[test]
fn a_hundred_thousand_header_fields_are_judged_by_the_author_among_the_first() {
    let mut letter = Letter::from(REJECT);
    letter.fields.extend(many_fields());
    let answer = brought_by_many("load-fields", letter, FEW_AT_ONCE);
    assert_eq!(fate_of(&answer), Some(Fate::Accepted), "{answer:?}");
    assert!(answer.says("dmarc", "pass"), "{answer:?}");
}

#[test]
fn an_author_behind_a_hundred_thousand_header_fields_is_refused() {
    let mut letter = Letter::from(REJECT);
    letter.fields.splice(0..0, many_fields());
    let answer = brought_by_many("load-last", letter, FEW_AT_ONCE);
    assert_eq!(fate_of(&answer), Some(Fate::Refused), "{answer:?}");
}

#[test]
fn a_second_author_behind_a_hundred_thousand_header_fields_is_refused() {
    let mut letter = Letter::from(REJECT);
    letter.fields.extend(many_fields());
    letter.fields.push(("From".into(), " b@other.example".into()));
    let answer = brought_by_many("load-second", letter, FEW_AT_ONCE);
    assert_eq!(fate_of(&answer), Some(Fate::Refused), "{answer:?}");
}

#[test]
fn of_a_thousand_signatures_ten_keys_are_asked_for() {
    let mut letter = Letter::from(REJECT);
    letter.fields.extend((0..SIGNATURES).map(|number| {
        let value = format!(
            " v=1; a=rsa-sha256; d=d{number}.example; s=s; h=from;\n bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA"
        );
        ("DKIM-Signature".into(), value.into())
    }));
    let (answer, line) = brought_and_logged("load-signatures", letter, AT_ONCE);
    // Ten keys, and what SPF and DMARC take.
    let questions: usize = line.get("questions").parse().expect("a number");
    assert!((10..=20).contains(&questions), "{questions} questions");
    assert_eq!(fate_of(&answer), Some(Fate::Accepted), "{answer:?}");
    assert!(answer.says("dmarc", "pass"), "{answer:?}");
    let listed = answer.results.matches("dkim=").count();
    assert!((10..=100).contains(&listed), "{listed} results are listed");
}

#[test]
fn a_from_field_past_its_limit_is_refused_and_one_below_is_read() {
    for (octets, fate) in [(LONG_FROM, Fate::Refused), (READABLE_FROM, Fate::Accepted)] {
        let mut letter = Letter::from(REJECT);
        letter.fields[0].1 = from_field(octets);
        let answer = brought_by_many("load-from", letter, AT_ONCE);
        assert_eq!(fate_of(&answer), Some(fate), "{octets} octets: {answer:?}");
    }
}

#[test]
fn large_bodies_at_once_are_hashed_as_they_arrive() {
    let is_full = std::env::var_os("LANDMARC_LOAD").is_some_and(|value| value == "full");
    let size = if is_full { LARGE } else { SMALLER };
    if !is_full {
        eprintln!(
            "bodies: {BODIES} of {SMALLER} octets and one of {LARGE}; all of {LARGE} with LANDMARC_LOAD=full"
        );
    }
    let scene = Scene::start("load-bodies", "");
    let before = scene.memory_mib();
    let traffic = Traffic::start(scene.address(), 4);
    for (connections, octets) in [(BODIES, size), (1, LARGE)] {
        let letter = Arc::new(signed_by_a_stranger(octets));
        bring_bodies(&scene, &traffic, &letter, connections);
    }
    let account = traffic.stop();
    account.assert_fates();
    assert!(account.unanswered.is_empty());
    let most = scene.service.memory_kib("VmHWM") / 1024;
    eprintln!(
        "bodies: {before} MiB before, {most} at most, {} in the end",
        scene.memory_mib()
    );
    assert!(most < before + GROWTH_MIB, "{most} MiB");
    scene.assert_no_panic();
}

/// Every second body is changed in its last octet.
fn bring_bodies(scene: &Scene, traffic: &Traffic, letter: &Arc<Letter>, connections: usize) {
    let (runtime, address) = (runtime(), scene.address());
    let half = letter.body.len() / 2;
    let begun = all(
        &runtime,
        (0..connections).map(|number| {
            let letter = Arc::clone(letter);
            async move {
                let mut client = Client::connect(address).await?;
                client.fields(&letter).await?;
                client.end_of_headers().await?;
                client.body(&letter.body[..half]).await?;
                Ok((number, client))
            }
        }),
    );
    // All are half told, and others are served.
    traffic.wait_for_later_ones(50);
    let answers = all(
        &runtime,
        begun.into_iter().map(|(number, mut client)| {
            let letter = Arc::clone(letter);
            async move {
                let (last, rest) = letter.body[half..].split_last().expect("it is large");
                client.body(rest).await?;
                let is_changed = number % 2 == 1;
                // Before the line end, so that no canonicalization takes it away.
                client.body(&[if is_changed { b'?' } else { *last }]).await?;
                Ok((is_changed, client.finish(&letter).await?))
            }
        }),
    );
    for (is_changed, answer) in &answers {
        if *is_changed {
            assert_eq!(fate_of(answer), Some(Fate::Refused), "{answer:?}");
            assert!(answer.reply.contains("body hash differs"), "{answer:?}");
        } else {
            assert_eq!(fate_of(answer), Some(Fate::Accepted), "{answer:?}");
            assert!(answer.says("dkim", "pass"), "{answer:?}");
        }
    }
}

/// A message that only its signature speaks for.
fn signed_by_a_stranger(octets: usize) -> Letter {
    let mut letter = Letter::from(REJECT);
    letter.client = stranger();
    letter.body = lines(octets);
    let mut text = Vec::new();
    for (name, value) in &letter.fields {
        text.extend_from_slice(&[name, &b":"[..], value, b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&letter.body);
    let signed = Signer::relaxed(REJECT).sign(&text);
    let field = &signed[..signed.len() - text.len()];
    let (name, value) = field.split_at(field.iter().position(|octet| *octet == b':').expect("a field"));
    let value = String::from_utf8_lossy(&value[1..])
        .trim_end()
        .replace("\r\n", "\n");
    letter.fields.insert(0, (name.to_vec(), value.into()));
    letter
}

/// Brings the message over many connections at once, all of which are within it at the same
/// time, while others are served; and returns the answer that all got.
#[track_caller]
fn brought_by_many(name: &str, letter: Letter, connections: usize) -> Answer {
    brought_and_logged(name, letter, connections).0
}

/// The same, with a line of the log about it.
#[track_caller]
fn brought_and_logged(name: &str, letter: Letter, connections: usize) -> (Answer, Line) {
    let mut scene = Scene::start(name, "");
    let (runtime, address) = (runtime(), scene.address());
    let before = scene.memory_mib();
    let traffic = Traffic::start(address, 4);
    let letter = Arc::new(letter);
    let within = all(
        &runtime,
        (0..connections).map(|_| {
            let letter = Arc::clone(&letter);
            async move {
                let mut client = Client::connect(address).await?;
                client.fields(&letter).await?;
                Ok(client)
            }
        }),
    );
    traffic.wait_for_later_ones(20);
    let answers = all(
        &runtime,
        within.into_iter().map(|mut client| {
            let letter = Arc::clone(&letter);
            async move {
                client.end_of_headers().await?;
                client.body(&letter.body).await?;
                client.finish(&letter).await
            }
        }),
    );
    let account = traffic.stop();
    account.assert_fates();
    assert!(account.unanswered.is_empty());
    let most = scene.service.memory_kib("VmHWM") / 1024;
    eprintln!(
        "{name}: {before} MiB before, {most} at most, {} in the end",
        scene.memory_mib()
    );
    assert!(most < before + GROWTH_MIB, "{most} MiB");
    assert_eq!(scene.stop(), Some(0));
    scene.assert_no_panic();
    let without_ids = |answer: &Answer| (fate_of(answer), answer.code);
    assert!(
        answers
            .iter()
            .all(|answer| without_ids(answer) == without_ids(&answers[0])),
        "{answers:?}"
    );
    (answers[0].clone(), scene.service.message(&letter.queue_id))
}

fn many_fields() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    (0..FIELDS).map(|number| (format!("X-{number}").into(), format!(" {number}").into()))
}

fn long(octets: usize) -> Vec<u8> {
    [b" ", &*vec![b'x'; octets]].concat()
}

/// An author with so much of a comment.
fn from_field(octets: usize) -> Vec<u8> {
    let comment = "c".repeat(octets);
    format!(" a@{REJECT} ({comment})").into()
}
