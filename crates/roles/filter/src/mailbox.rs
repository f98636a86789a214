//! Messages from where people keep them: a file, standard input, an mbox, a Maildir.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use landmarc_mail::mbox;
use landmarc_runtime::visible::visible_path;

/// The largest file that is read: a generous mbox.
const MAX_FILE_OCTETS: u64 = 1024 * 1024 * 1024;

/// The path that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

/// Why messages could not be read. Each names the path.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// The file system said no.
    #[error("{path}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        source: io::Error,
    },
    /// Over the limit.
    #[error("{path}: larger than {limit} octets; split the mailbox")]
    TooLarge {
        /// Which file.
        path: String,
        /// How large it may be.
        limit: u64,
    },
    /// A directory that is no Maildir.
    #[error("{0}: a directory without `new` and `cur`, so no Maildir")]
    NotAMaildir(String),
}

impl MailboxError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = visible_path(path);
        move |source| Self::Io {
            path: path.clone(),
            source,
        }
    }
}

/// The files at a path: the path itself, or those of a Maildir, `cur` before `new`,
/// each by file name, which begins with the time of delivery.
///
/// # Errors
/// When the path is a directory that is no Maildir, or that cannot be listed.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, MailboxError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let folders = ["cur", "new"].map(|folder| path.join(folder));
    if !folders.iter().any(|folder| folder.is_dir()) {
        return Err(MailboxError::NotAMaildir(visible_path(path)));
    }
    let mut files = Vec::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        files.extend(messages_in(folder)?);
    }
    Ok(files)
}

fn messages_in(folder: &Path) -> Result<Vec<PathBuf>, MailboxError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(MailboxError::io(folder))? {
        let entry = entry.map_err(MailboxError::io(folder))?;
        // Names with a dot in front are no messages, by the rules of Maildir.
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// The octets of a file: one message, or an mbox.
pub struct MailFile {
    name: String,
    octets: Vec<u8>,
}

impl MailFile {
    /// Reads a file; [`STANDARD_INPUT`] is one too.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than 1 GiB.
    pub fn read(path: &Path) -> Result<Self, MailboxError> {
        if path == Path::new(STANDARD_INPUT) {
            let name = Path::new("standard input");
            return Self::from_reader(name, io::stdin().lock(), MAX_FILE_OCTETS);
        }
        let file = fs::File::open(path).map_err(MailboxError::io(path))?;
        Self::from_reader(path, file, MAX_FILE_OCTETS)
    }

    fn from_reader(path: &Path, source: impl Read, limit: u64) -> Result<Self, MailboxError> {
        let name = visible_path(path);
        let mut octets = Vec::new();
        // One octet more than is allowed is enough to know that it is too much.
        let mut source = source.take(limit.saturating_add(1));
        source.read_to_end(&mut octets).map_err(MailboxError::io(path))?;
        if octets.len() as u64 > limit {
            return Err(MailboxError::TooLarge { path: name, limit });
        }
        Ok(Self { name, octets })
    }

    /// Whether it is an mbox: it begins with a `From ` line.
    pub fn is_mbox(&self) -> bool {
        self.octets.starts_with(b"From ")
    }

    /// Its messages, in order.
    pub fn messages(&self) -> Vec<StoredMessage<'_>> {
        if !self.is_mbox() {
            return vec![StoredMessage {
                place: self.name.clone(),
                octets: Cow::Borrowed(&self.octets),
            }];
        }
        (1..)
            .zip(mbox::split_mbox(&self.octets))
            .map(|(number, message)| StoredMessage {
                place: format!("{}, message {number}", self.name),
                octets: mbox::unquote(message),
            })
            .collect()
    }
}

/// One message, and where it is stored.
pub struct StoredMessage<'a> {
    /// The file, with the number of the message where it is an mbox.
    pub place: String,
    /// As in the file, without the quotes of an mbox.
    pub octets: Cow<'a, [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(octets: &[u8]) -> MailFile {
        MailFile::from_reader(Path::new("box"), octets, 1_000).unwrap()
    }

    #[test]
    fn a_message_is_a_file_of_one() {
        let file = file(b"From: a@b.example\n\n>From here\n");
        let stored = file.messages();
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].place, "box");
        assert_eq!(*stored[0].octets, *b"From: a@b.example\n\n>From here\n");
    }

    #[test]
    fn an_mbox_is_split_and_unquoted() {
        let file = file(b"From x\nA: 1\n\n>From here\n\nFrom y\nB: 2\n\n");
        let stored = file.messages();
        let places: Vec<_> = stored.iter().map(|stored| stored.place.as_str()).collect();
        assert_eq!(places, ["box, message 1", "box, message 2"]);
        assert_eq!(*stored[0].octets, *b"A: 1\n\nFrom here\n");
        assert_eq!(*stored[1].octets, *b"B: 2\n");
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let read = |octets: &[u8]| MailFile::from_reader(Path::new("box"), octets, 4);
        assert_eq!(read(b"1234").unwrap().octets, b"1234");
        let error = read(b"12345").err().unwrap();
        insta::assert_snapshot!(error.to_string(), @"box: larger than 4 octets; split the mailbox");
    }

    #[test]
    fn a_path_that_is_no_directory_is_a_file() {
        let path = Path::new("no-such-file");
        assert_eq!(files(path).unwrap(), [path]);
        let error = MailFile::read(path).err().unwrap();
        assert_eq!(error.to_string(), "no-such-file");
    }
}
