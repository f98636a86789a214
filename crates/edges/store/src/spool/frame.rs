//! What is compressed: how long it is, and raw deflate.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::octets::{Cursor, Fault, Writer};

/// Most octets of a frame when it is unpacked. What one batch records takes half of it at most.
pub(super) const MAX_FRAME: usize = 16 << 20;
/// A frame that unpacks to more than so many times what it takes up is refused,
pub(super) const MAX_RATIO: usize = 250;
/// but for one that is small all the same.
pub(super) const RATIO_FLOOR: usize = 1 << 20;

/// The quickest: an entry waits for a short time, and the writer packs it while mail waits.
const QUICK: Compression = Compression::new(1);

/// Packs frames. Its tables are large, and used again for the next one.
pub(crate) struct Packer(Compress);

impl Packer {
    pub(crate) fn new() -> Self {
        Self(Compress::new(QUICK, false))
    }

    pub(super) fn pack(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut packed = Writer::default();
        packed.length(octets.len());
        let head = packed.0.len();
        self.0.reset();
        let whole = deflate(&mut self.0, octets, &mut packed.0);
        // A hostile message may explain itself in nothing but one letter. It is to be read again all the same.
        if whole && fits(packed.0.len() - head, octets.len()) {
            return packed.0;
        }
        packed.0.truncate(head);
        let stored = deflate(
            &mut Compress::new(Compression::none(), false),
            octets,
            &mut packed.0,
        );
        debug_assert!(stored, "there is room for what is merely copied");
        packed.0
    }
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Packer")
    }
}

/// Whether all of it is there.
fn deflate(compress: &mut Compress, octets: &[u8], packed: &mut Vec<u8>) -> bool {
    // Deflate adds five octets for each 16 KiB that it cannot shorten, and a little at the end.
    packed.reserve(octets.len() + octets.len() / 1_024 + 64);
    let done = compress.compress_vec(octets, packed, FlushCompress::Finish);
    matches!(done, Ok(Status::StreamEnd))
}

fn fits(packed: usize, unpacked: usize) -> bool {
    unpacked <= RATIO_FLOOR.max(packed.saturating_mul(MAX_RATIO))
}

/// How long a frame is when it is unpacked, as it says.
pub(super) fn unpacked_length(frame: &[u8]) -> Result<usize, Fault> {
    head(&mut Cursor::new(frame))
}

fn head(cursor: &mut Cursor<'_>) -> Result<usize, Fault> {
    let length = usize::try_from(cursor.number()?).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(cursor.fault("more than is taken when it is unpacked"));
    }
    if !fits(cursor.rest().len(), length) {
        return Err(cursor.fault("more than so little unpacks to"));
    }
    Ok(length)
}

/// Unpacks a frame: no more of it than it says, and no less.
pub(super) fn unpack(frame: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut cursor = Cursor::new(frame);
    let length = head(&mut cursor)?;
    let packed = cursor.rest();
    // One more than there is to come: else its end would not be noticed.
    let mut octets = Vec::with_capacity(length + 1);
    let mut decompress = Decompress::new(false);
    let done = decompress.decompress_vec(packed, &mut octets, FlushDecompress::Finish);
    let read = usize::try_from(decompress.total_in()).unwrap_or(usize::MAX);
    match done {
        Ok(Status::StreamEnd) if octets.len() == length && read == packed.len() => Ok(octets),
        Ok(Status::StreamEnd) => Err(cursor.fault("another length than it says")),
        _ => Err(cursor.fault("what does not unpack")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets that cannot be packed: the upper ones of a linear congruence.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_is_packed_comes_back() {
        let mut packer = Packer::new();
        for octets in [
            vec![],
            b"a".to_vec(),
            vec![b'a'; 2 << 20],
            noise(100_000),
            b"a".to_vec(),
        ] {
            let packed = packer.pack(&octets);
            assert_eq!(unpacked_length(&packed), Ok(octets.len()));
            assert!(unpack(&packed) == Ok(octets));
        }
    }

    #[test]
    fn what_says_too_much_is_refused_at_the_limit_and_not_before() {
        let said = |length: usize| {
            let mut frame = Writer::default();
            frame.length(length);
            frame.0.resize(MAX_FRAME / 200, 0);
            unpacked_length(&frame.0)
        };
        assert_eq!(said(MAX_FRAME), Ok(MAX_FRAME));
        let fault = said(MAX_FRAME + 1).unwrap_err();
        insta::assert_snapshot!(fault.what, @"more than is taken when it is unpacked");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked_and_a_small_one_is_none() {
        let pack = |length: usize| {
            let mut packed = Writer::default();
            packed.length(length);
            let best = &mut Compress::new(Compression::best(), false);
            assert!(deflate(best, &vec![0; length], &mut packed.0));
            packed.0
        };
        assert!(unpack(&pack(RATIO_FLOOR)).is_ok());
        let bomb = pack(2 << 20);
        let refused = unpack(&bomb)
            .map(|octets| octets.len())
            .map_err(|fault| fault.what);
        assert_eq!(refused, Err("more than so little unpacks to"));
        assert!(
            unpack(&Packer::new().pack(&vec![0; 2 << 20])).is_ok(),
            "ours is no bomb"
        );
    }

    #[test]
    fn another_length_than_it_says_is_refused() {
        let packed = Packer::new().pack(&noise(100));
        for said in [99, 101] {
            let mut other = packed.clone();
            other[0] = said;
            assert!(unpack(&other).is_err(), "{said}");
        }
        let mut longer = packed.clone();
        longer.push(0);
        assert!(unpack(&longer).is_err());
        for length in 0..packed.len() {
            assert!(unpack(&packed[..length]).is_err(), "{length}");
        }
    }
}
