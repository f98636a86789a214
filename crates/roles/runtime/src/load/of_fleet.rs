//! What `[fleet]` and `[collector]` name: whether it is there, and can be used.

use std::fs::File;
use std::path::{Path, PathBuf};

use landmarc_net::is_loopback;
use landmarc_settings::keys::DatabaseTls;
use landmarc_settings::{Mistake, Settings, key};
use landmarc_store::{NoServerAddress, ServerAddress};

use super::of_reports::{denied, is_denied};
use super::unreadable;
use crate::fleet_settings::{FleetMode, PASSWORD_VARIABLE};

/// What is wrong with it, and what should be looked at: the key, and why.
#[derive(Default)]
pub(super) struct OfFleet {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<(&'static str, String)>,
}

impl OfFleet {
    /// Looks at it. What nobody uses is not opened.
    pub(super) fn look_at(settings: &Settings) -> Self {
        let mut found = Self::default();
        found.address(settings);
        for (key, path) in files(settings) {
            found.file(settings, key, path);
        }
        if FleetMode::of(settings).leaves_reports_to_another()
            && settings.report.email.is_some()
            && settings.report.aggregate
        {
            let why = "aggregate reports are made where the records of this host go to, not here; failure reports are";
            found.warnings.push((key!(report.email), why.to_owned()));
        }
        found
    }

    fn address(&mut self, settings: &Settings) {
        let Some(database) = &settings.fleet.database else {
            return;
        };
        let read: Result<ServerAddress, NoServerAddress> = database.as_str().parse();
        match read {
            Ok(address) => self.password(settings, &address),
            Err(error) => {
                let mistake = settings.refuse(key!(fleet.database), None, error.to_string());
                self.mistakes.push(mistake);
            }
        }
    }

    /// A login on another host, without encryption or without a look at who answers.
    fn password(&mut self, settings: &Settings, address: &ServerAddress) {
        let has_password =
            settings.fleet.password_file.is_some() || std::env::var_os(PASSWORD_VARIABLE).is_some();
        if !has_password || address.socket().is_some() || is_loopback(address.host()) {
            return;
        }
        let why = match settings.fleet.tls {
            DatabaseTls::Verified => return,
            DatabaseTls::Required => {
                "any certificate will do: another host can answer in place of the database, and is given all records; \
                 \"verified\" looks at the certificate"
            }
            DatabaseTls::Off => {
                "all records go to another host unencrypted, and the login can be read by all on the way (the password \
                 itself is never sent so); set \"verified\" unless the network is trusted"
            }
        };
        self.warnings.push((key!(fleet.tls), why.to_owned()));
    }

    fn file(&mut self, settings: &Settings, key: &'static str, path: &Path) {
        match File::open(path) {
            Ok(_) => {}
            // The program may be run by who cannot read it.
            Err(error) if is_denied(&error) => self.warnings.push((key, denied(path, &error))),
            Err(error) => self
                .mistakes
                .push(settings.refuse(key, None, unreadable(path, &error))),
        }
    }
}

/// The files that are read, with the keys that name them.
pub(super) fn files(settings: &Settings) -> Vec<(&'static str, &Path)> {
    let (fleet, collector) = (&settings.fleet, &settings.collector);
    let is_given = std::env::var_os(PASSWORD_VARIABLE).is_some();
    let is_shared = fleet.database.is_some();
    let pushes = fleet.push_to.is_some();
    let collects = !collector.listen.is_empty();
    let named = [
        (
            is_shared && !is_given,
            key!(fleet.password_file),
            &fleet.password_file,
        ),
        (is_shared || pushes, key!(fleet.ca_file), &fleet.ca_file),
        (pushes, key!(fleet.certificate_file), &fleet.certificate_file),
        (pushes, key!(fleet.key_file), &fleet.key_file),
        (
            collects,
            key!(collector.certificate_file),
            &collector.certificate_file,
        ),
        (collects, key!(collector.key_file), &collector.key_file),
        (
            collects,
            key!(collector.client_ca_file),
            &collector.client_ca_file,
        ),
    ];
    used(named)
}

/// Of settings that may name a file, those that are used and do.
pub(super) fn used<'s, const N: usize>(
    named: [(bool, &'static str, &'s Option<PathBuf>); N],
) -> Vec<(&'static str, &'s Path)> {
    let used = named.into_iter().filter(|(is_used, ..)| *is_used);
    used.filter_map(|(_, key, path)| Some((key, path.as_deref()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked_at(text: &str) -> OfFleet {
        OfFleet::look_at(&landmarc_settings::read(text).unwrap().0)
    }

    #[test]
    fn every_file_that_is_used_has_to_be_there() {
        let push = "[fleet]\npush_to = 'https://c.example'\nca_file = '/nonexistent/a'\n\
                    certificate_file = '/nonexistent/b'\nkey_file = '/nonexistent/c'\n";
        let told: Vec<_> = looked_at(push)
            .mistakes
            .iter()
            .map(|one| one.key.clone())
            .collect();
        assert_eq!(
            told,
            ["fleet.ca_file", "fleet.certificate_file", "fleet.key_file"]
        );
        let unused = "[fleet]\nexport = true\nca_file = '/nonexistent/a'\n";
        assert!(looked_at(unused).mistakes.is_empty());
    }

    #[test]
    fn an_address_is_refused_by_the_check_as_by_the_start() {
        let odd = "[fleet]\ndatabase = 'postgres://u@h/d?sslmode=disable'\n";
        let told = looked_at(odd).mistakes;
        assert_eq!(told[0].key, "fleet.database");
    }

    #[test]
    fn a_login_on_another_host_without_a_look_at_it_is_warned_of() {
        let of = |host: &str, tls: &str, password: &str| {
            let text = format!("[fleet]\ndatabase = 'postgres://u@{host}/d'\n{password}tls = '{tls}'\n");
            let found = looked_at(&text);
            found.warnings.iter().any(|(key, _)| *key == "fleet.tls")
        };
        let with = "password_file = '/dev/null'\n";
        for host in ["192.0.2.1:5432", "db.example", "[2001:db8::1]"] {
            assert!(of(host, "off", with) && of(host, "required", with), "{host}");
            assert!(!of(host, "verified", with) && !of(host, "off", ""), "{host}");
        }
        for host in ["127.0.0.1", "[::1]:5432", "localhost"] {
            assert!(!of(host, "off", with), "{host}");
        }
    }

    #[test]
    fn who_leaves_reports_to_another_is_told() {
        let both = "[fleet]\nexport = true\n[report]\nemail = 'dmarc@example.com'\n";
        assert_eq!(looked_at(both).warnings[0].0, "report.email");
        assert!(
            looked_at("[report]\nemail = 'dmarc@example.com'\n")
                .warnings
                .is_empty()
        );
    }
}
