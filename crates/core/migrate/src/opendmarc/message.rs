//! One message as OpenDMARC tells of it, in a history file or in its database, and what it counts as.
//!
//! What the numbers come to is what `opendmarc-reports` makes of the same rows, so that the sums are the
//! same; where that is no report that others can read, it is as RFC 9990 has it, and the difference stands
//! beside the branch with its checklist id.

use std::net::{IpAddr, Ipv4Addr};

use landmarc_mail::DomainName;
use landmarc_observation::{PublishedPolicy, TallyRow};

use super::codes::{action, alignment, failure_options, policy, result, tag};
use crate::counted::{Counted, message_key};

/// What of a message stands in a history file, or in the tables. Numbers are as they stand there
/// ([`super::history`] says which there are).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `job`: the queue id.
    pub job: String,
    /// `reporter`: the host that received it.
    pub reporter: String,
    /// `received`: when, in Unix seconds.
    pub received_s: u64,
    /// `ipaddr`: the SMTP client.
    pub client: IpAddr,
    /// `from`: the Author Domain, as it was written.
    pub author_domain: String,
    /// `mfrom`: the domain of MAIL FROM, as it was written; empty for a null reverse-path.
    pub mail_from: String,
    /// `spf`: its result; none where no line tells it.
    pub spf: Option<i64>,
    /// `spf_scope`, after 1.4: 1 for MAIL FROM, 2 for HELO.
    pub spf_scope: Option<i64>,
    /// `dkim`: a signature each, in order.
    pub dkim: Vec<RecordedSignature>,
    /// `pdomain`: where the policy was found.
    pub policy_domain: String,
    /// `policy`: what the policy came to.
    pub policy: i64,
    /// `rua`, each URI.
    pub rua: Vec<String>,
    /// `pct`; 0 when there is no record.
    pub pct: i64,
    /// `adkim`, the letter's number.
    pub adkim: i64,
    /// `aspf`, the letter's number.
    pub aspf: i64,
    /// `p`, the letter's number.
    pub p: i64,
    /// `sp`, the letter's number; 0 when unpublished.
    pub sp: i64,
    /// `fo`, after 1.4: a bit for each option.
    pub fo: i64,
    /// `align_dkim`
    pub align_dkim: i64,
    /// `align_spf`
    pub align_spf: i64,
    /// Whether a chain of ARC seals overrode the policy (`arc_policy`), and who sealed it.
    pub arc: Option<Vec<Seal>>,
    /// `action`: what was done.
    pub action: i64,
}

/// A DKIM signature and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedSignature {
    /// The tag `d`.
    pub domain: String,
    /// The tag `s`; none in files of 1.2 and where it was not known.
    pub selector: Option<String>,
    /// Its result.
    pub result: i64,
}

/// An ARC seal (RFC 8617 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The tag `i`.
    pub instance: u64,
    /// The tag `d`.
    pub domain: String,
    /// The tag `s`.
    pub selector: String,
    /// The client that the seal's host told of; may be empty.
    pub client: String,
}

/// What a message comes to in reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It counts.
    Counts(Box<Counted>),
    /// It counts in no report, and why.
    IsNotReported(NotReported),
    /// A value that no report can bear: the key of the history file, and what stands there.
    Unusable {
        /// As in a history file.
        key: &'static str,
        /// What stands there.
        value: String,
    },
}

/// Why a message counts in no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotReported {
    /// Nobody publishes a policy for it, so nobody asks for a report (RFC 9989 §4.10.1). With
    /// `RecordAllMessages` most messages are such.
    NoPolicy,
    /// It was deferred: what counts is how it was taken when it came again. `opendmarc-reports` reports it
    /// with the disposition `unknown`, which no schema has.
    Deferred,
}

/// Signatures that are kept of a message, the first ones: what the store keeps of a row.
const MAX_SIGNATURES: usize = 100;
/// Seals that a reason names, the last ones (RFC 8617 §4.2.1 allows fifty).
const MAX_SEALS: usize = 10;

impl Message {
    /// Of which nothing is known but its queue id.
    pub(super) fn empty(job: &str) -> Self {
        Self {
            job: job.to_owned(),
            reporter: String::new(),
            received_s: 0,
            client: Ipv4Addr::UNSPECIFIED.into(),
            author_domain: String::new(),
            mail_from: String::new(),
            spf: None,
            spf_scope: None,
            dkim: Vec::new(),
            policy_domain: String::new(),
            policy: 0,
            rua: Vec::new(),
            pct: 0,
            adkim: 0,
            aspf: 0,
            p: 0,
            sp: 0,
            fo: 0,
            align_dkim: 0,
            align_spf: 0,
            arc: None,
            action: 0,
        }
    }

    /// What it counts as.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if self.is_without_policy() {
            return Meaning::IsNotReported(NotReported::NoPolicy);
        }
        if self.action == action::TEMPFAIL {
            return Meaning::IsNotReported(NotReported::Deferred);
        }
        match (domain(&self.author_domain), domain(&self.policy_domain)) {
            (Some(author), Some(policy_domain)) => {
                Meaning::Counts(Box::new(self.counted(author, policy_domain)))
            }
            (None, _) => unusable("from", &self.author_domain),
            (_, None) => unusable("pdomain", &self.policy_domain),
        }
    }

    fn counted(&self, author_domain: String, policy_domain: String) -> Counted {
        let asked = self.asked(&author_domain, &policy_domain);
        let disposition = self.disposition(asked);
        Counted {
            key: message_key(&self.reporter, self.received_s, &self.job),
            at_s: self.received_s,
            count: 1,
            row: TallyRow {
                policy_domain,
                published: self.published(),
                source_ip: self.client.to_canonical(),
                disposition: disposition.to_owned(),
                dkim_aligned: self.align_dkim == alignment::PASS,
                spf_aligned: self.align_spf == alignment::PASS,
                reasons: self.reasons(asked, disposition),
                header_from: author_domain,
                envelope_from: self.envelope_from(),
                dkim: self.signatures(),
                spf: self.spf(),
                envelope_to: None,
                incidental: false,
            },
        }
    }

    /// Whether no policy was applied. Exim writes its action where OpenDMARC has what the policy came to
    /// (HF4); there, and in any file, the tags of a record that is not there are all 0.
    fn is_without_policy(&self) -> bool {
        matches!(self.policy, policy::FROM_ABSENT | policy::ABSENT)
            || [self.pct, self.adkim, self.aspf, self.p] == [0; 4]
    }

    fn passes(&self) -> bool {
        [self.align_dkim, self.align_spf].contains(&alignment::PASS)
    }

    /// What the Domain Owner asks for: `sp` below the Policy Domain, else `p`. A record without a policy
    /// is taken for `none` (RFC 9989 §4.10.1).
    fn asked(&self, author_domain: &str, policy_domain: &str) -> &'static str {
        let of_subdomain = tag::policy(self.sp).filter(|_| author_domain != policy_domain);
        of_subdomain.or_else(|| tag::policy(self.p)).unwrap_or("none")
    }

    /// `opendmarc-reports` knows `none` only, for all that was taken; `pass` is of RFC 9990 §3.1.1.9, for
    /// what passed where the Domain Owner asks for something.
    fn disposition(&self, asked: &str) -> &'static str {
        match self.action {
            action::REJECT | action::DISCARD => "reject",
            action::QUARANTINE => "quarantine",
            _ if self.passes() && asked != "none" => "pass",
            _ => "none",
        }
    }

    /// G6: reasons stand where less was done than asked for, and there only (RFC 9990 §3.1.1.9).
    fn reasons(&self, asked: &str, disposition: &str) -> Vec<(String, String)> {
        let is_softened = match asked {
            "reject" => disposition != "reject",
            "quarantine" => disposition == "none",
            _ => false,
        };
        if self.passes() || !is_softened {
            return Vec::new();
        }
        let comment = match &self.arc {
            Some(seals) => chain(seals),
            None => "not enforced by opendmarc".to_owned(),
        };
        vec![("local_policy".to_owned(), comment)]
    }

    /// Empty for a null reverse-path; none for what is no name, which a report could not bear.
    fn envelope_from(&self) -> Option<String> {
        match self.mail_from.as_str() {
            "" | "-" => Some(String::new()),
            text => domain(text),
        }
    }

    fn published(&self) -> PublishedPolicy {
        let p = tag::policy(self.p).unwrap_or("none");
        PublishedPolicy {
            p: p.to_owned(),
            sp: tag::policy(self.sp).unwrap_or(p).to_owned(),
            adkim: tag::mode(self.adkim).unwrap_or("r").to_owned(),
            aspf: tag::mode(self.aspf).unwrap_or("r").to_owned(),
            fo: failure_options::text(self.fo),
            rua: self.rua.clone(),
            ..PublishedPolicy::of_rfc_7489()
        }
    }

    /// Each once, as `opendmarc-reports` tells them. Results that no report has a word for (`nxdomain`,
    /// `discard`) are `none` (RFC 9990, DKIMResultType).
    fn signatures(&self) -> Vec<(String, String, String)> {
        let mut told = Vec::new();
        for signature in &self.dkim {
            let Some(domain) = domain(&signature.domain) else {
                continue;
            };
            let word = match result::word(signature.result) {
                // A result of SPF only.
                Some("softfail") => "fail",
                Some(word) => word,
                None => "none",
            };
            let selector = signature.selector.clone().unwrap_or_default();
            let row = (domain, selector, word.to_owned());
            if told.len() < MAX_SIGNATURES && !told.contains(&row) {
                told.push(row);
            }
        }
        told
    }

    /// None where no result is known that a report has a word for (RFC 9990, SPFResultType has no `policy`),
    /// or nobody it is about: files of 1.4 do not tell the HELO name of mail without a reverse-path.
    fn spf(&self) -> Option<(String, String, String)> {
        let word = result::word(self.spf?).filter(|word| *word != "policy")?;
        let scope = if self.spf_scope == Some(2) {
            "helo"
        } else {
            "mfrom"
        };
        Some((domain(&self.mail_from)?, scope.to_owned(), word.to_owned()))
    }
}

/// The chain as RFC 8617 §7.2.2 has it in a report: the last seal first, with the client of the first one.
fn chain(seals: &[Seal]) -> String {
    let mut sorted: Vec<_> = seals.iter().collect();
    sorted.sort_by_key(|seal| std::cmp::Reverse(seal.instance));
    let mut text = "arc=pass".to_owned();
    for seal in sorted.into_iter().take(MAX_SEALS) {
        let number = seal.instance;
        text.push_str(&format!(
            " as[{number}].d={} as[{number}].s={}",
            seal.domain, seal.selector
        ));
        if number == 1 && !seal.client.is_empty() {
            text.push_str(&format!(" client-ip[1]={}", seal.client));
        }
    }
    text
}

fn unusable(key: &'static str, value: &str) -> Meaning {
    Meaning::Unusable {
        key,
        value: value.to_owned(),
    }
}

/// A name as reports have it: lower-case A-labels. A hyphen stands for one that was not known.
fn domain(text: &str) -> Option<String> {
    let name = DomainName::parse(text).ok().filter(|_| text != "-");
    name.map(|name| name.to_string())
}

#[cfg(test)]
mod tests;
