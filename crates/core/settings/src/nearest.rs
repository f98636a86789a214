//! The name that was probably meant.

use crate::key::{Item, Key};
use crate::{Settings, keys};

/// How many slips of the finger a suggestion bridges: a third of the letters, at most three.
const MAX_SLIPS: usize = 3;

/// The longest name that is compared: longer than any key, and the work grows with the square.
const MAX_NAME_CHARS: usize = 40;

/// The full name of the key or table whose own name is most like that of `unknown`: in
/// the same table first, then in any other, where the header was forgotten.
pub(crate) fn nearest(unknown: &str) -> Option<String> {
    let tables = Settings::default()
        .items()
        .into_iter()
        .filter_map(|item| match item {
            Item::Table { name, .. } => Some(name),
            Item::Key { .. } => None,
        });
    nearest_of(unknown, tables.chain(keys().map(|Key { name, .. }| name.clone())))
}

/// The one of these full names whose own name, behind the last dot, is most like that of `unknown`, if it is like
/// it: in the same table first, then in any other.
pub fn nearest_of(unknown: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let (table, name) = split(unknown);
    let allowed = (name.chars().count() / 3).clamp(1, MAX_SLIPS);
    let ranked = names.filter_map(|candidate| {
        let (its_table, its_name) = split(&candidate);
        let elsewhere = its_table != table;
        let slips = slips(name, its_name)?;
        // In another table only the very name is more than a guess.
        let near = if elsewhere { slips == 0 } else { slips <= allowed };
        near.then_some((elsewhere, slips, candidate))
    });
    ranked.min().map(|(_, _, candidate)| candidate)
}

fn split(full: &str) -> (&str, &str) {
    full.rsplit_once('.').unwrap_or(("", full))
}

/// How many letters must be put in, left out, changed or swapped with the next one to
/// make the one name the other. Nothing for a name longer than any key.
fn slips(one: &str, other: &str) -> Option<usize> {
    let one: Vec<char> = one.chars().take(MAX_NAME_CHARS + 1).collect();
    let other: Vec<char> = other.chars().collect();
    if one.len() > MAX_NAME_CHARS {
        return None;
    }
    // Rows of the classic table: the distances of a prefix of `one` to each prefix of `other`.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    for (row, &a) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in other.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&above, column) + usize::from(a != b);
            let put_in = at(&current, column) + 1;
            let left_out = at(&above, column + 1) + 1;
            let mut best = changed.min(put_in).min(left_out);
            let swapped =
                row > 0 && column > 0 && one.get(row - 1) == Some(&b) && other.get(column - 1) == Some(&a);
            if swapped {
                best = best.min(at(&before, column - 1) + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (one, other, count) in [
            ("", "", 0),
            ("mode", "mode", 0),
            ("", "mode", 4),
            ("moed", "mode", 1),
            ("mod", "mode", 1),
            ("model", "mode", 1),
            ("node", "mode", 1),
            ("dmarc", "dkim", 4),
        ] {
            assert_eq!(slips(one, other), Some(count), "{one} {other}");
            assert_eq!(slips(other, one), Some(count), "{other} {one}");
        }
        assert!(slips(&"x".repeat(MAX_NAME_CHARS), "mode").is_some());
        assert_eq!(slips(&"x".repeat(MAX_NAME_CHARS + 1), "mode"), None);
    }

    #[test]
    fn every_name_is_short_enough_to_be_suggested() {
        for key in keys() {
            assert!(key.last_name().len() <= MAX_NAME_CHARS, "{}", key.name);
            assert_eq!(nearest(&key.name), Some(key.name.clone()));
        }
    }

    #[test]
    fn what_is_meant_is_found_in_its_table_or_in_another() {
        for (unknown, meant) in [
            ("mdoe", Some("mode")),
            ("mitler", Some("milter")),
            ("milter.max_sesions", Some("milter.max_sessions")),
            ("max_sessions", Some("milter.max_sessions")),
            ("dns.max_sessions", Some("milter.max_sessions")),
            ("failures.dsn", Some("failures.dns")),
            ("failures.dns.txt", Some("failures.dns.text")),
            ("dns.max_sesions", None),
            ("zzzzzz", None),
        ] {
            assert_eq!(nearest(unknown).as_deref(), meant, "{unknown}");
        }
    }
}
