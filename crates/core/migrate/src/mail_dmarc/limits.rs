//! How much of a file is read.

/// The largest file that is read, in octets. The one that comes with Mail::DMARC has 2 KB.
pub const MAX_FILE: usize = 256 * 1024;
/// The longest line, in octets.
pub const MAX_LINE: usize = 8192;
/// The most lines.
pub const MAX_LINES: usize = 10_000;
/// The most hosts of a whitelist: our rules take as many addresses in one list.
pub const MAX_HOSTS: usize = 1000;
