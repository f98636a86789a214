//! An aggregate report, or a part of one, as it goes into the outbox.

use landmarc_report::aggregate::RenderedPart;
use landmarc_report::report_id::file_name;
use landmarc_report::summary::TextFacts;
use landmarc_store::{Day, NewReport, ReportKind};

use super::mail_draft::Facts;

/// A part that was rendered, for nobody yet. `facts` lack its text; `configuration` tells the policy configurations
/// of the day apart.
pub(super) fn new_report(
    part: RenderedPart,
    text: &TextFacts<'_>,
    facts: Facts,
    day: Day,
    configuration: &str,
    date_ms: u64,
) -> NewReport {
    let facts = Facts {
        text: part.summary.text(text),
        ..facts
    };
    let (submitter, policy_domain) = (text.submitter, text.policy_domain);
    NewReport {
        kind: ReportKind::Aggregate,
        report_id: part.report_id,
        policy_domain: policy_domain.to_string(),
        day,
        begin_s: text.begin,
        end_s: text.end,
        configuration: configuration.to_owned(),
        part: part.number,
        file_name: file_name(submitter, policy_domain, text.begin, text.end, text.report_id),
        submitter: submitter.to_string(),
        email: text.from.to_string(),
        organization: text.organization.to_owned(),
        facts: facts.to_json(),
        date_ms,
        rows: u64::try_from(part.rows).unwrap_or(u64::MAX),
        messages: part.messages,
        body: part.rendered.gzip,
        deliveries: Vec::new(),
    }
}
