//! `kill -9` under load: what was answered is written down, once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Scene;
use super::letter::number_of_queue_id;
use super::random::Random;
use super::traffic::Traffic;
use super::written::Written;

/// How often the service is killed.
const KILLS: usize = 20;
/// The longest that it lives, in milliseconds, after its start or after its first message.
const LONGEST_LIFE: usize = 400;
/// Connections that send.
const CONNECTIONS: usize = 8;
/// What the service says at debug of each message that was answered before its record was on disk
/// (decision D13).
const LATE: &str = "answered before it was written down";

#[test]
fn after_twenty_kills_every_answered_message_is_in_the_store_once() {
    let mut random = Random::seeded("kill");
    let mut scene = Scene::start("load-kill", "log.level = \"debug\"\n");
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    for round in 0..KILLS {
        // Every second life may end in its start.
        if round % 2 == 0 {
            traffic.wait_for_later_ones(1);
        }
        let more = u64::try_from(random.below(LONGEST_LIFE)).unwrap_or(0);
        std::thread::sleep(Duration::from_millis(more));
        scene.service.kill();
        scene.service.start_again_unawaited();
    }
    traffic.wait_for_later_ones(100);
    scene.service.kill();
    let account = traffic.stop();
    account.assert_fates();

    // First as the last kill has left it.
    let written = Written::read(&scene.service.database());
    let late = late_ones(&scene, &written.missing(&account));
    eprintln!(
        "kill: {} answered, {} unanswered, {} answered late, {} of those lost",
        account.answered.len(),
        account.unanswered.len(),
        late.len(),
        written.missing(&account).len()
    );
    written.assert_nothing_twice();
    scene.service.start_again();
    assert_eq!(scene.stop(), Some(0));
    assert_eq!(Written::read(&scene.service.database()), written);
    scene.assert_no_panic();
}

/// The messages that were answered late. Only they may be missing.
#[track_caller]
fn late_ones(scene: &Scene, missing: &BTreeSet<u64>) -> BTreeSet<u64> {
    let late: BTreeSet<u64> = scene.service.log().iter().filter_map(|line| late(line)).collect();
    let lost: Vec<_> = missing.difference(&late).collect();
    assert_eq!(lost, Vec::<&u64>::new(), "answered in time, and lost");
    late
}

fn late(line: &str) -> Option<u64> {
    let (_, fields) = line.split_once(LATE)?;
    let (_, queue_id) = fields.split_once("queue_id=")?;
    number_of_queue_id(queue_id.split(' ').next()?)
}
