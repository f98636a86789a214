//! Explains a judgement to a postmaster who never read an RFC.
//!
//! One text for `check --explain`, the debug log and the dashboard: who claims to have written the message, what each mechanism found, what the Domain Owner
//! publishes, what follows, and what can be done about it.

mod lines;
mod mechanisms;
mod policy;
mod remedy;
mod sections;
mod seen;

pub use remedy::remedy;

use crate::judgement::Judgement;
use lines::Section;

/// The whole explanation in plain text, one line per fact, ending in what to do. Lines are
/// wrapped; the same judgement always gives the same text.
#[must_use]
pub fn explain(judgement: &Judgement) -> String {
    let mut parts = vec![
        sections::headline(judgement),
        sections::author(judgement),
        mechanisms::spf(judgement),
        mechanisms::dkim(judgement),
    ];
    parts.extend(mechanisms::arc(judgement));
    parts.extend(judgement.evaluations.iter().map(policy::policy));
    parts.extend(judgement.evaluation().and_then(policy::alignment));
    parts.extend(seen::seen(judgement));
    parts.push(sections::verdict(judgement));
    parts.push(sections::action(judgement));
    parts.extend(remedy::section(judgement));
    parts.push(sections::questions(judgement));
    let texts: Vec<String> = parts.into_iter().map(Section::into_text).collect();
    texts.join("\n")
}
