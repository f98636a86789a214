//! `opendmarc-expire` (T3): lets go what was counted so many days ago.

use std::ffi::OsString;

use landmarc_settings::Settings;
use landmarc_store::{Day, Retention};
use nix::unistd::AccessFlags;

use super::getopt::{ToolOption, switch, text};
use super::tool::Tool;
use crate::commands::store::remove_expired;
use crate::exit::Exit;
use crate::failure::{CommandResult, Failure, failure};
use crate::figures::grouped;
use crate::notes::note;
use crate::records::SelectedStore;
use landmarc_reporter::{days_done, days_due};
use landmarc_runtime::retention::keep;
use landmarc_runtime::time::date;
use landmarc_runtime::wall_clock::has_recent;

const OWN: [ToolOption; 2] = [
    switch("alltables", "taken: nothing is ever left in other tables"),
    text("expire", "expiration time, in days [180]"),
];

/// Names the days where no flag does.
const MAXAGE: &str = "OPENDMARC_MAXAGE";
/// Kept for so many days when nobody says.
const DAYS: &str = "180";

/// Runs it.
pub(super) fn run(arguments: &[OsString]) -> CommandResult {
    let tool = Tool::read("opendmarc-expire", "", &OWN, arguments)?;
    let variable = std::env::var(MAXAGE).ok();
    let days = tool.given.text("expire").or(variable.as_deref()).unwrap_or(DAYS);
    let Some(tally_days) = days.parse().ok().filter(|days: &u32| *days > 0) else {
        return Err(failure!(Exit::Findings, "invalid expiration time"));
    };
    let (place, settings) = tool.store()?;
    tool.explain(&[(
        &["alltables"],
        "rows that nothing counts in go with the last day they counted in",
    )]);
    let store = SelectedStore::at(place);
    // What makes a store where there is none has nothing to expire.
    store.reachable(AccessFlags::R_OK | AccessFlags::W_OK)?;
    tool.say(&format!(
        "expiring messages older than {tally_days} day(s) in {}",
        store.place
    ));
    let keep = Retention {
        tally_days,
        ..keep(&settings)
    };
    if !has_recent(&store.place, keep.now_ms)? {
        note!(
            "opendmarc-expire: nothing removed: there are no records of the last three days, so the clock may be wrong; \
             landmarc store expire --force removes what is old all the same"
        );
        return Ok(Exit::Fine);
    }
    warn_of_unreported(&store, &settings, keep)?;
    let done = remove_expired(&store.place, keep)?;
    tool.say(&format!(
        "{} row(s) of the tally deleted, {} observation(s)",
        grouped(done.tally_rows),
        grouped(done.observations)
    ));
    Ok(Exit::Fine)
}

/// Says which days go before anybody was told of their mail. That is what was asked for, so they do go.
fn warn_of_unreported(store: &SelectedStore, settings: &Settings, keep: Retention) -> Result<(), Failure> {
    let report = &settings.report;
    if report.email.is_none() || !report.aggregate {
        return Ok(());
    }
    let reader = store.read()?;
    let done = days_done(&reader)?;
    let first_kept = Day::at(keep.now_ms).back(keep.tally_days);
    let due = days_due(&reader.reporting_days()?, keep.now_ms, report.settle);
    for day in due.iter().filter(|day| **day < first_kept && !done.contains(day)) {
        note!(
            "opendmarc-expire: {}: its mail goes unreported; run opendmarc-reports before this, or keep more days",
            date(*day)
        );
    }
    Ok(())
}
