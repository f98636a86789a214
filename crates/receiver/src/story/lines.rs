//! Lines of the story: indented, and wrapped so that they fit a terminal.

/// Where a line is wrapped. A longer word, such as a name of 253 octets, stays whole.
const COLUMNS: usize = 106;

/// A part of the story: a heading, and lines below it.
pub(super) struct Section(String);

impl Section {
    pub(super) fn new(heading: &str) -> Self {
        Self(wrapped(0, heading))
    }

    /// Adds a line below the heading.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.indented(1, text);
    }

    /// Adds a line so many levels below the heading.
    pub(super) fn indented(&mut self, levels: usize, text: impl AsRef<str>) {
        self.0.push_str(&wrapped(levels * 2, text.as_ref()));
    }

    /// Tells how many of `count` were left out, when only the first `told` are told.
    pub(super) fn more(&mut self, count: usize, told: usize) {
        if let Some(more) = count.checked_sub(told).filter(|&more| more > 0) {
            self.line(format!("and {more} more."));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

fn wrapped(indent: usize, text: &str) -> String {
    let mut out = " ".repeat(indent);
    let mut column = indent;
    for (at, word) in text.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > COLUMNS {
            column = indent + 2;
            out.push('\n');
            out.push_str(&" ".repeat(column));
        } else if at > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
