//! `landmarc check`: what it reads, prints and ends with.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use landmarc_testkit::tools::Folder;
use serde_json::Value;

use crate::binary::{Ran, executable, landmarc, landmarc_as_nobody, landmarc_reading};

/// RFC 8463 Appendix A.3, with the line ends of a local file.
const SIGNED: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

/// Signed with the same key over the body `From the start.`, which is still to be added.
const SIGNED_FROM_LINE: &str = "\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; s=brisbane; h=from;
 bh=zhLQfPiHYiwBklWVwwX3k5TB4gWRwetjrSNo9Wo9xr0=;
 b=I+IOv8GNkjrHEiEO6/b4KyOA9ZHA+Ff08bpvIbFSt2lY34X9YoCpmSjeUWLvdq0wI8/tJF12velDsSFjEQySAw==
From: Joe <joe@football.example.com>

";

/// `example.com` lets 192.0.2.1 send, and asks for the rest to be rejected.
const ZONES: &str = r#"{
    "example.com": {"A": ["192.0.2.80"], "TXT": [["v=spf1 ip4:192.0.2.0/24 -all"]]},
    "_dmarc.example.com": {"TXT": [["v=DMARC1; p=reject"]]},
    "silent.example": {"A": ["192.0.2.81"]},
    "_dmarc.silent.example": {"TXT": "SERVFAIL"},
    "_dmarc.football.example.com": {"TXT": [["v=DMARC1; p=reject"]]},
    "brisbane._domainkey.football.example.com":
        {"TXT": [["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]]}
}"#;

/// A client that `example.com` does not know.
const STRANGER: &str = "203.0.113.7";

fn message(author: &str) -> String {
    format!("From: Author <{author}>\r\nTo: reader@example.net\r\nSubject: a test\r\n\r\nHello\r\n")
}

/// A folder with zones and settings, and the files of a test.
struct Fixture {
    folder: Folder,
}

impl Fixture {
    fn new(name: &str) -> Self {
        let folder = Folder::new(&format!("check-{name}"));
        folder.write("zones.json", ZONES);
        folder.write("landmarc.toml", "authserv_id = \"mx.example.net\"\n");
        Self { folder }
    }

    fn write(&self, name: &str, octets: impl AsRef<[u8]>) -> String {
        self.folder.write(name, octets).display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `check` over these zones and settings, at a fixed time.
    fn arguments(&self, rest: &[&str]) -> Vec<String> {
        let (zones, settings) = (self.path("zones.json"), self.path("landmarc.toml"));
        let fixed = [
            "check",
            "--dns",
            &zones,
            "--config",
            &settings,
            "--now",
            "1700000000",
        ];
        [&fixed, rest].concat().into_iter().map(str::to_owned).collect()
    }

    fn check(&self, rest: &[&str]) -> Ran {
        landmarc(self.arguments(rest))
    }
}

/// The objects on standard output, one a line.
fn objects(ran: &Ran) -> Vec<Value> {
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A dead name that the message itself names buys no acceptance where the policy is known.
#[test]
fn a_spoof_that_names_a_dead_key_or_subdomain_is_deferred() {
    let fixture = Fixture::new("dead-names");
    fixture.write(
        "zones.json",
        r#"{
            "bank.test": {"TXT": [["v=spf1 -all"]]},
            "_dmarc.bank.test": {"TXT": [["v=DMARC1; p=reject"]]},
            "gone._domainkey.bank.test": {"TXT": "TIMEOUT"},
            "_dmarc.old.bank.test": {"TXT": "TIMEOUT"},
            "_dmarc.away.test": {"TXT": "TIMEOUT"}
        }"#,
    );
    let signature = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=bank.test; s=gone; h=from; \
                     bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\n";
    let of = |author: &str| format!("From: {author}\r\nTo: v@example.net\r\n\r\n");
    for (message, expected) in [
        (format!("{signature}{}", of("ceo@bank.test")), "tempfail"),
        (of("ceo@old.bank.test"), "tempfail"),
        // No policy is known: the resolver of this host may be away.
        (of("ceo@away.test"), "accept"),
    ] {
        let file = fixture.write("m.eml", &message);
        let envelope = ["--ip", STRANGER, "--helo", "x.test", "--mail-from", "x@evil.test"];
        let ran = fixture.check(&[&["--json", "--mode", "enforce"], &envelope[..], &[&file]].concat());
        let answer = ran.json();
        assert_eq!(answer["dmarc"]["result"], "temperror", "{message}");
        assert_eq!(answer["decision"]["action"], expected, "{message}{answer}");
    }
}

/// The contract of scripts: these keys, in this order, absent values null.
#[test]
fn json_of_a_message_that_passes() {
    let fixture = Fixture::new("json-pass");
    let file = fixture.write("m.eml", message("a@example.com"));
    let ran = fixture.check(&[
        "--json",
        "--ip",
        "192.0.2.1",
        "--helo",
        "mx.example",
        "--mail-from",
        "b@example.com",
        "--rcpt",
        "<reader@example.net>",
        &file,
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout.lines().count(), 1);
    let pretty = serde_json::to_string_pretty(&ran.json()).unwrap();
    insta::assert_snapshot!(pretty, @r#"
    {
      "author_domain": "example.com",
      "organizational_domain": "example.com",
      "spf": {
        "result": "pass",
        "domain": "example.com",
        "scope": "mfrom",
        "mechanism": "ip4:192.0.2.0/24",
        "explanation": null,
        "problem": null
      },
      "spf_helo": {
        "result": "none",
        "domain": "mx.example",
        "scope": "helo",
        "mechanism": null,
        "explanation": null,
        "problem": "mx.example does not exist"
      },
      "dkim": [],
      "upstream": {
        "spf": null,
        "dkim": null,
        "arc": null
      },
      "arc": {
        "result": "none",
        "instances": 0,
        "reason": null
      },
      "dmarc": {
        "result": "pass",
        "policy_domain": "example.com",
        "record": "v=DMARC1; p=reject",
        "policy_published": "reject",
        "policy": "reject",
        "spf_aligned": true,
        "dkim_aligned": false,
        "discovery_method": "treewalk"
      },
      "disposition": "pass",
      "overrides": [],
      "action": "accept",
      "reply": null,
      "decision": {
        "disposition": "pass",
        "overrides": [],
        "action": "accept",
        "reply": null
      },
      "rule": null,
      "evidence": [],
      "spared_by": null,
      "cause": null,
      "defects": [],
      "authentication_results": "mx.example.net;\r\n\tspf=pass (ip4:192.0.2.0/24) smtp.mailfrom=example.com;\r\n\tdkim=none;\r\n\tdmarc=pass (p=reject dis=pass dom=example.com id=check)\r\n\theader.from=example.com policy.dmarc=reject",
      "questions": 4,
      "rfc7489": {
        "result": "pass",
        "policy_domain": "example.com"
      }
    }
    "#);
}

/// The same keys where nearly all is absent.
#[test]
fn json_of_a_message_without_anything_to_tell() {
    let fixture = Fixture::new("json-none");
    let file = fixture.write("m.eml", "Subject: no author\r\n\r\n");
    let ran = fixture.check(&["--json", "--mode", "enforce", &file]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    let pretty = serde_json::to_string_pretty(&ran.json()).unwrap();
    insta::assert_snapshot!(pretty, @r#"
    {
      "author_domain": null,
      "organizational_domain": null,
      "spf": {
        "result": "none",
        "domain": null,
        "scope": "mfrom",
        "mechanism": null,
        "explanation": null,
        "problem": "the address of the client is not known"
      },
      "spf_helo": null,
      "dkim": [],
      "upstream": {
        "spf": null,
        "dkim": null,
        "arc": null
      },
      "arc": {
        "result": "none",
        "instances": 0,
        "reason": null
      },
      "dmarc": {
        "result": "permerror",
        "policy_domain": null,
        "record": null,
        "policy_published": null,
        "policy": null,
        "spf_aligned": null,
        "dkim_aligned": null,
        "discovery_method": null
      },
      "disposition": "none",
      "overrides": [],
      "action": "accept",
      "reply": null,
      "decision": {
        "disposition": "none",
        "overrides": [],
        "action": "accept",
        "reply": null
      },
      "rule": null,
      "evidence": [],
      "spared_by": null,
      "cause": "there is no From field",
      "defects": [],
      "authentication_results": "mx.example.net;\r\n\tspf=none (the address of the client is not known);\r\n\tdkim=none;\r\n\tdmarc=permerror reason=\"there is no From field\" (id=check, remedy: The\r\n\tsender must write one From field with a valid address. Until then it\r\n\tshows no domain to its readers, so it can deceive with none.)",
      "questions": 0,
      "rfc7489": null
    }
    "#);
}

#[test]
fn a_signature_and_a_reply_in_json() {
    let fixture = Fixture::new("json-parts");
    let signed = fixture.write("signed.eml", SIGNED);
    let got = fixture.check(&["--json", &signed]).json();
    insta::assert_snapshot!(got["dkim"][0], @r#"{"result":"pass","domain":"football.example.com","selector":"brisbane","algorithm":"ed25519-sha256","key_bits":256,"reason":null}"#);
    let forged = fixture.write("forged.eml", message("a@example.com"));
    let sent = ["--ip", STRANGER, "--mail-from", "b@example.com"];
    let got = fixture
        .check(&[&sent[..], &["--json", "--mode", "enforce", &forged]].concat())
        .json();
    assert_eq!(got["action"], "reject");
    assert_eq!(got["disposition"], "reject");
    insta::assert_snapshot!(got["reply"], @r#""550 5.7.1 Email rejected per DMARC policy for example.com: SPF of example.com does not authorize 203.0.113.7, and there is no DKIM signature (check)""#);
    let got = fixture.check(&[&sent[..], &["--json", &forged]].concat()).json();
    assert_eq!((&got["action"], &got["reply"]), (&"accept".into(), &Value::Null));
    assert_eq!(got["decision"]["action"], "reject");
}

#[test]
fn a_summary_names_the_verdict_and_the_cause() {
    let fixture = Fixture::new("summary");
    let file = fixture.write("m.eml", message("a@example.com"));
    let ran = fixture.check(&["--ip", STRANGER, "--mail-from", "b@example.com", &file]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(ran.stdout, @r#"
    example.com: dmarc=fail spf=fail dkim=none disposition=none action=accept enforced_action=reject
      SPF of example.com does not authorize 203.0.113.7, and there is no DKIM signature
    "#);
}

#[test]
fn explaining_tells_all_of_it() {
    let fixture = Fixture::new("explain");
    let file = fixture.write("m.eml", message("a@example.com"));
    let sent = ["--ip", STRANGER, "--mail-from", "b@example.com"];
    let ran = fixture.check(&[&sent[..], &["--mode", "enforce", "--explain", &file]].concat());
    assert_eq!(ran.code, 1);
    for part in [
        "Mail from example.com fails DMARC and is refused.",
        "SPF: may 203.0.113.7 send mail for example.com, the domain of the envelope sender?",
        "example.com: -all -> matches",
        "550 5.7.1",
        "DNS questions:",
        "_dmarc.example.com TXT: 1 record",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not in\n{}", ran.stdout);
    }
    let both = fixture.check(&["--explain", "--json", &file]);
    assert_eq!(both.code, 64, "two forms at once: {}", both.stderr);
}

#[test]
fn standard_input_is_read_with_a_dash_and_without_a_file() {
    let fixture = Fixture::new("stdin");
    for rest in [&["--json"][..], &["--json", "-"][..]] {
        let arguments = fixture.arguments(rest);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = landmarc_reading(&arguments, SIGNED.as_bytes());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert_eq!(ran.json()["dmarc"]["result"], "pass");
        let ran = landmarc_reading(&arguments, b"");
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (65, "landmarc: standard input: the message is empty\n")
        );
    }
}

/// A file in local form was signed with CRLF; one in wire form is taken as it is.
#[test]
fn line_feeds_are_taken_as_crlf() {
    let fixture = Fixture::new("line-ends");
    for (name, octets) in [
        ("lf.eml", SIGNED.to_owned()),
        ("crlf.eml", SIGNED.replace('\n', "\r\n")),
    ] {
        let file = fixture.write(name, octets);
        let got = fixture.check(&["--json", &file]).json();
        assert_eq!(got["dkim"][0]["result"], "pass", "{name}: {got}");
    }
}

#[test]
fn the_return_path_stands_in_for_mail_from() {
    let fixture = Fixture::new("return-path");
    let text = format!(
        "Return-Path: <bounce@example.com>\r\n{}",
        message("a@example.com")
    );
    let file = fixture.write("m.eml", text);
    let spf = |rest: &[&str]| {
        let common = ["--json", "--ip", "192.0.2.1", &file];
        let got = fixture.check(&[&common[..], rest].concat()).json();
        (got["spf"]["result"].clone(), got["spf"]["domain"].clone())
    };
    assert_eq!(spf(&[]), ("pass".into(), "example.com".into()));
    assert_eq!(
        spf(&["--mail-from", "<x@silent.example>"]),
        ("none".into(), "silent.example".into())
    );
    // The null reverse-path is one that was given.
    assert_eq!(spf(&["--mail-from", ""]), ("none".into(), Value::Null));
}

/// Whoever does not say where a message came from must not read that it was forged.
#[test]
fn without_an_address_spf_is_not_checked() {
    let fixture = Fixture::new("no-address");
    let file = fixture.write("m.eml", message("a@example.com"));
    let ran = fixture.check(&["--mail-from", "a@example.com", &file]);
    insta::assert_snapshot!(ran.stdout, @"
        example.com: dmarc=fail spf=none dkim=none disposition=none action=accept enforced_action=quarantine
          SPF was not checked, as the address of the client is not known, and there is no DKIM signature, but it is not refused, as nothing besides the policy shows that it is forged
        ");
}

#[test]
fn several_files_have_a_line_each_and_a_bad_one_does_not_stop_the_others() {
    let fixture = Fixture::new("several");
    let good = fixture.write("good.eml", SIGNED);
    let bad = fixture.write("bad.eml", "this is no message\n");
    let absent = fixture.path("absent.eml");
    let last = fixture.write("last.eml", message("a@unknown.example"));
    let ran = fixture.check(&["--json", &good, &bad, &absent, &last]);
    assert_eq!(ran.code, 65);
    let got = objects(&ran);
    let files: Vec<_> = got
        .iter()
        .map(|object| object["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, [&good, &last]);
    let first_key = ran.stdout.find("\"file\"");
    assert_eq!(first_key, Some(1), "the file comes first");
    assert_eq!(
        ran.stderr,
        format!(
            "landmarc: {bad}: line 1 should be the first header field, but is \"this is no message\"\n\
             landmarc: {absent}: No such file or directory (os error 2)\n"
        )
    );
}

#[test]
fn an_mbox_is_taken_apart_and_unquoted() {
    let fixture = Fixture::new("mbox");
    let quoted = SIGNED.replace("Hi.\n", "Hi.\n\n>From here on\n");
    let mbox =
        format!("From joe Fri Jul 11 21:00:37 2003\n{SIGNED}\nFrom joe Fri Jul 11 21:00:37 2003\n{quoted}\n");
    let file = fixture.write("inbox", mbox);
    let ran = fixture.check(&["--json", &file]);
    let got = objects(&ran);
    let files: Vec<_> = got.iter().map(|object| object["file"].clone()).collect();
    assert_eq!(
        files,
        [format!("{file}, message 1"), format!("{file}, message 2")]
    );
    assert_eq!(got[0]["dkim"][0]["result"], "pass");
    // Its body is another one than was signed.
    assert_eq!(got[1]["dkim"][0]["result"], "fail");
    assert_eq!(ran.code, 1);
}

/// A line of the body that begins with "From " is signed as such, and stored with a quote.
#[test]
fn a_quoted_line_of_an_mbox_verifies_as_it_was_signed() {
    let fixture = Fixture::new("mbox-quoted");
    let stored = |line: &str| format!("From joe Fri Jul 11 21:00:37 2003\n{SIGNED_FROM_LINE}{line}\n\n");
    let file = fixture.write("quoted", stored(">From the start."));
    assert_eq!(
        fixture.check(&["--json", &file]).json()["dkim"][0]["result"],
        "pass"
    );
    // Outside an mbox a quote is the author's own.
    let file = fixture.write("plain", format!("{SIGNED_FROM_LINE}>From the start.\n"));
    assert_eq!(
        fixture.check(&["--json", &file]).json()["dkim"][0]["result"],
        "fail"
    );
}

#[test]
fn a_maildir_is_read_in_its_order() {
    let fixture = Fixture::new("maildir");
    for (name, author) in [
        ("box/new/1700000001.a", "c@new.example"),
        ("box/cur/1700000009.b:2,S", "b@second.example"),
        ("box/cur/1700000008.c:2,S", "a@first.example"),
        ("box/cur/.hidden", "x@hidden.example"),
        ("box/tmp/1700000007.d", "x@tmp.example"),
    ] {
        fixture.write(name, message(author));
    }
    let ran = fixture.check(&["--json", &fixture.path("box")]);
    let authors: Vec<_> = objects(&ran)
        .iter()
        .map(|object| object["author_domain"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(authors, ["first.example", "second.example", "new.example"]);
    assert!(
        ran.stdout.contains("box/cur/1700000008.c:2,S\""),
        "{}",
        ran.stdout
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn one_bad_file_of_a_maildir_does_not_stop_the_others() {
    let fixture = Fixture::new("maildir-bad");
    fixture.write("box/cur/1", "");
    fixture.write("box/cur/2", message("a@good.example"));
    let ran = fixture.check(&["--json", &fixture.path("box")]);
    assert_eq!(ran.json()["author_domain"], "good.example");
    let bad = fixture.path("box/cur/1");
    assert_eq!(ran.stderr, format!("landmarc: {bad}: the message is empty\n"));
    assert_eq!(ran.code, 65);
}

#[test]
fn an_empty_maildir_says_so() {
    let fixture = Fixture::new("maildir-empty");
    fixture.write("box/new/.keep", "");
    let path = fixture.path("box");
    let ran = fixture.check(&[&path]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr, format!("landmarc: {path}: no messages\n"));
}

/// What is no message: exit code 65, the place, and what is wrong there.
#[test]
fn what_is_no_message_is_told_with_its_place() {
    let fixture = Fixture::new("no-message");
    let junk: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    fixture.folder.write("directory/readme", "");
    for (name, path, problem) in [
        ("empty", fixture.write("empty.eml", ""), "the message is empty"),
        (
            "junk",
            fixture.write("junk.eml", junk),
            "line 1 should be the first header field, but is \"\\x00\\x01\\x02",
        ),
        (
            "directory",
            fixture.path("directory"),
            "a directory without `new` and `cur`, so no Maildir",
        ),
        ("absent", fixture.path("absent.eml"), "No such file or directory"),
        (
            "not a directory",
            format!("{}/x", fixture.write("file", "")),
            "Not a directory",
        ),
        (
            "second of an mbox",
            fixture.write("mbox", "From a\nFrom: a@example.com\n\nFrom b\nno field\n"),
            "message 2: line 1 should be the first header field",
        ),
    ] {
        let ran = fixture.check(&["--json", &path]);
        assert_eq!(ran.code, 65, "{name}: {}", ran.stderr);
        let begins = format!("landmarc: {path}");
        assert!(ran.stderr.starts_with(&begins), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(problem), "{name}: {}", ran.stderr);
        assert!(ran.stderr.len() < 1_000, "{name}: quotes too much");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let fixture = Fixture::new("unreadable");
    let file = fixture.write("m.eml", message("a@example.com"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    let arguments = fixture.arguments(&[&file]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = landmarc_as_nobody(&fixture.folder, &arguments);
    assert_eq!(ran.code, 65);
    assert_eq!(
        ran.stderr,
        format!("landmarc: {file}: Permission denied (os error 13)\n")
    );
}

#[test]
fn exit_codes_tell_the_verdict() {
    let fixture = Fixture::new("exit-codes");
    let passing = fixture.write("passing.eml", SIGNED);
    let without_record = fixture.write("without.eml", message("a@unknown.example"));
    let failing = fixture.write("failing.eml", message("a@example.com"));
    let unanswered = fixture.write("unanswered.eml", message("a@silent.example"));
    for (expected, files) in [
        (0, vec![&passing]),
        (0, vec![&without_record]),
        (1, vec![&failing]),
        (2, vec![&unanswered]),
        // The largest of them.
        (2, vec![&unanswered, &failing, &passing]),
    ] {
        let files: Vec<&str> = files.into_iter().map(String::as_str).collect();
        let ran = fixture.check(&files);
        assert_eq!(ran.code, expected, "{files:?}: {}", ran.stdout);
    }
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    for arguments in [
        &[][..],
        &["chekc"],
        &["check", "--no-such-option"],
        &["check", "--ip", "192.0.2"],
        &["check", "--now", "yesterday"],
        &["check", "--mode", "maybe"],
    ] {
        let ran = landmarc(arguments);
        assert_eq!(ran.code, 64, "{arguments:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains("Usage: landmarc") || ran.stderr.contains("--help"));
    }
    for arguments in [&["--help"][..], &["check", "--help"], &["--version"]] {
        let ran = landmarc(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_bad_zone_file_is_told_with_its_place() {
    let fixture = Fixture::new("zones");
    let message = fixture.write("m.eml", message("a@example.com"));
    for (zones, problem) in [
        (
            "{\n  \"example.com\": {\"A\": [1,]}\n}",
            "the zone file is not JSON: trailing comma at line 2 column 27",
        ),
        (
            r#"{"example.com": {"A": ["192.0.2"]}}"#,
            "the zone file: example.com A: an IPv4 address is expected",
        ),
        ("[]", "the zone file: the top: an object of names is expected"),
        ("\u{0}", "the zone file is not JSON"),
    ] {
        let file = fixture.write("bad.json", zones);
        let ran = landmarc(["check", "--dns", &file, &message]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{zones}");
        let line = format!("landmarc: {file}: {problem}");
        assert!(ran.stderr.starts_with(&line), "{zones}: {}", ran.stderr);
    }
    let absent = fixture.path("absent.json");
    let ran = landmarc(["check", "--dns", &absent, &message]);
    assert_eq!(ran.code, 65);
    assert!(
        ran.stderr
            .starts_with(&format!("landmarc: {absent}: No such file"))
    );
}

#[test]
fn mistakes_in_the_settings_end_with_78() {
    let fixture = Fixture::new("settings");
    let settings = fixture.write("bad.toml", "mode = \"no\"\n\n[dns]\nname_servers = [\"x\"]\n");
    let message = fixture.write("m.eml", message("a@example.com"));
    let ran = landmarc(["check", "--config", &settings, &message]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stderr);
    assert!(lines[0].starts_with(&format!("{settings}:1:8: mode: ")));
    assert!(lines[1].starts_with(&format!("{settings}:4:17: dns.name_servers: ")));
}

/// Lines and fields over every limit: judged, and the defect told.
#[test]
fn huge_lines_are_judged_within_limits() {
    let fixture = Fixture::new("huge");
    let body = fixture.write(
        "body.eml",
        format!("From: a@example.com\r\n\r\n{}\r\n", "x".repeat(5_000_000)),
    );
    let got = fixture.check(&["--json", &body]).json();
    assert_eq!(got["author_domain"], "example.com");
    assert_eq!(got["defects"], serde_json::json!([]));
    let field = fixture.write(
        "field.eml",
        format!(
            "From: a@example.com\r\nSubject: {}\r\n\r\nx\r\n",
            "x".repeat(5_000_000)
        ),
    );
    let got = fixture.check(&["--json", &field]).json();
    assert_eq!(
        got["defects"],
        serde_json::json!(["a header field over the size limit"])
    );
}

/// `landmarc check BIG | head -1`: no panic, no complaint, and an end.
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let fixture = Fixture::new("pipe");
    let mbox: String = (0..3_000)
        .map(|_| format!("From a\n{}\n", message("a@example.com").replace('\r', "")))
        .collect();
    let file = fixture.write("inbox", mbox);
    let mut child = Command::new(executable())
        .args(fixture.arguments(&["--json", &file]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    // The pipe is closed here, with more to come than it has room for.
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
