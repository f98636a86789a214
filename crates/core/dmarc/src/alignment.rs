//! Alignment of an Authenticated Identifier with the Author Domain (RFC 9989 §4.4).

use landmarc_mail::DomainName;

use crate::record::Mode;

/// Who authenticated an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// SPF, for the MAIL FROM identity.
    Spf,
    /// DKIM, for the `d=` of one signature.
    Dkim,
}

impl Mechanism {
    /// The method name of RFC 8601.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
        }
    }
}

landmarc_mail::display_as_str!(Mechanism);

/// A domain that SPF or DKIM passed for (RFC 9989 §3.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthenticatedIdentifier {
    /// Which of the two.
    pub mechanism: Mechanism,
    /// The domain.
    pub domain: DomainName,
}

/// An Authenticated Identifier in alignment with the Author Domain. Only
/// [`align`] makes one, so holding it is proof that the check was done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Aligned {
    identifier: AuthenticatedIdentifier,
    mode: Mode,
}

impl Aligned {
    /// The identifier.
    #[must_use]
    pub fn identifier(&self) -> &AuthenticatedIdentifier {
        &self.identifier
    }

    /// The mode it aligned in.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

/// A name with its Organizational Domain, where that was needed and could be found.
#[derive(Clone, Copy, Debug)]
pub struct Owned<'a> {
    /// The name.
    pub domain: &'a DomainName,
    /// Its own Organizational Domain, never that of another name.
    pub organizational_domain: Option<&'a DomainName>,
}

/// Compares an identifier with the Author Domain. Identical names align in both modes
/// and need no Organizational Domain (§4.10.2); other names align in relaxed mode when
/// both Organizational Domains are known and the same, be one below the other or not.
#[must_use]
pub fn align(author: Owned<'_>, mechanism: Mechanism, identifier: Owned<'_>, mode: Mode) -> Option<Aligned> {
    let is_identical = author.domain == identifier.domain;
    let is_related = match (author.organizational_domain, identifier.organizational_domain) {
        (Some(one), Some(two)) => one == two,
        (None, _) | (_, None) => false,
    };
    let is_aligned = is_identical || (mode == Mode::Relaxed && is_related);
    is_aligned.then(|| Aligned {
        identifier: AuthenticatedIdentifier {
            mechanism,
            domain: identifier.domain.clone(),
        },
        mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(author: [&str; 2], identifier: [&str; 2], mode: Mode) -> bool {
        let [author, author_org] = author.map(|text| DomainName::parse(text).unwrap());
        let [domain, organizational] = identifier.map(|text| DomainName::parse(text).unwrap());
        let author = Owned {
            domain: &author,
            organizational_domain: Some(&author_org),
        };
        let identifier = Owned {
            domain: &domain,
            organizational_domain: Some(&organizational),
        };
        align(author, Mechanism::Dkim, identifier, mode).is_some()
    }

    #[test]
    fn strict_wants_the_name_relaxed_the_organization() {
        let author = ["news.example.com", "example.com"];
        assert!(aligned(author, ["foo.example.com", "example.com"], Mode::Relaxed));
        assert!(!aligned(author, ["foo.example.com", "example.com"], Mode::Strict));
        assert!(aligned(author, ["news.example.com", "example.com"], Mode::Strict));
        assert!(!aligned(
            author,
            ["x.news.example.com", "news.example.com"],
            Mode::Relaxed
        ));
    }

    #[test]
    fn an_unknown_organization_aligns_with_nothing_but_itself() {
        let name = |text| DomainName::parse(text).unwrap();
        let (one, two) = (name("example.com"), name("a.example.com"));
        let unknown = |domain| Owned {
            domain,
            organizational_domain: None,
        };
        assert!(align(unknown(&one), Mechanism::Spf, unknown(&two), Mode::Relaxed).is_none());
        let aligned = align(unknown(&one), Mechanism::Spf, unknown(&one), Mode::Relaxed).unwrap();
        assert_eq!(aligned.identifier().domain, one);
        assert_eq!(aligned.mode(), Mode::Relaxed);
    }
}
