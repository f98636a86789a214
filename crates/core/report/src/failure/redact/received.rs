//! Received fields and dates (RFC 5321 §4.4): who handed the message to whom, and when, without for whom.

use std::net::IpAddr;

use landmarc_mail::DomainName;

use super::addresses::mailbox;
use super::text::one_of;
use super::{MessageRedaction, REDACTED};

/// Words of one field that are looked at.
const MAX_WORDS: usize = 200;
/// The longest queue id that is shown.
const MAX_ID_OCTETS: usize = 64;
/// The most words a date has: `Mon, 01 Jun 2026 00:00:00 +0000`.
const MAX_DATE_WORDS: usize = 7;
/// The clauses of a Received field that are shown.
const CLAUSES: [&str; 5] = ["from", "by", "with", "id", "for"];
/// What can stand after `with` (RFC 5321 §4.4, RFC 3848, RFC 6531, RFC 8314).
const PROTOCOLS: &str = "SMTP ESMTP ESMTPA ESMTPS ESMTPSA LMTP LMTPA LMTPS LMTPSA UTF8SMTP UTF8SMTPA \
    UTF8SMTPS UTF8SMTPSA UTF8LMTP UTF8LMTPA UTF8LMTPS UTF8LMTPSA HTTP HTTPS MAPI";
const DATE_WORDS: [&str; 26] = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
    "sep", "oct", "nov", "dec", "ut", "utc", "gmt", "est", "edt", "pst", "pdt",
];

/// One Received field: hosts, addresses, protocol, id and date are kept, and the token of whom it
/// was for. Comments are dropped, but for the address of the client and its name.
pub(super) fn received(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let text = String::from_utf8_lossy(value);
    let (clauses, date) = text.rsplit_once(';').unwrap_or((&text, ""));
    let mut out = Vec::new();
    let mut words = pieces(clauses).into_iter().take(MAX_WORDS).peekable();
    while let Some(piece) = words.next() {
        let Piece::Word(name) = piece else { continue };
        let name = name.to_ascii_lowercase();
        if !CLAUSES.contains(&name.as_str()) {
            continue;
        }
        let Some(Piece::Word(value)) = words.next_if(|next| matches!(next, Piece::Word(_))) else {
            continue;
        };
        let shown = match name.as_str() {
            "with" => Some(one_of(value.as_bytes(), PROTOCOLS).to_owned()),
            "id" => queue_id(&value, redaction),
            "for" => recipient(&value, redaction),
            _ => host(&value, redaction),
        };
        out.push(format!("{name} {}", shown.as_deref().unwrap_or(REDACTED)));
        // RFC 5321 §4.4: TCP-info, which is ours to trust, stands right after what the client said.
        if name == "from"
            && let Some(Piece::Comment(comment)) = words.next_if(|next| matches!(next, Piece::Comment(_)))
        {
            out.extend(client(&comment, redaction));
        }
    }
    if out.is_empty() {
        return REDACTED.to_owned();
    }
    match date.trim().is_empty() {
        true => out.join(" "),
        false => format!("{}; {}", out.join(" "), shown_date(date)),
    }
}

/// A date as it stands, without comments; hidden where anything else is in it.
pub(super) fn shown_date(text: &str) -> String {
    let words: Vec<String> = pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Word(word) => Some(word),
            Piece::Comment(_) => None,
        })
        .collect();
    let is_date = (1..=MAX_DATE_WORDS).contains(&words.len()) && words.iter().all(|word| is_date_word(word));
    match is_date {
        true => words.join(" "),
        false => REDACTED.to_owned(),
    }
}

fn is_date_word(word: &str) -> bool {
    let bare = word.strip_suffix(',').unwrap_or(word);
    let is_name = DATE_WORDS.iter().any(|name| name.eq_ignore_ascii_case(bare));
    let is_number = |octet: u8| octet.is_ascii_digit() || b":+-.".contains(&octet);
    is_name || (bare.len() <= 12 && bare.bytes().all(is_number))
}

/// An address literal or a host name as it may be shown.
pub(super) fn host(word: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    if let Some(address) = ip_address(word) {
        return Some(format!("[{address}]"));
    }
    let name = DomainName::parse(word).ok()?;
    // A single label is what somebody calls the own machine.
    (name.label_count() > 1 || name.as_str() == "localhost").then(|| redaction.host_name(&name))
}

/// An address, in brackets or not, with the tag of RFC 5321 §4.1.3 or the port that some write.
pub(super) fn ip_address(word: &str) -> Option<IpAddr> {
    let bare = word.strip_prefix('[').unwrap_or(word);
    let bare = bare.split(']').next()?;
    let bare = match bare.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => bare.get(5..)?,
        _ => bare,
    };
    let without_port = bare.rsplit_once(':').map_or(bare, |(address, _)| address);
    bare.parse().ok().or_else(|| without_port.parse().ok())
}

/// `(name [address])` of what is said of a client in a comment, if an address is in it.
fn client(comment: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    let words: Vec<&str> = comment.split_ascii_whitespace().take(MAX_WORDS).collect();
    let at = words.iter().position(|word| ip_address(word).is_some())?;
    let address = ip_address(words.get(at)?)?;
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    Some(match before.and_then(|word| host(word, redaction)) {
        Some(name) => format!("({name} [{address}])"),
        None => format!("([{address}])"),
    })
}

fn queue_id(word: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    let is_id = |octet: u8| octet.is_ascii_alphanumeric() || b"-._/".contains(&octet);
    (word.len() <= MAX_ID_OCTETS && word.bytes().all(is_id)).then(|| redaction.word(word))
}

fn recipient(word: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    let found = mailbox(word.as_bytes())?;
    Some(format!(
        "<{}>",
        redaction.address(&found.local_part, &found.domain)
    ))
}

/// A word or a comment, its outer parentheses gone.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Word(String),
    Comment(String),
}

/// The words and comments of a text. What an open comment holds is a comment.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut piece, mut depth) = (String::new(), 0_usize);
    let mut flush = |piece: &mut String, make: fn(String) -> Piece| {
        if !piece.is_empty() {
            pieces.push(make(std::mem::take(piece)));
        }
    };
    for character in text.chars() {
        match character {
            '(' => {
                if depth == 0 {
                    flush(&mut piece, Piece::Word);
                } else {
                    piece.push(' ');
                }
                depth += 1;
            }
            ')' if depth == 1 => {
                flush(&mut piece, Piece::Comment);
                depth = 0;
            }
            ')' if depth > 1 => {
                piece.push(' ');
                depth -= 1;
            }
            _ if depth == 0 && character.is_whitespace() => flush(&mut piece, Piece::Word),
            _ => piece.push(character),
        }
    }
    flush(&mut piece, if depth == 0 { Piece::Word } else { Piece::Comment });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_words_and_comments() {
        let word = |text: &str| Piece::Word(text.to_owned());
        let comment = |text: &str| Piece::Comment(text.to_owned());
        for (text, found) in [
            ("", vec![]),
            (" a\r\n\tb ", vec![word("a"), word("b")]),
            ("a(b c)d", vec![word("a"), comment("b c"), word("d")]),
            ("(a (b) c) d", vec![comment("a  b  c"), word("d")]),
            ("(a ((b)) c) d", vec![comment("a   b   c"), word("d")]),
            ("a () b", vec![word("a"), word("b")]),
            ("a) b", vec![word("a)"), word("b")]),
            ("a (b (c) d", vec![word("a"), comment("b  c  d")]),
        ] {
            assert_eq!(pieces(text), found, "{text}");
        }
    }

    #[test]
    fn dates_are_shown_and_nothing_else() {
        for (text, shown) in [
            ("Mon, 01 Jun 2026 00:00:00 +0000", true),
            ("1 JUN 2026 00:00:00.123 -0000 utc", true),
            ("2026-06-01", true),
            ("123456789012", true),
            ("1234567890123", false),
            ("", false),
            ("Mon,, 01", false),
            ("Monday", false),
            ("01 fred", false),
            ("01/06", false),
        ] {
            assert_eq!(shown_date(text), if shown { text } else { REDACTED }, "{text}");
        }
        assert_eq!(shown_date(" 01  Jun (of Fred) "), "01 Jun");
    }

    #[test]
    fn addresses_are_found_in_every_form() {
        for (word, address) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("[192.0.2.1]:25", Some("192.0.2.1")),
            ("192.0.2.1:25", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("ipv6:2001:db8::1", Some("2001:db8::1")),
            ("[IPv4:192.0.2.1]", None),
            ("mx.example", None),
            ("", None),
        ] {
            let found = ip_address(word).map(|address| address.to_string());
            assert_eq!(found.as_deref(), address, "{word}");
        }
    }
}
