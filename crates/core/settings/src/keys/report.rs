//! The tables of what is told to others: aggregate reports (RFC 9990) and failure reports (RFC 9991).

use std::path::PathBuf;
use std::time::Duration;

use landmarc_mail::DomainName;

use crate::value::address::MailAddress;
use crate::value::fixed;
use crate::value::report::{Delimiter, DkimKeyFile, Relay};
use crate::value::unit::Size;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

table! {
    /// What is told to the owners of domains that mail claims to come from.
    pub struct ReportTable {
        keys {
            /// The address that reports come from, and that whoever receives one can write to. This
            /// switches reporting on: without it nothing is sent to anybody. Best below a name of its own,
            /// such as "dmarc-reports@reports.example.com", whose own DMARC record asks for no reports.
            email: Option<MailAddress> = None, reloads since "0.1.0";

            /// The name of whoever reports, as it stands in a report (org_name). Empty: the domain of
            /// "email".
            organization: Option<String> = None, reloads since "0.1.0";

            /// How to reach a person with questions about a report, such as a web or mail address
            /// (extra_contact_info). Empty: nothing is said of it.
            contact: Option<String> = None, reloads since "0.1.0";

            /// Whether aggregate reports are sent: once a day, to each domain that asks for them, how
            /// many messages came in its name, from where, and what became of them.
            aggregate: bool = true, reloads since "0.1.0";

            /// The form of aggregate reports.
            form: ReportForm = ReportForm::Rfc9990, reloads since "0.1.0";

            /// The name this receiver goes by in the subject and the file name of a report (the submitter).
            /// The hosts of one site have the same. Empty: the domain of "email".
            domain: Option<DomainName> = None, reloads since "0.1.0";

            /// The address that bounces of reports go to (the envelope sender). Empty: that of "email".
            return_path: Option<MailAddress> = None, reloads since "0.1.0";

            /// What stands between that address and the token which tells the bounce of one message from
            /// those of all others; the mail server must know it (Postfix: recipient_delimiter). Empty: no
            /// token, so that no bounce finds its message.
            return_path_delimiter: Option<Delimiter> = Some(fixed("+")), reloads since "0.1.0";

            /// Further addresses here that receive reports of others, as the rua and ruf of one's own
            /// domains name them. Mail that goes to nobody else causes no report, so that two sites do not
            /// report about their reports forever.
            own_addresses: Vec<MailAddress> = Vec::new(), reloads since "0.1.0";

            /// Domains that are sent no reports, as the DMARC Policy Domain. Names below them are not
            /// meant.
            exclude_domains: Vec<DomainName> = Vec::new(), reloads since "0.1.0";

            /// Whether domains get no report on a day on which all mail in their name was refused. A
            /// flood of forged mail then makes nobody receive reports from here.
            only_after_accepting: bool = false, reloads since "0.1.0";

            /// How long after midnight (UTC) the reports of the day before are begun, so that what was
            /// under way is in them.
            settle: Duration = 15 * MINUTE, [MINUTE..=6 * HOUR], reloads since "0.1.0";

            /// The time over which the reports of a day are spread: each domain has its own moment in it,
            /// so that they do not go out all at once.
            spread: Duration = 4 * HOUR, [Duration::ZERO..=16 * HOUR], reloads since "0.1.0";

            /// How many destinations of one record get the report, the first ones first. A record below an
            /// Organizational Domain has 3 at most: a zone can have any number of these.
            max_destinations: usize = 10, [1..=100, "destinations"], reloads since "0.1.0";

            /// How many DMARC Policy Domains of one organization get a report about a day, those with the
            /// most messages first. Organizations are told apart by the Public Suffix List. Few have more
            /// than some ten names with a record of their own; a wildcard zone has one for each message.
            reports_per_organization: usize = 50, [1..=100_000, "policy domains"], reloads since "0.1.0";

            /// How many different addresses get the reports about one organization and day. Most name
            /// one or two, of their own and of who evaluates the reports for them.
            destinations_per_organization: usize = 20, [1..=10_000, "addresses"], reloads since "0.1.0";

            /// How much report mail there is about one day, to all together; the policy domains with the
            /// most messages come first. A busy server has some thousand domains a day that ask for
            /// reports, with one or two addresses each.
            per_day: u32 = 20_000, [1..=10_000_000, "messages"], reloads since "0.1.0";

            /// The largest message, as it is sent. A report that would make a larger one is sent in parts.
            max_message_size: Size = Size::mib(10), [Size::kib(64)..=Size::mib(50)], reloads since "0.1.0";

            /// How long a message waits that could not be handed over at first. Each further wait is
            /// twice as long.
            retry_first: Duration = 15 * MINUTE, [MINUTE..=DAY], reloads since "0.1.0";

            /// The longest such wait.
            retry_longest: Duration = 6 * HOUR, [MINUTE..=2 * DAY], reloads since "0.1.0";

            /// How long a message is tried before it is given up.
            give_up_after: Duration = 4 * DAY, [HOUR..=30 * DAY], reloads since "0.1.0";

            /// How many messages a minute go to the addresses of one domain.
            per_host: u32 = 60, [1..=100_000, "messages a minute"], reloads since "0.1.0";

            /// For how many days reports are kept that were sent or given up; so long they can be shown
            /// and sent again.
            keep_days: u32 = 30, [1..=3650, "days"], reloads since "0.1.0";

            /// The domain that messages are signed for (DKIM), which should be in alignment with that of
            /// "email". Empty: the domain of "email".
            dkim_domain: Option<DomainName> = None, reloads since "0.1.0";

            /// The keys that messages are signed with, each "SELECTOR:FILE", such as
            /// "reports1:/etc/landmarc/reports1.pem": at most one RSA and one Ed25519 key. "landmarc dkim
            /// new" makes one and tells what to publish. Empty: messages are not signed here. The user of
            /// the service must be able to read the files.
            dkim_keys: Vec<DkimKeyFile> = Vec::new(), reloads since "0.1.0";
        }
        tables {
            /// How messages leave this host.
            delivery: DeliveryTable;
            /// Reports about single messages that fail (RFC 9991). They carry the header section of a
            /// message, never its body, and go only to domains that ask for them (ruf).
            failure: FailureReports;
        }
    }
}

impl ReportTable {
    /// The name this receiver reports under (RFC 9990 §3.5.2); nothing where nothing is reported.
    #[must_use]
    pub fn submitter(&self) -> Option<&DomainName> {
        self.of_email(self.domain.as_ref())
    }

    /// The domain that messages are signed for; nothing where nothing is reported.
    #[must_use]
    pub fn signing_domain(&self) -> Option<&DomainName> {
        self.of_email(self.dkim_domain.as_ref())
    }

    /// `org_name` of a report; nothing where nothing is reported.
    #[must_use]
    pub fn organization_name(&self) -> Option<&str> {
        let email = self.email.as_ref()?;
        Some(self.organization.as_deref().unwrap_or(email.domain().as_str()))
    }

    /// Where bounces go, before a token is added; nothing where nothing is reported.
    #[must_use]
    pub fn bounces(&self) -> Option<&MailAddress> {
        let email = self.email.as_ref()?;
        Some(self.return_path.as_ref().unwrap_or(email))
    }

    fn of_email<'a>(&'a self, given: Option<&'a DomainName>) -> Option<&'a DomainName> {
        let email = self.email.as_ref()?;
        Some(given.unwrap_or(email.domain()))
    }
}

choices! {
    /// The form of aggregate reports.
    pub enum ReportForm {
        /// as RFC 9990 has it, in its own namespace.
        Rfc9990 = "rfc9990",
        /// as RFC 7489 had it, without what is new since.
        Rfc7489 = "rfc7489",
    }
}

table! {
    /// How messages leave this host.
    pub struct DeliveryTable {
        keys {
            /// What takes the messages.
            by: DeliveryBy = DeliveryBy::Smtp, reloads since "0.1.0";

            /// The mail server that takes them by SMTP, with its port.
            relay: Relay = fixed("127.0.0.1:25"), reloads since "0.1.0";

            /// Whether the connection to it is encrypted.
            tls: RelayTls = RelayTls::Opportunistic, reloads since "0.1.0";

            /// The certificates of the authority of that mail server, in PEM. Empty: those of the system.
            ca_file: Option<PathBuf> = None, reloads since "0.1.0";

            /// The user to sign in as. Empty: without signing in.
            user: Option<String> = None, reloads since "0.1.0";

            /// The file whose first line is the password of that user.
            password_file: Option<PathBuf> = None, reloads since "0.1.0";

            /// The name this host greets with (EHLO). Empty: its host name.
            hello: Option<DomainName> = None, reloads since "0.1.0";

            /// How long handing over one message may take.
            timeout: Duration = 5 * MINUTE, [Duration::from_secs(10)..=HOUR], reloads since "0.1.0";

            /// How many connections there may be at once.
            connections: usize = 2, [1..=64, "connections"], reloads since "0.1.0";

            /// The program and its arguments, where a program takes the messages: they come on its standard
            /// input. {return_path} and {recipient} are filled in; no shell is involved.
            sendmail: Vec<String> = sendmail(), reloads since "0.1.0";

            /// The directory that messages are written into, where it is that which takes them; each is a
            /// file of its own.
            directory: Option<PathBuf> = None, reloads since "0.1.0";
        }
    }
}

fn sendmail() -> Vec<String> {
    let words = [
        "/usr/sbin/sendmail",
        "-i",
        "-f",
        "{return_path}",
        "--",
        "{recipient}",
    ];
    words.map(str::to_owned).to_vec()
}

choices! {
    /// What takes messages.
    pub enum DeliveryBy {
        /// the mail server that "relay" names.
        Smtp = "smtp",
        /// the program that "sendmail" names.
        Sendmail = "sendmail",
        /// the directory that "directory" names; nothing is sent.
        Directory = "directory",
    }
}

choices! {
    /// Whether a connection to the relay is encrypted.
    pub enum RelayTls {
        /// never.
        None = "none",
        /// if the mail server offers it (STARTTLS), whoever it is.
        Opportunistic = "opportunistic",
        /// always (STARTTLS), with a certificate that is right; otherwise nothing is sent.
        Required = "required",
        /// from the first octet on, as on port 465, with a certificate that is right.
        Implicit = "implicit",
    }
}

table! {
    /// Reports about single messages.
    pub struct FailureReports {
        keys {
            /// Whether failure reports are sent. What they tell is about persons: see docs/reporting.md
            /// first.
            enabled: bool = false, reloads since "0.1.0";

            /// Whether they are sent for domains that ask for no action (p=none), too: that is where most
            /// owners begin, and look for what they have forgotten.
            on_none: bool = true, reloads since "0.1.0";

            /// Whether they are sent for messages that pass DMARC by one mechanism while the other fails,
            /// where a domain asks for that (fo=1). Forwarded mail alone makes these many.
            on_pass: bool = false, reloads since "0.1.0";

            /// What is left of the addresses in the header section of the message.
            redaction: Redaction = Redaction::Hashed, reloads since "0.1.0";

            /// Whether the Subject of the message is told.
            subject: bool = false, reloads since "0.1.0";

            /// An address that gets a copy of each failure report. Empty: nobody.
            bcc: Option<MailAddress> = None, reloads since "0.1.0";

            /// How many failure reports one destination gets in a minute.
            per_destination_minute: u32 = 10, [1..=1000, "reports"], reloads since "0.1.0";

            /// How many failure reports one destination gets in a day.
            per_destination_day: u32 = 200, [1..=100_000, "reports"], reloads since "0.1.0";

            /// How many failure reports are sent in a day, to all together.
            per_day: u32 = 2000, [1..=1_000_000, "reports"], reloads since "0.1.0";
        }
    }
}

choices! {
    /// What is left of the addresses of a message.
    pub enum Redaction {
        /// the domain, and in place of what stands before the "@" a token that is the same for the
        /// same text, and that nobody else can turn back (RFC 6590).
        Hashed = "hashed",
        /// the domain alone; what stands before the "@" is taken away.
        Domains = "domains",
        /// all of it, as it came.
        None = "none",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TextValue;

    #[test]
    fn what_is_not_given_follows_from_the_address_of_reports() {
        let email: MailAddress = TextValue::parse("dmarc@mail.example.com").unwrap();
        let names = |report: &ReportTable| {
            [
                report.submitter().map(ToString::to_string),
                report.signing_domain().map(ToString::to_string),
                report.organization_name().map(str::to_owned),
                report.bounces().map(ToString::to_string),
            ]
            .map(Option::unwrap_or_default)
        };
        let given = ReportTable {
            email: Some(email.clone()),
            domain: Some(DomainName::parse("mx.example.com").unwrap()),
            dkim_domain: Some(DomainName::parse("example.com").unwrap()),
            organization: Some("Example Corp".to_owned()),
            return_path: Some(TextValue::parse("bounces@example.com").unwrap()),
            ..ReportTable::default()
        };
        assert_eq!(
            names(&given),
            [
                "mx.example.com",
                "example.com",
                "Example Corp",
                "bounces@example.com"
            ]
        );
        let only_email = ReportTable {
            email: Some(email),
            ..ReportTable::default()
        };
        let domain = "mail.example.com";
        assert_eq!(
            names(&only_email),
            [domain, domain, domain, "dmarc@mail.example.com"]
        );
        let nothing = ReportTable { email: None, ..given };
        assert_eq!(names(&nothing), ["", "", "", ""]);
    }
}
