//! Aggregate reports: the model, its XML, and how it is made from what was counted (RFC 9990).
//!
//! A report goes from rows of the tally to a file in three steps, each of them pure:
//! [`assemble`] makes the reports about one domain and day, [`render_parts`] turns one into
//! compressed XML of a bearable size, and [`halve`] does so again for a destination that found it
//! too large.
//!
//! Extensions (`extension` elements of the schema) are not written: there are none that we know a
//! reader for.

mod assemble;
mod id;
mod limits;
mod model;
mod split;
mod text;
mod words;
mod write;

pub use assemble::{
    Assembled, DayOfDomain, FoldedRows, MAX_CONFIGURATIONS, MAX_DKIM_RESULTS, MAX_REASONS, Reporter, assemble,
};
pub use id::WHOLE;
pub use limits::{MAX_ROWS, MAX_ROWS_A_DAY, MAX_XML_OCTETS, ReportLimits};
pub use model::{
    AggregateReport, DkimAuthResult, Metadata, Period, PolicyPublished, ReportRow, ReportedReason, RowKey,
    SpfAuthResult, Text,
};
pub use split::{MAX_PARTS, RenderedPart, ReportPart, halve, render_parts};
pub use text::{MAX_ERROR_OCTETS, MAX_TEXT_OCTETS};
pub use words::{
    AlignmentResult, AssessmentPolicy, DiscoveryMethod, Disposition, DkimResultWord, Mode, OverrideType,
    Registered, SchemaWord, SpfResultWord, SpfScope,
};
pub use write::{Form, Rendered, render, write};
