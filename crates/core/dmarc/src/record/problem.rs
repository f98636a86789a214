//! What can be wrong with a record, for the `error` element of reports and for those who
//! own it.

/// The longest piece of foreign text in one problem, in octets before escaping.
pub(super) const MAX_QUOTE_OCTETS: usize = 64;
/// The most problems that are kept of one record: it takes fewer to see that it is broken.
const MAX_PROBLEMS: usize = 32;

/// Something wrong with the text of a record. Quoted text is escaped and cut short.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// Over [`MAX_RECORD_OCTETS`](super::MAX_RECORD_OCTETS).
    #[error("the record has {octets} octets and is not read")]
    TooLong {
        /// Its length.
        octets: usize,
    },
    /// Over [`MAX_TAGS`](super::MAX_TAGS).
    #[error("the record has more than 64 tags and is not read")]
    TooManyTags,
    /// Blanks before the `v` tag, which the grammar does not have.
    #[error("the record starts with a blank")]
    LeadingBlank,
    /// Text between two semicolons without an equals sign.
    #[error("\"{0}\" has no equals sign")]
    NoEqualsSign(String),
    /// A tag name of other than letters.
    #[error("\"{0}\" is no tag name")]
    TagName(String),
    /// A tag name in upper case, which we read and others may not.
    #[error("the tag name \"{0}\" is not in lower case")]
    TagCase(String),
    /// A value the tag does not have.
    #[error("the tag {tag} has the value \"{value}\", which is not valid")]
    Value {
        /// The tag, in lower case.
        tag: String,
        /// The value as written.
        value: String,
    },
    /// The same tag again, with another value.
    #[error("the tag {tag} stands twice with different values")]
    Conflict {
        /// The tag, in lower case.
        tag: String,
    },
    /// An item in a list of URIs that is none, or no address we could send to.
    #[error("the tag {tag} has the item \"{item}\", which is no usable URI")]
    Uri {
        /// The tag, in lower case.
        tag: String,
        /// The item as written.
        item: String,
    },
    /// Over [`MAX_URIS`](super::MAX_URIS).
    #[error("the tag {tag} has more than 10 URIs; the first 10 are used")]
    TooManyUris {
        /// The tag, in lower case.
        tag: String,
    },
}

/// Problems in the order of reading, up to a limit.
#[derive(Default)]
pub(super) struct Problems(Vec<RecordProblem>);

impl Problems {
    pub(super) fn add(&mut self, problem: RecordProblem) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(problem);
        }
    }

    pub(super) fn into_vec(self) -> Vec<RecordProblem> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_kept_up_to_32() {
        let mut problems = Problems::default();
        for _ in 0..=MAX_PROBLEMS {
            problems.add(RecordProblem::LeadingBlank);
        }
        assert_eq!(problems.into_vec().len(), MAX_PROBLEMS);
    }
}
