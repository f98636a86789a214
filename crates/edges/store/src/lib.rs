//! What is written down: the observation of each message, which answers "why", and the tally of
//! reporting rows by UTC day, which feeds reports and pages (decisions D13, D14). With them go the count
//! of the operator's rules, and the report mail on its way (decision D17).
//!
//! [`Recorder`] records, [`Importer`] adds what other programs counted, [`Outbox`] keeps account of deliveries, [`Reader`] reads; they meet in a
//! database only, and need not be in one process. What comes in are plain values and words (`Observation`,
//! `TallyRow`, [`NewReport`]): this crate knows nothing of mail and decides nothing.
//!
//! A recorder writes to a file of its host. Where many hosts share one picture (decision D15) it leaves what is to be handed on in
//! the [`Spool`], as [`Segment`]s, and a [`Collector`] takes them into another file or a [`DatabaseServer`] (PostgreSQL, MariaDB). All others
//! work on either [`StoreLocation`].
//!
//! ```no_run
//! # use std::path::Path;
//! # use landmarc_store::StoreError;
//! use landmarc_observation::Observation;
//! use landmarc_store::{LogFilter, Reader, Recorded, Recorder, RecorderOptions};
//!
//! # async fn example(observation: Observation) -> Result<(), StoreError> {
//! let file = Path::new("/var/lib/landmarc/landmarc.db");
//! let recorder = Recorder::open(RecorderOptions::at(file))?;
//! if recorder.record(observation).await == Recorded::Committed {
//!     let newest = Reader::open(file)?.log(&LogFilter::default())?;
//!     println!("{newest:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! * **Answered is recorded.** [`Recorded::Committed`] means on disk, synced. A message is in one
//!   transaction with its tally, so that after a crash at any moment it is there once or not at all.
//! * **Mail never waits long.** After [`ANSWER_TIMEOUT`] the answer is [`Recorded::Later`], and the record
//!   follows from memory. A store that is locked, full, read-only or removed delays the messages that
//!   meet it first by no more, those after them not at all. It is tried again until it takes what
//!   waits; a removed one is made anew.
//! * **Losses are bounded and counted.** What waits is limited ([`QueueLimits`]). Past that the oldest
//!   traces go first, then the oldest observations, tallies and hits of rules last; each is counted ([`RecorderStatistics`]).
//! * **A store of a later version is refused untouched**; those of earlier ones are brought up to
//!   date in one transaction, by whoever writes. A reader takes them as they are.
//! * **Nothing is imported twice.** What another program counted has a key; a ledger says how many of its
//!   messages are in the tally, for as long as that keeps their day.
//! * **Nobody holds up the recording.** Readers and copies see one state and lock nothing; expiry
//!   goes in short transactions between batches, and so does the outbox, which pauses after each for as
//!   long as it took.
//! * **A report is there once, and with all its deliveries.** Handing it over again changes nothing. After a
//!   crash at any moment a delivery is marked as delivered, or can be claimed again when its lease is over;
//!   while it is under lease nobody else gets it. What is sent twice is a delivery whose answer was lost.
//! * **What is handed on counts once.** An entry of the spool is written in the transaction of its batch, under a number that is
//!   never used again; whoever takes it in notes the number in the transaction of the counts. It stays until it is there. A file that
//!   was copied or set back goes on as another host.
//! * **What is to be sent stays.** Reports expire after their last delivery has ended, and make room only then.
//!   Which days were reported about is kept for ever.
//!
//! # Size and speed
//!
//! A million messages of a mix with 6,700 distinct reporting rows (1,300 domains) where one in a hundred
//! has a trace of its own, `cargo bench -p landmarc-store --bench recording`, on two shared cores without
//! SHA instructions:
//!
//! | on disk | octets |
//! |---|---|
//! | an observation | 51 |
//! | what finds it by queue id and short id | 10.4 |
//! | what finds it by domain, result, disposition | 2.4 |
//! | a distinct trace of 2.2 KB (mostly random digits), compressed | 550 |
//! | a distinct reporting row, with its texts | 190 |
//! | a reporting row on each further day | 16 |
//!
//! 64 octets a message and 75 with the traces. CPU time, all of it counted (tasks, timers, hashes,
//! SQLite, system):
//!
//! | waiting at a time | CPU time a message |
//! |---|---|
//! | 2,000 | 11 us (88,000 a CPU second) |
//! | 128 | 15 us |
//! | 32 | 23 us |
//! | 8 | 42 us |
//! | 1, a transaction for each | 100 us |
//!
//! A day of 10 million messages from 200,000 domains, with 312,000 distinct rows and 365,000 distinct
//! traces (`--bench day`), is a file of 1.2 GB, takes 35 us of CPU time a message with 256 waiting, and
//! 63 MB of memory at most, that of the process included. An explanation is then found by its id in
//! 330 ms when nothing of the file is in memory, and in 100 ms when it is.
//!
//! The first message of a UTC day with a given row, outcome and trace costs about 200 us more: it
//! marks these as used on that day.
//!
//! There is no index in a tree for the two ids, the time or the outcome. Such an index has to be
//! written in the middle with each message, and costs more than the message itself; added one by one
//! to a table of a million bare observations (2.8 us and 51 octets each, 1,500 a transaction):
//!
//! | an index in a tree on | CPU time | octets | in its place |
//! |---|---|---|---|
//! | queue id | + 9.4 us | + 21 | blocks: 5.2 octets |
//! | short id | + 9.1 us | + 20 | blocks: 5.2 octets |
//! | outcome | + 6.8 us | + 12 | blocks: 2.4 octets |
//! | time | + 0.5 us | + 17 | one row an hour |
//!
//! `blocks` in the SQLite engine says how they work, `journal` how the tally is counted without a write
//! in the middle of it. Both are part of the 11 us.
//!
//! Reports cost by their rows and deliveries, whatever the messages (`--bench reports`, in CPU time):
//!
//! | of a day | |
//! |---|---|
//! | read 1,000,000 messages of 500 domains, 3,000 distinct rows | 0.023 s, 8 us a row |
//! | read 1,000,000 messages of 200,000 domains, 300,000 distinct rows | 7 s, 24 us a row |
//! | put 500 reports of 3 KB with a delivery each, 50 a call | 0.016 s |
//! | put them, each in a transaction of its own | 0.2 s |
//! | claim the deliveries, ten at a time | 0.06 s |
//! | read their bodies | 0.01 s |
//! | mark them as delivered, each in a transaction of its own | 0.1 s |
//!
//! On disk a report takes 1.2 KB and its body, in pages of 4 KB, a delivery 230 octets. A delivery that is marked
//! between two batches does not make the recorder look up again what it knows: recording costs the same.
//!
//! # What is left out
//!
//! A recorder does not write to a server: mail waits for no network (decision D13). Reports of others have no tables yet.

mod assembly;
mod clock;
mod collect;
mod columns;
mod digest;
mod distinct;
mod engine;
mod error;
mod folded;
mod groups;
mod hosts;
mod importer;
mod limits;
mod log_conditions;
mod model;
mod numbers;
mod outbox;
mod place;
mod prepared;
mod queue;
mod reading;
mod recent;
mod recorder;
mod server;
mod sketch;
mod spool;
mod sql;
mod sqlite;
mod statistics;
mod sync;
mod writer;

pub use assembly::ReportingDay;
pub use collect::Collector;
pub use error::StoreError;
pub use groups::Groups;
pub use importer::{Importer, MAX_REHEARSED, Rehearsal};
pub use limits::{
    MAX_BODY, MAX_CLAIM, MAX_DELIVERIES, MAX_DESTINATION, MAX_DESTINATIONS, MAX_DOMAIN_ROWS, MAX_DOMAINS,
    MAX_FACTS, MAX_GAP, MAX_IMPORTS, MAX_LIST, MAX_OWNERS, MAX_PROBLEM, MAX_PROBLEMS, MAX_REASON,
    MAX_REDIRECTIONS, MAX_REPORTS, MAX_SKIPPED, MAX_SUPPRESSIONS, MAX_TEXT, MAX_TRACE, MAX_URIS, MAX_WORD,
};
pub use model::{
    Applied, BounceSuppression, Claim, Claims, Day, DayCounts, DayState, DeliveriesAbout, Delivery,
    DeliveryNumber, DeliveryState, ExpiredRecords, Heartbeat, HostId, HostProgress, HostStatus, Import,
    Imported, Lease, LogFilter, NewDelivery, NewReport, Origin, OutboxCounts, OutboxExpired, OutboxFilter,
    OutboxRetention, OutboxStatus, Put, QueueLimits, RecordLosses, Recorded, Redirection, Report, ReportKind,
    ReportNumber, Resend, Retention, RuleHits, SpoolAgreement, SpoolLimits, SpoolStatus, StoreStatus,
    Strikes, Suppression,
};
pub use outbox::{COMMAND_BUSY_TIMEOUT, Outbox, SERVICE_BUSY_TIMEOUT};
pub use place::StoreLocation;
pub use reading::Reader;
pub use recorder::{ANSWER_TIMEOUT, Recorder, RecorderOptions};
pub use server::{
    Accounts, DatabaseEncryption, DatabaseOptions, DatabaseServer, Migrated, NoServerAddress, ServerAddress,
    ServerEngine, Trouble, grants,
};
pub use spool::{Exported, MAX_ENTRIES, MAX_SEGMENT, MAX_UNPACKED, Segment, SegmentError};
pub use sqlite::Spool;
pub use statistics::{RecorderState, RecorderStatistics};
