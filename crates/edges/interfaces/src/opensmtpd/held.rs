//! A message that is kept back until it is judged: smtpd gives its lines one by one, and wants the first one
//! back only when we know what to put above it.
//!
//! A small one is kept in memory, a larger one in a file that has no name and so ends with us.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much of a message is kept in memory; most are no larger.
const MEMORY_OCTETS: usize = 64 * 1024;

/// How many octets are read back at once.
const PIECE_OCTETS: usize = 64 * 1024;

/// The lines of a message as smtpd gave them: dots stuffed, each ended by LF.
#[derive(Debug, Default)]
pub struct BufferedMessage {
    memory: Vec<u8>,
    file: Option<File>,
    /// Octets, in memory and in the file.
    octets: u64,
    lines: u64,
    /// Octets of the dots that were stuffed.
    stuffed: u64,
}

impl BufferedMessage {
    /// Octets of the message as it is judged: dots unstuffed, lines ended by CRLF.
    #[must_use]
    pub fn message_octets(&self) -> u64 {
        self.octets
            .saturating_sub(self.stuffed)
            .saturating_add(self.lines)
    }

    /// One more line, without its end.
    ///
    /// # Errors
    /// When there is no room for the file, in `folder`.
    pub(super) fn push(&mut self, line: &[u8], folder: &Path) -> io::Result<()> {
        self.memory.extend_from_slice(line);
        self.memory.push(b'\n');
        let size = u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.octets = self.octets.saturating_add(size).saturating_add(1);
        self.lines = self.lines.saturating_add(1);
        self.stuffed = self.stuffed.saturating_add(u64::from(line.starts_with(b".")));
        if self.memory.len() >= MEMORY_OCTETS {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(nameless_file(folder)?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
        }
        Ok(())
    }

    /// From the first line again, as often as wanted.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn lines(&mut self) -> io::Result<BufferedLines<'_>> {
        if let Some(file) = &mut self.file {
            file.rewind()?;
        }
        Ok(BufferedLines {
            file: self.file.as_mut(),
            memory: Some(&self.memory),
            pending: Vec::new(),
        })
    }
}

/// The lines of a message, in pieces of whole lines.
#[derive(Debug)]
pub struct BufferedLines<'a> {
    file: Option<&'a mut File>,
    /// What comes after the file.
    memory: Option<&'a [u8]>,
    /// The beginning of a line whose end was not read yet.
    pending: Vec<u8>,
}

impl BufferedLines<'_> {
    /// The next lines, each ended by LF; nothing after the last one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(file) = &mut self.file {
            let mut piece = std::mem::take(&mut self.pending);
            let room = u64::try_from(PIECE_OCTETS).unwrap_or(u64::MAX);
            if file.take(room).read_to_end(&mut piece)? == 0 {
                self.file = None;
                self.pending = piece;
                break;
            }
            let end = piece.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.pending = piece.split_off(end);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        let mut piece = std::mem::take(&mut self.pending);
        piece.extend_from_slice(self.memory.take().unwrap_or_default());
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }
}

/// A line with its dot unstuffed (RFC 5321 §4.5.2).
pub(super) fn unstuffed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b".").unwrap_or(line)
}

/// Whole lines as they are judged: dots unstuffed, ended by CRLF.
pub(super) fn as_judged(piece: &[u8]) -> Vec<u8> {
    // A line has some fifty octets.
    let mut judged = Vec::with_capacity(piece.len() + piece.len() / 32 + 2);
    for line in piece.split_inclusive(|b| *b == b'\n') {
        judged.extend_from_slice(unstuffed(line.strip_suffix(b"\n").unwrap_or(line)));
        judged.extend_from_slice(b"\r\n");
    }
    judged
}

/// A file that only we can reach, and that is gone when it is closed.
fn nameless_file(folder: &Path) -> io::Result<File> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("landmarc-held-{}-{number}", std::process::id()));
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        // Whatever somebody has put there is not written to.
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(lines: &[&[u8]]) -> BufferedMessage {
        let mut held = BufferedMessage::default();
        for line in lines {
            held.push(line, &std::env::temp_dir()).unwrap();
        }
        held
    }

    fn all(held: &mut BufferedMessage) -> Vec<u8> {
        let (mut all, mut lines) = (Vec::new(), held.lines().unwrap());
        while let Some(piece) = lines.next_piece().unwrap() {
            assert!(piece.ends_with(b"\n"));
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn lines_come_back_as_they_were_as_often_as_wanted() {
        let mut held = held(&[b"Subject: x", b"", b"..a dot", b"end"]);
        for _ in 0..2 {
            assert_eq!(all(&mut held), b"Subject: x\n\n..a dot\nend\n");
        }
        let judged = as_judged(&all(&mut held));
        assert_eq!(judged, b"Subject: x\r\n\r\n.a dot\r\nend\r\n");
        assert_eq!(held.message_octets(), u64::try_from(judged.len()).unwrap());
        assert_eq!(all(&mut BufferedMessage::default()), b"");
    }

    /// What fits into memory, one octet more, and lines longer than a piece.
    #[test]
    fn large_messages_are_in_a_file() {
        for (size, in_file) in [(MEMORY_OCTETS - 2, false), (MEMORY_OCTETS - 1, true)] {
            let line = vec![b'x'; size];
            let mut held = held(&[&line]);
            assert_eq!(held.file.is_some(), in_file, "{size}");
            assert_eq!(all(&mut held).len(), size + 1);
        }
        let long = vec![b'y'; 3 * PIECE_OCTETS + 7];
        let short = b"z".repeat(40);
        let mut lines: Vec<&[u8]> = vec![&short; 5_000];
        lines.insert(1_234, &long);
        let mut held = held(&lines);
        let expected: Vec<u8> = lines
            .iter()
            .flat_map(|line| [line, &b"\n"[..]].concat())
            .collect();
        for _ in 0..2 {
            assert_eq!(all(&mut held), expected);
        }
        assert_eq!(
            held.message_octets(),
            u64::try_from(as_judged(&expected).len()).unwrap()
        );
    }

    #[test]
    fn without_room_it_is_an_error() {
        let mut held = BufferedMessage::default();
        let line = vec![b'x'; MEMORY_OCTETS];
        assert!(held.push(&line, Path::new("/no/such/folder")).is_err());
    }
}
