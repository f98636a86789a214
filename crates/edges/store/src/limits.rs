//! How large what is handed over may be, and how much is read, imported or told at once.

/// Imports of one call: about 50 ms of work.
pub const MAX_IMPORTS: usize = 1_000;

/// Octets of a word, a name or an id. A domain name has at most 253 (RFC 1035 §2.3.4).
pub const MAX_WORD: usize = 255;

/// Octets of a text in words: a cause, a comment, an address that wants reports.
pub const MAX_TEXT: usize = 1_024;

/// Octets of a trace. A message with ten signatures and hostile records explains itself in a tenth of this.
pub const MAX_TRACE: usize = 65_536;

/// Entries of a list: RFC 9990 §3.1.1.11 caps the DKIM results of a row at 100.
pub const MAX_LIST: usize = 100;

/// Things that are wrong with one DMARC Policy Record: more do not help its owner.
pub const MAX_PROBLEMS: usize = 8;

/// Octets of each of them. RFC 9990 §3.1.5 has one short text for all.
pub const MAX_PROBLEM: usize = 200;

/// The most messages of one key, and of one row of the tally by way of imports: what is past it is not
/// counted. Sums of a thousand such rows still fit into the numbers of a database.
pub(crate) const MAX_SUM: u64 = 1_000_000_000_000_000;

/// Most records in one transaction: about 30 ms of work, so that the answer keeps within decision D13.
pub(crate) const MAX_BATCH: usize = 4_096;

/// Policy domains of one day that are read: about 60 MB of names. A flood of invented ones costs no more.
pub const MAX_DOMAINS: usize = 1_000_000;

/// Rows of one policy domain and day that are read, those that count most messages: about 100 MB.
pub const MAX_DOMAIN_ROWS: usize = 100_000;

/// How far ahead of what is known of its host a batch may be: as many as the spool of a host holds by default
/// (`fleet.spool_max_size`, 4 GiB) at the 64 octets that the smallest takes.
pub const MAX_GAP: u64 = 1 << 26;

/// Octets of the body of a report: more than any mail system takes.
pub const MAX_BODY: usize = 64 << 20;

/// Octets of the caller's own facts about a report, what people read in the message among them.
pub const MAX_FACTS: usize = 32_768;

/// Octets of an address: a path of SMTP has 256 at most (RFC 5321 §4.5.3.1.3), angle brackets included.
pub const MAX_DESTINATION: usize = 254;

/// Deliveries of one report.
pub const MAX_DESTINATIONS: usize = 100;

/// Reports, or lines of policy domains without one, of one call.
pub const MAX_REPORTS: usize = 200;

/// Deliveries of all reports of one call: 64 parts of a report, which come together, to all of
/// [`MAX_DESTINATIONS`]. About 60 ms of work.
pub const MAX_DELIVERIES: usize = 6_400;

/// Deliveries of one claim.
pub const MAX_CLAIM: usize = 1_000;

/// Deliveries that one call puts off: more than a day has for most. The others keep their reasons.
pub(crate) const MAX_POSTPONED: usize = 10_000;

/// Owners of leases that are told.
pub const MAX_OWNERS: usize = 1_000;

/// Octets of what was said in words: a reply of SMTP may have as many (RFC 5321 §4.5.3.1.5).
pub const MAX_REASON: usize = 512;

/// Lines kept for each day that say why a policy domain got no report.
pub const MAX_SKIPPED: usize = 10_000;

/// Destinations whose suppression or bounces are kept. Past it those of bounces go, the oldest first.
pub const MAX_SUPPRESSIONS: usize = 100_000;

/// URIs that the reports about one policy domain are redirected to.
pub const MAX_URIS: usize = 10;

/// Redirections that are told.
pub const MAX_REDIRECTIONS: usize = 10_000;
