//! Authentication-Results: the conformance cases, and the vectors of forged and
//! foreign values (RFC 8601 §2.2, §5).

use std::collections::BTreeMap;
use std::fs;

use landmarc_mail::DomainName;
use landmarc_mail::authres::{
    AuthenticationResults, AuthresError, ResultInfo, claims_authserv_id, unique_prefixes,
};
use landmarc_mail::message::{HeaderLimits, split};
use serde_json::{Map, Value, json};

const OURS: &str = "mx.receiver.example";

#[test]
fn conformance_cases() {
    let cases = landmarc_testkit::cases::own("authres/cases.jsonl");
    assert_eq!(cases.len(), 32);
    for case in cases {
        let value = case.input("header").unwrap();
        let expected = &case.json["expect"]["authres"];
        let read = AuthenticationResults::parse(value.as_bytes());
        let found = read.as_ref().map_or_else(|_| json!({"ok": false}), as_json);
        assert_eq!(&found, expected, "{}: {read:?}", case.id());
    }
}

fn as_json(field: &AuthenticationResults) -> Value {
    let results: Vec<_> = field.results.iter().map(result_as_json).collect();
    json!({
        "ok": true,
        "authserv_id": field.authserv_id,
        "version": field.version.map(|v| v.to_string()),
        "results": results,
    })
}

fn result_as_json(info: &ResultInfo) -> Value {
    let named = |p: &landmarc_mail::authres::Property| {
        (
            format!("{}.{}", p.ptype, p.property),
            Value::from(p.value.clone()),
        )
    };
    json!({
        "method": info.method,
        "result": info.result,
        "reason": info.reason,
        "method_version": info.method_version.map(|v| v.to_string()),
        "props": info.properties.iter().map(named).collect::<Map<_, _>>(),
    })
}

/// What the fields of the collected messages come to: how many are read, and not.
#[test]
fn conformance_messages_are_read_without_trusting_the_broken_ones() {
    let Some(folder) = landmarc_testkit::cases::folder() else {
        return;
    };
    let mut unread = BTreeMap::new();
    let mut read = 0;
    for entry in fs::read_dir(folder.join("authres/messages")).unwrap() {
        let path = entry.unwrap().path();
        let octets = fs::read(&path).unwrap();
        let message = split(&octets, &HeaderLimits::default()).unwrap();
        for (_, field) in message.header.named("Authentication-Results") {
            match AuthenticationResults::parse(field.value()) {
                Ok(_) => read += 1,
                Err(_) => {
                    let name = path.file_name().unwrap().to_string_lossy().into_owned();
                    *unread.entry(name).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{read} read, not read: {unread:?}");
    assert!(unread.contains_key("multiple_arh-newest_parsing_error_02.eml"));
    assert!(read > 20);
}

#[test]
fn rz01_our_id_is_claimed() {
    assert!(claims_authserv_id(
        b" mx.receiver.example; dmarc=pass header.from=bank.test",
        OURS
    ));
}

#[test]
fn rz02_in_any_case_and_with_comments() {
    assert!(claims_authserv_id(b"MX.Receiver.Example (x) ; spf=pass", OURS));
    assert!(claims_authserv_id(
        b" (a (b)) mx.receiver.example (c) 1 (d); spf=pass",
        OURS
    ));
}

#[test]
fn rz03_folded() {
    assert!(claims_authserv_id(b"\r\n mx.receiver.example; none", OURS));
    assert!(claims_authserv_id(
        b"\r\n\t\"mx.receiver\r\n .example\"; none",
        OURS
    ));
}

#[test]
fn rz04_with_another_version() {
    assert!(claims_authserv_id(b" mx.receiver.example 2; dkim=pass", OURS));
    assert!(claims_authserv_id(
        b" mx.receiver.example 2; in words of version two",
        OURS
    ));
    assert!(!claims_authserv_id(
        b" mail.partner.example 2; dkim=pass header.d=mx.receiver.example",
        OURS
    ));
}

#[test]
fn rz05_quoted() {
    assert!(claims_authserv_id(b" \"mx.receiver.example\"; spf=pass", OURS));
    assert!(claims_authserv_id(b" \"mx.\\receiver.example \"; spf=pass", OURS));
    assert!(claims_authserv_id(b" mx.receiver.example.; spf=pass", OURS));
}

#[test]
fn rz06_another_id_is_not_ours() {
    for theirs in [
        "mail.partner.example; spf=pass",
        "mx.receiver.example.evil.test; spf=pass",
        "not-mx.receiver.example; spf=pass",
        "mail.partner.example; spf=pass smtp.helo=mx.receiver.example",
        "mail.partner.example (mx.receiver.example); none",
    ] {
        assert!(!claims_authserv_id(theirs.as_bytes(), OURS), "{theirs}");
    }
}

#[test]
fn rz07_in_a_field_that_cannot_be_read_our_id_counts_anywhere() {
    for unreadable in [
        &b" mx.receiver.example"[..],
        b" mx.receiver.example/job7; spf=pass",
        b" x (mx.receiver.example; spf=pass",
        b" a.test; spf=pass; ???MX.RECEIVER.EXAMPLE",
        b" mx.receiver.example; spf=pass\0",
        b" mx.receiver.example; spf=\xff",
        b" mx.rec\r\n eiver.example; spf=pass smtp",
        b" mx(x).receiver.example; spf=pass smtp",
        b" mx.re\0ceiver.example; spf=pass",
        b" \"mx.receiver.example; spf=pass",
    ] {
        assert!(
            claims_authserv_id(unreadable, OURS),
            "{}",
            unreadable.escape_ascii()
        );
    }
    assert!(!claims_authserv_id(b" mail.partner.example; spf", OURS));
    assert!(!claims_authserv_id(b"", OURS));
}

#[test]
fn rz09_without_checks_the_field_says_none() {
    assert_eq!(
        AuthenticationResults::new(OURS).to_value(),
        " mx.receiver.example; none"
    );
}

#[test]
fn rz10_a_foreign_domain_cannot_add_results() {
    let evil = "example.com; dmarc=pass header.from=bank.test";
    assert!(DomainName::parse(evil).is_err());
    let read = written_and_read(ResultInfo::new("dkim", "neutral").with_value("header", "d", evil));
    assert_eq!(read.results.len(), 1);
    assert_eq!(read.results[0].property("header", "d"), Some(evil));
}

#[test]
fn rz11_a_foreign_mailbox_is_printed_as_its_domain() {
    let path = landmarc_mail::ReversePath::new(br#""a b);dmarc=pass"@example.net"#);
    let domain = path.domain().unwrap();
    let info = ResultInfo::new("spf", "pass").with_domain("smtp", "mailfrom", &domain);
    let mut field = AuthenticationResults::new(OURS);
    field.results.push(info);
    assert_eq!(
        field.to_value(),
        " mx.receiver.example;\r\n\tspf=pass smtp.mailfrom=example.net"
    );
}

#[test]
fn rz12_a_helo_that_is_no_domain_makes_no_property() {
    assert!(DomainName::parse("x (y").is_err());
    // Should somebody pass it on all the same, it is quoted and ends nothing early.
    let read = written_and_read(ResultInfo::new("spf", "none").with_value("smtp", "helo", "x (y"));
    assert_eq!(read.results[0].property("smtp", "helo"), Some("x (y"));
}

#[test]
fn rz13_signatures_of_one_domain_are_told_apart() {
    let domain = DomainName::parse("example.com").unwrap();
    let signatures = ["Abc/efghIJKL", "abc/efghIJKL"];
    let mut field = AuthenticationResults::new(OURS);
    for (signature, length) in signatures.iter().zip(unique_prefixes(&signatures)) {
        let info = ResultInfo::new("dkim", "pass").with_domain("header", "d", &domain);
        field
            .results
            .push(info.with_value("header", "b", &signature[..length]));
    }
    assert_eq!(
        field.to_value(),
        " mx.receiver.example;\r\n\tdkim=pass header.d=example.com header.b=\"Abc/efgh\";\
         \r\n\tdkim=pass header.d=example.com header.b=\"abc/efgh\""
    );
}

#[test]
fn rz14_prefixes_grow_until_they_are_unique() {
    assert!(unique_prefixes(&[]).is_empty());
    assert_eq!(unique_prefixes(&["abcdefghijkl"]), [8]);
    assert_eq!(unique_prefixes(&["abc"]), [3]);
    assert_eq!(
        unique_prefixes(&["abcdefghijkl", "x", "abcdefghiXkl", "abcdefghijYl"]),
        [11, 1, 10, 11]
    );
    assert_eq!(unique_prefixes(&["abcdefghi", "abcdefgh"]), [9, 8]);
    assert_eq!(unique_prefixes(&["abcdefghi", "abcdefghi"]), [9, 9]);
    // Not base64, but not to be cut inside a character either.
    assert_eq!(unique_prefixes(&["abcdefgü!"]), [9]);
}

#[test]
fn rz15_a_result_needs_no_property() {
    let mut field = AuthenticationResults::new(OURS);
    field.results.push(ResultInfo::new("spf", "none"));
    assert_eq!(field.to_value(), " mx.receiver.example;\r\n\tspf=none");
}

#[test]
fn rz16_the_policy_is_a_property_and_the_record_a_comment() {
    let from = DomainName::parse("mail.example.com").unwrap();
    let info = ResultInfo::new("dmarc", "fail")
        .with_comment("p=reject sp=none t=y dom=example.com")
        .with_domain("header", "from", &from)
        .with_value("policy", "dmarc", "quarantine");
    let mut field = AuthenticationResults::new(OURS);
    field.results.push(info);
    assert_eq!(
        field.to_value(),
        " mx.receiver.example;\r\n\tdmarc=fail (p=reject sp=none t=y dom=example.com)\
         \r\n\theader.from=mail.example.com policy.dmarc=quarantine"
    );
}

#[test]
fn rz17_a_method_of_another_version_is_another_method() {
    let read = AuthenticationResults::parse(b"a.test; dkim/2=pass; dkim/1=fail; DKIM=none").unwrap();
    let are: Vec<_> = read.results.iter().map(|info| info.is("dkim")).collect();
    assert_eq!(are, [false, true, true]);
}

#[test]
fn rz18_a_field_of_an_attached_message_is_no_field() {
    let octets = b"From: a@b.test\r\n\r\nAuthentication-Results: mx.receiver.example; spf=pass\r\n";
    let message = split(octets, &HeaderLimits::default()).unwrap();
    assert_eq!(message.header.named("Authentication-Results").count(), 0);
}

#[test]
fn what_is_out_of_place_is_replaced_or_left_out() {
    let info = ResultInfo::new("spf", "fail")
        .with_comment("a) b; \"c\\ \r\nX: (d\0 ü")
        .with_reason("say \"no\"\\\r\nX: y\0")
        .with_value("smtp", "a", "line\r\nX: y")
        .with_value("smtp", "b", "nul\0")
        .with_value("smtp", "c", "ü@bücher.example")
        .with_value("smtp", "d", "x".repeat(320))
        .with_value("smtp", "e", "x".repeat(321))
        .with_value("smtp", "no keyword", "x")
        .with_value("smtp", "f", "");
    let mut field = AuthenticationResults::new("mx ü\r\n");
    field.results.push(info);
    field.results.push(ResultInfo::new("no keyword", "pass"));
    let expected = format!(
        " \"mx ???\";\r\n\tspf=fail reason=\"say \\\"no\\\"\\\\??X: y?\" (a] b, 'c? ??X: [d? ?)\
         \r\n\tsmtp.d={}\r\n\tsmtp.f=\"\"",
        "x".repeat(320)
    );
    assert_eq!(field.to_value(), expected);
    assert!(AuthenticationResults::parse(expected.as_bytes()).is_ok());
}

#[test]
fn foreign_text_in_a_comment_or_reason_does_not_look_like_a_result() {
    let foreign = "exists:dmarc=pass.evil.test DKIM = pass x-spf=pass p=reject d=a.test";
    let mut field = AuthenticationResults::new("mx.example");
    let info = ResultInfo::new("spf", "fail").with_comment(foreign);
    field.results.push(info.with_reason(foreign));
    let written = field.to_value().to_ascii_lowercase();
    for result in ["dmarc=pass", "dkim =", "dkim=pass", "spf=pass"] {
        assert!(!written.contains(result), "{result} in {written}");
    }
    for kept in ["dmarc:pass.evil.test", "p=reject", "d=a.test"] {
        assert_eq!(written.matches(kept).count(), 2, "{kept} in {written}");
    }
}

#[test]
fn nothing_over_its_limit_is_written_or_read() {
    let long = "\"".repeat(2_000);
    let mut field = AuthenticationResults::new(long.clone());
    let info = ResultInfo::new("spf", "pass").with_reason(long.clone());
    field
        .results
        .push(info.with_comment("x".repeat(2_000)).with_value("smtp", "a", long));
    let value = field.to_value();
    assert!(value.lines().all(|line| line.len() <= 998 - 24));
    let read = AuthenticationResults::parse(value.as_bytes()).unwrap();
    assert_eq!(read.authserv_id.len(), 255);
    assert_eq!(read.results[0].reason.as_ref().map(String::len), Some(320));

    let results = |count| AuthenticationResults::parse(format!("a{}", "; b=c".repeat(count)).as_bytes());
    assert_eq!(results(200).unwrap().results.len(), 200);
    assert_eq!(results(201), Err(AuthresError::TooLong));
    let properties =
        |count| AuthenticationResults::parse(format!("a; b=c{}", " d.e=f".repeat(count)).as_bytes());
    assert_eq!(properties(200).unwrap().results[0].properties.len(), 200);
    assert_eq!(properties(201), Err(AuthresError::TooLong));
    let padded =
        |octets: usize| AuthenticationResults::parse(format!("a; none{}", " ".repeat(octets - 7)).as_bytes());
    assert!(padded(64 * 1024).is_ok());
    assert_eq!(padded(64 * 1024 + 1), Err(AuthresError::TooLong));
}

#[test]
fn lines_are_folded_where_they_can_be() {
    let mut field = AuthenticationResults::new(OURS);
    let comment = "many words of a comment that is too wide for one line of a header field by far";
    field
        .results
        .push(ResultInfo::new("dmarc", "pass").with_comment(comment));
    assert_eq!(
        field.to_value(),
        " mx.receiver.example;\r\n\tdmarc=pass (many words of a comment that is too wide for one line of a\
         \r\n\theader field by far)"
    );
}

#[test]
fn a_reason_is_folded_at_its_blanks_and_reads_back_the_same() {
    let reason = "SPF of a.example does not authorize 192.0.2.7,  and \"there\" is  no DKIM \\ signature ";
    let info = ResultInfo::new("dmarc", "fail").with_reason(reason);
    let mut field = AuthenticationResults::new(OURS);
    field.results.push(
        info.with_comment("p=reject")
            .with_value("header", "from", "a.example"),
    );
    assert_eq!(
        field.to_value(),
        " mx.receiver.example;\r\n\tdmarc=fail reason=\"SPF of a.example does not authorize 192.0.2.7, \
         \r\n and \\\"there\\\" is  no DKIM \\\\ signature \" (p=reject) header.from=a.example"
    );
    let read = AuthenticationResults::parse(field.to_value().as_bytes()).unwrap();
    assert_eq!(read.results[0].reason.as_deref(), Some(reason));
}

#[test]
fn no_line_of_a_reason_is_blank_and_none_is_too_long() {
    for reason in [
        " ".repeat(320),
        "x".repeat(320),
        "\\ \" ".repeat(80),
        format!("{}x", " ".repeat(200)),
    ] {
        let read = written_and_read(ResultInfo::new("dmarc", "fail").with_reason(reason.clone()));
        assert_eq!(read.results[0].reason.as_deref(), Some(reason.as_str()));
        let mut field = AuthenticationResults::new(OURS);
        field
            .results
            .push(ResultInfo::new("dmarc", "fail").with_reason(reason));
        for line in field.to_value().split("\r\n") {
            assert!(line.len() <= 998 && !line.trim().is_empty(), "{line:?}");
        }
    }
}

#[test]
fn what_is_not_the_grammar_is_refused() {
    for value in [
        "a.test; spf=pass smtp.mailfrom=@",
        "a.test; spf=pass smtp.mailfrom=a@b@c",
        "a.test; spf=pass smtp.mailfrom=a..b@c",
        "a.test; spf=pass smtp.mailfrom=a@b..c",
        "a.test; spf=pass smtp.remote-ip=2001:db8::1",
        "a.test; dkim=pass header.b=ab/cd",
        "a.test; spf=pass smtp.a=b reason=late",
        "a.test; spf=pass action=none",
        "a.test; spf",
        "a.test; spf=",
        "a.test; spf-=pass",
        "a.test; none; spf=pass",
        "a.test; ; spf=pass",
        "a.test x; spf=pass",
        "a.test 99999999999; spf=pass",
        "a@test; spf=pass",
        "; spf=pass",
    ] {
        let read = AuthenticationResults::parse(value.as_bytes());
        assert!(
            matches!(read, Err(AuthresError::Syntax { .. })),
            "{value}: {read:?}"
        );
    }
    let error = AuthenticationResults::parse(b"a.test; spf").unwrap_err();
    insta::assert_snapshot!(error.to_string(), @"a method without a result at octet 11");
    let version = AuthenticationResults::parse(b"a.test 2; spf=pass");
    assert_eq!(version, Err(AuthresError::Version(2)));
    assert_eq!(
        AuthenticationResults::parse(b"a\n; none"),
        Err(AuthresError::ControlOctets)
    );
    assert_eq!(
        AuthenticationResults::parse(b"a\xff; none"),
        Err(AuthresError::NotUtf8)
    );
}

#[track_caller]
fn written_and_read(info: ResultInfo) -> AuthenticationResults {
    let mut field = AuthenticationResults::new(OURS);
    field.results.push(info);
    AuthenticationResults::parse(field.to_value().as_bytes()).expect("what is written reads back")
}

/// A1, H1: several filters write the MTA's name for the message behind their own.
#[test]
fn a1_h1_an_authserv_id_may_have_a_job() {
    let value = b" mx01.nausch.org/C198981; dmarc=pass header.from=gmail.com";
    assert!(AuthenticationResults::parse(value).is_err());
    let (field, job) = AuthenticationResults::parse_with_job(value).unwrap();
    assert_eq!(
        (field.authserv_id.as_str(), job.as_deref()),
        ("mx01.nausch.org", Some("C198981"))
    );
    assert_eq!(field.results[0].property("header", "from"), Some("gmail.com"));
    assert!(claims_authserv_id(value, "mx01.nausch.org"));
    let written = field.to_value_with_job("C198981").replace("\r\n\t", " ");
    assert_eq!(written.as_bytes(), value);

    let (_, job) = AuthenticationResults::parse_with_job(b" mx.test 1; none").unwrap();
    assert_eq!(job, None);
    for value in [
        "mx.test/; none",
        "mx.test/a b; none",
        "mx.test /a; none",
        "mx.test/a/b; none",
        "/a; none",
    ] {
        assert!(
            AuthenticationResults::parse_with_job(value.as_bytes()).is_err(),
            "{value}"
        );
    }
}

/// A4, A6: OpenARC writes the address of an IPv6 client as it is.
#[test]
fn a4_an_address_needs_no_quotes_in_the_field_of_a_filter() {
    let value = b"mx.test; arc=pass smtp.remote-ip=2001:db8::1 arc.chain=a.test:b.test; spf=none";
    assert!(AuthenticationResults::parse(value).is_err());
    let (field, _) = AuthenticationResults::parse_with_job(value).unwrap();
    assert_eq!(field.results.len(), 2);
    assert_eq!(
        field.results[0].property("smtp", "remote-ip"),
        Some("2001:db8::1")
    );
    assert_eq!(field.results[0].property("arc", "chain"), Some("a.test:b.test"));
    for value in [
        "arc.x=",
        "arc.x=(y)",
        "arc.x=a b",
        "arc.x=a,b",
        "arc.x=a\"b\"",
        "arc.x=a:b@c.test",
    ] {
        let value = format!("mx.test; arc=pass {value}");
        assert!(
            AuthenticationResults::parse_with_job(value.as_bytes()).is_err(),
            "{value}"
        );
    }
}

#[test]
fn a_job_is_written_up_to_its_limit_and_as_a_token_only() {
    let written = |job: &str| {
        let field = AuthenticationResults::new("mx.test");
        field.to_value_with_job(job).replace("\r\n\t", " ")
    };
    let longest = "x".repeat(64);
    assert_eq!(written(&longest), format!(" mx.test/{longest}; none"));
    assert_eq!(written(&format!("{longest}x")), " mx.test; none");
    for job in ["", "a b", "a;b", "a/b", "\u{fc}"] {
        assert_eq!(written(job), " mx.test; none", "{job}");
    }
}

/// One signature in eight has a `/` among the first octets of `b=`, and opendkim quotes none.
#[test]
fn a_value_in_base64_needs_no_quotes_in_the_field_of_a_filter() {
    let value =
        b" mx.test; dkim=pass (2048-bit key) header.d=example.com header.b=rIzRo/t=; dkim-atps=neutral";
    assert!(AuthenticationResults::parse(value).is_err());
    let (field, _) = AuthenticationResults::parse_with_job(value).unwrap();
    assert_eq!(field.results[0].property("header", "b"), Some("rIzRo/t="));
    assert_eq!(field.results[1].method, "dkim-atps");
    let written = field.to_value();
    assert!(written.contains("header.b=\"rIzRo/t=\""), "{written}");
    assert!(AuthenticationResults::parse_with_job(b" mx.test; dkim=pass header.b=").is_err());
}
