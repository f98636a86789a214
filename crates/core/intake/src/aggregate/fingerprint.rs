//! Whether two reports say the same.

use std::fmt;

use ring::digest::{Context, SHA256};

use landmarc_report::aggregate::{DiscoveryMethod, Metadata, PolicyPublished, ReportRow, SchemaWord, Text};

/// A digest of all that a report says, however it was packed and written: what two copies of
/// one report have in common, and two reports under one id have not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportFingerprint([u8; 32]);

impl ReportFingerprint {
    /// As it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// One that was stored.
    #[must_use]
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for ReportFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for ReportFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Takes in the rows one at a time; the rest at the end, because it may come after them.
pub(super) struct Fingerprinter(Context);

impl Fingerprinter {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn row(&mut self, row: &ReportRow) {
        let key = &row.key;
        self.text(&key.source_ip.to_string());
        self.number(row.count);
        self.text(key.disposition.as_str());
        self.text(key.dkim_alignment.as_str());
        self.text(key.spf_alignment.as_str());
        self.length(key.reasons.len());
        for reason in &key.reasons {
            self.text(reason.kind.as_str());
            self.worded(reason.comment.as_ref());
        }
        self.text(&key.header_from);
        self.optional(key.envelope_from.as_deref());
        self.optional(key.envelope_to.as_deref());
        self.length(key.dkim.len());
        for dkim in &key.dkim {
            self.text(&dkim.domain);
            self.text(&dkim.selector);
            self.text(dkim.result.as_str());
            self.worded(dkim.human_result.as_ref());
        }
        self.length(key.spf.len());
        for spf in &key.spf {
            self.text(&spf.domain);
            self.optional(spf.scope.as_ref().map(SchemaWord::as_str));
            self.text(spf.result.as_str());
            self.worded(spf.human_result.as_ref());
        }
    }

    pub(super) fn finish(mut self, metadata: &Metadata, policy: &PolicyPublished) -> ReportFingerprint {
        self.text(&metadata.organization);
        self.text(&metadata.email);
        self.text(&metadata.report_id);
        self.number(metadata.period.begin);
        self.number(metadata.period.end);
        self.worded(metadata.error.as_ref());
        self.text(&policy.domain);
        self.optional(policy.discovery_method.map(DiscoveryMethod::as_str));
        self.text(policy.policy.as_str());
        for word in [&policy.subdomain_policy, &policy.nonexistent_policy] {
            self.optional(word.as_ref().map(SchemaWord::as_str));
        }
        for mode in [&policy.dkim_mode, &policy.spf_mode] {
            self.optional(mode.as_ref().map(SchemaWord::as_str));
        }
        self.optional(policy.failure_options.as_deref());
        self.optional(policy.testing.map(|testing| if testing { "y" } else { "n" }));
        self.number(policy.percent.unwrap_or(u64::MAX));
        let digest = self.0.finish();
        let mut octets = [0; 32];
        for (octet, digested) in octets.iter_mut().zip(digest.as_ref()) {
            *octet = *digested;
        }
        ReportFingerprint(octets)
    }

    /// Lengths stand before texts, so that no two lists of texts read the same.
    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.number(u64::MAX),
            Some(text) => self.text(text),
        }
    }

    fn worded(&mut self, text: Option<&Text>) {
        self.optional(text.map(|text| &*text.text));
        self.optional(text.and_then(|text| text.lang.as_deref()));
    }

    fn length(&mut self, length: usize) {
        self.number(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }
}
