//! What is printed from the declarations, and that it reads back.

use landmarc_settings::EnforcementMode;
use landmarc_settings::keys::{FailureAction, SyslogFacility};
use landmarc_settings::{Settings, default_file, keys, manual, read, show};

#[test]
fn the_sample_file_says_the_defaults() {
    let (settings, warnings) = read(&default_file()).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(warnings, []);
}

/// Takes away the # in front of every key.
fn uncommented(file: &str) -> String {
    let lines = file.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_file_says_the_defaults_when_every_key_is_uncommented() {
    let file = uncommented(&default_file());
    let (settings, warnings) = read(&file).unwrap_or_else(|mistakes| panic!("{}", mistakes.render("sample")));
    assert_eq!(settings, Settings::default());
    assert_eq!(warnings, []);
    for key in keys() {
        assert!(
            settings.line_of(&key.name).is_some(),
            "{} is not in the sample file",
            key.name
        );
    }
}

#[test]
fn the_sample_file_fits_a_terminal() {
    for line in default_file().lines() {
        // Keys stand on one line, however long their value.
        if line.starts_with("# ") {
            assert!(line.chars().count() <= 78, "{line}");
        }
    }
}

#[test]
fn the_defaults_are_shown_as_a_file_that_reads_back() {
    let shown = show(&Settings::default());
    assert_eq!(read(&shown).unwrap().0, Settings::default());
    assert!(!shown.contains('#'), "nothing differs from the default");
}

/// One value of each type that is not at its default.
fn changed() -> Settings {
    let mut settings = Settings {
        mode: EnforcementMode::Enforce,
        ..Settings::default()
    };
    let (written, _) = read(
        r#"
        authserv_id = "mx.example.com"
        [milter]
        listen = ["unix:/run/landmarc/a \"quoted\" \\ path", "inet:[::1]:8894"]
        socket_mode = "0600"
        [dns]
        name_servers = ["192.0.2.53", "[2001:db8::53]:5353"]
        message_timeout = "90s"
        failure_ttl = "2500ms"
        [dkim]
        refused_domains = ["Bücher.example"]
        [dmarc]
        public_suffix_list = ""
        [clients]
        trusted_networks = []
        [action]
        trusted_forwarders = ["192.0.2.0/24", "::ffff:198.51.100.1"]
        [failures.dns]
        enhanced = "4.4.3"
        [limits]
        memory = 1000000000
        "#,
    )
    .expect("this file is right");
    settings.authserv_id = written.authserv_id;
    settings.milter = written.milter;
    settings.dns = written.dns;
    settings.dkim = written.dkim;
    settings.dmarc = written.dmarc;
    settings.clients = written.clients;
    settings.action = written.action;
    settings.failures = written.failures;
    settings.failures.internal.action = FailureAction::Tempfail;
    settings.limits = written.limits;
    settings.log.syslog_facility = SyslogFacility::Local3;
    settings
}

#[test]
fn what_differs_from_the_default_is_marked_and_reads_back() {
    let settings = changed();
    let shown = show(&settings);
    assert_eq!(read(&shown).unwrap().0, settings);
    let marked: Vec<_> = shown.lines().filter(|line| line.contains("# default")).collect();
    insta::assert_snapshot!(marked.join("\n"), @r#"
    mode = "enforce"  # default: "observe"
    authserv_id = "mx.example.com"  # default: ""
    listen = ["unix:/run/landmarc/a \"quoted\" \\ path", "inet:[::1]:8894"]  # default: ["inet:127.0.0.1:8894"]
    socket_mode = "0600"  # default: "0660"
    name_servers = ["192.0.2.53", "[2001:db8::53]:5353"]  # default: []
    message_timeout = "90s"  # default: "20s"
    failure_ttl = "2500ms"  # default: "5s"
    refused_domains = ["xn--bcher-kva.example"]  # default: []
    public_suffix_list = ""  # default: "/usr/share/publicsuffix/public_suffix_list.dat"
    trusted_forwarders = ["192.0.2.0/24", "198.51.100.1"]  # default: []
    trusted_networks = []  # default: ["127.0.0.0/8", "::1"]
    enhanced = "4.4.3"  # default: "4.7.1"
    action = "tempfail"  # default: "accept"
    memory = "1000000000B"  # default: "256MiB"
    syslog_facility = "local3"  # default: "mail"
    "#);
}

#[test]
fn every_key_tells_what_it_is() {
    let mut names = std::collections::BTreeSet::new();
    for key in keys() {
        assert!(names.insert(&key.name), "{} is declared twice", key.name);
        assert!(
            key.help.ends_with('.'),
            "{} has no help of whole sentences",
            key.name
        );
        assert!(
            !key.kind.is_empty() && !key.allowed.is_empty() && !key.default.is_empty(),
            "{}",
            key.name
        );
        assert!(
            key.since
                .split('.')
                .filter_map(|part| part.parse::<u16>().ok())
                .count()
                == 3,
            "{}",
            key.name
        );
        for choice in key.choices {
            assert!(
                choice.help.concat().ends_with('.'),
                "{} = {}",
                key.name,
                choice.word
            );
        }
    }
}

#[test]
fn the_names_of_the_keys() {
    let names: Vec<_> = keys()
        .map(|key| format!("{} = {}", key.name, key.default))
        .collect();
    insta::assert_snapshot!(names.join("\n"), @r#"
    mode = "observe"
    authserv_id = ""
    authserv_id_with_job_id = false
    software_header = false
    config_version = 1
    milter.listen = ["inet:127.0.0.1:8894"]
    milter.socket_mode = "0660"
    milter.socket_group = ""
    milter.max_sessions = 10000
    milter.stall_timeout = "10m"
    milter.idle_timeout = "2h"
    check_api.listen = []
    check_api.socket_mode = "0660"
    check_api.socket_group = ""
    check_api.secret_file = ""
    check_api.host_names = []
    check_api.max_connections = 256
    check_api.max_message_size = "100MiB"
    exim.listen = []
    exim.socket_mode = "0660"
    exim.socket_group = ""
    exim.spool_directory = "/var/spool/exim4"
    dns.name_servers = []
    dns.question_timeout = "5s"
    dns.message_timeout = "20s"
    dns.questions_per_message = 100
    dns.questions_in_flight = 256
    dns.cache_entries = 65536
    dns.failure_ttl = "5s"
    authentication.spf = "self"
    authentication.dkim = "self"
    authentication.arc = "self"
    authentication.trusted_authserv_ids = []
    authentication.received_spf = false
    spf.helo_check = true
    spf.fetch_explanation = false
    dkim.max_signatures = 10
    dkim.min_rsa_bits = 1024
    dkim.max_rsa_bits = 8192
    dkim.accept_body_length = false
    dkim.accept_testing_keys = true
    dkim.clock_skew = "5m"
    dkim.refused_domains = []
    arc.validate = "trusted"
    arc.trusted_sealers = []
    dmarc.discovery = "treewalk"
    dmarc.compare_rfc7489 = true
    dmarc.unmarked_suffix_guard = true
    dmarc.pct_zero_as_test = false
    dmarc.public_suffix_list = "/usr/share/publicsuffix/public_suffix_list.dat"
    action.reject = "evidence"
    action.reject_code = 550
    action.reject_enhanced = "5.7.1"
    action.reject_text = "Email rejected per DMARC policy for {author_domain}: {reason} ({id})"
    action.quarantine = "header"
    action.quarantine_header = "DMARC-Quarantine"
    action.quarantine_text = "quarantined by DMARC policy for {author_domain}: {reason}"
    action.copy_to = ""
    action.unusable_author = "refuse"
    action.unusable_author_text = "Email rejected: {reason} ({id})"
    action.required_header_fields = false
    action.mailing_lists = true
    action.evidence_from_records = true
    action.local_domains = []
    action.trusted_forwarders = []
    action.rules_file = "/etc/landmarc/rules.toml"
    clients.trusted_networks = ["127.0.0.0/8", "::1"]
    clients.trusted_names = []
    clients.trusted_networks_except = []
    clients.trusted_hosts_file = ""
    clients.skip_authenticated = true
    clients.skip_author_domains = []
    clients.skip_recipients = []
    clients.trusted_relays_keep_results = []
    clients.remove_all_results = false
    failures.dns.action = "accept"
    failures.dns.code = 451
    failures.dns.enhanced = "4.7.1"
    failures.dns.text = "the message could not be checked, try again later ({id})"
    failures.dns_with_policy.action = "tempfail"
    failures.dns_with_policy.code = 451
    failures.dns_with_policy.enhanced = "4.7.1"
    failures.dns_with_policy.text = "the message could not be checked, try again later ({id})"
    failures.unusable_record.action = "accept"
    failures.unusable_record.code = 451
    failures.unusable_record.enhanced = "4.7.1"
    failures.unusable_record.text = "the message could not be checked, try again later ({id})"
    failures.budget.action = "tempfail"
    failures.budget.code = 451
    failures.budget.enhanced = "4.7.1"
    failures.budget.text = "the message could not be checked, try again later ({id})"
    failures.store.action = "accept"
    failures.store.code = 451
    failures.store.enhanced = "4.7.1"
    failures.store.text = "the message could not be checked, try again later ({id})"
    failures.internal.action = "accept"
    failures.internal.code = 451
    failures.internal.enhanced = "4.7.1"
    failures.internal.text = "the message could not be checked, try again later ({id})"
    limits.header_section = "1MiB"
    limits.header_field = "256KiB"
    limits.header_fields = 10000
    limits.memory = "256MiB"
    store.directory = ""
    store.observations = true
    store.observation_days = 14
    store.tally_days = 400
    store.max_size = "16GiB"
    store.memory = "64MiB"
    fleet.database = ""
    fleet.password_file = ""
    fleet.tls = "verified"
    fleet.ca_file = ""
    fleet.connections = 4
    fleet.statement_timeout = "30s"
    fleet.push_to = ""
    fleet.certificate_file = ""
    fleet.key_file = ""
    fleet.export = false
    fleet.host = ""
    fleet.observations = true
    fleet.spool_max_size = "4GiB"
    fleet.wait_for_hosts = "6h"
    collector.listen = []
    collector.certificate_file = ""
    collector.key_file = ""
    collector.client_ca_file = ""
    collector.allowed_names = []
    collector.refused_fingerprints = []
    collector.max_connections = 256
    report.email = ""
    report.organization = ""
    report.contact = ""
    report.aggregate = true
    report.form = "rfc9990"
    report.domain = ""
    report.return_path = ""
    report.return_path_delimiter = "+"
    report.own_addresses = []
    report.exclude_domains = []
    report.only_after_accepting = false
    report.settle = "15m"
    report.spread = "4h"
    report.max_destinations = 10
    report.reports_per_organization = 50
    report.destinations_per_organization = 20
    report.per_day = 20000
    report.max_message_size = "10MiB"
    report.retry_first = "15m"
    report.retry_longest = "6h"
    report.give_up_after = "4d"
    report.per_host = 60
    report.keep_days = 30
    report.dkim_domain = ""
    report.dkim_keys = []
    report.delivery.by = "smtp"
    report.delivery.relay = "127.0.0.1:25"
    report.delivery.tls = "opportunistic"
    report.delivery.ca_file = ""
    report.delivery.user = ""
    report.delivery.password_file = ""
    report.delivery.hello = ""
    report.delivery.timeout = "5m"
    report.delivery.connections = 2
    report.delivery.sendmail = ["/usr/sbin/sendmail", "-i", "-f", "{return_path}", "--", "{recipient}"]
    report.delivery.directory = ""
    report.failure.enabled = false
    report.failure.on_none = true
    report.failure.on_pass = false
    report.failure.redaction = "hashed"
    report.failure.subject = false
    report.failure.bcc = ""
    report.failure.per_destination_minute = 10
    report.failure.per_destination_day = 200
    report.failure.per_day = 2000
    rspamd.servers = []
    rspamd.username = ""
    rspamd.password_file = ""
    rspamd.database = 0
    rspamd.key_prefix = "dmarc_"
    rspamd.index_prefix = "dmarc_idx"
    rspamd.interval = "5m"
    web.listen = ["127.0.0.1:8895"]
    web.host_names = []
    log.target = "auto"
    log.format = "text"
    log.level = "info"
    log.syslog_facility = "mail"
    server.user = ""
    server.group = ""
    server.shutdown_grace = "30s"
    "#);
}

#[test]
fn the_sample_file_looks_like_this() {
    let file = default_file();
    let start: Vec<_> = file
        .lines()
        .take_while(|line| !line.contains("socket_group"))
        .collect();
    insta::assert_snapshot!(start.join("\n"), @r#"
    # Settings of landmarc. Every key is here, commented out at its default: to
    # change one, take away the # in front of it. `landmarc config check` reads
    # the file and tells every mistake with its line; `landmarc config show`
    # prints what is in force.

    # Whether messages are acted upon. Observe first: the log shows what enforcing
    # would do, until nothing in it surprises.
    #   "observe" - judge, mark and log every message, refuse and hold none.
    #   "enforce" - do what the table "action" says.
    # (choice; changed at a reload; since 0.1.0)
    #mode = "observe"

    # The name this service goes by in Authentication-Results (RFC 8601 §2.5).
    # Fields that bear it and come from outside are removed as forged. Empty: the
    # name that the mail server goes by, or of this host where there is none.
    # (authserv-id, a name such as "mx.example.com", or "" for none; changed at a
    # reload; since 0.1.0)
    #authserv_id = ""

    # Whether the queue id of the message stands behind that name, as in
    # "mx.example.com/4Fb1". RFC 8601 knows no such form; some programs look for
    # it.
    # (truth value, true or false; changed at a reload; since 0.1.0)
    #authserv_id_with_job_id = false

    # Whether a header field "DMARC-Filter" says which program judged a message,
    # where, and under which queue id.
    # (truth value, true or false; changed at a reload; since 0.1.0)
    #software_header = false

    # The version of this file's format. A later format will have a higher number,
    # and be refused by a program that does not know it.
    # (whole number, 1; changed at a reload; since 0.1.0)
    #config_version = 1

    ##############################################################################
    # The socket that the mail server speaks to (the milter protocol).
    [milter]

    # The sockets to listen on: "inet:ADDRESS:PORT" or "unix:PATH". The mail
    # server is told the same, in Postfix as smtpd_milters. Empty: none, where
    # mail comes in another way.
    # (list of texts, in brackets, each one line; changed at a restart; since
    # 0.1.0)
    #listen = ["inet:127.0.0.1:8894"]

    # The permissions of a unix socket. Whoever may write to it may have messages
    # judged.
    # (file mode, "0000" to "0777", in octal; changed at a restart; since 0.1.0)
    #socket_mode = "0660"

    # The group of a unix socket, usually that of the mail server. Empty: the
    # group of the service.
    # (text, one line, or "" for none; changed at a restart; since 0.1.0)
    "#);
}

#[test]
fn the_page_has_an_entry_for_every_key() {
    let page = manual();
    for key in keys() {
        assert_eq!(
            page.matches(&format!("\n### `{}`\n", key.name)).count(),
            1,
            "{}",
            key.name
        );
    }
    let entry = page
        .split("\n### ")
        .find(|entry| entry.starts_with("`dns.failure_ttl`"))
        .unwrap();
    insta::assert_snapshot!(entry, @r#"
    `dns.failure_ttl`

    How long it is remembered that a question was not answered, so that a dead name server is not waited for again and again (RFC 9520 §3.2: one second to five minutes).

    | | |
    |---|---|
    | Takes | duration, "1s" to "5m", in ms, s, m, h or d |
    | Default | `"5s"` |
    | Changed by | a reload |
    | Since | 0.1.0 |

    ## `[authentication]`

    Where the results come from that DMARC is worked out of: from here, or from filters that the mail server asks before this one. Those must be told to leave no gap, or mail can be forged: docs/three-milters.md.
    "#);
    let entry = page
        .split("\n### ")
        .find(|entry| entry.starts_with("`action.quarantine`"))
        .unwrap();
    insta::assert_snapshot!(entry, @r#"
    `action.quarantine`

    How a failing message is quarantined, if its domain asks for that, or for a refusal that there is not evidence enough for. A mail server never expires what it holds, and tells neither sender nor recipient: choose "hold" only where somebody looks at its queue daily.

    * `"header"`: delivered with a header field that Sieve, SpamAssassin or the mail server can sort it by.
    * `"hold"`: kept in the hold queue of the mail server until a person releases or deletes it.

    | | |
    |---|---|
    | Takes | choice |
    | Default | `"header"` |
    | Changed by | a reload |
    | Since | 0.1.0 |
    "#);
}
