//! Who vouches for a message: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463) and ARC
//! (RFC 8617), over one [`lookup::Lookup`] trait.
//!
//! Knows how each mechanism comes to its result and says every step of it.
//! Deliberately knows no policy, no socket and no clock: DNS is asked through the
//! trait, the time is an argument.

pub mod arc;
pub mod dkim;
pub mod lookup;
pub mod spf;
