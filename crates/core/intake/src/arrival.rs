//! Whether a report is new, ours, of this time, and about anything.

use landmarc_mail::DomainName;

use super::subject::without_brackets;
use super::trust::Trust;
use crate::aggregate::{ReportFingerprint, ReportReading};
use landmarc_mail::calendar::DAY_SECONDS;
use landmarc_report::aggregate::{Metadata, Period, ReportRow};

/// What makes two reports the same: reporter, id, domain and period.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DuplicateKey {
    /// The authenticated submitter; of an untrusted report what it calls itself, marked as a claim, so
    /// that a forged report never takes the place of a true one.
    pub reporter: String,
    /// The Report-ID without angle brackets.
    pub report_id: String,
    /// The DMARC Policy Domain, in A-labels where it is a name.
    pub policy_domain: String,
    /// The period.
    pub period: (u64, u64),
}

impl DuplicateKey {
    /// The key of a report.
    #[must_use]
    pub fn of(metadata: &Metadata, policy_domain: &str, trust: &Trust) -> Self {
        let reporter = match trust.submitter() {
            Some(submitter) => submitter.to_string(),
            None => format!("?{}", metadata.organization.to_lowercase()),
        };
        let bare = without_brackets(metadata.report_id.trim());
        let name = DomainName::parse(policy_domain);
        Self {
            reporter,
            report_id: bare.to_owned(),
            policy_domain: name.map_or_else(|_| policy_domain.to_lowercase(), |name| name.to_string()),
            period: (metadata.period.begin, metadata.period.end),
        }
    }
}

/// What a report is beside one of the same [`DuplicateKey`] that is held already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportArrival {
    /// None is held: to be counted.
    New,
    /// The same again: to be counted as a duplicate, and not otherwise (RR40).
    Duplicate,
    /// The same id for something else: the first stays, this one is held for inspection (RR41).
    Conflict,
}

impl ReportArrival {
    /// The word for logs, SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
        }
    }
}

/// Compares a report with the one that is held under its [`DuplicateKey`], if there is one.
#[must_use]
pub fn compare(held: Option<&ReportFingerprint>, arrived: &ReportFingerprint) -> ReportArrival {
    match held {
        None => ReportArrival::New,
        Some(held) if held == arrived => ReportArrival::Duplicate,
        Some(_) => ReportArrival::Conflict,
    }
}

/// Whether a report is about one of our domains, or a name below one. One that is not was perhaps
/// led here by a record that authorises us by mistake: not to be stored, but to be told (RR43).
#[must_use]
pub fn concerns(policy_domain: &str, own: &[DomainName]) -> bool {
    DomainName::parse(policy_domain).is_ok_and(|name| own.iter().any(|own| name.is_at_or_below(own)))
}

/// Whether a report can be about nothing but reports of ours (RR45): two systems that send each other
/// one mail a day about the mail of the day before. It is when every row has the domain that our
/// reports are sent from, and there are no more messages than report messages that we sent to this reporter.
#[must_use]
pub fn is_noise(reading: &ReportReading, our_submitter: &DomainName, report_messages_sent: u64) -> bool {
    let is_ours = |row: &ReportRow| DomainName::parse(&row.key.header_from).as_ref() == Ok(our_submitter);
    let rows = &reading.report.rows;
    let count = reading.about.messages.unwrap_or(u64::MAX);
    !rows.is_empty() && count <= report_messages_sent && rows.iter().all(is_ours)
}

/// How a period lies to the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeriodCheck {
    /// It is over, or ends within a day: clocks differ, and so do ideas of midnight.
    Past,
    /// It ends more than a day from now: some clock is wrong. Such times are never used to decide
    /// how long a report is kept (RR30).
    Future,
}

/// How a period lies to the present, in seconds since the epoch.
#[must_use]
pub fn moment_of(period: Period, now: u64) -> PeriodCheck {
    match period.end > now.saturating_add(DAY_SECONDS) {
        true => PeriodCheck::Future,
        false => PeriodCheck::Past,
    }
}

/// The first second after a period. RFC 9990 has the last second in `end`; some write the first one
/// after it, which is told by its being a full hour.
#[must_use]
pub fn exclusive_end(period: Period) -> u64 {
    match period.end % 3600 {
        0 => period.end,
        _ => period.end.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trust::Doubt;
    use super::*;
    use crate::aggregate::{ReadLimits, read};

    fn report(rows: &[(&str, u64)]) -> ReportReading {
        let rows: String = rows
            .iter()
            .map(|(from, count)| {
                format!(
                    "<record><row><source_ip>192.0.2.1</source_ip><count>{count}</count></row>\
                     <identifiers><header_from>{from}</header_from></identifiers></record>"
                )
            })
            .collect();
        let text = format!(
            "<feedback><report_metadata><org_name>R</org_name><report_id>&lt;1@r.example&gt;</report_id>\
             <date_range><begin>1780272000</begin><end>1780358399</end></date_range></report_metadata>\
             <policy_published><domain>Example.com</domain></policy_published>{rows}</feedback>"
        );
        read(text.as_bytes(), &ReadLimits::default()).unwrap()
    }

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn rr30_a_period_in_the_future_is_told() {
        let period = Period::day(1_780_272_000);
        assert_eq!(moment_of(period, period.end - DAY_SECONDS), PeriodCheck::Past);
        assert_eq!(
            moment_of(period, period.end - DAY_SECONDS - 1),
            PeriodCheck::Future
        );
        assert_eq!(moment_of(period, u64::MAX), PeriodCheck::Past);
    }

    #[test]
    fn rr40_the_same_report_again_is_a_duplicate() {
        let (first, again) = (report(&[("example.com", 1)]), report(&[("example.com", 1)]));
        let trust = Trust::Authenticated(name("r.example"));
        let key = |reading: &ReportReading| {
            let report = &reading.report;
            DuplicateKey::of(&report.metadata, &report.policy.domain, &trust)
        };
        assert_eq!(key(&first), key(&again));
        assert_eq!(
            key(&first),
            DuplicateKey {
                reporter: "r.example".to_owned(),
                report_id: "1@r.example".to_owned(),
                policy_domain: "example.com".to_owned(),
                period: (1_780_272_000, 1_780_358_399),
            }
        );
        let arrived = &again.about.fingerprint;
        assert_eq!(compare(None, arrived), ReportArrival::New);
        assert_eq!(
            compare(Some(&first.about.fingerprint), arrived),
            ReportArrival::Duplicate
        );
    }

    #[test]
    fn rr41_the_same_id_for_something_else_is_a_conflict() {
        let (first, other) = (report(&[("example.com", 1)]), report(&[("example.com", 2)]));
        let held = Some(&first.about.fingerprint);
        assert_eq!(compare(held, &other.about.fingerprint), ReportArrival::Conflict);
    }

    #[test]
    fn a_forged_report_has_another_key_than_the_true_one() {
        let reading = report(&[("example.com", 1)]);
        let mut metadata = reading.report.metadata;
        metadata.organization = "r.example".to_owned();
        let key = |trust: &Trust| DuplicateKey::of(&metadata, "example.com", trust);
        let authenticated = key(&Trust::Authenticated(name("r.example")));
        assert_ne!(key(&Trust::Untrusted(Doubt::NoPass)), authenticated);
    }

    #[test]
    fn rr43_a_report_for_a_domain_that_is_not_ours_is_told() {
        let own = [name("example.com"), name("example.net")];
        assert!(concerns("Example.COM", &own));
        assert!(concerns("mail.example.net", &own));
        assert!(!concerns("notexample.com", &own));
        assert!(!concerns("", &own));
    }

    #[test]
    fn rr45_a_report_about_nothing_but_our_reports_is_noise() {
        let submitter = name("reports.example.com");
        let noise = report(&[("reports.example.com", 1), ("Reports.example.com", 1)]);
        assert!(is_noise(&noise, &submitter, 2));
        assert!(!is_noise(&noise, &submitter, 1), "one is not our report mail");
        let mixed = report(&[("reports.example.com", 1), ("example.com", 1)]);
        assert!(!is_noise(&mixed, &submitter, 2));
        assert!(!is_noise(&report(&[]), &submitter, 2));
    }

    #[test]
    fn an_end_at_a_full_hour_is_the_first_second_after() {
        let end = |end| exclusive_end(Period { begin: 0, end });
        assert_eq!((end(86_399), end(86_400), end(86_401)), (86_400, 86_400, 86_402));
        assert_eq!(end(u64::MAX), u64::MAX);
    }
}
