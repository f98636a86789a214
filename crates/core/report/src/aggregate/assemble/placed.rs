//! Rows of a day by what they say.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::aggregate::model::{ReportRow, RowKey};

/// A row, and the place of the configuration it was judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) configuration: usize,
    pub(super) row: ReportRow,
}

/// Rows by what they say, with the messages of equal ones added up.
#[derive(Default)]
pub(super) struct SummedRows(HashMap<(usize, RowKey), u64>);

impl SummedRows {
    pub(super) fn add(&mut self, configuration: usize, key: RowKey, count: u64) {
        let counted = self.0.entry((configuration, key)).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Most messages first, then by what they say, so that equal rows make equal reports.
    pub(super) fn sorted(self) -> Vec<Placed> {
        let place = |((configuration, key), count)| Placed {
            configuration,
            row: ReportRow { key, count },
        };
        let mut rows: Vec<_> = self.0.into_iter().map(place).collect();
        rows.sort_unstable_by(compare);
        rows
    }
}

impl Extend<Placed> for SummedRows {
    fn extend<I: IntoIterator<Item = Placed>>(&mut self, rows: I) {
        for Placed { configuration, row } in rows {
            self.add(configuration, row.key, row.count);
        }
    }
}

pub(super) fn compare(a: &Placed, b: &Placed) -> Ordering {
    let (one, other) = (&a.row.key, &b.row.key);
    b.row
        .count
        .cmp(&a.row.count)
        .then_with(|| one.source_ip.cmp(&other.source_ip))
        .then_with(|| a.configuration.cmp(&b.configuration))
        .then_with(|| one.header_from.cmp(&other.header_from))
        .then_with(|| texts(one).cmp(&texts(other)))
}

/// All the rest that a row says, to be compared where its numbers are the same.
fn texts(key: &RowKey) -> Vec<Option<&str>> {
    let mut texts = vec![
        key.envelope_from.as_deref(),
        key.envelope_to.as_deref(),
        Some(key.disposition.as_str()),
        Some(key.dkim_alignment.as_str()),
        Some(key.spf_alignment.as_str()),
    ];
    for reason in &key.reasons {
        let comment = reason.comment.as_ref().map(|comment| comment.text.as_str());
        texts.extend([Some(reason.kind.as_str()), comment]);
    }
    for spf in &key.spf {
        texts.extend([Some(spf.domain.as_str()), Some(spf.result.as_str())]);
    }
    for dkim in &key.dkim {
        texts.extend([&dkim.domain, &dkim.selector].map(|text| Some(text.as_str())));
        texts.push(Some(dkim.result.as_str()));
    }
    texts
}
