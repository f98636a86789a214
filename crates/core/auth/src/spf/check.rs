//! check_host: from a domain to a result, through the records it names (RFC 7208 §4).

mod mechanism;

use std::fmt;
use std::net::IpAddr;

use futures_util::future::BoxFuture;
use landmarc_mail::DomainName;

use mechanism::ReverseNames;

use super::limits::{MAX_ANSWER_RECORDS, MAX_LOOKUP_TERMS, MAX_VOID_LOOKUPS};
use super::macros::{DomainSpec, Unusable, Values};
use super::record::{Directive, Mechanism, Modifier, Qualifier, SpfRecord};
use super::trace::{Trace, quoted_record};
use super::veil::Veil;
use super::{Identity, SpfOutcome, SpfRequest, SpfResult};
use crate::lookup::{Answer, DnsName, Lookup, LookupError, Question, Record};

/// Checks one identity.
pub(super) async fn run(
    lookup: &impl Lookup,
    request: &SpfRequest<'_>,
    identity: &Identity<'_>,
) -> SpfOutcome {
    let mut outcome = SpfOutcome {
        result: SpfResult::None,
        domain: None,
        scope: identity.scope,
        from_helo: identity.from_helo,
        mechanism: None,
        explanation: None,
        problem: None,
        lookup_terms: 0,
        void_lookups: 0,
        steps: Vec::new(),
        veiled: Vec::new(),
    };
    let domain = match identity.usable_domain() {
        Ok(domain) => domain,
        // RFC 7208 §4.3: "check_host() immediately returns the result "none"".
        Err(problem) => {
            outcome.problem = Some(problem);
            return outcome;
        }
    };
    let mut check = Check::new(lookup, request, identity, &domain);
    match check.check_host(At::start(&domain)).await {
        Ok(Finding::NoRecord(problem)) => outcome.problem = Some(problem),
        Ok(Finding::Default) => outcome.result = SpfResult::Neutral,
        Ok(Finding::Decided(decision)) => {
            outcome.result = decision.qualifier.into();
            outcome.mechanism = Some(decision.by);
            if let Some((modifier, at)) = decision.explanation {
                outcome.explanation = check.explain(&modifier, &at).await;
            }
        }
        Err(Interruption::Temporary(problem)) => {
            outcome.result = SpfResult::TempError;
            outcome.problem = Some(problem);
        }
        Err(Interruption::Permanent(problem)) => {
            outcome.result = SpfResult::PermError;
            outcome.problem = Some(problem);
        }
    }
    outcome.lookup_terms = check.lookup_terms;
    outcome.void_lookups = check.void_lookups;
    let veil = check.veil;
    outcome.steps = check.trace.into_steps();
    let steps = outcome.steps.iter_mut();
    let texts = steps.flat_map(|step| [&mut step.domain, &mut step.outcome]);
    texts.chain(&mut outcome.problem).for_each(|text| veil.over(text));
    outcome.veiled = veil.into_names();
    outcome.domain = Some(domain);
    outcome
}

/// One check under way.
pub(super) struct Check<'a, L> {
    pub(super) lookup: &'a L,
    request: &'a SpfRequest<'a>,
    /// Never an IPv4-mapped address (RFC 7208 §5).
    pub(super) client: IpAddr,
    local_part: &'a [u8],
    sender_domain: &'a DomainName,
    pub(super) trace: Trace,
    pub(super) veil: Veil,
    lookup_terms: usize,
    void_lookups: usize,
    /// The names of the client, once they were asked for.
    reverse: Option<ReverseNames>,
}

/// Where a term stands.
#[derive(Clone)]
pub(super) struct At {
    /// The domain whose record it is: `<domain>` of RFC 7208.
    pub(super) domain: DnsName,
    /// How many includes and redirects deep.
    pub(super) depth: usize,
}

impl At {
    fn start(domain: &DomainName) -> Self {
        Self {
            domain: domain.into(),
            depth: 0,
        }
    }

    fn inside(&self, domain: DnsName) -> Self {
        Self {
            domain,
            depth: self.depth + 1,
        }
    }
}

/// What one check_host came to, short of an error.
enum Finding {
    /// Nothing to evaluate, and why: "none".
    NoRecord(String),
    /// No directive matches: "neutral" (RFC 7208 §4.7).
    Default,
    Decided(Decision),
}

/// A directive that matched.
struct Decision {
    qualifier: Qualifier,
    /// As written, with the includes and redirects that led there.
    by: String,
    /// The `exp` of its record, for a fail whose explanation is wanted.
    explanation: Option<(Modifier, At)>,
}

/// An error that ends the whole check, with the problem in words (RFC 7208 §2.6.6, §2.6.7).
pub(super) enum Interruption {
    Temporary(String),
    Permanent(String),
}

/// What came of one mechanism.
pub(super) enum Evaluated {
    /// It matches, on the strength of this; empty when the term says it all.
    Matches(String),
    /// An include whose record passes by this directive.
    MatchesInside(String),
    /// It does not match, because of this; empty when the term says it all.
    NoMatch(String),
}

/// What the domain of a term came to.
pub(super) enum Target {
    /// This name.
    Name(DnsName),
    /// A name that DNS cannot carry: to the term it is one that does not exist.
    Malformed,
    /// None, because the local part or HELO cannot be put into it: nothing matches.
    Unusable(Unusable),
}

impl Target {
    /// Why a term without a name to ask for does not match.
    pub(super) fn name_or_no_match(self) -> Result<DnsName, Evaluated> {
        match self {
            Self::Name(name) => Ok(name),
            Self::Malformed => Err(Evaluated::NoMatch(MALFORMED.into())),
            Self::Unusable(why) => Err(Evaluated::NoMatch(why.to_string())),
        }
    }
}

const MALFORMED: &str = "DNS cannot carry the name: a label is empty or too long";

enum Reading {
    Found(SpfRecord),
    Absent(String),
}

impl<'a, L: Lookup> Check<'a, L> {
    fn new(
        lookup: &'a L,
        request: &'a SpfRequest<'a>,
        identity: &Identity<'a>,
        domain: &'a DomainName,
    ) -> Self {
        Self {
            lookup,
            request,
            client: request.client.to_canonical(),
            local_part: identity.local_part,
            sender_domain: domain,
            trace: Trace::default(),
            veil: Veil::default(),
            lookup_terms: 0,
            void_lookups: 0,
            reverse: None,
        }
    }

    /// RFC 7208 §4.4 to §4.7. Boxed because records lead to records; every one but the
    /// first is behind a term that counts, so the depth is at most [`MAX_LOOKUP_TERMS`].
    fn check_host(&mut self, at: At) -> BoxFuture<'_, Result<Finding, Interruption>> {
        Box::pin(async move {
            let mut record = match self.read_record(&at).await? {
                Reading::Found(record) => record,
                Reading::Absent(why) => return Ok(Finding::NoRecord(why)),
            };
            for directive in &record.directives {
                let Some(by) = self.evaluate(directive, &at).await? else {
                    continue;
                };
                let wanted = directive.qualifier == Qualifier::Fail && self.request.fetch_explanation;
                return Ok(Finding::Decided(Decision {
                    qualifier: directive.qualifier,
                    by,
                    explanation: record.explanation.take().filter(|_| wanted).map(|exp| (exp, at)),
                }));
            }
            // RFC 7208 §6.1: "redirect" is followed when nothing matched. An "all" anywhere
            // has matched by now, so that it hides the redirect as it must.
            match &record.redirect {
                Some(redirect) => self.redirect(redirect, &at).await,
                None => Ok(Finding::Default),
            }
        })
    }

    /// RFC 7208 §4.4, §4.5: one question, and the one SPF record of the answer.
    async fn read_record(&mut self, at: &At) -> Result<Reading, Interruption> {
        let (term, read) = if at.domain.labels().count() < 2 {
            // RFC 7208 §4.3: not a multi-label name.
            let why = format!("{} is a single label", at.domain);
            ("TXT".to_owned(), Ok(Reading::Absent(why)))
        } else {
            let question = Question::txt(at.domain.clone());
            let answer = self.lookup.ask(&question).await;
            select_record(&question, &answer)
        };
        let outcome = match &read {
            Ok(Reading::Found(_)) => "is read".to_owned(),
            Ok(Reading::Absent(why)) => why.clone(),
            Err(interruption) => interruption.to_string(),
        };
        let step = self.trace.open(at.depth, &at.domain, &term);
        self.trace.close(step, outcome);
        read
    }

    /// Evaluates a directive: when it matches, how it came to match.
    async fn evaluate(&mut self, directive: &Directive, at: &At) -> Result<Option<String>, Interruption> {
        let step = self.trace.open(at.depth, &at.domain, &directive.text);
        let evaluated = self.mechanism(directive, at).await;
        let (outcome, by) = match &evaluated {
            Ok(Evaluated::Matches(why)) => (remark("matches", why), Some(directive.text.clone())),
            Ok(Evaluated::MatchesInside(inner)) => (
                format!("matches through `{inner}`"),
                Some(format!("{} {inner}", directive.text)),
            ),
            Ok(Evaluated::NoMatch(why)) => (remark("no match", why), None),
            Err(interruption) => (interruption.to_string(), None),
        };
        self.trace.close(step, outcome);
        evaluated.map(|_| by)
    }

    async fn mechanism(&mut self, directive: &Directive, at: &At) -> Result<Evaluated, Interruption> {
        let term = &directive.text;
        match &directive.mechanism {
            Mechanism::All => Ok(Evaluated::Matches(String::new())),
            Mechanism::Ip4(network) | Mechanism::Ip6(network) => Ok(if network.contains(self.client) {
                Evaluated::Matches(format!("{} is in it", self.client))
            } else {
                Evaluated::NoMatch(String::new())
            }),
            Mechanism::Include(target) => self.include(target, at, term).await,
            Mechanism::A(target, prefixes) => self.a(target.as_ref(), *prefixes, at, term).await,
            Mechanism::Mx(target, prefixes) => self.mx(target.as_ref(), *prefixes, at, term).await,
            Mechanism::Ptr(target) => self.ptr(target.as_ref(), at, term).await,
            Mechanism::Exists(target) => self.exists(target, at, term).await,
        }
    }

    /// RFC 7208 §5.2: matches when the other record passes. Its errors are ours, and
    /// having no record there is a permerror.
    async fn include(&mut self, spec: &DomainSpec, at: &At, term: &str) -> Result<Evaluated, Interruption> {
        self.count_term(at, term)?;
        let name = match self.target(Some(spec), at, term).await? {
            Target::Name(name) => name,
            // RFC 7208 §4.3: "none" for a malformed domain, which §5.2 makes a permerror.
            Target::Malformed => return Err(Interruption::permanent(at, term, MALFORMED)),
            Target::Unusable(why) => return Ok(Evaluated::NoMatch(why.to_string())),
        };
        match self.check_host(at.inside(name)).await? {
            Finding::NoRecord(why) => Err(Interruption::permanent(at, term, &why)),
            Finding::Default => Ok(Evaluated::NoMatch("it comes to neutral".into())),
            Finding::Decided(Decision { qualifier, by, .. }) => Ok(match qualifier {
                Qualifier::Pass => Evaluated::MatchesInside(by),
                other => Evaluated::NoMatch(format!("it comes to {} by `{by}`", SpfResult::from(other))),
            }),
        }
    }

    /// RFC 7208 §6.1: the result of the other record is ours, its explanation too; having
    /// no record there is a permerror.
    async fn redirect(&mut self, redirect: &Modifier, at: &At) -> Result<Finding, Interruption> {
        let term = &redirect.text;
        let step = self.trace.open(at.depth, &at.domain, term);
        let target = self.redirect_target(redirect, at).await;
        let outcome = match &target {
            Ok(Ok(name)) => format!("goes on at {name}"),
            Ok(Err(unusable)) => remark("no match", &unusable.to_string()),
            Err(interruption) => interruption.to_string(),
        };
        self.trace.close(step, outcome);
        // RFC 8616 §4 knows only terms that "do not match": this one then leads nowhere.
        let Ok(name) = target? else {
            return Ok(Finding::Default);
        };
        match self.check_host(at.inside(name)).await? {
            Finding::NoRecord(why) => Err(Interruption::permanent(at, term, &why)),
            Finding::Default => Ok(Finding::Default),
            Finding::Decided(decision) => Ok(Finding::Decided(Decision {
                by: format!("{term} {}", decision.by),
                ..decision
            })),
        }
    }

    async fn redirect_target(
        &mut self,
        redirect: &Modifier,
        at: &At,
    ) -> Result<Result<DnsName, Unusable>, Interruption> {
        self.count_term(at, &redirect.text)?;
        match self.target(Some(&redirect.target), at, &redirect.text).await? {
            Target::Name(name) => Ok(Ok(name)),
            // RFC 7208 §6.1: "if the target-name is malformed, the result is a "permerror"".
            Target::Malformed => Err(Interruption::permanent(at, &redirect.text, MALFORMED)),
            Target::Unusable(why) => Ok(Err(why)),
        }
    }

    /// The domain a term is about (RFC 7208 §4.8): its own, or that of the record.
    pub(super) async fn target(
        &mut self,
        spec: Option<&DomainSpec>,
        at: &At,
        term: &str,
    ) -> Result<Target, Interruption> {
        let Some(spec) = spec else {
            return Ok(Target::Name(at.domain.clone()));
        };
        let mut validated = None;
        if spec.uses_validated_name() {
            // RFC 7208 §4.6.4: "%{p}" costs what "ptr" costs.
            self.count_term(at, term)?;
            validated = self.validated_name(at, term).await?;
            if self.reverse.as_ref().is_some_and(|reverse| reverse.void) {
                self.count_void(at, term)?;
            }
        }
        let values = self.values(&at.domain, validated.as_ref());
        let (expanded, told) = (spec.expand(&values), self.veil.of(spec, &values));
        Ok(match expanded {
            Ok(Some(name)) => {
                told.into_iter().for_each(|told| self.veil.add(&name, told));
                Target::Name(name)
            }
            Ok(None) => Target::Malformed,
            Err(unusable) => Target::Unusable(unusable),
        })
    }

    /// What the macros stand for in a record of `domain`.
    pub(super) fn values<'v>(
        &'v self,
        domain: &'v DnsName,
        validated_name: Option<&'v DnsName>,
    ) -> Values<'v> {
        Values {
            local_part: self.local_part,
            sender_domain: self.sender_domain,
            domain,
            client: self.client,
            validated_name,
            helo: self.request.helo,
            receiver: self.request.receiver,
            now: self.request.now,
        }
    }

    /// Counts a term that asks DNS.
    pub(super) fn count_term(&mut self, at: &At, term: &str) -> Result<(), Interruption> {
        self.lookup_terms += 1;
        if self.lookup_terms > MAX_LOOKUP_TERMS {
            let why = format!("more than {MAX_LOOKUP_TERMS} terms ask DNS (RFC 7208 section 4.6.4)");
            return Err(Interruption::permanent(at, term, &why));
        }
        Ok(())
    }

    /// Counts a term whose questions found nothing.
    pub(super) fn count_void(&mut self, at: &At, term: &str) -> Result<(), Interruption> {
        self.void_lookups += 1;
        if self.void_lookups > MAX_VOID_LOOKUPS {
            let why = format!(
                "more than {MAX_VOID_LOOKUPS} terms ask for what is not there (RFC 7208 section 4.6.4)"
            );
            return Err(Interruption::permanent(at, term, &why));
        }
        Ok(())
    }
}

impl Interruption {
    /// A permerror at a term.
    pub(super) fn permanent(at: &At, term: &str, why: &str) -> Self {
        Self::Permanent(format!("{}: `{term}`: {why}", at.domain))
    }

    /// A temperror at a term whose question has no answer.
    pub(super) fn unanswered(at: &At, term: &str, question: &Question, error: LookupError) -> Self {
        Self::Temporary(format!("{}: `{term}`: {question}: {error}", at.domain))
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Temporary(problem) => write!(f, "temperror: {problem}"),
            Self::Permanent(problem) => write!(f, "permerror: {problem}"),
        }
    }
}

/// What came of a step, with the reason where there is one to tell.
fn remark(outcome: &str, why: &str) -> String {
    match why {
        "" => outcome.to_owned(),
        _ => format!("{outcome}: {why}"),
    }
}

/// The one SPF record of an answer (RFC 7208 §4.5), and how to quote it.
fn select_record(question: &Question, answer: &Answer) -> (String, Result<Reading, Interruption>) {
    let txt = || "TXT".to_owned();
    let name = &question.name;
    match answer {
        // RFC 7208 §4.4: any response code but 0 and 3, or a timeout.
        Answer::Failed(error) => {
            let problem = format!("{question}: {error}");
            return (txt(), Err(Interruption::Temporary(problem)));
        }
        // RFC 7208 §4.3: NXDOMAIN is "none" like no record at all.
        Answer::NxDomain(_) => return (txt(), Ok(Reading::Absent(format!("{name} does not exist")))),
        Answer::NoData | Answer::Records(_) => {}
    }
    if let Err(why) = check_size(answer) {
        return (txt(), Err(Interruption::Permanent(format!("{question}: {why}"))));
    }
    let mut records = answer.texts().filter(|text| SpfRecord::is_one(text));
    match (records.next(), records.next()) {
        (None, _) => (txt(), Ok(Reading::Absent(format!("{name} has no SPF record")))),
        (Some(only), None) => {
            let record = SpfRecord::parse(only).map_err(|e| Interruption::Permanent(format!("{name}: {e}")));
            (quoted_record(only), record.map(Reading::Found))
        }
        (Some(first), Some(_)) => {
            let problem = format!("{name} has more than one SPF record");
            (quoted_record(first), Err(Interruption::Permanent(problem)))
        }
    }
}

/// Refuses an answer of more than [`MAX_ANSWER_RECORDS`].
pub(super) fn check_size(answer: &Answer) -> Result<&[Record], String> {
    match answer.records() {
        records if records.len() > MAX_ANSWER_RECORDS => {
            Err(format!("the answer has more than {MAX_ANSWER_RECORDS} records"))
        }
        records => Ok(records),
    }
}
