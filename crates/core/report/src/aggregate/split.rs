//! Reports in parts, where one would be too large to mail.

use std::io;

use landmarc_mail::DomainName;

use super::id::{WHOLE, id};
use super::limits::ReportLimits;
use super::model::{AggregateReport, ReportRow};
use super::write::{Form, Rendered, render};
use crate::summary::ReportSummary;

/// The most parts of one report.
///
/// With [`MAX_ROWS_A_DAY`](super::MAX_ROWS_A_DAY), a part has some 800 rows then.
pub const MAX_PARTS: u32 = 64;

/// A report, or the part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportPart {
    /// 1 is the whole; the halves of n are 2n and 2n + 1, so that no two parts share a number,
    /// whatever is split when.
    pub number: u32,
    /// The part, a report of its own.
    pub report: AggregateReport,
}

/// One part as it is attached to a report mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedPart {
    /// As in [`ReportPart`].
    pub number: u32,
    /// As it stands in it.
    pub report_id: String,
    /// How many rows it has.
    pub rows: usize,
    /// How many messages they count.
    pub messages: u64,
    /// In numbers, for the text of its report mail.
    pub summary: ReportSummary,
    /// The file.
    pub rendered: Rendered,
}

/// Renders a report, in parts of about equal size when it is over a limit: halved as often as it
/// takes, up to [`MAX_PARTS`] parts. All parts have the period and the policy of the whole, and a
/// Report-ID of their own. What is over the limit and cannot be halved stays as it is.
///
/// # Errors
/// As [`write()`](super::write()).
pub fn render_parts(
    report: AggregateReport,
    submitter: &DomainName,
    form: Form,
    limits: &ReportLimits,
) -> io::Result<Vec<RenderedPart>> {
    let mut waiting = vec![ReportPart {
        number: WHOLE,
        report,
    }];
    let mut done = Vec::new();
    while let Some(part) = waiting.pop() {
        let rendered = if can_be_halved(&part) && is_surely_over(&part.report, limits) {
            None
        } else {
            Some(render(&part.report, form)?)
        };
        match rendered {
            Some(rendered) if !is_over(&rendered, limits) || !can_be_halved(&part) => {
                done.push(RenderedPart::new(&part, rendered));
            }
            _ => {
                let (first, second) = halves(part, submitter);
                waiting.extend([second, first]);
            }
        }
    }
    Ok(done)
}

/// Halves a report by its rows, for a destination that refused it by its size. Nothing for a report
/// of one row, or past [`MAX_PARTS`].
///
/// The ids of the halves derive from that of the report, so a report that was read back from its file
/// does as well as the one that was assembled.
#[must_use]
pub fn halve(part: &ReportPart, submitter: &DomainName) -> Option<(ReportPart, ReportPart)> {
    can_be_halved(part).then(|| halves(part.clone(), submitter))
}

fn can_be_halved(part: &ReportPart) -> bool {
    part.report.rows.len() > 1 && part.number < MAX_PARTS
}

/// Both with at least one row, if there are two.
fn halves(part: ReportPart, submitter: &DomainName) -> (ReportPart, ReportPart) {
    let ReportPart { number, mut report } = part;
    let second_rows = report.rows.split_off(middle(&report.rows));
    let second = AggregateReport {
        metadata: report.metadata.clone(),
        policy: report.policy.clone(),
        rows: second_rows,
    };
    let of = |half: u32, mut report: AggregateReport| {
        let number = number.saturating_mul(2).saturating_add(half);
        report.metadata.report_id = id(&report, submitter, number, &[&report.metadata.report_id]);
        ReportPart { number, report }
    };
    (of(0, report), of(1, second))
}

/// Where the halves are of about equal size, at least one row from either end.
fn middle(rows: &[ReportRow]) -> usize {
    let half = rows.iter().map(size).sum::<u64>() / 2;
    let mut before = 0;
    let first_half = rows.iter().take_while(|row| {
        before += size(row);
        before <= half
    });
    first_half.count().clamp(1, rows.len().saturating_sub(1).max(1))
}

/// About how many octets of XML a row takes.
fn size(row: &ReportRow) -> u64 {
    const ROW: usize = 700;
    const REASON: usize = 130;
    const DKIM: usize = 160;
    let key = &row.key;
    let comments = key.reasons.iter().filter_map(|reason| reason.comment.as_ref());
    let reasons: usize = comments.map(|comment| comment.text.len() + REASON).sum();
    let signatures = key
        .dkim
        .iter()
        .map(|dkim| dkim.domain.len() + dkim.selector.len() + DKIM);
    let names = key.header_from.len() + key.envelope_from.as_ref().map_or(0, String::len);
    u64::try_from(ROW + names + reasons + signatures.sum::<usize>()).unwrap_or(u64::MAX)
}

/// What need not be rendered to know that it is too large.
fn is_surely_over(report: &AggregateReport, limits: &ReportLimits) -> bool {
    let twice = limits.xml_octets.saturating_mul(2);
    report.rows.len() > limits.rows || report.rows.iter().map(size).sum::<u64>() > twice
}

fn is_over(rendered: &Rendered, limits: &ReportLimits) -> bool {
    rendered.gzip.len() > limits.gzip_octets || rendered.xml_octets > limits.xml_octets
}

impl RenderedPart {
    /// This part, as it was rendered.
    #[must_use]
    pub fn new(part: &ReportPart, rendered: Rendered) -> Self {
        let rows = &part.report.rows;
        Self {
            number: part.number,
            report_id: part.report.metadata.report_id.clone(),
            rows: rows.len(),
            messages: rows.iter().fold(0, |sum, row| sum.saturating_add(row.count)),
            summary: ReportSummary::of(&part.report),
            rendered,
        }
    }
}

#[cfg(test)]
mod tests;
