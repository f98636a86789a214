//! The names that pages use for code and tests: items by their path, test functions, scenarios by their ids.

use crate::source::SourceFile;

/// The scenarios of the receiver: their titles begin with the ids of what they show.
const SCENARIOS: &str = "crates/core/receiver/tests/scenarios/";

/// An item, a test function or a scenario.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: usize,
    /// `dmarc::discovery::Walk::new`; `scenario::G06` for a scenario.
    pub(crate) path: String,
}

/// All that a page can name.
pub(crate) struct Names<'a> {
    /// Functions, types, constants and methods of the crates.
    pub(crate) items: Vec<Item<'a>>,
    /// Test functions, and each scenario by each of its ids.
    pub(crate) tests: Vec<Item<'a>>,
}

/// The one item whose path ends in a name.
///
/// # Errors
/// The problem in words where there is none, or more than one.
pub(crate) fn unique<'n, 'a>(name: &str, items: &'n [Item<'a>]) -> Result<&'n Item<'a>, String> {
    let meant: Vec<_> = items.iter().filter(|item| item.is_called(name)).collect();
    match *meant.as_slice() {
        [item] => Ok(item),
        [] => Err(format!("nothing is called {name}")),
        [one, other, ..] => Err(format!("{name} is {} as well as {}", one.path, other.path)),
    }
}

impl Item<'_> {
    /// Whether its path ends in a name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let before = self.path.strip_suffix(name);
        before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
    }
}

impl<'a> Names<'a> {
    /// Of the crates and the end-to-end tests.
    pub(crate) fn of(files: &'a [SourceFile]) -> Self {
        let mut names = Self {
            items: Vec::new(),
            tests: Vec::new(),
        };
        for file in files {
            if file.path.starts_with(SCENARIOS) {
                names.add_scenarios(file);
            } else if file.is_rust() && (file.path.starts_with("crates/") || file.path.starts_with("tests/"))
            {
                names.add(file);
            }
        }
        names
    }

    /// The title is the first line of each scenario: `G05, G06: a chain of …`. Of several scenarios with an id
    /// the first counts.
    fn add_scenarios(&mut self, file: &'a SourceFile) {
        let mut is_title = true;
        for (line, text) in (1..).zip(file.text.lines()) {
            let ids = text
                .split_once(": ")
                .filter(|_| is_title)
                .map(|(ids, _)| ids.split(", "));
            for id in ids.into_iter().flatten() {
                if !self.tests.iter().any(|known| known.is_called(id)) {
                    self.tests.push(Item {
                        file: &file.path,
                        line,
                        path: format!("scenario::{id}"),
                    });
                }
            }
            is_title = text == "====";
        }
    }

    fn add(&mut self, file: &'a SourceFile) {
        let module = module(&file.path);
        let first_test_line = file.first_test_line();
        let mut owner = None;
        let mut is_test = false;
        for (line, text) in (1..).zip(file.text.lines()) {
            let code = text.trim_start();
            let depth = text.len() - code.len();
            if depth == 0 && code.starts_with('}') {
                owner = None;
            }
            // Those within `proptest!` have the attribute as well.
            if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
                is_test = true;
                continue;
            }
            let Some((kind, name)) = definition(code) else {
                continue;
            };
            let item = |path| Item {
                file: &file.path,
                line,
                path,
            };
            if std::mem::take(&mut is_test) && kind == "fn" {
                self.tests.push(item(format!("{module}::{name}")));
                continue;
            }
            if depth == 0 {
                owner = Some(name).filter(|_| matches!(kind, "impl" | "trait"));
            }
            let path = match owner {
                _ if line >= first_test_line || kind == "impl" => continue,
                Some(owner) if depth == 4 => format!("{module}::{owner}::{name}"),
                _ if depth == 0 => format!("{module}::{name}"),
                _ => continue,
            };
            self.items.push(item(path));
        }
    }
}

/// `dmarc::evaluation::policy` for `crates/core/dmarc/src/evaluation/policy.rs`.
fn module(path: &str) -> String {
    let roots = ["crates/core/", "crates/edges/", "crates/roles/", "crates/"];
    let below = roots
        .iter()
        .find_map(|root| path.strip_prefix(root))
        .unwrap_or(path);
    let parts = below.trim_end_matches(".rs").split('/');
    let parts = parts.filter(|part| !matches!(*part, "src" | "lib" | "main" | "mod"));
    parts.collect::<Vec<_>>().join("::")
}

/// What a line defines: `fn` and a name; of an `impl` the name of its type.
fn definition(code: &str) -> Option<(&'static str, &str)> {
    let mut rest = code;
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after.trim_start_matches(|c| c != ' ').trim_start();
    }
    for word in ["async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest = rest
        .strip_prefix("const ")
        .filter(|rest| rest.starts_with("fn "))
        .unwrap_or(rest);
    if rest.starts_with("impl") {
        let generic = || rest.split_once("> ").filter(|_| rest.starts_with("impl<"));
        let of = rest.split_once(" for ").or_else(generic);
        let of = of.map_or_else(|| rest.trim_start_matches("impl "), |(_, of)| of);
        return identifier(of).map(|name| ("impl", name));
    }
    let kinds = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let defined = |kind: &'static str| {
        rest.strip_prefix(kind)?
            .strip_prefix(' ')
            .map(|name| (kind, name))
    };
    let (kind, name) = kinds.into_iter().find_map(defined)?;
    identifier(name).map(|name| (kind, name))
}

/// The identifier at the end of the path that a text begins with.
fn identifier(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    let path = text.get(..end.unwrap_or(text.len()))?.trim_end_matches(':');
    path.rsplit(':').next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
pub(crate) fn walk() {}
const fn walk_on() {}
impl<'a> fmt::Display for Walk<'a> {
    fn fmt(&self) {}
}
impl<'a> Walk<'a> {
    pub const fn new() -> Self {
        const INNER: u8 = 0;
    }
}
struct Walk<'a>;
#[cfg(test)]
mod tests {
    fn helper() {}
    #[test]
    fn it_walks() {}
    #[tokio::test(flavor = \"x\")]
    async fn it_runs() {}
}
";

    #[test]
    fn items_have_the_path_of_their_module_and_type() {
        let files = [
            SourceFile::new("crates/core/dmarc/src/discovery.rs", CODE),
            SourceFile::new("crates/core/dmarc/src/lib.rs", "pub fn walk() {}\n"),
        ];
        let Names { items, tests } = Names::of(&files);
        let paths = |items: &[Item<'_>]| items.iter().map(|item| item.path.clone()).collect::<Vec<_>>();
        assert_eq!(
            paths(&items),
            [
                "dmarc::discovery::walk",
                "dmarc::discovery::walk_on",
                "dmarc::discovery::Walk::fmt",
                "dmarc::discovery::Walk::new",
                "dmarc::discovery::Walk",
                "dmarc::walk",
            ]
        );
        assert_eq!(
            paths(&tests),
            ["dmarc::discovery::it_walks", "dmarc::discovery::it_runs"]
        );
        assert_eq!(unique("discovery::walk", &items).map(|item| item.line), Ok(1));
        assert_eq!(unique("alk", &items).unwrap_err(), "nothing is called alk");
        assert_eq!(
            unique("walk", &items).unwrap_err(),
            "walk is dmarc::discovery::walk as well as dmarc::walk"
        );
    }

    #[test]
    fn scenarios_are_named_by_the_ids_of_their_titles() {
        let text = "A1, P13: one\nmail x: y\n----\nz\n====\nno item here\n====\nM6: two\n====\nA1: again\n";
        let files = [SourceFile::new(&format!("{SCENARIOS}a.txt"), text)];
        let tests = Names::of(&files).tests;
        let found: Vec<_> = tests.iter().map(|item| (item.path.as_str(), item.line)).collect();
        assert_eq!(
            found,
            [("scenario::A1", 1), ("scenario::P13", 1), ("scenario::M6", 8)]
        );
    }
}
