//! What an import came to, for people and for machines.

use serde_json::{Map, Value, json};

use crate::failure::CommandResult;
use crate::figures::grouped;
use crate::notes::note;
use crate::output::print;
use landmarc_import::{ImportMode, ImportSummary};
use landmarc_mail::text::visible;
use landmarc_runtime::time::date;

/// Days that are told one by one; of more, the first and the last.
const MAX_DAYS: usize = 7;

/// Tells what came of it; `others` is what there was besides, in words and numbers. Rows that could not be
/// taken are told to standard error, each with the reason.
///
/// # Errors
/// With how the command is to end, when nobody can be told.
pub(crate) fn print_summary(
    summary: &ImportSummary,
    how: ImportMode,
    others: &[(&str, u64)],
    as_json: bool,
) -> CommandResult {
    for refused in &summary.refused {
        note!("landmarc: {}: {}", visible(&refused.key), visible(&refused.why));
    }
    let more = summary
        .refused_rows
        .saturating_sub(u64::try_from(summary.refused.len()).unwrap_or(u64::MAX));
    if more > 0 {
        note!("landmarc: and {} more", grouped(more));
    }
    match as_json {
        true => print(&format!("{}\n", Value::Object(object(summary, how, others)))),
        false => print(&in_words(summary, how, others)),
    }
}

/// One line, and one more for what somebody may miss in the reports.
fn in_words(summary: &ImportSummary, how: ImportMode, others: &[(&str, u64)]) -> String {
    let messages = &summary.messages;
    let verb = match how {
        ImportMode::Write => "imported",
        ImportMode::Rehearse => "would import",
    };
    let mut text = format!("{verb} {}", plural(messages.new, "message"));
    if !summary.days.is_empty() {
        text.push_str(&format!(" ({})", days(summary)));
    }
    let known = ("counted before", messages.known);
    let too_old = ("too old to be kept", messages.too_old);
    let refused = ("refused", summary.refused_rows);
    for (what, count) in [known, too_old, refused]
        .iter()
        .chain(others)
        .filter(|(_, count)| *count > 0)
    {
        text.push_str(&format!(", {} {what}", grouped(*count)));
    }
    text.push('\n');
    if messages.of_reported_days > 0 {
        text.push_str(&format!(
            "{} of days whose reports are made: in the tally, and in no report\n",
            plural(messages.of_reported_days, "message")
        ));
    }
    text
}

fn days(summary: &ImportSummary) -> String {
    let of_day = |(day, count): (&landmarc_store::Day, &u64)| format!("{} {}", date(*day), grouped(*count));
    let all = &summary.days;
    match (all.first_key_value(), all.last_key_value()) {
        (Some((first, _)), Some((last, _))) if all.len() > MAX_DAYS => {
            format!("{} days from {} to {}", all.len(), date(*first), date(*last))
        }
        _ => all.iter().map(of_day).collect::<Vec<_>>().join(", "),
    }
}

fn plural(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", grouped(count))
}

/// Keys are never missing.
fn object(summary: &ImportSummary, how: ImportMode, others: &[(&str, u64)]) -> Map<String, Value> {
    let messages = &summary.messages;
    let days: Map<_, _> = summary
        .days
        .iter()
        .map(|(day, count)| (date(*day), json!(count)))
        .collect();
    let refused = summary
        .refused
        .iter()
        .map(|one| json!({"key": one.key, "why": one.why}));
    let mut object = Map::new();
    object.insert("dry_run".to_owned(), json!(how == ImportMode::Rehearse));
    object.insert("rows".to_owned(), json!(summary.rows));
    object.insert("new".to_owned(), json!(messages.new));
    object.insert("known".to_owned(), json!(messages.known));
    object.insert("of_reported_days".to_owned(), json!(messages.of_reported_days));
    object.insert("too_old".to_owned(), json!(messages.too_old));
    object.insert("days".to_owned(), Value::Object(days));
    object.insert("refused_rows".to_owned(), json!(summary.refused_rows));
    object.insert("refused".to_owned(), refused.collect());
    for (what, count) in others {
        object.insert(what.replace(' ', "_"), json!(count));
    }
    object
}

#[cfg(test)]
mod tests {
    use landmarc_store::{Day, Imported};

    use super::*;
    use landmarc_import::Refused;

    fn summary() -> ImportSummary {
        ImportSummary {
            rows: 210,
            messages: Imported {
                new: 193,
                of_reported_days: 12,
                known: 7,
                too_old: 0,
            },
            days: [(Day(20_605), 120), (Day(20_606), 73)].into(),
            refused: vec![Refused {
                key: "message/a".to_owned(),
                why: "it counts no message".to_owned(),
            }],
            refused_rows: 1,
        }
    }

    #[test]
    fn people_get_a_line_and_what_they_may_miss() {
        insta::assert_snapshot!(in_words(&summary(), ImportMode::Write, &[("deferred", 3), ("broken", 0)]), @r#"
        imported 193 messages (2026-06-01 120, 2026-06-02 73), 7 counted before, 1 refused, 3 deferred
        12 messages of days whose reports are made: in the tally, and in no report
        "#);
        let nothing = in_words(&ImportSummary::default(), ImportMode::Rehearse, &[]);
        assert_eq!(nothing, "would import 0 messages\n");
        let many = ImportSummary {
            days: (0..9).map(|day| (Day(day), 1)).collect(),
            ..ImportSummary::default()
        };
        assert!(in_words(&many, ImportMode::Write, &[]).contains("(9 days from 1970-01-01 to 1970-01-09)"));
    }

    #[test]
    fn machines_get_every_key() {
        let object = object(&summary(), ImportMode::Write, &[("deferred", 3), ("broken", 0)]);
        assert_eq!(object["days"]["2026-06-01"], 120);
        assert_eq!((&object["deferred"], &object["broken"]), (&json!(3), &json!(0)));
        insta::assert_snapshot!(object["refused"][0]["why"].as_str().unwrap(), @"it counts no message");
        assert_eq!(object.len(), 11);
    }
}
