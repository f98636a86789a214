//! The sign to end soon: what is under way may end, nothing new begins.

use tokio::sync::watch;

/// Shows the sign.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Is looked at.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A sign that is not shown yet.
pub fn stop() -> (Stopper, Stop) {
    let (shows, looks) = watch::channel(false);
    (Stopper(shows), Stop(looks))
}

impl Stopper {
    /// Shows it, for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether it is shown.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the sign; for ever when whoever could show it is gone.
    pub async fn wait(&self) {
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
