//! zip files, read by the headers before each member.
//!
//! The table of contents at the end is not used: files without one arrive, and it can name a
//! million members that are not there. Read from the front, a file costs what it is long. This is
//! also why no library is used here: a reader of streams has to give up at a member whose
//! length stands behind it, which is how some reporters write.

use std::ops::Range;

use super::{ArchiveContents, ArchiveError, ArchiveFormat, ArchiveLimits, Remark, Source, sniff, start_of};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const DIRECTORY_ENTRY: [u8; 4] = *b"PK\x01\x02";
const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
/// The length of the fixed part of a local header.
const LOCAL_HEADER_OCTETS: usize = 30;

/// Where a member lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// The packed octets. Of a deflated member whose length is not told, all that follows:
    /// the stream ends itself.
    pub(super) octets: Range<usize>,
    /// Packed by deflate, or else not at all.
    pub(super) is_deflated: bool,
}

/// Finds the first member that is XML or an archive, and notes the others.
pub(super) fn find(
    octets: &[u8],
    limits: &ArchiveLimits,
    remarks: &mut Vec<Remark>,
) -> Result<Member, ArchiveError> {
    let mut found = None;
    let mut others = 0;
    let mut is_unreadable = false;
    let mut first_start = Vec::new();
    for (number, entry) in (Entries { octets, at: 0 }).enumerate() {
        if number >= limits.members {
            return Err(ArchiveError::Members {
                limit: limits.members,
            });
        }
        let Some(member) = entry else {
            is_unreadable = true;
            others += 1;
            continue;
        };
        let start = start_of(ArchiveContents(Source::of_member(&member, octets)));
        match sniff(&start) {
            Some(_) if found.is_none() => found = Some(member),
            _ => others += 1,
        }
        if first_start.is_empty() {
            first_start = start;
        }
    }
    if others > 0 {
        remarks.push(Remark::OtherMembers(others));
    }
    if !has_directory(octets) {
        remarks.push(Remark::NoDirectory);
    }
    found.ok_or_else(|| match is_unreadable {
        true => ArchiveError::Method,
        false if others == 0 && octets.starts_with(&LOCAL_HEADER) => ArchiveError::Damaged {
            form: ArchiveFormat::Zip,
            at: 0,
        },
        false => super::no_xml(&first_start),
    })
}

/// The members of a file, front to back, until something else follows.
struct Entries<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Iterator for Entries<'_> {
    /// A member; none where it cannot be read.
    type Item = Option<Member>;

    fn next(&mut self) -> Option<Self::Item> {
        let header = LocalHeader::read(self.octets.get(self.at..)?)?;
        let start = self.at.checked_add(header.octets)?;
        let told_end = header
            .packed_size
            .and_then(|size| start.checked_add(size))
            .filter(|end| *end <= self.octets.len());
        let end = told_end.unwrap_or_else(|| next_signature(self.octets, start));
        let is_deflated = header.method == 8;
        let range = match told_end {
            None if is_deflated => start..self.octets.len(),
            _ => start..end,
        };
        // Behind a member whose length was not told stands a descriptor: step over it.
        self.at = match self.octets.get(end..) {
            Some(rest) if rest.starts_with(&DESCRIPTOR) => {
                next_signature(self.octets, end + DESCRIPTOR.len())
            }
            _ => end,
        };
        let is_readable = !header.is_encrypted && matches!(header.method, 0 | 8);
        Some(is_readable.then_some(Member {
            octets: range,
            is_deflated,
        }))
    }
}

struct LocalHeader {
    /// Its length with name and extra field.
    octets: usize,
    method: u16,
    is_encrypted: bool,
    /// None when it stands behind the member, or in a field for larger files.
    packed_size: Option<usize>,
}

impl LocalHeader {
    fn read(octets: &[u8]) -> Option<Self> {
        const IS_ENCRYPTED: u16 = 1;
        const SIZE_FOLLOWS: u16 = 1 << 3;
        let fixed = octets.get(..LOCAL_HEADER_OCTETS)?;
        if !fixed.starts_with(&LOCAL_HEADER) {
            return None;
        }
        let flags = number16(fixed, 6)?;
        let size = number32(fixed, 18)?;
        let is_told = flags & SIZE_FOLLOWS == 0 && size != u32::MAX;
        Some(Self {
            octets: LOCAL_HEADER_OCTETS
                + usize::from(number16(fixed, 26)?)
                + usize::from(number16(fixed, 28)?),
            method: number16(fixed, 8)?,
            is_encrypted: flags & IS_ENCRYPTED != 0,
            packed_size: usize::try_from(size).ok().filter(|_| is_told),
        })
    }
}

/// Where the next header of any kind may start; the end of the file when there is none.
fn next_signature(octets: &[u8], from: usize) -> usize {
    let kinds = [LOCAL_HEADER, DESCRIPTOR, DIRECTORY_ENTRY, END_OF_DIRECTORY];
    let rest = octets.get(from..).unwrap_or_default();
    let at = rest
        .windows(4)
        .position(|window| kinds.iter().any(|kind| window == kind));
    at.map_or(octets.len(), |at| from.saturating_add(at))
}

fn has_directory(octets: &[u8]) -> bool {
    octets.windows(4).rev().any(|window| window == END_OF_DIRECTORY)
}

fn number16(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn number32(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}
