//! The commands, a thin file each.

pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod dkim;
pub(crate) mod documents;
pub(crate) mod explain;
pub(crate) mod filter;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod migrate;
pub(crate) mod opendmarc;
pub(crate) mod outbox;
pub(crate) mod rules;
pub(crate) mod serve;
pub(crate) mod spool;
pub(crate) mod store;
