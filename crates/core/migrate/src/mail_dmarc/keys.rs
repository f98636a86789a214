//! Every key of `mail-dmarc.ini` (checklist Q16), and what becomes of it.

/// A key of Mail::DMARC's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
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

/// All keys that any version of Mail::DMARC has read, in the order of its sample file. A key that is not here
/// was never read by it.
pub const KEYS: [Key; 41] = [
    becomes("organization", "domain", "report.domain"),
    becomes("organization", "org_name", "report.organization"),
    becomes("organization", "email", "report.email"),
    becomes("organization", "extra_contact_info", "report.contact"),
    left_out(
        "report_store",
        "backend",
        "what comes in is kept in our own database, store.directory",
    ),
    store("report_store", "dsn"),
    store("report_store", "user"),
    store("report_store", "pass"),
    left_out(
        "report_store",
        "auto_save",
        "every message is counted; reports are sent once report.email is set",
    ),
    left_out(
        "report_sign",
        "algorithm",
        "the key decides: rsa-sha256 or ed25519-sha256; RFC 8301 forbids rsa-sha1",
    ),
    left_out(
        "report_sign",
        "method",
        "letters are signed relaxed/relaxed, which survives more relays",
    ),
    becomes("report_sign", "domain", "report.dkim_domain"),
    becomes("report_sign", "selector", "report.dkim_keys"),
    becomes("report_sign", "keyfile", "report.dkim_keys"),
    left_out("report_sending", "min_interval", ONE_A_DAY),
    left_out("report_sending", "max_interval", ONE_A_DAY),
    left_out("dmarc", "backend", "there is one, and it is neither of these"),
    becomes("dns", "timeout", "dns.question_timeout"),
    left_out(
        "dns",
        "retrans",
        "a question is repeated within dns.question_timeout",
    ),
    becomes("dns", "public_suffix_list", "dmarc.public_suffix_list"),
    becomes("smtp", "hostname", "report.delivery.hello"),
    left_out(
        "smtp",
        "cc",
        "no copies are sent: landmarc outbox show prints every report for report.keep_days",
    ),
    becomes("smtp", "whitelist", "action.rules_file"),
    becomes("smtp", "smarthost", "report.delivery.relay"),
    becomes("smtp", "smartport", "report.delivery.relay"),
    becomes("smtp", "smartssl", "report.delivery.tls"),
    becomes("smtp", "smartuser", "report.delivery.user"),
    becomes("smtp", "smartpass", "report.delivery.password_file"),
    left_out(
        "smtp",
        "send_errors",
        "a report that is too large for its destination is sent in parts, or not at all",
    ),
    left_out(
        "smtp",
        "transports",
        "Perl classes are not run; report.delivery.by = \"sendmail\" runs any program",
    ),
    left_out("imap", "server", NOT_YET),
    left_out("imap", "port", NOT_YET),
    left_out("imap", "user", NOT_YET),
    left_out("imap", "pass", NOT_YET),
    left_out("imap", "folder", NOT_YET),
    left_out("imap", "f_done", NOT_YET),
    left_out("imap", "a_done", NOT_YET),
    left_out("http", "port", NO_PAGES),
    left_out("https", "port", NO_PAGES),
    left_out("https", "ssl_crt", NO_PAGES),
    left_out("https", "ssl_key", NO_PAGES),
];

const ONE_A_DAY: &str = "there is one report for each UTC day, whatever ri asks for";
const NOT_YET: &str = "reports of others are not read yet; leave dmarc_receive running for them";
const NO_PAGES: &str =
    "dmarc_httpd has no counterpart yet; POST /v1/check (check_api.listen) judges messages";

const fn becomes(section: &'static str, name: &'static str, setting: &'static str) -> Key {
    Key {
        section,
        name,
        mapping: KeyMapping::Becomes(setting),
    }
}

const fn store(section: &'static str, name: &'static str) -> Key {
    Key {
        section,
        name,
        mapping: KeyMapping::Store,
    }
}

const fn left_out(section: &'static str, name: &'static str, why: &'static str) -> Key {
    Key {
        section,
        name,
        mapping: KeyMapping::LeftOut(why),
    }
}

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
pub(super) fn key(section: &str, name: &str) -> Option<&'static Key> {
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
            let same = |other: &&Key| other.section == wanted.section && other.name == wanted.name;
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
