//! What the Domain Owner asks for: DMARC (RFC 9989).
//!
//! Knows the DMARC Policy Record, the DNS Tree Walk, alignment, and how they come to
//! one result; beside it the way of RFC 7489, by public suffix list, for comparison.
//! Deliberately knows nothing of the message, of how SPF and DKIM came to their
//! results, and of what is done with a message that fails: that is local policy.
//!
//! Not implemented: sampling by `pct` (removed by RFC 9989; its old meaning needs a
//! random number), report format and interval (`rf`, `ri`: historic, one value each).
//!
//! ```
//! use landmarc_dmarc::{AssessmentPolicy, PolicyRecord};
//!
//! let record = PolicyRecord::parse(b"v=DMARC1; p=reject; rua=mailto:d@example.com").unwrap();
//! assert_eq!(record.policy, Some(AssessmentPolicy::Reject));
//! ```

pub mod alignment;
pub mod discovery;
pub mod evaluation;
pub mod guard;
pub mod record;
pub mod suffixes;

pub use alignment::{Aligned, AuthenticatedIdentifier, Mechanism};
pub use discovery::{Discovery, PolicyAt, TakenAs, Walk, WalkOutcome, WalkStep};
pub use evaluation::{
    DiscoveryMethod, DmarcResult, Evaluation, EvaluationOptions, IdentifierStep, Identifiers, evaluate,
    evaluate_rfc7489,
};
pub use record::{AssessmentPolicy, Mode, PolicyRecord, PolicyTag, Psd, Usability};
pub use suffixes::Suffixes;
