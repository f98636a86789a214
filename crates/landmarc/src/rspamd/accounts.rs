//! From the settings to what Redis is asked with.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use migrate::rspamd::Names;
use settings::RedisServer;
use settings::keys::Rspamd;
use source::redis::{Options, Server};

/// A password is on the first line of its file, and short; whatever the file is.
const MAX_PASSWORD_OCTETS: u64 = 4096;

/// The password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the password in {file:?} (rspamd.password_file)")]
pub(crate) struct PasswordError {
    file: PathBuf,
    source: io::Error,
}

impl PasswordError {
    /// What the operator can do.
    pub(crate) fn remedy(&self) -> &'static str {
        "let the user of the service read that file"
    }
}

/// How the servers of the settings are reached. Reads the file of the password.
///
/// # Errors
/// When that cannot be read.
pub(crate) fn options(settings: &Rspamd) -> Result<Options, PasswordError> {
    let password = settings.password_file.as_deref().map(|file| {
        first_line(file).map_err(|source| PasswordError {
            file: file.to_owned(),
            source,
        })
    });
    Ok(Options {
        servers: settings.servers.iter().map(server).collect(),
        username: settings.username.clone(),
        password: password.transpose()?.filter(|password| !password.is_empty()),
        database: settings.database,
    })
}

/// What the keys are called.
pub(crate) fn names(settings: &Rspamd) -> Names {
    Names {
        list_prefix: settings.key_prefix.clone(),
        index_prefix: settings.index_prefix.clone(),
    }
}

fn server(server: &RedisServer) -> Server {
    match server {
        RedisServer::Tcp { host, port } => Server::Tcp(host.clone(), *port),
        RedisServer::Unix(path) => Server::Unix(path.clone()),
    }
}

fn first_line(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?
        .take(MAX_PASSWORD_OCTETS)
        .read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
