//! Whether two builds of the program behave alike: `cargo xtask compare OLD NEW` runs both over the same
//! cases and prints every difference that `xtask/intended-differences.txt` does not list.
//!
//! Each run has an empty folder, an empty environment and no network. What a program prints, writes and returns is
//! compared line by line; wrapped text is joined first, so that a changed word changes one line.

mod cases;
mod intended;
mod lines;
mod scenario;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{env, fs, process, thread};

use crate::Finding;
use crate::source::{SourceError, Workspace};
use intended::Intended;

/// How many cases are named with a difference that several have.
const NAMED: usize = 3;
/// How many runs go on at once.
const WORKERS: usize = 2;

/// How a run ends whose arguments or settings are wrong.
const REFUSED: [&str; 2] = ["exit Some(64)", "exit Some(78)"];

/// One thing to try: files in an empty folder, and commands that run there one after the other.
pub(crate) struct Case {
    /// What is compared; the list of intended differences is by these words.
    kind: &'static str,
    name: String,
    /// In files, `{dir}` stands for the folder.
    files: Vec<(String, Vec<u8>)>,
    steps: Vec<Vec<String>>,
    /// Whether something is wrong with the case when the program refuses its settings or arguments.
    is_judged: bool,
}

/// A difference: lines of before, lines of after.
type Difference = (&'static str, lines::Hunk);

/// Compares; the findings are the differences that nobody intended.
pub(crate) fn run(old: &str, new: &str) -> Result<Vec<Finding>, SourceError> {
    let workspace = Workspace::read()?;
    let failed = |path: &str| {
        let path = PathBuf::from(path);
        move |error| SourceError::Io(path, error)
    };
    let old = fs::canonicalize(old).map_err(failed(old))?;
    let new = fs::canonicalize(new).map_err(failed(new))?;
    let intended = Intended::read(&workspace).map_err(failed(intended::LIST))?;
    let folder = env::temp_dir().join(format!("landmarc-compare-{}", process::id()));
    let cases = cases::all(&workspace.root, &|arguments| help(&old, &folder, arguments))?;
    let differences = Mutex::new(BTreeMap::<Difference, Vec<&str>>::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let place = folder.join(worker.to_string());
            let (old, new, cases, intended, next, differences) =
                (&old, &new, &cases, &intended, &next, &differences);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let before = intended.expected(case.kind, &case.transcript(old, &place, &|_, text| text));
                    let after = case.transcript(new, &place, &|kind, text| intended.expected(kind, &text));
                    let mut hunks = lines::differences(&before, &after);
                    if case.is_judged && REFUSED.iter().any(|end| before.contains(end)) {
                        hunks.push(lines::Hunk::of_the_case(&before));
                    }
                    let mut all = differences.lock().unwrap_or_else(PoisonError::into_inner);
                    for hunk in hunks
                        .into_iter()
                        .filter_map(|hunk| intended.rest(case.kind, hunk))
                    {
                        all.entry((case.kind, hunk)).or_default().push(&case.name);
                    }
                }
            });
        }
    });
    let _ = fs::remove_dir_all(&folder);
    println!("{} cases compared", cases.len());
    let differences = differences.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut findings: Vec<_> = differences.iter().map(describe).collect();
    findings.extend(intended.unused());
    Ok(findings)
}

fn describe(((kind, hunk), cases): (&Difference, &Vec<&str>)) -> Finding {
    let named: Vec<_> = cases.iter().take(NAMED).copied().collect();
    let others = cases.len() - named.len();
    let others = (others > 0).then(|| format!(" and {others} others"));
    let problem = format!("{}{}\n{hunk}", named.join(", "), others.unwrap_or_default());
    Finding::new(kind, 0, problem)
}

fn help(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let arguments: Vec<_> = arguments
        .iter()
        .copied()
        .chain(["--help"])
        .map(str::to_owned)
        .collect();
    let _ = fs::create_dir_all(folder);
    let output = start(program, folder, &arguments);
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

impl Case {
    /// All that a program does with it. `translate` makes of the words of before those of after, by kind.
    fn transcript(
        &self,
        program: &Path,
        place: &Path,
        translate: &dyn Fn(&'static str, String) -> String,
    ) -> String {
        self.try_it(program, place, translate)
            .unwrap_or_else(|error| format!("cannot be tried: {error}\n"))
    }

    fn try_it(
        &self,
        program: &Path,
        place: &Path,
        translate: &dyn Fn(&'static str, String) -> String,
    ) -> io::Result<String> {
        if place.exists() {
            fs::remove_dir_all(place)?;
        }
        fs::create_dir_all(place)?;
        let here = place.display().to_string();
        for (name, octets) in &self.files {
            let octets = match name.ends_with(".toml") {
                true => translate(
                    intended::SETTINGS,
                    String::from_utf8_lossy(octets).replace("{dir}", &here),
                )
                .into_bytes(),
                false => octets.clone(),
            };
            fs::write(place.join(name), octets)?;
        }
        let mut transcript = String::new();
        for step in &self.steps {
            let step: Vec<String> = step
                .iter()
                .map(|word| translate(intended::ARGUMENTS, word.clone()))
                .collect();
            let output = start(program, place, &step)?;
            let stdout = String::from_utf8_lossy(&output.stdout);
            let stdout = match self.kind {
                "completions" => stdout.into_owned(),
                _ => lines::plain(&stdout),
            };
            let stderr = String::from_utf8_lossy(&output.stderr);
            transcript += &format!("{stdout}{stderr}exit {:?}\n", output.status.code());
        }
        self.written(place, place, &mut transcript)?;
        Ok(transcript)
    }

    /// The files of text that are there now and were not before, databases left out.
    fn written(&self, root: &Path, folder: &Path, transcript: &mut String) -> io::Result<()> {
        let mut paths: Vec<_> = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            if path.is_dir() {
                self.written(root, &path, transcript)?;
            } else if !self.files.iter().any(|(given, _)| *given == name) {
                let mut octets = fs::read(&path)?;
                if name.ends_with(".gz") {
                    let mut unpacked = Vec::new();
                    flate2::read::GzDecoder::new(&octets[..]).read_to_end(&mut unpacked)?;
                    octets = unpacked;
                }
                *transcript += &format!("file {name}\n");
                if let Ok(text) = String::from_utf8(octets) {
                    *transcript += &lines::plain(&text);
                }
            }
        }
        Ok(())
    }
}

/// Runs the program in its folder, called by one name, without network and environment.
fn start(program: &Path, folder: &Path, arguments: &[String]) -> io::Result<process::Output> {
    let alone = ["--map-root-user", "--net", "--"];
    let link = folder.join(".bin");
    fs::create_dir_all(&link)?;
    let link = link.join("landmarc");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(program, &link)?;
    let output = Command::new("unshare")
        .args(alone)
        .arg(&link)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output();
    let _ = fs::remove_dir_all(folder.join(".bin"));
    output
}
