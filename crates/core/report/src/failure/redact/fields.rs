//! Which field is shown how. What is not in the table keeps its name only.

use landmarc_mail::DomainName;
use landmarc_mail::message::HeaderField;

use super::addresses::{mailbox, mailboxes, without_comments};
use super::received::{ip_address, received, shown_date};
use super::results::{arc, authentication_results, received_spf, signature};
use super::text::{field, field_name, one_of};
use super::{MessageRedaction, REDACTED};
use crate::failure::facts::before_parameters;
use crate::mime;

/// The most message ids, and URIs, of one field that are shown.
const MAX_ITEMS: usize = 100;
/// The longest media type that is shown.
const MAX_TYPE_OCTETS: usize = 100;
/// The transfer encodings of RFC 2045 §6.1.
const ENCODINGS: &str = "7bit 8bit binary base64 quoted-printable";
/// The values of fields that have a few words to choose from.
const WORDS: &str = "no yes auto-generated auto-replied auto-notified bulk list junk first-class low normal high \
    urgent non-urgent 1 2 3 4 5 inline attachment personal private company-confidential oof all none 1.0";

/// How a field is read, and what of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldKind {
    /// Addresses: tokens for the local parts.
    Addresses,
    /// One address in angle brackets, or `<>`.
    Path,
    /// Message ids: tokens for what is left of the `@`, which may be anything.
    MessageIds,
    Received,
    Date,
    Signature,
    Arc,
    AuthenticationResults,
    ReceivedSpf,
    /// The id of a list: a token for its first label, which is the local part of its address.
    ListId,
    /// URIs of a list: addresses, or the host of a link.
    Uris,
    MediaType,
    Encoding,
    /// One word of a few.
    Word,
    IpAddress,
    Subject,
    Unknown,
}

/// The fields of each kind, in lower case.
const FIELDS: [(FieldKind, &str); 16] = [
    (
        FieldKind::Addresses,
        "apparently-to bcc cc delivered-to disposition-notification-to envelope-to errors-to from \
         mail-followup-to mail-reply-to mailing-list original-from original-recipient reply-to resent-bcc \
         resent-cc resent-from resent-sender resent-to return-receipt-to sender to x-beenthere \
         x-envelope-to x-forwarded-for x-forwarded-to x-original-from x-original-to x-rcpt-to x-sender",
    ),
    (FieldKind::Path, "return-path x-envelope-from"),
    (
        FieldKind::MessageIds,
        "in-reply-to message-id references resent-message-id",
    ),
    (FieldKind::Received, "received x-received"),
    (FieldKind::Date, "date delivery-date resent-date"),
    (FieldKind::Signature, "dkim-signature"),
    (FieldKind::Arc, "arc-message-signature arc-seal"),
    (
        FieldKind::AuthenticationResults,
        "arc-authentication-results authentication-results authentication-results-original",
    ),
    (FieldKind::ReceivedSpf, "received-spf"),
    (FieldKind::ListId, "list-id"),
    (
        FieldKind::Uris,
        "archived-at list-archive list-help list-owner list-post list-subscribe list-unsubscribe",
    ),
    (FieldKind::MediaType, "content-type"),
    (FieldKind::Encoding, "content-transfer-encoding"),
    (
        FieldKind::Word,
        "auto-submitted content-disposition importance mime-version precedence priority sensitivity \
         x-auto-response-suppress x-priority x-spam-flag",
    ),
    (FieldKind::IpAddress, "x-originating-ip x-sender-ip"),
    (FieldKind::Subject, "subject"),
];

impl FieldKind {
    fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let is_of = |(_, names): &&(Self, &str)| names.split(' ').any(|known| known == lower);
        FIELDS.iter().find(is_of).map_or(Self::Unknown, |(kind, _)| *kind)
    }
}

/// Whether the field shows addresses with their domains. What stands behind the `@` of a message id is no
/// domain of mail, but whatever a machine is called.
pub(super) fn holds_addresses(field: &HeaderField) -> bool {
    let kind = field_name(field).map(FieldKind::of);
    matches!(
        kind,
        Some(FieldKind::Addresses | FieldKind::Path | FieldKind::Signature)
    )
}

/// One field as it may be shown, folded, its last line ended by CRLF; nothing where it has no name
/// that could be written.
pub(super) fn redacted(original: &HeaderField, redaction: &MessageRedaction<'_>) -> String {
    let Some(name) = field_name(original) else {
        return String::new();
    };
    let kind = FieldKind::of(name);
    if kind == FieldKind::Unknown {
        return field(&redaction.word(name), REDACTED);
    }
    let value = original.value().trim_ascii();
    if value.is_empty() {
        return field(name, "");
    }
    field(name, &shown(kind, value, redaction))
}

fn shown(kind: FieldKind, value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    match kind {
        FieldKind::Addresses => addresses(value, redaction),
        FieldKind::Path => path(value, redaction),
        FieldKind::MessageIds => message_ids(value, redaction),
        FieldKind::Received => received(value, redaction),
        FieldKind::Date => shown_date(&String::from_utf8_lossy(value)),
        FieldKind::Signature => signature(value, redaction),
        FieldKind::Arc => arc(value, redaction),
        FieldKind::AuthenticationResults => authentication_results(value, redaction),
        FieldKind::ReceivedSpf => received_spf(value),
        FieldKind::ListId => list_id(value, redaction),
        FieldKind::Uris => uris(value, redaction),
        FieldKind::MediaType => media_type(value, redaction),
        FieldKind::Encoding => one_of(value, ENCODINGS).to_owned(),
        FieldKind::Word => one_of(before_parameters(value), WORDS).to_owned(),
        FieldKind::IpAddress => str::from_utf8(value)
            .ok()
            .and_then(ip_address)
            .map_or_else(hidden, |address| format!("[{address}]")),
        FieldKind::Subject => redaction
            .shown_subject(value)
            .map_or_else(hidden, |text| mime::unstructured("Subject", &text)),
        FieldKind::Unknown => hidden(),
    }
}

fn hidden() -> String {
    REDACTED.to_owned()
}

/// Tokens for local parts; display names, comments and the names of groups are dropped.
fn addresses(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let (found, is_all) = mailboxes(value);
    let mut shown: Vec<String> = found
        .iter()
        .map(|mailbox| redaction.address(&mailbox.local_part, &mailbox.domain))
        .collect();
    if !is_all || shown.is_empty() {
        shown.push(hidden());
    }
    shown.join(", ")
}

fn path(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    if value == b"<>" {
        return "<>".to_owned();
    }
    mailbox(value).map_or_else(hidden, |found| {
        format!("<{}>", redaction.address(&found.local_part, &found.domain))
    })
}

/// What stands between angle brackets, at most [`MAX_ITEMS`].
fn bracketed(value: &[u8]) -> Vec<&[u8]> {
    let items = value.split(|&octet| octet == b'<').skip(1);
    let inner = items.filter_map(|item| {
        let end = item.iter().position(|&octet| octet == b'>')?;
        item.get(..end)
    });
    inner.take(MAX_ITEMS).collect()
}

fn joined_or_hidden(shown: &[String], separator: &str) -> String {
    match shown.is_empty() {
        true => hidden(),
        false => shown.join(separator),
    }
}

fn message_ids(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let shown = bracketed(value).into_iter().map(|id| {
        let at = id.iter().rposition(|&octet| octet == b'@');
        let (left, right) = match at {
            Some(at) => (
                id.get(..at).unwrap_or_default(),
                id.get(at + 1..).unwrap_or_default(),
            ),
            None => (id, &[][..]),
        };
        let host = DomainName::from_bytes(right).map_or_else(|_| hidden(), |name| redaction.host_name(&name));
        format!("<{}@{host}>", redaction.token(left))
    });
    joined_or_hidden(&shown.collect::<Vec<_>>(), " ")
}

fn list_id(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let id = bracketed(value)
        .pop()
        .and_then(|id| DomainName::from_bytes(id).ok());
    let Some(id) = id else {
        return hidden();
    };
    // The case of the address may be another; that of the id is not kept by lists either.
    let list = id.labels().next().unwrap_or_default();
    match id.parent() {
        Some(domain) => format!("<{}.{domain}>", redaction.token(list.as_bytes())),
        None => format!("<{}>", redaction.token(list.as_bytes())),
    }
}

/// RFC 2369 §2: URIs in angle brackets. A path or a query says who the subscriber is.
fn uris(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let bare = without_comments(value);
    let shown = bracketed(&bare).into_iter().map(|uri| {
        let uri = String::from_utf8_lossy(uri);
        format!("<{}>", shown_uri(uri.trim(), redaction).unwrap_or_else(hidden))
    });
    joined_or_hidden(&shown.collect::<Vec<_>>(), ", ")
}

fn shown_uri(uri: &str, redaction: &MessageRedaction<'_>) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "mailto" => {
            let address = rest.split('?').next()?;
            let found = mailbox(address.as_bytes())?;
            // A percent sign would be decoded by whoever looks for the same address elsewhere.
            let is_plain = !found.local_part.contains(&b'%');
            is_plain.then(|| format!("mailto:{}", redaction.address(&found.local_part, &found.domain)))
        }
        scheme @ ("http" | "https") => {
            let authority = rest.strip_prefix("//")?.split(['/', '?', '#']).next()?;
            let host = authority.rsplit('@').next()?.split(':').next()?;
            let host = DomainName::parse(host).ok()?;
            let scheme = scheme.replace("http", "hxxp");
            Some(format!("{scheme}://{}/{REDACTED}", redaction.host_name(&host)))
        }
        _ => None,
    }
}

/// Type and subtype; parameters hold names of files, and boundaries anything.
fn media_type(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let bare = without_comments(value);
    let text = String::from_utf8_lossy(before_parameters(&bare))
        .trim()
        .to_ascii_lowercase();
    let is_token = |part: &str| {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-+._".contains(&octet);
        !part.is_empty() && part.bytes().all(fits)
    };
    match text.split_once('/') {
        Some((main, sub)) if is_token(main) && is_token(sub) && text.len() <= MAX_TYPE_OCTETS => {
            redaction.word(&text)
        }
        _ => hidden(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_one_kind() {
        let names = || FIELDS.iter().flat_map(|(_, names)| names.split(' '));
        let distinct: std::collections::BTreeSet<_> = names().collect();
        assert_eq!(distinct.len(), names().count());
        assert!(names().all(|name| !name.is_empty() && name == name.to_ascii_lowercase()));
    }
}
