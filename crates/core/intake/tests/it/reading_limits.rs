//! Every limit of reading: at it, and one past it.

use landmarc_intake::aggregate::{MAX_REPAIRS, ReadLimits, ReportReading, ReportRefused, read};

use crate::reading_common::{Document, RECORD, words};

fn read_with(text: &str, limits: ReadLimits) -> Result<ReportReading, ReportRefused> {
    read(text.as_bytes(), &limits)
}

#[test]
fn depth() {
    let limits = ReadLimits {
        depth: 8,
        ..ReadLimits::default()
    };
    let nested = |depth: usize| {
        // `feedback` is the first.
        let (start, end) = ("<x>".repeat(depth - 1), "</x>".repeat(depth - 1));
        format!("{start}{end}")
    };
    let with = |depth: usize| {
        let document = Document {
            records: format!("{RECORD}{}", nested(depth)),
            ..Document::default()
        };
        read_with(&document.text(), limits)
    };
    assert!(with(8).is_ok());
    assert_eq!(with(9).unwrap_err(), ReportRefused::Depth { limit: 8 });
    let before = |depth: usize| {
        let text = format!("{}{}", "<x>".repeat(depth), Document::default().text());
        read_with(&text, limits)
    };
    assert!(before(7).is_ok());
    assert_eq!(before(8).unwrap_err(), ReportRefused::Depth { limit: 8 });
}

#[test]
fn rows() {
    let limits = ReadLimits {
        rows: 3,
        ..ReadLimits::default()
    };
    let with = |number: usize| {
        let document = Document {
            records: RECORD.repeat(number),
            ..Document::default()
        };
        read_with(&document.text(), limits)
    };
    assert_eq!(with(3).unwrap().report.rows.len(), 3);
    assert_eq!(with(4).unwrap_err(), ReportRefused::Rows { limit: 3 });
}

#[test]
fn lost_rows_count_as_rows() {
    let limits = ReadLimits {
        rows: 3,
        ..ReadLimits::default()
    };
    let document = Document {
        records: "<record/>".repeat(4),
        ..Document::default()
    };
    assert_eq!(
        read_with(&document.text(), limits).unwrap_err(),
        ReportRefused::Rows { limit: 3 }
    );
}

#[test]
fn elements_of_a_record() {
    // The record as it is has eleven; a reason with a type is two more.
    let limits = ReadLimits {
        elements: 13,
        ..ReadLimits::default()
    };
    let with = |reasons: usize| {
        let reasons = "<reason><type>other</type></reason>".repeat(reasons);
        let records = RECORD.replace("</policy_evaluated>", &format!("{reasons}</policy_evaluated>"));
        let document = Document {
            records,
            ..Document::default()
        };
        read_with(&document.text(), limits).unwrap()
    };
    assert_eq!(words(&with(1)), [""; 0]);
    let reading = with(2);
    assert_eq!(reading.report.rows[0].key.reasons.len(), 2);
    assert!(
        words(&reading)
            .iter()
            .any(|word| word.starts_with("elements_cut ")),
        "{:?}",
        words(&reading)
    );
}

#[test]
fn length_of_a_text() {
    let limits = ReadLimits {
        text_octets: 40,
        ..ReadLimits::default()
    };
    let with = |text: &str| {
        let document = Document {
            metadata: format!(
                "<org_name> {text} </org_name><email>r@r.example</email><report_id>1</report_id>"
            ),
            ..Document::default()
        };
        read_with(&document.text(), limits).unwrap()
    };
    let text = "é".repeat(20);
    let reading = with(&text);
    assert_eq!(reading.report.metadata.organization, text);
    assert!(reading.is_strict());
    let reading = with(&format!("a{text}"));
    assert_eq!(
        reading.report.metadata.organization,
        format!("a{}", "é".repeat(19))
    );
    assert_eq!(words(&reading), ["text_cut report_metadata/org_name"]);
    // A text in pieces is one text.
    let reading = with(&"&amp;".repeat(41));
    assert_eq!(reading.report.metadata.organization, "&".repeat(40));
}

#[test]
fn length_of_a_token() {
    let limits = ReadLimits {
        token_octets: 200_000,
        ..ReadLimits::default()
    };
    let with = |before: String| {
        let document = Document {
            before,
            ..Document::default()
        };
        read_with(&document.text(), limits).map(|reading| reading.report.rows.len())
    };
    let comment = |length: usize| format!("<!--{}-->", "x".repeat(length - 7));
    assert_eq!(with(comment(200_000)), Ok(1));
    assert_eq!(
        with(comment(200_001)),
        Err(ReportRefused::Token { limit: 200_000 })
    );
    assert_eq!(
        with(comment(2_000_000)),
        Err(ReportRefused::Token { limit: 200_000 })
    );
    assert_eq!(with(format!("<x a='{}'>", "x".repeat(199_992))), Ok(1));
    assert!(with(format!("<x a='{}'>", "x".repeat(199_993))).is_err());
}

#[test]
fn attributes_of_a_tag() {
    let limits = ReadLimits {
        attributes: 5,
        ..ReadLimits::default()
    };
    let with = |number: usize| {
        let document = Document {
            // One of them is the namespace.
            namespace: format!("{}{}", Document::default().namespace, " a='1'".repeat(number - 1)),
            ..Document::default()
        };
        read_with(&document.text(), limits)
    };
    assert!(with(5).is_ok());
    assert_eq!(with(6).unwrap_err(), ReportRefused::Attributes { limit: 5 });
}

#[test]
fn repairs() {
    let with = |number: usize| {
        let document = Document {
            records: format!("{RECORD}{}", "</x>".repeat(number)),
            ..Document::default()
        };
        read_with(&document.text(), ReadLimits::default())
    };
    assert!(with(MAX_REPAIRS).is_ok());
    let expected = ReportRefused::Repairs { limit: MAX_REPAIRS };
    assert_eq!(with(MAX_REPAIRS + 1).unwrap_err(), expected);
    let unclosed = Document {
        records: RECORD.replace("</record>", "").repeat(MAX_REPAIRS + 2),
        ..Document::default()
    };
    assert_eq!(unclosed.read().unwrap_err(), expected);
}

#[test]
fn the_limits_out_of_the_box() {
    insta::assert_debug_snapshot!(ReadLimits::default());
}
