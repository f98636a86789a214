//! What a stranger may make us read.

use std::io::{self, BufRead, Read};

use crate::archive;

/// The limits of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Those of the file it comes in.
    pub archive: archive::ArchiveLimits,
    /// How deep elements may lie in each other, `feedback` counted. Reports need six.
    pub depth: usize,
    /// How many records there may be.
    pub rows: u64,
    /// How many elements one record may have, or the metadata, or the policy. The rest is left
    /// out, and a record that lacks some for it is lost. A hundred signatures need five hundred.
    pub elements: usize,
    /// How much of one text is kept, in octets. A longer one is cut.
    pub text_octets: usize,
    /// How long one tag, one text or one comment may be, in octets of the document.
    pub token_octets: usize,
    /// How many attributes one tag may have.
    pub attributes: usize,
}

impl Default for ReadLimits {
    /// Those of the archive; 32 deep, 250,000 rows, 4,096 elements, 4 KiB of a text, 1 MiB of a
    /// token, 64 attributes.
    fn default() -> Self {
        Self {
            archive: archive::ArchiveLimits::default(),
            depth: 32,
            rows: 250_000,
            elements: 4096,
            text_octets: 4096,
            token_octets: 1024 * 1024,
            attributes: 64,
        }
    }
}

/// How many elements without end, or ends without element, are put right in one document. One
/// with more is no damaged report but something else.
pub const MAX_REPAIRS: usize = 1000;

/// Lets no token grow past the limit while it is being collected.
pub(super) struct Metered<R> {
    pub(super) inner: R,
    spent: usize,
    limit: usize,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, limit: usize) -> Self {
        Self {
            inner,
            spent: 0,
            limit,
        }
    }

    /// A new token begins.
    pub(super) fn begin(&mut self) {
        self.spent = 0;
    }

    /// Whether the token is past the limit.
    pub(super) fn is_past(&self) -> bool {
        self.spent > self.limit
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.is_past() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, octets: usize) {
        self.spent = self.spent.saturating_add(octets);
        self.inner.consume(octets);
    }
}
