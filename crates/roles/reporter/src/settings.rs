//! What the settings come to, for whoever makes and sends reports.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use landmarc_dmarc::Suffixes;
use landmarc_mail::DomainName;
use landmarc_report::Address;
use landmarc_report::aggregate::{Form, ReportLimits, Reporter};
use landmarc_report::aggregate_mail::mail_size;
use landmarc_report::allotment::{DailyLimit, DailyLimits, max_destinations, organization};
use landmarc_report::timing::Retry;
use landmarc_settings::MailAddress;
use landmarc_settings::Settings;
use landmarc_settings::keys::{ReportForm, ReportTable};

/// Name and version of this program, as reports tell it (RFC 9990 §3.1.1.2).
pub(crate) const GENERATOR: &str = concat!("landmarc/", env!("CARGO_PKG_VERSION"));

/// Who reports, about whom, how large, and how often it is tried.
#[derive(Clone, Debug)]
pub struct ReportSettings {
    /// The table of the settings, for whatever needs no other form.
    pub keys: ReportTable,
    /// Where messages come from.
    pub email: Address,
    /// As it stands in reports.
    pub reporter: Reporter,
    /// The form of aggregate reports.
    pub form: Form,
    /// How large one report may be.
    pub limits: ReportLimits,
    /// How often a message is tried, and for how long.
    pub retry: Retry,
    /// Policy Domains that get no reports.
    pub excluded: HashSet<DomainName>,
    /// The Public Suffix List: who may consent for whom.
    pub suffixes: Arc<Suffixes>,
}

/// Why nothing can be reported.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoReportSettings {
    /// Reporting is switched off.
    #[error("nothing is reported: report.email is not set")]
    Off,
    /// An address that no message can bear.
    #[error("report.{key}: {address:?} cannot stand in a message: {why}")]
    Address {
        /// The key in its table.
        key: &'static str,
        /// As it was set.
        address: String,
        /// What is wrong with it.
        why: String,
    },
}

impl NoReportSettings {
    /// What the operator can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Off => "set report.email to the address that reports are to come from",
            Self::Address { .. } => "choose an address of plain ASCII letters",
        }
    }
}

impl ReportSettings {
    /// What these settings come to, by the built-in Public Suffix List.
    ///
    /// # Errors
    /// When reporting is switched off, or an address is no use.
    pub fn of(settings: &Settings) -> Result<Self, NoReportSettings> {
        let report = &settings.report;
        let (Some(email), Some(submitter), Some(organization)) =
            (&report.email, report.submitter(), report.organization_name())
        else {
            return Err(NoReportSettings::Off);
        };
        let email = address("email", email)?;
        let reporter = Reporter {
            submitter: submitter.clone(),
            organization: organization.to_owned(),
            email: email.to_string(),
            contact: report.contact.clone(),
            generator: GENERATOR.to_owned(),
        };
        Ok(Self {
            email,
            reporter,
            form: match report.form {
                ReportForm::Rfc9990 => Form::Rfc9990,
                ReportForm::Rfc7489 => Form::Rfc7489,
            },
            limits: ReportLimits {
                gzip_octets: attachment_within(report.max_message_size.as_usize()),
                ..ReportLimits::default()
            },
            retry: Retry {
                first: report.retry_first,
                longest: report.retry_longest,
                give_up_after: report.give_up_after,
            },
            excluded: report.exclude_domains.iter().cloned().collect(),
            suffixes: Arc::new(Suffixes::built_in()),
            keys: report.clone(),
        })
    }

    /// The same by another Public Suffix List.
    pub fn with_suffixes(self, suffixes: Arc<Suffixes>) -> Self {
        Self { suffixes, ..self }
    }

    /// How much report mail there may be about one day.
    pub fn daily(&self) -> DailyLimits {
        DailyLimits {
            reports: self.keys.reports_per_organization,
            destinations: self.keys.destinations_per_organization,
            messages: self.keys.per_day.into(),
        }
    }

    /// How many destinations of a record get its reports.
    pub fn max_destinations(&self, policy_domain: &DomainName) -> usize {
        max_destinations(policy_domain, &self.suffixes, self.keys.max_destinations)
    }

    /// Why a limit of the day keeps the report about a policy domain back, and which setting it is.
    pub fn kept_back(&self, limit: DailyLimit, policy_domain: &DomainName) -> String {
        let DailyLimits {
            reports,
            destinations,
            messages,
        } = self.daily();
        let organization = organization(policy_domain, &self.suffixes);
        let most = match limit {
            DailyLimit::Reports => format!("{reports} policy domains of {organization}"),
            DailyLimit::Destinations => format!("{destinations} destinations of {organization}"),
            DailyLimit::Messages => format!("{messages} messages of report mail"),
        };
        format!("over the limit of {most} a day (report.{})", limit_key(limit))
    }

    /// How long a message may be under way in one attempt, at most: its time, the same again for the
    /// answer to its end, and as much in reserve.
    pub fn attempt(&self) -> Duration {
        self.keys.delivery.timeout.saturating_mul(3)
    }

    /// Where the copies of failure reports go.
    ///
    /// # Errors
    /// When that address is no use.
    pub fn copy_to(&self) -> Result<Option<Address>, NoReportSettings> {
        let copy = self.keys.failure.bcc.as_ref();
        copy.map(|copy| address("failure.bcc", copy)).transpose()
    }

    /// The base of return paths.
    ///
    /// # Errors
    /// When that address is no use.
    pub fn bounces(&self) -> Result<Address, NoReportSettings> {
        match self.keys.bounces() {
            Some(bounces) => address("return_path", bounces),
            None => Err(NoReportSettings::Off),
        }
    }
}

/// The key that sets a limit.
pub(crate) fn limit_key(limit: DailyLimit) -> &'static str {
    match limit {
        DailyLimit::Reports => "reports_per_organization",
        DailyLimit::Destinations => "destinations_per_organization",
        DailyLimit::Messages => "per_day",
    }
}

fn address(key: &'static str, given: &MailAddress) -> Result<Address, NoReportSettings> {
    let text = given.to_string();
    Address::parse(&text).map_err(|error| NoReportSettings::Address {
        key,
        why: error.to_string(),
        address: text,
    })
}

/// The largest attachment whose message has no more than so many octets.
fn attachment_within(message_octets: usize) -> usize {
    let (mut fits, mut too_large) = (0, message_octets);
    while too_large - fits > 1 {
        let middle = fits + (too_large - fits) / 2;
        if mail_size(middle) <= message_octets {
            fits = middle;
        } else {
            too_large = middle;
        }
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<ReportSettings, NoReportSettings> {
        ReportSettings::of(&landmarc_settings::read(text).unwrap().0)
    }

    #[test]
    fn without_an_address_nothing_is_reported() {
        assert_eq!(settings("").err(), Some(NoReportSettings::Off));
        assert!(NoReportSettings::Off.remedy().contains("report.email"));
    }

    #[test]
    fn what_is_not_set_follows_from_the_address() {
        let settings = settings("[report]\nemail = \"noreply@reports.example.com\"\n").unwrap();
        assert_eq!(settings.reporter.submitter.as_str(), "reports.example.com");
        assert_eq!(settings.reporter.organization, "reports.example.com");
        assert_eq!(settings.reporter.generator, GENERATOR);
        assert_eq!(settings.bounces().unwrap(), settings.email);
        assert_eq!(settings.copy_to(), Ok(None));
    }

    #[test]
    fn the_message_with_the_largest_attachment_is_just_within_the_limit() {
        for limit in [64 << 10, (10 << 20) + 7, 50 << 20] {
            let octets = attachment_within(limit);
            assert!(
                mail_size(octets) <= limit && mail_size(octets + 1) > limit,
                "{limit}"
            );
        }
    }
}
