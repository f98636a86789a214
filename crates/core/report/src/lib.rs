//! What we tell others, and what others tell us: aggregate reports (RFC 9990) and failure reports
//! (RFC 9991), and the letters that carry them.

pub mod aggregate;
pub mod failure;

pub mod archive;
pub mod intake;
pub mod quote;

pub mod address;
pub mod allotment;
mod base32;
pub mod bounce;
pub mod date;
pub mod destination;
pub mod letter;
pub mod mime;
pub mod reception;
pub mod refusal;
pub mod report_id;
pub mod return_path;
pub mod summary;
pub mod timing;

pub use address::Address;
pub use report_id::{ReportId, ReportKey};
