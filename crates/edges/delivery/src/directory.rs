//! Messages as files in a directory, for who wants to look at them or send them otherwise.
//!
//! A file is there whole or not at all, and none is ever written over. The same message
//! handed over twice is one file; another message of the same name gets a number.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::Submission;
use crate::outcome::{DeliveryFailure, DeliveryOutcome, DeliveryStage, printable};

/// Octets of a name: with a number and an ending it fits the 255 that file systems allow.
/// Of a longer one the end is kept, where the Report-ID is.
const NAME_OCTETS: usize = 200;
/// Messages of one name: a report goes to a few destinations, each a message.
const NUMBERS: u32 = 1_000;
/// Names tried for the file while it is written; each is taken only where a process of
/// our number has left one behind.
const ATTEMPTS: u32 = 100;

/// Messages tell who sends mail to whom: they are not for everybody on this host.
const MODE: u32 = 0o640;

/// Messages into files.
#[derive(Debug)]
pub(crate) struct MessageDirectory {
    path: PathBuf,
    written: AtomicU64,
}

impl MessageDirectory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: AtomicU64::new(0),
        }
    }

    pub(crate) async fn deliver(&self, submission: &Submission<'_>) -> DeliveryOutcome {
        let Some(name) = file_name(submission.file_name) else {
            let words = format!(
                "\"{}\" is no name for a file",
                submission.file_name.escape_default()
            );
            return DeliveryOutcome::Refused(DeliveryFailure::new(DeliveryStage::File, &words));
        };
        match self.write(name, submission.message).await {
            Ok(path) => DeliveryOutcome::Delivered {
                reply: printable(&format!("written to {}", path.display())),
            },
            Err(error) => {
                let words = format!("cannot write into {}: {error}", self.path.display());
                DeliveryOutcome::RelayUnusable(DeliveryFailure::new(DeliveryStage::File, &words))
            }
        }
    }

    async fn write(&self, name: &str, message: &[&[u8]]) -> io::Result<PathBuf> {
        let (unfinished, file) = self.create().await?;
        let placed = match write_all(file, message).await {
            Ok(()) => self.place(&unfinished, name, message).await,
            Err(error) => Err(error),
        };
        let removed = fs::remove_file(&unfinished).await;
        let path = placed?;
        removed?;
        // The name, too, must outlive a loss of power.
        File::open(&self.path).await?.sync_all().await?;
        Ok(path)
    }

    /// A new file that nobody takes for a message yet.
    async fn create(&self) -> io::Result<(PathBuf, File)> {
        let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(MODE);
        for _ in 0..ATTEMPTS {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let path = self.path.join(format!(".{}-{number}.part", std::process::id()));
            match options.open(&path).await {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    /// Gives the file its name, or finds that it is there already. By a link and not by
    /// renaming, which would silently take the place of another file.
    async fn place(&self, unfinished: &Path, name: &str, message: &[&[u8]]) -> io::Result<PathBuf> {
        let mut taken = io::Error::from(io::ErrorKind::AlreadyExists);
        for number in 1..=NUMBERS {
            let path = self.path.join(match number {
                1 => format!("{name}.eml"),
                _ => format!("{name}.{number}.eml"),
            });
            match fs::hard_link(unfinished, &path).await {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = error,
                Err(error) => return Err(error),
            }
            if holds(&path, message).await? {
                return Ok(path);
            }
        }
        Err(taken)
    }
}

async fn write_all(mut file: File, message: &[&[u8]]) -> io::Result<()> {
    for piece in message {
        file.write_all(piece).await?;
    }
    file.sync_all().await
}

/// Whether a file is this message.
async fn holds(path: &Path, message: &[&[u8]]) -> io::Result<bool> {
    let octets: usize = message.iter().map(|piece| piece.len()).sum();
    let mut file = File::open(path).await?;
    if file.metadata().await?.len() != octets as u64 {
        return Ok(false);
    }
    let mut room = vec![0; 64 * 1024];
    for piece in message.iter().flat_map(|piece| piece.chunks(64 * 1024)) {
        let Some(room) = room.get_mut(..piece.len()) else {
            return Ok(false);
        };
        file.read_exact(room).await?;
        if room != piece {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The part of a name that is used; none when it could be a path, or hidden, or more than
/// a name.
fn file_name(name: &str) -> Option<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-!@+=".contains(&b);
    if !name.bytes().all(is_plain) {
        return None;
    }
    let kept = name.get(name.len().saturating_sub(NAME_OCTETS)..)?;
    let kept = kept.trim_start_matches(['.', '-']);
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        for name in [
            "",
            ".",
            "..",
            "../a",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "a\0b",
            "a b",
            "ü",
            "-",
            "a\nb",
            "a:b",
        ] {
            assert_eq!(file_name(name), None, "{name:?}");
        }
        assert_eq!(file_name("..a"), Some("a"));
        assert_eq!(file_name("-rf"), Some("rf"));
        let name = "mail.receiver.example!example.com!1780272000!1780358399!abc.xml.gz";
        assert_eq!(file_name(name), Some(name));
    }

    #[test]
    fn of_a_long_name_the_end_is_kept() {
        let longest = format!("{}!id", "a".repeat(NAME_OCTETS - 3));
        assert_eq!(file_name(&longest), Some(&*longest));
        assert_eq!(file_name(&format!("b{longest}")), Some(&*longest));
    }
    /// A directory of this test alone.
    fn scratch(name: &str) -> PathBuf {
        let name = format!("landmarc-delivery-directory-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[tokio::test]
    async fn d37_a_message_is_not_for_everybody_on_this_host() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = scratch("mode");
        let written = MessageDirectory::new(path.clone())
            .write("a", &[b"A: b\r\n"])
            .await;
        let mode = std::fs::metadata(written.unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
        std::fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn a_name_may_be_taken_so_often_and_no_more() {
        let path = scratch("numbers");
        let directory = MessageDirectory::new(path.clone());
        std::fs::write(path.join("a.eml"), "another").unwrap();
        for number in 2..NUMBERS {
            std::fs::write(path.join(format!("a.{number}.eml")), "another").unwrap();
        }
        let last = directory.write("a", &[b"A: b\r\n"]).await.unwrap();
        assert_eq!(last, path.join(format!("a.{NUMBERS}.eml")));
        let error = directory.write("a", &[b"C: d\r\n"]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn what_another_process_left_unfinished_is_passed_by_so_often_and_no_more() {
        let path = scratch("attempts");
        let leave = |number| {
            let name = format!(".{}-{number}.part", std::process::id());
            std::fs::write(path.join(name), "half").unwrap();
        };
        (1..ATTEMPTS).for_each(leave);
        let directory = MessageDirectory::new(path.clone());
        // The numbers go on from message to message: 0, and past the others.
        for _ in 0..2 {
            assert!(directory.write("a", &[b"A: b\r\n"]).await.is_ok());
        }
        leave(0);
        let again = MessageDirectory::new(path.clone());
        let error = again.write("b", &[b"A: b\r\n"]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        std::fs::remove_dir_all(path).unwrap();
    }
}
