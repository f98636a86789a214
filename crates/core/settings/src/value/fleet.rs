//! Where the hosts of a fleet meet: a database, a collector.

use super::text::no_control_character;

/// What the address of a database begins with.
const SCHEMES: [&str; 4] = ["postgres://", "postgresql://", "mysql://", "mariadb://"];

/// What the address of a collector begins with.
const HTTPS: &str = "https://";

/// The longest of these addresses, in octets.
const MAX_URL_OCTETS: usize = 1_024;

text_value!(
    /// A database of a server, without a password: what is in a settings file is read by many.
    DatabaseUrl,
    "database",
    "\"postgres://USER@HOST:PORT/NAME\" or \"mysql://USER@HOST:PORT/NAME\"; \"?socket=/PATH\" behind it for one on this host",
    database
);

impl DatabaseUrl {
    /// Whether there is a password in it: it is refused where it is not quoted (`check::fleet`).
    pub(crate) fn has_password(&self) -> bool {
        let user = self.0.split("://").nth(1).and_then(|rest| rest.split('/').next());
        user.and_then(|rest| rest.rsplit_once('@'))
            .is_some_and(|(user, _)| user.contains(':'))
    }
}

fn database(text: &str) -> Result<String, String> {
    let rest = after(text, &SCHEMES).ok_or("it begins with neither \"postgres://\" nor \"mysql://\"")?;
    let (authority, name) = rest
        .split_once('/')
        .ok_or("it names no database behind the host")?;
    let (user, _) = authority
        .rsplit_once('@')
        .ok_or("it names no user before the host")?;
    let name = name.split_once('?').map_or(name, |(name, _)| name);
    if user.is_empty() || name.is_empty() {
        return Err("it needs a user before the \"@\" and a database behind the \"/\"".to_owned());
    }
    Ok(text.to_owned())
}

text_value!(
    /// Another landmarc that takes records in.
    CollectorUrl,
    "collector",
    "\"https://HOST:PORT\"",
    collector
);

fn collector(text: &str) -> Result<String, String> {
    let host = after(text, &[HTTPS]).ok_or("it does not begin with \"https://\"")?;
    match host.strip_suffix('/').unwrap_or(host) {
        "" => Err("it names no host".to_owned()),
        host if host.contains(['/', '@', '?', '#']) => Err("it is more than a host and a port".to_owned()),
        host => Ok(format!("{HTTPS}{host}")),
    }
}

text_value!(
    /// A certificate, by the SHA-256 of its octets: sixty-four digits in lower case, without colons.
    Fingerprint,
    "fingerprint",
    "64 hexadecimal digits, with colons or without: what \"openssl x509 -noout -fingerprint -sha256\" prints",
    fingerprint
);

fn fingerprint(text: &str) -> Result<String, String> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    if digits.len() != 64 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return Err("it has not 64 hexadecimal digits".to_owned());
    }
    Ok(digits.to_ascii_lowercase())
}

/// What is behind one of these beginnings, in a text that may be an address.
fn after<'t>(text: &'t str, beginnings: &[&str]) -> Option<&'t str> {
    let is_sound = text.len() <= MAX_URL_OCTETS && no_control_character(text).is_ok() && !text.contains(' ');
    let rest = beginnings
        .iter()
        .find_map(|beginning| text.strip_prefix(beginning));
    rest.filter(|_| is_sound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::TextValue as _;

    #[test]
    fn a_database_is_named_with_its_user_and_without_a_password() {
        for text in [
            "postgres://landmarc@db.example:5432/landmarc",
            "postgresql://landmarc@[2001:db8::1]/landmarc",
            "mysql://landmarc@192.0.2.1:3306/landmarc",
            "mariadb://landmarc@localhost/landmarc?socket=/run/mysqld/mysqld.sock",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(url.text() == text && !url.has_password(), "{text}");
        }
        let url = DatabaseUrl::parse("postgres://landmarc:secret@db.example/landmarc").unwrap();
        assert!(url.has_password());
        for (text, why) in [
            ("sqlite:///x", "neither"),
            ("postgres://db.example", "no database"),
            ("postgres://db.example/landmarc", "no user"),
            ("postgres://@db.example/landmarc", "needs a user"),
            ("mysql://landmarc@db.example/?socket=/x", "needs a user"),
            ("postgres://a b@db.example/landmarc", "neither"),
        ] {
            let refused = DatabaseUrl::parse(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        let longest = format!("postgres://u@h/{}", "n".repeat(MAX_URL_OCTETS - 15));
        assert!(DatabaseUrl::parse(&longest).is_ok(), "at the limit");
        assert!(DatabaseUrl::parse(&format!("{longest}n")).is_err(), "one past it");
    }

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let colons = ["AB"; 32].join(":");
        let parsed = Fingerprint::parse(&colons).unwrap();
        assert_eq!(parsed.as_str(), "ab".repeat(32));
        assert_eq!(Fingerprint::parse(parsed.as_str()), Ok(parsed));
        for text in ["", "ab", &"ab".repeat(31), &"ab".repeat(33), &"xy".repeat(32)] {
            assert!(Fingerprint::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_collector_is_a_host_and_a_port() {
        for text in [
            "https://collector.example:8896",
            "https://collector.example:8896/",
        ] {
            assert_eq!(
                CollectorUrl::parse(text).unwrap().as_str(),
                "https://collector.example:8896"
            );
        }
        for text in [
            "http://collector.example",
            "https://",
            "https://a.example/path",
            "https://u@a.example",
        ] {
            assert!(CollectorUrl::parse(text).is_err(), "{text}");
        }
    }
}
