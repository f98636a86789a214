//! The service under load and misfortune, over the milter protocol: what it answers, what it
//! writes down, and what it costs, while processes are killed, disks fill up and strangers say
//! what they like.
//!
//! Nothing here is timed. Waits have deadlines only so that what hangs is seen to. Figures that
//! are printed (memory, counts) are for whoever reads them; those that are asserted leave room
//! for builds without optimization.

mod client;
mod crowds;
mod hostile;
mod kill;
mod letter;
mod malformed;
mod packets;
pub(crate) mod random;
mod signals;
mod traffic;
mod trouble;
mod written;

use std::io;
use std::net::SocketAddr;

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::tools;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::http::{ANY_PORT, metrics, port, wait_until_started};
use crate::service::{Service, Socket};

/// The service with its DNS server, and the settings beside those of every test.
struct Scene {
    service: Service,
    /// Of its metrics.
    port: SocketAddr,
    _dns: DnsServer,
}

impl Scene {
    fn start(name: &str, settings: &str) -> Self {
        let dns = DnsServer::start(letter::zones());
        let settings = with_common(settings);
        let service = Service::start(name, Socket::Inet, dns.addr(), &settings);
        let port = port(&service);
        wait_until_started(port);
        Self {
            service,
            port,
            _dns: dns,
        }
    }

    /// Where the service listens.
    fn address(&self) -> SocketAddr {
        let address = self.service.milter().strip_prefix("inet:");
        address
            .and_then(|address| address.parse().ok())
            .expect("inet:127.0.0.1:PORT")
    }

    /// A figure of its metrics, by name and labels.
    #[track_caller]
    fn figure(&self, name: &str) -> usize {
        let figures = metrics(self.port);
        let figure = figures.get(name).unwrap_or_else(|| panic!("no {name}"));
        format!("{figure:.0}").parse().expect("figures are not negative")
    }

    /// Waits until all that is to be written down is on disk.
    #[track_caller]
    fn wait_until_written(&self) {
        let waits = || self.figure("landmarc_store_queue_length") == 0;
        assert!(
            wait_for(|| waits().then_some(())).is_some(),
            "records still wait in memory"
        );
    }

    /// Waits until the store takes what it is given (1), or does not (0).
    #[track_caller]
    fn wait_until_store_up(&self, up: usize) {
        let seen = wait_for(|| (self.figure("landmarc_store_up") == up).then_some(()));
        assert!(seen.is_some(), "landmarc_store_up is not {up}");
    }

    /// Its resident memory.
    fn memory_mib(&self) -> u64 {
        self.service.memory_kib("VmRSS") / 1024
    }

    /// Stops it as its manager would, and tells its exit code.
    fn stop(&mut self) -> Option<i32> {
        self.service.terminate();
        self.service.wait_for_end().code()
    }

    /// Asserts that nothing in the service ended in a panic.
    #[track_caller]
    fn assert_no_panic(&self) {
        let log = self.service.log();
        let panics: Vec<_> = log
            .iter()
            .filter(|line| line.contains("panic") || line.contains("a bug"))
            .collect();
        assert_eq!(panics, Vec::<&String>::new());
    }
}

/// Settings with those that each test needs.
fn with_common(settings: &str) -> String {
    format!("{ANY_PORT}{}{settings}", letter::SETTINGS)
}

/// Looks until there is something to see, for so long that only what hangs is given up, also
/// where many other tests run.
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    const TIMES: usize = 4;
    (0..TIMES).find_map(|_| tools::wait_for(&mut look))
}

/// What the clients of a test run on: one thread, for the rest belongs to the service.
fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime needs only a thread")
}

/// Does all of it, some at a time.
#[track_caller]
fn all<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Iterator<Item = impl Future<Output = io::Result<T>> + Send + 'static>,
) -> Vec<T> {
    const AT_A_TIME: usize = 200;
    let done = runtime.block_on(async {
        let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
        for one in work {
            if tasks.len() == AT_A_TIME {
                done.extend(tasks.join_next().await);
            }
            tasks.spawn(one);
        }
        done.extend(tasks.join_all().await.into_iter().map(Ok));
        done
    });
    done.into_iter().map(|done| done.unwrap().unwrap()).collect()
}
