//! What a person reads who opens the report mail: a report in a few lines.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use landmarc_mail::DomainName;
use landmarc_mail::calendar::DAY_SECONDS;

use crate::address::Address;
use crate::aggregate::{AggregateReport, AlignmentResult, Assembled, Disposition, SchemaWord};
use crate::date;
use crate::mime::one_line;
use crate::report_id::ReportId;

/// Sources that are named; the others are counted.
pub const MAX_SOURCES: usize = 5;
/// Octets of a setting that is put into the text.
const MAX_SETTING_OCTETS: usize = 400;
/// The column in which values begin.
const VALUE_COLUMN: usize = 16;

/// A report in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportSummary {
    /// All messages.
    pub messages: u64,
    /// Those with an aligned pass of DKIM or SPF.
    pub passing: u64,
    /// Those we quarantined because of DMARC.
    pub quarantined: u64,
    /// Those we refused because of DMARC.
    pub refused: u64,
    /// Where most of them came from: at most [`MAX_SOURCES`], the most messages first.
    pub sources: Vec<SourceSummary>,
    /// How many addresses more they came from.
    pub other_sources: usize,
}

/// What came from one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSummary {
    /// The SMTP client.
    pub source_ip: IpAddr,
    /// Messages from there.
    pub messages: u64,
    /// Those of them that pass.
    pub passing: u64,
}

/// What the text says beside the numbers.
#[derive(Clone, Copy, Debug)]
pub struct TextFacts<'a> {
    /// The name of who reports, empty for none.
    pub organization: &'a str,
    /// Where to write to.
    pub from: &'a Address,
    /// How to reach a person, empty where nobody has said.
    pub contact: &'a str,
    /// Who reports.
    pub submitter: &'a DomainName,
    /// The DMARC Policy Domain.
    pub policy_domain: &'a DomainName,
    /// The Report-ID.
    pub report_id: &'a ReportId,
    /// The first second of the period, since 1970.
    pub begin: u64,
    /// The last second of the period.
    pub end: u64,
    /// How much of the report the message carries.
    pub portion: Portion,
    /// What the report does not show of the day: see [`gaps`]. Empty where it shows all.
    pub gaps: &'a str,
}

/// How much of a report one message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// All of it.
    Whole,
    /// One part of several.
    Part {
        /// Which, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// One half of what a destination found too large.
    Half,
}

/// What the reports about a day do not show of it, in LF lines; empty where they show all.
#[must_use]
pub fn gaps(assembled: &Assembled) -> String {
    let mut text = String::new();
    if let Some(folded) = &assembled.folded {
        let count = |rows: usize| grouped(u64::try_from(rows).unwrap_or(u64::MAX));
        let (before, after) = (count(folded.before), count(folded.after));
        let _ = write!(
            text,
            "The day has too many rows to report: {before} rows are folded into {after}.\n\
             The element \"error\" of the report says what the folded ones leave out.\n"
        );
    }
    if assembled.left_out > 0 {
        let _ = writeln!(
            text,
            "In no row: {} of {} messages of the day.",
            grouped(assembled.left_out),
            grouped(assembled.messages)
        );
    }
    text
}

impl ReportSummary {
    /// Counts a report.
    #[must_use]
    pub fn of(report: &AggregateReport) -> Self {
        let mut summary = Self::default();
        let mut sources = BTreeMap::<IpAddr, SourceSummary>::new();
        for row in &report.rows {
            let passes = [&row.key.dkim_alignment, &row.key.spf_alignment]
                .contains(&&SchemaWord::Known(AlignmentResult::Pass));
            let passing = if passes { row.count } else { 0 };
            add(&mut summary.messages, row.count);
            add(&mut summary.passing, passing);
            match row.key.disposition {
                SchemaWord::Known(Disposition::Quarantine) => add(&mut summary.quarantined, row.count),
                SchemaWord::Known(Disposition::Reject) => add(&mut summary.refused, row.count),
                _ => {}
            }
            let source_ip = row.key.source_ip;
            let source = sources.entry(source_ip).or_insert(SourceSummary {
                source_ip,
                messages: 0,
                passing: 0,
            });
            add(&mut source.messages, row.count);
            add(&mut source.passing, passing);
        }
        summary.other_sources = sources.len().saturating_sub(MAX_SOURCES);
        summary.sources = sources.into_values().collect();
        // Equal ones stay in the order of their addresses.
        summary.sources.sort_by_key(|source| Reverse(source.messages));
        summary.sources.truncate(MAX_SOURCES);
        summary
    }

    /// The text of the report mail, in LF lines. Names and numbers of the report and the words of the settings
    /// come in as one line each.
    #[must_use]
    pub fn text(&self, facts: &TextFacts<'_>) -> String {
        let domain = facts.policy_domain;
        let mut text = format!(
            "This is a DMARC aggregate report: what we saw of mail that says it is from\n\
             {domain}. It was written by a program.\n\n"
        );
        self.write_facts(&mut text, facts);
        self.write_sources(&mut text);
        write_extent(&mut text, facts);
        let email = facts.from;
        let _ = write!(
            text,
            "The whole report is attached: XML, compressed with gzip.\n\n\
             You receive it because the DMARC record of {domain}\n\
             asks for aggregate reports (the tag \"rua\"). Take your address out of that\n\
             record, and no more will come.\n"
        );
        // Who reads what comes to the address is for the operator to say: "contact".
        let contact = one_line(facts.contact, MAX_SETTING_OCTETS);
        let _ = match contact.as_str() {
            "" => writeln!(text, "You can write to {email} about it."),
            contact => writeln!(text, "For questions: {contact}"),
        };
        text
    }

    fn write_facts(&self, text: &mut String, facts: &TextFacts<'_>) {
        let organization = one_line(facts.organization, MAX_SETTING_OCTETS);
        let submitter = match organization.as_str() {
            "" => facts.submitter.to_string(),
            name if name == facts.submitter.as_str() => name.to_owned(),
            name => format!("{name} ({})", facts.submitter),
        };
        let failing = self.messages.saturating_sub(self.passing);
        for (name, value) in [
            ("Domain", facts.policy_domain.to_string()),
            ("Period", period(facts.begin, facts.end)),
            ("Reported by", submitter),
            ("Report-ID", facts.report_id.to_string()),
            ("Messages", grouped(self.messages)),
            ("  passing", grouped(self.passing)),
            ("  failing", grouped(failing)),
            ("  quarantined", grouped(self.quarantined)),
            ("  refused", grouped(self.refused)),
        ] {
            let _ = writeln!(text, "{name:VALUE_COLUMN$}{value}");
        }
        text.push('\n');
    }

    fn write_sources(&self, text: &mut String) {
        if self.sources.is_empty() {
            return;
        }
        text.push_str("Most of them came from:\n");
        for source in &self.sources {
            let SourceSummary {
                source_ip,
                messages,
                passing,
            } = source;
            let passing = match *passing {
                0 => "none passing".to_owned(),
                count if count == *messages => "all passing".to_owned(),
                count => format!("{} passing", grouped(count)),
            };
            let noun = if *messages == 1 { "message" } else { "messages" };
            let _ = writeln!(text, "  {source_ip}: {} {noun}, {passing}", grouped(*messages));
        }
        match self.other_sources {
            0 => {}
            1 => text.push_str("  and one other address\n"),
            others => {
                let _ = writeln!(text, "  and {others} other addresses");
            }
        }
        text.push('\n');
    }
}

/// What of the report, and what of the day, the message does not carry.
fn write_extent(text: &mut String, facts: &TextFacts<'_>) {
    let _ = match facts.portion {
        Portion::Whole => Ok(()),
        Portion::Part { number, of } => writeln!(
            text,
            "This is part {number} of {of}: each comes in a message of its own.\n"
        ),
        Portion::Half => writeln!(
            text,
            "This is one half of a report that your mail server found too large;\n\
             the other comes in a message of its own.\n"
        ),
    };
    if !facts.gaps.is_empty() {
        let _ = writeln!(text, "{}", facts.gaps);
    }
}

/// Counts of a report of ours are far from the end of a u64; those of others may not be.
fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

/// A whole UTC day is that day; anything else has a beginning and an end.
fn period(begin: u64, end: u64) -> String {
    if begin.is_multiple_of(DAY_SECONDS) && end.checked_sub(begin) == Some(DAY_SECONDS - 1) {
        return format!("{}, the whole day (UTC)", date::words(begin));
    }
    format!(
        "{} to {}",
        date::words_with_time(begin),
        date::words_with_time(end)
    )
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::{AssessmentPolicy, FoldedRows, Metadata, PolicyPublished, ReportRow, RowKey};

    fn row(source_ip: &str, count: u64, disposition: Disposition, dkim: bool, spf: bool) -> ReportRow {
        let aligned = |passes| {
            SchemaWord::Known(if passes {
                AlignmentResult::Pass
            } else {
                AlignmentResult::Fail
            })
        };
        ReportRow {
            key: RowKey {
                source_ip: source_ip.parse().unwrap(),
                disposition: SchemaWord::Known(disposition),
                dkim_alignment: aligned(dkim),
                spf_alignment: aligned(spf),
                reasons: vec![],
                header_from: "example.com".to_owned(),
                envelope_from: None,
                envelope_to: None,
                dkim: vec![],
                spf: vec![],
            },
            count,
        }
    }

    fn report(rows: Vec<ReportRow>) -> AggregateReport {
        AggregateReport {
            metadata: Metadata::default(),
            policy: PolicyPublished {
                domain: "example.com".to_owned(),
                discovery_method: None,
                policy: SchemaWord::Known(AssessmentPolicy::Reject),
                subdomain_policy: None,
                nonexistent_policy: None,
                dkim_mode: None,
                spf_mode: None,
                failure_options: None,
                testing: None,
                percent: None,
            },
            rows,
        }
    }

    #[test]
    fn rows_are_summed_up_and_either_mechanism_passes() {
        let source = |source_ip: &str, messages, passing| SourceSummary {
            source_ip: source_ip.parse().unwrap(),
            messages,
            passing,
        };
        let summary = ReportSummary::of(&report(vec![
            row("192.0.2.1", 3, Disposition::Pass, true, false),
            row("192.0.2.2", 2, Disposition::Quarantine, false, false),
            row("192.0.2.1", 4, Disposition::Pass, false, true),
            row("2001:db8::1", 9, Disposition::Reject, false, false),
            row("192.0.2.1", 1, Disposition::None, false, false),
        ]));
        assert_eq!(
            summary,
            ReportSummary {
                messages: 19,
                passing: 7,
                quarantined: 2,
                refused: 9,
                sources: vec![
                    source("2001:db8::1", 9, 0),
                    source("192.0.2.1", 8, 7),
                    source("192.0.2.2", 2, 0)
                ],
                other_sources: 0,
            }
        );
        let many = |count: usize| {
            let rows = (0..count).map(|n| row(&format!("192.0.2.{n}"), 1, Disposition::Pass, true, true));
            let summary = ReportSummary::of(&report(rows.collect()));
            (summary.sources.len(), summary.other_sources)
        };
        assert_eq!((many(0), many(MAX_SOURCES)), ((0, 0), (MAX_SOURCES, 0)));
        assert_eq!(many(MAX_SOURCES + 1), (MAX_SOURCES, 1));
        let huge = row("192.0.2.1", u64::MAX, Disposition::Pass, true, true);
        assert_eq!(
            ReportSummary::of(&report(vec![huge.clone(), huge])).messages,
            u64::MAX
        );
    }

    #[test]
    fn nobody_is_promised_an_answer_whom_the_operator_does_not_name() {
        let from = Address::parse("dmarc-reports@r.example").unwrap();
        let (submitter, policy_domain) = ("r.example".parse().unwrap(), "example.com".parse().unwrap());
        let report_id = ReportId::parse("abcdefghijklmnopqrstuvwxyz").unwrap();
        let end_of_text = |contact: &str| {
            let facts = TextFacts {
                organization: "R",
                from: &from,
                contact,
                submitter: &submitter,
                policy_domain: &policy_domain,
                report_id: &report_id,
                begin: 0,
                end: DAY_SECONDS - 1,
                portion: Portion::Whole,
                gaps: "",
            };
            let text = ReportSummary::default().text(&facts);
            text.lines().next_back().unwrap_or_default().to_owned()
        };
        assert_eq!(
            end_of_text(""),
            "You can write to dmarc-reports@r.example about it."
        );
        assert_eq!(
            end_of_text("https://r.example/"),
            "For questions: https://r.example/"
        );
    }

    #[test]
    fn the_text_says_which_part_it_is_and_what_of_the_day_no_row_shows() {
        let assembled = Assembled {
            reports: vec![],
            rua: vec![],
            problems: vec![],
            psd: false,
            incidental_only: false,
            only_refused: false,
            messages: 200_000,
            left_out: 149_999,
            folded: Some(FoldedRows {
                before: 200_000,
                after: 50_000,
                detail: "no MAIL FROM".to_owned(),
            }),
        };
        let whole = Assembled {
            left_out: 0,
            folded: None,
            ..assembled.clone()
        };
        assert_eq!(gaps(&whole), "");
        let gaps = gaps(&assembled);
        insta::assert_snapshot!(gaps, @r#"
        The day has too many rows to report: 200,000 rows are folded into 50,000.
        The element "error" of the report says what the folded ones leave out.
        In no row: 149,999 of 200,000 messages of the day.
        "#);
        let from = Address::parse("dmarc-reports@r.example").unwrap();
        let (submitter, policy_domain) = ("r.example".parse().unwrap(), "example.com".parse().unwrap());
        let report_id = ReportId::parse("abcdefghijklmnopqrstuvwxyz").unwrap();
        let text = |portion, gaps: &str| {
            let mut text = String::new();
            let facts = TextFacts {
                organization: "R",
                from: &from,
                contact: "",
                submitter: &submitter,
                policy_domain: &policy_domain,
                report_id: &report_id,
                begin: 0,
                end: DAY_SECONDS - 1,
                portion,
                gaps,
            };
            write_extent(&mut text, &facts);
            assert!(ReportSummary::default().text(&facts).contains(&text));
            text
        };
        assert_eq!(text(Portion::Whole, ""), "");
        let of_part = text(Portion::Part { number: 2, of: 3 }, &gaps);
        assert!(of_part.starts_with("This is part 2 of 3: "), "{of_part}");
        assert!(of_part.contains("In no row: 149,999"), "{of_part}");
        assert!(text(Portion::Half, "").starts_with("This is one half "));
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        let written: Vec<_> = [0, 999, 1_000, 1_234_567].map(grouped).into();
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_day_is_told_as_a_day() {
        assert_eq!(
            period(1_780_272_000, 1_780_358_399),
            "1 June 2026, the whole day (UTC)"
        );
        assert_eq!(
            period(1_780_272_000, 1_780_275_599),
            "1 June 2026, 00:00:00 UTC to 1 June 2026, 00:59:59 UTC"
        );
        assert!(period(1_780_272_000, 0).ends_with("to 1 January 1970, 00:00:00 UTC"));
    }

    #[test]
    fn the_largest_sources_are_named_and_ties_go_by_address() {
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let of = |last: u8| {
            let count = if last == 7 { 9 } else { 1 };
            row(&address(last).to_string(), count, Disposition::None, false, false)
        };
        let named = ReportSummary::of(&report((1..=7).map(of).collect())).sources;
        let named: Vec<_> = named.iter().map(|source| source.source_ip).collect();
        assert_eq!(named, [7, 1, 2, 3, 4].map(address));
    }
}
