//! One message.

use std::net::IpAddr;
use std::sync::Arc;

use crate::tally::TallyRow;

/// What happened to one message: written once, never changed (decision D14). It is what a recorder is given, and
/// what a reader of the store gives back: without the row, and in a list without the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When the message was judged, in milliseconds since the epoch. It decides the UTC day of
    /// the tally; time of delivery plays no part.
    pub at_ms: u64,
    /// The queue id of the MTA, as in its log. Empty when it has told none.
    pub queue_id: String,
    /// The short id that stands in the SMTP reply and the log line. The caller makes it, unique
    /// enough that `explain` finds one message by it.
    pub id: String,
    /// The SMTP client.
    pub client: Option<IpAddr>,
    /// The Author Domain, as lower-case A-labels.
    pub author_domain: Option<String>,
    /// The SPF result.
    pub spf: String,
    /// The DKIM results, in one word.
    pub dkim: String,
    /// The ARC result.
    pub arc: String,
    /// The DMARC result.
    pub dmarc: String,
    /// Where the DMARC Policy Record was found (RFC 9989 §3.2.5).
    pub policy_domain: Option<String>,
    /// What the Domain Owner asks for.
    pub policy: Option<String>,
    /// What was done because of DMARC, in the words of RFC 9990.
    pub disposition: String,
    /// What the MTA was told.
    pub action: String,
    /// What it would have been told, were the mode *enforce*.
    pub enforced_action: String,
    /// Override reasons: type and comment.
    pub overrides: Vec<(String, String)>,
    /// The name of the operator's rule that decided, if one did. Each of its messages counts as a hit.
    pub rule: Option<String>,
    /// The cause of the action, in words. Keep what differs from message to message out of it:
    /// equal outcomes are stored once.
    pub cause: String,
    /// DNS questions asked.
    pub questions: u32,
    /// How long judging took, in milliseconds.
    pub ms: u32,
    /// The text of the explanation; the same for equal messages, and then stored once. Empty for none, and where it
    /// was given up for want of memory or of room on disk.
    pub trace: Arc<str>,
    /// The row of the aggregate report that this message counts in, when it counts in any.
    pub row: Option<TallyRow>,
}
