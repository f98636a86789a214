//! Every key of `mail-dmarc.ini` (checklist Q16), and what becomes of it.

use landmarc_mail::DomainName;
use landmarc_settings::key;

use KeyMapping::{Becomes, LeftOut, Together};

/// A key of Mail::DMARC's settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct IniKey {
    /// The section it stands in.
    pub(super) section: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// What becomes of it.
    pub(super) mapping: KeyMapping,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyMapping {
    /// It is this setting of ours, as it stands, if it is of this kind.
    Becomes(&'static str, Kind),
    /// It says something with other keys, or needs a note: `plan` knows.
    Together,
    /// It is left out, for this reason.
    LeftOut(&'static str),
}

/// What a value should be, and whether it is.
pub(super) type Kind = (&'static str, fn(&str) -> bool);

const TEXT: Kind = ("text", |_| true);
pub(super) const DOMAIN_NAME: Kind = ("domain name", |text| DomainName::parse(text).is_ok());
const MAIL_ADDRESS: Kind = ("mail address", |text| {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"<>()[]:;@\\,\"".contains(&octet);
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        (1..=64).contains(&local.len()) && local.bytes().all(is_plain) && DomainName::parse(domain).is_ok()
    })
});

macro_rules! keys {
    ($($section:literal { $($name:literal => $mapping:expr,)* })*) => {
        /// All keys that any version of Mail::DMARC has read, in the order of its sample file. A key that is not here
        /// was never read by it.
        pub(super) const KEYS: &[IniKey] = &[$($(
            IniKey { section: $section, name: $name, mapping: $mapping },
        )*)*];
    };
}

keys! {
    "organization" {
        "domain" => Becomes(key!(report.domain), DOMAIN_NAME),
        "org_name" => Becomes(key!(report.organization), TEXT),
        "email" => Becomes(key!(report.email), MAIL_ADDRESS),
        "extra_contact_info" => Becomes(key!(report.contact), TEXT),
    }
    "report_store" {
        "backend" => LeftOut("what comes in is kept in our own database, store.directory"),
        "dsn" => Together,
        "user" => Together,
        "pass" => Together,
        "auto_save" => LeftOut("every message is counted; reports are sent once report.email is set"),
    }
    "report_sign" {
        "algorithm" => LeftOut("the key decides: rsa-sha256 or ed25519-sha256; RFC 8301 forbids rsa-sha1"),
        "method" => LeftOut("messages are signed relaxed/relaxed, which survives more relays"),
        "domain" => Together,
        "selector" => Together,
        "keyfile" => Together,
    }
    "report_sending" {
        "min_interval" => LeftOut(ONE_A_DAY),
        "max_interval" => LeftOut(ONE_A_DAY),
    }
    "dmarc" {
        "backend" => LeftOut("there is one, and it is neither of these"),
    }
    "dns" {
        "timeout" => Together,
        "retrans" => LeftOut("a question is repeated within dns.question_timeout"),
        "public_suffix_list" => Together,
    }
    "smtp" {
        "hostname" => Becomes(key!(report.delivery.hello), DOMAIN_NAME),
        "cc" => LeftOut("no copies are sent: landmarc outbox show prints every report for report.keep_days"),
        "whitelist" => Together,
        "smarthost" => Together,
        "smartport" => Together,
        "smartssl" => Together,
        "smartuser" => Together,
        "smartpass" => Together,
        "send_errors" =>
            LeftOut("a report that is too large for its destination is sent in parts, or not at all"),
        "transports" =>
            LeftOut("Perl classes are not run; report.delivery.by = \"sendmail\" runs any program"),
    }
    "imap" {
        "server" => LeftOut(NOT_YET),
        "port" => LeftOut(NOT_YET),
        "user" => LeftOut(NOT_YET),
        "pass" => LeftOut(NOT_YET),
        "folder" => LeftOut(NOT_YET),
        "f_done" => LeftOut(NOT_YET),
        "a_done" => LeftOut(NOT_YET),
    }
    "http" {
        "port" => LeftOut(NO_PAGES),
    }
    "https" {
        "port" => LeftOut(NO_PAGES),
        "ssl_crt" => LeftOut(NO_PAGES),
        "ssl_key" => LeftOut(NO_PAGES),
    }
}

const ONE_A_DAY: &str = "there is one report for each UTC day, whatever ri asks for";
const NOT_YET: &str = "reports of others are not read yet; leave dmarc_receive running for them";
const NO_PAGES: &str =
    "dmarc_httpd has no counterpart yet; POST /v1/check (check_api.listen) judges messages";

/// What the sample file has where an operator is to write something: nobody has decided on it.
const SAMPLES: [(&str, &str, &str); 12] = [
    ("organization", "domain", "example.com"),
    ("organization", "org_name", "My Great Company"),
    ("organization", "email", "noreply@example.com"),
    (
        "organization",
        "extra_contact_info",
        "http://www.example.com/dmarc-policy/",
    ),
    ("report_sign", "domain", "signer.example.com"),
    ("report_sign", "keyfile", "/path/to/private.key"),
    ("smtp", "hostname", "mail.example.com"),
    ("smtp", "cc", "set.this@for.a.while.example.com"),
    ("smtp", "whitelist", "/path/to/etc/dmarc_whitelist"),
    ("imap", "server", "mail.example.com"),
    ("http", "port", "8080"),
    ("https", "port", "8443"),
];

/// The key with this name. Names are compared as Perl does: with their case.
pub(super) fn key(section: &str, name: &str) -> Option<&'static IniKey> {
    KEYS.iter().find(|key| key.section == section && key.name == name)
}

/// This name as we have it, where it is that of a key in whatever section.
pub(super) fn known_name(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|key| key.name).find(|known| *known == name)
}

/// This name as we have it, where it is that of a section.
pub(super) fn known_section(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|key| key.section).find(|known| *known == name)
}

/// Whether this is what the sample file says.
pub(super) fn is_sample(section: &str, name: &str, value: &str) -> bool {
    SAMPLES.contains(&(section, name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_there_once_and_below_its_section() {
        let sections: Vec<_> = KEYS.iter().map(|key| key.section).collect();
        let mut distinct = sections.clone();
        distinct.dedup();
        let mut sorted = distinct.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), distinct.len(), "a section is split: {distinct:?}");
        for wanted in KEYS {
            let same = |other: &&IniKey| other.section == wanted.section && other.name == wanted.name;
            assert_eq!(KEYS.iter().filter(same).count(), 1, "{wanted:?}");
        }
    }

    #[test]
    fn samples_are_of_keys_that_exist() {
        for (section, name, _) in SAMPLES {
            assert!(key(section, name).is_some(), "[{section}] {name}");
        }
    }
}
