//! Errors as one line of text.

use std::error::Error;

/// An error with its causes: the errors themselves leave them out. Those of some libraries do not, and a cause that
/// was told already is not told again.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let told = source.to_string();
        if !text.ends_with(&told) {
            text.push_str(&format!(": {told}"));
        }
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        let error = Outer(io::Error::other("the inner"));
        assert_eq!(error_chain(&error), "the outer: the inner");
        let doubled = Outer(io::Error::other(Outer(io::Error::other("the outer"))));
        assert_eq!(error_chain(&doubled), "the outer", "each once");
    }
}
