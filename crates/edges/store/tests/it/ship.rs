//! How messages come into the store of a case: into a file by its recorder, into that of a server by way of a
//! file, its spool and a collector, as in a fleet.

use std::time::Duration;

use landmarc_observation::Observation;
use landmarc_store::{
    Applied, COMMAND_BUSY_TIMEOUT, Collector, DatabaseServer, ExpiredRecords, Recorder, RecorderOptions,
    RecorderStatistics, Retention, ServerEngine, Spool, SpoolLimits, StoreLocation,
};

use crate::bed::Bed;
use crate::samples::{Directory, patient, record_all};

/// Octets of what is handed over at a time: little, so that it takes several times.
const AT_A_TIME: usize = 64 << 10;

/// Records these, and hands them over where the store is not the host's own.
pub(crate) fn record(bed: &Bed, observations: impl IntoIterator<Item = Observation>) {
    record_with(bed, options(bed), observations);
}

/// The same, by a recorder that is opened in this way.
pub(crate) fn record_with(
    bed: &Bed,
    options: RecorderOptions,
    observations: impl IntoIterator<Item = Observation>,
) {
    with_recorder(bed, options, async |recorder| {
        record_all(recorder, observations).await;
    });
}

/// Does this with a recorder; afterwards hands over what was recorded.
pub(crate) fn with_recorder(
    bed: &Bed,
    options: RecorderOptions,
    work: impl AsyncFnOnce(&Recorder),
) -> RecorderStatistics {
    let recorder = Recorder::open(options).unwrap();
    runtime().block_on(work(&recorder));
    let statistics = recorder.close(Duration::from_mins(1));
    if bed.is_server() {
        ship(bed.directory(), "mx1", bed.place());
    }
    statistics
}

/// How the recorder of a case is opened: patiently, and with a spool where what it writes is handed over.
pub(crate) fn options(bed: &Bed) -> RecorderOptions {
    let options = patient(bed.directory().store());
    if bed.is_server() {
        spooling(options)
    } else {
        options
    }
}

/// With a spool that has room for all.
pub(crate) fn spooling(options: RecorderOptions) -> RecorderOptions {
    RecorderOptions {
        spool: Some(SpoolLimits {
            bytes: 1 << 30,
            observations: true,
        }),
        ..options
    }
}

/// Hands over all that waits at a host.
pub(crate) fn ship(from: &Directory, name: &str, to: impl Into<StoreLocation>) -> Applied {
    let mut collector = Collector::open(to, COMMAND_BUSY_TIMEOUT).unwrap();
    let mut spool = Spool::open(from.store(), name, COMMAND_BUSY_TIMEOUT).unwrap();
    let mut all = Applied::default();
    while let Some(segment) = spool.take(AT_A_TIME).unwrap() {
        all.add(collector.apply(&segment, 0).unwrap());
        spool.remove(segment.host(), segment.last()).unwrap();
    }
    all
}

/// Removes what is too old.
pub(crate) fn expire(bed: &Bed, keep: Retention) -> ExpiredRecords {
    match bed.server() {
        Some(server) => server.expire(&keep).unwrap(),
        None => {
            let recorder = Recorder::open(options(bed)).unwrap();
            runtime().block_on(recorder.expire(keep)).unwrap()
        }
    }
}

/// A text as it is told: PostgreSQL has no NUL.
pub(crate) fn told(bed: &Bed, text: &str) -> String {
    match bed.server().map(DatabaseServer::engine) {
        Some(ServerEngine::PostgreSql) => text.replace('\0', "\u{fffd}"),
        _ => text.to_owned(),
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
