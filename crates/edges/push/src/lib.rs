//! Segments of a spool over HTTPS, from one host to another (decision D15).
//!
//! A mail server that reaches no database pushes what it has recorded to one that does. Both sides show a certificate
//! and check the other's against an authority of the operator's; without one nobody gets as far as HTTP.
//!
//! Knows how octets get across and what went wrong with them ([`PushError`]): the [`PushServer`] hands each body to a
//! [`SegmentReceiver`], whose answer the [`Client`] gets. Between segments a host says how far behind it is
//! ([`BeatMessage`]). Deliberately knows nothing of what is in a segment, nor which host may send which.
//!
//! | request | answer |
//! |---|---|
//! | `POST /spool/v1/segment` | 200 `{"batches":3,"known":0,"messages":1200}` |
//! | the same, a segment that cannot be read | 400 `{"error":…,"remedy":…}` |
//! | the same, from a host that may not | 403 |
//! | the same, with too many octets | 413 |
//! | the same, while the store behind is away | 503 with `Retry-After` |
//! | `POST /spool/v1/beat` `{"host":…,"name":…,"clock_ms":…,"caught_up_ms":…,"pending":0}` | 200 `{"through":7,"highest":7}`, or as above |
//!
//! Every connection is bounded in number, octets and time ([`PushLimits`]). To send a segment again is
//! always safe, because each entry in it counts once; so the client does, where it cannot know
//! whether the first time counted.
//!
//! Not implemented: HTTP/2, which one request at a time has no use for; compression, because
//! segments are compressed; lists of revoked certificates: the taker refuses a host by the names and the
//! fingerprint of its certificate ([`SegmentReceiver::admits`]).

mod answer;
mod beat;
mod certificate;
mod client;
mod connection;
mod error;
mod limits;
mod request;
mod server;
mod tls;
mod url;

pub use answer::{PushRefusal, SegmentReceiver, SegmentReply};
pub use beat::{BEAT_PATH, BeatMessage, BeatReply};
pub use certificate::ClientName;
pub use client::{Client, Timeouts};
pub use error::PushError;
pub use limits::PushLimits;
pub use server::PushServer;
pub use tls::{CertificateFiles, ClientTls, ServerTls};
pub use url::check_url;

/// Where segments are taken.
pub const SEGMENT_PATH: &str = "/spool/v1/segment";
