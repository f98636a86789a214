//! Connections that speak no milter protocol, or half of it: they end, and nobody else notices.

use std::io;
use std::net::SocketAddr;

use tokio::task::JoinSet;

use super::client::{Client, is_end};
use super::letter::{Letter, REJECT};
use super::packets::Packets;
use super::random::Random;
use super::traffic::Traffic;
use super::written::Written;
use super::{Scene, runtime};

/// Connections that misbehave, of each kind.
const OF_EACH_KIND: usize = 300;
/// Of them at one time.
const AT_A_TIME: usize = 100;
/// The most octets of noise.
const NOISE: usize = 20_000;
/// Codes of packets that the protocol has.
const CODES: &[u8] = b"ODCHMRTLNBEAQKU";

/// How a connection misbehaves.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Noise from the first octet on.
    Noise,
    /// Noise after the negotiation.
    NoiseLater,
    /// A packet that says it is as long as can be, or of no length at all.
    Length,
    /// A message that breaks off anywhere.
    Truncated,
    /// A message with some octets changed, lengths and codes among them.
    Changed,
    /// Packets that may come, in an order in which they may not.
    Disorder,
}

const KINDS: [Kind; 6] = [
    Kind::Noise,
    Kind::NoiseLater,
    Kind::Length,
    Kind::Truncated,
    Kind::Changed,
    Kind::Disorder,
];

#[test]
fn malformed_and_truncated_packets_end_their_sessions_and_harm_no_other() {
    let mut random = Random::seeded("malformed");
    let mut scene = Scene::start("load-malformed", "");
    let address = scene.address();
    let before = scene.memory_mib();
    let traffic = Traffic::start(address, 4);
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for kind in KINDS.iter().cycle().take(KINDS.len() * OF_EACH_KIND) {
            if tasks.len() == AT_A_TIME {
                check(tasks.join_next().await.expect("there are some").unwrap());
            }
            tasks.spawn(misbehave(address, *kind, random.branch()));
        }
        tasks.join_all().await.into_iter().for_each(check);
    });
    traffic.wait_for_later_ones(100);
    let account = traffic.stop();
    let memory = scene.service.memory_kib("VmHWM") / 1024;
    eprintln!("malformed: {before} MiB before, {memory} at most");
    assert!(memory < before + 100, "{memory} MiB");
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    assert!(account.unanswered.is_empty(), "{:?}", account.unanswered);
    assert_eq!(account.no_connection, 0);
    Written::read(&scene.service.database()).assert_holds(&account);
    scene.assert_no_panic();
}

#[track_caller]
fn check((kind, outcome): (Kind, io::Result<()>)) {
    if let Err(error) = outcome {
        panic!("{kind:?}: {error}");
    }
}

/// Says what it has to say, says no more, and waits until the service has had enough.
async fn misbehave(address: SocketAddr, kind: Kind, mut random: Random) -> (Kind, io::Result<()>) {
    let outcome = async {
        let mut client = match kind {
            Kind::NoiseLater => Client::connect(address).await?,
            _ => Client::open(address).await?,
        };
        client.out.0 = octets(kind, &mut random);
        // It may have had enough before it has heard all.
        client
            .flush()
            .await
            .or_else(|error| if is_end(&error) { Ok(()) } else { Err(error) })?;
        client.hang_up().await;
        client.ends().await
    };
    (kind, outcome.await)
}

fn octets(kind: Kind, random: &mut Random) -> Vec<u8> {
    match kind {
        Kind::Noise | Kind::NoiseLater => {
            let count = random.below(NOISE);
            random.octets(count)
        }
        Kind::Length => {
            let mut packets = message();
            packets.0.truncate(random.below(packets.0.len()));
            // Behind whole packets, or within one.
            let length = [0, 1 << 20, 1 << 24, 1 << 31, u32::MAX - 1, u32::MAX][random.below(6)];
            packets.0.extend(length.to_be_bytes());
            packets.0.push(CODES[random.below(CODES.len())]);
            let count = random.below(NOISE);
            packets.0.extend(random.octets(count));
            packets.0
        }
        Kind::Truncated => {
            let mut packets = message();
            packets.0.truncate(random.below(packets.0.len()));
            packets.0
        }
        Kind::Changed => {
            let mut packets = message();
            for _ in 0..=random.below(8) {
                let place = random.below(packets.0.len());
                packets.0[place] = random.octets(1)[0];
            }
            packets.0
        }
        Kind::Disorder => {
            let mut packets = Packets::default();
            packets.offer();
            for _ in 0..random.below(40) {
                let count = random.below(60);
                packets.add(CODES[random.below(CODES.len())], &[&random.octets(count)]);
            }
            packets.0
        }
    }
}

/// A whole message, such as nobody else sends in this test.
fn message() -> Packets {
    let mut letter = Letter::from(REJECT);
    letter.client = [203, 0, 113, 9].into();
    Packets::whole(&letter)
}
