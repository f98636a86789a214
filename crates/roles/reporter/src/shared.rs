//! The outbox, in the hands of several tasks at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landmarc_store::{Outbox, StoreError};

/// One outbox for all of them.
#[derive(Clone)]
pub struct SharedOutbox(Arc<Mutex<Outbox>>);

impl SharedOutbox {
    /// Shares this outbox.
    pub fn new(outbox: Outbox) -> Self {
        Self(Arc::new(Mutex::new(outbox)))
    }

    /// The outbox, for a thread that may wait.
    pub fn hold(&self) -> MutexGuard<'_, Outbox> {
        // What a panic leaves behind is a transaction that was not made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the outbox where waiting for the disk holds up nobody.
    ///
    /// # Errors
    /// As what is done; and when the runtime ends.
    pub async fn with<T: Send + 'static>(
        &self,
        does: impl FnOnce(&mut Outbox) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let outbox = self.clone();
        let done = tokio::task::spawn_blocking(move || does(&mut outbox.hold())).await;
        done.unwrap_or(Err(StoreError::Ended))
    }
}
