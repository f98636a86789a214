//! What an SMTP client is told: reply texts and enhanced status codes.

use std::fmt;

use super::TextValue;

/// The longest reply text as written, in octets: room is left for what is filled in.
const MAX_TEMPLATE_OCTETS: usize = 200;

/// The longest filled-in reply text, in octets. RFC 5321 §4.5.3.1.5 gives a reply line
/// 512 with its code and CRLF; an enhanced status code takes up to twelve of them.
pub const MAX_REPLY_OCTETS: usize = 480;

/// The text of an SMTP reply, in which each [`Placeholder`] is filled in for each message.
/// Printable ASCII, at most 200 octets as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplyText(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Text(String),
    Filled(Placeholder),
}

choices! {
    /// What can be filled into a [`ReplyText`].
    pub enum Placeholder {
        /// The Author Domain.
        AuthorDomain = "author_domain",
        /// The DMARC Policy Domain.
        PolicyDomain = "policy_domain",
        /// Why, in a few words.
        Reason = "reason",
        /// The address of the client.
        Client = "client",
        /// What the log calls this message.
        Id = "id",
    }
}

impl ReplyText {
    /// The text for one message: one line of printable ASCII, at most [`MAX_REPLY_OCTETS`].
    ///
    /// What is filled in may come from a stranger, so a character that has no place in a
    /// reply (RFC 5321 §4.2: `%d32-126`) is replaced by a question mark. Where all of it is too
    /// long, the reason is cut, lest the id behind it be lost; and the end only if that is not enough.
    pub fn fill<'v>(&self, value_of: impl Fn(Placeholder) -> &'v str) -> String {
        let room = self.room_for_reason(&value_of);
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => (text.as_str(), MAX_REPLY_OCTETS),
            Piece::Filled(Placeholder::Reason) => (value_of(Placeholder::Reason), room),
            Piece::Filled(placeholder) => (value_of(*placeholder), MAX_REPLY_OCTETS),
        });
        pieces
            .flat_map(|(text, room)| text.chars().take(room))
            .map(|c| if is_reply_character(c) { c } else { '?' })
            .take(MAX_REPLY_OCTETS)
            .collect()
    }

    /// How many characters of the reason fit, each time that it is filled in.
    fn room_for_reason<'v>(&self, value_of: impl Fn(Placeholder) -> &'v str) -> usize {
        let (mut taken, mut reasons) = (0, 0);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => taken += text.len(),
                Piece::Filled(Placeholder::Reason) => reasons += 1,
                Piece::Filled(placeholder) => taken += value_of(*placeholder).chars().count(),
            }
        }
        MAX_REPLY_OCTETS.saturating_sub(taken) / reasons.max(1)
    }
}

impl TextValue for ReplyText {
    const KIND: &'static str = "reply text";
    const ALLOWED: &'static str = "printable ASCII, at most 200 octets, with {author_domain}, {policy_domain}, {reason}, {client} or \
         {id} to be filled in";

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.len() > MAX_TEMPLATE_OCTETS {
            return Err(format!("it has more than {MAX_TEMPLATE_OCTETS} octets"));
        }
        if let Some(c) = text.chars().find(|&c| !is_reply_character(c)) {
            return Err(format!("the character {c:?} cannot be in it"));
        }
        pieces(text).map(Self)
    }

    fn text(&self) -> String {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Filled(placeholder) => write!(f, "{{{}}}", placeholder.word()),
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a \"{\" is not closed")?;
        let placeholder = Placeholder::parse(name).map_err(|_| format!("unknown placeholder {{{name}}}"))?;
        pieces.push(plain(before)?);
        pieces.push(Piece::Filled(placeholder));
        rest = after;
    }
    pieces.push(plain(rest)?);
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    Ok(pieces)
}

fn plain(text: &str) -> Result<Piece, String> {
    match text.contains('}') {
        true => Err("a \"}\" was not opened".to_owned()),
        false => Ok(Piece::Text(text.to_owned())),
    }
}

fn is_reply_character(c: char) -> bool {
    matches!(c, ' '..='~')
}

macro_rules! enhanced_status {
    ($(#[doc = $about:literal])+ $Name:ident, $class:literal, $what:literal, $kind:literal, $allowed:literal) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $Name(SubCodes);

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($class, "{}"), self.0)
            }
        }

        printed_value!($Name, $kind, $allowed, |text: &str| {
            let rest = text.strip_prefix($class);
            let rest = rest.ok_or(concat!("it does not start with \"", $class, "\", and ", $what, " must"))?;
            SubCodes::parse(rest).map(Self)
        });
    };
}

enhanced_status!(
    /// An enhanced status code of class 4, "persistent transient failure" (RFC 3463 §2).
    TransientStatus,
    "4.",
    "a temporary failure",
    "transient status code",
    "\"4.0.0\" to \"4.999.999\""
);

enhanced_status!(
    /// An enhanced status code of class 5, "permanent failure" (RFC 3463 §2).
    PermanentStatus,
    "5.",
    "a refusal",
    "permanent status code",
    "\"5.0.0\" to \"5.999.999\""
);

/// What follows the class in an enhanced status code (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct SubCodes {
    subject: u16,
    detail: u16,
}

impl SubCodes {
    fn parse(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('.')
            .and_then(|(subject, detail)| Some((number(subject)?, number(detail)?)));
        let (subject, detail) = numbers.ok_or("it is not three numbers with dots between them")?;
        Ok(Self { subject, detail })
    }
}

impl fmt::Display for SubCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.subject, self.detail)
    }
}

/// RFC 3463 §2: one to three digits.
fn number(text: &str) -> Option<u16> {
    let well_formed = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    // There too: "Each numeric sub-code [...] MUST be expressed without leading zero digits."
    let leading_zero = text.len() > 1 && text.starts_with('0');
    (well_formed && !leading_zero)
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let text = ReplyText::parse(template)?;
        assert_eq!(text.text(), template);
        Ok(text.fill(|placeholder| match placeholder {
            Placeholder::AuthorDomain => "mail.example.com",
            Placeholder::PolicyDomain => "example.com",
            Placeholder::Client => "192.0.2.1",
            Placeholder::Reason => "a\r\n250 b\u{fc}",
            Placeholder::Id => "4Fb1",
        }))
    }

    #[test]
    fn placeholders_are_filled_in_and_nothing_breaks_the_line() {
        assert_eq!(filled("no").unwrap(), "no");
        assert_eq!(filled("{id}{policy_domain}").unwrap(), "4Fb1example.com");
        assert_eq!(
            filled("{author_domain} [{client}]").unwrap(),
            "mail.example.com [192.0.2.1]"
        );
        assert_eq!(filled("why: {reason} ({id})").unwrap(), "why: a??250 b? (4Fb1)");
    }

    #[test]
    fn a_template_that_cannot_be_filled_says_why() {
        for (template, why) in [
            ("", "it is empty"),
            ("{sender}", "unknown placeholder {sender}"),
            ("{}", "unknown placeholder {}"),
            ("a {id", "a \"{\" is not closed"),
            ("a id}", "a \"}\" was not opened"),
            ("{id}}", "a \"}\" was not opened"),
            ("a\tb", "the character '\\t' cannot be in it"),
            ("für", "the character 'ü' cannot be in it"),
        ] {
            assert_eq!(filled(template), Err(why.to_owned()), "{template}");
        }
        assert!(filled(&"a".repeat(200)).is_ok());
        assert_eq!(
            filled(&"a".repeat(201)),
            Err("it has more than 200 octets".to_owned())
        );
    }

    #[test]
    fn a_filled_reply_fits_its_line() {
        let text = ReplyText::parse("{reason}").unwrap();
        let (fits, too_long) = ("x".repeat(MAX_REPLY_OCTETS), "x".repeat(MAX_REPLY_OCTETS + 1));
        assert_eq!(text.fill(|_| &fits), fits);
        assert_eq!(text.fill(|_| &too_long), fits);
    }

    #[test]
    fn a_long_reason_gives_way_to_what_follows_it() {
        fn filled(template: &str, domain: &str, reason: &str) -> String {
            ReplyText::parse(template)
                .unwrap()
                .fill(|placeholder| match placeholder {
                    Placeholder::Reason => reason,
                    Placeholder::Id => "0123456789ab",
                    _ => domain,
                })
        }
        let domain = "d".repeat(253);
        let room = MAX_REPLY_OCTETS - domain.len() - ": ".len() - " (0123456789ab)".len();
        let (fits, too_long) = ("x".repeat(room), "x".repeat(room + 1));
        let whole = format!("{domain}: {fits} (0123456789ab)");
        for reason in [fits, too_long] {
            assert_eq!(
                filled("{author_domain}: {reason} ({id})", &domain, &reason),
                whole
            );
        }
        let twice = filled("{reason} {reason} ({id})", "", &"x".repeat(600));
        assert!(twice.ends_with("x (0123456789ab)"), "{twice}");
        assert!((MAX_REPLY_OCTETS - 1..=MAX_REPLY_OCTETS).contains(&twice.len()));
        let cut = filled("{author_domain}{policy_domain} {reason} ({id})", &domain, "why");
        assert_eq!(cut, "d".repeat(MAX_REPLY_OCTETS));
    }

    #[test]
    fn only_transient_codes_are_taken() {
        for text in ["4.7.1", "4.0.0", "4.999.999"] {
            assert_eq!(TransientStatus::parse(text).unwrap().text(), text);
        }
        for text in [
            "5.7.1", "2.0.0", "451", "4.7", "4.7.1.1", "4.7.x", "4.1000.0", "4.07.1", "4..1", "4.+7.1", "",
        ] {
            assert!(TransientStatus::parse(text).is_err(), "{text}");
        }
    }

    /// RFC 7372 §3: 5.7.26 says that several kinds of authentication failed.
    #[test]
    fn only_permanent_codes_refuse() {
        for text in ["5.7.1", "5.7.26", "5.0.0", "5.999.999"] {
            assert_eq!(PermanentStatus::parse(text).unwrap().text(), text);
        }
        for text in ["4.7.1", "2.0.0", "550", "5.7", "5.7.026", "5.1000.0", ""] {
            assert!(PermanentStatus::parse(text).is_err(), "{text}");
        }
    }
}
