//! Which setting each entry is.

use std::net::Ipv6Addr;

use landmarc_mail::DomainName;

use super::super::database::{Database, UnknownDatabase};
use super::super::ini::Entry;
use super::super::mistake::{IniError, IniMistake};
use super::model::{Note, Setting};
use crate::toml::basic_string as text;

/// Where the file with the password of the relay is to be.
const PASSWORD_FILE: &str = "/etc/landmarc/relay-password";
/// The port that Mail::DMARC hands its letters over on.
const SUBMISSION_PORT: u16 = 587;
/// The longest `dns.question_timeout`, in seconds.
const LONGEST_TIMEOUT_S: u64 = 60;

/// What a value should be, and whether it is.
type Kind = (&'static str, fn(&str) -> bool);

const TEXT: Kind = ("text", |_| true);
const DOMAIN_NAME: Kind = ("domain name", |text| DomainName::parse(text).is_ok());
const MAIL_ADDRESS: Kind = ("mail address", |text| {
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"<>()[]:;@\\,\"".contains(&octet);
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        (1..=64).contains(&local.len()) && local.bytes().all(is_plain) && DomainName::parse(domain).is_ok()
    })
});

/// What is made of the entries, one section after the other.
pub(super) struct Plan<'a> {
    entries: &'a [Entry],
    pub(super) settings: Vec<Setting>,
    pub(super) notes: Vec<Note>,
    pub(super) mistakes: Vec<IniMistake>,
    pub(super) database: Option<Result<Database, UnknownDatabase>>,
    pub(super) whitelist: Option<String>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(entries: &'a [Entry]) -> Self {
        Self {
            entries,
            settings: Vec::new(),
            notes: Vec::new(),
            mistakes: Vec::new(),
            database: None,
            whitelist: None,
        }
    }

    pub(super) fn make(&mut self) {
        self.organization();
        self.report_store();
        self.report_sign();
        self.dns();
        self.smtp();
    }

    fn organization(&mut self) {
        self.take("organization", "email", MAIL_ADDRESS, "report", "email");
        self.take("organization", "org_name", TEXT, "report", "organization");
        self.take("organization", "extra_contact_info", TEXT, "report", "contact");
        self.take("organization", "domain", DOMAIN_NAME, "report", "domain");
    }

    fn report_store(&mut self) {
        let Some(dsn) = self.entry("report_store", "dsn") else {
            return;
        };
        let value = |name| self.entry("report_store", name).map_or("", |entry| &entry.value);
        let database = Database::from_dsn(&dsn.value, value("user"), value("pass"));
        match &database {
            Ok(_) => self.note(
                dsn,
                "landmarc migrate mail-dmarc --database imports what is not reported yet",
            ),
            Err(error) => self.note(dsn, &format!("{error}: {}", error.remedy())),
        }
        self.database = Some(database);
    }

    fn report_sign(&mut self) {
        let keyfile = self.entry("report_sign", "keyfile");
        let selector = self.checked("report_sign", "selector", DOMAIN_NAME);
        // Mail::DMARC signs when there is a key file.
        let Some(keyfile) = keyfile else {
            return;
        };
        let Some(selector) = selector else {
            if self.entry("report_sign", "selector").is_none() {
                self.without("report_sign", "keyfile", "selector");
            }
            return;
        };
        if !keyfile.value.starts_with('/') {
            return self.is_no(keyfile, "report_sign", "keyfile", "path that starts with \"/\"");
        }
        self.take("report_sign", "domain", DOMAIN_NAME, "report", "dkim_domain");
        let key = text(&format!("{}:{}", selector.value, keyfile.value));
        self.set("report", "dkim_keys", format!("[{key}]"), keyfile);
        self.note(
            keyfile,
            "the user of the service (server.user) must be able to read it; landmarc dkim check tells whether \
             the key is the one that is published",
        );
    }

    fn dns(&mut self) {
        if let Some(entry) = self.entry("dns", "timeout") {
            match entry.value.parse::<u64>() {
                // Perl takes the default of five seconds in place of nothing, which is ours too.
                Ok(0) => {}
                Ok(seconds) => {
                    if seconds > LONGEST_TIMEOUT_S {
                        self.note(entry, "cut to one minute: the mail server waits as long as we do");
                    }
                    let seconds = seconds.min(LONGEST_TIMEOUT_S);
                    self.set("dns", "question_timeout", text(&format!("{seconds}s")), entry);
                }
                Err(_) => self.is_no(entry, "dns", "timeout", "whole number of seconds"),
            }
        }
        if let Some(entry) = self.entry("dns", "public_suffix_list") {
            if entry.value.starts_with('/') {
                self.set("dmarc", "public_suffix_list", text(&entry.value), entry);
                self.note(
                    entry,
                    "the list guards and compares; policies are found by the DNS Tree Walk of RFC 9989, unless \
                     dmarc.discovery is \"psl\"",
                );
            } else {
                self.note(
                    entry,
                    "left out: it is relative to wherever Mail::DMARC was started",
                );
            }
        }
    }

    fn smtp(&mut self) {
        if let Some(entry) = self.entry("smtp", "whitelist") {
            self.whitelist = Some(entry.value.clone());
            self.note(
                entry,
                "becomes rules of this server: --rules-output FILE writes them, action.rules_file names that file",
            );
        }
        self.smarthost();
        self.take("smtp", "hostname", DOMAIN_NAME, "report.delivery", "hello");
    }

    fn smarthost(&mut self) {
        let Some(host) = self.entry("smtp", "smarthost") else {
            for name in ["smartport", "smartssl", "smartuser", "smartpass"] {
                if self.entry("smtp", name).is_some() {
                    self.without("smtp", name, "smarthost");
                }
            }
            return;
        };
        let port = match self.entry("smtp", "smartport") {
            None => SUBMISSION_PORT,
            Some(entry) => match entry.value.parse() {
                Ok(0) | Err(_) => return self.is_no(entry, "smtp", "smartport", "port, 1 to 65535"),
                Ok(port) => port,
            },
        };
        let is_address = host.value.parse::<Ipv6Addr>().is_ok();
        if !is_address && DomainName::parse(&host.value).is_err() {
            return self.is_no(host, "smtp", "smarthost", "host name or address");
        }
        let relay = match is_address {
            true => format!("[{}]:{port}", host.value),
            false => format!("{}:{port}", host.value),
        };
        self.set("report.delivery", "relay", text(&relay), host);
        self.relay_tls(host);
        self.relay_user();
    }

    /// Mail::DMARC encrypts on the way to a smart host by STARTTLS, and takes no other way.
    fn relay_tls(&mut self, host: &'a Entry) {
        let entry = self.entry("smtp", "smartssl");
        let tls = match entry.map(|entry| &*entry.value) {
            None | Some("starttls") => "required",
            Some("maybestarttls") => "opportunistic",
            Some("ssl" | "1") => "implicit",
            Some("0" | "none") => "none",
            Some(_) => {
                let kind = "kind of encryption: starttls, maybestarttls, ssl or 0";
                return self.is_no(entry.unwrap_or(host), "smtp", "smartssl", kind);
            }
        };
        self.set("report.delivery", "tls", text(tls), entry.unwrap_or(host));
    }

    fn relay_user(&mut self) {
        let password = self.entry("smtp", "smartpass");
        let Some(user) = self.entry("smtp", "smartuser") else {
            if password.is_some() {
                self.without("smtp", "smartpass", "smartuser");
            }
            return;
        };
        self.set("report.delivery", "user", text(&user.value), user);
        let Some(password) = password else {
            return self.without("smtp", "smartuser", "smartpass");
        };
        self.set("report.delivery", "password_file", text(PASSWORD_FILE), password);
        self.note(
            password,
            &format!("write the password into {PASSWORD_FILE}, readable for the user of the service only"),
        );
    }

    fn entry(&self, section: &str, key: &str) -> Option<&'a Entry> {
        let mut all = self.entries.iter();
        all.find(|entry| entry.section == section && entry.key == key)
    }

    /// The entry, if it is of this kind; a mistake if it is not.
    fn checked(
        &mut self,
        section: &'static str,
        key: &'static str,
        (kind, is_kind): Kind,
    ) -> Option<&'a Entry> {
        let entry = self.entry(section, key)?;
        if is_kind(&entry.value) {
            return Some(entry);
        }
        self.is_no(entry, section, key, kind);
        None
    }

    /// The entry becomes this setting as it is, if it is of this kind; a mistake if it is not.
    fn take(
        &mut self,
        section: &'static str,
        key: &'static str,
        kind: Kind,
        table: &'static str,
        name: &'static str,
    ) {
        if let Some(entry) = self.checked(section, key, kind) {
            self.set(table, name, text(&entry.value), entry);
        }
    }

    fn set(&mut self, table: &'static str, name: &'static str, value: String, entry: &Entry) {
        self.settings.push(Setting {
            table,
            name,
            value,
            from: format!("line {}: [{}] {}", entry.line, entry.section, entry.key),
        });
    }

    fn note(&mut self, entry: &Entry, text: &str) {
        self.notes.push(Note::about(entry, text.to_owned()));
    }

    fn is_no(&mut self, entry: &Entry, section: &'static str, key: &'static str, kind: &'static str) {
        // Of a password not even a wrong one is shown; no kind of value is asked of one.
        let value = entry.value.clone();
        let wrong = IniError::NotA {
            section,
            key,
            value,
            kind,
        };
        self.mistakes.push(IniMistake::new(entry.line, wrong));
    }

    fn without(&mut self, section: &'static str, key: &'static str, missing: &'static str) {
        let line = self.entry(section, key).map_or(0, |entry| entry.line);
        let wrong = IniError::Without {
            section,
            key,
            missing,
        };
        self.mistakes.push(IniMistake::new(line, wrong));
    }
}
