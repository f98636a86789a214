//! From what the store has of a policy domain and day to what reports are assembled of.

use landmarc_mail::DomainName;
use landmarc_mail::name::NameError;
use landmarc_observation::DomainDay;
use landmarc_report::aggregate::{DayOfDomain, Period};
use landmarc_store::Day;

/// The rows of one policy domain and day.
///
/// # Errors
/// When the policy domain is no name: the store is damaged, or of another hand.
pub(crate) fn day_of_domain(day: Day, found: DomainDay) -> Result<DayOfDomain, NameError> {
    Ok(DayOfDomain {
        policy_domain: DomainName::parse(&found.policy_domain)?,
        period: Period::day(day.begins_s()),
        rows: found.rows,
        left_out: found.left_out_messages,
    })
}
