//! The parameters that need no more than a line: what each comes to, by what the file says.

use landmarc_settings::{key, toml_string};

use super::draft::Draft;
use super::parameter::Parameter as P;

/// What a file says of a parameter.
enum Given {
    Anything,
    True,
    False,
    Nothing,
}

/// What comes of it.
enum Effect {
    /// The setting has the truth value of the line.
    Flag(&'static str),
    /// The setting has the text of the line.
    Text(&'static str),
    /// The setting has the path of the line, made absolute.
    Path(&'static str),
    /// The setting has the parts of the line.
    List(&'static str),
    /// The setting has this text.
    Set(&'static str, &'static str),
    /// The setting has this text although no line says so.
    Unasked(&'static str, &'static str),
    /// No line says so, and something is different.
    Differs,
    /// No setting, and why.
    Note,
    /// The same, and the operator should look at it.
    Warn,
}

use Effect::{Differs, Flag, List, Note, Path, Set, Text, Unasked, Warn};
use Given::{Anything, False, Nothing, True};

macro_rules! simple {
    ($($parameter:ident $given:ident => $effect:expr, $why:literal;)*) => {
        const SIMPLE: &[(P, Given, Effect, &str)] = &[$((P::$parameter, $given, $effect, $why)),*];
    };
}

simple! {
    AuthservIdWithJobId Anything => Flag(key!(authserv_id_with_job_id)),
        "Each field has the id then, that of a permanent error as well.";
    SoftwareHeader Anything => Flag(key!(software_header)), "";
    DomainWhitelistSize Anything => Note, "Lists have no size to be chosen here.";
    DmarcbisWalkModeFallback Anything => Note,
        "There is one way at a time (dmarc.discovery); dmarc.compare_rfc7489 logs what the other would have said.";
    DmarcbisIgnorePct True => Note, "RFC 9989 has no pct, and landmarc does not apply it.";
    DmarcbisIgnorePct False => Warn,
        "RFC 9989 has no pct, and landmarc does not apply it; dmarc.pct_zero_as_test takes pct=0 for the test mode.";
    ReadCanonicalizedData Anything => Note, "Messages are read as they come; nothing prepares them.";
    Syslog True => Set(key!(log.target), "syslog"), "One line for each message; the words are landmarc's own.";
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
    RejectFailures True => Set(key!(mode), "enforce"), "What a policy asks for is done.";
    RejectFailures True => Set(key!(action.reject), "always"),
        "On the policy alone, as OpenDMARC does. That goes beyond RFC 9989 §7.4 and costs mailing lists their \
         subscribers; \"evidence\" is better: it refuses where something beside the policy speaks for it.";
    RejectFailures True => Set(key!(failures.dns.action), "tempfail"),
        "A message that cannot be evaluated is deferred. It is never deferred because it could not be written down.";
    RejectFailures False => Set(key!(mode), "observe"), "Every message is judged and marked, none is refused.";
    RejectFailures Nothing => Unasked(key!(mode), "observe"),
        "The file has no RejectFailures: every message is judged and marked, none is refused. If another copy of it \
         has one (a published listing of the lines in force often lacks some), say \"enforce\".";
    HoldQuarantinedMessages True => Set(key!(action.quarantine), "hold"),
        "Kept in the hold queue of the mail server.";
    HoldQuarantinedMessages False => Set(key!(action.quarantine), "header"),
        "Delivered, and marked with a header field.";
    RequiredHeaders Anything => Flag(key!(action.required_header_fields)),
        "Such a message is refused in mode \"enforce\" only.";
    CopyFailuresTo Anything => Text(key!(action.copy_to)),
        "Added to messages whose policy asks for quarantine or reject and that go on all the same; one that is refused \
         has no recipients.";
    IgnoreMailFrom Anything => List(key!(clients.skip_author_domains)),
        "Anybody can write such a From field, and is let in by this. A rule that accepts, and names the client or the \
         signature as well, is better (docs/rules.md).";
    IgnoreAuthenticatedClients True => Flag(key!(clients.skip_authenticated)), "";
    IgnoreAuthenticatedClients False => Flag(key!(clients.skip_authenticated)),
        "Mail of users who have signed in is judged; \"true\" is better, for it comes from their own networks.";
    IgnoreAuthenticatedClients Nothing => Differs,
        "Mail of users who have signed in is not judged (clients.skip_authenticated), which OpenDMARC only does with \
         IgnoreAuthenticatedClients.";
    PublicSuffixList Anything => Path(key!(dmarc.public_suffix_list)),
        "Organizational Domains are found by the DNS Tree Walk (RFC 9989 §4.10), which needs no list; it only guards \
         against suffixes that do not mark themselves. Without the file the copy in the program serves.";
    PublicSuffixList Nothing => Differs,
        "The file has no PublicSuffixList: OpenDMARC then finds no policy for mail from a subdomain. landmarc finds it \
         by the DNS Tree Walk (RFC 9989 §4.10), so more messages have a policy now than before.";
    SpfIgnoreResults False => Note,
        "This is what OpenDMARC does without it; see authentication.spf above.";
    SpfSelfValidate False => Note,
        "This is what OpenDMARC does without it; see authentication.spf above.";
    HistoryFile Anything => Note,
        "Messages are written into the database of the service (store.directory). Bring in what is in the file, once or \
         any number of times: \"landmarc migrate opendmarc --history FILE\". If other programs read it, \"landmarc \
         history export\" writes one.";
    FailureReports Anything => Flag(key!(report.failure.enabled)),
        "The tag fo of the domain counts, destinations have limits and must agree to them, and addresses of others are \
         hidden (report.failure.redaction).";
    FailureReportsOnNone Anything => Flag(key!(report.failure.on_none)), "";
    IgnoreMailTo Anything => List(key!(report.own_addresses)),
        "Mail to these alone causes no report, so that two sites do not report about their reports forever.";
}

pub(super) fn translate(draft: &mut Draft<'_>) {
    for (parameter, given, effect, why) in SIMPLE {
        let (conf, parameter) = (draft.conf, *parameter);
        let text = conf.text(parameter);
        let applies = match given {
            Anything => text.is_some(),
            True => conf.flag(parameter) == Some(true),
            False => conf.flag(parameter) == Some(false),
            Nothing => text.is_none(),
        };
        match effect {
            _ if !applies => {}
            Flag(key) => draft.flag(parameter, key, why),
            Text(key) => drop(draft.set(parameter, key, text.unwrap_or_default(), why)),
            Path(key) => drop(draft.set(parameter, key, &conf.path(parameter).unwrap_or_default(), why)),
            List(key) => draft.set_list(parameter, key, conf.list(parameter), why),
            Set(key, text) => drop(draft.set(parameter, key, text, why)),
            Unasked(key, text) => draft.set_unasked(key, toml_string(text), why),
            Differs => draft.unasked(why),
            Note => draft.note(parameter, why),
            Warn => draft.warn(parameter, why),
        }
    }
}
