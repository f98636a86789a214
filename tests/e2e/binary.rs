//! Runs the built program.

use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use landmarc_testkit::tools::{Folder, wait_for};
use serde_json::Value;

/// The program under test, which `scripts/e2e-binary` builds before the tests run.
pub(crate) fn executable() -> &'static Path {
    static EXECUTABLE: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::var_os("LANDMARC_BINARY")
            .expect("run the tests by `cargo nextest run`, or name the program in LANDMARC_BINARY")
            .into()
    });
    &EXECUTABLE
}

/// The number of the user and group that own nothing.
const NOBODY: u32 = 65_534;

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one JSON object on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {:?}, standard error {:?}", self.stdout, self.stderr))
    }
}

/// Runs `landmarc` with these arguments.
pub(crate) fn landmarc<I, A>(arguments: I) -> Ran
where
    I: IntoIterator<Item = A>,
    A: AsRef<std::ffi::OsStr>,
{
    Ran::new(
        &Command::new(executable())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    )
}

/// Runs `landmarc` with these octets on its standard input.
pub(crate) fn landmarc_reading(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(executable())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that ends before it has read all is the test's business, not ours.
    let _ = stdin.write_all(input);
    drop(stdin);
    Ran::new(&child.wait_with_output().unwrap())
}

/// Runs it with the rights of nobody in particular, where we are root; else with ours.
pub(crate) fn landmarc_as_nobody(folder: &Folder, arguments: &[&str]) -> Ran {
    // The program itself may lie where only root can go.
    let program = folder.path().join("landmarc");
    std::fs::copy(executable(), &program).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = wait_for(|| match command.output() {
        // Another test forked while the copy was being written, and has yet to let go of it.
        Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => None,
        ended => Some(ended.unwrap()),
    });
    Ran::new(&output.expect("nobody writes to the copy any more"))
}
