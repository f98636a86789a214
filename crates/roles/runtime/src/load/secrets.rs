//! The files of passwords and keys that the settings name: whether others than their owner can use them.

use std::path::Path;

use landmarc_delivery::secret::open_to_others;
use landmarc_settings::keys::DeliveryBy;
use landmarc_settings::{Settings, key};

use crate::fleet_settings::PASSWORD_VARIABLE;

/// What should be looked at: the key, and why. That a file is not there, or closed to us, shows elsewhere; the keys of
/// DKIM are looked at where they are read.
pub(super) fn warnings(settings: &Settings) -> Vec<(&'static str, String)> {
    let warning = |(key, path)| {
        let open = open_to_others(path).ok().flatten()?;
        Some((key, format!("{open}; {}", open.remedy())))
    };
    files(settings).into_iter().filter_map(warning).collect()
}

/// The files that are read, with the keys that name them.
fn files(settings: &Settings) -> Vec<(&'static str, &Path)> {
    let (api, fleet, collector, report) = (
        &settings.check_api,
        &settings.fleet,
        &settings.collector,
        &settings.report,
    );
    let reports_by_relay = report.email.is_some() && report.delivery.by == DeliveryBy::Smtp;
    let is_given = std::env::var_os(PASSWORD_VARIABLE).is_some();
    let named = [
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
        (
            fleet.database.is_some() && !is_given,
            key!(fleet.password_file),
            &fleet.password_file,
        ),
        (fleet.push_to.is_some(), key!(fleet.key_file), &fleet.key_file),
        (
            !collector.listen.is_empty(),
            key!(collector.key_file),
            &collector.key_file,
        ),
        (
            !settings.rspamd.servers.is_empty(),
            key!(rspamd.password_file),
            &settings.rspamd.password_file,
        ),
    ];
    let used = named.into_iter().filter(|(is_used, ..)| *is_used);
    used.filter_map(|(_, key, path)| Some((key, path.as_deref()?)))
        .collect()
}

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
