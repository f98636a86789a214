//! Signature fields, key records and canonical bodies from any octets: no panic, and a
//! body in pieces is the body whole.

#![no_main]

use landmarc_auth::dkim::Canonicalization::{self, Relaxed, Simple};
use landmarc_auth::dkim::canonical::{BodyCanonicalizer, header_field};
use landmarc_auth::dkim::key::KeyRecord;
use landmarc_auth::dkim::signature::{Coverage, Described, DkimSignature, SignatureOrigin};
use landmarc_auth::dkim::tags::TagList;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    read_tags(octets);
    let _ = KeyRecord::parse(octets);
    let (first, rest) = octets.split_first().unwrap_or((&0, &[]));
    for kind in [Simple, Relaxed] {
        let mut out = Vec::new();
        header_field(kind, b"Subject", octets, &mut out);
        // Canonical form only ever leaves out, but for the name and the colon.
        assert!(out.len() <= octets.len() + "subject:".len());
        assert_eq!(
            canonical(kind, rest.chunks(usize::from(*first % 16) + 1)),
            canonical(kind, [rest])
        );
    }
});

fn read_tags(octets: &[u8]) {
    let Ok(tags) = TagList::parse(octets) else {
        return;
    };
    assert!(tags.without_signature().len() <= octets.len());
    let _ = Described::read(&tags);
    let _ = SignatureOrigin::read(&tags);
    let _ = Coverage::read(&tags, None);
    if let Ok(signature) = DkimSignature::read(&tags) {
        assert!(signature.identity_domain.is_at_or_below(&signature.signer.domain));
        assert!(signature.coverage.names.contains(b"from"));
    }
}

fn canonical<'a>(kind: Canonicalization, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sink = |octets: &[u8]| out.extend_from_slice(octets);
    let mut canonicalizer = BodyCanonicalizer::new(kind);
    for piece in pieces {
        canonicalizer.update(piece, &mut sink);
    }
    canonicalizer.finish(&mut sink);
    out
}
