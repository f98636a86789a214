//! What is read of a file.

/// The longest file that is read, in octets: a hundred times one with every key and its help.
pub const MAX_FILE_OCTETS: usize = 1 << 20;
