//! One record as a row.

use super::deviation::{DeviationKind, Notes};
use super::part::Element;
use super::values::{
    Synonyms, address, check_domain, count, domain, optional, optional_word, place_in, text, word,
};
use landmarc_report::aggregate::{
    Disposition, DkimAuthResult, Form, OverrideType, ReportRow, ReportedReason, RowKey, SchemaWord,
    SpfAuthResult, SpfScope,
};

/// Results of SPF and DKIM by other names: the schema of RFC 7489 says that `unknown` is commonly
/// written for temperror and `error` for permerror; `hardfail` is of the time before.
const RESULTS: Synonyms = &[
    ("hardfail", "fail"),
    ("hard_fail", "fail"),
    ("soft_fail", "softfail"),
    ("unknown", "temperror"),
    ("error", "permerror"),
];
const SCOPES: Synonyms = &[("mailfrom", "mfrom"), ("mail_from", "mfrom")];
const NONE: Synonyms = &[];

/// A record that cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LostRow {
    /// How many messages it was about, where that can be read.
    pub(super) count: Option<u64>,
}

/// Makes a row of a record. It needs an address and a count; all else may be missing.
pub(super) fn row(
    record: Element<'_>,
    namespace_is_new: bool,
    notes: &mut Notes,
) -> Result<ReportRow, LostRow> {
    let form = if namespace_is_new {
        Form::Rfc9990
    } else {
        Form::Rfc7489
    };
    let Some(row) = record.first("row") else {
        notes.add(DeviationKind::RowLost, "record/row", record.text());
        return Err(LostRow { count: None });
    };
    let count = row.first("count").and_then(|element| count(element, notes));
    let source_ip = row.first("source_ip").and_then(|element| address(element, notes));
    let (Some(source_ip), Some(messages)) = (source_ip, count) else {
        let name = if source_ip.is_none() { "source_ip" } else { "count" };
        let found = row.first(name).map_or("", Element::text);
        notes.add(DeviationKind::RowLost, &place_in(row, name), found);
        return Err(LostRow { count });
    };
    let (disposition, dkim_alignment, spf_alignment, reasons) = evaluated(row, form, notes);
    let (header_from, envelope_from, envelope_to) = identifiers(record, notes);
    let (dkim, spf) = auth_results(record, form, notes);
    let key = RowKey {
        source_ip,
        disposition,
        dkim_alignment,
        spf_alignment,
        reasons,
        header_from,
        envelope_from,
        envelope_to,
        dkim,
        spf,
    };
    Ok(ReportRow { key, count: messages })
}

type Evaluated = (
    SchemaWord<Disposition>,
    SchemaWord<landmarc_report::aggregate::AlignmentResult>,
    SchemaWord<landmarc_report::aggregate::AlignmentResult>,
    Vec<ReportedReason>,
);

fn evaluated(row: Element<'_>, form: Form, notes: &mut Notes) -> Evaluated {
    let Some(evaluated) = row.first("policy_evaluated") else {
        notes.add(DeviationKind::Missing, "record/row/policy_evaluated", "");
        return (
            SchemaWord::missing(),
            SchemaWord::missing(),
            SchemaWord::missing(),
            Vec::new(),
        );
    };
    let disposition = word(evaluated, "disposition", NONE, notes);
    if form == Form::Rfc7489 && disposition == SchemaWord::Known(Disposition::Pass) {
        notes.add(DeviationKind::New, &place_in(evaluated, "disposition"), "pass");
    }
    let reasons = evaluated
        .all("reason")
        .map(|element| reason(element, form, notes));
    let reasons = reasons.collect();
    (
        disposition,
        word(evaluated, "dkim", NONE, notes),
        word(evaluated, "spf", NONE, notes),
        reasons,
    )
}

fn reason(element: Element<'_>, form: Form, notes: &mut Notes) -> ReportedReason {
    let kind: SchemaWord<OverrideType> = word(element, "type", NONE, notes);
    let place = || place_in(element, "type");
    match (form, kind.known()) {
        (Form::Rfc9990, Some(OverrideType::Forwarded | OverrideType::SampledOut)) => {
            notes.add(DeviationKind::Historic, &place(), kind.as_str());
        }
        (Form::Rfc7489, Some(OverrideType::PolicyTestMode)) => {
            notes.add(DeviationKind::New, &place(), kind.as_str());
        }
        _ => {}
    }
    ReportedReason {
        kind,
        comment: text(element, "comment"),
    }
}

fn identifiers(record: Element<'_>, notes: &mut Notes) -> (String, Option<String>, Option<String>) {
    let Some(identifiers) = record.first("identifiers") else {
        notes.add(DeviationKind::Missing, "record/identifiers", "");
        return (String::new(), None, None);
    };
    let header_from = domain(identifiers, "header_from", notes);
    // Empty is not absent: it is the null reverse-path.
    let envelope_from = identifiers
        .first("envelope_from")
        .map(|element| element.text().to_owned());
    let envelope_to = optional(identifiers, "envelope_to");
    for (name, value) in [("envelope_from", &envelope_from), ("envelope_to", &envelope_to)] {
        check_domain(value.as_deref().unwrap_or_default(), identifiers, name, notes);
    }
    (header_from, envelope_from, envelope_to)
}

fn auth_results(
    record: Element<'_>,
    form: Form,
    notes: &mut Notes,
) -> (Vec<DkimAuthResult>, Vec<SpfAuthResult>) {
    let Some(results) = record.first("auth_results") else {
        notes.add(DeviationKind::Missing, "record/auth_results", "");
        return (Vec::new(), Vec::new());
    };
    let dkim = results
        .all("dkim")
        .map(|element| dkim(element, form, notes))
        .collect();
    let spf: Vec<_> = results
        .all("spf")
        .map(|element| spf(element, form, notes))
        .collect();
    if form == Form::Rfc9990 && spf.len() > 1 {
        notes.add(DeviationKind::Repeated, "record/auth_results/spf", "");
    }
    (dkim, spf)
}

fn dkim(element: Element<'_>, form: Form, notes: &mut Notes) -> DkimAuthResult {
    let selector = optional(element, "selector");
    // It was optional in RFC 7489.
    if form == Form::Rfc9990 && selector.is_none() {
        notes.add(DeviationKind::Missing, &place_in(element, "selector"), "");
    }
    DkimAuthResult {
        domain: domain(element, "domain", notes),
        selector: selector.unwrap_or_default(),
        result: word(element, "result", RESULTS, notes),
        human_result: text(element, "human_result"),
    }
}

fn spf(element: Element<'_>, form: Form, notes: &mut Notes) -> SpfAuthResult {
    let scope = optional_word(element, "scope", SCOPES, notes);
    if form == Form::Rfc9990 && scope == Some(SchemaWord::Known(SpfScope::Helo)) {
        notes.add(DeviationKind::Historic, &place_in(element, "scope"), "helo");
    }
    SpfAuthResult {
        domain: domain(element, "domain", notes),
        scope,
        result: word(element, "result", RESULTS, notes),
        human_result: text(element, "human_result"),
    }
}
