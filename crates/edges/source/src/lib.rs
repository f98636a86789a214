//! Databases of other programs, read and never written: MariaDB and SQLite with the tables of
//! OpenDMARC and Mail::DMARC, Redis with the records of rspamd.
//!
//! What is found is handed to `migrate`, which knows what it means.

pub mod mail_dmarc;
pub mod mysql;
pub mod redis;
pub mod sqlite;
