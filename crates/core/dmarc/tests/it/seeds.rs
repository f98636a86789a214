//! Records as sites have published them for years, mangled copies included: each line is an id of the
//! compatibility page (docs/compatibility.md).

use landmarc_dmarc::record::{AssessmentPolicy, PolicyRecord, Usability};

fn record(text: &str) -> PolicyRecord {
    PolicyRecord::parse(text.as_bytes()).expect("a record")
}

fn problems(record: &PolicyRecord) -> Vec<String> {
    record.problems.iter().map(ToString::to_string).collect()
}

fn addresses(record: &PolicyRecord) -> Vec<String> {
    let uris = record.aggregate_uris.iter();
    uris.filter_map(|uri| uri.address.as_ref())
        .map(ToString::to_string)
        .collect()
}

#[test]
fn dn2_without_the_version_in_front_there_is_no_record() {
    assert_eq!(PolicyRecord::parse(b"p=reject; v=DMARC1"), None);
    assert_eq!(PolicyRecord::parse(b"p=reject"), None);
}

#[test]
fn dn3_dn4_policies_for_the_domain_and_below() {
    for policy in ["none", "quarantine", "reject"] {
        let found = record(&format!("v=DMARC1; p={policy}; sp=reject"));
        assert_eq!(found.policy.map(AssessmentPolicy::as_str), Some(policy));
        assert_eq!(found.subdomain_policy, Some(AssessmentPolicy::Reject));
    }
    let without = record("v=DMARC1; rua=mailto:postmaster@example.com");
    assert_eq!(
        without.usability(),
        Usability::AsNone,
        "a missing p with a rua is p=none"
    );
}

#[test]
fn dn6_mangled_addresses_are_told_and_never_written_to() {
    let blank = record("v=DMARC1; p=none; rua=mailto: dmarc-feedback@example.com");
    assert_eq!(addresses(&blank), Vec::<String>::new());
    let told = "the tag rua has the item \"mailto: dmarc-feedback@example.com\", which is no usable URI";
    assert_eq!(problems(&blank), [told]);
    // A copy of a page, with the quote and blank of its HTML.
    let tail = record("v=DMARC1; p=reject; rua=mailto:dmarc-feedback@example.com;%22");
    assert_eq!(addresses(&tail), ["dmarc-feedback@example.com"]);
    assert_eq!(problems(&tail), ["\"%22\" has no equals sign"]);
}

#[test]
fn dn7_pct_is_read_and_decides_nothing() {
    let found = record("v=DMARC1; p=quarantine; pct=50");
    assert_eq!(found.percent, Some(50));
    assert_eq!(found.usability(), Usability::AsPublished);
    assert_eq!(record("v=DMARC1; p=quarantine; pct=101").percent, None);
}

#[test]
fn dn8_rf_and_ri_are_passed_over_whatever_they_say() {
    for tail in ["rf=afrf; ri=86400", "rf=iodef; ri=8400", "ri=often"] {
        let found = record(&format!("v=DMARC1; p=reject; {tail}"));
        assert_eq!(found.policy, Some(AssessmentPolicy::Reject), "{tail}");
        assert_eq!(found.usability(), Usability::AsPublished, "{tail}");
    }
}

#[test]
fn dn9_failure_options_alone_and_as_lists() {
    for (written, read) in [("1", "1"), ("0", "0"), ("d", "d"), ("s", "s"), ("1:d:s", "1:d:s")] {
        let found = record(&format!(
            "v=DMARC1; p=none; ruf=mailto:a@example.com; fo={written}"
        ));
        assert_eq!(found.failure_options.to_string(), read);
    }
}

#[test]
fn dn10_sizes_of_reports_have_units() {
    for (suffix, octets) in [
        ("100", 100),
        ("5k", 5 << 10),
        ("10m", 10 << 20),
        ("2g", 2 << 30),
        ("1t", 1 << 40),
    ] {
        let found = record(&format!("v=DMARC1; p=none; rua=mailto:a@example.com!{suffix}"));
        let uri = found.aggregate_uris.first().unwrap();
        assert_eq!(uri.size_limit, Some(octets), "{suffix}");
        assert_eq!(addresses(&found), ["a@example.com"]);
    }
}

#[test]
fn dn13_what_is_no_tag_of_dmarc_is_passed_over() {
    let found = record("v=DMARC1; p=reject; x=1; hello; sp=none");
    assert_eq!(found.subdomain_policy, Some(AssessmentPolicy::None));
    assert_eq!(problems(&found), ["\"hello\" has no equals sign"]);
}
