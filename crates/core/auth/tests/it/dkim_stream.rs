//! A body hashed in pieces is the body hashed whole.

use landmarc_auth::dkim::{BodyDigest, BodyHashing, Canonicalization};
use proptest::collection::vec;
use proptest::prelude::*;
use ring::digest::{SHA256, digest};

const LIMITS: [Option<u64>; 6] = [None, Some(0), Some(1), Some(7), Some(20), Some(1_000_000)];

/// All hashes of a body that arrives cut at these places.
fn hashed(body: &[u8], cuts: &[usize]) -> Vec<BodyDigest> {
    let mut hashing = BodyHashing::new();
    let mut handles = Vec::new();
    for kind in [Canonicalization::Simple, Canonicalization::Relaxed] {
        handles.extend(LIMITS.map(|limit| hashing.want(kind, limit).unwrap()));
    }
    let mut rest = body;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        hashing.update(piece);
        rest = after;
    }
    hashing.update(rest);
    let digests = hashing.finish();
    handles
        .into_iter()
        .map(|handle| digests.digest(handle).unwrap())
        .collect()
}

/// Canonical form by the words of RFC 6376 §3.4.3 and §3.4.4, the whole body at hand.
fn canonical(kind: Canonicalization, body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = body;
    while let Some((&octet, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            lines.push(Vec::new());
            rest = after;
            continue;
        }
        lines.last_mut().unwrap().push(octet);
        rest = after;
    }
    if kind == Canonicalization::Relaxed {
        lines = lines.iter().map(|line| relaxed_line(line)).collect();
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut out: Vec<u8> = lines
        .into_iter()
        .flat_map(|line| [&line[..], b"\r\n"].concat())
        .collect();
    if out.is_empty() && kind == Canonicalization::Simple {
        out = b"\r\n".to_vec();
    }
    out
}

fn relaxed_line(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &octet in line {
        let octet = if octet == b'\t' { b' ' } else { octet };
        if octet != b' ' || out.last() != Some(&b' ') {
            out.push(octet);
        }
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
    out
}

/// Bodies made mostly of what canonicalization is about.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"\r\n"[..]),
        3 => Just(&b" "[..]),
        1 => Just(&b"\t"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\n"[..]),
        3 => Just(&b"x"[..]),
        1 => Just(&b"word word"[..]),
        1 => Just(&b"\0\xff"[..]),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn dkim_pieces_make_no_difference(body in bodies(), cuts in vec(0_usize..6, 0..40)) {
        prop_assert_eq!(hashed(&body, &cuts), hashed(&body, &[]));
    }

    #[test]
    fn dkim_the_stream_agrees_with_the_words_of_the_rfc(body in bodies(), cuts in vec(0_usize..6, 0..40)) {
        let mut found = hashed(&body, &cuts).into_iter();
        for kind in [Canonicalization::Simple, Canonicalization::Relaxed] {
            let text = canonical(kind, &body);
            for limit in LIMITS {
                let taken = limit.map_or(text.len(), |l| usize::try_from(l).unwrap().min(text.len()));
                let found = found.next().unwrap();
                prop_assert_eq!(found.canonical_octets, text.len() as u64);
                let expected = digest(&SHA256, &text[..taken]);
                prop_assert_eq!(&found.sha256[..], expected.as_ref());
            }
        }
    }
}

#[test]
fn dkim_octet_by_octet() {
    let body = b" a  b\t\r\n\r\n \r\n c \r \n\r\r\n\r\n\t\r\n";
    assert_eq!(hashed(body, &[1; 64]), hashed(body, &[]));
}
