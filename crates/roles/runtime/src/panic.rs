//! Work that may panic: what it does is lost, and nothing else.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

/// What work comes to; nothing when it panics, after which no step of it is taken again.
///
/// Not an `async fn`: that would keep room for the work itself, which is large, in every
/// session, those at rest included.
pub fn catch_panic<T>(work: impl Future<Output = T> + Send) -> impl Future<Output = Option<T>> {
    let mut work = Box::pin(work);
    poll_fn(
        move |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn work_is_done_catch_panic() {
        let work = async {
            yield_now().await;
            7
        };
        assert_eq!(catch_panic(work).await, Some(7));
        let work = async {
            yield_now().await;
            panic!("later")
        };
        assert_eq!(catch_panic(work).await, None::<()>);
    }
}
