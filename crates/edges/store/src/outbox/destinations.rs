//! What is known about destinations: those that get no report mail, and those that stand in for others.

use super::check::{reason, within};
use super::{Outbox, redirection, suppression};
use crate::error::StoreError;
use crate::limits::{MAX_DESTINATION, MAX_URIS};
use crate::model::{BounceSuppression, Redirection, Strikes, Suppression};

impl Outbox {
    /// Suppresses an address, or a host with all its addresses (`@example.com`): until a time, or for ever.
    /// What was known of it before is forgotten.
    ///
    /// # Errors
    /// When the destination is past its limit, or the store cannot be written.
    pub fn suppress(
        &mut self,
        destination: &str,
        reason: &str,
        until_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        within("destination", destination.len(), MAX_DESTINATION)?;
        let reason = &self::reason(reason);
        self.db.write("suppress a destination", |sql| {
            suppression::suppress(sql, destination, reason, until_ms, now_ms)
        })
    }

    /// Counts a message that came back, and suppresses its destination when it was one too many. One that the
    /// operator has suppressed stays as it is.
    ///
    /// # Errors
    /// When the destination is past its limit, or the store cannot be written.
    pub fn strike(
        &mut self,
        destination: &str,
        reason: &str,
        strikes: &Strikes,
        now_ms: u64,
    ) -> Result<BounceSuppression, StoreError> {
        within("destination", destination.len(), MAX_DESTINATION)?;
        let reason = &self::reason(reason);
        self.db.write("count a bounce", |sql| {
            suppression::strike(sql, destination, reason, strikes, now_ms)
        })
    }

    /// Forgets a suppression, and the bounces with it; whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn unsuppress(&mut self, destination: &str) -> Result<bool, StoreError> {
        self.db.write("forget a suppression", |sql| {
            suppression::remove(sql, destination)
        })
    }

    /// The suppression that an address is under at this time, or its host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_suppressed(
        &mut self,
        destination: &str,
        now_ms: u64,
    ) -> Result<Option<Suppression>, StoreError> {
        self.db.read("look for a suppression", |sql| {
            suppression::find(sql, destination, now_ms)
        })
    }

    /// All suppressions, and destinations with bounces that did not lead to one yet, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn suppressions(&mut self) -> Result<Vec<Suppression>, StoreError> {
        self.db.read("read the suppressions", suppression::all)
    }

    /// Lets the reports about a policy domain go to these URIs from now on, whatever its record says; in
    /// place of an earlier redirection.
    ///
    /// # Errors
    /// When the name, a URI or the list is past its limit, or the store cannot be written.
    pub fn redirect(&mut self, redirection: &Redirection) -> Result<(), StoreError> {
        within("policy_domain", redirection.policy_domain.len(), crate::MAX_WORD)?;
        within("list of URIs", redirection.rua.len(), MAX_URIS)?;
        for uri in &redirection.rua {
            within("URI", uri.len(), crate::MAX_TEXT)?;
        }
        self.db
            .write("redirect reports", |sql| redirection::set(sql, redirection))
    }

    /// Lets reports go again where the record says; whether there was a redirection.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn stop_redirecting(&mut self, policy_domain: &str) -> Result<bool, StoreError> {
        self.db.write("stop redirecting reports", |sql| {
            redirection::remove(sql, policy_domain)
        })
    }

    /// Where the reports about a policy domain go instead, if they do.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirection(&mut self, policy_domain: &str) -> Result<Option<Redirection>, StoreError> {
        self.db
            .read("look where reports go", |sql| redirection::of(sql, policy_domain))
    }

    /// All redirections, in alphabetical order; at most [`MAX_REDIRECTIONS`](crate::MAX_REDIRECTIONS).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn redirections(&mut self) -> Result<Vec<Redirection>, StoreError> {
        self.db.read("look where reports go", redirection::all)
    }
}
