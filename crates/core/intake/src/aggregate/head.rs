//! What is before the records: who reports, and by which policy.

use super::deviation::{DeviationKind, Notes};
use super::part::Element;
use super::values::{domain, moment, number, optional, optional_word, required, text, word};
use crate::archive::MAX_QUOTE;
use landmarc_mail::calendar::DAY_SECONDS;
use landmarc_mail::text::excerpt;
use landmarc_report::aggregate::{DiscoveryMethod, Form, Metadata, Period, PolicyPublished, Text};

/// The longest text of all `error` elements together, in octets.
const MAX_ERRORS_OCTETS: usize = 8192;

/// The metadata, and the period or what stands in its place.
#[derive(Debug, Default)]
pub(super) struct MetadataRead {
    pub(super) metadata: Metadata,
    /// What `begin` and `end` are, escaped and cut, where they are no moments.
    pub(super) bad_period: Option<(String, String)>,
}

pub(super) fn metadata(element: Element<'_>, notes: &mut Notes) -> MetadataRead {
    let range = element.first("date_range");
    let bound = |name| range.and_then(|range| range.first(name));
    let [begin, end] = ["begin", "end"].map(bound);
    let moments = (
        begin.and_then(|element| moment(element, notes)),
        end.and_then(|element| moment(element, notes)),
    );
    let (period, bad_period) = match moments {
        (Some(begin), Some(end)) => (period(begin, end, notes), None),
        _ => {
            let found = |element: Option<Element<'_>>| {
                excerpt(element.map_or("", Element::text), MAX_QUOTE).replace('"', "\\\"")
            };
            (Period::default(), Some((found(begin), found(end))))
        }
    };
    let metadata = Metadata {
        organization: required(element, "org_name", notes),
        email: required(element, "email", notes),
        contact: text(element, "extra_contact_info"),
        report_id: required(element, "report_id", notes),
        period,
        error: errors(element, notes),
        generator: optional(element, "generator"),
    };
    MetadataRead { metadata, bad_period }
}

/// Puts begin and end in order, and notes a period that is none of a day (RR29, RR30).
fn period(begin: u64, end: u64, notes: &mut Notes) -> Period {
    const PLACE: &str = "report_metadata/date_range";
    let found = format!("{begin} to {end}");
    let period = Period {
        begin: begin.min(end),
        end: begin.max(end),
    };
    if end < begin {
        notes.add(DeviationKind::PeriodReversed, PLACE, &found);
    }
    match period.end - period.begin {
        0 => notes.add(DeviationKind::PeriodEmpty, PLACE, &found),
        1..=DAY_SECONDS => {}
        _ => notes.add(DeviationKind::PeriodLong, PLACE, &found),
    }
    period
}

/// All `error` elements as one text: RFC 7489 allowed several.
fn errors(element: Element<'_>, notes: &mut Notes) -> Option<Text> {
    let mut found = element.all("error").filter(|error| !error.text().is_empty());
    let first = found.next()?;
    let mut all = Text {
        text: first.text().to_owned(),
        lang: first.lang().map(str::to_owned),
    };
    for error in found {
        notes.add(DeviationKind::Repeated, error.place(), error.text());
        if all.text.len() + error.text().len() <= MAX_ERRORS_OCTETS {
            all.text.push_str("; ");
            all.text.push_str(error.text());
        } else {
            notes.add(DeviationKind::TextCut, error.place(), error.text());
        }
    }
    Some(all)
}

/// The policy. Elements that only one of the forms has are noted later, by [`form`].
pub(super) fn policy(element: Element<'_>, notes: &mut Notes) -> PolicyPublished {
    let testing = optional(element, "testing").and_then(|text| match &*text.to_ascii_lowercase() {
        "y" => Some(true),
        "n" => Some(false),
        _ => {
            notes.add(DeviationKind::UnknownWord, "policy_published/testing", &text);
            None
        }
    });
    let percent = element.first("pct").filter(|element| !element.text().is_empty());
    let percent = percent.and_then(|element| {
        let read = number(element, notes);
        if read.is_none() {
            notes.add(DeviationKind::Number, element.place(), element.text());
        }
        read
    });
    PolicyPublished {
        domain: domain(element, "domain", notes),
        discovery_method: known(element, "discovery_method", notes),
        policy: word(element, "p", &[], notes),
        subdomain_policy: optional_word(element, "sp", &[], notes),
        nonexistent_policy: optional_word(element, "np", &[], notes),
        dkim_mode: optional_word(element, "adkim", &[], notes),
        spf_mode: optional_word(element, "aspf", &[], notes),
        failure_options: optional(element, "fo"),
        testing,
        percent,
    }
}

/// A word that is one of the list, or none; another one is noted.
fn known(element: Element<'_>, name: &'static str, notes: &mut Notes) -> Option<DiscoveryMethod> {
    optional_word::<DiscoveryMethod>(element, name, &[], notes).and_then(|word| word.known())
}

/// Which RFC a report follows: that of its namespace, or else that of its elements.
pub(super) fn form(
    namespace: &str,
    metadata: &Metadata,
    policy: &PolicyPublished,
    notes: &mut Notes,
) -> Form {
    if namespace == super::NAMESPACE {
        if policy.percent.is_some() {
            notes.add(DeviationKind::Historic, "policy_published/pct", "");
        }
        return Form::Rfc9990;
    }
    if !namespace.is_empty() && namespace != super::OLD_NAMESPACE {
        notes.add(DeviationKind::Namespace, "", namespace);
    }
    let new = [
        (metadata.generator.is_some(), "report_metadata/generator"),
        (
            policy.discovery_method.is_some(),
            "policy_published/discovery_method",
        ),
        (policy.nonexistent_policy.is_some(), "policy_published/np"),
        (policy.testing.is_some(), "policy_published/testing"),
    ];
    let mut new = new.iter().filter(|(is_there, _)| *is_there).peekable();
    if new.peek().is_none() {
        return Form::Rfc7489;
    }
    if policy.percent.is_some() {
        // One of the older form, by a writer that is on its way.
        for (_, place) in new {
            notes.add(DeviationKind::New, place, "");
        }
        return Form::Rfc7489;
    }
    if namespace.is_empty() {
        notes.add(DeviationKind::NoNamespace, "", "");
    }
    Form::Rfc9990
}
