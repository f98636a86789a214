//! What of a message may be shown to the owner of the domain it claims to be from (RFC 6590,
//! RFC 9991 §7).
//!
//! The owner learns how a message failed, not who wrote to whom. So all is hidden that is not known
//! to be harmless: each kind of field has its own reading in `fields`, what cannot be read so is
//! replaced as a whole, and of fields that nobody knows only the name is kept. Local parts become
//! tokens, the same for the same local part wherever it stands; domains are kept whole.
//!
//! There is no body and nothing attached here, so nothing of them needs to be hidden.

mod addresses;
mod fields;
mod known;
mod received;
mod results;
mod text;

use landmarc_mail::DomainName;
use landmarc_mail::message::HeaderField;
use ring::hmac;

use super::facts::HeaderCopy;
use crate::base32;
use known::KnownAddresses;

/// What stands in the place of what is hidden.
pub const REDACTED: &str = "[redacted]";
/// The word for each local part under [`Profile::Domains`].
const REDACTED_LOCAL_PART: &str = "redacted";
/// The length of a token: 80 bits, too many to be hit by accident.
const TOKEN_OCTETS: usize = 16;
/// Octets of the redacted header section. Tokens are longer than many local parts, so that it can
/// grow past what came in; it ends at a field then.
pub const MAX_BLOCK_OCTETS: usize = 128 * 1024;

/// How much is hidden.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Local parts become tokens under a secret key, so that equal ones stay recognisable. Display
    /// names, comments, free text and unknown fields are hidden.
    #[default]
    Hashed,
    /// As [`Profile::Hashed`], but each local part becomes the word `redacted`.
    Domains,
    /// Nothing is hidden: for who has an agreement with every owner that asks. Controls and what is
    /// not ASCII are replaced all the same, and there is no body even so.
    None,
}

impl Profile {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::Domains => "domains",
            Self::None => "none",
        }
    }
}

/// A way to redact: the profile, the secret key, and whether subjects are shown.
#[derive(Clone, Debug)]
pub struct Redactor {
    profile: Profile,
    key: hmac::Key,
    shows_subjects: bool,
}

impl Redactor {
    /// Redacts with this key, which is to be random, of 32 octets, and kept: RFC 6590 §3 wants equal
    /// local parts recognisable from report to report.
    #[must_use]
    pub fn new(profile: Profile, key: &[u8]) -> Self {
        Self {
            profile,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            shows_subjects: false,
        }
    }

    /// Whether Subject fields are shown, their addresses redacted. Not by default: RFC 5965 §2 would
    /// have the report's Subject be the original one, but it is the author's text. Under
    /// [`Profile::None`] they always are.
    #[must_use]
    pub fn with_subjects(mut self, shows_subjects: bool) -> Self {
        self.shows_subjects = shows_subjects;
        self
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The header section of a message as it may be shown. `paths` are of its envelope: what stands in
    /// them before the `@` is hidden in the header section too.
    #[must_use]
    pub fn header_block(&self, header: &HeaderCopy, paths: &[&[u8]]) -> HeaderBlock {
        MessageRedaction::new(self, header, paths).header_block(header)
    }

    fn shows_subjects(&self) -> bool {
        self.shows_subjects || self.profile == Profile::None
    }

    /// What stands in the place of a local part.
    fn token(&self, local_part: &[u8]) -> String {
        match self.profile {
            Profile::Hashed => {
                let tag = hmac::sign(&self.key, local_part);
                base32::text(tag.as_ref(), TOKEN_OCTETS)
            }
            Profile::Domains => REDACTED_LOCAL_PART.to_owned(),
            Profile::None => text::printable(local_part),
        }
    }
}

/// A header section fit to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderBlock {
    /// The fields, each line ended by CRLF: printable ASCII, no line over 998 octets.
    pub text: String,
    /// Whether the message has more fields than these.
    pub is_cut: bool,
}

/// The redaction of one message: it knows the local parts that must not be shown anywhere in it.
pub(super) struct MessageRedaction<'a> {
    redactor: &'a Redactor,
    known: KnownAddresses,
}

impl<'a> MessageRedaction<'a> {
    /// Learns what is to be hidden: the local part of each address in the header section, and those
    /// of `paths`, which are of the envelope.
    pub(super) fn new(redactor: &'a Redactor, header: &HeaderCopy, paths: &[&[u8]]) -> Self {
        let mut known = KnownAddresses::default();
        let values = header.fields.iter().map(HeaderField::value);
        for value in values.chain(paths.iter().copied()) {
            addresses::local_parts(value, |local_part| known.learn(local_part));
        }
        let addressed = header
            .fields
            .iter()
            .filter(|field| fields::holds_addresses(field));
        for value in addressed.map(HeaderField::value).chain(paths.iter().copied()) {
            addresses::domains(value, |domain| known.learn_domain(domain));
        }
        Self { redactor, known }
    }

    /// The header section.
    pub(super) fn header_block(&self, header: &HeaderCopy) -> HeaderBlock {
        let mut text = String::new();
        for field in &header.fields {
            let line = match self.redactor.profile {
                Profile::None => text::as_received(field),
                Profile::Hashed | Profile::Domains => fields::redacted(field, self),
            };
            if text.len() + line.len() > MAX_BLOCK_OCTETS {
                return HeaderBlock { text, is_cut: true };
            }
            text.push_str(&line);
        }
        HeaderBlock {
            text,
            is_cut: header.is_cut,
        }
    }

    /// The topmost Subject as it may be shown, decoded, where it may.
    pub(super) fn subject(&self, header: &HeaderCopy) -> Option<String> {
        let field = header.fields.iter().find(|field| field.is("Subject"))?;
        self.shown_subject(field.value())
    }

    fn shown_subject(&self, value: &[u8]) -> Option<String> {
        let text = self.redactor.shows_subjects().then(|| text::decoded(value))?;
        Some(match self.redactor.profile {
            Profile::None => text,
            Profile::Hashed | Profile::Domains => self.prose(&text),
        })
    }

    /// An address: the domain as it is, in lower case, and a token for the local part.
    pub(super) fn address(&self, local_part: &[u8], domain: &DomainName) -> String {
        format!("{}@{domain}", self.redactor.token(local_part))
    }

    /// What stands in the place of a local part.
    fn token(&self, local_part: &[u8]) -> String {
        self.redactor.token(local_part)
    }

    /// A short foreign word, such as a host name or a queue id, with tokens for the local parts in it.
    pub(super) fn word(&self, word: &str) -> String {
        match self.redactor.profile {
            Profile::None => text::printable(word.as_bytes()),
            Profile::Hashed | Profile::Domains => self.without_known(word),
        }
    }

    /// The name of a host, with tokens for the local parts in what is not a domain of an address.
    pub(super) fn host_name(&self, name: &DomainName) -> String {
        let (rest, domain) = self.known.split(name);
        self.word(rest) + domain
    }

    fn without_known(&self, text: &str) -> String {
        self.known.hidden_in(text, |local_part| self.token(local_part))
    }

    /// A text for people, with tokens for the local parts in it, and with no link that works.
    fn prose(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, local_part, domain, after)) = addresses::first_in(rest) {
            out.push_str(&self.without_known(before));
            out.push_str(&self.token(local_part.as_bytes()));
            out.push('@');
            // In prose nobody knows where a domain ends: what follows may be the next local part.
            out.push_str(&self.without_known(domain));
            rest = after;
        }
        out.push_str(&self.without_known(rest));
        text::without_links(&out)
    }
}

#[cfg(test)]
mod tests;
