//! What one message may ask, and for how long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landmarc_auth::lookup::{Answer, Lookup, LookupError, Question};
use tokio::time::{Instant, timeout_at};

use super::{Asker, Inner, Resolver};

/// The questions of one message.
///
/// Only time spent waiting for answers counts, and waiting at the same time counts once: how
/// slowly the message itself arrives is not DNS's fault. Past the message's time every
/// question is [`LookupError::Budget`] at once, and one that is under way ends then.
///
/// Also, a message waits for failing questions for less than two question timeouts: nine tenths of
/// that, which is 9 s by default. All waiting that ended in a failure is added up, and
/// what is still open counts against a new question. When it is used up, questions end
/// with [`LookupError::Timeout`], and later ones are answered from the cache or in that
/// way. So a message is through with dead DNS within 10 s (decision D11), however many
/// questions follow one another, and without harm to other messages where only its own
/// zones are dead.
pub struct MessageLookup {
    resolver: Resolver,
    asker: Asker,
    waiting: Mutex<Waiting>,
}

impl MessageLookup {
    /// For a message that has not waited yet.
    pub(super) fn new(resolver: Resolver, asker: Asker) -> Self {
        Self {
            resolver,
            asker,
            waiting: Mutex::default(),
        }
    }

    /// What is left of the time that may be spent at all.
    fn time_left(&self) -> Duration {
        let waiting = self.waiting();
        self.resolver
            .inner
            .options
            .message_timeout
            .saturating_sub(waiting.in_all.so_far(waiting.first(), Instant::now()))
    }

    /// What is left of the time that may be spent on questions that fail.
    pub(super) fn failure_time_left(&self) -> Duration {
        let all = self.resolver.inner.options.question_timeout * 9 / 5;
        let waiting = self.waiting();
        all.saturating_sub(waiting.in_failures.so_far(waiting.first(), Instant::now()))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup for MessageLookup {
    async fn ask(&self, question: &Question) -> Answer {
        let now = Instant::now();
        let time_left = self.time_left();
        if time_left.is_zero() {
            return Answer::Failed(LookupError::Budget);
        }
        let failure_time_left = self.failure_time_left();
        if failure_time_left.is_zero() {
            let known = self.resolver.inner.known(question);
            return known.unwrap_or(Answer::Failed(LookupError::Timeout));
        }
        let wait = Wait::start(self, now);
        let answer = Inner::ask(&self.resolver.inner, question, self.asker);
        let answer = match timeout_at(now + time_left.min(failure_time_left), answer).await {
            Ok(answer) => answer,
            Err(_) if time_left <= failure_time_left => Answer::Failed(LookupError::Budget),
            Err(_) => Answer::Failed(LookupError::Timeout),
        };
        if answer.failure().is_some() {
            wait.has_failed();
        }
        answer
    }
}

/// The time a message spends on questions.
#[derive(Default)]
struct Waiting {
    /// On all questions.
    in_all: Spent,
    /// On questions that failed.
    in_failures: Spent,
    /// Since when the open questions wait; as many as one message asks at once.
    under_way: Vec<Instant>,
}

impl Waiting {
    /// Since when there is a question open.
    fn first(&self) -> Option<Instant> {
        self.under_way.iter().min().copied()
    }
}

/// Time added up from waits that may overlap.
#[derive(Default)]
struct Spent {
    /// Start and end of each stretch of it, in order and apart from each other; no more
    /// of them than questions, which the message's ledger limits.
    stretches: Vec<(Instant, Instant)>,
}

impl Spent {
    /// Adds a wait that ends now, and so not before any other.
    fn add(&mut self, mut since: Instant, now: Instant) {
        while let Some((start, _)) = self.stretches.pop_if(|&mut (_, end)| end >= since) {
            since = since.min(start);
        }
        if now > since {
            self.stretches.push((since, now));
        }
    }

    /// All of it, together with a wait that is open since `open`.
    fn so_far(&self, open: Option<Instant>, now: Instant) -> Duration {
        let open = open.unwrap_or(now);
        let before = self.stretches.iter().map(|&(start, end)| {
            let end = end.min(open);
            end.saturating_duration_since(start)
        });
        before.sum::<Duration>() + now.saturating_duration_since(open)
    }
}

/// One open question. It ends by being dropped, also where nobody waits any longer.
struct Wait<'a> {
    message: &'a MessageLookup,
    since: Instant,
}

impl<'a> Wait<'a> {
    fn start(message: &'a MessageLookup, since: Instant) -> Self {
        message.waiting().under_way.push(since);
        Self { message, since }
    }

    fn has_failed(self) {
        self.message.waiting().in_failures.add(self.since, Instant::now());
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut waiting = self.message.waiting();
        waiting.in_all.add(self.since, Instant::now());
        if let Some(at) = waiting.under_way.iter().position(|&since| since == self.since) {
            waiting.under_way.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use landmarc_testkit::dns_server::DnsServer;
    use landmarc_testkit::txt_zones;

    use super::*;
    use crate::resolver::ResolverOptions;

    const ALL: Duration = Duration::from_secs(9);

    #[tokio::test(start_paused = true)]
    async fn waiting_at_the_same_time_counts_once() {
        let message = message("127.0.0.1:53".parse().unwrap());
        let waits = [(); 10].map(|()| Wait::start(&message, Instant::now()));
        pass(5).await;
        assert_eq!(
            message.failure_time_left(),
            ALL - Duration::from_secs(5),
            "all are open"
        );
        waits.into_iter().for_each(Wait::has_failed);
        assert_eq!(
            message.failure_time_left(),
            ALL - Duration::from_secs(5),
            "all have failed"
        );
        pass(100).await;
        assert_eq!(
            message.failure_time_left(),
            ALL - Duration::from_secs(5),
            "nobody waits"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn overlapping_waits_add_up_to_the_time_that_passed() {
        let message = message("127.0.0.1:53".parse().unwrap());
        let first = Wait::start(&message, Instant::now());
        pass(2).await;
        let second = Wait::start(&message, Instant::now());
        pass(2).await;
        first.has_failed();
        pass(2).await;
        assert_eq!(message.failure_time_left(), ALL - Duration::from_secs(6));
        second.has_failed();
        assert_eq!(message.failure_time_left(), ALL - Duration::from_secs(6));
    }

    /// As a slow name and many that fail at once beside it would have it.
    #[tokio::test(start_paused = true)]
    async fn a_short_wait_within_a_long_one_does_not_hide_it() {
        let message = message("127.0.0.1:53".parse().unwrap());
        let long = Wait::start(&message, Instant::now());
        pass(3).await;
        for _ in 0..2 {
            let short = Wait::start(&message, Instant::now());
            pass(1).await;
            short.has_failed();
        }
        long.has_failed();
        assert_eq!(message.failure_time_left(), ALL - Duration::from_secs(5));
        assert_eq!(message.time_left(), Duration::from_secs(15));
        pass(7).await;
        let after = Wait::start(&message, Instant::now());
        pass(2).await;
        after.has_failed();
        assert_eq!(message.failure_time_left(), ALL - Duration::from_secs(7));
        assert_eq!(message.time_left(), Duration::from_secs(13));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_with_an_answer_or_given_up_costs_nothing() {
        let message = message("127.0.0.1:53".parse().unwrap());
        let wait = Wait::start(&message, Instant::now());
        pass(4).await;
        drop(wait);
        assert_eq!(message.failure_time_left(), ALL);
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_uses_up_the_time_of_a_message() {
        let message = message("127.0.0.1:53".parse().unwrap());
        pass(1_000).await;
        assert_eq!(
            message.time_left(),
            Duration::from_secs(20),
            "a slow body is not a wait"
        );
        let wait = Wait::start(&message, Instant::now());
        pass(19).await;
        drop(wait);
        assert_eq!(message.time_left(), Duration::from_secs(1));
        let _open = Wait::start(&message, Instant::now());
        pass(1).await;
        let answer = message
            .ask(&Question::txt(landmarc_testkit::dns_name("a.example")))
            .await;
        assert_eq!(answer, Answer::Failed(LookupError::Budget));
    }

    #[tokio::test]
    async fn answers_cost_no_time_of_failures() {
        let server = DnsServer::start(txt_zones(&[("a.example", "a"), ("b.example", "b")]));
        server.set_delay(Duration::from_millis(10));
        let message = message(server.addr());
        for name in ["a.example", "b.example", "c.example"] {
            let answer = message
                .ask(&Question::txt(landmarc_testkit::dns_name(name)))
                .await;
            assert_eq!(answer.failure(), None);
        }
        assert_eq!(message.failure_time_left(), ALL);
    }

    fn message(server: std::net::SocketAddr) -> MessageLookup {
        let options = ResolverOptions {
            name_servers: vec![server],
            ..ResolverOptions::default()
        };
        Resolver::new(options).unwrap().for_message(Asker::default())
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }
}
