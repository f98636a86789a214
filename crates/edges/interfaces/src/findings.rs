//! What was found of a message, in plain words that every protocol can be made of.

use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_milter::Session;
use landmarc_receiver::disposition::Disposition;
use landmarc_receiver::rule::ResultWord;
use serde_json::Value;

use crate::caller::Interface;

/// A session that says what it found, beside what is to be done.
pub trait Judged: Session {
    /// Its messages come by this interface, and what is found of them is to be kept until it is asked for.
    /// To be called before the first of them; a session that is not told so keeps nothing.
    fn comes_by(&mut self, interface: Interface);

    /// Its messages are to count in no report.
    fn stay_out_of_reports(&mut self);

    /// The header section of its message ends, without an empty line, at a line that is no header field. Only
    /// interfaces that take a message as it is notice that: an MTA that speaks to a milter has put the line right.
    fn ends_at_no_field(&mut self);

    /// What the message that has just ended came to; nothing when it is asked for again.
    fn take_findings(&mut self) -> Option<Findings>;
}

/// What was found of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Findings {
    /// The short id, which `landmarc explain` takes; empty where the message is not written down.
    pub id: String,
    /// What the mail server calls it.
    pub queue_id: String,
    /// The object of `landmarc check --json`, with `id`, `skipped` and `unjudged` besides. Its keys are all
    /// there, null where nothing is known, also for a message that was not judged.
    pub json: Value,
    /// Why it was not to be judged: `authenticated`, `trusted_network`, ...
    pub skipped: Option<&'static str>,
    /// Why it could not be judged, in words.
    pub unjudged: Option<&'static str>,
    /// The Author Domain; nothing when the message has none that can be told.
    pub author_domain: Option<String>,
    /// Where the DMARC Policy Record was found.
    pub policy_domain: Option<String>,
    /// What `p`, `sp` or `np` asks for, whichever applies.
    pub policy_published: Option<AssessmentPolicy>,
    /// The same after `t=y`.
    pub policy: Option<AssessmentPolicy>,
    /// The DMARC result.
    pub dmarc: ResultWord,
    /// SPF for MAIL FROM.
    pub spf: SpfFinding,
    /// The signatures, topmost first.
    pub dkim: Vec<DkimFinding>,
    /// The ARC result: `none`, `pass`, `fail`.
    pub arc: String,
    /// Whether SPF passed for a domain in alignment; nothing when DMARC was not evaluated.
    pub spf_aligned: Option<bool>,
    /// Whether a signature did.
    pub dkim_aligned: Option<bool>,
    /// What a report will say was done.
    pub disposition: Disposition,
    /// What is done: nothing when we only observe.
    pub action: ActionWord,
    /// What enforcing does.
    pub enforced_action: ActionWord,
    /// Why it did not simply pass, in one line of printable ASCII; empty when it did.
    pub cause: String,
    /// Our Authentication-Results field without its name; empty where none is added.
    pub authentication_results: String,
}

/// SPF, as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfFinding {
    /// The word of RFC 7208 §2.6.
    pub result: String,
    /// The domain that was asked about.
    pub domain: Option<String>,
}

/// One signature, as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DkimFinding {
    /// The word of RFC 8601 §2.7.1.
    pub result: String,
    /// `d=`, where it can be read.
    pub domain: Option<String>,
    /// `s=`, where it can be read.
    pub selector: Option<String>,
}

/// What the mail server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionWord {
    /// Take it.
    Accept,
    /// Take it and set it aside.
    Quarantine,
    /// Refuse it for good.
    Reject,
    /// Refuse it for now.
    TempFail,
}

impl ActionWord {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
            Self::TempFail => "tempfail",
        }
    }
}

/// Nothing was found: the blank that others are filled in from.
impl Default for Findings {
    fn default() -> Self {
        Self {
            id: String::new(),
            queue_id: String::new(),
            json: Value::Null,
            skipped: None,
            unjudged: None,
            author_domain: None,
            policy_domain: None,
            policy_published: None,
            policy: None,
            dmarc: ResultWord::None,
            spf: SpfFinding {
                result: "none".to_owned(),
                domain: None,
            },
            dkim: Vec::new(),
            arc: "none".to_owned(),
            spf_aligned: None,
            dkim_aligned: None,
            disposition: Disposition::None,
            action: ActionWord::Accept,
            enforced_action: ActionWord::Accept,
            cause: String::new(),
            authentication_results: String::new(),
        }
    }
}

impl Findings {
    /// One word for all signatures: pass when one passes, else what the first came to, as in the log.
    #[must_use]
    pub fn dkim_word(&self) -> &str {
        let passed = self.dkim.iter().any(|signature| signature.result == "pass");
        match self.dkim.first() {
            _ if passed => "pass",
            Some(first) => &first.result,
            None => "none",
        }
    }
}
