//! What is done to mail: P9, P23, P25, P37, P39, P41.

use super::draft::Draft;
use super::parameter::Parameter as P;

/// Where OpenDMARC puts the Author Domain into its text (P41).
const DOMAIN: &str = "%s";

pub(super) fn translate(draft: &mut Draft<'_>) {
    refusing(draft);
    quarantine(draft);
    text(draft);
    author(draft);
    copies(draft);
}

/// P23, M12, M15, contradiction 2 of the seeds: the most important switch there is.
fn refusing(draft: &mut Draft<'_>) {
    let source = P::RejectFailures;
    match draft.conf.flag(source) {
        Some(true) => {
            draft.set(source, ("", "mode"), "enforce", "What a policy asks for is done.");
            draft.set(
                source,
                ("action", "reject"),
                "always",
                "On the policy alone, as OpenDMARC does. That goes beyond RFC 9989 §7.4 and costs mailing lists their \
                 subscribers; \"evidence\" is better: it refuses where something beside the policy speaks for it.",
            );
            draft.set(
                source,
                ("failures.dns", "action"),
                "tempfail",
                "A message that cannot be evaluated is put off. It is never put off because it could not be written down.",
            );
        }
        Some(false) => {
            draft.set(
                source,
                ("", "mode"),
                "observe",
                "Every message is judged and marked, none is refused.",
            );
        }
        None => {
            draft.set_unasked(
                ("", "mode"),
                "observe",
                "The file has no RejectFailures: every message is judged and marked, none is refused. If another copy of it \
                 has one (a published listing of the lines in force often lacks some), say \"enforce\".",
            );
        }
    }
}

/// P37.
fn quarantine(draft: &mut Draft<'_>) {
    const KEY: (&str, &str) = ("action", "quarantine");
    let refuses = draft.conf.flag(P::RejectFailures) == Some(true);
    match draft.conf.flag(P::HoldQuarantinedMessages) {
        Some(true) => {
            draft.set(P::HoldQuarantinedMessages, KEY, "hold", "Kept in the hold queue of the mail server.");
            if !refuses {
                draft.warn(
                    P::HoldQuarantinedMessages,
                    "OpenDMARC 1.4 holds nothing unless RejectFailures is set, and it is not.",
                );
            }
        }
        Some(false) => {
            draft.set(P::HoldQuarantinedMessages, KEY, "header", "Delivered, and marked with a header field.");
        }
        None if refuses => draft.set_unasked(
            KEY,
            "header",
            "OpenDMARC delivers such mail unless HoldQuarantinedMessages is set. It is marked with a header field besides.",
        ),
        None => {}
    }
}

/// P41.
fn text(draft: &mut Draft<'_>) {
    let source = P::RejectString;
    let Some(theirs) = draft.conf.text(source) else {
        return;
    };
    let ours = theirs.replace(DOMAIN, "{author_domain}");
    let has_domain = theirs.matches(DOMAIN).count() == 1;
    let has_braces = theirs.contains(['{', '}']);
    if has_braces {
        draft.warn(
            source,
            "Not taken over: braces stand for what is filled in here. Set action.reject_text yourself.",
        );
        return;
    }
    draft.set(
        source,
        ("action", "reject_text"),
        ours,
        "\"({id})\" at its end would let people ask \"landmarc explain\".",
    );
    if !has_domain {
        draft.warn(source, "OpenDMARC wants %s in it once.");
    }
}

/// P25, P39, P41, M9 to M11.
fn author(draft: &mut Draft<'_>) {
    draft.flag(
        P::RequiredHeaders,
        ("action", "required_header_fields"),
        "Such a message is refused in mode \"enforce\" only.",
    );
}

/// P9.
fn copies(draft: &mut Draft<'_>) {
    if let Some(address) = draft.conf.text(P::CopyFailuresTo).map(str::to_owned) {
        draft.set(
            P::CopyFailuresTo,
            ("action", "copy_to"),
            address,
            "Added to messages whose policy asks for quarantine or reject and that go on all the same; one that is refused has \
             no recipients.",
        );
    }
}
