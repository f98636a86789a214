//! The tally of a day as reports are made from it: one policy domain after the other.

use std::collections::VecDeque;
use std::fmt;

use landmarc_observation::DomainDay;

use crate::error::StoreError;
use crate::model::Day;

/// The policy domains of a day in alphabetical order, each with all its rows.
///
/// It reads some at a time and holds nothing open in between: whoever takes hours over it keeps nobody
/// waiting. Which domains there are is settled at the beginning; the rows are those of the moment they
/// are read at, each domain's of one moment.
pub struct ReportingDay<'a> {
    day: Day,
    domains: usize,
    left_out: u64,
    read: VecDeque<DomainDay>,
    read_some: ReadSome<'a>,
    failed: bool,
}

/// Reads the next policy domains; none of them at the end.
type ReadSome<'a> = Box<dyn FnMut() -> Result<VecDeque<DomainDay>, StoreError> + 'a>;

impl<'a> ReportingDay<'a> {
    pub(crate) fn new(day: Day, domains: usize, left_out: u64, read_some: ReadSome<'a>) -> Self {
        Self {
            day,
            domains,
            left_out,
            read: VecDeque::new(),
            read_some,
            failed: false,
        }
    }

    /// The day.
    pub fn day(&self) -> Day {
        self.day
    }

    /// How many policy domains there are, those that were left out not counted.
    pub fn domains(&self) -> usize {
        self.domains
    }

    /// How many policy domains are left out, past [`MAX_DOMAINS`](crate::MAX_DOMAINS).
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Iterator for ReportingDay<'_> {
    type Item = Result<DomainDay, StoreError>;

    /// # Errors
    /// When the store cannot be read. There is nothing behind an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.read.is_empty() && !self.failed {
            match (self.read_some)() {
                Ok(read) => self.read = read,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        self.read.pop_front().map(Ok)
    }
}

impl fmt::Debug for ReportingDay<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ReportingDay");
        shown.field("day", &self.day).field("domains", &self.domains);
        shown.finish_non_exhaustive()
    }
}
