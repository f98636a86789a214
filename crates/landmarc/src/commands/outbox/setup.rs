//! What the commands of the outbox open before they do anything.

use std::future::Future;
use std::sync::Arc;

use landmarc_dmarc::Suffixes;
use landmarc_dns::resolver::Resolver;
use landmarc_settings::Settings;
use landmarc_store::{COMMAND_BUSY_TIMEOUT, Outbox};
use nix::unistd::AccessFlags;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::failure::{Failure, failure};
use crate::loading::load_unless_quiet;
use crate::notes::note;
use crate::records::{SelectedStore, StoreArguments};
use crate::runtime;
use landmarc_reporter::{
    Mailer, ReportSettings, ReportSetup, ReporterContext, RunClock, SECRET, SharedOutbox,
};
use landmarc_runtime::rules::resolver_options;
use landmarc_runtime::stop::Stop;
use landmarc_runtime::stop::stop;

/// Settings that reports are made by, and the store they are made from.
pub(super) struct OutboxSetup {
    pub(super) settings: Settings,
    pub(super) terms: Arc<ReportSettings>,
    pub(super) place: landmarc_store::StoreLocation,
    /// Whether nothing is said but what went wrong.
    is_quiet: bool,
}

impl OutboxSetup {
    /// Reads all settings: these commands need most of them. Without reporting there is nothing to do. Quietly,
    /// nothing is printed but what went wrong.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(super) fn read(store: &StoreArguments, is_quiet: bool) -> Result<Self, Failure> {
        let loaded = load_unless_quiet(store.config.as_deref(), is_quiet)?;
        let suffixes = loaded.suffixes();
        Self::of(loaded.settings, suffixes, store, is_quiet)
    }

    /// By these settings and this Public Suffix List.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(super) fn of(
        settings: Settings,
        suffixes: Arc<Suffixes>,
        store: &StoreArguments,
        is_quiet: bool,
    ) -> Result<Self, Failure> {
        let terms = ReportSettings::of(&settings)
            .map_err(|error| failure!(Exit::Config, "{error}").with_remedy(error.remedy()))?;
        let place = store.of(&settings)?;
        Ok(Self {
            settings,
            terms: Arc::new(terms.with_suffixes(suffixes)),
            place,
            is_quiet,
        })
    }

    /// The store as a command finds it.
    pub(super) fn found(&self) -> SelectedStore {
        SelectedStore::at(self.place.clone())
    }

    /// Where DNS is asked.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(super) fn resolver(&self) -> Result<Resolver, Failure> {
        Resolver::new(resolver_options(&self.settings))
            .map_err(|error| Failure::of(Exit::Unavailable, &error))
    }

    /// What deliveries are made and sent with.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(super) fn context(
        &self,
        clock: RunClock,
    ) -> Result<(Arc<ReporterContext<Resolver>>, Arc<ReportSetup>), Failure> {
        let mut outbox = outbox(&self.found())?;
        let secret = outbox.secret(SECRET)?;
        let means = self.means(&secret)?;
        let context = ReporterContext::new(
            SharedOutbox::new(outbox),
            self.place.clone(),
            clock,
            self.resolver()?,
        );
        Ok((Arc::new(context), Arc::new(means)))
    }

    /// The means to write and send messages whose return paths are made with this secret.
    ///
    /// # Errors
    /// With what is printed, and the exit code.
    pub(super) fn means(&self, secret: &[u8; 32]) -> Result<ReportSetup, Failure> {
        let (mailer, warnings) = Mailer::new(&self.terms, secret)
            .map_err(|error| Failure::of(Exit::Config, &error).with_remedy(error.remedy()))?;
        for warning in warnings.iter().filter(|_| !self.is_quiet) {
            note!("landmarc: warning: {warning}");
        }
        Ok(ReportSetup {
            settings: Arc::clone(&self.terms),
            mailer,
        })
    }
}

/// The outbox, for writing; one that is not there is not made.
///
/// # Errors
/// With what is printed, and the exit code.
pub(super) fn outbox(found: &SelectedStore) -> Result<Outbox, Failure> {
    found.reachable(AccessFlags::R_OK | AccessFlags::W_OK)?;
    Outbox::open(&found.place, COMMAND_BUSY_TIMEOUT).map_err(Failure::from)
}

/// Runs what waits for others. The first SIGINT or SIGTERM asks it to end, and lets go of what it
/// has under lease.
///
/// # Errors
/// With what is printed, and the exit code.
pub(super) fn run<F: Future>(does: impl FnOnce(Stop) -> F) -> Result<F::Output, Failure> {
    let runtime = runtime::threads()?;
    let (stopper, stop) = stop();
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| runtime::unavailable(&error))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| runtime::unavailable(&error))?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stopper.stop();
        });
        Ok(does(stop).await)
    })
}
