//! Explanations as they are stored: without the id of their message, so that equal messages share one.
//!
//! The short id stands in the SMTP reply and in Authentication-Results, and with them in the
//! explanation. The store keeps equal explanations once; with an id in each, no two would be equal.

/// What stands in a stored explanation in place of the short id: the unit separator of ASCII, which no
/// explanation has otherwise.
pub const ID_MARK: char = '\u{1F}';

/// The explanation for the store, with the mark wherever the id is. A mark that a stranger put into
/// the message is not taken for the id later.
pub fn without_id(explanation: &str, id: &str) -> String {
    let explanation = explanation.replace(ID_MARK, "\u{FFFD}");
    if id.is_empty() {
        return explanation;
    }
    explanation.replace(id, ID_MARK.encode_utf8(&mut [0; 4]))
}

/// The explanation of the message with this id.
pub fn with_id(trace: &str, id: &str) -> String {
    trace.replace(ID_MARK, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_that_differ_by_the_id_only_are_stored_alike() {
        let explanation = |id: &str| format!("550 5.7.1 refused (id={id})\n  results: id={id}; pass\n");
        let stored = without_id(&explanation("0123456789ab"), "0123456789ab");
        assert_eq!(stored, without_id(&explanation("zzzzzzzzzzzz"), "zzzzzzzzzzzz"));
        assert_eq!(stored.matches(ID_MARK).count(), 2);
        assert_eq!(with_id(&stored, "zzzzzzzzzzzz"), explanation("zzzzzzzzzzzz"));
    }

    #[test]
    fn without_an_id_the_explanation_stays_as_it_is() {
        assert_eq!(without_id("an explanation", ""), "an explanation");
        assert_eq!(with_id("an explanation", "0123456789ab"), "an explanation");
    }

    #[test]
    fn a_mark_from_outside_is_not_taken_for_the_id() {
        let stored = without_id("From: \u{1F}@example.com, id=0123456789ab", "0123456789ab");
        assert_eq!(
            with_id(&stored, "abcabcabcabc"),
            "From: \u{FFFD}@example.com, id=abcabcabcabc"
        );
    }
}
