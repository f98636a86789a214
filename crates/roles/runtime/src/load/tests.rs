//! Files of settings, and the files that they name.

use super::*;

fn mistakes(text: &str) -> String {
    match read("f", text.as_bytes(), None) {
        Err(LoadError::Mistakes(lines)) => lines,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_socket_is_told_at_its_own_place() {
    insta::assert_snapshot!(
        mistakes("[milter]\nlisten = []\n"),
        @"f:2:10: milter.listen: without a socket no mail can be judged; name one here, or in check_api.listen or exim.listen"
    );
    let told = mistakes("[milter]\nlisten = [\"inet:1\", \"inet:x\",\n  \"unix:y\"]\n");
    let places: Vec<_> = told.lines().map(|line| line.split_whitespace().next()).collect();
    assert_eq!(places, [Some("f:2:21:"), Some("f:3:3:")], "{told}");
}

/// Who has another interface, or only lets the records of rspamd be read, needs no milter.
#[test]
fn one_interface_is_enough() {
    for other in [
        "check_api.listen = [\"inet:127.0.0.1:1\"]",
        "exim.listen = [\"unix:/run/x\"]",
        "rspamd.servers = [\"127.0.0.1:6379\"]",
    ] {
        let text = format!("milter.listen = []\n{other}\n");
        assert!(read("f", text.as_bytes(), None).is_ok(), "{other}");
    }
}

#[test]
fn what_would_keep_the_service_from_starting_is_told_by_the_check() {
    let told = mistakes(
        "[server]\nuser = \"no such user\"\n[milter]\nsocket_group = \"no such group\"\n\
         listen = [\"inet:1@127.0.0.1\", \"inet:127.0.0.1:1\"]\n",
    );
    insta::assert_snapshot!(told, @r#"
        f:2:8: server.user: there is no user "no such user" on this system
        f:4:16: milter.socket_group: there is no group "no such group" on this system
        f:5:31: milter.listen: inet:127.0.0.1:1 is there twice
        "#);
}

#[test]
fn a_socket_for_the_world_is_warned_about() {
    let warnings = |text: &str| read("f", text.as_bytes(), None).unwrap().warnings.len();
    assert_eq!(
        warnings("[milter]\nlisten = [\"inet:127.0.0.1:1\", \"inet:[::1]:2\", \"/run/x\"]\n"),
        0
    );
    assert_eq!(
        warnings("[milter]\nlisten = [\"inet:0.0.0.0:1\", \"inet:192.0.2.1:1\"]\n"),
        2
    );
}

#[test]
fn the_port_for_monitoring_is_checked_like_the_sockets() {
    insta::assert_snapshot!(mistakes("[web]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1\",\n  \"localhost:1\"]\n"), @r#"
        f:2:26: web.listen: "127.0.0.1" is no HTTP port: the port is missing; allowed: an address and port such as "127.0.0.1:8895" or "[::1]:8895"
        f:3:3: web.listen: "localhost:1" is no HTTP port: it is not an IP address with a port; allowed: an address and port such as "127.0.0.1:8895" or "[::1]:8895"
        "#);
    assert_eq!(
        mistakes("[web]\nlisten = [\"127.0.0.1:1\", \"[::1]:1\", \"127.0.0.1:1\"]\n"),
        "f:2:37: web.listen: 127.0.0.1:1 is there twice"
    );
    let warnings = |text: &str| read("f", text.as_bytes(), None).unwrap().warnings;
    assert!(warnings("[web]\nlisten = []\n").is_empty());
    assert!(warnings("[web]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\", \"[::1]:1\"]\n").is_empty());
    assert_eq!(
        warnings("[web]\nlisten = [\"0.0.0.0:1\"]\n"),
        ["f: web.listen: warning: 0.0.0.0:1 lets every host that reaches it read the metrics"]
    );
}

#[test]
fn a_list_that_is_named_must_be_there() {
    insta::assert_snapshot!(
        mistakes("[dmarc]\npublic_suffix_list = \"/nonexistent/list\"\n"),
        @r#"f:2:22: dmarc.public_suffix_list: /nonexistent/list: No such file or directory (os error 2); create it, or set it to """#
    );
    assert!(read("f", b"[dmarc]\npublic_suffix_list = \"\"\n", None).is_ok());
}

/// Settings that name a file of rules with this text, which is gone afterwards.
fn with_rules(test: &str, rules: &str, settings: &str) -> Result<Loaded, LoadError> {
    let path = std::env::temp_dir().join(format!("landmarc-load-{}-{test}.toml", std::process::id()));
    fs::write(&path, rules).unwrap();
    let text = format!("action.rules_file = \"{}\"\n{settings}", path.display());
    let loaded = read("f", text.as_bytes(), None);
    fs::remove_file(&path).unwrap();
    loaded
}

const RULE: &str = "[[rule]]\nname = \"r\"\nclient = [\"192.0.2.1\"]\naction = \"accept\"\n\
                    reason = \"why\"\nowner = \"anna\"\n";

#[test]
fn rules_come_from_the_file_that_the_settings_name() {
    let loaded = with_rules("right", RULE, "").unwrap();
    assert_eq!(loaded.operator.rules.len(), 1);
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.rules().operator[0].name, "r");

    let expired = format!("{RULE}expires = 2020-01-01\n");
    let loaded = with_rules("expired", &expired, "").unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].contains(".toml:1:1: rule r: warning: "));
    let logged = without_level(&loaded.warnings[0]);
    let logged = logged.split_once(".toml:").map_or("", |(_, logged)| logged);
    insta::assert_snapshot!(
        logged,
        @"1:1: rule r: applies no more since the end of 2020-01-01: anna can take it out"
    );
    // It lets nobody in any more, so that anybody could meet it is no concern.
    let open = expired.replace("client = [\"192.0.2.1\"]", "author_domain = [\"a.example\"]");
    assert_eq!(with_rules("open", &open, "").unwrap().warnings.len(), 1);
    let open = open.replace("2020", "2999");
    let warnings = with_rules("still-open", &open, "").unwrap().warnings;
    assert!(
        warnings.len() == 1 && warnings[0].contains("anybody can write"),
        "{warnings:?}"
    );
}

#[test]
fn mistakes_of_both_files_are_told_each_with_its_own_name() {
    let Err(LoadError::Mistakes(lines)) = with_rules("wrong", "[[rule]]\nx = 1\n", "mode = 3\n") else {
        panic!("it was read");
    };
    assert!(lines.starts_with("f:2:8: mode: 3 is no choice"), "{lines}");
    assert!(lines.contains("-wrong.toml:2:1: rule.x: unknown key"), "{lines}");
    assert!(
        lines.contains("-wrong.toml:1:1: rule.name: it is missing"),
        "{lines}"
    );
    let alone = with_rules("alone", "[[rule]]\nx = 1\n", "");
    assert!(matches!(alone, Err(LoadError::Mistakes(lines)) if !lines.contains("f:")));
}

#[test]
fn a_rules_file_that_is_named_must_be_there() {
    insta::assert_snapshot!(
        mistakes("[action]\nrules_file = \"/nonexistent/rules\"\n"),
        @r#"f:2:14: action.rules_file: /nonexistent/rules: No such file or directory (os error 2); create it, or set it to """#
    );
    assert!(mistakes("[action]\nrules_file = \"/\"\n").contains("Is a directory"));
    for none in ["rules_file = \"\"", "rules_file = \"/etc/landmarc/rules.toml\""] {
        let loaded = read("f", format!("[action]\n{none}\n").as_bytes(), None).unwrap();
        assert!(loaded.operator.rules.is_empty() && loaded.operator.file.is_none());
    }
}

#[test]
fn warnings_are_lines_that_name_the_file() {
    let loaded = read("f", b"[action]\nreject = \"always\"\n", None).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].starts_with("f:2:10: action.reject: warning: "));
}

#[test]
fn a_password_that_goes_to_redis_on_another_host_is_warned_of() {
    let warned = |server: &str, password: &str| {
        let text = format!("[rspamd]\nservers = [\"{server}\"]\n{password}");
        let warnings = read("f", text.as_bytes(), None).unwrap().warnings;
        // Everybody may read /dev/null, and that is warned of besides.
        warnings.iter().any(|warning| {
            warning.starts_with("f: rspamd.password_file: warning: ") && !warning.contains("open to others")
        })
    };
    let with = "password_file = \"/dev/null\"\n";
    assert!(warned("redis.example", with) && warned("192.0.2.1:6380", with));
    for local in [
        "localhost",
        "127.0.0.1:6379",
        "[::1]:6379",
        "unix:/run/redis.sock",
    ] {
        assert!(!warned(local, with), "{local}");
    }
    assert!(!warned("redis.example", ""));
}
