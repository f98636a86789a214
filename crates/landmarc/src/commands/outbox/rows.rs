//! One delivery in words: the same for tables, CSV and JSON.

use landmarc_store::Delivery;
use serde_json::{Map, Value, json};

use crate::figures::grouped;
use crate::listing::{self, Field, field};
use landmarc_runtime::time::{date, to_the_second};

/// All that is known of a delivery and its report, but for the report itself.
pub(super) const FIELDS: [Field<Delivery>; 19] = [
    field("id", |row| Some(row.number.to_string())),
    field("kind", |row| Some(row.report.kind.word().to_owned())),
    field("day", |row| Some(date(row.report.day))),
    field("policy_domain", |row| Some(row.report.policy_domain.clone())),
    field("destination", |row| Some(row.destination.clone())),
    field("state", |row| Some(row.state.word().to_owned())),
    field("attempts", |row| Some(row.attempts.to_string())),
    field("next", |row| {
        (!row.state.is_end()).then(|| to_the_second(row.next_ms))
    }),
    field("due", |row| Some(to_the_second(row.due_ms))),
    field("first", |row| row.first_ms.map(to_the_second)),
    field("ended", |row| row.ended_ms.map(to_the_second)),
    field("sender", |row| {
        row.lease.as_ref().map(|lease| lease.owner.clone())
    }),
    field("report_id", |row| Some(row.report.report_id.clone())),
    field("part", |row| Some(row.report.part.to_string())),
    field("message_id", |row| Some(row.message_id.clone())),
    field("rows", |row| Some(row.report.rows.to_string())),
    field("messages", |row| Some(row.report.messages.to_string())),
    field("size_bytes", |row| Some(row.report.size.to_string())),
    field("reason", |row| {
        Some(row.reason.clone()).filter(|reason| !reason.is_empty())
    }),
];

/// Those that are numbers in JSON.
const NUMBERS: [&str; 6] = ["id", "attempts", "part", "rows", "messages", "size_bytes"];

/// The field with this name, in words; a hyphen where it is absent.
pub(super) fn word(row: &Delivery, name: &str) -> String {
    listing::word(&FIELDS, row, name)
}

/// The object for one delivery. Keys are never missing; what is absent is null.
pub(super) fn object(row: &Delivery) -> Map<String, Value> {
    let value = |field: &Field<Delivery>| match (field.text)(row) {
        Some(text) if NUMBERS.contains(&field.name) => json!(text.parse::<u64>().ok()),
        text => json!(text),
    };
    FIELDS
        .iter()
        .map(|field| (field.name.to_owned(), value(field)))
        .collect()
}

/// A number with what it counts: `1 report`, `1,234 reports`.
pub(super) fn counted(number: u64, what: &str) -> String {
    let number_text = grouped(number);
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("{number_text} {what}"),
        (_, Some(stem)) => format!("{number_text} {stem}ies"),
        (_, None) => format!("{number_text} {what}s"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use landmarc_store::{Day, DeliveryNumber, DeliveryState, Lease, Report, ReportKind, ReportNumber};

    use super::*;

    /// 2026-06-02T00:15:00Z.
    const AT: u64 = 1_780_359_300_000;

    /// A delivery that is being tried again.
    pub(crate) fn row() -> Delivery {
        Delivery {
            number: DeliveryNumber(7),
            report: Report {
                number: ReportNumber(3),
                kind: ReportKind::Aggregate,
                report_id: "abcdefghijklmnopqrstuvwxyz".to_owned(),
                policy_domain: "example.com".to_owned(),
                day: Day(20_605),
                begin_s: 1_780_272_000,
                end_s: 1_780_358_399,
                configuration: "abcdefghijklmnopqrstuvwxyz".to_owned(),
                part: 1,
                file_name: "r.example!example.com!1780272000!1780358399!abcdefghijklmnopqrstuvwxyz.xml.gz"
                    .to_owned(),
                submitter: "r.example".to_owned(),
                email: "noreply@r.example".to_owned(),
                organization: "R".to_owned(),
                facts: "{}".to_owned(),
                date_ms: AT,
                rows: 2,
                messages: 5,
                size: 900,
                created_ms: AT,
                has_body: true,
            },
            destination: "dmarc@example.com".to_owned(),
            message_id: "<abcdefghijklmnopqrstuvwxyz.aaaaaaaa@r.example>".to_owned(),
            state: DeliveryState::Deferred,
            attempts: 2,
            due_ms: AT,
            next_ms: AT + 900_000,
            first_ms: Some(AT + 1_000),
            ended_ms: None,
            lease: Some(Lease {
                owner: "mx1/0/17".to_owned(),
                until_ms: AT + 60_000,
            }),
            reason: "RCPT: 451 4.3.0 later".to_owned(),
        }
    }

    #[test]
    fn the_object_has_every_key_whatever_is_absent() {
        let full = object(&row());
        let bare = object(&Delivery {
            first_ms: None,
            lease: None,
            reason: String::new(),
            state: DeliveryState::Delivered,
            ..row()
        });
        assert!(full.keys().eq(bare.keys()));
        assert_eq!((&full["id"], &full["attempts"]), (&json!(7), &json!(2)));
        assert_eq!(full["next"], "2026-06-02T00:30:00Z");
        for absent in ["next", "first", "sender", "reason", "ended"] {
            assert_eq!(bare[absent], Value::Null, "{absent}");
            assert_eq!(word(&row(), "ended"), "-");
        }
    }
}
