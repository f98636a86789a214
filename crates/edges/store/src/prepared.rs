//! An observation made ready for writing: cut to limits, and with the fingerprints by which equal
//! parts are stored once. Done on the caller's thread, so that the one writer has little to do.

use std::mem::{size_of, take};
use std::net::IpAddr;
use std::sync::Arc;

use landmarc_observation::{Observation, TallyRow};

use crate::digest::{Digest, Digests, Encoder};
use crate::limits::{MAX_LIST, MAX_PROBLEM, MAX_PROBLEMS, MAX_TEXT, MAX_TRACE, MAX_WORD};
use crate::model::{Day, RecordLosses};

/// What waits to be written about one message.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kept: Option<KeptObservation>,
    pub(crate) counted: Option<CountedRow>,
    pub(crate) hit: Option<Hit>,
    /// Octets in memory, but for the trace.
    bytes: usize,
}

/// The observation.
#[derive(Debug)]
pub(crate) struct KeptObservation {
    pub(crate) at_ms: u64,
    pub(crate) queue_id: String,
    pub(crate) short_id: String,
    pub(crate) client: Option<IpAddr>,
    pub(crate) outcome: PreparedOutcome,
    pub(crate) outcome_digest: Digest,
    pub(crate) trace: Option<Trace>,
    pub(crate) questions: u32,
    pub(crate) ms: u32,
    /// Octets in memory, about, but for the trace.
    pub(crate) bytes: usize,
}

/// The part of an observation that many messages share.
#[derive(Clone, Debug)]
pub(crate) struct PreparedOutcome {
    pub(crate) author_domain: Option<String>,
    pub(crate) spf: String,
    pub(crate) dkim: String,
    pub(crate) arc: String,
    pub(crate) dmarc: String,
    pub(crate) policy_domain: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) disposition: String,
    pub(crate) action: String,
    pub(crate) enforced_action: String,
    pub(crate) overrides: Vec<(String, String)>,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) cause: String,
}

/// The text of an explanation.
#[derive(Debug)]
pub(crate) struct Trace {
    /// Empty where another host told it before: then only the digest names it.
    pub(crate) text: Arc<str>,
    pub(crate) digest: Digest,
}

impl Trace {
    /// Whether the text was told before.
    pub(crate) fn is_reference(&self) -> bool {
        self.text.is_empty()
    }
}

/// What the tally counts.
#[derive(Clone, Debug)]
pub(crate) struct CountedRow {
    pub(crate) day: Day,
    pub(crate) digest: Digest,
    pub(crate) row: Arc<TallyRow>,
    /// Octets in memory, about.
    pub(crate) bytes: usize,
}

/// That a rule of the operator decided, or was in force.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) name: Arc<str>,
    pub(crate) at_ms: u64,
    /// Whether it decided about a message.
    pub(crate) decided: bool,
}

impl Hit {
    /// Whether something is lost with it: that a rule is in force will be said again.
    pub(crate) fn lost(&self) -> u64 {
        u64::from(self.decided)
    }
}

impl Prepared {
    /// Without `keep` only the tally and the rule's hit are left of it.
    pub(crate) fn new(mut observation: Observation, keep: bool, digests: &Digests) -> Self {
        let day = Day::at(observation.at_ms);
        let counted = observation
            .row
            .take()
            .map(|row| CountedRow::new(day, row, digests));
        let hit = observation.rule.take().map(|name| Hit {
            name: word(name).into(),
            at_ms: observation.at_ms,
            decided: true,
        });
        let rule = hit.as_ref().map(|hit| Arc::clone(&hit.name));
        let kept = keep.then(|| KeptObservation::new(observation, rule, digests));
        let bytes = size_of::<Self>()
            + hit.as_ref().map_or(0, |hit| hit.name.len())
            + kept.as_ref().map_or(0, |kept| kept.bytes)
            + counted.as_ref().map_or(0, |counted| counted.bytes);
        Self {
            kept,
            counted,
            hit,
            bytes,
        }
    }

    /// That a rule is in force, of no message.
    pub(crate) fn rule_in_force(name: &str, at_ms: u64) -> Self {
        let name: Arc<str> = word(name.to_owned()).into();
        Self {
            bytes: size_of::<Self>() + name.len(),
            kept: None,
            counted: None,
            hit: Some(Hit {
                name,
                at_ms,
                decided: false,
            }),
        }
    }

    /// An observation that another host has made.
    pub(crate) fn of_another(kept: KeptObservation) -> Self {
        Self {
            bytes: size_of::<Self>() + kept.bytes,
            kept: Some(kept),
            counted: None,
            hit: None,
        }
    }

    /// Octets in memory. A trace counts in full, though equal ones may share theirs.
    pub(crate) fn bytes(&self) -> usize {
        let trace = self.kept.as_ref().and_then(|kept| kept.trace.as_ref());
        self.bytes + trace.map_or(0, |trace| trace.text.len())
    }

    /// What is lost when all of it is.
    pub(crate) fn lost(&self) -> RecordLosses {
        RecordLosses {
            traces: 0,
            observations: u64::from(self.kept.is_some()),
            tallies: u64::from(self.counted.is_some()),
            rule_hits: self.hit.as_ref().map_or(0, Hit::lost),
        }
    }
}

impl KeptObservation {
    fn new(mut observation: Observation, rule: Option<Arc<str>>, digests: &Digests) -> Self {
        let trace = cut_trace(take_trace(&mut observation), digests);
        let outcome = PreparedOutcome::new(&mut observation, rule);
        let content = outcome.encoded();
        Self {
            bytes: content.len() + observation.queue_id.len() + observation.id.len(),
            at_ms: observation.at_ms,
            queue_id: word(observation.queue_id),
            short_id: word(observation.id),
            client: observation.client.map(|client| client.to_canonical()),
            outcome_digest: digests.of(&content),
            outcome,
            trace,
            questions: observation.questions,
            ms: observation.ms,
        }
    }

    pub(crate) fn day(&self) -> Day {
        Day::at(self.at_ms)
    }
}

fn take_trace(observation: &mut Observation) -> Arc<str> {
    std::mem::replace(&mut observation.trace, Arc::from(""))
}

fn cut_trace(text: Arc<str>, digests: &Digests) -> Option<Trace> {
    let text = match text.len() {
        0 => return None,
        1..=MAX_TRACE => text,
        _ => Arc::from(
            text.get(..text.floor_char_boundary(MAX_TRACE))
                .unwrap_or_default(),
        ),
    };
    Some(Trace {
        digest: digests.of(text.as_bytes()),
        text,
    })
}

impl PreparedOutcome {
    fn new(observation: &mut Observation, rule: Option<Arc<str>>) -> Self {
        Self {
            author_domain: observation.author_domain.take().map(word),
            spf: word(take(&mut observation.spf)),
            dkim: word(take(&mut observation.dkim)),
            arc: word(take(&mut observation.arc)),
            dmarc: word(take(&mut observation.dmarc)),
            policy_domain: observation.policy_domain.take().map(word),
            policy: observation.policy.take().map(word),
            disposition: word(take(&mut observation.disposition)),
            action: word(take(&mut observation.action)),
            enforced_action: word(take(&mut observation.enforced_action)),
            overrides: pairs(take(&mut observation.overrides)),
            rule,
            cause: text(take(&mut observation.cause)),
        }
    }

    /// What tells outcomes apart.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.encoded())
    }

    fn encoded(&self) -> Vec<u8> {
        let mut content = Encoder::default();
        content.optional(self.author_domain.as_deref());
        content.optional(self.policy_domain.as_deref());
        content.optional(self.policy.as_deref());
        content.optional(self.rule.as_deref());
        for word in [&self.spf, &self.dkim, &self.arc, &self.dmarc] {
            content.text(word);
        }
        for word in [
            &self.disposition,
            &self.action,
            &self.enforced_action,
            &self.cause,
        ] {
            content.text(word);
        }
        content.pairs(&self.overrides);
        content.0
    }
}

impl CountedRow {
    pub(crate) fn new(day: Day, row: TallyRow, digests: &Digests) -> Self {
        let row = within_limits(row);
        let content = encoded_row(&row);
        Self {
            day,
            digest: digests.of(&content),
            row: Arc::new(row),
            bytes: size_of::<TallyRow>() + content.len(),
        }
    }
}

/// What tells policy configurations apart.
pub(crate) fn published_digest(row: &TallyRow) -> Digest {
    let mut content = Encoder::default();
    encode_published(&mut content, row);
    encode_later(&mut content, row, Later::Published);
    Digest::of(&content.0)
}

fn encoded_row(row: &TallyRow) -> Vec<u8> {
    let mut content = Encoder::default();
    content.text(&row.policy_domain);
    encode_published(&mut content, row);
    match row.source_ip {
        IpAddr::V4(ip) => content.0.extend(ip.octets()),
        IpAddr::V6(ip) => content.0.extend(ip.octets()),
    }
    content
        .0
        .extend([u8::from(row.dkim_aligned), u8::from(row.spf_aligned)]);
    content.text(&row.disposition);
    content.pairs(&row.reasons);
    content.text(&row.header_from);
    content.optional(row.envelope_from.as_deref());
    content.optional(row.envelope_to.as_deref());
    content.length(row.dkim.len());
    row.dkim.iter().for_each(|result| content.triple(result));
    content.length(usize::from(row.spf.is_some()));
    row.spf.iter().for_each(|result| content.triple(result));
    encode_later(&mut content, row, Later::Row);
    content.0
}

/// What [`encode_later`] is about: all of a row, or its policy configuration only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Later {
    Row,
    Published,
}

/// What came with version 2 of the schema. It is behind everything else, and nothing at all where it is as
/// it was taken for before: so the rows of a store of version 1 are found again by their digests.
fn encode_later(content: &mut Encoder, row: &TallyRow, later: Later) {
    let published = &row.published;
    let incidental = row.incidental && later == Later::Row;
    if !incidental && !published.psd && published.problems.is_empty() {
        return;
    }
    content.0.extend([u8::from(incidental), u8::from(published.psd)]);
    content.length(published.problems.len());
    published.problems.iter().for_each(|one| content.text(one));
}

fn encode_published(content: &mut Encoder, row: &TallyRow) {
    let published = &row.published;
    for word in [&published.p, &published.sp, &published.adkim, &published.aspf] {
        content.text(word);
    }
    content.text(&published.fo);
    content.text(&published.discovery_method);
    content.optional(published.np.as_deref());
    content.0.push(u8::from(published.testing));
    for list in [&published.rua, &published.ruf] {
        content.length(list.len());
        list.iter().for_each(|address| content.text(address));
    }
}

fn within_limits(mut row: TallyRow) -> TallyRow {
    row.dkim.truncate(MAX_LIST);
    row.published.rua.truncate(MAX_LIST);
    row.published.ruf.truncate(MAX_LIST);
    row.published.problems.truncate(MAX_PROBLEMS);
    let published = row.published;
    TallyRow {
        policy_domain: word(row.policy_domain),
        published: landmarc_observation::PublishedPolicy {
            p: word(published.p),
            sp: word(published.sp),
            np: published.np.map(word),
            adkim: word(published.adkim),
            aspf: word(published.aspf),
            fo: word(published.fo),
            testing: published.testing,
            discovery_method: word(published.discovery_method),
            rua: published.rua.into_iter().map(text).collect(),
            ruf: published.ruf.into_iter().map(text).collect(),
            problems: published.problems.into_iter().map(problem).collect(),
            psd: published.psd,
        },
        source_ip: row.source_ip.to_canonical(),
        disposition: word(row.disposition),
        reasons: pairs(row.reasons),
        header_from: word(row.header_from),
        envelope_from: row.envelope_from.map(word),
        envelope_to: row.envelope_to.map(word),
        dkim: row.dkim.into_iter().map(triple).collect(),
        spf: row.spf.map(triple),
        ..row
    }
}

fn triple((domain, name, result): (String, String, String)) -> (String, String, String) {
    (word(domain), word(name), word(result))
}

fn pairs(mut list: Vec<(String, String)>) -> Vec<(String, String)> {
    list.truncate(MAX_LIST);
    list.into_iter()
        .map(|(name, comment)| (word(name), text(comment)))
        .collect()
}

fn word(value: String) -> String {
    cut(value, MAX_WORD)
}

fn problem(value: String) -> String {
    cut(value, MAX_PROBLEM)
}

fn text(value: String) -> String {
    cut(value, MAX_TEXT)
}

fn cut(mut value: String, limit: usize) -> String {
    if value.len() > limit {
        value.truncate(value.floor_char_boundary(limit));
    }
    value
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use landmarc_observation::PublishedPolicy;

    /// A message of 2026-06-01, just after midnight, that passed.
    pub(crate) fn observation(number: u64) -> Observation {
        Observation {
            at_ms: 1_780_272_000_000 + number,
            queue_id: format!("4ZQ{number:08x}"),
            id: format!("id-{number}"),
            client: Some([192, 0, 2, 7].into()),
            author_domain: Some("example.com".to_owned()),
            spf: "pass".to_owned(),
            dkim: "pass".to_owned(),
            arc: "none".to_owned(),
            dmarc: "pass".to_owned(),
            policy_domain: Some("example.com".to_owned()),
            policy: Some("reject".to_owned()),
            disposition: "pass".to_owned(),
            action: "accept".to_owned(),
            enforced_action: "accept".to_owned(),
            overrides: Vec::new(),
            rule: None,
            cause: "an aligned signature passed".to_owned(),
            questions: 4,
            ms: 12,
            trace: Arc::from("dkim example.com: pass"),
            row: Some(row("example.com")),
        }
    }

    pub(crate) fn row(domain: &str) -> TallyRow {
        TallyRow {
            policy_domain: domain.to_owned(),
            published: PublishedPolicy {
                p: "reject".to_owned(),
                ..PublishedPolicy::default()
            },
            source_ip: [192, 0, 2, 7].into(),
            disposition: "pass".to_owned(),
            dkim_aligned: true,
            spf_aligned: false,
            reasons: Vec::new(),
            header_from: domain.to_owned(),
            envelope_from: None,
            envelope_to: None,
            dkim: Vec::new(),
            spf: None,
            incidental: false,
        }
    }

    pub(crate) fn prepared(observation: Observation) -> Prepared {
        Prepared::new(observation, true, &Digests::new())
    }

    fn digest(change: impl FnOnce(&mut TallyRow)) -> Digest {
        let mut row = row("example.com");
        change(&mut row);
        CountedRow::new(Day(1), row, &Digests::new()).digest
    }

    #[test]
    fn every_part_of_the_key_tells_rows_apart() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let triple = |a: &str, b: &str| (a.to_owned(), b.to_owned(), "pass".to_owned());
        let all = [
            digest(|_| {}),
            digest(|row| row.policy_domain = "example.org".into()),
            digest(|row| row.header_from = "a.example.com".into()),
            digest(|row| row.published.sp = "none".into()),
            digest(|row| row.published.np = Some(String::new())),
            digest(|row| row.published.testing = true),
            digest(|row| row.published.rua = vec!["a".into(), "b".into()]),
            digest(|row| row.published.rua = vec!["ab".into()]),
            digest(|row| row.published.ruf = vec!["ab".into()]),
            digest(|row| row.published.psd = true),
            digest(|row| row.published.problems = vec!["ab".into()]),
            digest(|row| row.published.problems = vec!["a".into(), "b".into()]),
            digest(|row| row.incidental = true),
            digest(|row| row.source_ip = [192, 0, 2, 8].into()),
            digest(|row| row.dkim_aligned = false),
            digest(|row| row.spf_aligned = true),
            digest(|row| row.disposition = "none".into()),
            digest(|row| row.reasons = vec![pair("other", "x")]),
            digest(|row| row.reasons = vec![pair("othe", "rx")]),
            digest(|row| row.envelope_from = Some(String::new())),
            digest(|row| row.envelope_to = Some(String::new())),
            digest(|row| row.dkim = vec![triple("a", "b")]),
            digest(|row| row.dkim = vec![triple("b", "a")]),
            digest(|row| row.dkim = vec![triple("a", "b"), triple("c", "d")]),
            digest(|row| row.dkim = vec![triple("c", "d"), triple("a", "b")]),
            digest(|row| row.spf = Some(triple("a", "b"))),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(
                !all[..place].contains(one),
                "number {place} equals an earlier one"
            );
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_in_it() {
        // GR16.
        let mapped = digest(|row| row.source_ip = "::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(mapped, digest(|_| {}));
    }

    #[test]
    fn what_is_longer_than_its_limit_is_cut_between_characters() {
        let mut long = observation(1);
        long.queue_id = "q".repeat(MAX_WORD);
        long.id = "é".repeat(MAX_WORD);
        long.cause = "c".repeat(MAX_TEXT + 1);
        long.trace = "t".repeat(MAX_TRACE + 1).into();
        long.overrides = vec![("other".to_owned(), String::new()); MAX_LIST + 1];
        let kept = prepared(long).kept.unwrap();
        assert_eq!(kept.queue_id.len(), MAX_WORD);
        assert_eq!(kept.short_id.len(), MAX_WORD - 1);
        assert_eq!(kept.outcome.cause.len(), MAX_TEXT);
        assert_eq!(kept.trace.unwrap().text.len(), MAX_TRACE);
        assert_eq!(kept.outcome.overrides.len(), MAX_LIST);

        let whole: Arc<str> = "t".repeat(MAX_TRACE).into();
        let mut just = observation(1);
        just.trace = Arc::clone(&whole);
        let kept = prepared(just).kept.unwrap();
        assert!(Arc::ptr_eq(&kept.trace.unwrap().text, &whole));
    }

    #[test]
    fn without_observations_the_tally_and_the_hit_are_left() {
        let mut ruled = observation(1);
        ruled.rule = Some("r".repeat(MAX_WORD + 1));
        let prepared = Prepared::new(ruled, false, &Digests::new());
        assert!(prepared.kept.is_none());
        assert!(prepared.counted.is_some());
        assert_eq!(prepared.hit.unwrap().name.len(), MAX_WORD);
    }
}
