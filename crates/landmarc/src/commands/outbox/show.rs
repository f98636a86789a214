//! `outbox show`: one report, as it is told of, as XML, or as the message that goes out.

use clap::Args;
use landmarc_intake::archive;
use landmarc_report::Address;
use landmarc_report::return_path::ReturnPath;
use landmarc_store::{COMMAND_BUSY_TIMEOUT, Delivery, Outbox, OutboxFilter, Report, ReportKind};
use serde_json::{Value, json};

use super::AFTER_HELP;
use super::retry::of_id;
use super::rows::{object, word};
use super::setup::OutboxSetup;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::{grouped, size};
use crate::output::{print, print_octets};
use crate::records::{SelectedStore, StoreArguments};
use landmarc_mail::text::visible;
use landmarc_reporter::{self, Facts, MailDraft, ReportSettings, SECRET};
use landmarc_runtime::time::{date, to_the_second};

/// Arguments of `outbox show`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct OutboxShowArguments {
    /// A delivery by its id in `outbox list`, or a report by its Report-ID
    #[arg(value_name = "ID")]
    id: String,
    /// Print the report itself: XML, or for a failure report what was sent
    #[arg(long, conflicts_with_all = ["message", "json"])]
    xml: bool,
    /// Print the message, octet by octet as it goes out, with its signatures
    #[arg(long, conflicts_with = "json")]
    message: bool,
    #[command(flatten)]
    store: StoreArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks for it and prints.
pub(super) fn run(arguments: &OutboxShowArguments) -> CommandResult {
    let found = arguments.store.find()?;
    let reader = found.read()?;
    let all = OutboxFilter {
        limit: landmarc_store::MAX_DESTINATIONS,
        ..OutboxFilter::default()
    };
    let mut deliveries = reader.deliveries(&of_id(&arguments.id, &all))?;
    deliveries.reverse();
    let Some(first) = deliveries.first() else {
        return Err(failure!(
            Exit::Findings,
            "{}: no such delivery or report in {}",
            arguments.id,
            found.place
        ));
    };
    let report = first.report.clone();
    let return_path = return_path(&found);
    if !arguments.xml && !arguments.message {
        let text = match arguments.json {
            true => format!("{}\n", in_full(&report, &deliveries, return_path.as_ref())),
            false => in_words(&report, &deliveries, return_path.as_ref()),
        };
        return print(&text);
    }
    let body = reader.report_body(report.number)?;
    let Some(body) = body else {
        return Err(failure!(
            Exit::Findings,
            "{}: the report has expired (report.keep_days)",
            report.report_id
        ));
    };
    let octets = match arguments.xml {
        true => unpacked(&report, &body)?,
        false => message(arguments, &deliveries, &body)?,
    };
    print_octets(&octets)
}

/// What messages leave with as envelope sender, where the settings and the store tell: for a store of another
/// host they do not.
fn return_path(found: &SelectedStore) -> Option<ReturnPath> {
    let terms = ReportSettings::of(found.settings.as_ref()?).ok()?;
    let mut outbox = Outbox::open(&found.place, COMMAND_BUSY_TIMEOUT).ok()?;
    landmarc_reporter::return_path(&terms, &outbox.secret(SECRET).ok()?).ok()
}

fn unpacked(report: &Report, body: &[u8]) -> Result<Vec<u8>, Failure> {
    match report.kind {
        ReportKind::Failure => Ok(body.to_vec()),
        ReportKind::Aggregate => archive::unpack(body, &archive::ArchiveLimits::default())
            .map_err(|error| failure!(Exit::BadInput, "{}: {error}", report.report_id)),
    }
}

/// The message of the one delivery that is meant.
fn message(
    arguments: &OutboxShowArguments,
    deliveries: &[Delivery],
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let [delivery] = deliveries else {
        let ids: Vec<_> = deliveries
            .iter()
            .map(|delivery| delivery.number.to_string())
            .collect();
        return Err(failure!(
            Exit::Usage,
            "it went to several: name one of the deliveries {}",
            ids.join(", ")
        ));
    };
    let setup = OutboxSetup::read(&arguments.store, false)?;
    let mut outbox = super::setup::outbox(&setup.found())?;
    let secret = outbox.secret(SECRET)?;
    let bad = |why: String| failure!(Exit::BadInput, "delivery {}: {why}", delivery.number);
    let address = Address::parse(&delivery.destination).map_err(|error| bad(error.to_string()))?;
    let sheet = MailDraft::from(&delivery.report);
    let mail = sheet
        .report_mail(body, &address)
        .map_err(|error| bad(error.to_string()))?;
    Ok(setup.means(&secret)?.mailer.signed(&mail, sheet.date_s()))
}

fn in_words(report: &Report, deliveries: &[Delivery], return_path: Option<&ReturnPath>) -> String {
    let period = format!(
        "{} to {}",
        to_the_second(report.begin_s.saturating_mul(1_000)),
        to_the_second(report.end_s.saturating_mul(1_000))
    );
    let body = match report.has_body {
        true => size(report.size),
        false => "expired".to_owned(),
    };
    let mut lines = vec![
        ("report_id", report.report_id.clone()),
        ("kind", report.kind.word().to_owned()),
        ("policy_domain", report.policy_domain.clone()),
        ("day", date(report.day)),
        ("period", period),
        ("part", report.part.to_string()),
        ("rows", grouped(report.rows)),
        ("messages", grouped(report.messages)),
        ("made", to_the_second(report.created_ms)),
    ];
    // A failure report is no file.
    if !report.file_name.is_empty() {
        lines.push(("file name", report.file_name.clone()));
    }
    lines.push(("size", body));
    for delivery in deliveries {
        lines.push(("", String::new()));
        lines.push(("delivery", delivery.number.to_string()));
        for name in [
            "destination",
            "state",
            "attempts",
            "next",
            "ended",
            "message_id",
            "reason",
        ] {
            match word(delivery, name) {
                text if text == "-" => {}
                text => lines.push((name, text)),
            }
        }
        if let Some(return_path) = return_path {
            lines.push(("return_path", return_path.address(delivery.number.0)));
        }
    }
    let line = |(name, text): &(&str, String)| {
        let line = format!("{name:<14} {}", visible(text));
        format!("{}\n", line.trim_end())
    };
    lines.iter().map(line).collect()
}

fn in_full(report: &Report, deliveries: &[Delivery], return_path: Option<&ReturnPath>) -> Value {
    let delivery = |delivery: &Delivery| {
        let mut object = object(delivery);
        let return_path = return_path.map(|path| path.address(delivery.number.0));
        object.insert("return_path".to_owned(), json!(return_path));
        Value::Object(object)
    };
    let deliveries: Vec<_> = deliveries.iter().map(delivery).collect();
    json!({
        "report_id": report.report_id,
        "kind": report.kind.word(),
        "policy_domain": report.policy_domain,
        "day": date(report.day),
        "begin": report.begin_s,
        "end": report.end_s,
        "part": report.part,
        "rows": report.rows,
        "messages": report.messages,
        "made": to_the_second(report.created_ms),
        "file_name": report.file_name,
        "size_bytes": report.size,
        "expired": !report.has_body,
        "text": Facts::read(&report.facts).text,
        "deliveries": deliveries,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn a_report_is_printed_with_its_deliveries() {
        let base = Address::parse("bounces@r.example").unwrap();
        let return_path = ReturnPath::new(base, "+", &[7; 32]);
        insta::assert_snapshot!(in_words(&row().report, &[row()], Some(&return_path)), @r#"
        report_id      abcdefghijklmnopqrstuvwxyz
        kind           aggregate
        policy_domain  example.com
        day            2026-06-01
        period         2026-06-01T00:00:00Z to 2026-06-01T23:59:59Z
        part           1
        rows           2
        messages       5
        made           2026-06-02T00:15:00Z
        file name      r.example!example.com!1780272000!1780358399!abcdefghijklmnopqrstuvwxyz.xml.gz
        size           900 B

        delivery       7
        destination    dmarc@example.com
        state          deferred
        attempts       2
        next           2026-06-02T00:30:00Z
        message_id     <abcdefghijklmnopqrstuvwxyz.aaaaaaaa@r.example>
        reason         RCPT: 451 4.3.0 later
        return_path    bounces+rhazvqnntn2c@r.example
        "#);
        let object = in_full(&row().report, &[row()], None);
        assert_eq!(object["deliveries"][0]["state"], "deferred");
        assert_eq!(
            (&object["begin"], &object["expired"]),
            (&json!(1_780_272_000), &json!(false))
        );
    }

    #[test]
    fn a_report_that_has_expired_says_so() {
        let report = Report {
            has_body: false,
            file_name: String::new(),
            ..row().report
        };
        assert!(
            !in_words(&report, &[], None).contains("file name"),
            "there is none"
        );
        assert!(in_words(&report, &[], None).ends_with("size           expired\n"));
    }
}
