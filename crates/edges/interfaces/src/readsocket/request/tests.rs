//! Requests up to their limits and past them.

use proptest::prelude::*;

use super::*;

fn b64(text: impl AsRef<[u8]>) -> String {
    BASE64.encode(text)
}

/// A request as `landmarc-macros.conf` puts it together.
fn request(rest: &str) -> Vec<u8> {
    format!(
        "landmarc exim 1\nid 1pDJ4z-0007Kd-2B\nqueue \nhost {}\nclient {}\nport 4711\nname {}\nlogin \nhelo {}\n\
         mail_from {}\nrcpt_to {}\nbody_size 6\nheader {}\n{rest}",
        b64("mx.example"),
        b64("2001:db8::7"),
        b64("client.example"),
        b64("helo.example\n"),
        b64("a@example.com"),
        b64("\"x, y\\\"\"@example.net, b@example.net"),
        b64("From: a@example.com\n"),
    )
    .into_bytes()
}

/// All parts, with pieces of the body put together, of octets that come in pieces of this size.
fn parts(octets: &[u8], size: usize) -> Result<(Vec<RequestPart>, Vec<u8>), RequestError> {
    let (mut reading, mut found, mut body) = (RequestReader::default(), Vec::new(), Vec::new());
    for mut chunk in octets.chunks(size) {
        while let Some(part) = reading.next(&mut chunk)? {
            match part {
                RequestPart::Body(octets) => body.extend(octets),
                part => found.push(part),
            }
        }
        assert!(chunk.is_empty() || found.last() == Some(&RequestPart::End));
    }
    Ok((found, body))
}

#[test]
fn a_request_is_read_in_pieces_of_any_size() {
    let octets = request(&format!("body {}\nend\n", b64("a\r\nb\n\n")));
    let whole = parts(&octets, octets.len()).unwrap();
    let [RequestPart::Head(head), RequestPart::End] = &whole.0[..] else {
        panic!("{whole:?}");
    };
    assert_eq!(whole.1, b"a\r\nb\n\n");
    assert!(head.has_body);
    assert_eq!(head.id.as_ref().map(MessageId::as_str), Some("1pDJ4z-0007Kd-2B"));
    assert_eq!((head.body_size, head.queue.as_deref()), (Some(6), None));
    assert_eq!(head.header, b"From: a@example.com\n");
    for size in 1..40 {
        assert_eq!(parts(&octets, size).unwrap(), whole, "{size}");
    }
}

#[test]
fn the_envelope_is_told_as_a_milter_would_be() {
    let (found, _) = parts(&request("end\n"), 7).unwrap();
    let [RequestPart::Head(head), RequestPart::End] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(!head.has_body);
    let expected = Caller {
        peer: Peer::Unix,
        client: PeerAddress::Ip("2001:db8::7".parse().unwrap(), 4711),
        client_name: Some("client.example".to_owned()),
        client_name_is_verified: true,
        helo: b"helo.example\n".to_vec(),
        mail_from: b"a@example.com".to_vec(),
        rcpt_to: vec![b"\"x, y\\\"\"@example.net".to_vec(), b"b@example.net".to_vec()],
        authenticated: None,
        queue_id: Some("1pDJ4z-0007Kd-2B".to_owned()),
        mta_name: Some("mx.example".to_owned()),
        ..Caller::default()
    };
    assert_eq!(head.caller(Peer::Unix), expected);
}

#[test]
fn a_client_without_an_address_is_a_program_of_this_host() {
    let client = |client: &str| {
        let request = EximRequest {
            client: client.to_owned(),
            ..EximRequest::default()
        };
        request.caller(Peer::Unix)
    };
    assert!(matches!(client("").client, PeerAddress::Unix(_)));
    assert_eq!(client("somewhere").client, PeerAddress::Unknown);
    assert!(!client("").client_name_is_verified);
}

#[test]
fn ids_are_what_exim_writes_and_nothing_else() {
    for id in ["1pDJ4z-0007Kd-2B", "1pDJ4z-00000007KdN-2B4c", "000000-000000-00"] {
        let parsed = MessageId::parse(id).unwrap();
        assert_eq!((parsed.as_str(), parsed.folder()), (id, &id[5..6]));
    }
    for id in [
        "",
        "1pDJ4z-0007Kd-2",
        "1pDJ4z-0007Kd-2BB",
        "1pDJ4z-0007Kd-2B4c",
        "1pDJ4z-0007Kd-2B-D",
        "../../../etc-x-y",
        "1pDJ4/-0007Kd-2B",
        "1pDJ4é-0007K-2B",
        "1pDJ4z-0007Kd-2\n",
    ] {
        assert_eq!(MessageId::parse(id), None, "{id}");
    }
}

#[test]
fn names_of_queues_lead_nowhere_else() {
    assert_eq!(queue(""), Ok(None));
    assert_eq!(queue("bulk_2-a"), Ok(Some("bulk_2-a".to_owned())));
    for name in ["..", ".", "a/b", "a\0", "ä"] {
        assert_eq!(queue(name), Err(()), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let told = |octets: &[u8]| parts(octets, 3).unwrap_err().to_string();
    insta::assert_snapshot!(
        told(b"GET / HTTP/1.1\r\n"),
        @r#"the first line is "GET / HTTP/1.1", not "landmarc exim 1""#
    );
    insta::assert_snapshot!(
        told(b"landmarc exim 1\nhost a b\n"),
        @r#"line 2: "host" is not followed by base64: "a b""#
    );
    insta::assert_snapshot!(
        told(b"landmarc exim 1\n\xffkey x\nid ../x\n"),
        @r#"line 3: "id" is not followed by the id of a message: "../x""#
    );
    insta::assert_snapshot!(
        told(b"landmarc exim 1\nbody_size -1\n"),
        @r#"line 2: "body_size" is not followed by a number: "-1""#
    );
    insta::assert_snapshot!(
        told(b"landmarc exim 1\nbody ????\n"),
        @r#"line 2: "body" is not followed by base64: "????""#
    );
    let long = [b"landmarc exim 1\nport ", &[b'x'; 61][..], b"\n"].concat();
    let told = told(&long);
    assert!(told.ends_with(&format!("\"{}[...]\"", "x".repeat(60))), "{told}");
}

#[test]
fn the_head_has_a_limit() {
    let head = b"landmarc exim 1\nlater ".to_vec();
    let of = |octets: usize| [&head[..], &vec![b'x'; octets], b"\nend\n"].concat();
    let room = HEAD_LIMIT - head.len() - b"\nend\n".len();
    assert_eq!(parts(&of(room), 4096).unwrap().0.len(), 2);
    assert_eq!(parts(&of(room + 1), 4096), Err(RequestError::HeadTooLong));
}

/// They are no part of that: how many there are is for the sender to choose.
#[test]
fn any_number_of_recipients_is_read() {
    let told = |recipients: usize, size: usize| {
        let list = b64("b@example.net, ".repeat(recipients));
        let octets = format!(
            "landmarc exim 1\nrcpt_to {list}\nclient {}\nend\n",
            b64("192.0.2.7")
        );
        let (found, _) = parts(octets.as_bytes(), size).unwrap();
        let [RequestPart::Head(head), RequestPart::End] = &found[..] else {
            panic!("{found:?}");
        };
        let caller = head.caller(Peer::Unix);
        assert_eq!(caller.client, PeerAddress::Ip("192.0.2.7".parse().unwrap(), 0));
        caller.rcpt_to
    };
    for size in [1, 7, 4_096, usize::MAX] {
        assert_eq!(told(1_000, size), vec![b"b@example.net"; 1_000], "{size}");
        for recipients in [1_001, 100_000] {
            let told = told(recipients, size);
            assert_eq!((told.len(), told.last()), (1_001, Some(&Vec::new())), "{size}");
        }
    }
    insta::assert_snapshot!(
        parts(b"landmarc exim 1\nrcpt_to ????\n", 3)
            .unwrap_err()
            .to_string(),
        @r#"line 2: "rcpt_to" is not followed by base64: "????""#
    );
}

#[test]
fn the_body_has_a_limit() {
    let of = |before: u64| {
        let mut reading = RequestReader {
            body_octets: before,
            ..RequestReader::default()
        };
        let mut octets = &b"landmarc exim 1\nbody YWJj\nend\n"[..];
        assert!(matches!(
            reading.next(&mut octets),
            Ok(Some(RequestPart::Head(_)))
        ));
        reading.next(&mut octets)
    };
    assert_eq!(of(BODY_LIMIT - 3), Ok(Some(RequestPart::Body(b"abc".to_vec()))));
    assert_eq!(of(BODY_LIMIT - 2), Err(RequestError::BodyTooLong));
}

#[test]
fn an_empty_body_is_a_body() {
    for rest in ["body \nend\n", "body \r\nend\r\n"] {
        let (found, body) = parts(&request(rest), 5).unwrap();
        assert!(
            matches!(&found[..], [RequestPart::Head(head), RequestPart::End] if head.has_body),
            "{found:?}"
        );
        assert!(body.is_empty());
    }
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
        let _ = parts(&octets, size);
        let _ = parts(&[b"landmarc exim 1\n", &octets[..]].concat(), size);
        let _ = parts(&[b"landmarc exim 1\nbody ", &octets[..]].concat(), size);
    }

    #[test]
    fn bodies_come_out_as_they_went_in(body in proptest::collection::vec(any::<u8>(), 0..400), size in 1_usize..50) {
        let (found, told) = parts(&request(&format!("body {}\nend\n", b64(&body))), size).unwrap();
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!(told, body);
    }
}
