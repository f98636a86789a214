//! Lines of all versions of the protocol, and such as are none.

use proptest::prelude::*;

use super::*;

fn event(line: &str) -> Event<'_> {
    match FilterLine::parse(line.as_bytes()) {
        Ok(FilterLine::Report { event, .. }) => event,
        other => panic!("{line}: {other:?}"),
    }
}

fn client(source: &str) -> PeerAddress {
    client_address(source.as_bytes())
}

#[test]
fn a_session_is_told_in_events() {
    let head = "report|0.6|1576146008.006099|smtp-in";
    for (rest, expected) in [
        (
            "link-greeting|7641df9771b4ed00|mx.example",
            Event::Greeting(b"mx.example"),
        ),
        (
            "link-identify|7641df9771b4ed00|EHLO|client.example",
            Event::Identify(b"client.example"),
        ),
        ("link-identify|7641df9771b4ed00|HELO|a|b", Event::Identify(b"a|b")),
        ("tx-begin|7641df9771b4ed00|1ef1c203", Event::Begin(b"1ef1c203")),
        (
            "tx-mail|7641df9771b4ed00|1ef1c203|ok|a@example.com",
            Event::Mail(b"a@example.com"),
        ),
        ("tx-mail|7641df9771b4ed00|1ef1c203|ok|", Event::Mail(b"")),
        (
            "tx-mail|7641df9771b4ed00|1ef1c203|ok|a|b@example.com",
            Event::Mail(b"a|b@example.com"),
        ),
        (
            "tx-mail|7641df9771b4ed00|1ef1c203|permfail|a@example.com",
            Event::Nothing,
        ),
        (
            "tx-rcpt|7641df9771b4ed00|1ef1c203|ok|b@example.com",
            Event::Rcpt(b"b@example.com"),
        ),
        (
            "tx-rcpt|7641df9771b4ed00|1ef1c203|tempfail|b@example.com",
            Event::Nothing,
        ),
        ("tx-reset|7641df9771b4ed00|1ef1c203", Event::Reset),
        ("tx-reset|7641df9771b4ed00", Event::Reset),
        ("link-disconnect|7641df9771b4ed00", Event::Disconnect),
        ("link-tls|7641df9771b4ed00|TLSv1.3", Event::Nothing),
    ] {
        assert_eq!(event(&format!("{head}|{rest}")), expected, "{rest}");
    }
}

#[test]
fn a_client_has_a_name_when_its_address_leads_to_one() {
    let connected = |name: &str, resolved: &str| {
        let line =
            format!("report|0.6|1.0|smtp-in|link-connect|1|{name}|{resolved}|192.0.2.7:33174|1.1.1.1:25");
        match event(&line) {
            Event::Connect {
                name,
                is_verified,
                client,
            } => {
                assert_eq!(client, PeerAddress::Ip("192.0.2.7".parse().unwrap(), 33_174));
                (name.map(<[u8]>::to_vec), is_verified)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        connected("mx.example", "pass"),
        (Some(b"mx.example".to_vec()), true)
    );
    assert_eq!(
        connected("mx.example", "fail"),
        (Some(b"mx.example".to_vec()), false)
    );
    assert_eq!(connected("<unknown>", "error"), (None, false));
    assert_eq!(connected("", "fail"), (None, false));
}

/// What a client's DNS says of it stands before what smtpd knows, and is not taken for that.
#[test]
fn a_name_with_bars_in_it_is_no_name() {
    for name in [
        "mx.ours.example|pass|local|",
        "a|pass|unix:/x|y",
        "|pass|127.0.0.1:1",
        "|",
    ] {
        let line = format!("report|0.7|1.0|smtp-in|link-connect|1|{name}|fail|192.0.2.7:1|192.0.2.1:25");
        let expected = Event::Connect {
            name: None,
            is_verified: false,
            client: PeerAddress::Ip("192.0.2.7".parse().unwrap(), 1),
        };
        assert_eq!(event(&line), expected, "{name}");
    }
}

#[test]
fn a_client_is_an_address_or_a_program_of_this_host() {
    let ip = |address: &str, port| PeerAddress::Ip(address.parse().unwrap(), port);
    assert_eq!(client("192.0.2.7:25"), ip("192.0.2.7", 25));
    assert_eq!(client("[2001:db8::1]:25"), ip("2001:db8::1", 25));
    assert_eq!(client("[::ffff:192.0.2.7]:25"), ip("192.0.2.7", 25));
    assert_eq!(
        client("unix:/run/smtpd.sock"),
        PeerAddress::Unix("/run/smtpd.sock".into())
    );
    assert_eq!(client("local"), PeerAddress::Unix("local".into()));
    for text in ["", "unknown", "192.0.2:25", ":25"] {
        assert_eq!(client(text), PeerAddress::Unknown, "{text}");
    }
}

/// 0.6 and 0.7 moved the results forward, 0.5 the session.
#[test]
fn each_version_has_its_own_order() {
    let mail = |version: &str, rest: &str| format!("report|{version}|1.0|smtp-in|tx-mail|1|1ef1c203|{rest}");
    assert_eq!(
        event(&mail("0.5", "a|b@example.com|ok")),
        Event::Mail(b"a|b@example.com")
    );
    assert_eq!(event(&mail("0.5", "a@example.com|permfail")), Event::Nothing);
    assert_eq!(
        event(&mail("0.6", "ok|a|b@example.com")),
        Event::Mail(b"a|b@example.com")
    );
    let auth = |version: &str, rest: &str| format!("report|{version}|1.0|smtp-in|link-auth|1|{rest}");
    assert_eq!(event(&auth("0.6", "user|pass")), Event::Authenticated(b"user"));
    assert_eq!(event(&auth("0.6", "pass|fail")), Event::Nothing);
    assert_eq!(event(&auth("0.7", "pass|us|er")), Event::Authenticated(b"us|er"));
    assert_eq!(event(&auth("0.10", "fail|pass")), Event::Nothing);
    let identify = |version: &str, rest: &str| format!("report|{version}|1.0|smtp-in|link-identify|1|{rest}");
    assert_eq!(
        event(&identify("0.4", "client.example")),
        Event::Identify(b"client.example")
    );

    let address = |version: &str| {
        let line = format!("filter|{version}|1.0|smtp-in|commit|1|a2");
        match FilterLine::parse(line.as_bytes()) {
            Ok(FilterLine::Filter {
                request: FilterRequest::Commit,
                address,
                ..
            }) => address,
            other => panic!("{other:?}"),
        }
    };
    let answers = ["0.4", "0.5", "0.7", "1.0"].map(|version| address(version).proceed());
    assert_eq!(
        answers,
        [
            "filter-result|00000000000000a2|0000000000000001|proceed\n",
            "filter-result|0000000000000001|00000000000000a2|proceed\n",
            "filter-result|0000000000000001|00000000000000a2|proceed\n",
            "filter-result|0000000000000001|00000000000000a2|proceed\n",
        ]
    );
    assert_eq!(
        address("0.6").reject("550 5.7.1 no | never"),
        "filter-result|0000000000000001|00000000000000a2|reject|550 5.7.1 no | never\n"
    );
}

#[test]
fn a_line_of_a_message_is_taken_whole() {
    for text in ["", ".", "..a dot", "a|b||", "Subject: x | y", "\u{fc}"] {
        let line = format!("filter|0.6|1.0|smtp-in|data-line|1|2|{text}");
        match FilterLine::parse(line.as_bytes()) {
            Ok(FilterLine::Filter {
                request: FilterRequest::DataLine(found),
                address,
                ..
            }) => {
                assert_eq!(found, text.as_bytes());
                assert_eq!(
                    address.of_line(),
                    "filter-dataline|0000000000000001|0000000000000002|"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_smtpd_does_not_say_is_named() {
    for (line, words) in [
        ("", "not a line of the filter protocol: \"\""),
        ("hello", "not a line of the filter protocol: \"hello\""),
        ("report", "ends too early: \"report\""),
        ("report|0.6|1.0|smtp-in|tx-begin", "ends too early"),
        ("report|0.6|1.0|smtp-in|tx-begin|1", "ends too early"),
        (
            "report|0.6|1.0|smtp-in|link-connect|1|mx|pass|192.0.2.7:1",
            "ends too early",
        ),
        ("report|0.5|1.0|smtp-in|tx-mail|1|2|ok", "ends too early"),
        ("filter|0.6|1.0|smtp-in|data-line|1|2", "ends too early"),
        ("report|six|1.0|smtp-in|tx-begin|1|2", "broken version"),
        ("report|0.6|1.0|smtp-in|tx-begin|+1|2", "broken session"),
        (
            "report|0.6|1.0|smtp-in|tx-begin|00000000000000001a1b2c3d4|2",
            "broken session",
        ),
        ("filter|0.6|1.0|smtp-in|commit|1|xyz", "broken token"),
    ] {
        let error = FilterLine::parse(line.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{line}: {error}");
    }
    let long = format!("x{}", "y".repeat(1_000));
    assert!(FilterLine::parse(long.as_bytes()).unwrap_err().to_string().len() < 200);
}

#[test]
fn what_is_said_of_smtpd_is_passed_over_until_it_is_ready() {
    for line in ["config|smtpd-version|6.8.0p2", "config|protocol|0.6", "config|"] {
        assert_eq!(FilterLine::parse(line.as_bytes()), Ok(FilterLine::Config));
    }
    assert_eq!(FilterLine::parse(b"config|ready"), Ok(FilterLine::Ready));
    let said = registration();
    assert!(
        said.starts_with("register|report|smtp-in|link-connect\n"),
        "{said}"
    );
    assert!(
        said.ends_with("register|filter|smtp-in|data-line\nregister|filter|smtp-in|commit\nregister|ready\n"),
        "{said}"
    );
}

proptest! {
    #[test]
    fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = FilterLine::parse(&line);
    }

    #[test]
    fn no_report_panics(rest in "[a-z|.0-9-]{0,60}") {
        let line = format!("report|0.6|1.0|smtp-in|{rest}");
        let _ = FilterLine::parse(line.as_bytes());
    }
}
