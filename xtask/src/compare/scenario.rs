//! The receiver's scenarios as cases for the program: a message in a file, zones, settings, rules.
//!
//! What the records of the last days show (`seen`) is left out: a message from a file has none.

use std::collections::BTreeMap;
use std::net::IpAddr;

use landmarc_testkit::message::{Message, NOW, key_record};
use serde_json::{Value, json};

use super::Case;

/// What is said in settings in another way, by the key of a scenario. `{}` is the value; `[]` its words as a list.
const SETTINGS: [(&str, &str, &str); 26] = [
    ("mode", "mode", "{}"),
    ("reject", "action.reject", "{}"),
    ("reject_text", "action.reject_text", "{}"),
    ("quarantine_text", "action.quarantine_text", "{}"),
    ("unusable_author_text", "action.unusable_author_text", "{}"),
    ("quarantine", "action.quarantine_header", "{}"),
    ("unusable_author", "action.unusable_author", "{}"),
    ("local_domains", "action.local_domains", "[]"),
    ("required_header_fields", "action.required_header_fields", "yes"),
    ("mailing_lists", "action.mailing_lists", "no"),
    ("trusted_forwarder", "action.trusted_forwarders", "client"),
    ("trusted_sealers", "arc.trusted_sealers", "[]"),
    ("arc", "arc.validate", "{}"),
    ("remove_all_results", "clients.remove_all_results", "yes"),
    ("keeps_results", "clients.trusted_relays_keep_results", "client"),
    ("tempfail", "failures", "tempfail"),
    ("accept", "failures", "accept"),
    ("discovery", "dmarc.discovery", "{}"),
    ("spf", "authentication.spf", "{}"),
    ("dkim", "authentication.dkim", "{}"),
    ("upstream_arc", "authentication.arc", "{}"),
    ("trusted", "authentication.trusted_authserv_ids", "[]"),
    ("received_spf", "authentication.received_spf", "yes"),
    ("job_id", "authserv_id_with_job_id", "yes"),
    ("questions", "dns.questions_per_message", "number"),
    ("reject_codes", "action", "codes"),
];

/// A scenario under way.
struct Scenario {
    message: Message,
    zones: BTreeMap<String, BTreeMap<String, Value>>,
    settings: BTreeMap<String, Value>,
    rules: String,
    client: String,
    arguments: Vec<String>,
    mail_from: String,
    helo: String,
}

/// The case of one scenario: its title is the first line, what is expected stands below the rule.
pub(super) fn case(file: &str, text: &str) -> Case {
    let (title, rest) = text.trim_start().split_once('\n').unwrap_or((text, ""));
    let given = rest.split("\n----").next().unwrap_or_default();
    let mut scenario = Scenario {
        message: Message::new(),
        zones: BTreeMap::new(),
        settings: BTreeMap::new(),
        rules: String::new(),
        client: "192.0.2.1".to_owned(),
        arguments: Vec::new(),
        mail_from: "bounce@example.net".to_owned(),
        helo: "mx.example.net".to_owned(),
    };
    for (key, value) in [
        ("mode", "enforce"),
        ("authserv_id", "mx.receiver.example"),
        ("action.quarantine", "hold"),
    ] {
        scenario.settings.insert(key.to_owned(), value.into());
    }
    for line in given.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        scenario.take(key, value.trim());
    }
    scenario.finish(format!("{file}: {title}"))
}

impl Scenario {
    fn take(&mut self, key: &str, value: &str) {
        let text = || String::from_utf8_lossy(&octets(value)).replace('\0', "?");
        let field = || value.split_once(':').unwrap_or((value, ""));
        match key {
            "zone" => self.zone(value),
            "client" => value.clone_into(&mut self.client),
            "name" => self.argument("--client-name", value),
            "rcpt" => self.argument("--rcpt", &text()),
            "helo" => self.helo = text(),
            "mail" => self.mail_from = text().trim_matches(['<', '>']).to_owned(),
            "from" => self.message.append(b"From", &octets(&format!(" {value}"))),
            "header" => self.message.append(&octets(field().0), &octets(field().1)),
            "top" => self.message.put_on_top(field().0.as_bytes(), &octets(field().1)),
            "body" => self.message.body = [octets(value), b"\r\n".to_vec()].concat(),
            "signed" | "sealed" => self.sign(key, value),
            "rule" => self.rule(value),
            "rules" => {
                let (key, value) = value.split_once(' ').unwrap_or((value, ""));
                self.set(key, value.trim());
            }
            _ => {}
        }
    }

    fn argument(&mut self, name: &str, value: &str) {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
    }

    fn zone(&mut self, value: &str) {
        let mut words = value.splitn(3, char::is_whitespace);
        let mut word = || words.next().unwrap_or_default().trim();
        let (name, kind, data) = (word(), word(), word());
        let types = self.zones.entry(name.to_owned()).or_default();
        let is_fault = matches!(data, "SERVFAIL" | "REFUSED" | "TIMEOUT" | "NXDOMAIN" | "NODATA");
        let record = match kind {
            "EXISTS" => return,
            "CNAME" => json!(data),
            "ANY" | "TXT" | "A" | "PTR" | "MX" if is_fault => json!(data),
            "TXT" => json!([[data.trim_matches('"')]]),
            "MX" => json!([[10, data]]),
            _ => json!([data]),
        };
        let kind = if kind == "ANY" { "*" } else { kind };
        match (types.get_mut(kind), record) {
            (Some(Value::Array(before)), Value::Array(record)) => before.extend(record),
            (_, record) => drop(types.insert(kind.to_owned(), record)),
        }
    }

    fn sign(&mut self, key: &str, value: &str) {
        let (by, results) = value.split_once(" claiming ").unwrap_or((value, ""));
        let option = |name: &str| {
            let mut words = by.split_whitespace().filter_map(|word| word.split_once('='));
            words.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let (domain, selector) = (option("d").unwrap_or_default(), option("s").unwrap_or_default());
        if key == "sealed" {
            let fields: Vec<_> = option("h").unwrap_or("from:subject").split(':').collect();
            self.message.seal(domain, selector, results, &fields);
        } else if option("l").is_some() {
            self.message.sign_without_body(domain, selector);
        } else {
            self.message.sign(domain, selector, option("h"));
        }
        let record = match option("key") {
            Some("none") => return,
            Some("testing") => format!("{}; t=y", key_record()),
            _ => key_record(),
        };
        let name = format!("{selector}._domainkey.{domain}");
        let record = BTreeMap::from([("TXT".to_owned(), json!([[record]]))]);
        self.zones.insert(name, record);
    }

    /// `NAME ACTION KEY=VALUE,VALUE ...`; of `ends`, only whether it is past.
    fn rule(&mut self, value: &str) {
        let mut words = value.split_whitespace();
        let mut word = || words.next().unwrap_or_default();
        let (name, action) = (word(), word());
        self.rules += &format!("[[rule]]\nname = {}\naction = {}\n", json!(name), json!(action));
        self.rules += &format!("reason = \"the reason of {name}\"\nowner = \"anna\"\n");
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let list: Vec<_> = value.split(',').map(|one| one.split('-').next()).collect();
            self.rules += &match key {
                "ends" if value.starts_with('-') => "expires = 2023-11-01\n".to_owned(),
                "ends" => "expires = 2023-12-31\n".to_owned(),
                "override" => format!("override = {}\n", json!(value)),
                "client" => format!("client = {}\n", json!(list)),
                // A rule that refuses for want of an answer of DNS is a mistake in the file.
                _ => {
                    let fit = value
                        .split(',')
                        .filter(|one| action != "reject" || *one != "temperror");
                    format!("{key} = {}\n", json!(fit.collect::<Vec<_>>()))
                }
            };
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        let Some((_, setting, form)) = SETTINGS.iter().find(|(name, ..)| *name == key) else {
            return;
        };
        if key == "quarantine" {
            self.settings
                .insert("action.quarantine".to_owned(), json!("header"));
        }
        let (setting, value) = match *form {
            "yes" => ((*setting).to_owned(), json!(true)),
            "no" => ((*setting).to_owned(), json!(false)),
            "client" => ((*setting).to_owned(), json!([self.client])),
            "[]" => (
                (*setting).to_owned(),
                json!(value.split_whitespace().collect::<Vec<_>>()),
            ),
            "number" => (
                (*setting).to_owned(),
                json!(value.parse::<u32>().unwrap_or_default().max(10)),
            ),
            "tempfail" | "accept" => (format!("failures.{value}.action"), json!(form)),
            "codes" => {
                let (code, enhanced) = value.split_once(' ').unwrap_or_default();
                self.settings
                    .insert("action.reject_code".to_owned(), json!(code.parse::<u32>().ok()));
                ("action.reject_enhanced".to_owned(), json!(enhanced))
            }
            _ => ((*setting).to_owned(), json!(value)),
        };
        self.settings.insert(setting, value);
    }

    fn finish(self, name: String) -> Case {
        let mut message = Vec::new();
        for field in self.message.headers().fields() {
            message.extend([field.raw_name(), b":", field.value(), b"\r\n"].concat());
        }
        message.extend([b"\r\n", &*self.message.body].concat());
        let settings: String = self
            .settings
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        // A client without address is a client without `--ip`.
        let ip = self.client.parse::<IpAddr>().map(|ip| ("--ip", ip.to_string()));
        let session = [
            ("--helo", self.helo),
            ("--mail-from", self.mail_from),
            ("--now", NOW.to_string()),
        ];
        let session = session.into_iter().chain(ip);
        let session = session.flat_map(|(name, value)| [name.to_owned(), value]);
        let arguments: Vec<_> = session.chain(self.arguments).collect();
        super::cases::judged(
            "scenarios",
            name,
            message,
            &json!(self.zones),
            &settings,
            &self.rules,
            &arguments,
        )
    }
}

/// The octets a value stands for: `\r`, `\n`, `\0` and `\xNN` are one each.
fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        octets.extend_from_slice(before.as_bytes());
        let hexadecimal = escape
            .get(1..3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let (octet, length) = match (escape.as_bytes().first(), hexadecimal) {
            (Some(b'r'), _) => (b'\r', 1),
            (Some(b'n'), _) => (b'\n', 1),
            (Some(b'0'), _) => (0, 1),
            (Some(b'x'), Some(octet)) => (octet, 3),
            _ => (b'\\', 0),
        };
        octets.push(octet);
        rest = &escape[length..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_becomes_files_and_a_command_line() {
        let case = case(
            "a.txt",
            "A title\nzone example.com TXT \"v=spf1 -all\"\nclient 192.0.2.9\nfrom a@example.com\nsigned by d=example.com s=s1\n\
             rules local_domains a.example b.example\nrule x accept author_domain=a.example\n----\nresult pass\n",
        );
        let text = |name: &str| {
            let file = case.files.iter().find(|(file, _)| file == name).unwrap();
            String::from_utf8(file.1.clone()).unwrap()
        };
        assert_eq!(case.name, "a.txt: A title");
        assert!(text("message.eml").starts_with("DKIM-Signature:"));
        assert!(text("zones.json").contains(r#""s1._domainkey.example.com":{"TXT":[["v=DKIM1"#));
        assert!(text("landmarc.toml").contains("action.local_domains = [\"a.example\",\"b.example\"]\n"));
        assert!(text("rules.toml").contains("author_domain = [\"a.example\"]\n"));
        assert!(case.steps[0].contains(&"192.0.2.9".to_owned()));
    }

    #[test]
    fn escapes_stand_for_octets() {
        assert_eq!(octets(r"a\r\n\0\xffb\q"), b"a\r\n\0\xffb\\q");
    }
}
