//! What the filters ahead say of one mechanism.

use crate::removals::Removal;

/// What the filters ahead say of one mechanism.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UpstreamClaim<T> {
    /// A result.
    Result {
        /// Who says so.
        by: String,
        /// The field that says so, which stays.
        field: Removal,
        /// What is said.
        result: T,
    },
    /// Nothing: no such filter is there, or it does not work.
    Absent,
    /// Something that cannot be believed, and why.
    Doubtful(&'static str),
}
