//! The sign to end soon: what is under way may end, nothing new begins.

use tokio::sync::watch;

/// Shows the sign.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

/// Is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// A sign that is not shown yet.
pub(crate) fn stop() -> (Stopper, Stop) {
    let (shows, looks) = watch::channel(false);
    (Stopper(shows), Stop(looks))
}

impl Stopper {
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the sign; for ever when whoever could show it is gone.
    pub(crate) async fn wait(&self) {
        if self.0.clone().wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_sign_is_seen_by_all_who_look() {
        let (stopper, stop) = stop();
        let other = stop.clone();
        assert!(!stop.is_set());
        stopper.stop();
        other.wait().await;
        assert!(stop.is_set() && other.is_set());
    }
}
