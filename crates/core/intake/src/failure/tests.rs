//! The vectors of reading (B), and the limits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landmarc_dmarc::alignment::{Mechanism, Owned, align};
use landmarc_dmarc::record::Mode;
use proptest::prelude::*;

use landmarc_report::Registered;

use super::*;

const ORIGINAL: &str = "--b1\nContent-Type: text/rfc822-headers\n\n\
    From: Author <author@consumer.example>\nSubject: hello\n\n--b1--\n";

/// A report mail of these fields, with the original behind them.
fn arf(fields: &str) -> String {
    format!(
        "From: reports@gen.example\nMessage-ID: <1@gen.example>\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b1\n\n\
         --b1\nContent-Type: text/plain\n\nSource-IP: 203.0.113.9\n\n\
         --b1\nContent-Type: message/feedback-report\n\n{fields}\n\n{ORIGINAL}"
    )
}

/// Fields without which there would be deviations.
const GOOD: &str = "Feedback-Type: auth-failure\nUser-Agent: Gen/1\nVersion: 1\nAuth-Failure: dmarc\n\
    Authentication-Results: gen.example; dmarc=fail header.from=consumer.example\n\
    Identity-Alignment: dkim\nReported-Domain: consumer.example\n";

fn read_text(mail: &str) -> (ReceivedFailure, Vec<FailureDeviationKind>) {
    let (report, deviations) = read(mail.as_bytes()).unwrap();
    (
        report,
        deviations.iter().map(|deviation| deviation.kind).collect(),
    )
}

/// A good report with other lines of some names; an empty text leaves the line out.
fn with(changes: &[(&str, &str)]) -> (ReceivedFailure, Vec<FailureDeviationKind>) {
    let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
    for (name, text) in changes {
        lines.retain(|line| !line.starts_with(&format!("{name}:")));
        if !text.is_empty() {
            lines.push((*text).to_owned());
        }
    }
    read_text(&arf(&lines.join("\n")))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_good_report_has_no_deviation() {
    let (report, deviations) = with(&[]);
    assert_eq!(deviations, []);
    assert_eq!(
        report.source_ip, None,
        "RFC 5965 §2: the text for people is no evidence"
    );
    assert_eq!(report.reporter.unwrap().as_str(), "gen.example");
    assert_eq!(report.message_id.as_deref(), Some("1@gen.example"));
}

/// As the sample of RFC 9991, Appendix A: a list broke the signature, and the report itself has
/// semicolons where none belong.
#[test]
fn b01_the_sample_of_the_rfc() {
    let mail = "Message-ID: <433689.81121.example@mta.mail.receiver.example>;\n\
        From: \"SomeISP Antispam Feedback\" <feedback@mail.receiver.example>;\n\
        To: arf-failure@consumer.example\nSubject: FW: You have a new bill from your bank\n\
        Date: Sat, 8 Oct 2011 15:15:59 -0500\nMIME-Version: 1.0\n\
        Content-Type: multipart/report;\n  boundary=\"b1\";\n  report-type=feedback-report\n\
        Content-Transfer-Encoding: 7bit\n\n\
        --b1\nContent-Type: text/plain; charset=\"us-ascii\"\n\nThis is an authentication failure report.\n\n\
        --b1\nContent-Type: message/feedback-report\nContent-Transfer-Encoding: 7bit\n\n\
        Feedback-Type: auth-failure\nUser-Agent: SomeISP!Mail-Feedback/1.0\nVersion: 1\n\
        Original-Mail-From: anexample.reply@forwarder.example\n\
        Original-Envelope-Id: o3F52gxO029144\n\
        Authentication-Results: mta1011.mail.tp2.receiver.example;\n dmarc=fail header.from=consumer.example\n\
        Auth-Failure: dmarc\nIdentity-Alignment: dkim\nDKIM-Domain: consumer.example\n\
        DKIM-Identity: @consumer.example\nDKIM-Selector: epsilon\n\
        Arrival-Date: Sat, 8 Oct 2011 20:15:58 +0000 (GMT)\nSource-IP: 192.0.2.2\nSource-Port: 12345\n\
        Reported-Domain: consumer.example\n\n\
        --b1\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 7bit\n\n\
        Received: from smtp.forwarder.example by mta1011.mail.tp2.receiver.example\n\
        From: anexample@consumer.example\nTo: someuser@receiver.example\nSubject: You have a new bill\n\n--b1--\n";
    let (report, deviations) = read_text(mail);
    assert_eq!(deviations, []);
    assert_eq!(report.auth_failure, Some(AuthFailure::Dmarc.into()));
    assert_eq!(report.identity_alignment.unwrap().to_string(), "dkim");
    assert_eq!(report.dkim_domain.as_deref(), Some("consumer.example"));
    assert_eq!(report.dkim_identity.as_deref(), Some("@consumer.example"));
    assert_eq!(report.dkim_selector.as_deref(), Some("epsilon"));
    assert_eq!(
        (report.source_ip, report.source_port),
        (Some(ip("192.0.2.2")), Some(12_345))
    );
    assert_eq!(report.reported_domains[0].as_str(), "consumer.example");
    assert_eq!(report.arrival_date.unwrap().seconds, Some(1_318_104_958));
    assert_eq!(
        report.authentication_results.as_deref(),
        Some("mta1011.mail.tp2.receiver.example; dmarc=fail header.from=consumer.example")
    );
    let original = report.original.unwrap();
    assert_eq!(original.media_type, "text/rfc822-headers");
    assert_eq!(original.header().unwrap().named("Subject").count(), 1);
}

#[test]
fn b02_fields_in_base64_are_decoded() {
    let fields = STANDARD.encode(GOOD.replace('\n', "\r\n"));
    let mail = arf("").replace(
        "message/feedback-report\n\n\n",
        &format!("message/feedback-report\nContent-Transfer-Encoding: base64\n\n{fields}\n"),
    );
    let (report, deviations) = read_text(&mail);
    assert_eq!(report.reported_domains[0].as_str(), "consumer.example");
    assert_eq!(deviations, [FailureDeviationKind::TransferEncoding]);
}

#[test]
fn b03_the_part_is_found_by_its_type() {
    let mixed = arf(GOOD).replace("multipart/report; report-type=feedback-report", "multipart/mixed");
    let (report, deviations) = read_text(&mixed);
    assert_eq!(report.feedback_type.as_deref(), Some("auth-failure"));
    assert!(report.original.is_some());
    assert_eq!(deviations, [FailureDeviationKind::NotMultipartReport]);
}

#[test]
fn b04_a_text_for_people_is_read_as_far_as_it_goes() {
    let mail = "From: mailer@mx.example\nSubject: DMARC Forensic Report\n\n\
        A message claiming to be from you has failed the published DMARC\npolicy for your domain.\n\n  \
        Sender Domain: consumer.example\n  Sender IP Address: 192.0.2.7\n  \
        Received Date: Mon, 01 Jun 2026 00:00:00 +0000\n  SPF Alignment: no\n  DKIM Alignment: yes\n  \
        DMARC Results: Reject\n\n\
        ------ This is a copy of the headers of the message. ------\n\n\
        Received: from x by mx.example\nFrom: author@consumer.example\nSubject: hello\n";
    let (report, deviations) = read_text(mail);
    assert_eq!(report.form, FailureReportForm::Text);
    assert_eq!(deviations, [FailureDeviationKind::TextOnly]);
    assert_eq!(report.reported_domains[0].as_str(), "consumer.example");
    assert_eq!(report.source_ip, Some(ip("192.0.2.7")));
    assert_eq!(report.identity_alignment.unwrap().to_string(), "spf");
    assert_eq!(report.arrival_date.unwrap().seconds, Some(1_780_272_000));
    assert_eq!(report.original.unwrap().header().unwrap().fields().len(), 3);
    let other = mail.replace("has failed", "has passed");
    assert_eq!(read(other.as_bytes()), Err(NotAFailureReport::NoReport));
}

#[test]
fn b05_version_1_0_is_1() {
    let (report, deviations) = with(&[("Version", "Version: 1.0")]);
    assert_eq!(
        (report.version, deviations),
        (Some(1), vec![FailureDeviationKind::Version])
    );
    assert_eq!(
        with(&[("Version", "Version: x")]).1,
        [FailureDeviationKind::Version]
    );
    assert_eq!(with(&[("Version", "")]).1, [FailureDeviationKind::Version]);
}

#[test]
fn b06_the_other_date_does_as_well_but_not_both() {
    let arrival = ("Arrival-Date", "Arrival-Date: 1 Jun 2026 00:00:00 +0000");
    let received = ("Received-Date", "Received-Date: 2 Jun 2026 00:00:00 +0000");
    let seconds = |changes: &[(&str, &str)]| {
        let (report, deviations) = with(changes);
        (report.arrival_date.and_then(|date| date.seconds), deviations)
    };
    assert_eq!(seconds(&[]), (None, vec![]));
    assert_eq!(seconds(&[arrival]), (Some(1_780_272_000), vec![]));
    assert_eq!(seconds(&[received]), (Some(1_780_358_400), vec![]));
    assert_eq!(
        seconds(&[arrival, received]),
        (Some(1_780_272_000), vec![FailureDeviationKind::TwoDates])
    );
    assert_eq!(
        seconds(&[("Arrival-Date", "Arrival-Date: soon")]),
        (None, vec![FailureDeviationKind::Date])
    );
}

#[test]
fn b07_the_original_says_which_domain() {
    let (report, deviations) = with(&[("Reported-Domain", "")]);
    assert_eq!(report.reported_domains[0].as_str(), "consumer.example");
    assert_eq!(deviations, [FailureDeviationKind::NoReportedDomain]);
}

#[test]
fn b08_unknown_results_are_other() {
    let of = |word: &str| {
        let (report, deviations) = with(&[("Delivery-Result", &format!("Delivery-Result: {word}"))]);
        (report.delivery_result.unwrap().word(), deviations)
    };
    assert_eq!(
        of("smg-policy-action"),
        ("other", vec![FailureDeviationKind::DeliveryResult])
    );
    for word in ["delivered", "spam", "policy", "reject", "other"] {
        assert_eq!(of(&word.to_uppercase()), (word, vec![]));
    }
}

#[test]
fn b09_results_without_an_id_are_kept() {
    let value = "dmarc=fail (p=none, dis=none) header.from=domain.de";
    let field = format!("Authentication-Results: {value}");
    let (report, deviations) = with(&[("Authentication-Results", &field)]);
    assert_eq!(report.authentication_results.as_deref(), Some(value));
    assert_eq!(deviations, [FailureDeviationKind::AuthenticationResults]);
}

#[test]
fn b10_without_auth_failure_dmarc_is_assumed() {
    let (report, deviations) = with(&[("Auth-Failure", "")]);
    assert_eq!(report.auth_failure, Some(AuthFailure::Dmarc.into()));
    assert_eq!(deviations, [FailureDeviationKind::NoAuthFailure]);
    for word in ["adsp", "bodyhash", "dmarc", "revoked", "signature", "spf"] {
        let (report, deviations) = with(&[("Auth-Failure", &format!("Auth-Failure: {word}"))]);
        assert_eq!(
            (report.auth_failure.unwrap().as_str(), deviations),
            (word, vec![])
        );
    }
    let (report, deviations) = with(&[("Auth-Failure", "Auth-Failure: Odd")]);
    assert_eq!(report.auth_failure.unwrap().as_str(), "odd");
    assert_eq!(deviations, [FailureDeviationKind::AuthFailure]);
}

#[test]
fn b11_without_the_original_the_fields_are_kept() {
    let mail = arf(GOOD).replace(ORIGINAL, "--b1--\n");
    let (report, deviations) = read_text(&mail);
    assert_eq!(report.reported_domains[0].as_str(), "consumer.example");
    assert_eq!(deviations, [FailureDeviationKind::NoOriginal]);
}

#[test]
fn b12_incidents_weigh() {
    assert_eq!(with(&[]).0.incidents, 1);
    let of = |word: &str| with(&[("Incidents", &format!("Incidents: {word}"))]);
    assert_eq!(of("250").0.incidents, 250);
    assert_eq!(of("4294967295").0.incidents, u32::MAX);
    for wrong in ["0", "4294967296", "many", ""] {
        let (report, deviations) = of(wrong);
        assert_eq!(
            (report.incidents, deviations),
            (1, vec![FailureDeviationKind::Incidents]),
            "{wrong}"
        );
    }
}

#[test]
fn b13_each_spf_record_is_kept() {
    let fields = "SPF-DNS: txt : consumer.example : \"v=spf1 include:x.example -all\"\n\
        SPF-DNS: TXT:x.example:\n \"v=spf1 a:\\\"q\\\" ~all\"";
    let (report, deviations) = with(&[("SPF-DNS", fields)]);
    let expected = [
        ("consumer.example", "v=spf1 include:x.example -all"),
        ("x.example", "v=spf1 a:\"q\" ~all"),
    ];
    let found: Vec<_> = report
        .spf_records
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    assert_eq!((found.as_slice(), deviations), (&expected[..], vec![]));
    assert_eq!(
        with(&[("SPF-DNS", "SPF-DNS: txt")]).1,
        [FailureDeviationKind::SpfDns]
    );
}

#[test]
fn b14_without_a_pass_nothing_is_trusted() {
    for carrier in [
        None,
        Some(DmarcResult::None),
        Some(DmarcResult::Fail),
        Some(DmarcResult::TempError),
    ] {
        assert_eq!(
            FailureTrust::of(carrier.as_ref()),
            FailureTrust::Untrusted,
            "{carrier:?}"
        );
    }
}

#[test]
fn b14_a_mail_that_passes_is_from_who_it_says() {
    let domain = DomainName::parse("gen.example").unwrap();
    let owned = Owned {
        domain: &domain,
        organizational_domain: None,
    };
    let pass = align(owned, Mechanism::Dkim, owned, Mode::Strict).map(DmarcResult::Pass);
    assert_eq!(FailureTrust::of(pass.as_ref()), FailureTrust::Authenticated);
}

#[test]
fn b15_the_original_is_kept_as_octets_and_cut() {
    let phish = "<html><a href=\"http://evil.example/\">Log in</a></html>";
    let mail = arf(GOOD).replace(
        ORIGINAL,
        &format!(
            "--b1\nContent-Type: message/rfc822\n\nFrom: a@consumer.example\nContent-Type: text/html\n\n{phish}\n--b1--\n"
        ),
    );
    let (report, deviations) = read_text(&mail);
    assert_eq!(deviations, []);
    let original = report.original.unwrap();
    assert_eq!(original.media_type, "message/rfc822");
    assert!(String::from_utf8(original.octets).unwrap().contains(phish));

    for (octets, kept) in [
        (MAX_ORIGINAL_OCTETS, MAX_ORIGINAL_OCTETS),
        (MAX_ORIGINAL_OCTETS + 1, MAX_ORIGINAL_OCTETS),
    ] {
        let header = "From: a@consumer.example\n\n";
        let body = "x".repeat(octets - header.len());
        let part = format!("--b1\nContent-Type: message/rfc822\n\n{header}{body}\n--b1--\n");
        let (report, _) = read_text(&arf(GOOD).replace(ORIGINAL, &part));
        assert_eq!(report.original.unwrap().octets.len(), kept);
    }
}

#[test]
fn b16_what_stands_beside_the_address_is_dropped() {
    let of = |value: &str| {
        let (report, deviations) = with(&[("Source-IP", &format!("Source-IP: {value}"))]);
        (report.source_ip, deviations)
    };
    let noted = vec![FailureDeviationKind::SourceIp];
    assert_eq!(
        of("192.0.2.5 (host.example)"),
        (Some(ip("192.0.2.5")), noted.clone())
    );
    assert_eq!(of("[IPv6:2001:db8::1]"), (Some(ip("2001:db8::1")), noted.clone()));
    assert_eq!(of("2001:db8::1"), (Some(ip("2001:db8::1")), vec![]));
    assert_eq!(of("host.example"), (None, noted));
    assert_eq!(
        with(&[("Source-Port", "Source-Port: 65536")]).1,
        [FailureDeviationKind::SourcePort]
    );
}

#[test]
fn other_kinds_of_feedback_are_read_too() {
    let (report, deviations) = read_text(&arf(
        "Feedback-Type: Abuse\nUser-Agent: x\nVersion: 1\nOriginal-Rcpt-To: <a@b>\nOriginal-Rcpt-To: c@d\n\
         Reported-URI: http://x/\nUnknown: y\n\nRemoval-Recipient: z",
    ));
    assert_eq!(
        (report.feedback_type.as_deref(), report.auth_failure),
        (Some("abuse"), None)
    );
    assert_eq!(report.original_rcpt_to, ["a@b", "c@d"]);
    assert_eq!(report.reported_uris, ["http://x/"]);
    assert_eq!(deviations, []);
}

#[test]
fn what_stands_twice_counts_once() {
    let (report, deviations) = with(&[("User-Agent", "User-Agent: a\nUSER-AGENT: b")]);
    assert_eq!(report.user_agent.as_deref(), Some("a"));
    assert_eq!(deviations, [FailureDeviationKind::Repeated]);
}

#[test]
fn fields_are_read_to_their_limits() {
    let count = |fields: usize| read_text(&arf(&format!("{GOOD}{}", "X: y\n".repeat(fields - 7)))).1;
    assert_eq!(count(MAX_FIELDS), []);
    assert_eq!(count(MAX_FIELDS + 1), [FailureDeviationKind::TooManyFields]);

    for (octets, kept) in [
        (MAX_VALUE_OCTETS, MAX_VALUE_OCTETS),
        (MAX_VALUE_OCTETS + 1, MAX_VALUE_OCTETS),
    ] {
        // The value begins with a blank, which counts.
        let long = format!("User-Agent: {}\n {}", "x".repeat(99), "y".repeat(octets - 101));
        let (report, _) = with(&[("User-Agent", &long)]);
        assert_eq!(report.user_agent.unwrap().len() + 1, kept);
    }
}

#[test]
fn mails_are_read_to_their_limits() {
    let padded = |octets: usize| {
        let mail = arf(GOOD);
        let end = "\n".repeat(octets - mail.len());
        read_text(&(mail + &end)).1
    };
    assert_eq!(padded(MAX_MAIL_OCTETS), []);
    assert_eq!(padded(MAX_MAIL_OCTETS + 1), [FailureDeviationKind::Cut]);

    let lines = |count: usize| {
        let mail = arf(GOOD);
        let own = mail.lines().filter(|line| line.starts_with("--")).count();
        read((mail + &"--x\n".repeat(count - own)).as_bytes()).is_ok()
    };
    assert!(lines(MAX_BOUNDARY_LINES));
    assert!(!lines(MAX_BOUNDARY_LINES + 1));
}

#[test]
fn reports_are_found_in_forwarded_messages_to_a_depth() {
    let forwarded = |times: u32| {
        (0..times).fold(arf(GOOD), |mail, level| {
            format!(
                "Content-Type: multipart/mixed; boundary=w{level}\n\n\
                 --w{level}\nContent-Type: message/rfc822\n\n{mail}\n--w{level}--\n"
            )
        })
    };
    let found = |times| read(forwarded(times).as_bytes()).map(|(report, _)| report.feedback_type);
    assert_eq!(found(3), Ok(Some("auth-failure".to_owned())));
    assert_eq!(found(4), Err(NotAFailureReport::NoReport));
}

#[test]
fn a_mail_without_a_report_is_refused() {
    assert_eq!(read(b""), Err(NotAFailureReport::NoMail));
    assert_eq!(read(b"Subject: x\n\nhello\n"), Err(NotAFailureReport::NoReport));
    assert_eq!(read(arf("").as_bytes()), Err(NotAFailureReport::NoFields));
}

#[test]
fn deviations_are_told_in_words() {
    let (_, deviations) = read(arf(&GOOD.replace("Version: 1", "Version: \"2\x1b")).as_bytes()).unwrap();
    let words: Vec<_> = deviations.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(words.join("\n"), @r#"Version is missing or not 1: "\"2\u{1b}""#);
    assert_eq!(deviations[0].kind.as_str(), "version");
    let missing = FailureDeviation::missing(FailureDeviationKind::NoOriginal);
    insta::assert_snapshot!(missing.to_string(), @"the third part, with the original message, is missing");
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..400), place in 0..2_000_usize) {
        let _ = read(&octets);
        let mut mail = arf(GOOD).into_bytes();
        let at = place.min(mail.len());
        mail.splice(at..at, octets);
        let _ = read(&mail);
    }
}
