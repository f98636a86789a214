//! The domains that the corpus comes from. All clients are on loopback, so that every mail server can be
//! sent the same messages without knowing of tests: what a client may do is written in SPF.

use std::net::Ipv4Addr;

use landmarc_auth::lookup::{Fault, Zones};
use landmarc_testkit::dns_name;

use crate::world::{ED25519, RSA, add_text, signing_key};

/// The client that SPF records of the corpus allow.
pub(crate) const ALLOWED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The one they would rather not see.
pub(super) const SOFT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// The one they say nothing of.
pub(super) const NEUTRAL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// The one they forbid.
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// A HELO name that exists and has no SPF record.
pub(super) const HELO: &str = "client.helo.example";
/// The list that adds footers, and signs what it sends.
pub(super) const LIST: &str = "list.example";
/// A domain of no concern, with SPF and keys but no DMARC record.
pub(super) const ELSEWHERE: &str = "elsewhere.example";
/// Its ARC seals are believed.
pub(super) const SEALER: &str = "sealer.example";
/// Nobody believes these.
pub(super) const OTHER_SEALER: &str = "other-sealer.example";
/// A domain for which DNS has nothing but SERVFAIL.
pub(super) const SILENT: &str = "silent.example";

const SPF: &str = "v=spf1 ip4:127.0.0.2 ~ip4:127.0.0.3 ?ip4:127.0.0.4 -all";

/// Domains with keys, the SPF record above, and this DMARC record, if any.
const DOMAINS: [(&str, &str); 17] = [
    ("reject.example", "v=DMARC1; p=reject"),
    ("quarantine.example", "v=DMARC1; p=quarantine"),
    ("none.example", "v=DMARC1; p=none"),
    ("sub.example", "v=DMARC1; p=none; sp=reject"),
    ("mail.sub.example", ""),
    ("existing.example", "v=DMARC1; p=none; np=reject"),
    ("strict.example", "v=DMARC1; p=reject; adkim=s; aspf=s"),
    ("mail.strict.example", ""),
    ("relaxed.example", "v=DMARC1; p=reject"),
    ("mail.relaxed.example", ""),
    ("xn--bcher-kva.example", "v=DMARC1; p=reject"),
    ("broken.example", "v=DMARC1; p=rejekt"),
    ("unversioned.example", "p=reject; v=DMARC1"),
    ("plain.example", ""),
    (ELSEWHERE, ""),
    (LIST, ""),
    (SEALER, ""),
];

/// What the DNS server of a corpus test answers from.
pub(crate) fn zones() -> Zones {
    let mut zones = Zones::new();
    zones.add_name(dns_name(HELO));
    for (domain, dmarc) in DOMAINS {
        add_text(&mut zones, domain, SPF);
        for selector in [RSA, ED25519] {
            let name = format!("{selector}._domainkey.{domain}");
            add_text(&mut zones, &name, &signing_key(selector).dns_record());
        }
        if !dmarc.is_empty() {
            add_text(&mut zones, &format!("_dmarc.{domain}"), dmarc);
        }
    }
    // Two records are none (RFC 9989 §4.10.1).
    add_text(&mut zones, "twice.example", SPF);
    for _ in 0..2 {
        add_text(&mut zones, "_dmarc.twice.example", "v=DMARC1; p=reject");
    }
    let key = format!("{ED25519}._domainkey.{OTHER_SEALER}");
    add_text(&mut zones, &key, &signing_key(ED25519).dns_record());
    for name in [SILENT, "_dmarc.silent.example", "s1._domainkey.silent.example"] {
        zones.set_others(dns_name(name), Fault::ServFail);
    }
    zones
}
