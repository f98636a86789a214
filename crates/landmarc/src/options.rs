//! Values of the command line that several commands take.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use landmarc_mail::DomainName;
use landmarc_mail::name::NameError;

/// A domain as the store has it, in A-labels.
///
/// # Errors
/// When it is no domain.
pub(crate) fn domain(text: &str) -> Result<String, NameError> {
    DomainName::parse(text).map(|name| name.to_string())
}

/// Reads one of these values by its word.
pub(crate) fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    word: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let of_word = move |given: String| all.into_iter().find(|one| word(*one) == given);
    // The words are checked before.
    PossibleValuesParser::new(all.map(word)).try_map(move |given| of_word(given).ok_or("no such value"))
}
