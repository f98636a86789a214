//! A message that comes in pieces: it is split as a file is, however it is cut, and no octet of it is
//! lost or made up.
//!
//! The first octet is the size of the pieces.

#![no_main]

use landmarc_interfaces::incoming::{Incoming, Piece};
use landmarc_mail::message::{HeaderDefect, HeaderLimits, split};
use libfuzzer_sys::fuzz_target;

/// A field in its two halves.
type Field = (Vec<u8>, Vec<u8>);

#[derive(Default)]
struct Read {
    fields: Vec<Field>,
    too_long: usize,
    ended_at_text: bool,
    headers_ended: usize,
    body: Vec<u8>,
}

impl Read {
    fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Field { name, value } => self.fields.push((name, value)),
            Piece::LongField { .. } => self.too_long += 1,
            Piece::NotAField => self.ended_at_text = true,
            Piece::EndOfHeaders => self.headers_ended += 1,
            Piece::Body(octets) => {
                assert_eq!(self.headers_ended, 1);
                self.body.extend_from_slice(&octets);
            }
        }
    }
}

fn read(octets: &[u8], size: usize, limit: usize) -> Read {
    let (mut incoming, mut read) = (Incoming::new(limit), Read::default());
    for mut part in octets.chunks(size) {
        while let Some(piece) = incoming.next(&mut part) {
            read.take(piece);
        }
    }
    while let Some(piece) = incoming.finish() {
        read.take(piece);
    }
    assert_eq!(read.headers_ended, 1);
    read
}

fuzz_target!(|octets: &[u8]| {
    let Some((&size, octets)) = octets.split_first() else {
        return;
    };
    let size = usize::from(size).max(1);
    let limits = HeaderLimits::default();
    if let Ok(file) = split(octets, &limits) {
        let here = read(octets, size, limits.field_octets);
        if here.too_long == 0 && !file.header.is_cut() {
            let fields = file.header.fields().iter();
            let fields: Vec<Field> = fields
                .map(|field| (field.raw_name().to_vec(), field.value().to_vec()))
                .collect();
            assert_eq!(here.fields, fields);
        }
        assert_eq!(here.body, *file.body);
        let ended_at_text = file.header.defects().contains(&HeaderDefect::NotAField);
        assert_eq!(here.ended_at_text, ended_at_text);
    }
    // At a limit that is met all the time.
    let (pieces, whole) = (read(octets, size, 16), read(octets, usize::MAX, 16));
    assert_eq!(pieces.fields, whole.fields);
    assert_eq!((pieces.too_long, pieces.body), (whole.too_long, whole.body));
});
