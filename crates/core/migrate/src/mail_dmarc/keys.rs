//! Every key of `mail-dmarc.ini` (checklist Q16), and what becomes of it.

use KeyMapping::{Becomes, LeftOut, Store};

/// A key of Mail::DMARC's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IniKey {
    /// The section it stands in.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What becomes of it.
    pub mapping: KeyMapping,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMapping {
    /// It is this setting of ours, alone or with other keys.
    Becomes(&'static str),
    /// It says where the records are, which the import reads.
    Store,
    /// It is left out, for this reason.
    LeftOut(&'static str),
}

macro_rules! keys {
    ($($section:literal { $($name:literal => $mapping:expr,)* })*) => {
        /// All keys that any version of Mail::DMARC has read, in the order of its sample file. A key that is not here
        /// was never read by it.
        pub const KEYS: &[IniKey] = &[$($(
            IniKey { section: $section, name: $name, mapping: $mapping },
        )*)*];
    };
}

keys! {
    "organization" {
        "domain" => Becomes("report.domain"),
        "org_name" => Becomes("report.organization"),
        "email" => Becomes("report.email"),
        "extra_contact_info" => Becomes("report.contact"),
    }
    "report_store" {
        "backend" => LeftOut("what comes in is kept in our own database, store.directory"),
        "dsn" => Store,
        "user" => Store,
        "pass" => Store,
        "auto_save" => LeftOut("every message is counted; reports are sent once report.email is set"),
    }
    "report_sign" {
        "algorithm" => LeftOut("the key decides: rsa-sha256 or ed25519-sha256; RFC 8301 forbids rsa-sha1"),
        "method" => LeftOut("letters are signed relaxed/relaxed, which survives more relays"),
        "domain" => Becomes("report.dkim_domain"),
        "selector" => Becomes("report.dkim_keys"),
        "keyfile" => Becomes("report.dkim_keys"),
    }
    "report_sending" {
        "min_interval" => LeftOut(ONE_A_DAY),
        "max_interval" => LeftOut(ONE_A_DAY),
    }
    "dmarc" {
        "backend" => LeftOut("there is one, and it is neither of these"),
    }
    "dns" {
        "timeout" => Becomes("dns.question_timeout"),
        "retrans" => LeftOut("a question is repeated within dns.question_timeout"),
        "public_suffix_list" => Becomes("dmarc.public_suffix_list"),
    }
    "smtp" {
        "hostname" => Becomes("report.delivery.hello"),
        "cc" => LeftOut("no copies are sent: landmarc outbox show prints every report for report.keep_days"),
        "whitelist" => Becomes("action.rules_file"),
        "smarthost" => Becomes("report.delivery.relay"),
        "smartport" => Becomes("report.delivery.relay"),
        "smartssl" => Becomes("report.delivery.tls"),
        "smartuser" => Becomes("report.delivery.user"),
        "smartpass" => Becomes("report.delivery.password_file"),
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
