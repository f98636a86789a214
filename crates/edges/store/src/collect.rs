//! Taking in what other hosts recorded: each entry once, in whatever order they come and however often.

use std::time::Duration;

use crate::error::StoreError;
use crate::limits::{MAX_GAP, MAX_WORD};
use crate::model::{Applied, Heartbeat, HostId, HostProgress};
use crate::place::StoreLocation;
use crate::server::apply::Applier;
use crate::spool::{Segment, SegmentError};
use crate::sqlite;

/// Applies segments to the store of a fleet, which a recorder may be writing at the same time.
#[derive(Debug)]
pub struct Collector {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    File(Box<sqlite::FileCollector>),
    Server(Box<Applier>),
}

impl Collector {
    /// Opens the store; a file is brought up to date, and others who write to it are waited for so long at most.
    ///
    /// # Errors
    /// When the store is of a newer version or another program's, or cannot be opened.
    pub fn open(place: impl Into<StoreLocation>, busy_timeout: Duration) -> Result<Self, StoreError> {
        let inner = match place.into() {
            StoreLocation::File(path) => {
                Inner::File(Box::new(sqlite::FileCollector::open(&path, busy_timeout)?))
            }
            StoreLocation::Server(server) => {
                server.check()?;
                Inner::Server(Box::new(Applier::new(server)))
            }
        };
        Ok(Self { inner })
    }

    /// Adds what is new in a segment. Each entry is added whole or not at all, together with the note that it
    /// is there; so that after a crash at any moment the segment may be applied again.
    ///
    /// # Errors
    /// When the store cannot be written. Some entries may have been added.
    pub fn apply(&mut self, segment: &Segment, now_ms: u64) -> Result<Applied, StoreError> {
        let (last, highest) = (segment.last(), self.highest(segment.host())?);
        if last.saturating_sub(highest) > MAX_GAP {
            let source = SegmentError::Gap { last, highest };
            return Err(StoreError::Segment { source });
        }
        match &mut self.inner {
            Inner::File(file) => file.apply(segment, now_ms),
            Inner::Server(server) => server.apply(segment),
        }
    }

    /// The highest number of a host that is in; 0 when it is not known.
    fn highest(&mut self, host: HostId) -> Result<u64, StoreError> {
        match &mut self.inner {
            Inner::File(file) => file.highest(host),
            Inner::Server(server) => server.highest(host),
        }
    }

    /// Notes that a host was heard of, and what it said; tells what is known of it. A server goes by its own
    /// clock in place of `now_ms`.
    ///
    /// # Errors
    /// When the name is too long, or the store cannot be written.
    pub fn beat(&mut self, beat: &Heartbeat, now_ms: u64) -> Result<HostProgress, StoreError> {
        crate::outbox::within("name of a host", beat.name.len(), MAX_WORD)?;
        match &mut self.inner {
            Inner::File(file) => file.beat(beat, now_ms),
            Inner::Server(server) => server.beat(beat),
        }
    }
}
