//! Certificates as an operator makes them: with `openssl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use landmarc_push::CertificateFiles;

/// The authority of the fleet, in the names of its files.
const CA: &str = "ca";
/// Another one.
const OTHER_CA: &str = "other-ca";

/// A folder of certificates that is gone when the test is.
pub(crate) struct Pki(PathBuf);

impl Pki {
    /// With two authorities.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("landmarc-push-{}-{number}", std::process::id());
        let pki = Self(std::env::temp_dir().join(name));
        fs::create_dir(&pki.0).unwrap();
        for authority in [CA, OTHER_CA] {
            let line = format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN={authority} \
                 -keyout {authority}.key -out {authority}.pem"
            );
            pki.openssl(&[], &line);
        }
        pki
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The files of the host that segments are sent to: `localhost` and its address.
    pub(crate) fn collector(&self) -> CertificateFiles {
        self.issue("collector", "DNS:localhost,IP:127.0.0.1", CA, &[])
    }

    /// The files of a host that sends them.
    pub(crate) fn mx1(&self) -> CertificateFiles {
        self.issue("mx1", "DNS:mx1.example.org,DNS:mx1", CA, &[])
    }

    /// The files of a host whose certificate another authority has signed.
    pub(crate) fn stranger(&self, names: &str) -> CertificateFiles {
        self.issue("stranger", names, OTHER_CA, &[])
    }

    /// The files of a host whose certificate was good for a day, ten days ago.
    pub(crate) fn expired(&self, names: &str) -> CertificateFiles {
        self.issue("expired", names, CA, &["faketime", "-f", "-10d"])
    }

    /// The files of a host with these names (subjectAltName).
    pub(crate) fn named(&self, name: &str, names: &str) -> CertificateFiles {
        self.issue(name, names, CA, &[])
    }

    fn issue(&self, name: &str, names: &str, authority: &str, before: &[&str]) -> CertificateFiles {
        let extensions = format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n");
        fs::write(self.path("extensions"), extensions).unwrap();
        let request = format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        );
        self.openssl(&[], &request);
        let sign = format!(
            "x509 -req -in {name}.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 1 \
             -extfile extensions -out {name}.pem"
        );
        self.openssl(before, &sign);
        self.files_of(name)
    }

    /// Where the files of a host are.
    pub(crate) fn files_of(&self, name: &str) -> CertificateFiles {
        CertificateFiles {
            ca_file: self.path("ca.pem"),
            certificate_file: self.path(&format!("{name}.pem")),
            key_file: self.path(&format!("{name}.key")),
        }
    }

    /// The SHA-256 of a certificate, as `openssl` says it.
    pub(crate) fn fingerprint(&self, certificate: &Path) -> String {
        let said = self.openssl(
            &[],
            &format!("x509 -noout -fingerprint -sha256 -in {}", certificate.display()),
        );
        let (_, fingerprint) = said.trim_end().split_once('=').unwrap();
        fingerprint.replace(':', "").to_ascii_lowercase()
    }

    fn openssl(&self, before: &[&str], line: &str) -> String {
        let mut words = before
            .iter()
            .copied()
            .chain(["openssl"])
            .chain(line.split_whitespace());
        let ran = Command::new(words.next().unwrap())
            .args(words)
            .current_dir(&self.0)
            .output()
            .unwrap_or_else(|error| panic!("{error}: the tests need openssl and faketime"));
        assert!(
            ran.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap()
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        // What cannot be removed is in the way of nobody: the name is never used again.
        let _ = fs::remove_dir_all(&self.0);
    }
}
