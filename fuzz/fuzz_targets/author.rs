//! The Author Domain: whatever it finds is a domain that stands in the field, and a
//! harmless comment, fold or second copy of the address changes nothing.

#![no_main]

use landmarc_mail::author::{AuthorFault, MAX_AUTHOR_DOMAINS, MAX_AUTHOR_MAILBOXES, author};
use landmarc_mail::{Author, DomainName, HeaderField, HeaderSection};
use libfuzzer_sys::fuzz_target;

/// Twice the mailboxes of a field this long are still under their limit.
const MAX_DOUBLED_OCTETS: usize = MAX_AUTHOR_MAILBOXES * "a@b,".len() / 2;

fuzz_target!(|value: &[u8]| {
    let found = of(&[value]);
    for domain in found.domains() {
        assert_eq!(DomainName::parse(domain.as_str()).as_ref(), Ok(domain));
    }
    match &found {
        Author::Domain(_) => {}
        Author::Domains(domains) => assert!((2..=MAX_AUTHOR_DOMAINS).contains(&domains.len())),
        Author::Unusable(fault) => {
            assert!(found.domains().is_empty());
            assert!(!fault.to_string().is_empty());
        }
    }
    if !found.domains().is_empty() {
        assert_eq!(of(&[b"(a comment)\r\n ", value, b"\r\n\t(another)"]), found);
        // The end of an encoded word may come with the second copy.
        let has_encoded_word = value.windows(2).any(|two| two == b"=?");
        if value.len() < MAX_DOUBLED_OCTETS && !has_encoded_word {
            assert_eq!(of(&[value, b", ,", value]), found);
        }
    }
    if found == Author::Unusable(AuthorFault::NoDomain) && !value.contains(&b'[') {
        assert!(!value.contains(&b'@'), "no domain, and an address is shown");
    }
    let twice = [
        HeaderField::new(*b"from ", value),
        HeaderField::new(*b"From", value),
    ];
    let fault = Author::Unusable(AuthorFault::SeveralFromFields(2));
    assert_eq!(author(&section(twice)), fault);
});

fn of(parts: &[&[u8]]) -> Author {
    author(&section([HeaderField::new(*b"From", parts.concat())]))
}

fn section<const N: usize>(fields: [HeaderField; N]) -> HeaderSection {
    let mut header = HeaderSection::default();
    for field in fields {
        header.push(field, &Default::default());
    }
    header
}
