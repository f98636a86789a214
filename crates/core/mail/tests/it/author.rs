//! The Author Domain: RFC 9989 §5.3.1 and §11.5, RFC 5322 §3.4 and §4.4, RFC 6854, RFC 6532.

use std::fmt::Write;

use landmarc_mail::author::{
    Author, AuthorFault, MAX_AUTHOR_DOMAINS, MAX_AUTHOR_MAILBOXES, MAX_FROM_OCTETS, MAX_LOCAL_PART_OCTETS,
    author,
};
use landmarc_mail::message::{HeaderDefect, HeaderField, HeaderLimits, HeaderSection, split};
use landmarc_mail::{DomainName, NameError};

/// The Author Domains of a header section as it stands in a message, between blanks.
fn of_header(octets: &[u8]) -> Result<String, AuthorFault> {
    let message = split(octets, &HeaderLimits::default()).expect("each test gives a message");
    match author(&message.header) {
        Author::Unusable(fault) => Err(fault),
        other => {
            let names: Vec<_> = other.domains().iter().map(DomainName::as_str).collect();
            Ok(names.join(" "))
        }
    }
}

/// The same for one From field of this value.
fn of(value: impl AsRef<[u8]>) -> Result<String, AuthorFault> {
    of_header(&[b"From: ", value.as_ref(), b"\r\n\r\n"].concat())
}

#[track_caller]
fn is_domain(value: impl AsRef<[u8]>, domain: &str) {
    let value = value.as_ref();
    assert_eq!(of(value).as_deref(), Ok(domain), "{}", value.escape_ascii());
}

#[track_caller]
fn is_malformed(value: impl AsRef<[u8]>) {
    let value = value.as_ref();
    let found = of(value);
    assert!(
        matches!(found, Err(AuthorFault::Malformed(_))),
        "{} came to {found:?}",
        value.escape_ascii()
    );
}

fn mailboxes(count: usize, domain: impl Fn(usize) -> String) -> String {
    let all: Vec<_> = (0..count).map(|n| format!("a@{}", domain(n))).collect();
    all.join(", ")
}

#[test]
fn au01_a_name_and_an_address() {
    is_domain("Joe <joe@example.com>", "example.com");
}

#[test]
fn au02_a_comment_is_ignored() {
    is_domain("joe@EXAMPLE.com (Joe at bank.test)", "example.com");
    is_domain("(a@b.test) joe@example.com (d\\)@e.test)", "example.com");
}

#[test]
fn au03_a_display_name_is_ignored() {
    is_domain(r#""ceo@bank.test" <x@evil.test>"#, "evil.test");
}

#[test]
fn au04_a_quoted_local_part() {
    is_domain(r#""a b.test"@example.com"#, "example.com");
    is_domain(r#"<"a>\"<b"@example.com>"#, "example.com");
    // An at sign alone is allowed (RFC 5322 §3.2.4); an address that shows is not.
    is_domain(r#""a@b"@example.com"#, "example.com");
    for own in [
        "\"ceo@bank.test\"@evil.test",
        "\"a@b@bank.test\"@evil.test",
        "\"ceo@bank\u{3002}test\"@evil.test",
        "<\"ceo@bank.test \"@evil.test>",
        "ceo\u{ff20}bank.test@evil.test",
    ] {
        is_malformed(own);
    }
}

#[test]
fn au05_a_source_route_is_dropped() {
    is_domain("<@hop1.test,@hop2.test:joe@example.com>", "example.com");
    is_domain(
        "Joe <,@hop1.test , ,@[192.0.2.1] :joe@example.com>",
        "example.com",
    );
    is_malformed("<:joe@example.com>");
    is_malformed("<,:joe@example.com>");
    is_malformed("<@hop1.test joe@example.com>");
}

#[test]
fn au06_two_mailboxes_of_one_domain() {
    is_domain("a@example.com, b@Example.COM.", "example.com");
}

#[test]
fn au07_two_domains() {
    is_domain("a@example.com, b@example.net", "example.com example.net");
    let domains = mailboxes(MAX_AUTHOR_DOMAINS, |n| format!("d{n}.test"));
    is_domain(domains, "d0.test d1.test d2.test d3.test");
}

#[test]
fn au08_thirty_domains() {
    let domains = mailboxes(30, |n| format!("d{n}.test"));
    assert_eq!(of(domains), Err(AuthorFault::TooManyDomains(30)));
    let one_too_many = mailboxes(MAX_AUTHOR_DOMAINS + 1, |n| format!("d{n}.test"));
    assert_eq!(of(one_too_many), Err(AuthorFault::TooManyDomains(5)));
}

#[test]
fn au09_two_from_fields() {
    for second in ["b@example.com", "b@example.net", "", "\0"] {
        let header = format!("From: a@example.com\r\nTo: x@y.test\r\nfrom: {second}\r\n\r\n");
        assert_eq!(
            of_header(header.as_bytes()),
            Err(AuthorFault::SeveralFromFields(2))
        );
    }
}

#[test]
fn au10_the_obsolete_form_of_the_name_counts() {
    let header = b"From : a@example.com\r\nFrom: b@evil.test\r\n\r\n";
    assert_eq!(of_header(header), Err(AuthorFault::SeveralFromFields(2)));
    assert_eq!(
        of_header(b"From \t: a@example.com\r\n\r\n").as_deref(),
        Ok("example.com")
    );
}

#[test]
fn au11_no_from_field() {
    let fault = of_header(b"To: a@example.com\r\nX-From: a@b.test\r\n\r\n").unwrap_err();
    assert_eq!(fault, AuthorFault::NoFromField);
    assert!(!fault.is_refusable());
}

#[test]
fn au12_a_group_without_members() {
    assert_eq!(of("undisclosed:;"), Err(AuthorFault::NoDomain));
    assert_eq!(of("undisclosed: (nobody) , ;"), Err(AuthorFault::NoDomain));
    assert!(!AuthorFault::NoDomain.is_refusable());
}

#[test]
fn au13_members_of_a_group_count() {
    is_domain("team: a@example.com, b@example.com;", "example.com");
    is_domain(
        "A: Joe <a@example.com>, ,;, B: ;, c@example.net",
        "example.com example.net",
    );
    is_malformed("\"ceo@bank.test\": x@evil.test;");
    is_malformed("ceo\u{fe6b}bank.test: x@evil.test;");
    let encoded = "=?utf-8?q?ceo=40bank=2Etest?=: x@evil.test;";
    assert_eq!(of(encoded), Err(AuthorFault::EncodedWord));
    is_malformed("team: a@example.com");
    is_malformed("team: other: a@example.com;;");
    is_malformed("team: a@example.com; b@example.com");
    is_malformed(": a@example.com;");
    is_malformed("a@example.com;");
}

#[test]
fn au14_a_user_name_alone() {
    for value in ["root", "Cron Daemon <root>", "<>", "", " ", ", ,", "(nothing)"] {
        assert_eq!(of(value), Err(AuthorFault::NoDomain), "{value:?}");
    }
}

#[test]
fn au15_an_address_literal() {
    assert_eq!(of("x@[192.0.2.1]"), Err(AuthorFault::NoDomain));
    assert_eq!(of("<x@[IPv6:2001:db8::1]>"), Err(AuthorFault::NoDomain));
    is_malformed("x@[192.0.2.1");
    is_malformed("x@[[192.0.2.1]]");
    is_malformed(r"x@[192.0.2.1\]]");
}

#[test]
fn au16_one_final_dot_is_dropped() {
    is_domain("x@example.com.", "example.com");
    is_domain("<x@example.com. >", "example.com");
    is_malformed("x@example.com..");
    is_malformed("x@example..com");
    is_malformed("x@.example.com");
    is_malformed("x@.");
}

#[test]
fn au17_u_labels_become_a_labels() {
    is_domain("x@bücher.example", "xn--bcher-kva.example");
    is_domain("x@BÜCHER.example, y@bücher.example", "xn--bcher-kva.example");
}

#[test]
fn au18_a_labels_stay() {
    is_domain("x@xn--bcher-kva.example", "xn--bcher-kva.example");
}

#[test]
fn au19_the_ideographic_full_stop_is_a_dot() {
    is_domain("x@bücher。example", "xn--bcher-kva.example");
    assert_eq!(of("x@bücher。。example"), Err(AuthorFault::InvalidDomain));
}

#[test]
fn au20_an_a_label_that_stands_for_nothing() {
    assert_eq!(of("x@xn--zzzzzzzzz-.example"), Err(AuthorFault::InvalidDomain));
    for domain in ["exa!mple.com", "a=b.test", "x/y.test"] {
        assert_eq!(
            of(format!("x@{domain}")),
            Err(AuthorFault::InvalidDomain),
            "{domain}"
        );
    }
}

#[test]
fn au21_an_encoded_word_is_no_address() {
    for value in [
        "=?utf-8?q?x=40bank=2Etest?=",
        "=?utf-8?q?x=40bank.test?=",
        "<=?utf-8?q?x=40bank=2Etest?=>",
        "=?utf-8?q?ceo=40bank=2Etest=00?=@evil.test",
        "=?utf-8?q?ceo=40bank.test=00?=@evil.test",
        r#""=?utf-8?b?Y2VvQGJhbmsudGVzdA==?="@evil.test"#,
        "x@=?utf-8?q?bank=2Etest?=",
    ] {
        assert_eq!(of(value), Err(AuthorFault::EncodedWord), "{value}");
    }
    is_domain("=?utf-8?q?x=40bank=2Etest?= <x@evil.test>", "evil.test");
    let cut_at_nul = "=?utf-8?q?x=40bank=2Etest=00?= <x@evil.test>";
    assert_eq!(of(cut_at_nul), Err(AuthorFault::EncodedWord));
}

#[test]
fn au22_a_nul_octet() {
    assert_eq!(of("x@example.com\0.evil.test"), Err(AuthorFault::ControlOctets));
    assert_eq!(of("\"a\0b\" <x@example.com>"), Err(AuthorFault::ControlOctets));
    assert_eq!(of("x@example.com (\x1b)"), Err(AuthorFault::ControlOctets));
}

#[test]
fn au23_a_bare_line_end() {
    for bare in ["\r", "\n", "\r\r"] {
        let header = format!("To: x\r\nFrom: a@example.com{bare}From: b@evil.test\r\n\r\n");
        assert_eq!(
            of_header(header.as_bytes()),
            Err(AuthorFault::BareLineEnd),
            "{bare:?}"
        );
    }
}

#[test]
fn au24_two_angle_addresses_in_a_row() {
    is_malformed("<a@example.com> <b@evil.test>");
    is_malformed("a@example.com <b@evil.test>");
    is_malformed("<a@example.com> b@evil.test");
    is_malformed("<<a@example.com>>");
    is_malformed("<a@example.com");
    is_malformed("<a@example.com, b@evil.test>");
}

#[test]
fn au25_two_at_signs() {
    is_malformed("a@b@example.com");
    is_malformed("<a@b@example.com>");
    is_malformed("a@@example.com");
    is_malformed("@example.com");
    is_malformed("a@");
}

#[test]
fn at01_the_second_of_two_fields_is_no_way_in() {
    let header = b"From: ceo@bank.test\r\nFrom: x@evil.test\r\n\r\n";
    let fault = of_header(header).unwrap_err();
    assert_eq!(fault, AuthorFault::SeveralFromFields(2));
    assert!(fault.is_refusable());
}

#[test]
fn at02_nor_is_the_obsolete_form_or_a_name_that_only_looks_like_it() {
    for name in ["From ", "FROM\t", "From\0", "Fr\rom", "F\u{200b}rom"] {
        let header = format!("{name}: ceo@bank.test\r\nFrom: x@evil.test\r\n\r\n");
        assert_eq!(
            of_header(header.as_bytes()),
            Err(AuthorFault::SeveralFromFields(2)),
            "{name:?}"
        );
    }
    let alone = of_header(b"From\0: ceo@bank.test\r\n\r\n").unwrap_err();
    assert!(matches!(alone, AuthorFault::Malformed(_)));
}

#[test]
fn at08_a_bare_line_end_in_another_field_hides_no_from_field() {
    for bare in ["\r", "\n"] {
        let header = format!("To: x\r\nX-A: b{bare}From: x@bank.test\r\nFrom: x@evil.test\r\n\r\n");
        let fault = of_header(header.as_bytes()).unwrap_err();
        assert_eq!(fault, AuthorFault::BareLineEnd);
        assert!(fault.is_refusable());
    }
}

#[test]
fn a_line_that_is_no_field_hides_no_from_field() {
    for line in [": x", ":", "From x@evil.test", "two words: x", "no colon"] {
        for header in [
            format!("To: x\r\n{line}\r\nFrom: ceo@bank.test\r\n\r\n"),
            format!("From: x@evil.test\r\n{line}\r\nFrom: ceo@bank.test\r\n\r\n"),
            format!("From: x@evil.test\r\n{line}\r\n\r\n"),
        ] {
            let fault = of_header(header.as_bytes()).unwrap_err();
            assert_eq!(fault, AuthorFault::NotAField, "{header:?}");
            assert!(fault.is_refusable());
        }
    }
    assert_eq!(
        of_header(b" \r\nFrom: ceo@bank.test\r\n\r\n"),
        Err(AuthorFault::NotAField)
    );
}

#[test]
fn a_section_that_ends_with_the_message_and_the_line_of_an_mbox_are_no_fault() {
    for header in [
        "From: a@example.com",
        "From: a@example.com\r\n",
        "From a@b Thu Jan  1 00:00:00 1970\r\nFrom: a@example.com\r\n\r\n",
        ">From a@b\nFrom: a@example.com\n",
    ] {
        assert_eq!(
            of_header(header.as_bytes()).as_deref(),
            Ok("example.com"),
            "{header:?}"
        );
    }
    assert_eq!(
        of_header(b"\r\nFrom: ceo@bank.test\r\n"),
        Err(AuthorFault::NoFromField)
    );
}

#[test]
fn at09_a_line_of_white_space_does_not_end_the_section() {
    let header = b"From: ceo@bank.test\r\n \t\r\nFrom: x@evil.test\r\n\r\n";
    assert_eq!(of_header(header), Err(AuthorFault::SeveralFromFields(2)));
    let folded = b"From: Joe\r\n \r\n <joe@example.com>\r\n\r\n";
    assert_eq!(of_header(folded).as_deref(), Ok("example.com"));
}

#[test]
fn at12_a_hundred_and_twenty_labels_are_one_domain() {
    let domain = format!("{}test", "a.".repeat(119));
    is_domain(format!("x@{domain}"), &domain);
}

#[test]
fn at13_two_thousand_domains_are_counted_and_no_more() {
    // Past the fifth distinct domain not even a name that is none is looked at.
    let domains = mailboxes(2_000, |n| match n {
        0..5 => format!("d{n}.test"),
        _ => "xn--zzzzzzzzz-.test".to_owned(),
    });
    let fault = of(domains).unwrap_err();
    assert_eq!(fault, AuthorFault::TooManyDomains(2_000));
    assert!(fault.is_refusable());
}

#[test]
fn at19_a_local_part_of_64_kb() {
    is_malformed(format!("{}@example.com", "a".repeat(64 * 1024)));
    is_malformed(format!(
        "\"{}\"@example.com",
        "a".repeat(MAX_LOCAL_PART_OCTETS - 1)
    ));
    is_domain(
        format!("{}@example.com", "a".repeat(MAX_LOCAL_PART_OCTETS)),
        "example.com",
    );
    is_malformed(format!("{}@example.com", "a".repeat(MAX_LOCAL_PART_OCTETS + 1)));
    is_malformed(format!("{}@example.com", "a.".repeat(MAX_LOCAL_PART_OCTETS)));
}

#[test]
fn at20_invalid_utf_8_in_an_address() {
    assert_eq!(of(b"x@b\xfccher.example"), Err(AuthorFault::InvalidDomain));
    is_malformed(b"J\xf6rg@example.com");
    is_domain("Jörg@example.com", "example.com");
}

#[test]
fn ugly_fields_that_are_valid() {
    for value in [
        &br#""Doe, John" <john@example.com>"#[..],
        br#"John "Q." Doe<john@example.com>"#,
        b"Acme Inc. Sales dept. <a@example.com>",
        b"  Joe\t<joe@example.com> \t ",
        b"\r\n joe@example.com",
        b"Joe\r\n\t(a\r\n (b) c)\r\n <\r\n joe@example.com\r\n >",
        b"<prvs=0123=bounce+joe=other.test@example.com>",
        b"o'brien/x{y}|z~!#$%&*^`?@example.com",
        br#""joe\ blow".x@example.com"#,
        b"J\xf6rg M\xfcller <joerg@example.com>",
        b"\"J\xf6rg\" <joerg@example.com> (M\xfcnchen \xa4)",
        "Jörg <joerg@example.com> (日本)".as_bytes(),
        b"=?iso-8859-1?Q?J=F6rg?= =?iso-8859-1?Q?_M?= <joerg@example.com>",
        b"\"\" <joe@example.com>",
        b",, joe@example.com ,",
        b"joe.@example.com, joe..blow@example.com",
    ] {
        is_domain(value, "example.com");
    }
    is_domain("joe@localhost", "localhost");
    is_domain("x@_dmarc.example.com", "_dmarc.example.com");
}

#[test]
fn what_is_no_address_list_is_not_guessed_at() {
    for value in [
        "Doe, John <john@example.com>",
        "ceo@bank.test, root",
        "ceo@bank.test, x@[192.0.2.1]",
        "joe blow@example.com",
        r#""joe"blow@example.com"#,
        "joe@example com",
        "joe@example.com)",
        "joe@example.com (",
        "\"Joe <joe@example.com>",
        "[JIRA] Joe <joe@example.com>",
        ".Joe <joe@example.com>",
        "joe@example.com\\",
        "mailto:joe@example.com",
        "a@example.com; b@example.com",
    ] {
        is_malformed(value);
    }
}

#[test]
fn comments_nest_to_a_limit() {
    let nested = |depth| format!("{}{}joe@example.com", "(".repeat(depth), ")".repeat(depth));
    is_domain(nested(32), "example.com");
    is_malformed(nested(33));
    is_malformed(nested(50_000));
}

#[test]
fn mailboxes_are_counted_to_a_limit() {
    let same = |count| of(mailboxes(count, |_| "example.com".to_owned()));
    assert_eq!(same(MAX_AUTHOR_MAILBOXES).as_deref(), Ok("example.com"));
    let fault = same(MAX_AUTHOR_MAILBOXES + 1).unwrap_err();
    assert_eq!(fault, AuthorFault::TooManyMailboxes(1_001));
    assert!(fault.is_refusable());
}

#[test]
fn a_domain_over_any_length_is_invalid() {
    let longest = format!("{}a", "a.".repeat(126));
    is_domain(format!("x@{longest}"), &longest);
    for octets in [254, 1_012, 1_013, 100_000] {
        let domain = "a.".repeat(octets / 2 + 1);
        assert_eq!(of(format!("x@{domain}")), Err(AuthorFault::InvalidDomain));
    }
    // UTS 46 maps a soft hyphen to nothing: 1,012 octets may stand for a short name.
    let hyphens = "\u{ad}".repeat(501);
    is_domain(format!("x@aa.example{hyphens}"), "aa.example");
    assert_eq!(
        DomainName::parse(&format!("aa.example{hyphens}")).map(|name| name.to_string()),
        Ok("aa.example".to_owned())
    );
    let past = format!("aaa.example{hyphens}");
    assert_eq!(of(format!("x@{past}")), Err(AuthorFault::InvalidDomain));
    assert_eq!(DomainName::parse(&past), Err(NameError::LongName));
}

#[test]
fn a_from_field_is_read_to_a_limit() {
    // A blank stands before what is given.
    let padded = |octets: usize| format!("joe@example.com ({})", "x".repeat(octets - 19));
    is_domain(padded(MAX_FROM_OCTETS), "example.com");
    for octets in [MAX_FROM_OCTETS + 1, 160 * 1024, 256 * 1024] {
        let fault = of(padded(octets)).unwrap_err();
        assert_eq!(fault, AuthorFault::TooLong, "{octets}");
        assert!(fault.is_refusable());
    }
}

#[test]
fn a_from_field_left_out_at_any_limit_leaves_no_author_domain() {
    let cut =
        |limits: HeaderLimits| author_of([" a@example.com", " long enough", " b@evil.test"], "From", limits);
    let limits = HeaderLimits::default();
    for limits in [
        HeaderLimits { fields: 2, ..limits },
        HeaderLimits {
            section_octets: 40,
            ..limits
        },
        HeaderLimits {
            field_octets: 10,
            ..limits
        },
    ] {
        assert_eq!(cut(limits), Author::Unusable(AuthorFault::TooLong), "{limits:?}");
    }
    assert_eq!(cut(limits), Author::Unusable(AuthorFault::SeveralFromFields(2)));
}

#[test]
fn a_field_of_another_name_left_out_does_not_change_the_author() {
    // The From field has 21 octets in all, X has 9; with a third of that name the section has 43.
    let cut = |name, limits: HeaderLimits| author_of([" a@example.com", " long", " 45678901"], name, limits);
    let limits = HeaderLimits {
        field_octets: 21,
        ..HeaderLimits::default()
    };
    let stands = Author::Domain(DomainName::parse("example.com").unwrap());
    let unusable = Author::Unusable(AuthorFault::TooLong);
    let at_its_limit = |octets| HeaderLimits {
        section_octets: octets,
        ..limits
    };
    for octets in [42, 43] {
        assert_eq!(cut("X", at_its_limit(octets)), stands, "{octets}");
    }
    for (name, expected) in [
        ("Subject", &stands),
        ("X-From", &stands),
        ("From", &unusable),
        ("F\0ROM ", &unusable),
    ] {
        assert_eq!(
            cut(name, HeaderLimits { fields: 2, ..limits }),
            *expected,
            "{name:?}"
        );
    }
}

/// The author where a From field, a field X and a third of that name are received.
fn author_of(values: [&str; 3], third: &str, limits: HeaderLimits) -> Author {
    let mut header = HeaderSection::default();
    for (name, value) in ["From", "X", third].into_iter().zip(values) {
        header.push(HeaderField::new(name.as_bytes(), value.as_bytes()), &limits);
    }
    author(&header)
}

#[test]
fn a_defect_that_others_noted_counts_too() {
    let mut header = HeaderSection::default();
    header.push(
        HeaderField::new(*b"From", *b" a@example.com"),
        &HeaderLimits::default(),
    );
    assert_eq!(author(&header).domains().len(), 1);
    header.note(HeaderDefect::SectionTooLong);
    assert_eq!(author(&header).domains(), []);
}

#[test]
fn an_address_in_quotes_alone_is_not_mail_without_an_author() {
    for shown_as_address in [
        "\"ceo@bank.test\"",
        "<\"ceo@bank.test\">",
        "Joe <\"ceo@bank.test\">",
        "team: \"ceo@bank.test\";",
        "ceo\u{ff20}bank.test",
        "<ceo\u{fe6b}bank.test>",
    ] {
        is_malformed(shown_as_address);
    }
    assert_eq!(of("\"the root user\""), Err(AuthorFault::NoDomain));
    assert_eq!(of("\"the root user\" <>"), Err(AuthorFault::NoDomain));
}

#[test]
fn an_address_shown_anywhere_in_a_field_without_a_domain_is_malformed() {
    for shown in [
        "\"ceo@bank.test\":;",
        "ceo\u{ff20}bank.test:;",
        "\"ceo@bank.test\" <>",
        "\"ceo@bank.test\" <root>",
        "root (ceo@bank.test)",
        "(ceo@bank.test)",
        "<> (ceo@bank.test)",
        "\"ceo@bank.test\" <x@[192.0.2.1]>",
        "x@[192.0.2.1] (ceo@bank.test)",
        "\"ceo@bank.test\"@[192.0.2.1]",
        "<@bank.test:>",
        "<@bank.test:root>",
        "bank.test!ceo",
        "ceo%bank.test",
        "ceo%bank.test@[192.0.2.1]",
        "root (bank.test!ceo)",
        "undisclosed: (ceo@bank.test);",
    ] {
        is_malformed(shown);
    }
    for encoded in [
        "=?utf-8?q?ceo=40bank=2Etest?=:;",
        "=?utf-8?q?ceo=40bank=2Etest?= <root>",
        "root (=?utf-8?q?ceo=40bank=2Etest?=)",
        "\"=?utf-8?q?ceo=40bank=2Etest?=\" <x@[192.0.2.1]>",
    ] {
        assert_eq!(of(encoded), Err(AuthorFault::EncodedWord), "{encoded}");
    }
    for shows_none in [
        "undisclosed recipients:;",
        "Cron Daemon! <root>",
        "root (100% up)",
        "a@[192.0.2.1], <b@[IPv6:2001:db8::1]>, root",
    ] {
        assert_eq!(of(shows_none), Err(AuthorFault::NoDomain), "{shows_none}");
    }
}

#[test]
fn white_space_or_a_comment_in_an_address_is_malformed() {
    for value in [
        "x@bank.test\r\n .evil.test",
        "x@bank.test\r\n\t. evil.test",
        "x@bank.test .evil.test",
        "x@bank.test. evil.test",
        "x@bank.test(c).evil.test",
        "x@bank.(c)test",
        "<x@bank.test .evil.test>",
        "x@ bank.test",
        "x@(c)bank.test",
        "<@hop .test:x@bank.test>",
        "x\r\n @evil.test (ceo@bank.test)",
        "<x(ceo@bank.test)@evil.test>",
    ] {
        is_malformed(value);
    }
    is_domain("<x@evil.test\r\n >\r\n (c)", "evil.test");
}

#[test]
fn a_domain_in_brackets_is_not_mail_without_an_author() {
    for address in ["[192.0.2.1]", "[ 192.0.2.1 ]", "[IPv6:2001:db8::1]", "[ipv6:::1]"] {
        assert_eq!(
            of(format!("x@{address}")),
            Err(AuthorFault::NoDomain),
            "{address}"
        );
    }
    for other in [
        "[bank.test]",
        "[]",
        "[192.0.2]",
        "[2001:db8::1]",
        "[IPv6:bank.test]",
        "[x:bank.test]",
    ] {
        assert_eq!(
            of(format!("x@{other}")),
            Err(AuthorFault::InvalidDomain),
            "{other}"
        );
    }
}

#[test]
fn faults_say_what_is_wrong_in_plain_words() {
    let faults = [
        AuthorFault::NoFromField,
        AuthorFault::SeveralFromFields(2),
        AuthorFault::NoDomain,
        AuthorFault::TooManyDomains(30),
        AuthorFault::TooManyMailboxes(1_001),
        AuthorFault::Malformed("a group is not closed"),
        AuthorFault::ControlOctets,
        AuthorFault::BareLineEnd,
        AuthorFault::NotAField,
        AuthorFault::EncodedWord,
        AuthorFault::InvalidDomain,
        AuthorFault::TooLong,
    ];
    let mut said = String::new();
    for fault in faults {
        let action = if fault.is_refusable() { "refuse" } else { "accept" };
        writeln!(said, "{action}: {fault}").unwrap();
    }
    let expected = "\
accept: there is no From field
refuse: the message has 2 From fields
accept: the From field names no domain
refuse: the From field names more than 4 domains in 30 mailboxes
refuse: the From field has 1001 mailboxes
refuse: the From field is malformed: a group is not closed
refuse: the From field has control octets
refuse: the header section has a bare CR or LF
refuse: the header section ends at a line that is no header field
refuse: the From field has an encoded word in place of an address
refuse: the From field has an invalid domain
refuse: the header section or its From field is too long
";
    assert_eq!(said, expected);
}
