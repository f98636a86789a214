//! Envelopes, whole and broken.

use hyper::header::HeaderName;

use super::*;

fn read(fields: &[(&str, &str)]) -> Result<Caller, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    caller(&headers, Peer::Unix).map_err(|problem| problem.to_string())
}

#[test]
fn each_field_has_its_place() {
    let caller = read(&[
        ("Landmarc-Client", "192.0.2.7"),
        ("Landmarc-Client-Port", "4711"),
        ("Landmarc-Client-Name", "mx.example"),
        ("Landmarc-Helo", "helo.example"),
        ("Landmarc-Mail-From", "<a@example.com>"),
        ("Landmarc-Rcpt-To", "b@example.net"),
        ("Landmarc-Rcpt-To", "\u{fc}@example.net"),
        ("Landmarc-User", "user"),
        ("Landmarc-Queue-Id", "4Fb1"),
        ("Landmarc-Mta-Name", "mail.example.net"),
        ("Landmarc-Reporting", "no"),
        ("Content-Length", "3"),
    ]);
    let expected = Caller {
        peer: Peer::Unix,
        client: PeerAddress::Ip("192.0.2.7".parse().unwrap(), 4711),
        client_name: Some("mx.example".to_owned()),
        client_name_is_verified: true,
        helo: b"helo.example".to_vec(),
        mail_from: b"<a@example.com>".to_vec(),
        rcpt_to: vec![
            b"b@example.net".to_vec(),
            "\u{fc}@example.net".as_bytes().to_vec(),
        ],
        authenticated: Some("user".to_owned()),
        queue_id: Some("4Fb1".to_owned()),
        mta_name: Some("mail.example.net".to_owned()),
        stays_out_of_reports: true,
    };
    assert_eq!(caller, Ok(expected));
}

#[test]
fn a_client_is_an_address_or_local_or_not_known() {
    let client = |value: &str| read(&[("Landmarc-Client", value)]).map(|caller| caller.client);
    let v6 = PeerAddress::Ip("2001:db8::1".parse().unwrap(), 0);
    for (value, expected) in [
        ("2001:db8::1", Some(v6.clone())),
        ("[IPv6:2001:db8::1]", Some(v6)),
        ("", Some(PeerAddress::Unknown)),
        ("local", Some(PeerAddress::Unix(std::path::PathBuf::new()))),
        ("LOCAL", None),
        ("mx.example", None),
        ("192.0.2.256", None),
    ] {
        assert_eq!(client(value).ok(), expected, "{value}");
    }
    assert_eq!(read(&[]), Ok(Caller::default()));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_name() {
    for (fields, why) in [
        (
            &[("landmarc-clint", "x")][..],
            "landmarc-clint: there is no such field",
        ),
        (
            &[("landmarc-helo", "x"), ("landmarc-helo", "x")],
            "landmarc-helo: it is there twice",
        ),
        (
            &[("landmarc-client-port", "65536")],
            "landmarc-client-port: it is no port",
        ),
        (
            &[("landmarc-reporting", "maybe")],
            "landmarc-reporting: it is neither \"yes\" nor \"no\"",
        ),
        (
            &[("landmarc-client", "x")],
            "landmarc-client: it is no IP address, and not \"local\"",
        ),
    ] {
        assert_eq!(read(fields), Err(why.to_owned()));
    }
    let mut headers = HeaderMap::new();
    headers.insert("landmarc-user", HeaderValue::from_bytes(b"\xff").unwrap());
    let problem = caller(&headers, Peer::Unix).unwrap_err();
    insta::assert_snapshot!(problem.to_string(), @"landmarc-user: it is not in UTF-8");
}

#[test]
fn several_recipients_in_one_field_are_several() {
    let of = |value: &str| read(&[("Landmarc-Rcpt-To", value)]).map(|caller| caller.rcpt_to);
    assert_eq!(of("a@x, <b@y>"), Ok(vec![b"a@x".to_vec(), b"<b@y>".to_vec()]));
    assert_eq!(of("\"a, b\"@x"), Ok(vec![b"\"a, b\"@x".to_vec()]));
    for none in ["", ",", " "] {
        assert_eq!(of(none), Ok(vec![Vec::new()]), "{none:?}");
    }
}

#[test]
fn an_envelope_in_json_says_the_same() {
    let in_fields = read(&[
        ("Landmarc-Client", "192.0.2.7"),
        ("Landmarc-Client-Port", "4711"),
        ("Landmarc-Client-Name", "mx.example"),
        ("Landmarc-Helo", "helo.example"),
        ("Landmarc-Mail-From", ""),
        ("Landmarc-Rcpt-To", "b@example.net"),
        ("Landmarc-Rcpt-To", "\u{fc}@example.net"),
        ("Landmarc-User", "user"),
        ("Landmarc-Queue-Id", "4Fb1"),
        ("Landmarc-Mta-Name", "mail.example.net"),
        ("Landmarc-Reporting", "no"),
    ]);
    let in_json = r#"{"client": "192.0.2.7", "client_port": 4711, "client_name": "mx.example",
        "helo": "helo.example", "mail_from": "", "rcpt_to": ["b@example.net", "\u00fc@example.net"],
        "user": "user", "queue_id": "4Fb1", "mta_name": "mail.example.net", "reporting": false}"#
        .replace('\n', " ");
    assert!(in_fields.is_ok());
    assert_eq!(
        read(&[("Landmarc-Envelope", &in_json), ("Landmarc-Interface", "http")]),
        in_fields
    );
    let nothing = [r#"{}"#, r#"{"client": null, "rcpt_to": null, "reporting": null}"#];
    for nothing in nothing {
        assert_eq!(read(&[("Landmarc-Envelope", nothing)]), Ok(Caller::default()));
    }
}

#[test]
fn json_that_is_no_envelope_is_refused_with_what_is_wrong() {
    for (json, why) in [
        ("", "it is no JSON object"),
        ("[]", "it is no JSON object"),
        (r#"{"helo": "x""#, "EOF while parsing an object"),
        (r#"{"helo": "x"} x"#, "trailing characters"),
        (
            r#"{"clint": "x"}"#,
            "unknown field `clint`, expected one of `client`, ",
        ),
        (r#"{"helo": "x", "helo": "y"}"#, "duplicate field `helo`"),
        (r#"{"helo": 1}"#, "invalid type: integer `1`, expected a string"),
        (r#"{"rcpt_to": "a@x"}"#, "expected a sequence"),
        (r#"{"client_port": 65536}"#, "expected u16"),
        (r#"{"client": "x"}"#, "client: it is no IP address"),
    ] {
        let refused = read(&[("Landmarc-Envelope", json)]).unwrap_err();
        assert!(
            refused.starts_with("landmarc-envelope: ") && refused.contains(why),
            "{refused}"
        );
    }
    assert_eq!(
        read(&[("Landmarc-Envelope", "{}"), ("Landmarc-Helo", "x")]),
        Err("landmarc-helo: the envelope is in landmarc-envelope already".to_owned())
    );
}
