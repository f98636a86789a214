//! The Authentication-Results field, read and written (RFC 8601).
//!
//! Knows the grammar, and what it takes to print foreign values without letting them
//! say more than they may. Deliberately knows no registry: methods, results and
//! properties that nobody has heard of are read like all others, and it is for the
//! reader of the results to ignore them (RFC 8601 §2.7.6).
//!
//! Comments are dropped in reading: nothing may be concluded from them (§2.2).

mod read;
mod write;

pub use read::AuthresError;
pub use write::{MAX_COMMENT_OCTETS, MAX_REASON_OCTETS};

use crate::name::DomainName;

/// The version of the field there is; a field that names no other is of this one (RFC 8601 §2.2).
const VERSION: u32 = 1;

/// The fewest octets of `header.b` (RFC 6008 §4).
const MIN_SIGNATURE_PREFIX: usize = 8;

/// All results of one check of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResults {
    /// Whose results these are (§2.5), as written: compare it without case.
    pub authserv_id: String,
    /// The version, where the field names it.
    pub version: Option<u32>,
    /// The results in order; none for `; none`.
    pub results: Vec<ResultInfo>,
}

/// What one method came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultInfo {
    /// The method, in lower case: `spf`, `dkim`, `dmarc`.
    pub method: String,
    /// The version of the method, where it is named; 1 is meant where it is not.
    pub method_version: Option<u32>,
    /// The result, in lower case.
    pub result: String,
    /// Why, in words, for people.
    pub reason: Option<String>,
    /// A comment after the result, for people. Only written: readers drop comments.
    pub comment: Option<String>,
    /// What the result is about.
    pub properties: Vec<Property>,
}

/// A value that took part in a check: `header.d=example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Where the value is from, in lower case: `smtp`, `header`, `body`, `policy`, `dns`.
    pub ptype: String,
    /// What it is, in lower case.
    pub property: String,
    /// The value: text without the quotes it was written in, or a mailbox as written.
    pub value: String,
}

impl AuthenticationResults {
    /// No results yet, in the name of `authserv_id`.
    #[must_use]
    pub fn new(authserv_id: impl Into<String>) -> Self {
        Self {
            authserv_id: authserv_id.into(),
            version: None,
            results: Vec::new(),
        }
    }
}

impl ResultInfo {
    /// A result without more. `method` and `result` are words of ours, not foreign text.
    #[must_use]
    pub fn new(method: &'static str, result: &'static str) -> Self {
        Self {
            method: method.to_owned(),
            method_version: None,
            result: result.to_owned(),
            reason: None,
            comment: None,
            properties: Vec::new(),
        }
    }

    /// Whether this is a result of that method, in the version everyone means.
    #[must_use]
    pub fn is(&self, method: &str) -> bool {
        self.method.eq_ignore_ascii_case(method) && self.method_version.is_none_or(|v| v == VERSION)
    }

    /// The value of a property, such as `("header", "d")`: the first one there.
    #[must_use]
    pub fn property(&self, ptype: &str, property: &str) -> Option<&str> {
        let mut properties = self.properties.iter();
        properties
            .find(|p| p.ptype.eq_ignore_ascii_case(ptype) && p.property.eq_ignore_ascii_case(property))
            .map(|p| p.value.as_str())
    }

    /// Says why. What a quoted string cannot hold is replaced in writing, and so is the
    /// equals sign of what looks like a result.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a remark. What could end a comment early is replaced in writing, and so is
    /// the equals sign of what looks like a result.
    #[must_use]
    pub fn with_comment(mut self, comment: impl Into<String>) -> Self {
        self.comment = Some(comment.into());
        self
    }

    /// Adds a domain: always fit to print.
    #[must_use]
    pub fn with_domain(self, ptype: &'static str, property: &'static str, domain: &DomainName) -> Self {
        self.with_value(ptype, property, domain.as_str())
    }

    /// Adds a value of any kind, perhaps foreign. One that fits no `pvalue`, or is over
    /// 320 octets, is left out in writing; all others are quoted as they need it.
    #[must_use]
    pub fn with_value(
        mut self,
        ptype: &'static str,
        property: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.properties.push(Property {
            ptype: ptype.to_owned(),
            property: property.to_owned(),
            value: value.into(),
        });
        self
    }
}

/// Whether a field in an incoming message speaks in our name, so that it must be
/// removed (RFC 8601 §5).
///
/// It does when its authserv-id is ours, in any case, quoted or not, with comments and
/// folds, and whatever its version. A field that cannot be read does when our id
/// is anywhere in it, caseless: somebody after us may read it more kindly than we do.
/// That holds for the form `ours/job` too, which is not in the grammar.
#[must_use]
pub fn claims_authserv_id(value: &[u8], ours: &str) -> bool {
    match read::authserv_id(value) {
        Some(theirs) => {
            // A quoted id may hold blanks, and any id a final dot, that somebody trims.
            let bare: String = theirs.split_ascii_whitespace().collect();
            bare.trim_end_matches('.').eq_ignore_ascii_case(ours)
        }
        None => contains_hidden(value, ours),
    }
}

/// Whether `text` is in there for a reader that drops folds, controls, quotes or comments.
fn contains_hidden(value: &[u8], text: &str) -> bool {
    let needle = text.to_ascii_lowercase();
    [value.to_vec(), without_comments(value)]
        .into_iter()
        .any(|mut octets| {
            octets
                .retain(|b| !(b.is_ascii_whitespace() || b.is_ascii_control() || matches!(b, b'"' | b'\\')));
            octets.make_ascii_lowercase();
            memchr::memmem::find(&octets, needle.as_bytes()).is_some()
        })
}

/// All that stands outside parentheses, in a text that may not balance.
fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut depth = 0_usize;
    let outside = value.iter().copied().filter(|octet| match octet {
        b'(' => {
            depth += 1;
            false
        }
        b')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

/// How many octets of each `b=` value to print as `header.b`, so that each tells its
/// signature from the others: at least eight (RFC 6008 §4), or all there are. Signatures that
/// are equal get all of their octets.
#[must_use]
pub fn unique_prefixes(signatures: &[&str]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..signatures.len()).collect();
    order.sort_unstable_by_key(|&place| signatures[place]);
    let mut lengths = vec![MIN_SIGNATURE_PREFIX; signatures.len()];
    // In sorted order the longest common beginning is shared with a neighbour.
    for pair in order.windows(2) {
        let &[one, other] = pair else { continue };
        let needed = common_octets(signatures[one], signatures[other]) + 1;
        lengths[one] = lengths[one].max(needed);
        lengths[other] = lengths[other].max(needed);
    }
    let fits = |(length, text): (usize, &&str)| text.ceil_char_boundary(length);
    lengths.into_iter().zip(signatures).map(fits).collect()
}

fn common_octets(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    pairs.take_while(|(a, b)| a == b).count()
}
