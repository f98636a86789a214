//! The HTTP port: its pages, put together from all roles.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::limits::WebLimits;
use crate::pages::MonitoringSite;
use crate::server::WebServer;
use crate::status::{Health, PartHealth, ServiceReadiness, Status};
use landmarc_net::{ListenError, SocketAddress};
use landmarc_settings::Settings;
use landmarc_store::{Recorder, RecorderState};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::metrics::{Metrics, Sources};
use landmarc_filter::Filter;
use landmarc_filter::seen::SeenMail;
use landmarc_runtime::current::Current;
use landmarc_runtime::name_servers::NameServers;

/// Opens the ports of the settings; there may be none.
///
/// # Errors
/// With the address, the cause, and what to do about it.
pub async fn bind(settings: &Settings) -> Result<WebServer, ListenError> {
    let addresses: Vec<SocketAddr> = settings.web.listen.iter().map(|address| address.0).collect();
    WebServer::bind(&addresses, WebLimits::default()).await
}

/// File descriptors that the ports of the settings may take.
pub fn descriptors(settings: &Settings) -> usize {
    match settings.web.listen.len() {
        0 => 0,
        ports => ports + WebLimits::default().connections,
    }
}

/// Answers on the ports, from now until [`Serving::end`].
pub fn serve(server: WebServer, settings: &Settings, board: Arc<Board>) -> Serving {
    let host_names = settings.web.host_names.iter().map(ToString::to_string);
    let site = MonitoringSite::new(board, host_names);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(site, async move {
        // A sender that is gone is told, too.
        let _ = stopped.await;
    }));
    Serving { stop, task }
}

/// Ports that are being answered on.
pub struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Closes the ports. To be called last, so that the end can be watched.
    pub async fn end(self) {
        // Both fail only when it has ended by a panic, which has been told.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Where the service writes how it is, for those who ask.
pub struct Board {
    metrics: Arc<Metrics>,
    service: RwLock<Service>,
}

/// The life of the service.
enum Service {
    Starting,
    Running(Parts),
    Stopping(Parts),
    Ended,
}

/// The parts that are asked how they are.
pub struct Parts {
    /// The settings and the resolver.
    pub current: Arc<Current>,
    /// What judges messages.
    pub filter: Arc<Filter>,
    /// What the records of the last days show.
    pub seen: Arc<SeenMail>,
    /// What writes records.
    pub recorder: Arc<Recorder>,
    /// What the milter server has done.
    pub milter: landmarc_milter::Gauge,
    /// Where mail servers connect to.
    pub sockets: Vec<SocketAddress>,
    /// Which name servers answer.
    pub name_servers: Arc<NameServers>,
}

impl Board {
    /// Of a service that is being started.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            service: RwLock::new(Service::Starting),
        }
    }

    /// The service takes mail.
    pub fn running(&self, parts: Parts) {
        self.change(|_| Service::Running(parts));
    }

    /// No new mail is taken.
    pub fn stopping(&self) {
        self.change(|service| match service {
            Service::Running(parts) => Service::Stopping(parts),
            other => other,
        });
    }

    /// The last message is over. Lets go of the parts.
    pub fn ended(&self) {
        self.change(|_| Service::Ended);
    }

    /// Decision D34: mail goes on under the old ones.
    fn settings(&self) -> Health {
        match self.metrics.reloads.is_current() {
            true => Health::Ok,
            false => Health::Degraded("not reloaded, the old ones stay: see the log".to_owned()),
        }
    }

    fn change(&self, next: impl FnOnce(Service) -> Service) {
        // A poisoned lock guards a value that is whole all the same; here and below.
        let mut service = self.service.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *service, Service::Ended);
        *service = next(before);
    }

    fn service(&self) -> RwLockReadGuard<'_, Service> {
        self.service.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status for Board {
    fn metrics(&self) -> String {
        let mut sources = Sources::of_process();
        if let Service::Running(parts) | Service::Stopping(parts) = &*self.service() {
            sources.milter = Some(parts.milter.read());
            sources.dns = Some(parts.current.get().resolver.statistics());
            sources.name_servers = parts.name_servers.answering();
            sources.store = Some(parts.recorder.statistics());
            sources.header_memory = Some(parts.filter.header_memory());
            sources.seen = Some(parts.seen.status());
        }
        self.metrics.encode(sources)
    }

    fn readiness(&self) -> ServiceReadiness {
        let down = |why: &str| Health::Down(why.to_owned());
        let parts = match &*self.service() {
            Service::Starting => vec![("milter", down("starting"))],
            Service::Running(parts) => {
                vec![
                    ("milter", parts.milter()),
                    ("store", parts.store()),
                    ("settings", self.settings()),
                    ("dns", parts.dns()),
                ]
            }
            Service::Stopping(parts) => vec![("milter", down("stopping")), ("store", parts.store())],
            Service::Ended => vec![("milter", down("stopped"))],
        };
        let part = |(name, health)| PartHealth { name, health };
        ServiceReadiness {
            parts: parts.into_iter().map(part).collect(),
        }
    }
}

impl Parts {
    fn milter(&self) -> Health {
        if let Some(path) = self.sockets.iter().find_map(vanished) {
            return Health::Down(format!("{} is gone: restart the service", path.display()));
        }
        match self.milter.read().connections.accepting {
            true => Health::Ok,
            false => Health::Down("connections cannot be accepted".to_owned()),
        }
    }

    /// Mail goes on without: what is done with it is said by `failures`.
    fn dns(&self) -> Health {
        let silent = self.name_servers.silent();
        let silent: Vec<_> = silent.iter().map(ToString::to_string).collect();
        match silent.as_slice() {
            [] => Health::Ok,
            [server] => Health::Degraded(format!("{server} does not answer")),
            servers => Health::Degraded(format!("{} do not answer", servers.join(", "))),
        }
    }

    /// Decision D13: mail goes on without the store.
    fn store(&self) -> Health {
        let statistics = self.recorder.statistics();
        match statistics.state {
            RecorderState::Ok => Health::Ok,
            RecorderState::Degraded => Health::Degraded(
                statistics
                    .last_error
                    .unwrap_or_else(|| "records wait in memory".to_owned()),
            ),
        }
    }
}

/// The path of a unix socket that somebody removed: no mail server can reach us by it.
fn vanished(socket: &SocketAddress) -> Option<&Path> {
    match socket {
        // Where we may not look, we do not know.
        SocketAddress::Unix(path) => path.try_exists().is_ok_and(|exists| !exists).then_some(path),
        SocketAddress::Inet { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_and_after_it_takes_mail_it_is_not_ready() {
        let board = Board::new(Arc::new(Metrics::new(std::time::SystemTime::UNIX_EPOCH)));
        assert_eq!(board.readiness().to_string(), "milter down: starting\n");
        assert!(!board.readiness().is_ready());
        assert!(board.metrics().ends_with("# EOF\n"));
        board.ended();
        assert_eq!(board.readiness().to_string(), "milter down: stopped\n");
        board.stopping();
        assert!(
            !board.readiness().is_ready(),
            "what has ended is not stopping again"
        );
    }

    #[test]
    fn a_unix_socket_that_somebody_removed_is_missed() {
        let unix = |path: &str| format!("unix:{path}").parse::<SocketAddress>().unwrap();
        assert!(vanished(&unix("/nonexistent/landmarc.sock")).is_some());
        assert!(vanished(&unix("/dev/null")).is_none());
        assert!(vanished(&"inet:1@127.0.0.1".parse().unwrap()).is_none());
    }

    #[test]
    fn the_port_can_be_switched_off() {
        let (settings, _) = landmarc_settings::read("[web]\nlisten = []\n").unwrap();
        assert_eq!(descriptors(&settings), 0);
        let (settings, _) = landmarc_settings::read("").unwrap();
        assert_eq!(descriptors(&settings), 65);
    }
}
