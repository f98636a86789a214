//! Messages from where people keep them: a file, standard input, an mbox, a Maildir.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use mail::mbox;

/// The largest file that is read: a generous mbox.
pub(crate) const MAX_FILE_OCTETS: u64 = 1024 * 1024 * 1024;

/// Why messages could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailboxError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// Over [`MAX_FILE_OCTETS`].
    #[error("{0}: larger than 1 GiB; split the mailbox")]
    TooLarge(String),
    /// A directory that is no Maildir.
    #[error("{0}: a directory without `new` and `cur`, so no Maildir")]
    NotAMaildir(String),
}

/// The octets of one message and where they stood.
pub(crate) struct Stored {
    /// The file, with the number of the message where it holds several.
    pub(crate) place: String,
    /// As they are in the file.
    pub(crate) octets: Vec<u8>,
}

/// The messages at a path, in order; `-` is standard input.
///
/// # Errors
/// [`MailboxError`] that names the path.
pub(crate) fn read(path: &Path) -> Result<Vec<Stored>, MailboxError> {
    if path == Path::new("-") {
        return Ok(messages(
            "standard input",
            read_limited("standard input", io::stdin().lock())?,
        ));
    }
    if path.is_dir() {
        return maildir(path);
    }
    Ok(messages(&path.display().to_string(), read_file(path)?))
}

fn read_file(path: &Path) -> Result<Vec<u8>, MailboxError> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|source| MailboxError::Io {
        path: name.clone(),
        source,
    })?;
    read_limited(&name, file)
}

fn read_limited(name: &str, source: impl Read) -> Result<Vec<u8>, MailboxError> {
    let mut octets = Vec::new();
    source
        .take(MAX_FILE_OCTETS + 1)
        .read_to_end(&mut octets)
        .map_err(|source| MailboxError::Io {
            path: name.to_owned(),
            source,
        })?;
    if octets.len() as u64 > MAX_FILE_OCTETS {
        return Err(MailboxError::TooLarge(name.to_owned()));
    }
    Ok(octets)
}

/// One message, or those of an mbox: a file that begins with a `From ` line.
fn messages(name: &str, octets: Vec<u8>) -> Vec<Stored> {
    if !octets.starts_with(b"From ") {
        return vec![Stored {
            place: name.to_owned(),
            octets,
        }];
    }
    (1..)
        .zip(mbox::split_mbox(&octets))
        .map(|(number, message)| Stored {
            place: format!("{name}, message {number}"),
            octets: mbox::unquote(message).into_owned(),
        })
        .collect()
}

/// The messages of `cur` and `new`, by file name.
fn maildir(path: &Path) -> Result<Vec<Stored>, MailboxError> {
    let name = path.display().to_string();
    let folders: Vec<PathBuf> = ["cur", "new"]
        .into_iter()
        .map(|folder| path.join(folder))
        .filter(|folder| folder.is_dir())
        .collect();
    if folders.is_empty() {
        return Err(MailboxError::NotAMaildir(name));
    }
    let mut files = Vec::new();
    for folder in folders {
        let io_error = |source| MailboxError::Io {
            path: folder.display().to_string(),
            source,
        };
        for entry in fs::read_dir(&folder).map_err(io_error)? {
            let path = entry.map_err(io_error)?.path();
            if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|file| {
            Ok(Stored {
                place: file.display().to_string(),
                octets: read_file(&file)?,
            })
        })
        .collect()
}
