//! `landmarc dkim`: keys that are made, told of and looked for in DNS.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use landmarc_testkit::tools::Folder;
use serde_json::{Value, json};

use crate::binary::{Ran, landmarc};

/// A folder with a key of each kind that a test asks for, and settings that name them.
struct Fixture {
    folder: Folder,
}

impl Fixture {
    fn new(name: &str) -> Self {
        Self {
            folder: Folder::new(&format!("dkim-{name}")),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `dkim new` of `NAME.pem`, whose selector is its name.
    fn make(&self, name: &str, rest: &[&str]) -> Ran {
        let file = self.path(&format!("{name}.pem"));
        let fixed = ["dkim", "new", name, "--domain", "example.com", "--out", &file];
        landmarc([&fixed, rest].concat())
    }

    /// The text of the record to publish for `NAME.pem`, as `dkim show` tells it.
    fn record(&self, name: &str) -> String {
        let file = self.path(&format!("{name}.pem"));
        let ran = landmarc([
            "dkim",
            "show",
            &file,
            "--domain",
            "example.com",
            "--selector",
            name,
        ]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        ran.stdout.lines().last().unwrap().to_owned()
    }

    /// `dkim check` of these keys, with a zone file that has these names.
    fn check(&self, names: &[&str], zones: &Value, rest: &[&str]) -> Ran {
        let keys: Vec<_> = names
            .iter()
            .map(|name| format!("{name}:{}", self.path(&format!("{name}.pem"))))
            .collect();
        self.folder.write("zones.json", zones.to_string());
        self.folder.write(
            "landmarc.toml",
            format!("[report]\nemail = \"dmarc@example.com\"\ndkim_keys = {keys:?}\n"),
        );
        let (zones, config) = (self.path("zones.json"), self.path("landmarc.toml"));
        let fixed = ["dkim", "check", "--dns", &zones, "--config", &config];
        landmarc([&fixed, rest].concat())
    }
}

fn zone_of(selector: &str, records: &[&str]) -> Value {
    let name = format!("{selector}._domainkey.example.com");
    let records: Vec<_> = records.iter().map(|record| json!([record])).collect();
    json!({ name: { "TXT": records } })
}

#[test]
fn a_new_key_is_for_its_owner_alone_and_says_what_to_do_next() {
    let fixture = Fixture::new("new");
    let ran = fixture.make("s1", &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let file = fixture.path("s1.pem");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----\n")
    );

    let record = fixture.record("s1");
    assert!(record.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkq"), "{record}");
    let (first, second) = record.split_at(255);
    let said = ran.stdout.replace(&record, "RECORD").replace(&file, "FILE");
    let said = said.replace(first, "FIRST").replace(second, "SECOND");
    insta::assert_snapshot!(said, @r#"
    FILE: an RSA key of 2048 bits

    Publish its public half. As a line of a zone file:

    s1._domainkey.example.com. IN TXT (
        "FIRST"
        "SECOND" )

    As name and text, for a form to fill in:

    s1._domainkey.example.com
    RECORD

    Then add it to the settings, for the user of the service to read, and see whether all is well with
    "landmarc dkim check":

    [report]
    dkim_keys = ["s1:FILE"]

    Where dkim_keys has a key already, put this one behind it in the same brackets.
    "#);
}

#[test]
fn a_key_is_never_overwritten() {
    let fixture = Fixture::new("overwritten");
    assert_eq!(fixture.make("s1", &["--algorithm", "ed25519"]).code, 0);
    let before = fs::read(fixture.path("s1.pem")).unwrap();
    let ran = fixture.make("s1", &["--algorithm", "ed25519"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (69, ""));
    let printed = ran.stderr.replace(&fixture.path("s1.pem"), "FILE");
    insta::assert_snapshot!(printed, @r#"landmarc: cannot make FILE: File exists (os error 17); a key is never overwritten: name another file"#);
    assert_eq!(fs::read(fixture.path("s1.pem")).unwrap(), before);
}

#[test]
fn what_is_no_key_length_and_no_selector_is_told() {
    let fixture = Fixture::new("wrong");
    for bits in ["1024", "4097", "65536", "many"] {
        assert_eq!(fixture.make("s1", &["--bits", bits]).code, 64, "{bits}");
    }
    let with_bits = ["--algorithm", "ed25519", "--bits", "2048"];
    assert_eq!(fixture.make("s1", &with_bits).code, 64);
    assert_eq!(fixture.make("no selector", &[]).code, 64);
    assert!(!fs::exists(fixture.path("s1.pem")).unwrap());
}

#[test]
fn what_is_no_key_file_is_told() {
    let fixture = Fixture::new("no-key");
    fixture.folder.write("a.pem", "hello\n");
    for name in ["a.pem", "missing.pem"] {
        let file = fixture.path(name);
        let ran = landmarc([
            "dkim",
            "show",
            &file,
            "--domain",
            "example.com",
            "--selector",
            "a",
        ]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""));
        assert!(ran.stderr.contains(&file), "{}", ran.stderr);
    }
}

#[test]
fn keys_are_looked_for_where_they_are_to_be_published() {
    let fixture = Fixture::new("check");
    assert_eq!(fixture.make("s1", &["--algorithm", "ed25519"]).code, 0);
    assert_eq!(fixture.make("s2", &["--algorithm", "ed25519"]).code, 0);
    let (own, other) = (fixture.record("s1"), fixture.record("s2"));

    let published = fixture.check(&["s1"], &zone_of("s1", &[&own]), &[]);
    // A key of this kind alone is warned of, and that is all.
    let warning = &published.stderr;
    assert!(
        warning.contains("add an RSA key") && warning.lines().count() == 1,
        "{warning}"
    );
    assert_eq!(published.code, 0);
    let file = fixture.path("s1.pem");
    assert_eq!(
        published.stdout,
        format!("s1._domainkey.example.com ({file}): published\n")
    );

    let missing = fixture.check(&["s1"], &json!({}), &[]);
    assert_eq!((missing.code, &missing.stderr), (1, warning));
    let printed = missing.stdout.replace(&file, "FILE").replace(&own, "RECORD");
    insta::assert_snapshot!(printed, @r#"
    s1._domainkey.example.com (FILE): not published
      publish, and nothing else at that name:
      s1._domainkey.example.com. IN TXT "RECORD"
    "#);

    for (zones, code, state) in [
        (zone_of("s1", &[&own]), 0, "published"),
        (zone_of("s1", &["v=spf1 -all", &own]), 0, "published"),
        (zone_of("s1", &[&format!("{own}; t=y")]), 1, "testing"),
        (zone_of("s1", &[&other]), 1, "different"),
        (zone_of("s1", &[&own, &other]), 1, "several"),
        (zone_of("s1", &["v=DKIM1; k=ed25519; p="]), 1, "unusable"),
        (
            json!({"s1._domainkey.example.com": {"*": "TIMEOUT"}}),
            2,
            "unanswered",
        ),
    ] {
        let ran = fixture.check(&["s1"], &zones, &["--json"]);
        assert_eq!((ran.code, &ran.stderr), (code, warning), "{state}");
        let object = ran.json();
        assert_eq!(object["state"], state);
        assert_eq!(
            object["published"],
            json!(matches!(state, "published" | "testing"))
        );
        assert_eq!(object["name"], "s1._domainkey.example.com");
        assert_eq!(object["record"], json!(own));
    }
}

#[test]
fn without_keys_there_is_nothing_to_look_for() {
    let fixture = Fixture::new("none");
    let ran = fixture.check(&[], &json!({}), &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("report.dkim_keys is empty"), "{}", ran.stderr);

    fixture.folder.write("landmarc.toml", "");
    let ran = landmarc(["dkim", "check", "--config", &fixture.path("landmarc.toml")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("report.email is empty"), "{}", ran.stderr);
}
