//! One record of a report: the row, its identifiers, and what the mechanisms said.

use std::io::{self, Write};

use super::xml::Xml;
use super::{Form, required, word};
use crate::aggregate::model::{DkimAuthResult, ReportRow, ReportedReason, RowKey, SpfAuthResult, Text};
use crate::aggregate::text::{MAX_TEXT_OCTETS, tidy};
use crate::aggregate::words::{Disposition, OverrideType, Registered, SchemaWord, SpfResultWord, SpfScope};

pub(super) fn record<W: Write>(xml: &mut Xml<W>, row: &ReportRow, form: Form) -> io::Result<()> {
    xml.open("record")?;
    evaluated(xml, row, form)?;
    identifiers(xml, &row.key, form)?;
    xml.open("auth_results")?;
    for signature in &row.key.dkim {
        dkim(xml, signature, form)?;
    }
    match form {
        Form::Rfc9990 => spf(xml, &row.key)?,
        Form::Rfc7489 => older_spf(xml, &row.key)?,
    }
    xml.close("auth_results")?;
    xml.close("record")
}

fn evaluated<W: Write>(xml: &mut Xml<W>, row: &ReportRow, form: Form) -> io::Result<()> {
    let ReportRow { key, count } = row;
    xml.open("row")?;
    // RFC 5952 form; RFC 9990 takes the grammar of RFC 3986 without brackets, where an IPv4-mapped
    // address has no place.
    xml.leaf("source_ip", &key.source_ip.to_canonical().to_string())?;
    xml.number("count", *count)?;
    xml.open("policy_evaluated")?;
    disposition(xml, &key.disposition, form)?;
    word(xml, "dkim", &key.dkim_alignment)?;
    word(xml, "spf", &key.spf_alignment)?;
    for reason in &key.reasons {
        override_reason(xml, reason, form)?;
    }
    xml.close("policy_evaluated")?;
    xml.close("row")
}

fn disposition<W: Write>(xml: &mut Xml<W>, value: &SchemaWord<Disposition>, form: Form) -> io::Result<()> {
    match (form, value) {
        // RFC 7489 has no word for a pass: nothing was done, and that is `none`.
        (Form::Rfc7489, SchemaWord::Known(Disposition::Pass)) => {
            word(xml, "disposition", &Disposition::None.into())
        }
        _ => word(xml, "disposition", value),
    }
}

fn override_reason<W: Write>(xml: &mut Xml<W>, reason: &ReportedReason, form: Form) -> io::Result<()> {
    xml.open("reason")?;
    if reason.kind.known().is_some_and(|kind| is_of(form, kind)) {
        xml.leaf("type", reason.kind.as_str())?;
        xml.optional_text("comment", reason.comment.as_ref(), MAX_TEXT_OCTETS, form)?;
    } else {
        // "other" with the word before the comment says as much as the schema lets us.
        xml.leaf("type", OverrideType::Other.word())?;
        xml.optional_text("comment", Some(&worded(reason)), MAX_TEXT_OCTETS, form)?;
    }
    xml.close("reason")
}

/// Whether the schema of this form has the type.
fn is_of(form: Form, kind: OverrideType) -> bool {
    match kind {
        OverrideType::PolicyTestMode => form == Form::Rfc9990,
        OverrideType::Forwarded | OverrideType::SampledOut => form == Form::Rfc7489,
        OverrideType::LocalPolicy
        | OverrideType::MailingList
        | OverrideType::Other
        | OverrideType::TrustedForwarder => true,
    }
}

fn worded(reason: &ReportedReason) -> Text {
    let kind = reason.kind.as_str();
    match &reason.comment {
        Some(comment) => Text {
            text: format!("{kind}: {}", comment.text),
            lang: comment.lang.clone(),
        },
        None => kind.into(),
    }
}

fn identifiers<W: Write>(xml: &mut Xml<W>, key: &RowKey, form: Form) -> io::Result<()> {
    xml.open("identifiers")?;
    if form == Form::Rfc7489 {
        xml.optional_leaf("envelope_to", key.envelope_to.as_deref())?;
        // Mandatory there, and empty for a null reverse-path.
        xml.leaf("envelope_from", key.envelope_from.as_deref().unwrap_or_default())?;
        required(xml, "header_from", &key.header_from)?;
    } else {
        required(xml, "header_from", &key.header_from)?;
        xml.optional_leaf("envelope_from", key.envelope_from.as_deref())?;
        xml.optional_leaf("envelope_to", key.envelope_to.as_deref())?;
    }
    xml.close("identifiers")
}

/// An entry that would have an empty element is left out (GR13).
fn dkim<W: Write>(xml: &mut Xml<W>, signature: &DkimAuthResult, form: Form) -> io::Result<()> {
    if is_empty(&signature.domain) || is_empty(&signature.selector) {
        return Ok(());
    }
    xml.open("dkim")?;
    xml.leaf("domain", &signature.domain)?;
    xml.leaf("selector", &signature.selector)?;
    word(xml, "result", &signature.result)?;
    let human_result = signature.human_result.as_ref();
    xml.optional_text("human_result", human_result, MAX_TEXT_OCTETS, form)?;
    xml.close("dkim")
}

/// RFC 9990 §3.1.1.11: MAIL FROM only, and at most once.
fn spf<W: Write>(xml: &mut Xml<W>, key: &RowKey) -> io::Result<()> {
    let Some(checked) = key.spf.iter().find(|checked| is_of_mail_from(checked)) else {
        return Ok(());
    };
    xml.open("spf")?;
    xml.leaf("domain", &checked.domain)?;
    if checked.scope.is_some() {
        xml.leaf("scope", SpfScope::MailFrom.word())?;
    }
    word(xml, "result", &checked.result)?;
    let human_result = checked.human_result.as_ref();
    xml.optional_text("human_result", human_result, MAX_TEXT_OCTETS, Form::Rfc9990)?;
    xml.close("spf")
}

fn is_of_mail_from(checked: &SpfAuthResult) -> bool {
    let of_mail_from = |scope: &SchemaWord<SpfScope>| *scope == SchemaWord::Known(SpfScope::MailFrom);
    checked.scope.as_ref().is_none_or(of_mail_from) && !is_empty(&checked.domain)
}

/// RFC 7489 Appendix C: "There will always be at least one SPF result."
fn older_spf<W: Write>(xml: &mut Xml<W>, key: &RowKey) -> io::Result<()> {
    let mut checked = key
        .spf
        .iter()
        .filter(|checked| !is_empty(&checked.domain))
        .peekable();
    if checked.peek().is_none() {
        // Of the domain it would have been about.
        let mail_from = key.envelope_from.as_deref().filter(|domain| !is_empty(domain));
        let domain = mail_from.unwrap_or(&key.header_from);
        return one_older_spf(xml, domain, SpfScope::MailFrom, &SpfResultWord::None.into());
    }
    checked.try_for_each(|checked| {
        let scope = checked
            .scope
            .as_ref()
            .and_then(SchemaWord::known)
            .unwrap_or(SpfScope::MailFrom);
        one_older_spf(xml, &checked.domain, scope, &checked.result)
    })
}

fn one_older_spf<W: Write>(
    xml: &mut Xml<W>,
    domain: &str,
    scope: SpfScope,
    result: &SchemaWord<SpfResultWord>,
) -> io::Result<()> {
    xml.open("spf")?;
    xml.leaf("domain", domain)?;
    xml.leaf("scope", scope.word())?;
    match result {
        // Not on RFC 7489's list: that the owner says neither is the nearest to it.
        SchemaWord::Known(SpfResultWord::Policy) => xml.leaf("result", SpfResultWord::Neutral.word())?,
        _ => word(xml, "result", result)?,
    }
    xml.close("spf")
}

fn is_empty(text: &str) -> bool {
    tidy(text, MAX_TEXT_OCTETS).is_empty()
}
