//! The spellings of a socket in opendmarc.conf (P26), and their spelling in our settings.

/// A socket, as our settings spell it: `unix:/path` or `inet:host:port`. A path that does not begin with
/// `/` is handed to `absolute`. Nothing where it is no socket.
///
/// `local:path`, `unix:path` and a bare path; `inet:port`, `inet:port@host`, and the same with `inet6:`,
/// where an address may stand in brackets.
pub(super) fn in_our_words(socket: &str, absolute: impl Fn(&str) -> String) -> Option<String> {
    let (scheme, rest) = socket.split_once(':').unwrap_or(("local", socket));
    match scheme {
        "local" | "unix" => in_file_system(&absolute(rest)),
        "inet" => inet(rest, "inet", "127.0.0.1"),
        "inet6" => inet(rest, "inet6", "[::1]"),
        _ if socket.starts_with('/') => in_file_system(socket),
        _ => None,
    }
}

fn in_file_system(path: &str) -> Option<String> {
    let is_path = path.starts_with('/') && !path.ends_with('/');
    is_path.then(|| format!("unix:{path}"))
}

/// `port` or `port@host`.
fn inet(rest: &str, scheme: &str, loopback: &str) -> Option<String> {
    let (port, host) = match rest.split_once('@') {
        Some((port, host)) => (port, Some(host)),
        None => (rest, None),
    };
    let is_number = port.bytes().all(|octet| octet.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| is_number && *port != 0)?;
    let Some(host) = host else {
        return Some(format!("{scheme}:{port}"));
    };
    if host.eq_ignore_ascii_case("localhost") {
        return Some(format!("inet:{loopback}:{port}"));
    }
    let bare = host
        .strip_prefix('[')
        .map_or(Some(host), |rest| rest.strip_suffix(']'))?;
    match bare.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_ipv6() => Some(format!("inet:[{address}]:{port}")),
        Ok(address) => Some(format!("inet:{address}:{port}")),
        Err(_) if bare == host && is_host_name(host) => Some(format!("{scheme}:{host}:{port}")),
        Err(_) => None,
    }
}

fn is_host_name(host: &str) -> bool {
    const MAX_OCTETS: usize = 253;
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    (1..=MAX_OCTETS).contains(&host.len()) && host.bytes().all(plain)
}

/// Whether it is one in the file system.
pub(super) fn is_local(socket: &str) -> bool {
    !socket.starts_with("inet:") && !socket.starts_with("inet6:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p26_each_spelling_has_one_of_ours() {
        let absolute = |path: &str| {
            if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("/base/{path}")
            }
        };
        for (theirs, ours) in [
            ("local:/run/a.sock", Some("unix:/run/a.sock")),
            ("unix:/run/a.sock", Some("unix:/run/a.sock")),
            ("/run/a.sock", Some("unix:/run/a.sock")),
            ("/run/a:b", Some("unix:/run/a:b")),
            ("local:a.sock", Some("unix:/base/a.sock")),
            ("a.sock", Some("unix:/base/a.sock")),
            ("inet:10012@localhost", Some("inet:127.0.0.1:10012")),
            ("inet6:10012@localhost", Some("inet:[::1]:10012")),
            ("inet:10012", Some("inet:10012")),
            ("inet6:10012", Some("inet6:10012")),
            ("inet:10012@[192.0.2.1]", Some("inet:192.0.2.1:10012")),
            ("inet:10012@192.0.2.1", Some("inet:192.0.2.1:10012")),
            ("inet6:10012@[2001:db8::1]", Some("inet:[2001:db8::1]:10012")),
            ("inet:10012@mx.example.net", Some("inet:mx.example.net:10012")),
            ("local:", None),
            ("local:/run/", None),
            ("inet:", None),
            ("inet:0@localhost", None),
            ("inet:65536", None),
            ("inet:+25", None),
            ("inet:10012@", None),
            ("inet:10012@[mx.example.net]", None),
            ("inet:10012@[::1", None),
            ("inet:localhost:10012", None),
            ("tcp:10012", None),
            ("", None),
        ] {
            assert_eq!(in_our_words(theirs, absolute).as_deref(), ours, "{theirs}");
        }
    }
}
