//! Every kind of mistake: told at its line, with what is wrong and what is allowed, all at once.

use landmarc_settings::{
    MAX_FILE_OCTETS, MAX_MISTAKES, MistakeKind, Settings, key, read, read_checked, read_octets,
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

/// What is told of a file that is wrong.
fn told(text: &str) -> String {
    read(text).expect_err("this file has mistakes").render("f")
}

#[test]
fn rules_do_not_stand_in_the_settings() {
    let elsewhere = "rule: rules belong in the file that action.rules_file names";
    for text in [
        "[[rule]]\nname = \"r\"\n",
        "[rule]\nname = \"r\"\n",
        "rule = []\n",
    ] {
        let told = told(text);
        assert!(
            told.starts_with("f:1:") && told.ends_with(&format!("{elsewhere}\n")),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    assert_eq!(told("rule = 1\n").lines().count(), 1);
    assert!(told("rule = 1\n").contains("unknown key"));
    assert!(told("[action]\nrule = []\n").contains("action.rule: unknown key"));
}

#[test]
fn a_renamed_key_is_answered_with_what_it_is_called_now() {
    insta::assert_snapshot!(
        told("[report]\nmax_letter_size = \"1MiB\"\n"),
        @"f:2:1: report.max_letter_size: this key is now called report.max_message_size"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = told(
        r#"mode = "enforced"
authserv_id = "mx example"
colour = "red"

[milter]
listen = ["inet:127.0.0.1:8894", "", 5]
max_sesions = 5
max_sessions = 0
socket_mode = "rw"
idle_timeout = 30

[dns]
name_servers = ["192.0.2.53", "ns.example.com"]
question_timeout = "30s"
message_timeout = "20s"
failure_ttl = "10 minutes"

[mitler]
listen = []

[spf]
helo_check = "yes"

[dkim]
min_rsa_bits = 512
refused_domains = ["a..b"]

[clients]
trusted_networks = ["192.0.2.1/24", "localhost"]
trusted_names = ["*example.com", "mx.example.com"]
skip_author_domains = ["a@example.com"]
skip_recipients = ["example.com", "a b@example.com"]

[action]
quarantine_header = "X Quarantine"
reject_text = "no, {sender}"
reject_code = 450
reject_enhanced = "4.7.1"
copy_to = "postmaster"

[failures.dns]
code = 550
enhanced = "5.7.1"

[limits]
header_section = "1MB"
"#,
    );
    insta::assert_snapshot!(told, @r#"
    f:1:8: mode: "enforced" is no choice; allowed: "observe", "enforce"
    f:2:15: authserv_id: "mx example" is no authserv-id: the character ' ' cannot be in it; allowed: a name such as "mx.example.com", or "" for none
    f:3:1: colour: unknown key
    f:6:34: milter.listen: "" is no text: it is empty; allowed: one line
    f:6:38: milter.listen: 5 is no text; allowed: one line
    f:7:1: milter.max_sesions: unknown key, did you mean milter.max_sessions?
    f:8:16: milter.max_sessions: 0 is out of range; allowed: 1 to 100000
    f:9:15: milter.socket_mode: "rw" is no file mode: it is not in octal digits; allowed: "0000" to "0777", in octal
    f:10:16: milter.idle_timeout: 30 is no duration; allowed: "1m" to "1d"
    f:13:31: dns.name_servers: "ns.example.com" is no name server: it is not an IP address, with or without a port; allowed: an address such as "192.0.2.53", "192.0.2.53:5353", "2001:db8::53" or "[2001:db8::53]:5353"
    f:14:20: dns.question_timeout: "30s" is more than dns.message_timeout = "20s" (line 15); allowed: at most that
    f:16:15: dns.failure_ttl: "10 minutes" is no duration: unknown unit "minutes"; there are ms, s, m, h and d; allowed: "1s" to "5m"
    f:18:2: mitler: unknown table, did you mean milter?
    f:22:14: spf.helo_check: "yes" is no truth value; allowed: true or false
    f:25:16: dkim.min_rsa_bits: 512 is out of range; allowed: 1024 to 8192
    f:26:20: dkim.refused_domains: "a..b" is no domain name: a label is empty; allowed: a domain name such as "example.com"
    f:29:21: clients.trusted_networks: "192.0.2.1/24" is no network: the address has bits set beyond the prefix, did you mean "192.0.2.0/24"?; allowed: an address or network such as "192.0.2.1", "192.0.2.0/24" or "2001:db8::/32"
    f:29:37: clients.trusted_networks: "localhost" is no network: it is not an IP address; allowed: an address or network such as "192.0.2.1", "192.0.2.0/24" or "2001:db8::/32"
    f:30:18: clients.trusted_names: "*example.com" is no domain name or pattern: the character '*' cannot be in a domain name; allowed: a domain name such as "example.com", or "*.example.com" for the names below it
    f:31:24: clients.skip_author_domains: "a@example.com" is no domain name or pattern: the character '@' cannot be in a domain name; allowed: a domain name such as "example.com", or "*.example.com" for the names below it
    f:32:35: clients.skip_recipients: "a b@example.com" is no recipient: the character ' ' cannot be in it; allowed: an address such as "postmaster@example.org", a domain, or "*.example.org" for the domains below one
    f:35:21: action.quarantine_header: "X Quarantine" is no header field name: the character ' ' cannot be in it; allowed: printable ASCII without a colon, such as "X-Quarantine"
    f:36:15: action.reject_text: "no, {sender}" is no reply text: unknown placeholder {sender}; allowed: printable ASCII, at most 200 octets, with {author_domain}, {policy_domain}, {reason}, {client} or {id} to be filled in
    f:37:15: action.reject_code: 450 is out of range; allowed: 550 to 554
    f:38:19: action.reject_enhanced: "4.7.1" is no permanent status code: it does not start with "5.", and a refusal must; allowed: "5.0.0" to "5.999.999"
    f:39:11: action.copy_to: "postmaster" is no mail address: it has no "@"; allowed: an address such as "postmaster@example.com", or "" for none
    f:42:8: failures.dns.code: 550 is out of range; allowed: 400 to 459
    f:43:12: failures.dns.enhanced: "5.7.1" is no transient status code: it does not start with "4.", and a temporary failure must; allowed: "4.0.0" to "4.999.999"
    f:46:18: limits.header_section: "1MB" is no size: unknown unit "MB"; there are B, KiB, MiB and GiB; allowed: "16KiB" to "64MiB"
    "#);
}

#[test]
fn broken_syntax_is_told_line_by_line_and_hides_no_other_line() {
    insta::assert_snapshot!(told("mode = enforce\n[milter\nlisten = []\n[dns]\nfailure_ttl = 'abc\ncache_entries = -1\n"), @r#"
    f:1:8: mode: a value that is no number, true or false must be in quotes, in "mode = enforce"
    f:2:8: unclosed table, expected `]`, in "[milter"
    f:5:19: dns.failure_ttl: invalid literal string, expected `'`, in "failure_ttl = 'abc"
    f:6:17: dns.cache_entries: -1 is out of range; allowed: 0 to 10000000
    "#);
    insta::assert_snapshot!(told("mode = \"observe\"\nmode = \"enforce\"\n[spf]\n[dns]\n[spf]\n"), @r#"
    f:2:1: duplicate key, in "mode = \"enforce\""
    f:5:2: duplicate key, in "[spf]"
    "#);
    insta::assert_snapshot!(told("[dkim]\nclock_skew = 5m\nmax_signatures =\naccept_testing_keys\n= true\n"), @r#"
    f:2:14: dkim.clock_skew: a value that is no number, true or false must be in quotes, in "clock_skew = 5m"
    f:3:17: dkim.max_signatures: there is no value, in "max_signatures ="
    f:4:20: key with no value, expected `=`, in "accept_testing_keys"
    "#);
}

#[test]
fn a_table_is_no_value_and_a_value_no_table() {
    insta::assert_snapshot!(told("dns = 5\nmode = { a = 1 }\n[failures]\nbudget = \"accept\"\n[failures.dns.code]\n[[spf]]\n"), @r#"
    f:1:7: dns: 5 stands where a table is meant; write [dns] and its keys below
    f:2:8: mode: a table is no choice; allowed: "observe", "enforce"
    f:4:10: failures.budget: "accept" stands where a table is meant; write [failures.budget] and its keys below
    f:5:1: failures.dns.code: a table is no whole number; allowed: 400 to 459
    f:6:1: spf: a list stands where a table is meant; write [spf] and its keys below
    "#);
}

#[test]
fn an_unknown_name_is_quoted_where_it_could_confuse() {
    insta::assert_snapshot!(told("\"a b\" = 1\n\"\\u001b[31m\" = 1\n\"\" = 1\nzzzzzzzz = 1\n[dns.\"x\\ny\"]\n"), @r#"
    f:1:1: "a b": unknown key
    f:2:1: "\u{1b}[31m": unknown key
    f:3:1: "": unknown key
    f:4:1: zzzzzzzz: unknown key
    f:5:6: dns."x\ny": unknown table
    "#);
}

#[test]
fn numbers_at_and_past_their_range() {
    for (table, key, good, bad) in [
        ("milter", "max_sessions", ["1", "100000"], ["0", "100001"]),
        (
            "milter",
            "idle_timeout",
            ["\"1m\"", "\"1d\""],
            ["\"59999ms\"", "\"25h\""],
        ),
        (
            "dns",
            "question_timeout",
            ["\"100ms\"", "\"20s\""],
            ["\"99ms\"", "\"61s\""],
        ),
        ("dkim", "max_rsa_bits", ["4096", "8192"], ["4095", "8193"]),
        ("failures.dns", "code", ["400", "459"], ["399", "460"]),
        (
            "limits",
            "memory",
            ["\"16MiB\"", "\"1024GiB\""],
            ["16777215", "\"1025GiB\""],
        ),
    ] {
        for value in good {
            let text = format!("[{table}]\n{key} = {value}\n");
            assert!(read(&text).is_ok(), "{text}");
        }
        for value in bad {
            let told = told(&format!("[{table}]\n{key} = {value}\n"));
            assert!(
                told.contains(&format!("{table}.{key}: {value} is out of range; allowed: ")),
                "{told}"
            );
        }
    }
    insta::assert_snapshot!(
        told("config_version = 2"),
        @"f:1:18: config_version: 2 is out of range; allowed: 1"
    );
    // Too long for any integer type, and still only out of range.
    insta::assert_snapshot!(
        told("[dkim]\nmax_signatures = 99999999999999999999999999"),
        @"f:2:18: dkim.max_signatures: 99999999999999999999999999 is out of range; allowed: 1 to 100"
    );
}

#[test]
fn keys_that_contradict_each_other() {
    insta::assert_snapshot!(told("[dkim]\nmin_rsa_bits = 8192\nmax_rsa_bits = 4096\n"), @r#"f:2:16: dkim.min_rsa_bits: 8192 is more than dkim.max_rsa_bits = 4096 (line 3); allowed: at most that"#);
    insta::assert_snapshot!(told("[dns]\nmessage_timeout = \"2s\"\n"), @r#"f:2:19: dns.question_timeout: "5s" is more than dns.message_timeout = "2s" (line 2); allowed: at most that"#);
    insta::assert_snapshot!(told("[dns]\nquestion_timeout = \"25s\"\n"), @r#"f:2:20: dns.question_timeout: "25s" is more than dns.message_timeout = "20s" (its default); allowed: at most that"#);
    insta::assert_snapshot!(told("limits = { header_field = \"2MiB\", memory = \"16MiB\" }\n"), @r#"f:1:27: limits.header_field: "2MiB" is more than limits.header_section = "1MiB" (its default); allowed: at most that"#);
    insta::assert_snapshot!(told("limits = { header_section = \"32MiB\", memory = \"16MiB\" }\n"), @r#"f:1:29: limits.header_section: "32MiB" is more than limits.memory = "16MiB" (line 1); allowed: at most that"#);
    assert!(
        read("[dns]\nquestion_timeout = \"20s\"\n").is_ok(),
        "as long is no contradiction"
    );
}

#[test]
fn keys_of_reporting_that_contradict_each_other() {
    insta::assert_snapshot!(told(
        r#"[report]
email = "reports@example.com"
retry_first = "1d"
retry_longest = "12h"
give_up_after = "3d"
keep_days = 2
dkim_keys = ["a:/a.pem", "A:/b.pem"]
[report.delivery]
by = "directory"
relay = "mail.example.net:587"
password_file = "/etc/landmarc/password"
sendmail = ["sendmail", "{recipient}"]
[report.failure]
per_destination_minute = 300
per_day = 100
"#
    ), @r#"
    f:3:15: report.retry_first: "1d" is more than report.retry_longest = "12h" (line 4); allowed: at most that
    f:5:17: report.give_up_after: "3d" is more than report.keep_days = "2d" (line 6); allowed: at most that
    f:7:26: report.dkim_keys: the selector a has two keys; a selector has one (RFC 6376 §3.6.2.2)
    f:9:6: report.delivery.by: "directory" needs report.delivery.directory, the directory that messages are written into
    f:11:17: report.delivery.password_file: a password is of no use without report.delivery.user
    f:12:13: report.delivery.sendmail: the program must be a path that starts with "/"
    f:14:26: report.failure.per_destination_minute: 300 is more than report.failure.per_destination_day = 200 (its default); allowed: at most that
    f:15:11: report.failure.per_destination_day: 200 is more than report.failure.per_day = 100 (line 15); allowed: at most that
    "#);
    insta::assert_snapshot!(told("report = { dkim_keys = ['a:/a', 'b:/b', 'c:/c'] }"), @r#"f:1:24: report.dkim_keys: 3 keys, at most 2 are allowed"#);
    insta::assert_snapshot!(told("[report]\ndelivery = { user = 'reporter', sendmail = [] }"), @r#"
    f:2:21: report.delivery.user: signing in needs report.delivery.password_file too
    f:2:44: report.delivery.sendmail: there is no program in it
    "#);
    // Of a directory that cannot be read nobody says that it is missing.
    insta::assert_snapshot!(
        told("[report.delivery]\nby = 'directory'\ndirectory = 'here'\n"),
        @r#"f:3:13: report.delivery.directory: "here" is no path: it does not start with "/"; allowed: a path that starts with "/", or "" for none"#
    );
    assert!(
        read("[report]\nkeep_days = 4\n").is_ok(),
        "as long is no contradiction"
    );
}

/// RFC 4954 §4.
#[test]
fn a_password_goes_to_no_other_host_in_the_clear() {
    let with = |rest: &str| {
        format!("[report.delivery]\nuser = 'reporter'\npassword_file = '/etc/landmarc/password'\n{rest}")
    };
    insta::assert_snapshot!(told(&with("relay = 'mail.example.net:587'\n")), @r#"f:2:8: report.delivery.user: the password would go to mail.example.net in the clear: report.delivery.tls must be "required" or "implicit""#);
    for safe in [
        "relay = '127.0.0.1:25'",
        "relay = '[::1]:25'\ntls = 'none'",
        "relay = 'mail.example.net:587'\ntls = 'required'",
        "relay = 'mail.example.net:465'\ntls = 'implicit'",
        "relay = 'mail.example.net:587'\nby = 'sendmail'",
    ] {
        assert!(read(&with(safe)).is_ok(), "{safe}");
    }
}

#[test]
fn a_return_path_has_room_for_a_token() {
    let email = |length: usize| format!("[report]\nemail = \"{}@example.com\"\n", "a".repeat(length));
    assert!(read(&email(39)).is_ok());
    insta::assert_snapshot!(told(&email(40)), @r#"f:2:9: report.email: it has 40 octets before its "@", and a token of ours leaves room for 39; set report.return_path to a shorter address"#);
    let without = email(64) + "return_path_delimiter = \"\"\n";
    assert!(read(&without).is_ok(), "without a delimiter there is no token");
    insta::assert_snapshot!(told("[report]\nemail = 'r@example.com'\nreturn_path = '\"a b\"@example.com'\n"), @r#"f:3:15: report.return_path: what is in quotes before its "@" cannot take a token of ours; set report.return_path to another address"#);
}

#[test]
fn the_program_for_messages_is_a_path_and_knows_the_recipient() {
    let sendmail = |list: &str| format!("[report.delivery]\nsendmail = {list}\n");
    for list in [
        "['/usr/bin/msmtp', '{recipient}']",
        "['/usr/sbin/sendmail', '-f{return_path}', '--', '{recipient}']",
    ] {
        assert!(read(&sendmail(list)).is_ok(), "{list}");
    }
    let mistakes: String = [
        "[]",
        "['']",
        "['/usr/sbin/sendmail', '-t']",
        "['/bin/{recipient}']",
        "['/usr/sbin/sendmail', '{recipient}', '{sender}']",
        "['/usr/sbin/sendmail', '{recipient']",
    ]
    .iter()
    .map(|list| told(&sendmail(list)))
    .collect();
    insta::assert_snapshot!(mistakes, @r#"
    f:2:12: report.delivery.sendmail: there is no program in it
    f:2:13: report.delivery.sendmail: "" is no text: it is empty; allowed: one line
    f:2:12: report.delivery.sendmail: {recipient} is in none of its arguments, so the program would not know whom to write to
    f:2:12: report.delivery.sendmail: {recipient} is in none of its arguments, so the program would not know whom to write to
    f:2:50: report.delivery.sendmail: it has braces that mean nothing; there are {return_path} and {recipient}
    f:2:35: report.delivery.sendmail: it has braces that mean nothing; there are {return_path} and {recipient}
    "#);
}

#[test]
fn a_key_without_a_value_contradicts_nothing() {
    insta::assert_snapshot!(
        told("[dns]\nquestion_timeout = 3\nmessage_timeout = \"2s\"\n"),
        @r#"f:2:20: dns.question_timeout: 3 is no duration; allowed: "100ms" to "1m""#
    );
}

#[test]
fn a_hundred_mistakes_are_told_and_the_rest_counted() {
    let file = |count: usize| {
        (0..count)
            .map(|index| format!("x{index} = 1\n"))
            .collect::<String>()
    };
    let at_limit = read(&file(MAX_MISTAKES)).unwrap_err();
    assert_eq!(at_limit.0.len(), MAX_MISTAKES);
    assert!(!at_limit.render("f").contains("more"));

    let past_it = read(&file(MAX_MISTAKES + 1)).unwrap_err();
    assert_eq!(past_it.0.len(), MAX_MISTAKES + 1);
    assert!(
        past_it
            .render("f")
            .ends_with("f:100:1: x99: unknown key\nf:101:1: and 1 more\n")
    );
}

#[test]
fn what_only_the_program_knows_is_refused_at_its_line() {
    let (settings, _) = read("[milter]\nlisten = [\n  \"inet:127.0.0.1:8894\",\n  \"inet\",\n]\n").unwrap();
    assert_eq!(settings.line_of(key!(milter.listen)), Some(2));
    assert_eq!(settings.line_of(key!(server.user)), None);
    let second = settings.refuse(key!(milter.listen), Some(1), "\"inet\" has no port");
    assert_eq!(second.render("f"), "f:4:3: milter.listen: \"inet\" has no port");
    let whole = settings.refuse(key!(milter.listen), None, "no socket can be opened");
    insta::assert_snapshot!(whole.render("f"), @"f:2:10: milter.listen: no socket can be opened");

    let default = Settings::default().refuse(key!(server.user), Some(7), "no such user");
    assert_eq!(default.render("f"), "f: server.user: no such user");
}

#[test]
fn octets_that_are_no_text_are_told_where_they_are() {
    insta::assert_snapshot!(
        read_octets(b"mode = \"observe\"\n# \xc3\xbc \xff\n")
            .unwrap_err()
            .render("f"),
        @"f:2:5: the text is not UTF-8"
    );
    assert!(read_octets("# ü\n".as_bytes()).is_ok());
}

#[test]
fn files_of_one_kind_of_trouble_are_bounded() {
    let fill = |unit: &str| unit.repeat(10_000);
    for text in [
        fill("x\n"),
        fill("[a]\n"),
        format!("a = {}", fill("[")),
        format!("[milter]\nlisten = [{}]", fill("5,")),
        // As deep as a file can be: nothing may recurse so far.
        "[".repeat(MAX_FILE_OCTETS),
        "a.".repeat(100_000),
        format!(
            "spf = {{ {} }}",
            (0..10_000)
                .map(|index| format!("x{index}=1,"))
                .collect::<String>()
        ),
    ] {
        let mistakes = read(&text).unwrap_err();
        assert!(mistakes.0.len() <= MAX_MISTAKES + 1);
        for mistake in &mistakes.0 {
            assert!(!matches!(mistake.wrong, MistakeKind::FileTooLong { .. }));
            assert!(mistake.render("f").len() < 1000, "{}", mistake.render("f").len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_octets(&octets);
    }

    #[test]
    fn no_toml_makes_it_panic(text in "(\\[{1,2}(dns|milter|failures\\.dns|x)\\]{1,2}\n|(mode|listen|code|question_timeout|a\\.b) ?= ?(\"[^\n]{0,5}\"|[-0-9]{1,4}|\\[[^\n]{0,6}\\]?|\\{ ?\\}?|'[ms]'|)\n){0,8}") {
        if let Err(mistakes) = read(&text) {
            let lines = text.lines().count() + 1;
            assert!(!mistakes.0.is_empty());
            assert!(mistakes.0.iter().all(|mistake| mistake.place.is_some_and(|place| place.line <= lines)));
        }
    }
}

#[test]
fn what_the_program_refuses_is_told_with_the_rest_but_not_twice() {
    let refuse = |settings: &Settings| {
        vec![
            settings.refuse("milter.listen", Some(1), "is no socket"),
            settings.refuse("dmarc.public_suffix_list", None, "is not there"),
        ]
    };
    let file = b"[dmarc]\npublic_suffix_list = 5\n[milter]\nlisten = [\"a\", \"b\"]\n[wat]\n";
    let mistakes = read_checked(file, refuse).unwrap_err().render("f");
    let lines: Vec<_> = mistakes.lines().collect();
    assert_eq!(lines.len(), 3, "{mistakes}");
    assert!(
        lines[0].starts_with("f:2:22: dmarc.public_suffix_list: "),
        "{mistakes}"
    );
    assert_ne!(lines[0], "f:2:22: dmarc.public_suffix_list: is not there");
    assert_eq!(lines[1], "f:4:16: milter.listen: is no socket");
    assert_eq!(lines[2], "f:5:2: wat: unknown table");
}

#[test]
fn a_value_that_the_parser_made_up_is_not_told_of() {
    let mistakes = read("mode = \"observe\"\n[log]\nlevel = = 3\n")
        .unwrap_err()
        .render("f");
    assert_eq!(
        mistakes,
        "f:3:9: log.level: extra `=`, expected nothing, in \"level = = 3\"\n"
    );
}

#[test]
fn a_fleet_hands_on_by_one_way_and_both_ends_show_who_they_are() {
    insta::assert_snapshot!(told(r#"[fleet]
database = "postgres://landmarc:secret@db.example/landmarc"
[collector]
listen = ["127.0.0.1:8896"]
certificate_file = "/etc/landmarc/collector.pem"
"#), @r#"
    f:2:12: fleet.database: it holds a password, which belongs into the file that fleet.password_file names
    f:4:10: collector.listen: it needs collector.key_file, collector.client_ca_file too: both ends show who they are
    "#);
    let push = "[fleet]\npush_to = 'https://collector.example:8896'\n";
    let database = "[fleet]\ndatabase = 'mysql://landmarc@db.example/landmarc'\nexport = true\n";
    let keys = "ca_file = '/a.pem'\ncertificate_file = '/c.pem'\nkey_file = '/k.pem'\n";
    insta::assert_snapshot!([told(push), told(database)].concat(), @"
    f:2:11: fleet.push_to: it needs fleet.ca_file, fleet.certificate_file, fleet.key_file too: both ends show who they are
    f:3:10: fleet.export: records are handed on by one way: fleet.database is set as well
    ");
    assert!(read(&format!("{push}{keys}")).is_ok());
    assert!(read(&format!("{push}{keys}export = true\n")).is_err());
}
