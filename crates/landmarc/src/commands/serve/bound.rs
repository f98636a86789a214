//! What is opened while the process may still be root.

use landmarc_filter::interfaces::BoundInterfaces;
use landmarc_fleet::FleetConfig;
use landmarc_milter::MilterServer;
use landmarc_runtime::account::Account;
use landmarc_runtime::rules;
use landmarc_runtime::sockets::{self, Sockets};
use landmarc_settings::Settings;
use landmarc_web::{WebServer, board};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::ServeError;

/// Sockets, passwords and keys.
pub(super) struct Bound {
    pub(super) server: MilterServer,
    pub(super) web: WebServer,
    pub(super) interfaces: BoundInterfaces,
    pub(super) fleet: FleetConfig,
}

impl Bound {
    pub(super) async fn bind(settings: &Settings, account: &Account) -> Result<Self, ServeError> {
        let milter = Sockets::of_milter(settings);
        let (addresses, access) = (milter.addresses(), milter.access(account)?);
        Ok(Self {
            server: MilterServer::bind(&addresses, &access, rules::server_options(settings)).await?,
            web: board::bind(settings).await.map_err(ServeError::Web)?,
            interfaces: BoundInterfaces::bind(settings, account).await?,
            fleet: FleetConfig::of(settings).await?,
        })
    }
}

/// Each session and each DNS question under way takes a file descriptor, and systems start
/// services with few. Without one more, neither connections nor questions can be made.
pub(super) fn make_room_for_sessions(settings: &Settings) {
    const OTHERS: usize = 64;
    let needed = settings.milter.max_sessions
        + 2 * settings.dns.questions_in_flight
        + board::descriptors(settings)
        + sockets::descriptors(settings)
        + landmarc_fleet::descriptors(settings)
        + OTHERS;
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let wanted = needed.min(hard);
    if soft < wanted {
        // Within the hard limit anybody may raise it; should it fail, the next line tells.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
    }
    let granted = getrlimit(Resource::RLIMIT_NOFILE).map_or(soft, |(soft, _)| soft);
    if granted < needed {
        tracing::warn!(
            granted,
            needed,
            "fewer files can be open at once than may be needed: raise the limit (LimitNOFILE in systemd), or lower \
             milter.max_sessions and check_api.max_connections"
        );
    }
}
