//! The return path of our report messages: an address that names the delivery, so that a bounce to it tells
//! which report mail came back, and that nobody else can make up.
//!
//! `dmarc+rb7k…@example.com`: the local part of the base, a delimiter that the MTA delivers to the base, and a token
//! of `r`, the number of the delivery in base32, and ten characters of an HMAC under a secret of ours.

use landmarc_mail::DomainName;
use ring::hmac;

use crate::address::{Address, MAX_LOCAL_PART_OCTETS};
use crate::base32;

/// The first letter of every token.
const MARK: char = 'r';
/// Characters of the HMAC in a token: 50 bits, tried by mail. The rest of 64 octets is needed for the base.
const SEAL_CHARACTERS: usize = 10;
/// Octets of a recipient that is looked at: a path of RFC 5321 §4.5.3.1.3 has 256.
const MAX_RECIPIENT_OCTETS: usize = 320;

/// Makes and recognises return paths.
#[derive(Clone, Debug)]
pub struct ReturnPath {
    base: Address,
    delimiter: String,
    key: hmac::Key,
}

impl ReturnPath {
    /// Return paths below `base`. Without a delimiter they have no token, and bounces are told apart by
    /// what they return only. `secret` has to stay the same as long as report messages can bounce.
    #[must_use]
    pub fn new(base: Address, delimiter: &str, secret: &[u8; 32]) -> Self {
        Self {
            base,
            delimiter: delimiter.to_ascii_lowercase(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The return path of one delivery: the base alone where there is no delimiter, or where the token
    /// would make the local part longer than 64 octets (RFC 5321 §4.5.3.1.1).
    #[must_use]
    pub fn address(&self, delivery: u64) -> String {
        let local_part = format!(
            "{}{}{}",
            self.base.local_part(),
            self.delimiter,
            self.token(delivery)
        );
        if self.delimiter.is_empty() || local_part.len() > MAX_LOCAL_PART_OCTETS {
            return self.base.to_string();
        }
        let address = format!("{local_part}@{}", self.base.domain());
        // A delimiter that no address can have is as good as none.
        Address::parse(&address).map_or_else(|_| self.base.to_string(), |address| address.to_string())
    }

    /// The delivery that a recipient names, with or without angle brackets; none unless its token is ours.
    /// Case does not matter: MTAs on the way back may change it.
    #[must_use]
    pub fn recognise(&self, recipient: &str) -> Option<u64> {
        if self.delimiter.is_empty() {
            return None;
        }
        let local_part = self.local_part_here(recipient)?;
        let base = self.base.local_part().to_ascii_lowercase();
        let token = local_part.strip_prefix(&base)?.strip_prefix(&self.delimiter)?;
        let sealed = token.strip_prefix(MARK)?;
        let (number, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_CHARACTERS)?)?;
        let delivery = base32::read_number(number)?;
        self.is_seal(delivery, seal).then_some(delivery)
    }

    /// Whether a recipient is the base, or a return path below it.
    #[must_use]
    pub fn is_ours(&self, recipient: &str) -> bool {
        let is_base = self
            .local_part_here(recipient)
            .is_some_and(|local_part| local_part.eq_ignore_ascii_case(self.base.local_part()));
        is_base || self.recognise(recipient).is_some()
    }

    /// The local part in lower case, of a recipient in our domain.
    fn local_part_here(&self, recipient: &str) -> Option<String> {
        let bare = recipient.trim();
        let bare = bare.strip_prefix('<').unwrap_or(bare);
        let bare = bare.strip_suffix('>').unwrap_or(bare);
        if bare.len() > MAX_RECIPIENT_OCTETS {
            return None;
        }
        let (local_part, domain) = bare.rsplit_once('@')?;
        let is_here = DomainName::parse(domain).is_ok_and(|domain| domain == *self.base.domain());
        is_here.then(|| local_part.trim_matches('"').to_ascii_lowercase())
    }

    fn token(&self, delivery: u64) -> String {
        format!("{MARK}{}{}", base32::number(delivery), self.seal(delivery))
    }

    fn seal(&self, delivery: u64) -> String {
        let tag = hmac::sign(&self.key, format!("landmarc return path {delivery}").as_bytes());
        base32::text(tag.as_ref(), SEAL_CHARACTERS)
    }

    /// Compares in a time that does not tell how much of the seal is right: what is compared are HMACs of both
    /// seals, of which a guess of the seal says nothing.
    fn is_seal(&self, delivery: u64, seal: &str) -> bool {
        let expected = hmac::sign(&self.key, self.seal(delivery).as_bytes());
        hmac::verify(&self.key, seal.as_bytes(), expected.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(base: &str, delimiter: &str) -> ReturnPath {
        ReturnPath::new(Address::parse(base).unwrap(), delimiter, &[7; 32])
    }

    #[test]
    fn a_delivery_is_named_and_recognised() {
        let path = path("dmarc@example.com", "+");
        for delivery in [0, 1, 42, u64::from(u32::MAX), u64::MAX] {
            let address = path.address(delivery);
            assert!(address.starts_with("dmarc+r") && address.ends_with("@example.com"));
            assert_eq!(path.recognise(&address), Some(delivery), "{address}");
        }
    }

    #[test]
    fn the_form_of_a_token_stays_the_same() {
        // Bounces come days later, perhaps to a later version of this program.
        assert_eq!(
            path("dmarc@example.com", "+").address(1_000_000),
            "dmarc+r6qsatlfko45cxp@example.com"
        );
    }

    #[test]
    fn neither_case_nor_brackets_matter() {
        let path = path("DMARC-Reports@Example.com", "+");
        let address = path.address(77);
        for form in [
            address.to_uppercase(),
            address.to_lowercase(),
            format!(" <{address}> "),
        ] {
            assert_eq!(path.recognise(&form), Some(77), "{form}");
        }
    }

    #[test]
    fn a_token_that_is_not_ours_names_nothing() {
        let path = path("dmarc@example.com", "+");
        let address = path.address(77);
        let token = address
            .strip_prefix("dmarc+")
            .unwrap()
            .strip_suffix("@example.com")
            .unwrap();
        for changed in 0..token.len() {
            let mut octets = token.as_bytes().to_vec();
            octets[changed] = if octets[changed] == b'c' { b'd' } else { b'c' };
            let forged = format!("dmarc+{}@example.com", String::from_utf8(octets).unwrap());
            assert_eq!(path.recognise(&forged), None, "{forged}");
        }
        for forged in [
            format!("other+{token}@example.com"),
            format!("dmarc-{token}@example.com"),
            format!("dmarc+{token}@example.net"),
            format!("dmarc+{token}x@example.com"),
            format!("dmarc+ra{}@example.com", &token[1..]),
            "dmarc+r@example.com".to_owned(),
            "dmarc+rüüüüüüüüüüü@example.com".to_owned(),
            "dmarc@example.com".to_owned(),
            "@".to_owned(),
            String::new(),
            "a".repeat(5_000),
        ] {
            assert_eq!(path.recognise(&forged), None, "{forged}");
        }
        let other = ReturnPath::new(Address::parse("dmarc@example.com").unwrap(), "+", &[8; 32]);
        assert_eq!(other.recognise(&address), None);
    }

    #[test]
    fn without_delimiter_or_room_there_is_no_token() {
        assert_eq!(path("dmarc@example.com", "").address(77), "dmarc@example.com");
        assert_eq!(path("dmarc@example.com", "").recognise("dmarc@example.com"), None);
        assert_eq!(path("dmarc@example.com", "\r\n").address(77), "dmarc@example.com");
        let room = MAX_LOCAL_PART_OCTETS - "+r".len() - base32::number(77).len() - SEAL_CHARACTERS;
        let (fits, is_too_long) = ("d".repeat(room), "d".repeat(room + 1));
        let fitting = path(&format!("{fits}@example.com"), "+");
        assert_eq!(fitting.recognise(&fitting.address(77)), Some(77));
        let base = format!("{is_too_long}@example.com");
        assert_eq!(path(&base, "+").address(77), base);
    }

    #[test]
    fn the_base_and_what_is_below_it_is_ours() {
        let path = path("dmarc@example.com", "+");
        assert!(path.is_ours("DMARC@example.com") && path.is_ours(&path.address(3)));
        assert!(!path.is_ours("dmarc+x@example.com") && !path.is_ours("a@example.com"));
    }
}
