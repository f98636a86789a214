//! ReportReading what the world sends as aggregate reports (RFC 9990, RFC 7489).
//!
//! We write exactly what the RFC says and read what the world sends: nothing is lost, and
//! nothing is forgiven in silence. Whatever a report has other than it should is a
//! [`Deviation`]; a report without any is one of the letter. A record that cannot be
//! counted costs that record and no more, and [`LostRows`] says so.
//!
//! [`read`] gives a whole report; [`RowReader`] gives its rows one at a time, in memory that
//! does not grow with their number. Both take a file as it came: gzip, zip or plain.
//!
//! Deliberately reads no DTD and no entity but the five of XML, and knows nothing of the mail
//! that carried the report ([`crate::open_mail`] does), of its time or of what was stored before.

mod attributes;
mod decode;
mod deviation;
mod fingerprint;
mod head;
mod limits;
mod part;
mod refused;
mod row;
mod scan;
mod schema;
mod values;

use self::decode::{Decoded, encoding_of};
use self::deviation::Notes;
pub use self::deviation::{Deviation, DeviationKind};
use self::fingerprint::Fingerprinter;
pub use self::fingerprint::ReportFingerprint;
use self::head::MetadataRead;
pub use self::limits::{MAX_REPAIRS, ReadLimits};
pub use self::refused::ReportRefused;
use self::row::LostRow;
use self::scan::Scanner;
use crate::archive::Archive;
use crate::is_report_id;
use landmarc_report::aggregate::{
    AggregateReport, Form, Metadata, PolicyPublished, ReportRow, RowKey, SchemaWord, SpfAuthResult, SpfScope,
};

/// The namespace of RFC 9990.
pub const NAMESPACE: &str = "urn:ietf:params:xml:ns:dmarc-2.0";
/// The namespace of RFC 7489, which hardly anybody wrote.
pub const OLD_NAMESPACE: &str = "http://dmarc.org/dmarc-xml/0.1";

/// A report, and all that is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportReading {
    /// What it says.
    pub report: AggregateReport,
    /// What it has other than the RFC says.
    pub deviations: Vec<Deviation>,
    /// What is known of it beside.
    pub about: About,
}

impl ReportReading {
    /// Whether the report is as the RFC of its form has it, to the letter.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.deviations.is_empty()
    }
}

/// A report without its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportHead {
    /// Who reports, and when.
    pub metadata: Metadata,
    /// By which policy the messages were judged.
    pub policy: PolicyPublished,
    /// What the report has other than the RFC says.
    pub deviations: Vec<Deviation>,
    /// What is known of it beside.
    pub about: About,
}

/// What is known of a report beside what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Which RFC it follows: by its namespace, or without one by its elements.
    pub form: Form,
    /// The namespace of `feedback`; empty for none.
    pub namespace: String,
    /// The element `version`, as written. It says nothing about the RFC.
    pub version: Option<String>,
    /// How many records there are, lost ones counted.
    pub records: u64,
    /// How many messages the rows are about; none when that is past what can be counted.
    pub messages: Option<u64>,
    /// Elements where the schema allows extensions; not read.
    pub extensions: u64,
    /// What could not be read.
    pub lost: LostRows,
    /// The same for the same report, however it is packed.
    pub fingerprint: ReportFingerprint,
}

/// What of a report is lost: for the ledger, where nothing disappears without a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostRows {
    /// Records that could not be counted.
    pub rows: u64,
    /// How many messages they were about, as far as their counts could be read.
    pub messages: u64,
    /// How many of them had no count that could be read.
    pub rows_without_count: u64,
    /// The document ends in the middle: what came after is not known.
    pub is_cut_short: bool,
}

/// Reads a report whole.
///
/// # Errors
/// [`ReportRefused`] when it is none, when it says too little to be counted, or when it is past a limit.
pub fn read(octets: &[u8], limits: &ReadLimits) -> Result<ReportReading, ReportRefused> {
    let archive = Archive::open(octets, &limits.archive)?;
    let mut reader = RowReader::open(&archive, limits)?;
    let rows = reader.by_ref().collect::<Result<_, _>>()?;
    let head = reader.finish()?;
    Ok(ReportReading {
        report: AggregateReport {
            metadata: head.metadata,
            policy: head.policy,
            rows,
        },
        deviations: head.deviations,
        about: head.about,
    })
}

/// Reads a report row by row.
///
/// What stands beside the rows is known at the end only: a document may have it in any order, and
/// whether the report can be used at all is not known before. So what is done with the rows
/// has to be such that it can be undone.
pub struct RowReader<'a> {
    scanner: Scanner<'a>,
    metadata: Option<MetadataRead>,
    policy: Option<PolicyPublished>,
    version: Option<String>,
    lost: LostRows,
    messages: Option<u64>,
    fingerprinter: Fingerprinter,
    has_failed: bool,
}

impl<'a> RowReader<'a> {
    /// Begins at the start of the document.
    ///
    /// # Errors
    /// None but those of an archive that changed since it was opened.
    pub fn open(archive: &'a Archive<'_>, limits: &ReadLimits) -> Result<Self, ReportRefused> {
        let mut notes = Notes::default();
        for remark in archive.remarks() {
            let number = remark.number().map(|number| number.to_string());
            notes.add(DeviationKind::Archive(*remark), "", &number.unwrap_or_default());
        }
        let encoding = encoding_of(archive, &mut notes).map_err(|error| ReportRefused::Broken {
            why: error.to_string(),
        })?;
        let contents = Decoded::new(archive.reader(), encoding);
        Ok(Self {
            scanner: Scanner::new(contents, limits, notes),
            metadata: None,
            policy: None,
            version: None,
            lost: LostRows::default(),
            messages: Some(0),
            fingerprinter: Fingerprinter::new(),
            has_failed: false,
        })
    }

    /// The next row that can be counted; none after the last.
    ///
    /// # Errors
    /// [`ReportRefused`] when the report is past a limit: then the rows before are not to be used either.
    pub fn next_row(&mut self) -> Result<Option<ReportRow>, ReportRefused> {
        while let Some(name) = self.scanner.next_part()? {
            let Some(part) = self.scanner.part.root() else {
                continue;
            };
            let notes = &mut self.scanner.notes;
            match name {
                "record" => {
                    let is_new = self.scanner.root.namespace == NAMESPACE;
                    match row::row(part, is_new, notes) {
                        Ok(row) => return Ok(Some(self.take(row))),
                        Err(lost) => self.lose(lost),
                    }
                }
                // The first counts; that there are more was noted.
                "report_metadata" if self.metadata.is_none() => {
                    self.metadata = Some(head::metadata(part, notes));
                }
                "policy_published" if self.policy.is_none() => self.policy = Some(head::policy(part, notes)),
                "version" if self.version.is_none() => {
                    let version = part.text();
                    if version != "1.0" {
                        notes.add(DeviationKind::Version, "version", version);
                    }
                    self.version = Some(version.to_owned());
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Reads what is left and says all that is beside the rows.
    ///
    /// # Errors
    /// [`ReportRefused`] when the report cannot be used, or is past a limit.
    pub fn finish(mut self) -> Result<ReportHead, ReportRefused> {
        while self.next_row()?.is_some() {}
        self.settle();
        let MetadataRead { metadata, bad_period } = self.metadata.take().unwrap_or_default();
        let policy = self.policy.take().filter(|policy| !policy.domain.is_empty());
        if let Some(why) = self.scanner.broken.take_if(|_| self.messages == Some(0)) {
            return Err(ReportRefused::Broken { why });
        }
        let policy = policy.ok_or(ReportRefused::NoPolicyDomain)?;
        if let Some((begin, end)) = bad_period {
            return Err(ReportRefused::NoPeriod { begin, end });
        }
        let Scanner { mut notes, root, .. } = self.scanner;
        let form = head::form(&root.namespace, &metadata, &policy, &mut notes);
        let has_odd_id = !metadata.report_id.is_empty() && !is_report_id(&metadata.report_id);
        if form == Form::Rfc9990 && has_odd_id {
            notes.add(
                DeviationKind::ReportId,
                "report_metadata/report_id",
                &metadata.report_id,
            );
        }
        Ok(ReportHead {
            about: About {
                form,
                namespace: root.namespace,
                version: self.version,
                records: self.scanner.records,
                messages: self.messages,
                extensions: self.scanner.extensions,
                lost: self.lost,
                fingerprint: self.fingerprinter.finish(&metadata, &policy),
            },
            metadata,
            policy,
            deviations: notes.into_list(),
        })
    }

    /// Notes what is known only when all has been read.
    fn settle(&mut self) {
        if self.scanner.has_torn_record() {
            self.lose(LostRow { count: None });
        }
        self.lost.is_cut_short = self.scanner.broken.is_some()
            || self
                .scanner
                .notes
                .has(DeviationKind::Archive(crate::archive::Remark::CutShort));
        self.scanner.note_tail();
        let bad_octets = self.scanner.bad_octets();
        let notes = &mut self.scanner.notes;
        notes.record = None;
        if bad_octets > 0 {
            notes.add_times(DeviationKind::BadOctets, "", "", bad_octets);
        }
        if self.scanner.records == 0 {
            notes.add(DeviationKind::NoRows, "record", "");
        }
    }

    fn take(&mut self, row: ReportRow) -> ReportRow {
        // None once it is past what can be counted, and for ever after (RR31).
        self.messages = self.messages.and_then(|messages| messages.checked_add(row.count));
        self.fingerprinter.row(&row);
        row
    }

    fn lose(&mut self, row: LostRow) {
        self.lost.rows += 1;
        match row.count {
            Some(count) => self.lost.messages = self.lost.messages.saturating_add(count),
            None => self.lost.rows_without_count += 1,
        }
    }
}

impl Iterator for RowReader<'_> {
    type Item = Result<ReportRow, ReportRefused>;

    /// As [`RowReader::next_row`]; nothing more after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let next = self.next_row().transpose();
        self.has_failed = matches!(next, Some(Err(_)));
        next
    }
}

/// What a row says about SPF of the envelope sender, among several results (RR24): that of the
/// scope `mfrom`, which is also meant where there is none (RFC 9990 §3.1.1.11), with a domain.
#[must_use]
pub fn spf_of_mail_from(row: &RowKey) -> Option<&SpfAuthResult> {
    let is_of_helo = |spf: &&SpfAuthResult| {
        let scope = spf.scope.as_ref().and_then(SchemaWord::known);
        scope == Some(SpfScope::Helo)
    };
    let mut results = row.spf.iter().filter(|spf| !spf.domain.is_empty());
    results.find(|spf| !is_of_helo(spf))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of so many rows, no two alike.
    fn document(rows: u32) -> String {
        let records: String = (0..rows)
            .map(|number| {
                let source_ip = std::net::Ipv4Addr::from(number);
                format!(
                    "<record><row><source_ip>{source_ip}</source_ip><count>1</count></row>\
                     <identifiers><header_from>h{number:06}.example</header_from></identifiers></record>"
                )
            })
            .collect();
        format!(
            "<feedback><report_metadata><date_range><begin>1</begin><end>2</end></date_range></report_metadata>\
             <policy_published><domain>example.com</domain></policy_published>{records}</feedback>"
        )
    }

    /// The most that is held while a report is read row by row.
    fn most_held(rows: u32) -> usize {
        let text = document(rows);
        let limits = ReadLimits::default();
        let archive = Archive::open(text.as_bytes(), &limits.archive).unwrap();
        let mut reader = RowReader::open(&archive, &limits).unwrap();
        let mut most = 0;
        while let Some(row) = reader.next_row().unwrap() {
            assert_eq!(row.count, 1);
            most = most.max(reader.scanner.held_octets());
        }
        assert_eq!(reader.finish().unwrap().about.messages, Some(u64::from(rows)));
        most
    }

    #[test]
    fn memory_does_not_grow_with_the_rows() {
        let (some, many) = (most_held(1_000), most_held(50_000));
        assert_eq!(some, many);
        assert!(some < 256 * 1024, "{some}");
    }

    #[test]
    fn rows_come_before_all_is_read() {
        let text = document(100);
        let limits = ReadLimits {
            rows: 50,
            ..ReadLimits::default()
        };
        let archive = Archive::open(text.as_bytes(), &limits.archive).unwrap();
        let mut reader = RowReader::open(&archive, &limits).unwrap();
        assert_eq!(reader.by_ref().take_while(Result::is_ok).count(), 50);
        assert!(reader.next().is_none(), "nothing after an error");
        assert_eq!(reader.finish().unwrap_err(), ReportRefused::Rows { limit: 50 });
    }
}
