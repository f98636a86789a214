//! Bytes and values of a message.
//!
//! Knows names, header fields, the envelope, the Author Domain and the
//! Authentication-Results field. Deliberately knows no DNS, no mechanism and no
//! policy: what a name *means* is for the crates above this one. Has the one place that makes
//! foreign text harmless for people ([`text`]).

pub mod author;
pub mod authres;
pub mod calendar;
pub mod envelope;
mod lexer;
pub mod mbox;
pub mod message;
pub mod name;
pub mod network;
pub mod received_spf;
pub mod text;

/// Prints values as their word: `Display` by a method `as_str`.
#[macro_export]
macro_rules! display_as_str {
    ($($name:ty),+) => { $(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+ };
}

pub use author::Author;
pub use envelope::{Envelope, ReversePath};
pub use message::{HeaderField, HeaderSection};
pub use name::{DomainName, NameError};
pub use network::ClientNetwork;
