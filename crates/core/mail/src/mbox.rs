//! Mailboxes in one file: mbox in its variants mboxo and mboxrd (RFC 4155, appendix A).

use std::borrow::Cow;

/// Splits a mailbox into its messages, without the separator lines and the empty line
/// that ends each message. Line ends may be LF or CRLF.
///
/// A message begins after a line `From ` at the start of the file or after an empty
/// line. What stands before the first such line is no message and is left out; a file
/// without one holds none. `>From ` lines are as stored: see [`unquote`].
///
/// ```
/// # use landmarc_mail::mbox::split_mbox;
/// let mailbox = b"From a@b Thu\nA: 1\n\nbody\n\nFrom c@d Fri\nA: 2\n\n";
/// let messages: Vec<_> = split_mbox(mailbox).collect();
/// assert_eq!(messages, [&b"A: 1\n\nbody\n"[..], b"A: 2\n"]);
/// ```
pub fn split_mbox(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (_, mut rest) = up_to_separator(octets, true);
    std::iter::from_fn(move || {
        let (message, after) = up_to_separator(rest?, false);
        rest = after;
        Some(message)
    })
}

/// Takes one `>` off each line that is `From ` after one or more of them. Right for
/// mboxrd; in mboxo it also does away with a `>` that the author wrote.
#[must_use]
pub fn unquote(message: &[u8]) -> Cow<'_, [u8]> {
    if !lines(message).any(is_quoted_separator) {
        return Cow::Borrowed(message);
    }
    let mut plain = Vec::with_capacity(message.len());
    for line in lines(message) {
        plain.extend_from_slice(&line[usize::from(is_quoted_separator(line))..]);
    }
    Cow::Owned(plain)
}

/// What stands before the next separator and the empty line above it, and what
/// stands after it, if there is one. At the start of a file it needs no empty line.
fn up_to_separator(octets: &[u8], is_start_of_file: bool) -> (&[u8], Option<&[u8]>) {
    let mut empty_line_at = is_start_of_file.then_some(0);
    let mut at = 0;
    for line in lines(octets) {
        let after = at + line.len();
        if let Some(end) = empty_line_at
            && line.starts_with(b"From ")
        {
            return (&octets[..end], Some(&octets[after..]));
        }
        empty_line_at = matches!(line, b"\n" | b"\r\n").then_some(at);
        at = after;
    }
    (&octets[..empty_line_at.unwrap_or(octets.len())], None)
}

fn is_quoted_separator(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|&&b| b == b'>').count();
    quotes > 0 && line[quotes..].starts_with(b"From ")
}

/// The lines with their line ends.
fn lines(octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    octets.split_inclusive(|&b| b == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(mailbox: &str) -> Vec<&str> {
        split_mbox(mailbox.as_bytes())
            .map(|message| str::from_utf8(message).unwrap())
            .collect()
    }

    #[test]
    fn splits_at_from_lines_after_empty_lines_only() {
        assert_eq!(
            messages("From a\nA: 1\n\nx\nFrom here on\n\n>From b\n\nFrom c\nA: 2\n"),
            ["A: 1\n\nx\nFrom here on\n\n>From b\n", "A: 2\n"]
        );
    }

    #[test]
    fn takes_crlf_and_files_without_a_final_empty_line() {
        assert_eq!(
            messages("From a\r\nA: 1\r\n\r\nx\r\n\r\nFrom b\r\nA: 2\r\n\r\ny"),
            ["A: 1\r\n\r\nx\r\n", "A: 2\r\n\r\ny"]
        );
    }

    #[test]
    fn leaves_out_what_stands_before_the_first_separator() {
        assert_eq!(messages("junk\n\nFrom a\nA: 1\n"), ["A: 1\n"]);
        assert_eq!(messages("\nFrom a\nA: 1\n"), ["A: 1\n"]);
        assert!(messages("A: 1\n\nbody\n").is_empty());
        assert!(messages("").is_empty());
    }

    #[test]
    fn empty_messages_are_messages() {
        assert_eq!(messages("From a\n\nFrom b\n"), ["", ""]);
        assert_eq!(messages("From a"), [""]);
    }

    #[test]
    fn unquotes_one_level() {
        let stored = b">From a\n>>From b\n> From c\nx >From d\n>Fromage\n";
        assert_eq!(
            &*unquote(stored),
            b"From a\n>From b\n> From c\nx >From d\n>Fromage\n"
        );
        assert!(matches!(unquote(b"plain\n"), Cow::Borrowed(_)));
    }
}
