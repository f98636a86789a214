//! The modules of a crate: which uses what of which. They form no circle, values below and functions above.
//!
//! Read from the paths in the sources, tests left out. A name that a module hands on counts for the module that
//! defines it; a parent that only hands on what its child defines does not use the child. A child may use what its
//! parents define, as a block may use what is defined around it: that ties no circle by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::rust::{Source, Token, sources};
use crate::source::SourceFile;

/// How often a name is followed from one module that hands it on to the next.
const MAX_HANDED_ON: usize = 8;

/// A circle: each file reaches each other by what it uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Circle {
    /// The folder of the crate.
    pub(crate) folder: String,
    /// The files, without `src/` and `.rs`.
    pub(crate) files: BTreeSet<String>,
    /// Who uses what of whom within it.
    pub(crate) ties: Vec<String>,
}

/// What a crate looks like from its paths: by module, what it uses of others.
type Uses = BTreeMap<Path, BTreeMap<Path, BTreeSet<String>>>;

/// The names from the root of the crate to a module, or to something in one.
type Path = Vec<String>;

/// Circles, and files with a name out of use.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings: Vec<_> = circles(files)
        .iter()
        .map(|circle| {
            let ties = circle.ties.join("\n  ");
            let problem = format!("modules use each other in a circle:\n  {ties}");
            Finding::new(&circle.folder, 0, problem)
        })
        .collect();
    let old_name = files
        .iter()
        .filter(|file| file.is_rust() && file.path.ends_with("/mod.rs"));
    findings.extend(
        old_name.map(|file| Finding::new(&file.path, 0, "is named mod.rs: `foo.rs` stands beside `foo/`")),
    );
    findings
}

/// All circles of all crates.
pub(crate) fn circles(files: &[SourceFile]) -> Vec<Circle> {
    let sources = sources(files);
    let crates = sources.chunk_by(|one, other| one.folder == other.folder);
    crates
        .flat_map(|sources| circles_of(sources[0].folder, &uses(sources)))
        .collect()
}

fn circles_of(folder: &str, uses: &Uses) -> Vec<Circle> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = uses
        .keys()
        .map(|module| (module, reached(uses, module)))
        .collect();
    let mut done = BTreeSet::new();
    let mut circles = Vec::new();
    for (module, others) in &reached {
        let with: BTreeSet<_> = others
            .iter()
            .copied()
            .filter(|other| reached[other].contains(module))
            .collect();
        if with.len() > 1 && done.insert(with.clone()) {
            circles.push(Circle {
                folder: folder.to_owned(),
                files: with.iter().map(|path| name(path)).collect(),
                ties: ties(uses, &with),
            });
        }
    }
    circles
}

fn ties(uses: &Uses, within: &BTreeSet<&Path>) -> Vec<String> {
    let used = within
        .iter()
        .flat_map(|user| uses[*user].iter().map(move |(used, names)| (user, used, names)));
    used.filter(|(_, used, _)| within.contains(used))
        .map(|(user, used, names)| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            format!("{} -> {}: {}", name(user), name(used), names.join(", "))
        })
        .collect()
}

fn name(path: &Path) -> String {
    if path.is_empty() {
        "lib".to_owned()
    } else {
        path.join("/")
    }
}

fn reached<'a>(uses: &'a Uses, from: &'a Path) -> BTreeSet<&'a Path> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(module) = waiting.pop() {
        for used in uses.get(module).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used) {
                waiting.push(used);
            }
        }
    }
    reached
}

/// A module in a file of its own.
#[derive(Default)]
struct Module {
    /// What it defines, at whatever depth.
    defines: BTreeSet<String>,
    /// By the name here, what is called so elsewhere; of `use a::*` only `a`, in `globs`.
    imports: BTreeMap<String, Import>,
    globs: Vec<Path>,
    /// Paths in the code that may lead to another module.
    paths: BTreeSet<Path>,
    /// Modules that stand in files of their own.
    children: BTreeSet<String>,
}

struct Import {
    path: Path,
    is_public: bool,
}

/// The modules of a crate, by their paths.
type Modules = BTreeMap<Path, Module>;

fn uses(sources: &[Source<'_>]) -> Uses {
    let mut modules = Modules::new();
    for source in sources {
        let path: Path = source.module.iter().map(|name| (*name).to_owned()).collect();
        modules.insert(path.clone(), Module::read(&path, &source.tokens));
    }
    modules
        .keys()
        .map(|path| (path.clone(), uses_of(&modules, path)))
        .collect()
}

fn uses_of(modules: &Modules, path: &Path) -> BTreeMap<Path, BTreeSet<String>> {
    let module = &modules[path];
    let mut uses = BTreeMap::<Path, BTreeSet<String>>::new();
    let handed_on = |import: &&Import| import.is_public && import.path.starts_with(path);
    let imports = module
        .imports
        .values()
        .filter(|import| !handed_on(import))
        .map(|import| &import.path);
    for used in imports.chain(&module.paths) {
        if let Some((module, name)) = resolve(modules, used, 0)
            && !path.starts_with(&module)
        {
            uses.entry(module).or_default().insert(name);
        }
    }
    uses
}

/// The module that defines what a path names, and the name; none for a module itself and what is not of this crate.
fn resolve(modules: &Modules, path: &[String], depth: usize) -> Option<(Path, String)> {
    let end = (0..=path.len())
        .rev()
        .find(|end| modules.contains_key(&path[..*end]))?;
    let (at, name) = (&path[..end], path.get(end)?);
    let module = &modules[at];
    let found = Some((at.to_vec(), name.clone()));
    if module.defines.contains(name) || depth == MAX_HANDED_ON {
        return found;
    }
    if let Some(import) = module.imports.get(name) {
        let rest = path[end + 1..].iter();
        let path: Path = import.path.iter().chain(rest).cloned().collect();
        return resolve(modules, &path, depth + 1);
    }
    let in_globs = module.globs.iter().find_map(|glob| {
        let path: Path = glob.iter().chain([name]).cloned().collect();
        let (at, name) = resolve(modules, &path, depth + 1)?;
        modules[&at].defines.contains(&name).then_some((at, name))
    });
    in_globs.or(found)
}

impl Module {
    fn read(file: &[String], tokens: &[Token<'_>]) -> Self {
        let mut module = Self::default();
        // Modules within the file, and how deep the braces are that they end with.
        let mut inner: Vec<(String, usize)> = Vec::new();
        let (mut at, mut depth) = (0, 0_usize);
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
        let mut raw_paths = Vec::new();
        while let Some(token) = tokens.get(at) {
            let here: Path = file
                .iter()
                .chain(inner.iter().map(|(name, _)| name))
                .cloned()
                .collect();
            match token.text {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    inner.pop_if(|(_, ends)| *ends == depth);
                }
                "mod" if text(at + 2) == "{" => inner.push((text(at + 1).to_owned(), depth)),
                "mod" if text(at + 2) == ";" => drop(module.children.insert(text(at + 1).to_owned())),
                "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static" => {
                    module.defines.insert(text(at + 1).to_owned());
                }
                "macro_rules" => drop(module.defines.insert(text(at + 2).to_owned())),
                "use" => {
                    let is_public = at > 0 && matches!(text(at - 1), "pub" | ")");
                    at = module.import(tokens, at + 1, &here, &[], is_public);
                    continue;
                }
                _ if token.is_name() && !(at > 1 && text(at - 1) == ":" && text(at - 2) == ":") => {
                    let mut path = vec![token.text.to_owned()];
                    while text(at + 1) == ":"
                        && text(at + 2) == ":"
                        && tokens.get(at + 3).is_some_and(Token::is_name)
                    {
                        path.push(text(at + 3).to_owned());
                        at += 3;
                    }
                    if path.len() > 1 {
                        raw_paths.push((here, path));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        for (here, path) in raw_paths {
            let path = match module.imports.get(&path[0]) {
                Some(import) => import.path.iter().chain(&path[1..]).cloned().collect(),
                None => module.absolute(&here, &path),
            };
            module.paths.insert(path);
        }
        module
    }

    /// From the root of the crate; a path that leads out of it is none of ours, and empty.
    fn absolute(&self, here: &[String], path: &[String]) -> Path {
        let mut at = here.to_vec();
        let mut rest = path;
        match rest[0].as_str() {
            "crate" => (at, rest) = (Vec::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            "super" => {}
            name if self.children.contains(name) => {}
            _ => return Vec::new(),
        }
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = &rest[1..];
        }
        at.extend(rest.iter().cloned());
        at
    }

    /// Reads a tree of `use` behind a prefix; says where it ends.
    fn import(
        &mut self,
        tokens: &[Token<'_>],
        mut at: usize,
        here: &[String],
        prefix: &[String],
        is_public: bool,
    ) -> usize {
        let mut path = prefix.to_vec();
        let mut called = None;
        while let Some(token) = tokens.get(at) {
            match token.text {
                "{" => {
                    at += 1;
                    while tokens
                        .get(at)
                        .is_some_and(|token| !matches!(token.text, "}" | ";"))
                    {
                        at = self.import(tokens, at, here, &path, is_public);
                        at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                    }
                    return at + 1;
                }
                "*" => {
                    let glob = self.absolute(here, &path);
                    self.globs.extend((!glob.is_empty()).then_some(glob));
                    return at + 1;
                }
                "as" => {
                    called = tokens.get(at + 1).map(|token| token.text.to_owned());
                    at += 1;
                }
                "," | "}" | ";" => break,
                ":" => {}
                name => path.push(name.to_owned()),
            }
            at += 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let absolute = if path.is_empty() {
            path.clone()
        } else {
            self.absolute(here, &path)
        };
        if let Some(name) = called.or(path.last().cloned())
            && !absolute.is_empty()
        {
            self.imports.insert(
                name,
                Import {
                    path: absolute,
                    is_public,
                },
            );
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties_of(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| SourceFile::new(&format!("crates/core/x/src/{path}"), text);
        let files: Vec<_> = files.iter().map(file).collect();
        circles(&files)
            .into_iter()
            .flat_map(|circle| circle.ties)
            .collect()
    }

    #[test]
    fn files_that_use_each_other_are_a_circle_by_whatever_path() {
        let lib = ("lib.rs", "mod a; mod b;");
        for (a, b) in [
            ("use crate::b::B; struct A;", "use super::a::A; struct B;"),
            (
                "fn f() { crate::b::g() } struct A;",
                "use crate::a; struct B; fn g() { a::A }",
            ),
            (
                "use crate::{b::{self, B as C}}; struct A;",
                "use crate::a::*; fn g(x: super::a::A) {} struct B;",
            ),
        ] {
            assert_eq!(ties_of(&[lib, ("a.rs", a), ("b.rs", b)]).len(), 2, "{a} {b}");
        }
        let ties = ties_of(&[
            lib,
            ("a.rs", "use crate::b::B; struct A;"),
            ("b.rs", "use crate::a::A; struct B;"),
        ]);
        assert_eq!(ties, ["a -> b: B", "b -> a: A"]);
    }

    #[test]
    fn what_tests_use_makes_no_circle() {
        let b = "struct B;\n#[cfg(test)]\nmod tests { use crate::a::A; }\n";
        let lib = "mod a; mod b; #[cfg(test)] mod c;";
        let c = "use crate::a::A; struct C;";
        assert_eq!(
            ties_of(&[
                ("lib.rs", lib),
                ("a.rs", "use crate::b::B; struct A;"),
                ("b.rs", b),
                ("c.rs", c)
            ]),
            [""; 0]
        );
    }

    #[test]
    fn a_parent_that_hands_on_is_none_of_the_users() {
        // `b` takes what `a` defines from the root, which uses neither.
        let lib = ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;");
        let b = ("b.rs", "use crate::A; struct B;");
        assert_eq!(ties_of(&[lib, ("a.rs", "struct A;"), b]), [""; 0]);
        assert_eq!(
            ties_of(&[lib, ("a.rs", "struct A(super::B);"), b]),
            ["a -> b: B", "b -> a: A"]
        );
    }

    #[test]
    fn a_child_may_use_what_is_defined_around_it() {
        let lib = "mod a; struct P; fn f() { a::g() }";
        assert_eq!(
            ties_of(&[("lib.rs", lib), ("a.rs", "fn g(x: super::P) {}")]),
            [""; 0]
        );
        // Not so where the way back goes through another.
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod c; fn f() { c::g() }"),
            ("a/c.rs", "use crate::b::B; fn g(x: B) {}"),
            ("b.rs", "struct B; fn h() { crate::a::f() }"),
        ];
        assert_eq!(ties_of(&files), ["a -> a/c: g", "a/c -> b: B", "b -> a: f"]);
    }

    #[test]
    fn a_circle_and_a_name_out_of_use_are_reported() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; struct A;"),
            ("b.rs", "use crate::a::A; struct B;"),
            ("c/mod.rs", ""),
        ];
        let file = |(path, text): &(&str, &str)| SourceFile::new(&format!("crates/core/x/src/{path}"), text);
        let files: Vec<_> = files.iter().map(file).collect();
        assert_eq!(check(&files).len(), 2);
    }
}
