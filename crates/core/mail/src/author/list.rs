//! The address list of a From field (RFC 5322 §3.4 and §4.4, RFC 6854, RFC 6532).
//!
//! Reads forward only, keeps no more than a handful of domains, and wants to know
//! nothing else of the field: names and local parts are stepped over.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::encoded::has_encoded_word;
use super::{AuthorFault, MAX_AUTHOR_DOMAINS, MAX_AUTHOR_MAILBOXES, MAX_LOCAL_PART_OCTETS};
use crate::lexer::{Cursor, LexFault, has_stray_controls, is_atom_octet};
use crate::name::{DomainName, MAX_NAME_OCTETS};

/// The longest text of a domain that is converted: four octets of UTF-8 for each
/// octet of the longest name. What is longer is no name.
const MAX_DOMAIN_TEXT_OCTETS: usize = 4 * MAX_NAME_OCTETS;

/// What an address list holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Distinct domains in order of appearance; collecting ends at one more than
    /// [`MAX_AUTHOR_DOMAINS`].
    pub(super) domains: Vec<DomainName>,
    /// All mailboxes, with or without a domain.
    pub(super) mailboxes: usize,
    /// Those with an address literal, whose `@` shows no domain.
    literals: usize,
    /// Whether one of them has an address literal, or no `@` at all.
    pub(super) has_mailbox_without_domain: bool,
}

impl Found {
    /// Why a field in which no domain was found must not pass for one that shows none: people read
    /// names, comments, routes and paths of old mail as they read addresses, and some readers show
    /// an encoded word decoded wherever it stands.
    pub(super) fn shown_without_domain(&self, value: &[u8]) -> Option<AuthorFault> {
        if has_encoded_word(value) {
            Some(AuthorFault::EncodedWord)
        } else if at_signs(value) > self.literals || has_path(value) {
            Some(AuthorFault::Malformed("it names no domain and shows an address"))
        } else {
            None
        }
    }
}

/// Reads a From field value to its end.
pub(super) fn read(value: &[u8]) -> Result<Found, AuthorFault> {
    if has_stray_controls(value) {
        return Err(AuthorFault::ControlOctets);
    }
    let mut reader = Reader {
        cursor: Cursor::new(value),
        found: Found::default(),
    };
    reader.address_list()?;
    Ok(reader.found)
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    found: Found,
}

/// What a mailbox says of its domain.
#[derive(Clone, Copy)]
enum Domain<'a> {
    Name(&'a [u8]),
    /// An address literal.
    Literal,
    /// No `@` at all.
    None,
}

/// A run of atoms, quoted strings and dots: a display name or a local part, which
/// only the octet after it tells.
#[derive(Default)]
struct Words<'a> {
    /// From the first word or dot to the last, with comments between them.
    raw: &'a [u8],
    words: usize,
    /// Octets of words and dots.
    octets: usize,
    /// Where the last of them ends.
    end: usize,
    has_adjacent_words: bool,
    has_other_charset: bool,
    starts_with_dot: bool,
}

impl<'a> Reader<'a> {
    /// Addresses between commas. Empty elements are obsolete, not wrong (RFC 5322 §4.4).
    fn address_list(&mut self) -> Result<(), AuthorFault> {
        loop {
            self.cursor.skip_cfws()?;
            if self.cursor.is_at_end() {
                return Ok(());
            }
            if self.cursor.eat(b',') {
                continue;
            }
            self.address(Place::List)?;
            self.cursor.skip_cfws()?;
            if !self.cursor.is_at_end() && !self.cursor.eat(b',') {
                return Err(AuthorFault::Malformed("something follows a complete address"));
            }
        }
    }

    /// A mailbox or, in the list itself, a group.
    fn address(&mut self, place: Place) -> Result<(), AuthorFault> {
        let words = self.words()?;
        match self.cursor.peek() {
            Some(b'<') => {
                // RFC 5322 §4.1, obs-phrase: a dot may stand anywhere but first.
                if words.starts_with_dot {
                    return Err(AuthorFault::Malformed("a display name starts with a dot"));
                }
                self.angle_address()
            }
            Some(b'@') => self.address_spec(&words),
            Some(b':') if place == Place::List && words.words > 0 => {
                words.check_group_name()?;
                self.group()
            }
            _ if words.words == 0 => Err(AuthorFault::Malformed("no address starts like this")),
            // A user name, or the null address.
            _ => self.count(Domain::None),
        }
    }

    /// `display-name ":" [mailbox-list] ";"`, from the colon on. RFC 6854 §2.1 lets
    /// groups stand in From; they do not nest.
    fn group(&mut self) -> Result<(), AuthorFault> {
        self.cursor.eat(b':');
        loop {
            self.cursor.skip_cfws()?;
            if self.cursor.eat(b';') {
                return Ok(());
            }
            if self.cursor.eat(b',') {
                continue;
            }
            if self.cursor.is_at_end() {
                return Err(AuthorFault::Malformed("a group is not closed"));
            }
            self.address(Place::Group)?;
            self.cursor.skip_cfws()?;
            if !self.cursor.eat(b',') && self.cursor.peek() != Some(b';') {
                return Err(AuthorFault::Malformed("something follows a member of a group"));
            }
        }
    }

    /// `"<" [obs-route] addr-spec ">"`; also the null address and a bare name, which
    /// daemons write.
    fn angle_address(&mut self) -> Result<(), AuthorFault> {
        self.cursor.eat(b'<');
        self.cursor.skip_cfws()?;
        if matches!(self.cursor.peek(), Some(b'@' | b',')) {
            self.route()?;
        }
        let words = self.words()?;
        if self.cursor.peek() == Some(b'@') {
            self.address_spec(&words)?;
            self.cursor.skip_cfws()?;
        } else {
            self.count(Domain::None)?;
        }
        if self.cursor.eat(b'>') {
            Ok(())
        } else {
            Err(AuthorFault::Malformed("an angle bracket is not closed"))
        }
    }

    /// RFC 5322 §4.4: a route "SHOULD be ignored". It must be one, all the same.
    fn route(&mut self) -> Result<(), AuthorFault> {
        let mut hops = 0_usize;
        loop {
            self.cursor.skip_cfws()?;
            if self.cursor.eat(b'@') {
                self.domain()?;
                hops += 1;
            } else if self.cursor.eat(b':') && hops > 0 {
                return Ok(());
            } else if !self.cursor.eat(b',') {
                return Err(AuthorFault::Malformed("a source route is broken"));
            }
        }
    }

    /// The words as a local part, and the domain after the `@` at the cursor.
    fn address_spec(&mut self, local: &Words<'_>) -> Result<(), AuthorFault> {
        local.check_local_part()?;
        if local.end != self.cursor.position() {
            return Err(AuthorFault::Malformed(
                "something stands between a local part and its @",
            ));
        }
        self.cursor.eat(b'@');
        let domain = self.domain()?;
        self.count(domain)
    }

    fn count(&mut self, domain: Domain<'_>) -> Result<(), AuthorFault> {
        let found = &mut self.found;
        found.mailboxes += 1;
        match domain {
            Domain::None => found.has_mailbox_without_domain = true,
            Domain::Literal => {
                found.literals += 1;
                found.has_mailbox_without_domain = true;
            }
            // Past either limit nothing is evaluated, so nothing more is converted.
            Domain::Name(_)
                if found.domains.len() > MAX_AUTHOR_DOMAINS || found.mailboxes > MAX_AUTHOR_MAILBOXES => {}
            Domain::Name(text) => {
                if has_encoded_word(text) {
                    return Err(AuthorFault::EncodedWord);
                }
                // U-labels become A-labels before any use (RFC 9989 §4.10).
                let name = DomainName::from_bytes(text).map_err(|_| AuthorFault::InvalidDomain)?;
                if !found.domains.contains(&name) {
                    found.domains.push(name);
                }
            }
        }
        Ok(())
    }

    fn words(&mut self) -> Result<Words<'a>, AuthorFault> {
        self.cursor.skip_cfws()?;
        let start = self.cursor.position();
        let mut words = Words {
            starts_with_dot: self.cursor.peek() == Some(b'.'),
            ..Words::default()
        };
        let mut last_was_word = false;
        loop {
            let word = match self.cursor.peek() {
                Some(b'"') => Some(self.cursor.quoted_string()?),
                Some(octet) if is_atom_octet(octet) => Some(self.cursor.take_while(is_atom_octet)),
                Some(b'.') => {
                    self.cursor.eat(b'.');
                    None
                }
                _ => return Ok(words),
            };
            words.raw = self.cursor.since(start);
            words.end = self.cursor.position();
            words.add(word, last_was_word);
            last_was_word = word.is_some();
            self.cursor.skip_cfws()?;
        }
    }

    /// `dot-atom` or `domain-literal`, right after the `@`. One final dot is let pass.
    ///
    /// Not `obs-domain`, with white space and comments around the dots: a reader that stops
    /// at the first of them shows another domain, and no honest mail has it.
    fn domain(&mut self) -> Result<Domain<'a>, AuthorFault> {
        if self.cursor.eat(b'[') {
            return self.domain_literal();
        }
        let text = self
            .cursor
            .take_while(|octet| is_atom_octet(octet) || octet == b'.');
        if text.first().is_none_or(|octet| *octet == b'.') {
            return Err(AuthorFault::Malformed("there is no domain right after the @"));
        }
        if memchr::memmem::find(text, b"..").is_some() {
            return Err(AuthorFault::Malformed("a domain has two dots in a row"));
        }
        if text.len() > MAX_DOMAIN_TEXT_OCTETS {
            return Err(AuthorFault::InvalidDomain);
        }
        self.cursor.skip_cfws()?;
        match self.cursor.peek() {
            Some(b'.') => Err(AuthorFault::Malformed("a domain is in several pieces")),
            _ => Ok(Domain::Name(text)),
        }
    }

    /// An address literal (RFC 5321 §4.1.3) names a host, not a domain. In `x@[bank.test]`
    /// stands no address, but a domain for people to read.
    fn domain_literal(&mut self) -> Result<Domain<'a>, AuthorFault> {
        // The backslashes of obs-dtext are not taken: a `]` behind one is the end for
        // some readers and not for others.
        let literal = self.cursor.take_while(|b| !matches!(b, b'[' | b']' | b'\\'));
        if !self.cursor.eat(b']') {
            Err(AuthorFault::Malformed("an address literal is broken"))
        } else if is_address(literal) {
            Ok(Domain::Literal)
        } else {
            Err(AuthorFault::InvalidDomain)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    List,
    Group,
}

impl Words<'_> {
    /// Counts a word, or a dot.
    fn add(&mut self, word: Option<&[u8]>, last_was_word: bool) {
        let Some(word) = word else {
            self.octets += 1;
            return;
        };
        self.octets += word.len();
        self.words += 1;
        self.has_adjacent_words |= last_was_word;
        self.has_other_charset |= str::from_utf8(word).is_err();
    }

    /// Whether it can stand before the colon of a group: it is what readers show of all its members.
    fn check_group_name(&self) -> Result<(), AuthorFault> {
        if has_encoded_word(self.raw) {
            return Err(AuthorFault::EncodedWord);
        }
        match at_signs(self.raw) {
            0 => Ok(()),
            _ => Err(AuthorFault::Malformed("the name of a group shows an address")),
        }
    }

    /// Whether it can stand before an `@`: words with dots between them. Dots may also
    /// stand first, last and in a row, which RFC 5322 does not allow: telephone
    /// companies gave out such mailboxes, and they make no domain doubtful.
    fn check_local_part(&self) -> Result<(), AuthorFault> {
        let fault = if self.words == 0 {
            "there is no local part before the @"
        } else if self.has_adjacent_words {
            "a local part is in several pieces"
        } else if self.octets > MAX_LOCAL_PART_OCTETS {
            "a local part is too long"
        } else if self.has_other_charset {
            "a local part is not UTF-8"
        } else if shows_address(self.raw) {
            // `"ceo@bank.test"@evil.test`: a reader that looks for the first address finds another.
            // RFC 5322 §3.2.4 allows the at sign; `"a@b"@example.com` shows no domain that anybody has.
            "a local part shows an address of its own"
        } else if has_encoded_word(self.raw) {
            // RFC 2047 §5 (3): "MUST NOT appear in any portion of an 'addr-spec'". Readers
            // that decode it show an address that is not the one judged here.
            return Err(AuthorFault::EncodedWord);
        } else {
            return Ok(());
        };
        Err(AuthorFault::Malformed(fault))
    }
}

/// At signs as people see them, in all the forms Unicode has for them.
const AT_SIGNS: [char; 3] = ['@', '\u{fe6b}', '\u{ff20}'];
/// Dots between labels: the ASCII one, and those that UTS #46 maps to it.
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];

/// How many at signs people see in here.
fn at_signs(octets: &[u8]) -> usize {
    String::from_utf8_lossy(octets).matches(AT_SIGNS).count()
}

/// Whether people see an address in here: an at sign, and a dot somewhere behind it.
fn shows_address(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    text.split_once(AT_SIGNS)
        .is_some_and(|(_, behind)| behind.contains(DOTS))
}

/// Whether something in here is a path of old mail: `bank.test!ceo`, `ceo%bank.test`.
fn has_path(octets: &[u8]) -> bool {
    let mut threes = octets.windows(3);
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || octet >= 0x80;
    threes.any(|three| matches!(three, [a, b'!' | b'%', b] if is_name(*a) && is_name(*b)))
}

/// Whether the inside of a literal is an address of IPv4 or, with its tag, of IPv6.
fn is_address(literal: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(literal.trim_ascii()) else {
        return false;
    };
    match text.split_at_checked("IPv6:".len()) {
        Some((tag, v6)) if tag.eq_ignore_ascii_case("IPv6:") => v6.parse::<Ipv6Addr>().is_ok(),
        _ => text.parse::<Ipv4Addr>().is_ok(),
    }
}

impl From<LexFault> for AuthorFault {
    fn from(fault: LexFault) -> Self {
        Self::Malformed(fault.as_str())
    }
}
