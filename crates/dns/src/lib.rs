//! `Lookup` over the world: a real resolver, and zones read from a file.

pub mod zone_file;
