//! Reports to be sent, and what is asked of them.

use std::time::Duration;

use landmarc_store::{
    Claim, Claims, Day, Delivery, DeliveryNumber, DeliveryState, NewDelivery, NewReport, Outbox, Put, Reader,
    ReportKind, ReportNumber, StoreLocation,
};

use crate::bed::Bed;
use crate::samples::{DAY, MIDNIGHT};

/// When the reports about the first day are made.
pub(crate) const NOW: u64 = MIDNIGHT + DAY + 900_000;
/// How long a lease lasts.
pub(crate) const LEASE: u64 = 600_000;

impl From<&Bed> for StoreLocation {
    fn from(bed: &Bed) -> Self {
        bed.place()
    }
}

/// An outbox that waits for others as long as they take.
pub(crate) fn outbox(of: impl Into<StoreLocation>) -> Outbox {
    Outbox::open(of, Duration::from_mins(1)).unwrap()
}

/// The aggregate report about a domain on the first day, for one destination at it.
pub(crate) fn report(domain: &str) -> NewReport {
    let day = Day::at(MIDNIGHT);
    NewReport {
        kind: ReportKind::Aggregate,
        report_id: format!("id-of-{domain}"),
        policy_domain: domain.to_owned(),
        day,
        begin_s: day.begins_s(),
        end_s: day.ends_s(),
        configuration: "c1".to_owned(),
        part: 1,
        file_name: format!("receiver.example!{domain}!1!2!id.xml.gz"),
        submitter: "receiver.example".to_owned(),
        email: "dmarc@receiver.example".to_owned(),
        organization: "Receiver".to_owned(),
        facts: "{}".to_owned(),
        date_ms: NOW,
        rows: 3,
        messages: 42,
        body: format!("about {domain}").into_bytes(),
        deliveries: vec![to(&format!("rua@{domain}"))],
    }
}

/// A letter to an address, due now.
pub(crate) fn to(destination: &str) -> NewDelivery {
    NewDelivery {
        destination: destination.to_owned(),
        message_id: format!("<{destination}>"),
        next_ms: NOW,
    }
}

/// Another part of the same.
pub(crate) fn part(domain: &str, part: u32) -> NewReport {
    NewReport {
        part,
        report_id: format!("part-{part}-of-{domain}"),
        ..report(domain)
    }
}

/// The number of a report that was stored.
pub(crate) fn stored(put: Put) -> ReportNumber {
    match put {
        Put::Stored(number) => number,
        Put::AlreadyThere => panic!("it was there already"),
    }
}

pub(crate) fn put_one(outbox: &mut Outbox, report: NewReport) -> ReportNumber {
    stored(outbox.put_all(&[report], NOW).unwrap()[0])
}

/// Asks for so many.
pub(crate) fn ask(owner: &str, now_ms: u64, limit: usize) -> Claim {
    Claim {
        now_ms,
        owner: owner.to_owned(),
        lease_ms: LEASE,
        limit,
        per_host: limit,
        ..Claim::default()
    }
}

pub(crate) fn claim(outbox: &mut Outbox, owner: &str, now_ms: u64, limit: usize) -> Vec<Delivery> {
    let Claims { claimed, suppressed } = outbox.claim(&ask(owner, now_ms, limit)).unwrap();
    assert_eq!(suppressed, []);
    claimed
}

/// Whom deliveries go to, in order.
pub(crate) fn destinations(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| delivery.destination.as_str())
        .collect()
}

/// A report for these, due so many milliseconds after now.
pub(crate) fn due(domain: &str, letters: &[(&str, u64)]) -> NewReport {
    let deliveries = letters.iter().map(|(destination, after)| NewDelivery {
        next_ms: NOW + after,
        ..to(destination)
    });
    NewReport {
        deliveries: deliveries.collect(),
        ..report(domain)
    }
}

/// How far a delivery is, how often it was tried, and why.
pub(crate) fn state(reader: &Reader, number: DeliveryNumber) -> (DeliveryState, u32, String) {
    let delivery = reader.delivery(number).unwrap().unwrap();
    (delivery.state, delivery.attempts, delivery.reason)
}
