//! OpenDMARC: its settings file, its history, its database.

mod codes;
pub mod history;
pub mod message;
pub mod settings;
pub mod tables;
