//! Where reports may go: the vectors XD01 to XD19 (external destinations) and FR22 to FR24, and
//! what strangers write into records to be a nuisance.

use landmarc_auth::lookup::{
    Answer, Fault, Ledger, Lookup, LookupError, Question, RecordType, ZoneData, Zones,
};
use landmarc_dmarc::Suffixes;
use landmarc_mail::DomainName;
use landmarc_report::destination::{
    Destination, DestinationKind, DestinationRefusal, DestinationVerdict, MAX_HOSTS, MAX_QUESTIONS, MAX_URIS,
    Relation, ask, decide, destinations, plan,
};
use landmarc_testkit::{block_on, dns_name, txt_zones};

/// More destinations than any vector has.
const LIMIT: usize = 10;
/// The authorisation query of most vectors.
const Q: &str = "blue.example.com._report._dmarc.red.example.net";
/// The records that make both sides of most vectors Organizational Domains.
const BOTH_SIDES: [(&str, &str); 2] = [
    ("_dmarc.blue.example.com", "v=DMARC1; p=none"),
    ("_dmarc.example.net", "v=DMARC1; p=none"),
];

struct Case {
    id: &'static str,
    kind: DestinationKind,
    policy_domain: &'static str,
    uris: &'static str,
    /// Beside [`BOTH_SIDES`], unless there are records at the same names.
    zone: &'static [(&'static str, &'static str)],
    /// Whom to send to, in the order of the record.
    to: &'static str,
    /// The verdict on each URI in words.
    verdicts: &'static [&'static str],
    /// The authorisation queries.
    asked: &'static [&'static str],
}

const X: Case = Case {
    id: "",
    kind: DestinationKind::Aggregate,
    policy_domain: "blue.example.com",
    uris: "mailto:reports@red.example.net",
    zone: &[],
    to: "",
    verdicts: &[],
    asked: &[Q],
};
const AUTHORISED: &str = "authorised by blue.example.com._report._dmarc.red.example.net";
const REPLACED: &str = "authorised and named by blue.example.com._report._dmarc.red.example.net";
const NOT_AUTHORISED: &str =
    "not authorised: there is no DMARC record at blue.example.com._report._dmarc.red.example.net";
const INTERNAL: &str = "internal: in the Organizational Domain of the policy";
const UNUSABLE: &str = "no usable address: it is no URI, or not exactly one ASCII mail address";

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        id: "XD01", zone: &[(Q, "v=DMARC1")],
        to: "reports@red.example.net", verdicts: &[AUTHORISED], ..X
    },
    Case {
        id: "XD02", uris: "mailto:reports@mail.example.com", zone: &[("_dmarc.example.com", "v=DMARC1; p=none")],
        to: "reports@mail.example.com", verdicts: &[INTERNAL], asked: &[], ..X
    },
    Case {
        id: "XD03", uris: "mailto:reports@mail.example.com",
        zone: &[("_dmarc.blue.example.com", "v=DMARC1; p=none; psd=n"), ("_dmarc.example.com", "v=DMARC1; p=none")],
        to: "", verdicts: &["not authorised: there is no DMARC record at blue.example.com._report._dmarc.mail.example.com"],
        asked: &["blue.example.com._report._dmarc.mail.example.com"], ..X
    },
    Case {
        id: "XD04", uris: "mailto:reports@mail.example.com",
        zone: &[("blue.example.com._report._dmarc.mail.example.com", "v=DMARC1")],
        to: "reports@mail.example.com", verdicts: &["authorised by blue.example.com._report._dmarc.mail.example.com"],
        asked: &["blue.example.com._report._dmarc.mail.example.com"], ..X
    },
    Case {
        id: "XD05", uris: "mailto:reports@red.example.net,mailto:own@blue.example.com",
        to: "own@blue.example.com", verdicts: &[NOT_AUTHORISED, INTERNAL], ..X
    },
    Case { id: "XD06", zone: &[(Q, "v=spf1 -all")], verdicts: &[NOT_AUTHORISED], ..X },
    Case {
        id: "XD07", zone: &[(Q, "google-site-verification=x"), (Q, "v=DMARC1")],
        to: "reports@red.example.net", verdicts: &[AUTHORISED], ..X
    },
    Case {
        id: "XD08", zone: &[(Q, "v=DMARC1"), (Q, "v=DMARC1")],
        to: "reports@red.example.net", verdicts: &[AUTHORISED], ..X
    },
    Case {
        id: "XD09", zone: &[(Q, "v=DMARC1; rua=mailto:in@red.example.net")],
        to: "in@red.example.net", verdicts: &[REPLACED], ..X
    },
    Case {
        id: "XD10", zone: &[(Q, "v=DMARC1; rua=mailto:in@other.example.org")],
        verdicts: &["blue.example.com._report._dmarc.red.example.net names an address at another host, \
                     other.example.org, in place of this one, and that is not allowed"], ..X
    },
    Case {
        id: "XD11", zone: &[(Q, "v=DMARC1; rua=mailto:in@sub.red.example.net")],
        verdicts: &["blue.example.com._report._dmarc.red.example.net names an address at another host, \
                     sub.red.example.net, in place of this one, and that is not allowed"], ..X
    },
    Case {
        id: "XD12", zone: &[(Q, "v=DMARC1; ruf=mailto:f@red.example.net")],
        to: "reports@red.example.net", verdicts: &[AUTHORISED], ..X
    },
    Case {
        id: "XD12 ruf", kind: DestinationKind::Failure, zone: &[(Q, "v=DMARC1; ruf=mailto:f@red.example.net")],
        to: "f@red.example.net", verdicts: &[REPLACED], ..X
    },
    Case {
        id: "XD15", policy_domain: "example.com",
        zone: &[("_dmarc.example.com", "v=DMARC1; p=none"), ("example.com._report._dmarc.red.example.net", "v=DMARC1")],
        to: "reports@red.example.net", verdicts: &["authorised by example.com._report._dmarc.red.example.net"],
        asked: &["example.com._report._dmarc.red.example.net"], ..X
    },
    Case { id: "XD16", uris: "mailto:r@bücher.example", verdicts: &[UNUSABLE], asked: &[], ..X },
    Case {
        id: "XD18", uris: "https://collector.example.net/dmarc",
        verdicts: &["reports go by mail only, not by https"], asked: &[], ..X
    },
    Case {
        id: "XD19", uris: "mailto:a@red.example.net,mailto:b@red.example.net",
        zone: &[(Q, "v=DMARC1; rua=mailto:in@red.example.net")],
        to: "in@red.example.net", verdicts: &[REPLACED, "the same as in@red.example.net"], ..X
    },
    Case { id: "FR22", kind: DestinationKind::Failure, verdicts: &[NOT_AUTHORISED], ..X },
    Case {
        id: "FR23", kind: DestinationKind::Failure, uris: "mailto:a@blue.example.com,mailto:b@blue.example.com",
        to: "a@blue.example.com b@blue.example.com", verdicts: &[INTERNAL, INTERNAL], asked: &[], ..X
    },
    Case {
        id: "FR24", kind: DestinationKind::Failure, uris: "https://x.example/",
        verdicts: &["reports go by mail only, not by https"], asked: &[], ..X
    },
    Case {
        id: "an override of several", zone: &[
            (Q, "v=DMARC1; rua=mailto:in@red.example.net,mailto:x@other.example,https://red.example.net/"),
        ],
        to: "in@red.example.net",
        verdicts: &[REPLACED, "blue.example.com._report._dmarc.red.example.net names an address at another host, \
                               other.example, in place of this one, and that is not allowed"], ..X
    },
    Case {
        id: "an override without address", zone: &[(Q, "v=DMARC1; rua=https://red.example.net/")],
        verdicts: &["blue.example.com._report._dmarc.red.example.net names no usable address in place of this one"], ..X
    },
    Case {
        id: "an override that cannot be read", zone: &[(Q, "v=DMARC1; rua=red.example.net")],
        verdicts: &["blue.example.com._report._dmarc.red.example.net names no usable address in place of this one"], ..X
    },
    Case {
        id: "the same address twice", uris: "mailto:own@blue.example.com,mailto:OWN@Blue.example.com!10m",
        to: "own@blue.example.com", verdicts: &[INTERNAL, "the same as own@blue.example.com"], asked: &[], ..X
    },
];

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap_or_else(|e| unreachable!("{text:?}: {e}"))
}

fn uris(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// Records at names that have none in `zone` yet.
fn zones(zone: &[(&str, &str)]) -> Zones {
    let added = BOTH_SIDES
        .into_iter()
        .filter(|(name, _)| zone.iter().all(|(other, _)| other != name));
    txt_zones(&zone.iter().copied().chain(added).collect::<Vec<_>>())
}

/// What comes of the URIs, and the authorisation queries it took.
fn decided(
    lookup: impl Lookup,
    policy_domain: &str,
    uris: &[String],
    kind: DestinationKind,
) -> (Vec<Destination>, Vec<String>) {
    let ledger = Ledger::new(lookup, 10_000);
    let found = block_on(destinations(
        &ledger,
        &name(policy_domain),
        uris,
        kind,
        LIMIT,
        &Suffixes::built_in(),
    ));
    let asked = ledger
        .asked()
        .into_iter()
        .map(|asked| asked.question.name.to_string());
    (found, asked.filter(|name| name.contains("._report.")).collect())
}

fn to(destinations: &[Destination]) -> String {
    let open = destinations
        .iter()
        .filter(|destination| destination.verdict.may_send());
    let addresses = open.map(|open| open.address.as_ref().map(ToString::to_string));
    addresses
        .map(Option::unwrap_or_default)
        .collect::<Vec<_>>()
        .join(" ")
}

fn words(destinations: &[Destination]) -> Vec<String> {
    destinations
        .iter()
        .map(|destination| destination.verdict.to_string())
        .collect()
}

#[test]
fn xd01_to_xd19_and_fr22_to_fr24_external_destinations() {
    for case in CASES {
        let (found, asked) = decided(zones(case.zone), case.policy_domain, &uris(case.uris), case.kind);
        assert_eq!(to(&found), case.to, "{}", case.id);
        assert_eq!(words(&found), case.verdicts, "{}", case.id);
        assert_eq!(asked, case.asked, "{}", case.id);
    }
}

/// RFC 9989 §11.8: a registry that publishes a record without `psd=y` speaks for none of its registrants.
#[test]
fn names_below_one_public_suffix_are_strangers_whatever_record_is_at_it() {
    let zone = [
        ("_dmarc.co.uk", "v=DMARC1; p=none"),
        ("_dmarc.evil.co.uk", "v=DMARC1; p=none"),
    ];
    let consent = "evil.co.uk._report._dmarc.bank.co.uk";
    for kind in [DestinationKind::Aggregate, DestinationKind::Failure] {
        let to_stranger = uris("mailto:victim@bank.co.uk");
        let (found, asked) = decided(txt_zones(&zone), "evil.co.uk", &to_stranger, kind);
        assert_eq!((to(&found).as_str(), asked), ("", vec![consent.to_owned()]));
        // The record at the suffix itself applies to names below it, and is no closer to them.
        let (found, _) = decided(txt_zones(&zone), "co.uk", &to_stranger, kind);
        assert_eq!(to(&found), "");
        let own = uris("mailto:dmarc@mail.evil.co.uk");
        let (found, asked) = decided(txt_zones(&zone), "evil.co.uk", &own, kind);
        assert_eq!((to(&found).as_str(), asked.len()), ("dmarc@mail.evil.co.uk", 0));
        let agreed = [zone.as_slice(), &[(consent, "v=DMARC1")]].concat();
        let (found, _) = decided(txt_zones(&agreed), "evil.co.uk", &to_stranger, kind);
        assert_eq!(to(&found), "victim@bank.co.uk");
    }
}

/// Answers every name below `_report._dmarc.red.example.net`, as a DNS wildcard does (RFC 4592), by what
/// is at the asterisk.
struct Wildcard(Zones);

impl Lookup for Wildcard {
    async fn ask(&self, question: &Question) -> Answer {
        let wild = dns_name("_report._dmarc.red.example.net");
        if question.name.is_at_or_below(&wild) {
            let asterisk = dns_name("*._report._dmarc.red.example.net");
            return self.0.answer(&Question::new(asterisk, question.record_type));
        }
        self.0.answer(question)
    }
}

#[test]
fn xd13_a_wildcard_authorises_everybody() {
    let lookup = Wildcard(zones(&[("*._report._dmarc.red.example.net", "v=DMARC1;")]));
    let (found, _) = decided(
        lookup,
        "blue.example.com",
        &uris(X.uris),
        DestinationKind::Aggregate,
    );
    assert_eq!(to(&found), "reports@red.example.net");
}

#[test]
fn xd14_what_nobody_answers_is_asked_again_and_never_sent() {
    for broken in [
        Q,
        "_dmarc.red.example.net",
        "_dmarc.net",
        "_dmarc.blue.example.com",
    ] {
        let mut zones = zones(&[(Q, "v=DMARC1")]);
        zones.set(dns_name(broken), RecordType::Txt, ZoneData::Fault(Fault::Timeout));
        let (found, _) = decided(
            &zones,
            "blue.example.com",
            &uris(X.uris),
            DestinationKind::Aggregate,
        );
        assert_eq!(to(&found), "", "{broken}");
        let error = LookupError::Timeout;
        let about = Some(broken.to_owned());
        assert_eq!(
            found[0].verdict,
            DestinationVerdict::Unanswered { about, error },
            "{broken}"
        );
        assert_eq!(
            found[0].verdict.to_string(),
            format!("not verified yet: {broken}: no name server answered in time")
        );
    }
}

#[test]
fn xd17_a_name_too_long_to_ask_for_authorises_nothing() {
    let policy_domain = |labels: usize| format!("{}example.com", "abcdefg.".repeat(labels));
    // 253 octets hold 26 of these labels and `example.com._report._dmarc.red.example.net`, and not 27.
    let (fits, _) = decided(
        zones(&[]),
        &policy_domain(26),
        &uris(X.uris),
        DestinationKind::Aggregate,
    );
    assert!(matches!(
        fits[0].verdict,
        DestinationVerdict::Refused(DestinationRefusal::NotAuthorised { .. })
    ));
    let (too_long, asked) = decided(
        zones(&[]),
        &policy_domain(27),
        &uris(X.uris),
        DestinationKind::Aggregate,
    );
    assert_eq!(
        too_long[0].verdict,
        DestinationVerdict::Refused(DestinationRefusal::NameTooLong)
    );
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn what_is_no_address_gets_no_message_and_a_reason() {
    let hostile = [
        "mailto:a@red.example.net\r\nRCPT TO:<victim@example.org>",
        "mailto:a%0D%0ARCPT%20TO:b@red.example.net",
        "mailto:a%0d%0a%0d%0aBcc:b@red.example.net",
        "mailto:\"a@b\"@red.example.net",
        "mailto:%22a%40b%22@red.example.net",
        "mailto:a%40victim.example@red.example.net",
        "mailto:a@red.example.net%2cvictim@example.org",
        "mailto:a@red.example.net,victim@example.org",
        "mailto:a@victim.example@red.example.net",
        "mailto:<a@red.example.net>",
        "mailto:a%00@red.example.net",
        "mailto:a%252540@red.example.net%",
        "mailto:r@b\u{fc}cher.example",
        "mailto:r\u{202e}@red.example.net",
        "mailto:a b@red.example.net",
        "mailto:@red.example.net",
        "mailto:a@",
        "mailto:a@red..example.net",
        "mailto:a@[192.0.2.1]",
        "mailto:",
        "reports@red.example.net",
        "",
        "\0",
    ];
    for uri in hostile.map(str::to_owned).into_iter().chain([
        format!("mailto:{}@red.example.net", "a".repeat(65)),
        format!("mailto:a@{}.example.net", "a".repeat(64)),
        format!("mailto:a@{}", "a.".repeat(128)),
        "mailto:a@red.example.net,".repeat(10_000),
    ]) {
        let (found, asked) = decided(
            zones(&[(Q, "v=DMARC1")]),
            "blue.example.com",
            &[uri],
            DestinationKind::Aggregate,
        );
        assert_eq!(words(&found), [UNUSABLE], "{}", found[0].uri);
        assert_eq!(found[0].address, None);
        assert_eq!(asked, Vec::<String>::new());
        assert!(!found[0].uri.contains(['\r', '\n', '\0', '\u{202e}']) && found[0].uri.len() < 300);
    }
}

#[test]
fn header_fields_of_a_mailto_are_dropped() {
    let uri = "mailto:own@blue.example.com?bcc=victim@example.org&subject=x%0D%0AY";
    let (found, _) = decided(
        zones(&[]),
        "blue.example.com",
        &uris(uri),
        DestinationKind::Aggregate,
    );
    assert_eq!(to(&found), "own@blue.example.com");
}

#[test]
fn destinations_end_at_the_limit_and_uris_at_theirs() {
    let many = |count: usize| -> Vec<String> {
        (0..count)
            .map(|n| format!("mailto:r{n}@blue.example.com"))
            .collect()
    };
    let sent = |count| {
        let (found, _) = decided(
            zones(&[]),
            "blue.example.com",
            &many(count),
            DestinationKind::Aggregate,
        );
        (
            to(&found).split(' ').count(),
            found.len(),
            words(&found).pop().unwrap(),
        )
    };
    assert_eq!(sent(LIMIT), (LIMIT, LIMIT, INTERNAL.to_owned()));
    let over = "over the limit of 10 destinations of one record".to_owned();
    assert_eq!(sent(LIMIT + 1), (LIMIT, LIMIT + 1, over.clone()));
    assert_eq!(sent(MAX_URIS), (LIMIT, MAX_URIS, over));
    let unread = |count: usize| {
        format!(
            "over the limit of 100 URIs of one record: this and what follows it, {count} in all, is not read"
        )
    };
    assert_eq!(sent(MAX_URIS + 1), (LIMIT, MAX_URIS + 1, unread(1)));
    assert_eq!(sent(1_000), (LIMIT, MAX_URIS + 1, unread(900)));
}

#[test]
fn an_override_makes_no_more_messages_than_the_limit() {
    let list = |from: usize| {
        let items: Vec<_> = (from..from + 10)
            .map(|n| format!("mailto:r{n}@red.example.net"))
            .collect();
        format!("v=DMARC1; rua={}", items.join(","))
    };
    let (first, second) = (list(0), list(10));
    let both = uris("mailto:a@red.example.net,mailto:b@red.example.net");
    let zones = zones(&[(Q, &first), (Q, &second)]);
    let (found, _) = decided(zones, "blue.example.com", &both, DestinationKind::Aggregate);
    assert_eq!(to(&found).split(' ').count(), LIMIT);
}

#[test]
fn hosts_and_questions_end_at_their_limits() {
    let many: Vec<_> = (0..40)
        .map(|n| format!("mailto:r@{n}.a.b.c.d.e.f.g{n}.example"))
        .collect();
    let ledger = Ledger::new(zones(&[]), 10_000);
    let policy_domain = name("a.b.c.d.e.f.blue.example.com");
    let found = block_on(destinations(
        &ledger,
        &policy_domain,
        &many,
        DestinationKind::Aggregate,
        40,
        &Suffixes::built_in(),
    ));
    let asked = ledger.asked();
    let queries = asked
        .iter()
        .filter(|asked| asked.question.name.to_string().contains("._report."));
    assert_eq!(queries.count(), MAX_HOSTS);
    assert!(asked.len() <= MAX_QUESTIONS, "{}", asked.len());
    assert!(matches!(
        found[MAX_HOSTS - 1].verdict,
        DestinationVerdict::Refused(DestinationRefusal::NotAuthorised { .. })
    ));
    assert_eq!(
        found[MAX_HOSTS].verdict,
        DestinationVerdict::Refused(DestinationRefusal::TooManyHosts)
    );
}

#[test]
fn many_uris_at_one_host_are_one_question() {
    let many: Vec<_> = (0..10).map(|n| format!("mailto:r{n}@red.example.net")).collect();
    let (found, asked) = decided(
        zones(&[(Q, "v=DMARC1")]),
        "blue.example.com",
        &many,
        DestinationKind::Aggregate,
    );
    assert_eq!((to(&found).split(' ').count(), asked), (10, vec![Q.to_owned()]));
}

#[test]
fn a_record_too_long_to_be_read_authorises_nothing() {
    let record = |octets: usize| format!("v=DMARC1;{}", " ".repeat(octets - "v=DMARC1;".len()));
    let sent = |octets| {
        let record = record(octets);
        let (found, _) = decided(
            zones(&[(Q, &record)]),
            "blue.example.com",
            &uris(X.uris),
            DestinationKind::Aggregate,
        );
        to(&found)
    };
    assert_eq!(sent(4_096), "reports@red.example.net");
    assert_eq!(sent(4_097), "");
}

#[test]
fn what_is_remembered_decides_as_what_is_asked() {
    let zones = zones(&[(Q, "v=DMARC1; ruf=mailto:f@red.example.net")]);
    let (policy_domain, host) = (name("blue.example.com"), name("red.example.net"));
    let relation = block_on(ask(&zones, &policy_domain, &host, &Suffixes::built_in()));
    assert!(matches!(relation, Relation::Authorised { .. }) && !relation.is_unanswered());
    let plan = plan(&uris(X.uris), LIMIT);
    assert_eq!(plan.hosts(), std::slice::from_ref(&host));
    let relations = [(host, relation)].into();
    for kind in [DestinationKind::Aggregate, DestinationKind::Failure] {
        let (asked, _) = decided(&zones, "blue.example.com", &uris(X.uris), kind);
        assert_eq!(decide(&plan, &relations, kind), asked);
    }
    let unknown = decide(&plan, &Default::default(), DestinationKind::Aggregate);
    assert!(unknown[0].verdict.is_unanswered());
    assert_eq!(words(&unknown), ["not verified yet"]);
}
