//! The store at the other end: it makes its thread wait, so it is written on one of its own.

use landmarc_migrate::Counted;
use landmarc_store::StoreError;

use crate::{ImportSummary, Imports};

/// Takes rows for the store.
pub struct ImportWriter(Option<Imports>);

impl ImportWriter {
    /// Into these imports.
    pub const fn new(imports: Imports) -> Self {
        Self(Some(imports))
    }

    /// Writes these rows, or keeps them for the next batch.
    pub(super) async fn take(&mut self, rows: Vec<Counted>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.with(move |imports| rows.into_iter().try_for_each(|row| imports.take(row)))
            .await
    }

    /// Writes the last batch, and tells what all of them came to.
    pub(super) async fn finish(&mut self) -> Result<ImportSummary, StoreError> {
        self.with(Imports::finish).await
    }

    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Imports) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // It is not there when a thread that had it has ended in a panic.
        let mut imports = self.0.take().ok_or(StoreError::Ended)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut imports);
            (result, imports)
        });
        let (result, imports) = done.await.map_err(|_| StoreError::Ended)?;
        self.0 = Some(imports);
        result
    }
}
