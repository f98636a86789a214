//! Reports made of the parts that a test is about.

use landmarc_intake::aggregate::{ReadLimits, ReportReading, ReportRefused, read};

/// A record in order, about one message.
pub(crate) const RECORD: &str = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count>\
    <policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>\
    <identifiers><header_from>example.com</header_from></identifiers><auth_results></auth_results></record>";

/// A report of the form of RFC 9990. Each of its parts can be another.
pub(crate) struct Document {
    pub(crate) before: String,
    pub(crate) namespace: String,
    pub(crate) version: String,
    pub(crate) metadata: String,
    pub(crate) range: String,
    pub(crate) policy: String,
    pub(crate) records: String,
}

impl Default for Document {
    fn default() -> Self {
        Self {
            before: String::new(),
            namespace: r#" xmlns="urn:ietf:params:xml:ns:dmarc-2.0""#.to_owned(),
            version: "<version>1.0</version>".to_owned(),
            metadata: "<org_name>R</org_name><email>r@r.example</email><report_id>1@r.example</report_id>"
                .to_owned(),
            range: "<begin>1780272000</begin><end>1780358399</end>".to_owned(),
            policy: "<domain>example.com</domain><p>none</p>".to_owned(),
            records: RECORD.to_owned(),
        }
    }
}

impl Document {
    /// One of the older form: without namespace, and with `pct`.
    pub(crate) fn older() -> Self {
        Self {
            namespace: String::new(),
            policy: "<domain>example.com</domain><p>none</p><sp>none</sp><pct>100</pct>".to_owned(),
            ..Self::default()
        }
    }

    /// One whose record has something else in place of a text.
    pub(crate) fn with(from: &str, to: &str) -> Self {
        assert!(RECORD.contains(from), "{from}");
        Self {
            records: RECORD.replace(from, to),
            ..Self::default()
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self {
            before,
            namespace,
            version,
            metadata,
            range,
            policy,
            records,
        } = self;
        format!(
            "{before}<feedback{namespace}>{version}<report_metadata>{metadata}<date_range>{range}</date_range>\
             </report_metadata><policy_published>{policy}</policy_published>{records}</feedback>"
        )
    }

    pub(crate) fn read(&self) -> Result<ReportReading, ReportRefused> {
        read_text(&self.text())
    }

    /// Reads it, and gives the deviations as words with their places.
    pub(crate) fn found(&self) -> (ReportReading, Vec<String>) {
        let reading = self.read().unwrap();
        let deviations = words(&reading);
        (reading, deviations)
    }
}

pub(crate) fn read_text(text: &str) -> Result<ReportReading, ReportRefused> {
    read(text.as_bytes(), &ReadLimits::default())
}

/// The deviations of a report: `word place`.
pub(crate) fn words(reading: &ReportReading) -> Vec<String> {
    let words = reading.deviations.iter().map(|deviation| {
        let text = format!("{} {}", deviation.kind.as_str(), deviation.place);
        text.trim_end().to_owned()
    });
    words.collect()
}

/// The words of deviations without their places.
pub(crate) fn kinds(found: &[String]) -> Vec<&str> {
    found
        .iter()
        .map(|word| word.split(' ').next().unwrap_or_default())
        .collect()
}

/// Octets packed as gzip.
pub(crate) fn gzip(octets: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

/// A zip file of these members, written by another implementation.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, octets) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(octets).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
