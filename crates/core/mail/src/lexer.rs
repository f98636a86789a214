//! The lexical ground that the From field and Authentication-Results share:
//! folding white space, comments and quoted strings (RFC 5322 §3.2).

/// How deep comments may nest. The grammar has no bound; the mail we know of does
/// not go past three, and what goes past this is made to confuse.
pub(crate) const MAX_COMMENT_DEPTH: usize = 32;

/// Why a comment or a quoted string could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LexFault {
    OpenComment,
    DeepComment,
    OpenQuote,
    LoneBackslash,
}

impl LexFault {
    /// What is wrong, in words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OpenComment => "a comment is not closed",
            Self::DeepComment => "comments are nested too deep",
            Self::OpenQuote => "a quoted string is not closed",
            Self::LoneBackslash => "a backslash stands before nothing",
        }
    }
}

/// A place in a field value that moves forward only, so that reading is linear.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at the first octet. [`has_stray_controls`] must have been asked before:
    /// here every CR and LF is taken for a part of a fold.
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.octets.len()
    }

    /// The octets from an earlier position up to here.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.octets.get(start..self.at).unwrap_or_default()
    }

    /// Steps over the octet if it is this one.
    pub(crate) fn eat(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    /// Steps over the octets that fit, and gives them back; perhaps none.
    pub(crate) fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        self.since(start)
    }

    /// Steps over comments and folding white space (CFWS, RFC 5322 §3.2.2), if any.
    pub(crate) fn skip_cfws(&mut self) -> Result<(), LexFault> {
        loop {
            self.take_while(is_fold_octet);
            if !self.eat(b'(') {
                return Ok(());
            }
            self.skip_comment()?;
        }
    }

    /// Steps over the rest of a comment whose `(` was read. What it says is never
    /// looked at, in whatever charset it is.
    fn skip_comment(&mut self) -> Result<(), LexFault> {
        let mut depth = 1;
        while depth > 0 {
            match self.next().ok_or(LexFault::OpenComment)? {
                b'(' if depth == MAX_COMMENT_DEPTH => return Err(LexFault::DeepComment),
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => self.skip_quoted()?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a quoted string at the cursor and gives it back as it stands, quotes
    /// and all; [`unquote`] makes its content of it.
    pub(crate) fn quoted_string(&mut self) -> Result<&'a [u8], LexFault> {
        let start = self.at;
        self.eat(b'"');
        loop {
            match self.next().ok_or(LexFault::OpenQuote)? {
                b'"' => return Ok(self.since(start)),
                b'\\' => self.skip_quoted()?,
                _ => {}
            }
        }
    }

    /// Steps over the second octet of a quoted pair.
    fn skip_quoted(&mut self) -> Result<(), LexFault> {
        match self.next() {
            // A backslash before a fold quotes nothing; readers disagree on what it does.
            None | Some(b'\r' | b'\n') => Err(LexFault::LoneBackslash),
            Some(_) => Ok(()),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }
}

/// The content of a quoted string: without the quotes, the backslashes of quoted
/// pairs and the line ends of folds (RFC 5322 §3.2.4).
pub(crate) fn unquote(quoted: &[u8]) -> Vec<u8> {
    let inner = quoted.strip_prefix(b"\"").unwrap_or(quoted);
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    let mut content = Vec::with_capacity(inner.len());
    let mut octets = inner.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n'));
    while let Some(octet) = octets.next() {
        let meant = if octet == b'\\' {
            octets.next()
        } else {
            Some(octet)
        };
        content.extend(meant);
    }
    content
}

/// Whether there is a control octet other than a tab, or a CR or LF that is no
/// part of a fold (CRLF and then a blank or tab, RFC 5322 §2.2.3).
///
/// The obsolete grammar (§4.1) lets most controls stand in comments and quoted
/// strings; no mail of good faith uses it.
pub(crate) fn has_stray_controls(value: &[u8]) -> bool {
    value.iter().enumerate().any(|(at, octet)| match octet {
        b'\t' => false,
        b'\r' => !is_fold(&value[at..]),
        b'\n' => at == 0 || value.get(at - 1) != Some(&b'\r'),
        _ => octet.is_ascii_control(),
    })
}

fn is_fold(octets: &[u8]) -> bool {
    matches!(octets, [b'\r', b'\n', b' ' | b'\t', ..])
}

fn is_fold_octet(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// An octet of an atom: `atext` of RFC 5322 §3.2.3, or of a character outside ASCII (RFC 6532 §3.2).
pub(crate) fn is_atom_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_cfws(value: &[u8]) -> Result<usize, LexFault> {
        let mut cursor = Cursor::new(value);
        cursor.skip_cfws().map(|()| cursor.position())
    }

    #[test]
    fn comments_nest_as_deep_as_allowed_and_no_deeper() {
        let nested = |depth| [b"(".repeat(depth), b")".repeat(depth)].concat();
        assert_eq!(after_cfws(&nested(MAX_COMMENT_DEPTH)), Ok(2 * MAX_COMMENT_DEPTH));
        assert_eq!(
            after_cfws(&nested(MAX_COMMENT_DEPTH + 1)),
            Err(LexFault::DeepComment)
        );
    }

    #[test]
    fn comments_end_where_their_parentheses_balance() {
        assert_eq!(after_cfws(b" (a (b) \\) c)\r\n\t(d) x"), Ok(20));
        assert_eq!(after_cfws(b"(a"), Err(LexFault::OpenComment));
        assert_eq!(after_cfws(b"(a\\"), Err(LexFault::LoneBackslash));
    }

    #[test]
    fn a_quoted_string_ends_at_the_first_quote_that_is_not_quoted() {
        let mut cursor = Cursor::new(br#""a\"b\\"c"#);
        assert_eq!(cursor.quoted_string(), Ok(&br#""a\"b\\""#[..]));
        assert_eq!(unquote(br#""a\"b\\""#), br#"a"b\"#);
        assert_eq!(unquote(b"\"a\r\n b\""), b"a b");
        assert_eq!(Cursor::new(b"\"a").quoted_string(), Err(LexFault::OpenQuote));
        assert_eq!(
            Cursor::new(b"\"\\\r\n x\"").quoted_string(),
            Err(LexFault::LoneBackslash)
        );
    }

    #[test]
    fn only_folds_and_tabs_are_harmless_controls() {
        for harmless in [&b"a\r\n b"[..], b"a\r\n\tb", b"a\tb", b"\r\n \r\n b", b""] {
            assert!(!has_stray_controls(harmless), "{}", harmless.escape_ascii());
        }
        for stray in [
            &b"a\0"[..],
            b"a\rb",
            b"a\nb",
            b"\n a",
            b"a\r\nb",
            b"a\r\n",
            b"a\r\r\n b",
            b"\x1b",
            b"\x7f",
        ] {
            assert!(has_stray_controls(stray), "{}", stray.escape_ascii());
        }
    }
}
