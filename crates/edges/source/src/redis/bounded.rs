//! The octets that a Redis server sends, within limits. The library keeps what a server sends until an answer is complete,
//! and a server may announce an array of two billion elements: so they are counted before the library sees them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Octets of the answers to one command or pipeline. The largest page, 50,000 lines of a list, has some five million.
pub(super) const MAX_OCTETS: u64 = 64 * 1024 * 1024;
/// Elements of the answers to one command or pipeline: some 60 octets of memory each, however few they have on the way.
pub(super) const MAX_ELEMENTS: u64 = 200_000;
/// Octets of a line, which is a number, a status or an error.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// Octets of a line that are kept: more than the largest number has.
const MAX_NUMBER: usize = 24;

/// What an answer has too many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("more than {MAX_OCTETS} octets")]
    Octets,
    #[error("more than {MAX_ELEMENTS} elements")]
    Elements,
    #[error("a line of more than {MAX_LINE} octets")]
    Line,
}

/// What has come in answer to the last command, as the connection and its stream see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Allowance(Arc<Mutex<Answer>>);

impl Allowance {
    /// A command follows, whose answers begin at zero.
    pub(super) fn renew(&self) {
        let mut answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (answer.octets, answer.elements) = (0, 0);
    }

    /// Why the connection was ended, if it was for its size.
    pub(super) fn excess(&self) -> Option<Excess> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).excess
    }

    fn take(&self, octets: &[u8]) -> Result<(), Excess> {
        let mut answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = answer.take(octets);
        answer.excess = taken.err();
        taken
    }
}

#[derive(Debug, Default)]
struct Answer {
    octets: u64,
    elements: u64,
    at: At,
    excess: Option<Excess>,
}

/// A place in the protocol (RESP 2 and 3).
#[derive(Debug, Default)]
enum At {
    /// Before the octet that says what follows.
    #[default]
    Kind,
    Line {
        kind: u8,
        text: Vec<u8>,
        length: usize,
    },
    /// Within a string, with so many octets to go, its line end among them.
    Text(u64),
}

impl Answer {
    fn take(&mut self, mut octets: &[u8]) -> Result<(), Excess> {
        self.octets = self
            .octets
            .saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        if self.octets > MAX_OCTETS {
            return Err(Excess::Octets);
        }
        while let Some((first, rest)) = octets.split_first() {
            match &mut self.at {
                At::Kind => {
                    self.count(1)?;
                    self.at = At::Line {
                        kind: *first,
                        text: Vec::new(),
                        length: 0,
                    };
                    octets = rest;
                }
                At::Line { kind, text, .. } if *first == b'\n' => {
                    let (kind, number) = (*kind, number(text));
                    self.at = At::Kind;
                    self.begin(kind, number)?;
                    octets = rest;
                }
                At::Line { text, length, .. } => {
                    *length += 1;
                    if *length > MAX_LINE {
                        return Err(Excess::Line);
                    }
                    if text.len() < MAX_NUMBER {
                        text.push(*first);
                    }
                    octets = rest;
                }
                At::Text(left) => {
                    let skipped = usize::try_from(*left).map_or(octets.len(), |left| left.min(octets.len()));
                    *left = left.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
                    if *left == 0 {
                        self.at = At::Kind;
                    }
                    octets = octets.get(skipped..).unwrap_or_default();
                }
            }
        }
        Ok(())
    }

    /// What a line announces. What is no number is for the library to refuse.
    fn begin(&mut self, kind: u8, number: Option<u64>) -> Result<(), Excess> {
        let number = number.unwrap_or(0);
        match kind {
            b'$' | b'!' | b'=' if number > MAX_OCTETS => Err(Excess::Octets),
            b'$' | b'!' | b'=' => {
                self.at = At::Text(number + 2);
                Ok(())
            }
            // They are counted as they come; what is announced is refused before it comes.
            b'*' | b'~' | b'>' if number > MAX_ELEMENTS => Err(Excess::Elements),
            b'%' | b'|' if number > MAX_ELEMENTS / 2 => Err(Excess::Elements),
            _ => Ok(()),
        }
    }

    fn count(&mut self, elements: u64) -> Result<(), Excess> {
        self.elements += elements;
        match self.elements > MAX_ELEMENTS {
            true => Err(Excess::Elements),
            false => Ok(()),
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.trim_ascii_end()).ok()?.parse().ok()
}

/// The reading half of a connection, which ends when an answer has too much of anything.
pub(super) struct Bounded<S> {
    stream: S,
    allowance: Allowance,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, allowance: Allowance) -> Self {
        Self { stream, allowance }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let come = into.filled().get(before..).unwrap_or_default();
        let taken = self.allowance.take(come);
        Poll::Ready(taken.map_err(|excess| io::Error::new(io::ErrorKind::InvalidData, excess)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same in one piece and octet by octet.
    fn taken(octets: &[u8]) -> Result<(), Excess> {
        let whole = Answer::default().take(octets);
        let mut answer = Answer::default();
        let pieces = octets.chunks(1).try_for_each(|octet| answer.take(octet));
        assert_eq!(whole, pieces);
        whole
    }

    #[test]
    fn what_is_announced_is_refused_before_it_comes() {
        let most = MAX_ELEMENTS;
        assert_eq!(taken(format!("*{most}\r\n").as_bytes()), Ok(()));
        assert_eq!(
            taken(format!("*{}\r\n", most + 1).as_bytes()),
            Err(Excess::Elements)
        );
        assert_eq!(taken(b"*2147483647\r\n"), Err(Excess::Elements));
        assert_eq!(taken(format!("${MAX_OCTETS}\r\n").as_bytes()), Ok(()));
        assert_eq!(
            taken(format!("${}\r\n", MAX_OCTETS + 1).as_bytes()),
            Err(Excess::Octets)
        );
        assert_eq!(taken(b"$-1\r\n*-1\r\n:-5\r\n"), Ok(()));
    }

    #[test]
    fn elements_and_octets_are_counted_until_the_next_command() {
        let allowance = Allowance::default();
        let most = usize::try_from(MAX_ELEMENTS).unwrap();
        for _ in 0..2 {
            assert_eq!(allowance.take(&b"+\r\n".repeat(most)), Ok(()));
            allowance.renew();
        }
        assert_eq!(allowance.take(&b"+\r\n".repeat(most)), Ok(()));
        assert_eq!(allowance.take(b"+\r\n"), Err(Excess::Elements));
        assert_eq!(allowance.excess(), Some(Excess::Elements));

        let allowance = Allowance::default();
        // Two strings of half of it each, announced one by one.
        let half = usize::try_from(MAX_OCTETS / 2).unwrap();
        let text = [format!("${half}\r\n").into_bytes(), vec![b'*'; half]].concat();
        assert_eq!(allowance.take(&text), Ok(()));
        assert_eq!(allowance.take(b"\r\n"), Ok(()));
        assert_eq!(allowance.take(&text), Err(Excess::Octets));
    }

    #[test]
    fn a_line_has_an_end() {
        let line = |length: usize| [&vec![b'-'; length + 1][..], b"\n"].concat();
        assert_eq!(taken(&line(MAX_LINE)), Ok(()));
        assert_eq!(taken(&line(MAX_LINE + 1)), Err(Excess::Line));
    }
}
