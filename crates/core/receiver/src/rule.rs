//! The operator's own rules as values (decision D5): which messages they mean, what they do.
//!
//! Deliberately knows no message: [`crate::operator`] finds the one that a message meets.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use landmarc_dmarc::evaluation::{DmarcResult, Evaluation};
use landmarc_mail::{DomainName, ReversePath};

use crate::disposition::OverrideKind;

/// As many recipients are kept apart. An edge that keeps one more, or none, shows by it that
/// there were more; what holds for all of them is not known then, so no condition on recipients holds.
pub const MAX_RECIPIENTS: usize = 1_000;

/// A rule of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name; there is no other of that name.
    pub name: String,
    /// What a message must meet.
    pub conditions: RuleConditions,
    /// What is done with such a message.
    pub action: RuleAction,
    /// How a report calls it, where it changes what is done (RFC 9990, PolicyOverrideReason).
    pub kind: OverrideKind,
    /// Why there is such a rule, in the operator's words; domain owners read it in reports.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// From this Unix time on, in seconds, it never holds.
    pub ends: Option<u64>,
}

impl Rule {
    /// Whether it has not expired.
    #[must_use]
    pub fn is_in_force(&self, now: u64) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }

    /// Whether it needs to know about a chain that this domain has sealed last.
    pub(crate) fn believes_sealer(&self, sealer: &DomainName, now: u64) -> bool {
        self.is_in_force(now) && any(&self.conditions.arc_sealer, sealer)
    }

    /// Whether it needs to know about any chain of a message with this result.
    pub(crate) fn asks_about_arc(&self, result: ResultWord, now: u64) -> bool {
        let conditions = &self.conditions;
        !conditions.arc_sealer.is_empty() && conditions.result.contains(&result) && self.is_in_force(now)
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAction {
    /// Take the message.
    Accept,
    /// Take it and set it aside.
    Quarantine,
    /// Refuse it.
    Reject,
}

impl RuleAction {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// What a message must meet: each list that is not empty must hold, and one does by any entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleConditions {
    /// DMARC results the rule is about; without one it never holds.
    pub result: Vec<ResultWord>,
    /// The Author Domain. Of several, a rule that accepts must name each, lest a From field carry
    /// a second domain past its own policy; for the others one is enough.
    pub author_domain: Vec<NamePattern>,
    /// The domain of a signature that verified.
    pub dkim_domain: Vec<NamePattern>,
    /// The address of the client.
    pub client: Vec<RangeInclusive<IpAddr>>,
    /// The host name of the client, as the MTA verified it.
    pub client_name: Vec<NamePattern>,
    /// The identifier in List-Id (RFC 2919 §2).
    pub list_id: Vec<NamePattern>,
    /// Who sealed last, where the whole ARC chain validates.
    pub arc_sealer: Vec<NamePattern>,
    /// All recipients of the message are among these.
    pub recipient: Vec<RecipientPattern>,
}

/// A condition, to be named. In the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The rule has not expired.
    Expires,
    /// [`RuleConditions::result`].
    Result,
    /// [`RuleConditions::author_domain`].
    AuthorDomain,
    /// [`RuleConditions::dkim_domain`].
    DkimDomain,
    /// [`RuleConditions::client`].
    Client,
    /// [`RuleConditions::client_name`].
    ClientName,
    /// [`RuleConditions::list_id`].
    ListId,
    /// [`RuleConditions::arc_sealer`].
    ArcSealer,
    /// [`RuleConditions::recipient`].
    Recipient,
}

impl Condition {
    /// What it is called in the file of the rules.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expires => "expires",
            Self::Result => "result",
            Self::AuthorDomain => "author_domain",
            Self::DkimDomain => "dkim_domain",
            Self::Client => "client",
            Self::ClientName => "client_name",
            Self::ListId => "list_id",
            Self::ArcSealer => "arc_sealer",
            Self::Recipient => "recipient",
        }
    }
}

/// A DMARC result without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResultWord {
    /// The Author Domain has no record.
    None,
    /// Something that passed is aligned.
    Pass,
    /// Nothing is.
    Fail,
    /// DNS did not answer.
    TempError,
    /// The record cannot be used, or there is no Author Domain.
    PermError,
}

impl ResultWord {
    /// Of the evaluation that decides; a message without one has no usable Author Domain.
    #[must_use]
    pub fn of(evaluation: Option<&Evaluation>) -> Self {
        evaluation.map_or(Self::PermError, |evaluation| (&evaluation.result).into())
    }

    /// The word in Authentication-Results (RFC 9989 §9.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl From<&DmarcResult> for ResultWord {
    fn from(result: &DmarcResult) -> Self {
        match result {
            DmarcResult::None => Self::None,
            DmarcResult::Pass(_) => Self::Pass,
            DmarcResult::Fail => Self::Fail,
            DmarcResult::TempError => Self::TempError,
            DmarcResult::PermError => Self::PermError,
        }
    }
}

/// One domain name, or those below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// This name.
    Exactly(DomainName),
    /// Every name below this one, and not the name itself.
    Below(DomainName),
}

impl NamePattern {
    /// Whether it means this name.
    #[must_use]
    pub fn matches(&self, name: &DomainName) -> bool {
        match self {
            Self::Exactly(own) => own == name,
            Self::Below(base) => name != base && name.is_at_or_below(base),
        }
    }
}

pub(crate) fn any(patterns: &[NamePattern], name: &DomainName) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// One recipient, or those of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientPattern {
    /// This address. Its local part may be written in either case: these are mailboxes of the
    /// operator's own, and no mail server keeps them apart by case.
    Address {
        /// Left of the `@`.
        local_part: String,
        /// Right of it.
        domain: DomainName,
    },
    /// Every address at these domains.
    Domain(NamePattern),
}

impl RecipientPattern {
    /// Whether it means the forward-path of a RCPT TO.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        is_among(std::slice::from_ref(self), path)
    }

    fn means(&self, local: Option<&[u8]>, at: &DomainName) -> bool {
        match self {
            Self::Domain(pattern) => pattern.matches(at),
            Self::Address { local_part, domain } => {
                let same = |local: &[u8]| local.eq_ignore_ascii_case(local_part.as_bytes());
                domain == at && local.is_some_and(same)
            }
        }
    }
}

/// Whether one of the patterns means the forward-path of a RCPT TO. A message has up to
/// [`MAX_RECIPIENTS`], and lists are long: so a path is taken apart once, and not for each pattern.
#[must_use]
pub fn is_among(patterns: &[RecipientPattern], path: &[u8]) -> bool {
    let path = ReversePath::new(path);
    let meant = |at: DomainName| {
        patterns
            .iter()
            .any(|pattern| pattern.means(path.local_part(), &at))
    };
    path.domain().is_some_and(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_is_a_name_or_what_is_below_it_and_never_both() {
        let exactly = NamePattern::Exactly(name("acme.example"));
        let below = NamePattern::Below(name("acme.example"));
        for (text, is_exact, is_below) in [
            ("acme.example", true, false),
            ("ACME.example", true, false),
            ("a.acme.example", false, true),
            ("a.b.acme.example", false, true),
            ("xacme.example", false, false),
            ("example", false, false),
        ] {
            assert_eq!(exactly.matches(&name(text)), is_exact, "{text}");
            assert_eq!(below.matches(&name(text)), is_below, "{text}");
        }
    }

    #[test]
    fn a_recipient_is_an_address_or_anybody_at_a_domain() {
        let postmaster = RecipientPattern::Address {
            local_part: "postmaster".to_owned(),
            domain: name("example.org"),
        };
        let anybody = RecipientPattern::Domain(NamePattern::Exactly(name("example.org")));
        for (path, is_postmaster, is_there) in [
            (&b"postmaster@example.org"[..], true, true),
            (b"<PostMaster@Example.Org>", true, true),
            (b"ann@example.org", false, true),
            (b"postmaster@mail.example.org", false, false),
            // RFC 5321 §4.5.1 allows it without a domain; then it is nobody's in particular.
            (b"postmaster", false, false),
            (b"", false, false),
        ] {
            assert_eq!(postmaster.matches(path), is_postmaster, "{}", path.escape_ascii());
            let both = [postmaster.clone(), anybody.clone()];
            assert_eq!(is_among(&both, path), is_there, "{}", path.escape_ascii());
            assert!(!is_among(&[], path));
            assert_eq!(anybody.matches(path), is_there, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn a_rule_ends_at_its_second() {
        let rule = Rule {
            name: "r".to_owned(),
            conditions: RuleConditions::default(),
            action: RuleAction::Accept,
            kind: OverrideKind::LocalPolicy,
            reason: String::new(),
            owner: String::new(),
            ends: Some(86_400),
        };
        assert!(rule.is_in_force(86_399));
        assert!(!rule.is_in_force(86_400));
        assert!(Rule { ends: None, ..rule }.is_in_force(u64::MAX));
    }
}
