//! Reading one record (P) and one set of records (S).

use landmarc_auth::lookup::{Fault, Zones};
use landmarc_dmarc::record::FailureOptions;
use landmarc_dmarc::{AssessmentPolicy, Discovery, PolicyRecord, Usability, WalkOutcome, discovery};
use landmarc_testkit::block_on;

use crate::common::{break_dmarc, dmarc_name, name, records};

/// Id, text, what it comes to, values to check (`rua=` with the number of URIs).
#[rustfmt::skip]
const RECORDS: &[(&str, &str, &str, &str)] = &[
    ("RC01", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", "ok", "p=none rua=1"),
    ("RC02", "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net; t=y", "ok", "p=quarantine rua=2 t=y"),
    ("RC03", "v=DMARC1; p=reject", "ok", "p=reject sp=absent np=absent adkim=r aspf=r fo=0 psd=u t=n rua=0"),
    ("RC04", "v=DMARC1; p=reject;", "ok", "p=reject"),
    ("RC05", "v=DMARC1;p=reject;sp=quarantine;np=none;adkim=s;aspf=s", "ok", "p=reject sp=quarantine np=none adkim=s aspf=s"),
    ("RC06", "v = DMARC1 ; p = reject ; aspf = s", "ok", "p=reject aspf=s"),
    ("RC07", "V=DMARC1; P=REJECT; SP=None", "ok", "p=reject sp=none"),
    ("RC08", "v=dmarc1; p=reject", "ignored", ""),
    ("RC09", "v=DMARC2; p=reject", "ignored", ""),
    ("RC10", "v=DMARC10; p=reject", "ignored", ""),
    ("RC11", "v=DMARC1 p=reject", "ignored", ""),
    ("RC12", "p=reject; v=DMARC1", "ignored", ""),
    ("RC13", "p=reject", "ignored", ""),
    ("RC14", "v=DMARC1", "no-dmarc", ""),
    ("RC15", "v=DMARC1; rua=mailto:d@example.com", "as-none", "rua=1"),
    ("RC16", "v=DMARC1; sp=reject; rua=mailto:d@example.com", "as-none", "rua=1"),
    ("RC17", "v=DMARC1; p=bogus; rua=mailto:d@example.com", "as-none", "rua=1"),
    ("RC18", "v=DMARC1; p=bogus", "no-dmarc", ""),
    ("RC19", "v=DMARC1; p=reject; sp=bogus; rua=mailto:d@example.com", "as-none", "rua=1"),
    ("RC20", "v=DMARC1; p=reject; np=rejct; rua=mailto:d@example.com", "as-none", "rua=1"),
    ("RC21", "v=DMARC1; p=reject; sp=bogus", "no-dmarc", ""),
    ("RC22", "v=DMARC1; p=bogus; rua=dmarc@example.com", "no-dmarc", "rua=0"),
    ("RC23", "v=DMARC1; p=bogus; rua=https://r.example.net/dmarc", "as-none", "rua=1"),
    ("RC24", "v=DMARC1; p=reject; adkim=x; aspf=strict; t=yes; psd=maybe", "ok", "p=reject adkim=r aspf=r t=n psd=u"),
    ("RC25", "v=DMARC1; p=reject; pct=0; rf=iodef; ri=3600", "ok", "p=reject t=n"),
    ("RC26", "v=DMARC1; p=none; foo=bar; x_1=2", "ok", "p=none"),
    ("RC27", "v=DMARC1;; p=reject;;", "ok", "p=reject"),
    ("RC28", "v=DMARC1; p=reject; rua=mailto:a@example.com!10m , mailto:b@example.com", "ok", "rua=2"),
    ("RC29", "v=DMARC1; p=reject; rua=mailto:a@example.com,b@example.com", "ok", "rua=1"),
    ("RC30", "v=DMARC1; p=reject; rua=MAILTO:a@example.com", "ok", "rua=1"),
    ("RC31", "v=DMARC1; p=reject; fo=1:d:s", "ok", "fo=0"),
    ("RC32", "v=DMARC1; p=reject; fo=1:d:s; ruf=mailto:f@example.com", "ok", "fo=1:d:s"),
    ("RC33", "v=DMARC1; p=reject; ruf=mailto:f@example.com; fo=d:1:s", "ok", "fo=d:1:s"),
    ("RC34", "v=DMARC1; p=reject; ruf=mailto:f@example.com; fo=0:1", "ok", "fo=0"),
    ("RC35", "v=DMARC1; p=reject; ruf=mailto:f@example.com; fo=1,d", "ok", "fo=0"),
    ("RC36", "v=DMARC1; p=reject; ruf=mailto:f@example.com; fo=d:d", "ok", "fo=0"),
    ("RC37", "v=DMARC1\\; p=reject\\; rua=mailto:d@example.com", "ignored", ""),
    ("RC38", "v=DMARC1; p=none rua=mailto:d@example.com", "no-dmarc", ""),
    ("RC39", "v=DMARC1; p=reject; p=none", "no-dmarc", ""),
    ("RC40", "v=DMARC1; p=reject; p=reject", "ok", "p=reject"),
    ("RC41", "v=DMARC1; psd=y; p=reject; np=reject; rua=mailto:psd@example.org", "ok", "psd=y p=reject np=reject"),
    ("RC42", " v=DMARC1; p=reject", "ok", "p=reject"),
    ("RC43", "\"v=DMARC1; p=reject\"", "ignored", ""),
    ("RC44", "v=DMARC1; p=reject; sp=", "no-dmarc", ""),
    ("RC45", "v=DMARC1: p=reject", "ignored", ""),
    ("RC46", "v=DMARC1; p=quarantine; t=Y", "ok", "t=y"),
    ("RC47", "v=spf1 -all", "ignored", ""),
    ("RC48", "v=DMARC1; p=reject; rua=mailto:d%2Cx@example.com", "ok", "rua=1"),
    ("RC49", "v=DMARC1; p=bogus; rua=mailto:", "no-dmarc", "rua=0"),
];

fn word(record: Option<&PolicyRecord>) -> &'static str {
    match record.map(PolicyRecord::usability) {
        None => "ignored",
        Some(Usability::AsPublished) => "ok",
        Some(Usability::AsNone) => "as-none",
        Some(Usability::Unusable) => "no-dmarc",
    }
}

fn value(record: &PolicyRecord, tag: &str) -> String {
    let policy =
        |policy: Option<AssessmentPolicy>| policy.map_or("absent", AssessmentPolicy::as_str).to_owned();
    match tag {
        "p" => policy(record.policy),
        "sp" => policy(record.subdomain_policy),
        "np" => policy(record.nonexistent_policy),
        "adkim" => record.dkim_mode.to_string(),
        "aspf" => record.spf_mode.to_string(),
        "psd" => record.psd.to_string(),
        "t" => if record.testing { "y" } else { "n" }.to_owned(),
        "fo" => record.failure_options.to_string(),
        "rua" => record.aggregate_uris.len().to_string(),
        other => unreachable!("no tag {other}"),
    }
}

#[test]
fn rc01_to_rc49_are_read_as_the_grammar_has_it() {
    for (id, text, expected, checks) in RECORDS {
        let record = PolicyRecord::parse(text.as_bytes());
        assert_eq!(word(record.as_ref()), *expected, "{id}: {text}");
        for check in checks.split_whitespace() {
            let (tag, wanted) = check.split_once('=').unwrap();
            // The options of fo are a set; RC33 has them in another order.
            let wanted = if wanted == "d:1:s" { "1:d:s" } else { wanted };
            assert_eq!(
                value(record.as_ref().unwrap(), tag),
                wanted,
                "{id}: {tag} of {text}"
            );
        }
    }
    assert_eq!(RECORDS.len(), 49);
}

#[test]
fn rc28_addresses_lose_their_size_suffix() {
    let text = b"v=DMARC1; p=reject; rua=mailto:a@example.com!10m , mailto:b@example.com";
    let record = PolicyRecord::parse(text).unwrap();
    let addresses: Vec<_> = record
        .aggregate_uris
        .iter()
        .map(|uri| uri.address.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(addresses, ["a@example.com", "b@example.com"]);
}

#[test]
fn rc31_the_default_of_fo_is_zero() {
    assert_eq!(FailureOptions::default().to_string(), "0");
}

/// What is found at `_dmarc.example.com`.
fn at_example(zones: &Zones) -> WalkOutcome {
    let (walk, _) = block_on(discovery::discover(zones, &name("example.com")));
    walk.steps[0].outcome.clone()
}

fn policy_at_example(texts: &[&str]) -> Option<AssessmentPolicy> {
    let zone: Vec<_> = texts.iter().map(|text| ("example.com", *text)).collect();
    match at_example(&records(&zone)) {
        WalkOutcome::Record(record) => record.policy,
        outcome => unreachable!("{texts:?}: {outcome:?}"),
    }
}

#[test]
fn rs01_strings_of_one_record_are_joined() {
    // The lookup joins them, with nothing between (§4.5); what arrives is one text.
    let text = ["v=DMARC1; p=re", "ject"].concat();
    assert_eq!(policy_at_example(&[&text]), Some(AssessmentPolicy::Reject));
}

#[test]
fn rs02_two_records_are_none() {
    let zones = records(&[
        ("example.com", "v=DMARC1; p=reject"),
        ("example.com", "v=DMARC1; p=none"),
    ]);
    assert_eq!(at_example(&zones), WalkOutcome::SeveralRecords(2));
    let (_, discovery) = block_on(discovery::discover(&zones, &name("example.com")));
    assert_eq!(discovery, Discovery::Absent);
}

#[test]
fn rs03_rs04_what_is_no_dmarc_record_does_not_count() {
    let reject = Some(AssessmentPolicy::Reject);
    assert_eq!(policy_at_example(&["v=DMARC1; p=reject", "v=spf1 -all"]), reject);
    assert_eq!(
        policy_at_example(&["v=DMARC1; p=reject", "v=dmarc1; p=none"]),
        reject
    );
}

#[test]
fn rs05_rs06_records_are_counted_before_they_are_understood() {
    let broken = records(&[
        ("example.com", "v=DMARC1; p=reject"),
        ("example.com", "v=DMARC1; p=broken"),
    ]);
    assert_eq!(at_example(&broken), WalkOutcome::SeveralRecords(2));
    let twice = records(&[
        ("example.com", "v=DMARC1; p=reject"),
        ("example.com", "v=DMARC1; p=reject"),
    ]);
    assert_eq!(at_example(&twice), WalkOutcome::SeveralRecords(2));
}

#[test]
fn rs07_an_alias_leaves_the_policy_domain() {
    let mut zones = records(&[("vendor.example", "v=DMARC1; p=reject")]);
    zones.set_alias(dmarc_name("example.com"), dmarc_name("vendor.example"));
    let (_, discovery) = block_on(discovery::discover(&zones, &name("example.com")));
    assert!(matches!(discovery, Discovery::Applies(at) if at.domain == name("example.com")));
}

#[test]
fn rs08_rs09_no_data_and_no_name_are_told_apart() {
    let mut zones = Zones::new();
    assert_eq!(at_example(&zones), WalkOutcome::NoName);
    zones.add_name(dmarc_name("example.com"));
    assert_eq!(at_example(&zones), WalkOutcome::NoRecord);
}

#[test]
fn rs10_a_failure_is_not_the_absence_of_a_record() {
    for fault in [Fault::ServFail, Fault::Refused, Fault::Timeout] {
        let mut zones = Zones::new();
        break_dmarc(&mut zones, "example.com", fault);
        assert!(matches!(at_example(&zones), WalkOutcome::Failed(_)), "{fault:?}");
        let (_, discovery) = block_on(discovery::discover(&zones, &name("example.com")));
        assert!(matches!(discovery, Discovery::Unanswered(_)), "{fault:?}");
    }
}
