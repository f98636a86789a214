//! Whose name results bear, and whose results are believed: P1, P2, P27 to P29, P33, P36.

use landmarc_settings::{key, toml_string};

use super::draft::Draft;
use super::parameter::Parameter as P;

/// The word that OpenDMARC replaces by the name of its host.
const HOSTNAME: &str = "HOSTNAME";

/// Our own eyes, once nobody ahead of us looks.
const ONCE_ALONE: &str =
    "Once the milters ahead of it are gone, take out this line: landmarc then looks itself.";

pub(super) fn translate(draft: &mut Draft<'_>) {
    names(draft);
    spf(draft);
    dkim(draft);
    trusted_ids(draft);
    sealers(draft);
}

fn names(draft: &mut Draft<'_>) {
    if let Some(name) = draft.conf.text(P::AuthservId) {
        let why = match name.eq_ignore_ascii_case(HOSTNAME) {
            true => "HOSTNAME is the name of this host, as it was when this was translated.",
            false => "Fields in this name that come from outside are removed as forged.",
        };
        let name = draft.host_or(name);
        draft.set(P::AuthservId, key!(authserv_id), &name, why);
    }
}

/// P28, P29. Results of others are as good as the trust in whoever can write them; a look of our own is
/// better wherever nothing is lost by it.
fn spf(draft: &mut Draft<'_>) {
    const KEY: &str = key!(authentication.spf);
    let ignores = draft.conf.flag(P::SpfIgnoreResults) == Some(true);
    let looks = draft.conf.flag(P::SpfSelfValidate) == Some(true);
    match (ignores, looks) {
        (true, true) => {
            draft.set(
                P::SpfIgnoreResults,
                KEY,
                "self",
                "SPF is checked here, and no other result is read.",
            );
            draft.note(P::SpfSelfValidate, "It is part of authentication.spf above.");
        }
        (true, false) => {
            draft.set(
                P::SpfIgnoreResults,
                KEY,
                "self",
                "Alone it left DMARC without any SPF result; landmarc checks SPF itself.",
            );
        }
        (false, true) => {
            let why = format!(
                "Results of others come first, and where there are none it looks itself. {ONCE_ALONE}"
            );
            draft.set(P::SpfSelfValidate, KEY, "upstream-then-self", &why);
        }
        (false, false) => {
            let why = format!(
                "OpenDMARC took SPF results from the fields of the milters ahead of it. So does this, and looks \
                 itself where there are none. {ONCE_ALONE}"
            );
            draft.set_unasked(KEY, toml_string("upstream-then-self"), &why);
        }
    }
    if !ignores {
        draft.set_unasked(
            key!(authentication.received_spf),
            "true",
            "OpenDMARC falls back on Received-SPF; here its identity is told apart (mailfrom, helo).",
        );
    }
}

/// OpenDMARC never verifies a signature itself.
fn dkim(draft: &mut Draft<'_>) {
    let why = format!(
        "OpenDMARC could not verify signatures; it believed the milter ahead of it. So does this, and verifies \
         them itself where nothing is said of them. {ONCE_ALONE}"
    );
    draft.set_unasked(key!(authentication.dkim), toml_string("upstream-then-self"), &why);
}

/// P33. Our list has to name our own name as well; theirs always trusts it (A1).
fn trusted_ids(draft: &mut Draft<'_>) {
    if draft.conf.text(P::TrustedAuthservIds).is_none() {
        return;
    }
    let own = draft.conf.text(P::AuthservId).unwrap_or(HOSTNAME);
    let ids = draft.conf.list(P::TrustedAuthservIds).into_iter();
    let ids: Vec<_> = ids.chain([own.to_owned()]).map(|id| draft.host_or(&id)).collect();
    draft.set_list(
        P::TrustedAuthservIds,
        key!(authentication.trusted_authserv_ids),
        ids,
        "OpenDMARC believes its own name too, so it is in this list. They are compared without case, which its \
         version 1.4 does not do.",
    );
}

/// P36: the sealers that an ARC chain is believed from.
fn sealers(draft: &mut Draft<'_>) {
    const KEY: &str = key!(arc.trusted_sealers);
    const WHY: &str = "A chain of theirs softens what is done to a message that fails, and DMARC still fails; the \
                       aggregate report says so.";
    let mut sealers = draft.conf.list(P::DomainWhitelist);
    let is_listed = draft.conf.text(P::DomainWhitelist).is_some();
    let mut source = is_listed.then_some(P::DomainWhitelist);
    let is_named = draft.conf.text(P::DomainWhitelistFile).is_some();
    match draft.lines_of(P::DomainWhitelistFile) {
        Some(lines) => {
            sealers.extend(lines);
            if source.is_some() {
                draft.note(
                    P::DomainWhitelistFile,
                    "Its domains are part of arc.trusted_sealers above.",
                );
            }
            source = source.or(Some(P::DomainWhitelistFile));
        }
        None if is_named => draft.warn(
            P::DomainWhitelistFile,
            "The file could not be read while this was translated: arc.trusted_sealers is its list.",
        ),
        None => {}
    }
    if let Some(source) = source {
        draft.set_list(source, KEY, sealers, WHY);
        draft.set_unasked(
            key!(authentication.arc),
            toml_string("upstream-then-self"),
            "OpenDMARC believed what the milter ahead of it said of ARC; landmarc can validate a chain itself.",
        );
    }
}

impl Draft<'_> {
    /// The name, or that of the host where it is the word for it.
    fn host_or(&self, name: &str) -> String {
        if name.eq_ignore_ascii_case(HOSTNAME) {
            self.site.host_name.clone()
        } else {
            name.to_owned()
        }
    }
}
