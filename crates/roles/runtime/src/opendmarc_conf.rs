//! opendmarc.conf: read from the file system and translated, for `migrate opendmarc` and for the service
//! under its old name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use landmarc_migrate::opendmarc::settings::{
    self as opendmarc, Conf, ConfMistake, OpenDmarcSite, OpenDmarcTranslation, Parameter,
};

use nix::unistd::{Group, User};

use crate::files::read_file;
use crate::load::{LoadError, Loaded, read_with};
use crate::rules::system_name;

/// Read when no file is named on the command line, if it is there (C1).
pub const DEFAULT_FILE: &str = "/etc/opendmarc.conf";

/// The longest file that a line may name, in octets: a list of a hundred thousand hosts.
const MAX_NAMED_OCTETS: usize = 4 << 20;

/// What the service is told by the old command line (F1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenDmarcSource {
    /// The file that -c names.
    pub file: Option<PathBuf>,
    /// What other options say: it counts more than the file, before a reload and after (C8).
    pub given: Vec<(Parameter, String)>,
    /// The arguments, for the log (L2).
    pub arguments: Vec<OsString>,
    /// Whether this is the process whose number is to be written down (P20).
    pub writes_pid_file: bool,
}

impl OpenDmarcSource {
    /// The file that is read.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE))
    }

    /// What file and command line say together.
    ///
    /// # Errors
    /// When the file cannot be read; the default one need not be there (C1).
    pub fn conf(&self) -> Result<Conf, LoadError> {
        let octets = match read_file(self.path(), opendmarc::MAX_FILE_OCTETS) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.file.is_none() => Vec::new(),
            other => other.map_err(|source| LoadError::Io {
                file: self.path().display().to_string(),
                source,
            })?,
        };
        let mut conf = opendmarc::read(&octets);
        for (parameter, value) in &self.given {
            conf.set(*parameter, value)
                .map_err(|wrong| LoadError::Mistakes(format!("opendmarc: command line: {wrong}")))?;
        }
        Ok(conf)
    }

    /// The settings that they come to.
    ///
    /// # Errors
    /// [`LoadError`] with every line that cannot be understood; or with what our settings say to the
    /// translation, where it names something that is not there.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        self.load_unless(Conf::missing)
    }

    /// The same for messages from files, where nobody needs a socket (F4).
    ///
    /// # Errors
    /// As there.
    pub fn load_for_test(&self) -> Result<Loaded, LoadError> {
        self.load_unless(|_| None)
    }

    fn load_unless(&self, missing: impl Fn(&Conf) -> Option<ConfMistake>) -> Result<Loaded, LoadError> {
        let conf = self.conf()?;
        let missing = missing(&conf);
        let broken: Vec<_> = conf.broken().iter().chain(&missing).collect();
        if !broken.is_empty() {
            return Err(LoadError::Mistakes(in_old_words(self.path(), &broken)));
        }
        let translation = translate(&conf, self.path());
        let name = format!(
            "{} (as \"landmarc migrate opendmarc\" translates it)",
            self.path().display()
        );
        read_with(
            &name,
            translation.toml.as_bytes(),
            Some(self.path().to_owned()),
            None,
        )
    }

    /// How the log calls where the settings come from.
    pub fn describe(&self) -> String {
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        format!("{} (args: {})", self.path().display(), arguments.join(" "))
    }

    /// Where to write the number of the process (P20).
    pub fn pid_file(&self) -> Option<PathBuf> {
        if !self.writes_pid_file {
            return None;
        }
        self.conf().ok()?.path(Parameter::PidFile).map(PathBuf::from)
    }
}

/// A line for each, as OpenDMARC says it, and below it what can be done.
fn in_old_words(file: &Path, broken: &[&ConfMistake]) -> String {
    let lines = broken.iter().map(|broken| {
        format!(
            "opendmarc: {}: configuration error at line {}: {broken}\n  {}",
            file.display(),
            broken.line,
            broken.remedy()
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The settings file that it comes to, on this host.
pub fn translate(conf: &Conf, file: &Path) -> OpenDmarcTranslation {
    let mut files = BTreeMap::new();
    for path in conf.files() {
        // What cannot be read is told of by the translation.
        if let Ok(octets) = read_file(Path::new(&path), MAX_NAMED_OCTETS) {
            files.insert(path, octets);
        }
    }
    let site = OpenDmarcSite {
        file: file.display().to_string(),
        host_name: system_name(),
        files,
        unknown_accounts: unknown_accounts(conf),
    };
    opendmarc::translate(conf, &site)
}

/// The user and group of the file that this system does not have.
fn unknown_accounts(conf: &Conf) -> Vec<String> {
    let Some((user, group)) = conf.account() else {
        return Vec::new();
    };
    let has_user = matches!(User::from_name(user), Ok(Some(_)));
    let has_group = |name: &&str| matches!(Group::from_name(name), Ok(Some(_)));
    let user = Some(user).filter(|_| !has_user);
    let group = group.filter(|name| !has_group(name));
    [user, group].into_iter().flatten().map(str::to_owned).collect()
}
