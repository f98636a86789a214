//! gzip files (RFC 1952), read as far as they inflate.

use std::fmt;
use std::io::{self, Read};

use flate2::Crc;

use super::Remark;
use super::inflate::Inflate;

/// Checksum and length behind each member (§2.3.1).
const TRAILER_OCTETS: usize = 8;

/// The contents of a gzip file; several members read as one, as §2.2 has it.
///
/// A missing or wrong trailer, octets that follow, and an end in the middle are no errors
/// but remarks: some reporters write such files day by day. `MultiGzDecoder` of `flate2` makes one
/// kind of error of them all, withholds what it has read, and counts no members.
pub(super) struct Gzip<'a> {
    rest: &'a [u8],
    member: Option<Member<'a>>,
    members: usize,
    /// How many members are unpacked: each costs the memory of a fresh inflater.
    limit: usize,
    is_past_limit: bool,
    remarks: Vec<Remark>,
}

struct Member<'a> {
    inflate: Inflate<'a>,
    crc: Crc,
}

impl<'a> Gzip<'a> {
    pub(super) fn new(octets: &'a [u8], limit: usize) -> Self {
        Self {
            rest: octets,
            member: None,
            members: 0,
            limit,
            is_past_limit: false,
            remarks: Vec::new(),
        }
    }

    /// What was not as it should be, as far as has been read.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let several = (self.members > 1).then_some(Remark::SeveralMembers(self.members));
        self.remarks.iter().copied().chain(several).collect()
    }

    /// Whether there are more members than are unpacked, as far as has been read.
    pub(super) fn is_past_limit(&self) -> bool {
        self.is_past_limit
    }

    /// Opens the next member. Whether there is one.
    fn next_member(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let deflated = header_octets(self.rest).and_then(|length| self.rest.get(length..));
        match deflated {
            Some(_) if self.members >= self.limit => {
                self.is_past_limit = true;
                self.rest = &[];
                false
            }
            Some(octets) => {
                self.members += 1;
                self.member = Some(Member {
                    inflate: Inflate::new(octets),
                    crc: Crc::new(),
                });
                true
            }
            None => {
                let remark = match self.members {
                    0 => Remark::CutShort,
                    _ => Remark::TrailingOctets(self.rest.len()),
                };
                self.note(remark);
                self.rest = &[];
                false
            }
        }
    }

    /// Checks what stands behind a member that is read to its end.
    fn close(&mut self, member: &Member<'a>) {
        self.rest = member.inflate.rest();
        if member.inflate.is_cut() {
            self.note(Remark::CutShort);
            self.rest = &[];
            return;
        }
        let Some((trailer, rest)) = self.rest.split_at_checked(TRAILER_OCTETS) else {
            self.note(Remark::NoTrailer);
            self.rest = &[];
            return;
        };
        let (sum, length) = (member.crc.sum().to_le_bytes(), member.crc.amount().to_le_bytes());
        if trailer != [sum, length].concat() {
            self.note(Remark::WrongChecksum);
        }
        self.rest = rest;
    }

    fn note(&mut self, remark: Remark) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl Read for Gzip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // Each round reads from a member, ends one, or is the last: at most as many as the limit.
        loop {
            let Some(mut member) = self.member.take() else {
                if self.next_member() {
                    continue;
                }
                return Ok(0);
            };
            let read = member.inflate.read(buffer)?;
            if read == 0 {
                self.close(&member);
                continue;
            }
            member.crc.update(buffer.get(..read).unwrap_or_default());
            self.member = Some(member);
            return Ok(read);
        }
    }
}

impl fmt::Debug for Gzip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// The length of the header of a member (§2.3); none where no member starts.
fn header_octets(octets: &[u8]) -> Option<usize> {
    const HAS_HEADER_CHECKSUM: u8 = 1 << 1;
    const HAS_EXTRA: u8 = 1 << 2;
    const HAS_NAME: u8 = 1 << 3;
    const HAS_COMMENT: u8 = 1 << 4;
    let [0x1f, 0x8b, 8, flags, ..] = octets else {
        return None;
    };
    let mut at = 10;
    if flags & HAS_EXTRA != 0 {
        let length = octets.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)?;
        at += 2 + usize::from(length);
    }
    for flag in [HAS_NAME, HAS_COMMENT] {
        if flags & flag != 0 {
            at += 1 + octets.get(at..)?.iter().position(|octet| *octet == 0)?;
        }
    }
    if flags & HAS_HEADER_CHECKSUM != 0 {
        at += 2;
    }
    (at <= octets.len()).then_some(at)
}
