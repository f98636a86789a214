//! One deflate stream (RFC 1951) that says how it ended.

use std::fmt;
use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// Unpacks a deflate stream that stands at the start of some octets.
///
/// Made on the bare state machine, because the readers of `flate2` do not tell a stream
/// that ended from one whose octets ran out.
pub(super) struct Inflate<'a> {
    rest: &'a [u8],
    state: Decompress,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Clean,
    Cut,
}

impl<'a> Inflate<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            state: Decompress::new(false),
            end: None,
        }
    }

    /// What stands after the stream, once it is read to its end.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether the octets ran out in the middle of the stream.
    pub(super) fn is_cut(&self) -> bool {
        self.end == Some(End::Cut)
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Each round takes from the octets, gives some, or is the last.
        while self.end.is_none() {
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(self.rest, buffer, FlushDecompress::None)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let taken = difference(taken, self.state.total_in());
            let given = difference(given, self.state.total_out());
            self.rest = self.rest.get(taken..).unwrap_or_default();
            if status == Status::StreamEnd {
                self.end = Some(End::Clean);
            } else if taken == 0 && given == 0 {
                self.end = Some(End::Cut);
            }
            if given > 0 {
                return Ok(given);
            }
        }
        Ok(0)
    }
}

impl fmt::Debug for Inflate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

fn difference(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}
