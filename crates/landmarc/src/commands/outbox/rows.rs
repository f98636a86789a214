//! One delivery in words: the same for tables, CSV and JSON.

use landmarc_store::Delivery;
use serde_json::{Map, Value, json};

use crate::figures::grouped;
use crate::listing::{self, Field, field, present};
use landmarc_runtime::time::{date, to_the_second};

/// All that is known of a delivery and its report, but for the report itself.
pub(super) const FIELDS: [Field<Delivery>; 19] = [
    field("id", |row| row.number.0.into()),
    field("kind", |row| row.report.kind.word().into()),
    field("day", |row| date(row.report.day).into()),
    field("policy_domain", |row| json!(row.report.policy_domain)),
    field("destination", |row| json!(row.destination)),
    field("state", |row| row.state.word().into()),
    field("attempts", |row| row.attempts.into()),
    field("next", |row| {
        json!((!row.state.is_end()).then(|| to_the_second(row.next_ms)))
    }),
    field("due", |row| to_the_second(row.due_ms).into()),
    field("first", |row| json!(row.first_ms.map(to_the_second))),
    field("ended", |row| json!(row.ended_ms.map(to_the_second))),
    field("sender", |row| {
        json!(row.lease.as_ref().map(|lease| &lease.owner))
    }),
    field("report_id", |row| json!(row.report.report_id)),
    field("part", |row| row.report.part.into()),
    field("message_id", |row| json!(row.message_id)),
    field("rows", |row| row.report.rows.into()),
    field("messages", |row| row.report.messages.into()),
    field("size_bytes", |row| row.report.size.into()),
    field("reason", |row| present(&row.reason)),
];

/// The field with this name, in words; a hyphen where it is absent.
pub(super) fn word(row: &Delivery, name: &str) -> String {
    listing::word(&FIELDS, row, name)
}

/// The object for one delivery.
pub(super) fn object(row: &Delivery) -> Map<String, Value> {
    listing::object(&FIELDS, row)
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
