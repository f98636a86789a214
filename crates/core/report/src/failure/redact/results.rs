//! Signatures and results: DKIM-Signature, the fields of ARC, Authentication-Results, Received-SPF.

use landmarc_auth::dkim::tags::{TagList, squeeze};
use landmarc_mail::DomainName;
use landmarc_mail::authres::{AuthenticationResults, Property, ResultInfo};

use super::addresses::mailbox;
use super::received::{host, ip_address};
use super::text::{in_pieces, one_of};
use super::{MessageRedaction, REDACTED};

/// The tags that are shown, in this order. Of the others `z=` above all is not: it is a copy of
/// header fields as they were (RFC 6376 §3.5).
const TAGS: [&str; 14] = [
    "i", "v", "a", "c", "cv", "d", "s", "q", "t", "x", "l", "h", "bh", "b",
];
/// The longest value of a tag that is shown, but for those in base64 and lists of names.
const MAX_TAG_OCTETS: usize = 255;
/// The longest base64 that is shown: four times that of the longest RSA signature we verify.
const MAX_BASE64_OCTETS: usize = 5_500;
/// The most results of one field that are shown.
const MAX_RESULTS: usize = 50;
const METHODS: &str = "arc auth bimi compauth dkim dkim-adsp dkim-atps dmarc domainkeys iprev sender-id \
    spf";
const RESULTS: &str = "none pass fail policy neutral temperror permerror softfail hardfail discard \
    nxdomain bestguesspass unknown declined";
/// Properties that hold a domain or an address, an address of the client, or words of a signature.
const PROPERTIES: &str = "header.d header.i header.s header.a header.b header.from header.sender \
    smtp.mailfrom smtp.mail smtp.helo smtp.remote-ip policy.iprev policy.dmarc policy.arc arc.chain \
    dns.sec";

/// Those of them that hold a domain or a selector, which is shown as it is.
const DOMAINS: [&str; 6] = ["d", "s", "from", "sender", "mailfrom", "mail"];

/// A DKIM-Signature: the tags that are known, with a token in `i=`.
pub(super) fn signature(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    tag_list(value, |name, value| match name {
        "i" => identity(value, redaction),
        _ => tag(name, value, redaction),
    })
}

/// An ARC-Seal or ARC-Message-Signature, in which `i=` is a number (RFC 8617 §4.1.2).
pub(super) fn arc(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    tag_list(value, |name, value| tag(name, value, redaction))
}

fn tag_list(value: &[u8], show: impl Fn(&str, &[u8]) -> Option<String>) -> String {
    let Ok(tags) = TagList::parse(value) else {
        return REDACTED.to_owned();
    };
    let shown = TAGS.iter().filter_map(|name| {
        let value = show(name, &squeeze(tags.value(name)?)).unwrap_or_else(|| REDACTED.to_owned());
        Some(format!("{name}={value}"))
    });
    shown.collect::<Vec<_>>().join("; ")
}

/// The value of a tag, white space gone, if it is of the form that the tag has.
fn tag(name: &str, value: &[u8], redaction: &MessageRedaction<'_>) -> Option<String> {
    let text = str::from_utf8(value).ok()?;
    let holds = |allowed: &str| {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || allowed.as_bytes().contains(&octet);
        text.bytes().all(fits)
    };
    match name {
        // Names in DNS, which whoever sent the message chose and published: as domains, they stay.
        "d" | "s" => Some(DomainName::parse(text).ok()?.to_string()),
        // Both can be long: with blanks they can be folded.
        "h" if holds("-_:.") => Some(redaction.word(text).replace(':', ": ")),
        "b" | "bh" if holds("+/=") && text.len() <= MAX_BASE64_OCTETS => {
            Some(in_pieces(&redaction.word(text)))
        }
        "h" | "b" | "bh" => None,
        _ if holds("-_./:") && text.len() <= MAX_TAG_OCTETS => Some(redaction.word(text)),
        _ => None,
    }
}

/// `i=` (RFC 6376 §3.5): an address, or a domain after an `@`.
fn identity(value: &[u8], redaction: &MessageRedaction<'_>) -> Option<String> {
    match value.strip_prefix(b"@") {
        Some(domain) => Some(format!("@{}", DomainName::from_bytes(domain).ok()?)),
        None => {
            let found = mailbox(value)?;
            Some(redaction.address(&found.local_part, &found.domain))
        }
    }
}

/// An Authentication-Results field, or one of ARC, which begins with its instance (RFC 8617 §4.1.1).
pub(super) fn authentication_results(value: &[u8], redaction: &MessageRedaction<'_>) -> String {
    let (instance, rest) = without_instance(value);
    let Ok(field) = AuthenticationResults::parse(rest) else {
        return REDACTED.to_owned();
    };
    let id = host(&field.authserv_id, redaction).unwrap_or_else(|| REDACTED.to_owned());
    let results = field.results.iter().take(MAX_RESULTS);
    let results = results.filter_map(|info| result(info, redaction));
    let parts = instance.into_iter().chain([id]).chain(results);
    parts.collect::<Vec<_>>().join("; ")
}

fn without_instance(value: &[u8]) -> (Option<String>, &[u8]) {
    let instance = || {
        let end = value.iter().position(|&octet| octet == b';')?;
        let tag = squeeze(value.get(..end)?);
        let digits = str::from_utf8(tag.strip_prefix(b"i=")?).ok()?;
        let number: u8 = digits.parse().ok()?;
        Some((Some(format!("i={number}")), value.get(end + 1..)?))
    };
    instance().unwrap_or((None, value))
}

fn result(info: &ResultInfo, redaction: &MessageRedaction<'_>) -> Option<String> {
    let method = one_of(info.method.as_bytes(), METHODS);
    if method == REDACTED {
        return None;
    }
    let mut shown = format!("{method}={}", one_of(info.result.as_bytes(), RESULTS));
    for known in info.properties.iter().filter(is_known).take(MAX_RESULTS) {
        if let Some(value) = property(known, redaction) {
            shown.push_str(&format!(" {}.{}={value}", known.ptype, known.property));
        }
    }
    Some(shown)
}

fn is_known(property: &&Property) -> bool {
    let name = format!("{}.{}", property.ptype, property.property);
    PROPERTIES.split(' ').any(|known| known == name)
}

fn property(known: &Property, redaction: &MessageRedaction<'_>) -> Option<String> {
    let value = known.value.as_str();
    if value.contains('@') {
        return identity(value.as_bytes(), redaction);
    }
    if let Some(address) = ip_address(value) {
        return Some(address.to_string());
    }
    if DOMAINS.contains(&&*known.property)
        && let Ok(domain) = DomainName::parse(value)
    {
        return Some(domain.to_string());
    }
    let is_word = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.+/=".contains(&octet);
    let fits = !value.is_empty() && value.len() <= MAX_TAG_OCTETS && value.bytes().all(is_word);
    fits.then(|| redaction.word(value))
}

/// A Received-SPF field (RFC 7208 §9.1): the result, and the client it is about.
pub(super) fn received_spf(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let result = one_of(first.as_bytes(), RESULTS);
    let client = text
        .split(|character: char| character.is_whitespace() || character == ';')
        .find_map(|word| ip_address(word.strip_prefix("client-ip=")?.trim_matches('"')));
    match client {
        Some(client) => format!("{result} client-ip={client}"),
        None => result.to_owned(),
    }
}
