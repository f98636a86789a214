//! Places in a text.

/// The highest column that is printed. Were each column of an endless line counted out, the
/// work would grow with the square of its length.
const MAX_COLUMN: usize = 1000;

/// A place in a file. Ordered as the file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePosition {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
}

/// The lines of a text, to tell places by.
pub(crate) struct LineIndex<'t> {
    pub(crate) text: &'t str,
    /// The octet each line starts at; the first at 0.
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n');
        let starts = std::iter::once(0)
            .chain(ends.map(|(index, _)| index + 1))
            .collect();
        Self { text, starts }
    }

    /// The place of an octet.
    pub(crate) fn place(&self, octet: usize) -> FilePosition {
        let line = self.starts.partition_point(|start| *start <= octet);
        let start = self.start(line);
        let before = self.text.get(start..octet).unwrap_or_default();
        FilePosition {
            line,
            column: before.chars().take(MAX_COLUMN - 1).count() + 1,
        }
    }

    /// A line, counted from 1, with its line feed.
    pub(crate) fn line(&self, line: usize) -> &'t str {
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(self.start(line)..end).unwrap_or_default()
    }

    fn start(&self, line: usize) -> usize {
        line.checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = LineIndex::new("ab\nüx\n\nz");
        for (octet, line, column) in [
            (0, 1, 1),
            (2, 1, 3),
            (3, 2, 1),
            (5, 2, 2),
            (6, 2, 3),
            (7, 3, 1),
            (8, 4, 1),
            (9, 4, 2),
        ] {
            assert_eq!(lines.place(octet), FilePosition { line, column }, "octet {octet}");
        }
        assert_eq!(
            (lines.line(1), lines.line(2), lines.line(4), lines.line(5)),
            ("ab\n", "üx\n", "z", "")
        );
    }

    #[test]
    fn columns_are_counted_up_to_a_thousand() {
        let text = "x".repeat(2 * MAX_COLUMN);
        let column = |octet| LineIndex::new(&text).place(octet).column;
        assert_eq!((column(998), column(999), column(1000)), (999, 1000, 1000));
    }
}
