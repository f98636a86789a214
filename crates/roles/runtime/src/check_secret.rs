//! The secret of the check API, in a file of its own.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use landmarc_settings::{Mistake, Settings, key};

/// Octets of a secret. It stands in a header field of each request.
const MAX_SECRET_OCTETS: usize = 1024;

/// Why the secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Its name.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{file} is empty")]
    Empty {
        /// Its name.
        file: String,
    },
    /// It is longer than any client sends.
    #[error("{file} has more than {MAX_SECRET_OCTETS} octets")]
    TooLong {
        /// Its name.
        file: String,
    },
    /// No client can send it.
    #[error("{file} has other characters than printable ASCII without blanks")]
    NotPrintable {
        /// Its name.
        file: String,
    },
}

impl SecretError {
    /// What the operator can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "create it, readable for the user that starts the service",
            Self::Empty { .. } | Self::TooLong { .. } | Self::NotPrintable { .. } => {
                "write one line into it, such as that of \"openssl rand -hex 32\""
            }
        }
    }
}

/// What is wrong with the file of the secret. Where another user is to read it, that shows at the start.
pub fn mistakes(settings: &Settings) -> Option<Mistake> {
    let error = match secret(settings.check_api.secret_file.as_deref()?) {
        Ok(_) => return None,
        Err(SecretError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
            return None;
        }
        Err(error) => error,
    };
    let why = format!("{error}; {}", error.remedy());
    Some(settings.refuse(key!(check_api.secret_file), None, why))
}

/// The secret in this file, without the line end after it.
pub fn secret(path: &Path) -> Result<Vec<u8>, SecretError> {
    let file = || path.display().to_string();
    let limit = u64::try_from(MAX_SECRET_OCTETS + 2).unwrap_or(u64::MAX);
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut octets));
    read.map_err(|source| SecretError::Unreadable { file: file(), source })?;
    let secret = octets.trim_ascii_end();
    match secret.len() {
        0 => Err(SecretError::Empty { file: file() }),
        1..=MAX_SECRET_OCTETS if secret.iter().all(u8::is_ascii_graphic) => Ok(secret.to_vec()),
        1..=MAX_SECRET_OCTETS => Err(SecretError::NotPrintable { file: file() }),
        _ => Err(SecretError::TooLong { file: file() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Result<Vec<u8>, String> {
        let name = format!(
            "landmarc-secret-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, octets).unwrap();
        let read =
            secret(&path).map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"));
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn a_secret_is_one_line_at_most_so_long() {
        let longest = vec![b'x'; MAX_SECRET_OCTETS];
        assert_eq!(read(b"s3cret\n"), Ok(b"s3cret".to_vec()));
        assert_eq!(read(b"s3cret\r\n"), Ok(b"s3cret".to_vec()));
        assert_eq!(read(&[&longest[..], b"\r\n"].concat()), Ok(longest.clone()));
        let too_long = Err(format!("FILE has more than {MAX_SECRET_OCTETS} octets"));
        assert_eq!(read(&[&longest[..], b"x"].concat()), too_long);
        assert_eq!(read(&[b'x'; 10_000]), too_long);
        assert_eq!(read(b"\n"), Err("FILE is empty".to_owned()));
        for odd in [&b"two words"[..], b"two\nlines", b"\xff"] {
            let why = "FILE has other characters than printable ASCII without blanks";
            assert_eq!(read(odd), Err(why.to_owned()));
        }
    }
}
