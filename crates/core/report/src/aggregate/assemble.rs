//! From the rows of the tally to the reports about one DMARC Policy Domain and one day.
//!
//! The rows come as words, as they were written down, and are taken for hostile: they carry what a
//! client said (RFC 9990 §8). What comes out is fit for the strict writer.
//!
//! A report is about one policy configuration: a domain that changed its record during the day gets
//! one report for each (RFC 9990 §3.3 leaves the choice), with no message in two of them.

mod fold;
mod placed;
mod policy;
mod row;
mod tail;

use std::collections::BTreeSet;

use landmarc_dmarc::Suffixes;
use landmarc_mail::DomainName;
use landmarc_observation::{DayRow, TallyRow};

use super::id::whole_id;
use super::limits::ReportLimits;
use super::model::{AggregateReport, Metadata, Period, Text};
use super::text::{MAX_ERROR_OCTETS, MAX_TEXT_OCTETS, tidy};
use super::words::Disposition;
pub use fold::FoldedRows;
use fold::ReportNames;
use placed::SummedRows;
use policy::{Configuration, PolicyConfigurations};
use tail::Fitted;

pub use policy::MAX_CONFIGURATIONS;
pub use row::{MAX_DKIM_RESULTS, MAX_REASONS};

/// What was counted of one DMARC Policy Domain on one day.
#[derive(Clone, Debug)]
pub struct DayOfDomain {
    /// The DMARC Policy Domain.
    pub policy_domain: DomainName,
    /// The day.
    pub period: Period,
    /// Its rows, in any order. Those with one number of a policy configuration have one configuration; the highest is
    /// that of the last known record.
    pub rows: Vec<DayRow>,
    /// How many messages were counted that are in none of these rows.
    pub left_out: u64,
}

/// Who reports: the operator's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// The domain that stands in Subject and file name.
    pub submitter: DomainName,
    /// The name of the organization; the submitter's domain when it is empty.
    pub organization: String,
    /// Where to write to about a report.
    pub email: String,
    /// More of that kind.
    pub contact: Option<String>,
    /// Name and version of the software.
    pub generator: String,
}

/// The reports about one domain and day, and what there is to know before sending them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembled {
    /// One for each policy configuration, the oldest first. None when nothing was counted: a report
    /// has at least one row (RFC 9990 §3.1).
    pub reports: Vec<AggregateReport>,
    /// Where the last known record asks for reports.
    pub rua: Vec<String>,
    /// What is wrong with the last known record.
    pub problems: Vec<String>,
    /// Whether the last known record is that of a Public Suffix Domain.
    pub psd: bool,
    /// Whether all of it was report traffic.
    pub incidental_only: bool,
    /// Whether all of it was refused because of DMARC and none of it aligned: not one message of the
    /// domain's own came.
    pub only_refused: bool,
    /// How many messages were counted that day.
    pub messages: u64,
    /// How many of them are in no report, for want of room or of an Author Domain. The reports say
    /// so in `error`.
    pub left_out: u64,
    /// What became of rows past the limit, where there were more. The reports say so in `error`.
    pub folded: Option<FoldedRows>,
}

/// Makes the reports about one domain and day. Equal rows in any order make equal reports. Rows past the limit are
/// folded by what belongs together: networks, and names by the Public Suffix List.
#[must_use]
pub fn assemble(
    day: &DayOfDomain,
    reporter: &Reporter,
    limits: &ReportLimits,
    suffixes: &Suffixes,
) -> Assembled {
    let configurations = PolicyConfigurations::of(&day.rows, &day.policy_domain);
    let fitted = rows(day, &configurations, limits, suffixes);
    let left_out = fitted.left_out;
    let last = day.rows.iter().max_by_key(|row| row.published);
    let last = last.map(|row| &row.row.published);
    let is_any = !day.rows.is_empty();
    Assembled {
        folded: fitted.folded.clone(),
        reports: reports(day, configurations, fitted, reporter),
        rua: last.map(|published| published.rua.clone()).unwrap_or_default(),
        problems: last
            .map(|published| published.problems.clone())
            .unwrap_or_default(),
        psd: last.is_some_and(|published| published.psd),
        incidental_only: is_any && day.rows.iter().all(|row| row.row.incidental),
        only_refused: is_any && day.rows.iter().all(|row| is_refused(&row.row)),
        messages: day
            .rows
            .iter()
            .fold(day.left_out, |sum, row| sum.saturating_add(row.count)),
        left_out,
    }
}

/// The rows as the reports have them, and how many messages are in none of them.
fn rows(
    day: &DayOfDomain,
    configurations: &PolicyConfigurations,
    limits: &ReportLimits,
    suffixes: &Suffixes,
) -> Fitted {
    let mut counted = SummedRows::default();
    let mut left_out = day.left_out;
    for row in day.rows.iter().filter(|row| row.count > 0) {
        let place = configurations.place(row);
        let policy = configurations
            .all
            .get(place)
            .map(|configuration| &configuration.policy);
        match policy.and_then(|policy| row::key(&row.row, policy)) {
            Some(key) => counted.add(place, key, row.count),
            None => left_out = left_out.saturating_add(row.count),
        }
    }
    let names = ReportNames {
        policy_domain: &day.policy_domain,
        suffixes,
    };
    let fitted = tail::fit(counted.sorted(), limits.rows_a_day, names);
    Fitted {
        left_out: left_out.saturating_add(fitted.left_out),
        ..fitted
    }
}

fn is_refused(row: &TallyRow) -> bool {
    row.disposition == Disposition::Reject.as_str() && !row.dkim_aligned && !row.spf_aligned
}

fn reports(
    day: &DayOfDomain,
    configurations: PolicyConfigurations,
    fitted: Fitted,
    reporter: &Reporter,
) -> Vec<AggregateReport> {
    let report = |Configuration { policy, problems }| AggregateReport {
        metadata: Metadata {
            error: error(fitted.left_out, fitted.folded.as_ref(), &problems),
            ..metadata(day, reporter)
        },
        policy,
        rows: Vec::new(),
    };
    let mut reports: Vec<_> = configurations.all.into_iter().map(report).collect();
    for placed in fitted.rows {
        if let Some(report) = reports.get_mut(placed.configuration) {
            report.rows.push(placed.row);
        }
    }
    reports.retain(|report| !report.rows.is_empty());
    for report in &mut reports {
        report.metadata.report_id = whole_id(report, &reporter.submitter);
    }
    reports
}

fn metadata(day: &DayOfDomain, reporter: &Reporter) -> Metadata {
    let text = |text: &str| tidy(text, MAX_TEXT_OCTETS).into_owned();
    let said = |words: String| (!words.is_empty()).then_some(words);
    let organization = said(text(&reporter.organization));
    Metadata {
        organization: organization.unwrap_or_else(|| reporter.submitter.to_string()),
        email: text(&reporter.email),
        contact: reporter
            .contact
            .as_deref()
            .map(text)
            .and_then(said)
            .map(|contact| contact.as_str().into()),
        report_id: String::new(),
        period: day.period,
        error: None,
        generator: said(text(&reporter.generator)),
    }
}

/// RFC 9990 §3.1.5: what the Domain Owner should know of how the record was taken.
fn error(left_out: u64, folded: Option<&FoldedRows>, problems: &BTreeSet<String>) -> Option<Text> {
    let left_out =
        (left_out > 0).then(|| format!("messages in no row, for there are too many rows: {left_out}"));
    let folded = folded.map(|folded| format!("too many rows: {folded}"));
    let notes = left_out.into_iter().chain(folded).chain(problems.iter().cloned());
    let notes: Vec<_> = notes.collect();
    let text = tidy(&notes.join("; "), MAX_ERROR_OCTETS).into_owned();
    (!text.is_empty()).then(|| text.as_str().into())
}

#[cfg(test)]
mod tests;
