//! What an answer may have: octets, and what rows of them take in memory.

use crate::error::ProtocolViolation;
use crate::limits::{MAX_ANSWER_COST, MAX_ANSWER_OCTETS, MAX_COLUMNS};

/// What a message takes in memory beside its octets.
const MESSAGE_COST: u64 = 128;
/// What a column of a row takes, though it has no octets.
const COLUMN_COST: u64 = 32;

/// What has come in answer to the statement under way.
#[derive(Debug, Default)]
pub(crate) struct AnswerBudget {
    octets: u64,
    cost: u64,
}

impl AnswerBudget {
    /// A message of so many octets, by its header. Nothing of it is kept yet.
    pub(crate) fn announce(&mut self, octets: u64) -> Result<(), ProtocolViolation> {
        if octets > MAX_ANSWER_OCTETS {
            return Err(ProtocolViolation::Announced(octets));
        }
        self.octets = self.octets.saturating_add(octets);
        self.cost = self.cost.saturating_add(MESSAGE_COST);
        if self.octets > MAX_ANSWER_OCTETS {
            return Err(ProtocolViolation::Octets);
        }
        self.within()
    }

    /// The message is a row of so many columns.
    pub(crate) fn row(&mut self, columns: u64) -> Result<(), ProtocolViolation> {
        columns_within(columns)?;
        self.cost = self.cost.saturating_add(columns * COLUMN_COST);
        self.within()
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    fn within(&self) -> Result<(), ProtocolViolation> {
        match self.cost > MAX_ANSWER_COST {
            true => Err(ProtocolViolation::Rows),
            false => Ok(()),
        }
    }
}

pub(crate) fn columns_within(columns: u64) -> Result<(), ProtocolViolation> {
    match columns > MAX_COLUMNS {
        true => Err(ProtocolViolation::Columns(columns)),
        false => Ok(()),
    }
}

/// What goes by between a server and a library.
pub(crate) trait Watch: Send {
    /// What the server sent next. It goes on to the library when it is accepted.
    fn sent(&mut self, octets: &[u8]) -> Result<(), ProtocolViolation>;

    /// The library asked for something: what follows is the answer to it.
    fn asked(&mut self, octets: &[u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_at_its_limits_and_one_past_them() {
        let mut answer = AnswerBudget::default();
        assert_eq!(answer.announce(MAX_ANSWER_OCTETS), Ok(()));
        assert_eq!(answer.announce(1), Err(ProtocolViolation::Octets));
        assert_eq!(
            AnswerBudget::default().announce(MAX_ANSWER_OCTETS + 1),
            Err(ProtocolViolation::Announced(MAX_ANSWER_OCTETS + 1))
        );
        assert_eq!(AnswerBudget::default().row(MAX_COLUMNS), Ok(()));
        assert_eq!(
            AnswerBudget::default().row(MAX_COLUMNS + 1),
            Err(ProtocolViolation::Columns(MAX_COLUMNS + 1))
        );
        let mut answer = AnswerBudget::default();
        for _ in 0..MAX_ANSWER_COST / MESSAGE_COST {
            assert_eq!(answer.announce(0), Ok(()));
        }
        assert_eq!(answer.announce(0), Err(ProtocolViolation::Rows));
    }
}
