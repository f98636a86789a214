//! What a refusal of a report mail means for what is sent next.

/// Enhanced codes that speak of the size of the message (RFC 3463 §3.3 and §3.4): too big for the system, too
/// long for the mailbox.
const SIZE_CODES: [&str; 2] = ["5.3.4", "5.2.3"];
/// The longest reply that is looked at.
const MAX_TEXT_CHARACTERS: usize = 2_048;
/// Words by which a 552 without enhanced code speaks of a full mailbox.
const FULL_MAILBOX: [&str; 5] = [
    "quota",
    "mailbox full",
    "mailbox is full",
    "storage",
    "over limit",
];

/// Words by which a refusal without enhanced code speaks of who sends, and not of who is to receive.
const WORDS_OF_US: [&str; 9] = [
    "relay",
    "rcpthosts",
    "authenti",
    "sender",
    "denied",
    "block",
    "spam",
    "policy",
    "reputation",
];

/// Whether a destination found the report mail too big, so that the report in two halves may be taken: an enhanced
/// code says so, or, without one, the code 552 (RFC 1870 §6.1). A full mailbox (`5.2.2`) and a refusal by
/// policy (`5.7.x`) come with 552 as well, and there a smaller report mail helps nothing.
#[must_use]
pub fn is_size_refusal(code: u16, enhanced: Option<&str>, text: &str) -> bool {
    if !(500..600).contains(&code) {
        return false;
    }
    let (enhanced, text) = read(enhanced, text);
    match enhanced {
        Some(enhanced) => SIZE_CODES.contains(&enhanced.as_str()),
        None => code == 552 && !FULL_MAILBOX.iter().any(|words| text.contains(words)),
    }
}

/// Whether a refusal or bounce is about the mailbox or domain it was meant for, so that further report messages to it
/// are no use for a while. Not so what is said of us, of the report mail, or of the way: a relay that refuses
/// everything (`554 5.7.1 relay access denied`) speaks of no destination.
///
/// The enhanced code decides (RFC 3463 §3), whichever class it has: a bounce says `4.4.1` of a host that was
/// silent for days. Without one, or with one that says nothing, the reply code to RCPT does, where its words do
/// not speak of us.
#[must_use]
pub fn speaks_of_destination(code: Option<u16>, enhanced: Option<&str>, text: &str) -> bool {
    let telling = enhanced.filter(|enhanced| !enhanced.trim().ends_with(".0.0"));
    let (enhanced, text) = read(telling, text);
    let enhanced = enhanced.unwrap_or_default();
    let mut numbers = enhanced.split('.').skip(1);
    match (numbers.next(), numbers.next()) {
        // The mailbox, the system, or their syntax; it has moved; a null MX (RFC 7505 §4.2). Not 1.0, which is
        // said of senders as well, nor 1.7 and 1.8, which are.
        (Some("1"), Some(detail)) => matches!(detail, "1" | "2" | "3" | "4" | "6" | "10"),
        // Disabled, full, no list; not its size.
        (Some("2"), Some(detail)) => matches!(detail, "0" | "1" | "2" | "4"),
        // No answer from the host, and no way to it. Not the loops, which are a matter of the relay.
        (Some("4"), Some(detail)) => matches!(detail, "1" | "4"),
        // Postfix says `5.0.0` of a reply without an enhanced code.
        (None, _) | (Some("0"), Some("0")) => {
            matches!(code, Some(550 | 551 | 553)) && !WORDS_OF_US.iter().any(|words| text.contains(words))
        }
        _ => false,
    }
}

/// Words by which a relay says that it relays nothing for us, whoever it is for.
const WORDS_OF_RELAYING: [&str; 6] = [
    "relay",
    "rcpthosts",
    "authenti",
    "access denied",
    "client host",
    "not permitted",
];

/// Whether a refusal of a recipient is about who asks: a relay whose settings do not let us send. By the words, as
/// `5.7.1` is said of much else as well; never where the code is about the recipient (RFC 3463 §3.2, §3.3).
#[must_use]
pub fn speaks_of_us(enhanced: Option<&str>, text: &str) -> bool {
    let (enhanced, text) = read(enhanced, text);
    let subject = enhanced
        .as_deref()
        .and_then(|enhanced| enhanced.split('.').nth(1));
    matches!(subject, None | Some("0" | "7")) && WORDS_OF_RELAYING.iter().any(|words| text.contains(words))
}

/// The enhanced code of a reply, or else the first in its text; and the text in lower case, as far as it is read.
fn read(enhanced: Option<&str>, text: &str) -> (Option<String>, String) {
    let text: String = text.chars().take(MAX_TEXT_CHARACTERS).collect();
    let enhanced = enhanced.or_else(|| enhanced_code(&text));
    let enhanced = enhanced.map(|enhanced| enhanced.trim().to_owned());
    (enhanced, text.to_ascii_lowercase())
}

/// The first enhanced status code of a text: `5.1.1`, each number of one to three digits (RFC 3463 §2).
#[must_use]
pub fn enhanced_code(text: &str) -> Option<&str> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| is_enhanced_code(word))
}

fn is_enhanced_code(word: &str) -> bool {
    let numbers: Vec<&str> = word.splitn(4, '.').collect();
    let is_short = |number: &str| (1..=3).contains(&number.len());
    matches!(*numbers, ["2" | "4" | "5", subject, detail] if is_short(subject) && is_short(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_size_is_told_from_the_others() {
        for (code, enhanced, text, is_size) in [
            (552, Some("5.3.4"), "Message size exceeds fixed limit", true),
            (554, Some("5.3.4"), "Error: too big", true),
            (
                550,
                Some("5.2.3"),
                "Message length exceeds administrative limit",
                true,
            ),
            (552, None, "5.3.4 Your message exceeded our size limits", true),
            (552, None, "message size exceeds fixed maximum message size", true),
            (
                552,
                Some("5.7.0"),
                "blocked because its content presents a potential issue",
                false,
            ),
            (552, Some("5.7.1"), "message too large for your reputation", false),
            (552, None, "5.2.2 Mailbox full", false),
            (
                552,
                None,
                "Requested mail action aborted: exceeded storage allocation",
                false,
            ),
            (552, Some("5.2.2"), "over quota", false),
            (550, None, "No such user", false),
            (550, Some("5.1.1"), "size matters not", false),
            (452, Some("4.3.4"), "try again", false),
            (250, Some("5.3.4"), "", false),
        ] {
            assert_eq!(
                is_size_refusal(code, enhanced, text),
                is_size,
                "{code} {enhanced:?} {text}"
            );
        }
    }

    #[test]
    fn d18_what_is_said_of_a_destination_is_told_from_what_is_said_of_us() {
        for (code, enhanced, text, speaks) in [
            (Some(550), Some("5.1.1"), "User unknown", true),
            (Some(550), Some("5.1.2"), "no such domain", true),
            (Some(556), Some("5.1.10"), "null MX", true),
            (Some(551), Some("5.1.6"), "moved", true),
            (Some(552), Some("5.2.2"), "over quota", true),
            (Some(550), Some("5.2.1"), "disabled", true),
            (
                Some(550),
                Some("5.4.1"),
                "Recipient address rejected: Access denied",
                true,
            ),
            (None, Some("5.4.4"), "host not found", true),
            (None, Some("4.4.1"), "connection timed out", true),
            (Some(550), None, "No such user here", true),
            (Some(553), None, "", true),
            (Some(550), Some("5.0.0"), "no such user", true),
            (Some(550), None, "5.1.1 in its words", true),
            (Some(550), Some("5.0.0"), "550 5.7.1 in its words", false),
            // Of us, of the report mail, of the relay.
            (
                Some(554),
                Some("5.7.1"),
                "<a@b.example>: Relay access denied",
                false,
            ),
            (Some(550), Some("5.7.26"), "unauthenticated", false),
            (Some(550), Some("5.7.1"), "", false),
            (Some(550), Some("5.1.8"), "Sender address rejected", false),
            (Some(550), Some("5.1.7"), "bad sender", false),
            (
                Some(550),
                Some("5.1.0"),
                "Sender address rejected: unlisted",
                false,
            ),
            (Some(552), Some("5.2.3"), "too long", false),
            (Some(554), Some("5.3.4"), "too big", false),
            (Some(554), Some("5.4.6"), "loops back to myself", false),
            (Some(550), Some("5.5.1"), "bad sequence", false),
            (Some(550), Some("5.6.0"), "content", false),
            (Some(554), None, "no", false),
            (Some(550), Some("5.0.0"), "blocked using a list", false),
            (Some(550), None, "relay not permitted", false),
            (
                Some(553),
                None,
                "sorry, that domain isn't in my list of allowed rcpthosts",
                false,
            ),
            (Some(451), None, "later", false),
            (None, None, "no such user", false),
            (None, Some("5"), "", false),
        ] {
            let found = speaks_of_destination(code, enhanced, text);
            assert_eq!(found, speaks, "{code:?} {enhanced:?} {text}");
        }
    }

    #[test]
    fn a_relay_that_relays_nothing_for_us_speaks_of_us() {
        for (enhanced, text, speaks) in [
            (Some("5.7.1"), "<a@b.example>: Relay access denied", true),
            (None, "554 5.7.1 <a@b.example>: Relay access denied", true),
            (None, "550 relay not permitted", true),
            (Some("5.7.0"), "Authentication required", true),
            (
                None,
                "sorry, that domain isn't in my list of allowed rcpthosts",
                true,
            ),
            (
                Some("5.7.1"),
                "<x[192.0.2.1]>: Client host rejected: Access denied",
                true,
            ),
            // Of the recipient, or of what it wants.
            (Some("5.4.1"), "Recipient address rejected: Access denied", false),
            (Some("5.1.1"), "relay recipient unknown", false),
            (Some("5.7.1"), "looks like spam", false),
            (Some("5.7.1"), "", false),
            (None, "no such user", false),
        ] {
            assert_eq!(speaks_of_us(enhanced, text), speaks, "{enhanced:?} {text}");
        }
        let relay = |blanks: usize| format!("{}relay", " ".repeat(blanks));
        let end = MAX_TEXT_CHARACTERS - "relay".len();
        assert!(speaks_of_us(None, &relay(end)) && !speaks_of_us(None, &relay(end + 1)));
    }

    #[test]
    fn a_reply_is_looked_at_up_to_its_limit() {
        let reply = |blanks: usize| format!("{}quota", " ".repeat(blanks));
        let end = MAX_TEXT_CHARACTERS - "quota".len();
        assert!(!is_size_refusal(552, None, &reply(end)));
        assert!(is_size_refusal(552, None, &reply(end + 1)));
    }

    #[test]
    fn enhanced_codes_are_found_in_texts() {
        for (text, code) in [
            ("550 5.1.1 <a@b.example>: no", Some("5.1.1")),
            ("host 192.0.2.1 said: 550-5.7.26 x", Some("5.7.26")),
            ("(#4.4.1)", Some("4.4.1")),
            ("see 5.1.1.", Some("5.1.1")),
            ("version 5.1.1.2, 3.1.1, 5.1, 5.1.1000, 5..1", None),
            ("", None),
        ] {
            assert_eq!(enhanced_code(text), code, "{text}");
        }
    }
}
