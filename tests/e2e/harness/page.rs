//! A page of the documentation, and what its reader is asked to run or write: the fenced blocks.
//!
//! A test runs them as they stand in the page. Where a path or a port must differ, [`DocPage::with`] names both.

#![allow(clippy::panic, reason = "helpers of tests fail as tests do")]

use std::fmt;
use std::fs;
use std::path::Path;

/// One page.
#[derive(Clone, Debug)]
pub struct DocPage {
    path: String,
    text: String,
}

/// One fenced block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FencedBlock {
    /// The page and the line of the fence: `README.md:12`.
    pub place: String,
    /// Its lines, without the indentation that all of them have.
    pub text: String,
}

impl DocPage {
    /// Reads a page, such as `docs/install.md`.
    ///
    /// # Panics
    /// When there is no such page.
    pub fn read(path: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// Puts `there` in place of `here` in the whole page.
    ///
    /// # Panics
    /// When the page does not have `here`: the substitution is out of date.
    #[must_use]
    pub fn with(mut self, here: &str, there: &str) -> Self {
        assert!(self.text.contains(here), "{} does not have {here:?}", self.path);
        self.text = self.text.replace(here, there);
        self
    }

    /// The blocks of one language, such as `sh`, in their order.
    ///
    /// # Panics
    /// When a block has no end.
    pub fn blocks(&self, language: &str) -> Vec<FencedBlock> {
        let mut lines = self.text.lines().zip(1..);
        let mut blocks = Vec::new();
        while let Some((fence, number)) = lines.next() {
            let Some(info) = fence.trim_start().strip_prefix("```") else {
                continue;
            };
            let indentation = fence.len() - fence.trim_start().len();
            let inside: Vec<&str> = lines
                .by_ref()
                .map(|(line, _)| line)
                .take_while(|line| line.trim() != "```")
                .map(|line| line.get(indentation..).unwrap_or_default())
                .collect();
            if info.trim() == language {
                blocks.push(FencedBlock {
                    place: format!("{}:{number}", self.path),
                    text: inside.iter().map(|line| format!("{line}\n")).collect(),
                });
            }
        }
        blocks
    }

    /// The one block of this language that has `part` in it.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn block(&self, language: &str, part: &str) -> FencedBlock {
        let mut blocks = self.blocks(language);
        blocks.retain(|block| block.text.contains(part));
        let [block] = &blocks[..] else {
            panic!(
                "{} has {} {language} blocks with {part:?}",
                self.path,
                blocks.len()
            );
        };
        block.clone()
    }
}

impl fmt::Display for FencedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:\n{}", self.place, self.text)
    }
}
