//! The tokens of Rust sources, without comments and without what is compiled for tests alone.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::source::SourceFile;

/// A source file of a crate, with its tokens.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a SourceFile,
    /// The folder of its crate.
    pub(crate) folder: &'a str,
    /// Its module, by the names from the root of the crate.
    pub(crate) module: Vec<&'a str>,
    pub(crate) tokens: Vec<Token<'a>>,
}

/// One token, a literal as a whole, and the lines it stands on, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
}

impl Token<'_> {
    pub(crate) fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The sources of all crates, without those that only tests declare.
pub(crate) fn sources(files: &[SourceFile]) -> Vec<Source<'_>> {
    let sources: Vec<_> = files.iter().filter_map(source).collect();
    let mut declared = BTreeMap::<(&str, &[&str]), BTreeSet<&str>>::new();
    for source in &sources {
        let children = source
            .tokens
            .windows(3)
            .filter(|words| words[0].text == "mod" && words[2].text == ";");
        let known = declared.entry((source.folder, &source.module)).or_default();
        known.extend(children.map(|words| words[1].text));
    }
    let is_declared = |source: &Source<'_>| {
        (1..=source.module.len()).all(|end| {
            let parent = declared.get(&(source.folder, &source.module[..end - 1]));
            parent.is_some_and(|children| children.contains(source.module[end - 1]))
        })
    };
    let product: Vec<bool> = sources.iter().map(is_declared).collect();
    let product = sources
        .into_iter()
        .zip(product)
        .filter(|(_, is_product)| *is_product);
    product.map(|(source, _)| source).collect()
}

fn source(file: &SourceFile) -> Option<Source<'_>> {
    let folder = file.source_of()?;
    let inner = file
        .path
        .strip_prefix(folder)?
        .strip_prefix("/src/")?
        .strip_suffix(".rs")?;
    let mut module: Vec<_> = inner.split('/').collect();
    if module.last() == Some(&"mod") || matches!(inner, "lib" | "main") {
        module.pop();
    }
    Some(Source {
        file,
        folder,
        module,
        tokens: without_tests(&tokens(&file.text)),
    })
}

/// All tokens of a text.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, is_token) = if first.is_whitespace() {
            (first.len_utf8(), false)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else {
            (token(rest, first), true)
        };
        let last_line = line + rest[..length].matches('\n').count();
        if is_token {
            tokens.push(Token {
                text: &rest[..length],
                first_line: line,
                last_line,
            });
        }
        (at, line) = (at + length, last_line);
    }
    tokens
}

/// How long the comment is that the text begins with; one may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        let end = match (rest.find("/*"), rest.find("*/")) {
            (Some(open), Some(close)) if open < close => (1, open),
            (_, Some(close)) => (-1, close),
            _ => return text.len(),
        };
        depth += end.0;
        at += end.1 + 2;
        if depth == 0 {
            return at;
        }
    }
}

/// How long the token is that the text begins with.
fn token(text: &str, first: char) -> usize {
    let name = |text: &str| {
        text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    if first == '"' {
        return quoted(text);
    }
    if first == '\'' {
        return character(text);
    }
    if !(first.is_alphanumeric() || first == '_') {
        return first.len_utf8();
    }
    let length = name(text);
    let (word, rest) = text.split_at(length);
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    match word {
        "r" | "br" | "cr" if rest[hashes..].starts_with('"') => {
            let end = format!("\"{}", &rest[..hashes]);
            let inner = &rest[hashes + 1..];
            let close = inner.find(&end).map_or(inner.len(), |close| close + end.len());
            length + hashes + 1 + close
        }
        "r" if hashes == 1 => length + 1 + name(&rest[1..]),
        "b" | "c" if rest.starts_with('"') => length + quoted(rest),
        "b" if rest.starts_with('\'') => length + character(rest),
        _ => length,
    }
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A character in quotes, or the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), _) => {
            // What is escaped may be a quote itself.
            let close = text[3.min(text.len())..].find('\'');
            close.map_or(text.len(), |close| close + 4)
        }
        (_, Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// The tokens outside items with the attribute `#[cfg(test)]` or `#[cfg(all(test, ..))]`.
fn without_tests<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    const TEST: [&str; 6] = ["#", "[", "cfg", "(", "test", ")"];
    const ALL_TEST: [&str; 8] = ["#", "[", "cfg", "(", "all", "(", "test", ","];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let here = || tokens[at..].iter().map(|token| token.text);
        if here().take(TEST.len()).eq(TEST) || here().take(ALL_TEST.len()).eq(ALL_TEST) {
            at += item(&tokens[at..]);
        } else {
            left.push(tokens[at]);
            at += 1;
        }
    }
    left
}

/// How many tokens belong to the item, field or statement that starts with attributes.
fn item(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while tokens.get(at).is_some_and(|token| token.text == "#") {
        at += trees(&tokens[at..]).take(2).map(<[_]>::len).sum::<usize>();
    }
    let visibility = ["pub", "crate", "super"];
    let word = tokens[at..]
        .iter()
        .find(|token| token.is_name() && !visibility.contains(&token.text));
    let ends_in_semicolon = word.is_some_and(|word| matches!(word.text, "use" | "static" | "let" | "type"));
    for tree in trees(&tokens[at..]) {
        at += tree.len();
        match tree[0].text {
            "{" if !ends_in_semicolon => break,
            ";" => break,
            _ => {}
        }
    }
    at
}

/// The tokens, a bracket with all up to its end as one. They end where a bracket closes that was open before.
pub(crate) fn trees<'a, 't>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = &'t [Token<'a>]> {
    let mut rest = tokens;
    iter::from_fn(move || {
        let (tree, after) = rest.split_at(first_tree(rest)?);
        rest = after;
        Some(tree)
    })
}

/// How many tokens the first tree has.
fn first_tree(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for (token, length) in tokens.iter().zip(1..) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(length);
        }
    }
    (!tokens.is_empty()).then_some(tokens.len())
}

/// How many lines hold something of a token.
pub(crate) fn code_lines(tokens: &[Token<'_>]) -> usize {
    let lines = tokens
        .iter()
        .flat_map(|token| token.text.lines().zip(token.first_line..));
    let mut numbers: Vec<_> = lines
        .filter(|(text, _)| !text.trim().is_empty())
        .map(|(_, number)| number)
        .collect();
    numbers.dedup();
    numbers.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn literals_are_tokens_and_comments_are_none() {
        assert_eq!(texts("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(
            texts(r#""a \" // b" 'c' '\'' '\\' b'x' 'a: &'b"#),
            [
                r#""a \" // b""#,
                "'c'",
                r"'\''",
                r"'\\'",
                "b'x'",
                "'",
                "a",
                ":",
                "&",
                "'",
                "b"
            ]
        );
        assert_eq!(
            texts("r#\"a\" // \"# r#type br\"x\" '\\u{1F}'"),
            ["r#\"a\" // \"#", "r#type", "br\"x\"", "'\\u{1F}'"]
        );
    }

    #[test]
    fn lines_are_those_with_a_token() {
        assert_eq!(
            code_lines(&tokens("//! x\n\nfn a() {\n    // y\n    \"b\n    c\"; d\n}\n")),
            4
        );
    }

    #[test]
    fn what_is_for_tests_alone_is_left_out() {
        let text = "a;\n#[cfg(test)]\nmod tests {\n  b {}\n}\n#[cfg(test)]\n#[path = \"x\"]\nmod c;\n#[cfg(test)]\nuse d::{e};\n#[cfg(test)]\n\
                    pub(crate) fn f(g: [u8; 2]) -> h { i }\nj\n";
        let files = [
            SourceFile::new(
                "crates/core/mail/src/lib.rs",
                "mod a;\n#[cfg(all(test, unix))]\nmod b;\n",
            ),
            SourceFile::new("crates/core/mail/src/a.rs", text),
            SourceFile::new("crates/core/mail/src/a/tests.rs", text),
            SourceFile::new("crates/core/mail/src/b.rs", text),
            SourceFile::new("crates/core/mail/tests/it/main.rs", text),
        ];
        let sources = sources(&files);
        let left = |source: &Source<'_>| source.tokens.iter().map(|token| token.text).collect::<String>();
        assert_eq!(sources.iter().map(left).collect::<Vec<_>>(), ["moda;", "a;j"]);
        assert_eq!(sources[1].module, ["a"]);
    }
}
