//! Whether a report comes from the domain that it names.

use landmarc_dmarc::DmarcResult;
use landmarc_mail::DomainName;

use landmarc_report::aggregate::Metadata;

/// What our own engine found of the mail that carried a report.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    /// The Author Domain of the mail; none where it has not exactly one.
    pub author_domain: Option<&'a DomainName>,
    /// The result of DMARC.
    pub dmarc: &'a DmarcResult,
}

/// How far a report is to be believed to come from somebody at all. What it says of itself
/// (`org_name`, `email`, the Subject) counts for nothing: anybody can write that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The mail passed DMARC: this domain sent it. RFC 9990 §3.5.2 asks that of every report. Shown
    /// as the submitter, whatever the report claims (RR44).
    Authenticated(DomainName),
    /// Nobody knows who sent it: kept apart, and in no sum unless the operator says so (RR42).
    Untrusted(Doubt),
}

/// Why a report is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Doubt {
    /// It came as a file, and not by mail that could be judged.
    #[error("it came without a mail that could be judged")]
    NoMail,
    /// The mail has no Author Domain, or several.
    #[error("its mail has no single Author Domain")]
    NoAuthorDomain,
    /// The mail has no aligned pass: its author publishes no policy, or it failed.
    #[error("its mail does not pass DMARC")]
    NoPass,
    /// It could not be found out; a later delivery of the same report may be.
    #[error("whether its mail passes DMARC could not be found out")]
    Unanswered,
}

impl Doubt {
    /// The word for logs, SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMail => "no_mail",
            Self::NoAuthorDomain => "no_author_domain",
            Self::NoPass => "no_pass",
            Self::Unanswered => "unanswered",
        }
    }
}

impl Trust {
    /// Who is known to have sent the report.
    #[must_use]
    pub fn submitter(&self) -> Option<&DomainName> {
        match self {
            Self::Authenticated(domain) => Some(domain),
            Self::Untrusted(_) => None,
        }
    }

    /// Whether the report speaks for somebody else than who sent it: its `email` is at neither the
    /// submitter's domain nor one above or below (RR44). Large providers do send for others, so
    /// this is a mark and no judgement. Of an untrusted report everything is a claim.
    #[must_use]
    pub fn is_other_than(&self, metadata: &Metadata) -> bool {
        let claimed = email_domain(&metadata.email);
        match (self.submitter(), claimed) {
            (Some(submitter), Some(claimed)) => {
                !claimed.is_at_or_below(submitter) && !submitter.is_at_or_below(&claimed)
            }
            _ => true,
        }
    }
}

/// How far a report is to be trusted; `None` for one that came without mail.
#[must_use]
pub fn trust(carrier: Option<Carrier<'_>>) -> Trust {
    let Some(carrier) = carrier else {
        return Trust::Untrusted(Doubt::NoMail);
    };
    let Some(author_domain) = carrier.author_domain else {
        return Trust::Untrusted(Doubt::NoAuthorDomain);
    };
    match carrier.dmarc {
        DmarcResult::Pass(_) => Trust::Authenticated(author_domain.clone()),
        DmarcResult::TempError => Trust::Untrusted(Doubt::Unanswered),
        DmarcResult::None | DmarcResult::Fail | DmarcResult::PermError => Trust::Untrusted(Doubt::NoPass),
    }
}

/// What to call the reporter: `org_name`, or else the domain of its `email`, or else the domain
/// that signed the mail (RR35). A name to show beside the submitter, never instead of it.
#[must_use]
pub fn reporter_name(metadata: &Metadata, signed_by: Option<&DomainName>) -> Option<String> {
    let organization = Some(metadata.organization.trim()).filter(|name| !name.is_empty());
    organization
        .map(str::to_owned)
        .or_else(|| email_domain(&metadata.email).map(|domain| domain.to_string()))
        .or_else(|| signed_by.map(ToString::to_string))
}

fn email_domain(email: &str) -> Option<DomainName> {
    let (_, domain) = email.trim().trim_end_matches('>').rsplit_once('@')?;
    DomainName::parse(domain).ok()
}

#[cfg(test)]
mod tests {
    use landmarc_dmarc::alignment::{Mechanism, Owned, align};
    use landmarc_dmarc::record::Mode;

    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn pass(domain: &str) -> DmarcResult {
        let domain = name(domain);
        let owned = Owned {
            domain: &domain,
            organizational_domain: None,
        };
        DmarcResult::Pass(align(owned, Mechanism::Dkim, owned, Mode::Strict).unwrap())
    }

    fn metadata(organization: &str, email: &str) -> Metadata {
        Metadata {
            organization: organization.to_owned(),
            email: email.to_owned(),
            ..Metadata::default()
        }
    }

    #[test]
    fn rr35_an_empty_org_name_is_the_domain_of_the_email_or_of_the_signature() {
        let signed_by = name("signer.example");
        let named = |organization, email| reporter_name(&metadata(organization, email), Some(&signed_by));
        assert_eq!(named("Example", "r@mail.example").as_deref(), Some("Example"));
        assert_eq!(named(" ", "<r@Mail.example>").as_deref(), Some("mail.example"));
        assert_eq!(named("", "nobody").as_deref(), Some("signer.example"));
        assert_eq!(reporter_name(&metadata("", ""), None), None);
    }

    #[test]
    fn rr42_a_report_whose_mail_does_not_pass_is_untrusted() {
        let author = name("r.example");
        let doubt = |dmarc: &DmarcResult| {
            let carrier = Carrier {
                author_domain: Some(&author),
                dmarc,
            };
            trust(Some(carrier))
        };
        assert_eq!(doubt(&DmarcResult::None), Trust::Untrusted(Doubt::NoPass));
        assert_eq!(doubt(&DmarcResult::Fail), Trust::Untrusted(Doubt::NoPass));
        assert_eq!(doubt(&DmarcResult::PermError), Trust::Untrusted(Doubt::NoPass));
        assert_eq!(
            doubt(&DmarcResult::TempError),
            Trust::Untrusted(Doubt::Unanswered)
        );
        assert_eq!(doubt(&pass("r.example")), Trust::Authenticated(author.clone()));
        assert_eq!(trust(None), Trust::Untrusted(Doubt::NoMail));
        let without_author = Carrier {
            author_domain: None,
            dmarc: &DmarcResult::None,
        };
        assert_eq!(
            trust(Some(without_author)),
            Trust::Untrusted(Doubt::NoAuthorDomain)
        );
    }

    #[test]
    fn rr44_the_submitter_is_who_sent_it_and_not_who_it_says() {
        let author = name("other.example");
        let result = pass("other.example");
        let carrier = Carrier {
            author_domain: Some(&author),
            dmarc: &result,
        };
        let trust = trust(Some(carrier));
        assert_eq!(trust.submitter(), Some(&author));
        assert!(trust.is_other_than(&metadata("google.com", "noreply-dmarc-support@google.com")));
        assert!(!trust.is_other_than(&metadata("google.com", "reports@mail.other.example")));
        assert!(trust.is_other_than(&metadata("google.com", "")));
        let untrusted = Trust::Untrusted(Doubt::NoMail);
        assert!(untrusted.is_other_than(&metadata("", "a@other.example")));
    }
}
