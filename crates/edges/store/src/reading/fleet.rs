//! What is asked about a fleet: its hosts, and what waits at this one.

use super::{Reader, StoreConnection};
use crate::error::StoreError;
use crate::hosts;
use crate::model::{HostStatus, SpoolStatus, by_name};
use crate::sqlite::FLEET;

impl Reader {
    /// The hosts that have handed over what they recorded, one of each name, in alphabetical order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hosts(&self) -> Result<Vec<HostStatus>, StoreError> {
        let all = self.inner.since(FLEET, "read the hosts", hosts::all)?;
        Ok(by_name(all))
    }

    /// What waits in the spool of this store; nothing on a server, which has none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn spool(&self) -> Result<SpoolStatus, StoreError> {
        match &self.inner {
            StoreConnection::File(file) => file.spool(),
            StoreConnection::Server(_) => Ok(SpoolStatus::default()),
        }
    }
}
