//! The steps of a check as they happen, and foreign text made fit to be quoted.

use landmarc_mail::text::visible_octets;

use super::SpfStep;
use super::limits::{MAX_QUOTED_OCTETS, MAX_QUOTED_RECORD_OCTETS, MAX_STEPS};
use crate::lookup::DnsName;

/// The steps of one check in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Trace {
    steps: Vec<SpfStep>,
}

/// A step whose outcome is still to be told.
#[derive(Clone, Copy)]
#[must_use]
pub(super) struct OpenStep(usize);

impl Trace {
    /// Begins a step: what it causes comes after it.
    pub(super) fn open(&mut self, depth: usize, domain: &DnsName, term: &str) -> OpenStep {
        let at = self.steps.len();
        if at < MAX_STEPS {
            self.steps.push(SpfStep {
                depth,
                domain: domain.to_string(),
                term: term.to_owned(),
                outcome: String::new(),
            });
        } else if at == MAX_STEPS {
            self.steps.push(SpfStep {
                depth,
                domain: domain.to_string(),
                term: String::new(),
                outcome: format!("the steps after the first {MAX_STEPS} are not kept"),
            });
        }
        OpenStep(at)
    }

    /// Tells what came of a step.
    pub(super) fn close(&mut self, step: OpenStep, outcome: String) {
        if let Some(kept) = self.steps.get_mut(step.0).filter(|_| step.0 < MAX_STEPS) {
            kept.outcome = outcome;
        }
    }

    /// All steps.
    pub(super) fn into_steps(self) -> Vec<SpfStep> {
        self.steps
    }
}

/// A term, name or identity as it may stand in a text: printable ASCII, cut when long.
pub(super) fn quoted(octets: &[u8]) -> String {
    visible_octets(octets, MAX_QUOTED_OCTETS)
}

/// As [`quoted`], for a whole record.
pub(super) fn quoted_record(octets: &[u8]) -> String {
    visible_octets(octets, MAX_QUOTED_RECORD_OCTETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        assert_eq!(quoted(b"a:\x1b[31m\r\nmx.example"), r"a:\x1b[31m\r\nmx.example");
        let at_limit = [b'a'; MAX_QUOTED_OCTETS];
        assert_eq!(quoted(&at_limit), "a".repeat(MAX_QUOTED_OCTETS));
        let past_it = [b'a'; MAX_QUOTED_OCTETS + 1];
        assert_eq!(quoted(&past_it), "a".repeat(MAX_QUOTED_OCTETS) + "[...]");
    }

    #[test]
    fn a_thousand_steps_are_kept_and_a_note_after_them() {
        let mut trace = Trace::default();
        for n in 0..MAX_STEPS + 5 {
            let step = trace.open(0, &DnsName::root(), "all");
            trace.close(step, format!("{n}"));
        }
        let steps = trace.into_steps();
        assert_eq!(steps.len(), MAX_STEPS + 1);
        assert_eq!(steps[MAX_STEPS - 1].outcome, (MAX_STEPS - 1).to_string());
        assert_eq!(
            steps[MAX_STEPS].outcome,
            "the steps after the first 1000 are not kept"
        );
    }
}
