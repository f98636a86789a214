//! Records of all versions, and broken ones, each with its remedy.

use landmarc_mail::DomainName;
use landmarc_observation::PublishedPolicy;
use proptest::prelude::*;

use super::*;
use crate::MAX_COUNT;

const JUNE_1: u64 = 1_780_272_000;
const NOW: Window = Window {
    since_s: 0,
    now_s: JUNE_1 + 90_000,
};
/// As rspamd 3.4 writes it.
const MEMBER: &str =
    "192.0.2.1,fail,pass,none,,mail.example.com,example.com|example.net,,,,bounce.example.net,none";

fn key(name: &str, shape: Shape) -> RecordKey {
    RecordKey::read(name.as_bytes(), shape, &Names::default()).unwrap()
}

fn scores() -> RecordKey {
    key(
        "dmarc_rpt;example.com;mailto:d@example.com;20260601",
        Shape::Scores,
    )
}

fn entry(text: &str, count: u64, shape: Shape) -> RspamdEntry {
    RspamdEntry::read(text.as_bytes(), count, shape).unwrap()
}

fn policy(rua: &[&str]) -> Policy {
    Policy {
        domain: DomainName::parse("example.com").unwrap(),
        published: PublishedPolicy {
            p: "reject".to_owned(),
            sp: "quarantine".to_owned(),
            aspf: "s".to_owned(),
            rua: rua.iter().map(|uri| (*uri).to_owned()).collect(),
            ..PublishedPolicy::of_rfc_7489()
        },
    }
}

#[test]
fn r9_a_member_of_a_sorted_set_counts_with_its_score() {
    let counted = entry(MEMBER, 7, Shape::Scores).counted(&scores(), None, RspamdDisposition::None, NOW);
    assert_eq!(counted.count, 7);
    assert_eq!(counted.at_s, JUNE_1 + 43_200);
    assert_eq!(counted.row.policy_domain, "example.com");
    assert_eq!(counted.row.published.rua, ["mailto:d@example.com"]);
    assert_eq!(counted.row.header_from, "mail.example.com");
    assert_eq!(counted.row.source_ip.to_string(), "192.0.2.1");
    assert_eq!(counted.row.disposition, "pass");
    assert!(counted.row.dkim_aligned && !counted.row.spf_aligned);
    let dkim: Vec<_> = counted
        .row
        .dkim
        .iter()
        .map(|(domain, selector, result)| format!("{domain}/{selector}/{result}"))
        .collect();
    assert_eq!(dkim, ["example.com//pass", "example.net//pass"]);
    assert_eq!(
        counted.row.spf,
        Some(("bounce.example.net".into(), "mfrom".into(), "none".into()))
    );
    assert_eq!(
        (counted.row.envelope_from, counted.row.reasons),
        (None, Vec::new())
    );
    assert_eq!(
        counted.key,
        format!("rspamd/dmarc_rpt;example.com;mailto:d@example.com;20260601/{MEMBER}")
    );
}

/// `rspamadm dmarc_report` renames the key while it works; what it was called before counts on.
#[test]
fn r9_a_key_that_is_being_reported_is_the_same_key() {
    let processing = "dmarc_rpt;example.com;mailto:d@example.com;20260601_processing";
    assert_eq!(key(processing, Shape::Scores), scores());
    assert_eq!(
        Names::default().indexes_of(RspamdDay::at(JUNE_1)),
        ["dmarc_idx;20260601", "dmarc_idx;20260601_processing"]
    );
}

#[test]
fn r9_all_four_results_of_signatures_and_every_one_of_spf_are_read() {
    let text = "2001:db8::1,fail,fail,reject,sampled_out,a.example,,b.example,c.example|c.example,d.example,[192.0.2.9],permerror";
    let counted = entry(text, 1, Shape::Scores).counted(&scores(), None, RspamdDisposition::Reject, NOW);
    let results: Vec<_> = counted
        .row
        .dkim
        .iter()
        .map(|(_, _, result)| result.as_str())
        .collect();
    assert_eq!(results, ["fail", "temperror", "temperror", "permerror"]);
    assert_eq!(counted.row.disposition, "reject");
    assert_eq!(
        counted.row.reasons,
        [("other".into(), "sampled out by pct".into())]
    );
    assert_eq!(counted.row.spf, None, "an address in brackets is no domain");
    for result in [
        "none",
        "neutral",
        "pass",
        "fail",
        "softfail",
        "temperror",
        "permerror",
    ] {
        let text = format!("192.0.2.1,fail,fail,none,,a.example,,,,,b.example,{result}");
        assert_eq!(
            entry(&text, 1, Shape::Scores).record.spf,
            Some(("b.example".into(), result))
        );
    }
}

#[test]
fn r8_a_field_of_a_hash_is_read_likewise_and_its_key_has_the_author_domain() {
    let key = key("dmarc;mail.example.com;20260601", Shape::Counters);
    assert_eq!(key.domain.as_str(), "mail.example.com");
    assert_eq!(key.rua, [""; 0]);
    let entry = entry(MEMBER, 3, Shape::Counters);
    let unknown = entry.counted(&key, None, RspamdDisposition::None, NOW);
    assert_eq!(
        (unknown.row.policy_domain.as_str(), unknown.count),
        ("mail.example.com", 3)
    );
    assert_eq!(unknown.row.published, PublishedPolicy::of_rfc_7489());
    let asked = entry.counted(
        &key,
        Some(&policy(&["mailto:D@example.com"])),
        RspamdDisposition::None,
        NOW,
    );
    assert_eq!(asked.row.policy_domain, "example.com");
    assert_eq!(asked.row.published, policy(&["mailto:D@example.com"]).published);
    assert_eq!(
        asked.key, unknown.key,
        "what DNS says makes no other message of it"
    );
}

#[test]
fn r5_and_r6_lines_of_a_list_have_their_own_time_and_no_author_domain() {
    let list = key("dmarc_example.com", Shape::Lines);
    let first = entry("1780300000,192.0.2.1,true,false", 2, Shape::Lines).counted(
        &list,
        None,
        RspamdDisposition::None,
        NOW,
    );
    assert_eq!(
        (first.at_s, first.count, first.row.disposition.as_str()),
        (1_780_300_000, 2, "pass")
    );
    assert_eq!(
        (first.row.header_from.as_str(), first.row.policy_domain.as_str()),
        ("example.com", "example.com")
    );
    assert!(first.row.spf_aligned && !first.row.dkim_aligned);
    assert_eq!(
        first.key,
        "rspamd/dmarc_example.com/1780300000,192.0.2.1,true,false"
    );
    for disposition in ["none", "quarantine", "reject"] {
        let line = format!("1780300000,2001:db8::1,false,false,{disposition}");
        let counted = entry(&line, 1, Shape::Lines).counted(&list, None, RspamdDisposition::None, NOW);
        assert_eq!(counted.row.disposition, disposition);
    }
    let ahead = entry("9999999999,192.0.2.1,true,true", 1, Shape::Lines);
    assert_eq!(
        ahead.counted(&list, None, RspamdDisposition::None, NOW).at_s,
        NOW.now_s
    );
}

#[test]
fn r4_lists_have_the_prefix_that_the_site_gave_them() {
    let names = Names {
        list_prefix: "mail:dmarc:".to_owned(),
        index_prefix: "idx".to_owned(),
    };
    let key = RecordKey::read(b"mail:dmarc:example.com", Shape::Lines, &names).unwrap();
    assert_eq!(key.domain.as_str(), "example.com");
    assert!(names.is_index(b"idx;20260601") && names.is_index(b"idx;20260601_processing"));
    for other in [
        "dmarc_idx;20260601",
        "idx20260601",
        "idx;",
        "idx;2026",
        "idx;20260601;x",
    ] {
        assert!(!names.is_index(other.as_bytes()), "{other}");
    }
    assert!(!names.is_index(b"idx;\xff"));
}

#[test]
fn indexes_are_looked_for_in_every_time_zone() {
    let indexes: Vec<_> = Names::default().indexes_around(RspamdDay::at(JUNE_1)).collect();
    assert_eq!(indexes.len(), 10);
    assert_eq!(indexes.first().map(String::as_str), Some("dmarc_idx;20260529"));
    assert!(indexes.iter().any(|name| name == "dmarc_idx;20260602"));
}

/// rspamd has addresses in lower case; DNS knows how they are written. Those of the day win otherwise.
#[test]
fn where_reports_go_is_what_was_asked_on_that_day() {
    let of_dns = |rua: &[&str]| {
        let policy = policy(rua);
        let counted =
            entry(MEMBER, 1, Shape::Scores).counted(&scores(), Some(&policy), RspamdDisposition::None, NOW);
        assert_eq!(counted.row.published.p, "reject");
        counted.row.published.rua
    };
    assert_eq!(of_dns(&["mailto:D@Example.com"]), ["mailto:D@Example.com"]);
    assert_eq!(of_dns(&["mailto:new@example.com"]), ["mailto:d@example.com"]);
    assert_eq!(of_dns(&[]), ["mailto:d@example.com"]);
    let several = key(
        "dmarc_rpt;example.com;mailto:a@x.example!10m, mailto:b@y.example,,https://z.example/?a;b;20260601",
        Shape::Scores,
    );
    assert_eq!(
        several.rua,
        [
            "mailto:a@x.example!10m",
            "mailto:b@y.example",
            "https://z.example/?a;b"
        ]
    );
}

#[test]
fn without_dns_the_strongest_disposition_of_a_key_is_its_policy() {
    let counted =
        entry(MEMBER, 1, Shape::Scores).counted(&scores(), None, RspamdDisposition::Quarantine, NOW);
    assert_eq!(
        (
            counted.row.published.p.as_str(),
            counted.row.published.sp.as_str()
        ),
        ("quarantine", "quarantine")
    );
    assert!(
        RspamdDisposition::Reject > RspamdDisposition::Quarantine
            && RspamdDisposition::Quarantine > RspamdDisposition::None
    );
}

/// The HELO name is what the client likes; commas in it do not cost the record.
#[test]
fn commas_in_a_helo_name_are_of_no_harm() {
    let text = "192.0.2.1,fail,fail,none,,a.example,,,,,a,b,c,none";
    assert_eq!(entry(text, 1, Shape::Scores).record.spf, None);
}

/// Ten broken records, and five broken keys: what is told of each.
#[test]
fn what_is_broken_is_told_with_key_place_and_remedy() {
    let names = Names::default();
    let records: [(&[u8], &[u8], Shape); 12] = [
        (b"dmarc_example.com", b"", Shape::Lines),
        (b"dmarc_example.com", b"1780300000,192.0.2.1,true", Shape::Lines),
        (
            b"dmarc_example.com",
            b"yesterday,192.0.2.1,true,false",
            Shape::Lines,
        ),
        (
            b"dmarc_example.com",
            b"1780300000,192.0.2.256,true,false",
            Shape::Lines,
        ),
        (
            b"dmarc_example.com",
            b"1780300000,192.0.2.1,maybe,false",
            Shape::Lines,
        ),
        (
            b"dmarc_example.com",
            b"1780300000,192.0.2.1,true,false,discard",
            Shape::Lines,
        ),
        (
            b"dmarc;example.com;20260601",
            b"192.0.2.1,pass,fail,none,,example.com,,,,,pass",
            Shape::Counters,
        ),
        (
            b"dmarc;example.com;20260601",
            b"192.0.2.1,pass,fail,none,lucky,example.com,,,,,example.com,pass",
            Shape::Counters,
        ),
        (
            b"dmarc_rpt;example.com;mailto:d@example.com;20260601",
            b"192.0.2.1,pass,fail,none,,exa mple.com,,,,,example.com,pass",
            Shape::Scores,
        ),
        (
            b"dmarc_rpt;example.com;mailto:d@example.com;20260601",
            b"192.0.2.1,pass,fail,none,,example.com,,,,,example.com,great",
            Shape::Scores,
        ),
        (
            b"dmarc_rpt;example.com;mailto:d@example.com;20260601",
            b"192.0.2.1,pass,\xff\n",
            Shape::Scores,
        ),
        (
            b"dmarc_rpt;example.com;mailto:d@example.com;20260601",
            &[b'x'; MAX_RECORD_OCTETS + 1],
            Shape::Scores,
        ),
    ];
    let mut told = String::new();
    let mut tell = |unread: &Unread| told.push_str(&format!("{unread}\n  {}\n", unread.remedy()));
    for (key, octets, shape) in records {
        assert!(RecordKey::read(key, shape, &names).is_ok());
        let error = RspamdEntry::read(octets, 1, shape).unwrap_err();
        let what = UnreadPart::Entry {
            octets: octets.to_owned(),
            error,
        };
        tell(&Unread {
            key: key.to_owned(),
            what,
        });
    }
    for count in [
        "0",
        "-1",
        "1.5",
        "inf",
        "1000000001",
        "9223372036854775807",
        "18446744073709551616",
    ] {
        let error = RspamdEntry::count(count.as_bytes()).unwrap_err();
        let what = UnreadPart::Entry {
            octets: MEMBER.as_bytes().to_owned(),
            error,
        };
        tell(&Unread {
            key: b"dmarc_rpt;example.com;mailto:d@example.com;20260601".to_vec(),
            what,
        });
    }
    let keys: [(&[u8], Shape); 9] = [
        (b"other_example.com", Shape::Lines),
        (b"dmarc_exa mple.com", Shape::Lines),
        (b"dmarc_\xff", Shape::Lines),
        (b"dmarc;example.com", Shape::Counters),
        (b"dmarc;example.com;2026-06-01", Shape::Counters),
        (b"dmarc_rpt;example.com;20260601", Shape::Scores),
        (b"dmarc_rpt", Shape::Scores),
        (b"dmarc_rpt;;mailto:d@example.com;20260601", Shape::Scores),
        (&[b'x'; MAX_KEY_OCTETS + 1], Shape::Scores),
    ];
    for (key, shape) in keys {
        let error = RecordKey::read(key, shape, &names).unwrap_err();
        tell(&Unread {
            key: key.to_owned(),
            what: UnreadPart::Key(error),
        });
    }
    tell(&Unread {
        key: b"dmarc_example.com".to_vec(),
        what: UnreadPart::TooMany { read: 1_000 },
    });
    insta::assert_snapshot!(told);
}

#[test]
fn a_record_and_a_key_at_their_limits_are_read() {
    let fill = |octets: usize| {
        format!(
            "192.0.2.1,fail,fail,none,,a.example,,,,,{},none",
            "x".repeat(octets)
        )
    };
    let most = MAX_RECORD_OCTETS - fill(0).len();
    assert!(RspamdEntry::read(fill(most).as_bytes(), 1, Shape::Scores).is_ok());
    assert!(RspamdEntry::read(fill(most + 1).as_bytes(), 1, Shape::Scores).is_err());
    let signed = |count: usize| {
        let domains = vec!["a.example"; count].join("|");
        RspamdEntry::read(
            format!("192.0.2.1,fail,fail,none,,a.example,{domains},,,,,none").as_bytes(),
            1,
            Shape::Scores,
        )
    };
    assert_eq!(signed(MAX_SIGNATURES).unwrap().record.dkim.len(), MAX_SIGNATURES);
    assert_eq!(signed(MAX_SIGNATURES + 1), Err(RspamdRecordError::Signatures));
    let name = |octets: usize| format!("dmarc_rpt;example.com;{};20260601", "x".repeat(octets));
    let most = MAX_KEY_OCTETS - name(0).len();
    assert!(RecordKey::read(name(most).as_bytes(), Shape::Scores, &Names::default()).is_ok());
    assert!(RecordKey::read(name(most + 1).as_bytes(), Shape::Scores, &Names::default()).is_err());
}

#[test]
fn only_types_that_hold_records_have_a_shape() {
    let shapes = ["list", "hash", "zset", "set", "string", "stream", "none"].map(Shape::of_type);
    let known = [Some(Shape::Lines), Some(Shape::Counters), Some(Shape::Scores)];
    assert_eq!(shapes[..3], known);
    assert!(shapes[3..].iter().all(Option::is_none));
    assert!(RspamdEntry::read(MEMBER.as_bytes(), 0, Shape::Scores).is_err());
}

/// Larger ones did not fit into the store, and no import went past them.
#[test]
fn a_count_has_a_limit_alone_and_as_a_sum() {
    assert_eq!(RspamdEntry::count(b"1000000000"), Ok(MAX_COUNT));
    for past in ["1000000001", "9223372036854775807", "18446744073709551615"] {
        let error = RspamdRecordError::Count(past.to_owned());
        assert_eq!(RspamdEntry::count(past.as_bytes()), Err(error));
    }
    let read = |count| RspamdEntry::read(MEMBER.as_bytes(), count, Shape::Scores);
    assert!(read(MAX_COUNT).is_ok());
    assert!(matches!(read(MAX_COUNT + 1), Err(RspamdRecordError::Count(_))));
}

proptest! {
    #[test]
    fn any_octets_are_read_without_a_panic(name in prop::collection::vec(any::<u8>(), 0..80), octets in "[0-9a-z,.|:;]{0,80}") {
        for shape in [Shape::Lines, Shape::Counters, Shape::Scores] {
            let _ = RecordKey::read(&name, shape, &Names::default());
            let _ = RspamdEntry::read(octets.as_bytes(), 1, shape);
        }
    }
}
