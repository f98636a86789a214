//! Files made to hurt: each ends in a clear error or in a result, and costs no more than it is long.

use landmarc_intake::aggregate::{ReadLimits, ReportReading, ReportRefused, read};
use landmarc_intake::archive::ArchiveError;
use landmarc_intake::{MailError, MailLimits, MailRemark, open_mail, read_file_name, read_subject};
use proptest::prelude::*;

use crate::reading_common::{Document, RECORD, gzip, read_text, words, zip};

fn with_records(records: String, limits: &ReadLimits) -> Result<ReportReading, ReportRefused> {
    let document = Document {
        records,
        ..Document::default()
    };
    read(document.text().as_bytes(), limits)
}

#[test]
fn entities_that_grow_are_not_expanded() {
    let laughs: String = (1..20)
        .map(|n| format!("<!ENTITY lol{n} \"&lol{};&lol{};\">", n - 1, n - 1))
        .collect();
    let document = Document {
        before: format!("<!DOCTYPE feedback [<!ENTITY lol0 \"lol\">{laughs}]>"),
        ..Document::default()
    };
    assert_eq!(document.read().unwrap_err(), ReportRefused::Doctype);
    // Without the declaration there is nothing to expand, and outside of a DOCTYPE it is none.
    let (reading, _) = Document::with("example.com", "&lol19;").found();
    assert_eq!(reading.report.rows[0].key.header_from, "&lol19;");
    let document = Document {
        before: "<!ENTITY lol \"lol\">".to_owned(),
        ..Document::default()
    };
    assert_eq!(document.read().unwrap_err(), ReportRefused::NoFeedback);
}

#[test]
fn a_million_elements_in_each_other() {
    let text = format!("<feedback>{}", "<a>".repeat(1_000_000));
    assert_eq!(read_text(&text).unwrap_err(), ReportRefused::Depth { limit: 32 });
    assert_eq!(
        read_text(&"<a>".repeat(1_000_000)).unwrap_err(),
        ReportRefused::Depth { limit: 32 }
    );
}

#[test]
fn a_flood_of_empty_rows_is_one_deviation() {
    const FLOOD: usize = 300_000;
    let refused = with_records("<record/>".repeat(FLOOD), &ReadLimits::default());
    assert_eq!(refused.unwrap_err(), ReportRefused::Rows { limit: 250_000 });
    let limits = ReadLimits {
        rows: 300_000,
        ..ReadLimits::default()
    };
    let reading = with_records("<record/>".repeat(FLOOD), &limits).unwrap();
    assert_eq!(words(&reading), ["row_lost record/row"]);
    assert_eq!(
        (reading.deviations[0].times, reading.about.lost.rows),
        (300_000, 300_000)
    );
    // Packed, it is a bomb.
    let document = Document {
        records: "<record/>".repeat(FLOOD),
        ..Document::default()
    };
    let bomb = read(&gzip(document.text().as_bytes()), &limits).unwrap_err();
    assert_eq!(bomb, ReportRefused::Archive(ArchiveError::Ratio { limit: 200 }));
}

#[test]
fn a_flood_of_tags_without_end() {
    assert_eq!(
        with_records("<record>".repeat(100_000), &ReadLimits::default()).unwrap_err(),
        ReportRefused::Repairs { limit: 1000 }
    );
    let text = Document {
        records: format!("{RECORD}<record><row"),
        ..Document::default()
    }
    .text();
    let reading = read_text(text.strip_suffix("</feedback>").unwrap()).unwrap();
    assert!(reading.about.lost.is_cut_short);
}

#[test]
fn a_flood_of_errors_and_reasons_and_unknown_words_stays_small() {
    let with_errors = |number: usize| {
        let mut document = Document::older();
        document
            .metadata
            .push_str(&"<error>something long went wrong here</error>".repeat(number));
        document.read()
    };
    // They push out what follows.
    assert!(matches!(
        with_errors(100_000),
        Err(ReportRefused::NoPeriod { .. })
    ));
    let reading = with_errors(4000).unwrap();
    assert!(reading.report.metadata.error.unwrap().text.len() <= 8192);
    assert!(reading.deviations.len() <= 3);
    let reasons: String = (0..100_000)
        .map(|n| format!("<reason><type>word{n}</type></reason>"))
        .collect();
    let records = RECORD.replace("</policy_evaluated>", &format!("{reasons}</policy_evaluated>"));
    let reading = with_records(records, &ReadLimits::default()).unwrap();
    assert!(reading.report.rows[0].key.reasons.len() < 4096);
    assert!(reading.deviations.len() <= 8, "{:?}", words(&reading));
}

#[test]
fn zeros() {
    let zeros = "\0".repeat(100_000);
    let no_xml = |file: &[u8]| read(file, &ReadLimits::default()).unwrap_err().to_string();
    let error = no_xml(zeros.as_bytes());
    let (what, start) = error.split_once('"').unwrap();
    insta::assert_snapshot!(what.trim(), @"no XML in it; it begins with");
    assert!(start.starts_with("\\x00\\x00"));
    assert!(no_xml(&gzip(zeros.as_bytes())).starts_with("no XML"));
    let (reading, _) = Document::with("example.com", &format!("example{zeros}.com")).found();
    assert_eq!(reading.report.rows[0].key.header_from, "example");
    assert_eq!(
        words(&reading),
        [
            "text_cut record/identifiers/header_from",
            "bad_characters record/identifiers/header_from"
        ]
    );
}

#[test]
fn a_hundred_thousand_attributes_and_one_long_name() {
    let attributes = " a='b'".repeat(100_000);
    let limit = ReadLimits::default().attributes;
    let refused = read_text(&format!("<feedback{attributes}>")).unwrap_err();
    assert_eq!(refused, ReportRefused::Attributes { limit });
    let name = "a".repeat(500_000);
    let reading = with_records(format!("<{name}></{name}>{RECORD}"), &ReadLimits::default()).unwrap();
    assert_eq!(words(&reading), ["unknown_element"]);
    assert!(reading.deviations[0].quote.len() < 100);
}

#[test]
fn a_zip_file_of_two_thousand_names() {
    let names: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
    let refused = read(&zip(&members), &ReadLimits::default()).unwrap_err();
    assert_eq!(
        refused,
        ReportRefused::Archive(ArchiveError::Members { limit: 32 })
    );
}

#[test]
fn a_zip_file_that_says_it_is_endless() {
    let mut file = zip(&[("r.xml", Document::default().text().as_bytes())]);
    // The packed length, and the unpacked one.
    file[18..26].fill(0xff);
    assert_eq!(read(&file, &ReadLimits::default()).unwrap().report.rows.len(), 1);
    file[18..22].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
    assert_eq!(read(&file, &ReadLimits::default()).unwrap().report.rows.len(), 1);
}

#[test]
fn mails_nested_deeper_than_any_stack() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(300_000);
    let found = open_mail(nested.as_bytes(), &MailLimits::default()).unwrap();
    assert_eq!(found.remarks, [MailRemark::MessageTooDeep(String::new())]);
    let multiparts = "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n".repeat(100_000);
    let found = open_mail(multiparts.as_bytes(), &MailLimits::default());
    // All have the same boundary: to the outermost they are parts beside each other.
    assert_eq!(found.unwrap_err(), MailError::Parts { limit: 200 });
}

#[test]
fn a_mail_of_a_million_parts() {
    let mail = format!(
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n{}",
        "--a\r\n\r\n".repeat(1_000_000)
    );
    let found = open_mail(mail.as_bytes(), &MailLimits::default());
    assert_eq!(found.unwrap_err(), MailError::Parts { limit: 200 });
}

#[test]
fn a_mail_of_nothing_but_header() {
    let fields = "X-A: b\r\n".repeat(200_000);
    let found = open_mail(fields.as_bytes(), &MailLimits::default()).unwrap();
    assert_eq!(found.carried, []);
    let parameters = format!("Content-Type: text/xml{}\r\n\r\n", "; a*0=b".repeat(100_000));
    assert_eq!(
        open_mail(parameters.as_bytes(), &MailLimits::default())
            .unwrap()
            .carried,
        []
    );
}

fn whole() -> Vec<u8> {
    Document {
        before: "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>".to_owned(),
        records: RECORD.repeat(3),
        ..Document::default()
    }
    .text()
    .into_bytes()
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&octets, &ReadLimits::default());
        let _ = open_mail(&octets, &MailLimits::default());
        let text = String::from_utf8_lossy(&octets);
        let _ = (read_subject(&text), read_file_name(&text));
    }

    #[test]
    fn a_report_with_a_part_replaced_is_read_or_refused(
        at in 0_usize..1500,
        length in 0_usize..40,
        piece in "[<>/&;=\"' a-z!\\[\\]?\\-\u{0}é]{0,12}",
        form in 0..3,
    ) {
        let mut octets = whole();
        let start = at.min(octets.len());
        let end = (start + length).min(octets.len());
        octets.splice(start..end, piece.bytes());
        let file = match form {
            0 => octets,
            1 => gzip(&octets),
            _ => zip(&[("r.xml", &octets)]),
        };
        if let Ok(reading) = read(&file, &ReadLimits::default()) {
            let (about, rows) = (&reading.about, reading.report.rows.len());
            let records = u64::try_from(rows).unwrap() + about.lost.rows;
            prop_assert_eq!(records, about.records, "each record is a row or is lost");
            let sum = reading.report.rows.iter().try_fold(0_u64, |sum, row| sum.checked_add(row.count));
            prop_assert_eq!(sum, about.messages);
            if about.lost.rows > 0 || about.lost.is_cut_short {
                prop_assert!(!reading.is_strict(), "what is lost is told");
            }
        }
    }

    #[test]
    fn a_packed_report_with_octets_changed_is_read_or_refused(
        at in 0_usize..600,
        octet in any::<u8>(),
        cut in 0_usize..600,
        is_zip in any::<bool>(),
    ) {
        let mut file = if is_zip { zip(&[("r.xml", &whole())]) } else { gzip(&whole()) };
        if let Some(place) = file.get_mut(at) {
            *place = octet;
        }
        file.truncate(cut.max(1));
        let _ = read(&file, &ReadLimits::default());
    }
}
