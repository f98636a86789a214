//! The DNS Tree Walk: which names are asked, which record applies, and which name is
//! the Organizational Domain (RFC 9989 §4.10).

use std::iter;

use futures_util::future::join_all;
use landmarc_auth::lookup::{Answer, DnsName, Lookup, LookupError, Missing, Question, existence};
use landmarc_mail::DomainName;

use crate::record::{PolicyRecord, Psd};

/// The most questions of one walk (RFC 9989 §4.10).
pub const MAX_QUESTIONS: usize = 8;

/// The names one DNS Tree Walk asks about, in order: never more than eight,
/// however many labels the sender invents (RFC 9989 §4.10, steps 1 to 7).
pub fn names_to_ask(start: &DomainName) -> impl Iterator<Item = DomainName> + use<> {
    // RFC 9989 §4.10: from eight labels on, only the rightmost seven are kept for the
    // second name. A hundred labels must not cost us a hundred questions.
    let skipped = start.label_count().saturating_sub(MAX_QUESTIONS);
    iter::once(start.clone()).chain(start.ancestors().skip(skipped))
}

/// One DNS Tree Walk, as far as it has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The name it starts from.
    pub start: DomainName,
    /// The names asked so far and what was there, longest name first.
    pub steps: Vec<WalkStep>,
}

/// One name of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkStep {
    /// The name whose `_dmarc.` was asked for.
    pub name: DomainName,
    /// What was there.
    pub outcome: WalkOutcome,
}

/// What was at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkOutcome {
    /// Exactly one DMARC Policy Record.
    Record(PolicyRecord),
    /// That many: all are discarded, and the name counts as having none (§4.10).
    SeveralRecords(usize),
    /// `_dmarc.` below the name exists, without such a record. So the name exists too.
    NoRecord,
    /// NXDOMAIN; it says nothing of the name itself.
    NoName,
    /// `_dmarc.` does not fit in front of the name: nothing can be there.
    CannotExist,
    /// Nobody answered: not the same as no record.
    Failed(LookupError),
}

/// What looking for a DMARC Policy Record came to (RFC 9989 §4.10.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// A record, and the DMARC Policy Domain it was found at.
    Applies(PolicyAt),
    /// No record: DMARC does not apply to this message.
    Absent,
    /// Neither pass nor fail may be concluded (§5.3.6).
    Unanswered(LookupError),
}

impl Discovery {
    /// The record that applies, and where it was found.
    pub fn applied(&self) -> Option<&PolicyAt> {
        match self {
            Self::Applies(at) => Some(at),
            Self::Absent | Self::Unanswered(_) => None,
        }
    }
}

/// A record that applies to an Author Domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyAt {
    /// The DMARC Policy Domain.
    pub domain: DomainName,
    /// The record there.
    pub record: PolicyRecord,
    /// By which of the three rules it applies.
    pub taken_as: TakenAs,
}

impl PolicyAt {
    /// Whether two policies of the record differ in nothing but whether the author exists.
    pub(crate) fn depends_on_existence(&self) -> bool {
        self.taken_as != TakenAs::Author && self.record.depends_on_existence()
    }
}

/// Whose record applies, in the order of preference (§4.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TakenAs {
    /// That of the Author Domain.
    Author,
    /// That of its Organizational Domain.
    Organizational,
    /// That of the Public Suffix Domain above, as the Organizational Domain has none.
    PublicSuffix,
}

/// A record of a walk and the name it was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkRecord<'a> {
    /// The name.
    pub name: &'a DomainName,
    /// The one record there.
    pub record: &'a PolicyRecord,
}

/// Chooses the Organizational Domain among the records of one walk, given
/// longest name first (RFC 9989 §4.10.2). Without any, it is `start` itself.
///
/// A record that is unusable for policy counts, which §4.10.2 leaves open: what makes it one is the
/// `v` tag alone.
#[must_use]
pub fn organizational_domain(start: &DomainName, found: &[WalkRecord<'_>]) -> DomainName {
    for WalkRecord { name, record } in found {
        match record.psd {
            Psd::No => return (*name).clone(),
            // One label below, counted from the start: that name may never have been asked. Below the
            // start there is none, and it is the start itself.
            Psd::Yes => return start.last_labels(name.label_count() + 1),
            Psd::Undeclared => {}
        }
    }
    found
        .last()
        .map_or_else(|| start.clone(), |shortest| shortest.name.clone())
}

impl Walk {
    /// A walk that has not begun.
    #[must_use]
    pub fn new(start: DomainName) -> Self {
        Self {
            start,
            steps: Vec::new(),
        }
    }

    /// The records so far, longest name first.
    #[must_use]
    pub fn found(&self) -> Vec<WalkRecord<'_>> {
        self.steps
            .iter()
            .filter_map(|WalkStep { name, outcome }| match outcome {
                WalkOutcome::Record(record) => Some(WalkRecord { name, record }),
                _ => None,
            })
            .collect()
    }

    /// Why it could not be finished, if so.
    #[must_use]
    pub fn failure(&self) -> Option<LookupError> {
        match self.steps.last()?.outcome {
            WalkOutcome::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The name to ask about next; none when the walk is over. It ends at the top-level
    /// label, at a record that says what its name is (`psd`), and at a question that
    /// nobody answers: what lies above could overrule all that was seen (§4.10.1).
    #[must_use]
    pub fn next_name(&self) -> Option<DomainName> {
        if self.is_over() {
            return None;
        }
        names_to_ask(&self.start).nth(self.steps.len())
    }

    /// Whether its last step ends it, however many names are left.
    fn is_over(&self) -> bool {
        self.steps.last().is_some_and(|step| match &step.outcome {
            WalkOutcome::Record(record) => record.psd != Psd::Undeclared,
            WalkOutcome::Failed(_) => true,
            _ => false,
        })
    }

    /// The Organizational Domain of the start (§4.10.2); none when the walk failed or
    /// is not over, for then it is not known.
    #[must_use]
    pub fn organizational_domain(&self) -> Option<DomainName> {
        let is_complete = self.failure().is_none() && self.next_name().is_none();
        is_complete.then(|| organizational_domain(&self.start, &self.found()))
    }

    /// What the walk came to for an author at its start (§4.10.1).
    #[must_use]
    pub fn discovery(&self) -> Discovery {
        // §4.10.1: a record of the Author Domain is preferred to all others, so it settles
        // the policy, whatever the rest of the walk says.
        if let Some(own) = self.found().first().filter(|found| *found.name == self.start) {
            return applies(*own, TakenAs::Author);
        }
        if let Some(error) = self.failure() {
            return Discovery::Unanswered(error);
        }
        let found = self.found();
        let organizational = organizational_domain(&self.start, &found);
        let at_organizational = found.iter().find(|found| *found.name == organizational);
        match (at_organizational, found.last()) {
            (Some(found), _) => applies(*found, TakenAs::Organizational),
            // Only psd=y makes an Organizational Domain without a record, and it is the
            // last record of a walk. Those between it and the author do not count (§4.10.1).
            (None, Some(suffix)) => applies(*suffix, TakenAs::PublicSuffix),
            (None, None) => Discovery::Absent,
        }
    }

    /// The same walk as if the names that did not answer had no record. It goes on above them, so
    /// that a policy is seen there: the author of the From field chose the name that is silent.
    pub(crate) async fn past_failures(&self, lookup: &impl Lookup) -> Self {
        let mut past = Self::new(self.start.clone());
        for name in names_to_ask(&self.start) {
            let known = self.steps.iter().find(|step| step.name == name);
            let outcome = match known {
                Some(step) => step.outcome.clone(),
                None => look_at(lookup, &name).await,
            };
            if !matches!(outcome, WalkOutcome::Failed(_)) {
                past.steps.push(WalkStep { name, outcome });
            }
            if past.is_over() {
                break;
            }
        }
        past
    }

    /// Asks about one name more, if there is one.
    async fn step(&mut self, lookup: &impl Lookup) -> bool {
        let Some(name) = self.next_name() else {
            return false;
        };
        let outcome = look_at(lookup, &name).await;
        self.steps.push(WalkStep { name, outcome });
        true
    }

    /// Asks all that is left to ask, one name after the other: an answer may end it.
    pub async fn complete(&mut self, lookup: &impl Lookup) {
        while self.step(lookup).await {}
    }
}

fn applies(found: WalkRecord<'_>, taken_as: TakenAs) -> Discovery {
    Discovery::Applies(PolicyAt {
        domain: found.name.clone(),
        record: found.record.clone(),
        taken_as,
    })
}

/// Policy discovery for an Author Domain (RFC 9989 §4.10.1): one question where it
/// publishes a record itself, up to eight otherwise. The walk can be gone on with.
pub async fn discover(lookup: &impl Lookup, author: &DomainName) -> (Walk, Discovery) {
    let mut walk = Walk::new(author.clone());
    walk.step(lookup).await;
    if walk.found().is_empty() {
        walk.complete(lookup).await;
    }
    let discovery = walk.discovery();
    (walk, discovery)
}

/// Asks the questions that an evaluation of this Author Domain will need, for a lookup
/// that remembers its answers: so they are there when the body has arrived. The walk is asked
/// all at once, for one name after the other would cost a round trip each; whether the author
/// exists is asked where the policy hangs on that, which takes the walk to know.
pub async fn warm(lookup: &impl Lookup, author: &DomainName) {
    let answers = ask_walks(lookup, [author]).await;
    if let Some(Answer::NxDomain(Missing::Name)) = answers.first() {
        let (_, discovery) = discover(lookup, author).await;
        if let Discovery::Applies(at) = discovery
            && at.depends_on_existence()
        {
            existence(lookup, &DnsName::from(author)).await;
        }
    }
}

/// Asks for all names of the walks from these names, side by side. The few questions past a
/// `psd` tag, where a walk would end, are cheap: all mail shares the names up there.
pub(crate) async fn ask_walks<'a>(
    lookup: &impl Lookup,
    starts: impl IntoIterator<Item = &'a DomainName>,
) -> Vec<Answer> {
    let mut questions = Vec::<Question>::new();
    for name in starts.into_iter().flat_map(names_to_ask) {
        let question = DnsName::below("_dmarc", &name).map(Question::txt);
        questions.extend(question.filter(|question| !questions.contains(question)));
    }
    join_all(questions.iter().map(|question| lookup.ask(question))).await
}

/// What is at `_dmarc.` of a name: one TXT question, none where it cannot be asked.
pub(crate) async fn look_at(lookup: &impl Lookup, name: &DomainName) -> WalkOutcome {
    match DnsName::below("_dmarc", name) {
        Some(name) => outcome(&lookup.ask(&Question::txt(name)).await),
        None => WalkOutcome::CannotExist,
    }
}

fn outcome(answer: &Answer) -> WalkOutcome {
    match answer {
        Answer::Failed(error) => return WalkOutcome::Failed(*error),
        Answer::NxDomain(Missing::Name) => return WalkOutcome::NoName,
        // An alias that leads nowhere: `_dmarc.` itself is there (RFC 6604).
        Answer::NxDomain(Missing::AliasTarget) | Answer::NoData => return WalkOutcome::NoRecord,
        Answer::Records(_) => {}
    }
    // §4.10: records without the `v` tag are dropped before the others are counted, and
    // then it takes exactly one.
    let mut records = answer.texts().filter_map(PolicyRecord::parse);
    match (records.next(), records.count()) {
        (None, _) => WalkOutcome::NoRecord,
        (Some(record), 0) => WalkOutcome::Record(record),
        (Some(_), others) => WalkOutcome::SeveralRecords(others + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn asked(start: &str) -> Vec<String> {
        names_to_ask(&name(start)).map(|name| name.to_string()).collect()
    }

    #[test]
    fn eight_labels_skip_nothing_and_nine_skip_one() {
        assert_eq!(asked("a.b.c.d.e.f.example.com").len(), 8);
        assert_eq!(asked("a.b.c.d.e.f.example.com")[1], "b.c.d.e.f.example.com");
        let nine = asked("x.a.b.c.d.e.f.example.com");
        assert_eq!(nine.len(), 8);
        assert_eq!(nine[1], "b.c.d.e.f.example.com");
        assert_eq!(asked("localhost"), ["localhost"]);
    }

    #[test]
    fn a_name_too_long_for_a_prefix_is_passed_over() {
        // 249 octets fit beside `_dmarc.` no more.
        let long = name(&format!("{}com", "abcdef.".repeat(35)));
        assert!(long.as_str().len() + "_dmarc.".len() > 253);
        let zones = landmarc_testkit::txt_zones(&[("_dmarc.com", "v=DMARC1; p=none; psd=n")]);
        let (walk, discovery) = landmarc_testkit::block_on(discover(&zones, &long));
        assert_eq!(walk.steps[0].outcome, WalkOutcome::CannotExist);
        assert_eq!(walk.steps.len(), MAX_QUESTIONS);
        assert!(matches!(discovery, Discovery::Applies(at) if at.taken_as == TakenAs::Organizational));
    }

    #[test]
    fn the_organizational_domain_of_an_unfinished_walk_is_not_known() {
        let zones = landmarc_testkit::txt_zones(&[("_dmarc.example.com", "v=DMARC1; p=none")]);
        let (mut walk, _) = landmarc_testkit::block_on(discover(&zones, &name("example.com")));
        assert_eq!(walk.organizational_domain(), None);
        landmarc_testkit::block_on(walk.complete(&zones));
        assert_eq!(walk.organizational_domain(), Some(name("example.com")));
    }
}
