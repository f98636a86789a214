//! What we report to others: aggregate reports (RFC 9990) and failure reports (RFC 9991), and the messages that
//! carry them. `landmarc-intake` reads those of others into the same model.
//!
//! Knows what a report says ([`aggregate`], [`failure`]), where it may go ([`destination`], [`reception`], [`allotment`]),
//! the message around it ([`mime`], [`report_id`], [`return_path`]), and what a refusal means ([`refusal`]). All of it is
//! pure: rows, times and answers of DNS come as arguments, so that a report can be made again, octet for octet.
//!
//! Deliberately knows neither the store that counts nor the relay that delivers: when a delivery is due and how often it
//! is tried is arithmetic here ([`timing`]), and done by `landmarc-reporter`.
//!
//! Not implemented: destinations other than `mailto`, since RFC 9990 describes no other transport; extensions of the
//! schema, since we know no reader of one; reports that a signature or an SPF record asks for (RFC 6651, RFC 6652), since a
//! stranger could make us send mail.
//!
//! ```
//! use landmarc_mail::DomainName;
//! use landmarc_report::{ReportId, ReportKey, report_id};
//!
//! let submitter = DomainName::parse("mx.example.net")?;
//! let policy_domain = DomainName::parse("example.com")?;
//! let (begin, end) = (1_780_272_000, 1_780_358_399);
//! let id = ReportId::derive(&ReportKey {
//!     submitter: &submitter,
//!     policy_domain: &policy_domain,
//!     begin,
//!     end,
//!     configuration: &["example.com", "reject"],
//!     part: 1,
//! });
//! let name = report_id::file_name(&submitter, &policy_domain, begin, end, &id);
//! assert_eq!(name, format!("mx.example.net!example.com!1780272000!1780358399!{id}.xml.gz"));
//! # Ok::<(), landmarc_mail::NameError>(())
//! ```

pub mod aggregate;
pub mod failure;

pub mod address;
pub mod aggregate_mail;
pub mod allotment;
mod base32;
pub mod date;
pub mod destination;
pub mod mime;
pub mod reception;
pub mod refusal;
pub mod report_id;
pub mod return_path;
pub mod summary;
pub mod timing;
mod words;

pub use address::Address;
pub use report_id::{ReportId, ReportKey};
pub use words::{Registered, SchemaWord};
