//! What an aggregate report says, as values (RFC 9990 §3.1).
//!
//! One model for both directions. What we write has all mandatory elements and registered words
//! only. What strangers write may lack any of them: a mandatory text or word that is missing is
//! empty here, an optional one is `None`.

use std::net::IpAddr;

use super::words::{
    AlignmentResult, AssessmentPolicy, DiscoveryMethod, Disposition, DkimResultWord, Mode, OverrideType,
    SchemaWord, SpfResultWord, SpfScope,
};

/// One aggregate report: one receiver, one period, one DMARC Policy Domain, one policy configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateReport {
    /// Who reports, and when.
    pub metadata: Metadata,
    /// By which policy the messages were judged.
    pub policy: PolicyPublished,
    /// What was seen; in a report of ours at least one.
    pub rows: Vec<ReportRow>,
}

/// Who reports, and when (`report_metadata`, RFC 9990 §3.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Metadata {
    /// `org_name`: the name of the reporting organization, as it gives it. Proof of nothing.
    pub organization: String,
    /// Where to write to about the report.
    pub email: String,
    /// `extra_contact_info`.
    pub contact: Option<Text>,
    /// Unique among the reports of one submitter about one domain.
    pub report_id: String,
    /// The period, not the first and the last message.
    pub period: Period,
    /// What went wrong in evaluating the record, for the Domain Owner (RFC 9990 §3.1.5).
    pub error: Option<Text>,
    /// Name and version of the software. New with RFC 9990.
    pub generator: Option<String>,
}

/// The period of a report, in seconds since the epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Period {
    /// The first second.
    pub begin: u64,
    /// As written. By RFC 9990 it is the last second of the period; some write the one after it.
    pub end: u64,
}

impl Period {
    /// The day that begins at this second, with the last second of it as its end: RFC 9990's own
    /// sample has it so.
    #[must_use]
    pub fn day(begin: u64) -> Self {
        Self {
            begin,
            end: begin.saturating_add(86_399),
        }
    }
}

/// Free text, and the language it is in (RFC 5646). Without one it is English.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Text {
    /// The text.
    pub text: String,
    /// The attribute `lang`. New with RFC 9990.
    pub lang: Option<String>,
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            lang: None,
        }
    }
}

/// The DMARC Policy Record as applied (`policy_published`, RFC 9990 §3.1.1.4). All fields together
/// are the policy configuration that one report is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyPublished {
    /// The DMARC Policy Domain.
    pub domain: String,
    /// How the record was found. New with RFC 9990.
    pub discovery_method: Option<DiscoveryMethod>,
    /// `p`.
    pub policy: SchemaWord<AssessmentPolicy>,
    /// `sp`.
    pub subdomain_policy: Option<SchemaWord<AssessmentPolicy>>,
    /// `np`. New with RFC 9990, though some write it in the older form.
    pub nonexistent_policy: Option<SchemaWord<AssessmentPolicy>>,
    /// `adkim`.
    pub dkim_mode: Option<SchemaWord<Mode>>,
    /// `aspf`.
    pub spf_mode: Option<SchemaWord<Mode>>,
    /// `fo`.
    pub failure_options: Option<String>,
    /// `testing`: the tag `t`. New with RFC 9990.
    pub testing: Option<bool>,
    /// `pct` of RFC 7489: read, and written in its form as the 100 it always is with us.
    pub percent: Option<u64>,
}

/// One record: all messages of the period that agree in everything the key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// What they have in common.
    pub key: RowKey,
    /// How many messages.
    pub count: u64,
}

/// What makes two messages count in the same row (RFC 9990 §3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// The SMTP client.
    pub source_ip: IpAddr,
    /// What was done because of DMARC.
    pub disposition: SchemaWord<Disposition>,
    /// `policy_evaluated/dkim`: whether a signature passed in alignment.
    pub dkim_alignment: SchemaWord<AlignmentResult>,
    /// `policy_evaluated/spf`: whether SPF passed in alignment.
    pub spf_alignment: SchemaWord<AlignmentResult>,
    /// Why the disposition is not what was asked for.
    pub reasons: Vec<ReportedReason>,
    /// The Author Domain.
    pub header_from: String,
    /// The domain of MAIL FROM; empty for a null reverse-path, and when the element is there and
    /// empty.
    pub envelope_from: Option<String>,
    /// The domain of the recipient.
    pub envelope_to: Option<String>,
    /// `auth_results/dkim`: the signatures whose validation was attempted.
    pub dkim: Vec<DkimAuthResult>,
    /// `auth_results/spf`: at most one by RFC 9990, more by RFC 7489.
    pub spf: Vec<SpfAuthResult>,
}

/// One reason of an override (RFC 9990 §3.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReportedReason {
    /// Its type.
    pub kind: SchemaWord<OverrideType>,
    /// In words.
    pub comment: Option<Text>,
}

/// What came of one signature, whatever DMARC makes of it (RFC 9990 §3.1.1.11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DkimAuthResult {
    /// The tag `d=`.
    pub domain: String,
    /// The tag `s=`. It was optional in RFC 7489.
    pub selector: String,
    /// The result.
    pub result: SchemaWord<DkimResultWord>,
    /// More about it. We write none: free text would make a row of each message.
    pub human_result: Option<Text>,
}

/// What came of SPF, whatever DMARC makes of it (RFC 9990 §3.1.1.11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpfAuthResult {
    /// The domain that was checked; for a null reverse-path the HELO name.
    pub domain: String,
    /// Which identity was checked.
    pub scope: Option<SchemaWord<SpfScope>>,
    /// The result.
    pub result: SchemaWord<SpfResultWord>,
    /// More about it. New with RFC 9990; we write none.
    pub human_result: Option<Text>,
}
