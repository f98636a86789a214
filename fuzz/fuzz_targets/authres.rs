//! Authentication-Results: what is read and written again is stable, is one field in
//! ASCII, and speaks in the name of whom it spoke before.

#![no_main]

use landmarc_mail::authres::{AuthenticationResults, ResultInfo, claims_authserv_id};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    if let Ok(read) = AuthenticationResults::parse(value) {
        let written = read.to_value();
        let again = AuthenticationResults::parse(written.as_bytes()).expect("what is written reads back");
        assert_eq!(again.to_value(), written);
        assert_eq!(again.results.len(), writable(&read));
        assert!(claims_authserv_id(value, &bare(&read.authserv_id)));
    }
    if let Ok((read, Some(job))) = AuthenticationResults::parse_with_job(value) {
        let written = read.to_value_with_job(&job);
        let (again, _) = AuthenticationResults::parse_with_job(written.as_bytes()).expect("it reads back");
        assert_eq!(again.results.len(), writable(&read));
        assert!(claims_authserv_id(value, &bare(&read.authserv_id)));
    }
    foreign_text_stays_inside(&String::from_utf8_lossy(value));
    let forged = [b" (x)\r\n MX.example;", value].concat();
    assert!(claims_authserv_id(&forged, "mx.example"));
});

/// However odd the values, one result goes in and one result comes out.
fn foreign_text_stays_inside(text: &str) {
    let mut field = AuthenticationResults::new(text);
    let info = ResultInfo::new("dkim", "fail")
        .with_comment(text)
        .with_reason(text);
    field.results.push(info.with_value("header", "d", text));
    let written = field.to_value();
    assert!(written.is_ascii());
    assert!(
        written
            .lines()
            .all(|line| line.len() < 998 - "Authentication-Results:".len())
    );
    let read = AuthenticationResults::parse(written.as_bytes()).expect("what is written reads back");
    assert_eq!(read.results.len(), 1);
    assert_eq!(read.results[0].result, "fail");
    if let Some(value) = read.results[0].property("header", "d") {
        assert_eq!(value, text);
    }
}

/// Results whose method and result are no longer than the writer lets them be.
fn writable(read: &AuthenticationResults) -> usize {
    let fits = |info: &&ResultInfo| info.method.len() <= 64 && info.result.len() <= 64;
    read.results.iter().filter(fits).count()
}

/// An id as it is compared.
fn bare(authserv_id: &str) -> String {
    let bare: String = authserv_id.split_ascii_whitespace().collect();
    bare.trim_end_matches('.').to_owned()
}
