//! The parameters of opendmarc.conf: how they are spelled, what they take, and since when.

use Parameter as P;

/// A parameter, whatever spelling a file uses. The order is that of the checklist, P1 to P42.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(
    missing_docs,
    reason = "the names are OpenDMARC's own, and each is told of in docs/from-opendmarc.md"
)]
pub enum Parameter {
    AuthservId,
    AuthservIdWithJobId,
    AutoRestart,
    AutoRestartCount,
    AutoRestartRate,
    Background,
    BaseDirectory,
    ChangeRootDirectory,
    CopyFailuresTo,
    DnsTimeout,
    EnableCoredumps,
    FailureReports,
    FailureReportsBcc,
    FailureReportsOnNone,
    FailureReportsSentBy,
    HistoryFile,
    IgnoreHosts,
    IgnoreMailFrom,
    MilterDebug,
    PidFile,
    PublicSuffixList,
    RecordAllMessages,
    RejectFailures,
    ReportCommand,
    RequiredHeaders,
    Socket,
    SoftwareHeader,
    SpfIgnoreResults,
    SpfSelfValidate,
    Syslog,
    SyslogFacility,
    TemporaryDirectory,
    TrustedAuthservIds,
    UMask,
    UserId,
    DomainWhitelist,
    DomainWhitelistFile,
    DomainWhitelistSize,
    HoldQuarantinedMessages,
    IgnoreAuthenticatedClients,
    RejectMultiValueFrom,
    TestDnsData,
    IgnoreMailTo,
    NoReportsList,
    RequiredFrom,
    RejectString,
    DmarcbisWalkMode,
    DmarcbisWalkModeFallback,
    DmarcbisIgnorePct,
    ReadCanonicalizedData,
}

/// What a parameter takes (opendmarc.conf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only the first octet counts: one of `TtYy1`, or one of `FfNn0` (C4).
    Boolean,
    /// A whole number as strtol(3) reads it: decimal, octal after a 0, hexadecimal after 0x.
    Integer,
    /// The rest of the line, without blanks at its ends.
    Text,
}

/// One spelling of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelling {
    /// As the documentation writes it; files may use any case (C3).
    pub name: &'static str,
    /// What it means.
    pub parameter: Parameter,
    /// What it takes.
    pub kind: Kind,
    /// The name that came in its place (C9).
    pub now: Option<&'static str>,
}

/// All spellings that some version understands, in the order of [`Parameter`].
pub const SPELLINGS: [Spelling; 54] = [
    is("AuthservID", P::AuthservId, Kind::Text),
    is("AuthservIDWithJobID", P::AuthservIdWithJobId, Kind::Boolean),
    is("AutoRestart", P::AutoRestart, Kind::Boolean),
    is("AutoRestartCount", P::AutoRestartCount, Kind::Integer),
    is("AutoRestartRate", P::AutoRestartRate, Kind::Text),
    is("Background", P::Background, Kind::Boolean),
    is("BaseDirectory", P::BaseDirectory, Kind::Text),
    is("ChangeRootDirectory", P::ChangeRootDirectory, Kind::Text),
    is("CopyFailuresTo", P::CopyFailuresTo, Kind::Text),
    is("DNSTimeout", P::DnsTimeout, Kind::Integer),
    is("EnableCoredumps", P::EnableCoredumps, Kind::Boolean),
    is("FailureReports", P::FailureReports, Kind::Boolean),
    was(
        "ForensicReports",
        P::FailureReports,
        Kind::Boolean,
        "FailureReports",
    ),
    is("FailureReportsBcc", P::FailureReportsBcc, Kind::Text),
    was(
        "ForensicReportsBcc",
        P::FailureReportsBcc,
        Kind::Text,
        "FailureReportsBcc",
    ),
    is("FailureReportsOnNone", P::FailureReportsOnNone, Kind::Boolean),
    was(
        "ForensicReportsOnNone",
        P::FailureReportsOnNone,
        Kind::Boolean,
        "FailureReportsOnNone",
    ),
    is("FailureReportsSentBy", P::FailureReportsSentBy, Kind::Text),
    was(
        "ForensicReportsSentBy",
        P::FailureReportsSentBy,
        Kind::Text,
        "FailureReportsSentBy",
    ),
    is("HistoryFile", P::HistoryFile, Kind::Text),
    is("IgnoreHosts", P::IgnoreHosts, Kind::Text),
    is("IgnoreMailFrom", P::IgnoreMailFrom, Kind::Text),
    is("MilterDebug", P::MilterDebug, Kind::Integer),
    is("PidFile", P::PidFile, Kind::Text),
    is("PublicSuffixList", P::PublicSuffixList, Kind::Text),
    is("RecordAllMessages", P::RecordAllMessages, Kind::Boolean),
    is("RejectFailures", P::RejectFailures, Kind::Boolean),
    is("ReportCommand", P::ReportCommand, Kind::Text),
    is("RequiredHeaders", P::RequiredHeaders, Kind::Boolean),
    is("Socket", P::Socket, Kind::Text),
    is("SoftwareHeader", P::SoftwareHeader, Kind::Boolean),
    is("SPFIgnoreResults", P::SpfIgnoreResults, Kind::Boolean),
    is("SPFSelfValidate", P::SpfSelfValidate, Kind::Boolean),
    is("Syslog", P::Syslog, Kind::Boolean),
    is("SyslogFacility", P::SyslogFacility, Kind::Text),
    is("TemporaryDirectory", P::TemporaryDirectory, Kind::Text),
    is("TrustedAuthservIDs", P::TrustedAuthservIds, Kind::Text),
    is("UMask", P::UMask, Kind::Integer),
    is("UserID", P::UserId, Kind::Text),
    is("DomainWhitelist", P::DomainWhitelist, Kind::Text),
    is("DomainWhitelistFile", P::DomainWhitelistFile, Kind::Text),
    is("DomainWhitelistSize", P::DomainWhitelistSize, Kind::Integer),
    is(
        "HoldQuarantinedMessages",
        P::HoldQuarantinedMessages,
        Kind::Boolean,
    ),
    is(
        "IgnoreAuthenticatedClients",
        P::IgnoreAuthenticatedClients,
        Kind::Boolean,
    ),
    is("RejectMultiValueFrom", P::RejectMultiValueFrom, Kind::Boolean),
    is("TestDNSData", P::TestDnsData, Kind::Text),
    is("IgnoreMailTo", P::IgnoreMailTo, Kind::Text),
    is("NoReportsList", P::NoReportsList, Kind::Text),
    is("RequiredFrom", P::RequiredFrom, Kind::Boolean),
    is("RejectString", P::RejectString, Kind::Text),
    is("DMARCbisWalkMode", P::DmarcbisWalkMode, Kind::Text),
    is(
        "DMARCbisWalkModeFallback",
        P::DmarcbisWalkModeFallback,
        Kind::Text,
    ),
    is("DMARCbisIgnorePct", P::DmarcbisIgnorePct, Kind::Boolean),
    is("ReadCanonicalizedData", P::ReadCanonicalizedData, Kind::Boolean),
];

const fn is(name: &'static str, parameter: Parameter, kind: Kind) -> Spelling {
    Spelling {
        name,
        parameter,
        kind,
        now: None,
    }
}

const fn was(name: &'static str, parameter: Parameter, kind: Kind, now: &'static str) -> Spelling {
    Spelling {
        now: Some(now),
        ..is(name, parameter, kind)
    }
}

/// The spelling that a file uses; names are compared without case (C3).
#[must_use]
pub fn spelling(name: &str) -> Option<&'static Spelling> {
    SPELLINGS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name))
}

impl Parameter {
    /// Its name as the documentation of the present OpenDMARC writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let written = SPELLINGS
            .iter()
            .find(|known| known.parameter == self && known.now.is_none());
        // Each has one: a test goes through them.
        written.map_or("", |known| known.name)
    }
}

/// The known name that a mistyped one most likely stands for: one letter too many, too few or wrong.
#[must_use]
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let typed = name.to_ascii_lowercase();
    let near = |known: &&Spelling| is_one_off(typed.as_bytes(), known.name.to_ascii_lowercase().as_bytes());
    SPELLINGS.iter().find(near).map(|known| known.name)
}

/// Whether the two differ in one place at most, where one of them may have an octet more.
fn is_one_off(a: &[u8], b: &[u8]) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let rest = |octets: &[u8], skipped: usize| octets.get(same + skipped..).map(<[u8]>::to_vec);
    let (whole_a, whole_b) = (rest(a, 0), rest(b, 0));
    let (less_a, less_b) = (rest(a, 1), rest(b, 1));
    whole_a == whole_b
        || (less_a.is_some() && less_a == less_b)
        || (less_a.is_some() && less_a == whole_b)
        || (less_b.is_some() && less_b == whole_a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c3_names_are_found_in_any_case() {
        for name in ["AuthservID", "authservid", "AUTHSERVID"] {
            assert_eq!(spelling(name).map(|found| found.parameter), Some(P::AuthservId));
        }
        assert_eq!(spelling("Authserv"), None);
    }

    /// C9: the seed writes both `EnableCoreDumps` and `EnableCoredumps`.
    #[test]
    fn c9_old_spellings_mean_the_new_parameters() {
        for (old, parameter) in [
            ("ForensicReports", P::FailureReports),
            ("ForensicReportsBcc", P::FailureReportsBcc),
            ("ForensicReportsOnNone", P::FailureReportsOnNone),
            ("ForensicReportsSentBy", P::FailureReportsSentBy),
            ("EnableCoreDumps", P::EnableCoredumps),
        ] {
            assert_eq!(
                spelling(old).map(|found| found.parameter),
                Some(parameter),
                "{old}"
            );
        }
    }

    #[test]
    fn each_name_is_there_once_and_each_parameter_has_one() {
        let mut names: Vec<_> = SPELLINGS
            .iter()
            .map(|known| known.name.to_ascii_lowercase())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SPELLINGS.len());
        assert!(SPELLINGS.iter().all(|known| !known.parameter.name().is_empty()));
        assert!(SPELLINGS.is_sorted_by_key(|known| known.parameter));
    }

    #[test]
    fn a_slip_of_one_letter_is_found() {
        assert_eq!(nearest("RejectFailure"), Some("RejectFailures"));
        assert_eq!(nearest("RejectFaillures"), Some("RejectFailures"));
        assert_eq!(nearest("rejectfsilures"), Some("RejectFailures"));
        assert_eq!(nearest("Reject"), None);
        assert_eq!(nearest(""), None);
    }
}
