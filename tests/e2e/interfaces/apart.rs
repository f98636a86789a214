//! Programs that will not be told where their files are: each is run in namespaces of its own, in which the
//! paths it insists on show files of the test. The machine's own are neither read nor touched.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use landmarc_e2e::HOST_NAME;
use landmarc_testkit::tools::Folder;

/// Makes what is mounted, names the host, and becomes the program.
const SCRIPT: &str = "set -e\nmount --make-rprivate /\n";

/// What the program sees in place of the machine's.
pub(super) struct Apart<'a> {
    folder: &'a Folder,
    script: String,
}

impl<'a> Apart<'a> {
    /// It finds its own host by the name of the harness, and no name server: whoever asks one is refused at
    /// once.
    pub(super) fn new(folder: &'a Folder) -> Self {
        let names = format!("127.0.0.1 {HOST_NAME} localhost\n");
        let this = Self {
            folder,
            script: SCRIPT.to_owned(),
        };
        this.file("/etc/hosts", &names)
            .file("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    }

    /// A file with this text at a path where there is one.
    pub(super) fn file(self, at: &str, text: &str) -> Self {
        let name = at.trim_start_matches('/').replace('/', "-");
        let file = self.folder.write(name, text);
        self.shows(at, &file)
    }

    /// A file or folder of the test at a path where there is one.
    pub(super) fn shows(mut self, at: &str, ours: &Path) -> Self {
        self.script += &format!("mount --bind '{}' {at}\n", ours.display());
        self
    }

    /// An empty folder in place of one that is there.
    pub(super) fn empties(mut self, at: &str) -> Self {
        self.script += &format!("mount -t tmpfs -o mode=755 tmpfs {at}\n");
        self
    }

    /// A command run before the program, among what it will see.
    pub(super) fn runs(mut self, command: &str) -> Self {
        self.script += command;
        self.script.push('\n');
        self
    }

    /// The program, to be started in there.
    pub(super) fn command(self, program: impl AsRef<OsStr>) -> Command {
        let script = format!("{}hostname {HOST_NAME}\nexec \"$@\"\n", self.script);
        let file: PathBuf = self.folder.write("apart.sh", script);
        let mut command = Command::new("unshare");
        command.args(["--mount", "--uts", "sh"]).arg(file).arg(program);
        command
    }
}
