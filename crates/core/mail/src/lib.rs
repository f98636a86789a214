//! Bytes and values of a message.
//!
//! Knows names, header fields, the envelope, the Author Domain and the Authentication-Results field, and has the one
//! place that makes foreign text harmless for people ([`text`]). Does not know DNS, mechanisms and policies: what a name
//! *means* is for the crates above this one. Not implemented: the parts of a body (MIME), since no decision of ours looks
//! at them.
//!
//! ```
//! use landmarc_mail::DomainName;
//!
//! let name = DomainName::parse("Bücher.example.").unwrap();
//! assert_eq!(name.as_str(), "xn--bcher-kva.example");
//! assert!(name.is_at_or_below(&DomainName::parse("example").unwrap()));
//! ```

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
