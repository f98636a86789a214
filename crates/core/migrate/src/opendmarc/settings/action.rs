//! What is done to mail: P37, P41.

use landmarc_settings::{key, toml_string};

use super::draft::Draft;
use super::parameter::Parameter as P;

/// Where OpenDMARC puts the Author Domain into its text (P41).
const DOMAIN: &str = "%s";

pub(super) fn translate(draft: &mut Draft<'_>) {
    quarantine(draft);
    text(draft);
}

/// P37.
fn quarantine(draft: &mut Draft<'_>) {
    let refuses = draft.conf.flag(P::RejectFailures) == Some(true);
    match draft.conf.flag(P::HoldQuarantinedMessages) {
        Some(true) if !refuses => draft.warn(
            P::HoldQuarantinedMessages,
            "OpenDMARC 1.4 holds nothing unless RejectFailures is set, and it is not.",
        ),
        None if refuses => draft.set_unasked(
            key!(action.quarantine),
            toml_string("header"),
            "OpenDMARC delivers such mail unless HoldQuarantinedMessages is set. It is marked with a header field besides.",
        ),
        _ => {}
    }
}

/// P41.
fn text(draft: &mut Draft<'_>) {
    let source = P::RejectString;
    let Some(theirs) = draft.conf.text(source) else {
        return;
    };
    if theirs.contains(['{', '}']) {
        draft.warn(
            source,
            "Not taken over: braces stand for what is filled in here. Set action.reject_text yourself.",
        );
        return;
    }
    draft.set(
        source,
        key!(action.reject_text),
        &theirs.replace(DOMAIN, "{author_domain}"),
        "\"({id})\" at its end would let people ask \"landmarc explain\".",
    );
    if theirs.matches(DOMAIN).count() != 1 {
        draft.warn(source, "OpenDMARC wants %s in it once.");
    }
}
