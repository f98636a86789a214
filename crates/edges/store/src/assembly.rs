//! The tally of a day as reports are made from it: one policy domain after the other.

use std::fmt;

use landmarc_observation::DomainDay;

use crate::error::StoreError;
use crate::model::Day;
use crate::{server, sqlite};

/// The policy domains of a day in alphabetical order, each with all its rows.
///
/// It reads some at a time and holds nothing open in between: whoever takes hours over it keeps nobody
/// waiting. Which domains there are is settled at the beginning; the rows are those of the moment they
/// are read at, each domain's of one moment.
pub struct ReportingDay<'a> {
    inner: Inner<'a>,
}

enum Inner<'a> {
    File(sqlite::FileReportingDay<'a>),
    Server(server::reporting::ServerReportingDay<'a>),
}

impl<'a> ReportingDay<'a> {
    pub(crate) fn of_file(file: sqlite::FileReportingDay<'a>) -> Self {
        let inner = Inner::File(file);
        Self { inner }
    }

    pub(crate) fn of_server(server: server::reporting::ServerReportingDay<'a>) -> Self {
        let inner = Inner::Server(server);
        Self { inner }
    }

    /// The day.
    pub fn day(&self) -> Day {
        match &self.inner {
            Inner::File(file) => file.day(),
            Inner::Server(server) => server.day(),
        }
    }

    /// How many policy domains there are, those that were left out not counted.
    pub fn domains(&self) -> usize {
        match &self.inner {
            Inner::File(file) => file.domains(),
            Inner::Server(server) => server.domains(),
        }
    }

    /// How many policy domains are left out, past [`MAX_DOMAINS`](crate::MAX_DOMAINS).
    pub fn left_out(&self) -> u64 {
        match &self.inner {
            Inner::File(file) => file.left_out(),
            Inner::Server(server) => server.left_out(),
        }
    }
}

impl Iterator for ReportingDay<'_> {
    type Item = Result<DomainDay, StoreError>;

    /// # Errors
    /// When the store cannot be read. There is nothing behind an error.
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.inner {
            Inner::File(file) => file.next(),
            Inner::Server(server) => server.next(),
        }
    }
}

impl fmt::Debug for ReportingDay<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ReportingDay");
        shown.field("day", &self.day()).field("domains", &self.domains());
        shown.finish_non_exhaustive()
    }
}
