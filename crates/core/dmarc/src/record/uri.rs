//! Where reports go: the URIs of `rua` and `ruf` (RFC 9989 §4.6, §4.8; RFC 6068).

use std::fmt;

use landmarc_mail::DomainName;

/// The longest local part that SMTP carries (RFC 5321 §4.5.3.1.1).
pub const MAX_LOCAL_PART_OCTETS: usize = 64;

/// One place where the Domain Owner wants reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportUri {
    /// The scheme in lower case. Only `mailto` must be supported; the others must be
    /// ignored by receivers that cannot serve them, but count as present (§4.10.1).
    pub scheme: String,
    /// For `mailto`: the one address, percent-decoded; header fields after `?` are dropped.
    pub address: Option<ReportAddress>,
    /// The item as written: printable ASCII, the obsolete size suffix still on it.
    pub raw: String,
    /// The obsolete size suffix (`!10m`) in octets. RFC 9989 has receivers ignore it.
    pub size_limit: Option<u64>,
}

impl ReportUri {
    /// The URI without the obsolete size suffix.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.raw.split_once('!').map_or(&self.raw, |(uri, _)| uri)
    }

    /// Reads one item of the list. `None` for what is no URI with a scheme, and for a
    /// `mailto` that is not exactly one ASCII address (RFC 8616 §6).
    #[must_use]
    pub fn parse(item: &str) -> Option<Self> {
        // "!" must be percent-encoded in the URI itself, so the first one ends it.
        let (uri, size_limit) = match item.split_once('!') {
            Some((uri, size)) => (uri, Some(parse_size(size)?)),
            None => (item, None),
        };
        let (scheme, rest) = uri.split_once(':')?;
        if !is_scheme(scheme) || rest.is_empty() || !is_uri_text(rest) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let address = match scheme.as_str() {
            "mailto" => Some(ReportAddress::parse(rest)?),
            _ => None,
        };
        Some(Self {
            scheme,
            address,
            raw: item.to_owned(),
            size_limit,
        })
    }
}

impl fmt::Display for ReportUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// One mail address to report to. Third parties choose it: its local part has no
/// white space, quotes, brackets or control characters, so that it can neither end
/// an SMTP command nor add a second recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportAddress {
    local_part: String,
    domain: DomainName,
}

impl ReportAddress {
    /// An address of these; none when the local part has another length than 1 to
    /// [`MAX_LOCAL_PART_OCTETS`] octets, or a character that is [not taken](Self::takes).
    #[must_use]
    pub fn new(local_part: &str, domain: DomainName) -> Option<Self> {
        let fits = (1..=MAX_LOCAL_PART_OCTETS).contains(&local_part.len());
        (fits && local_part.chars().all(Self::takes)).then(|| Self {
            local_part: local_part.to_owned(),
            domain,
        })
    }

    /// Whether a local part may have this character: what an atom may hold (RFC 5322 §3.2.3), the dot,
    /// and the comma that has to be percent-encoded in the record (RFC 9989 §4.8).
    #[must_use]
    pub fn takes(character: char) -> bool {
        character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.,".contains(character)
    }

    /// The local part, decoded; at most 64 octets of printable ASCII.
    #[must_use]
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// The domain: the host whose authorization counts (RFC 9990 §4).
    #[must_use]
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }

    fn parse(rest: &str) -> Option<Self> {
        let (path, _header_fields) = rest.split_once('?').unwrap_or((rest, ""));
        // Split before decoding: an encoded "@" is no separator, and has no business here.
        let (local, domain) = path.split_once('@')?;
        let local_part = percent_decoded(local)?;
        Self::new(&local_part, DomainName::parse(domain).ok()?)
    }
}

impl fmt::Display for ReportAddress {
    /// As SMTP takes it: the local part is quoted where it is not a dot-string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_dot_string = self
            .local_part
            .split('.')
            .all(|atom| !atom.is_empty() && !atom.contains(','));
        if is_dot_string {
            write!(f, "{}@{}", self.local_part, self.domain)
        } else {
            write!(f, "\"{}\"@{}", self.local_part, self.domain)
        }
    }
}

/// RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// RFC 3986 §2: unreserved, reserved (but for the comma and "!", which separate here)
/// and the percent sign.
fn is_uri_text(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#[]@$&'()*+;=%".contains(&b))
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // Nothing hangs on the number any more: one too big for us is just big.
    is_number.then(|| digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(factor))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let code = part
            .get(..2)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        decoded.push(char::from(u8::from_str_radix(code, 16).ok()?));
        decoded.push_str(part.get(2..)?);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(item: &str) -> Option<String> {
        ReportUri::parse(item)?.address.map(|address| address.to_string())
    }

    #[test]
    fn reads_one_address_and_drops_header_fields() {
        assert_eq!(address("mailto:d@example.com").unwrap(), "d@example.com");
        assert_eq!(
            address("mailto:d@example.com?subject=x").unwrap(),
            "d@example.com"
        );
        assert_eq!(address("mailto:d%2Bx@Example.COM").unwrap(), "d+x@example.com");
    }

    #[test]
    fn an_encoded_comma_belongs_to_the_local_part_and_needs_quotes() {
        let uri = ReportUri::parse("mailto:d%2Cx@example.com").unwrap();
        let address = uri.address.unwrap();
        assert_eq!(address.local_part(), "d,x");
        assert_eq!(address.to_string(), "\"d,x\"@example.com");
    }

    #[test]
    fn smuggled_line_ends_quotes_and_second_addresses_are_no_address() {
        for item in [
            "mailto:a%0D%0ARCPT%20TO:b@example.com",
            "mailto:a%00@example.com",
            "mailto:%22a%22@example.com",
            "mailto:a%40b@example.com",
            "mailto:a@example.com%2Cb@example.com",
            "mailto:a@b@example.com",
            "mailto:@example.com",
            "mailto:a@",
            "mailto:a%4@example.com",
            "mailto:a%zz@example.com",
            "mailto:%C3%BC@example.com",
            "mailto:a@[192.0.2.1]",
        ] {
            assert_eq!(ReportUri::parse(item), None, "{item}");
        }
    }

    #[test]
    fn the_local_part_ends_at_64_octets() {
        let longest = "a".repeat(MAX_LOCAL_PART_OCTETS);
        assert!(ReportUri::parse(&format!("mailto:{longest}@example.com")).is_some());
        assert!(ReportUri::parse(&format!("mailto:{longest}a@example.com")).is_none());
    }

    #[test]
    fn the_obsolete_size_is_read_and_taken_off() {
        let uri = ReportUri::parse("mailto:a@example.com!10m").unwrap();
        assert_eq!(uri.size_limit, Some(10 << 20));
        assert_eq!(uri.uri(), "mailto:a@example.com");
        assert_eq!(
            ReportUri::parse("mailto:a@example.com!99999999999999999999t")
                .unwrap()
                .size_limit,
            Some(u64::MAX)
        );
        for wrong in ["!", "!m", "!10x", "!10mb", "!1 0", "!10m!10m", "!\u{663}"] {
            let item = format!("mailto:a@example.com{wrong}");
            assert_eq!(ReportUri::parse(&item), None, "{item}");
        }
    }

    #[test]
    fn other_schemes_are_kept_without_an_address() {
        let uri = ReportUri::parse("HTTPS://r.example.net/dmarc").unwrap();
        assert_eq!((uri.scheme.as_str(), uri.address), ("https", None));
        for wrong in ["b@example.com", "https:", ":x", "1a:x", "a b:c", "x:a b", ""] {
            assert_eq!(ReportUri::parse(wrong), None, "{wrong:?}");
        }
    }
}
