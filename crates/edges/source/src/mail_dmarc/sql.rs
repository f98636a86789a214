//! What is asked, in words that SQLite and MySQL both know.
//!
//! `count`, `begin` and `end` are keywords, so the first two are quoted; both know back-quotes. Texts are cut where
//! they stand, so that no row takes more memory than a row can need ([`MAX_TEXT`](super::MAX_TEXT)). An address
//! comes as hexadecimal digits, because Perl writes its octets into SQLite as a text that is none.

/// The messages without a count, with what there is one of.
pub(crate) const RECORDS: &str = "\
    SELECT rr.id, r.`begin`, substr(fd.domain, 1, 8192), substr(pp.p, 1, 8192), substr(pp.sp, 1, 8192), \
      substr(pp.adkim, 1, 8192), substr(pp.aspf, 1, 8192), substr(pp.rua, 1, 8192), substr(hex(rr.source_ip), 1, 64), \
      substr(rr.disposition, 1, 8192), substr(rr.dkim, 1, 8192), substr(rr.spf, 1, 8192), \
      substr(hf.domain, 1, 8192), substr(ef.domain, 1, 8192) \
    FROM report_record rr \
    JOIN report r ON r.id = rr.report_id \
    LEFT JOIN report_policy_published pp ON pp.report_id = r.id \
    LEFT JOIN domain fd ON fd.id = r.from_domain_id \
    LEFT JOIN domain hf ON hf.id = rr.header_from_did \
    LEFT JOIN domain ef ON ef.id = rr.envelope_from_did \
    WHERE rr.`count` IS NULL";

/// The reasons of all such messages.
pub(crate) const REASONS: &str = "\
    SELECT x.report_record_id, substr(x.type, 1, 8192), substr(x.comment, 1, 8192) \
    FROM report_record_reason x JOIN report_record rr ON rr.id = x.report_record_id \
    WHERE rr.`count` IS NULL";

/// Their signatures.
pub(crate) const DKIM: &str = "\
    SELECT x.report_record_id, substr(d.domain, 1, 8192), substr(x.selector, 1, 8192), substr(x.result, 1, 8192) \
    FROM report_record_dkim x JOIN report_record rr ON rr.id = x.report_record_id \
    LEFT JOIN domain d ON d.id = x.domain_id \
    WHERE rr.`count` IS NULL";

/// Their SPF results.
pub(crate) const SPF: &str = "\
    SELECT x.report_record_id, substr(d.domain, 1, 8192), substr(x.scope, 1, 8192), substr(x.result, 1, 8192) \
    FROM report_record_spf x JOIN report_record rr ON rr.id = x.report_record_id \
    LEFT JOIN domain d ON d.id = x.domain_id \
    WHERE rr.`count` IS NULL";

/// How many reports of others there are.
pub(crate) const RECEIVED: &str =
    "SELECT count(DISTINCT report_id) FROM report_record WHERE `count` IS NOT NULL";

/// Reads the rows of [`RECORDS`], [`REASONS`], [`DKIM`] and [`SPF`] as a library has them; `number` and `text` read one
/// column, the first of which is 0.
macro_rules! read_rows {
    ($Row:ty, $Error:ty, $number:ident, $text:ident) => {
        fn record(row: &$Row) -> Result<StoredRecord, $Error> {
            Ok(StoredRecord {
                id: $number(row, 0)?,
                begin_s: $number(row, 1)?,
                policy_domain: $text(row, 2)?,
                p: $text(row, 3)?,
                sp: $text(row, 4)?,
                adkim: $text(row, 5)?,
                aspf: $text(row, 6)?,
                rua: $text(row, 7)?,
                source_ip: sql::octets(&$text(row, 8)?.unwrap_or_default()),
                disposition: $text(row, 9)?,
                dkim_aligned: $text(row, 10)?,
                spf_aligned: $text(row, 11)?,
                header_from: $text(row, 12)?,
                envelope_from: $text(row, 13)?,
                ..StoredRecord::default()
            })
        }

        fn reason(row: &$Row) -> Result<(String, Option<String>), $Error> {
            Ok(($text(row, 1)?.unwrap_or_default(), $text(row, 2)?))
        }

        fn signature(row: &$Row) -> Result<StoredDkim, $Error> {
            Ok(StoredDkim {
                domain: $text(row, 1)?,
                selector: $text(row, 2)?,
                result: $text(row, 3)?,
            })
        }

        fn spf_result(row: &$Row) -> Result<StoredSpf, $Error> {
            Ok(StoredSpf {
                domain: $text(row, 1)?,
                scope: $text(row, 2)?,
                result: $text(row, 3)?,
            })
        }
    };
}
pub(crate) use read_rows;

/// All of [`RECORDS`], in the order of their numbers.
pub(crate) fn all_records() -> String {
    format!("{RECORDS} ORDER BY rr.id")
}

/// All that belongs to messages, in the order of their numbers.
pub(crate) fn all_of(details: &str) -> String {
    format!("{details} ORDER BY x.report_record_id")
}

/// The next of [`RECORDS`] after a number, so many.
pub(crate) fn next_records() -> String {
    format!("{RECORDS} AND rr.id > ? ORDER BY rr.id LIMIT ?")
}

/// What belongs to the messages from one number to another, so many rows.
pub(crate) fn some_of(details: &str) -> String {
    format!("{details} AND x.report_record_id BETWEEN ? AND ? ORDER BY x.report_record_id LIMIT ?")
}

/// The octets that these hexadecimal digits stand for; a digit too many is left out.
pub(crate) fn octets(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map_while(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_octets() {
        assert_eq!(octets("C0000207"), [192, 0, 2, 7]);
        assert_eq!(octets("00fF1"), [0, 255]);
        assert_eq!(octets("3x+1"), [0_u8; 0]);
    }
}
