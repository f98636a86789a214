//! How long a relay is waited for, and how much of its words is taken.
//!
//! The times are those of RFC 5321 §4.5.3.2 where it has one; the limit of the whole
//! message ([`AgentOptions::timeout`](crate::AgentOptions::timeout)) shortens each of them.

use std::time::Duration;

/// To one address of the relay.
pub const CONNECT: Duration = Duration::from_secs(30);
/// For the first line (RFC 5321 §4.5.3.2.1); and for the answer to EHLO, of which the RFC
/// says nothing.
pub const GREETING: Duration = Duration::from_secs(5 * 60);
/// For the answer to STARTTLS and for the handshake, each. A relay has nothing to look up
/// for these.
pub const HANDSHAKE: Duration = Duration::from_secs(2 * 60);
/// For each answer of AUTH (RFC 4954 §4 asks for three minutes at least, of the server).
pub const AUTH: Duration = Duration::from_secs(3 * 60);
/// For the answer to MAIL (RFC 5321 §4.5.3.2.2).
pub const MAIL: Duration = Duration::from_secs(5 * 60);
/// For the answer to RCPT (RFC 5321 §4.5.3.2.3).
pub const RCPT: Duration = Duration::from_secs(5 * 60);
/// For the answer to DATA (RFC 5321 §4.5.3.2.4).
pub const DATA: Duration = Duration::from_secs(2 * 60);
/// For the relay to take a piece of the text (RFC 5321 §4.5.3.2.5).
pub const TEXT: Duration = Duration::from_secs(3 * 60);
/// For the answer to the final dot (RFC 5321 §4.5.3.2.6).
pub const END_OF_DATA: Duration = Duration::from_secs(10 * 60);
/// For a last word: the answer to QUIT, or why the relay hung up in the middle of the text.
/// Nothing hangs on either.
pub const LAST_WORD: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next message. Servers under stress hang up after
/// ten seconds (Postfix), idle ones after five minutes.
pub const IDLE: Duration = Duration::from_secs(8);
/// Messages over one connection; then a new one is made, so that a relay which spreads its
/// clients over several machines can do so.
pub const MESSAGES_PER_CONNECTION: usize = 100;
/// Addresses of the relay's name that are tried for one connection.
pub const ADDRESSES: usize = 8;

/// Octets of a reply line with its CRLF. RFC 5321 §4.5.3.1.5 allows 512; some are longer.
pub const REPLY_LINE_OCTETS: usize = 2_048;
/// Lines of a reply. The longest that are honest, answers to EHLO, have some twenty.
pub const REPLY_LINES: usize = 64;
/// Octets of text handed to the connection at a time: the piece that [`TEXT`] is about.
pub const TEXT_OCTETS: usize = 64 * 1024;
