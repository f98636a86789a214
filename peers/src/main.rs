//! Judges the conformance cases with mail-auth beside ours, and prints where they differ,
//! or where ours is not what the case expects.
//!
//! A difference is a question, not an answer. Both get the same DNS: mail-auth asks a server on loopback, ours asks the
//! zones behind it. Cases that need legacy cryptography, or hold for RFC 7489 alone, are
//! left out: mail-auth has neither.

mod ours;
mod peer;

use landmarc_dmarc::suffixes::Suffixes;
use landmarc_testkit::cases::{self, Case};
use landmarc_testkit::dns_server::DnsServer;

use peer::Peer;

/// A set: its file, what is judged, and the key of the expectation.
const SETS: [(&str, Judged, &str); 4] = [
    ("spf/cases.jsonl", Judged::Spf, "result"),
    ("dkim/cases.jsonl", Judged::Dkim, "overall"),
    ("arc/validation.jsonl", Judged::Arc, "cv"),
    ("dmarc/cases.jsonl", Judged::Dmarc, "result"),
];

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Spf,
    Dkim,
    Arc,
    Dmarc,
}

impl Judged {
    /// The key under `expect`.
    fn name(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Arc => "arc",
            Self::Dmarc => "dmarc",
        }
    }
}

/// How often each agreed with the cases of a set.
#[derive(Default)]
struct Tally {
    cases: usize,
    ours: usize,
    peer: usize,
    differ: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let suffixes = Suffixes::built_in();
    let server = DnsServer::start(landmarc_auth::lookup::Zones::new());
    let mut summary = Vec::new();
    println!("{:<52} {:<24} {:<10} mail-auth", "case", "expected", "ours");
    for (file, judged, key) in SETS {
        let mut tally = Tally::default();
        for case in cases::load(file).iter().filter(|case| applies(case)) {
            let Some(accepted) = case.accepted(judged.name(), key) else {
                continue;
            };
            let zones = case.zones();
            server.set_zones(zones.clone());
            let ours = ours::judge(case, judged, &zones, &suffixes).await;
            // A new one for each case: it remembers answers.
            let peer = Peer::asking(server.addr()).judge(case, judged).await;
            tally.count(&accepted, &ours, &peer);
            if ours != peer || !accepted.contains(&ours) {
                println!("{:<52} {:<24} {ours:<10} {peer}", case.id(), accepted.join("|"));
            }
        }
        summary.push((judged, tally));
    }
    println!(
        "\n{:<6} {:>6} {:>16} {:>21} {:>8}",
        "set", "cases", "ours as expected", "mail-auth as expected", "differ"
    );
    for (
        judged,
        Tally {
            cases,
            ours,
            peer,
            differ,
        },
    ) in summary
    {
        println!(
            "{:<6} {cases:>6} {ours:>16} {peer:>21} {differ:>8}",
            judged.name()
        );
    }
}

impl Tally {
    fn count(&mut self, accepted: &[String], ours: &str, peer: &str) {
        let accepts = |result: &str| usize::from(accepted.iter().any(|one| one == result));
        self.cases += 1;
        self.ours += accepts(ours);
        self.peer += accepts(peer);
        self.differ += usize::from(ours != peer);
    }
}

/// Whether both could get it right.
fn applies(case: &Case) -> bool {
    !case.needs_legacy_options() && case.json["profile"] != "rfc7489"
}
