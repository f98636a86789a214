//! Texts as lines that can be compared, and the lines in which two texts differ.

use std::fmt;

use serde_json::Value;

/// Lines that were there, and those that stand in their place now.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hunk {
    pub(super) old: Vec<String>,
    pub(super) new: Vec<String>,
}

impl Hunk {
    /// What is wrong with a case that the old program does not take.
    pub(super) fn of_the_case(transcript: &str) -> Self {
        let lines = std::iter::once("the case is wrong:").chain(transcript.lines());
        Self {
            old: lines.map(str::to_owned).collect(),
            new: Vec::new(),
        }
    }
}

impl fmt::Display for Hunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.old {
            writeln!(f, "  - {line}")?;
        }
        for line in &self.new {
            writeln!(f, "  + {line}")?;
        }
        Ok(())
    }
}

/// The text with each JSON object spread over lines, and with wrapped paragraphs, entries of help and comments joined
/// to one line each.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut before: Option<&str> = None;
    for line in text.lines() {
        let object = line
            .starts_with('{')
            .then(|| serde_json::from_str::<Value>(line).ok())
            .flatten();
        if let Some(object) = object {
            plain += &format!("{object:#}\n");
            before = None;
            continue;
        }
        let joined = before.is_some_and(|before| continues(before, line));
        if joined {
            plain.truncate(plain.trim_end_matches('\n').len());
            plain.push(' ');
        }
        let words = line.trim().trim_start_matches(if joined { "# " } else { "" });
        plain += &words.split_whitespace().collect::<Vec<_>>().join(" ");
        plain.push('\n');
        before = Some(line);
    }
    plain
}

/// Whether a line goes on with what the line before began: deep in the help, or in a comment.
fn continues(before: &str, line: &str) -> bool {
    let indent = line.len() - line.trim_start().len();
    let comment = before.starts_with("# ") && line.starts_with("# ");
    let deep = indent >= 8 && !line.trim_start().starts_with('-') && !before.trim().is_empty();
    let prose =
        indent == 0 && before.len() > 60 && !before.contains(": ") && before.starts_with(char::is_alphabetic);
    !line.trim().is_empty() && (comment || deep || prose)
}

/// Where two texts differ, by their longest common subsequence of lines.
pub(super) fn differences(old: &str, new: &str) -> Vec<Hunk> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let same = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let (old, new) = (&old[..old.len() - same], &new[..new.len() - same]);
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let mut hunks = Vec::new();
    let mut hunk = Hunk::default();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            hunks.push(std::mem::take(&mut hunk));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            hunk.old.push(old[i].to_owned());
            i += 1;
        } else {
            hunk.new.push(new[j].to_owned());
            j += 1;
        }
    }
    hunks.push(hunk);
    hunks.retain(|hunk| *hunk != Hunk::default());
    hunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_between_what_does_not() {
        let hunks = differences("a\nb\nc\nd\n", "a\nx\nc\nd\ne\n");
        let shown: Vec<_> = hunks.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["  - b\n  + x\n", "  + e\n"]);
        assert_eq!(differences("a\n", "a\n"), []);
    }

    #[test]
    fn wrapping_makes_no_difference() {
        assert_eq!(
            plain("# one\n# two\n\nkey = 1\n"),
            plain("# one two\n\nkey = 1\n")
        );
        let (short, long) = (
            "      --a <FILE>  one\n                  two\n",
            "      --a <FILE>  one two\n",
        );
        assert_eq!(plain(short), plain(long));
        assert_eq!(plain("{\"a\":1}\n"), "{\n  \"a\": 1\n}\n");
    }
}
