//! Aggregate reports of others: each record is a row or is lost, what is lost is told, and what we
//! write of one is read as it is written.

#![no_main]

use landmarc_intake::aggregate::{ReadLimits, read};
use landmarc_report::aggregate::{AggregateReport, Form, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let limits = ReadLimits {
        rows: 1000,
        text_octets: 64,
        token_octets: 1024,
        ..ReadLimits::default()
    };
    let Ok(reading) = read(octets, &limits) else {
        return;
    };
    let (report, about) = (&reading.report, &reading.about);
    assert_eq!(report.rows.len() as u64 + about.lost.rows, about.records);
    if about.lost.rows > 0 || about.lost.is_cut_short {
        assert!(!reading.is_strict());
    }
    for deviation in &reading.deviations {
        assert!(deviation.times > 0 && deviation.quote.is_ascii());
    }
    for form in [Form::Rfc9990, Form::Rfc7489] {
        let Some(first) = written(report, form) else {
            continue;
        };
        // Words that the schema has not are written as comments: from then on nothing changes.
        let once = read(&first, &ReadLimits::default()).expect("what we write, we read");
        let second = written(&once.report, form).expect("what we read, we write");
        let twice = read(&second, &ReadLimits::default()).expect("what we write, we read");
        assert_eq!(twice.report, once.report);
        assert_eq!(twice.about.messages, about.messages);
        assert_eq!(twice.about.form, form);
    }
});

fn written(report: &AggregateReport, form: Form) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    write(report, form, &mut octets).ok()?;
    Some(octets)
}
