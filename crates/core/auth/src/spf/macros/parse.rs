//! Reading macro strings (RFC 7208 §7.1, §12).

use super::{DomainSpec, Letter, Macro, MacroString, Part};

/// Where a macro string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroContext {
    /// In a domain-spec: without the letters c, r and t.
    Name,
    /// In a modifier that nobody knows: checked, never expanded.
    Modifier,
    /// In the text of an explanation: blanks too.
    Explanation,
}

impl DomainSpec {
    /// Reads a domain-spec.
    ///
    /// # Errors
    /// [`MacroError`] where it is none. Length is no matter of syntax: expansion decides it.
    pub fn parse(text: &[u8]) -> Result<Self, MacroError> {
        let parsed = MacroString::parse(text, MacroContext::Name)?;
        match parsed.0.last() {
            None => Err(MacroError::Empty),
            Some(Part::Literal(tail)) if !ends_in_top_label(tail) => Err(MacroError::TopLabel),
            // RFC 7208 §7.1: "domain-end = ( "." toplabel [ "." ] ) / macro-expand"
            Some(_) => Ok(Self(parsed)),
        }
    }
}

impl MacroString {
    /// Reads a macro string.
    ///
    /// # Errors
    /// [`MacroError`] where it is none.
    pub fn parse(text: &[u8], place: MacroContext) -> Result<Self, MacroError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = match rest.strip_prefix(b"%") {
                Some(expand) => parse_expand(expand, place)?,
                None => parse_literal(rest, place)?,
            };
            parts.push(part);
            rest = after;
        }
        Ok(Self(parts))
    }
}

/// Why a text is no macro string or domain-spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacroError {
    /// A domain-spec of no characters.
    #[error("the domain is missing")]
    Empty,
    /// A domain-spec that does not end in a dot and a top label, or in a macro.
    #[error("the domain must end in a dot and a top-level label, or in a macro")]
    TopLabel,
    /// An octet that is not visible ASCII.
    #[error("the octet 0x{0:02x} is not visible ASCII")]
    Octet(u8),
    /// A percent sign with anything but `{`, `%`, `_` or `-` after it.
    #[error("a percent sign starts no macro")]
    Percent,
    /// No closing brace.
    #[error("a macro is not closed")]
    Unclosed,
    /// A letter that is no macro, or none at all.
    #[error("a macro has an unknown letter")]
    Letter,
    /// The letters c, r and t in a name (RFC 7208 §7.2).
    #[error("a macro has a letter that only explanations may use")]
    OnlyInExplanations,
    /// `%{d0}`: the number must not be zero (RFC 7208 §7.3).
    #[error("a macro asks for zero parts")]
    ZeroParts,
    /// Something after the letter that is neither digits, `r` nor delimiters.
    #[error("a macro has an unknown transformer or delimiter")]
    Transformer,
}

impl Letter {
    fn parse(letter: u8) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            b's' => Self::Sender,
            b'l' => Self::LocalPart,
            b'o' => Self::SenderDomain,
            b'd' => Self::Domain,
            b'i' => Self::Address,
            b'p' => Self::ValidatedName,
            b'v' => Self::AddressFamily,
            b'h' => Self::Helo,
            b'c' => Self::ReadableAddress,
            b'r' => Self::Receiver,
            b't' => Self::Time,
            _ => return None,
        })
    }

    fn only_in_explanations(self) -> bool {
        matches!(self, Self::ReadableAddress | Self::Receiver | Self::Time)
    }
}

/// Text up to the next percent sign, and what follows.
fn parse_literal(text: &[u8], place: MacroContext) -> Result<(Part, &[u8]), MacroError> {
    let end = text.iter().position(|&b| b == b'%').unwrap_or(text.len());
    let (literal, after) = text.split_at(end);
    let odd = literal
        .iter()
        .find(|&&b| !(b.is_ascii_graphic() || b == b' ' && place == MacroContext::Explanation));
    match odd {
        Some(&octet) => Err(MacroError::Octet(octet)),
        None => Ok((Part::Literal(literal.into()), after)),
    }
}

/// What follows a percent sign, and what follows that.
fn parse_expand(text: &[u8], place: MacroContext) -> Result<(Part, &[u8]), MacroError> {
    let (first, after) = text.split_first().ok_or(MacroError::Percent)?;
    match first {
        b'%' => Ok((Part::Escape(b"%"), after)),
        b'_' => Ok((Part::Escape(b" "), after)),
        b'-' => Ok((Part::Escape(b"%20"), after)),
        b'{' => {
            let close = after
                .iter()
                .position(|&b| b == b'}')
                .ok_or(MacroError::Unclosed)?;
            let (inside, closed) = after.split_at(close);
            let macro_ = parse_macro(inside, place)?;
            Ok((Part::Macro(macro_), closed.get(1..).unwrap_or_default()))
        }
        _ => Err(MacroError::Percent),
    }
}

/// What stands in braces: a letter, digits, `r`, delimiters.
fn parse_macro(inside: &[u8], place: MacroContext) -> Result<Macro, MacroError> {
    let (&first, rest) = inside.split_first().ok_or(MacroError::Letter)?;
    let letter = Letter::parse(first).ok_or(MacroError::Letter)?;
    if place == MacroContext::Name && letter.only_in_explanations() {
        return Err(MacroError::OnlyInExplanations);
    }
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at(digits);
    let (reversed, delimiters) = match rest {
        [b'r' | b'R', after @ ..] => (true, after),
        _ => (false, rest),
    };
    if !delimiters.iter().all(|b| b".-+,/_=".contains(b)) {
        return Err(MacroError::Transformer);
    }
    Ok(Macro {
        letter,
        kept: parse_kept(digits)?,
        reversed,
        delimiters: delimiters.into(),
        url_escaped: first.is_ascii_uppercase(),
    })
}

/// RFC 7208 §7.1 lets a number of any size be written; past all parts it changes nothing.
fn parse_kept(digits: &[u8]) -> Result<usize, MacroError> {
    let number = digits.iter().fold(0_usize, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    match (digits, number) {
        ([], _) => Ok(usize::MAX),
        (_, 0) => Err(MacroError::ZeroParts),
        (_, number) => Ok(number),
    }
}

/// Whether text ends in `"." toplabel [ "." ]`, where the top label is not all digits
/// and has no hyphen at either end (RFC 7208 §7.1).
fn ends_in_top_label(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let Some(dot) = text.iter().rposition(|&b| b == b'.') else {
        return false;
    };
    let label = text.get(dot + 1..).unwrap_or_default();
    let characters = label.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-');
    let edges = !label.is_empty() && !label.starts_with(b"-") && !label.ends_with(b"-");
    characters && edges && !label.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_macro_string() {
        for (text, error) in [
            ("%(ir)", MacroError::Percent),
            ("%", MacroError::Percent),
            ("%{d", MacroError::Unclosed),
            ("%{}", MacroError::Letter),
            ("%{x}", MacroError::Letter),
            ("%{d0}", MacroError::ZeroParts),
            ("%{d000}", MacroError::ZeroParts),
            ("%{d-r}", MacroError::Transformer),
            ("%{d:}", MacroError::Transformer),
            ("%{c}", MacroError::OnlyInExplanations),
            ("%{r}", MacroError::OnlyInExplanations),
            ("%{T}", MacroError::OnlyInExplanations),
            ("a b", MacroError::Octet(b' ')),
            ("a\u{7f}", MacroError::Octet(0x7f)),
        ] {
            assert_eq!(
                MacroString::parse(text.as_bytes(), MacroContext::Name),
                Err(error),
                "{text}"
            );
        }
        assert!(MacroString::parse(b"%{c} %{r} %{t}", MacroContext::Explanation).is_ok());
        assert!(MacroString::parse(b"%{c}%{r}%{t}", MacroContext::Modifier).is_ok());
    }

    #[test]
    fn a_domain_spec_ends_like_a_name() {
        for good in [
            "a.b",
            "a.b.",
            "a.xn--zckzah",
            "a.1-2",
            "%{d}",
            "x%%",
            "%{d}.com",
            "foo:bar/baz.example.com",
            "a..com",
        ] {
            assert!(DomainSpec::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "museum", "museum.", "-all", "a.123", "a.-b", "a.b-", "a.b..", "%{d}.", "%{d}com", "a.com/24",
            "a.c_m",
        ] {
            assert_eq!(
                DomainSpec::parse(bad.as_bytes()),
                Err(MacroError::TopLabel),
                "{bad}"
            );
        }
        assert_eq!(DomainSpec::parse(b""), Err(MacroError::Empty));
    }
}
