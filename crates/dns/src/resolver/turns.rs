//! Turns: how many questions are under way at once, and which of them makes room when
//! more want to be.
//!
//! A name whose servers are silent keeps its turn for as long as a question may take. A
//! sender with a few dozen such names could keep all turns, and all other mail would wait
//! in vain. So a turn is certain for a short time only, in which nearly all answers come:
//! from then on it is given up as soon as another question waits, the longest held first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::warn;

/// How long a turn is certain, as a part of the time of a question: 250 ms of the 5 s by
/// default. 128 turns then let 512 silent questions a second pass before others suffer.
const CERTAIN_DIVISOR: u32 = 20;

pub(super) struct Turns {
    permits: Semaphore,
    /// As many as there are questions that wait and for which no turn has ended yet. An
    /// overdue question takes one and ends; where two threads meet there may be one too
    /// many for a moment, and a question ends that need not have.
    wishes: Semaphore,
    certain: Duration,
    warned: AtomicBool,
}

/// The turn of one question, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    gave_way: bool,
    _permit: SemaphorePermit<'a>,
}

/// Another question wants a turn.
pub(super) struct Wish<'a>(SemaphorePermit<'a>);

impl Turns {
    pub(super) fn new(turns: usize, question_timeout: Duration) -> Self {
        Self {
            permits: Semaphore::new(turns),
            wishes: Semaphore::new(0),
            certain: question_timeout / CERTAIN_DIVISOR,
            warned: AtomicBool::new(false),
        }
    }

    /// A turn, after those who asked for one before; none when it comes so late that not
    /// even the certain time is left before `deadline`.
    pub(super) async fn take(&self, deadline: Instant) -> Option<Turn<'_>> {
        let latest = deadline.checked_sub(self.certain)?;
        let turn = timeout_at(latest, self.wait()).await.ok()??;
        (Instant::now() <= latest).then_some(turn)
    }

    async fn wait(&self) -> Option<Turn<'_>> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Some(self.turn(permit));
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                "as many DNS questions are under way as may be: where others wait, slow ones are \
                 ended early; see questions_in_flight"
            );
        }
        let waiting = Waiting::begin(&self.wishes);
        let permit = self.permits.acquire().await.ok()?;
        waiting.has_its_turn();
        Some(self.turn(permit))
    }

    fn turn<'a>(&'a self, permit: SemaphorePermit<'a>) -> Turn<'a> {
        Turn {
            turns: self,
            gave_way: false,
            _permit: permit,
        }
    }
}

impl<'a> Turn<'a> {
    /// Comes back when the certain time since `since` is over and another question waits.
    pub(super) async fn is_wanted(&self, since: Instant) -> Wish<'a> {
        sleep_until(since + self.turns.certain).await;
        match self.turns.wishes.acquire().await {
            Ok(permit) => Wish(permit),
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Fulfils a wish: this turn is about to end. A wish that is dropped goes to another.
    pub(super) fn give_way(&mut self, wish: Wish<'a>) {
        wish.0.forget();
        self.gave_way = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // It ends by itself, and that fulfils a wish too.
        if !self.gave_way {
            withdraw(&self.turns.wishes);
        }
    }
}

/// A question that waits for its turn; when it is dropped it has given up.
struct Waiting<'a>(Option<&'a Semaphore>);

impl<'a> Waiting<'a> {
    fn begin(wishes: &'a Semaphore) -> Self {
        wishes.add_permits(1);
        Self(Some(wishes))
    }

    /// The turn that ended for it has seen to the wish.
    fn has_its_turn(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(wishes) = self.0 {
            withdraw(wishes);
        }
    }
}

fn withdraw(wishes: &Semaphore) {
    if let Ok(wish) = wishes.try_acquire() {
        wish.forget();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const QUESTION: Duration = Duration::from_secs(5);
    const CERTAIN: Duration = Duration::from_millis(250);

    async fn taken(turns: &Turns) -> Option<Turn<'_>> {
        turns.take(Instant::now() + QUESTION).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_comes_too_late_is_none() {
        for (until, in_time) in [(QUESTION - CERTAIN, true), (QUESTION - CERTAIN / 2, false)] {
            let turns = Turns::new(1, QUESTION);
            let held = taken(&turns).await.unwrap();
            let holder = async {
                sleep_until(Instant::now() + until).await;
                drop(held);
            };
            let (late, ()) = tokio::join!(taken(&turns), holder);
            assert_eq!(late.is_some(), in_time, "{until:?}");
            assert_eq!(turns.wishes.available_permits(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_nobody_else_wants_is_never_overdue() {
        let turns = Turns::new(1, QUESTION);
        let turn = taken(&turns).await.unwrap();
        let wanted = timeout(QUESTION, turn.is_wanted(Instant::now())).await;
        assert!(wanted.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_certain_for_a_while_and_then_goes_to_who_waits() {
        let turns = Turns::new(1, QUESTION);
        let start = Instant::now();
        let mut turn = taken(&turns).await.unwrap();
        let first = async {
            let wish = turn.is_wanted(start).await;
            assert_eq!(start.elapsed(), CERTAIN);
            turn.give_way(wish);
            drop(turn);
        };
        let (second, ()) = tokio::join!(taken(&turns), first);
        assert!(second.is_some());
        assert_eq!(turns.wishes.available_permits(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_overdue_turns_one_goes_to_the_one_who_waits() {
        let turns = Turns::new(2, QUESTION);
        let start = Instant::now();
        let (mut a, b) = (taken(&turns).await.unwrap(), taken(&turns).await.unwrap());
        let gives_way = async {
            let wish = a.is_wanted(start).await;
            a.give_way(wish);
            drop(a);
        };
        let stays = timeout(QUESTION, b.is_wanted(start));
        let (third, (), stayed) = tokio::join!(taken(&turns), gives_way, stays);
        assert!(third.is_some() && stayed.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_ends_by_itself_fulfils_a_wish() {
        let turns = Turns::new(2, QUESTION);
        let (a, b) = (taken(&turns).await.unwrap(), taken(&turns).await.unwrap());
        let (third, ()) = tokio::join!(taken(&turns), async { drop(a) });
        assert!(third.is_some());
        assert!(timeout(QUESTION, b.is_wanted(Instant::now())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_wants_nothing_any_more() {
        let turns = Turns::new(1, QUESTION);
        let turn = taken(&turns).await.unwrap();
        assert!(timeout(CERTAIN, taken(&turns)).await.is_err());
        assert!(timeout(QUESTION, turn.is_wanted(Instant::now())).await.is_err());
    }
}
