//! What waits, as files: for hosts that reach nothing but a disk or a copy over `ssh`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::segment::{MAX_SEGMENT, Segment};
use crate::error::{StoreError, io_error as io};
use crate::sqlite::Spool;

/// Octets of one file, about.
const FILE: usize = 8 << 20;
/// Octets of the host's name in the name of a file.
const NAME: usize = 64;
/// Who may read it: it tells who writes to whom (decision D37).
const MODE: u32 = 0o640;

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The files, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// Entries in them.
    pub entries: u64,
    /// Messages they count.
    pub messages: u64,
}

impl Segment {
    /// Reads a segment from a file that [`Spool::export`] wrote, here or elsewhere.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or holds no segment ([`Segment::read`]).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(io(path, "open"))?;
        let mut octets = Vec::new();
        // One more than there may be tells that there are more.
        file.take(MAX_SEGMENT as u64 + 1)
            .read_to_end(&mut octets)
            .map_err(io(path, "read"))?;
        Ok(Self::read(&octets)?)
    }
}

impl Spool {
    /// Writes all that waits into files of a directory, which is made if need be, and removes it from the spool
    /// when they are on disk. After a crash some entries are there and in a file as well: whoever takes both
    /// counts them once.
    ///
    /// # Errors
    /// When the store or the directory cannot be written. What is in a whole file by then is told by its name.
    pub fn export(&mut self, directory: impl AsRef<Path>) -> Result<Exported, StoreError> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(io(directory, "make the directory"))?;
        let mut exported = Exported::default();
        // What waits now, and not what comes while this lasts: else it might never end.
        let mut entries = self.status()?.entries;
        while entries > 0
            && let Some(segment) = self.take(FILE)?
        {
            let path = directory.join(file_name(&segment));
            if !is_there(&path, &segment) {
                write(directory, &path, &segment.to_octets()).map_err(io(&path, "write"))?;
            }
            sync(directory).map_err(io(directory, "sync"))?;
            self.remove(segment.host(), segment.last())?;
            entries = entries.saturating_sub(segment.entries() as u64);
            exported.entries += segment.entries() as u64;
            exported.messages += segment.messages();
            exported.files.push(path);
        }
        Ok(exported)
    }
}

fn file_name(segment: &Segment) -> String {
    let fits = |one: char| one.is_ascii_alphanumeric() || one == '.' || one == '-';
    let name = segment.name().trim_start_matches('.').chars().take(NAME);
    let name: String = name.map(|one| if fits(one) { one } else { '_' }).collect();
    let (first, last) = (segment.first(), segment.last());
    // In the order in which they were recorded, where files are taken by their names: a trace is told once.
    format!("{name}-{}-{first:012}-{last:012}.segment", segment.host().short())
}

/// Whether the file is there from before a crash, whole: then it may hold what had to go from the spool since.
fn is_there(path: &Path, segment: &Segment) -> bool {
    let found = Segment::load(path).ok();
    found.is_some_and(|found| {
        (found.host(), found.first(), found.last()) == (segment.host(), segment.first(), segment.last())
            && found.messages() >= segment.messages()
            && sync(path).is_ok()
    })
}

/// Under another name first, so that there is never a part of a file under its own.
fn write(directory: &Path, path: &Path, octets: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default();
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(".partial");
    let partial = directory.join(partial);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&partial)?;
    file.write_all(octets)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
