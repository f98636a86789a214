//! The parameters of opendmarc.conf: how they are spelled, what they take, and since when.

use Parameter as P;

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

macro_rules! parameters {
    ($($Parameter:ident $Kind:ident $name:literal $(was $old:literal)?,)*) => {
        /// A parameter, whatever spelling a file uses. The order is that of the checklist, P1 to P42.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(
            missing_docs,
            reason = "the names are OpenDMARC's own, and each is explained in docs/from-opendmarc.md"
        )]
        pub enum Parameter {
            $($Parameter,)*
        }

        /// All spellings that some version understands, in the order of [`Parameter`].
        pub const SPELLINGS: &[Spelling] = &[$(
            Spelling { name: $name, parameter: P::$Parameter, kind: Kind::$Kind, now: None },
            $(Spelling { name: $old, parameter: P::$Parameter, kind: Kind::$Kind, now: Some($name) },)?
        )*];
    };
}

parameters! {
    AuthservId Text "AuthservID",
    AuthservIdWithJobId Boolean "AuthservIDWithJobID",
    AutoRestart Boolean "AutoRestart",
    AutoRestartCount Integer "AutoRestartCount",
    AutoRestartRate Text "AutoRestartRate",
    Background Boolean "Background",
    BaseDirectory Text "BaseDirectory",
    ChangeRootDirectory Text "ChangeRootDirectory",
    CopyFailuresTo Text "CopyFailuresTo",
    DnsTimeout Integer "DNSTimeout",
    EnableCoredumps Boolean "EnableCoredumps",
    FailureReports Boolean "FailureReports" was "ForensicReports",
    FailureReportsBcc Text "FailureReportsBcc" was "ForensicReportsBcc",
    FailureReportsOnNone Boolean "FailureReportsOnNone" was "ForensicReportsOnNone",
    FailureReportsSentBy Text "FailureReportsSentBy" was "ForensicReportsSentBy",
    HistoryFile Text "HistoryFile",
    IgnoreHosts Text "IgnoreHosts",
    IgnoreMailFrom Text "IgnoreMailFrom",
    MilterDebug Integer "MilterDebug",
    PidFile Text "PidFile",
    PublicSuffixList Text "PublicSuffixList",
    RecordAllMessages Boolean "RecordAllMessages",
    RejectFailures Boolean "RejectFailures",
    ReportCommand Text "ReportCommand",
    RequiredHeaders Boolean "RequiredHeaders",
    Socket Text "Socket",
    SoftwareHeader Boolean "SoftwareHeader",
    SpfIgnoreResults Boolean "SPFIgnoreResults",
    SpfSelfValidate Boolean "SPFSelfValidate",
    Syslog Boolean "Syslog",
    SyslogFacility Text "SyslogFacility",
    TemporaryDirectory Text "TemporaryDirectory",
    TrustedAuthservIds Text "TrustedAuthservIDs",
    UMask Integer "UMask",
    UserId Text "UserID",
    DomainWhitelist Text "DomainWhitelist",
    DomainWhitelistFile Text "DomainWhitelistFile",
    DomainWhitelistSize Integer "DomainWhitelistSize",
    HoldQuarantinedMessages Boolean "HoldQuarantinedMessages",
    IgnoreAuthenticatedClients Boolean "IgnoreAuthenticatedClients",
    RejectMultiValueFrom Boolean "RejectMultiValueFrom",
    TestDnsData Text "TestDNSData",
    IgnoreMailTo Text "IgnoreMailTo",
    NoReportsList Text "NoReportsList",
    RequiredFrom Boolean "RequiredFrom",
    RejectString Text "RejectString",
    DmarcbisWalkMode Text "DMARCbisWalkMode",
    DmarcbisWalkModeFallback Text "DMARCbisWalkModeFallback",
    DmarcbisIgnorePct Boolean "DMARCbisIgnorePct",
    ReadCanonicalizedData Boolean "ReadCanonicalizedData",
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

/// The known name that a mistyped one most likely stands for.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let names = SPELLINGS.iter().map(|known| known.name.to_ascii_lowercase());
    let near = landmarc_settings::nearest_of(&name.to_ascii_lowercase(), names)?;
    spelling(&near).map(|known| known.name)
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
