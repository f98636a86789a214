//! How much is unpacked, and the account of it.

use super::{ArchiveError, ArchiveFormat};

/// ArchiveContents shorter than this are never held to the ratio: a megabyte hurts nobody, and
/// a short file of much the same rows does shrink that well.
pub const RATIO_FLOOR_OCTETS: u64 = 1024 * 1024;

/// What a stranger may make us unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// The file as it came, in octets. An archive in an archive is held to it too.
    pub packed_octets: usize,
    /// The contents, in octets.
    pub unpacked_octets: u64,
    /// How many times as long as the file the contents may be, once they are longer than
    /// [`RATIO_FLOOR_OCTETS`]. Reports shrink to a tenth or a fortieth.
    pub ratio: u64,
    /// How many members an archive may have.
    pub members: usize,
}

impl Default for ArchiveLimits {
    /// 32 MiB packed, 64 MiB unpacked, ratio 200, 32 members.
    fn default() -> Self {
        Self {
            packed_octets: 32 * 1024 * 1024,
            unpacked_octets: 64 * 1024 * 1024,
            ratio: 200,
            members: 32,
        }
    }
}

impl ArchiveLimits {
    /// What a file of `packed` octets may unpack to.
    pub(super) fn budget(&self, form: ArchiveFormat, packed: usize) -> Budget {
        let packed = u64::try_from(packed).unwrap_or(u64::MAX);
        let by_ratio = match form {
            ArchiveFormat::Xml => u64::MAX,
            ArchiveFormat::Gzip | ArchiveFormat::Zip => {
                packed.saturating_mul(self.ratio).max(RATIO_FLOOR_OCTETS)
            }
        };
        Budget {
            spent: 0,
            by_size: self.unpacked_octets,
            by_ratio,
            ratio: self.ratio,
        }
    }
}

/// The account of one unpacking.
#[derive(Debug)]
pub(super) struct Budget {
    spent: u64,
    by_size: u64,
    by_ratio: u64,
    ratio: u64,
}

impl Budget {
    /// Takes note of so many octets more.
    pub(super) fn spend(&mut self, octets: usize) -> Result<(), ArchiveError> {
        let more = u64::try_from(octets).unwrap_or(u64::MAX);
        self.spent = self.spent.saturating_add(more);
        if self.spent > self.by_size {
            return Err(ArchiveError::Unpacked { limit: self.by_size });
        }
        if self.spent > self.by_ratio {
            return Err(ArchiveError::Ratio { limit: self.ratio });
        }
        Ok(())
    }

    /// How many octets so far.
    pub(super) fn spent(&self) -> u64 {
        self.spent
    }
}
