//! The owner's explanation of a fail (RFC 7208 §6.2). Whatever is wrong with it, the
//! result stays: no branch in here ends in an error.

use super::check::{At, Check};
use super::limits::MAX_EXPLANATION_OCTETS;
use super::macros::{MacroString, Place};
use super::record::Modifier;
use crate::lookup::{Answer, DnsName, Lookup, Question};

impl<L: Lookup> Check<'_, L> {
    /// The text that an `exp` modifier leads to, if it is fit to be shown.
    pub(super) async fn explain(&mut self, modifier: &Modifier, at: &At) -> Option<String> {
        let step = self.trace.open(at.depth, &at.domain, &modifier.text);
        let explanation = self.fetch_explanation(modifier, at).await;
        let outcome = match &explanation {
            Ok((_, true)) => "explains, in a text that names the sender".to_owned(),
            Ok((text, false)) => format!("explains: {text}"),
            Err(why) => format!("explains nothing: {why}"),
        };
        self.trace.close(step, outcome);
        explanation.ok().map(|(text, _)| text)
    }

    /// The text, and whether the local part of the sender is in it.
    async fn fetch_explanation(&mut self, modifier: &Modifier, at: &At) -> Result<(String, bool), String> {
        let mut validated = None;
        if modifier.target.uses_validated_name() {
            validated = self.name_for_explanation(at, &modifier.text).await?;
        }
        let values = self.values(&at.domain, validated.as_ref());
        let name = modifier.target.expand(&values).map_err(|e| e.to_string())?;
        let told = self.veil.of(&modifier.target, &values);
        let name = name.ok_or("DNS cannot carry the name: a label is empty or too long")?;
        told.into_iter().for_each(|told| self.veil.add(&name, told));

        let question = Question::txt(name);
        let answer = self.lookup.ask(&question).await;
        let text = only_text(&answer).map_err(|why| format!("{question}: {why}"))?;
        let text = MacroString::parse(text, Place::Explanation).map_err(|e| format!("{question}: {e}"))?;

        if text.uses_validated_name() && validated.is_none() {
            validated = self.name_for_explanation(at, &modifier.text).await?;
        }
        let values = self.values(&at.domain, validated.as_ref());
        let expanded = text
            .expand(&values, MAX_EXPLANATION_OCTETS)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| format!("it has more than {MAX_EXPLANATION_OCTETS} octets"))?;
        let text_shows_it = text.shows_local_part(self.veil.covers(&at.domain));
        let text = printable(expanded).map_err(str::to_owned)?;
        Ok((text, text_shows_it))
    }

    /// `%{p}` here counts toward no limit: the check is over.
    async fn name_for_explanation(&mut self, at: &At, term: &str) -> Result<Option<DnsName>, String> {
        let name = self.validated_name(at, term).await;
        name.map_err(|interruption| interruption.to_string())
    }
}

/// RFC 7208 §6.2: "If there are any DNS processing errors [...], or if no records are
/// returned, or if more than one record is returned, [...] then proceed as if no "exp"
/// modifier was given."
fn only_text(answer: &Answer) -> Result<&[u8], String> {
    if let Some(error) = answer.failure() {
        return Err(error.to_string());
    }
    let mut texts = answer.texts();
    match (texts.next(), texts.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err("there is no TXT record".into()),
        (Some(_), Some(_)) => Err("there is more than one TXT record".into()),
    }
}

/// The owner's part was checked when it was parsed, but macros bring in what the sender
/// wrote, line ends too, and explanations go into SMTP replies.
fn printable(text: Vec<u8>) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    match String::from_utf8(text) {
        Ok(text) if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) => Ok(text),
        _ => Err("it is not printable ASCII"),
    }
}
