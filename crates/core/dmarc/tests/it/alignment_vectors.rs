//! Alignment and result (A), for identifiers that passed their own mechanism.

use landmarc_dmarc::{EvaluationOptions, Identifiers, Suffixes, evaluate};
use landmarc_testkit::block_on;

use crate::common::{AS_WRITTEN, judge, name, passed, records};

struct Case {
    id: &'static str,
    zone: &'static [(&'static str, &'static str)],
    author: &'static str,
    spf: &'static str,
    dkim: &'static [&'static str],
    /// SPF, DKIM.
    aligned: (bool, bool),
    result: &'static str,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { id: "AL01", zone: &[("example.com", "v=DMARC1; p=reject")], author: "example.com", spf: "example.com", dkim: &[], aligned: (true, false), result: "pass" },
    Case { id: "AL02", zone: &[("example.com", "v=DMARC1; p=reject")], author: "example.com", spf: "child.example.com", dkim: &[], aligned: (true, false), result: "pass" },
    Case { id: "AL03", zone: &[("example.com", "v=DMARC1; p=reject; aspf=s")], author: "example.com", spf: "child.example.com", dkim: &[], aligned: (false, false), result: "fail" },
    Case { id: "AL04", zone: &[("example.com", "v=DMARC1; p=reject")], author: "child.example.com", spf: "example.net", dkim: &[], aligned: (false, false), result: "fail" },
    Case { id: "AL05", zone: &[("example.com", "v=DMARC1; p=reject")], author: "child.example.com", spf: "", dkim: &["example.com"], aligned: (false, true), result: "pass" },
    Case { id: "AL06", zone: &[("example.com", "v=DMARC1; p=reject; adkim=s")], author: "child.example.com", spf: "", dkim: &["example.com"], aligned: (false, false), result: "fail" },
    Case { id: "AL07", zone: &[("example.com", "v=DMARC1; p=reject")], author: "child.example.com", spf: "", dkim: &["example.net"], aligned: (false, false), result: "fail" },
    Case { id: "AL08", zone: &[("example.com", "v=DMARC1; p=reject")], author: "news.example.com", spf: "foo.example.com", dkim: &[], aligned: (true, false), result: "pass" },
    Case { id: "AL09", zone: &[("example.com", "v=DMARC1; p=reject"), ("signing.example.com", "v=DMARC1; p=reject")], author: "example.com", spf: "example.com", dkim: &["signing.example.com"], aligned: (true, true), result: "pass" },
    Case { id: "AL10", zone: &[("example.com", "v=DMARC1; p=reject"), ("signing.example.com", "v=DMARC1; p=reject")], author: "a.b.c.d.e.f.g.h.i.j.k.example.com", spf: "example.com", dkim: &["signing.example.com"], aligned: (true, true), result: "pass" },
    Case { id: "AL11", zone: &[("bank.example", "v=DMARC1; p=reject; psd=y"), ("giant.bank.example", "v=DMARC1; p=reject")], author: "giant.bank.example", spf: "mail.giant.bank.example", dkim: &["mail.mega.bank.example"], aligned: (true, false), result: "pass" },
    Case { id: "AL12", zone: &[("bank.example", "v=DMARC1; p=reject; psd=y"), ("giant.bank.example", "v=DMARC1; p=reject")], author: "giant.bank.example", spf: "", dkim: &["mail.mega.bank.example"], aligned: (false, false), result: "fail" },
    Case { id: "AL13", zone: &[("example.com", "v=DMARC1; p=reject"), ("b.example.com", "v=DMARC1; p=none; psd=n")], author: "example.com", spf: "", dkim: &["mail.b.example.com"], aligned: (false, false), result: "fail" },
    Case { id: "AL14", zone: &[("example.com", "v=DMARC1; p=reject"), ("b.example.com", "v=DMARC1; p=none; psd=n")], author: "x.b.example.com", spf: "", dkim: &["example.com"], aligned: (false, false), result: "fail" },
    Case { id: "AL15", zone: &[("mail.example.com", "v=DMARC1; p=reject")], author: "mail.example.com", spf: "bounce.example.com", dkim: &["example.com"], aligned: (false, false), result: "fail" },
    Case { id: "AL16", zone: &[("mail.example.com", "v=DMARC1; p=reject")], author: "mail.example.com", spf: "", dkim: &["mail.example.com"], aligned: (false, true), result: "pass" },
    Case { id: "AL17", zone: &[("mail.example.com", "v=DMARC1; p=reject"), ("example.com", "v=DMARC1; p=none")], author: "mail.example.com", spf: "", dkim: &["example.com"], aligned: (false, true), result: "pass" },
    Case { id: "AL18", zone: &[("com", "v=DMARC1; p=reject")], author: "victim.com", spf: "attacker.com", dkim: &[], aligned: (true, false), result: "pass" },
    Case { id: "AL19", zone: &[("com", "v=DMARC1; p=reject; psd=y")], author: "victim.com", spf: "attacker.com", dkim: &[], aligned: (false, false), result: "fail" },
    Case { id: "AL20", zone: &[("bank.example", "v=DMARC1; p=reject; psd=y")], author: "bank.example", spf: "", dkim: &["mail.bank.example"], aligned: (false, false), result: "fail" },
    Case { id: "AL21", zone: &[("example.com", "v=DMARC1; p=reject")], author: "EXAMPLE.com", spf: "Bounce.Example.COM", dkim: &[], aligned: (true, false), result: "pass" },
    Case { id: "AL22", zone: &[("xn--bcher-kva.example", "v=DMARC1; p=reject")], author: "xn--bcher-kva.example", spf: "", dkim: &["xn--bcher-kva.example"], aligned: (false, true), result: "pass" },
    Case { id: "AL23", zone: &[("example.com", "v=DMARC1; p=reject")], author: "example.com", spf: "", dkim: &["example.com.evil.test", "notexample.com"], aligned: (false, false), result: "fail" },
    Case { id: "AL24", zone: &[("example.com", "v=DMARC1; p=reject")], author: "example.com", spf: "", dkim: &[], aligned: (false, false), result: "fail" },
    Case { id: "AL25", zone: &[], author: "example.com", spf: "example.com", dkim: &["example.com"], aligned: (false, false), result: "none" },
    Case { id: "AL26", zone: &[("example.com", "v=DMARC1; p=reject; aspf=s; adkim=r")], author: "example.com", spf: "bounce.example.com", dkim: &["news.example.com"], aligned: (false, true), result: "pass" },
];

fn check(case: &Case, options: EvaluationOptions) {
    let zones = records(case.zone);
    let (found, _) = judge(&zones, case.author, &passed(case.spf, case.dkim), options);
    assert_eq!(found.result.as_str(), case.result, "{}: result", case.id);
    assert_eq!(
        (found.spf_aligned, found.dkim_aligned),
        case.aligned,
        "{}: aligned",
        case.id
    );
}

#[test]
fn al01_to_al26_by_the_letter() {
    for case in CASES {
        check(case, AS_WRITTEN);
    }
    assert_eq!(CASES.len(), 26);
}

#[test]
fn al01_to_al26_with_the_guard_only_al18_differs() {
    for case in CASES {
        if case.id != "AL18" {
            check(case, EvaluationOptions::default());
        }
    }
}

#[test]
fn al18_the_guard_closes_the_hole_of_an_unmarked_suffix() {
    let zones = records(&[("com", "v=DMARC1; p=reject")]);
    let (found, _) = judge(
        &zones,
        "victim.com",
        &passed("attacker.com", &[]),
        EvaluationOptions::default(),
    );
    assert_eq!(found.result.as_str(), "fail");
    assert!(found.guard_applied && !found.spf_aligned);
    assert_eq!(found.organizational_domain, Some(name("victim.com")));
    assert_eq!(found.method.as_str(), "treewalk");
}

#[test]
fn al18_the_guard_looks_through_nested_suffixes() {
    let zones = records(&[("uk", "v=DMARC1; p=reject")]);
    let attack = passed("attacker.co.uk", &[]);
    let (open, _) = judge(&zones, "victim.co.uk", &attack, AS_WRITTEN);
    assert!(open.result.is_pass());
    let (guarded, _) = judge(&zones, "victim.co.uk", &attack, EvaluationOptions::default());
    assert_eq!(guarded.result.as_str(), "fail");
    assert_eq!(guarded.organizational_domain, Some(name("victim.co.uk")));
}

#[test]
fn al18_the_guard_looks_at_no_name_above_the_record() {
    // Nothing says that `y.test` is a public suffix: the list has the name below it alone.
    let suffixes =
        Suffixes::parse("// ===BEGIN ICANN DOMAINS===\ntest\nx.y.test\n// ===END ICANN DOMAINS===\n")
            .unwrap();
    let zones = records(&[("x.y.test", "v=DMARC1; p=reject")]);
    let author = name("mail.x.y.test");
    let identifiers = Identifiers::default();
    let found = block_on(evaluate(
        &zones,
        &author,
        &identifiers,
        &EvaluationOptions::default(),
        &suffixes,
    ));
    assert!(found.guard_applied);
    assert_eq!(found.organizational_domain, Some(author));
}

#[test]
fn al18_names_of_one_owner_still_align_under_the_guard() {
    let zones = records(&[("com", "v=DMARC1; p=reject")]);
    let own = passed("bounce.victim.com", &[]);
    let (found, _) = judge(&zones, "mail.victim.com", &own, EvaluationOptions::default());
    assert!(found.result.is_pass() && found.guard_applied);
}

#[test]
fn al18_a_mark_or_a_private_suffix_leaves_the_guard_alone() {
    for (at, text) in [
        ("com", "v=DMARC1; p=reject; psd=n"),
        ("uk.com", "v=DMARC1; p=reject"),
    ] {
        let zones = records(&[(at, text)]);
        let (author, other) = (format!("one.{at}"), format!("two.{at}"));
        let (found, _) = judge(
            &zones,
            &author,
            &passed(&other, &[]),
            EvaluationOptions::default(),
        );
        assert!(found.result.is_pass() && !found.guard_applied, "{at}");
    }
}

#[test]
fn al09_every_step_tells_its_organizational_domain() {
    let zones = records(&[
        ("example.com", "v=DMARC1; p=reject"),
        ("b.example.com", "v=DMARC1; p=none; psd=n"),
    ]);
    let signers = ["signing.example.com", "example.net", "mail.b.example.com"];
    let identifiers = passed("example.com", &signers);
    let (found, _) = judge(&zones, "example.com", &identifiers, EvaluationOptions::default());
    let told: Vec<_> = found
        .identifiers
        .iter()
        .map(|step| {
            format!(
                "{} {} {}: {}",
                step.mechanism, step.domain, step.aligned, step.relation
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "spf example.com true: is the Author Domain",
            "dkim signing.example.com true: has the Organizational Domain of the author",
            "dkim example.net false: is not at or below the Organizational Domain of the author",
            "dkim mail.b.example.com false: has the Organizational Domain b.example.com",
        ]
    );
    assert_eq!(
        found.identifiers[1].organizational_domain,
        Some(name("example.com"))
    );
    assert_eq!(found.walks.len(), 3);
    assert_eq!(found.walks[0].start, name("example.com"));
}

#[test]
fn al20_the_guard_has_nothing_to_say_about_mail_of_the_suffix_itself() {
    let zones = records(&[("com", "v=DMARC1; p=reject")]);
    let (found, _) = judge(
        &zones,
        "com",
        &passed("com", &["attacker.com"]),
        EvaluationOptions::default(),
    );
    assert!(found.spf_aligned && !found.dkim_aligned);
    assert_eq!(found.organizational_domain, Some(name("com")));
    // The walk of the signer is another matter: that one was kept apart.
    assert!(found.guard_applied);
    let (alone, _) = judge(&zones, "com", &passed("com", &[]), EvaluationOptions::default());
    assert!(!alone.guard_applied);
}
