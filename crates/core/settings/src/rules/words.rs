//! The values of a rule that are text of a certain form.

use landmarc_mail::DomainName;
use landmarc_receiver::rule::{NamePattern, RecipientPattern};

use crate::value::TextValue;

/// The longest name of a rule, in octets.
pub const MAX_NAME_OCTETS: usize = 64;
/// The longest reason of a rule, in octets: it stands in every report that it is told in.
pub const MAX_REASON_OCTETS: usize = 200;
/// The longest owner of a rule, in octets.
pub const MAX_OWNER_OCTETS: usize = 100;
/// The longest local part of a recipient, in octets (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_PART_OCTETS: usize = 64;

text_value!(
    /// The name of a rule: lower-case letters, digits, `_` and `-`, so that it can stand in a log
    /// line and a command without quotes.
    RuleName,
    "name of a rule",
    "1 to 64 lower-case letters, digits, \"-\" and \"_\"",
    name
);

fn name(text: &str) -> Result<String, String> {
    let is_allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
    match text.chars().find(|c| !is_allowed(c)) {
        Some(c) => Err(format!("the character {c:?} cannot be in it")),
        None if text.is_empty() => Err("it is empty".to_owned()),
        None if text.len() > MAX_NAME_OCTETS => Err(too_long(MAX_NAME_OCTETS)),
        None => Ok(text.to_owned()),
    }
}

text_value!(
    /// Why there is a rule, on one line.
    Reason,
    "reason",
    "one line of at most 200 octets",
    |text| line(text, MAX_REASON_OCTETS)
);

text_value!(
    /// Who answers for a rule, on one line.
    Owner,
    "owner",
    "one line of at most 100 octets",
    |text| line(text, MAX_OWNER_OCTETS)
);

fn line(text: &str, most: usize) -> Result<String, String> {
    let line = <String as TextValue>::parse(text)?;
    match line.len() > most {
        true => Err(too_long(most)),
        false => Ok(line.trim().to_owned()),
    }
}

fn too_long(most: usize) -> String {
    format!("it has more than {most} octets")
}

/// In header fields and in SMTP a List-Id and an address stand between brackets; here they do not.
fn without_brackets(text: &str) -> Result<(), String> {
    match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        Some(_) => Err("write it without the brackets \"<\" and \">\"".to_owned()),
        None => Ok(()),
    }
}

/// One domain name, or all names below one: `example.com`, `*.example.com`.
impl TextValue for NamePattern {
    const KIND: &'static str = "domain name or pattern";
    const ALLOWED: &'static str =
        "a domain name such as \"example.com\", or \"*.example.com\" for the names below it";

    fn parse(text: &str) -> Result<Self, String> {
        without_brackets(text)?;
        let name = |text: &str| <DomainName as TextValue>::parse(text);
        match text.strip_prefix("*.") {
            Some(base) => name(base).map(Self::Below),
            None => name(text).map(Self::Exactly),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Exactly(name) => name.to_string(),
            Self::Below(name) => format!("*.{name}"),
        }
    }
}

/// One recipient, or all those of a domain: `postmaster@example.org`, `example.org`,
/// `*.example.org`.
impl TextValue for RecipientPattern {
    const KIND: &'static str = "recipient";
    const ALLOWED: &'static str = "an address such as \"postmaster@example.org\", a domain, or \"*.example.org\" for the domains below one";

    fn parse(text: &str) -> Result<Self, String> {
        without_brackets(text)?;
        let Some((local_part, domain)) = text.rsplit_once('@') else {
            return NamePattern::parse(text).map(Self::Domain);
        };
        if local_part.is_empty() {
            return Err("there is nothing before the \"@\"".to_owned());
        }
        if local_part.len() > MAX_LOCAL_PART_OCTETS {
            return Err(format!(
                "there are more than {MAX_LOCAL_PART_OCTETS} octets before the \"@\""
            ));
        }
        if let Some(c) = local_part.chars().find(|c| c.is_control() || *c == ' ') {
            return Err(format!("the character {c:?} cannot be in it"));
        }
        Ok(Self::Address {
            local_part: local_part.to_owned(),
            domain: <DomainName as TextValue>::parse(domain)?,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Address { local_part, domain } => format!("{local_part}@{domain}"),
            Self::Domain(pattern) => pattern.text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why<T: TextValue>(text: &str) -> String {
        T::parse(text).err().unwrap_or_default()
    }

    #[test]
    fn a_name_needs_no_quotes_anywhere() {
        assert_eq!(why::<RuleName>("acme-news_2"), "");
        insta::assert_snapshot!(why::<RuleName>("Acme"), @"the character 'A' cannot be in it");
        insta::assert_snapshot!(why::<RuleName>("a b"), @"the character ' ' cannot be in it");
        assert_eq!(why::<RuleName>(""), "it is empty");
        assert_eq!(why::<RuleName>(&"a".repeat(MAX_NAME_OCTETS)), "");
        insta::assert_snapshot!(
            why::<RuleName>(&"a".repeat(MAX_NAME_OCTETS + 1)),
            @"it has more than 64 octets"
        );
    }

    #[test]
    fn reason_and_owner_are_one_line_of_limited_length() {
        assert_eq!(
            Reason::parse(" Vertrag für März ").unwrap().as_str(),
            "Vertrag für März"
        );
        insta::assert_snapshot!(why::<Reason>("a\nb"), @r"the character '\n' cannot be in it");
        assert_eq!(why::<Reason>(" "), "it is empty");
        assert_eq!(why::<Reason>(&"a".repeat(MAX_REASON_OCTETS)), "");
        insta::assert_snapshot!(
            why::<Reason>(&"a".repeat(MAX_REASON_OCTETS + 1)),
            @"it has more than 200 octets"
        );
        assert_eq!(why::<Owner>(&"a".repeat(MAX_OWNER_OCTETS)), "");
        insta::assert_snapshot!(
            why::<Owner>(&"a".repeat(MAX_OWNER_OCTETS + 1)),
            @"it has more than 100 octets"
        );
    }

    #[test]
    fn patterns_read_back_as_they_are_printed() {
        for (written, printed) in [
            ("Example.COM.", "example.com"),
            ("*.Example.com", "*.example.com"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
        ] {
            assert_eq!(NamePattern::parse(written).unwrap().text(), printed);
            assert_eq!(RecipientPattern::parse(written).unwrap().text(), printed);
        }
        assert_eq!(
            RecipientPattern::parse("\"a@b\"@Example.org").unwrap().text(),
            "\"a@b\"@example.org"
        );
        let brackets = why::<NamePattern>("<list.example>");
        insta::assert_snapshot!(brackets, @r#"write it without the brackets "<" and ">""#);
        assert_eq!(why::<RecipientPattern>("<a@example.org>"), brackets);
        assert_ne!(why::<NamePattern>("<"), "");
        assert_ne!(why::<NamePattern>("*"), "");
        assert_ne!(why::<NamePattern>("*."), "");
        assert_ne!(why::<NamePattern>("a.*.example"), "");
        assert_ne!(why::<NamePattern>("a@example.org"), "");
    }

    #[test]
    fn a_recipient_has_a_local_part_that_smtp_can_carry() {
        insta::assert_snapshot!(
            why::<RecipientPattern>("@example.org"),
            @r#"there is nothing before the "@""#
        );
        insta::assert_snapshot!(
            why::<RecipientPattern>("a b@example.org"),
            @"the character ' ' cannot be in it"
        );
        let at_limit = format!("{}@example.org", "a".repeat(MAX_LOCAL_PART_OCTETS));
        assert_eq!(why::<RecipientPattern>(&at_limit), "");
        insta::assert_snapshot!(
            why::<RecipientPattern>(&format!("a{at_limit}")),
            @r#"there are more than 64 octets before the "@""#
        );
    }
}
