//! Where the database is, and how the service opens it.

mod lock;

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landmarc_settings::Settings;
use landmarc_store::{Groups, QueueLimits, Recorder, RecorderOptions, StoreError, StoreLocation};
use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, User, access, geteuid};

use crate::account::Account;
use crate::fleet_settings::{FleetDatabaseError, server, spool};
pub use lock::{Lock, Taken, lock};

/// The file in the directory of the store.
const FILE: &str = "landmarc.db";
/// Where a service of the system keeps its data (the Filesystem Hierarchy Standard).
const SYSTEM_DIRECTORY: &str = "/var/lib/landmarc";
/// What a directory of ours is called among those of others.
const NAME: &str = "landmarc";
/// Who may look into a directory that we make: nobody but us and our group.
const DIRECTORY_MODE: u32 = 0o750;

/// The database file of the service with these settings.
pub fn path(settings: &Settings) -> PathBuf {
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

/// Where reports are made from and kept: with the fleet, or here.
///
/// # Errors
/// As [`server`].
pub fn place(settings: &Settings) -> Result<StoreLocation, FleetDatabaseError> {
    let shared = server(settings)?.map(StoreLocation::from);
    Ok(shared.unwrap_or_else(|| path(settings).into()))
}

/// Makes the directory of the database, while we may still be root, for the account that the
/// service becomes. One that is there already stays as it is, and so does what is a link to nowhere.
///
/// # Errors
/// What the system says.
pub fn prepare(database: &Path, account: &Account) -> io::Result<()> {
    let Some(directory) = database.parent().filter(|directory| !directory.exists()) else {
        return Ok(());
    };
    if let Some(above) = directory.parent() {
        // As the umask has them: they are nobody's in particular, and the service must get through.
        DirBuilder::new().recursive(true).create(above)?;
    }
    DirBuilder::new().mode(DIRECTORY_MODE).create(directory)?;
    // Given away by its handle: whoever may write above it could have put a link in its place, and
    // would be given what that leads to.
    let no_link = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let made = OpenOptions::new()
        .read(true)
        .custom_flags(no_link.bits())
        .open(directory)?;
    // Whatever the umask took away.
    made.set_permissions(Permissions::from_mode(DIRECTORY_MODE))?;
    fchown(&made, account.user_id(), account.group_id())
}

/// Opens the store for writing. One that cannot be written at the moment is no error: mail
/// comes first, and records wait in memory (decision D13).
///
/// # Errors
/// When it is of a newer version, or another program's.
pub fn open(settings: &Settings, database: &Path, groups: Arc<dyn Groups>) -> Result<Recorder, StoreError> {
    Recorder::open(RecorderOptions {
        keep_observations: settings.store.observations,
        limits: QueueLimits {
            bytes: settings.store.memory.as_usize(),
            ..QueueLimits::default()
        },
        must_open: false,
        spool: spool(settings),
        groups: Some(groups),
        ..RecorderOptions::at(database)
    })
}

/// What can be done when the database cannot be written: most often its directory is another's.
pub fn remedy(database: &Path) -> String {
    let directory = database.parent().unwrap_or(Path::new("."));
    let user = User::from_uid(geteuid()).ok().flatten();
    let user = user.map_or_else(|| geteuid().to_string(), |user| user.name);
    let shown = directory.display();
    let may_write = AccessFlags::W_OK | AccessFlags::X_OK;
    if !directory.exists() {
        format!("make {shown} for the user {user}: mkdir {shown} && chown {user} {shown}")
    } else if access(directory, may_write).is_err() {
        format!("the user {user} must be able to write in {shown}: chown {user} {shown}")
    } else {
        format!("landmarc store status tells how {} is", database.display())
    }
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
        let (settings, _) = landmarc_settings::read("[store]\ndirectory = \"/srv/mail\"\n").unwrap();
        assert_eq!(path(&settings), Path::new("/srv/mail/landmarc.db"));
    }

    #[test]
    fn who_cannot_write_is_told_which_user_and_which_directory() {
        let told = remedy(Path::new("/nonexistent/mail/landmarc.db"));
        let user = User::from_uid(geteuid()).unwrap().unwrap().name;
        assert!(
            told.ends_with(&format!("chown {user} /nonexistent/mail")),
            "{told}"
        );
        // Not even root writes there.
        let told = remedy(Path::new("/proc/landmarc.db"));
        let of_user = format!("the user {user} must be able to write in /proc: chown {user} /proc");
        assert!(told == of_user || geteuid().is_root(), "{told}");
    }

    /// A place for a test, which is gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("landmarc-database-{}-{test}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A leftover in the temporary directory is all it can come to.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_directory_is_for_the_service_and_those_above_it_are_as_usual() {
        let place = Folder::new("above");
        let usual = place.0.join("usual");
        std::fs::create_dir(&usual).unwrap();
        let directory = place.0.join("srv/mail");
        prepare(&directory.join(FILE), &Account::default()).unwrap();
        assert_eq!(mode(&directory), DIRECTORY_MODE);
        assert_eq!(mode(&place.0.join("srv")), mode(&usual));
    }

    #[test]
    fn what_is_there_stays_as_it_is_and_a_link_is_not_followed() {
        let place = Folder::new("link");
        let (target, link) = (place.0.join("target"), place.0.join("link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let refused = prepare(&link.join(FILE), &Account::default()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert!(!target.exists(), "nothing is made where a link leads to");
        std::fs::create_dir(&target).unwrap();
        std::fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
        prepare(&link.join(FILE), &Account::default()).unwrap();
        assert_eq!(mode(&target), 0o700);
    }
}
