//! `Lookup` over the world: a real resolver, and zones read from a file.

#[cfg(feature = "resolver")]
pub mod resolver;
pub mod zone_file;
