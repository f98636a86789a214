//! The Received-SPF field (RFC 7208 §9.1), read.
//!
//! Knows the result and the pairs of keys and values behind it. Deliberately knows no SPF: what
//! they are worth is for whoever asks. It is not written here; Authentication-Results says the same.

use crate::lexer::{Cursor, has_stray_controls, unquote};

/// The longest field that is read, in octets.
pub const MAX_FIELD_OCTETS: usize = 16 * 1024;
/// The most pairs that are read; the RFC names nine keys.
pub const MAX_PAIRS: usize = 50;

/// What an SPF filter has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedSpf {
    result: String,
    pairs: Vec<(String, String)>,
}

impl ReceivedSpf {
    /// Reads the value of the field, folds included. Values may be more than the RFC allows
    /// without quotes, as programs write them: addresses, with angle brackets or without.
    /// Nothing where it is no such field, is over a limit, or names a key twice.
    ///
    /// ```
    /// # use landmarc_mail::received_spf::ReceivedSpf;
    /// let value = b" Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.7; envelope-from=a@b.example;";
    /// let field = ReceivedSpf::parse(value).unwrap();
    /// assert_eq!((field.result(), field.get("Client-IP")), ("pass", Some("192.0.2.7")));
    /// ```
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > MAX_FIELD_OCTETS || has_stray_controls(value) {
            return None;
        }
        let mut cursor = Cursor::new(value);
        cursor.skip_cfws().ok()?;
        let result = word(cursor.take_while(is_key_octet))?;
        let mut field = Self {
            result,
            pairs: Vec::new(),
        };
        loop {
            cursor.skip_cfws().ok()?;
            // A semicolon may stand at the end, and programs write more of them.
            if cursor.eat(b';') {
                continue;
            }
            if cursor.is_at_end() {
                return Some(field);
            }
            field.pair(&mut cursor)?;
        }
    }

    /// The result, in lower case.
    #[must_use]
    pub fn result(&self) -> &str {
        &self.result
    }

    /// The value of a key, in any case.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter();
        let pair = pairs.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(&pair.1)
    }

    fn pair(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let key = word(cursor.take_while(is_key_octet))?;
        cursor.skip_cfws().ok()?;
        if !cursor.eat(b'=') || self.pairs.len() == MAX_PAIRS || self.get(&key).is_some() {
            return None;
        }
        cursor.skip_cfws().ok()?;
        let value = match cursor.peek() {
            Some(b'"') => unquote(cursor.quoted_string().ok()?),
            _ => cursor.take_while(is_value_octet).to_vec(),
        };
        self.pairs.push((key, String::from_utf8(value).ok()?));
        Some(())
    }
}

fn word(octets: &[u8]) -> Option<String> {
    let word = str::from_utf8(octets).ok().filter(|word| !word.is_empty())?;
    Some(word.to_ascii_lowercase())
}

fn is_key_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-_.".contains(&octet)
}

fn is_value_octet(octet: u8) -> bool {
    octet >= 0x80 || (octet.is_ascii_graphic() && octet != b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a5_the_field_of_the_rfc_and_those_of_programs_are_read() {
        let rfc = b" pass (mybox.example.org: domain of\r\n\tmyname@example.com designates\r\n\t\
                    192.0.2.1 as permitted sender)\r\n\treceiver=mybox.example.org; client-ip=192.0.2.1;\r\n\
                    \tenvelope-from=\"myname@example.com\"; helo=foo.example.com;";
        let field = ReceivedSpf::parse(rfc).unwrap();
        assert_eq!(field.result(), "pass");
        assert_eq!(field.get("envelope-from"), Some("myname@example.com"));
        assert_eq!(field.get("helo"), Some("foo.example.com"));
        assert_eq!(field.get("identity"), None);

        let written = b" Softfail (mailfrom) identity=mailfrom; client-ip=2001:db8::1; helo=x; \
                        envelope-from=<a@b.example>; receiver=<UNKNOWN> ";
        let field = ReceivedSpf::parse(written).unwrap();
        assert_eq!(field.result(), "softfail");
        assert_eq!(field.get("client-ip"), Some("2001:db8::1"));
        assert_eq!(field.get("envelope-from"), Some("<a@b.example>"));
        assert_eq!(ReceivedSpf::parse(b" none").unwrap().pairs, []);
    }

    #[test]
    fn what_is_no_such_field_says_nothing() {
        for value in [
            &b""[..],
            b" ",
            b" pass (open",
            b" pass client-ip",
            b" pass =x",
            b" pass a=1; A=2",
            b" pass a=\"x",
            b" pass\n a=1",
            b" pass a=\xff",
        ] {
            assert_eq!(ReceivedSpf::parse(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn it_is_read_up_to_its_limits() {
        let of_octets = |count: usize| {
            let mut value = b" pass a=".to_vec();
            value.resize(count, b'x');
            ReceivedSpf::parse(&value).is_some()
        };
        assert!(of_octets(MAX_FIELD_OCTETS));
        assert!(!of_octets(MAX_FIELD_OCTETS + 1));
        let of_pairs = |count: usize| {
            let pairs: String = (0..count).map(|number| format!(" k{number}=v;")).collect();
            ReceivedSpf::parse(format!(" pass{pairs}").as_bytes()).is_some()
        };
        assert!(of_pairs(MAX_PAIRS));
        assert!(!of_pairs(MAX_PAIRS + 1));
    }
}
