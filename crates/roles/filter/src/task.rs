//! Work beside a session, and work that may panic: one message is lost by it at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use tokio::task::JoinHandle;

/// Work that goes on beside the session, and ends with whoever waits for it.
///
/// What can be answered from the cache ends at its first step. It then costs no task, which
/// spares most messages two of them, with their allocation and the waking of a second core.
pub(super) enum Task<T> {
    /// What it came to; nothing when it panicked.
    Ended(Option<T>),
    /// It waits for an answer.
    Running(JoinHandle<T>),
}

impl<T: Send + 'static> Task<T> {
    /// Takes the first step at once, and leaves the rest to a task of its own.
    pub(super) fn start(work: impl Future<Output = T> + Send + 'static) -> Self {
        let mut work = Box::pin(work);
        // Whom to wake is said when the task takes its next step, which it does at once.
        let mut nobody = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut nobody))) {
            Ok(Poll::Ready(output)) => Self::Ended(Some(output)),
            Ok(Poll::Pending) => Self::Running(tokio::spawn(work)),
            Err(_) => Self::Ended(None),
        }
    }

    /// What it came to; nothing when it panicked.
    pub(super) async fn outcome(mut self) -> Option<T> {
        match &mut self {
            Self::Ended(output) => output.take(),
            Self::Running(task) => task.await.ok(),
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Self::Running(task) = self {
            task.abort();
        }
    }
}

/// A step of a session at which something is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Mail,
    Rcpt,
    Header,
    /// Counting a header field that is not kept.
    LeaveOut,
    EndOfHeaders,
    /// Looking for forged results where the end of headers had a bug.
    Removals,
    Body,
}

/// What a step that does not wait comes to; nothing when it panics.
///
/// What it can reach is used again only for the answer that a message gets that is not judged.
pub(super) fn caught<T>(step: Step, work: impl FnOnce() -> T) -> Option<T> {
    let work = || {
        bug::strike(step);
        work()
    };
    catch_unwind(AssertUnwindSafe(work)).ok()
}

#[cfg(not(test))]
mod bug {
    pub(super) fn strike(_step: super::Step) {}
}

/// Bugs that tests put into a step.
#[cfg(test)]
pub(super) mod bug {
    use std::cell::Cell;

    use super::Step;

    thread_local! {
        static AT: Cell<&'static [Step]> = const { Cell::new(&[]) };
    }

    /// The next steps of this thread that are these, in this order, end in a panic.
    pub(in super::super) fn put_into(steps: &'static [Step]) {
        AT.set(steps);
    }

    pub(super) fn strike(step: Step) {
        if let [first, others @ ..] = AT.get()
            && *first == step
        {
            AT.set(others);
            panic!("a bug in {step:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn what_is_known_costs_no_task() {
        let task = Task::start(ready(7));
        assert!(matches!(task, Task::Ended(Some(7))));
        assert_eq!(task.outcome().await, Some(7));
    }

    #[tokio::test]
    async fn what_waits_goes_on_beside() {
        let (answer, question) = oneshot::channel();
        let task = Task::start(question);
        assert!(matches!(task, Task::Running(_)));
        answer.send(7).expect("the task listens");
        assert_eq!(task.outcome().await, Some(Ok(7)));
    }

    #[tokio::test]
    async fn a_panic_is_an_outcome_at_the_first_step_and_later() {
        let at_once = Task::start(async { panic!("at once") });
        assert!(matches!(at_once, Task::Ended(None::<()>)));
        assert_eq!(at_once.outcome().await, None);

        let later = Task::start(async {
            yield_now().await;
            panic!("later")
        });
        assert_eq!(later.outcome().await, None::<()>);
    }

    #[tokio::test]
    async fn nobody_waits_and_so_it_ends() {
        let (held, dropped) = oneshot::channel::<()>();
        let task = Task::start(async move {
            let _held = held;
            pending::<()>().await;
        });
        drop(task);
        assert!(dropped.await.is_err(), "its end closed the channel");
    }
}
