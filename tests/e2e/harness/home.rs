//! The folder in which one Postfix lives, with the owners and modes it insists on.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{Gid, Group, Uid, User, chown};

/// Who owns the mail. Postfix asks for an account that nothing else runs as; `mail`
/// and `operator` are on every Debian, so that none has to be made for the tests.
pub(super) const MAIL_OWNER: &str = "mail";
/// The group of `postdrop`, which must not be the group of [`MAIL_OWNER`].
pub(super) const SETGID_GROUP: &str = "operator";

/// Queues that belong to the mail owner alone.
const PRIVATE_QUEUES: [&str; 11] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
    "trace",
];

/// A folder that is gone when the test is.
pub(super) struct Home {
    path: PathBuf,
}

impl Home {
    /// Makes the folder with `conf`, `data`, `log`, `mail` and the queues in it.
    pub(super) fn create() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("landmarc-postfix-{}-{number}", std::process::id());
        let home = Self {
            path: std::env::temp_dir().join(name),
        };
        fs::create_dir(&home.path)?;
        set_mode(&home.path, 0o755)?;
        for folder in ["conf", "data", "log", "queue", "queue/pid"] {
            fs::create_dir(home.path.join(folder))?;
        }
        let (owner, drop_group) = accounts()?;
        own(&home.path.join("data"), owner, None, 0o700)?;
        fs::create_dir(home.mail())?;
        own(&home.mail(), owner, None, 0o700)?;
        for queue in PRIVATE_QUEUES {
            let path = home.queue(queue);
            fs::create_dir(&path)?;
            own(&path, owner, None, 0o700)?;
        }
        for (queue, mode) in [("maildrop", 0o1730), ("public", 0o710)] {
            let path = home.queue(queue);
            fs::create_dir(&path)?;
            own(&path, owner, Some(drop_group), mode)?;
        }
        Ok(home)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn conf(&self) -> PathBuf {
        self.path.join("conf")
    }

    pub(super) fn queue(&self, name: &str) -> PathBuf {
        self.path.join("queue").join(name)
    }

    /// Below it is the Maildir.
    pub(super) fn mail(&self) -> PathBuf {
        self.path.join("mail")
    }

    /// The number of the account that mailboxes belong to.
    pub(super) fn mail_owner(&self) -> u32 {
        fs::metadata(self.mail()).map_or(0, |metadata| metadata.uid())
    }

    /// The mails that were delivered into the Maildir and not yet looked at.
    pub(super) fn mails(&self) -> io::Result<Vec<PathBuf>> {
        let new = self.mail().join("all/new");
        let mails = fs::read_dir(new)?.map(|mail| Ok(mail?.path()));
        mails.collect()
    }

    pub(super) fn log_file(&self) -> PathBuf {
        self.path.join("log/maillog")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed is in the way of nobody: the name is never used again.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn accounts() -> io::Result<(Uid, Gid)> {
    let missing = |name| io::Error::new(io::ErrorKind::NotFound, format!("no account {name:?}"));
    let owner = User::from_name(MAIL_OWNER)?.ok_or_else(|| missing(MAIL_OWNER))?;
    let group = Group::from_name(SETGID_GROUP)?.ok_or_else(|| missing(SETGID_GROUP))?;
    Ok((owner.uid, group.gid))
}

fn own(path: &Path, owner: Uid, group: Option<Gid>, mode: u32) -> io::Result<()> {
    chown(path, Some(owner), group)?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}
