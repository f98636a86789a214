//! Which rule a message meets.

use landmarc_auth::arc::{ArcResult, ArcStatus};
use landmarc_auth::dkim::{DkimOutcome, DkimResult};
use landmarc_auth::lookup::AskedQuestion;
use landmarc_dmarc::evaluation::Evaluation;
use landmarc_mail::author::Author;
use landmarc_mail::{DomainName, Envelope};

use crate::collect::key_unanswered;
use crate::evidence::HeaderFacts;
use crate::judgement::Judgement;
use crate::rule::{
    Condition, MAX_RECIPIENTS, NamePattern, RecipientPattern, ResultWord, Rule, RuleAction, RuleConditions,
    any, is_among,
};

/// What the conditions of a rule speak of.
#[derive(Clone, Copy, Debug)]
pub struct MessageFacts<'a> {
    /// The author domains.
    pub author: &'a Author,
    /// The evaluation that decides; its result is the one that counts, as for the action.
    pub evaluation: Option<&'a Evaluation>,
    /// Every signature.
    pub dkim: &'a [DkimOutcome],
    /// The ARC chain.
    pub arc: &'a ArcResult,
    /// What was asked, to know whether a chain fails for want of an answer.
    pub asked: &'a [AskedQuestion],
    /// The header section.
    pub header: &'a HeaderFacts,
    /// Client and recipients.
    pub envelope: &'a Envelope,
    /// Unix time in seconds.
    pub now: u64,
}

impl<'a> MessageFacts<'a> {
    /// Those of a message that was judged at this time.
    #[must_use]
    pub fn of(judgement: &'a Judgement, now: u64) -> Self {
        Self {
            author: &judgement.author,
            evaluation: judgement.evaluation(),
            dkim: &judgement.dkim,
            arc: &judgement.arc,
            asked: &judgement.asked,
            header: &judgement.header,
            envelope: &judgement.envelope,
            now,
        }
    }
}

/// The rule that decides about a message, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected<'a> {
    /// The first rule that holds.
    pub rule: Option<&'a Rule>,
    /// A rule before it that might have spared the message, had DNS answered.
    pub doubtful: Option<&'a Rule>,
}

/// Finds the rule that decides: the first that holds.
#[must_use]
pub fn select<'a>(rules: &'a [Rule], facts: &MessageFacts<'_>) -> Selected<'a> {
    let mut selected = Selected::default();
    for rule in rules {
        match rule.check(facts) {
            Check::Holds => {
                selected.rule = Some(rule);
                return selected;
            }
            Check::Unanswered(_) if rule.action != RuleAction::Reject => {
                selected.doubtful = selected.doubtful.or(Some(rule));
            }
            Check::Unanswered(_) | Check::Fails(_) => {}
        }
    }
    selected
}

/// Whether a message meets a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// All conditions hold.
    Holds,
    /// This one does not; it is the first.
    Fails(Condition),
    /// None fails, but whether this one holds is not known, for DNS did not answer.
    Unanswered(Condition),
}

/// Whether one condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConditionResult {
    Yes,
    No,
    Unanswered,
}

impl From<bool> for ConditionResult {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// The cheap ones first: most rules are about other domains.
const ORDER: [Condition; 9] = [
    Condition::Expires,
    Condition::Result,
    Condition::AuthorDomain,
    Condition::DkimDomain,
    Condition::Client,
    Condition::ClientName,
    Condition::ListId,
    Condition::ArcSealer,
    Condition::Recipient,
];

impl Rule {
    /// Whether the message meets this rule, whatever the others say.
    #[must_use]
    pub fn check(&self, facts: &MessageFacts<'_>) -> Check {
        let mut unanswered = None;
        for condition in ORDER {
            match self.holds(condition, facts) {
                ConditionResult::Yes => {}
                ConditionResult::No => return Check::Fails(condition),
                ConditionResult::Unanswered => unanswered = unanswered.or(Some(condition)),
            }
        }
        unanswered.map_or(Check::Holds, Check::Unanswered)
    }

    fn holds(&self, condition: Condition, facts: &MessageFacts<'_>) -> ConditionResult {
        let RuleConditions {
            result,
            author_domain,
            dkim_domain,
            client,
            client_name,
            list_id,
            arc_sealer,
            recipient,
        } = &self.conditions;
        let envelope = facts.envelope;
        match condition {
            Condition::Expires => self.is_in_force(facts.now).into(),
            Condition::Result => {
                let found = ResultWord::of(facts.evaluation);
                // Decision D6: that DNS did not answer is never a ground to refuse a message.
                let may_be = self.action != RuleAction::Reject || found != ResultWord::TempError;
                (may_be && result.contains(&found)).into()
            }
            Condition::AuthorDomain => where_named(author_domain, |patterns| {
                written_by(patterns, facts.author.domains(), self.action).into()
            }),
            Condition::DkimDomain => where_named(dkim_domain, |patterns| signed_by(patterns, facts.dkim)),
            Condition::Client => where_named(client, |ranges| {
                let address = envelope.client.map(|address| address.to_canonical());
                address
                    .is_some_and(|address| ranges.iter().any(|range| range.contains(&address)))
                    .into()
            }),
            Condition::ClientName => where_named(client_name, |patterns| {
                let name = envelope.client_name.as_deref();
                let name = name.and_then(|name| DomainName::parse(name).ok());
                name.is_some_and(|name| any(patterns, &name)).into()
            }),
            Condition::ListId => where_named(list_id, |patterns| {
                let id = facts.header.list_id.as_ref();
                id.is_some_and(|id| any(patterns, id)).into()
            }),
            Condition::ArcSealer => where_named(arc_sealer, |patterns| sealed_by(patterns, facts)),
            Condition::Recipient => {
                where_named(recipient, |patterns| sent_to(patterns, &envelope.rcpt_to).into())
            }
        }
    }
}

/// A condition that the rule does not name holds of every message.
fn where_named<T>(list: &[T], holds: impl FnOnce(&[T]) -> ConditionResult) -> ConditionResult {
    if list.is_empty() {
        ConditionResult::Yes
    } else {
        holds(list)
    }
}

/// Were one of several enough to be accepted, those who may use the name of an exempted domain could
/// show any other beside it. Were all needed to be refused, any other beside it would save it.
fn written_by(patterns: &[NamePattern], authors: &[DomainName], action: RuleAction) -> bool {
    let mut named = authors.iter().map(|author| any(patterns, author));
    match action {
        RuleAction::Accept => !authors.is_empty() && named.all(|is_named| is_named),
        RuleAction::Quarantine | RuleAction::Reject => named.any(|is_named| is_named),
    }
}

/// Of nobody, or of more than are kept, it is not known that all are meant.
fn sent_to(patterns: &[RecipientPattern], paths: &[Vec<u8>]) -> bool {
    let is_known = !paths.is_empty() && paths.len() <= MAX_RECIPIENTS;
    is_known && paths.iter().all(|path| is_among(patterns, path))
}

fn signed_by(patterns: &[NamePattern], dkim: &[DkimOutcome]) -> ConditionResult {
    let of_these = |verdict: DkimResult| {
        dkim.iter()
            .filter(|signature| signature.result == verdict)
            .filter_map(|signature| signature.domain.as_ref())
            .any(|domain| any(patterns, domain))
    };
    if of_these(DkimResult::Pass) {
        ConditionResult::Yes
    } else if of_these(DkimResult::TempError) {
        ConditionResult::Unanswered
    } else {
        ConditionResult::No
    }
}

/// RFC 8617 §7.2.1: what a chain is worth is what its newest sealer is worth, and a chain that
/// does not validate, or whose newest message signature does not sign From, is none.
fn sealed_by(patterns: &[NamePattern], facts: &MessageFacts<'_>) -> ConditionResult {
    let arc = facts.arc;
    let newest = arc
        .sealers
        .last()
        .filter(|sealer| sealer.instance == arc.instances);
    if !arc.signs_from || !newest.is_some_and(|sealer| any(patterns, &sealer.domain)) {
        return ConditionResult::No;
    }
    match arc.status {
        ArcStatus::Pass => ConditionResult::Yes,
        ArcStatus::Fail if key_unanswered(arc, facts.asked) => ConditionResult::Unanswered,
        ArcStatus::Fail | ArcStatus::None => ConditionResult::No,
    }
}
