//! Whether the name servers answer, looked at from time to time: without DNS nothing is judged,
//! and mail would go on as if nothing were wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_dns::resolver::{Resolver, SilentServer};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::current::Current;

/// Between two probes: one packet to each server, more where it does not answer.
const BETWEEN_PROBES: Duration = Duration::from_secs(5);

/// What the last probe found.
#[derive(Default)]
pub struct NameServers {
    last: Mutex<Probe>,
}

/// One probe of all name servers.
#[derive(Clone, Default)]
struct Probe {
    asked: Vec<SocketAddr>,
    silent: Vec<SilentServer>,
}

/// Probes at the start and from then on; each server has a line in the log when it falls silent,
/// and one when it answers again.
pub fn start(current: Arc<Current>, name_servers: Arc<NameServers>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut probes = interval(BETWEEN_PROBES);
        probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            probes.tick().await;
            let resolver = current.get().resolver.clone();
            name_servers.probe(&resolver).await;
        }
    })
}

impl NameServers {
    async fn probe(&self, resolver: &Resolver) {
        let now = Probe {
            asked: resolver.name_servers().to_vec(),
            silent: resolver.silent_servers().await,
        };
        let before = std::mem::replace(&mut *self.last(), now.clone());
        for server in now
            .silent
            .iter()
            .filter(|server| !before.is_silent(server.address))
        {
            tracing::warn!(
                server = %server.address,
                error = %server.error,
                "the name server does not answer: start it, or set dns.name_servers"
            );
        }
        for server in &before.silent {
            if now.asked.contains(&server.address) && !now.is_silent(server.address) {
                tracing::info!(server = %server.address, "the name server answers again");
            }
        }
    }

    /// Those that did not answer the last probe.
    pub fn silent(&self) -> Vec<SocketAddr> {
        self.last().silent.iter().map(|server| server.address).collect()
    }

    /// Each name server of the last probe, and whether it answered.
    pub fn answering(&self) -> Vec<(SocketAddr, bool)> {
        let last = self.last();
        let answers = |&address: &SocketAddr| (address, !last.is_silent(address));
        last.asked.iter().map(answers).collect()
    }

    fn last(&self) -> MutexGuard<'_, Probe> {
        // It is replaced as a whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe {
    fn is_silent(&self, address: SocketAddr) -> bool {
        self.silent.iter().any(|server| server.address == address)
    }
}

#[cfg(test)]
mod tests {
    use landmarc_dns::resolver::ResolverOptions;
    use landmarc_testkit::dns_server::DnsServer;
    use landmarc_testkit::txt_zones;

    use super::*;

    fn resolver(servers: &[SocketAddr]) -> Resolver {
        let options = ResolverOptions {
            name_servers: servers.to_vec(),
            question_timeout: Duration::from_millis(600),
            ..ResolverOptions::default()
        };
        Resolver::new(options).unwrap()
    }

    #[tokio::test]
    async fn name_servers_that_do_not_answer_are_named_until_they_do() {
        let (one, two) = (DnsServer::start(txt_zones(&[])), DnsServer::start(txt_zones(&[])));
        let (first, second) = (one.addr(), two.addr());
        let resolver = resolver(&[first, second]);
        let name_servers = NameServers::default();
        assert!(name_servers.silent().is_empty(), "nothing is known");
        assert!(name_servers.answering().is_empty());
        name_servers.probe(&resolver).await;
        assert!(name_servers.silent().is_empty());
        two.set_silent(true);
        name_servers.probe(&resolver).await;
        assert_eq!(name_servers.silent(), [second]);
        assert_eq!(name_servers.answering(), [(first, true), (second, false)]);
        drop(one);
        name_servers.probe(&resolver).await;
        assert_eq!(name_servers.silent(), [first, second]);
        two.set_silent(false);
        let one = DnsServer::start_at(first, txt_zones(&[]));
        name_servers.probe(&resolver).await;
        assert!(name_servers.silent().is_empty());
        drop(one);
    }

    /// That is about a name, and others may have an answer.
    #[tokio::test]
    async fn an_answer_that_is_a_failure_is_an_answer() {
        use landmarc_auth::lookup::{DnsName, Fault, RecordType, ZoneData, Zones};
        let mut zones = Zones::new();
        let fault = ZoneData::Fault(Fault::ServFail);
        zones.set(DnsName::root(), RecordType::Txt, fault);
        let server = DnsServer::start(zones);
        let name_servers = NameServers::default();
        name_servers.probe(&resolver(&[server.addr()])).await;
        assert!(name_servers.silent().is_empty());
    }
}
