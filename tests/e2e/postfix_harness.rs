//! The harness itself: what the other end-to-end tests take for granted.

use std::net::IpAddr;

use landmarc_e2e::{Envelope, HOST_NAME, Outcome, PASSWORD, Postfix, PostfixConfig, Smtp, USER};

const MESSAGE: &[u8] = b"From: a@example.com\r\nTo: b@example.net\r\nSubject: hello\r\n\
    Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nhello\r\n.a dot\r\n..\r\n";

const ENVELOPE: Envelope<'_> = Envelope {
    mail_from: "a@example.com",
    parameters: "",
    rcpt_to: &["b@example.net"],
};

fn start(config: &PostfixConfig) -> Option<Postfix> {
    Postfix::start(config).expect("Postfix starts")
}

fn connect(postfix: &Postfix) -> Smtp {
    let mut smtp = postfix.connect().expect("Postfix greets");
    assert_eq!(smtp.greeting.code, 220);
    assert!(smtp.greeting.text().starts_with(HOST_NAME), "{:?}", smtp.greeting);
    let reply = smtp.ehlo("client.example.com").expect("EHLO is answered");
    assert!(reply.lines.iter().any(|line| line == "SMTPUTF8"), "{reply:?}");
    smtp
}

fn send(smtp: &mut Smtp, envelope: &Envelope<'_>, message: &[u8]) -> Outcome {
    smtp.send(envelope, message).expect("the session lasts")
}

fn queue_id(outcome: &Outcome) -> &str {
    outcome
        .queue_id()
        .unwrap_or_else(|| unreachable!("refused: {outcome:?}"))
}

#[test]
fn a_message_arrives_as_it_was_sent() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    let mut smtp = connect(&postfix);
    let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
    let delivered = postfix.sink.wait_for(queue_id(&outcome)).expect("delivered");
    assert!(
        delivered.mail_from.starts_with("<a@example.com>"),
        "{delivered:?}"
    );
    assert_eq!(delivered.rcpt_to, ["<b@example.net>"]);
    assert_eq!(delivered.body(), b"hello\r\n.a dot\r\n..\r\n");
    let names: Vec<_> = delivered.fields().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Received", "From", "To", "Subject", "Date", "Message-ID"]);
    assert_eq!(delivered.values("subject"), [" hello"]);
    assert_eq!(smtp.quit().expect("QUIT is answered").code, 221);
}

#[test]
fn a_session_carries_several_messages() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    let mut smtp = connect(&postfix);
    for _ in 0..2 {
        let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
        assert!(postfix.sink.wait_for(queue_id(&outcome)).is_some());
        assert_eq!(smtp.reset().expect("RSET is answered").code, 250);
    }
    assert_eq!(postfix.sink.delivered().len(), 2);
}

#[test]
fn a_client_can_have_any_address() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    for (address, shown) in [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "IPv6:2001:db8::7")] {
        let address: IpAddr = address.parse().expect("an address");
        let mut smtp = connect(&postfix);
        let reply = smtp.as_client(address, Some("mail.example.com"), "helo.example.com");
        assert_eq!(reply.expect("XCLIENT is answered").code, 250);
        let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
        let delivered = postfix.sink.wait_for(queue_id(&outcome)).expect("delivered");
        let received = delivered.values("Received").concat();
        let expected = format!("from helo.example.com (mail.example.com [{shown}])");
        assert!(received.contains(&expected), "{received}");
    }
}

#[test]
fn a_client_without_a_host_name_may_say_helo() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    let mut smtp = connect(&postfix);
    let address: IpAddr = "198.51.100.9".parse().expect("an address");
    smtp.as_client(address, None, "x.example.com")
        .expect("XCLIENT is answered");
    assert_eq!(smtp.helo("y.example.com").expect("HELO is answered").code, 250);
    let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
    let delivered = postfix.sink.wait_for(queue_id(&outcome)).expect("delivered");
    let received = delivered.values("Received").concat();
    assert!(
        received.contains("from y.example.com (unknown [198.51.100.9])"),
        "{received}"
    );
}

#[test]
fn a_held_message_can_be_read() {
    let config =
        PostfixConfig::default().set("header_checks", "regexp:{{/^Subject: hello/ HOLD for the test}}");
    let Some(postfix) = start(&config) else { return };
    let mut smtp = connect(&postfix);
    let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
    let id = queue_id(&outcome);
    let line = postfix
        .wait_for_log(&[id, "hold: header Subject: hello"])
        .expect("logged");
    assert!(line.contains("for the test"), "{line}");
    let held = postfix.held().expect("the queue can be read");
    let [message] = &*held else {
        unreachable!("{held:?}")
    };
    assert_eq!((&*message.queue_id, &*message.mail_from), (id, "a@example.com"));
    assert_eq!(message.rcpt_to, ["b@example.net"]);
    let content = String::from_utf8_lossy(&message.message);
    assert!(content.contains("Subject: hello\n"), "{content}");
    assert!(content.ends_with("hello\n.a dot\n..\n"), "{content}");
    assert!(postfix.sink.delivered().is_empty());
}

#[test]
fn an_account_signs_in_and_a_wrong_password_does_not() {
    let config = PostfixConfig::default()
        .smtpd_option("smtpd_client_restrictions", "permit_sasl_authenticated, reject");
    let Some(postfix) = start(&config) else { return };
    let mut smtp = connect(&postfix);
    assert_eq!(
        smtp.auth_plain(USER, "battery staple")
            .expect("AUTH is answered")
            .code,
        535
    );
    let refused = send(&mut smtp, &ENVELOPE, MESSAGE);
    assert_eq!(refused.last().code, 554, "{}", refused.last().text());
    smtp.reset().expect("RSET is answered");
    assert_eq!(
        smtp.auth_plain(USER, PASSWORD).expect("AUTH is answered").code,
        235
    );
    let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
    assert!(postfix.sink.wait_for(queue_id(&outcome)).is_some());
    assert!(
        postfix.log().contains(&format!("sasl_username={USER}")),
        "{}",
        postfix.log()
    );
}

#[test]
fn internationalized_mail_passes() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    let mut smtp = connect(&postfix);
    let envelope = Envelope {
        mail_from: "jürgen@bücher.example",
        parameters: "BODY=8BITMIME SMTPUTF8",
        rcpt_to: &["用户@example.net"],
    };
    let message = "From: jürgen@bücher.example\r\nSubject: grüße\r\n\r\nschön\r\n";
    let outcome = send(&mut smtp, &envelope, message.as_bytes());
    let delivered = postfix.sink.wait_for(queue_id(&outcome)).expect("delivered");
    assert!(
        delivered.mail_from.starts_with("<jürgen@bücher.example>"),
        "{}",
        delivered.mail_from
    );
    assert_eq!(delivered.rcpt_to, ["<用户@example.net>"]);
    assert_eq!(delivered.values("Subject"), [" grüße"]);
}

#[test]
fn a_message_of_thirty_megabytes_passes() {
    let Some(postfix) = start(&PostfixConfig::default()) else {
        return;
    };
    let mut smtp = connect(&postfix);
    let line = b".23456789012345678901234567890123456789012345678901234567890123456789012345\r\n";
    let body = line.repeat(30 * 1024 * 1024 / line.len());
    let message = [&b"From: a@example.com\r\n\r\n"[..], &body].concat();
    let outcome = send(&mut smtp, &ENVELOPE, &message);
    let delivered = postfix.sink.wait_for(queue_id(&outcome)).expect("delivered");
    assert!(
        delivered.body() == body,
        "{} octets in, {} out",
        body.len(),
        delivered.body().len()
    );
}

#[test]
fn a_milter_that_is_not_there_defers_mail_by_default() {
    let config = PostfixConfig::with_milters(["unix:/nonexistent/landmarc.sock"]);
    let Some(postfix) = start(&config) else { return };
    let mut smtp = postfix.connect().expect("Postfix greets");
    smtp.ehlo("client.example.com").expect("EHLO is answered");
    let outcome = send(&mut smtp, &ENVELOPE, MESSAGE);
    assert_eq!(outcome.last().code, 451, "{outcome:?}");
    assert!(
        postfix
            .log()
            .contains("connect to Milter service unix:/nonexistent/landmarc.sock")
    );
}

#[test]
fn two_run_side_by_side() {
    let (Some(one), Some(other)) = (start(&PostfixConfig::default()), start(&PostfixConfig::default()))
    else {
        return;
    };
    assert_ne!(one.address(), other.address());
    let outcome = send(&mut connect(&one), &ENVELOPE, MESSAGE);
    assert!(one.sink.wait_for(queue_id(&outcome)).is_some());
    assert!(other.sink.delivered().is_empty());
    assert!(!other.log().contains(queue_id(&outcome)));
}
