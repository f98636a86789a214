//! The DNS Tree Walk (W): what is asked, in order; what applies; who the author belongs to.

use landmarc_auth::lookup::Ledger;
use landmarc_dmarc::{Discovery, TakenAs, discovery};
use landmarc_testkit::block_on;

use crate::common::{AS_WRITTEN, NO_LIMIT, judge, name, passed, questions, records};

struct Case {
    id: &'static str,
    zone: &'static [(&'static str, &'static str)],
    author: &'static str,
    /// The questions of policy discovery with nothing known yet.
    asked: &'static str,
    policy_domain: &'static str,
    taken_as: &'static str,
    organizational_domain: &'static str,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case {
        id: "TW01",
        zone: &[("example.com", "v=DMARC1; p=reject")],
        author: "example.com",
        asked: "~example.com",
        policy_domain: "example.com",
        taken_as: "author",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW02",
        zone: &[("example.com", "v=DMARC1; p=none; sp=reject")],
        author: "mail.example.com",
        asked: "~mail.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW03",
        zone: &[("example.com", "v=DMARC1; p=reject"), ("b.example.com", "v=DMARC1; p=none")],
        author: "a.b.example.com",
        asked: "~a.b.example.com ~b.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW04",
        zone: &[("example.com", "v=DMARC1; p=none"), ("b.example.com", "v=DMARC1; p=reject; psd=n")],
        author: "a.b.example.com",
        asked: "~a.b.example.com ~b.example.com",
        policy_domain: "b.example.com",
        taken_as: "org",
        organizational_domain: "b.example.com",
    },
    Case {
        id: "TW05",
        zone: &[("mail.example.com", "v=DMARC1; p=none"), ("example.com", "v=DMARC1; p=none")],
        author: "a.mail.example.com",
        asked: "~a.mail.example.com ~mail.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW06",
        zone: &[("com", "v=DMARC1; p=none; psd=y")],
        author: "a.mail.example.com",
        asked: "~a.mail.example.com ~mail.example.com ~example.com ~com",
        policy_domain: "com",
        taken_as: "psd",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW07",
        zone: &[("com", "v=DMARC1; p=reject; psd=y")],
        author: "example.com",
        asked: "~example.com ~com",
        policy_domain: "com",
        taken_as: "psd",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW08",
        zone: &[("com", "v=DMARC1; p=reject")],
        author: "example.com",
        asked: "~example.com ~com",
        policy_domain: "com",
        taken_as: "org",
        organizational_domain: "com",
    },
    Case {
        id: "TW09",
        zone: &[("bank.example", "v=DMARC1; p=reject; psd=y"), ("giant.bank.example", "v=DMARC1; p=quarantine")],
        author: "giant.bank.example",
        asked: "~giant.bank.example",
        policy_domain: "giant.bank.example",
        taken_as: "author",
        organizational_domain: "giant.bank.example",
    },
    Case {
        id: "TW10",
        zone: &[("bank.example", "v=DMARC1; p=reject; psd=y"), ("giant.bank.example", "v=DMARC1; p=quarantine")],
        author: "mail.giant.bank.example",
        asked: "~mail.giant.bank.example ~giant.bank.example ~bank.example",
        policy_domain: "giant.bank.example",
        taken_as: "org",
        organizational_domain: "giant.bank.example",
    },
    Case {
        id: "TW11",
        zone: &[("bank.example", "v=DMARC1; p=reject; psd=y"), ("giant.bank.example", "v=DMARC1; p=quarantine")],
        author: "mail.mega.bank.example",
        asked: "~mail.mega.bank.example ~mega.bank.example ~bank.example",
        policy_domain: "bank.example",
        taken_as: "psd",
        organizational_domain: "mega.bank.example",
    },
    Case {
        id: "TW12",
        zone: &[("bank.example", "v=DMARC1; p=reject; psd=y")],
        author: "bank.example",
        asked: "~bank.example",
        policy_domain: "bank.example",
        taken_as: "author",
        organizational_domain: "bank.example",
    },
    Case {
        id: "TW13",
        zone: &[("b.example.com", "v=DMARC1; p=reject; psd=y"), ("x.a.b.example.com", "v=DMARC1; p=none")],
        author: "y.x.a.b.example.com",
        asked: "~y.x.a.b.example.com ~x.a.b.example.com ~a.b.example.com ~b.example.com",
        policy_domain: "b.example.com",
        taken_as: "psd",
        organizational_domain: "a.b.example.com",
    },
    Case {
        id: "TW14",
        zone: &[],
        author: "a.b.example.com",
        asked: "~a.b.example.com ~b.example.com ~example.com ~com",
        policy_domain: "none",
        taken_as: "-",
        organizational_domain: "a.b.example.com",
    },
    Case {
        id: "TW15",
        zone: &[],
        author: "a.b.c.d.e.f.g.h.i.j.mail.example.com",
        asked: "~a.b.c.d.e.f.g.h.i.j.mail.example.com ~g.h.i.j.mail.example.com ~h.i.j.mail.example.com ~i.j.mail.example.com ~j.mail.example.com ~mail.example.com ~example.com ~com",
        policy_domain: "none",
        taken_as: "-",
        organizational_domain: "a.b.c.d.e.f.g.h.i.j.mail.example.com",
    },
    Case {
        id: "TW16",
        zone: &[("example.com", "v=DMARC1; p=reject"), ("signing.example.com", "v=DMARC1; p=reject")],
        author: "a.b.c.d.e.f.g.h.i.j.k.example.com",
        asked: "~a.b.c.d.e.f.g.h.i.j.k.example.com ~g.h.i.j.k.example.com ~h.i.j.k.example.com ~i.j.k.example.com ~j.k.example.com ~k.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW17",
        zone: &[("example.com", "v=DMARC1; p=none"), ("b.c.d.e.f.g.example.com", "v=DMARC1; p=reject; psd=n")],
        author: "mail.a.b.c.d.e.f.g.example.com",
        asked: "~mail.a.b.c.d.e.f.g.example.com ~c.d.e.f.g.example.com ~d.e.f.g.example.com ~e.f.g.example.com ~f.g.example.com ~g.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW18",
        zone: &[],
        author: "a.b.c.d.e.f.example.com",
        asked: "~a.b.c.d.e.f.example.com ~b.c.d.e.f.example.com ~c.d.e.f.example.com ~d.e.f.example.com ~e.f.example.com ~f.example.com ~example.com ~com",
        policy_domain: "none",
        taken_as: "-",
        organizational_domain: "a.b.c.d.e.f.example.com",
    },
    Case {
        id: "TW19",
        zone: &[],
        author: "x.a.b.c.d.e.f.example.com",
        asked: "~x.a.b.c.d.e.f.example.com ~b.c.d.e.f.example.com ~c.d.e.f.example.com ~d.e.f.example.com ~e.f.example.com ~f.example.com ~example.com ~com",
        policy_domain: "none",
        taken_as: "-",
        organizational_domain: "x.a.b.c.d.e.f.example.com",
    },
    Case {
        id: "TW20",
        zone: &[("mail.example.com", "v=DMARC1; p=reject"), ("mail.example.com", "v=DMARC1; p=none"), ("example.com", "v=DMARC1; p=quarantine")],
        author: "mail.example.com",
        asked: "~mail.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW21",
        zone: &[("b.example.com", "v=DMARC1; p=reject; psd=n"), ("b.example.com", "v=DMARC1; p=none"), ("example.com", "v=DMARC1; p=quarantine")],
        author: "a.b.example.com",
        asked: "~a.b.example.com ~b.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW22",
        zone: &[("mail.example.com", "v=spf1 -all"), ("example.com", "v=DMARC1; p=quarantine")],
        author: "mail.example.com",
        asked: "~mail.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW23",
        zone: &[("mail.example.com", "v=DMARC1"), ("example.com", "v=DMARC1; p=reject")],
        author: "mail.example.com",
        asked: "~mail.example.com",
        policy_domain: "mail.example.com",
        taken_as: "author",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW24",
        zone: &[("mail.example.com", "v=DMARC1; p=reject; psd=n"), ("example.com", "v=DMARC1; p=none")],
        author: "mail.example.com",
        asked: "~mail.example.com",
        policy_domain: "mail.example.com",
        taken_as: "author",
        organizational_domain: "mail.example.com",
    },
    Case {
        id: "TW25",
        zone: &[("mail.example.com", "v=DMARC1; p=reject"), ("example.com", "v=DMARC1; p=none")],
        author: "mail.example.com",
        asked: "~mail.example.com",
        policy_domain: "mail.example.com",
        taken_as: "author",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW26",
        zone: &[("mail.example.com", "v=DMARC1; p=reject")],
        author: "mail.example.com",
        asked: "~mail.example.com",
        policy_domain: "mail.example.com",
        taken_as: "author",
        organizational_domain: "mail.example.com",
    },
    Case {
        id: "TW27",
        zone: &[("example.com", "v=DMARC1; p=reject; psd=u")],
        author: "sub.example.com",
        asked: "~sub.example.com ~example.com ~com",
        policy_domain: "example.com",
        taken_as: "org",
        organizational_domain: "example.com",
    },
    Case {
        id: "TW28",
        zone: &[("example.co.uk", "v=DMARC1; p=reject"), ("uk", "v=DMARC1; p=none; psd=y")],
        author: "news.example.co.uk",
        asked: "~news.example.co.uk ~example.co.uk ~co.uk ~uk",
        policy_domain: "uk",
        taken_as: "psd",
        organizational_domain: "co.uk",
    },
    Case {
        id: "TW29",
        zone: &[("example.co.uk", "v=DMARC1; p=reject"), ("co.uk", "v=DMARC1; p=none; psd=y")],
        author: "news.example.co.uk",
        asked: "~news.example.co.uk ~example.co.uk ~co.uk",
        policy_domain: "example.co.uk",
        taken_as: "org",
        organizational_domain: "example.co.uk",
    },
    Case {
        id: "TW30",
        zone: &[("localhost", "v=DMARC1; p=reject")],
        author: "localhost",
        asked: "~localhost",
        policy_domain: "localhost",
        taken_as: "author",
        organizational_domain: "localhost",
    },
];

#[test]
fn tw01_to_tw30_discovery_asks_and_finds() {
    for case in CASES {
        let zones = records(case.zone);
        let ledger = Ledger::new(&zones, NO_LIMIT);
        let (_, discovery) = block_on(discovery::discover(&ledger, &name(case.author)));
        assert_eq!(questions(&ledger).join(" "), case.asked, "{}: questions", case.id);
        let (policy_domain, taken_as) = match &discovery {
            Discovery::Applies(at) => (at.domain.as_str(), Some(at.taken_as)),
            Discovery::Absent => ("none", None),
            Discovery::Unanswered(error) => panic!("{}: {error}", case.id),
        };
        assert_eq!(policy_domain, case.policy_domain, "{}: policy domain", case.id);
        let wanted = match case.taken_as {
            "author" => Some(TakenAs::Author),
            "org" => Some(TakenAs::Organizational),
            "psd" => Some(TakenAs::PublicSuffix),
            _ => None,
        };
        assert_eq!(taken_as, wanted, "{}: taken as", case.id);
    }
    assert_eq!(CASES.len(), 30);
}

#[test]
fn tw01_to_tw30_the_organizational_domain_of_the_author() {
    for case in CASES {
        let zones = records(case.zone);
        let (evaluation, _) = judge(&zones, case.author, &passed("", &[]), AS_WRITTEN);
        let found = evaluation.organizational_domain.map(|name| name.to_string());
        assert_eq!(found.as_deref(), Some(case.organizational_domain), "{}", case.id);
        assert_eq!(evaluation.method.as_str(), "treewalk");
    }
}

#[test]
fn tw01_the_rest_of_the_walk_comes_after_discovery() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject")]);
    let (_, asked) = judge(&zones, "example.com", &passed("example.com", &[]), AS_WRITTEN);
    assert_eq!(asked, ["~example.com", "~com"]);
}

#[test]
fn warming_asks_all_that_an_evaluation_will_ask() {
    let zones = records(&[("example.com", "v=DMARC1; p=reject")]);
    let ledger = Ledger::new(&zones, NO_LIMIT);
    block_on(discovery::warm(&ledger, &name("mail.example.com")));
    let (_, asked) = judge(
        &zones,
        "mail.example.com",
        &passed("", &["mail.example.com"]),
        AS_WRITTEN,
    );
    assert_eq!(questions(&ledger), asked);
}

/// RFC 9989 §4.7: `np` is for names that do not exist, and whether the author does is asked ahead
/// where that decides, and only there.
#[test]
fn warming_asks_whether_the_author_exists_where_a_policy_hangs_on_it() {
    for (record, author) in [
        ("v=DMARC1; p=none; np=reject", "ghost.example.com"),
        ("v=DMARC1; p=none; sp=reject", "ghost.example.com"),
        ("v=DMARC1; p=none; np=reject", "example.com"),
    ] {
        let zones = records(&[("example.com", record)]);
        let ledger = Ledger::new(&zones, NO_LIMIT);
        block_on(discovery::warm(&ledger, &name(author)));
        let (_, asked) = judge(&zones, author, &passed("", &[]), AS_WRITTEN);
        assert_eq!(questions(&ledger), asked, "{record}");
    }
}
