//! The operator's own rules: how their file is told wrong, taken up and kept, what they do to a
//! message on its way, and the commands `rules list` and `rules test`.

use landmarc_testkit::dns_server::DnsServer;
use landmarc_testkit::mta::{Mail, Mta, Verdict};
use landmarc_testkit::tools::Folder;
use serde_json::Value;

use crate::binary::{Ran, landmarc};
use crate::serve::for_mta;
use crate::service::{Service, Socket};

/// Two rules that are right.
const RULES: &str = r#"
[[rule]]
name = "acme-newsletter"
author_domain = ["example.com"]
client = ["192.0.2.0/24"]
action = "accept"
reason = "contract 4711"
owner = "anna"
expires = 2999-12-31

[[rule]]
name = "no-invoices"
author_domain = ["example.com", "*.example.com"]
recipient = ["accounting@example.net"]
action = "reject"
override = "other"
reason = "forged in every case so far"
owner = "ben"
"#;

/// `example.com` asks for rejection, and lets nobody send.
const ZONES: &str = r#"{
    "example.com": {"A": ["192.0.2.80"], "TXT": [["v=spf1 -all"]]},
    "_dmarc.example.com": {"TXT": [["v=DMARC1; p=reject"]]}
}"#;

const MESSAGE: &str = "From: a@example.com\r\nTo: reader@example.net\r\nSubject: a test\r\n\r\nHello\r\n";

/// A folder with zones, settings, rules and a message.
struct Fixture {
    folder: Folder,
}

impl Fixture {
    fn new(name: &str, rules: &str) -> Self {
        let folder = Folder::new(&format!("rules-{name}"));
        folder.write("zones.json", ZONES);
        folder.write("m.eml", MESSAGE);
        let fixture = Self { folder };
        let rules = fixture.write("rules.toml", rules);
        let store = fixture.path("store");
        fixture.write(
            "landmarc.toml",
            &format!(
                "authserv_id = \"mx.example.net\"\naction.rules_file = \"{rules}\"\nstore.directory = \"{store}\"\n"
            ),
        );
        fixture
    }

    fn write(&self, name: &str, text: &str) -> String {
        self.folder.write(name, text).display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `landmarc rules` with these settings.
    fn rules(&self, action: &str, rest: &[&str]) -> Ran {
        let config = self.path("landmarc.toml");
        landmarc([&["rules", action, "--config", &config], rest].concat())
    }

    /// `rules test` of the message, with these zones at a fixed time.
    fn test(&self, rest: &[&str]) -> Ran {
        let (zones, message) = (self.path("zones.json"), self.path("m.eml"));
        let fixed = ["--dns", &zones, "--now", "1700000000", &message];
        self.rules("test", &[rest, &fixed].concat())
    }

    /// The text with the folder taken out.
    fn plain(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "DIR")
    }
}

#[test]
fn a_file_with_mistakes_keeps_the_service_from_starting_and_is_told_by_every_command() {
    let fixture = Fixture::new("broken", "[[rule]]\nname = \"r\"\nacton = \"accept\"\n");
    let config = fixture.path("landmarc.toml");
    let checked = landmarc(["config", "check", &config]);
    assert_eq!((checked.code, checked.stdout.as_str()), (78, ""));
    insta::assert_snapshot!(fixture.plain(&checked.stderr), @r#"
    DIR/rules.toml:1:1: rule.action: it is missing: write "accept", "quarantine" or "reject"
    DIR/rules.toml:1:1: rule.reason: it is missing: write why there is such a rule; reports tell it
    DIR/rules.toml:1:1: rule.owner: it is missing: write who answers for the rule
    DIR/rules.toml:3:1: rule.acton: unknown key, did you mean rule.action?
    "#);
    for arguments in [
        &["serve", "--config", &config][..],
        &["check", "--config", &config, "/dev/null"],
        &["rules", "list", "--config", &config],
        &["rules", "test", "--config", &config, "/dev/null"],
    ] {
        let ran = landmarc(arguments);
        assert_eq!(
            (ran.code, &ran.stderr, ran.stdout.as_str()),
            (78, &checked.stderr, "")
        );
    }
}

#[test]
fn mistakes_of_the_settings_and_of_the_rules_are_told_together() {
    let fixture = Fixture::new("both", "[[rule]]\nwat = 1\n");
    let rules = fixture.path("rules.toml");
    let config = fixture.write(
        "both.toml",
        &format!("action.rules_file = \"{rules}\"\nmode = \"no\"\n"),
    );
    let ran = landmarc(["config", "check", &config]);
    assert_eq!(ran.code, 78);
    let places: Vec<_> = ran
        .stderr
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(places[0], format!("{config}:2:8:"));
    assert!(
        places[1..].iter().all(|place| place.starts_with(&rules)),
        "{places:?}"
    );
    assert!(ran.stderr.contains("rule.wat: unknown key"), "{}", ran.stderr);
}

#[test]
fn a_rules_file_that_is_asked_for_and_absent_is_a_mistake_of_the_settings() {
    let fixture = Fixture::new("absent", "");
    let config = fixture.write(
        "absent.toml",
        "[action]\nrules_file = \"/nonexistent/rules.toml\"\n",
    );
    let ran = landmarc(["serve", "--config", &config]);
    assert_eq!(ran.code, 78);
    insta::assert_snapshot!(
        fixture.plain(&ran.stderr),
        @r#"DIR/absent.toml:2:14: action.rules_file: /nonexistent/rules.toml: No such file or directory (os error 2); create it, or set it to """#
    );
}

#[test]
fn expired_rules_are_warned_about_and_are_no_mistakes() {
    let expired = RULES.replace("2999-12-31", "2020-01-31");
    let fixture = Fixture::new("expired", &expired);
    let ran = landmarc(["config", "check", &fixture.path("landmarc.toml")]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(
        fixture.plain(&ran.stderr),
        @"DIR/rules.toml:2:1: rule acme-newsletter: warning: applies no more since the end of 2020-01-31: anna can take it out"
    );
}

/// The whole way: the rule decides about a message, the log and the store name it, a broken file
/// changes nothing, and a new one is taken up.
#[test]
fn a_running_service_goes_by_its_rules_and_keeps_them_when_the_new_ones_are_broken() {
    let fixture = Fixture::new("serve", RULES);
    let dns = DnsServer::start(landmarc_testkit::txt_zones(&[
        ("_dmarc.example.com", "v=DMARC1; p=reject"),
        ("example.com", "v=spf1 -all"),
    ]));
    let settings = format!(
        "mode = \"enforce\"\naction.rules_file = \"{}\"\nstore.directory = \"{}\"\n",
        fixture.path("rules.toml"),
        fixture.path("store")
    );
    let service = Service::start("rules-service", Socket::Inet, dns.addr(), &settings);
    let deliver = |queue_id: &str, rcpt: &str| {
        let mut mail = Mail::plain();
        for (name, value) in &mut mail.macros {
            if name == "i" {
                *value = queue_id.to_owned();
            }
        }
        mail.rcpt_to = vec![rcpt.to_owned()];
        let mut mta = Mta::connect(&for_mta(service.milter())).unwrap();
        let verdict = mta.deliver(&mail).unwrap().verdict;
        (verdict, service.message(queue_id))
    };
    let (verdict, line) = deliver("A1", "<reader@example.net>");
    assert_eq!(verdict, Verdict::Accept);
    line.says("dmarc=fail rule=acme-newsletter disposition=none override=local_policy action=accept");

    let broken = service_reload(&service, &fixture, "[[rule]]\nname = \"r\"\n", &settings);
    assert!(broken.contains("ERROR not reloaded"), "{broken}");
    let mistake = service.wait_for_line("rules.toml:1:1: rule.action: it is missing");
    assert!(mistake.contains("ERROR"), "{mistake}");
    let (verdict, line) = deliver("A2", "<reader@example.net>");
    assert_eq!(verdict, Verdict::Accept);
    line.says("rule=acme-newsletter");

    // The second rule first: of two that hold, the first in the file decides.
    let (first, second) = RULES.trim().split_once("\n\n").unwrap();
    let turned = service_reload(&service, &fixture, &format!("{second}\n{first}\n"), &settings);
    assert!(turned.contains("configuration reloaded"), "{turned}");
    let (verdict, line) = deliver("A3", "<Accounting@example.net>");
    assert!(
        matches!(&verdict, Verdict::Reply(text) if text.starts_with("550 5.7.1 Email rejected")),
        "{verdict:?}"
    );
    line.says("dmarc=fail rule=no-invoices disposition=reject action=reject");

    let listed = fixture.rules("list", &["--json"]);
    let hits = |name: &str| {
        let objects = listed
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut of_name = objects.filter(|object| object["name"] == name);
        of_name.next().map(|object| object["hits"].clone())
    };
    assert_eq!(listed.stderr, "");
    assert_eq!(hits("acme-newsletter"), Some(2.into()));
    assert_eq!(hits("no-invoices"), Some(1.into()));
}

fn service_reload(service: &Service, fixture: &Fixture, rules: &str, settings: &str) -> String {
    fixture.write("rules.toml", rules);
    service.reload(settings)
}

#[test]
fn a_list_without_a_database_says_so_and_lists_all_the_same() {
    let fixture = Fixture::new("list", RULES);
    let ran = fixture.rules("list", &[]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.stderr.starts_with("landmarc: warning: hits "),
        "{}",
        ran.stderr
    );
    insta::assert_snapshot!(ran.stdout, @r#"
    name             action  state   expires     hits  last_hit  owner
    acme-newsletter  accept  active  2999-12-31  -     -         anna
    no-invoices      reject  active  -           -     -         ben
    "#);
    let objects = fixture.rules("list", &["--json"]);
    insta::assert_snapshot!(objects.stdout, @r#"
    {"name":"acme-newsletter","action":"accept","state":"active","expires":"2999-12-31","hits":null,"known_since":null,"last_hit":null,"owner":"anna","reason":"contract 4711","override":"local_policy","line":2}
    {"name":"no-invoices","action":"reject","state":"active","expires":null,"hits":null,"known_since":null,"last_hit":null,"owner":"ben","reason":"forged in every case so far","override":"other","line":11}
    "#);

    let empty = Fixture::new("list-empty", "# none\n");
    let ran = empty.rules("list", &[]);
    assert_eq!(
        (ran.code, empty.plain(&ran.stdout).as_str()),
        (0, "DIR/rules.toml: no rules\n")
    );
}

#[test]
fn a_trial_tells_which_rule_decides_and_why_the_others_do_not() {
    let fixture = Fixture::new("test", RULES);
    let ran = fixture.test(&["--ip", "192.0.2.7", "--mail-from", "a@example.com"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stdout, @r#"
    example.com: dmarc=fail
      acme-newsletter: matches, accept
      no-invoices: no, recipient: the message has no known recipients (--rcpt)
      decides: acme-newsletter
      done: accept (disposition none, override local_policy: contract 4711)
      without it: reject (disposition reject)
    "#);
    // None decides: what is missing on the command line is named.
    let ran = fixture.test(&["--rcpt", "reader@example.net"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(ran.stdout, @r#"
    example.com: dmarc=fail
      acme-newsletter: no, client: the message has no known client (--ip)
      no-invoices: no, recipient: the message has reader@example.net
      decides: no rule
      done: quarantine (disposition quarantine, override local_policy: RFC 9989 section 7.4: no evidence besides p=reject)
    "#);
}

#[test]
fn a_trial_in_json_has_every_rule_and_both_ends() {
    let fixture = Fixture::new("test-json", RULES);
    let ran = fixture.test(&[
        "--json",
        "--ip",
        "198.51.100.7",
        "--rcpt",
        "accounting@example.net",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let pretty = serde_json::to_string_pretty(&ran.json()).unwrap();
    insta::assert_snapshot!(pretty, @r#"
    {
      "file": null,
      "author_domain": "example.com",
      "dmarc": "fail",
      "rules": [
        {
          "name": "acme-newsletter",
          "action": "accept",
          "owner": "anna",
          "matches": false,
          "condition": "client",
          "found": "198.51.100.7"
        },
        {
          "name": "no-invoices",
          "action": "reject",
          "owner": "ben",
          "matches": true,
          "condition": null,
          "found": null
        }
      ],
      "decides": "no-invoices",
      "effect": "hardened",
      "done": {
        "action": "reject",
        "disposition": "reject",
        "overrides": [
          {
            "type": "other",
            "comment": "forged in every case so far"
          }
        ]
      },
      "without": {
        "action": "quarantine",
        "disposition": "quarantine",
        "overrides": [
          {
            "type": "local_policy",
            "comment": "RFC 9989 section 7.4: no evidence besides p=reject"
          }
        ]
      }
    }
    "#);
}

#[test]
fn a_trial_at_the_end_of_the_last_day_and_after_it() {
    let fixture = Fixture::new("test-expiry", &RULES.replace("2999-12-31", "2027-03-31"));
    let (zones, message) = (fixture.path("zones.json"), fixture.path("m.eml"));
    let decides = |now: &str| {
        let rest = [
            "--json",
            "--ip",
            "192.0.2.7",
            "--dns",
            &zones,
            "--now",
            now,
            &message,
        ];
        let ran = fixture.rules("test", &rest);
        (ran.code, ran.json()["decides"].clone())
    };
    assert_eq!(decides("1806537599"), (0, "acme-newsletter".into()));
    assert_eq!(decides("1806537600"), (1, Value::Null));
}

/// Decision D5: rules are tried before they are in force, by every command that judges or lists.
#[test]
fn rules_of_another_file_are_tried_without_settings_that_name_them() {
    let fixture = Fixture::new("other-file", "# none yet\n");
    let other = fixture.write("new.toml", RULES);
    let ran = fixture.test(&["--rules", &other, "--ip", "192.0.2.7"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.contains("decides: acme-newsletter"), "{}", ran.stdout);
    assert_eq!(
        fixture.test(&["--ip", "192.0.2.7"]).code,
        1,
        "those of the settings are none"
    );

    let listed = fixture.rules("list", &["--rules", &other]);
    assert!(listed.stdout.contains("no-invoices"), "{}", listed.stdout);

    let (config, zones, message) = (
        fixture.path("landmarc.toml"),
        fixture.path("zones.json"),
        fixture.path("m.eml"),
    );
    let checked = landmarc([
        "check",
        "--json",
        "--config",
        &config,
        "--rules",
        &other,
        "--dns",
        &zones,
        "--ip",
        "192.0.2.7",
        &message,
    ]);
    assert_eq!(checked.json()["rule"]["name"], "acme-newsletter");
}

/// Decision D7: what the service does not judge is judged here, and that is said.
#[test]
fn a_trial_of_what_the_service_would_not_judge_says_so() {
    let fixture = Fixture::new("skipped", RULES);
    let printed = |settings: &str, rest: &[&str]| {
        let rules = fixture.path("rules.toml");
        let config =
            format!("authserv_id = \"mx.example.net\"\naction.rules_file = \"{rules}\"\n{settings}\n");
        fixture.write("landmarc.toml", &config);
        fixture.test(rest).stderr
    };
    let ours = "clients.trusted_networks = [\"192.0.2.0/24\"]";
    insta::assert_snapshot!(
        printed(ours, &["--ip", "192.0.2.7"]),
        @"landmarc: the service would not judge this client: trusted_network (clients.*)"
    );
    assert_eq!(printed(ours, &["--ip", "198.51.100.7"]), "");
    let recipients = "clients.skip_recipients = [\"abuse@example.net\"]";
    insta::assert_snapshot!(
        printed(recipients, &["--rcpt", "abuse@example.net"]),
        @"landmarc: the service would not judge this message: recipient (clients.*)"
    );
    let both = ["--rcpt", "abuse@example.net", "--rcpt", "b@example.net"];
    assert_eq!(printed(recipients, &both), "");
    insta::assert_snapshot!(
        printed("clients.skip_author_domains = [\"example.com\"]", &[]),
        @"landmarc: the service would not judge this message: author_domain (clients.*)"
    );
}

#[test]
fn a_file_of_rules_to_be_tried_must_be_there_and_right() {
    let fixture = Fixture::new("other-wrong", RULES);
    let broken = fixture.write("broken.toml", "[[rule]]\nwat = 1\n");
    let ran = fixture.test(&["--rules", &broken]);
    assert_eq!(ran.code, 78);
    assert!(
        fixture
            .plain(&ran.stderr)
            .contains("DIR/broken.toml:2:1: rule.wat: unknown key"),
        "{}",
        ran.stderr
    );
    let ran = fixture.test(&["--rules", "/nonexistent/rules.toml"]);
    assert_eq!(ran.code, 78);
    insta::assert_snapshot!(ran.stderr, @"/nonexistent/rules.toml: No such file or directory (os error 2)");
}

#[test]
fn check_goes_by_the_rules_and_explains_them() {
    let fixture = Fixture::new("check", RULES);
    let (config, zones, message) = (
        fixture.path("landmarc.toml"),
        fixture.path("zones.json"),
        fixture.path("m.eml"),
    );
    let check = |rest: &[&str]| {
        let fixed = [
            "check",
            "--config",
            &config,
            "--dns",
            &zones,
            "--ip",
            "192.0.2.7",
            "--mode",
            "enforce",
            &message,
        ];
        landmarc([&fixed, rest].concat())
    };
    let object = check(&["--json"]).json();
    assert_eq!(object["action"], "accept");
    insta::assert_snapshot!(object["rule"], @r#"{"name":"acme-newsletter","owner":"anna","reason":"contract 4711","effect":"softened","without":"quarantine"}"#);
    let explanation = check(&["--explain"]).stdout;
    let printed: Vec<_> = explanation
        .lines()
        .filter(|line| line.contains("acme-newsletter"))
        .collect();
    insta::assert_snapshot!(printed.join("\n"), @r#"
      The rule acme-newsletter of this server decides (owner anna, override local_policy): contract 4711.
      - When such mail passes by itself, the rule acme-newsletter is not needed any more: anna can take it
    "#);
}
