//! How large reports may become.

/// The most rows of one report: past it, it is sent in parts.
pub const MAX_ROWS: usize = 25_000;
/// The most rows about one domain and day. A client can make a row of each message, by its address,
/// its selectors, its MAIL FROM; nothing but a limit keeps it from filling the mailboxes of others.
pub const MAX_ROWS_A_DAY: usize = 50_000;
/// The most octets of one compressed report, where the operator sets no other limit: about 10 MB
/// when encoded for mail.
const MAX_GZIP_OCTETS: usize = 7 * 1024 * 1024;
/// The most octets a report may unpack to: half of what careful readers take (RFC 9990 §8.2 has no
/// number; 64 MiB is a usual one).
pub const MAX_XML_OCTETS: u64 = 32 * 1024 * 1024;

/// How large reports may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportLimits {
    /// The most rows about one domain and day, in all its reports together.
    pub rows_a_day: usize,
    /// The most rows of one report.
    pub rows: usize,
    /// The most octets of one report, compressed.
    pub gzip_octets: usize,
    /// The most octets of one report, unpacked.
    pub xml_octets: u64,
}

impl Default for ReportLimits {
    fn default() -> Self {
        Self {
            rows_a_day: MAX_ROWS_A_DAY,
            rows: MAX_ROWS,
            gzip_octets: MAX_GZIP_OCTETS,
            xml_octets: MAX_XML_OCTETS,
        }
    }
}
