//! Evidence: what speaks for and against a message that fails DMARC.
//!
//! RFC 9989 §5.4 and §7.4 forbid rejecting on `p=reject` alone; what else is known
//! decides. Each piece names what was seen, so that it can be shown to a person.
//! [`crate::collect`] finds it.

use landmarc_mail::message::HeaderSection;
use landmarc_mail::{ClientNetwork, DomainName, HeaderField};

use crate::seen::{NETWORK_DAYS, NetworkHistory, SIGNING_DAYS, SigningHistory};

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Against: the Author Domain does not exist (NXDOMAIN).
    AuthorDoesNotExist(DomainName),
    /// Against: the Author Domain is one of ours, and the client is not.
    AuthorIsLocal(DomainName),
    /// Against: SPF of the author's organization says `-all`, there is no signature at all,
    /// and no trace of forwarding.
    ForbiddenAndUnsigned(DomainName),
    /// Against: the Author Domain signs everything, and there is no signature of it that may be genuine.
    SignsEverything(DomainName, SigningHistory),
    /// Against, also where a list signed it: the network of the client sends nothing but forgeries.
    KnownSpoofer(ClientNetwork, NetworkHistory),
    /// In favour: a list that signs its mail sent it.
    MailingList(DomainName),
    /// In favour: signed by the Author Domain, only the body changed since.
    BodyChangedOnly(DomainName),
    /// In favour: a trusted sealer sealed it, but DNS did not answer for a key of the chain.
    TrustedArcUnanswered(DomainName),
    /// In favour, decisive: the client is a trusted forwarder.
    TrustedForwarder,
    /// In favour, decisive: a trusted sealer saw it pass.
    TrustedArc {
        /// The newest sealer.
        sealer: DomainName,
        /// The comment RFC 8617 §7.2.2 wants in reports.
        comment: String,
    },
}

impl Evidence {
    /// Whether it speaks for rejecting.
    #[must_use]
    pub fn is_against(&self) -> bool {
        matches!(
            self,
            Self::AuthorDoesNotExist(_)
                | Self::AuthorIsLocal(_)
                | Self::ForbiddenAndUnsigned(_)
                | Self::SignsEverything(..)
                | Self::KnownSpoofer(..)
        )
    }

    /// Whether it settles the matter in favour of the message.
    #[must_use]
    pub fn is_decisive(&self) -> bool {
        matches!(self, Self::TrustedForwarder | Self::TrustedArc { .. })
    }

    /// A word for it, for logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::AuthorDoesNotExist(_) => "author_does_not_exist",
            Self::AuthorIsLocal(_) => "author_is_local",
            Self::ForbiddenAndUnsigned(_) => "spf_forbids",
            Self::SignsEverything(..) => "signs_everything",
            Self::KnownSpoofer(..) => "known_spoofer",
            Self::MailingList(_) => "mailing_list",
            Self::BodyChangedOnly(_) => "body_changed",
            Self::TrustedArcUnanswered(_) => "arc_unanswered",
            Self::TrustedForwarder => "trusted_forwarder",
            Self::TrustedArc { .. } => "trusted_arc",
        }
    }

    /// In words, for the reply, the log and the explanation.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::AuthorDoesNotExist(domain) => format!("{domain} does not exist in DNS"),
            Self::AuthorIsLocal(domain) => {
                format!("{domain} is a domain of this server, and the client is not one of its own")
            }
            Self::ForbiddenAndUnsigned(domain) => {
                format!("SPF of {domain} forbids this client, and nothing is signed")
            }
            Self::SignsEverything(domain, seen) => {
                format!("{}; this one has none", all_signed(domain, seen))
            }
            Self::KnownSpoofer(network, seen) => format!(
                "from {network} came forged mail in {NETWORK_DAYS} days, in the names of {} unrelated domains or more that sign everything, and nothing that may be genuine",
                seen.forged
            ),
            Self::MailingList(domain) => format!("the mailing list at {domain} signed it"),
            Self::BodyChangedOnly(domain) => {
                format!("the signature of {domain} covers the header, only the body was changed afterwards")
            }
            Self::TrustedArcUnanswered(sealer) => {
                format!(
                    "the trusted sealer {sealer} sealed it, and DNS did not answer for a key of that chain"
                )
            }
            Self::TrustedForwarder => "the client is a trusted forwarder".to_owned(),
            Self::TrustedArc { sealer, .. } => {
                format!("the trusted sealer {sealer} saw it pass before it was forwarded")
            }
        }
    }
}

/// What keeps a message from being refused although it may be forged: it may as well be true, and that
/// weighs less than evidence in its favour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spare {
    /// A signature of the author's organization, which may have been broken on the way.
    Signature(DomainName),
    /// SPF passed for the domain of the list that it says it comes from.
    ListEnvelope(DomainName),
    /// The network of the client passes on the mail of several regular senders.
    SeenForwarding(ClientNetwork),
    /// Several regular senders have the network of the client send their mail.
    SharedNetwork(ClientNetwork),
    /// A field of a mailing list, from a domain about which nothing is known.
    ListField,
    /// A field that forwarding leaves, from a domain about which nothing is known.
    ForwardingField,
    /// A signature of anybody, under a domain about which nothing is known.
    ForeignSignature,
}

impl Spare {
    /// A word for it, for logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Signature(_) => "signature",
            Self::ListEnvelope(_) => "list_envelope",
            Self::SeenForwarding(_) => "seen_forwarding",
            Self::SharedNetwork(_) => "shared_network",
            Self::ListField => "list_field",
            Self::ForwardingField => "forwarding_field",
            Self::ForeignSignature => "foreign_signature",
        }
    }

    /// In words, for the explanation and reports.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Signature(domain) => {
                format!("it carries a signature of {domain}, which may have been broken on the way")
            }
            Self::ListEnvelope(domain) => {
                format!("SPF passed for {domain}, the mailing list that it says it comes from")
            }
            Self::SeenForwarding(network) => format!("{network} is known to forward mail"),
            Self::SharedNetwork(network) => format!("{network} sends mail for several known domains"),
            Self::ListField => "it has a header field of a mailing list, which may be true".to_owned(),
            Self::ForwardingField => {
                "it has a header field that forwarding leaves, which may be true".to_owned()
            }
            Self::ForeignSignature => "it carries a DKIM signature, as forwarded mail may".to_owned(),
        }
    }
}

/// The habit of a domain, with its figures.
pub(crate) fn all_signed(domain: &DomainName, seen: &SigningHistory) -> String {
    let total = grouped(seen.seen());
    let but = match seen.unsigned {
        0 => String::new(),
        some => format!(" but {}", grouped(some)),
    };
    format!("of {total} messages of {domain} in {SIGNING_DAYS} days all{but} carried its signature")
}

/// The evidence that holds a message back from rejection. Anybody can sign a list of his own, or send a
/// signed header again, so that a network of forgeries is not believed; a seal that DNS left open is.
pub(crate) fn in_favour(evidence: &[Evidence]) -> Option<&Evidence> {
    let is_spoofer = evidence
        .iter()
        .any(|piece| matches!(piece, Evidence::KnownSpoofer(..)));
    let is_believed = |piece: &&Evidence| {
        !is_spoofer || piece.is_decisive() || matches!(piece, Evidence::TrustedArcUnanswered(_))
    };
    let mut favour = evidence.iter().filter(|piece| !piece.is_against());
    favour.find(is_believed)
}

/// Header fields that a forwarder or list leaves and a direct message does not have.
const FORWARDING_FIELDS: [&str; 8] = [
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Delivered-To",
    "X-Forwarded-To",
    "X-Forwarded-For",
    "X-Original-To",
    "ARC-Seal",
];

/// Header fields of mailing lists (RFC 2369, RFC 2919).
const LIST_FIELDS: [&str; 5] = [
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "List-Help",
    "Mailing-List",
];

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What of the header section matters as evidence; taken before the fields are let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    /// The domain in List-Id, where there is one.
    pub list_id: Option<DomainName>,
    /// Whether any field of a mailing list is there.
    pub list_fields: bool,
    /// Whether any field is there that forwarding leaves.
    pub forwarding_fields: bool,
}

impl HeaderFacts {
    /// Looks at the fields once.
    #[must_use]
    pub fn new(headers: &HeaderSection) -> Self {
        // What was left out at a limit may be such a field: that there is none must not be
        // concluded then.
        let lacks = |name: &&str| headers.is_cut() && headers.may_lack(name.as_bytes());
        let has = |names: &[&str]| {
            let mut fields = headers.fields().iter();
            fields.any(|field| names.iter().any(|name| field.is(name))) || names.iter().any(lacks)
        };
        Self {
            list_id: headers
                .named("List-Id")
                .next()
                .and_then(|(_, field)| list_id_domain(field)),
            list_fields: has(&LIST_FIELDS),
            forwarding_fields: has(&FORWARDING_FIELDS),
        }
    }
}

/// The identifier between the last angle brackets of List-Id (RFC 2919 §2).
fn list_id_domain(field: &HeaderField) -> Option<DomainName> {
    let value = field.value();
    let open = value.iter().rposition(|&b| b == b'<')?;
    let close = value.iter().rposition(|&b| b == b'>')?;
    DomainName::from_bytes(value.get(open + 1..close)?.trim_ascii()).ok()
}
