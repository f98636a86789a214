//! The files of passwords and keys that the settings name: whether others than their owner can use them.

use std::path::Path;

use landmarc_delivery::secret::open_to_others;
use landmarc_net::is_loopback;
use landmarc_settings::keys::DeliveryBy;
use landmarc_settings::{RedisServer, Settings, key};

use super::of_fleet;

/// What should be looked at: the key, and why. That a file is not there, or closed to us, shows elsewhere; the keys of
/// DKIM are looked at where they are read.
pub(super) fn warnings(settings: &Settings) -> Vec<(&'static str, String)> {
    let warning = |(key, path)| {
        let open = open_to_others(path).ok().flatten()?;
        Some((key, format!("{open}; {}", open.remedy())))
    };
    let open = files(settings).into_iter().filter_map(warning);
    unencrypted(settings).into_iter().chain(open).collect()
}

/// A password that goes to another host as it is.
fn unencrypted(settings: &Settings) -> Option<(&'static str, String)> {
    settings.rspamd.password_file.as_ref()?;
    let mut servers = settings.rspamd.servers.iter();
    let server =
        servers.find(|server| matches!(server, RedisServer::Tcp { host, .. } if !is_loopback(host)))?;
    let why = format!(
        "the password goes to {server} unencrypted; name a socket, a loopback address, or the local end of a tunnel \
         in rspamd.servers"
    );
    Some((key!(rspamd.password_file), why))
}

/// The files that are read, with the keys that name them.
fn files(settings: &Settings) -> Vec<(&'static str, &Path)> {
    let (api, report, rspamd) = (&settings.check_api, &settings.report, &settings.rspamd);
    let reports_by_relay = report.email.is_some() && report.delivery.by == DeliveryBy::Smtp;
    let mut secrets = of_fleet::used([
        (
            !api.listen.is_empty(),
            key!(check_api.secret_file),
            &api.secret_file,
        ),
        (
            reports_by_relay,
            key!(report.delivery.password_file),
            &report.delivery.password_file,
        ),
    ]);
    let of_fleet = of_fleet::files(settings).into_iter();
    secrets.extend(of_fleet.filter(|(key, _)| OF_FLEET.contains(key)));
    let reads_rspamd = !rspamd.servers.is_empty();
    secrets.extend(of_fleet::used([(
        reads_rspamd,
        key!(rspamd.password_file),
        &rspamd.password_file,
    )]));
    secrets
}

/// The files of a fleet that are secrets; the others are certificates.
const OF_FLEET: [&str; 3] = [
    key!(fleet.password_file),
    key!(fleet.key_file),
    key!(collector.key_file),
];

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_secret_that_others_can_read_is_warned_of() {
        let file = std::env::temp_dir().join(format!("landmarc-secrets-{}", std::process::id()));
        fs::write(&file, "s3cret\n").unwrap();
        let name = format!("{:?}", file.display().to_string());
        let used = format!(
            "[check_api]\nlisten = ['/run/x']\nsecret_file = {name}\n\
             [report]\nemail = 'r@example.com'\n[report.delivery]\nuser = 'u'\npassword_file = {name}\n\
             [fleet]\ndatabase = 'postgres://u@h/d'\npassword_file = {name}\n\
             [collector]\nlisten = ['127.0.0.1:1']\ncertificate_file = '/c'\nclient_ca_file = '/c'\n\
             key_file = {name}\n\
             [rspamd]\nservers = ['127.0.0.1:2']\npassword_file = {name}\n"
        );
        let pushes = format!(
            "[fleet]\npush_to = 'https://c.example'\nca_file = '/c'\ncertificate_file = '/c'\nkey_file = {name}\n"
        );
        let unused = format!("[check_api]\nsecret_file = {name}\n");
        let keys = |text: &str| {
            let (settings, _) = landmarc_settings::read_checked(text.as_bytes(), |_| Vec::new()).unwrap();
            warnings(&settings)
                .into_iter()
                .map(|(key, _)| key)
                .collect::<Vec<_>>()
        };
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                keys(&used),
                [
                    "check_api.secret_file",
                    "report.delivery.password_file",
                    "fleet.password_file",
                    "collector.key_file",
                    "rspamd.password_file"
                ],
                "{mode:o}"
            );
            assert_eq!(keys(&pushes), ["fleet.key_file"]);
            assert!(keys(&unused).is_empty());
        }
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        assert!(keys(&used).is_empty() && keys(&pushes).is_empty());
        fs::remove_file(&file).unwrap();
        assert!(keys(&used).is_empty(), "what is not there is told elsewhere");
    }
}
