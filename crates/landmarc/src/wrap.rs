//! Lines broken for a terminal that is narrower than they are.
//!
//! A character counts as one column, as in [`crate::table`].

/// No terminal is taken for narrower: there would be a word to a line.
const LEAST: usize = 20;

/// The text, each line that is too wide broken at blanks. What follows begins where the line did,
/// behind the hyphen of a list. A word that is too wide alone stays whole: it may be copied.
pub(crate) fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| broken(line, width, start(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// One line broken; what follows begins in this column.
pub(crate) fn broken(line: &str, width: usize, column: usize) -> String {
    let width = width.max(LEAST);
    if line.chars().count() <= width {
        return line.to_owned();
    }
    // A line that begins far to the right would have no room for what follows.
    let column = column.min(width / 2);
    let mut out = String::new();
    let mut used = 0;
    // Whether the line would hold more than its indentation without the next word.
    let mut has_word = false;
    for (place, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if has_word && length > 0 && used + 1 + length > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&" ".repeat(column));
            used = column;
        } else if place > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
        has_word |= length > 0;
    }
    out
}

/// The column in which the words of a line begin.
fn start(line: &str) -> usize {
    let words = line.trim_start_matches(' ');
    let words = words.strip_prefix("- ").unwrap_or(words);
    line.len() - words.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_where_it_is_too_wide_and_not_before() {
        let line = "one two three four five";
        assert_eq!(wrapped(line, 23), line);
        assert_eq!(wrapped(line, 22), "one two three four\nfive");
        assert_eq!(wrapped("short\n\nlines\n", 20), "short\n\nlines\n");
    }

    #[test]
    fn what_follows_is_as_far_to_the_right() {
        assert_eq!(
            wrapped("    results: fail (no signature)", 24),
            "    results: fail (no\n    signature)"
        );
        assert_eq!(
            wrapped("  - one two three four five", 20),
            "  - one two three\n    four five"
        );
        assert_eq!(
            broken("cause          nobody vouches for it", 30, 15),
            "cause          nobody vouches\n               for it"
        );
    }

    #[test]
    fn a_word_that_is_too_wide_stays_whole() {
        let long = "x".repeat(50);
        assert_eq!(wrapped(&format!("a {long} b"), 20), format!("a\n{long}\nb"));
        assert_eq!(wrapped(&long, 20), long);
        assert_eq!(wrapped(&format!("    {long}"), 20), format!("    {long}"));
    }

    #[test]
    fn there_is_always_room_for_a_word_or_two() {
        assert_eq!(wrapped("one two three four five", 0), "one two three four\nfive");
        let deep = format!("{}one two three", " ".repeat(18));
        assert_eq!(
            wrapped(&deep, 20),
            format!("{}one\n{}two three", " ".repeat(18), " ".repeat(10))
        );
    }
}
