//! `Lookup` over the world: a real resolver (`resolver`, with the feature of that name), and zones read from a file
//! ([`zone_file`]).
//!
//! Knows name servers and their packets, the cache, and how long one question and one message may take. Deliberately
//! knows nothing of SPF, DKIM and DMARC: they read what a record says, and a lookup that fails is an answer
//! ([`Answer::Failed`](landmarc_auth::lookup::Answer::Failed)), which they weigh.
//!
//! Not implemented: recursion and validation of DNSSEC, which a recursive server near by does; DNS over TLS or HTTPS,
//! which protects nothing on the way to a server on this host; zones in the form of RFC 1035 §5, as all that is asked
//! of a zone file is to stand in for DNS in a test.
//!
//! ```
//! use landmarc_auth::lookup::{Answer, Lookup, Question};
//! use landmarc_dns::zone_file;
//!
//! # landmarc_testkit::block_on(async {
//! let zones = zone_file::parse(r#"{"example.com": {"TXT": [["v=spf1 -all"]]}}"#).unwrap();
//! let question = Question::txt(landmarc_testkit::dns_name("example.com"));
//! assert!(matches!(zones.ask(&question).await, Answer::Records(..)));
//! # });
//! ```

#[cfg(feature = "resolver")]
pub mod resolver;
pub mod zone_file;
