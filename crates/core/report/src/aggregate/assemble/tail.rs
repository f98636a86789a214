//! More rows than a day may have: the tail says less, and what is still too much is left out.

use std::collections::HashMap;

use landmarc_mail::ClientNetwork;

use super::fold::{Fold, FoldedRows, ReportNames};
use super::placed::{Placed, SummedRows, compare};

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
    let mut counted = SummedRows::default();
    counted.extend(rows);
    counted.sorted()
}
