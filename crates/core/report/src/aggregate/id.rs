//! The Report-IDs of aggregate reports and their parts, derived from what is reported.

use landmarc_mail::DomainName;

use super::model::{AggregateReport, PolicyPublished};
use super::words::{Registered, SchemaWord};
use crate::report_id::{ReportId, ReportKey};

/// The number of a report that is not split.
pub const WHOLE: u32 = 1;

/// The Report-ID of a report that is not split.
pub(super) fn whole_id(report: &AggregateReport, submitter: &DomainName) -> String {
    id(report, submitter, WHOLE, &configuration(&report.policy))
}

/// The Report-ID of a part.
pub(super) fn id(
    report: &AggregateReport,
    submitter: &DomainName,
    part: u32,
    configuration: &[&str],
) -> String {
    let period = report.metadata.period;
    // In our reports this is a name; one that was read could say anything.
    let named = DomainName::parse(&report.policy.domain);
    let key = ReportKey {
        submitter,
        policy_domain: named.as_ref().unwrap_or(submitter),
        begin: period.begin,
        end: period.end,
        configuration,
        part,
    };
    ReportId::derive(&key).to_string()
}

/// The values of `policy_published`, in the order of the schema.
fn configuration(policy: &PolicyPublished) -> [&str; 9] {
    fn optional<T: Registered>(word: Option<&SchemaWord<T>>) -> &str {
        word.map_or("", SchemaWord::as_str)
    }
    [
        &policy.domain,
        policy.discovery_method.map_or("", Registered::word),
        policy.policy.as_str(),
        optional(policy.subdomain_policy.as_ref()),
        optional(policy.nonexistent_policy.as_ref()),
        optional(policy.dkim_mode.as_ref()),
        optional(policy.spf_mode.as_ref()),
        policy.failure_options.as_deref().unwrap_or_default(),
        if policy.testing == Some(true) { "y" } else { "n" },
    ]
}
