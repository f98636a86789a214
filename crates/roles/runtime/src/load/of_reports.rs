//! The files that reporting needs: whether they are there, and can be used.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error_chain::error_chain;
use landmarc_delivery::sign::{KeyFile, ReportSigner, SignerError};
use landmarc_delivery::{CaError, check_ca_file};
use landmarc_settings::keys::{DeliveryBy, DeliveryTable, RelayTls, ReportTable};
use landmarc_settings::{Mistake, Settings, key};

/// What is wrong with the files that `[report]` names.
#[derive(Default)]
pub(super) struct OfReports {
    pub(super) mistakes: Vec<Mistake>,
    /// What should be looked at: the key, and why.
    pub(super) warnings: Vec<(&'static str, String)>,
}

impl OfReports {
    /// Looks at them. Where nothing is reported, nobody opens them.
    pub(super) fn look_at(settings: &Settings) -> Self {
        let mut found = Self::default();
        if settings.report.email.is_some() {
            found.keys(settings);
            found.delivery(settings);
        }
        found
    }

    fn keys(&mut self, settings: &Settings) {
        let ReportTable { dkim_keys, .. } = &settings.report;
        let Some(domain) = settings.report.signing_domain() else {
            return;
        };
        let mut kinds = Vec::new();
        for (item, key) in dkim_keys.iter().enumerate() {
            let file = KeyFile {
                selector: key.selector().clone(),
                path: key.file().to_owned(),
            };
            match ReportSigner::open(domain.clone(), &[file]) {
                Ok(opened) => {
                    let warnings = opened.warnings.iter();
                    let told = warnings.map(|warning| format!("{warning}; {}", warning.remedy()));
                    self.warnings
                        .extend(told.map(|why| (key!(report.dkim_keys), why)));
                    kinds.push(kind(&opened.signer));
                }
                Err(SignerError::Unreadable { path, source }) if is_denied(&source) => {
                    self.warnings
                        .push((key!(report.dkim_keys), denied(&path, &source)));
                }
                Err(error) => {
                    let why = format!("{}; {}", error_chain(&error), error.remedy());
                    let mistake = settings.refuse(key!(report.dkim_keys), Some(item), why);
                    self.mistakes.push(mistake);
                }
            }
        }
        if kinds.as_slice() == [Some(ED25519)] {
            let why = "many receivers verify no Ed25519 signatures (RFC 8463): add an RSA key, which \
                       \"landmarc dkim new\" makes";
            self.warnings.push((key!(report.dkim_keys), why.to_owned()));
        }
        if let [Some(first), Some(second)] = kinds.as_slice()
            && first == second
        {
            let why = format!("both keys are of the kind {first}; at most one of each can sign");
            let mistake = settings.refuse(key!(report.dkim_keys), Some(1), why);
            self.mistakes.push(mistake);
        }
    }

    fn delivery(&mut self, settings: &Settings) {
        let DeliveryTable {
            by,
            ca_file,
            password_file,
            sendmail,
            tls,
            ..
        } = &settings.report.delivery;
        let named = match by {
            DeliveryBy::Smtp => [
                (key!(report.delivery.ca_file), None, ca_file.as_deref()),
                (
                    key!(report.delivery.password_file),
                    None,
                    password_file.as_deref(),
                ),
            ],
            DeliveryBy::Sendmail => [
                (
                    key!(report.delivery.sendmail),
                    Some(0),
                    sendmail.first().map(Path::new),
                ),
                (key!(report.delivery.sendmail), None, None),
            ],
            DeliveryBy::Directory => return,
        };
        if *by == DeliveryBy::Smtp
            && let Some(why) = ca_file.as_deref().and_then(|path| authorities(path, *tls))
        {
            let mistake = settings.refuse(key!(report.delivery.ca_file), None, why);
            self.mistakes.push(mistake);
        }
        for (key, item, path) in named {
            let Some((path, error)) = path.and_then(|path| Some((path, File::open(path).err()?))) else {
                continue;
            };
            if is_denied(&error) {
                // A program may be run by who cannot read it.
                if *by == DeliveryBy::Smtp {
                    self.warnings.push((key, denied(path, &error)));
                }
            } else {
                let why = format!("{}: {error}", path.display());
                self.mistakes.push(settings.refuse(key, item, why));
            }
        }
    }
}

/// Authorities are needed where certificates are checked, and must be some.
fn authorities(path: &Path, tls: RelayTls) -> Option<String> {
    if matches!(tls, RelayTls::None | RelayTls::Opportunistic) {
        return None;
    }
    match check_ca_file(path) {
        // That it cannot be read is told elsewhere.
        Ok(()) | Err(CaError::Unreadable { .. }) => None,
        Err(error) => Some(format!("{error}; {}", error.remedy())),
    }
}

/// A kind of key that few verify.
const ED25519: &str = "ed25519";

/// `rsa` or `ed25519`, as in the record of the one key.
fn kind(signer: &ReportSigner) -> Option<&'static str> {
    let (_, record) = signer.dns_records().into_iter().next()?;
    ["rsa", ED25519]
        .into_iter()
        .find(|kind| record.contains(&format!("k={kind};")))
}

/// Settings are checked by other users than that of the service, too.
pub(super) fn is_denied(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied
}

pub(super) fn denied(path: &Path, error: &io::Error) -> String {
    format!(
        "{}: {error}; the user of the service must be able to read it",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use crate::load::{LoadError, read};

    /// Ed25519, of RFC 8463 §A.2.
    const ED25519_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";

    /// A directory that is gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("landmarc-of-reports-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str, mode: u32) -> String {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.display().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A leftover in the temporary directory is all it can come to.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mistakes(text: &str) -> String {
        match read("f", text.as_bytes(), None) {
            Err(LoadError::Mistakes(lines)) => lines,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_that_cannot_sign_is_told_at_its_line() {
        let folder = Folder::new("keys");
        let good = folder.write("good.pem", ED25519_KEY, 0o600);
        let other = folder.write("other.pem", ED25519_KEY, 0o600);
        let no_key = folder.write("no-key.pem", "hello\n", 0o600);
        let with_keys = |keys: &str| format!("[report]\nemail = 'r@example.com'\ndkim_keys = [\n{keys}]\n");
        assert!(read("f", with_keys(&format!("'a:{good}'\n")).as_bytes(), None).is_ok());
        for (keys, place, words) in [
            (
                format!("'a:{good}',\n'b:/nonexistent/key.pem'\n"),
                "f:5:1:",
                "No such file",
            ),
            (format!("'a:{no_key}'\n"), "f:4:1:", "landmarc dkim new"),
            (
                format!("'a:{good}',\n'b:{other}'\n"),
                "f:5:1:",
                "both keys are of the kind ed25519",
            ),
        ] {
            let told = mistakes(&with_keys(&keys));
            assert!(told.starts_with(place) && told.contains(words), "{told}");
        }
        let unused = with_keys("'b:/nonexistent/key.pem'\n").replace("r@example.com", "");
        assert!(read("f", unused.as_bytes(), None).is_ok(), "nothing is signed");
    }

    #[test]
    fn a_key_that_others_can_read_is_warned_of() {
        let folder = Folder::new("open");
        let open = folder.write("open.pem", ED25519_KEY, 0o644);
        let text = format!("[report]\nemail = 'r@example.com'\ndkim_keys = ['a:{open}']\n");
        let warnings = read("f", text.as_bytes(), None).unwrap().warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[1].contains("add an RSA key"), "{warnings:?}");
        assert!(
            warnings[0].starts_with("f: report.dkim_keys: warning: ") && warnings[0].contains("chmod 600"),
            "{warnings:?}"
        );
    }

    #[test]
    fn files_of_the_delivery_must_be_there() {
        let delivery = |lines: &str| {
            format!("[report]\nemail = 'r@example.com'\ndkim_keys = []\n[report.delivery]\n{lines}\n")
        };
        for (lines, expected) in [
            (
                "ca_file = '/nonexistent/ca'",
                "f:5:11: report.delivery.ca_file: /nonexistent/ca: ",
            ),
            (
                "user = 'x'\npassword_file = '/nonexistent/p'",
                "f:6:17: report.delivery.password_file: /nonexistent/p: ",
            ),
            (
                "by = 'sendmail'\nsendmail = ['/nonexistent/s', '{recipient}']",
                "f:6:13: report.delivery.sendmail: /nonexistent/s: ",
            ),
        ] {
            let told = mistakes(&delivery(lines));
            assert!(told.starts_with(expected), "{told}");
        }
        let folder = Folder::new("authorities");
        let empty = folder.write("ca.pem", "hello\n", 0o644);
        let told = mistakes(&delivery(&format!("ca_file = '{empty}'\ntls = 'required'")));
        assert!(
            told.starts_with("f:5:11: report.delivery.ca_file: ") && told.contains("no certificate"),
            "{told}"
        );
        let unchecked = delivery(&format!("ca_file = '{empty}'\ntls = 'opportunistic'"));
        assert!(
            read("f", unchecked.as_bytes(), None).is_ok(),
            "no certificate is looked at"
        );
        let unused = delivery("by = 'directory'\ndirectory = '/d'\nca_file = '/nonexistent/ca'");
        assert!(read("f", unused.as_bytes(), None).is_ok());
    }
}
