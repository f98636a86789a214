//! What was found, in the words of other programs: the eight of Exim, the symbols and actions of rspamd.
//!
//! The words of a mail server's own DMARC say what the Domain Owner asks for. What is done here is
//! another thing: it hangs on the mode, on evidence (decision D5) and on rules of the operator. Scripts act
//! upon these words, so they say what is *done*; what was asked for stands in words of its own beside them
//! (checklist E14).

use landmarc_dmarc::record::AssessmentPolicy;
use landmarc_receiver::rule::ResultWord;

use crate::findings::{ActionWord, Findings};

/// The words of Exim's condition `dmarc_status` (E4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EximStatus {
    /// DMARC passed.
    Accept,
    /// It did not, or a rule of the operator decided so: refuse it for good.
    Reject,
    /// Set it aside.
    Quarantine,
    /// Nothing is to be done about it.
    None,
    /// There is no policy.
    NoRecord,
    /// There is no Author Domain.
    NoFrom,
    /// It could not be judged, and is to come again.
    TempError,
    /// It was not to be judged.
    Off,
}

impl EximStatus {
    /// All of them, in the order of Exim's own manual, each with `$dmarc_status` and `$dmarc_status_text` (E5). Exim has
    /// no text for `off`.
    pub const ALL: [(Self, &str, &str); 8] = [
        (Self::Accept, "accept", "Accept"),
        (Self::Reject, "reject", "Reject"),
        (Self::Quarantine, "quarantine", "Quarantine"),
        (Self::None, "none", "None, Accept"),
        (Self::NoRecord, "norecord", "No DMARC record"),
        (Self::NoFrom, "nofrom", "No From: domain found"),
        (Self::TempError, "temperror", "Internal Policy Error"),
        (Self::Off, "off", "Not checked"),
    ];

    /// `$dmarc_status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// `$dmarc_status_text`.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        let known = Self::ALL.into_iter().find(|(status, ..)| *status == self);
        known.map_or(("", ""), |(_, word, text)| (word, text))
    }

    /// What is done, in one of these words: the one to act upon.
    ///
    /// In mode `observe` a message that fails is `none`. A message without an Author Domain is `nofrom`,
    /// unless more is to be done about it; so is one whose From field cannot be read as one author. What
    /// is put off is `temperror`, whatever for: a site that defers on it, as the one we come from does,
    /// then does what was decided.
    #[must_use]
    pub fn done(findings: &Findings) -> Self {
        if findings.skipped.is_some() {
            return Self::Off;
        }
        match findings.action {
            ActionWord::Reject => Self::Reject,
            ActionWord::Quarantine => Self::Quarantine,
            ActionWord::TempFail => Self::TempError,
            ActionWord::Accept => Self::accepted(findings),
        }
    }

    /// What Exim itself would say of it: what the Domain Owner asks for, whatever is done. A failure
    /// under `p=none` is `none`, and so is one under `t=y`. Two of its faults are not copied (E14): trouble
    /// with DNS is `temperror`, not `norecord`, and two From fields are `nofrom`, not a choice.
    #[must_use]
    pub fn asked(findings: &Findings) -> Self {
        if findings.skipped.is_some() {
            return Self::Off;
        }
        if findings.unjudged.is_some() {
            return Self::TempError;
        }
        match (findings.dmarc, findings.policy) {
            (ResultWord::Fail, Some(AssessmentPolicy::Reject)) => Self::Reject,
            (ResultWord::Fail, Some(AssessmentPolicy::Quarantine)) => Self::Quarantine,
            (ResultWord::TempError, _) => Self::TempError,
            _ => Self::accepted(findings),
        }
    }

    /// Of a message that goes on.
    fn accepted(findings: &Findings) -> Self {
        match findings.dmarc {
            ResultWord::Pass => Self::Accept,
            ResultWord::Fail => Self::None,
            _ if findings.unjudged.is_some() => Self::None,
            ResultWord::None | ResultWord::PermError if findings.author_domain.is_none() => Self::NoFrom,
            // A record that cannot be used is none (RFC 9989 §4.10.1).
            ResultWord::None | ResultWord::PermError => Self::NoRecord,
            // Accepted all the same, by the operator's choice (`failures.dns`).
            ResultWord::TempError => Self::None,
        }
    }
}

/// `$dmarc_domain_policy` (E5): what the record asks for, as it stands there; empty without one.
#[must_use]
pub fn domain_policy(findings: &Findings) -> &'static str {
    findings.policy_published.map_or("", AssessmentPolicy::as_str)
}

/// The scores at which rspamd's actions begin, as it is shipped.
pub mod threshold {
    /// `reject`.
    pub const REJECT: f64 = 15.0;
    /// `add header`.
    pub const ADD_HEADER: f64 = 6.0;
    /// `greylist`, which we never ask for: what is below it is `no action`.
    pub const GREYLIST: f64 = 4.0;
}

/// What rspamd calls an action.
#[must_use]
pub const fn rspamd_action(done: ActionWord) -> &'static str {
    match done {
        ActionWord::Accept => "no action",
        ActionWord::Quarantine => "add header",
        ActionWord::Reject => "reject",
        ActionWord::TempFail => "soft reject",
    }
}

/// A symbol of rspamd (R2, R3).
#[derive(Clone, Debug, PartialEq)]
pub struct Symbol {
    /// Its name.
    pub name: &'static str,
    /// What it adds to the score, as rspamd is shipped.
    pub score: f64,
    /// What it means.
    pub description: &'static str,
    /// What it rests on.
    pub options: Vec<String>,
}

/// The symbol that makes the score agree with the action, so that whoever goes by the one does the same
/// as whoever goes by the other.
pub const DECIDED: &str = "LANDMARC_DECISION";

/// The symbols of a message, the decision last. Their scores add up to [`rspamd_score`].
///
/// `DMARC_POLICY_SOFTFAIL` has the meaning it has since rspamd 1.3: DMARC failed and no action is suggested.
/// Before, it stood for trouble with DNS, which is `DMARC_DNSFAIL` now, and `DMARC_BAD_POLICY` for a
/// record that cannot be used (R2, R3).
#[must_use]
pub fn rspamd_symbols(findings: &Findings) -> Vec<Symbol> {
    if let Some(why) = findings.skipped.or(findings.unjudged) {
        return vec![decision(findings.action, 0.0, why)];
    }
    let mut symbols = vec![spf(findings)];
    symbols.extend(dkim(findings));
    symbols.push(arc(&findings.arc));
    symbols.push(dmarc(findings));
    let has_failures = findings.spf_aligned == Some(false) || findings.dkim_aligned == Some(false);
    if findings.dmarc == ResultWord::Pass && has_failures {
        symbols.push(symbol(
            "DMARC_POLICY_ALLOW_WITH_FAILURES",
            0.0,
            "DMARC passed by one of SPF and DKIM",
        ));
    }
    if is_unauthenticated(findings) {
        symbols.push(symbol("AUTH_NA", 1.0, "nothing vouches for the message"));
    }
    let sum = symbols.iter().map(|symbol| symbol.score).sum();
    symbols.push(decision(findings.action, sum, &findings.cause));
    symbols
}

/// The score of a message: that of its symbols.
#[must_use]
pub fn rspamd_score(symbols: &[Symbol]) -> f64 {
    let sum: f64 = symbols.iter().map(|symbol| symbol.score).sum();
    // Tenths, as rspamd shows them; the rest is noise of adding them up.
    (sum * 100.0).round() / 100.0
}

fn symbol(name: &'static str, score: f64, description: &'static str) -> Symbol {
    Symbol {
        name,
        score,
        description,
        options: Vec::new(),
    }
}

fn with(mut symbol: Symbol, option: Option<&str>) -> Symbol {
    symbol.options.extend(option.map(ToOwned::to_owned));
    symbol
}

fn spf(findings: &Findings) -> Symbol {
    let symbol = match findings.spf.result.as_str() {
        "pass" => symbol("R_SPF_ALLOW", -0.2, "SPF allows the client"),
        "fail" => symbol("R_SPF_FAIL", 1.0, "SPF does not allow the client"),
        "softfail" => symbol("R_SPF_SOFTFAIL", 0.0, "SPF doubts the client"),
        "neutral" => symbol("R_SPF_NEUTRAL", 0.0, "SPF says nothing of the client"),
        "temperror" => symbol("R_SPF_DNSFAIL", 0.0, "DNS did not answer about SPF"),
        "permerror" => symbol("R_SPF_PERMFAIL", 0.0, "the SPF record cannot be used"),
        _ => symbol("R_SPF_NA", 0.0, "there is no SPF record"),
    };
    with(symbol, findings.spf.domain.as_deref())
}

/// One symbol for all signatures of one result.
fn dkim(findings: &Findings) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for signature in &findings.dkim {
        let new = match signature.result.as_str() {
            "pass" => symbol("R_DKIM_ALLOW", -0.2, "a DKIM signature is valid"),
            "temperror" => symbol("R_DKIM_TEMPFAIL", 0.0, "DNS did not answer about DKIM"),
            "permerror" | "neutral" => symbol("R_DKIM_PERMFAIL", 0.0, "a DKIM signature cannot be used"),
            _ => symbol("R_DKIM_REJECT", 1.0, "a DKIM signature is not valid"),
        };
        let option = signature.domain.as_ref().map(|domain| match &signature.selector {
            Some(selector) => format!("{domain}:s={selector}"),
            None => domain.clone(),
        });
        match symbols.iter_mut().find(|symbol| symbol.name == new.name) {
            Some(known) => known.options.extend(option),
            None => symbols.push(with(new, option.as_deref())),
        }
    }
    if symbols.is_empty() {
        symbols.push(symbol("R_DKIM_NA", 0.0, "there is no DKIM signature"));
    }
    symbols
}

fn arc(result: &str) -> Symbol {
    match result {
        "pass" => symbol("ARC_ALLOW", -1.0, "the ARC chain is valid"),
        "fail" => symbol("ARC_REJECT", 1.0, "the ARC chain is not valid"),
        _ => symbol("ARC_NA", 0.0, "there is no ARC chain"),
    }
}

fn dmarc(findings: &Findings) -> Symbol {
    let symbol = match (findings.dmarc, findings.policy) {
        (ResultWord::Pass, _) => symbol("DMARC_POLICY_ALLOW", -0.5, "DMARC passed"),
        (ResultWord::Fail, Some(AssessmentPolicy::Reject)) => {
            symbol("DMARC_POLICY_REJECT", 2.0, "DMARC failed under p=reject")
        }
        (ResultWord::Fail, Some(AssessmentPolicy::Quarantine)) => {
            symbol("DMARC_POLICY_QUARANTINE", 1.5, "DMARC failed under p=quarantine")
        }
        (ResultWord::Fail, _) => symbol(
            "DMARC_POLICY_SOFTFAIL",
            0.1,
            "DMARC failed, no action is suggested",
        ),
        (ResultWord::None, _) => symbol("DMARC_NA", 0.0, "there is no DMARC record"),
        (ResultWord::TempError, _) => symbol("DMARC_DNSFAIL", 0.0, "DNS did not answer about DMARC"),
        (ResultWord::PermError, _) => symbol(
            "DMARC_BAD_POLICY",
            0.5,
            "the DMARC record, or From, cannot be used",
        ),
    };
    let mut symbol = with(symbol, findings.author_domain.as_deref());
    if findings.dmarc == ResultWord::Fail {
        symbol.options.push(why_not_aligned(findings));
        let policy = findings.policy.map(|policy| policy.as_str().to_owned());
        symbol.options.extend(policy);
    }
    symbol
}

fn why_not_aligned(findings: &Findings) -> String {
    let of = |what: &str, result: &str| match result {
        "pass" => format!("{what} not aligned"),
        result => format!("{what} {result}"),
    };
    let spf = of("SPF", &findings.spf.result);
    format!("{spf}, {}", of("DKIM", findings.dkim_word()))
}

/// As rspamd's composite of that name: SPF, DKIM, DMARC and ARC have nothing to say.
fn is_unauthenticated(findings: &Findings) -> bool {
    let says_nothing = |result: &str| matches!(result, "none" | "permerror");
    says_nothing(&findings.spf.result)
        && says_nothing(findings.dkim_word())
        && matches!(findings.dmarc, ResultWord::None | ResultWord::PermError)
        && findings.arc == "none"
}

/// Brings the sum of all others to where the action begins, or keeps it below where one would.
fn decision(action: ActionWord, sum: f64, why: &str) -> Symbol {
    let missing = match action {
        ActionWord::Reject => threshold::REJECT - sum,
        ActionWord::Quarantine => threshold::ADD_HEADER - sum,
        // Of these, the score decides nothing.
        ActionWord::Accept | ActionWord::TempFail => (threshold::GREYLIST - 0.1 - sum).min(0.0),
    };
    let score = (missing * 100.0).round() / 100.0;
    let symbol = symbol(DECIDED, score, "what landmarc does with the message, and why");
    let symbol = with(symbol, Some(action.as_str()));
    with(symbol, Some(why).filter(|why| !why.is_empty()))
}

#[cfg(test)]
mod tests;
