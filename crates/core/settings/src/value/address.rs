//! Mail addresses.

use std::fmt;

use landmarc_mail::DomainName;

/// The longest local part, in octets (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART_OCTETS: usize = 64;

/// The longest address, in octets: that of a path without its brackets (RFC 5321 §4.5.3.1.3).
const MAX_ADDRESS_OCTETS: usize = 254;

/// A mailbox (RFC 5321 §4.1.2), in ASCII: not every mail server takes others. Its domain is a
/// name, as A-labels, and never an address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local_part: String,
    domain: DomainName,
}

impl MailAddress {
    /// Left of the `@`, in quotes where it needs them.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// Right of the `@`.
    #[must_use]
    pub const fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

printed_value!(
    MailAddress,
    "mail address",
    "an address such as \"postmaster@example.com\"",
    mail_address
);

fn mail_address(text: &str) -> Result<MailAddress, String> {
    let (local_part, domain) = text.rsplit_once('@').ok_or("it has no \"@\"")?;
    check_local_part(local_part)?;
    let domain = DomainName::parse(domain).map_err(|error| error.to_string())?;
    let address = MailAddress {
        local_part: local_part.to_owned(),
        domain,
    };
    if address.to_string().len() > MAX_ADDRESS_OCTETS {
        return Err(format!("it has more than {MAX_ADDRESS_OCTETS} octets"));
    }
    Ok(address)
}

/// RFC 5321 §4.1.2: a `Dot-string` or a `Quoted-string`.
fn check_local_part(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("there is nothing before its \"@\"".to_owned());
    }
    if text.len() > MAX_LOCAL_PART_OCTETS {
        return Err(format!(
            "it has more than {MAX_LOCAL_PART_OCTETS} octets before its \"@\""
        ));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return check_quoted(quoted);
    }
    if let Some(c) = text.chars().find(|&c| c != '.' && !is_atext(c)) {
        return Err(format!("the character {c:?} cannot be before its \"@\""));
    }
    match text.split('.').any(str::is_empty) {
        true => Err("a dot must stand between two other characters".to_owned()),
        false => Ok(()),
    }
}

/// What follows the first quote: `qtextSMTP` and `quoted-pairSMTP` up to the last quote.
fn check_quoted(text: &str) -> Result<(), String> {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' if characters.as_str().is_empty() => return Ok(()),
            '"' => return Err("something follows the closing quote before its \"@\"".to_owned()),
            '\\' if matches!(characters.next(), Some(' '..='~')) => {}
            ' '..='~' if c != '\\' => {}
            _ => return Err(format!("the character {c:?} cannot be before its \"@\"")),
        }
    }
    Err("a quote before its \"@\" is not closed".to_owned())
}

/// RFC 5322 §3.2.3, which RFC 5321 takes over.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TextValue;

    fn printed<T: TextValue>(text: &str) -> Result<String, String> {
        T::parse(text).map(|value| value.text())
    }

    #[test]
    fn an_address_is_a_mailbox_in_ascii() {
        for (written, text) in [
            ("postmaster@example.com", "postmaster@example.com"),
            ("a.b+c=d@EXAMPLE.com.", "a.b+c=d@example.com"),
            ("a@b\u{fc}cher.example", "a@xn--bcher-kva.example"),
            (r#""a b\"@c"@example.com"#, r#""a b\"@c"@example.com"#),
        ] {
            assert_eq!(printed::<MailAddress>(written).as_deref(), Ok(text));
        }
        for (written, why) in [
            ("", "it has no \"@\""),
            ("postmaster", "it has no \"@\""),
            ("@example.com", "there is nothing before its \"@\""),
            ("a@", "the name is empty"),
            ("<a@example.com", "the character '<' cannot be before its \"@\""),
            ("a b@example.com", "the character ' ' cannot be before its \"@\""),
            (
                "a\r\n@example.com",
                "the character '\\r' cannot be before its \"@\"",
            ),
            (
                "\u{fc}@example.com",
                "the character 'ü' cannot be before its \"@\"",
            ),
            (
                "a..b@example.com",
                "a dot must stand between two other characters",
            ),
            (".a@example.com", "a dot must stand between two other characters"),
            ("\"a@example.com", "a quote before its \"@\" is not closed"),
            ("\"a\\\"@example.com", "a quote before its \"@\" is not closed"),
            (
                "\"a\"b@example.com",
                "something follows the closing quote before its \"@\"",
            ),
            (
                "\"a\n\"@example.com",
                "the character '\\n' cannot be before its \"@\"",
            ),
        ] {
            assert_eq!(printed::<MailAddress>(written), Err(why.to_owned()), "{written}");
        }
        for literal in ["a@[192.0.2.1]", "a@example.com>", "a@b c.example"] {
            assert!(printed::<MailAddress>(literal).is_err(), "{literal}");
        }
    }

    #[test]
    fn an_address_fits_a_path() {
        let local_part = "a".repeat(MAX_LOCAL_PART_OCTETS);
        assert!(printed::<MailAddress>(&format!("{local_part}@example.com")).is_ok());
        assert_eq!(
            printed::<MailAddress>(&format!("{local_part}a@example.com")),
            Err("it has more than 64 octets before its \"@\"".to_owned())
        );
        let name = |octets: usize| {
            let labels = format!("{}.", "b".repeat(49)).repeat(5);
            labels.get(..octets).unwrap().trim_end_matches('.').to_owned()
        };
        let fits = name(MAX_ADDRESS_OCTETS - MAX_LOCAL_PART_OCTETS - 1);
        assert_eq!(format!("{local_part}@{fits}").len(), MAX_ADDRESS_OCTETS);
        assert!(printed::<MailAddress>(&format!("{local_part}@{fits}")).is_ok());
        assert_eq!(
            printed::<MailAddress>(&format!("{local_part}@{fits}b")),
            Err("it has more than 254 octets".to_owned())
        );
    }
}
