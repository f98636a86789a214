//! The check API, with its secret.

use std::sync::Arc;

use landmarc_interfaces::{DriveLimits, http};
use landmarc_net::{Connection, Drained, Listeners};
use landmarc_settings::Settings;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::socket::{InterfaceError, accept_loop, bind};
use crate::Filter;
use landmarc_runtime::account::Account;
use landmarc_runtime::check_secret::secret;
use landmarc_runtime::current::Current;
use landmarc_runtime::sockets::Sockets;

/// The sockets, not served yet, and the secret.
pub(super) struct CheckApiSockets {
    pub(super) sockets: Listeners,
    secret: Option<Vec<u8>>,
}

impl CheckApiSockets {
    pub(super) async fn bind(settings: &Settings, account: &Account) -> Result<Self, InterfaceError> {
        let api = &settings.check_api;
        let path = api.secret_file.as_deref().filter(|_| !api.listen.is_empty());
        Ok(Self {
            secret: path.map(secret).transpose()?,
            sockets: bind(&Sockets::of_check_api(settings), account).await?,
        })
    }

    pub(super) fn serve(
        self,
        current: &Current,
        filter: Arc<Filter>,
        mut stopped: watch::Receiver<bool>,
    ) -> Option<JoinHandle<Drained>> {
        let in_force = current.get();
        let settings = &in_force.settings;
        if settings.check_api.listen.is_empty() {
            return None;
        }
        let limits = DriveLimits {
            message_octets: settings.check_api.max_message_size.as_u64(),
            field_octets: settings.limits.header_field.as_usize(),
        };
        let host_names = settings.check_api.host_names.iter().map(ToString::to_string);
        let site = Arc::new(http::Site::new(filter, limits, self.secret, host_names));
        let accept_loop = accept_loop(&Sockets::of_check_api(settings), self.sockets, settings);
        Some(tokio::spawn(accept_loop.run(
            move |Connection {
                      stream,
                      peer,
                      slot,
                      stopped,
                  }| { http::serve(stream, peer, Arc::clone(&site), stopped, slot) },
            async move {
                // A sender that is gone is told, too.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            },
        )))
    }
}
