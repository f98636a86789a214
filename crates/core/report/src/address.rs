//! Mail addresses that we write into report messages and SMTP commands.

use std::fmt;
use std::str::FromStr;

pub use landmarc_dmarc::record::MAX_LOCAL_PART_OCTETS;
use landmarc_dmarc::record::ReportAddress;
use landmarc_mail::text::excerpt;
use landmarc_mail::{DomainName, NameError};

/// The longest text that is looked at: a local part in quotes, an `@`, and the longest text of a name.
const MAX_TEXT_OCTETS: usize = MAX_LOCAL_PART_OCTETS + 4 * 253 + 8;
/// Characters of a text that an error quotes.
const MAX_QUOTED_CHARACTERS: usize = 80;

/// One mail address. Whoever chose it, it can neither end an SMTP command or a header field nor
/// add a second recipient: its local part has no white space, quotes, backslashes, brackets,
/// control or non-ASCII characters. The same as the address in a record, with words for what is none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(ReportAddress);

/// Why a text is no mail address that we write to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailAddressError {
    /// No `@` with something on both sides.
    #[error("\"{0}\" is no address of the form local-part@domain")]
    Form(String),
    /// Empty, or over [`MAX_LOCAL_PART_OCTETS`].
    #[error("the local part of \"{0}\" does not have 1 to 64 octets")]
    LocalPartLength(String),
    /// A character that would need more than simple quotes, or is not ASCII.
    #[error("the local part of \"{text}\" has the character {character:?}, which we do not write to")]
    LocalPart {
        /// The address.
        text: String,
        /// The first such character.
        character: char,
    },
    /// What stands after the `@` is no domain name.
    #[error("the domain of \"{text}\": {error}")]
    Domain {
        /// The address.
        text: String,
        /// What is wrong with it.
        error: NameError,
    },
}

impl Address {
    /// Reads `user@example.com`, in angle brackets or not, with the local part in quotes or not.
    /// The domain may be in U-labels.
    ///
    /// # Errors
    /// [`MailAddressError`] for everything that is no address of [this kind](Self).
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let form = || MailAddressError::Form(quoted(text));
        if text.len() > MAX_TEXT_OCTETS {
            return Err(form());
        }
        let bare = match text.strip_prefix('<') {
            Some(rest) => rest.strip_suffix('>').ok_or_else(form)?,
            None => text,
        };
        let (local, domain) = bare.rsplit_once('@').ok_or_else(form)?;
        let local = local
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(local);
        if !(1..=MAX_LOCAL_PART_OCTETS).contains(&local.len()) {
            return Err(MailAddressError::LocalPartLength(quoted(text)));
        }
        if let Some(character) = local.chars().find(|&c| !ReportAddress::takes(c)) {
            return Err(MailAddressError::LocalPart {
                text: quoted(text),
                character,
            });
        }
        let domain = DomainName::parse(domain).map_err(|error| MailAddressError::Domain {
            text: quoted(text),
            error,
        })?;
        ReportAddress::new(local, domain).map(Self).ok_or_else(form)
    }

    /// The local part without quotes: 1 to 64 octets of printable ASCII.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.local_part()
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        self.0.domain()
    }

    /// Whether both deliver to the same mailbox as far as a stranger can know: domains are
    /// compared without case, local parts too, for hardly anybody tells `Reports@` from
    /// `reports@` and nobody wants a report twice.
    #[must_use]
    pub fn is_same_mailbox(&self, other: &Self) -> bool {
        self.domain() == other.domain() && self.local_part().eq_ignore_ascii_case(other.local_part())
    }
}

impl From<&ReportAddress> for Address {
    fn from(address: &ReportAddress) -> Self {
        Self(address.clone())
    }
}

impl FromStr for Address {
    type Err = MailAddressError;

    fn from_str(text: &str) -> Result<Self, MailAddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    /// As SMTP and header fields take it: the local part in quotes where it is no dot-string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Foreign text for an error.
fn quoted(text: &str) -> String {
    excerpt(text, MAX_QUOTED_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use landmarc_dmarc::record::ReportUri;

    use super::*;

    #[test]
    fn addresses_are_read_and_written_as_smtp_takes_them() {
        for (text, written) in [
            ("dmarc@example.com", "dmarc@example.com"),
            ("<dmarc@Example.COM>", "dmarc@example.com"),
            ("a+b@bücher.example", "a+b@xn--bcher-kva.example"),
            ("\"d,x\"@example.com", "\"d,x\"@example.com"),
            ("\"plain\"@example.com", "plain@example.com"),
            ("a..b@example.com", "\"a..b\"@example.com"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(Address::parse(written), Ok(address));
        }
    }

    #[test]
    fn what_could_reach_further_than_one_mailbox_is_no_address() {
        for text in [
            "",
            "@example.com",
            "a@",
            "a",
            "<a@example.com",
            "a@example.com>",
            "a@example.com\r\nRCPT TO:<b@example.com>",
            "a\r\nb@example.com",
            "a b@example.com",
            "a\0@example.com",
            "a@b@example.com",
            "\"a\"b\"@example.com",
            "\"a\\\"@example.com",
            "a>@example.com",
            "ü@example.com",
            "a@[192.0.2.1]",
            "a@example..com",
            "a@example.com, b@example.com",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_quote_printable_text_cut_short() {
        let error = Address::parse(&format!("a\r\n@{}", "x".repeat(5_000))).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "\"a\\r\\n@{}[...]\" is no address of the form local-part@domain",
                "x".repeat(76)
            )
        );
    }

    #[test]
    fn the_local_part_ends_at_64_octets() {
        let address = |length| Address::parse(&format!("{}@example.com", "a".repeat(length)));
        assert!(address(MAX_LOCAL_PART_OCTETS).is_ok());
        assert!(matches!(
            address(MAX_LOCAL_PART_OCTETS + 1),
            Err(MailAddressError::LocalPartLength(_))
        ));
    }

    #[test]
    fn every_address_of_a_record_is_one() {
        for item in [
            "mailto:d%2Cx@example.com",
            "mailto:a..b@example.com",
            "mailto:%7B%7C%7D@Example.com",
        ] {
            let address = ReportUri::parse(item).unwrap().address.unwrap();
            let own = Address::from(&address);
            assert_eq!(own.to_string(), address.to_string());
            assert_eq!(Address::parse(&own.to_string()), Ok(own));
        }
    }

    #[test]
    fn case_makes_no_second_mailbox() {
        let address = |text| Address::parse(text).unwrap();
        assert!(address("Reports@example.com").is_same_mailbox(&address("reports@EXAMPLE.com")));
        assert!(!address("a@example.com").is_same_mailbox(&address("a@sub.example.com")));
    }
}
