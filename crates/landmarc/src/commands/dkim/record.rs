//! A key record as it is published, in the forms that places to publish it take.

use std::path::Path;

use landmarc_delivery::sign::{KeyPem, ReportSigner, SignerError};
use landmarc_mail::DomainName;

/// Octets of one character-string of a TXT record (RFC 1035 §3.3.14).
const MAX_STRING_OCTETS: usize = 255;

/// A TXT record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DnsKeyRecord {
    /// `SELECTOR._domainkey.DOMAIN`.
    pub(super) name: String,
    /// Printable ASCII without quotes and backslashes: tags and base64.
    pub(super) text: String,
}

impl DnsKeyRecord {
    /// That of a private key in PEM; `path` is where it is from, for messages.
    ///
    /// # Errors
    /// Where it is no key that messages can be signed with.
    pub(super) fn of(
        pem: &[u8],
        path: &Path,
        selector: &DomainName,
        domain: &DomainName,
    ) -> Result<Self, SignerError> {
        let signer = ReportSigner::new(domain.clone(), &[KeyPem { selector, pem, path }])?;
        let records = signer.dns_records().into_iter().next();
        let (name, text) = records.ok_or(SignerError::Count(0))?;
        Ok(Self { name, text })
    }

    /// As a zone file has it: RFC 1035 §5.1 lets the strings stand on lines of their own.
    pub(super) fn zone_line(&self) -> String {
        let strings: Vec<String> = self
            .text
            .as_bytes()
            .chunks(MAX_STRING_OCTETS)
            .map(|string| format!("\"{}\"", string.escape_ascii()))
            .collect();
        match strings.as_slice() {
            [only] => format!("{}. IN TXT {only}\n", self.name),
            _ => format!("{}. IN TXT (\n    {} )\n", self.name, strings.join("\n    ")),
        }
    }

    /// Both forms, with what each is for.
    pub(super) fn in_words(&self) -> String {
        format!(
            "As a line of a zone file:\n\n{}\nAs name and text, for a form to fill in:\n\n{}\n{}\n",
            self.zone_line(),
            self.name,
            self.text
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(octets: usize) -> DnsKeyRecord {
        DnsKeyRecord {
            name: "s1._domainkey.example.com".to_owned(),
            text: "x".repeat(octets),
        }
    }

    #[test]
    fn a_text_is_split_where_a_string_ends() {
        let at_limit = record(MAX_STRING_OCTETS).zone_line();
        assert_eq!(
            at_limit,
            format!("s1._domainkey.example.com. IN TXT \"{}\"\n", "x".repeat(255))
        );
        let past_it = record(MAX_STRING_OCTETS + 1).zone_line();
        assert_eq!(
            past_it,
            format!(
                "s1._domainkey.example.com. IN TXT (\n    \"{}\"\n    \"x\" )\n",
                "x".repeat(255)
            )
        );
    }
}
