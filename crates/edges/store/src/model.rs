//! What is handed over and told, as values: no more than words, numbers and times, and how they are cut, added up
//! and compared. Whoever writes or reads the store is built upon these, and they know nothing of it.

mod day;
mod delivery;
mod expiry;
mod host;
mod import;
mod outbox;
mod queue;
mod reading;
mod recorded;
mod spool;

pub use day::Day;
pub(crate) use day::{as_integer, hour_of};
pub use delivery::{
    Delivery, DeliveryNumber, DeliveryState, Lease, NewDelivery, NewReport, Put, Report, ReportKind,
    ReportNumber,
};
pub use expiry::{ExpiredRecords, Retention};
pub(crate) use host::by_name;
pub use host::{Applied, Heartbeat, HostProgress, HostStatus};
pub use import::{Import, Imported};
pub use outbox::{
    BounceSuppression, Claim, Claims, DayCounts, DayState, DeliveriesAbout, Origin, OutboxCounts,
    OutboxExpired, OutboxFilter, OutboxRetention, OutboxStatus, Redirection, Resend, Strikes, Suppression,
};
pub use queue::{QueueLimits, RecordLosses};
pub use reading::{LogFilter, RuleHits, StoreStatus};
pub use recorded::Recorded;
pub use spool::{HostId, SpoolAgreement, SpoolLimits, SpoolStatus};
