//! What of the settings about reports matters while a message passes, and what of the message
//! matters for reports.

use landmarc_intake::{MAX_SUBJECT_OCTETS, read_subject};
use landmarc_mail::ReversePath;
use landmarc_mail::message::HeaderSection;
use landmarc_receiver::Judgement;
use landmarc_receiver::report_traffic::{OwnReportAddress, ReportAddresses, is_feedback_report};
use landmarc_report::failure::facts::MAX_HEADER_OCTETS;
use landmarc_report::failure::{self, FailureFacts, HeaderCopy, gate};
use landmarc_settings::MailAddress;
use landmarc_settings::keys::ReportTable;

use super::memory::UNCOUNTED_HEADER_OCTETS;
use landmarc_runtime::failure_reports::FailureCandidate;

/// A copy of a header section is kept where the section itself was, so it must be no more than what
/// goes uncounted there.
const _: () = assert!(MAX_HEADER_OCTETS <= UNCOUNTED_HEADER_OCTETS);

/// What the settings say.
pub(super) struct Reporting {
    addresses: ReportAddresses,
    /// When failure reports are made; nothing when they are not.
    failure: Option<failure::RequestRules>,
}

impl Reporting {
    pub(super) fn new(report: &ReportTable) -> Self {
        let is_on = report.email.is_some() && report.failure.enabled;
        Self {
            addresses: ReportAddresses::new(own_addresses(report)),
            failure: is_on.then_some(failure::RequestRules {
                on_none: report.failure.on_none,
                on_pass: report.failure.on_pass,
            }),
        }
    }

    /// Whether this is an address of ours that reports come from or go to.
    pub(super) fn is_own_address(&self, path: &ReversePath) -> bool {
        self.addresses.contain(path)
    }

    pub(super) fn makes_failure_reports(&self) -> bool {
        self.failure.is_some()
    }

    /// What is taken of the header section before it is let go.
    pub(super) fn look_at(&self, headers: &HeaderSection) -> OfHeader {
        OfHeader {
            is_report: is_feedback_report(headers) || has_subject_of_report(headers),
            copy: self.failure.map(|_| Box::new(HeaderCopy::of(headers))),
        }
    }

    /// The message as one that a failure report may be made of, if its domain wants one and nothing
    /// speaks against it.
    pub(super) fn candidate(
        &self,
        judgement: &Judgement,
        traffic: Traffic,
        moment: failure::MtaFacts,
    ) -> Option<FailureCandidate> {
        let (rules, copy) = (self.failure?, traffic.copy?);
        let moment = failure::MtaFacts {
            is_to_us: traffic.is_to_us,
            ..moment
        };
        let facts = FailureFacts::of(judgement, *copy, moment)?;
        match gate(&facts, rules) {
            Ok(wanted) => Some(FailureCandidate { facts, wanted }),
            Err(why) => {
                tracing::debug!(queue_id = %facts.moment.queue_id, "no failure report: {why}");
                None
            }
        }
    }
}

/// What of a header section matters for reports.
#[derive(Default)]
pub(super) struct OfHeader {
    /// Whether it says that it is a report.
    is_report: bool,
    /// The fields, where failure reports are made. As large as what of a header section goes
    /// uncounted (see `message`), which is let go at the same moment.
    copy: Option<Box<HeaderCopy>>,
}

/// What a judged message is for those who report.
#[derive(Default)]
pub(super) struct Traffic {
    /// It is itself about reports, and no cause for one (decision D18).
    pub(super) incidental: bool,
    /// One of its recipients is an address of ours for reports.
    is_to_us: bool,
    copy: Option<Box<HeaderCopy>>,
}

impl Traffic {
    /// `all_to_us`, `any_to_us`: of the recipients.
    pub(super) fn of(judgement: &Judgement, header: OfHeader, all_to_us: bool, any_to_us: bool) -> Self {
        Self {
            // What anybody can write into a header counts only for a domain that stands behind it:
            // else forged mail could hide itself from the reports about it.
            incidental: all_to_us || header.is_report && judgement.dmarc.is_pass(),
            is_to_us: any_to_us,
            copy: header.copy,
        }
    }
}

fn own_addresses(report: &ReportTable) -> Vec<OwnReportAddress> {
    let plain = report.email.iter().chain(&report.own_addresses);
    let plain = plain.map(|address| own_address(address, None));
    let delimiter = report
        .return_path_delimiter
        .map(landmarc_settings::Delimiter::as_char);
    let bounces = report.bounces().map(|address| own_address(address, delimiter));
    plain.chain(bounces).collect()
}

fn own_address(address: &MailAddress, delimiter: Option<char>) -> OwnReportAddress {
    OwnReportAddress {
        local_part: address.local_part().to_owned(),
        domain: address.domain().clone(),
        delimiter,
    }
}

/// Whether the Subject is that of an aggregate report (RFC 9990 §3.5.2).
fn has_subject_of_report(headers: &HeaderSection) -> bool {
    headers
        .named("Subject")
        .any(|(_, field)| is_subject_of_report(field.value()))
}

fn is_subject_of_report(value: &[u8]) -> bool {
    let value = value.get(..MAX_SUBJECT_OCTETS).unwrap_or(value);
    read_subject(&String::from_utf8_lossy(value)).is_some()
}

#[cfg(test)]
mod tests {
    use landmarc_mail::message::{HeaderField, HeaderLimits};

    use super::*;

    fn reporting(text: &str) -> Reporting {
        Reporting::new(&landmarc_settings::read(text).unwrap().0.report)
    }

    #[test]
    fn d18_our_addresses_are_those_of_the_settings() {
        let reporting = reporting(
            "[report]\nemail = 'dmarc@example.com'\nreturn_path = 'bounces@reports.example.com'\n\
             return_path_delimiter = '='\nown_addresses = ['rua@example.org']\n",
        );
        for (path, expected) in [
            ("<dmarc@example.com>", true),
            ("<dmarc=r1abc@example.com>", false),
            ("<bounces@reports.example.com>", true),
            ("<Bounces=r1abc@reports.example.com>", true),
            ("<bounces+r1abc@reports.example.com>", false),
            ("<rua@example.org>", true),
            ("<postmaster@example.org>", false),
        ] {
            let path = ReversePath::new(path.as_bytes());
            assert_eq!(reporting.is_own_address(&path), expected, "{path:?}");
        }
    }

    #[test]
    fn bounces_come_to_the_address_of_reports_where_no_other_is_set() {
        let reporting = reporting("[report]\nemail = 'dmarc@example.com'\n");
        for path in ["<dmarc@example.com>", "<dmarc+r1abc@example.com>"] {
            assert!(
                reporting.is_own_address(&ReversePath::new(path.as_bytes())),
                "{path}"
            );
        }
    }

    /// What is received for others is known even where nothing is sent.
    #[test]
    fn addresses_that_take_reports_are_known_without_an_address_of_our_own() {
        let reporting = reporting("[report]\nown_addresses = ['rua@example.org']\n");
        assert!(reporting.is_own_address(&ReversePath::new(b"<rua@example.org>")));
    }

    fn header(name: &str, value: &str) -> HeaderSection {
        let mut headers = HeaderSection::default();
        let field = HeaderField::new(name.as_bytes(), value.as_bytes());
        headers.push(field, &HeaderLimits::default());
        headers
    }

    /// J01 to J07, as far as they are written.
    #[test]
    fn d18_an_aggregate_report_is_known_by_its_subject() {
        let looked_at = |value: &str| reporting("").look_at(&header("Subject", value)).is_report;
        for subject in [
            " Report Domain: example.com Submitter: mail.receiver.example Report-ID: <a@example.com>",
            " Report domain: example.com\r\n Submitter: google.com\r\n Report-ID: 949348866075514174",
            " [SPAM] Report Domain: example.com Submitter: r.example Report-ID: <a@b>",
            " =?utf-8?Q?Report_Domain=3A_example=2Ecom_Submitter=3A_r=2Eexample_Report-ID=3A_=3Ca=3E?=",
        ] {
            assert!(looked_at(subject), "{subject}");
        }
        for subject in [
            "",
            " Lunch",
            " Quarterly report",
            " =?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
            " \u{fffd}",
        ] {
            assert!(!looked_at(subject), "{subject}");
        }
    }

    #[test]
    fn a_subject_is_looked_at_up_to_its_limit() {
        const SUBJECT: &str = "Report Domain: example.com Submitter: r.example Report-ID: <a@b>";
        let ending_at = |end: usize| format!("{}{SUBJECT}", " ".repeat(end - SUBJECT.len()));
        assert!(is_subject_of_report(ending_at(MAX_SUBJECT_OCTETS).as_bytes()));
        let far = ending_at(MAX_SUBJECT_OCTETS + SUBJECT.len());
        assert!(!is_subject_of_report(far.as_bytes()));
    }

    #[test]
    fn a_feedback_report_is_a_report_and_a_bounce_is_none() {
        let looked_at = |value: &str| reporting("").look_at(&header("Content-Type", value)).is_report;
        assert!(looked_at(
            " multipart/report; report-type=feedback-report; boundary=b"
        ));
        assert!(!looked_at(
            " multipart/report; report-type=delivery-status; boundary=b"
        ));
    }

    #[test]
    fn d20_header_sections_are_copied_only_where_failure_reports_are_made() {
        let copied = |text: &str| reporting(text).look_at(&header("Subject", " x")).copy.is_some();
        assert!(!copied(""));
        assert!(!copied("[report]\nemail = 'a@example.com'\n"));
        assert!(
            !copied("[report]\nfailure.enabled = true\n"),
            "nobody would send them"
        );
        assert!(copied(
            "[report]\nemail = 'a@example.com'\nfailure.enabled = true\n"
        ));
    }
}
