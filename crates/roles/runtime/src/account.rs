//! The user and group that the service becomes once its sockets are open (decision D35).

use landmarc_settings::{Mistake, Settings, key};
use nix::unistd::{self, Gid, Group, Uid, User};

/// Whom to become; where nothing is set, whoever started the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    user: Option<(String, Uid)>,
    group: Option<Gid>,
}

/// Why the service cannot become another user.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// A setting names somebody whom the system does not know.
    #[error("{key}: there is no {kind} {name:?} on this system")]
    NoSuch {
        /// The setting.
        key: &'static str,
        /// `user` or `group`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The system does not let us.
    #[error("cannot become {what}")]
    Denied {
        /// The user or group.
        what: String,
        /// What the system said.
        source: nix::Error,
    },
}

impl AccountError {
    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::NoSuch { kind, .. } => format!("create the {kind}, or name another one in the settings"),
            Self::Denied { .. } => "start as root, or leave server.user and server.group empty".to_owned(),
        }
    }
}

/// The mistake that the settings name a user or a group that the system does not know.
pub fn unknown(settings: &Settings) -> Option<Mistake> {
    Some(match Account::find(settings).err()? {
        AccountError::NoSuch { key, kind, name } => {
            settings.refuse(key, None, format!("there is no {kind} {name:?} on this system"))
        }
        AccountError::Denied { what, source } => {
            settings.refuse(key!(server.user), None, format!("{what}: {source}"))
        }
    })
}

impl Account {
    /// Finds the user and group that the settings name.
    ///
    /// # Errors
    /// [`AccountError::NoSuch`].
    pub fn find(settings: &Settings) -> Result<Self, AccountError> {
        let user = match &settings.server.user {
            Some(name) => Some(find_user(name)?),
            None => None,
        };
        let group = match &settings.server.group {
            Some(name) => Some(find_group("server.group", name)?),
            None => user.as_ref().map(|user| user.gid),
        };
        Ok(Self {
            user: user.map(|user| (user.name, user.uid)),
            group,
        })
    }

    /// The number of the user; none when that does not change.
    pub fn user_id(&self) -> Option<u32> {
        self.user.as_ref().map(|(_, uid)| uid.as_raw())
    }

    /// The number of the group; none when that does not change.
    pub fn group_id(&self) -> Option<u32> {
        self.group.map(Gid::as_raw)
    }

    /// Becomes them, for good.
    ///
    /// # Errors
    /// [`AccountError::Denied`].
    pub fn assume(&self) -> Result<(), AccountError> {
        let same_user = self
            .user
            .as_ref()
            .is_none_or(|(_, uid)| *uid == unistd::geteuid());
        let same_group = self.group.is_none_or(|gid| gid == unistd::getegid());
        if same_user && same_group {
            return Ok(());
        }
        // The group first: afterwards we would lack the right.
        if let Some(gid) = self.group {
            self.take_groups(gid).map_err(denied(|| format!("group {gid}")))?;
        }
        match &self.user {
            Some((name, uid)) => unistd::setuid(*uid).map_err(denied(|| format!("user {name}"))),
            None => Ok(()),
        }
    }

    /// Takes the group, and gives up the further groups of whoever started us.
    fn take_groups(&self, gid: Gid) -> nix::Result<()> {
        match &self.user {
            Some((name, _)) => {
                // A name from the system's own list holds no NUL.
                let name = std::ffi::CString::new(name.as_str()).map_err(|_| nix::Error::EINVAL)?;
                unistd::initgroups(&name, gid)?;
            }
            None => unistd::setgroups(&[gid])?,
        }
        unistd::setgid(gid)
    }
}

fn denied(what: impl FnOnce() -> String) -> impl FnOnce(nix::Error) -> AccountError {
    move |source| AccountError::Denied { what: what(), source }
}

fn find_user(name: &str) -> Result<User, AccountError> {
    let user = User::from_name(name).ok().flatten();
    user.ok_or_else(|| AccountError::NoSuch {
        key: "server.user",
        kind: "user",
        name: name.to_owned(),
    })
}

/// The group of that name, which stands in the setting `key`.
///
/// # Errors
/// [`AccountError::NoSuch`].
pub fn find_group(key: &'static str, name: &str) -> Result<Gid, AccountError> {
    let group = Group::from_name(name).ok().flatten();
    let group = group.ok_or_else(|| AccountError::NoSuch {
        key,
        kind: "group",
        name: name.to_owned(),
    })?;
    Ok(group.gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Result<Account, AccountError> {
        let (settings, _) = landmarc_settings::read(text).unwrap();
        Account::find(&settings)
    }

    #[test]
    fn without_names_nothing_changes() {
        let account = find("").unwrap();
        assert_eq!(account, Account::default());
        assert!(account.assume().is_ok());
    }

    #[test]
    fn the_group_of_the_user_is_taken_where_none_is_named() {
        let account = find("[server]\nuser = \"root\"\n").unwrap();
        assert_eq!((account.user_id(), account.group_id()), (Some(0), Some(0)));
        let account = find("[server]\ngroup = \"root\"\n").unwrap();
        assert_eq!((account.user_id(), account.group_id()), (None, Some(0)));
    }

    #[test]
    fn names_that_nobody_has_are_told_with_their_key() {
        let error = find("[server]\nuser = \"no-such-user\"\n").unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @r#"server.user: there is no user "no-such-user" on this system"#
        );
        insta::assert_snapshot!(error.remedy(), @"create the user, or name another one in the settings");
        let error = find("[server]\nuser = \"root\"\ngroup = \"no-such-group\"\n").unwrap_err();
        insta::assert_snapshot!(
            error.to_string(),
            @r#"server.group: there is no group "no-such-group" on this system"#
        );
    }
}
