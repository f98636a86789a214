//! The vectors about the document: RR01 to RR09, RR16, RR25, RR33, RR38, RR39.
//!
//! Those about records are in `reading_records`, about metadata and policy in `reading_heads`,
//! about files (RR10, RR13 to RR15) in `reading_files`, about mails (RR11, RR12) in `reading_mail`, and
//! about storing (RR30, RR35, RR40 to RR45) beside the functions that decide.

use landmarc_intake::aggregate::{ReportRefused, spf_of_mail_from};
use landmarc_report::aggregate::{Disposition, DkimResultWord, Form, Period, SchemaWord, SpfResultWord};

use crate::reading_common::{Document, RECORD, gzip, read_text, words};

/// RFC 9990 Appendix B: no declaration, the order of its elements, and no scope.
const SAMPLE: &str = include_str!("data/rfc9990-appendix-b.xml");

#[test]
fn rr01_the_sample_of_the_rfc_is_one_of_the_letter() {
    let reading = read_text(SAMPLE).unwrap();
    assert_eq!(words(&reading), [""; 0]);
    assert!(reading.is_strict());
    assert_eq!(reading.about.form, Form::Rfc9990);
    let report = &reading.report;
    let period = Period {
        begin: 302_832_000,
        end: 302_918_399,
    };
    assert_eq!(report.metadata.period, period);
    assert_eq!(
        report.metadata.generator.as_deref(),
        Some("Example DMARC Aggregate Reporter v1.2")
    );
    let [row] = &*report.rows else {
        panic!("one row");
    };
    assert_eq!((row.count, reading.about.messages), (123, Some(123)));
    assert_eq!(row.key.disposition, SchemaWord::Known(Disposition::Pass));
    let dkim = &row.key.dkim[0];
    assert_eq!((&*dkim.domain, &*dkim.selector), ("example.com", "abc123"));
    assert_eq!(dkim.result, SchemaWord::Known(DkimResultWord::Pass));
    let spf = spf_of_mail_from(&row.key).unwrap();
    assert_eq!(
        (&*spf.domain, &spf.result, &spf.scope),
        ("example.com", &SchemaWord::Known(SpfResultWord::Fail), &None)
    );
}

#[test]
fn rr02_the_same_without_namespace_is_of_the_form_of_9990() {
    let text = SAMPLE.replace(r#" xmlns="urn:ietf:params:xml:ns:dmarc-2.0""#, "");
    let reading = read_text(&text).unwrap();
    assert_eq!(reading.report, read_text(SAMPLE).unwrap().report);
    assert_eq!(reading.about.form, Form::Rfc9990);
    assert!(words(&reading).contains(&"no_namespace".to_owned()));
}

#[test]
fn rr03_elements_are_matched_by_their_local_names() {
    let text = SAMPLE
        .replace("xmlns=", "xmlns:ns0=")
        .replace("</", "<//")
        .replace('<', "<ns0:")
        .replace("<ns0://", "</ns0:");
    assert!(text.contains("<ns0:feedback xmlns:ns0=\"urn:ietf"));
    let reading = read_text(&text).unwrap();
    assert_eq!(reading.report, read_text(SAMPLE).unwrap().report);
    assert!(reading.is_strict());
}

#[test]
fn rr04_a_report_of_7489_keeps_its_pct() {
    for namespace in ["", r#" xmlns="http://dmarc.org/dmarc-xml/0.1""#] {
        let document = Document {
            namespace: namespace.to_owned(),
            ..Document::older()
        };
        let (reading, deviations) = document.found();
        assert_eq!(reading.about.form, Form::Rfc7489);
        assert_eq!(reading.report.policy.percent, Some(100));
        assert_eq!(deviations, [""; 0]);
    }
}

#[test]
fn rr05_np_beside_pct() {
    let document = Document {
        policy: "<domain>example.com</domain><p>none</p><np>reject</np><pct>100</pct>".to_owned(),
        ..Document::older()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.about.form, Form::Rfc7489);
    assert_eq!(
        reading.report.policy.nonexistent_policy.unwrap().as_str(),
        "reject"
    );
    assert_eq!(deviations, ["new policy_published/np"]);
}

#[test]
fn rr06_a_byte_order_mark_or_blank_lines_before_the_declaration() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    for (before, expected) in [
        ("\u{feff}", &[][..]),
        ("\n\r\n ", &["before_declaration"][..]),
        ("", &[][..]),
    ] {
        let document = Document {
            before: format!("{before}{declaration}"),
            ..Document::default()
        };
        assert_eq!(document.found().1, expected, "{before:?}");
    }
}

#[test]
fn rr07_a_wrong_declaration_does_not_hide_utf_8() {
    for label in ["utf-16", "iso-8859-1"] {
        let document = Document {
            before: format!("<?xml version=\"1.0\" encoding=\"{label}\"?>"),
            metadata: "<org_name>Größe</org_name><email>r@r.example</email><report_id>1</report_id>"
                .to_owned(),
            ..Document::default()
        };
        let (reading, deviations) = document.found();
        assert_eq!(reading.report.metadata.organization, "Größe", "{label}");
        assert_eq!(deviations, ["encoding"]);
    }
}

#[test]
fn rr08_an_unclosed_schema_before_feedback() {
    let document = Document {
        before: "<?xml version=\"1.0\"?>\n<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
                 targetNamespace=\"http://dmarc.org/dmarc-xml/0.1\">\n"
            .to_owned(),
        ..Document::older()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.report, Document::older().found().0.report);
    assert_eq!(deviations, ["before_feedback"]);
}

#[test]
fn rr09_a_bare_less_than_sign_is_text() {
    let document = Document {
        metadata: "<org_name>a < b</org_name><email><bad-xml@bad.example></email><report_id>1</report_id>"
            .to_owned(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    let metadata = &reading.report.metadata;
    assert_eq!(metadata.organization, "a < b");
    assert_eq!(metadata.email, "<bad-xml@bad.example>");
    assert_eq!(reading.report.rows.len(), 1);
    let expected = [
        "markup_in_text report_metadata/org_name",
        "markup_in_text report_metadata/email",
    ];
    assert_eq!(deviations, expected);
}

#[test]
fn rr09_a_report_whose_records_are_not_intact_is_refused() {
    let text = Document::default().text();
    let (start, _) = text.split_once("<count>").unwrap();
    assert!(matches!(read_text(start), Err(ReportRefused::Broken { .. })));
}

#[test]
fn rr16_a_document_type_is_refused() {
    for before in [
        "<!DOCTYPE feedback [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>",
        "<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\">",
        "<!doctype feedback>",
        "<!DOCTYPE >",
    ] {
        let document = Document {
            before: before.to_owned(),
            ..Document::default()
        };
        assert_eq!(document.read().unwrap_err(), ReportRefused::Doctype, "{before}");
    }
}

#[test]
fn rr25_identities_are_identifiers() {
    let document = Document {
        records: RECORD.replace("identifiers>", "identities>"),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.rows[0].key.header_from, "example.com");
    assert_eq!(deviations, ["name record/identifiers"]);
}

#[test]
fn rr33_of_several_policies_the_first_counts() {
    let text = Document::default().text();
    let second =
        "</policy_published><policy_published><domain>other.example</domain><p>reject</p></policy_published>";
    let reading = read_text(&text.replace("</policy_published>", second)).unwrap();
    assert_eq!(reading.report.policy.domain, "example.com");
    assert_eq!(words(&reading), ["repeated policy_published"]);
}

#[test]
fn rr38_elements_that_nobody_knows_are_counted() {
    let records = RECORD
        .replace("<row>", "<row><vendor><count>99</count></vendor>")
        .replace(
            "</record>",
            "<x:arc xmlns:x='urn:x'><row/></x:arc><arc-results/></record>",
        );
    let document = Document {
        records: format!("<extension><x>a &amp; b<y/></x></extension>{records}{records}"),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(
        reading.report.rows,
        Document {
            records: RECORD.repeat(2),
            ..Document::default()
        }
        .found()
        .0
        .report
        .rows
    );
    assert_eq!(reading.about.extensions, 3, "these the schema allows");
    assert_eq!(
        deviations,
        ["unknown_element record/row", "unknown_element record"]
    );
    assert_eq!(
        (reading.deviations[0].times, &*reading.deviations[0].quote),
        (2, "vendor")
    );
    assert_eq!(
        (reading.deviations[1].times, &*reading.deviations[1].quote),
        (2, "arc-results")
    );
}

#[test]
fn rr39_any_version_is_read() {
    for (version, expected) in [
        ("1.0", None),
        ("1", Some("1")),
        ("2.0", Some("2.0")),
        ("0.1", Some("0.1")),
    ] {
        let document = Document {
            version: format!("<version>{version}</version>"),
            ..Document::default()
        };
        let (reading, _) = document.found();
        assert_eq!(reading.about.version.as_deref(), Some(version));
        let flagged = reading.deviations.first().map(|deviation| &*deviation.quote);
        assert_eq!(flagged, expected);
    }
    let document = Document {
        version: String::new(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!((reading.about.version, deviations.len()), (None, 0));
}

#[test]
fn a_report_is_the_same_packed_or_not() {
    let text = Document::default().text();
    let plain = read_text(&text).unwrap();
    let packed = landmarc_intake::aggregate::read(&gzip(text.as_bytes()), &Default::default()).unwrap();
    assert_eq!(plain, packed);
}
