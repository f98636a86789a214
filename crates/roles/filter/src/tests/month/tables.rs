//! What became of the messages of a month, counted and printed.

use std::collections::BTreeMap;
use std::fmt;

use super::world::{Habit, World};
use super::{Judged, Kind, Mail, Word};

/// Accepted, quarantined, refused.
const WORDS: [Word; 3] = ["accept", "quarantine", "reject"];

/// Messages by what was done with them, without and with what was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    before: [u64; 3],
    after: [u64; 3],
}

impl Row {
    fn take(&mut self, judged: &Judged) {
        for (row, word) in [(&mut self.before, judged.before), (&mut self.after, judged.after)] {
            if let Some(place) = WORDS.iter().position(|one| *one == word) {
                row[place] += 1;
            }
        }
    }

    /// Of a hundred, so many are refused.
    fn refused(row: [u64; 3]) -> f64 {
        let all: u64 = row.iter().sum();
        row[2] as f64 * 100.0 / all.max(1) as f64
    }
}

/// The counts of a month.
#[derive(Default)]
pub(super) struct Counts {
    kinds: BTreeMap<Kind, Row>,
    /// Direct spoofs of domains with `p=reject` that sign everything.
    signing: Row,
    /// The same by kind.
    signing_by_kind: BTreeMap<Kind, Row>,
    /// Of those with `p=reject` whose owner has forgotten a host.
    forgotten: Row,
    /// Of all others with `p=reject`.
    others: Row,
}

impl Counts {
    pub(super) fn take(&mut self, mail: &Mail, judged: &Judged, world: &World) {
        self.kinds.entry(mail.kind).or_default().take(judged);
        let victim = mail.victim.map(|number| &world.domains[number]);
        let Some(victim) = victim.filter(|domain| domain.policy == "reject") else {
            return;
        };
        if victim.signs_everything() {
            self.signing.take(judged);
            self.signing_by_kind.entry(mail.kind).or_default().take(judged);
        } else if matches!(victim.habit, Habit::ForgottenHost(_)) {
            self.forgotten.take(judged);
        } else {
            self.others.take(judged);
        }
    }

    /// Of a hundred direct spoofs of domains with `p=reject` that sign everything, so many were refused.
    pub(super) fn refused_of_signing(&self) -> f64 {
        Row::refused(self.signing.after)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| messages | accepted | quarantined | refused | then accepted | quarantined | refused |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for (kind, row) in &self.kinds {
            write_row(f, &kind.to_string(), row)?;
        }
        writeln!(
            f,
            "\nDirect spoofs of `p=reject`, by habit of the domain; of those that sign everything by kind:\n"
        )?;
        for (kind, row) in &self.signing_by_kind {
            write_row(f, &kind.to_string(), row)?;
        }
        let rows = [
            ("signs everything", self.signing),
            ("forgot a host", self.forgotten),
            ("others", self.others),
        ];
        for (name, row) in rows {
            write_row(f, name, &row)?;
            let (before, after) = (Row::refused(row.before), Row::refused(row.after));
            writeln!(f, "  {before:.1} % refused before, {after:.1} % after")?;
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, row: &Row) -> fmt::Result {
    let ([a, b, c], [d, e, g]) = (row.before, row.after);
    writeln!(f, "| {name} | {a} | {b} | {c} | {d} | {e} | {g} |")
}
