//! A bug in one session stays in that session.
//!
//! Whoever drives a session guards it so.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The code of a session panicked; these were its words.
#[derive(Debug)]
pub struct Panicked(String);

impl Panicked {
    /// What it said last.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0
    }
}

/// Calls `begin` and runs the future it makes; a panic in either ends here.
///
/// What the two can reach is never used again after a panic: [`AssertUnwindSafe`] is
/// held to by the caller, who drops the session.
///
/// # Errors
/// When it panicked.
pub async fn guarded<F: Future>(begin: impl FnOnce() -> F) -> Result<F::Output, Panicked> {
    let mut future = pin!(guarded_call(begin)?);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(Panicked(words(payload.as_ref())))),
        },
    )
    .await
}

/// As [`guarded`], for what does not wait.
///
/// # Errors
/// When it panicked.
pub fn guarded_call<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Panicked(words(payload.as_ref())))
}

fn words(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without words".to_owned()
    }
}
