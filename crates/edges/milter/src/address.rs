//! IP addresses as MTAs write them.

use std::net::IpAddr;

/// An IP address as MTAs write it: IPv6 with or without the prefix `IPv6:`, with or
/// without brackets, with or without a zone (`%eth0`), which is dropped.
#[must_use]
pub fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(octets).ok()?.trim_ascii();
    let text = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let text = match text.split_at_checked(5) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("IPv6:") => rest,
        _ => text,
    };
    text.split_once('%')
        .map_or(text, |(address, _zone)| address)
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_their_clothes() {
        let v6 = "2001:db8::1".parse().ok();
        for text in [
            "2001:db8::1",
            "IPv6:2001:db8::1",
            "ipv6:2001:db8::1",
            "[IPv6:2001:db8::1]",
        ] {
            assert_eq!(ip_address(text.as_bytes()), v6, "{text}");
        }
        assert_eq!(ip_address(b"fe80::1%eth0"), "fe80::1".parse().ok());
        assert_eq!(ip_address(b"192.0.2.1"), "192.0.2.1".parse().ok());
        for text in ["", "unknown", "IPv6:", "192.0.2.1.5", "é:::1"] {
            assert_eq!(ip_address(text.as_bytes()), None, "{text}");
        }
        assert_eq!(ip_address(b"\xff"), None);
    }
}
