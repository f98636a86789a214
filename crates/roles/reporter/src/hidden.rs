//! Texts for the log: without what stands before the `@` of an address (decision D37).

/// A text without the local parts of the addresses in it, whoever they belong to: a relay tells in its reply
/// where an address led to, in a spelling of its own.
pub(crate) fn without_local_parts(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        if character == '@' {
            let kept = before_local_part(&shown).len();
            shown.truncate(kept);
            shown.push('…');
        }
        shown.push(character);
    }
    shown
}

/// What stands before a local part that the text ends with.
fn before_local_part(text: &str) -> &str {
    let quoted = text.strip_suffix('"').and_then(|inside| inside.rsplit_once('"'));
    match quoted {
        Some((before, _)) => before,
        None => text.trim_end_matches(|c: char| !(c.is_whitespace() || "<>()[],;:\"".contains(c))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d37_local_parts_stay_out_of_the_log() {
        for (text, shown) in [
            (
                "RCPT: 550 5.1.1 <anna@a.example>: unknown",
                "RCPT: 550 5.1.1 <…@a.example>: unknown",
            ),
            (
                "RCPT: 550 5.1.1 <Anna@A.Example> (real.name@b.example): unknown",
                "RCPT: 550 5.1.1 <…@A.Example> (…@b.example): unknown",
            ),
            (
                "mailto:anna@a.example: no; anna+x=y@b",
                "mailto:…@a.example: no; …@b",
            ),
            ("to \"anna b\"@a.example", "to …@a.example"),
            ("a@b@c.example", "…@c.example"),
            ("@", "…@"),
            ("\"@a", "\"…@a"),
            ("421 later", "421 later"),
        ] {
            assert_eq!(without_local_parts(text), shown);
        }
    }
}
