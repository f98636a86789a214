//! Results of the filters ahead of us (decision D9): SPF, DKIM and ARC taken from the
//! Authentication-Results of those authserv-ids that the operator trusts.
//!
//! Such a field is text in a message, and senders write messages. So little is believed:
//!
//! * Fields above the first Received field of the message as it came: filters put theirs on top,
//!   and below it other hosts have written (RFC 8601 §4.1).
//! * Fields whose authserv-id is trusted, alone or as `id/job`, where the job is this very message.
//! * A pass that all such fields agree on which speak of it, the topmost one that speaks of the mechanism among
//!   them. One forged field below a genuine one can make a result worse, and never better.
//! * SPF of the sender and the client that the MTA names to us, and DKIM of signatures that are there.
//! * Nothing, where the sender has chosen an address, a HELO name or a signature of characters that
//!   could end a word of a field: filters repeat those, and not all of them quote what they repeat.
//!
//! What no filter can find out is whether the ones ahead have spoken at all. Where they are silent,
//! a field that the sender wrote in their name is the topmost one. They must therefore always add
//! theirs, and the MTA should drop such fields before any filter sees them; docs/three-milters.md says how.

mod arc;
mod claim;
mod dkim;
mod fields;
mod plain;
mod spf;

use landmarc_auth::arc::ArcResult;
use landmarc_auth::dkim::DkimOutcome;
use landmarc_mail::Envelope;
use landmarc_mail::message::HeaderSection;

use crate::policy::{ClientFacts, ResultSource, Rules};
use crate::removals::Removal;
use crate::spf::SpfPair;
use claim::UpstreamClaim;
use fields::Fields;

/// What is known of a message beside its header section when that is complete.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// What the operator's lists say of the client.
    pub client: ClientFacts,
    /// The envelope; recipients are not needed.
    pub envelope: &'a Envelope,
    /// What the MTA calls the message, where it has said so.
    pub queue_id: Option<&'a str>,
    /// When it arrived, in Unix seconds.
    pub now: u64,
}

impl<'a> Arrival<'a> {
    /// A message from a client that is on no list, which the MTA has not named.
    #[must_use]
    pub fn of(envelope: &'a Envelope, now: u64) -> Self {
        Self {
            client: ClientFacts::default(),
            envelope,
            queue_id: None,
            now,
        }
    }
}

/// The filters ahead whose results were taken, by authserv-id, or `Received-SPF`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultSources {
    /// Of SPF.
    pub spf: Option<String>,
    /// Of DKIM.
    pub dkim: Option<String>,
    /// Of ARC.
    pub arc: Option<String>,
    /// Why what is stated of SPF is not believed, in words behind "as".
    pub spf_doubt: Option<&'static str>,
    /// Whether a filter ahead should have stated a result of SPF or DKIM, and did not.
    pub is_silent: bool,
}

/// What the message tells of the mechanisms that are not ours to check. What is missing here is.
#[derive(Debug, Default)]
pub(crate) struct UpstreamResults {
    pub(crate) spf: Option<SpfPair>,
    pub(crate) dkim: Option<Vec<DkimOutcome>>,
    pub(crate) arc: Option<ArcResult>,
    pub(crate) result_sources: ResultSources,
    /// The fields that were believed, and so stay.
    pub(crate) kept: Vec<Removal>,
    /// Forged fields beside those in the name of an authserv-id.
    pub(crate) forged: Vec<Removal>,
    /// Whether there is any field in a trusted name; not known where none is looked for.
    pub(crate) is_heard: Option<bool>,
}

/// Why a result of SPF or DKIM is a temporary error.
const SILENCE: &str = "no trusted Authentication-Results field tells of it";

/// Reads what the filters ahead have found.
pub(crate) fn read(headers: &HeaderSection, rules: &Rules, arrival: &Arrival<'_>) -> UpstreamResults {
    let upstream = &rules.upstream;
    if !upstream.is_used() {
        return UpstreamResults::default();
    }
    let fields = Fields::read(headers, rules, arrival.queue_id);
    let mut stated = UpstreamResults {
        is_heard: Some(fields.are_there()),
        ..UpstreamResults::default()
    };
    let doubt = plain::doubt(arrival.envelope, headers);
    if upstream.spf != ResultSource::Own {
        stated.take_spf(headers, &fields, doubt, rules, arrival);
    }
    if upstream.dkim != ResultSource::Own {
        stated.take_dkim(headers, &fields, doubt, rules);
    }
    if upstream.arc != ResultSource::Own {
        stated.take_arc(headers, &fields, doubt, rules, arrival.now);
    }
    stated
}

impl UpstreamResults {
    fn take_spf(
        &mut self,
        headers: &HeaderSection,
        fields: &Fields,
        doubt: Option<&'static str>,
        rules: &Rules,
        arrival: &Arrival<'_>,
    ) {
        let envelope = arrival.envelope;
        let mut claim = spf::claim(fields, doubt, envelope);
        if claim == UpstreamClaim::Absent && rules.upstream.received_spf {
            let received = spf::received(headers, doubt, envelope);
            claim = received.claim;
            self.forged.extend(received.forged);
        }
        let adopted = self.adopt(claim, rules.upstream.spf);
        let (outcome, by) = match adopted {
            Adopted::Result { by, result } => (result, Some(by)),
            Adopted::Ours => return,
            Adopted::Unknown => {
                self.result_sources.is_silent = true;
                (spf::unknown(envelope, SILENCE), None)
            }
            Adopted::Doubtful(why) => {
                self.result_sources.spf_doubt = Some(why);
                (spf::doubtful(envelope, why), None)
            }
        };
        self.result_sources.spf = by;
        self.spf = Some(SpfPair {
            mail_from: outcome,
            helo: None,
        });
    }

    fn take_dkim(
        &mut self,
        headers: &HeaderSection,
        fields: &Fields,
        doubt: Option<&'static str>,
        rules: &Rules,
    ) {
        let signatures = landmarc_auth::dkim::described(headers);
        let claim = dkim::claim(fields, doubt, &signatures, &rules.dkim);
        let (results, by) = match self.adopt(claim, rules.upstream.dkim) {
            Adopted::Result { by, result } => (result, Some(by)),
            Adopted::Ours => return,
            Adopted::Unknown => {
                self.result_sources.is_silent |=
                    signatures.iter().any(|signature| signature.reason.is_none());
                (dkim::unknown(signatures, SILENCE), None)
            }
            Adopted::Doubtful(why) => (dkim::doubtful(signatures, why), None),
        };
        self.result_sources.dkim = by;
        self.dkim = Some(results);
    }

    /// A chain can only excuse a message, so one that nobody believes is none.
    fn take_arc(
        &mut self,
        headers: &HeaderSection,
        fields: &Fields,
        doubt: Option<&'static str>,
        rules: &Rules,
        now: u64,
    ) {
        let claim = arc::claim(fields, doubt, headers, now);
        let (result, by) = match self.adopt(claim, rules.upstream.arc) {
            Adopted::Result { by, result } => (result, Some(by)),
            Adopted::Ours => return,
            Adopted::Unknown | Adopted::Doubtful(_) => (ArcResult::none(), None),
        };
        self.result_sources.arc = by;
        self.arc = Some(result);
    }

    fn adopt<T>(&mut self, claim: UpstreamClaim<T>, source: ResultSource) -> Adopted<T> {
        match claim {
            UpstreamClaim::Result { by, field, result } => {
                if !self.kept.contains(&field) {
                    self.kept.push(field);
                }
                Adopted::Result { by, result }
            }
            UpstreamClaim::Absent | UpstreamClaim::Doubtful(_) if source != ResultSource::Upstream => {
                Adopted::Ours
            }
            // Decision D6: that a filter is down is no fault of the sender.
            UpstreamClaim::Absent => Adopted::Unknown,
            // But what is in doubt is the sender's own doing, and must not spare it the policy.
            UpstreamClaim::Doubtful(why) => Adopted::Doubtful(why),
        }
    }
}

/// What is made of it.
enum Adopted<T> {
    Result {
        by: String,
        result: T,
    },
    /// We check it ourselves.
    Ours,
    Unknown,
    Doubtful(&'static str),
}
