//! More rows than a day may have: the tail says less, and what is still too much is left out.

use std::cmp::Ordering;
use std::collections::HashMap;

use landmarc_mail::ClientNetwork;

use super::FoldedRows;
use super::fold::{Fold, ReportNames};
use crate::aggregate::model::{Row, RowKey};

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

/// Rows within a limit.
pub(super) struct Fitted {
    pub(super) rows: Vec<Placed>,
    /// What it took, where rows were folded.
    pub(super) folded: Option<FoldedRows>,
    /// How many messages are in none of the rows.
    pub(super) left_out: u64,
}

/// At most `limit` of the sorted rows.
///
/// Of more, no client network has more than a tenth, and three quarters of the limit keep all detail, the most
/// messages first. The rows after them say less and less until they fit ([`Fold`]); so rows that a client makes of
/// little cost no source of others its place. What is still too much is left out.
pub(super) fn fit(rows: Vec<Placed>, limit: usize, names: ReportNames<'_>) -> Fitted {
    let before = rows.len();
    if before <= limit {
        return Fitted {
            rows,
            folded: None,
            left_out: 0,
        };
    }
    let mut press = Press {
        names,
        deepest: None,
        left_out: 0,
    };
    let rows = press.share_out(rows, (limit / NETWORKS_AT_LEAST).max(1));
    let rows = press.squeeze(rows, limit, &Fold::ALL);
    let folded = press.deepest.map(|deepest| FoldedRows {
        before,
        after: rows.len(),
        detail: deepest.in_words(),
    });
    Fitted {
        rows,
        folded,
        left_out: press.left_out,
    }
}

/// No client network has a larger part of too many rows than the one of so many.
const NETWORKS_AT_LEAST: usize = 10;

/// Makes rows fit.
struct Press<'a> {
    names: ReportNames<'a>,
    /// How far any of them had to be folded.
    deepest: Option<Fold>,
    left_out: u64,
}

impl Press<'_> {
    /// At most `share` rows of each client network.
    fn share_out(&mut self, rows: Vec<Placed>, share: usize) -> Vec<Placed> {
        let mut networks: HashMap<ClientNetwork, Vec<Placed>> = HashMap::new();
        for placed in rows {
            let network = ClientNetwork::of(placed.row.key.source_ip);
            networks.entry(network).or_default().push(placed);
        }
        let within_network: Vec<_> = Fold::ALL
            .into_iter()
            .filter(|fold| *fold <= Fold::Network)
            .collect();
        let mut shared = Vec::new();
        for rows in networks.into_values() {
            shared.extend(self.squeeze(rows, share, &within_network));
        }
        shared.sort_unstable_by(compare);
        shared
    }

    /// At most `limit` of the sorted rows, folded by these steps as far as it takes.
    fn squeeze(&mut self, mut rows: Vec<Placed>, limit: usize, steps: &[Fold]) -> Vec<Placed> {
        if rows.len() <= limit {
            return rows;
        }
        let whole = limit - limit.div_ceil(4);
        let mut tail = rows.split_off(whole);
        for step in steps {
            if tail.len() <= limit - whole {
                break;
            }
            step.apply(&mut tail, self.names);
            tail = coalesced(tail);
            self.deepest = self.deepest.max(Some(*step));
        }
        for placed in tail.drain((limit - whole).min(tail.len())..) {
            self.left_out = self.left_out.saturating_add(placed.row.count);
        }
        rows.extend(tail);
        // A thinned row can be what one before it is as it stands.
        coalesced(rows)
    }
}

fn coalesced(rows: Vec<Placed>) -> Vec<Placed> {
    let mut counted = Counted::default();
    counted.extend(rows);
    counted.sorted()
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
