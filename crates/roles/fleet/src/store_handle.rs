//! A store that is opened when it is needed.

use std::sync::{Arc, Mutex, PoisonError};

use landmarc_store::StoreError;

/// One end of a store, a spool or a collector: opened when it is first needed, and anew after a failure.
pub(crate) struct StoreHandle<S>(Arc<Mutex<Option<S>>>);

impl<S> Default for StoreHandle<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S: Send + 'static> StoreHandle<S> {
    /// Does something with it where waiting for the disk holds up nobody.
    ///
    /// # Errors
    /// As what is done; when it cannot be opened; and when the runtime ends.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        open: impl FnOnce() -> Result<S, StoreError> + Send + 'static,
        does: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let handle = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            let mut opened = handle.lock().unwrap_or_else(PoisonError::into_inner);
            let store = match &mut *opened {
                Some(store) => store,
                none => none.insert(open()?),
            };
            let done = does(store);
            if done.is_err() {
                *opened = None;
            }
            done
        });
        done.await.unwrap_or(Err(StoreError::Ended))
    }
}
