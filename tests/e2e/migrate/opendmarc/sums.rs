//! Aggregate reports, read, and added up.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use landmarc_intake::aggregate::{ReadLimits, ReportReading, read};
use landmarc_intake::archive::{self, unpack};
use landmarc_intake::{CarriedKind, MailLimits, open_mail};

/// Messages that are alike: Author Domain, client, disposition, and whether DKIM and SPF aligned.
pub(super) type Alike = (String, IpAddr, String, String, String);

/// How many messages each row counts. What was taken is `none` here whether or not it passed: OpenDMARC does
/// not know the disposition `pass` of RFC 9990.
pub(super) fn sums(reports: &[ReportReading]) -> BTreeMap<Alike, u64> {
    let mut sums = BTreeMap::new();
    for row in reports.iter().flat_map(|reading| &reading.report.rows) {
        let key = &row.key;
        let disposition = match key.disposition.as_str() {
            "pass" => "none",
            word => word,
        };
        let alike = (
            key.header_from.clone(),
            key.source_ip,
            disposition.to_owned(),
            key.dkim_alignment.as_str().to_owned(),
            key.spf_alignment.as_str().to_owned(),
        );
        *sums.entry(alike).or_default() += row.count;
    }
    sums
}

/// What the checks found, whatever DMARC made of it: Author Domain, then `spf DOMAIN RESULT` or `dkim DOMAIN
/// SELECTOR RESULT`. SPF about nobody is left out, which OpenDMARC tells with an empty domain.
pub(super) fn found(reports: &[ReportReading]) -> BTreeMap<(String, String), u64> {
    let mut found = BTreeMap::new();
    for row in reports.iter().flat_map(|reading| &reading.report.rows) {
        let spf = row.key.spf.iter().filter(|spf| !spf.domain.is_empty());
        let spf = spf.map(|spf| format!("spf {} {}", spf.domain, spf.result.as_str()));
        let dkim = row.key.dkim.iter();
        let dkim =
            dkim.map(|dkim| format!("dkim {} {} {}", dkim.domain, dkim.selector, dkim.result.as_str()));
        for one in spf.chain(dkim) {
            *found.entry((row.key.header_from.clone(), one)).or_default() += row.count;
        }
    }
    found
}

/// The reports that letters carry.
pub(super) fn in_letters<'a>(letters: impl IntoIterator<Item = &'a [u8]>) -> Vec<ReportReading> {
    let mut reports = Vec::new();
    for letter in letters {
        let mail = open_mail(letter, &MailLimits::default()).unwrap();
        for carried in &mail.carried {
            assert!(matches!(carried.kind, CarriedKind::Aggregate(_)));
            let xml = unpack(&carried.octets, &archive::ArchiveLimits::default()).unwrap();
            reports.push(read(&xml, &ReadLimits::default()).unwrap());
        }
    }
    reports
}

/// The letters that a rehearsal has written, in the order of their names.
pub(super) fn letters_in(directory: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Each report once, however many got it.
pub(super) fn each_once(mut reports: Vec<ReportReading>) -> Vec<ReportReading> {
    let mut seen = std::collections::HashSet::new();
    reports.retain(|reading| seen.insert(format!("{:?}", reading.about.fingerprint)));
    reports
}
