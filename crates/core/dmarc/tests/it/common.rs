//! What the vector tables share.

use landmarc_auth::dkim::DkimResult;
use landmarc_auth::lookup::{DnsName, Fault, Ledger, Question, RecordType, ZoneData, Zones};
use landmarc_auth::spf::SpfResult;
use landmarc_dmarc::{Evaluation, EvaluationOptions, Identifiers, Suffixes, evaluate};
use landmarc_mail::DomainName;
use landmarc_testkit::{block_on, dns_name};

/// More questions than any evaluation may ask.
pub(crate) const NO_LIMIT: usize = 1_000;

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap_or_else(|e| unreachable!("{text:?}: {e}"))
}

/// Zones of DMARC records: `("example.com", "v=DMARC1; p=none")` is at `_dmarc.example.com`.
pub(crate) fn records(records: &[(&str, &str)]) -> Zones {
    let mut zones = Zones::new();
    for (at, text) in records {
        zones.add_txt(dmarc_name(at), text.as_bytes());
    }
    zones
}

pub(crate) fn dmarc_name(at: &str) -> DnsName {
    dns_name(&format!("_dmarc.{at}"))
}

/// A fault for every question below `_dmarc.` of that name.
pub(crate) fn break_dmarc(zones: &mut Zones, at: &str, fault: Fault) {
    zones.set(dmarc_name(at), RecordType::Txt, ZoneData::Fault(fault));
}

/// SPF and DKIM that passed for these names.
pub(crate) fn passed(spf: &str, dkim: &[&str]) -> Identifiers {
    Identifiers {
        spf: (!spf.is_empty()).then(|| (SpfResult::Pass, name(spf))),
        dkim: dkim.iter().map(|d| (DkimResult::Pass, name(d))).collect(),
    }
}

/// The options that follow the RFC as written.
pub(crate) const AS_WRITTEN: EvaluationOptions = EvaluationOptions {
    unmarked_suffix_guard: false,
    pct_zero_as_test: false,
};

/// An evaluation through a lookup that remembers, and what it asked.
pub(crate) fn judge(
    zones: &Zones,
    author: &str,
    identifiers: &Identifiers,
    options: EvaluationOptions,
) -> (Evaluation, Vec<String>) {
    let ledger = Ledger::new(zones, NO_LIMIT);
    let suffixes = Suffixes::built_in();
    let evaluation = block_on(evaluate(&ledger, &name(author), identifiers, &options, &suffixes));
    (evaluation, questions(&ledger))
}

/// The questions of a ledger: TXT ones as `~example.com`, others as `example.com A`.
pub(crate) fn questions(ledger: &Ledger<&Zones>) -> Vec<String> {
    let asked = ledger.asked();
    asked.iter().map(|asked| short(&asked.question)).collect()
}

fn short(question: &Question) -> String {
    match (
        question.record_type,
        question.name.to_string().strip_prefix("_dmarc."),
    ) {
        (RecordType::Txt, Some(at)) => format!("~{at}"),
        _ => question.to_string(),
    }
}
