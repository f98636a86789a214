//! Local policy: what the operator decided, as plain values.

use std::net::IpAddr;
use std::sync::Arc;

use landmarc_dmarc::evaluation::DiscoveryMethod;
use landmarc_dmarc::suffixes::Suffixes;
use landmarc_mail::DomainName;
use landmarc_mail::message::HeaderLimits;

use crate::rule::Rule;

/// All that decides about a message besides the message and DNS. The same for every
/// message until the settings are read again.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether anything is done at all (decision D33).
    pub mode: EnforcementMode,
    /// Our name in Authentication-Results (RFC 8601 §2.5).
    pub authserv_id: String,
    /// Whether what the MTA calls the message stands behind it, as `id/job`.
    pub authserv_id_with_job_id: bool,
    /// How much of a header section is read.
    pub header_limits: HeaderLimits,
    /// Which results are taken from filters ahead of us (decision D9).
    pub upstream: Upstream,
    /// Whether HELO is checked beside MAIL FROM.
    pub check_helo: bool,
    /// Whether the explanation of an SPF fail is asked for.
    pub fetch_explanation: bool,
    /// How DKIM signatures are taken.
    pub dkim: landmarc_auth::dkim::DkimOptions,
    /// When ARC chains are validated (decision D8).
    pub arc: ArcUse,
    /// Sealers whose word softens an action.
    pub trusted_sealers: Vec<DomainName>,
    /// Which discovery counts (decision D1).
    pub discovery: DiscoveryMethod,
    /// Whether the verdict of RFC 7489 is computed beside it.
    pub compare_rfc7489: bool,
    /// Switches of the evaluation (decision D2).
    pub dmarc: landmarc_dmarc::evaluation::EvaluationOptions,
    /// The public suffix list.
    pub suffixes: Arc<Suffixes>,
    /// Rules of the operator, which come before everything below; the first that holds decides.
    pub operator: Arc<[Rule]>,
    /// What turns `p=reject` into a rejection (decision D5).
    pub reject: RejectRule,
    /// What a rejected client is told.
    pub reject_text: ReplyTemplate,
    /// The codes of every refusal.
    pub reject_codes: ReplyCodes,
    /// How a message is quarantined.
    pub quarantine: QuarantineBy,
    /// What is said of a message that is quarantined because its policy asks for it.
    pub quarantine_text: ReplyTemplate,
    /// What becomes of a message whose Author Domain cannot be told (decision D3).
    pub unusable_author: UnusableAuthor,
    /// What the client is told when that is a refusal.
    pub unusable_author_text: ReplyTemplate,
    /// Whether a message is refused that has not the header fields RFC 5322 §3.6 asks for.
    pub required_header_fields: bool,
    /// Domains whose mail never comes from outside: their use there is evidence.
    pub local_domains: Vec<DomainName>,
    /// Whether signs of a mailing list keep a message from being rejected where
    /// [`RejectRule::Evidence`] decides.
    pub recognise_lists: bool,
    /// What is done when something fails on our side (decision D6).
    pub failures: FailureTable,
    /// Whether every incoming Authentication-Results field goes, not only those in our name.
    pub remove_all_results: bool,
}

/// Whether verdicts are acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementMode {
    /// Judge, record, add the results; refuse and hold nothing.
    Observe,
    /// Do what the decision says.
    Enforce,
}

/// When an ARC chain is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArcUse {
    /// Never.
    Never,
    /// When the newest sealer is trusted and DMARC does not pass: only then it can matter.
    Trusted,
    /// Always.
    Always,
}

/// What turns the Domain Owner's wish to reject into a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectRule {
    /// Evidence besides the policy; without any, quarantine (RFC 9989 §7.4).
    Evidence,
    /// The policy alone, unless a trusted forwarder or sealer stands behind the message.
    /// Beyond the RFC, which says MUST NOT.
    Always,
    /// Nothing: quarantine at most.
    Never,
}

/// How a message is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuarantineBy {
    /// The MTA holds it.
    Hold,
    /// It is delivered with this header field for the delivery agent to see.
    Header(String),
}

/// What becomes of a message without a usable Author Domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableAuthor {
    /// Refused where the From field is an attack or broken, accepted where it is merely without domain.
    Refuse,
    /// Accepted, with `dmarc=permerror`.
    Accept,
}

/// What is done for each cause of failure on our side. Never a reject.
#[derive(Clone, Debug)]
pub struct FailureTable {
    /// DNS did not answer a question that the verdict needs, and no policy is known.
    pub dns: OnFailure,
    /// DNS did not answer such a question, and a policy above `none` is known for the Author
    /// Domain or above it. What is open was named by the message.
    pub dns_with_policy: OnFailure,
    /// A record that cannot be used (RFC 9989 §4.10.1).
    pub unusable_record: OnFailure,
    /// A limit of ours was reached: the message used up its DNS questions or time, or too many
    /// queries were under way.
    pub budget: OnFailure,
    /// The store cannot be written.
    pub store: OnFailure,
    /// A bug of ours.
    pub internal: OnFailure,
}

impl Default for FailureTable {
    /// No mail is lost by default. What a sender can bring about himself, to get past a policy, is
    /// deferred; everything else is accepted.
    fn default() -> Self {
        let accept = || OnFailure::Accept;
        let defer = || OnFailure::TempFail {
            code: 451,
            enhanced: "4.7.1".to_owned(),
            text: ReplyTemplate::new(|blanks| {
                format!(
                    "the message could not be checked, try again later ({})",
                    blanks.id
                )
            }),
        };
        Self {
            dns: accept(),
            dns_with_policy: defer(),
            unusable_record: accept(),
            budget: defer(),
            store: accept(),
            internal: accept(),
        }
    }
}

/// What a failure of ours does to the message.
#[derive(Clone, Debug)]
pub enum OnFailure {
    /// Accepted without a claim.
    Accept,
    /// Deferred with this reply.
    TempFail {
        /// 4xx.
        code: u16,
        /// The enhanced status code, 4.x.x (RFC 3463).
        enhanced: String,
        /// What the client is told.
        text: ReplyTemplate,
    },
}

/// The codes of an SMTP reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyCodes {
    /// The reply code (RFC 5321 §4.2.1).
    pub basic: u16,
    /// The enhanced status code (RFC 3463), of the same class.
    pub enhanced: String,
}

/// How the text of a reply is worded: the operator's words, with the blanks filled in.
#[derive(Clone)]
pub struct ReplyTemplate(Arc<dyn Fn(&TemplateVars<'_>) -> String + Send + Sync>);

/// What can be filled into a reply.
#[derive(Clone, Copy, Debug)]
pub struct TemplateVars<'a> {
    /// The Author Domain.
    pub author_domain: &'a str,
    /// The DMARC Policy Domain.
    pub policy_domain: &'a str,
    /// The client, if its address is known.
    pub client: Option<IpAddr>,
    /// Why, in a few words.
    pub reason: &'a str,
    /// What the log calls the message.
    pub id: &'a str,
}

impl ReplyTemplate {
    /// A template that this function fills in. [`RefusalReply::new`](crate::RefusalReply::new) makes it fit a reply line.
    pub fn new(write: impl Fn(&TemplateVars<'_>) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The text for one message.
    #[must_use]
    pub fn fill(&self, blanks: &TemplateVars<'_>) -> String {
        (self.0)(blanks)
    }
}

impl std::fmt::Debug for ReplyTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = TemplateVars {
            author_domain: "{author_domain}",
            policy_domain: "{policy_domain}",
            client: None,
            reason: "{reason}",
            id: "{id}",
        };
        write!(f, "ReplyTemplate({:?})", self.fill(&names))
    }
}

/// Which results are taken from filters ahead of us, and whose word counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// Where the result of SPF comes from.
    pub spf: ResultSource,
    /// Where those of DKIM come from.
    pub dkim: ResultSource,
    /// Where that of ARC comes from.
    pub arc: ResultSource,
    /// The authserv-ids that are believed, compared without case; ours where there is none.
    pub trusted_authserv_ids: Vec<String>,
    /// Whether Received-SPF (RFC 7208 §9.1) is looked at where no Authentication-Results tells of SPF.
    pub received_spf: bool,
}

impl Upstream {
    /// Whether any result is looked for in the message.
    #[must_use]
    pub fn is_used(&self) -> bool {
        [self.spf, self.dkim, self.arc]
            .iter()
            .any(|source| *source != ResultSource::Own)
    }

    /// The authserv-ids that are believed, ours being `own`.
    pub(crate) fn trusted<'a>(&'a self, own: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.trusted_authserv_ids.is_empty().then_some(own);
        own.into_iter()
            .chain(self.trusted_authserv_ids.iter().map(String::as_str))
    }
}

/// Where the result of a mechanism comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultSource {
    /// We check it.
    #[default]
    Own,
    /// A filter ahead of us tells it, or else nobody does.
    Upstream,
    /// A filter ahead of us tells it; where it does not, we check it.
    UpstreamThenOwn,
}

/// What the edge knows of the client from the operator's lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// On the list of trusted forwarders.
    pub trusted_forwarder: bool,
    /// A relay of ours, whose Authentication-Results are kept.
    pub keeps_results: bool,
}
