//! Which header fields a signature covers (RFC 6376 §5.4.2).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use landmarc_mail::{HeaderField, HeaderSection};

use super::canonical::{Canonicalization, header_field};
use super::error::{MAX_SIGNED_NAMES, SignatureError};
use super::tags::items;

/// The header section indexed by name once, so that a signature costs the fields it
/// covers, not names times fields.
pub(crate) struct HeaderIndex<'a> {
    headers: &'a HeaderSection,
    /// Indices of all fields, by name without regard to case, then from the top.
    by_name: Vec<usize>,
}

impl<'a> HeaderIndex<'a> {
    /// Reads all names.
    pub(crate) fn new(headers: &'a HeaderSection) -> Self {
        let fields = headers.fields();
        let mut by_name: Vec<usize> = (0..fields.len()).collect();
        // Stable: fields of one name stay in their order.
        by_name.sort_by(|&a, &b| match (fields.get(a), fields.get(b)) {
            (Some(a), Some(b)) => compare_names(a.name(), b.name()),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        Self { headers, by_name }
    }

    /// Whether there is a field of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.positions(name).is_empty()
    }

    /// Whether there may have been one more field of that name, left out at a limit.
    pub(crate) fn may_lack(&self, name: &str) -> bool {
        self.headers.may_lack(name.as_bytes())
    }

    /// Indices of the fields of a name, topmost first.
    pub(crate) fn positions(&self, name: &str) -> &[usize] {
        self.named(name.as_bytes())
    }

    fn named(&self, name: &[u8]) -> &[usize] {
        let order = |at: &usize| {
            self.field(*at)
                .map_or(Ordering::Greater, |field| compare_names(field.name(), name))
        };
        let start = self.by_name.partition_point(|at| order(at).is_lt());
        let rest = self.by_name.get(start..).unwrap_or_default();
        let count = rest.partition_point(|at| order(at).is_eq());
        rest.get(..count).unwrap_or_default()
    }

    /// A field by its index.
    pub(crate) fn field(&self, at: usize) -> Option<&'a HeaderField> {
        self.headers.fields().get(at)
    }

    /// Canonical form of the fields that `names` chooses, each with its CRLF. Of several
    /// fields with one name the lowest comes first, and a name listed once too often adds
    /// nothing (RFC 6376 §5.4.2). `own` is the signature field: §3.5 says `h=` "MUST NOT
    /// include the DKIM-Signature header field that is being created or verified".
    pub(crate) fn signed_fields(
        &self,
        kind: Canonicalization,
        names: &SignedNames,
        own: Option<usize>,
    ) -> Vec<u8> {
        let mut left = BTreeMap::<&[u8], &[usize]>::new();
        let mut out = Vec::new();
        for name in names.iter() {
            let left = left.entry(name).or_insert_with(|| self.named(name));
            while let Some((&at, above)) = left.split_last() {
                *left = above;
                if Some(at) == own {
                    continue;
                }
                if let Some(field) = self.field(at) {
                    header_field(kind, field.raw_name(), field.value(), &mut out);
                    out.extend_from_slice(b"\r\n");
                }
                break;
            }
        }
        out
    }
}

/// By octets, upper case taken as lower case.
fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let lower = u8::to_ascii_lowercase;
    a.iter().map(lower).cmp(b.iter().map(lower))
}

/// The names of `h=` in order, in lower case. Empty ones are kept: ARC tolerates them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNames(Box<[u8]>);

impl SignedNames {
    /// Reads a list with colons between the names.
    ///
    /// # Errors
    /// [`SignatureError::Names`] for what no field name can be, [`SignatureError::TooManyNames`].
    pub fn read(value: &[u8]) -> Result<Self, SignatureError> {
        let mut joined = Vec::with_capacity(value.len());
        for (count, name) in items(value).enumerate() {
            if count == MAX_SIGNED_NAMES {
                return Err(SignatureError::TooManyNames);
            }
            if !name.iter().all(u8::is_ascii_graphic) {
                return Err(SignatureError::Names);
            }
            if count > 0 {
                joined.push(b':');
            }
            joined.extend(name.iter().map(u8::to_ascii_lowercase));
        }
        Ok(Self(joined.into()))
    }

    /// The names, as often as listed.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b':')
    }

    /// How often a name, in lower case, is listed.
    #[must_use]
    pub fn count(&self, name: &[u8]) -> usize {
        self.iter().filter(|listed| *listed == name).count()
    }

    /// Whether a name, in lower case, is listed.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.iter().any(|listed| listed == name)
    }

    /// Whether a name is empty.
    #[must_use]
    pub fn has_empty(&self) -> bool {
        self.contains(b"")
    }
}
