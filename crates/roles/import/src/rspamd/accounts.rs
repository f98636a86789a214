//! From the settings to what Redis is asked with.

use std::io;
use std::path::PathBuf;

use landmarc_migrate::rspamd::Names;
use landmarc_settings::RedisServer;
use landmarc_settings::keys::Rspamd;
use landmarc_source::redis::{RedisAddress, RedisOptions};

use landmarc_runtime::password::first_line;

/// The password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the password in {file:?} (rspamd.password_file)")]
pub struct PasswordError {
    file: PathBuf,
    source: io::Error,
}

impl PasswordError {
    /// What the operator can do.
    pub fn remedy(&self) -> &'static str {
        "let the user of the service read that file, and put the password alone on its first line"
    }
}

/// How the servers of the settings are reached. Reads the file of the password.
///
/// # Errors
/// When that cannot be read.
pub fn options(settings: &Rspamd) -> Result<RedisOptions, PasswordError> {
    let password = settings.password_file.as_deref().map(|file| {
        first_line(file).map_err(|source| PasswordError {
            file: file.to_owned(),
            source,
        })
    });
    Ok(RedisOptions {
        servers: settings.servers.iter().map(server).collect(),
        username: settings.username.clone(),
        password: password.transpose()?.filter(|password| !password.is_empty()),
        database: settings.database,
    })
}

/// What the keys are called.
pub fn names(settings: &Rspamd) -> Names {
    Names {
        list_prefix: settings.key_prefix.clone(),
        index_prefix: settings.index_prefix.clone(),
    }
}

fn server(server: &RedisServer) -> RedisAddress {
    match server {
        RedisServer::Tcp { host, port } => RedisAddress::Tcp(host.clone(), *port),
        RedisServer::Unix(path) => RedisAddress::Unix(path.clone()),
    }
}
