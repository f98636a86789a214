//! Which domains authenticate a message: SPF (RFC 7208), DKIM (RFC 6376, 8301, 8463) and
//! ARC (RFC 8617), over one [`lookup::Lookup`] trait.
//!
//! Knows how each mechanism comes to its result, and returns every step of it as values.
//! Deliberately knows no policy, no socket and no clock: DNS is asked through the
//! trait, the time is an argument.
//!
//! Not implemented: sealing (RFC 8617 is an experiment about to be ended), rsa-sha1
//! (RFC 8301 forbids it), SPF records of type SPF (RFC 7208 §3.1 ended them), and the
//! reports to signers and owners of RFC 6651 and 6652, which strangers could cause.
//!
//! ```
//! use landmarc_auth::spf::{SpfRecord, record::SpfMechanism};
//!
//! let record = SpfRecord::parse(b"v=spf1 mx -all").unwrap();
//! assert_eq!(record.directives[1].mechanism, SpfMechanism::All);
//! ```

pub mod arc;
pub mod dkim;
pub mod lookup;
pub mod spf;
