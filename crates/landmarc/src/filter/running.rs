//! What the settings come to, for the sessions that begin under them.

use std::sync::{Arc, Mutex, PoisonError};

use landmarc_dns::resolver::Resolver;
use landmarc_receiver::local::{QuarantineBy, Rules};
use landmarc_receiver::operator::Rule;
use landmarc_settings::Settings;

use super::copying::CopyTo;
use super::reporting::Reporting;
use super::skipping::Lists;
use crate::load::{Loaded, RulesFile};

/// What a session works with; replaced as a whole by a reload.
pub(crate) struct Running {
    pub(crate) settings: Settings,
    pub(crate) rules: Arc<Rules>,
    pub(crate) resolver: Resolver,
    /// The rules of the operator as they were read; [`Rules`] has them as they are applied.
    pub(crate) operator: RulesFile,
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
    pub(crate) fn new(loaded: Loaded, rules: Arc<Rules>, resolver: Resolver) -> Self {
        let Loaded {
            settings,
            operator,
            hosts,
            ..
        } = loaded;
        let reporting = Reporting::new(&settings.report);
        Self {
            lists: Lists::new(&settings.clients, hosts),
            copy_to: settings.action.copy_to.as_ref().map(CopyTo::new),
            keeps_recipients: asks_about_recipients(&rules.operator) || reporting.makes_failure_reports(),
            reporting,
            settings,
            rules,
            resolver,
            operator,
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

pub(super) fn asks_about_recipients(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| !rule.conditions.recipient.is_empty())
}
