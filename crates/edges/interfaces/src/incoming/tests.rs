//! Messages in pieces: whatever the pieces, the same message comes out.

use landmarc_mail::message::{HeaderDefect, HeaderLimits, HeaderSection, split};
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 256 * 1024;

/// A message put together again from its pieces.
#[derive(Debug, Default, PartialEq, Eq)]
struct Whole {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    too_long: Vec<(Vec<u8>, u64)>,
    /// Whether the header section ended at a line that is no field.
    ended_at_text: bool,
    headers_ended: u32,
    body: Vec<u8>,
}

impl Whole {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Field { name, value } => {
                assert_eq!(self.headers_ended, 0);
                self.fields.push((name, value));
            }
            Piece::LongField { name, size } => self.too_long.push((name, size)),
            Piece::NotAField => {
                assert_eq!((self.ended_at_text, self.headers_ended), (false, 0));
                self.ended_at_text = true;
            }
            Piece::EndOfHeaders => self.headers_ended += 1,
            Piece::Body(octets) => {
                assert_eq!(self.headers_ended, 1);
                self.body.extend_from_slice(&octets);
            }
        }
    }
}

/// Read in pieces of this size.
fn whole(octets: &[u8], piece: usize, limit: usize) -> Whole {
    let mut incoming = Incoming::new(limit);
    let mut whole = Whole::default();
    for mut part in octets.chunks(piece) {
        while let Some(piece) = incoming.next(&mut part) {
            whole.take(piece);
        }
    }
    while let Some(piece) = incoming.finish() {
        whole.take(piece);
    }
    assert_eq!(whole.headers_ended, 1);
    whole
}

fn fields(headers: &HeaderSection) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = headers.fields().iter();
    fields
        .map(|field| (field.raw_name().to_vec(), field.value().to_vec()))
        .collect()
}

/// What `landmarc check` reads from a file, this reads from a connection, however it is cut.
fn assert_same_as_file(octets: &[u8], piece: usize) {
    let Ok(file) = split(octets, &HeaderLimits::default()) else {
        return;
    };
    let here = whole(octets, piece, LIMIT);
    assert_eq!(here.fields, fields(&file.header), "{}", octets.escape_ascii());
    assert_eq!(here.body, *file.body, "{}", octets.escape_ascii());
    let ended_at_text = file.header.defects().contains(&HeaderDefect::NotAField);
    assert_eq!(here.ended_at_text, ended_at_text, "{}", octets.escape_ascii());
}

const MESSAGES: &[&[u8]] = &[
    b"A: 1\r\nB: 2\r\n 3\r\n\r\nbody\r\n\r\nmore",
    b"A: 1",
    b"A: 1\r\n",
    b"A: 1\r\n\r\n",
    b"A: 1\n 2\nB: 3\r\n\nbody\nmore\r\n\n",
    b"X: 1\r\nFrom: a\rFrom: b\r\n\r\nbody\r",
    b"X: 1\r\nFrom: a\nFrom: b\r\n\r\nbody\n",
    b"A: 1\r\n \t\r\nB: 2\r\n\r\nbody",
    b"A: 1\r\nno colon\r\nB: 2\r\n\r\nbody",
    b"A: 1\ntwo words: x\nB: 2\n\nbody",
    b"From a@b Thu Jan  1 00:00:00 1970\nA: 1\n\n",
    b">From a@b\r\nA: 1\r\n\r\nFrom here\r\n",
    b"From : a@b\r\n\r\n",
    b"A: 1\r\nFrom a@b\r\nB: 2\r\n\r\n",
    b"A: 1\r\n: x\r\nFrom: b\r\n\r\n",
    b"A: 1\nno colon",
    b"\r\nFrom: b\r\n",
    b" \r\nFrom: b\r\n\r\n",
    b": x\nFrom: b\n\n",
    b"Fr\0om: b\r\n\xdc: c\r\n\r\n",
    b"A:1\r\r\n\r\nx\r\r\n",
];

#[test]
fn messages_are_split_as_files_are_wherever_they_are_cut() {
    for message in MESSAGES {
        for piece in 1..=message.len() {
            assert_same_as_file(message, piece);
        }
    }
}

#[test]
fn without_a_field_all_is_body() {
    for (octets, body) in [
        (&b""[..], &b""[..]),
        (b"\r\n", b""),
        (b"\r\nbody", b"body"),
        (b"%PDF\nx", b"%PDF\r\nx"),
        (b" A: 1\r\n\r\n", b" A: 1\r\n\r\n"),
        (b"From a@b\n", b""),
    ] {
        for piece in 1..=octets.len().max(1) {
            let whole = whole(octets, piece, LIMIT);
            assert!(whole.fields.is_empty());
            assert_eq!(whole.body, body, "{}", octets.escape_ascii());
        }
    }
}

#[test]
fn a_field_at_the_limit_and_one_past_it() {
    let of = |value: usize, end: &str| format!("A:{}{end}B: 2{end}{end}", "v".repeat(value));
    for piece in [1, 7, 100] {
        for end in ["\n", "\r\n"] {
            let at = whole(of(16, end).as_bytes(), piece, 20);
            assert_eq!(at.fields.len(), 2);
            let past = whole(of(17, end).as_bytes(), piece, 20);
            assert_eq!(past.too_long, [(b"A".to_vec(), 21)]);
            assert_eq!(past.fields, [(b"B".to_vec(), b" 2".to_vec())]);
        }
    }
}

#[test]
fn a_folded_field_at_the_limit_and_one_past_it() {
    let of = |value: usize| format!("A: 1\r\n {}\r\n 3\r\n\r\nbody", "v".repeat(value));
    for piece in [1, 7, 100] {
        let at = whole(of(7).as_bytes(), piece, 20);
        assert_eq!(at.fields.len(), 1);
        for value in [8, 9, 20, 100] {
            let past = whole(of(value).as_bytes(), piece, 20);
            let size = u64::try_from(13 + value).unwrap();
            assert_eq!(past.too_long, [(b"A".to_vec(), size)]);
            assert_eq!(past.body, b"body");
        }
    }
}

#[test]
fn a_line_that_grows_without_a_colon_is_body_and_whole() {
    let line = "x".repeat(100);
    for (end, piece) in [("\n", 1), ("\r\n", 7), ("\n", 1000)] {
        let octets = format!("A: 1{end}{line}: y{end}{end}z");
        let whole = whole(octets.as_bytes(), piece, 20);
        assert_eq!(whole.fields.len(), 1);
        assert_eq!(whole.body, format!("{line}: y\r\n\r\nz").as_bytes());
    }
}

#[test]
fn a_long_name_is_cut() {
    let octets = format!("{}: 1\n\n", "n".repeat(LONG_NAME_LIMIT + 1));
    let whole = whole(octets.as_bytes(), 100, LONG_NAME_LIMIT + 2);
    assert_eq!(whole.too_long.len(), 1);
    assert_eq!(whole.too_long[0].0.len(), LONG_NAME_LIMIT);
}

proptest! {
    #[test]
    fn any_octets_are_split_as_files_are(
        octets in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'A'), any::<u8>()], 0..200),
        piece in 1_usize..50,
    ) {
        assert_same_as_file(&octets, piece);
    }

    #[test]
    fn any_octets_are_the_same_however_they_are_cut(
        octets in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'A')], 0..200),
        piece in 1_usize..50,
        limit in 1_usize..30,
    ) {
        prop_assert_eq!(whole(&octets, piece, limit), whole(&octets, usize::MAX, limit));
    }
}
