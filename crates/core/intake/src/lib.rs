//! Reports of others, on their way in: from the octets of a mail to the reports in it, and what is
//! to be known of one before it is stored.
//!
//! Reads aggregate reports ([`aggregate`]), failure reports ([`failure`]) and bounces ([`bounce`]) into
//! values and lists of deviations, out of archives ([`archive`]) under limits. Knows subjects, file names
//! and the parts of a mail ([`open_mail`]); whether a report comes from the domain it names ([`trust`]),
//! whether it came before ([`DuplicateKey`]), whether it is ours to keep ([`concerns`]) and whether it is
//! about anything ([`is_noise`]). Knows no store, no clock and no judgement of its own: what DMARC made of
//! the carrying mail is an argument.
//!
//! Not implemented: TLS reports (RFC 8460).

pub mod aggregate;
pub mod archive;
mod arrival;
pub mod bounce;
pub mod failure;
mod file_name;
mod mail;
mod mime;
mod subject;
mod trust;

pub use arrival::{
    DuplicateKey, PeriodCheck, ReportArrival, compare, concerns, exclusive_end, is_noise, moment_of,
};
pub use file_name::{FileName, MAX_FILE_NAME_OCTETS, read_file_name};
pub use mail::{Carried, CarriedKind, MailError, MailLimits, MailRemark, ReceivedMail, open_mail};
pub use subject::{MAX_SUBJECT_OCTETS, Subject, is_report_id, read_subject};
pub use trust::{Carrier, Doubt, Trust, reporter_name, trust};
