//! The parameters that need no more than a line: what each comes to, by what the file says.

use super::draft::Draft;
use super::parameter::Parameter as P;

/// What a file says of a parameter.
enum Given {
    Anything,
    True,
    False,
}

/// What comes of it.
enum Effect {
    /// The setting of this table and name has the truth value of the line.
    Flag(&'static str, &'static str),
    /// The setting of this table and name has this text.
    Set(&'static str, &'static str, &'static str),
    /// No setting, and why.
    Note,
    /// The same, and the operator should look at it.
    Warn,
}

use Effect::{Flag, Note, Set, Warn};
use Given::{Anything, False, True};

macro_rules! simple {
    ($($parameter:ident $given:ident => $effect:expr, $why:literal;)*) => {
        const SIMPLE: &[(P, Given, Effect, &str)] = &[$((P::$parameter, $given, $effect, $why)),*];
    };
}

simple! {
    AuthservIdWithJobId Anything => Flag("", "authserv_id_with_job_id"),
        "Each field has the id then, that of a permanent error as well.";
    SoftwareHeader Anything => Flag("", "software_header"), "";
    DomainWhitelistSize Anything => Note, "Lists have no size to be chosen here.";
    DmarcbisWalkModeFallback Anything => Note,
        "There is one way at a time (dmarc.discovery); dmarc.compare_rfc7489 logs what the other would have said.";
    DmarcbisIgnorePct True => Note, "RFC 9989 has no pct, and landmarc does not apply it.";
    DmarcbisIgnorePct False => Warn,
        "RFC 9989 has no pct, and landmarc does not apply it; dmarc.pct_zero_as_test takes pct=0 for the test mode.";
    ReadCanonicalizedData Anything => Note, "Messages are read as they come; nothing prepares them.";
    Syslog True => Set("log", "target", "syslog"), "One line for each message; the words are landmarc's own.";
    Syslog False => Note, "The log goes to the journal under systemd, and to standard error without.";
    PidFile Anything => Note,
        "systemd knows the process without a file. Started as \"opendmarc\", landmarc writes it; where the service file \
         gives another one with -P, that one counts.";
    TemporaryDirectory Anything => Warn,
        "No temporary files are written; OpenDMARC itself has not known it since 1.3.1.";
    TestDnsData Anything => Note,
        "For tests: \"landmarc check --dns FILE\" answers from a file of zones, and \"opendmarc -t\" reads this one.";
    BaseDirectory Anything => Note, "Paths above that were relative to it are written out.";
    AutoRestart Anything => Note,
        "Left to systemd: Restart=on-failure. A bug ends one session here, not the service. Started as \"opendmarc\", \
         landmarc does it as before.";
    AutoRestartCount Anything => Note,
        "Left to systemd: StartLimitBurst=; started as \"opendmarc\", landmarc counts as before.";
    AutoRestartRate Anything => Note,
        "Left to systemd: StartLimitBurst= and StartLimitIntervalSec=; started as \"opendmarc\", landmarc counts as \
         before.";
    Background Anything => Note,
        "\"landmarc serve\" stays in the foreground, and tells systemd when it is ready (Type=notify). Started as \
         \"opendmarc\", it does as this line says.";
    ChangeRootDirectory Anything => Note,
        "Left to systemd: ProtectSystem=strict and the other lines of the unit in docs/install.md. Paths above are not \
         changed: check that they are those outside.";
    EnableCoredumps Anything => Note, "Left to systemd: LimitCORE=infinity.";
    RejectMultiValueFrom Anything => Note,
        "Each domain of a From field is evaluated, and the strictest policy counts, so several domains are no way around \
         DMARC.";
    RequiredFrom True => Warn,
        "A From field that cannot be read is refused (action.unusable_author). To refuse mail that has none, set \
         action.required_header_fields, which counts the other fields too.";
    RequiredFrom False => Note, "This is what landmarc does.";
    RecordAllMessages True => Note, "Every message is written down, and why it was judged as it was.";
    RecordAllMessages False => Note,
        "Every message is written down; reports still go only to domains that ask for them. store.observations = false \
         keeps the counts alone.";
}

pub(super) fn translate(draft: &mut Draft<'_>) {
    for (parameter, given, effect, why) in SIMPLE {
        let applies = match given {
            Anything => draft.conf.text(*parameter).is_some(),
            True => draft.conf.flag(*parameter) == Some(true),
            False => draft.conf.flag(*parameter) == Some(false),
        };
        match effect {
            _ if !applies => {}
            Flag(table, name) => draft.flag(*parameter, (table, name), why),
            Set(table, name, text) => drop(draft.set(*parameter, (table, name), *text, why)),
            Note => draft.note(*parameter, why),
            Warn => draft.warn(*parameter, why),
        }
    }
}
