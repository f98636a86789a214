//! How the service runs: P3 to P8, P10, P11, P19 to P21, P26, P30 to P32, P34, P35, P40, P42.

use landmarc_mail::text::quoted;
use landmarc_settings::{key, toml_string};

use super::draft::Draft;
use super::parameter::Parameter as P;
use super::socket;
use crate::file::toml_list;

/// Directories that are empty after the next start of the machine.
const VOLATILE: [&str; 3] = ["/var/run/", "/run/", "/tmp/"];

/// All that our settings allow one question to take, in seconds.
const MAX_QUESTION_S: i64 = 60;
/// What all questions of a message together may take if nothing is said, in seconds (decision D11).
const MESSAGE_S: i64 = 20;

/// The facilities that our log knows (P31).
const FACILITIES: [&str; 12] = [
    "user", "mail", "daemon", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

pub(super) fn translate(draft: &mut Draft<'_>) {
    socket(draft);
    umask(draft);
    account(draft);
    dns(draft);
    walk(draft);
    log(draft);
    draft.set_unasked(
        key!(web.listen),
        "[]",
        "OpenDMARC has no such port. [\"127.0.0.1:8895\"] has metrics, and says whether the service is well.",
    );
}

/// P26.
fn socket(draft: &mut Draft<'_>) {
    let Some(spelling) = draft.conf.text(P::Socket) else {
        draft.unasked(
            "The file has no Socket, so the one that landmarc listens on by default is in force: inet:127.0.0.1:8894. If \
             the service file or /etc/default/opendmarc gives one with -p, set milter.listen to it.",
        );
        return;
    };
    let Some(ours) = draft.conf.our_socket(spelling) else {
        // The reader has told of it.
        return;
    };
    let is_exposed = ours == spelling && !socket::is_local(spelling);
    draft.set_toml(
        P::Socket,
        key!(milter.listen),
        toml_list(&[ours]),
        "The mail server needs no change.",
    );
    if is_exposed {
        draft.warn(
            P::Socket,
            "Without a host every host that reaches the port can speak to it.",
        );
    }
}

/// P34: a socket can be used by whoever may write to it, so execution is nobody's concern.
fn umask(draft: &mut Draft<'_>) {
    const ALL: i64 = 0o777;
    const READ_AND_WRITE: i64 = 0o666;
    let Some(entry) = draft.conf.entry(P::UMask) else {
        return;
    };
    let (written, Some(mask)) = (entry.value.clone(), entry.number()) else {
        return;
    };
    if !(0..=ALL).contains(&mask) {
        draft.warn(
            P::UMask,
            "Not taken over: a mask is a number from 0 to 0777, in octal.",
        );
        return;
    }
    if is_decimal(&written) && mask > 7 {
        let meant = format!(
            "Without a 0 in front OpenDMARC reads {written} as a decimal number, which is the mask {mask:04o}."
        );
        draft.warn(P::UMask, &meant);
    }
    if draft.conf.text(P::Socket).is_some_and(socket::is_local) {
        let mode = format!("{:04o}", READ_AND_WRITE & !mask);
        draft.set(
            P::UMask,
            key!(milter.socket_mode),
            &mode,
            "What the mask leaves of a socket's permissions.",
        );
    } else {
        draft.note(
            P::UMask,
            "A port has no permissions. The history file, which it was for as well, is a database now that only the \
             service and its group can read.",
        );
    }
}

fn is_decimal(written: &str) -> bool {
    !written.starts_with('0')
}

/// P35.
fn account(draft: &mut Draft<'_>) {
    let Some((user, group)) = draft.conf.account() else {
        return;
    };
    draft.set(
        P::UserId,
        key!(server.user),
        user,
        "Whom the service becomes when root starts it. Where its unit has User=, that must be the same; or take this out.",
    );
    if let Some(group) = group {
        draft.set(P::UserId, key!(server.group), group, "The group of that line.");
    }
    for name in [Some(user), group].into_iter().flatten() {
        if draft.site.unknown_accounts.iter().any(|unknown| unknown == name) {
            let what = format!(
                "This system has no {}: make it before the service starts, or name another one.",
                quoted(name)
            );
            draft.warn(P::UserId, &what);
        }
    }
}

/// P10. OpenDMARC has a limit for one question; what all of a message may take comes to that.
fn dns(draft: &mut Draft<'_>) {
    let Some(seconds) = draft.conf.number(P::DnsTimeout) else {
        return;
    };
    let seconds = match seconds {
        ..0 => {
            draft.warn(P::DnsTimeout, "Not taken over: no time is less than none.");
            return;
        }
        0 => {
            draft.warn(
                P::DnsTimeout,
                "0 waits forever, which no mail server does; this is the longest there is.",
            );
            MAX_QUESTION_S
        }
        seconds if seconds > MAX_QUESTION_S => {
            draft.warn(
                P::DnsTimeout,
                "This is the longest that one question may take here.",
            );
            MAX_QUESTION_S
        }
        seconds => seconds,
    };
    if seconds > MESSAGE_S {
        draft.set_unasked(
            key!(dns.message_timeout),
            toml_string(&format!("{seconds}s")),
            "All questions of one message; at least as long as one may take, and less than the mail server waits.",
        );
    }
    draft.set(
        P::DnsTimeout,
        key!(dns.question_timeout),
        &format!("{seconds}s"),
        "The time limit of one question, with its repetitions; those of one message together have dns.message_timeout.",
    );
}

/// P42.
fn walk(draft: &mut Draft<'_>) {
    let source = P::DmarcbisWalkMode;
    let Some(mode) = draft.conf.text(source).map(str::to_ascii_lowercase) else {
        return;
    };
    let (word, why) = match mode.as_str() {
        "psl" | "rfc7489" => ("psl", "By the public suffix list, as RFC 7489 has it."),
        "auto" | "rfc9989" => ("treewalk", "By the DNS Tree Walk, as RFC 9989 has it."),
        _ => {
            return draft.warn(source, "Not taken over: it knows Auto, PSL, RFC7489 and RFC9989.");
        }
    };
    draft.set(source, key!(dmarc.discovery), word, why);
}

/// P30, P31, P19, L7.
fn log(draft: &mut Draft<'_>) {
    if let Some(facility) = draft.conf.text(P::SyslogFacility).map(str::to_ascii_lowercase) {
        if FACILITIES.contains(&facility.as_str()) {
            draft.set(P::SyslogFacility, key!(log.syslog_facility), &facility, "");
        } else {
            let shown = quoted(&facility);
            draft.warn(
                P::SyslogFacility,
                &format!("{shown} is none that landmarc writes to, so its log stays with mail."),
            );
        }
    }
    if let Some(level) = draft.conf.number(P::MilterDebug) {
        draft.note(
            P::MilterDebug,
            match level {
                0 => "landmarc speaks the milter protocol itself and has no library to be debugged.",
                _ => {
                    "landmarc speaks the milter protocol itself and has no library to be debugged; log.level = \"debug\" tells \
                     why each message was judged as it was, and \"landmarc explain\" does so at any time."
                }
            },
        );
    }
}

/// Whether what is there is gone after the next start of the machine.
pub(super) fn is_volatile(path: &str) -> bool {
    VOLATILE.iter().any(|directory| path.starts_with(directory))
}
