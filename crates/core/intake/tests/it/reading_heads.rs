//! The vectors about metadata and policy: RR27 to RR30, RR32, RR34 to RR37.

use landmarc_intake::aggregate::ReportRefused;
use landmarc_report::aggregate::Registered;

use crate::reading_common::{Document, RECORD, kinds, words};

/// The period of a report with these times, and its deviations.
fn period(begin: &str, end: &str) -> Result<(u64, u64, Vec<String>), ReportRefused> {
    let document = Document {
        range: format!("<begin>{begin}</begin><end>{end}</end>"),
        ..Document::default()
    };
    let reading = document.read()?;
    let period = reading.report.metadata.period;
    Ok((period.begin, period.end, words(&reading)))
}

const BEGIN: u64 = 1_780_272_000;
const END: u64 = 1_780_358_399;

#[test]
fn rr27_fractions_of_seconds_are_cut_off() {
    let (begin, end, deviations) = period("1780272000.123", "1780358399.999").unwrap();
    assert_eq!((begin, end), (BEGIN, END));
    assert_eq!(kinds(&deviations), ["time_fraction"; 2]);
}

#[test]
fn rr28_milliseconds_and_text_are_converted() {
    let (begin, end, deviations) = period("1780272000000", "1780358399000").unwrap();
    assert_eq!((begin, end), (BEGIN, END));
    assert_eq!(kinds(&deviations), ["time_milliseconds"; 2]);
    let (begin, end, deviations) = period("2026-06-01T00:00:00Z", "2026-06-01 23:59:59").unwrap();
    assert_eq!((begin, end), (BEGIN, END));
    assert_eq!(kinds(&deviations), ["time_text"; 2]);
}

#[test]
fn rr28_what_is_no_time_is_refused() {
    for text in [
        "",
        "yesterday",
        "-1",
        "17802720000000",
        "1.2.3",
        "99999999999999999999",
    ] {
        let refused = period(text, "1780358399").unwrap_err();
        let expected = ReportRefused::NoPeriod {
            begin: text.to_owned(),
            end: "1780358399".to_owned(),
        };
        assert_eq!(refused, expected, "{text}");
    }
}

#[test]
fn rr29_a_period_of_25_days_is_flagged() {
    let (_, _, deviations) = period("1780272000", "1782431999").unwrap();
    assert_eq!(deviations, ["period_long report_metadata/date_range"]);
    // The last second of the day, and the first one after it, are both seen for the end of a day.
    for end in ["1780358399", "1780358400"] {
        assert_eq!(period("1780272000", end).unwrap().2, [""; 0]);
    }
    let (_, _, deviations) = period("1780272000", "1780358401").unwrap();
    assert_eq!(kinds(&deviations), ["period_long"]);
}

#[test]
fn rr30_a_period_that_ends_before_it_begins_is_turned_round() {
    let (begin, end, deviations) = period("1780358399", "1780272000").unwrap();
    assert_eq!((begin, end), (BEGIN, END));
    assert_eq!(kinds(&deviations), ["period_reversed"]);
    let (_, _, deviations) = period("1780272000", "1780272000").unwrap();
    assert_eq!(kinds(&deviations), ["period_empty"]);
}

#[test]
fn rr32_an_empty_sp_is_absent() {
    for sp in ["<sp></sp>", "<sp/>", "<sp> </sp>", ""] {
        let document = Document {
            policy: format!("<domain>example.com</domain><p>none</p>{sp}"),
            ..Document::default()
        };
        assert_eq!(document.found().0.report.policy.subdomain_policy, None);
    }
}

#[test]
fn each_tag_of_a_policy_has_its_own_element() {
    let policy = |elements: &str| {
        let document = Document {
            policy: format!("<domain>example.com</domain>{elements}"),
            ..Document::default()
        };
        let (reading, deviations) = document.found();
        (reading.report.policy, deviations)
    };
    for (testing, expected) in [
        ("y", Some(true)),
        ("Y", Some(true)),
        ("n", Some(false)),
        ("", None),
    ] {
        let (read, deviations) = policy(&format!("<p>none</p><testing>{testing}</testing>"));
        assert_eq!((read.testing, deviations), (expected, Vec::new()), "{testing}");
    }
    let (read, deviations) = policy("<p>none</p><testing>t</testing>");
    assert_eq!(read.testing, None);
    assert_eq!(deviations, ["unknown_word policy_published/testing"]);
    let (read, deviations) = policy(
        "<discovery_method>treewalk</discovery_method><p>none</p><sp>quarantine</sp><np>reject</np>\
         <adkim>s</adkim><aspf>r</aspf><fo>1:d</fo><testing>n</testing>",
    );
    assert_eq!(deviations, [""; 0]);
    let words = [
        read.discovery_method.map(|method| method.word().to_owned()),
        Some(read.policy.to_string()),
        read.subdomain_policy.map(|word| word.to_string()),
        read.nonexistent_policy.map(|word| word.to_string()),
        read.dkim_mode.map(|word| word.to_string()),
        read.spf_mode.map(|word| word.to_string()),
        read.failure_options,
    ];
    let words = words.map(Option::unwrap_or_default);
    assert_eq!(
        words,
        ["treewalk", "none", "quarantine", "reject", "s", "r", "1:d"]
    );
    let (read, deviations) = policy("<p>none</p><pct>x</pct>");
    assert_eq!(
        (read.percent, deviations),
        (None, vec!["number policy_published/pct".to_owned()])
    );
}

#[test]
fn rr34_a_policy_domain_is_taken_as_it_is() {
    let document = Document {
        policy: "<domain>mail.example.com</domain><p>none</p>".to_owned(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.policy.domain, "mail.example.com");
    assert_eq!(deviations, [""; 0]);
}

#[test]
fn rr35_an_empty_org_name_is_flagged() {
    let document = Document {
        metadata: "<org_name></org_name><email>r@r.example</email><report_id>1</report_id>".to_owned(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.metadata.organization, "");
    assert_eq!(deviations, ["missing report_metadata/org_name"]);
}

#[test]
fn rr36_the_text_of_an_email_with_attributes_and_elements() {
    let document = Document {
        metadata: "<org_name>R</org_name><email type='x'>r@<b>r</b>.example</email><report_id>1</report_id>"
            .to_owned(),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(reading.report.metadata.email, "r@r.example");
    assert_eq!(
        deviations,
        [
            "attribute report_metadata/email",
            "markup_in_text report_metadata/email"
        ]
    );
}

#[test]
fn rr37_texts_have_their_languages() {
    let document = Document {
        metadata: "<org_name>R</org_name><email>r@r.example</email><report_id>1</report_id>\
                   <extra_contact_info lang='de'>Fragen</extra_contact_info><error xml:lang=\"fr\">erreur</error>"
            .to_owned(),
        records: RECORD
            .replace(
                "</policy_evaluated>",
                "<reason><type>other</type><comment lang='en-GB'>why</comment></reason></policy_evaluated>",
            )
            .replace(
                "<auth_results>",
                "<auth_results><dkim><domain>e.example</domain><selector>s</selector><result>pass</result>\
                 <human_result lang='nl'>goed</human_result></dkim>",
            ),
        ..Document::default()
    };
    let (reading, deviations) = document.found();
    assert_eq!(deviations, [""; 0]);
    let key = &reading.report.rows[0].key;
    let texts = [
        reading.report.metadata.contact.as_ref(),
        reading.report.metadata.error.as_ref(),
        key.reasons[0].comment.as_ref(),
        key.dkim[0].human_result.as_ref(),
    ];
    let found = texts.map(|text| text.map(|text| (&*text.text, text.lang.as_deref())).unwrap());
    let expected = [
        ("Fragen", Some("de")),
        ("erreur", Some("fr")),
        ("why", Some("en-GB")),
        ("goed", Some("nl")),
    ];
    assert_eq!(found, expected);
}
