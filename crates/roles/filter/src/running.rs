//! What the settings come to, for the sessions that begin under them.

use std::sync::{Arc, Mutex, PoisonError};

use landmarc_receiver::policy::{QuarantineBy, Rules};
use landmarc_receiver::rule::Rule;

use super::copying::CopyTo;
use super::reporting::Reporting;
use super::skipping::Lists;
use landmarc_runtime::current::ActiveSettings;

/// What a session works with; replaced as a whole by a reload.
pub(super) struct Running {
    pub(super) in_force: Arc<ActiveSettings>,
    pub(super) lists: Lists,
    pub(super) copy_to: Option<CopyTo>,
    pub(super) reporting: Reporting,
    /// Whether somebody asks who the recipients of a message are: a rule, or failure reports, which
    /// hide them wherever they stand.
    pub(super) keeps_recipients: bool,
    /// The rules as last changed for an MTA; most hosts have but one.
    adapted: Mutex<Option<Arc<Rules>>>,
}

impl Running {
    pub(super) fn new(in_force: Arc<ActiveSettings>) -> Self {
        let settings = &in_force.settings;
        let reporting = Reporting::new(&settings.report);
        Self {
            lists: Lists::new(&settings.clients, in_force.hosts.clone()),
            copy_to: settings.action.copy_to.as_ref().map(CopyTo::new),
            keeps_recipients: asks_about_recipients(&in_force.rules.operator)
                || reporting.makes_failure_reports(),
            reporting,
            in_force,
            adapted: Mutex::new(None),
        }
    }

    /// The rules for an MTA: in its name, and marking where it does not let us hold.
    pub(super) fn rules_for(&self, authserv_id: &str, quarantine: &QuarantineBy) -> Arc<Rules> {
        let fits = |rules: &Rules| rules.authserv_id == authserv_id && rules.quarantine == *quarantine;
        if fits(&self.in_force.rules) {
            return Arc::clone(&self.in_force.rules);
        }
        let mut adapted = self.adapted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = adapted.as_ref().filter(|known| fits(known)) {
            return Arc::clone(known);
        }
        let made = Arc::new(Rules {
            authserv_id: authserv_id.to_owned(),
            quarantine: quarantine.clone(),
            ..Rules::clone(&self.in_force.rules)
        });
        *adapted = Some(Arc::clone(&made));
        made
    }
}

pub(super) fn asks_about_recipients(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| !rule.conditions.recipient.is_empty())
}
