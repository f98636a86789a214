//! The message of a report, made from what is stored of it: the same octets each time (decision D17).

use landmarc_mail::message::{HeaderLimits, split};
use landmarc_mail::{DomainName, HeaderField, HeaderSection};
use landmarc_report::Address;
use landmarc_report::aggregate_mail::{AggregateMailFacts, aggregate_mail};
use landmarc_report::mime::ReportMail;
use landmarc_report::report_id::ReportId;
use landmarc_store::{NewReport, Report, ReportKind};
use serde_json::{Value, json};

/// What is stored with a report beside the columns that the store has for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What a person reads in the message.
    pub text: String,
    /// What the report does not show of its day, in lines for its messages.
    pub gaps: String,
    /// Hosts of destinations that DNS said nothing about: nothing is sent there before it has.
    pub unverified: Vec<String>,
    /// Our own address that gets a copy, which nobody else's DNS has a say in.
    pub copy_to: Option<String>,
}

impl Facts {
    /// As it is stored.
    pub fn to_json(&self) -> String {
        json!({
            "text": self.text,
            "gaps": self.gaps,
            "unverified": self.unverified,
            "copy_to": self.copy_to,
        })
        .to_string()
    }

    /// What is stored; what is not there is empty.
    pub fn read(stored: &str) -> Self {
        let stored: Value = serde_json::from_str(stored).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let hosts = stored.get("unverified").and_then(Value::as_array);
        Self {
            text: stored.get("text").and_then(text).unwrap_or_default(),
            gaps: stored.get("gaps").and_then(text).unwrap_or_default(),
            unverified: hosts
                .map(|hosts| hosts.iter().filter_map(text).collect())
                .unwrap_or_default(),
            copy_to: stored.get("copy_to").and_then(text),
        }
    }
}

/// A report, stored or about to be, as far as its messages need it.
#[derive(Clone, Copy, Debug)]
pub struct MailDraft<'a> {
    /// Aggregate or failure report.
    pub kind: ReportKind,
    /// The id of the report.
    pub report_id: &'a str,
    /// The domain that is reported about.
    pub policy_domain: &'a str,
    /// The domain that reports.
    pub submitter: &'a str,
    /// The address that the report is of.
    pub email: &'a str,
    /// The name of who reports.
    pub organization: &'a str,
    /// When the time that is reported about begins, in Unix seconds.
    pub begin_s: u64,
    /// When it ends.
    pub end_s: u64,
    /// The date of the message, in milliseconds since the epoch.
    pub date_ms: u64,
    /// What was written down of the report.
    pub facts: &'a str,
}

impl<'a> From<&'a Report> for MailDraft<'a> {
    fn from(report: &'a Report) -> Self {
        Self {
            kind: report.kind,
            report_id: &report.report_id,
            policy_domain: &report.policy_domain,
            submitter: &report.submitter,
            email: &report.email,
            organization: &report.organization,
            begin_s: report.begin_s,
            end_s: report.end_s,
            date_ms: report.date_ms,
            facts: &report.facts,
        }
    }
}

impl<'a> From<&'a NewReport> for MailDraft<'a> {
    fn from(report: &'a NewReport) -> Self {
        Self {
            kind: report.kind,
            report_id: &report.report_id,
            policy_domain: &report.policy_domain,
            submitter: &report.submitter,
            email: &report.email,
            organization: &report.organization,
            begin_s: report.begin_s,
            end_s: report.end_s,
            date_ms: report.date_ms,
            facts: &report.facts,
        }
    }
}

/// A stored report of which no message can be made: the store is damaged, or of another hand.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored {what} {found:?} cannot be used")]
pub struct Unfit {
    what: &'static str,
    found: String,
}

impl MailDraft<'_> {
    /// The date of its messages, in seconds since the epoch.
    pub fn date_s(&self) -> u64 {
        self.date_ms / 1_000
    }

    /// The message to one destination.
    ///
    /// # Errors
    /// When what is stored is no report of ours.
    pub fn report_mail(&self, body: &[u8], destination: &Address) -> Result<ReportMail, Unfit> {
        match self.kind {
            ReportKind::Aggregate => self.aggregate(body, destination),
            ReportKind::Failure => self.failure(body, destination),
        }
    }

    fn aggregate(&self, body: &[u8], destination: &Address) -> Result<ReportMail, Unfit> {
        let facts = Facts::read(self.facts);
        let text = &facts.text;
        let report_id = ReportId::parse(self.report_id).ok_or_else(|| unfit("report_id", self.report_id))?;
        Ok(aggregate_mail(
            &AggregateMailFacts {
                from: &self.from()?,
                organization: self.organization,
                submitter: &self.submitter()?,
                policy_domain: &name("policy_domain", self.policy_domain)?,
                report_id: &report_id,
                begin: self.begin_s,
                end: self.end_s,
                date: self.date_s(),
                text,
            },
            destination,
            body,
        ))
    }

    /// A failure report is stored as the message to one destination. That to another differs in two
    /// header fields.
    fn failure(&self, body: &[u8], destination: &Address) -> Result<ReportMail, Unfit> {
        let unreadable = || unfit("message", self.report_id);
        let report_id = ReportId::parse(self.report_id).ok_or_else(|| unfit("report_id", self.report_id))?;
        let message_id = report_id.message_id(&self.submitter()?, destination);
        let parsed = split(body, &HeaderLimits::default()).map_err(|_| unreadable())?;
        let mut header = HeaderSection::default();
        for field in parsed.header.fields() {
            let field = if field.is("To") {
                HeaderField::new(field.raw_name(), format!(" {destination}").into_bytes())
            } else if field.is("Message-ID") {
                HeaderField::new(field.raw_name(), format!(" {message_id}").into_bytes())
            } else {
                field.clone()
            };
            header.push(field, &HeaderLimits::default());
        }
        Ok(ReportMail {
            header,
            body: parsed.body.to_vec(),
            message_id,
        })
    }

    /// The domain that submits it.
    ///
    /// # Errors
    /// When it is no name.
    pub fn submitter(&self) -> Result<DomainName, Unfit> {
        name("submitter", self.submitter)
    }

    fn from(&self) -> Result<Address, Unfit> {
        Address::parse(self.email).map_err(|_| unfit("email", self.email))
    }
}

fn name(what: &'static str, text: &str) -> Result<DomainName, Unfit> {
    DomainName::parse(text).map_err(|_| unfit(what, text))
}

fn unfit(what: &'static str, found: &str) -> Unfit {
    Unfit {
        what,
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_were_written_and_what_is_damaged_is_empty() {
        let facts = Facts {
            text: "Häuser\n\"so\"".to_owned(),
            gaps: "In no row: 1 of 2 messages of the day.\n".to_owned(),
            unverified: vec!["a.example".to_owned()],
            copy_to: Some("postmaster@r.example".to_owned()),
        };
        assert_eq!(Facts::read(&facts.to_json()), facts);
        for damaged in ["", "{", "[]", "{\"text\": 1, \"unverified\": {}}"] {
            assert_eq!(Facts::read(damaged), Facts::default(), "{damaged}");
        }
    }

    fn draft(kind: ReportKind) -> MailDraft<'static> {
        MailDraft {
            kind,
            report_id: "abcdefghijklmnopqrstuvwxyz",
            policy_domain: "a.example",
            submitter: "r.example",
            email: "noreply@r.example",
            organization: "R",
            begin_s: 1_780_272_000,
            end_s: 1_780_358_399,
            date_ms: 1_780_358_400_999,
            facts: "{}",
        }
    }

    #[test]
    fn the_copy_of_a_failure_report_differs_in_whom_it_is_for() {
        let stored =
            b"From: noreply@r.example\r\nTo: first@a.example\r\nMessage-ID: <x@r.example>\r\n\r\nbody\r\n";
        let to = Address::parse("postmaster@r.example").unwrap();
        let mail = draft(ReportKind::Failure).report_mail(stored, &to).unwrap();
        let text = String::from_utf8(mail.to_bytes()).unwrap();
        assert_eq!(
            text,
            format!(
                "From: noreply@r.example\r\nTo: postmaster@r.example\r\nMessage-ID: {}\r\n\r\nbody\r\n",
                mail.message_id
            )
        );
        assert!(mail.message_id.starts_with("<abcdefghijklmnopqrstuvwxyz."));
    }

    #[test]
    fn what_is_no_report_of_ours_makes_no_message() {
        let to = Address::parse("dmarc@a.example").unwrap();
        let made = |draft: MailDraft<'_>| {
            draft
                .report_mail(b"", &to)
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        let whole = draft(ReportKind::Aggregate);
        assert_eq!(made(whole), Ok(()));
        assert_eq!(
            made(MailDraft {
                report_id: "x\r\ny",
                ..whole
            }),
            Err("the stored report_id \"x\\r\\ny\" cannot be used".to_owned())
        );
        assert!(
            made(MailDraft {
                email: "nobody",
                ..whole
            })
            .is_err()
        );
        assert!(
            made(MailDraft {
                submitter: "",
                ..whole
            })
            .is_err()
        );
        assert!(
            made(draft(ReportKind::Failure)).is_err(),
            "an empty body is no message"
        );
    }
}
