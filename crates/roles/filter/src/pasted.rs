//! Ids as people paste them: out of a log, a header field, a bounce, or read over the telephone.

use crate::ids::{ALPHABET, LENGTH};

/// The names that ids have in logs, SMTP replies and header fields.
const NAMES: [&str; 2] = ["queue_id", "id"];
/// How long a queue id is that nothing but its looks tells from other words: those of Postfix have
/// 6 characters and more, of Sendmail 14, of Exim 16 or 23.
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=40;
/// So many ids of one text are tried: each is a question to the store, and a whole log may be
/// pasted. A line has a handful.
const MAX_IDS: usize = 16;

/// What may be meant by a text, the likeliest first, each without what stood around it. A single
/// word is an id, whatever it looks like. In a whole line: what stands where mail servers and we
/// write ids, then what only looks like one.
pub fn candidates(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let found: Vec<&str> = match words.as_slice() {
        [word] => vec![named(word).unwrap_or_else(|| bare(word))],
        words => {
            let known = in_known_places(words);
            let others = words
                .iter()
                .map(|word| bare(word))
                .filter(|word| looks_like_id(word));
            known.into_iter().chain(others).collect()
        }
    };
    let mut ids: Vec<String> = Vec::new();
    for id in found {
        if !id.is_empty() && ids.iter().all(|known| known != id) {
            ids.push(id.to_owned());
        }
    }
    ids.truncate(MAX_IDS);
    ids
}

/// How an id may have been meant to be spelled: as it is, for long queue ids of Postfix differ by
/// case; as the short id that it would be if somebody had typed it off a screen; and as a short
/// queue id, which is in capitals.
pub fn spellings(id: &str) -> Vec<String> {
    let mut all = vec![id.to_owned()];
    for other in short_id(id).into_iter().chain([id.to_ascii_uppercase()]) {
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

/// What stands where ids are written.
fn in_known_places<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let before = |back: usize| place.checked_sub(back).and_then(|before| words.get(before));
        // `postfix/cleanup[19237]: 49BE8C92347: milter-hold: …`, or the same cut off on the left.
        let is_behind_program = before(1).is_none_or(|program| program.ends_with("]:"));
        let is_in_log = is_behind_program && word.ends_with(':') && looks_like_id(bare(word));
        // The reply of the next server: `250 2.0.0 Ok: queued as 49BE8C92347`.
        let is_queued = before(1).is_some_and(|word| word.eq_ignore_ascii_case("as"))
            && before(2).is_some_and(|word| bare(word).eq_ignore_ascii_case("queued"));
        // Our own reply: `… and there is no DKIM signature (0n2v5x8k4q1m)`.
        let is_in_reply = word.starts_with('(') && short_id(bare(word)).is_some();
        if let Some(id) = named(word) {
            found.push(id);
        } else if is_in_log || is_queued || is_in_reply {
            found.push(bare(word));
        }
    }
    found
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
    let (name, id) = bare(word).split_once(['=', ':'])?;
    let is_name = NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
    is_name.then(|| bare(id))
}

/// Whether a word could be an id of a mail server, or one of ours. Words of a language and names
/// of programs have no digits, and no capital in the middle; dates have no letters.
fn looks_like_id(word: &str) -> bool {
    let has = |is: fn(&char) -> bool| word.chars().any(|c| is(&c));
    let is_made_of = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let (digit, letter) = (has(char::is_ascii_digit), has(char::is_ascii_alphabetic));
    let hyphen = word.contains('-');
    let has_late_capital = word
        .trim_start_matches(|c: char| c.is_ascii_uppercase())
        .contains(|c: char| c.is_ascii_uppercase());
    LENGTHS.contains(&word.len())
        && is_made_of
        && (digit && (letter || !hyphen) || has_late_capital && !hyphen)
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
    let is_short = read.len() == LENGTH && read.bytes().all(|octet| ALPHABET.contains(&octet));
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
        // Whoever writes nothing else means it.
        assert_eq!(candidates("Nov"), ["Nov"]);
    }

    #[test]
    fn a_line_of_the_mail_server_has_its_id_behind_the_program() {
        for (line, first) in [
            (
                "Nov 20 18:59:35 mx postfix/cleanup[19237]: 49BE8C92347: milter-hold: END-OF-MESSAGE from \
                 mx1a2b3c.example.net[192.0.2.7]: SPF fails; from=<a@example.com> proto=ESMTP helo=<mx>",
                "49BE8C92347",
            ),
            (
                "2026-11-20T18:59:35.123456+00:00 mx postfix/smtp[1]: 2DB0EC92349: to=<a@example.com>, \
                 relay=192.0.2.1[192.0.2.1]:25, delay=0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4BCDEF01234)",
                "2DB0EC92349",
            ),
            // Long queue ids may have no digit.
            (
                "Nov 20 18:59:35 mx postfix/qmgr[7]: BdfGHjkLzMnpq: removed",
                "BdfGHjkLzMnpq",
            ),
            ("250 2.0.0 Ok: queued as 49BE8C92347", "49BE8C92347"),
            ("(250 2.0.0 Ok: queued as 49be8c92347)", "49be8c92347"),
            (
                "Nov 20 18:59:35 mx sm-mta[123]: 7AKIxZ12345678: from=<a@example.com>, size=1",
                "7AKIxZ12345678",
            ),
            (
                "2026-11-20 18:59:35 1tDqXk-000000001zC-2abc <= a@example.com H=mx [192.0.2.7]",
                "1tDqXk-000000001zC-2abc",
            ),
        ] {
            assert_eq!(
                candidates(line).first().map(String::as_str),
                Some(first),
                "{line}"
            );
        }
        assert_eq!(
            candidates("Nov 20 18:59:35 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn in_a_whole_line_the_named_ones_come_first() {
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
            ["0n2v5x8k4q1m"]
        );
        assert_eq!(
            candidates("they say 49BE8C92347 was held, see (0n2v5x8k4q1m)"),
            ["0n2v5x8k4q1m", "49BE8C92347"]
        );
    }

    #[test]
    fn so_many_are_tried_and_no_more() {
        let line = |count: usize| (0..count).map(|n| format!("ABCDE{n:03} ")).collect::<String>();
        assert_eq!(candidates(&line(MAX_IDS)).len(), MAX_IDS);
        assert_eq!(candidates(&line(MAX_IDS + 1)), candidates(&line(MAX_IDS)));
        let of_length = |length: usize| candidates(&format!("see {}", "7A".repeat(length / 2))).len();
        assert_eq!([4, 6, 40, 42].map(of_length), [0, 1, 1, 0]);
    }

    #[test]
    fn a_short_id_may_come_in_capitals_and_from_the_telephone() {
        assert_eq!(spellings("0N2V5X8K4Q1M"), ["0N2V5X8K4Q1M", "0n2v5x8k4q1m"]);
        assert_eq!(candidates("On2v5x8k4qlM)"), ["On2v5x8k4qlM"]);
        assert_eq!(
            spellings("On2v5x8k4qlM"),
            ["On2v5x8k4qlM", "0n2v5x8k4q1m", "ON2V5X8K4QLM"]
        );
        // One character more or less, or one that no short id has: a queue id, if anything.
        for id in ["0N2V5X8K4Q1", "0N2V5X8K4Q1M2", "0N2V5X8K4Q1U"] {
            assert_eq!(spellings(id), [id]);
        }
    }

    #[test]
    fn a_queue_id_is_tried_as_it_is_and_in_capitals() {
        assert_eq!(spellings("49be8c92347"), ["49be8c92347", "49BE8C92347"]);
        assert_eq!(spellings("49BE8C92347"), ["49BE8C92347"]);
    }

    #[test]
    fn nothing_is_nothing() {
        for text in ["", "  ", "<>", "id=", "é", "no id in here"] {
            assert_eq!(candidates(text), Vec::<String>::new(), "{text:?}");
        }
    }
}
