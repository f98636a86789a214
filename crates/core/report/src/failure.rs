//! Failure reports: what is reported of one message that failed (RFC 9991, with RFC 5965, 6590, 6591
//! and 6692).
//!
//! [`facts`] takes from a judgement what a report may need, [`request`] says whether one is
//! wanted and may be made, [`limiter`] whether it is one too many, [`redact`] what of the message may
//! be shown, [`model`] and [`write`](mod@write) make the report mail.
//!
//! Knows no body: a report of ours has the header section at most, redacted, and no recipients.
//! Not implemented: the requests of RFC 6651 and RFC 6652, by which a signature or an SPF record asks
//! for reports on its own (a stranger could make us send mail), and DKIM-Canonicalized-Header and
//! -Body, which RFC 6591 §3.2.4 excludes wherever something is redacted.

mod alignment;
pub mod facts;
pub mod limiter;
pub mod model;
pub mod redact;
pub mod request;
mod words;
pub mod write;

pub use alignment::IdentityAlignment;
pub use facts::{FailureFacts, HeaderCopy, MtaFacts};
pub use limiter::{FailureLimits, Limiter, LimiterKey, LimiterVerdict};
pub use model::FailureReport;
pub use redact::{Profile, Redactor};
pub use request::{RequestRefusal, RequestRules, Requested, WantedReport, gate, open};
pub use words::{AuthFailure, DeliveryResult};
pub use write::{FailureMailHead, failure_mail};

#[cfg(test)]
mod sample;
