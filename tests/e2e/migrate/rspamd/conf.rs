//! rspamd's settings, by the files that its Debian package and its sites have.

use crate::binary::{Folder, landmarc};
use crate::harness::tools::package;

/// Checklist R1, R4, R10: the files as they lie on a site come to settings that the program itself takes.
#[test]
fn r10_a_sites_files_become_settings() {
    let folder = Folder::new("rspamd-conf");
    let redis = folder.write("local.d/redis.conf", "servers = \"127.0.0.1:6390\";\n");
    let dmarc = folder.write(
        "local.d/dmarc.conf",
        "reporting {\n  enabled = true;\n  email = \"dmarc@example.com\";\n  org_name = \"Example\";\n}\n\
         actions { reject = \"reject\"; }\n",
    );
    let (redis, dmarc) = (redis.display().to_string(), dmarc.display().to_string());
    let ran = landmarc(["migrate", "rspamd", "--config", &redis, &dmarc]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("rspamd.servers = [\"127.0.0.1:6390\"]\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .contains("dmarc.conf:6: dmarc.actions.reject: mode, action.reject; "),
        "{}",
        ran.stderr
    );
    let settings = folder.write("landmarc.toml", &ran.stdout).display().to_string();
    let checked = landmarc(["config", "check", &settings]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let object = landmarc(["migrate", "rspamd", "--json", "--config", &redis, &dmarc]).json();
    assert_eq!(object["settings"], ran.stdout);
    assert_eq!(object["lines"][0]["settings"][0], "rspamd.servers");
}

/// The files of Debian's package have nothing in them but what includes others.
#[test]
fn r1_the_files_of_the_package_are_understood() {
    let Some(root) = package("rspamd") else { return };
    for name in ["dmarc", "redis"] {
        let file = root
            .join(format!("etc/rspamd/modules.d/{name}.conf"))
            .display()
            .to_string();
        let ran = landmarc(["migrate", "rspamd", "--config", &file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("not followed").count(), 3, "{}", ran.stderr);
    }
}

#[test]
fn a_broken_file_is_told_at_its_line() {
    let folder = Folder::new("rspamd-conf-broken");
    let file = folder.write(
        "local.d/dmarc.conf",
        "key_prefix = \"x\";\nreporting {\n  email = nobody;\n}\n",
    );
    let file = file.display().to_string();
    let ran = landmarc(["migrate", "rspamd", "--config", &file]);
    assert_eq!(ran.code, 78);
    assert!(
        ran.stderr
            .contains(&format!("{file}:3: dmarc.reporting.email: \"nobody\"")),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("\n  correct the value"), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("rspamd.key_prefix"),
        "what is good is translated: {}",
        ran.stdout
    );
    assert_eq!(
        landmarc(["migrate", "rspamd", "--config", "/nonexistent/dmarc.conf"]).code,
        66
    );
    assert_eq!(
        landmarc(["migrate", "rspamd", "--config", &file, "--redis", "127.0.0.1"]).code,
        64
    );
}
