//! The Author Domain: the domain of the From field (RFC 9989 §3.2.2, §5.3.1).
//!
//! Knows the address lists of RFC 5322, RFC 6854 (groups in From) and RFC 6532
//! (UTF-8), obsolete syntax included. Takes no address from an encoded word: those
//! are for display, and an address hidden in one is no address (RFC 2047 §5).
//!
//! Where the field is ambiguous there is no Author Domain and a reason for it, never
//! a guess: two readers that guess differently are how a message passes as one
//! domain and is shown as another.

mod encoded;
mod list;

use crate::message::{HeaderDefect, HeaderField, HeaderSection};
use crate::name::DomainName;

/// The most distinct domains of one From field that are evaluated. Each costs DNS
/// questions, and RFC 9989 §11.5 asks for a limit.
pub const MAX_AUTHOR_DOMAINS: usize = 4;

/// The most mailboxes in one From field. Even with one domain for all of them, each
/// is converted and compared.
pub const MAX_AUTHOR_MAILBOXES: usize = 1_000;

/// The longest local part, in octets. RFC 5321 §4.5.3.1.1 has 64, which real
/// bounce-tracking addresses pass; one line (RFC 5322 §2.1.1) has 998.
pub const MAX_LOCAL_PART_OCTETS: usize = 998;

/// The longest From field value that is read, in octets.
pub const MAX_FROM_OCTETS: usize = 128 * 1024;

/// What the From field comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// One Author Domain, however many mailboxes share it.
    Domain(DomainName),
    /// Two to [`MAX_AUTHOR_DOMAINS`] distinct domains, in order of appearance.
    Domains(Vec<DomainName>),
    /// None that may be evaluated.
    Unusable(AuthorFault),
}

impl Author {
    /// The distinct domains; empty when unusable.
    #[must_use]
    pub fn domains(&self) -> &[DomainName] {
        match self {
            Self::Domain(domain) => std::slice::from_ref(domain),
            Self::Domains(domains) => domains,
            Self::Unusable(_) => &[],
        }
    }
}

/// Why a message has no Author Domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthorFault {
    /// RFC 5322 §3.6 requires one.
    #[error("there is no From field")]
    NoFromField,
    /// RFC 5322 §3.6 allows one; holds how many there are.
    #[error("the message has {0} From fields")]
    SeveralFromFields(usize),
    /// A group without members, a bare user name, an address literal, nothing.
    #[error("the From field names no domain")]
    NoDomain,
    /// Over [`MAX_AUTHOR_DOMAINS`]; holds the number of mailboxes, since nobody
    /// counts the domains once there are too many.
    #[error("the From field names more than 4 domains in {0} mailboxes")]
    TooManyDomains(usize),
    /// Over [`MAX_AUTHOR_MAILBOXES`]; holds their number.
    #[error("the From field has {0} mailboxes")]
    TooManyMailboxes(usize),
    /// Not an address list; says what is wrong with it.
    #[error("the From field is malformed: {0}")]
    Malformed(&'static str),
    /// A NUL or another control octet in the From field.
    #[error("the From field has control octets")]
    ControlOctets,
    /// A CR or LF of its own anywhere in the header section: a reader that takes it
    /// for a line end sees another From field than we do.
    #[error("the header section has a bare CR or LF")]
    BareLineEnd,
    /// The header section ends at a line that is no header field. Some readers step over
    /// it and take the From field that they find behind it.
    #[error("the header section ends at a line that is no header field")]
    NotAField,
    /// An encoded word where an address should be, or inside one, or one that keeps readers that
    /// decode it from the address behind it.
    #[error("the From field has an encoded word in place of an address")]
    EncodedWord,
    /// A domain DNS could not answer for, or that has no A-label form.
    #[error("the From field has an invalid domain")]
    InvalidDomain,
    /// Over [`MAX_FROM_OCTETS`], or a header section that was cut at its limits, with
    /// perhaps a From field in what was left out.
    #[error("the header section or its From field is too long")]
    TooLong,
}

impl AuthorFault {
    /// Whether such a message is refused when enforcing (RFC 9989 §11.5: "not
    /// evaluable" must not become "delivered and shown as the spoofed domain").
    ///
    /// Not those that show no domain to be deceived by: no From field at all, groups
    /// without members (RFC 6854 allows them), `root`, address literals, none of them with
    /// an address in its name or comment. The mail of local daemons looks like that.
    #[must_use]
    pub fn is_refusable(&self) -> bool {
        match self {
            Self::NoFromField | Self::NoDomain => false,
            Self::SeveralFromFields(_)
            | Self::TooManyDomains(_)
            | Self::TooManyMailboxes(_)
            | Self::Malformed(_)
            | Self::ControlOctets
            | Self::BareLineEnd
            | Self::NotAField
            | Self::EncodedWord
            | Self::InvalidDomain
            | Self::TooLong => true,
        }
    }
}

/// Finds the Author Domain of a message. The time it takes is linear in the size of
/// the From field, up to [`MAX_FROM_OCTETS`].
///
/// ```
/// # use landmarc_mail::{HeaderField, HeaderSection, author::{Author, author}};
/// let mut header = HeaderSection::default();
/// header.push(HeaderField::new(*b"From", *b" Joe <joe@Example.com>"), &Default::default());
/// let Author::Domain(domain) = author(&header) else { panic!() };
/// assert_eq!(domain.as_str(), "example.com");
/// ```
#[must_use]
pub fn author(header: &HeaderSection) -> Author {
    match only_from_field(header).and_then(|field| domains(field.value())) {
        Err(fault) => Author::Unusable(fault),
        Ok(domains) => match <[DomainName; 1]>::try_from(domains) {
            Ok([domain]) => Author::Domain(domain),
            Err(domains) => Author::Domains(domains),
        },
    }
}

/// The one From field, if the header section leaves no doubt that it is the one.
fn only_from_field(header: &HeaderSection) -> Result<&HeaderField, AuthorFault> {
    let mut from_fields = header.fields().iter().filter(|field| field.reads_as("From"));
    let first = from_fields.next();
    let others = from_fields.count();
    if others > 0 {
        return Err(AuthorFault::SeveralFromFields(1 + others));
    }
    // Decision D3: a From field over a limit is the sender's doing, not a failure of ours. Fields
    // of other names that were left out do not change whom the message is from.
    if header.may_lack_from() {
        return Err(AuthorFault::TooLong);
    }
    if header.defects().contains(&HeaderDefect::BareLineEnd) {
        return Err(AuthorFault::BareLineEnd);
    }
    if header.defects().contains(&HeaderDefect::NotAField) {
        return Err(AuthorFault::NotAField);
    }
    let field = first.ok_or(AuthorFault::NoFromField)?;
    if !field.is("From") {
        return Err(AuthorFault::Malformed("its name has octets it may not have"));
    }
    Ok(field)
}

/// The distinct domains of a From field value: one to [`MAX_AUTHOR_DOMAINS`].
fn domains(value: &[u8]) -> Result<Vec<DomainName>, AuthorFault> {
    if value.len() > MAX_FROM_OCTETS {
        return Err(AuthorFault::TooLong);
    }
    let found = list::read(value)?;
    if found.domains.len() > MAX_AUTHOR_DOMAINS {
        return Err(AuthorFault::TooManyDomains(found.mailboxes));
    }
    if found.mailboxes > MAX_AUTHOR_MAILBOXES {
        return Err(AuthorFault::TooManyMailboxes(found.mailboxes));
    }
    if found.domains.is_empty() {
        return Err(found.shown_without_domain(value).unwrap_or(AuthorFault::NoDomain));
    }
    if found.has_mailbox_without_domain {
        // `ceo@bank.test, root`: bank.test would be shown; it must not be judged as if
        // it stood alone, nor go unjudged because of its neighbour.
        return Err(AuthorFault::Malformed(
            "a mailbox without a domain stands beside one that has one",
        ));
    }
    if encoded::hides_the_address(value) {
        return Err(AuthorFault::EncodedWord);
    }
    Ok(found.domains)
}
