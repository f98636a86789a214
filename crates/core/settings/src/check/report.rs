//! What must hold between the keys of reporting.

use super::{Check, check};
use crate::Settings;
use crate::keys::{DeliveryBy, RelayTls};
use crate::mistake::{Mistake, MistakeKind};

/// One RSA key, which every receiver can verify, and one Ed25519 key (RFC 8463 §3).
const MAX_DKIM_KEYS: usize = 2;

/// The longest name of an organization, and line that says how to reach it, in octets.
const MAX_LINE_OCTETS: usize = 256;

/// The longest local part (RFC 5321 §4.5.3.1.1), in octets.
const MAX_LOCAL_PART_OCTETS: usize = 64;

/// What a return path is given beside its own local part, in octets: the delimiter, and a token of
/// at most 24 that names the message.
const TOKEN_OCTETS: usize = 1 + 24;

/// What a program for messages has filled in.
const RECIPIENT: &str = "{recipient}";
const PLACEHOLDERS: [&str; 2] = ["{return_path}", RECIPIENT];

/// The checks of `[report]` and below.
pub(super) const CHECKS: [Check; 8] = [
    check!(organization: report.organization),
    check!(contact: report.contact),
    check!(dkim_keys: report.dkim_keys),
    check!(return_path: report.email, report.return_path, report.return_path_delimiter),
    check!(directory: report.delivery.by, report.delivery.directory),
    check!(sign_in: report.delivery.user, report.delivery.password_file),
    check!(
        password_in_the_clear: report.delivery.by, report.delivery.relay, report.delivery.tls, report.delivery.user
    ),
    check!(sendmail: report.delivery.sendmail),
];

fn organization(settings: &Settings) -> Option<Mistake> {
    let text = settings.report.organization.as_deref();
    too_long(settings, key!(report.organization), text)
}

fn contact(settings: &Settings) -> Option<Mistake> {
    too_long(settings, key!(report.contact), settings.report.contact.as_deref())
}

/// What stands in each report is a name or a line, and no page.
fn too_long(settings: &Settings, key: &str, text: Option<&str>) -> Option<Mistake> {
    let octets = text.map_or(0, str::len);
    (octets > MAX_LINE_OCTETS).then(|| {
        let why = format!("it has {octets} octets; at most {MAX_LINE_OCTETS} fit into a report");
        settings.refuse(key, None, why)
    })
}

fn dkim_keys(settings: &Settings) -> Option<Mistake> {
    let (key, keys) = (key!(report.dkim_keys), &settings.report.dkim_keys);
    if keys.len() > MAX_DKIM_KEYS {
        let wrong = MistakeKind::TooMany {
            found: keys.len(),
            what: "keys",
            most: MAX_DKIM_KEYS,
        };
        return Some(Mistake {
            place: settings.written.place(key),
            key: key.to_owned(),
            wrong,
        });
    }
    match keys.as_slice() {
        [first, second] if first.selector() == second.selector() => {
            let why = format!(
                "the selector {} has two keys; a selector has one (RFC 6376 §3.6.2.2)",
                second.selector()
            );
            Some(settings.refuse(key, Some(1), why))
        }
        _ => None,
    }
}

/// A token must fit behind the local part of the return path, and needs one without quotes.
fn return_path(settings: &Settings) -> Option<Mistake> {
    let report = &settings.report;
    let key = match &report.return_path {
        Some(_) => key!(report.return_path),
        None => key!(report.email),
    };
    report.return_path_delimiter?;
    let local_part = report.bounces()?.local_part();
    let why = if local_part.starts_with('"') {
        "what is in quotes before its \"@\" cannot take a token of ours; set report.return_path to another address"
            .to_owned()
    } else if local_part.len() + TOKEN_OCTETS > MAX_LOCAL_PART_OCTETS {
        format!(
            "it has {} octets before its \"@\", and a token of ours leaves room for {}; set report.return_path \
             to a shorter address",
            local_part.len(),
            MAX_LOCAL_PART_OCTETS - TOKEN_OCTETS
        )
    } else {
        return None;
    };
    Some(settings.refuse(key, None, why))
}

fn directory(settings: &Settings) -> Option<Mistake> {
    let delivery = &settings.report.delivery;
    let is_missing = delivery.by == DeliveryBy::Directory && delivery.directory.is_none();
    is_missing.then(|| {
        let why =
            "\"directory\" needs report.delivery.directory, the directory that messages are written into";
        settings.refuse(key!(report.delivery.by), None, why)
    })
}

fn sign_in(settings: &Settings) -> Option<Mistake> {
    let delivery = &settings.report.delivery;
    match (&delivery.user, &delivery.password_file) {
        (Some(_), None) => {
            let why = "signing in needs report.delivery.password_file too";
            Some(settings.refuse(key!(report.delivery.user), None, why))
        }
        (None, Some(_)) => {
            let why = "a password is of no use without report.delivery.user";
            Some(settings.refuse(key!(report.delivery.password_file), None, why))
        }
        _ => None,
    }
}

/// RFC 4954 §4: a password in the clear is for whoever listens. Encryption that is not insisted on
/// is taken away by whoever wants to.
fn password_in_the_clear(settings: &Settings) -> Option<Mistake> {
    let delivery = &settings.report.delivery;
    let is_safe = match delivery.tls {
        RelayTls::Required | RelayTls::Implicit => true,
        RelayTls::None | RelayTls::Opportunistic => delivery.relay.is_loopback(),
    };
    let sends_password = delivery.by == DeliveryBy::Smtp && delivery.user.is_some();
    (sends_password && !is_safe).then(|| {
        let why = format!(
            "the password would go to {} in the clear: report.delivery.tls must be \"required\" or \"implicit\"",
            delivery.relay.host()
        );
        settings.refuse(key!(report.delivery.user), None, why)
    })
}

fn sendmail(settings: &Settings) -> Option<Mistake> {
    let key = key!(report.delivery.sendmail);
    let words = &settings.report.delivery.sendmail;
    let Some((program, arguments)) = words.split_first() else {
        return Some(settings.refuse(key, None, "there is no program in it"));
    };
    if !program.starts_with('/') {
        let why = "the program must be a path that starts with \"/\"";
        return Some(settings.refuse(key, Some(0), why));
    }
    if let Some(item) = words.iter().position(|word| has_unknown_placeholder(word)) {
        let why = format!(
            "it has braces that mean nothing; there are {}",
            PLACEHOLDERS.join(" and ")
        );
        return Some(settings.refuse(key, Some(item), why));
    }
    let has_recipient = arguments.iter().any(|word| word.contains(RECIPIENT));
    (!has_recipient).then(|| {
        let why = format!(
            "{RECIPIENT} is in none of its arguments, so the program would not know whom to write to"
        );
        settings.refuse(key, None, why)
    })
}

fn has_unknown_placeholder(word: &str) -> bool {
    let rest = PLACEHOLDERS
        .iter()
        .fold(word.to_owned(), |rest, known| rest.replace(known, ""));
    rest.contains(['{', '}'])
}
