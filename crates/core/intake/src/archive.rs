//! What reports are packed in: gzip, zip, or nothing; unpacked under limits.
//!
//! What something is packed in is seen from its first octets, never from a media type or a
//! file name: both are wrong in the field as often as not. A damaged envelope is opened as far
//! as it inflates, and what was wrong with it is told as a [`Remark`].
//!
//! Nothing is ever unpacked whole for being looked at: [`Archive::open`] runs through the
//! contents once, counting, and [`Archive::reader`] then gives them again as a stream.
//!
//! Not implemented: zip methods other than "stored" and "deflate", encrypted members, archives
//! in several parts. No reporter is known to use them.

mod gzip;
mod inflate;
mod limits;
mod zip;

use std::borrow::Cow;
use std::io::{self, Read};

use self::gzip::Gzip;
use self::inflate::Inflate;
pub use self::limits::{ArchiveLimits, RATIO_FLOOR_OCTETS};
use self::zip::Member;

/// How many packings may lie in each other: a gzip file in a zip file is seen in the field.
pub const MAX_NESTING: usize = 2;
/// How much of a foreign text is quoted, in characters.
pub(crate) const MAX_QUOTE: usize = 60;
/// How much of the contents is looked at to tell what they are. Blanks before the first
/// `<` count.
const SNIFFED_OCTETS: usize = 1024;
/// How much is unpacked at a time.
const CHUNK_OCTETS: usize = 64 * 1024;

/// What some octets are, by how they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArchiveFormat {
    /// Text that begins like XML: `<` after a byte order mark and blanks, if any.
    Xml,
    /// A gzip file (RFC 1952).
    Gzip,
    /// A zip file.
    Zip,
}

impl ArchiveFormat {
    /// The word for logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xml => "xml",
            Self::Gzip => "gzip",
            Self::Zip => "zip",
        }
    }
}

/// Tells what some octets are; none when they are neither an archive nor XML. Looks at
/// the first kilobyte at most.
#[must_use]
pub fn sniff(octets: &[u8]) -> Option<ArchiveFormat> {
    match octets {
        [0x1f, 0x8b, ..] => Some(ArchiveFormat::Gzip),
        // The second is how an empty archive starts.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(ArchiveFormat::Zip),
        _ => looks_like_xml(octets).then_some(ArchiveFormat::Xml),
    }
}

fn looks_like_xml(octets: &[u8]) -> bool {
    let start = octets.get(..SNIFFED_OCTETS).unwrap_or(octets);
    // Zeros are the other half of a character in UTF-16.
    let mut rest = start
        .strip_prefix(b"\xef\xbb\xbf")
        .or_else(|| start.strip_prefix(b"\xff\xfe"))
        .or_else(|| start.strip_prefix(b"\xfe\xff"))
        .unwrap_or(start)
        .iter()
        .filter(|octet| **octet != 0);
    rest.find(|octet| !octet.is_ascii_whitespace()) == Some(&b'<')
}

/// What was not as it should be about an archive that could be opened all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remark {
    /// The gzip file ends without checksum and length.
    NoTrailer,
    /// What was unpacked has another checksum or length than the archive says.
    WrongChecksum,
    /// The gzip file is several one after another; how many.
    SeveralMembers(usize),
    /// After the end of the gzip file stands something else; how many octets.
    TrailingOctets(usize),
    /// The packed octets end in the middle: what is here is a beginning.
    CutShort,
    /// The zip file has no table of contents at its end.
    NoDirectory,
    /// The zip file holds other members beside the report; how many.
    OtherMembers(usize),
    /// One archive lies in another.
    Nested,
}

impl Remark {
    /// The word for logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTrailer => "archive_no_trailer",
            Self::WrongChecksum => "archive_wrong_checksum",
            Self::SeveralMembers(_) => "archive_several_members",
            Self::TrailingOctets(_) => "archive_trailing_octets",
            Self::CutShort => "archive_cut_short",
            Self::NoDirectory => "archive_no_directory",
            Self::OtherMembers(_) => "archive_other_members",
            Self::Nested => "archive_nested",
        }
    }

    /// The number that goes with it, if one does.
    #[must_use]
    pub fn number(self) -> Option<usize> {
        match self {
            Self::SeveralMembers(number) | Self::TrailingOctets(number) | Self::OtherMembers(number) => {
                Some(number)
            }
            Self::NoTrailer | Self::WrongChecksum | Self::CutShort | Self::NoDirectory | Self::Nested => None,
        }
    }
}

/// Why an archive is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// More octets than [`ArchiveLimits::packed_octets`].
    #[error("the file has {octets} octets, the limit is {limit}")]
    Packed {
        /// How many.
        octets: usize,
        /// How many may be.
        limit: usize,
    },
    /// The contents are more than [`ArchiveLimits::unpacked_octets`].
    #[error("the unpacked contents have more than {limit} octets")]
    Unpacked {
        /// How many may be.
        limit: u64,
    },
    /// The contents are more than [`ArchiveLimits::ratio`] times as long as the file.
    #[error("the contents are more than {limit} times as long as the file")]
    Ratio {
        /// How many times they may be.
        limit: u64,
    },
    /// More members than [`ArchiveLimits::members`].
    #[error("the archive has more than {limit} members")]
    Members {
        /// How many may be.
        limit: usize,
    },
    /// An archive in an archive in an archive.
    #[error("archives lie in each other more than {MAX_NESTING} deep")]
    Nesting,
    /// The packed octets follow no form.
    #[error("the {} file is damaged at octet {at}", form.as_str())]
    Damaged {
        /// What it was to be.
        form: ArchiveFormat,
        /// How far it could be unpacked, in octets of the contents.
        at: u64,
    },
    /// The only members that could be the report are encrypted, or packed in another way.
    #[error("the zip file is encrypted, or packed by a method other than deflate")]
    Method,
    /// Neither XML nor an archive with XML in it; quotes how the contents start.
    #[error("no XML in it; it begins with {start}")]
    NoXml {
        /// The first octets, in quotation marks, escaped and cut.
        start: String,
    },
}

impl ArchiveError {
    /// What can be done about it, where something can.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Packed { .. } | Self::Unpacked { .. } | Self::Ratio { .. } | Self::Members { .. } => {
                Some("where the sender is to be trusted, read the file with higher limits")
            }
            Self::Method => Some("unpack the file by hand and read what was in it"),
            Self::Nesting | Self::Damaged { .. } | Self::NoXml { .. } => None,
        }
    }
}

/// XML with what it is packed in. Opened once, read as often as needed.
#[derive(Clone, Debug)]
pub struct Archive<'a> {
    /// What the innermost packing is read from.
    octets: Cow<'a, [u8]>,
    packing: Packing,
    form: ArchiveFormat,
    size: u64,
    members: usize,
    remarks: Vec<Remark>,
}

/// How the contents lie in the octets.
#[derive(Clone, Debug)]
enum Packing {
    Plain,
    Gzip,
    Zip(Member),
}

impl<'a> Archive<'a> {
    /// Opens a file: tells what it is, finds the XML in it, and runs through that once so
    /// that all that follows is known to be within the limits.
    ///
    /// Keeps the octets as they are; a copy is made only of an archive within an archive.
    ///
    /// # Errors
    /// [`ArchiveError`] when there is no XML in it, when it is past a limit, or when it cannot
    /// be unpacked.
    pub fn open(octets: &'a [u8], limits: &ArchiveLimits) -> Result<Self, ArchiveError> {
        if octets.len() > limits.packed_octets {
            return Err(ArchiveError::Packed {
                octets: octets.len(),
                limit: limits.packed_octets,
            });
        }
        let form = sniff(octets).ok_or_else(|| no_xml(octets))?;
        let mut archive = Self {
            octets: Cow::Borrowed(octets),
            packing: Packing::Plain,
            form,
            size: 0,
            members: limits.members,
            remarks: Vec::new(),
        };
        for _ in 0..MAX_NESTING {
            if archive.unwrap_once(limits, octets.len())? {
                return Ok(archive);
            }
        }
        Err(ArchiveError::Nesting)
    }

    /// What the file is: the outermost packing.
    #[must_use]
    pub fn form(&self) -> ArchiveFormat {
        self.form
    }

    /// The length of the contents in octets.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What was not as it should be.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The contents from their start, as many as [`Archive::size`] says.
    #[must_use]
    pub fn reader(&self) -> ArchiveContents<'_> {
        ArchiveContents(match &self.packing {
            Packing::Plain => Source::Plain(&self.octets),
            Packing::Gzip => Source::Gzip(Gzip::new(&self.octets, self.members)),
            Packing::Zip(member) => Source::of_member(member, &self.octets),
        })
    }

    /// Looks into one packing. Whether XML was found; if not, an archive was, which is
    /// then what the octets are.
    fn unwrap_once(&mut self, limits: &ArchiveLimits, packed: usize) -> Result<bool, ArchiveError> {
        let form = sniff(&self.octets).ok_or_else(|| no_xml(&self.octets))?;
        self.packing = match form {
            ArchiveFormat::Xml => Packing::Plain,
            ArchiveFormat::Gzip => Packing::Gzip,
            ArchiveFormat::Zip => Packing::Zip(zip::find(&self.octets, limits, &mut self.remarks)?),
        };
        let start = start_of(self.reader());
        match sniff(&start) {
            Some(ArchiveFormat::Xml) => {
                self.size = self.run_through(form, limits, packed, &mut io::sink())?;
                Ok(true)
            }
            Some(ArchiveFormat::Gzip | ArchiveFormat::Zip) => {
                let mut inner = Vec::new();
                let within = ArchiveLimits {
                    unpacked_octets: u64::try_from(limits.packed_octets).unwrap_or(u64::MAX),
                    ..*limits
                };
                self.run_through(form, &within, packed, &mut inner)?;
                self.octets = Cow::Owned(inner);
                self.remarks.push(Remark::Nested);
                Ok(false)
            }
            None => Err(no_xml(&start)),
        }
    }

    /// Unpacks all of the contents into `target`, under the limits. Says how long they are.
    fn run_through(
        &mut self,
        form: ArchiveFormat,
        limits: &ArchiveLimits,
        packed: usize,
        target: &mut impl io::Write,
    ) -> Result<u64, ArchiveError> {
        let mut budget = limits.budget(form, packed);
        let mut contents = self.reader();
        let mut chunk = vec![0; CHUNK_OCTETS];
        loop {
            let read = contents.read(&mut chunk).map_err(|_| ArchiveError::Damaged {
                form,
                at: budget.spent(),
            })?;
            let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else {
                break;
            };
            budget.spend(piece.len())?;
            // Neither a sink nor memory refuses to be written to.
            let _ = target.write_all(piece);
        }
        let found = contents.remarks();
        if contents.has_too_many_members() {
            return Err(ArchiveError::Members {
                limit: limits.members,
            });
        }
        self.remarks.extend(found);
        Ok(budget.spent())
    }
}

/// Unpacks all of it into memory.
///
/// # Errors
/// As [`Archive::open`].
pub fn unpack(octets: &[u8], limits: &ArchiveLimits) -> Result<Vec<u8>, ArchiveError> {
    let archive = Archive::open(octets, limits)?;
    let mut contents = Vec::with_capacity(usize::try_from(archive.size()).unwrap_or_default());
    archive
        .reader()
        .read_to_end(&mut contents)
        .map_err(|_| ArchiveError::Damaged {
            form: archive.form(),
            at: 0,
        })?;
    Ok(contents)
}

/// The contents of an [`Archive`] as a stream.
#[derive(Debug)]
pub struct ArchiveContents<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Plain(&'a [u8]),
    Gzip(Gzip<'a>),
    Deflated(Inflate<'a>),
}

impl<'a> Source<'a> {
    fn of_member(member: &Member, octets: &'a [u8]) -> Self {
        let packed = octets.get(member.octets.clone()).unwrap_or_default();
        if member.is_deflated {
            Self::Deflated(Inflate::new(packed))
        } else {
            Self::Plain(packed)
        }
    }
}

impl ArchiveContents<'_> {
    /// Whether members were left out, as far as has been read.
    fn has_too_many_members(&self) -> bool {
        matches!(&self.0, Source::Gzip(gzip) if gzip.is_past_limit())
    }

    /// What was not as it should be, as far as has been read.
    fn remarks(&self) -> Vec<Remark> {
        match &self.0 {
            Source::Gzip(gzip) => gzip.remarks(),
            Source::Deflated(inflate) if inflate.is_cut() => vec![Remark::CutShort],
            Source::Plain(_) | Source::Deflated(_) => Vec::new(),
        }
    }
}

impl Read for ArchiveContents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Plain(octets) => octets.read(buffer),
            Source::Gzip(gzip) => gzip.read(buffer),
            Source::Deflated(inflate) => inflate.read(buffer),
        }
    }
}

/// How the contents start. What cannot be unpacked has no start.
fn start_of(contents: ArchiveContents<'_>) -> Vec<u8> {
    let mut start = Vec::new();
    let wanted = u64::try_from(SNIFFED_OCTETS).unwrap_or(u64::MAX);
    // The error comes again when the contents are run through; what came before it is here.
    let _ = contents.take(wanted).read_to_end(&mut start);
    start
}

fn no_xml(start: &[u8]) -> ArchiveError {
    ArchiveError::NoXml {
        start: landmarc_mail::text::quoted_octets(start, MAX_QUOTE),
    }
}
