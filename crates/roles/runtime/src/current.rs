//! The settings in force: what all roles work by, replaced as a whole by a reload.

use std::sync::{Arc, PoisonError, RwLock};

use landmarc_dns::resolver::{Resolver, ResolverError};
use landmarc_receiver::policy::Rules;
use landmarc_settings::Settings;
use landmarc_settings::hosts::Hosts;

use crate::load::{Loaded, RulesFile};
use crate::rules;

/// The settings of one moment, and what is made of them for every role.
pub struct ActiveSettings {
    /// As they were read and checked.
    pub settings: Settings,
    /// The operator's decisions as the receiver takes them.
    pub rules: Arc<Rules>,
    /// Asks the name servers of the settings.
    pub resolver: Resolver,
    /// The rules of the operator as they were read; [`Rules`] has them as they are applied.
    pub operator: RulesFile,
    /// The hosts whose mail is not judged.
    pub hosts: Hosts,
}

impl ActiveSettings {
    /// Makes ready what was loaded. The resolver of `before` stays, with its cache, while its settings do.
    ///
    /// # Errors
    /// When the system names no name servers.
    pub fn new(loaded: Loaded, before: Option<&Self>) -> Result<Self, ResolverError> {
        let rules = Arc::new(loaded.rules());
        let resolver = match before.filter(|before| before.settings.dns == loaded.settings.dns) {
            Some(before) => before.resolver.clone(),
            None => Resolver::new(rules::resolver_options(&loaded.settings))?,
        };
        Ok(Self {
            settings: loaded.settings,
            rules,
            resolver,
            operator: loaded.operator,
            hosts: loaded.hosts,
        })
    }
}

/// Where each role looks up the settings in force.
pub struct Current(RwLock<Arc<ActiveSettings>>);

impl Current {
    /// Begins with these.
    pub fn new(first: ActiveSettings) -> Self {
        Self(RwLock::new(Arc::new(first)))
    }

    /// Those of this moment. They stay as they are for as long as they are held.
    pub fn get(&self) -> Arc<ActiveSettings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in force.
    pub fn replace(&self, next: ActiveSettings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
