//! Where the database is, and how the service opens it.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access, geteuid};
use settings::Settings;
use store::{Limits, Options, Recorder, StoreError};

use crate::account::Account;

/// The file in the directory of the store.
const FILE: &str = "landmarc.db";
/// Where a service of the system keeps its data (the Filesystem Hierarchy Standard).
const SYSTEM_DIRECTORY: &str = "/var/lib/landmarc";
/// What a directory of ours is called among those of others.
const NAME: &str = "landmarc";
/// Who may look into a directory that we make: nobody but us and our group.
const DIRECTORY_MODE: u32 = 0o750;

/// The database file of the service with these settings.
pub(crate) fn path(settings: &Settings) -> PathBuf {
    let directory = settings.store.directory.clone();
    directory.unwrap_or_else(usual_directory).join(FILE)
}

fn usual_directory() -> PathBuf {
    let system = Path::new(SYSTEM_DIRECTORY);
    let is_open = access(system, AccessFlags::R_OK | AccessFlags::X_OK).is_ok();
    choose(|name| std::env::var_os(name), geteuid().is_root(), is_open)
}

/// systemd's word first, then the system's place for those who can use it, then the user's own.
fn choose(variable: impl Fn(&str) -> Option<OsString>, is_root: bool, system_is_open: bool) -> PathBuf {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(given) = variable("STATE_DIRECTORY") {
        // systemd.exec(5): several directories are separated by colons.
        return std::env::split_paths(&given).next().unwrap_or_default();
    }
    if is_root || system_is_open {
        return PathBuf::from(SYSTEM_DIRECTORY);
    }
    let of_user = variable("XDG_DATA_HOME").map(PathBuf::from);
    let of_user = of_user.or_else(|| Some(Path::new(&variable("HOME")?).join(".local/share")));
    of_user.map_or_else(
        || PathBuf::from(SYSTEM_DIRECTORY),
        |directory| directory.join(NAME),
    )
}

/// Makes the directory of the database, while we may still be root, for the account that the
/// service becomes. One that is there already stays as it is.
///
/// # Errors
/// What the system says.
pub(crate) fn prepare(database: &Path, account: &Account) -> io::Result<()> {
    let Some(directory) = database.parent().filter(|directory| !directory.exists()) else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)?;
    // Whatever the umask took away.
    std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    chown(directory, account.user_id(), account.group_id())
}

/// Opens the store for writing. One that cannot be written at the moment is no error: mail
/// comes first, and records wait in memory (design D13).
///
/// # Errors
/// When it is of a newer version, or another program's.
pub(crate) fn open(settings: &Settings, database: &Path) -> Result<Recorder, StoreError> {
    Recorder::open(Options {
        keep_observations: settings.store.observations,
        limits: Limits {
            bytes: settings.store.memory.as_usize(),
            ..Limits::default()
        },
        must_open: false,
        ..Options::at(database)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], is_root: bool, system_is_open: bool) -> String {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        choose(variable, is_root, system_is_open).display().to_string()
    }

    #[test]
    fn the_database_is_where_systemd_says_then_with_the_system_then_with_the_user() {
        let home = [("HOME", "/users/anna")];
        let data = [("HOME", "/users/anna"), ("XDG_DATA_HOME", "/data")];
        let state = [("STATE_DIRECTORY", "/state/a:/state/b"), ("HOME", "/users/anna")];
        assert_eq!(chosen(&state, true, true), "/state/a");
        assert_eq!(chosen(&home, true, false), SYSTEM_DIRECTORY);
        assert_eq!(chosen(&home, false, true), SYSTEM_DIRECTORY);
        assert_eq!(chosen(&home, false, false), "/users/anna/.local/share/landmarc");
        assert_eq!(chosen(&data, false, false), "/data/landmarc");
        assert_eq!(chosen(&[("STATE_DIRECTORY", "")], false, false), SYSTEM_DIRECTORY);
    }

    #[test]
    fn the_setting_comes_before_all() {
        let (settings, _) = settings::read("[store]\ndirectory = \"/srv/mail\"\n").unwrap();
        assert_eq!(path(&settings), Path::new("/srv/mail/landmarc.db"));
    }
}
