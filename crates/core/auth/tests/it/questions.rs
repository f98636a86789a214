//! Questions to DNS as they are written, and the names they are about.

use landmarc_auth::lookup::{DnsName, Question, RecordType};

fn name(text: &str) -> DnsName {
    DnsName::from_octets(text.as_bytes()).unwrap()
}

#[test]
fn names_with_octets_that_no_host_has_stand_between_backticks() {
    for (octets, shown) in [
        (&b"_dmarc.Mail-1.example."[..], "_dmarc.mail-1.example"),
        (b"%{i}.*.a/b.example", "%{i}.*.a/b.example"),
        (b"a b.example", "`a b.example`"),
        (b"a\n\xff.example", "`a\\n\\xff.example`"),
        (b"a=b", "`a=b`"),
    ] {
        let name = DnsName::from_octets(octets).unwrap();
        assert_eq!(name.to_string(), shown);
        assert_eq!(format!("{name:?}"), format!("\"{shown}\""));
    }
    assert_eq!(DnsName::root().to_string(), ".");
}

#[test]
fn names_are_taken_to_the_limits_of_dns() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    for (text, is_name) in [
        (label.clone(), true),
        (format!("{label}a"), false),
        (longest.clone(), true),
        (format!("{longest}."), true),
        (format!("{longest}a"), false),
        (String::new(), false),
        ("a..b".to_owned(), false),
        ("a..".to_owned(), false),
    ] {
        assert_eq!(DnsName::from_octets(text.as_bytes()).is_some(), is_name, "{text}");
    }
}

#[test]
fn a_name_is_below_another_by_labels() {
    for (below, above, is_below) in [
        ("a.example", "example", true),
        ("example", "example", true),
        ("b.a.example", "a.example", true),
        ("xa.example", "a.example", false),
        ("example", "a.example", false),
    ] {
        assert_eq!(
            name(below).is_at_or_below(&name(above)),
            is_below,
            "{below} {above}"
        );
    }
    assert!(name("example").is_at_or_below(&DnsName::root()));
    assert_eq!(DnsName::root().labels().count(), 0);
    assert_eq!(
        name("b.a.example").labels().collect::<Vec<_>>(),
        [&b"b"[..], b"a", b"example"]
    );
}

#[test]
fn questions_are_written_with_their_types() {
    for (record_type, word) in [
        (RecordType::Txt, "TXT"),
        (RecordType::A, "A"),
        (RecordType::Aaaa, "AAAA"),
        (RecordType::Mx, "MX"),
        (RecordType::Ptr, "PTR"),
    ] {
        let question = Question::new(name("example"), record_type);
        assert_eq!(question.to_string(), format!("example {word}"));
    }
    assert_eq!(
        DnsName::reverse([192, 0, 2, 1].into()).to_string(),
        "1.2.0.192.in-addr.arpa"
    );
    let v6 = DnsName::reverse("2001:db8::567:89ab".parse().unwrap());
    assert_eq!(
        v6.to_string(),
        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
    );
}
