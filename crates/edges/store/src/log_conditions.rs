//! What a filter of the log asks, as conditions of a statement: observations are `o` in it, outcomes `c`.

use crate::columns::{address, at_or_below};
use crate::model::{LogFilter, as_integer};
use crate::sql::{SqlValue, limit};

/// LogConditions of a question, and their values.
#[derive(Default)]
pub(crate) struct LogConditions<'a> {
    pub(crate) texts: Vec<String>,
    pub(crate) values: Vec<SqlValue<'a>>,
}

impl<'a> LogConditions<'a> {
    /// The place of a further value.
    pub(crate) fn value(&mut self, value: SqlValue<'a>) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    fn is(&mut self, condition: &str, value: SqlValue<'a>) {
        let place = self.value(value);
        self.texts.push(format!("{condition} {place}"));
    }

    pub(crate) fn of_outcome(&mut self, filter: &'a LogFilter) {
        if let Some(domain) = &filter.domain {
            let (from, to) = at_or_below(domain);
            self.is("c.author_domain >=", from.into());
            self.is("c.author_domain <", to.into());
        }
        for (column, word) in [
            ("c.dmarc =", &filter.result),
            ("c.disposition =", &filter.disposition),
            ("c.action =", &filter.action),
            ("c.enforced_action =", &filter.enforced_action),
            ("c.rule =", &filter.rule),
        ] {
            if let Some(word) = word {
                self.is(column, word.into());
            }
        }
    }

    pub(crate) fn of_observation(&mut self, filter: &'a LogFilter) {
        if let Some(since) = filter.since_ms {
            self.is("o.at_ms >=", as_integer(since).into());
        }
        if let Some(until) = filter.until_ms {
            self.is("o.at_ms <", as_integer(until).into());
        }
        if let Some(clients) = &filter.client {
            let (from, to) = (address(*clients.start()), address(*clients.end()));
            // Those of the other family may lie between, octet by octet.
            let octets = limit(from.len());
            self.is("o.client >=", from.into());
            self.is("o.client <=", to.into());
            self.is("octet_length(o.client) =", octets.into());
        }
    }

    pub(crate) fn text(&self) -> String {
        match self.texts.is_empty() {
            true => "1 = 1".to_owned(),
            false => self.texts.join(" AND "),
        }
    }
}
