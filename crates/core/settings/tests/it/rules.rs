//! The file of the operator's rules: what may be written, and every mistake at its line.

use landmarc_receiver::disposition::OverrideKind;
use landmarc_receiver::rule::{ResultWord, RuleAction};
use landmarc_settings::rules::{MAX_ENTRIES, MAX_RULES, OperatorRule, read, read_octets};
use landmarc_settings::{MAX_FILE_OCTETS, MAX_MISTAKES};

/// All keys of a rule.
const WHOLE: &str = r#"
[[rule]]
name = "acme-newsletter"
author_domain = ["acme.example", "*.acme.example"]
dkim_domain = ["esp.example"]
client = ["192.0.2.0/24", "2001:db8::1"]
client_name = ["*.out.example"]
list_id = ["list.example"]
arc_sealer = ["lists.example"]
recipient = ["example.org", "postmaster@example.org"]
result = ["fail", "permerror"]
action = "accept"
override = "trusted_forwarder"
reason = "contract 4711"
owner = "anna"
expires = 2027-03-31
"#;

fn rules(text: &str) -> Vec<OperatorRule> {
    let read = read(text).map_err(|mistakes| mistakes.render("f"));
    read.expect("this file is right").0
}

fn told(text: &str) -> String {
    read(text).expect_err("this file has mistakes").render("f")
}

/// A rule that is right, but for these lines in place of, or beside, its own.
fn rule_with(lines: &str) -> String {
    let mut text = String::from("[[rule]]\n");
    let own = [
        ("name", "\"r\""),
        ("client", "[\"192.0.2.1\"]"),
        ("action", "\"reject\""),
        ("reason", "\"why\""),
        ("owner", "\"who\""),
    ];
    for line in lines.lines() {
        text.push_str(&format!("{line}\n"));
    }
    let is_given = |key: &str| lines.lines().any(|line| line.starts_with(&format!("{key} =")));
    for (key, value) in own.into_iter().filter(|(key, _)| !is_given(key)) {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text
}

#[test]
fn a_whole_rule() {
    let rules = rules(WHOLE);
    let [rule] = rules.as_slice() else {
        panic!("{rules:?}");
    };
    assert_eq!(rule.name.as_str(), "acme-newsletter");
    assert_eq!(rule.action, RuleAction::Accept);
    assert_eq!(rule.override_type, OverrideKind::TrustedForwarder);
    assert_eq!(rule.result, [ResultWord::Fail, ResultWord::PermError]);
    assert_eq!(
        (rule.reason.as_str(), rule.owner.as_str()),
        ("contract 4711", "anna")
    );
    assert_eq!(rule.expires.unwrap().to_string(), "2027-03-31");
    assert_eq!(rule.place.line, 2);
    let conditions = &rule.conditions;
    let counts = [
        conditions.author_domain.len(),
        conditions.dkim_domain.len(),
        conditions.client.len(),
        conditions.client_name.len(),
        conditions.list_id.len(),
        conditions.arc_sealer.len(),
        conditions.recipient.len(),
    ];
    assert_eq!(counts, [2, 1, 2, 1, 1, 1, 2]);
}

#[test]
fn what_is_not_written_is_at_its_default() {
    for empty in ["", "# nothing\n", "\u{feff}", "rule = []\n"] {
        assert_eq!(read(empty).unwrap(), (Vec::new(), Vec::new()), "{empty:?}");
    }
    let rules = rules(&rule_with(""));
    assert_eq!(rules[0].result, [ResultWord::Fail]);
    assert_eq!(rules[0].override_type, OverrideKind::LocalPolicy);
    assert_eq!(rules[0].expires, None);
}

#[test]
fn rules_stay_in_the_order_of_the_file() {
    let text = ["z", "a", "m"]
        .map(|name| rule_with(&format!("name = \"{name}\"")))
        .concat();
    let names: Vec<String> = rules(&text).iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["z", "a", "m"]);
}

/// Each mistake alone: the lines of a rule, and what is told. The rule begins at line 1, so the
/// first line given is line 2.
#[test]
fn each_mistake_is_told_at_its_line() {
    for (lines, expected) in [
        (
            "action = \"accpt\"",
            "f:2:10: rule.action: \"accpt\" is no choice; allowed: \"accept\", \"quarantine\", \"reject\"",
        ),
        (
            "override = \"policy_test_mode\"",
            "f:2:12: rule.override: \"policy_test_mode\" is no choice; allowed: \"local_policy\", \
             \"mailing_list\", \"trusted_forwarder\", \"other\"",
        ),
        (
            "result = [\"fail\", \"softfail\"]",
            "f:2:19: rule.result: \"softfail\" is no choice; allowed: \"none\", \"pass\", \"fail\", \
             \"temperror\", \"permerror\"",
        ),
        (
            "result = [\"fail\", \"temperror\"]",
            "f:2:10: rule.result: a message cannot be refused because DNS did not answer; leave out \
             \"temperror\", or write action = \"quarantine\"",
        ),
        (
            "result = []",
            "f:2:10: rule.result: the list is empty; leave it out, or write what it is about",
        ),
        (
            "client = []",
            "f:2:10: rule.client: the list is empty; leave it out, or write what it is about",
        ),
        (
            "client = \"192.0.2.1\"",
            "f:2:10: rule.client: \"192.0.2.1\" is no list of networks; allowed: in brackets, each an address \
             or network such as \"192.0.2.1\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
        ),
        (
            "client = [\"192.0.2.1/24\"]",
            "f:2:11: rule.client: \"192.0.2.1/24\" is no network: the address has bits set beyond the prefix, \
             did you mean \"192.0.2.0/24\"?; allowed: an address or network such as \"192.0.2.1\", \
             \"192.0.2.0/24\" or \"2001:db8::/32\"",
        ),
        (
            "author_domain = [\"acme.example\", \"*acme.example\"]",
            "f:2:34: rule.author_domain: \"*acme.example\" is no domain name or pattern: the character '*' \
             cannot be in a domain name; allowed: a domain name such as \"example.com\", or \"*.example.com\" \
             for the names below it",
        ),
        (
            "recipient = [\"@example.org\"]",
            "f:2:14: rule.recipient: \"@example.org\" is no recipient: there is nothing before the \"@\"; \
             allowed: an address such as \"postmaster@example.org\", a domain, or \"*.example.org\" for the \
             domains below one",
        ),
        (
            "name = \"No Name\"",
            "f:2:8: rule.name: \"No Name\" is no name of a rule: the character 'N' cannot be in it; allowed: \
             1 to 64 lower-case letters, digits, \"-\" and \"_\"",
        ),
        (
            "expires = \"2027-03-31\"",
            "f:2:11: rule.expires: \"2027-03-31\" is no date; allowed: a day such as 2027-03-31, without quotes",
        ),
        (
            "reason = \"\"",
            "f:2:10: rule.reason: \"\" is no reason: it is empty; allowed: one line of at most 200 octets",
        ),
        (
            "author_domian = [\"acme.example\"]",
            "f:2:1: rule.author_domian: unknown key, did you mean rule.author_domain?",
        ),
        ("wat = 1", "f:2:1: rule.wat: unknown key"),
        (
            "expires = 2027-02-30",
            "f:2:11: rule.expires: invalid date, expected day between 01 and 28, in \"expires = 2027-02-30\"",
        ),
    ] {
        assert_eq!(told(&rule_with(lines)).trim_end(), expected, "{lines}");
    }
}

#[test]
fn what_is_missing_is_told_where_the_rule_begins() {
    insta::assert_snapshot!(told("\n[[rule]]\nresult = [\"none\"]\n"), @r#"
    f:2:1: rule.name: it is missing: give the rule a name, for the log and for commands
    f:2:1: rule.action: it is missing: write "accept", "quarantine" or "reject"
    f:2:1: rule.reason: it is missing: write why there is such a rule; reports tell it
    f:2:1: rule.owner: it is missing: write who answers for the rule
    f:2:1: rule: it has no condition, so it would hold for every message; name one, such as author_domain
    "#);
}

#[test]
fn all_mistakes_are_told_at_once_and_none_hides_another() {
    let text = format!(
        "rules = 1\n[mode]\nx = 1\n{}{}{}{}",
        rule_with("name = \"twice\""),
        rule_with("action = \"drop\"\nclient = [\"x\", \"y\"]"),
        rule_with("name = \"twice\"\nexpires = = 1"),
        rule_with("name = \"twice\""),
    );
    insta::assert_snapshot!(told(&text), @r#"
    f:1:1: rules: unknown key, did you mean rule?
    f:2:2: mode: unknown table
    f:11:10: rule.action: "drop" is no choice; allowed: "accept", "quarantine", "reject"
    f:12:11: rule.client: "x" is no network: it is not an IP address; allowed: an address or network such as "192.0.2.1", "192.0.2.0/24" or "2001:db8::/32"
    f:12:16: rule.client: "y" is no network: it is not an IP address; allowed: an address or network such as "192.0.2.1", "192.0.2.0/24" or "2001:db8::/32"
    f:17:8: rule.name: "twice" is the name of the rule at line 4 already
    f:18:11: rule.expires: extra `=`, expected nothing, in "expires = = 1"
    f:24:8: rule.name: "twice" is the name of the rule at line 4 already
    "#);
}

#[test]
fn a_list_of_rules_is_written_in_double_brackets() {
    insta::assert_snapshot!(
        told("[rule]\nname = \"r\"\n"),
        @"f:1:1: rule: a table stands where a list of rules is meant; begin each rule with [[rule]]"
    );
    insta::assert_snapshot!(
        told("rule = [1]\n"),
        @"f:1:9: rule: 1 stands where a list of rules is meant; begin each rule with [[rule]]"
    );
}

#[test]
fn an_accepting_rule_that_anybody_can_meet_is_warned_about() {
    let warned = |lines: &str| {
        let (_, warnings) = read(&rule_with(lines)).unwrap();
        warnings
            .iter()
            .map(|warning| warning.render("f"))
            .collect::<Vec<_>>()
    };
    let open = "action = \"accept\"\nauthor_domain = [\"acme.example\"]\nlist_id = [\"l.example\"]";
    let everybody = "client = [\"192.0.2.0/24\", \"0.0.0.0/0\"]";
    assert_eq!(
        warned(&format!("{open}\n{everybody}")),
        [
            "f:1:1: rule r: warning: accepts what anybody can write into a message; name what is verified as \
             well, such as dkim_domain, client or arc_sealer"
        ]
    );
    for closed in [
        open,
        &format!("{open}\n{everybody}\ndkim_domain = [\"esp.example\"]"),
        &format!("{open}\n{everybody}\nclient_name = [\"esp.example\"]"),
        &format!("{open}\n{everybody}\narc_sealer = [\"esp.example\"]"),
        &format!("{open}\n{everybody}\nrecipient = [\"abuse@here.example\"]"),
        "author_domain = [\"acme.example\"]\nclient = [\"0.0.0.0/0\"]\naction = \"quarantine\"",
    ] {
        assert_eq!(warned(closed), [""; 0], "{closed}");
    }
}

#[test]
fn a_file_has_at_most_a_thousand_rules() {
    let file = |count: usize| {
        let rule = |number: usize| rule_with(&format!("name = \"r{number}\""));
        (0..count).map(rule).collect::<String>()
    };
    assert_eq!(rules(&file(MAX_RULES)).len(), MAX_RULES);
    let line = MAX_RULES * 6 + 1;
    assert_eq!(
        told(&file(MAX_RULES + 1)),
        format!("f:{line}:1: rule: 1001 rules, at most 1000 are allowed\n")
    );
}

#[test]
fn a_list_has_at_most_a_thousand_entries() {
    let rule = |count: usize| {
        let entries: Vec<_> = (0..count).map(|n| format!("\"d{n}.example\"")).collect();
        rule_with(&format!("author_domain = [{}]", entries.join(",")))
    };
    assert_eq!(
        rules(&rule(MAX_ENTRIES))[0].conditions.author_domain.len(),
        MAX_ENTRIES
    );
    assert_eq!(
        told(&rule(MAX_ENTRIES + 1)),
        "f:2:17: rule.author_domain: 1001 entries, at most 1000 are allowed\n"
    );
}

#[test]
fn a_file_is_read_up_to_its_limit_and_as_utf8() {
    let at_limit = "#".repeat(MAX_FILE_OCTETS);
    assert_eq!(rules(&at_limit), []);
    assert_eq!(
        told(&format!("{at_limit}#")),
        "f:1:1: the file has 1048577 octets, at most 1048576 are read\n"
    );
    insta::assert_snapshot!(
        read_octets(b"# a\n\xff").unwrap_err().render("f"),
        @"f:2:1: the text is not UTF-8"
    );
    assert!(read_octets(WHOLE.as_bytes()).is_ok());
}

#[test]
fn a_file_of_the_wrong_kind_is_no_flood() {
    let text = String::from("x = 1\n") + &rule_with("a = 1").repeat(MAX_MISTAKES);
    let told = told(&text);
    assert_eq!(told.lines().count(), MAX_MISTAKES + 1);
    assert!(told.trim_end().ends_with(" more"), "{told}");
}
