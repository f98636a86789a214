//! Files of rspamd as sites have them, and broken ones.

use super::*;

fn translated(files: &[(&str, &str)]) -> RspamdTranslation {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| ConfigFile {
            path,
            octets: text.as_bytes(),
        })
        .collect();
    translate(&files)
}

/// All lines as they would be told: what became of each.
fn told(translation: &RspamdTranslation) -> String {
    let mut text = String::new();
    for line in &translation.lines {
        let keys = line.keys.join(", ");
        text.push_str(&format!(
            "{}:{}: {} -> {keys} {}\n",
            line.file, line.line, line.option, line.note
        ));
    }
    for broken in &translation.broken {
        text.push_str(&format!("{broken}\n  {}\n", broken.remedy));
    }
    text
}

/// The document of rspamd 1.3 that this began with.
#[test]
fn r1_r4_the_settings_of_the_seed() {
    let translation = translated(&[(
        "rspamd.conf",
        "dmarc {\n  # Enables storing reporting information to redis\n  reporting = true;\n  \
         servers = \"127.0.0.1:6390\";\n  key_prefix = \"dmarc_\"; # Keys would have format of dmarc_domain.com\n}\n",
    )]);
    insta::assert_snapshot!(translation.toml, @r#"
        [rspamd]
        # rspamd.conf:4: dmarc.servers
        servers = ["127.0.0.1:6390"]

        # rspamd.conf:5: dmarc.key_prefix
        key_prefix = "dmarc_"
        "#);
    let (settings, _) = landmarc_settings::read(&translation.toml).unwrap();
    assert_eq!(settings.rspamd.servers, ["127.0.0.1:6390".parse().unwrap()]);
    let empty = translated(&[("modules.d/dmarc.conf", "dmarc {\n}\n")]);
    assert_eq!((empty.toml.as_str(), empty.broken.len()), ("", 0));
    insta::assert_snapshot!(empty.lines[0].note, @"nothing to switch on: every message is judged");
}

/// What rspamd can do, on each occasion that DMARC gives it.
#[test]
fn each_action_on_each_occasion_has_a_setting_or_a_reason() {
    let actions = [
        "reject",
        "quarantine",
        "add_header",
        "rewrite subject",
        "soft reject",
        "greylist",
        "no action",
        "accept",
        "discard",
    ];
    let mut text = String::new();
    for occasion in [
        "reject",
        "quarantine",
        "softfail",
        "na",
        "dnsfail",
        "badpolicy",
        "other",
    ] {
        for action in actions {
            let line = format!("dmarc {{ actions {{ {occasion} = \"{action}\"; }} }}\n");
            let translation = translated(&[("rspamd.conf", &line)]);
            let settings = translation.toml.lines().filter(|line| line.contains(" = "));
            let settings = settings.collect::<Vec<_>>().join(", ");
            let line = translation
                .lines
                .iter()
                .find(|line| line.option.ends_with(occasion));
            let note = &line.unwrap().note;
            text.push_str(&format!("{occasion} = {action}: [{settings}] {note}\n"));
        }
    }
    insta::assert_snapshot!(text);
}

/// Every option that 3.4 has, and those of 2.x that are called something else.
#[test]
fn r10_every_option_has_a_setting_or_a_reason() {
    let dmarc = "actions { reject = \"reject\"; quarantine = \"add_header\"; softfail = \"no action\"; na = greylist; \
                 dnsfail = \"soft reject\"; badpolicy = \"soft_reject\" }\n\
                 no_sampling_domains = \"$CONFDIR/maps.d/x.inc\";\n\
                 no_reporting_domains = [\"a.example\", \"b.example\"];\n\
                 symbols { allow = \"X\"; }\n\
                 check_local = true;\n\
                 reporting {\n  enabled = true;\n  email = \"dmarc@example.com\";\n  domain = \"example.com\";\n  \
                 org_name = \"Example \\\"Co\\\"\";\n  bcc_addrs = [\"a@example.com\"];\n  report_local_controller = false;\n  \
                 helo = \"mx.example.com\";\n  smtp = \"192.0.2.25\";\n  smtp_port = 587;\n  retries = 2;\n  \
                 from_name = \"DMARC\";\n  msgid_from = \"example.com\";\n  max_entries = 1k;\n  keys_expire = 2d;\n  \
                 only_domains = \"/x\";\n  exclude_domains = \"/etc/rspamd/no.inc\";\n  exclude_recipients = \"/y\";\n  \
                 exclude_rua_addresses = \"/z\";\n  redis_keys { index_prefix = \"idx\"; report_prefix = rpt; join_char = \";\"; }\n}\n\
                 munging { list_map = \"/m\"; mitigate_strict_only = false; munge_map_condition = \"x\"; }\n\
                 redis { read_servers = \"10.0.0.1:6380:10,[2001:db8::1]:6379:5\"; db = \"3\"; }\n\
                 surprise = 1;\n";
    let redis = "servers = \"master-slave:127.0.0.1,10.0.1.1\";\nwrite_servers = \"127.0.0.1\";\npassword = \"p\";\n\
                 username = \"reader\";\ntimeout = 1s;\ndb = \"0\";\nsentinels = \"x\";\nexpand_keys = true;\n\
                 disabled_modules = [\"ratelimit\"];\nbayes { servers = \"x\"; }\n";
    let other = "dmarc {\n  .include \"x\"\n}\noptions { dns { timeout = 1s; } }\nworker \"normal\" { }\n";
    let old = "report_settings {\n  additional_address = \"a@example.com\";\n  hscan_count = 200;\n  from_display_name = x;\n}\nsend_reports = true;\n";
    let translation = translated(&[
        ("/etc/rspamd/rspamd.conf", other),
        ("/etc/rspamd/local.d/redis.conf", redis),
        ("/etc/rspamd/local.d/dmarc.conf", dmarc),
        ("/etc/rspamd/override.d/dmarc.conf", old),
    ]);
    insta::assert_snapshot!(format!("{}\n{}", translation.toml, told(&translation)));
    let (settings, _) = landmarc_settings::read(&translation.toml).unwrap();
    assert_eq!(settings.rspamd.servers.len(), 2, "those to read from");
    assert_eq!(settings.rspamd.database, 3);
    assert!(
        !translation.toml.contains("\"p\""),
        "no password in a file that is shown around"
    );
    assert!(
        translation
            .lines
            .iter()
            .all(|line| !line.keys.is_empty() || !line.note.is_empty())
    );
}

/// Ten files that are broken: each with file, line and remedy.
#[test]
fn what_is_broken_is_told_with_file_line_and_remedy() {
    let files = [
        ("1/dmarc.conf", "reporting {\n  email = \"nobody\";\n}\n"),
        ("2/dmarc.conf", "\nservers = \"127.0.0.1:99999\";\n"),
        ("3/dmarc.conf", "reporting = maybe;\n"),
        ("4/dmarc.conf", "reporting { smtp_port = 70000; }\n"),
        (
            "5/dmarc.conf",
            "reporting { redis_keys { join_char = \":\"; } }\n",
        ),
        ("6/dmarc.conf", "reporting { helo = \"not a host\"; }\n"),
        ("7/redis.conf", "db = \"first\";\n"),
        ("8/redis.conf", "servers = [];\n"),
        ("9/dmarc.conf", "reporting { email = [\"a@b.example\"]; }\n"),
        ("10/dmarc.conf", "reporting {\n  email = \"a@b.example;\n}\n"),
        ("11/dmarc.conf", "no_reporting_domains = [\"a b\"];\n"),
    ];
    let translation = translated(&files);
    assert_eq!(translation.toml, "");
    insta::assert_snapshot!(told(&translation));
    assert_eq!(translation.broken.len(), files.len());
    assert!(translation.broken.iter().all(|broken| broken.line > 0));
}

/// A copy, or a file that a site includes under a name of its own.
#[test]
fn a_file_of_the_dmarc_module_is_known_by_its_options_too() {
    let inside = "reporting {\n  email = \"dmarc@example.com\";\n}\nactions { reject = \"reject\"; }\n";
    let toml = |name: &str| translated(&[(name, inside)]).toml.replace(name, "FILE");
    assert!(toml("dmarc.conf.old").contains("email = \"dmarc@example.com\"\n"));
    assert_eq!(toml("dmarc.conf.old"), toml("dmarc.conf"));
    // Those of the whole program have actions and options, too, with numbers.
    let other = translated(&[("x.conf", "actions { reject = 15; }\noptions { }\n")]);
    assert_eq!(other.toml, "");
    insta::assert_snapshot!(told(&other), @"
        x.conf:1: actions ->  of another module; nothing of it is about DMARC
        x.conf:2: options ->  of another module; nothing of it is about DMARC
        x.conf:1: nothing in this file is of the DMARC or Redis module
          if it is the inside of such a section, as in local.d, call it dmarc.conf or redis.conf, or put dmarc { } around it; else leave it out
        ");
    let beside = translated(&[("x.conf", "reporting = true;\nworker { }\n")]);
    assert_eq!(beside.broken.len(), 1, "no file of one module: {beside:?}");
    assert_eq!(translated(&[("x.conf", "# nothing yet\n")]).broken, []);
}

#[test]
fn a_password_of_redis_is_a_remark_in_the_file_and_not_in_it() {
    let translation = translated(&[("redis.conf", "password = \"secret\";\nservers = \"127.0.0.1\";\n")]);
    insta::assert_snapshot!(translation.toml, @r#"
        # redis.conf:1: redis.password: write it into a file that only landmarc can read, and set rspamd.password_file

        [rspamd]
        # redis.conf:2: redis.servers
        servers = ["127.0.0.1"]
        "#);
}

#[test]
fn what_counts_more_and_comes_later_wins() {
    let (all, module) = ("servers = \"a.example\";\n", "servers = \"b.example\";\n");
    let names = |files: &[(&str, &str)]| translated(files).toml;
    assert!(names(&[("redis.conf", all), ("dmarc.conf", module)]).contains("b.example"));
    assert!(names(&[("dmarc.conf", module), ("redis.conf", all)]).contains("b.example"));
    assert!(
        names(&[
            ("dmarc.conf", module),
            ("x/dmarc.conf", "servers = \"c.example\";")
        ])
        .contains("c.example")
    );
    assert!(
        names(&[
            ("redis.conf", all),
            ("y/redis.conf", "dmarc { servers = d.example }")
        ])
        .contains("d.example")
    );
    let relay = names(&[("dmarc.conf", "reporting { smtp = \"::1\"; }")]);
    assert!(
        relay.starts_with("[report.delivery]\n") && relay.ends_with("\nrelay = \"[::1]:25\"\n"),
        "{relay}"
    );
    let relay = names(&[("dmarc.conf", "reporting { smtp_port = 2525; }")]);
    assert!(relay.ends_with("\nrelay = \"127.0.0.1:2525\"\n"), "{relay}");
}

/// Mode "enforce" shall do what rspamd did, and nothing beside.
#[test]
fn r10_one_action_does_not_bring_others() {
    let actions = |text: &str| {
        let file = format!("actions {{ {text} }}");
        let (settings, _) = landmarc_settings::read(&translated(&[("dmarc.conf", &file)]).toml).unwrap();
        (settings.mode, settings.action.reject, settings.action.quarantine)
    };
    use landmarc_settings::{EnforcementMode, Quarantine, RejectRule};
    assert_eq!(
        actions("reject = reject;"),
        (EnforcementMode::Enforce, RejectRule::Always, Quarantine::Header)
    );
    assert_eq!(
        actions("quarantine = quarantine;"),
        (EnforcementMode::Enforce, RejectRule::Never, Quarantine::Hold)
    );
    assert_eq!(
        actions("dnsfail = greylist;"),
        (EnforcementMode::Enforce, RejectRule::Never, Quarantine::Header)
    );
    assert_eq!(
        actions("reject = greylist;"),
        (EnforcementMode::Observe, RejectRule::Evidence, Quarantine::Header)
    );
}
