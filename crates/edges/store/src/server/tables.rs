//! The tables that what hosts recorded is written to.

use super::upsert::{Grow, Table};
use crate::columns;
use crate::limits::MAX_SUM;

pub(super) const PUBLISHED: Table = Table {
    name: "published",
    columns: &["policy_domain, digest, first, last_day", columns::PUBLISHED],
    key: "policy_domain, digest",
    grow: &[("first", Grow::Earlier), ("last_day", Grow::Later)],
};

pub(super) const ROWS: Table = Table {
    name: "reporting_row",
    columns: &[
        "policy_domain, digest, last_day, published, source_ip, aligned, disposition, reasons, header_from, \
              envelope_from, envelope_to, dkim, spf",
    ],
    key: "policy_domain, digest",
    grow: MARKED,
};

pub(super) const DAYS: Table = Table {
    name: "tally_day",
    columns: &["day"],
    key: "day",
    grow: &[("day", Grow::Later)],
};

pub(super) const TALLY: Table = Table {
    name: "tally",
    columns: &["policy_domain, day, reporting_row, count"],
    key: "policy_domain, day, reporting_row",
    grow: &[("count", Grow::Sum(i64::MAX))],
};

pub(super) const IMPORTED: Table = Table {
    grow: &[("count", Grow::Sum(MAX_SUM.cast_signed()))],
    ..TALLY
};

pub(super) const RULES: Table = Table {
    name: "rule_hit",
    columns: &["name, hits, first_ms, last_ms"],
    key: "name",
    grow: &[
        ("hits", Grow::Sum(i64::MAX)),
        ("first_ms", Grow::Earlier),
        ("last_ms", Grow::Later),
    ],
};

pub(super) const OUTCOMES: Table = Table {
    name: "outcome",
    columns: &["policy_domain, digest, last_day, is_found", columns::OUTCOME],
    key: "policy_domain, digest",
    grow: MARKED,
};

pub(super) const TRACES: Table = Table {
    name: "trace",
    columns: &["policy_domain, digest, last_day, size, text"],
    key: "policy_domain, digest",
    grow: MARKED,
};

pub(super) const OBSERVATIONS: Table = Table {
    name: "observation",
    columns: &["policy_domain, at_ms, origin, queue_id, short_id, client, outcome, trace, questions, ms"],
    key: "policy_domain, at_ms, origin",
    grow: &[],
};

/// Rows of which nothing changes but the last day that used them.
const MARKED: &[(&str, Grow)] = &[("last_day", Grow::Later)];
