//! Values that are text of a certain form.

use std::path::PathBuf;

use landmarc_mail::DomainName;

use super::TextValue;
use crate::IpNetwork;

/// One line of text that is not empty. An empty one is spelled by `Option`.
impl TextValue for String {
    const KIND: &'static str = "text";
    const ALLOWED: &'static str = "one line";

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        no_control_character(text)?;
        Ok(text.to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }
}

printed_value!(
    DomainName,
    "domain name",
    "a domain name such as \"example.com\"",
    |text| Self::parse(text).map_err(|error| error.to_string())
);

printed_value!(
    IpNetwork,
    "network",
    "an address or network such as \"192.0.2.1\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
    |text: &str| text
        .parse()
        .map_err(|error: crate::NetworkError| error.to_string())
);

/// A file, from the root: the service may run in any directory.
impl TextValue for PathBuf {
    const KIND: &'static str = "path";
    const ALLOWED: &'static str = "a path that starts with \"/\"";

    fn parse(text: &str) -> Result<Self, String> {
        no_control_character(text)?;
        match text.starts_with('/') {
            true => Ok(Self::from(text)),
            false => Err("it does not start with \"/\"".to_owned()),
        }
    }

    fn text(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

text_value!(
    /// The name this service goes by in Authentication-Results (RFC 8601 §2.5).
    ///
    /// RFC 8601 §2.2 allows any `value`; here it is an RFC 2045 §5.1 token, which needs no
    /// quotes and so cannot be told apart by a reader that forgets to take them off.
    AuthservId,
    "authserv-id",
    "a name such as \"mx.example.com\"",
    // RFC 2045 §5.1: tspecials, spaces and control characters are no part of a token.
    |text| ascii(text, MAX_AUTHSERV_ID_OCTETS, "()<>@,;:\\\"/[]?=")
);

/// The longest [`AuthservId`], in octets: that of a domain name, which it usually is.
const MAX_AUTHSERV_ID_OCTETS: usize = 253;

text_value!(
    /// The name of a header field (RFC 5322 §2.2).
    FieldName,
    "header field name",
    "printable ASCII without a colon, such as \"X-Quarantine\"",
    // RFC 5322 §3.6.8: ftext is printable US-ASCII except the colon.
    |text| ascii(text, MAX_FIELD_NAME_OCTETS, ":")
);

/// The longest [`FieldName`], in octets: with its colon it fits a line of the 78
/// characters that RFC 5322 §2.1.1 recommends.
const MAX_FIELD_NAME_OCTETS: usize = 77;

/// The text, if it is printable ASCII without blanks and these characters.
fn ascii(text: &str, most: usize, forbidden: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > most {
        return Err(format!("it has more than {most} octets"));
    }
    match text
        .chars()
        .find(|&c| !c.is_ascii_graphic() || forbidden.contains(c))
    {
        Some(c) => Err(format!("the character {c:?} cannot be in it")),
        None => Ok(text.to_owned()),
    }
}

pub(super) fn no_control_character(text: &str) -> Result<(), String> {
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(format!("the character {c:?} cannot be in it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: TextValue>(text: &str) -> String {
        T::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn text_is_one_line_and_not_empty() {
        assert_eq!(why::<String>("inet:127.0.0.1:8894"), "");
        assert_eq!(why::<String>(" "), "it is empty");
        insta::assert_snapshot!(why::<String>("a\nb"), @r"the character '\n' cannot be in it");
    }

    #[test]
    fn paths_start_at_the_root() {
        assert_eq!(why::<PathBuf>("/usr/share/x"), "");
        insta::assert_snapshot!(why::<PathBuf>("x"), @r#"it does not start with "/""#);
        insta::assert_snapshot!(why::<PathBuf>("/a\0"), @r"the character '\0' cannot be in it");
    }

    #[test]
    fn an_authserv_id_is_a_token() {
        assert_eq!(why::<AuthservId>("mx.example.com"), "");
        insta::assert_snapshot!(why::<AuthservId>("mx example"), @"the character ' ' cannot be in it");
        insta::assert_snapshot!(why::<AuthservId>("mx;dmarc=pass"), @"the character ';' cannot be in it");
        insta::assert_snapshot!(why::<AuthservId>("bücher"), @"the character 'ü' cannot be in it");
        assert_eq!(why::<AuthservId>(&"a".repeat(253)), "");
        insta::assert_snapshot!(why::<AuthservId>(&"a".repeat(254)), @"it has more than 253 octets");
    }

    #[test]
    fn a_field_name_has_no_colon_and_no_space() {
        assert_eq!(why::<FieldName>("X-Quarantine"), "");
        insta::assert_snapshot!(why::<FieldName>("X-Quarantine:"), @"the character ':' cannot be in it");
        insta::assert_snapshot!(why::<FieldName>("X Quarantine"), @"the character ' ' cannot be in it");
        assert_eq!(why::<FieldName>(&"a".repeat(77)), "");
        insta::assert_snapshot!(why::<FieldName>(&"a".repeat(78)), @"it has more than 77 octets");
    }
}
