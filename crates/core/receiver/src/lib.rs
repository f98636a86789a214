//! What a receiver does about a message.
//!
//! Knows local policy, evidence, actions and how to explain them. Deliberately knows
//! no milter, no SMTP and no DNS server: it is given an envelope, header fields, body
//! chunks and a [`landmarc_auth::lookup::Lookup`], and gives back a [`Judgement`].
//!
//! Values stand below, functions over them above. The values: what is configured ([`policy`], [`rule`]), what
//! was found ([`evidence`], [`seen`]), what is done ([`action`], [`disposition`]), and all of it together
//! ([`judgement`]). The functions in the order in which a message meets them: [`Head`] reads the header section,
//! with what filters ahead found ([`upstream`]); [`judge()`] runs the mechanisms, [`collect`] weighs what else is
//! known, the decision follows unless a rule of the [`operator`] holds, [`results`] writes the
//! Authentication-Results field, [`explanation`] explains it. [`report_traffic`] knows mail that is itself about reports.
//!
//! Not implemented: weighing what the body says, which is for filters of content; changing what the recipient reads,
//! such as a Subject that warns, which would break signatures; sealing what was changed (RFC 8617 is an experiment about
//! to be ended); the Received-SPF field, which says what Authentication-Results say.
//!
//! ```
//! use landmarc_receiver::RefusalReply;
//!
//! // Whatever was filled into the text, a reply is one line.
//! let reply = RefusalReply::new(550, "5.7.1", "refused by DMARC policy for example.com\r\n250 ok");
//! assert_eq!(reply.to_string(), "550 5.7.1 refused by DMARC policy for example.com??250 ok");
//! ```

pub mod action;
mod cause;
pub mod collect;
mod decide;
pub mod disposition;
pub mod evidence;
pub mod explanation;
mod head;
mod judge;
pub mod judgement;
mod ledgers;
pub mod limits;
pub mod operator;
pub mod policy;
mod removals;
mod reply;
pub mod report_traffic;
mod required;
pub mod results;
pub mod rule;
pub mod seen;
mod spf;
pub mod upstream;

pub use head::{Head, Plan, spf_of};
pub use judge::{Transaction, judge};
pub use judgement::Judgement;
pub use ledgers::{Ledgers, keys_share};
pub use policy::Rules;
pub use removals::{Removal, removals};
pub use reply::RefusalReply;
pub use required::HeaderFault;
pub use spf::{SpfPair, check_spf};
pub use upstream::Arrival;
