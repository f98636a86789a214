//! Received fields and dates (RFC 5321 §4.4): who handed the message to whom, and when, without for whom.

use std::net::IpAddr;

use landmarc_mail::DomainName;

use super::addresses::mailbox;
use super::{MessageRedaction, REDACTED};

/// Words of one field that are looked at.
const MAX_WORDS: usize = 200;
/// The longest queue id that is shown.
const MAX_ID_OCTETS: usize = 64;
/// The most words a date has: `Mon, 01 Jun 2026 00:00:00 +0000`.
const MAX_DATE_WORDS: usize = 7;
/// What can stand after `with` (RFC 5321 §4.4, RFC 3848, RFC 6531, RFC 8314).
const PROTOCOLS: [&str; 20] = [
    "SMTP",
    "ESMTP",
    "ESMTPA",
    "ESMTPS",
    "ESMTPSA",
    "LMTP",
    "LMTPA",
    "LMTPS",
    "LMTPSA",
    "UTF8SMTP",
    "UTF8SMTPA",
    "UTF8SMTPS",
    "UTF8SMTPSA",
    "UTF8LMTP",
    "UTF8LMTPA",
    "UTF8LMTPS",
    "UTF8LMTPSA",
    "HTTP",
    "HTTPS",
    "MAPI",
];
const DATE_WORDS: [&str; 26] = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug",
    "sep", "oct", "nov", "dec", "ut", "utc", "gmt", "est", "edt", "pst", "pdt",
];

/// One Received field: hosts, addresses, protocol, id and date are kept, and the token of whom it
/// was for. Comments are dropped, but for the address of the client and its name.
pub(super) fn received(value: &[u8], veil: &MessageRedaction<'_>) -> String {
    let text = String::from_utf8_lossy(value);
    let (clauses, date) = text.rsplit_once(';').unwrap_or((&text, ""));
    let mut out = Vec::new();
    let mut words = pieces(clauses).into_iter().take(MAX_WORDS).peekable();
    while let Some(piece) = words.next() {
        let Piece::Word(name) = piece else { continue };
        let Some(clause) = Clause::named(&name) else {
            continue;
        };
        let Some(Piece::Word(value)) = words.next_if(|next| matches!(next, Piece::Word(_))) else {
            continue;
        };
        out.push(clause.shown(&value, veil));
        // RFC 5321 §4.4: TCP-info, which is ours to trust, stands right after what the client said.
        if clause == Clause::From
            && let Some(Piece::Comment(comment)) = words.next_if(|next| matches!(next, Piece::Comment(_)))
        {
            out.extend(client(&comment, veil));
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
pub(super) fn host(word: &str, veil: &MessageRedaction<'_>) -> Option<String> {
    if let Some(address) = ip_address(word) {
        return Some(format!("[{address}]"));
    }
    let name = DomainName::parse(word).ok()?;
    // A single label is what somebody calls the machine on the desk.
    (name.label_count() > 1 || name.as_str() == "localhost").then(|| veil.host_name(&name))
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
fn client(comment: &str, veil: &MessageRedaction<'_>) -> Option<String> {
    let words: Vec<&str> = comment.split_ascii_whitespace().take(MAX_WORDS).collect();
    let at = words.iter().position(|word| ip_address(word).is_some())?;
    let address = ip_address(words.get(at)?)?;
    let before = at.checked_sub(1).and_then(|before| words.get(before));
    Some(match before.and_then(|word| host(word, veil)) {
        Some(name) => format!("({name} [{address}])"),
        None => format!("([{address}])"),
    })
}

/// A part of a Received field that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    From,
    By,
    With,
    Id,
    For,
}

impl Clause {
    fn named(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "from" => Self::From,
            "by" => Self::By,
            "with" => Self::With,
            "id" => Self::Id,
            "for" => Self::For,
            _ => return None,
        })
    }

    fn shown(self, value: &str, veil: &MessageRedaction<'_>) -> String {
        let hidden = || REDACTED.to_owned();
        match self {
            Self::From => format!("from {}", host(value, veil).unwrap_or_else(hidden)),
            Self::By => format!("by {}", host(value, veil).unwrap_or_else(hidden)),
            Self::With => format!("with {}", protocol(value).unwrap_or(REDACTED)),
            Self::Id => format!("id {}", queue_id(value, veil).unwrap_or_else(hidden)),
            Self::For => format!("for {}", recipient(value, veil).unwrap_or_else(hidden)),
        }
    }
}

fn protocol(word: &str) -> Option<&'static str> {
    let is_it = |protocol: &&&str| protocol.eq_ignore_ascii_case(word);
    PROTOCOLS.iter().find(is_it).copied()
}

fn queue_id(word: &str, veil: &MessageRedaction<'_>) -> Option<String> {
    let is_id = |octet: u8| octet.is_ascii_alphanumeric() || b"-._/".contains(&octet);
    (word.len() <= MAX_ID_OCTETS && word.bytes().all(is_id)).then(|| veil.word(word))
}

fn recipient(word: &str, veil: &MessageRedaction<'_>) -> Option<String> {
    let found = mailbox(word.as_bytes())?;
    Some(format!("<{}>", veil.address(&found.local_part, &found.domain)))
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
