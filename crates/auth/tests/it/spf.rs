//! SPF: the vectors of the RFC, one test each, and what the outcome tells about them.

use std::net::IpAddr;

use auth::lookup::{Asked, Fault, Ledger, QUESTIONS_PER_MESSAGE, Record, RecordType, ZoneData, Zones};
use auth::spf::{Scope, SpfOutcome, SpfRequest, SpfResult, check_helo, check_mail_from};
use landmarc_auth as auth;
use mail::ReversePath;
use testkit::{block_on, dns_name};

/// Zones from lines of `name TYPE data`, where the data of several records of a name is
/// given on several lines, and a fault is written `!SERVFAIL`.
pub(crate) fn zones(lines: &str) -> Zones {
    let mut zones = Zones::new();
    let mut sets: Vec<(&str, RecordType, Vec<Record>)> = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (kind, data) = rest.trim_start().split_once(' ').unwrap_or((rest, ""));
        let record_type = record_type(kind);
        if let Some(fault) = data.strip_prefix('!') {
            zones.set(dns_name(name), record_type, ZoneData::Fault(fault_of(fault)));
            continue;
        }
        let record = record(record_type, data.trim_start());
        match sets.iter_mut().find(|(n, t, _)| *n == name && *t == record_type) {
            Some((_, _, records)) => records.push(record),
            None => sets.push((name, record_type, vec![record])),
        }
    }
    for (name, record_type, records) in sets {
        zones.set(dns_name(name), record_type, ZoneData::Records(records));
    }
    zones
}

fn record_type(kind: &str) -> RecordType {
    match kind {
        "TXT" => RecordType::Txt,
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "MX" => RecordType::Mx,
        "PTR" => RecordType::Ptr,
        other => panic!("no type {other}"),
    }
}

fn fault_of(word: &str) -> Fault {
    match word {
        "SERVFAIL" => Fault::ServFail,
        "TIMEOUT" => Fault::Timeout,
        "REFUSED" => Fault::Refused,
        other => panic!("no fault {other}"),
    }
}

fn record(record_type: RecordType, data: &str) -> Record {
    match record_type {
        RecordType::Txt => Record::Txt(data.as_bytes().into()),
        RecordType::A => Record::A(data.parse().unwrap()),
        RecordType::Aaaa => Record::Aaaa(data.parse().unwrap()),
        RecordType::Mx => Record::Mx {
            preference: 10,
            exchange: if data == "." {
                auth::lookup::DnsName::root()
            } else {
                dns_name(data)
            },
        },
        RecordType::Ptr => Record::Ptr(dns_name(data)),
    }
}

/// A transaction, ready to be changed in one thing.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a str,
    pub(crate) helo: &'a [u8],
    pub(crate) mail_from: &'a [u8],
    pub(crate) fetch_explanation: bool,
}

impl Default for Session<'_> {
    fn default() -> Self {
        Self {
            client: "192.0.2.3",
            helo: b"mx.example.org",
            mail_from: b"a@example.com",
            fetch_explanation: true,
        }
    }
}

impl Session<'_> {
    /// The outcome for MAIL FROM, and every question it took.
    pub(crate) fn check(&self, zones: &str) -> (SpfOutcome, Vec<Asked>) {
        let ledger = Ledger::new(self::zones(zones), QUESTIONS_PER_MESSAGE);
        let outcome = self.with(|request| block_on(check_mail_from(&ledger, request)));
        (outcome, ledger.asked())
    }

    pub(crate) fn helo(&self, zones: &str) -> SpfOutcome {
        let zones = self::zones(zones);
        self.with(|request| block_on(check_helo(&zones, request)))
    }

    pub(crate) fn with<T>(&self, run: impl FnOnce(&SpfRequest<'_>) -> T) -> T {
        let client: IpAddr = self.client.parse().unwrap();
        run(&SpfRequest {
            client,
            helo: self.helo,
            mail_from: &ReversePath::new(self.mail_from),
            receiver: "mx.receiver.example",
            now: 1_700_000_000,
            fetch_explanation: self.fetch_explanation,
        })
    }
}

/// The outcome for `a@example.com` from 192.0.2.3.
pub(crate) fn check(zones: &str) -> SpfOutcome {
    Session::default().check(zones).0
}

fn result(zones: &str) -> SpfResult {
    check(zones).result
}

fn asked(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| asked.question.to_string()).collect()
}

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
        Some("example.com: `foo`: there is no such mechanism")
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
        Some("HELO `[192.0.2.3]`: the character '[' cannot be in a domain name")
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

#[test]
fn the_chain_of_records_is_told() {
    let outcome = check(
        "example.com TXT v=spf1 include:a.example redirect=b.example
         a.example TXT v=spf1 ip4:192.0.2.9 -all
         b.example TXT v=spf1 ?include:c.example -all
         c.example TXT v=spf1 a:host.example ip4:192.0.2.0/24
         host.example A 192.0.2.8",
    );
    assert_eq!(outcome.result, SpfResult::Neutral);
    assert_eq!(
        outcome.mechanism.as_deref(),
        Some("redirect=b.example ?include:c.example ip4:192.0.2.0/24")
    );
    let steps: Vec<_> = outcome
        .steps
        .iter()
        .map(|s| format!("{} {}: {}: {}", s.depth, s.domain, s.term, s.outcome))
        .collect();
    assert_eq!(
        steps,
        [
            "0 example.com: v=spf1 include:a.example redirect=b.example: is read",
            "0 example.com: include:a.example: no match: it comes to fail by `-all`",
            "1 a.example: v=spf1 ip4:192.0.2.9 -all: is read",
            "1 a.example: ip4:192.0.2.9: no match",
            "1 a.example: -all: matches",
            "0 example.com: redirect=b.example: goes on at b.example",
            "1 b.example: v=spf1 ?include:c.example -all: is read",
            "1 b.example: ?include:c.example: matches through `ip4:192.0.2.0/24`",
            "2 c.example: v=spf1 a:host.example ip4:192.0.2.0/24: is read",
            "2 c.example: a:host.example: no match: host.example has 192.0.2.8",
            "2 c.example: ip4:192.0.2.0/24: matches: 192.0.2.3 is in it",
        ]
    );
}

#[test]
fn at05_the_pass_of_a_helo_name_is_bound_to_that_name() {
    let session = Session {
        helo: b"evil.test",
        mail_from: b"<>",
        ..Session::default()
    };
    let (outcome, _) = session.check("evil.test TXT v=spf1 +all\nbank.test TXT v=spf1 -all");
    assert_eq!(outcome.result, SpfResult::Pass);
    assert_eq!(outcome.domain.unwrap().as_str(), "evil.test");
    assert!(outcome.from_helo);
}

#[test]
fn at04_an_odd_domain_is_none_and_quoted_without_harm() {
    let session = Session {
        mail_from: b"x@bank.test(.evil.test\r\n\x1b",
        ..Session::default()
    };
    let (outcome, questions) = session.check("evil.test TXT v=spf1 +all");
    assert_eq!((outcome.result, outcome.domain), (SpfResult::None, None));
    assert_eq!(questions, []);
    assert!(
        outcome
            .problem
            .unwrap()
            .contains(r"`bank.test(.evil.test\r\n\x1b`")
    );
}

#[test]
fn softfail_neutral_fail_and_permerror_are_kept_apart() {
    for (record, expected) in [
        ("~all", SpfResult::SoftFail),
        ("?all", SpfResult::Neutral),
        ("-all", SpfResult::Fail),
        ("+all", SpfResult::Pass),
        ("-al", SpfResult::PermError),
    ] {
        assert_eq!(
            result(&format!("example.com TXT v=spf1 {record}")),
            expected,
            "{record}"
        );
    }
}

#[test]
fn explanations_expand_every_macro_and_stay_printable() {
    let zone = "example.com TXT v=spf1 -all exp=why.%{d}
         why.example.com TXT %{s} from %{c} (%{h}) at %{t} by %{r}, %{p}: %{i} %{v} %{l} %{o} %{d} %%%_%-";
    assert_eq!(
        check(zone).explanation.as_deref(),
        Some(
            "a@example.com from 192.0.2.3 (mx.example.org) at 1700000000 by mx.receiver.example, \
             unknown: 192.0.2.3 in-addr a example.com example.com % %20"
        )
    );
    for local_part in ["\"a\r\nRCPT TO:<x@y.example>\"", "\"\u{1b}[31m\"", "jörg"] {
        let mail_from = format!("{local_part}@example.com");
        let session = Session {
            mail_from: mail_from.as_bytes(),
            ..Session::default()
        };
        let (outcome, _) = session.check(zone);
        assert_eq!(
            (outcome.result, outcome.explanation),
            (SpfResult::Fail, None),
            "{local_part:?}"
        );
    }
}

#[test]
fn explanations_are_asked_for_only_when_wanted_and_only_after_a_fail() {
    let unwanted = Session {
        fetch_explanation: false,
        ..Session::default()
    };
    let (outcome, questions) =
        unwanted.check("example.com TXT v=spf1 -all exp=why.example\nwhy.example TXT because");
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::Fail, None));
    assert_eq!(asked(&questions), ["example.com TXT"]);
    let (outcome, questions) =
        Session::default().check("example.com TXT v=spf1 ~all exp=why.example\nwhy.example TXT because");
    assert_eq!((outcome.result, outcome.explanation), (SpfResult::SoftFail, None));
    assert_eq!(asked(&questions), ["example.com TXT"]);
}

#[test]
fn a_null_mx_and_an_mx_without_addresses_do_not_match() {
    let null = check("example.com TXT v=spf1 mx -all\nexample.com MX .");
    assert_eq!((null.result, null.void_lookups), (SpfResult::Fail, 0));
    let empty = check(
        "example.com TXT v=spf1 mx -all
         example.com MX m1.example
         example.com MX m2.example
         example.com MX m3.example",
    );
    assert_eq!((empty.result, empty.void_lookups), (SpfResult::Fail, 1));
}

#[test]
fn a_match_counts_whatever_the_other_exchanges_answer() {
    let zone = "example.com TXT v=spf1 mx -all
         example.com MX dead.example
         example.com MX live.example
         dead.example A !TIMEOUT
         live.example A 192.0.2.";
    assert_eq!(result(&format!("{zone}3")), SpfResult::Pass);
    let outcome = check(&format!("{zone}4"));
    assert_eq!(outcome.result, SpfResult::TempError);
    assert_eq!(
        outcome.problem.as_deref(),
        Some("example.com: `mx`: dead.example A: no name server answered in time")
    );
}

#[test]
fn ptr_errors_are_no_match() {
    let zone = "example.com TXT v=spf1 ptr -all
         3.2.0.192.in-addr.arpa PTR ";
    assert_eq!(result(&format!("{zone}!TIMEOUT")), SpfResult::Fail);
    assert_eq!(
        result(&format!("{zone}dead.example.com\ndead.example.com A !SERVFAIL")),
        SpfResult::Fail
    );
    let live = "dead.example.com\n3.2.0.192.in-addr.arpa PTR live.example.com
         dead.example.com A !SERVFAIL\nlive.example.com A 192.0.2.3";
    assert_eq!(result(&format!("{zone}{live}")), SpfResult::Pass);
}

#[test]
fn ptr_takes_the_name_itself_and_names_below_not_look_alikes() {
    for (name, expected) in [
        ("example.com", SpfResult::Pass),
        ("mx.example.com", SpfResult::Pass),
        ("notexample.com", SpfResult::Fail),
        ("example.com.evil.test", SpfResult::Fail),
        ("com", SpfResult::Fail),
    ] {
        let zone = format!(
            "example.com TXT v=spf1 ptr -all
             3.2.0.192.in-addr.arpa PTR {name}
             {name} A 192.0.2.3"
        );
        assert_eq!(result(&zone), expected, "{name}");
    }
}

#[test]
fn the_validated_name_is_the_domain_else_below_it_else_any() {
    let question_with = |names: &[&str]| {
        let mut zone = "example.com TXT v=spf1 exists:%{p}.x.example -all\n".to_owned();
        for name in names {
            zone += &format!("3.2.0.192.in-addr.arpa PTR {name}\n{name} A 192.0.2.3\n");
        }
        asked(&Session::default().check(&zone).1).pop().unwrap()
    };
    assert_eq!(question_with(&[]), "unknown.x.example A");
    assert_eq!(
        question_with(&["h.example.net", "i.example.net"]),
        "h.example.net.x.example A"
    );
    assert_eq!(
        question_with(&["h.example.net", "mx.example.com"]),
        "mx.example.com.x.example A"
    );
    assert_eq!(
        question_with(&["mx.example.com", "example.com"]),
        "example.com.x.example A"
    );
}

#[test]
fn names_that_dns_cannot_carry_do_not_match_and_lead_nowhere() {
    for (term, expected) in [
        ("a:a..example.com", SpfResult::Neutral),
        ("mx:a..example.com", SpfResult::Neutral),
        ("exists:a..example.com", SpfResult::Neutral),
        ("ptr:a..example.com", SpfResult::Neutral),
        // RFC 7208 §4.3 makes check_host "none" there, and §5.2 that a permerror.
        ("include:a..example.com", SpfResult::PermError),
        ("redirect=a..example.com", SpfResult::PermError),
        ("include:%{d1}", SpfResult::PermError),
    ] {
        let (outcome, questions) = Session::default().check(&format!("example.com TXT v=spf1 {term}"));
        assert_eq!(outcome.result, expected, "{term}");
        assert_eq!(asked(&questions), ["example.com TXT"], "{term}");
    }
}
