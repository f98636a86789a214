//! What every role stands on, whichever of them a host runs.
//!
//! Knows how the settings are read and checked ([`load`]), which of them are in force ([`current`]), where this host
//! keeps its records and those of its fleet ([`database`], [`fleet_settings`]), what expires ([`retention`]), and what
//! work beside mail needs: a clock, a sign to stop, panics that stay where they are, log lines that do not flood.
//!
//! Does not know any role, prints nothing and chooses no exit code: it returns values and errors. Not implemented: settings
//! from anywhere but one file, so that one place answers what is in force; and a look whether that file has changed: who
//! changes it asks for the reload, when all of it is written.

pub mod account;
pub mod check_secret;
pub mod clock;
pub mod current;
pub mod database;
pub mod error_chain;
pub mod failure_reports;
pub mod files;
pub mod fleet_settings;
pub mod groups;
pub mod lease_owner;
pub mod load;
pub mod logging;
pub mod metrics;
pub mod name_servers;
pub mod opendmarc_conf;
pub mod panic;
pub mod password;
pub mod retention;
pub mod rules;
pub mod sockets;
pub mod stop;
pub mod systemd;
pub mod tasks;
pub mod time;
pub mod visible;
pub mod wall_clock;
