//! The numbered SPF vectors SP01 to SP38, one test each.

use landmarc_auth::spf::{Scope, SpfResult};

use crate::spf_support::{Session, asked, check, result};

#[test]
fn sp01_no_txt_record_is_none() {
    let outcome = check("example.com A 192.0.2.3");
    assert_eq!(outcome.result, SpfResult::None);
    assert_eq!(outcome.problem.as_deref(), Some("example.com has no SPF record"));
    assert_eq!(outcome.domain.unwrap().as_str(), "example.com");
}

#[test]
fn sp02_nxdomain_is_none() {
    let outcome = check("");
    assert_eq!(outcome.result, SpfResult::None);
    assert_eq!(outcome.problem.as_deref(), Some("example.com does not exist"));
}

#[test]
fn sp03_no_answer_is_temperror() {
    for fault in ["SERVFAIL", "TIMEOUT", "REFUSED"] {
        let outcome = check(&format!("example.com TXT !{fault}"));
        assert_eq!(outcome.result, SpfResult::TempError, "{fault}");
        assert!(
            outcome.problem.unwrap().starts_with("example.com TXT: "),
            "{fault}"
        );
    }
}

#[test]
fn sp04_two_records_are_a_permerror() {
    let outcome = check("example.com TXT v=spf1 -all\nexample.com TXT v=spf1 mx -all");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com has more than one SPF record")
    );
}

#[test]
fn sp05_another_version_is_none() {
    assert_eq!(result("example.com TXT v=spf10 -all"), SpfResult::None);
}

#[test]
fn sp06_an_empty_record_is_neutral() {
    let outcome = check("example.com TXT v=spf1");
    assert_eq!(outcome.result, SpfResult::Neutral);
    assert_eq!(outcome.mechanism, None);
}

#[test]
fn sp07_a_network_passes() {
    let outcome = check("example.com TXT v=spf1 ip4:192.0.2.0/24 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.mechanism.as_deref(), Some("ip4:192.0.2.0/24"));
    assert_eq!((outcome.scope, outcome.from_helo), (Scope::MailFrom, false));
}

#[test]
fn sp08_a_prefix_of_33_is_a_permerror() {
    let outcome = check("example.com TXT v=spf1 ip4:192.0.2.0/33 -all");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert!(outcome.problem.unwrap().contains("`ip4:192.0.2.0/33`"));
}

#[test]
fn sp09_syntax_is_checked_before_the_match() {
    let outcome = check("example.com TXT v=spf1 ip4:192.0.2.3 foo -all");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: there is no such mechanism: `foo`")
    );
}

#[test]
fn sp10_unknown_modifiers_are_ignored() {
    assert_eq!(
        result("example.com TXT v=spf1 foo=bar ip4:192.0.2.3 -all"),
        SpfResult::Pass
    );
    assert_eq!(
        result("example.com TXT v=spf1 ra=postmaster rp=100 rr=e ip4:192.0.2.3 -all"),
        SpfResult::Pass
    );
}

#[test]
fn sp11_all_beats_redirect() {
    let outcome = check("example.com TXT v=spf1 -all redirect=other.example");
    assert_eq!(outcome.result, SpfResult::Fail);
    assert_eq!(outcome.mechanism.as_deref(), Some("-all"));
    assert_eq!(outcome.lookup_terms, 0);
}

#[test]
fn sp12_a_redirect_to_nothing_is_a_permerror() {
    let outcome = check("example.com TXT v=spf1 redirect=other.example");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: `redirect=other.example`: other.example does not exist")
    );
}

#[test]
fn sp13_two_redirects_are_a_permerror() {
    assert_eq!(
        result("example.com TXT v=spf1 redirect=a.example redirect=b.example"),
        SpfResult::PermError
    );
}

#[test]
fn sp14_a_fail_inside_an_include_is_no_match() {
    let outcome = check(
        "example.com TXT v=spf1 include:i.example -all
         i.example TXT v=spf1 -all",
    );
    assert_eq!(outcome.result, SpfResult::Fail);
    assert_eq!(outcome.mechanism.as_deref(), Some("-all"));
}

#[test]
fn sp15_an_include_without_a_record_is_a_permerror() {
    let outcome = check("example.com TXT v=spf1 include:i.example ?all\ni.example A 192.0.2.9");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: `include:i.example`: i.example has no SPF record")
    );
}

#[test]
fn sp16_an_include_that_times_out_is_a_temperror() {
    let outcome = check("example.com TXT v=spf1 include:i.example -all\ni.example TXT !TIMEOUT");
    assert_eq!(outcome.result, SpfResult::TempError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("i.example TXT: no name server answered in time")
    );
}

/// A record of `count` includes; the last of them passes.
fn includes(count: usize) -> String {
    let terms: String = (1..=count).map(|n| format!("include:i{n}.example ")).collect();
    let mut zone = format!("example.com TXT v=spf1 {terms}-all\n");
    for n in 1..count {
        zone += &format!("i{n}.example TXT v=spf1 ?all\n");
    }
    zone + &format!("i{count}.example TXT v=spf1 +all\n")
}

#[test]
fn sp17_ten_includes_are_evaluated() {
    let outcome = check(&includes(10));
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.lookup_terms, 10);
    assert_eq!(outcome.mechanism.as_deref(), Some("include:i10.example +all"));
}

#[test]
fn sp18_the_eleventh_include_is_a_permerror() {
    let outcome = check(&includes(11));
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some(
            "example.com: `include:i11.example`: more than 10 terms ask DNS \
             (RFC 7208 section 4.6.4)"
        )
    );
}

#[test]
fn sp19_redirects_and_nested_includes_count_together() {
    let chain = "example.com TXT v=spf1 include:a.example redirect=r1.example
         a.example TXT v=spf1 include:b.example ?all
         b.example TXT v=spf1 include:c.example ?all
         c.example TXT v=spf1 a:host.example exists:no.example ?all
         host.example A 192.0.2.9
         no.example A 192.0.2.9
         r1.example TXT v=spf1 mx redirect=r2.example
         r1.example MX host.example
         r2.example TXT v=spf1 include:d.example ";
    // a, b, c, a:host, then exists matches: c passes, b passes, a passes.
    let passing = Session::default().check(&(chain.to_owned() + "-all"));
    assert_eq!(passing.0.result, SpfResult::Pass);
    let chain = chain.replace("exists:no.example", "a:no.example");
    let tail = "d.example TXT v=spf1 ?all";
    // a, b, c, two addresses, r1, mx, r2, d: nine, and one more is the tenth.
    let at_limit = check(&format!("{chain} a:host.example -all\n{tail}"));
    assert_eq!((at_limit.result, at_limit.lookup_terms), (SpfResult::Fail, 10));
    let past_it = check(&format!("{chain} a:host.example a:host.example -all\n{tail}"));
    assert_eq!((past_it.result, past_it.lookup_terms), (SpfResult::PermError, 11));
}

#[test]
fn sp20_the_third_void_lookup_is_a_permerror() {
    let outcome = check("example.com TXT v=spf1 a:n1.example a:n2.example a:n3.example ip4:192.0.2.3");
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(outcome.void_lookups, 3);
    assert_eq!(
        outcome.problem.as_deref(),
        Some(
            "example.com: `a:n3.example`: more than 2 terms ask for what is not there \
             (RFC 7208 section 4.6.4)"
        )
    );
    let two = check("example.com TXT v=spf1 a:n1.example a:n2.example ip4:192.0.2.3");
    assert_eq!((two.result, two.void_lookups), (SpfResult::Pass, 2));
}

/// A domain of `count` mail exchanges, the last of which is the client.
fn exchanges(count: usize) -> String {
    let mut zone = "example.com TXT v=spf1 mx -all\n".to_owned();
    for n in 1..=count {
        let last = if n == count { 3 } else { 100 };
        zone += &format!("example.com MX m{n}.example\nm{n}.example A 192.0.2.{last}\n");
    }
    zone
}

#[test]
fn sp21_eleven_mail_exchanges_are_a_permerror() {
    assert_eq!(result(&exchanges(10)), SpfResult::Pass);
    let outcome = check(&exchanges(11));
    assert_eq!(outcome.result, SpfResult::PermError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: `mx`: example.com has more than 10 MX records")
    );
}

#[test]
fn sp22_there_is_no_implicit_mx() {
    assert_eq!(
        result("example.com TXT v=spf1 mx ?all\nexample.com A 192.0.2.3"),
        SpfResult::Neutral
    );
}

/// Fifteen names of the client, of which only number `valid` leads back.
fn reverse(valid: usize) -> String {
    let mut zone = "example.com TXT v=spf1 ptr -all\n".to_owned();
    for n in 1..=15 {
        let last = if n == valid { 3 } else { 100 };
        zone += &format!("3.2.0.192.in-addr.arpa PTR h{n}.example.com\nh{n}.example.com A 192.0.2.{last}\n");
    }
    zone
}

#[test]
fn sp23_only_the_first_ten_names_of_the_client_count() {
    assert_eq!(result(&reverse(12)), SpfResult::Fail);
    assert_eq!(result(&reverse(11)), SpfResult::Fail);
    assert_eq!(result(&reverse(10)), SpfResult::Pass);
}

#[test]
fn sp24_a_null_reverse_path_checks_helo() {
    let session = Session {
        mail_from: b"<>",
        ..Session::default()
    };
    let (outcome, _) = session.check("mx.example.org TXT v=spf1 ip4:192.0.2.3 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.domain.unwrap().as_str(), "mx.example.org");
    assert_eq!((outcome.scope, outcome.from_helo), (Scope::MailFrom, true));
    let (_, questions) = session.check("mx.example.org TXT v=spf1 exists:%{l}.%{o}.x.example -all");
    assert_eq!(
        asked(&questions)[1],
        "postmaster.mx.example.org.x.example A",
        "the sender is postmaster@HELO"
    );
}

#[test]
fn sp25_an_address_literal_is_none() {
    let session = Session {
        helo: b"[192.0.2.3]",
        mail_from: b"",
        ..Session::default()
    };
    let (outcome, questions) = session.check("");
    assert_eq!((outcome.result, outcome.domain), (SpfResult::None, None));
    assert_eq!(questions, []);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("HELO is unusable: the character '[' cannot be in a domain name: `[192.0.2.3]`")
    );
}

#[test]
fn sp26_a_single_label_is_none() {
    let session = Session {
        helo: b"localhost",
        mail_from: b"",
        ..Session::default()
    };
    let (outcome, questions) = session.check("localhost TXT v=spf1 +all");
    assert_eq!((outcome.result, outcome.domain), (SpfResult::None, None));
    assert_eq!(questions, []);
}

#[test]
fn sp27_a_mapped_client_is_ipv4() {
    let session = Session {
        client: "::ffff:192.0.2.3",
        ..Session::default()
    };
    let (outcome, _) = session.check("example.com TXT v=spf1 ip4:192.0.2.3 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    let (_, questions) = session.check("example.com TXT v=spf1 a exists:%{i}.%{v}.example.com");
    assert_eq!(
        asked(&questions)[1..],
        ["example.com A", "192.0.2.3.in-addr.example.com A"]
    );
}

/// What a term of `email.example.com` asks for, with the sender of RFC 7208 §7.4.
fn question_of(term: &str, client: &str) -> String {
    let session = Session {
        client,
        mail_from: b"strong-bad@email.example.com",
        ..Session::default()
    };
    let (_, questions) = session.check(&format!("email.example.com TXT v=spf1 {term} -all"));
    asked(&questions).pop().unwrap()
}

#[test]
fn sp28_the_address_reversed() {
    assert_eq!(
        question_of("exists:%{ir}.%{v}._spf.%{d2}", "192.0.2.3"),
        "3.2.0.192.in-addr._spf.example.com A"
    );
}

#[test]
fn sp29_the_local_part_split_and_reversed() {
    assert_eq!(
        question_of("exists:%{lr-}.lp._spf.%{d2}", "192.0.2.3"),
        "bad.strong.lp._spf.example.com A"
    );
}

#[test]
fn sp30_parts_of_names() {
    for (part, expanded) in [
        ("%{l1r-}", "strong"),
        ("%{d3}", "email.example.com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
    ] {
        assert_eq!(
            question_of(&format!("exists:{part}.x.example"), "192.0.2.3"),
            format!("{expanded}.x.example A")
        );
    }
}

#[test]
fn sp31_parentheses_are_a_permerror() {
    assert_eq!(
        result("example.com TXT v=spf1 exists:%(ir).x.example -all"),
        SpfResult::PermError
    );
}

#[test]
fn sp32_zero_parts_are_a_permerror() {
    assert_eq!(
        result("example.com TXT v=spf1 exists:%{d0}.x.example -all"),
        SpfResult::PermError
    );
}

#[test]
fn sp33_an_ipv6_client_is_32_nibbles() {
    assert_eq!(
        question_of("exists:%{ir}.%{v}.x.example", "2001:db8::cb01"),
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.x.example A"
    );
}

#[test]
fn sp34_a_non_ascii_local_part_matches_nothing() {
    let session = Session {
        mail_from: "jörg@example.com".as_bytes(),
        ..Session::default()
    };
    for term in [
        "exists:%{l}.%{d}",
        "a:%{s}.x.example",
        "include:%{l}.%{d}",
        "mx:%{l}.%{d}",
        "ptr:%{l}.%{d}",
    ] {
        let (outcome, questions) = session.check(&format!("example.com TXT v=spf1 {term} ?all"));
        assert_eq!(outcome.result, SpfResult::Neutral, "{term}");
        assert_eq!(asked(&questions), ["example.com TXT"], "{term}");
    }
    let (outcome, _) = session.check("example.com TXT v=spf1 redirect=%{l}.x.example");
    assert_eq!(outcome.result, SpfResult::Neutral);
    let (outcome, _) = session.check("example.com TXT v=spf1 exists:%{d} -all\nexample.com A 192.0.2.9");
    assert_eq!(outcome.result, SpfResult::Pass, "a term without it does match");
}

#[test]
fn sp35_u_labels_are_asked_for_as_a_labels() {
    let session = Session {
        mail_from: "x@bücher.example".as_bytes(),
        ..Session::default()
    };
    let (outcome, questions) =
        session.check("xn--bcher-kva.example TXT v=spf1 exists:%{o}.%{d}.x.example -all");
    assert_eq!(outcome.result, SpfResult::Fail);
    assert_eq!(
        asked(&questions),
        [
            "xn--bcher-kva.example TXT",
            "xn--bcher-kva.example.xn--bcher-kva.example.x.example A"
        ]
    );
    let helo = Session {
        helo: "bücher.example".as_bytes(),
        ..Session::default()
    };
    assert_eq!(
        helo.helo("xn--bcher-kva.example TXT v=spf1 +all").result,
        SpfResult::None,
        "HELO is in A-labels (RFC 8616 §4)"
    );
}

#[test]
fn sp36_a_source_route_is_dropped() {
    let session = Session {
        mail_from: b"<@relay.example:a@example.com>",
        ..Session::default()
    };
    let (outcome, _) = session.check("example.com TXT v=spf1 ip4:192.0.2.3 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.domain.unwrap().as_str(), "example.com");
}

#[test]
fn sp37_a_pass_of_helo_is_not_one_of_mail_from() {
    let zone = "example.com TXT v=spf1 ~all
         mx.example.org TXT v=spf1 ip4:192.0.2.3 -all";
    let helo = Session::default().helo(zone);
    assert_eq!((helo.result, helo.scope), (SpfResult::Pass, Scope::Helo));
    assert_eq!(helo.domain.unwrap().as_str(), "mx.example.org");
    assert!(!helo.from_helo);
    let mail_from = check(zone);
    assert_eq!(
        (mail_from.result, mail_from.scope),
        (SpfResult::SoftFail, Scope::MailFrom)
    );
    assert_eq!(mail_from.domain.unwrap().as_str(), "example.com");
}

#[test]
fn sp38_two_explanations_are_none() {
    let outcome = check(
        "example.com TXT v=spf1 -all exp=why.example
         why.example TXT one
         why.example TXT two",
    );
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
}
