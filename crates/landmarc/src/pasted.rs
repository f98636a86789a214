//! Ids as people paste them: out of a log, a header field, a bounce, or read over the telephone.

/// Characters of a short id.
const SHORT_ID: usize = 12;
/// What a short id is made of: Crockford's base 32, which has no i, l, o and u.
const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
/// The names that ids have in logs, SMTP replies and header fields.
const NAMES: [&str; 2] = ["queue_id", "id"];

/// What may be meant by a text, the likeliest first. In a whole line: what is named an id there,
/// else what looks like a short id, else the first word. Each without what stood around it, and
/// also as the short id that it would be if somebody had typed it off a screen.
pub(crate) fn candidates(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().map(bare).collect();
    let named: Vec<&str> = words.iter().filter_map(|word| named(word)).collect();
    let meant = if named.is_empty() {
        // A reply names the short id without saying that it is one: `… not aligned (0n2v5x8k4q1m)`.
        let short = words
            .iter()
            .filter(|word| short_id(word).as_deref() == Some(**word));
        short.chain(words.first()).copied().collect()
    } else {
        named
    };
    let mut ids: Vec<String> = Vec::new();
    for id in meant.into_iter().filter(|id| !id.is_empty()) {
        // Queue ids differ by case, so the text comes first as it is.
        ids.push(id.to_owned());
        ids.extend(short_id(id).filter(|short| short != id));
    }
    ids.dedup();
    ids
}

/// Without the brackets, quotes and stops of the sentence it stood in.
fn bare(word: &str) -> &str {
    let is_around = |c: char| !c.is_ascii_alphanumeric();
    // A name without an id behind it is not an id itself.
    word.trim_start_matches(is_around)
        .trim_end_matches(|c| c != '=' && is_around(c))
}

/// What stands behind `queue_id=` or `id=`.
fn named(word: &str) -> Option<&str> {
    let (name, id) = word.split_once(['=', ':'])?;
    let is_name = NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    is_name.then(|| bare(id))
}

/// As a short id, whatever the case, and with the letters that the alphabet leaves out taken for
/// the digits that they look like.
fn short_id(id: &str) -> Option<String> {
    let read = id.chars().map(|c| match c.to_ascii_lowercase() {
        'i' | 'l' => '1',
        'o' => '0',
        other => other,
    });
    let read: String = read.collect();
    let is_short = read.len() == SHORT_ID && read.chars().all(|c| ALPHABET.contains(c));
    is_short.then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_what_stood_around_it() {
        for text in [
            "4ZQ0000001",
            " 4ZQ0000001: ",
            "<4ZQ0000001>",
            "(4ZQ0000001).",
            "\"4ZQ0000001\",",
            "queue_id=4ZQ0000001",
            "QUEUE_ID=4ZQ0000001;",
            "(id=4ZQ0000001)",
            "id:4ZQ0000001",
            "4ZQ0000001: milter-reject: END-OF-MESSAGE",
        ] {
            assert_eq!(candidates(text), ["4ZQ0000001"], "{text}");
        }
    }

    #[test]
    fn in_a_whole_line_the_named_ones_count() {
        assert_eq!(
            candidates("550 5.7.1 refused by the policy of example.com (id=0n2v5x8k4q1m)"),
            ["0n2v5x8k4q1m"]
        );
        assert_eq!(
            candidates("INFO queue_id=4ZQ0000001 id=0n2v5x8k4q1m client=192.0.2.7 policy_id=x"),
            ["4ZQ0000001", "0n2v5x8k4q1m"]
        );
        assert_eq!(
            candidates("550 5.7.1 rejected per DMARC policy for example.com: SPF fails (0n2v5x8k4q1m)"),
            ["0n2v5x8k4q1m", "550"]
        );
    }

    #[test]
    fn a_short_id_may_come_in_capitals_and_from_the_telephone() {
        assert_eq!(candidates("0N2V5X8K4Q1M"), ["0N2V5X8K4Q1M", "0n2v5x8k4q1m"]);
        assert_eq!(candidates("On2v5x8k4qlM)"), ["On2v5x8k4qlM", "0n2v5x8k4q1m"]);
        // One character more or less, or one that no short id has: a queue id, if anything.
        assert_eq!(candidates("0N2V5X8K4Q1"), ["0N2V5X8K4Q1"]);
        assert_eq!(candidates("0N2V5X8K4Q1M2"), ["0N2V5X8K4Q1M2"]);
        assert_eq!(candidates("0N2V5X8K4Q1U"), ["0N2V5X8K4Q1U"]);
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "  ", "<>", "id=", "é"] {
            assert_eq!(candidates(text), Vec::<String>::new(), "{text:?}");
        }
    }
}
