//! `landmarc config`: what is printed of settings, and how mistakes are told.

use landmarc_testkit::tools::Folder;

use crate::binary::{Ran, landmarc};

fn config(arguments: &[&str]) -> Ran {
    landmarc([&["config"][..], arguments].concat())
}

#[test]
fn the_default_file_has_every_key_and_reads_back_to_the_defaults() {
    let folder = Folder::new("config-default");
    let printed = config(&["default"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    let file = folder
        .write("default.toml", &printed.stdout)
        .display()
        .to_string();
    let checked = config(&["check", &file]);
    assert_eq!((checked.code, checked.stderr.as_str()), (0, ""));
    assert_eq!(checked.stdout, format!("{file}: no mistakes\n"));

    let empty = folder.write("empty.toml", "").display().to_string();
    let shown = config(&["show", &empty]).stdout;
    assert_eq!(config(&["show", &file]).stdout, shown);
    // As other commands take it.
    assert_eq!(config(&["show", "--config", &file]).stdout, shown);
    assert_eq!(config(&["check", "--config", &file]).stdout, checked.stdout);
    assert_eq!(config(&["check", "--config", &file, &file]).code, 64);
    // With each key uncommented it is what `show` prints, apart from the words.
    let values = |text: &str| {
        let lines = text.lines().map(|line| line.trim_start_matches('#'));
        let values: Vec<String> = lines
            .filter(|line| !line.starts_with(' ') && line.contains(" = "))
            .map(str::to_owned)
            .collect();
        values
    };
    assert_eq!(values(&printed.stdout), values(&shown));
    assert!(values(&shown).len() > 40, "{shown}");
}

/// None hides another: those of the syntax, of the declarations, between keys, and those
/// that only the program can find.
#[test]
fn every_mistake_is_told_at_its_line() {
    let folder = Folder::new("config-mistakes");
    let file = folder.write(
        "bad.toml",
        "\
mode = \"enforcing\"
[milter]
listen = [
  \"inet:127.0.0.1:0\",
  \"carrier-pigeon:1\",
]
[dns]
qestion_timeout = \"5s\"
message_timeout = \"2s\"
[dmarc]
public_suffix_list = \"/nonexistent/list.dat\"
[limits]
header_fields = 3
[wat]
x = 1
[log]
level = = 3
",
    );
    let file = file.display().to_string();
    let ran = config(&["check", &file]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
    let told: Vec<String> = ran
        .stderr
        .lines()
        .map(|line| line.replace(&file, "FILE"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    FILE:1:8: mode: "enforcing" is no choice; allowed: "observe", "enforce"
    FILE:5:3: milter.listen: "carrier-pigeon:1" is no socket: write unix:/path, local:/path, /path, inet:port, inet:port@host, inet:host:port, inet6:port or inet6:port@host
    FILE:8:1: dns.qestion_timeout: unknown key, did you mean dns.question_timeout?
    FILE:9:19: dns.question_timeout: "5s" is more than dns.message_timeout = "2s" (line 9); allowed: at most that
    FILE:11:22: dmarc.public_suffix_list: /nonexistent/list.dat: No such file or directory (os error 2); create it, or set it to ""
    FILE:13:17: limits.header_fields: 3 is out of range; allowed: 100 to 1000000
    FILE:14:2: wat: unknown table
    FILE:17:9: log.level: extra `=`, expected nothing, in "level = = 3"
    "#);
    // The other commands that read settings say the same and end alike.
    for arguments in [
        &["config", "show", &file][..],
        &["serve", "--config", &file],
        &["check", "--config", &file, "/dev/null"],
    ] {
        let other = landmarc(arguments);
        assert_eq!(
            (other.code, &other.stderr, other.stdout.as_str()),
            (78, &ran.stderr, "")
        );
    }
}

#[test]
fn warnings_are_told_and_are_no_mistakes() {
    let folder = Folder::new("config-warnings");
    let file = folder.write("warn.toml", "mode = \"enforce\"\n[action]\nreject = \"always\"\n");
    let file = file.display().to_string();
    let ran = config(&["check", &file]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{file}: no mistakes\n")));
    let begins = format!("{file}:3:10: action.reject: warning: goes beyond RFC 9989");
    assert!(ran.stderr.starts_with(&begins), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn show_begins_with_plain_words_and_marks_what_differs() {
    let folder = Folder::new("config-show");
    let file = folder.write(
        "landmarc.toml",
        "mode = \"enforce\"\n[action]\nquarantine = \"hold\"\n[dns]\nmessage_timeout = \"10s\"\n",
    );
    let ran = config(&["show", &file.display().to_string()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let version = env!("CARGO_PKG_VERSION");
    let words = format!(
        "# landmarc {version} enforces DMARC policies\n\
         # a message that fails DMARC under p=reject is refused (550 5.7.1) when there is further evidence \
         that it is forged, else held by the mail server\n\n"
    );
    assert!(ran.stdout.starts_with(&words), "{}", ran.stdout);
    let differing: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("# default:"))
        .collect();
    assert_eq!(
        differing,
        [
            "mode = \"enforce\"  # default: \"observe\"",
            "message_timeout = \"10s\"  # default: \"20s\"",
            "quarantine = \"hold\"  # default: \"header\"",
        ]
    );
    // What is printed can be used as a file.
    let again = folder.write("again.toml", &ran.stdout).display().to_string();
    assert_eq!(config(&["show", &again]).stdout, ran.stdout);
}

/// L3: whose results are believed, whether or not the file says so.
#[test]
fn l3_show_has_the_list_of_those_whose_results_are_believed() {
    let folder = Folder::new("config-trusted");
    for (written, line) in [
        (
            "authentication.spf = \"upstream\"\nauthentication.trusted_authserv_ids = [\"mx01.nausch.org\", \"mx02.nausch.org\"]\n",
            "trusted_authserv_ids = [\"mx01.nausch.org\", \"mx02.nausch.org\"]  # default: []",
        ),
        ("", "trusted_authserv_ids = []"),
    ] {
        let file = folder.write("landmarc.toml", written).display().to_string();
        let ran = config(&["show", &file]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        let (_, table) = ran.stdout.split_once("[authentication]\n").unwrap();
        let table = table.split("\n[").next().unwrap();
        assert!(table.lines().any(|one| one == line), "{line}: {table}");
    }
}

#[test]
fn a_settings_file_that_cannot_be_read_is_told() {
    let folder = Folder::new("config-unreadable");
    let absent = folder.path().join("absent.toml").display().to_string();
    let directory = folder.path().display().to_string();
    for (path, why) in [
        (&absent, "No such file or directory (os error 2)"),
        (&directory, "Is a directory (os error 21)"),
    ] {
        for command in [&["config", "check"][..], &["serve", "--config"]] {
            let ran = landmarc([command, &[path]].concat());
            assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
            assert_eq!(
                ran.stderr,
                format!("landmarc: cannot read the settings file {path}: {why}\n")
            );
        }
    }
    let binary = folder
        .write("binary.toml", b"mode = \"observe\"\n\xff\xfe")
        .display()
        .to_string();
    let ran = config(&["check", &binary]);
    assert_eq!(ran.code, 78);
    assert_eq!(ran.stderr, format!("{binary}:2:1: the text is not UTF-8\n"));
    let huge = folder.write("huge.toml", "#".repeat(2 * 1024 * 1024));
    let ran = config(&["check", &huge.display().to_string()]);
    assert_eq!(ran.code, 78);
    assert!(ran.stderr.contains("the file has "), "{}", ran.stderr);
}

#[test]
fn manual_pages_and_completions_are_made_for_every_command() {
    let folder = Folder::new("config-documents");
    let directory = folder.path().join("man/man1");
    let path = directory.display().to_string();
    let ran = landmarc(["man", "--output-dir", &path]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    for page in [
        "landmarc.1",
        "landmarc-serve.1",
        "landmarc-check.1",
        "landmarc-config.1",
        "landmarc-config-check.1",
        "landmarc-completions.1",
        "landmarc-man.1",
    ] {
        let text = std::fs::read_to_string(directory.join(page));
        assert!(text.is_ok_and(|text| text.contains(".TH")), "{page}");
    }
    let taken = folder.write("taken", "").display().to_string();
    let ran = landmarc(["man", "--output-dir", &taken]);
    assert_eq!(ran.code, 69);
    assert!(
        ran.stderr
            .starts_with(&format!("landmarc: cannot write to {taken}: "))
    );

    let ran = landmarc(["man"]);
    assert!(
        ran.code == 0 && ran.stdout.contains(".TH landmarc 1"),
        "{}",
        ran.stdout
    );
    for shell in ["bash", "zsh", "fish"] {
        let ran = landmarc(["completions", shell]);
        assert!(
            ran.code == 0 && ran.stdout.contains("explain"),
            "{shell}: {}",
            ran.stderr
        );
    }
}
