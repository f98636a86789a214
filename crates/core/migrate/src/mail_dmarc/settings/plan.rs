//! Which setting each entry is.

use std::net::Ipv6Addr;

use landmarc_mail::DomainName;
use landmarc_settings::{key, toml_string};

use super::super::database::{Database, UnknownDatabase};
use super::super::ini::Entry;
use super::super::keys::{DOMAIN_NAME, KEYS, KeyMapping, Kind};
use super::super::mistake::{IniError, IniMistake};
use super::{Note, Setting};
use crate::file::{comment, toml_list};

/// Where the file with the password of the relay is to be.
const PASSWORD_FILE: &str = "/etc/landmarc/relay-password";
/// The port that Mail::DMARC hands its messages over on.
const SUBMISSION_PORT: u16 = 587;
/// The longest `dns.question_timeout`, in seconds.
const LONGEST_TIMEOUT_S: u64 = 60;

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
        for known in KEYS {
            if let KeyMapping::Becomes(key, kind) = known.mapping {
                self.take(known.section, known.name, kind, key);
            }
        }
        self.report_store();
        self.report_sign();
        self.dns();
        self.smtp();
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
        self.take("report_sign", "domain", DOMAIN_NAME, key!(report.dkim_domain));
        let keys = toml_list(&[format!("{}:{}", selector.value, keyfile.value)]);
        self.set_toml(key!(report.dkim_keys), keys, keyfile);
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
                    self.set(key!(dns.question_timeout), &format!("{seconds}s"), entry);
                }
                Err(_) => self.is_no(entry, "dns", "timeout", "whole number of seconds"),
            }
        }
        if let Some(entry) = self.entry("dns", "public_suffix_list") {
            if entry.value.starts_with('/') {
                self.set(key!(dmarc.public_suffix_list), &entry.value, entry);
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
        self.set(key!(report.delivery.relay), &relay, host);
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
        self.set(key!(report.delivery.tls), tls, entry.unwrap_or(host));
    }

    fn relay_user(&mut self) {
        let password = self.entry("smtp", "smartpass");
        let Some(user) = self.entry("smtp", "smartuser") else {
            if password.is_some() {
                self.without("smtp", "smartpass", "smartuser");
            }
            return;
        };
        self.set(key!(report.delivery.user), &user.value, user);
        let Some(password) = password else {
            return self.without("smtp", "smartuser", "smartpass");
        };
        self.set(key!(report.delivery.password_file), PASSWORD_FILE, password);
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
    fn take(&mut self, section: &'static str, name: &'static str, kind: Kind, key: &'static str) {
        if let Some(entry) = self.checked(section, name, kind) {
            self.set(key, &entry.value, entry);
        }
    }

    fn set(&mut self, key: &'static str, text: &str, entry: &Entry) {
        self.set_toml(key, toml_string(text), entry);
    }

    fn set_toml(&mut self, key: &'static str, value: String, entry: &Entry) {
        let from = format!("line {}: [{}] {}", entry.line, entry.section, entry.key);
        self.settings.push(Setting {
            key,
            value,
            comment: comment(&from),
        });
    }

    fn note(&mut self, entry: &Entry, text: &str) {
        self.notes.push(Note::about(entry, text));
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
