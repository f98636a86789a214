//! What is in the way of reporting, told once for as long as it lasts.

use landmarc_store::StoreError;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct RepeatedError(Option<String>);

impl RepeatedError {
    /// Tells of it, with what it setup and what can be done, unless it is what was told last.
    pub(super) fn log(&mut self, error: &StoreError, consequence: &str) {
        if self.is_news(error.cause()) {
            tracing::warn!(remedy = error.remedy(), "{consequence}: {}", error.in_full());
        }
    }

    /// It went well.
    pub(super) fn passed(&mut self) {
        self.0 = None;
    }

    fn is_news(&mut self, why: String) -> bool {
        let is_news = self.0.as_ref() != Some(&why);
        self.0 = Some(why);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_until_it_has_passed() {
        let mut trouble = RepeatedError::default();
        let mut is_news = |why: &str| trouble.is_news(why.to_owned());
        assert!(is_news("away") && !is_news("away") && is_news("full") && is_news("away"));
        trouble.passed();
        assert!(trouble.is_news("away".to_owned()));
    }
}
