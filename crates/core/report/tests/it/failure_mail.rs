//! Whole messages with failure reports: what others read, and what they must never find in them.

use std::io::Write;
use std::process::{Command, Stdio};

use landmarc_intake::failure::{FailureReportForm, read};
use landmarc_report::Registered;
use landmarc_report::failure::facts::{
    Agreement, MAX_HEADER_FIELDS, MAX_KEY_RECORD_OCTETS, MAX_QUEUE_ID_OCTETS, MAX_SIGNATURES, MAX_SPF_RECORDS,
};
use landmarc_report::failure::redact::MAX_BLOCK_OCTETS;
use landmarc_report::failure::write::USER_AGENT;
use landmarc_report::failure::{FailureFacts, MtaFacts, Profile, Redactor};
use landmarc_testkit::needs::Need;
use landmarc_testkit::txt_zones;

use crate::failure_common::{Given, KEY, dmarc_report, facts, facts_at, octets, report};

const RECORD: (&str, &str) = (
    "_dmarc.consumer.example",
    "v=DMARC1; p=reject; ruf=mailto:dmarcfail@consumer.example; fo=1",
);
/// Any key will do: the body hash is wrong already.
const KEY_RECORD: (&str, &str) = (
    "epsilon._domainkey.consumer.example",
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
);

/// A list has changed the body and broken the author's signature.
const LIST_MESSAGE: &str = "\
Received: from list.forwarder.example (list.forwarder.example [192.0.2.2])
\tby gen.example (Postfix) with ESMTPS id 65E1A3F0A0
\tfor <James.Smith@receiver.example>; Mon, 01 Jun 2026 00:00:00 +0000
Return-Path: <list-bounces+james.smith=receiver.example@forwarder.example>
X-Original-To: James.Smith@receiver.example
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=consumer.example;
\ts=epsilon; i=author@consumer.example; h=from:to:subject;
\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; z=To:James.Smith@receiver.example;
\tb=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==
From: \"The Author\" <author@consumer.example>
To: Friends of James <friends@forwarder.example>
List-Id: Friends <friends.forwarder.example>
List-Unsubscribe: <https://forwarder.example/u/james.smith?t=1>, <mailto:friends-leave+James.Smith@forwarder.example>
Subject: Your lab results
X-Mailing-List-Member: James.Smith@receiver.example
Message-ID: <author.1234@consumer.example>
Date: Mon, 01 Jun 2026 00:00:00 +0000
Content-Type: multipart/mixed; boundary=\"James.Smith\"

Dear James, see http://evil.example/x
";

fn list_message() -> FailureFacts {
    facts(&Given {
        zones: txt_zones(&[
            RECORD,
            KEY_RECORD,
            ("forwarder.example", "v=spf1 ip4:192.0.2.0/24 -all"),
        ]),
        client: "192.0.2.2",
        mail_from: "<list-bounces+James.Smith=receiver.example@forwarder.example>",
        message: LIST_MESSAGE,
    })
}

/// Forged: from anywhere, unsigned, with the author's domain in the envelope.
fn forged_message(message: &str, record: &str) -> FailureFacts {
    facts(&Given {
        zones: txt_zones(&[
            ("_dmarc.consumer.example", record),
            (
                "consumer.example",
                "v=spf1 include:_spf.consumer.example exp=why.consumer.example -all",
            ),
            (
                "_spf.consumer.example",
                "v=spf1 ip4:192.0.2.10  ip4:192.0.2.11 ?all",
            ),
        ]),
        client: "2001:db8::1",
        mail_from: "<author@consumer.example>",
        message,
    })
}

/// The message without what hangs on the version of this program.
fn golden(message: &str) -> String {
    let boundary = message
        .split("boundary=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    message
        .replace(USER_AGENT, "landmarc/VERSION")
        .replace(boundary.expect("it has parts"), "BOUNDARY")
}

fn hashed() -> Redactor {
    Redactor::new(Profile::Hashed, KEY)
}

#[test]
fn a_list_message_hashed() {
    insta::assert_snapshot!(golden(&octets(&report(&list_message(), &hashed(), 1))));
}

#[test]
fn a_forged_message_with_domains_only() {
    let message = "From: author@consumer.example\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe_von?= author@consumer.example\n\nhello\n";
    let record = "v=DMARC1; p=quarantine; t=y; ruf=mailto:dmarcfail@consumer.example";
    let redaction = Redactor::new(Profile::Domains, KEY).with_subjects(true);
    let facts = forged_message(message, record);
    insta::assert_snapshot!(golden(&octets(&report(&facts, &redaction, 250))));
}

#[test]
fn an_agreement_shows_the_header_as_it_came() {
    let facts = list_message();
    let redaction = Redactor::new(Profile::None, KEY);
    insta::assert_snapshot!(golden(&octets(&report(&facts, &redaction, 1))));
}

#[test]
fn fr06_fr09_reports_about_one_mechanism() {
    let body = |record: &'static str| {
        let mut facts = list_message();
        let parsed = landmarc_dmarc::record::PolicyRecord::parse(record.as_bytes()).unwrap();
        facts.failure_options = parsed.failure_options;
        octets(&report(&facts, &hashed(), 1)).replace("\r\n ", " ")
    };
    let dkim = body("v=DMARC1; p=none; ruf=mailto:a@consumer.example; fo=d");
    assert!(dkim.contains("Auth-Failure: signature\r\n"), "{dkim}");
    assert!(
        dkim.contains("dkim=fail header.d=consumer.example header.s=epsilon"),
        "{dkim}"
    );

    let record = "v=DMARC1; p=none; ruf=mailto:a@consumer.example; fo=s";
    let spf = octets(&report(&forged_message(LIST_MESSAGE, record), &hashed(), 1));
    assert!(spf.contains("Auth-Failure: spf\r\n"), "{spf}");
    assert!(spf.contains("spf=fail smtp.mailfrom=consumer.example"), "{spf}");
}

#[test]
fn rd13_rd14_rd15_no_body_no_attachment_nothing_canonicalized() {
    for profile in [Profile::Hashed, Profile::Domains, Profile::None] {
        let message = octets(&report(&list_message(), &Redactor::new(profile, KEY), 1));
        for never in [
            "Dear James",
            "evil.example",
            "DKIM-Canonicalized",
            "Original-Rcpt-To",
        ] {
            assert!(!message.contains(never), "{never} under {}", profile.as_str());
        }
        assert!(message.contains("text/rfc822-headers"));
    }
}

#[test]
fn nobody_can_be_found_in_a_hashed_message() {
    let mut facts = list_message();
    facts.moment.recipients = vec![b"Melissa@receiver.example".to_vec()];
    facts.moment.queue_id = "for.melissa\r\nBcc: x@y.example".to_owned();
    let message = octets(&report(&facts, &hashed(), 1));
    let lower = message.to_ascii_lowercase();
    for local_part in [
        "james",
        "smith",
        "friends",
        "author@",
        "author.1234",
        "melissa",
        "lab results",
        "list-bounces",
    ] {
        assert!(!lower.contains(local_part), "{local_part} in {message}");
    }
    assert!(!lower.contains("\nbcc"), "{message}");
}

#[test]
fn what_we_write_we_read() {
    for profile in [Profile::Hashed, Profile::Domains, Profile::None] {
        let made = report(&list_message(), &Redactor::new(profile, KEY), 20);
        let (read, deviations) = read(octets(&made).as_bytes()).unwrap();
        assert_eq!(deviations, []);
        assert_eq!(read.form, FailureReportForm::Arf);
        assert_eq!(
            read.auth_failure,
            Some(landmarc_report::failure::AuthFailure::Dmarc.into())
        );
        assert_eq!(
            read.authentication_results.as_deref(),
            Some(&*made.authentication_results)
        );
        assert_eq!(read.identity_alignment, Some(made.identity_alignment));
        assert_eq!(read.reported_domains, std::slice::from_ref(&made.reported_domain));
        assert_eq!(read.original_envelope_id, made.original_envelope_id);
        assert_eq!(read.original_mail_from, made.original_mail_from);
        assert_eq!(
            (read.source_ip, read.source_port),
            (made.source_ip, made.source_port)
        );
        assert_eq!(read.arrival_date.unwrap().seconds, Some(made.arrival_date));
        assert_eq!(read.reporting_mta.as_deref(), Some("dns; gen.example"));
        assert_eq!(read.incidents, 20);
        assert_eq!(read.delivery_result.unwrap().word(), made.delivery.as_str());
        let signature = made.signature.unwrap();
        assert_eq!(read.dkim_domain.as_deref(), Some(signature.domain.as_str()));
        assert_eq!(read.dkim_identity, Some(signature.identity));
        assert_eq!(read.dkim_selector, signature.selector);
        assert_eq!(read.dkim_selector_dns.as_deref(), Some(KEY_RECORD.1));
        let original = read.original.unwrap();
        assert_eq!(original.media_type, "text/rfc822-headers");
        assert_eq!(original.author_domain(), Some(made.reported_domain));
    }
}

#[test]
fn b13_each_spf_record_used_is_written_and_read() {
    let record = RECORD.1;
    let made = report(&forged_message(LIST_MESSAGE, record), &hashed(), 1);
    let message = octets(&made);
    let (read, deviations) = read(message.as_bytes()).unwrap();
    assert_eq!(deviations, []);
    let expected = [
        (
            "consumer.example",
            "v=spf1 include:_spf.consumer.example exp=why.consumer.example -all",
        ),
        (
            "_spf.consumer.example",
            "v=spf1 ip4:192.0.2.10  ip4:192.0.2.11 ?all",
        ),
    ];
    let found: Vec<_> = read
        .spf_records
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn what_is_kept_of_a_message_is_bounded() {
    let signature = |domain: &str| {
        format!("DKIM-Signature: v=1; a=ed25519-sha256; d={domain}; s=s; h=from; bh=AA==; b=AA==\n")
    };
    let others = signature("x.example").repeat(MAX_SIGNATURES);
    let message = format!("{others}{}{LIST_MESSAGE}", signature("consumer.example"));
    let mut given = Given {
        zones: txt_zones(&[RECORD]),
        client: "192.0.2.2",
        mail_from: "<a@x.example>",
        message: &message,
    };
    let kept = facts(&given).signatures;
    assert_eq!(kept.len(), MAX_SIGNATURES);
    let own = kept
        .iter()
        .filter(|signature| signature.agreement == Agreement::Same);
    assert_eq!(own.count(), 2, "those of the author come first");

    let long = "q".repeat(MAX_QUEUE_ID_OCTETS + 1);
    let moment = |octets: usize| MtaFacts {
        queue_id: long.get(..octets).unwrap().to_owned(),
        ..MtaFacts::default()
    };
    for octets in [MAX_QUEUE_ID_OCTETS, MAX_QUEUE_ID_OCTETS + 1] {
        let facts = facts_at(&given, moment(octets)).unwrap();
        assert_eq!(facts.moment.queue_id.len(), MAX_QUEUE_ID_OCTETS);
    }
    for (octets, is_kept) in [(MAX_KEY_RECORD_OCTETS, true), (MAX_KEY_RECORD_OCTETS + 1, false)] {
        let start = KEY_RECORD.1;
        let record = format!("{start}; n={}", "n".repeat(octets - start.len() - 4));
        given.zones = txt_zones(&[RECORD, (KEY_RECORD.0, &record)]);
        given.message = LIST_MESSAGE;
        let [signature] = &*facts(&given).signatures else {
            unreachable!("it has one")
        };
        assert_eq!(signature.key_record.is_some(), is_kept);
    }
}

#[test]
fn without_a_record_there_is_nothing_to_report() {
    let given = Given {
        zones: txt_zones(&[]),
        client: "192.0.2.2",
        mail_from: "<a@x.example>",
        message: LIST_MESSAGE,
    };
    assert!(facts_at(&given, MtaFacts::default()).is_none());
}

#[test]
fn b13_all_records_that_spf_can_use_are_kept() {
    let name = |n: usize| format!("s{n}.example");
    let mut records = vec![("_dmarc.consumer.example".to_owned(), RECORD.1.to_owned())];
    records.push((
        "consumer.example".to_owned(),
        format!("v=spf1 include:{} -all", name(1)),
    ));
    for n in 1..MAX_SPF_RECORDS {
        records.push((name(n), format!("v=spf1 include:{} -all", name(n + 1))));
    }
    let records: Vec<_> = records.iter().map(|(name, text)| (&**name, &**text)).collect();
    let facts = facts(&Given {
        zones: txt_zones(&records),
        client: "192.0.2.2",
        mail_from: "<a@consumer.example>",
        message: LIST_MESSAGE,
    });
    assert_eq!(facts.spf.records.len(), MAX_SPF_RECORDS);
}

#[test]
fn the_same_message_makes_the_same_message_and_another_one_another() {
    let made = report(&list_message(), &hashed(), 1);
    let again = report(&list_message(), &hashed(), 1);
    assert_eq!(octets(&made), octets(&again));
    let mut other = list_message();
    other.moment.arrived += 1;
    assert_ne!(made.id(), report(&other, &hashed(), 1).id());
}

#[test]
fn a_hostile_header_makes_a_message_of_bounded_size() {
    let field = format!("To: {}\n", "a@b,".repeat(200));
    let message = format!(
        "From: author@consumer.example\n{}\nbody\n",
        field.repeat(2 * MAX_HEADER_FIELDS)
    );
    let facts = forged_message(&message, RECORD.1);
    for profile in [Profile::Hashed, Profile::Domains, Profile::None] {
        let made = dmarc_report(&facts, &Redactor::new(profile, KEY));
        assert!(made.header.is_cut);
        let message = octets(&made);
        assert!(message.len() < MAX_BLOCK_OCTETS + 16 * 1024, "{}", message.len());
        let cut = message.lines().find(|line| line.contains("beginning")).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(cut, @"It is long, and only its beginning is shown.");
        }
        assert!(message.lines().all(|line| line.len() <= 998));
    }
}

/// What Python's e-mail package makes of a message, one line for each thing it found. None where there
/// is no Python.
fn as_python_reads_it(message: &str) -> Option<String> {
    const SCRIPT: &str = "
import sys, email, email.policy
message = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
print(message.get_content_type(), message.get_param('report-type'), message['subject'])
parts = list(message.iter_parts())
print([part.get_content_type() for part in parts])
print('defects', [d for part in message.walk() for d in part.defects])
inner = parts[1].get_payload()
fields = inner[0] if isinstance(inner, list) else email.message_from_string(parts[1].get_payload())
for name in sys.argv[1:]:
    print(name, '|', ' '.join(str(fields[name]).split()))
headers = email.message_from_string(parts[2].get_payload() if isinstance(parts[2].get_payload(), str) else parts[2].get_payload()[0].as_string())
print('original', headers['from'], '|', headers['subject'])
";
    let names = [
        "Feedback-Type",
        "Auth-Failure",
        "Identity-Alignment",
        "DKIM-Identity",
        "SPF-DNS",
    ];
    let child = Command::new("python3")
        .args(["-c", SCRIPT])
        .args(names)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        Need::Tools.is_missing("python3 is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 could not read the message");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn python_unpacks_the_message() {
    let message = octets(&report(&list_message(), &hashed(), 1));
    let Some(found) = as_python_reads_it(&message) else {
        return;
    };
    insta::assert_snapshot!(found);
}
