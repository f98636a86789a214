//! More rows than a day may have: the tail is told with less detail, and what is still too much is
//! left out.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::aggregate::model::{Row, RowKey};
use crate::aggregate::words::AlignmentResult;

/// A row, and the place of the configuration it was judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) configuration: usize,
    pub(super) row: Row,
}

/// Rows by what they say, with the messages of equal ones added up.
#[derive(Default)]
pub(super) struct Counted(HashMap<(usize, RowKey), u64>);

impl Counted {
    pub(super) fn add(&mut self, configuration: usize, key: RowKey, count: u64) {
        let counted = self.0.entry((configuration, key)).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Most messages first, then by what they say, so that equal rows make equal reports.
    pub(super) fn sorted(self) -> Vec<Placed> {
        let place = |((configuration, key), count)| Placed {
            configuration,
            row: Row { key, count },
        };
        let mut rows: Vec<_> = self.0.into_iter().map(place).collect();
        rows.sort_unstable_by(compare);
        rows
    }
}

impl Extend<Placed> for Counted {
    fn extend<I: IntoIterator<Item = Placed>>(&mut self, rows: I) {
        for Placed { configuration, row } in rows {
            self.add(configuration, row.key, row.count);
        }
    }
}

/// At most `limit` of the sorted rows, and how many messages are in none of them.
///
/// Three quarters of the limit keep all detail. The rows after them are told with one DKIM result
/// each, and if that is not enough, with none but an aligned one: selectors and signing domains cost
/// a client nothing.
pub(super) fn fit(mut rows: Vec<Placed>, limit: usize) -> (Vec<Placed>, u64) {
    if rows.len() <= limit {
        return (rows, 0);
    }
    let whole = limit - limit / 4;
    let mut tail = rows.split_off(whole);
    for thin in [first_result, aligned_result] {
        if tail.len() > limit - whole {
            tail = coalesced(tail, thin);
        }
    }
    let out = tail.split_off(tail.len().min(limit - whole));
    let left_out = out
        .iter()
        .fold(0_u64, |sum, placed| sum.saturating_add(placed.row.count));
    rows.extend(tail);
    // A thinned row can be what one before it is as it stands.
    (coalesced(rows, |_| ()), left_out)
}

fn coalesced(rows: Vec<Placed>, thin: fn(&mut RowKey)) -> Vec<Placed> {
    let mut counted = Counted::default();
    counted.extend(rows.into_iter().map(|mut placed| {
        thin(&mut placed.row.key);
        placed
    }));
    counted.sorted()
}

fn first_result(key: &mut RowKey) {
    key.dkim.truncate(1);
}

/// The first is an aligned pass when there is one.
fn aligned_result(key: &mut RowKey) {
    let is_aligned = key.dkim_alignment == AlignmentResult::Pass.into();
    key.dkim.truncate(usize::from(is_aligned));
}

fn compare(a: &Placed, b: &Placed) -> Ordering {
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
