//! The values of labels: the words of logs, settings and reports.

use landmarc_runtime::metrics::OTHER;

pub(crate) const DMARC: [&str; 5] = ["none", "pass", "fail", "temperror", "permerror"];
pub(crate) const DISPOSITION: [&str; 4] = ["none", "pass", "quarantine", "reject"];
pub(crate) const STEP: [&str; 4] = ["accept", "quarantine", "reject", "tempfail"];
pub(crate) const SPF: [&str; 7] = [
    "none",
    "neutral",
    "pass",
    "fail",
    "softfail",
    "temperror",
    "permerror",
];
pub(crate) const DKIM: [&str; 6] = ["pass", "fail", "policy", "neutral", "temperror", "permerror"];
pub(crate) const ARC: [&str; 3] = ["none", "pass", "fail"];
pub(crate) const SKIPPED: [&str; 7] = [
    "trusted_network",
    "trusted_name",
    "local_program",
    "authenticated",
    "author_domain",
    "recipient",
    OTHER,
];
pub(crate) const FAILURE: [&str; 8] = [
    "dns",
    "dns_with_policy",
    "unusable_record",
    "budget",
    "internal",
    "store",
    "memory",
    OTHER,
];
