//! Lines of the explanation: indented, wrapped so that they fit a terminal, and printable ASCII.

use landmarc_mail::text::printable;

/// Where a line is wrapped. A longer word, such as a name of 253 octets, stays whole.
const COLUMNS: usize = 106;
/// Room for what stands in most sections.
const USUAL_OCTETS: usize = 512;

/// A part of the explanation: a heading, and lines below it.
pub(super) struct Section(String);

impl Section {
    pub(super) fn new(heading: &str) -> Self {
        let mut text = String::with_capacity(USUAL_OCTETS);
        wrap(&mut text, 0, heading);
        Self(text)
    }

    /// Adds a line below the heading.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.indented(1, text);
    }

    /// Adds a line that says whose word it is, where it is not ours.
    pub(super) fn line_of_source(&mut self, teller: Option<&str>) {
        if let Some(teller) = teller {
            self.line(format!(
                "So says {teller}, a filter ahead of this one; nothing was asked here."
            ));
        }
    }

    /// Adds a line so many levels below the heading.
    pub(super) fn indented(&mut self, levels: usize, text: impl AsRef<str>) {
        wrap(&mut self.0, levels * 2, text.as_ref());
    }

    /// Says how many of `count` were left out, when only the first `shown` are shown.
    pub(super) fn more(&mut self, count: usize, shown: usize) {
        if let Some(more) = count.checked_sub(shown).filter(|&more| more > 0) {
            self.line(format!("and {more} more."));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Adds a text in lines. What strangers wrote cannot begin a line of its own: anything but
/// printable ASCII becomes a question mark.
fn wrap(out: &mut String, indent: usize, text: &str) {
    let text = printable(text, usize::MAX);
    blanks(out, indent);
    if indent + text.len() <= COLUMNS {
        out.push_str(&text);
        out.push('\n');
        return;
    }
    let mut column = indent;
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > COLUMNS {
            column = indent + 2;
            out.push('\n');
            blanks(out, column);
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
}

fn blanks(out: &mut String, count: usize) {
    out.extend(std::iter::repeat_n(' ', count));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(indent: usize, text: &str) -> String {
        let mut out = String::new();
        wrap(&mut out, indent, text);
        out
    }

    #[test]
    fn nothing_begins_a_line_that_is_not_ours() {
        assert_eq!(
            wrapped(2, "a\nResult\r\n\tb\0\u{1b}[2J\u{85}\u{2028}\u{fc}"),
            "  a?Result?? b??[2J???\n"
        );
    }

    #[test]
    fn a_line_is_full_before_it_is_wrapped() {
        let word = "a".repeat(COLUMNS - 4);
        assert_eq!(wrapped(2, &format!("{word} b")), format!("  {word} b\n"));
        assert_eq!(wrapped(2, &format!("{word} bc")), format!("  {word}\n    bc\n"));
        assert_eq!(
            wrapped(0, &"a".repeat(COLUMNS + 1)),
            "a".repeat(COLUMNS + 1) + "\n"
        );
    }
}
