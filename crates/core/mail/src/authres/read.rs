//! Reading Authentication-Results (RFC 8601 §2.2): strictly, for what is not
//! understood must not be trusted.

use super::{AuthenticationResults, Property, ResultInfo, VERSION};
use crate::lexer::{Cursor, LexFault, has_stray_controls, is_atom_octet, unquote};

/// The longest field that is read, in octets; more than any honest field has.
pub(super) const MAX_FIELD_OCTETS: usize = 64 * 1024;
/// The most results of one field, and the most properties of one result.
const MAX_ITEMS: usize = 200;

/// Why a field is none. Such a field is ignored as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthresError {
    /// Over 64 KiB, 200 results, or 200 properties of one result.
    #[error("the field is too long")]
    TooLong,
    /// A control octet, or a CR or LF that is no part of a fold.
    #[error("the field has control octets")]
    ControlOctets,
    /// RFC 6532 §3 allows no other characters.
    #[error("the field is not UTF-8")]
    NotUtf8,
    /// RFC 8601 §2.2: fields of an unknown version are not understood.
    #[error("the field is of version {0}")]
    Version(u32),
    /// Not the grammar; says what was missed, and the octet at which.
    #[error("{missed} at octet {at}")]
    Syntax {
        /// What is wrong.
        missed: &'static str,
        /// Octets of the value before that place.
        at: usize,
    },
}

impl AuthenticationResults {
    /// Reads the value of the field, folds included, without its name.
    ///
    /// A semicolon at the very end is let pass: several products write it.
    ///
    /// ```
    /// # use landmarc_mail::authres::AuthenticationResults;
    /// let read = AuthenticationResults::parse(b" mx.example; dkim=pass header.d=example.com").unwrap();
    /// assert_eq!(read.results[0].property("header", "d"), Some("example.com"));
    /// ```
    ///
    /// # Errors
    /// [`AuthresError`]: then the field says nothing.
    pub fn parse(value: &[u8]) -> Result<Self, AuthresError> {
        let mut reader = Reader::open(value)?;
        let head = reader.head()?;
        Self::rest(head, &mut reader)
    }

    /// As [`parse`](Self::parse), and takes two things as well that are not in the grammar and that
    /// filters write: the form `authserv-id/job`, the job being what the MTA calls the message; and
    /// values without the quotes they need, such as an IPv6 address or base64 with a slash.
    ///
    /// ```
    /// # use landmarc_mail::authres::AuthenticationResults;
    /// let (read, job) = AuthenticationResults::parse_with_job(b" mx.example/4Fb1; dkim=none").unwrap();
    /// assert_eq!((read.authserv_id.as_str(), job.as_deref()), ("mx.example", Some("4Fb1")));
    /// ```
    ///
    /// # Errors
    /// [`AuthresError`]: then the field says nothing.
    pub fn parse_with_job(value: &[u8]) -> Result<(Self, Option<String>), AuthresError> {
        let mut reader = Reader::open(value)?;
        reader.is_lenient = true;
        let (head, job) = reader.head_with_job()?;
        Ok((Self::rest(head, &mut reader)?, job))
    }

    fn rest((authserv_id, version): Head, reader: &mut Reader<'_>) -> Result<Self, AuthresError> {
        match version {
            None | Some(VERSION) => {}
            Some(other) => return Err(AuthresError::Version(other)),
        }
        Ok(Self {
            authserv_id,
            version,
            results: reader.results()?,
        })
    }
}

/// The authserv-id of a field that can be read, or could be if its version were ours.
pub(super) fn authserv_id(value: &[u8]) -> Option<String> {
    match AuthenticationResults::parse(value) {
        Ok(field) => Some(field.authserv_id),
        Err(AuthresError::Version(_)) => Reader::open(value).ok()?.head().ok().map(|(id, _)| id),
        Err(_) => None,
    }
}

/// The authserv-id and the version.
type Head = (String, Option<u32>);

struct Reader<'a> {
    cursor: Cursor<'a>,
    /// Whether values may lack quotes that they need.
    is_lenient: bool,
}

impl<'a> Reader<'a> {
    fn open(value: &'a [u8]) -> Result<Self, AuthresError> {
        if value.len() > MAX_FIELD_OCTETS {
            return Err(AuthresError::TooLong);
        }
        if has_stray_controls(value) {
            return Err(AuthresError::ControlOctets);
        }
        if str::from_utf8(value).is_err() {
            return Err(AuthresError::NotUtf8);
        }
        Ok(Self {
            cursor: Cursor::new(value),
            is_lenient: false,
        })
    }

    /// `[CFWS] authserv-id [ CFWS authres-version ]`
    fn head(&mut self) -> Result<Head, AuthresError> {
        self.skip_cfws()?;
        let authserv_id = self.value("an authserv-id is missing")?;
        Ok((authserv_id, self.authres_version()?))
    }

    /// As [`head`](Self::head), with `/` and a token right behind the authserv-id.
    fn head_with_job(&mut self) -> Result<(Head, Option<String>), AuthresError> {
        self.skip_cfws()?;
        let authserv_id = self.value("an authserv-id is missing")?;
        let job = match self.cursor.eat(b'/') {
            true => Some(text(self.token("a job is missing")?)),
            false => None,
        };
        Ok(((authserv_id, self.authres_version()?), job))
    }

    fn authres_version(&mut self) -> Result<Option<u32>, AuthresError> {
        self.skip_cfws()?;
        let has_version = self.cursor.peek().is_some_and(|b| b.is_ascii_digit());
        has_version.then(|| self.version()).transpose()
    }

    /// `( no-result / 1*resinfo ) [CFWS]`, each with its semicolon before it.
    fn results(&mut self) -> Result<Vec<ResultInfo>, AuthresError> {
        let mut results = Vec::new();
        loop {
            self.expect(b';', "a semicolon is missing")?;
            self.skip_cfws()?;
            if self.cursor.is_at_end() && !results.is_empty() {
                return Ok(results);
            }
            let method = self.keyword("a method is missing")?;
            if method == "none" && results.is_empty() && self.ends_after_none()? {
                return Ok(results);
            }
            if results.len() == MAX_ITEMS {
                return Err(AuthresError::TooLong);
            }
            results.push(self.result(method)?);
            if self.cursor.is_at_end() {
                return Ok(results);
            }
        }
    }

    fn ends_after_none(&mut self) -> Result<bool, AuthresError> {
        self.skip_cfws()?;
        self.cursor.eat(b';');
        self.skip_cfws()?;
        Ok(self.cursor.is_at_end())
    }

    /// The rest of `methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]`, after the method.
    fn result(&mut self, method: String) -> Result<ResultInfo, AuthresError> {
        self.skip_cfws()?;
        let method_version = if self.cursor.eat(b'/') {
            self.skip_cfws()?;
            Some(self.version()?)
        } else {
            None
        };
        self.expect(b'=', "a method without a result")?;
        self.skip_cfws()?;
        let mut info = ResultInfo {
            method,
            method_version,
            result: self.keyword("a result is missing")?,
            reason: None,
            comment: None,
            properties: Vec::new(),
        };
        loop {
            self.skip_cfws()?;
            if matches!(self.cursor.peek(), None | Some(b';')) {
                return Ok(info);
            }
            self.reason_or_property(&mut info)?;
        }
    }

    /// `"reason" "=" value`, before all properties, or `ptype "." property "=" pvalue`.
    fn reason_or_property(&mut self, info: &mut ResultInfo) -> Result<(), AuthresError> {
        let word = self.keyword("a property is missing")?;
        self.skip_cfws()?;
        let may_be_reason = word == "reason" && info.reason.is_none() && info.properties.is_empty();
        if may_be_reason && self.cursor.eat(b'=') {
            self.skip_cfws()?;
            info.reason = Some(self.value("a reason is missing")?);
            return Ok(());
        }
        if info.properties.len() == MAX_ITEMS {
            return Err(AuthresError::TooLong);
        }
        self.expect(b'.', "a property without a dot")?;
        self.skip_cfws()?;
        let property = self.keyword("a property is missing")?;
        self.expect(b'=', "a property without a value")?;
        self.skip_cfws()?;
        info.properties.push(Property {
            ptype: word,
            property,
            value: self.property_value()?,
        });
        Ok(())
    }

    /// `value / [ [ local-part ] "@" ] domain-name`, without CFWS inside.
    fn property_value(&mut self) -> Result<String, AuthresError> {
        let start = self.cursor.position();
        if self.cursor.peek() == Some(b'"') {
            let quoted = self.quoted_string()?;
            if self.cursor.peek() != Some(b'@') {
                return Ok(text(&unquote(quoted)));
            }
        } else {
            let is_lenient = self.is_lenient;
            let fits = |b| is_token_octet(b) || is_atom_octet(b) || (is_lenient && b == b':');
            let word = self.cursor.take_while(fits);
            if self.cursor.peek() != Some(b'@') {
                // RFC 6008 §4 would have `/` and `=` quoted. opendkim does not, and both are in base64.
                return if is_token(word) || (is_lenient && !word.is_empty()) {
                    Ok(text(word))
                } else {
                    Err(self.missed("a value is missing"))
                };
            }
        }
        self.cursor.eat(b'@');
        self.cursor.take_while(is_domain_octet);
        let raw = self.cursor.since(start);
        // A fold inside a quoted local part is no part of it.
        let mailbox: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|b| !matches!(b, b'\r' | b'\n'))
            .collect();
        if is_mailbox(&mailbox) {
            Ok(text(&mailbox))
        } else {
            Err(self.missed("a mailbox is broken"))
        }
    }

    /// `token / quoted-string` (RFC 2045 §5.1).
    fn value(&mut self, missed: &'static str) -> Result<String, AuthresError> {
        if self.cursor.peek() == Some(b'"') {
            return Ok(text(&unquote(self.quoted_string()?)));
        }
        self.token(missed).map(text)
    }

    fn token(&mut self, missed: &'static str) -> Result<&'a [u8], AuthresError> {
        match self.cursor.take_while(is_token_octet) {
            [] => Err(self.missed(missed)),
            token => Ok(token),
        }
    }

    /// `Keyword` of RFC 5321 §4.1.2, in lower case.
    fn keyword(&mut self, missed: &'static str) -> Result<String, AuthresError> {
        let word = self.cursor.take_while(is_keyword_octet);
        if is_keyword(word) {
            Ok(text(word).to_ascii_lowercase())
        } else {
            Err(self.missed(missed))
        }
    }

    fn version(&mut self) -> Result<u32, AuthresError> {
        let digits = self.cursor.take_while(|b| b.is_ascii_digit());
        let version = text(digits).parse();
        version.map_err(|_| self.missed("a version is no number"))
    }

    fn expect(&mut self, octet: u8, missed: &'static str) -> Result<(), AuthresError> {
        self.skip_cfws()?;
        if self.cursor.eat(octet) {
            Ok(())
        } else {
            Err(self.missed(missed))
        }
    }

    fn quoted_string(&mut self) -> Result<&'a [u8], AuthresError> {
        self.cursor.quoted_string().map_err(|fault| self.lexical(fault))
    }

    fn skip_cfws(&mut self) -> Result<(), AuthresError> {
        self.cursor.skip_cfws().map_err(|fault| self.lexical(fault))
    }

    fn lexical(&self, fault: LexFault) -> AuthresError {
        self.missed(fault.as_str())
    }

    fn missed(&self, missed: &'static str) -> AuthresError {
        let at = self.cursor.position();
        AuthresError::Syntax { missed, at }
    }
}

/// The field is known to be UTF-8, and is cut at ASCII only.
fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

pub(super) fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|&b| is_token_octet(b))
}

/// RFC 2045 §5.1: no blank, control or tspecial; RFC 8616 §4 adds what is not ASCII.
fn is_token_octet(octet: u8) -> bool {
    octet >= 0x80 || (octet.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&octet))
}

pub(super) fn is_keyword(octets: &[u8]) -> bool {
    !octets.ends_with(b"-") && !octets.is_empty() && octets.iter().all(|&b| is_keyword_octet(b))
}

fn is_keyword_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

/// Whether it is `[ local-part ] "@" domain-name` (RFC 5321 §4.1.2, RFC 6376 §3.5).
pub(super) fn is_mailbox(octets: &[u8]) -> bool {
    let Some(at) = memchr::memrchr(b'@', octets) else {
        return false;
    };
    let (local, domain) = (&octets[..at], &octets[at + 1..]);
    is_domain(domain) && (local.is_empty() || is_dot_string(local) || is_quoted_string(local))
}

fn is_domain(octets: &[u8]) -> bool {
    octets
        .split(|&b| b == b'.')
        .all(|label| !label.is_empty() && label.iter().all(|&b| is_domain_octet(b)))
}

fn is_dot_string(octets: &[u8]) -> bool {
    octets
        .split(|&b| b == b'.')
        .all(|word| !word.is_empty() && word.iter().all(|&b| is_atom_octet(b)))
}

fn is_quoted_string(octets: &[u8]) -> bool {
    let mut cursor = Cursor::new(octets);
    cursor.peek() == Some(b'"') && cursor.quoted_string().is_ok() && cursor.is_at_end()
}

fn is_domain_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || matches!(octet, b'.' | b'-' | b'_')
}
