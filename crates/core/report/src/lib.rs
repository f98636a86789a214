//! What we report to others: aggregate reports (RFC 9990) and failure reports (RFC 9991), and the
//! report messages that carry them. `landmarc-intake` reads those of others into the same model.

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

pub use address::Address;
pub use report_id::{ReportId, ReportKey};
