//! The commands, a thin file each.

pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod documents;
pub(crate) mod serve;
