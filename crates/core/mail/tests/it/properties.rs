//! What holds for all octets: nothing panics, and what is written reads back.

use landmarc_mail::author::{MAX_AUTHOR_DOMAINS, author};
use landmarc_mail::authres::{
    AuthenticationResults, Property, ResultInfo, claims_authserv_id, unique_prefixes,
};
use landmarc_mail::mbox::{split_mbox, unquote};
use landmarc_mail::message::{HeaderField, HeaderLimits, HeaderSection, split};
use landmarc_mail::{Author, DomainName};
use proptest::collection::vec;
use proptest::prelude::*;

/// Octets that mean something to one of the readers, and any others.
fn telling_octets() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        8 => proptest::sample::select(vec![
            "a", "b.test", "@", "<", ">", "(", ")", "\"", "\\", ",", ";", ":", "[", "]", ".", "=", "/", " ",
            "\r\n", "\r\n ", "\n", "\r", "\0", "From", "From ", "\n\nFrom ", "=?", "?=", "?", "none", "reason=",
            "spf=pass", "1", "ü", "。", "xn--",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn keyword() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9-]{0,8}[a-z0-9]"
}

/// Values that can be printed: text in ASCII, and mailboxes.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~\t]{0,40}", "([a-z.+=]{1,5})?@[a-z]{1,5}(\\.[a-z]{1,5}){0,2}"]
}

fn result_info() -> impl Strategy<Value = ResultInfo> {
    let property = (keyword(), keyword(), value()).prop_map(|(ptype, property, value)| Property {
        ptype,
        property,
        value,
    });
    (
        keyword(),
        proptest::option::of(any::<u32>()),
        keyword(),
        proptest::option::of("[ -~]{0,40}"),
        vec(property, 0..4),
    )
        .prop_map(
            |(method, method_version, result, reason, properties)| ResultInfo {
                method,
                method_version,
                result,
                reason,
                comment: None,
                properties,
            },
        )
}

fn field() -> impl Strategy<Value = AuthenticationResults> {
    let version = proptest::option::of(Just(1));
    ("[ -~]{0,30}", version, vec(result_info(), 0..4)).prop_map(|(authserv_id, version, results)| {
        AuthenticationResults {
            authserv_id,
            version,
            results,
        }
    })
}

proptest! {
    #[test]
    fn a_written_field_reads_back(field in field()) {
        prop_assert_eq!(AuthenticationResults::parse(field.to_value().as_bytes()), Ok(field));
    }

    #[test]
    fn whatever_it_holds_a_written_field_is_one_field(
        mut field in field(),
        text in ".{0,60}",
        other in any::<String>(),
    ) {
        let info = ResultInfo::new("dkim", "pass").with_comment(&text).with_reason(&other);
        field.results.push(info.with_value("header", "d", &text).with_value("header", "i", &other));
        field.authserv_id = other;
        let value = field.to_value();
        prop_assert!(value.is_ascii());
        prop_assert!(value.lines().all(|line| line.len() < 998 - 23));
        prop_assert!(value.starts_with(' '));
        let read = AuthenticationResults::parse(value.as_bytes());
        prop_assert_eq!(read.map(|read| read.results.len()), Ok(field.results.len()));
    }

    #[test]
    fn a_field_that_reads_is_written_stably(octets in telling_octets()) {
        if let Ok(read) = AuthenticationResults::parse(&octets) {
            let value = read.to_value();
            let again = AuthenticationResults::parse(value.as_bytes());
            prop_assert_eq!(again.map(|again| again.to_value()), Ok(value));
        }
    }

    #[test]
    fn a_field_with_our_id_is_ours_readable_or_not(octets in telling_octets()) {
        let value = [b"mx.receiver.example;", &octets[..]].concat();
        prop_assert!(claims_authserv_id(&value, "MX.receiver.example"));
    }

    #[test]
    fn no_octets_trouble_the_author(octets in telling_octets()) {
        let mut header = HeaderSection::default();
        header.push(HeaderField::new(*b"From", octets), &HeaderLimits::default());
        let author = author(&header);
        let domains = author.domains();
        prop_assert!(domains.len() <= MAX_AUTHOR_DOMAINS);
        prop_assert_eq!(domains.is_empty(), matches!(author, Author::Unusable(_)));
        for domain in domains {
            prop_assert_eq!(&DomainName::parse(domain.as_str()).unwrap(), domain);
        }
    }

    #[test]
    fn an_address_in_angles_has_the_domain_that_stands_there(
        name in "[ -~]{0,20}",
        local in "[a-z0-9=+_-]{1,20}",
        domain in "[a-z0-9]{1,10}(\\.[a-z0-9]{1,10}){0,3}",
    ) {
        let name = name.replace(['"', '\\'], "");
        let mut header = HeaderSection::default();
        let value = format!(" \"{name}\" <{local}@{domain}>").into_bytes();
        header.push(HeaderField::new(*b"From", value), &HeaderLimits::default());
        let expected = DomainName::parse(&domain).unwrap();
        prop_assert_eq!(author(&header), Author::Domain(expected));
    }

    #[test]
    fn a_message_in_crlf_form_loses_no_octet(octets in telling_octets()) {
        let octets = [b"A: b\r\n", &octets[..]].concat();
        let message = split(&octets, &HeaderLimits::default()).unwrap();
        let mut joined: Vec<u8> = Vec::new();
        for field in message.header.fields() {
            joined.extend([field.raw_name(), b":", field.value(), b"\r\n"].concat());
        }
        // An empty line stands between the parts, unless the section ended without one.
        let without = [&joined[..], &message.body].concat();
        joined.extend(b"\r\n");
        joined.extend(&*message.body);
        let cut = octets.strip_suffix(b"\r\n").unwrap_or(&octets);
        prop_assert!(
            joined == octets || without == octets || without.strip_suffix(b"\r\n") == Some(cut),
            "{}", octets.escape_ascii()
        );
    }

    #[test]
    fn no_octets_trouble_the_message_readers(octets in telling_octets()) {
        let limits = HeaderLimits { section_octets: 60, field_octets: 20, fields: 3 };
        if let Ok(message) = split(&octets, &limits) {
            prop_assert!(message.header.fields().len() <= 3);
        }
        let stored: usize = split_mbox(&octets).map(<[u8]>::len).sum();
        prop_assert!(stored <= octets.len());
        prop_assert!(unquote(&octets).len() <= octets.len());
    }

    #[test]
    fn prefixes_are_unique_and_no_longer_than_that(signatures in vec("[ab]{0,14}", 0..6)) {
        let signatures: Vec<&str> = signatures.iter().map(String::as_str).collect();
        let lengths = unique_prefixes(&signatures);
        for (n, (one, length)) in signatures.iter().zip(&lengths).enumerate() {
            prop_assert!(*length >= one.len().min(8));
            for (m, (other, other_length)) in signatures.iter().zip(&lengths).enumerate() {
                prop_assert!(n == m || one == other || one[..*length] != other[..*other_length]);
            }
        }
    }
}
