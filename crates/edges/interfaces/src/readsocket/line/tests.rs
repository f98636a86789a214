//! Answers as Exim takes them apart.

use landmarc_milter::{Edit, Response, Verdict};

use super::*;
use crate::findings::{ActionWord, SpfFinding};
use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_receiver::disposition::Disposition;
use landmarc_receiver::rule::ResultWord;

/// As Exim's `${extract}` takes a line apart, for what we write: words, and quoted texts with escapes.
fn extract(line: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(' ').unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        found.push((key.to_owned(), value));
        rest = after.trim_start_matches(' ');
    }
    assert_eq!(rest, "", "{line}");
    found
}

fn unquote(text: &str) -> (String, &str) {
    let (mut value, mut characters) = (String::new(), text.char_indices());
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (value, &text[place + 1..]),
            '\\' => match characters.next().unwrap().1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                'x' => {
                    let digits: String = [characters.next(), characters.next()]
                        .map(|c| c.unwrap().1)
                        .iter()
                        .collect();
                    value.push(char::from(u8::from_str_radix(&digits, 16).unwrap()));
                }
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("not closed: {text}");
}

fn value(line: &str, key: &str) -> String {
    let found = extract(line).into_iter().find(|(name, _)| name == key);
    found.unwrap_or_else(|| panic!("no {key} in {line}")).1
}

fn failing() -> Findings {
    Findings {
        id: "0mwc1d7a9x2k".to_owned(),
        author_domain: Some("mail.example.com".to_owned()),
        policy_domain: Some("example.com".to_owned()),
        policy_published: Some(AssessmentPolicy::Reject),
        policy: Some(AssessmentPolicy::Reject),
        dmarc: ResultWord::Fail,
        spf: SpfFinding {
            result: "softfail".to_owned(),
            domain: Some("example.com".to_owned()),
        },
        spf_aligned: Some(false),
        dkim_aligned: Some(false),
        disposition: Disposition::Reject,
        action: ActionWord::Reject,
        enforced_action: ActionWord::Reject,
        cause: "SPF softfail, and there is no \"DKIM\" signature".to_owned(),
        ..Findings::default()
    }
}

fn answer(findings: Option<Findings>, edits: Vec<Edit>, verdict: Verdict) -> MessageAnswer {
    MessageAnswer {
        response: Response { edits, verdict },
        findings,
    }
}

/// E5, E14.
#[test]
fn e5_e14_a_refusal_is_told_in_exims_words_and_in_ours() {
    let verdict = Verdict::Reply {
        code: 550,
        enhanced: "5.7.1".to_owned(),
        text: "rejected".to_owned(),
    };
    insta::assert_snapshot!(line(&answer(Some(failing()), Vec::new(), verdict), b""));
}

/// E14: what is done is one thing, what is asked for another, and what was found a third.
#[test]
fn e14_what_is_asked_stands_beside_what_is_done() {
    let observed = Findings {
        disposition: Disposition::None,
        action: ActionWord::Accept,
        ..failing()
    };
    let line = line(&answer(Some(observed), Vec::new(), Verdict::Accept), b"");
    for (key, expected) in [
        ("status", "none"),
        ("text", "None, Accept"),
        ("asked", "reject"),
        ("result", "fail"),
        ("spf", "softfail"),
        ("enforced_action", "reject"),
        ("reply", ""),
    ] {
        assert_eq!(value(&line, key), expected, "{key}");
    }
}

#[test]
fn a_bug_of_ours_is_temperror() {
    let line = line(&MessageAnswer::tempfail(), b"");
    assert_eq!(value(&line, "status"), "temperror");
    assert_eq!(value(&line, "error"), "internal error");
    assert_eq!(
        value(&failed("a \"quote\"\nand a line"), "error"),
        "a \"quote\"\nand a line"
    );
}

#[test]
fn fields_of_others_are_put_back() {
    let header = b"From: a@example.com\nAuthentication-Results: other; a=\"\\\xe9\"\n\tb=c\n\
                   authentication-results: us; forged\nAuthentication-Results: other; second\n\
                   DMARC-Quarantine: forged\n";
    let removed = |name: &str, nth| Edit::DeleteHeader {
        name: name.to_owned(),
        nth,
    };
    let insert = Edit::InsertHeader {
        index: 0,
        name: "Authentication-Results".to_owned(),
        value: "us;\r\n\tdmarc=pass".to_owned(),
    };
    let edits = vec![
        removed("Authentication-Results", 2),
        removed("DMARC-Quarantine", 1),
        insert,
    ];
    let line = line(&answer(Some(failing()), edits, Verdict::Accept), header);
    assert!(line.is_ascii() && !line.contains('\n'), "{line}");
    assert_eq!(value(&line, "remove"), "Authentication-Results:DMARC-Quarantine");
    assert_eq!(
        value(&line, "keep"),
        "Authentication-Results: other; a=\"\\\u{e9}\"\n\tb=c\nAuthentication-Results: other; second"
    );
    assert_eq!(value(&line, "add"), "Authentication-Results: us;\n\tdmarc=pass");
}

#[test]
fn what_is_put_back_has_a_limit() {
    let removed = [Removed {
        name: "A".to_owned(),
        nth: 2,
    }];
    let of = |octets: usize| {
        let header = format!("A: {}\nA: forged\n", "x".repeat(octets));
        kept(&removed, header.as_bytes()).len()
    };
    let name = "A: ".len();
    assert_eq!(of(KEPT_LIMIT - name), KEPT_LIMIT);
    assert_eq!(of(KEPT_LIMIT - name + 1), 0);
}

#[test]
fn values_have_a_limit() {
    let of = |octets: usize| value(&failed(&"x y".repeat(octets)), "error").len();
    assert_eq!(of(VALUE_LIMIT), VALUE_LIMIT);
    assert_eq!(of(1), 3);
}

/// Whatever stands in a value, it is one value, on one line.
#[test]
fn no_value_reaches_beyond_itself() {
    for text in [
        "",
        " ",
        "a b",
        "\" status=accept",
        "\\",
        "\\\" x",
        "\n\r\t",
        "$primary_hostname ${run{x}}",
        "\u{7f}\u{80}\u{ff}",
        "a=b",
        "{}",
    ] {
        let line = failed(text);
        assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{line}");
        assert_eq!(extract(&line).len(), 3, "{line}");
        assert_eq!(value(&line, "error"), text);
    }
    assert_eq!(value(&failed("a\0b\u{20ac}c"), "error"), "a?b?c");
}
