//! The thread that reads the tally of a day, and renders what can be reported of it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use landmarc_mail::DomainName;
use landmarc_observation::DomainDay;
use landmarc_report::Address;
use landmarc_report::aggregate::{AggregateReport, Assembled, RenderedPart, assemble, render_parts};
use landmarc_report::allotment::{Allotment, AllotmentCandidate, Allotments, DailyLimit};
use landmarc_report::destination::plan;
use landmarc_report::report_id::ReportId;
use landmarc_report::summary::{Portion, TextFacts, gaps};
use landmarc_store::{NewReport, OutboxFilter, Reader, ReportKind, StoreError, StoreLocation};
use tokio::sync::mpsc;

use super::super::addressees::Addressees;
use super::super::convert::day_of_domain;
use super::super::mail_draft::Facts;
use super::super::new_report::new_report;
use super::super::settings::ReportSettings;
use super::{A_BUG, DayRequest, Made, Reports, Settled, SettledSource, Settlement};

/// Lines that say why a domain got no report, of the day that is being made.
const MAX_SKIPPED_READ: usize = landmarc_store::MAX_SKIPPED;

/// How the problems of a record begin that are about its tag `rua`.
const PROBLEM_OF_RUA: &str = "the tag rua ";

/// The policy domains whose reports go elsewhere, by the operator's word, and where.
type Redirected = HashMap<String, Vec<String>>;

/// Reads and renders.
pub(super) struct Producer {
    pub(super) settings: Arc<ReportSettings>,
    pub(super) request: DayRequest,
    pub(super) known: SettledSource,
    pub(super) to: mpsc::Sender<Result<Made, StoreError>>,
}

impl Producer {
    /// Hands on all domains of the day, or the error that ends it before.
    pub(super) fn run(mut self, place: &StoreLocation) {
        if let Err(error) = self.produce(place) {
            // Nobody listens any more when it fails.
            let _ = self.to.blocking_send(Err(error));
        }
    }

    fn produce(&mut self, place: &StoreLocation) -> Result<(), StoreError> {
        let reader = Reader::open(place)?;
        let skipped = self.skipped(&reader)?;
        let redirected = reader.redirections()?;
        let redirected: Redirected = redirected
            .into_iter()
            .map(|one| (one.policy_domain, one.rua))
            .collect();
        let allotments = self.allotments(&reader, &redirected)?;
        for found in reader.reporting_day(self.request.day)? {
            let found = found?;
            if !self.request.selection.has(&found.policy_domain) {
                continue;
            }
            let made = if skipped.contains(&found.policy_domain) || self.is_settled(&reader, &found)? {
                settled_before(found)
            } else {
                self.make_guarded(found, &redirected, &allotments)
            };
            if self.to.blocking_send(Ok(made)).is_err() {
                return Ok(());
            }
        }
        // Nobody listens any more when it fails.
        let _ = self.to.blocking_send(Ok(Made::End));
        Ok(())
    }

    /// What each domain may get of this day. All of them are looked at before the first report is made, those
    /// that are not selected too: so each run, and each host, decides the same.
    fn allotments(&self, reader: &Reader, redirected: &Redirected) -> Result<Allotments, StoreError> {
        let day = self.request.day;
        let mut allotment = Allotment::new(self.settings.daily(), &self.settings.suffixes);
        for made in reader.deliveries_about(day)? {
            match (made.kind, DomainName::parse(&made.policy_domain)) {
                (ReportKind::Aggregate, Ok(name)) => {
                    allotment.count_made(&name, &made.destination, made.deliveries);
                }
                _ => allotment.count(made.deliveries),
            }
        }
        for found in reader.reporting_day(day)? {
            let found = found?;
            // One that fails here fails again where it is made, and says so there.
            let candidate = catch_unwind(AssertUnwindSafe(|| self.candidate(found, redirected)));
            if let Some(candidate) = candidate.ok().flatten()
                && !allotment.is_made(&candidate.policy_domain)
            {
                allotment.add(candidate);
            }
        }
        Ok(allotment.decide())
    }

    /// A domain that asks for a report and could have one.
    fn candidate(&self, found: DomainDay, redirected: &Redirected) -> Option<AllotmentCandidate> {
        let is_redirected = redirected.contains_key(&found.policy_domain);
        let (policy_domain, assembled) = self.assembled(found, redirected).ok()?;
        let parts = |report: &AggregateReport| report.rows.len().div_ceil(self.settings.limits.rows.max(1));
        Some(AllotmentCandidate {
            messages: assembled.messages,
            reports: assembled
                .reports
                .iter()
                .fold(0, |sum: u64, report| sum.saturating_add(count(parts(report)))),
            destinations: self.destinations(&policy_domain, &assembled, is_redirected),
            policy_domain,
            is_redirected,
        })
        .filter(|candidate| !candidate.destinations.is_empty())
    }

    /// Whom the reports about a domain are for, as far as DNS has no say in it.
    fn destinations(
        &self,
        policy_domain: &DomainName,
        assembled: &Assembled,
        is_redirected: bool,
    ) -> Vec<Address> {
        if is_redirected {
            return Addressees::of_operator(&assembled.rua).open;
        }
        let limit = self.settings.max_destinations(policy_domain);
        plan(&assembled.rua, limit).addresses().cloned().collect()
    }

    /// The domains that have a line why there is no report, where the outbox is not asked.
    fn skipped(&self, reader: &Reader) -> Result<HashSet<String>, StoreError> {
        match self.known {
            SettledSource::Outbox(_) => Ok(HashSet::new()),
            SettledSource::Store => {
                let lines = reader.skipped(self.request.day, MAX_SKIPPED_READ)?;
                Ok(lines
                    .into_iter()
                    .map(|(policy_domain, _)| policy_domain)
                    .collect())
            }
        }
    }

    fn is_settled(&self, reader: &Reader, found: &DomainDay) -> Result<bool, StoreError> {
        let day = self.request.day;
        match &self.known {
            SettledSource::Outbox(outbox) => outbox.hold().is_settled(day, &found.policy_domain),
            SettledSource::Store => {
                let filter = OutboxFilter {
                    kind: Some(ReportKind::Aggregate),
                    day: Some(day),
                    policy_domain: Some(found.policy_domain.clone()),
                    limit: 1,
                    ..OutboxFilter::default()
                };
                Ok(!reader.deliveries(&filter)?.is_empty())
            }
        }
    }

    /// One domain that we fail at must not keep the others from their reports.
    fn make_guarded(&self, found: DomainDay, redirected: &Redirected, allotments: &Allotments) -> Made {
        let of_bug = Settled {
            policy_domain: found.policy_domain.clone(),
            messages: messages(&found),
            rows: count(found.rows.len()),
            limited: None,
            settlement: Settlement::Skipped(A_BUG.to_owned()),
        };
        // What it could leave half done is gone with it.
        let made = catch_unwind(AssertUnwindSafe(|| self.make(found, redirected, allotments)));
        made.unwrap_or(Made::Settled(of_bug))
    }

    fn make(&self, found: DomainDay, redirected: &Redirected, allotments: &Allotments) -> Made {
        let is_redirected = redirected.contains_key(&found.policy_domain);
        let policy_domain = found.policy_domain.clone();
        let rows = count(found.rows.len());
        let messages = messages(&found);
        let skipped = |why: String, limited| {
            Made::Settled(Settled {
                policy_domain,
                messages,
                rows,
                limited,
                settlement: Settlement::Skipped(why),
            })
        };
        let (name, assembled) = match self.assembled(found, redirected) {
            Ok(assembled) => assembled,
            Err(why) => return skipped(why, None),
        };
        let named = self.destinations(&name, &assembled, is_redirected);
        // Without an address there is nothing to limit; what is wrong with the URIs is said of each.
        let allotted = (!named.is_empty()).then(|| allotments.of(&name)).transpose();
        let allotted = match allotted {
            Ok(allotted) => allotted,
            Err(limit) => return skipped(self.settings.kept_back(limit, &name), Some(limit)),
        };
        match self.render(&name, assembled) {
            Ok(reports) => Made::Reports(Box::new(Reports {
                messages,
                is_redirected,
                limited: allotted.and_then(|one| one.is_cut.then_some(DailyLimit::Destinations)),
                allotted: allotted.map(|one| one.destinations.clone()),
                ..reports
            })),
            Err(error) => skipped(format!("a bug: the report cannot be written: {error}"), None),
        }
    }

    /// What there is to report about a domain; why nothing, as far as DNS and the limits of the day have no say.
    fn assembled(
        &self,
        found: DomainDay,
        redirected: &Redirected,
    ) -> Result<(DomainName, Assembled), String> {
        let instead = redirected.get(&found.policy_domain);
        let day = day_of_domain(self.request.day, found)
            .map_err(|error| format!("the policy domain is no name: {error}"))?;
        let ReportSettings {
            reporter,
            limits,
            suffixes,
            ..
        } = &*self.settings;
        let mut assembled = assemble(&day, reporter, limits, suffixes);
        if let Some(rua) = instead {
            if rua.is_empty() {
                return Err("outbox redirect sends it nowhere".to_owned());
            }
            assembled.rua.clone_from(rua);
        }
        match why_none(&self.settings, &day.policy_domain, &assembled) {
            Some(why) => Err(why),
            None => Ok((day.policy_domain, assembled)),
        }
    }

    fn render(&self, policy_domain: &DomainName, assembled: Assembled) -> io::Result<Reports> {
        let mut reports = Vec::new();
        let gaps = gaps(&assembled);
        for report in assembled.reports {
            reports.extend(rendered(
                &self.settings,
                &self.request,
                policy_domain,
                report,
                &gaps,
            )?);
        }
        Ok(Reports {
            policy_domain: policy_domain.clone(),
            messages: assembled.messages,
            rows: reports
                .iter()
                .fold(0, |sum, report: &NewReport| sum.saturating_add(report.rows)),
            rua: assembled.rua,
            is_redirected: false,
            allotted: None,
            limited: None,
            reports,
        })
    }
}

fn settled_before(found: DomainDay) -> Made {
    Made::Settled(Settled {
        messages: messages(&found),
        rows: count(found.rows.len()),
        policy_domain: found.policy_domain,
        limited: None,
        settlement: Settlement::Before,
    })
}

fn messages(found: &DomainDay) -> u64 {
    let counted = found.rows.iter().map(|row| row.count);
    counted.fold(found.left_out_messages, u64::saturating_add)
}

/// Why a domain gets no report, as far as DNS has no say in it.
fn why_none(settings: &ReportSettings, policy_domain: &DomainName, assembled: &Assembled) -> Option<String> {
    let why = if assembled.rua.is_empty() {
        return Some(why_no_rua(&assembled.problems));
    } else if settings.excluded.contains(policy_domain) {
        "report.exclude_domains has it"
    } else if assembled.incidental_only {
        // Decision D18: no report because of reports.
        "nothing but report traffic"
    } else if settings.keys.only_after_accepting && assembled.only_refused {
        "nothing but refused mail (report.only_after_accepting)"
    } else if assembled.reports.is_empty() {
        "no row that can be reported"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// A record that asks for reports in a way that nobody understands is not one that does not ask.
fn why_no_rua(problems: &[String]) -> String {
    let problem = problems
        .iter()
        .find(|problem| problem.starts_with(PROBLEM_OF_RUA));
    match problem {
        Some(problem) => format!("no usable address in rua: {problem}"),
        // RFC 9989 §4.7: without rua there is nobody who asks.
        None => "the record has no rua".to_owned(),
    }
}

/// One report in its parts, compressed, with its text, for nobody yet.
fn rendered(
    settings: &ReportSettings,
    request: &DayRequest,
    policy_domain: &DomainName,
    report: AggregateReport,
    gaps: &str,
) -> io::Result<Vec<NewReport>> {
    let submitter = &settings.reporter.submitter;
    // Derived from the configuration, among others; so it tells configurations apart.
    let configuration = report.metadata.report_id.clone();
    let period = report.metadata.period;
    let parts = render_parts(report, submitter, settings.form, &settings.limits)?;
    let (of, date_ms) = (parts.len(), request.clock.now_ms());
    let of_part = |(number, part): (usize, RenderedPart)| {
        let portion = match of {
            1 => Portion::Whole,
            _ => Portion::Part { number, of },
        };
        let report_id = ReportId::parse(&part.report_id).ok_or(io::ErrorKind::InvalidData)?;
        let text = TextFacts {
            organization: &settings.reporter.organization,
            from: &settings.email,
            contact: settings.reporter.contact.as_deref().unwrap_or_default(),
            submitter,
            policy_domain,
            report_id: &report_id,
            begin: period.begin,
            end: period.end,
            portion,
            gaps,
        };
        let facts = Facts {
            gaps: gaps.to_owned(),
            ..Facts::default()
        };
        Ok(new_report(
            part,
            &text,
            facts,
            request.day,
            &configuration,
            date_ms,
        ))
    };
    (1..).zip(parts).map(of_part).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_nobody_understands_is_told_apart_from_none() {
        let record = b"v=DMARC1; p=none; rua=me@example.com; ruf=x";
        let record = landmarc_dmarc::record::PolicyRecord::parse(record).unwrap();
        let problems: Vec<_> = record.problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(
            why_no_rua(&problems),
            @r#"no usable address in rua: the tag rua has the item "me@example.com", which is no usable URI"#
        );
        let of_ruf: Vec<_> = problems
            .into_iter()
            .filter(|problem| problem.contains("ruf"))
            .collect();
        assert_eq!(of_ruf.len(), 1);
        insta::assert_snapshot!(why_no_rua(&of_ruf), @"the record has no rua");
        insta::assert_snapshot!(why_no_rua(&[]), @"the record has no rua");
    }
}
