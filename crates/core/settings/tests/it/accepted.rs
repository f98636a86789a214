//! Files that are right, and what they say.

use std::time::Duration;

use landmarc_receiver::rule::{NamePattern, RecipientPattern};
use landmarc_settings::keys::{FailureAction, LogLevel, Quarantine};
use landmarc_settings::{EnforcementMode, RejectRule};
use landmarc_settings::{Placeholder, Settings, read};

#[test]
fn no_text_is_the_defaults() {
    for text in ["", "\n", "# nothing\n", "\u{feff}", "[dns]\n[failures]\n"] {
        assert_eq!(read(text).unwrap().0, Settings::default(), "{text:?}");
    }
}

#[test]
fn out_of_the_box_nothing_is_refused() {
    let settings = Settings::default();
    assert_eq!(settings.mode, EnforcementMode::Observe);
    assert_eq!(settings.action.reject, RejectRule::Evidence);
    assert_eq!(settings.failures.dns.action, FailureAction::Accept);
    assert_eq!(settings.milter.listen, ["inet:127.0.0.1:8894"]);
}

#[test]
fn each_spelling_of_a_table_says_the_same() {
    let header = "[failures.dns]\naction = \"tempfail\"\ncode = 450\n";
    let dotted = "failures.dns.action = \"tempfail\"\nfailures.dns.code = 450\n";
    let inline = "failures = { dns = { action = \"tempfail\", code = 450 } }\n";
    let expected = read(header).unwrap().0;
    assert_eq!(expected.failures.dns.code, 450);
    assert_ne!(expected, Settings::default());
    assert_eq!(read(dotted).unwrap().0, expected);
    assert_eq!(read(inline).unwrap().0, expected);
}

#[test]
fn a_whole_file() {
    let (settings, warnings) = read(
        r#"
        mode = "enforce"
        authserv_id = "mx.example.com"
        [dns]
        name_servers = ["127.0.0.1:5353", "::1"]
        question_timeout = "2500ms"
        [action]
        reject = "never"
        quarantine = "header"
        reject_text = "{author_domain} says no"
        local_domains = ["Example.COM."]
        reject_code = 554
        reject_enhanced = "5.7.26"
        copy_to = "Postmaster@Example.COM"
        [clients]
        trusted_networks = ["198.51.100.0/24"]
        trusted_names = ["mx.example.com", "*.Relay.example"]
        skip_recipients = ["abuse@example.com", "*.lists.example"]
        [limits]
        header_section = 65536
        header_field = "64 KiB"
        [log]
        level = "debug"
        "#,
    )
    .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(settings.mode, EnforcementMode::Enforce);
    assert_eq!(settings.authserv_id.unwrap().as_str(), "mx.example.com");
    let servers: Vec<_> = settings
        .dns
        .name_servers
        .iter()
        .map(|server| server.0.to_string())
        .collect();
    assert_eq!(servers, ["127.0.0.1:5353", "[::1]:53"]);
    assert_eq!(settings.dns.question_timeout, Duration::from_millis(2500));
    assert_eq!(settings.action.reject, RejectRule::Never);
    assert_eq!(settings.action.quarantine, Quarantine::Header);
    let reply = settings.action.reject_text.fill(|placeholder| match placeholder {
        Placeholder::AuthorDomain => "example.net",
        _ => "",
    });
    assert_eq!(reply, "example.net says no");
    assert_eq!(settings.action.reject_code, 554);
    assert_eq!(settings.action.reject_enhanced.to_string(), "5.7.26");
    let copy_to = settings.action.copy_to.unwrap();
    assert_eq!(
        (copy_to.local_part(), copy_to.domain().as_str()),
        ("Postmaster", "example.com")
    );
    let [NamePattern::Exactly(mx), NamePattern::Below(relay)] = &settings.clients.trusted_names[..] else {
        panic!("{:?}", settings.clients.trusted_names);
    };
    assert_eq!((mx.as_str(), relay.as_str()), ("mx.example.com", "relay.example"));
    let [
        RecipientPattern::Address { local_part, domain },
        RecipientPattern::Domain(NamePattern::Below(lists)),
    ] = &settings.clients.skip_recipients[..]
    else {
        panic!("{:?}", settings.clients.skip_recipients);
    };
    assert_eq!(
        (local_part.as_str(), domain.as_str(), lists.as_str()),
        ("abuse", "example.com", "lists.example")
    );
    assert_eq!(
        settings.action.local_domains.first().unwrap().as_str(),
        "example.com"
    );
    let network = settings.clients.trusted_networks.first().unwrap();
    assert!(network.contains("::ffff:198.51.100.7".parse().unwrap()));
    assert_eq!(settings.limits.header_section.as_usize(), 65_536);
    assert_eq!(settings.log.level, LogLevel::Debug);
}
