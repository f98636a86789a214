//! The questions of one message: counted, limited, remembered.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Answer, Lookup, LookupError, Question};

/// DNS questions one message may cause, all mechanisms together (decision D11).
pub const QUESTIONS_PER_MESSAGE: usize = 100;

/// A question of this message and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedQuestion {
    /// What was asked.
    pub question: Question,
    /// What DNS said; none while the answer is under way.
    pub answer: Option<Answer>,
}

/// A [`Lookup`] for one message. Each distinct question is asked once, counted and
/// kept for the trace; a question too many gets [`LookupError::Budget`].
pub struct Ledger<L> {
    lookup: L,
    limit: usize,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    asked: Vec<AskedQuestion>,
    index: BTreeMap<Question, usize>,
    refused: bool,
}

impl<L: Lookup> Ledger<L> {
    /// At most `limit` distinct questions through `lookup`.
    pub fn new(lookup: L, limit: usize) -> Self {
        Self {
            lookup,
            limit,
            entries: Mutex::default(),
        }
    }

    /// The questions so far in the order of asking.
    #[must_use]
    pub fn asked(&self) -> Vec<AskedQuestion> {
        self.lock().asked.clone()
    }

    /// Whether there is such a question.
    pub fn any(&self, is_such: impl Fn(&AskedQuestion) -> bool) -> bool {
        self.lock().asked.iter().any(is_such)
    }

    /// Whether a question was refused because the limit was reached.
    #[must_use]
    pub fn limit_reached(&self) -> bool {
        self.lock().refused
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // Nothing in here can be left half done, so a panic elsewhere spoils nothing.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of the question in the ledger and its answer, if there is one yet.
    fn enter(&self, question: &Question) -> Result<(usize, Option<Answer>), LookupError> {
        let mut entries = self.lock();
        if let Some(&at) = entries.index.get(question) {
            return Ok((at, entries.asked[at].answer.clone()));
        }
        if entries.asked.len() >= self.limit {
            entries.refused = true;
            return Err(LookupError::Budget);
        }
        let at = entries.asked.len();
        entries.asked.push(AskedQuestion {
            question: question.clone(),
            answer: None,
        });
        entries.index.insert(question.clone(), at);
        Ok((at, None))
    }
}

impl<L: Lookup> Lookup for Ledger<L> {
    async fn ask(&self, question: &Question) -> Answer {
        let at = match self.enter(question) {
            Ok((_, Some(known))) => return known,
            Ok((at, None)) => at,
            Err(refused) => return Answer::Failed(refused),
        };
        let answer = self.lookup.ask(question).await;
        self.lock().asked[at].answer = Some(answer.clone());
        answer
    }
}
