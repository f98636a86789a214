//! A host of its own for the commands of a page: they create users and write below `/etc` and `/var`, as the page
//! says, and this machine keeps nothing of it.
//!
//! It is a mount namespace with a layer in memory over `/etc`, `/run`, `/usr/local` and `/var`. Programs that would
//! act on this machine all the same (`systemctl`, `postfix`) are stand-ins.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use landmarc_testkit::needs::Need;
use landmarc_testkit::tools::{Daemon, Folder};
use nix::unistd::Uid;

use super::page::FencedBlock;

/// What the commands may change. `$1` is a folder of the test; the namespace ends by itself some minutes after a
/// test that was killed.
const LAYERS: &str = "
layers=$1/layers
mkdir -- \"$layers\"
mount -t tmpfs none \"$layers\"
for place in /etc /run /usr/local /var; do
    name=${place//\\//-}
    mkdir -- \"$layers/upper$name\" \"$layers/work$name\"
    mount -t overlay -o \"lowerdir=$place,upperdir=$layers/upper$name,workdir=$layers/work$name\" overlay $place
done
echo ready
exec sleep 900
";

/// The host; what was changed on it is gone with it.
pub struct ScratchHost {
    keeper: Daemon,
    folder: Folder,
}

impl ScratchHost {
    /// Starts one. `None` where the run does without root.
    ///
    /// # Panics
    /// When we are not root and the run does not do without, or the namespace cannot be made.
    #[track_caller]
    pub fn start(name: &str) -> Option<Self> {
        if !Uid::effective().is_root() {
            Need::Root.is_missing("only root makes a namespace");
            return None;
        }
        let folder = Folder::new(name);
        for below in ["bin", "here"] {
            fs::create_dir(folder.join(below)).expect("the folder is new");
        }
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--mount",
            "--propagation",
            "private",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            LAYERS,
            "bash",
        ]);
        let mut keeper = Daemon::start(unshare.arg(folder.path()), folder.join("layers.log"));
        let log = folder.join("layers.log");
        keeper.waited_for("has its layers", || {
            fs::read_to_string(&log).ok().filter(|log| log.contains("ready"))
        });
        Some(Self { keeper, folder })
    }

    /// The folder that commands run in. It exists outside the host too.
    pub fn here(&self) -> PathBuf {
        self.folder.join("here")
    }

    /// Puts a program of this name before all others: a script for `sh`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn stand_in(&self, name: &str, script: &str) {
        let path = self
            .folder
            .write(Path::new("bin").join(name), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// A command on the host, which runs these lines of bash and ends at the first that fails.
    pub fn command(&self, lines: &str) -> Command {
        let script = format!(
            "cd -- '{}'\nexport PATH='{}':/usr/local/sbin:/usr/local/bin:$PATH\n{lines}",
            self.here().display(),
            self.folder.join("bin").display()
        );
        let mut command = Command::new("nsenter");
        let target = format!("--target={}", self.keeper.pid());
        command.args([&target, "--mount", "bash", "-euo", "pipefail", "-c", &script]);
        command
    }

    /// Starts what these lines of bash run, until the test ends.
    pub fn serve(&self, name: &str, lines: &str) -> Daemon {
        Daemon::start(&mut self.command(lines), self.folder.join(name))
    }

    /// Runs a block of a page, and returns what it printed.
    ///
    /// # Panics
    /// When the block fails.
    #[track_caller]
    pub fn run(&self, block: &FencedBlock) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(&block.text).output().expect("bash starts");
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{block}ended with {status}:\n{stdout}{stderr}");
        stdout
    }
}
