//! `store status`: where the database is, what is in it, and how far behind the hosts of a fleet are.

use landmarc_settings::Settings;
use landmarc_store::{Day, OutboxStatus, Reader, SpoolStatus, StoreStatus};
use serde_json::{Value, json};

use super::hosts;
use crate::commands::spool;
use crate::failure::{CommandResult, Failure};
use crate::figures::{grouped, size};
use crate::output::print;
use crate::records::{SelectedStore, StoreArguments};
use landmarc_runtime::clock::now_ms;
use landmarc_runtime::fleet_settings::FleetMode;
use landmarc_runtime::time::date;

/// Prints it.
pub(super) fn run(arguments: &StoreArguments, as_json: bool) -> CommandResult {
    let store = arguments.find()?;
    let reader = store.read()?;
    let status = reader.status()?;
    let hosts = reader.hosts()?;
    let spool = own_spool(&store)?;
    let text = if as_json {
        let mut object = status_object(&status, store.settings.as_ref());
        object["spool"] = spool.as_ref().map_or(Value::Null, spool::object);
        object["hosts"] = hosts::objects(&hosts);
        object.to_string()
    } else {
        let spool = spool
            .as_ref()
            .map_or_else(String::new, |status| spool::in_words(status, now_ms()));
        let text = status_text(&status, store.settings.as_ref());
        format!("{text}{spool}{}", hosts::in_words(&hosts, now_ms()))
    };
    print(&format!("{}\n", text.trim_end()))
}

/// What waits on this host to be handed on; none where nothing is.
fn own_spool(store: &SelectedStore) -> Result<Option<SpoolStatus>, Failure> {
    let Some(settings) = store
        .settings
        .as_ref()
        .filter(|settings| FleetMode::of(settings) != FleetMode::Alone)
    else {
        return Ok(None);
    };
    let path = landmarc_runtime::database::path(settings);
    if !path.exists() {
        return Ok(None);
    }
    let status = Reader::open(path).and_then(|reader| reader.spool());
    status.map(Some).map_err(Failure::from)
}

fn status_text(status: &StoreStatus, settings: Option<&Settings>) -> String {
    let of_days = |count: u64, days: Option<(Day, Day)>| match days {
        Some((first, last)) => format!("{}, from {} to {}", grouped(count), date(first), date(last)),
        None => grouped(count),
    };
    let mut lines = vec![
        ("path", status.place.clone()),
        ("schema version", status.version.to_string()),
        ("size", size(status.file_bytes)),
    ];
    // What a server does not say of a database.
    lines.extend(status.free_bytes.map(|bytes| ("  free in it", size(bytes))));
    lines.extend(status.wal_bytes.map(|bytes| ("  log beside it", size(bytes))));
    lines.extend([
        (
            "observations",
            of_days(status.observations, status.observation_days),
        ),
        ("  traces", grouped(status.traces)),
        ("tally rows", of_days(status.tally_rows, status.tally_days)),
        (
            "  distinct",
            format!("{} over all days", grouped(status.distinct_rows)),
        ),
        ("reports", reports(&status.outbox)),
        ("  deliveries", deliveries(&status.outbox)),
    ]);
    if let Some(settings) = settings {
        lines.push(("kept", kept(settings, status.free_bytes.is_some())));
    }
    let line = |(name, text): &(&str, String)| format!("{name:<15} {text}\n");
    lines.iter().map(line).collect()
}

fn reports(outbox: &OutboxStatus) -> String {
    let last = outbox.last_finished_day;
    let last = last.map_or_else(String::new, |day| format!(", the last day {}", date(day)));
    format!("{}, {}{last}", grouped(outbox.reports), size(outbox.body_bytes))
}

fn deliveries(outbox: &OutboxStatus) -> String {
    format!(
        "{} queued, {} deferred, {} delivered, {} given up",
        grouped(outbox.queued),
        grouped(outbox.deferred),
        grouped(outbox.delivered),
        grouped(outbox.given_up)
    )
}

/// The retention of the settings, in words.
fn kept(settings: &Settings, is_file: bool) -> String {
    let store = &settings.store;
    let observations = if store.observations {
        format!("observations {} days", store.observation_days)
    } else {
        "no observations".to_owned()
    };
    // How large a server may grow is the business of those who look after it.
    let most = match is_file {
        true => format!(", at most {}", size(store.max_size.as_u64())),
        false => String::new(),
    };
    format!("{observations}, tally {} days{most}", store.tally_days)
}

fn status_object(status: &StoreStatus, settings: Option<&Settings>) -> Value {
    let days = |days: Option<(Day, Day)>| {
        days.map(|(first, last)| json!({"first": date(first), "last": date(last)}))
    };
    json!({
        "path": status.place,
        "schema_version": status.version,
        "file_bytes": status.file_bytes,
        "free_bytes": status.free_bytes,
        "wal_bytes": status.wal_bytes,
        "observations": status.observations,
        "observation_days": days(status.observation_days),
        "traces": status.traces,
        "tally_rows": status.tally_rows,
        "tally_days": days(status.tally_days),
        "distinct_rows": status.distinct_rows,
        "outbox": {
            "reports": status.outbox.reports,
            "body_bytes": status.outbox.body_bytes,
            "queued": status.outbox.queued,
            "deferred": status.outbox.deferred,
            "delivered": status.outbox.delivered,
            "given_up": status.outbox.given_up,
            "suppressions": status.outbox.suppressions,
            "last_finished_day": status.outbox.last_finished_day.map(date),
        },
        "retention": settings.map(|settings| json!({
            "observations": settings.store.observations,
            "observation_days": settings.store.observation_days,
            "tally_days": settings.store.tally_days,
            "max_size_bytes": settings.store.max_size.as_u64(),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Settings {
        landmarc_settings::read(text).unwrap().0
    }

    fn some() -> StoreStatus {
        StoreStatus {
            place: "/var/lib/landmarc/landmarc.db".to_owned(),
            version: 1,
            file_bytes: 5 << 20,
            free_bytes: Some(8_192),
            wal_bytes: Some(100),
            observations: 12_345,
            observation_days: Some((Day(20_605), Day(20_618))),
            traces: 17,
            tally_rows: 99,
            tally_days: None,
            distinct_rows: 9,
            outbox: landmarc_store::OutboxStatus::default(),
        }
    }

    #[test]
    fn the_state_is_printed_in_figures_that_people_read() {
        let settings = of("[store]\ntally_days = 30\nmax_size = \"64MiB\"\n");
        insta::assert_snapshot!(status_text(&some(), Some(&settings)), @r#"
        path            /var/lib/landmarc/landmarc.db
        schema version  1
        size            5.0 MiB
          free in it    8.0 KiB
          log beside it 100 B
        observations    12,345, from 2026-06-01 to 2026-06-14
          traces        17
        tally rows      99
          distinct      9 over all days
        reports         0, 0 B
          deliveries    0 queued, 0 deferred, 0 delivered, 0 given up
        kept            observations 14 days, tally 30 days, at most 64.0 MiB
        "#);
        let without = of("[store]\nobservations = false\n");
        assert!(status_text(&some(), Some(&without)).contains("no observations, tally 400 days"));
        assert!(!status_text(&some(), None).contains("kept"));
    }

    #[test]
    fn the_object_has_every_key_whatever_is_absent() {
        let full = status_object(&some(), Some(&of("")));
        let bare = status_object(
            &StoreStatus {
                observation_days: None,
                ..some()
            },
            None,
        );
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&full), keys(&bare));
        assert_eq!(
            full["observation_days"],
            json!({"first": "2026-06-01", "last": "2026-06-14"})
        );
        assert_eq!(
            (&bare["observation_days"], &bare["retention"]),
            (&Value::Null, &Value::Null)
        );
    }
}
