//! Identity-Alignment: which mechanisms gave no aligned identifier (RFC 9991 §4).

use std::fmt;

/// Which mechanisms gave no identifier that is aligned with the Author Domain. A reader must not
/// conclude that a mechanism passed because it is not named: the sample of RFC 9991 does not name SPF,
/// which gave none either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IdentityAlignment {
    /// DKIM gave none. That holds for an unsigned message too: it was looked for.
    pub dkim: bool,
    /// SPF gave none.
    pub spf: bool,
}

impl fmt::Display for IdentityAlignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.dkim, self.spf) {
            (true, true) => "dkim, spf",
            (true, false) => "dkim",
            (false, true) => "spf",
            (false, false) => "none",
        })
    }
}
