//! check_host: from a domain to a result, through the records it names (RFC 7208 §4).

mod mechanism;

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use landmarc_mail::DomainName;
use landmarc_mail::text::visible_octets;

use mechanism::ReverseNames;

use super::limits::{MAX_ANSWER_RECORDS, MAX_LOOKUP_TERMS, MAX_QUOTED_RECORD_OCTETS, MAX_VOID_LOOKUPS};
use super::macros::{DomainSpec, Unusable, Values};
use super::record::{Directive, Modifier, Qualifier, SpfMechanism, SpfRecord};
use super::redacted::{RedactedNames, SpfName};
use super::trace::{Match, Mismatch, NoRecord, ProblemCause, SpfProblem, SpfTerm, StepOutcome, Trace};
use super::{Identity, SpfOutcome, SpfRequest, SpfResult};
use crate::lookup::{Answer, DnsRecord, Lookup, Question, RecordType};

/// Checks one identity.
pub(super) async fn run(
    lookup: &impl Lookup,
    request: &SpfRequest<'_>,
    identity: &Identity<'_>,
) -> SpfOutcome {
    let mut outcome = SpfOutcome::unchecked(SpfResult::None, identity.scope, None, identity.from_helo);
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
        Ok(Finding::NoRecord(why)) => outcome.problem = Some(why.to_string()),
        Ok(Finding::Default) => outcome.result = SpfResult::Neutral,
        Ok(Finding::Decided(decision)) => {
            outcome.result = decision.qualifier.into();
            outcome.mechanism = Some(decision.by);
            if let Some((modifier, at)) = decision.explanation {
                outcome.explanation = check.explain(&modifier, &at).await;
            }
        }
        Err(problem) => {
            outcome.result = problem.result();
            outcome.problem = Some(problem.to_string());
        }
    }
    outcome.lookup_terms = check.lookup_terms;
    outcome.void_lookups = check.void_lookups;
    outcome.steps = check.trace.into_steps();
    outcome.redacted_names = check.redacted_names;
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
    pub(super) redacted_names: RedactedNames,
    lookup_terms: usize,
    void_lookups: usize,
    /// The names of the client, once they were asked for.
    reverse: Option<ReverseNames>,
}

/// The record under evaluation.
#[derive(Clone)]
pub(super) struct At {
    /// The domain whose record it is: `<domain>` of RFC 7208.
    pub(super) domain: SpfName,
    /// How many includes and redirects deep.
    pub(super) depth: usize,
}

impl At {
    fn start(domain: &DomainName) -> Self {
        Self {
            domain: SpfName::new(domain.into(), None),
            depth: 0,
        }
    }

    fn inside(&self, domain: SpfName) -> Self {
        Self {
            domain,
            depth: self.depth + 1,
        }
    }

    pub(super) fn term<'t>(&'t self, text: &'t Arc<str>) -> TermAt<'t> {
        TermAt { at: self, text }
    }
}

/// A term under evaluation.
#[derive(Clone, Copy)]
pub(super) struct TermAt<'t> {
    pub(super) at: &'t At,
    /// As written.
    pub(super) text: &'t Arc<str>,
}

impl TermAt<'_> {
    pub(super) fn problem(&self, cause: ProblemCause) -> SpfProblem {
        SpfProblem {
            term: Some((self.at.domain.clone(), self.text.clone())),
            cause,
        }
    }
}

/// The result of one check_host, short of a problem.
enum Finding {
    /// Nothing to evaluate: "none".
    NoRecord(NoRecord),
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

/// Why a term decides nothing.
pub(super) enum NotMatched {
    /// The next term is evaluated.
    Mismatch(Mismatch),
    /// The check ends.
    Problem(SpfProblem),
}

impl From<Unusable> for NotMatched {
    fn from(why: Unusable) -> Self {
        Self::Mismatch(Mismatch::Unusable(why))
    }
}

impl From<SpfProblem> for NotMatched {
    fn from(problem: SpfProblem) -> Self {
        Self::Problem(problem)
    }
}

impl NotMatched {
    /// The outcome of the step, and what ends the check.
    fn split(self) -> (StepOutcome, Result<(), SpfProblem>) {
        match self {
            Self::Mismatch(why) => (StepOutcome::NoMatch(why), Ok(())),
            Self::Problem(problem) => (StepOutcome::Ends(problem.clone()), Err(problem)),
        }
    }
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
            redacted_names: RedactedNames::default(),
            lookup_terms: 0,
            void_lookups: 0,
            reverse: None,
        }
    }

    /// RFC 7208 §4.4 to §4.7. Boxed because records lead to records; every one but the
    /// first is behind a term that counts, so the depth is at most [`MAX_LOOKUP_TERMS`].
    fn check_host(&mut self, at: At) -> BoxFuture<'_, Result<Finding, SpfProblem>> {
        Box::pin(async move {
            let mut record = match self.read_record(&at).await? {
                Ok(record) => record,
                Err(why) => return Ok(Finding::NoRecord(why)),
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
    async fn read_record(&mut self, at: &At) -> Result<Result<SpfRecord, NoRecord>, SpfProblem> {
        let name = &at.domain;
        let (term, read) = if name.name.labels().count() < 2 {
            (SpfTerm::Txt, Ok(Err(NoRecord::SingleLabel(name.clone()))))
        } else {
            let answer = self.ask(name, RecordType::Txt).await;
            select_record(name, &answer)
        };
        let outcome = match &read {
            Ok(Ok(_)) => StepOutcome::IsRead,
            Ok(Err(why)) => StepOutcome::NoRecord(why.clone()),
            Err(cause) => StepOutcome::Ends(cause.clone().into()),
        };
        let step = self.trace.open(at.depth, name, term);
        self.trace.close(step, outcome);
        Ok(read?)
    }

    /// Evaluates a directive: when it matches, the directives that led to the match.
    async fn evaluate(&mut self, directive: &Directive, at: &At) -> Result<Option<String>, SpfProblem> {
        let term = at.term(&directive.text);
        let step = self.open_step(term);
        let (outcome, by) = match self.mechanism(&directive.mechanism, term).await {
            Ok(how) => {
                let by = match &how {
                    Match::Through(inner) => format!("{} {inner}", term.text),
                    _ => term.text.to_string(),
                };
                (StepOutcome::Matches(how), Ok(Some(by)))
            }
            Err(not_matched) => {
                let (outcome, end) = not_matched.split();
                (outcome, end.map(|()| None))
            }
        };
        self.trace.close(step, outcome);
        by
    }

    async fn mechanism(&mut self, mechanism: &SpfMechanism, term: TermAt<'_>) -> Result<Match, NotMatched> {
        match mechanism {
            SpfMechanism::All => Ok(Match::Always),
            SpfMechanism::Ip4(network) | SpfMechanism::Ip6(network) => match network.contains(self.client) {
                true => Ok(Match::InNetwork(self.client)),
                false => Err(NotMatched::Mismatch(Mismatch::OtherNetwork)),
            },
            SpfMechanism::Include(target) => self.include(target, term).await,
            SpfMechanism::A(target, prefixes) => self.a(target.as_ref(), *prefixes, term).await,
            SpfMechanism::Mx(target, prefixes) => self.mx(target.as_ref(), *prefixes, term).await,
            SpfMechanism::Ptr(target) => self.ptr(target.as_ref(), term).await,
            SpfMechanism::Exists(target) => self.exists(target, term).await,
        }
    }

    /// RFC 7208 §5.2: matches when the other record passes. Its errors are ours, and
    /// having no record there is a permerror.
    async fn include(&mut self, spec: &DomainSpec, term: TermAt<'_>) -> Result<Match, NotMatched> {
        let name = self.record_target(spec, term).await?;
        match self.check_host(term.at.inside(name)).await? {
            Finding::NoRecord(why) => Err(term.problem(why.into()).into()),
            Finding::Default => Err(NotMatched::Mismatch(Mismatch::Included(SpfResult::Neutral, None))),
            Finding::Decided(Decision { qualifier, by, .. }) => match qualifier {
                Qualifier::Pass => Ok(Match::Through(by)),
                other => Err(NotMatched::Mismatch(Mismatch::Included(other.into(), Some(by)))),
            },
        }
    }

    /// RFC 7208 §6.1: the result of the other record is ours, its explanation too; having
    /// no record there is a permerror.
    async fn redirect(&mut self, redirect: &Modifier, at: &At) -> Result<Finding, SpfProblem> {
        let term = at.term(&redirect.text);
        let step = self.open_step(term);
        let name = match self.record_target(&redirect.target, term).await {
            Ok(name) => name,
            Err(not_matched) => {
                let (outcome, end) = not_matched.split();
                self.trace.close(step, outcome);
                // RFC 8616 §4 knows only terms that "do not match": this one then leads nowhere.
                return end.map(|()| Finding::Default);
            }
        };
        self.trace.close(step, StepOutcome::GoesOnAt(name.clone()));
        match self.check_host(at.inside(name)).await? {
            Finding::NoRecord(why) => Err(term.problem(why.into())),
            Finding::Default => Ok(Finding::Default),
            Finding::Decided(decision) => Ok(Finding::Decided(Decision {
                by: format!("{} {}", term.text, decision.by),
                ..decision
            })),
        }
    }

    /// The domain of another record. RFC 7208 §4.3 makes check_host "none" for a malformed one, and
    /// §5.2 and §6.1 that a permerror.
    async fn record_target(&mut self, spec: &DomainSpec, term: TermAt<'_>) -> Result<SpfName, NotMatched> {
        match self.target(Some(spec), term).await? {
            Err(malformed @ Unusable::Malformed) => Err(term.problem(malformed.into()).into()),
            target => Ok(target?),
        }
    }

    /// Counts a term that asks DNS. The domain it is about (RFC 7208 §4.8): its own, or that of the
    /// record.
    pub(super) async fn target(
        &mut self,
        spec: Option<&DomainSpec>,
        term: TermAt<'_>,
    ) -> Result<Result<SpfName, Unusable>, SpfProblem> {
        self.count_term(term)?;
        let Some(spec) = spec else {
            return Ok(Ok(term.at.domain.clone()));
        };
        let mut validated = None;
        if spec.uses_validated_name() {
            // RFC 7208 §4.6.4: "%{p}" costs what "ptr" costs.
            self.count_term(term)?;
            validated = self.validated_name(term).await?;
            if self.reverse.as_ref().is_some_and(|reverse| reverse.void) {
                self.count_void(term)?;
            }
        }
        let name = spec.expand(&self.values(&term.at.domain, validated.as_ref()));
        Ok(name.map(|name| self.redacted_names.add(name)))
    }

    /// What the macros stand for in a record of `domain`.
    pub(super) fn values<'v>(
        &'v self,
        domain: &'v SpfName,
        validated_name: Option<&'v SpfName>,
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

    pub(super) async fn ask(&self, name: &SpfName, record_type: RecordType) -> Answer {
        let question = Question::new(name.name.clone(), record_type);
        self.lookup.ask(&question).await
    }

    pub(super) fn open_step(&mut self, term: TermAt<'_>) -> super::trace::OpenStep {
        let written = SpfTerm::Written(term.text.clone());
        self.trace.open(term.at.depth, &term.at.domain, written)
    }

    /// Counts a term that asks DNS.
    fn count_term(&mut self, term: TermAt<'_>) -> Result<(), SpfProblem> {
        self.lookup_terms += 1;
        if self.lookup_terms > MAX_LOOKUP_TERMS {
            return Err(term.problem(ProblemCause::LookupTerms));
        }
        Ok(())
    }

    /// Counts a term whose questions found nothing.
    pub(super) fn count_void(&mut self, term: TermAt<'_>) -> Result<(), SpfProblem> {
        self.void_lookups += 1;
        if self.void_lookups > MAX_VOID_LOOKUPS {
            return Err(term.problem(ProblemCause::VoidLookups));
        }
        Ok(())
    }
}

/// The one SPF record of an answer (RFC 7208 §4.5), and how to quote it.
fn select_record(
    name: &SpfName,
    answer: &Answer,
) -> (SpfTerm, Result<Result<SpfRecord, NoRecord>, ProblemCause>) {
    if let Err(cause) = found(name, RecordType::Txt, answer) {
        return (SpfTerm::Txt, Err(cause));
    }
    // RFC 7208 §4.3: NXDOMAIN is "none" like no record at all.
    if let Answer::NxDomain(_) = answer {
        return (SpfTerm::Txt, Ok(Err(NoRecord::NxDomain(name.clone()))));
    }
    let mut records = answer.texts().filter(|text| SpfRecord::is_one(text));
    let Some(first) = records.next() else {
        return (SpfTerm::Txt, Ok(Err(NoRecord::Absent(name.clone()))));
    };
    let read = match records.next() {
        None => SpfRecord::parse(first).map_err(|error| ProblemCause::Record(name.clone(), error)),
        Some(_) => Err(ProblemCause::SeveralRecords(name.clone())),
    };
    let quoted = visible_octets(first, MAX_QUOTED_RECORD_OCTETS);
    (SpfTerm::Record(quoted.into()), read.map(Ok))
}

/// The records of an answer, at most [`MAX_ANSWER_RECORDS`]; a temperror where nobody answered.
pub(super) fn found<'r>(
    name: &SpfName,
    record_type: RecordType,
    answer: &'r Answer,
) -> Result<&'r [DnsRecord], ProblemCause> {
    if let Some(error) = answer.failure() {
        let name = name.clone();
        return Err(ProblemCause::Unanswered {
            name,
            record_type,
            error,
        });
    }
    match answer.records() {
        records if records.len() > MAX_ANSWER_RECORDS => {
            Err(ProblemCause::LargeAnswer(name.clone(), record_type))
        }
        records => Ok(records),
    }
}
