//! The value of Identity-Alignment (RFC 9991 §4).

use landmarc_report::failure::IdentityAlignment;

use super::deviation::{FailureDeviation, FailureDeviationKind};

/// The longest value that is read, and the most tokens of it.
const MAX_VALUE_OCTETS: usize = 1_000;

/// Reads a value, in any case and order, with comments. None where nothing in it can be used.
pub(super) fn read(value: &str, deviations: &mut Vec<FailureDeviation>) -> Option<IdentityAlignment> {
    let bare = without_comments(value);
    let mut found = IdentityAlignment::default();
    let (mut is_none, mut count) = (false, 0_usize);
    let mut odd = value.len() > MAX_VALUE_OCTETS;
    for token in bare.split(',').map(str::trim) {
        let place = match token.to_ascii_lowercase().as_str() {
            "dkim" => &mut found.dkim,
            "spf" => &mut found.spf,
            "none" => &mut is_none,
            _ => {
                odd = true;
                continue;
            }
        };
        odd |= std::mem::replace(place, true);
        count += 1;
    }
    // "none" means that all aligned, so it stands alone; where it does not, what is named counts.
    odd |= is_none && count > 1;
    if odd {
        deviations.push(FailureDeviation::new(
            FailureDeviationKind::IdentityAlignment,
            value,
        ));
    }
    (count > 0).then_some(found)
}

/// The text without what stands in parentheses, which may nest; cut at [`MAX_VALUE_OCTETS`].
fn without_comments(value: &str) -> String {
    let mut depth = 0_usize;
    let outside = value.chars().take(MAX_VALUE_OCTETS).filter(|&character| {
        match character {
            '(' => depth += 1,
            ')' if depth > 0 => {
                depth -= 1;
                return false;
            }
            _ => {}
        }
        depth == 0
    });
    outside.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a value, and whether it is as it should be.
    fn reading(value: &str) -> (Option<(bool, bool)>, bool) {
        let mut deviations = Vec::new();
        let read = read(value, &mut deviations);
        (read.map(|found| (found.dkim, found.spf)), deviations.is_empty())
    }

    #[test]
    fn i01_to_i10() {
        let vectors = [
            ("I01", "dkim", Some((true, false)), true),
            ("I02", "dkim, spf", Some((true, true)), true),
            ("I03", "spf,dkim", Some((true, true)), true),
            ("I04", "none", Some((false, false)), true),
            ("I05", "dkim (expired) , spf", Some((true, true)), true),
            ("I06", "dkim,dkim", Some((true, false)), false),
            ("I07", "none,spf", Some((false, true)), false),
            ("I08", "", None, false),
            ("I09", "arc", None, false),
            ("I09 beside another", "arc, spf", Some((false, true)), false),
            ("I10", "DKIM", Some((true, false)), true),
        ];
        for (id, value, found, is_valid) in vectors {
            assert_eq!(reading(value), (found, is_valid), "{id}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (dkim, spf) in [(true, true), (true, false), (false, true), (false, false)] {
            let written = IdentityAlignment { dkim, spf }.to_string();
            assert_eq!(reading(&written), (Some((dkim, spf)), true));
        }
    }

    #[test]
    fn comments_nest_and_need_not_balance() {
        assert_eq!(reading("dkim (a (b) c)"), (Some((true, false)), true));
        assert_eq!(reading("dkim, (spf"), (Some((true, false)), false));
        assert_eq!(reading("dkim)"), (None, false));
    }

    #[test]
    fn a_value_is_read_to_its_limit() {
        let at_limit = format!("{}spf", " ".repeat(MAX_VALUE_OCTETS - 3));
        assert_eq!(reading(&at_limit), (Some((false, true)), true));
        let past_it = format!("{}spf", " ".repeat(MAX_VALUE_OCTETS - 2));
        assert_eq!(reading(&past_it), (None, false));
    }
}
