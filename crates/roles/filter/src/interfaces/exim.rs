//! The line socket for Exim.

use std::sync::Arc;

use landmarc_interfaces::DriveLimits;
use landmarc_interfaces::readsocket::{Desk, spool::Spool};
use landmarc_net::{Connection, Drained, Listeners};
use landmarc_settings::Settings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::socket::{InterfaceError, accept_loop, bind};
use crate::Filter;
use landmarc_runtime::account::Account;
use landmarc_runtime::current::Current;
use landmarc_runtime::sockets::Sockets;

/// The socket, not served yet.
pub(super) struct Exim {
    pub(super) sockets: Listeners,
}

impl Exim {
    pub(super) async fn bind(settings: &Settings, account: &Account) -> Result<Self, InterfaceError> {
        let sockets = bind(&Sockets::of_exim(settings), account).await?;
        Ok(Self { sockets })
    }

    pub(super) fn serve(
        self,
        current: &Current,
        filter: Arc<Filter>,
        mut stopped: watch::Receiver<bool>,
    ) -> Option<JoinHandle<Drained>> {
        let in_force = current.get();
        let settings = &in_force.settings;
        if settings.exim.listen.is_empty() {
            return None;
        }
        let limits = DriveLimits {
            field_octets: settings.limits.header_field.as_usize(),
            ..DriveLimits::default()
        };
        let spool = Spool::new(settings.exim.spool_directory.clone().unwrap_or_default());
        let handler = Desk::new(filter, spool, limits);
        let accept_loop = accept_loop(&Sockets::of_exim(settings), self.sockets, settings);
        Some(tokio::spawn(accept_loop.run(
            move |Connection {
                      stream,
                      peer,
                      slot,
                      stopped,
                  }| {
                let handler = handler.clone();
                async move { handler.serve(stream, peer, stopped, &slot).await }
            },
            async move {
                // A sender that is gone is told, too.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            },
        )))
    }
}
