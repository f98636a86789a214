//! The trace of a judgement as a story, for a postmaster who never read an RFC.
//!
//! One text for `check --explain`, the debug log and whoever else asks "why": who
//! claims to have written it, what each mechanism found, what the Domain Owner
//! publishes, what follows, and what can be done about it.

mod cause;
mod remedy;
mod sections;

pub use cause::cause;

use crate::judge::Judgement;

/// The whole story in plain text, one line per fact, ending in what to do.
#[must_use]
pub fn story(judgement: &Judgement) -> String {
    let parts = [
        sections::headline(judgement),
        sections::author(judgement),
        sections::spf(judgement),
        sections::dkim(judgement),
        sections::arc(judgement),
        sections::policy(judgement),
        sections::alignment(judgement),
        sections::verdict(judgement),
        sections::action(judgement),
        remedy::section(judgement),
        sections::questions(judgement),
    ];
    let texts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    texts.join("\n")
}
