//! An SMTP reply in our own words, made safe to send.

use landmarc_mail::text;

/// Octets of a reply line, with code and CRLF (RFC 5321 §4.5.3.1.5).
const LINE_LIMIT: usize = 512;

/// Lines of a reply; what `libmilter` allows.
const LINES_LIMIT: usize = 32;

/// The content of a reply packet: `550-5.7.1 first CRLF 550 5.7.1 last`.
///
/// `None` when `code` is none of a refusal (400 to 599). A `%` is doubled, since MTAs
/// take the text for a format: "100% sure" would reach the client as "100sure".
#[must_use]
pub fn smtp_reply(code: u16, enhanced: &str, text: &str) -> Option<Vec<u8>> {
    if !(400..=599).contains(&code) {
        return None;
    }
    let enhanced = enhanced_code(code, enhanced);
    let room = LINE_LIMIT - "\r\n".len() - "550-".len() - enhanced.len();
    let mut lines: Vec<String> = text
        .split(['\r', '\n'])
        .map(printable)
        .filter(|line| !line.is_empty())
        .flat_map(|line| fold(&line, room))
        .take(LINES_LIMIT)
        .collect();
    if lines.is_empty() {
        // A reply without any text is legal, and a riddle to whoever reads the bounce.
        lines.push(
            if code < 500 {
                "try again later"
            } else {
                "message refused"
            }
            .to_owned(),
        );
    }
    let last = lines.len() - 1;
    let mut reply = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let (separator, end) = if number == last { (' ', "") } else { ('-', "\r\n") };
        let line = line.replace('%', "%%");
        reply.extend_from_slice(format!("{code}{separator}{enhanced}{line}{end}").as_bytes());
    }
    Some(reply)
}

/// The enhanced status code with a blank after it; or nothing.
fn enhanced_code(code: u16, enhanced: &str) -> String {
    if enhanced.is_empty() {
        return String::new();
    }
    let class = code / 100;
    if is_enhanced_code(enhanced, class) {
        format!("{enhanced} ")
    } else {
        format!("{class}.0.0 ")
    }
}

/// RFC 3463 §2: class, subject and detail, of which the latter have up to three
/// digits; the class is the first digit of the reply code.
fn is_enhanced_code(enhanced: &str, class: u16) -> bool {
    let parts: Vec<&str> = enhanced.split('.').collect();
    let numeric = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    matches!(&parts[..], [first, subject, detail]
        if *first == class.to_string() && numeric(subject) && numeric(detail))
}

fn printable(line: &str) -> String {
    text::printable(line, usize::MAX).trim().to_owned()
}

/// Breaks a line of ASCII at its blanks; a word that is too long is broken anywhere.
fn fold(line: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = line;
    // One line more than will be sent is as good as all of them.
    while !rest.is_empty() && lines.len() <= LINES_LIMIT {
        let Some((head, tail)) = rest.split_at_checked(room).filter(|(_, tail)| !tail.is_empty()) else {
            lines.push(rest.to_owned());
            break;
        };
        let at = if tail.starts_with(' ') {
            room
        } else {
            head.rfind(' ').filter(|blank| *blank > 0).unwrap_or(room)
        };
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        lines.push(head.trim_end().to_owned());
        rest = tail.trim_start();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(code: u16, enhanced: &str, text: &str) -> String {
        String::from_utf8(smtp_reply(code, enhanced, text).unwrap()).unwrap()
    }

    #[test]
    fn percent_signs_are_doubled() {
        assert_eq!(reply(550, "5.7.1", "100% sure"), "550 5.7.1 100%% sure");
    }

    #[test]
    fn every_line_has_code_and_status() {
        assert_eq!(
            reply(550, "5.7.1", "a\nb\r\n\r\nc\n"),
            "550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c"
        );
        assert_eq!(reply(451, "", "a\rb"), "451-a\r\n451 b");
    }

    #[test]
    fn nothing_but_printable_ascii_goes_out() {
        assert_eq!(
            reply(550, "5.7.1", "tab\there, b\u{fc}cher\0\u{7}"),
            "550 5.7.1 tab here, b?cher??"
        );
    }

    #[test]
    fn a_contradicting_status_gives_way_to_the_code() {
        for wrong in ["4.7.1", "5.7", "5.7.1.2", "5.1234.1", "5.x.1", "5..1", "junk\r\n"] {
            assert_eq!(reply(550, wrong, "no"), "550 5.0.0 no", "{wrong}");
        }
        assert_eq!(reply(421, "4.3.210", "no"), "421 4.3.210 no");
    }

    #[test]
    fn only_refusals_are_replies() {
        for (code, allowed) in [
            (399, false),
            (400, true),
            (599, true),
            (600, false),
            (250, false),
            (0, false),
        ] {
            assert_eq!(smtp_reply(code, "", "x").is_some(), allowed, "{code}");
        }
    }

    #[test]
    fn no_text_is_some_text() {
        assert_eq!(reply(550, "5.7.1", " \r\n"), "550 5.7.1 message refused");
        assert_eq!(reply(450, "4.7.1", ""), "450 4.7.1 try again later");
    }

    #[test]
    fn a_line_is_folded_one_octet_past_the_limit() {
        let room = LINE_LIMIT - 2 - "550 5.7.1 ".len();
        let lines = |text: &str| reply(550, "5.7.1", text).matches("550").count();
        assert_eq!(lines(&"x".repeat(room)), 1);
        assert_eq!(lines(&"x".repeat(room + 1)), 2);
        let words = reply(550, "5.7.1", &"word ".repeat(200));
        for line in words.split("\r\n") {
            assert!(line.len() + 2 <= LINE_LIMIT && line.ends_with("word"), "{line}");
        }
        assert_eq!(words.matches("word").count(), 200);
    }

    #[test]
    fn lines_past_the_limit_are_dropped() {
        let text = |count: usize| "x\n".repeat(count);
        for (given, sent) in [(LINES_LIMIT, LINES_LIMIT), (LINES_LIMIT + 1, LINES_LIMIT)] {
            assert_eq!(reply(550, "5.7.1", &text(given)).split("\r\n").count(), sent);
        }
        let endless = reply(550, "5.7.1", &"x".repeat(100_000));
        assert_eq!(endless.split("\r\n").count(), LINES_LIMIT);
        assert!(endless.split("\r\n").last().unwrap().starts_with("550 "));
    }
}
