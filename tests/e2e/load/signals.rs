//! Reloads, the end and the next start under load: no message is refused, lost or written twice.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use nix::sys::signal::Signal;

use super::client::{Answer, Client};
use super::letter::Letter;
use super::traffic::Traffic;
use super::written::Written;
use super::{Scene, runtime, wait_for, with_common};

/// Connections that send.
const CONNECTIONS: usize = 8;
/// Reloads that are waited for, and those that come as fast as they can be asked for.
const RELOADS: usize = 30;
const RELOADS_AT_ONCE: usize = 300;
/// Messages that are half told when the service is asked to stop.
/// The traffic does not come to their numbers.
const UNDER_WAY: Range<u64> = 1_000_000_000..1_000_000_050;

#[test]
fn reloads_under_load_refuse_lose_and_repeat_no_message() {
    let mut scene = Scene::start("load-reload", "");
    let traffic = Traffic::start(scene.address(), CONNECTIONS);
    for round in 0..RELOADS {
        // Every third has a mistake in it; the others change the resolver, and with it the cache.
        let (settings, words) = match round % 3 {
            0 => ("dns.cache_entries = 100\n", "configuration reloaded"),
            1 => (
                "dns.cache_entries = 200\nspf.helo_check = false\n",
                "configuration reloaded",
            ),
            _ => (
                "dns.cache_entries = \"many\"\nno such key",
                "not reloaded, the old settings stay",
            ),
        };
        let line = scene.service.reload(&with_common(settings));
        assert!(line.contains(words), "{line}");
        traffic.wait_for_later_ones(5);
    }
    scene.service.configure(&with_common("dns.cache_entries = 300\n"));
    for _ in 0..RELOADS_AT_ONCE {
        scene.service.signal(Signal::SIGHUP);
    }
    traffic.wait_for_later_ones(100);
    let account = traffic.stop();
    assert_eq!(scene.stop(), Some(0));

    account.assert_fates();
    assert_eq!((account.unanswered.len(), account.no_connection), (0, 0));
    Written::read(&scene.service.database()).assert_holds(&account);
    scene.assert_no_panic();
}

#[test]
fn a_stop_under_load_lets_messages_end_and_the_next_start_goes_on() {
    let mut scene = Scene::start("load-stop", "");
    let address = scene.address();
    let runtime = runtime();
    let traffic = Traffic::start_endless(address, CONNECTIONS);
    let begun: Vec<_> = UNDER_WAY
        .map(|number| {
            (
                number,
                runtime.block_on(HalfTold::begin(address, number)).unwrap(),
            )
        })
        .collect();
    // So that the service has heard of all of them.
    traffic.wait_for_later_ones(100);

    scene.service.terminate();
    scene
        .service
        .wait_for_line("stopping: messages under way may end");
    let refused = wait_for(|| runtime.block_on(Client::open(address)).err());
    assert_eq!(
        refused.map(|error| error.kind()),
        Some(io::ErrorKind::ConnectionRefused)
    );
    let ended: Vec<_> = begun
        .into_iter()
        .map(|(number, message)| (number, runtime.block_on(message.end()).unwrap()))
        .collect();
    // The traffic goes on all the while: whoever keeps on talking does not keep the service up.
    assert_eq!(scene.service.wait_for_end().code(), Some(0));
    let last = scene.service.wait_for_line("cut=");
    assert!(last.ends_with("cut=0"), "{last}");
    let mut account = traffic.stop();
    eprintln!(
        "stop: {} answered, {} begun too late",
        account.answered.len(),
        account.unanswered.len()
    );
    account.answered.extend(ended);
    account.assert_fates();
    Written::read(&scene.service.database()).assert_holds(&account);

    scene.service.start_again();
    let traffic = Traffic::resume(account, address, CONNECTIONS);
    traffic.wait_for_more(100);
    let account = traffic.stop();
    assert_eq!(scene.stop(), Some(0));
    account.assert_fates();
    Written::read(&scene.service.database()).assert_holds(&account);
    scene.assert_no_panic();
}

/// A message of which the second half of the body is missing.
struct HalfTold {
    client: Client,
    letter: Letter,
}

impl HalfTold {
    async fn begin(address: SocketAddr, number: u64) -> io::Result<Self> {
        let (mut client, letter) = (Client::connect(address).await?, Letter::numbered(number));
        client.fields(&letter).await?;
        client.end_of_headers().await?;
        client.body(&letter.body[..letter.body.len() / 2]).await?;
        Ok(Self { client, letter })
    }

    async fn end(mut self) -> io::Result<Answer> {
        self.client
            .body(&self.letter.body[self.letter.body.len() / 2..])
            .await?;
        self.client.finish(&self.letter).await
    }
}
