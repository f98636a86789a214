//! Databases of other programs, read and never written: MariaDB and SQLite with the tables of
//! OpenDMARC and Mail::DMARC, Redis with the records of rspamd.
//!
//! Knows the tables and keys of each program and of each of its versions, how long a server may take, and how much it
//! may send. Knows nothing of what a row means, which `landmarc_migrate` says, and of where it goes, which
//! `landmarc_import` knows: rows are handed over as they stand there.
//!
//! Not implemented: Mail::DMARC on PostgreSQL, whose dmarc_send_reports sends what is in it before the switch; TLS,
//! Sentinel and Cluster of Redis, since the Redis of rspamd runs on the same host or next to it.

pub mod mail_dmarc;
pub mod mysql;
pub mod redis;
pub mod sqlite;
