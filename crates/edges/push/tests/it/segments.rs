//! Segments that are sent, taken and refused.

use std::sync::atomic::Ordering;

use landmarc_push::{BeatMessage, BeatReply, PushError, PushLimits, SegmentReply};

use crate::port::{AWAY, FORBIDDEN, GATED, Port, UNREADABLE, body, post, status};

#[tokio::test]
async fn a_segment_is_taken_as_it_is() {
    let port = Port::open(PushLimits::default()).await;
    let client = port.client();
    for length in [1, 1_000, 3_000_000] {
        let reply = client.send(vec![0xA5; length]).await.unwrap();
        let expected = SegmentReply {
            batches: 1,
            known: 2,
            messages: length.try_into().unwrap(),
        };
        assert_eq!(reply, expected);
    }
    assert_eq!(port.taken.lengths(), [1, 1_000, 3_000_000]);
}

#[tokio::test]
async fn each_refusal_is_told_with_its_remedy() {
    let port = Port::open(PushLimits::default()).await;
    let client = port.client();
    let url = port.url();
    assert_eq!(client.to_string(), url);
    for (segment, error, remedy, is_final) in [
        (
            UNREADABLE,
            format!("{url} refuses the segment: the checksum is wrong"),
            "do as you are told",
            true,
        ),
        (
            FORBIDDEN,
            format!("{url} takes no segments from this host: mx1.example.org is not welcome"),
            "do as you are told",
            false,
        ),
        (
            AWAY,
            format!("{url} cannot take segments now: the database is away"),
            "nothing is lost and it is tried again; see the log of the other side if it stays so",
            false,
        ),
    ] {
        let told = client.send(segment).await.unwrap_err();
        assert_eq!((told.to_string(), told.remedy().as_str()), (error, remedy));
        assert_eq!(told.is_final(), is_final, "{told}");
        let pause = told.retry_after().map(|pause| pause.as_secs());
        assert_eq!(pause, (segment == AWAY).then_some(30));
    }
    assert!(client.send(&b"the next one"[..]).await.is_ok());
}

/// Where there is one connection only, all segments go through it.
#[tokio::test]
async fn a_connection_is_kept() {
    let limits = PushLimits {
        connections: 1,
        ..PushLimits::default()
    };
    let port = Port::open(limits).await;
    let client = port.client();
    for _ in 0..3 {
        client.send(&b"segment"[..]).await.unwrap();
        assert!(client.send(UNREADABLE).await.is_err());
    }
    assert_eq!(port.taken.lengths().len(), 3);
}

#[tokio::test]
async fn a_server_that_was_started_anew_is_found_again() {
    let port = Port::open(PushLimits::default()).await;
    let client = port.client();
    client.send(&b"segment"[..]).await.unwrap();
    let (pki, address) = port.stop().await;
    let error = client.send(&b"segment"[..]).await.unwrap_err();
    assert!(matches!(error, PushError::Unreachable { .. }), "{error:?}");
    assert!(
        error
            .remedy()
            .contains(&format!("-connect localhost:{}", address.port()))
    );
    let files = pki.collector();
    let port = Port::open_with(pki, files, PushLimits::default(), address).await;
    // The authority is the same, so the client needs nothing new.
    client.send(&b"segment"[..]).await.unwrap();
    assert_eq!(port.taken.lengths(), [7]);
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    raw.say([post(b"one", ""), post(UNREADABLE, ""), post(b"three", "")].concat())
        .await;
    let answers = [raw.answer().await, raw.answer().await, raw.answer().await];
    assert_eq!(answers.each_ref().map(|answer| status(answer)), [200, 400, 200]);
    assert!(
        answers[0].ends_with("\r\n\r\n{\"batches\":1,\"known\":2,\"messages\":3}\n"),
        "{}",
        answers[0]
    );
    insta::assert_snapshot!(
        body(&answers[1]),
        @r#"{"error":"the checksum is wrong","remedy":"do as you are told"}"#
    );
    assert_eq!(port.taken.lengths(), [3, 5]);
}

#[tokio::test]
async fn half_a_segment_is_none() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    let request = post(b"segment", "");
    raw.say(&request[..request.len() - 3]).await;
    raw.cut();
    assert!(port.send(b"whole").await.is_ok());
    assert_eq!(port.stop_and_count().await, [5]);
}

#[tokio::test]
async fn what_is_no_segment_is_told_so() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    for (request, code) in [
        (post(b"", ""), 400),
        (post(b"x", "Content-Encoding: gzip\r\n"), 415),
        (post(b"x", "Content-Encoding: identity\r\n"), 200),
        (b"GET /spool/v1/segment HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), 405),
        (
            b"PUT /spool/v1/segment HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".to_vec(),
            405,
        ),
        (
            b"POST /spool/v1/segments HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".to_vec(),
            404,
        ),
        (
            b"POST /spool/v1/segment HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"
                .to_vec(),
            200,
        ),
    ] {
        raw.say(&request).await;
        let answer = raw.answer().await.replace("HTTP/1.0", "HTTP/1.1");
        assert_eq!(status(&answer), code, "{}", request.escape_ascii());
    }
    assert_eq!(port.taken.lengths(), [1, 1]);
}

#[tokio::test]
async fn a_segment_under_way_is_taken_at_shutdown() {
    let port = Port::open(PushLimits::default()).await;
    let (client, taken) = (port.client(), port.taken.clone());
    let sent = tokio::spawn(async move { client.send(GATED).await });
    while taken.at_gate.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    let stopped = tokio::spawn(port.stop());
    taken.gate.add_permits(1);
    assert!(sent.await.unwrap().is_ok());
    let (_, address) = stopped.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_host_says_how_far_behind_it_is() {
    let port = Port::open(PushLimits::default()).await;
    let client = port.client();
    let beat = BeatMessage {
        host: "00112233445566778899aabbccddeeff".to_owned(),
        name: "mx1.example.org".to_owned(),
        clock_ms: 1_780_272_000_000,
        caught_up_ms: 1_780_271_999_000,
        pending: 1,
    };
    let expected = BeatReply {
        through: 3,
        highest: 7,
    };
    assert_eq!(client.beat(&beat).await.unwrap(), expected);
    let of_another = BeatMessage {
        name: "mx2.example.org".to_owned(),
        ..beat.clone()
    };
    let error = client.beat(&of_another).await.unwrap_err();
    insta::assert_snapshot!(
        error.to_string().replace(&port.url(), "URL"),
        @"URL takes no segments from this host: mx1.example.org does not speak for mx2.example.org"
    );
    insta::assert_snapshot!(error.remedy(), @"see the log of the other side");
    assert_eq!(*port.taken.beats.lock().unwrap(), [beat]);
}

/// 4 KiB of a beat are read.
#[tokio::test]
async fn a_beat_that_is_none_is_told_so() {
    let port = Port::open(PushLimits::default()).await;
    let mut raw = port.connect().await;
    let request = |body: &[u8]| {
        let request = post(body, "");
        String::from_utf8(request)
            .unwrap()
            .replace("/spool/v1/segment", "/spool/v1/beat")
    };
    raw.say(request(b"{}")).await;
    let answer = raw.answer().await;
    assert_eq!(status(&answer), 400);
    insta::assert_snapshot!(
        body(&answer),
        @r#"{"error":"this is no beat: host is no number of a host","remedy":"bring both sides to the same release"}"#
    );
    assert_eq!(raw.status_of(request(&[b' '; 4096])).await, 400);
    assert_eq!(raw.status_of(request(&[b' '; 4097])).await, 413);
    assert!(port.taken.beats.lock().unwrap().is_empty());
}
