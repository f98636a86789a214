//! What the settings come to, for the sessions that begin under them.

use std::sync::{Arc, Mutex, PoisonError};

use dns::resolver::Resolver;
use receiver::local::{QuarantineBy, Rules};
use settings::Settings;

use super::copying::CopyTo;
use super::skipping::Lists;

/// What a session works with; replaced as a whole by a reload.
pub(crate) struct Running {
    pub(crate) settings: Settings,
    pub(crate) rules: Arc<Rules>,
    pub(crate) resolver: Resolver,
    pub(super) lists: Lists,
    pub(super) copy_to: Option<CopyTo>,
    /// The rules as last changed for an MTA; most hosts have but one.
    adapted: Mutex<Option<Arc<Rules>>>,
}

impl Running {
    pub(crate) fn new(settings: Settings, rules: Arc<Rules>, resolver: Resolver) -> Self {
        Self {
            lists: Lists::new(&settings.clients),
            copy_to: settings.action.copy_to.as_ref().map(CopyTo::new),
            settings,
            rules,
            resolver,
            adapted: Mutex::new(None),
        }
    }

    /// The rules for an MTA: in its name, and marking where it does not let us hold.
    pub(super) fn rules_for(&self, authserv_id: &str, quarantine: &QuarantineBy) -> Arc<Rules> {
        let fits = |rules: &Rules| rules.authserv_id == authserv_id && rules.quarantine == *quarantine;
        if fits(&self.rules) {
            return Arc::clone(&self.rules);
        }
        let mut adapted = self.adapted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = adapted.as_ref().filter(|known| fits(known)) {
            return Arc::clone(known);
        }
        let made = Arc::new(Rules {
            authserv_id: authserv_id.to_owned(),
            quarantine: quarantine.clone(),
            ..Rules::clone(&self.rules)
        });
        *adapted = Some(Arc::clone(&made));
        made
    }
}
