//! The numbers that OpenDMARC writes for results, policies and actions, and the words they stand for
//! (compatibility checklist 2.8). The same numbers stand in its history files and in its database.

/// The result of SPF or DKIM, as its reader of Authentication-Results numbers them.
pub(super) mod result {
    /// The smallest number: nothing is known.
    pub(crate) const UNDEFINED: i64 = -1;
    /// The largest number that is known.
    pub(crate) const LAST: i64 = 12;

    /// Numbers that have a word in aggregate reports.
    const WORDS: [(i64, &str); 8] = [
        (0, "pass"),
        (2, "softfail"),
        (3, "neutral"),
        (4, "temperror"),
        (5, "permerror"),
        (6, "none"),
        (7, "fail"),
        (8, "policy"),
    ];

    /// The word of a number, if a report has one for it: not for `unused`, `nxdomain`, `signed`, `unknown`
    /// and `discard`.
    pub(crate) fn word(code: i64) -> Option<&'static str> {
        WORDS
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, word)| *word)
    }

    /// The number of a word.
    pub(crate) fn code(word: &str) -> i64 {
        let found = WORDS.iter().find(|(_, known)| *known == word);
        found.map_or(UNDEFINED, |(code, _)| *code)
    }
}

/// What OpenDMARC did (`action` in its files, `disp` in its database).
pub(super) mod action {
    /// Refused.
    pub(crate) const REJECT: i64 = 0;
    /// Taken and thrown away; reports call it a reject.
    pub(crate) const DISCARD: i64 = 1;
    /// Taken.
    pub(crate) const ACCEPT: i64 = 2;
    /// Deferred.
    pub(crate) const TEMPFAIL: i64 = 3;
    /// Set aside.
    pub(crate) const QUARANTINE: i64 = 4;
}

/// What the policy came to (`policy`). Numbers up to [`LAST_ACTION`](policy::LAST_ACTION) stand there in
/// the files of Exim, which writes its own action instead (HF4).
pub(super) mod policy {
    /// The largest number of [`action`](super::action).
    pub(crate) const LAST_ACTION: i64 = 4;
    /// There is no Author Domain.
    pub(crate) const FROM_ABSENT: i64 = 13;
    /// There is no record.
    pub(crate) const ABSENT: i64 = 14;
    /// Something passed in alignment.
    pub(crate) const PASS: i64 = 15;
    /// It failed, and the record asks for reject.
    pub(crate) const REJECT: i64 = 16;
    /// It failed, and the record asks for quarantine.
    pub(crate) const QUARANTINE: i64 = 17;
    /// It failed, and the record asks for nothing.
    pub(crate) const NONE: i64 = 18;

    /// Whether this number can stand there.
    pub(crate) fn is_known(code: i64) -> bool {
        (0..=LAST_ACTION).contains(&code) || (FROM_ABSENT..=NONE).contains(&code)
    }
}

/// Alignment (`align_dkim`, `align_spf`).
pub(super) mod alignment {
    /// Aligned, and passed.
    pub(crate) const PASS: i64 = 4;
    /// Not so.
    pub(crate) const FAIL: i64 = 5;

    /// Whether this number can stand there; 0 is for what was not evaluated.
    pub(crate) fn is_known(code: i64) -> bool {
        matches!(code, 0 | PASS | FAIL)
    }
}

/// Tags of the record, by the number of their first letter; 0 for one that is not there.
pub(super) mod tag {
    /// The word of a policy.
    pub(crate) fn policy(code: i64) -> Option<&'static str> {
        letter(code, ["none", "quarantine", "reject"])
    }

    /// The letter of a mode of alignment.
    pub(crate) fn mode(code: i64) -> Option<&'static str> {
        letter(code, ["r", "s"])
    }

    /// The number of a word.
    pub(crate) fn code(word: &str) -> i64 {
        word.as_bytes().first().copied().map_or(0, i64::from)
    }

    fn letter<const N: usize>(number: i64, words: [&'static str; N]) -> Option<&'static str> {
        words.into_iter().find(|word| code(word) == number)
    }
}

/// The options of failure reports (`fo`, in files after 1.4): a bit each.
pub(super) mod failure_options {
    /// The options in the order of their bits.
    const OPTIONS: [(i64, &str); 4] = [(1, "0"), (2, "1"), (4, "d"), (8, "s")];

    /// As they stand in a record; `0` where none is set (RFC 9989 §4.7).
    pub(crate) fn text(bits: i64) -> String {
        let set = OPTIONS.iter().filter(|(bit, _)| bits & bit != 0);
        let set: Vec<_> = set.map(|(_, option)| *option).collect();
        if set.is_empty() {
            "0".to_owned()
        } else {
            set.join(":")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_go_both_ways() {
        for code in 0..=result::LAST {
            if let Some(word) = result::word(code) {
                assert_eq!(result::code(word), code);
            }
        }
        assert_eq!(result::code("nonsense"), result::UNDEFINED);
        for word in ["none", "quarantine", "reject"] {
            assert_eq!(tag::policy(tag::code(word)), Some(word));
        }
        for letter in ["r", "s"] {
            assert_eq!(tag::mode(tag::code(letter)), Some(letter));
        }
        assert_eq!(
            (tag::policy(0), tag::mode(0), tag::policy(120)),
            (None, None, None)
        );
    }

    #[test]
    fn failure_options_are_bits() {
        let text = [0, 1, 2, 3, 12, 15, 16].map(failure_options::text);
        assert_eq!(text, ["0", "0", "1", "0:1", "d:s", "0:1:d:s", "0"]);
    }
}
