//! rspamd's settings, by the files that its Debian package and its sites have.

use landmarc_testkit::tools::{Folder, package};

use crate::binary::landmarc;

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
        ran.stdout.contains("\nservers = [\"127.0.0.1:6390\"]\n"),
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

/// The name of a file decides nothing where its options say what it is, and a file that says nothing is told of.
#[test]
fn a_copy_under_another_name_is_translated_into_a_file() {
    let folder = Folder::new("rspamd-conf-copy");
    let text = "reporting {\n  email = \"dmarc@example.com\";\n}\n";
    let copy = folder.write("dmarc.conf.old", text);
    let output = copy.with_file_name("made.toml").display().to_string();
    let copy = copy.display().to_string();
    let words = ["migrate", "rspamd", "--config", &copy, "--output", &output];
    let ran = landmarc(words);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let checked = landmarc(["config", "check", &output]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let made = || std::fs::read_to_string(&output).unwrap();
    assert!(
        made().contains("[report]\n") && made().contains("email = \"dmarc@example.com\"\n"),
        "{}",
        made()
    );
    assert_eq!(landmarc(words).code, 69, "what is there is not replaced");
    assert_eq!(landmarc([&words[..], &["--force"]].concat()).code, 0);
    let other = folder.write("other.conf", "options { }\n").display().to_string();
    let ran = landmarc(["migrate", "rspamd", "--config", &other]);
    assert_eq!(ran.code, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("call it dmarc.conf"), "{}", ran.stderr);
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
        ran.stdout.contains("[rspamd]\n") && ran.stdout.contains("\nkey_prefix = \"x\"\n"),
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
