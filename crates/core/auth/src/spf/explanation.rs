//! The owner's explanation of a fail (RFC 7208 §6.2). Whatever is wrong with it, the
//! result stays: no branch in here ends in an error.

use super::check::{At, Check, TermAt};
use super::limits::MAX_EXPLANATION_OCTETS;
use super::macros::{MacroContext, MacroString};
use super::record::Modifier;
use super::redacted::SpfName;
use super::trace::{ExplanationError, StepOutcome};
use crate::lookup::{Answer, Lookup, RecordType};

impl<L: Lookup> Check<'_, L> {
    /// The text that an `exp` modifier leads to, if it is fit to be shown.
    pub(super) async fn explain(&mut self, modifier: &Modifier, at: &At) -> Option<String> {
        let term = at.term(&modifier.text);
        let step = self.open_step(term);
        let (text, outcome) = match self.fetch_explanation(modifier, term).await {
            Ok((text, names_sender)) => (Some(text.clone()), StepOutcome::Explains { text, names_sender }),
            Err(why) => (None, StepOutcome::ExplainsNothing(why)),
        };
        self.trace.close(step, outcome);
        text
    }

    /// The text, and whether the local part of the sender is in it.
    async fn fetch_explanation(
        &mut self,
        modifier: &Modifier,
        term: TermAt<'_>,
    ) -> Result<(String, bool), ExplanationError> {
        let domain = &term.at.domain;
        let mut validated = None;
        if modifier.target.uses_validated_name() {
            validated = self.name_for_explanation(term).await?;
        }
        let name = modifier.target.expand(&self.values(domain, validated.as_ref()))?;
        let name = self.redacted_names.add(name);

        let answer = self.ask(&name, RecordType::Txt).await;
        let text = only_text(&name, &answer)?;
        let text = MacroString::parse(text, MacroContext::Explanation)
            .map_err(|error| ExplanationError::Syntax(name, error))?;

        if text.uses_validated_name() && validated.is_none() {
            validated = self.name_for_explanation(term).await?;
        }
        let values = self.values(domain, validated.as_ref());
        let expanded = text
            .expand(&values, MAX_EXPLANATION_OCTETS)?
            .ok_or(ExplanationError::TooLong)?;
        Ok((printable(expanded)?, text.shows_local_part(&values)))
    }

    /// `%{p}` here counts toward no limit: the check is over.
    async fn name_for_explanation(&mut self, term: TermAt<'_>) -> Result<Option<SpfName>, ExplanationError> {
        let name = self.validated_name(term).await;
        name.map_err(ExplanationError::ClientName)
    }
}

/// RFC 7208 §6.2: "If there are any DNS processing errors [...], or if no records are
/// returned, or if more than one record is returned, [...] then proceed as if no "exp"
/// modifier was given."
fn only_text<'r>(name: &SpfName, answer: &'r Answer) -> Result<&'r [u8], ExplanationError> {
    let name = name.clone();
    if let Some(error) = answer.failure() {
        return Err(ExplanationError::Unanswered(name, error));
    }
    let mut texts = answer.texts();
    match (texts.next(), texts.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(ExplanationError::Absent(name)),
        (Some(_), Some(_)) => Err(ExplanationError::SeveralRecords(name)),
    }
}

/// The owner's part was checked when it was parsed, but macros bring in what the sender
/// wrote, line ends too, and explanations go into SMTP replies.
fn printable(text: Vec<u8>) -> Result<String, ExplanationError> {
    if text.is_empty() {
        return Err(ExplanationError::Empty);
    }
    match String::from_utf8(text) {
        Ok(text) if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) => Ok(text),
        _ => Err(ExplanationError::NotPrintable),
    }
}
