//! What digest §11 has seen in the field and no vector has: what each writer does, and what comes of it.

use std::fmt::Write;

use landmarc_intake::aggregate::{ReportReading, ReportRefused};
use landmarc_report::aggregate::{Disposition, Form, SchemaWord};

use crate::reading_common::{Document, RECORD, read_text, words};

#[test]
fn outlook_declares_schemas_on_the_root_and_ends_at_midnight() {
    let document = Document {
        namespace: " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" \
                    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation=\"x\""
            .to_owned(),
        range: "<begin>1780272000</begin><end>1780358400</end>".to_owned(),
        ..Document::older()
    };
    assert_eq!(document.found().1, [""; 0]);
}

#[test]
fn pass_as_disposition_in_a_report_of_the_older_form() {
    let document = Document {
        records: RECORD.replace(">none<", ">pass<"),
        ..Document::older()
    };
    let (reading, deviations) = document.found();
    assert_eq!(
        reading.report.rows[0].key.disposition,
        SchemaWord::Known(Disposition::Pass)
    );
    assert_eq!(deviations, ["new record/row/policy_evaluated/disposition"]);
}

#[test]
fn several_errors_are_one_text() {
    let mut document = Document::older();
    document
        .metadata
        .push_str("<error>one</error><error></error><error>two</error>");
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.metadata.error.unwrap().text, "one; two");
    assert_eq!(deviations, ["repeated report_metadata/error"]);
}

#[test]
fn an_envelope_from_can_be_there_and_be_empty() {
    let from = |element: &str| {
        let identifiers = format!("<identifiers>{element}");
        let (reading, deviations) = Document::with("<identifiers>", &identifiers).found();
        assert_eq!(deviations, [""; 0]);
        reading.report.rows[0].key.envelope_from.clone()
    };
    assert_eq!(from(""), None);
    assert_eq!(from("<envelope_from></envelope_from>"), Some(String::new()));
    assert_eq!(
        from("<envelope_from>e.example</envelope_from>"),
        Some("e.example".to_owned())
    );
}

#[test]
fn records_may_stand_before_what_they_belong_to() {
    let Document {
        metadata,
        range,
        policy,
        records,
        ..
    } = Document::older();
    let text = format!(
        "<feedback>{records}<policy_published>{policy}</policy_published><report_metadata><date_range>{range}\
         </date_range>{metadata}</report_metadata></feedback>"
    );
    let reading = read_text(&text).unwrap();
    assert_eq!(reading.report, Document::older().found().0.report);
    assert_eq!(
        words(&reading),
        ["order policy_published", "order report_metadata"]
    );
}

#[test]
fn parts_of_a_record_in_another_order() {
    let document = Document::with(
        "<disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>",
        "<spf>fail</spf><dkim>fail</dkim><disposition>none</disposition>",
    );
    let (reading, deviations) = document.found();
    assert_eq!(reading.report, Document::default().found().0.report);
    assert_eq!(
        deviations,
        [
            "order record/row/policy_evaluated/dkim",
            "order record/row/policy_evaluated/disposition"
        ]
    );
}

#[test]
fn an_element_that_is_doubled_counts_once() {
    let (reading, deviations) =
        Document::with("<count>1</count>", "<count>1</count><count>2</count>").found();
    assert_eq!(reading.report.rows[0].count, 1);
    assert_eq!(deviations, ["repeated record/row/count"]);
}

#[test]
fn pct_in_the_namespace_of_9990() {
    let mut document = Document::default();
    document.policy.push_str("<pct>100</pct>");
    let (reading, deviations) = document.found();
    assert_eq!(
        (reading.about.form, reading.report.policy.percent),
        (Form::Rfc9990, Some(100))
    );
    assert_eq!(deviations, ["historic policy_published/pct"]);
}

#[test]
fn another_namespace() {
    let document = Document {
        namespace: r#" xmlns="http://dmarc.org/dmarc-xml/0.2""#.to_owned(),
        ..Document::older()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.about.namespace, "http://dmarc.org/dmarc-xml/0.2");
    assert_eq!(deviations, ["namespace"]);
}

#[test]
fn an_id_of_domain_and_time() {
    let with_id = |document: Document| Document {
        metadata: document.metadata.replace("1@r.example", "example.com:1538463741"),
        ..document
    };
    assert_eq!(
        with_id(Document::default()).found().1,
        ["report_id report_metadata/report_id"]
    );
    assert_eq!(
        with_id(Document::older()).found().1,
        [""; 0],
        "RFC 7489 had no grammar for it"
    );
}

#[test]
fn addresses_in_other_forms() {
    for (written, read, is_odd) in [
        ("192.0.2.1", "192.0.2.1", false),
        ("2001:DB8:0:0::1", "2001:db8::1", false),
        ("::ffff:192.0.2.1", "192.0.2.1", true),
        ("[2001:db8::1]", "2001:db8::1", true),
    ] {
        let (reading, deviations) = Document::with("192.0.2.1", written).found();
        assert_eq!(reading.report.rows[0].key.source_ip.to_string(), read);
        assert_eq!(deviations.len(), usize::from(is_odd), "{written}");
    }
}

#[test]
fn names_that_are_none_are_kept() {
    let (reading, deviations) = Document::with("example.com", "exa mple.com").found();
    assert_eq!(reading.report.rows[0].key.header_from, "exa mple.com");
    assert_eq!(deviations, ["domain_name record/identifiers/header_from"]);
}

#[test]
fn entities_are_the_five_of_xml() {
    let with = |name: &str| {
        let mut document = Document::default();
        document.metadata = document.metadata.replace(">R<", &format!(">{name}<"));
        let (reading, deviations) = document.found();
        (reading.report.metadata.organization, deviations.len())
    };
    assert_eq!(
        with("A&amp;B &lt;&gt;&quot;&apos; &#65;&#x42;"),
        ("A&B <>\"' AB".to_owned(), 0)
    );
    assert_eq!(with("<![CDATA[A & <B>]]>"), ("A & <B>".to_owned(), 0));
    assert_eq!(with("<![CDATA[&amp;]]>"), ("&amp;".to_owned(), 0));
    assert_eq!(with("A & B"), ("A & B".to_owned(), 1));
    assert_eq!(with("A&B"), ("A&B".to_owned(), 1));
    assert_eq!(with("&nbsp;&auml;x"), ("&nbsp;&auml;x".to_owned(), 1));
    assert_eq!(with("a&#0;&#x1F;b"), ("a&#0;b".to_owned(), 2));
}

#[test]
fn characters_that_xml_forbids_are_left_out() {
    let mut document = Document::default();
    document.metadata = document.metadata.replace(">R<", ">R\0\u{1b}\u{fffe}S<");
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.metadata.organization, "RS");
    assert_eq!(deviations, ["bad_characters report_metadata/org_name"]);
}

#[test]
fn what_follows_the_report_is_told() {
    let text = Document::default().text();
    for (after, expected) in [
        ("\r\n \n", &[][..]),
        ("\0\0\0", &["after_feedback"][..]),
        ("<x>", &["after_feedback"][..]),
    ] {
        let reading = read_text(&format!("{text}{after}")).unwrap();
        assert_eq!(words(&reading), expected, "{after:?}");
    }
}

fn rows(reading: &ReportReading) -> usize {
    reading.report.rows.len()
}

#[test]
fn records_without_end_end_where_the_next_begins() {
    let open = RECORD.replace("</record>", "");
    let document = Document {
        records: format!("{open}{open}{RECORD}"),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!((rows(&reading), reading.about.records), (3, 3));
    assert_eq!(deviations, ["unclosed record"]);
    assert_eq!(reading.deviations[0].times, 2);
}

#[test]
fn texts_without_end_end_where_the_next_begins() {
    let (reading, deviations) = Document::with("</source_ip>", "").found();
    assert_eq!(rows(&reading), 1);
    assert_eq!(deviations, ["unclosed record/row/source_ip"]);
}

#[test]
fn ends_without_beginning_are_passed_over() {
    let (reading, deviations) = Document::with("</row>", "</b></row></row>").found();
    assert_eq!(rows(&reading), 1);
    assert_eq!(deviations, ["stray_end record/row", "stray_end record"]);
}

#[test]
fn names_in_another_case_are_told() {
    let (reading, deviations) = Document::with("<count>1</count>", "<Count>1</COUNT>").found();
    assert_eq!(reading.report.rows[0].count, 1);
    assert_eq!(deviations, ["name record/row/count"]);
}

#[test]
fn text_between_elements_is_told() {
    let (reading, deviations) = Document::with("<row>", "<row>lost &amp; found").found();
    assert_eq!(rows(&reading), 1);
    assert_eq!(deviations, ["stray_text record/row"]);
    assert_eq!(reading.deviations[0].times, 3);
}

#[test]
fn a_document_that_ends_early_keeps_the_rows_before() {
    let text = Document {
        records: RECORD.repeat(3),
        ..Document::default()
    }
    .text();
    let at = text.rfind("<identifiers>").unwrap();
    let reading = read_text(&text[..at]).unwrap();
    assert_eq!(rows(&reading), 2);
    assert_eq!(words(&reading), ["cut_short record"]);
    let lost = reading.about.lost;
    assert_eq!(
        (lost.rows, lost.rows_without_count, lost.is_cut_short),
        (1, 1, true)
    );
    // Between two records nobody knows whether another was to come.
    let at = text.rfind("<record>").unwrap();
    let lost = read_text(&text[..at]).unwrap().about.lost;
    assert_eq!((lost.rows, lost.is_cut_short), (0, true));
}

#[test]
fn a_document_that_ends_in_something_unknown_has_lost_no_record() {
    let text = Document::default()
        .text()
        .replace("</feedback>", "<report_id><date_range>");
    let reading = read_text(&text).unwrap();
    assert_eq!(
        (rows(&reading), reading.about.records, reading.about.lost.rows),
        (1, 1, 0)
    );
    assert!(reading.about.lost.is_cut_short);
}

#[test]
fn what_is_no_report_is_refused() {
    assert_eq!(
        read_text("<html><body>feedback</body></html>").unwrap_err(),
        ReportRefused::NoFeedback
    );
    assert_eq!(read_text("<").unwrap_err(), ReportRefused::NoFeedback);
    let without_policy = Document {
        policy: String::new(),
        ..Document::default()
    };
    assert_eq!(without_policy.read().unwrap_err(), ReportRefused::NoPolicyDomain);
    let text = "<feedback/>";
    assert_eq!(read_text(text).unwrap_err(), ReportRefused::NoPolicyDomain);
}

#[test]
fn a_report_without_records_is_one_about_nothing() {
    let document = Document {
        records: String::new(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!((rows(&reading), reading.about.messages), (0, Some(0)));
    assert_eq!(deviations, ["no_rows record"]);
}

#[test]
fn refusals_and_deviations_read_as_sentences() {
    let mut lines = String::new();
    let document = Document {
        range: "<begin>soon</begin><end>\u{1b}[31m</end>".to_owned(),
        ..Document::default()
    };
    let cut = Document::default()
        .text()
        .replace("</feedback>", "")
        .replace("</record>", "");
    for error in [
        document.read().unwrap_err(),
        read_text("unused").unwrap_err(),
        read_text("<x/>").unwrap_err(),
        read_text(&cut).unwrap_err(),
    ] {
        writeln!(lines, "{error} | {}", error.remedy().unwrap_or("-")).unwrap();
    }
    let (reading, _) = Document::with("192.0.2.1", "\u{1b}[31m").found();
    for deviation in &reading.deviations {
        writeln!(
            lines,
            "{} at {}: \"{}\"",
            deviation.kind.as_str(),
            deviation.place,
            deviation.quote
        )
        .unwrap();
    }
    insta::assert_snapshot!(lines);
}
