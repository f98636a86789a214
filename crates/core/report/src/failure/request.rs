//! Whether a failure report is wanted, and whether one may be made (RFC 9989 §4.7, RFC 9991 §2, §5).

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::evaluation::DmarcResult;
use landmarc_dmarc::record::{AssessmentPolicy, FailureOptions, Psd, ReportUri};

use super::alignment::IdentityAlignment;
use super::facts::{FailureFacts, ReportedDelivery, SignatureFacts};
use crate::address::Address;
use crate::destination::Destination;

/// The kinds of failure report that a record asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// About DMARC (RFC 9991).
    pub dmarc: bool,
    /// About DKIM (RFC 6591, RFC 6651).
    pub dkim: bool,
    /// About SPF (RFC 6591, RFC 6652).
    pub spf: bool,
    /// Which mechanisms gave no aligned identifier.
    pub identity_alignment: IdentityAlignment,
}

impl Requested {
    /// Whether any kind is asked for.
    #[must_use]
    pub fn is_any(self) -> bool {
        self.dmarc || self.dkim || self.spf
    }
}

/// What `fo` asks for of such a message (RFC 9989 §4.7). That a record has no `ruf` is not looked at
/// here: see [`gate`].
fn requested(facts: &FailureFacts) -> Requested {
    let options = facts.failure_options;
    let (dkim, spf) = (!facts.dkim_aligned, !facts.spf_aligned);
    let has_failed = |signature: &SignatureFacts| signature.result != DkimResult::Pass;
    let spf_failed = !matches!(facts.spf.result, SpfResult::Pass | SpfResult::Neutral);
    Requested {
        dmarc: (options.all && dkim && spf) || (options.any && (dkim || spf)),
        dkim: options.dkim && facts.signatures.iter().any(has_failed),
        spf: options.spf && spf_failed,
        identity_alignment: IdentityAlignment { dkim, spf },
    }
}

/// What the operator wants of failure reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestRules {
    /// Whether to report where the record publishes `none` for the Author Domain. By RFC 9991 such a
    /// record is reported about like any other, so that is the default. Without it there is nothing
    /// for such domains, as OpenDMARC has it without `FailureReportsOnNone` (P14). What counts is what
    /// is published: a stronger policy that `t=y` lowers to none asks for reports still, for "t" is
    /// about what is done with mail and nothing else.
    pub on_none: bool,
    /// Whether to report about mail that passes DMARC, where `fo=1`, `d` or `s` asks for it. RFC 9989
    /// §4.7 leaves it to the generator what it adheres to, and all mail that was forwarded would be
    /// such, so the default is not to.
    pub on_pass: bool,
}

impl Default for RequestRules {
    fn default() -> Self {
        Self {
            on_none: true,
            on_pass: false,
        }
    }
}

/// A failure report that may be made, if a destination proves to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedReport {
    /// The kinds asked for.
    pub requested: Requested,
    /// Where to send it, as published: the `mailto` URIs. RFC 9991 §2 has each of them tried.
    pub uris: Vec<String>,
}

/// Why there is no failure report about a message, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefusal {
    /// RFC 9989 §4.7: without `ruf`, what `fo` says is ignored.
    #[error("the record has no ruf")]
    NoDestination,
    /// RFC 9991 §2: such a `ruf` "MUST NOT be considered" without an agreement, and there is none.
    #[error("the record is that of a public suffix (psd=y)")]
    PublicSuffix,
    /// Only `mailto` is supported, and others are ignored (RFC 9989 §4.7).
    #[error("no URI of ruf is a mailto")]
    Scheme,
    /// Neither pass nor fail was found.
    #[error("DMARC came to {0}, which is no verdict")]
    NoVerdict(&'static str),
    /// It will be judged again.
    #[error("the message was deferred and will come again")]
    Deferred,
    /// A report about a report is how a loop begins (RFC 9991 §5.1).
    #[error("the message is itself a report (multipart/report)")]
    Report,
    /// A bounce.
    #[error("the message has the null reverse-path")]
    NullReversePath,
    /// RFC 3834 §2: no automatic answer to an automatic message.
    #[error("the message says that it was sent automatically (Auto-Submitted)")]
    Automatic,
    /// It may be a report, or the answer to one of ours.
    #[error("the message is addressed to an address of ours for reports")]
    ToUs,
    /// See [`RequestRules::on_none`].
    #[error("the record asks for p=none, and the setting report.failure.on_none is off")]
    PolicyNone,
    /// `fo` does not ask for one.
    #[error("the record does not ask for a report of this (fo={0})")]
    NotRequested(FailureOptions),
    /// See [`RequestRules::on_pass`].
    #[error("the message passes DMARC, and the setting report.failure.on_pass is off")]
    Passes,
    /// One destination is closed (RFC 9990 §4).
    #[error("{uri}: {reason}")]
    Destination {
        /// The URI, as published.
        uri: String,
        /// What was found about it.
        reason: String,
    },
}

/// Whether a failure report about the message is asked for and may be made, all but for the question
/// whether a destination is open, which costs DNS. Mail of authenticated and internal clients is never
/// judged and so never gets here.
///
/// # Errors
/// The first [`RequestRefusal`] that holds: those that lie with the record come first, then those that lie
/// with the message, then what the operator and `fo` say.
pub fn gate(facts: &FailureFacts, rules: RequestRules) -> Result<WantedReport, RequestRefusal> {
    let uris = uris_of_record(facts)?;
    refuse_message(facts)?;
    if facts.policy_published == Some(AssessmentPolicy::None) && !rules.on_none {
        return Err(RequestRefusal::PolicyNone);
    }
    let requested = requested(facts);
    if !requested.is_any() {
        return Err(RequestRefusal::NotRequested(facts.failure_options));
    }
    if facts.dmarc.is_pass() && !rules.on_pass {
        return Err(RequestRefusal::Passes);
    }
    Ok(WantedReport { requested, uris })
}

/// The addresses that a report goes to, by what [`destinations`](crate::destination::destinations) found
/// of [`WantedReport::uris`], and why it does not go to the others.
#[must_use]
pub fn open(destinations: &[Destination]) -> (Vec<Address>, Vec<RequestRefusal>) {
    let mut addresses = Vec::new();
    let mut refusals = Vec::new();
    for Destination {
        uri,
        address,
        verdict,
    } in destinations
    {
        match address {
            Some(address) if verdict.may_send() => addresses.push(address.clone()),
            _ => refusals.push(RequestRefusal::Destination {
                uri: uri.clone(),
                reason: verdict.to_string(),
            }),
        }
    }
    (addresses, refusals)
}

fn uris_of_record(facts: &FailureFacts) -> Result<Vec<String>, RequestRefusal> {
    if facts.failure_uris.is_empty() {
        return Err(RequestRefusal::NoDestination);
    }
    if facts.psd == Psd::Yes {
        return Err(RequestRefusal::PublicSuffix);
    }
    let is_mail = |uri: &&ReportUri| uri.address.is_some();
    let uris: Vec<_> = facts.failure_uris.iter().filter(is_mail).collect();
    if uris.is_empty() {
        return Err(RequestRefusal::Scheme);
    }
    Ok(uris.into_iter().map(ToString::to_string).collect())
}

fn refuse_message(facts: &FailureFacts) -> Result<(), RequestRefusal> {
    let refusals = [
        (
            !matches!(facts.dmarc, DmarcResult::Pass(_) | DmarcResult::Fail),
            RequestRefusal::NoVerdict(facts.dmarc.as_str()),
        ),
        (
            facts.delivery == ReportedDelivery::Deferred,
            RequestRefusal::Deferred,
        ),
        (facts.header.is_report, RequestRefusal::Report),
        (facts.mail_from.is_null(), RequestRefusal::NullReversePath),
        (facts.header.is_automatic, RequestRefusal::Automatic),
        (facts.moment.is_to_us, RequestRefusal::ToUs),
    ];
    let first = refusals.into_iter().find(|(holds, _)| *holds);
    first.map_or(Ok(()), |(_, refusal)| Err(refusal))
}

#[cfg(test)]
mod tests;
